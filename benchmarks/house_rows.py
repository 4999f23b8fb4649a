"""What a house at the volume of the console's promise holds beside its books, as SQL: network, sessions, traffic, payments, debts.

Each step is a list of statements that the database fills itself with, triggers off. What a page looks up by is spread: names of
two hundred families, a MAC and addresses of its own a session, lines of two hundred NASes.

Next: house.py
"""

from __future__ import annotations

from typing import Final

# %(customers)s, %(sessions)s, %(hours)s, %(days)s: whole numbers; %(sealed)s: octets of a length that a sealed secret has.
STEPS: Final[dict[str, str]] = {
    "people": """
CREATE TEMP TABLE family AS SELECT n, (ARRAY['Ro', 'Bia', 'Fer', 'Espo', 'Ru', 'Ga', 'Co', 'Mar', 'Gre', 'Bru'])[1 + n %% 10] || (ARRAY['ssi', 'nchi', 'rari', 'sito', 'sso'])[1 + n / 10 %% 5]
        || (ARRAY['', 'ni', 'lli', 'tto'])[1 + n / 50 %% 4] AS name FROM generate_series(0, 199) AS n;
UPDATE customer AS c SET family_name = f.name, given_name = g.name, name = g.name || ' ' || f.name || CASE WHEN c.id %% 3 = 0 THEN ' ' || c.id ELSE '' END
    FROM family AS f, (SELECT n, (ARRAY['Anna', 'Luca', 'Maria', 'Paolo', 'Sara', 'Marco', 'Elena', 'Ugo', 'Rita', 'Ivo'])[n + 1] AS name FROM generate_series(0, 9) AS n) AS g
    WHERE f.n = c.id * 7919 %% 200 AND g.n = c.id %% 10;
UPDATE address SET city = (ARRAY['Torino', 'Milano', 'Genova', 'Asti', 'Cuneo'])[1 + customer_id %% 5], street = 'Via ' || (ARRAY['Po', 'Roma', 'Dante', 'Verdi', 'Garibaldi', 'Cavour'])[1 + customer_id %% 6];
INSERT INTO contact (customer_id, role, email, mobile) SELECT id, 'main', lower(given_name) || id || '@example.net', '+39333' || lpad(id::text, 7, '0') FROM customer ORDER BY id;
INSERT INTO note (customer_id, text, author, written_at) SELECT id, 'Called about the line', 'maria', now() - id %% 400 * interval '1 day' FROM customer ORDER BY id;
INSERT INTO message (customer_id, origin, channel, purpose, template, made_by, made_at, state, handed_at, ended_at, address, reference, written_at, subject, body)
    SELECT c.id, 'document ' || c.id || ' ' || n, 'email', 'service', 'invoice', 'job billing', at, 'sent', at, at, 'a' || c.id || '@example.net', c.id || '-' || n || '@example.net', at, 'Your invoice', 'Your invoice is enclosed.'
    FROM generate_series(1, 5) AS n CROSS JOIN customer AS c CROSS JOIN LATERAL (SELECT now() - n * interval '60 days' - c.id %% 20000 * interval '1 minute' AS at) AS t ORDER BY n, c.id
""",
    "network": """
INSERT INTO site (name, latitude, longitude) SELECT 'tower ' || n, 45 + n / 100.0, 7 + n / 100.0 FROM generate_series(1, 100) AS n;
INSERT INTO nas (name, source, vendor, sealed_secret, site_id) SELECT 'bras-' || n, ('172.20.' || n / 250 || '.' || n %% 250 + 1 || '/32')::cidr, CASE WHEN n %% 4 = 0 THEN 'accel_ppp' ELSE 'mikrotik' END, %(sealed)s, 1 + n %% 100
    FROM generate_series(1, 200) AS n;
INSERT INTO profile (name, rate_down_bps, rate_up_bps, ipv4_pool) SELECT 'home ' || n * 50, n * 50000000, n * 10000000, 'subscribers' FROM generate_series(1, 20) AS n;
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home ' || (id - 1) * 50, id, 2, 2 FROM profile WHERE id > 1 ORDER BY id;
UPDATE contract SET plan_id = 2 + id %% 20;
INSERT INTO profile_revision (profile_id, revision) SELECT id, int4send(id::integer) FROM profile ON CONFLICT DO NOTHING;
INSERT INTO subscriber_account (contract_id, username, sealed_secret, macs)
    SELECT 1 + (n - 1) %% %(customers)s, 'user' || lpad(n::text, 7, '0') || '@' || (ARRAY['home', 'office', 'fiber'])[1 + n %% 3], %(sealed)s, CASE WHEN n %% 10 = 0 THEN ARRAY['02' || lpad(to_hex(n), 10, '0')] ELSE '{}' END
    FROM generate_series(1, %(sessions)s) AS n ORDER BY n;
INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision) SELECT a.id, 'full', 'contract active', p.profile_id, int4send(a.id::integer)
    FROM subscriber_account AS a JOIN contract AS c ON c.id = a.contract_id JOIN plan AS p ON p.id = c.plan_id ORDER BY a.id;
INSERT INTO account_prefix (account_id, kind, prefix) SELECT n, 'framed_ipv4', ('185.20.0.0'::inet + n)::text::cidr FROM generate_series(1, 20000) AS n
""",
    "sessions": """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, updated_at, received_at, session_time_s, octets_in, octets_out, counter_in, counter_out,
        interim_interval_s, framed_ipv4, framed_ipv6_prefix, delegated_ipv6_prefix, addresses_since, mac, line, stale, nas_port_id, rate_in_bps, rate_out_bps)
    SELECT md5('s' || a.id)::uuid, 1 + a.id %% 200, lpad(to_hex(a.id), 16, '0'), a.username, a.id, md5('c' || a.id)::uuid,
        CASE WHEN a.id %% 200 = 7 THEN '\\x0000000100000001'::bytea ELSE r.revision || d.account_revision END, t.at, t.heard, t.heard, extract(epoch FROM t.heard - t.at), t.octets, t.octets * 8, t.octets, t.octets * 8,
        600, '100.64.0.0'::inet + a.id, ('2001:db8:' || to_hex(a.id / 65536) || ':' || to_hex(a.id %% 65536) || '::/64')::cidr, ('2001:dc0:' || to_hex(a.id / 256) || ':' || lpad(to_hex(a.id %% 256), 2, '0') || '00::/56')::cidr,
        t.at, '02' || lpad(to_hex(a.id), 10, '0'), 'olt-' || a.id %% 400 || ' 0/' || a.id %% 16 || '/' || a.id %% 64, a.id %% 500 = 3, 'pppoe-' || a.id, a.id * 7919 %% 40000000, a.id * 104729 %% 300000000
    FROM subscriber_account AS a JOIN desired_policy AS d ON d.account_id = a.id JOIN profile_revision AS r ON r.profile_id = d.profile_id
        CROSS JOIN LATERAL (SELECT now() - (600 + a.id * 7919 %% 1200000) * interval '1 second' AS at, now() - a.id %% 600 * interval '1 second' AS heard, a.id * 104729 %% 50000000000 AS octets) AS t ORDER BY a.id * 7919 %% 1000003;
INSERT INTO closed_session (session_key, ended_at, ended_by, terminate_cause, nas_id, acct_session_id, username, account_id, started_at, received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, framed_ipv4, mac, line)
    SELECT md5(n || 'e' || s.account_id)::uuid, s.started_at - n * interval '5 days' + interval '4 days', 'stop', 'User-Request', s.nas_id, n || s.acct_session_id, s.username, s.account_id, s.started_at - n * interval '5 days',
        s.started_at - n * interval '5 days' + interval '4 days', 345600, 5000000000, 40000000000, 5000000000, 40000000000, s.framed_ipv4 + 1000 * n, s.mac, s.line
    FROM generate_series(1, 3) AS n, session AS s WHERE s.started_at - n * interval '5 days' > date_trunc('month', now()) - interval '1 month';
INSERT INTO address_history (month, address, valid_from, valid_to, session_key, nas_id, account_id, username)
    SELECT m.month, s.framed_ipv4, greatest(s.started_at, m.month AT TIME ZONE 'UTC'), least(s.ended_at, (m.month + interval '1 month') AT TIME ZONE 'UTC'), s.session_key, s.nas_id, s.account_id, s.username
    FROM (SELECT session_key, framed_ipv4, started_at, updated_at AS ended_at, nas_id, account_id, username FROM session UNION ALL SELECT session_key, framed_ipv4, started_at, ended_at, nas_id, account_id, username FROM closed_session) AS s
        CROSS JOIN LATERAL (SELECT g::date AS month FROM generate_series(date_trunc('month', s.started_at AT TIME ZONE 'UTC'), s.ended_at AT TIME ZONE 'UTC', interval '1 month') AS g) AS m;
INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, account_id, nas_id, source, mac, line)
    SELECT now() - n * interval '800 milliseconds', decode(md5('l' || n), 'hex'), CASE WHEN n %% 20 = 0 THEN 'reject' ELSE 'accept' END, CASE WHEN n %% 20 = 0 THEN (ARRAY['wrong_password', 'unknown_user', 'too_many_sessions'])[1 + n / 20 %% 3] ELSE 'ok' END,
        a.username, a.id, 1 + a.id %% 200, '172.20.0.2', '02' || lpad(to_hex(a.id), 10, '0'), 'olt-' || a.id %% 400
    FROM generate_series(1, 2 * %(sessions)s) AS n JOIN subscriber_account AS a ON a.id = 1 + n * 7919::bigint %% %(sessions)s
""",
    "enforcements": """
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, desired_version, profile_id, disruptive, state, method, attempt, next_at, wanted_at, created_at, sent_at, answered_at, closed_at, settled_at, problem)
    SELECT s.session_key, s.nas_id, s.account_id, s.acct_session_id, s.username, 'full', 'contract active', s.policy_version, 2 + n %% 20, n %% 3 = 0, CASE WHEN n %% 50 = 0 THEN 'gave_up' ELSE 'verified' END::enforcement_state, 'coa', 1,
        at, at, at, at, at, at + interval '1 minute', at + interval '1 minute', CASE WHEN n %% 50 = 0 THEN 'no answer' ELSE '' END
    FROM generate_series(1, 3 * %(sessions)s / 10) AS n JOIN session AS s ON s.session_key = md5('s' || (1 + n * 7919::bigint %% %(sessions)s))::uuid CROSS JOIN LATERAL (SELECT now() - (300000 - n %% 300000) * interval '9 seconds' AS at) AS t ORDER BY n;
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, desired_version, profile_id, disruptive, state, method, attempt, wanted_at, sent_at, answered_at, held_since, held_reason, problem)
    SELECT s.session_key, s.nas_id, s.account_id, s.acct_session_id, s.username, 'walled', 'restriction dunning', s.policy_version, 2, true, (ARRAY['queued', 'queued', 'acked', 'unanswered'])[1 + n %% 4]::enforcement_state, 'coa', 1, now() - n * interval '1 second',
        now(), now(), CASE WHEN n %% 4 < 2 THEN now() END, CASE WHEN n %% 4 < 2 THEN 'the guard: too many' ELSE '' END, 'no answer'
    FROM generate_series(1, %(sessions)s / 50) AS n JOIN session AS s ON s.session_key = md5('s' || (n * 50))::uuid ORDER BY n;
INSERT INTO enforcement_packet (enforcement_id, at, direction, code, identifier, peer, attributes)
    SELECT e.id, e.sent_at + d * interval '1 millisecond', CASE d WHEN 0 THEN 'sent' ELSE 'received' END, 43 + d, e.id %% 256, '172.20.0.2:3799', 'User-Name = "' || e.username || '"' FROM enforcement AS e, generate_series(0, 1) AS d
    WHERE e.sent_at > date_trunc('month', now()) - interval '1 month' ORDER BY e.id, d
""",
    "figures": """
INSERT INTO online_minute (at, subscribers, sessions, stale) SELECT date_trunc('minute', now()) - n * interval '1 minute', %(sessions)s - n %% 1440, %(sessions)s - n %% 1440, n %% 2000 FROM generate_series(1, 60 * 1440) AS n;
INSERT INTO login_minute (at, outcome, reason, attempts) SELECT date_trunc('minute', now()) - n * interval '1 minute', CASE r WHEN 'ok' THEN 'accept' ELSE 'reject' END, r, 1 + n %% 75
    FROM generate_series(1, 30 * 1440) AS n, unnest(ARRAY['ok', 'wrong_password', 'unknown_user', 'too_many_sessions']) AS r;
INSERT INTO nas_word (nas_id, sessions, heard_at, counted_at) SELECT nas_id, count(*), max(received_at), now() FROM session GROUP BY 1;
INSERT INTO drift_sweep (at, sessions, by_reason) SELECT now(), %(sessions)s / 200, jsonb_build_object('contract active', %(sessions)s / 200);
UPDATE guard_state SET live_subscribers = %(sessions)s, counted_at = now();
INSERT INTO spool_node (node, read_to) VALUES ('radius-1', now());
INSERT INTO audit_log (at, actor, action, subject, detail)
    SELECT now() - n * interval '20 seconds', (ARRAY['maria', 'ugo', 'job billing', 'job dunning'])[1 + n %% 4], (ARRAY['customer.update', 'contract.update', 'payment.insert', 'account.update'])[1 + n %% 4], 'customer ' || 1 + n %% %(customers)s, '{}'
    FROM generate_series(1, 10 * %(customers)s) AS n ORDER BY n DESC
""",
    "payments": """
CREATE TEMP TABLE paid AS SELECT d.id, d.issuer_id, d.customer_id, d.currency, d.payable, least(d.document_date + 5 + (d.id %% 20)::integer, current_date) AS on_day, m.id AS method_id, m.code, row_number() OVER (ORDER BY d.id) AS n
    FROM document AS d CROSS JOIN LATERAL (SELECT id, code FROM payment_method WHERE issuer_id = d.issuer_id ORDER BY (id + d.id) %% 7, id LIMIT 1) AS m
    WHERE d.id %% 100 >= CASE WHEN d.document_date >= date_trunc('month', now()) - interval '1 month' THEN 15 ELSE 3 END;
INSERT INTO payment (id, issuer_id, method_id, customer_id, currency, amount, value_on, source, reference, payer, made_by, made_at) OVERRIDING SYSTEM VALUE
    SELECT n, issuer_id, method_id, customer_id, currency, payable, on_day, 'file', 'row ' || n, 'Rossi', 'maria', on_day FROM paid ORDER BY on_day, n;
INSERT INTO allocation (payment_id, invoice_id, amount, allocated_at) SELECT n, id, payable, on_day FROM paid ORDER BY n;
INSERT INTO entry (id, issuer_id, dated, source, source_id, kind, currency, made_by) OVERRIDING SYSTEM VALUE
    SELECT (SELECT max(id) FROM document) + n, issuer_id, on_day, 'payment', n, 'payment', currency, 'maria' FROM paid ORDER BY n;
INSERT INTO posting (entry_id, number, account_id, customer_id, amount)
    SELECT (SELECT max(id) FROM document) + p.n, leg.number, leg.account, leg.customer, leg.amount FROM paid AS p
        CROSS JOIN (SELECT (SELECT id FROM ledger_account WHERE role = 'customers' ORDER BY id LIMIT 1) AS owing, (SELECT id FROM ledger_account WHERE role = 'bank' ORDER BY id LIMIT 1) AS bank) AS a
        CROSS JOIN LATERAL (VALUES (1, a.bank, NULL::bigint, p.payable), (2, a.owing, p.customer_id, -p.payable)) AS leg (number, account, customer, amount) ORDER BY p.n, 2;
DELETE FROM open_document AS o USING paid AS p WHERE p.id = o.document_id;
UPDATE customer_balance AS b SET balance = coalesce((SELECT sum(o.open) FROM open_document AS o WHERE o.customer_id = b.customer_id), 0);
INSERT INTO payment (id, issuer_id, method_id, currency, amount, value_on, source, reference, payer, made_by) OVERRIDING SYSTEM VALUE
    SELECT (SELECT max(n) FROM paid) + g, (SELECT id FROM issuer), (SELECT min(id) FROM payment_method), 'EUR', 10 + g %% 90, current_date - (g %% 60)::integer, 'file', 'unknown ' || g, 'Somebody ' || g, 'maria' FROM generate_series(1, %(customers)s / 100) AS g;
INSERT INTO open_payment (payment_id, issuer_id, customer_id, currency, open) SELECT id, issuer_id, NULL, currency, amount FROM payment WHERE customer_id IS NULL
""",
    "debts": """
INSERT INTO dunning_case (customer_id, issuer_id, currency, opened_at) SELECT customer_id, issuer_id, currency, min(due_on)::timestamptz + interval '1 day' FROM open_document WHERE due_on < current_date AND open > 0 GROUP BY 1, 2, 3 ORDER BY 1;
INSERT INTO dunning_case_step (case_id, step, ran_at, ran_by) SELECT id, s.step, opened_at + s.days * interval '1 day', 'job dunning' FROM dunning_case, (VALUES ('reminder', 3), ('formal_notice', 10), ('throttle', 45)) AS s (step, days)
    WHERE opened_at + s.days * interval '1 day' < now();
INSERT INTO formal_notice (case_id, step, channel, documents, amount, sent_at, sent_by, delivered_at, delivered_by)
    SELECT s.case_id, 'formal_notice', 'certified_mail', ARRAY(SELECT o.document_id FROM open_document AS o WHERE o.customer_id = c.customer_id ORDER BY 1 LIMIT 3), 100, s.ran_at, 'job dunning', s.ran_at + interval '2 days', 'post'
    FROM dunning_case_step AS s JOIN dunning_case AS c ON c.id = s.case_id WHERE s.step = 'formal_notice' AND s.ran_at < now() - interval '3 days';
INSERT INTO automation_run (name, started_by, started_at, ended_at) SELECT 'dunning', 'job dunning', now() - n * interval '1 day', now() - n * interval '1 day' + interval '1 minute' FROM generate_series(60, 1, -1) AS n;
INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, run_id) SELECT k.id, 'dunning', 'throttle', 'unpaid', 'dunning', s.ran_at, 1 FROM dunning_case_step AS s JOIN dunning_case AS c ON c.id = s.case_id JOIN contract AS k ON k.customer_id = c.customer_id
    WHERE s.step = 'throttle';
INSERT INTO collector (issuer_id, name, series_id) SELECT i.id, 'Carlo', s.id FROM issuer AS i JOIN number_series AS s ON s.issuer_id = i.id WHERE s.kind = 'receipt' LIMIT 1;
INSERT INTO collector_scope (collector_id, kind) SELECT id, 'everyone' FROM collector
""",
}
# The large ones are filled a month at a time with no index on, and get them when they are full.
USAGE: Final = {
    "usage_hour": """INSERT INTO {part} (account_id, hour, octets_in, octets_out)
    SELECT a, h, a * 7919 %% 30000000, a * 104729 %% 900000000 FROM generate_series({first}::timestamptz, {last}::timestamptz, interval '1 hour') AS h, generate_series(1::bigint, {accounts}) AS a""",
    "usage_day": """INSERT INTO {part} (account_id, day, octets_in, octets_out)
    SELECT a, d::date, a * 7919 %% 700000000, a * 104729 %% 20000000000 FROM generate_series({first}::date, {last}::date, interval '1 day') AS d, generate_series(1::bigint, {accounts}) AS a""",
}
