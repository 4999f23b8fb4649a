"""Cases of dunning as people look at them: the list, one with all that was done in it, and who was limited when.

Next: billing/store/dunning.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.store import notice_messages

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case of the list. `level` is the heaviest limit of dunning on the customer's contracts, `waiting` a step that is proposed."""

    id: int
    customer_id: int
    customer: str
    issuer_id: int
    currency: str
    opened_at: datetime
    cleared_at: datetime | None
    overdue: Decimal
    last_step: str | None
    last_at: datetime | None
    level: str | None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """Something that happened in a case."""

    at: datetime
    what: str
    who: str
    detail: str | None


_CASES: Final = """
SELECT c.id, c.customer_id, k.name AS customer, c.issuer_id, c.currency::text AS currency, c.opened_at, c.cleared_at,
    round(coalesce((SELECT sum(o.open) FROM open_document AS o WHERE o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id AND o.currency = c.currency
        AND o.open > 0 AND o.due_on < (now() AT TIME ZONE i.zone)::date), 0), currency_places(c.currency)) AS overdue,
    s.step AS last_step, s.ran_at AS last_at,
    (SELECT max(r.level)::text FROM contract AS n JOIN restriction AS r ON r.contract_id = n.id
        WHERE n.customer_id = c.customer_id AND r.origin = 'dunning' AND r.lifted_at IS NULL AND r.held_since IS NULL) AS level
FROM dunning_case AS c JOIN customer AS k ON k.id = c.customer_id JOIN issuer AS i ON i.id = c.issuer_id
LEFT JOIN LATERAL (SELECT step, ran_at FROM dunning_case_step WHERE case_id = c.id ORDER BY ran_at DESC, step LIMIT 1) AS s ON true
"""
_EVENTS: Final = """
SELECT at, what, who, detail FROM (
    SELECT opened_at AS at, 'case begun' AS what, 'dunning' AS who, NULL::text AS detail FROM dunning_case WHERE id = %(id)s
    UNION ALL SELECT cleared_at, 'case over', 'dunning', NULL FROM dunning_case WHERE id = %(id)s AND cleared_at IS NOT NULL
    UNION ALL SELECT ran_at, 'step ' || step, ran_by, reason FROM dunning_case_step WHERE case_id = %(id)s
    UNION ALL SELECT confirmed_at, 'step ' || step || ' confirmed', confirmed_by, NULL FROM dunning_confirmation WHERE case_id = %(id)s
    UNION ALL SELECT sent_at, 'formal notice ' || id || ' by ' || channel, sent_by, (SELECT round(amount, currency_places(c.currency)) || ' ' || c.currency FROM dunning_case AS c WHERE c.id = case_id) || ', documents: ' || cardinality(documents)
        FROM formal_notice WHERE case_id = %(id)s
    UNION ALL SELECT delivered_at, 'formal notice ' || id || ' delivered', delivered_by, CASE WHEN proof_id IS NOT NULL THEN 'proof: file ' || proof_id END
        FROM formal_notice WHERE case_id = %(id)s AND delivered_at IS NOT NULL
    UNION ALL SELECT made_at, 'promise ' || id, made_by, (SELECT round(amount, currency_places(c.currency)) || ' ' || c.currency FROM dunning_case AS c WHERE c.id = case_id) || ' until ' || to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC' FROM promise WHERE case_id = %(id)s
    UNION ALL SELECT ended_at, 'promise ' || id || ' ' || state, coalesce(reviewed_by, 'dunning'), NULL FROM promise WHERE case_id = %(id)s AND ended_at IS NOT NULL
    UNION ALL SELECT m.made_at, m.channel || ' message ' || m.id || ' ' || m.template, m.made_by, m.state::text || CASE WHEN m.problem = '' THEN '' ELSE ': ' || m.problem END
        FROM message AS m WHERE m.customer_id = (SELECT customer_id FROM dunning_case WHERE id = %(id)s) AND m.origin LIKE 'dunning ' || %(id)s || ' %%'
    UNION ALL SELECT r.since, 'contract ' || r.contract_id || ' ' || r.level || CASE WHEN r.held_since IS NULL THEN '' ELSE ' (waits for a person)' END, r.placed_by, r.reason
        FROM dunning_case AS d JOIN contract AS n ON n.customer_id = d.customer_id JOIN restriction AS r ON r.contract_id = n.id
        WHERE d.id = %(id)s AND r.origin = 'dunning' AND r.since >= d.opened_at AND (d.cleared_at IS NULL OR r.since <= d.cleared_at)
    UNION ALL SELECT r.lifted_at, 'contract ' || r.contract_id || ' no more ' || r.level, r.lifted_by, NULL
        FROM dunning_case AS d JOIN contract AS n ON n.customer_id = d.customer_id JOIN restriction AS r ON r.contract_id = n.id
        WHERE d.id = %(id)s AND r.origin = 'dunning' AND r.since >= d.opened_at AND (d.cleared_at IS NULL OR r.since <= d.cleared_at) AND r.lifted_at IS NOT NULL
) AS happened ORDER BY at, what
"""


def load_cases(
    connection: Connection,
    *,
    issuer_id: int | None,
    customer_id: int | None,
    cleared: bool,
    step: str | None,
    limit: int,
    after: int = 0,
) -> list[CaseRow]:
    """The open cases, the oldest first, or with `cleared` all; those in which a step ran; from the one behind `after` on."""
    where = """WHERE c.id > %(after)s AND {open} AND (%(issuer)s::bigint IS NULL OR c.issuer_id = %(issuer)s)
        AND (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s)
        AND (%(step)s::text IS NULL OR EXISTS (SELECT FROM dunning_case_step AS x WHERE x.case_id = c.id AND x.step = %(step)s)) ORDER BY c.id LIMIT %(limit)s"""
    where = where.replace("{open}", "true" if cleared else "c.cleared_at IS NULL")
    asked = {"issuer": issuer_id, "customer": customer_id, "step": step, "limit": limit, "after": after}
    with connection.cursor(row_factory=class_row(CaseRow)) as cursor:
        return cursor.execute(_CASES + where, asked).fetchall()


def load_case(connection: Connection, case_id: int) -> CaseRow | None:
    """One case."""
    with connection.cursor(row_factory=class_row(CaseRow)) as cursor:
        return cursor.execute(_CASES + "WHERE c.id = %s", (case_id,)).fetchone()


def load_events(connection: Connection, case_id: int) -> list[CaseEvent]:
    """All that happened in a case, in order of time."""
    with connection.cursor(row_factory=class_row(CaseEvent)) as cursor:
        return cursor.execute(_EVENTS, {"id": case_id}).fetchall()


_STANDING: Final = f"""
SELECT ARRAY(SELECT i.name FROM issuer AS i WHERE NOT EXISTS (SELECT FROM dunning_policy AS p WHERE p.issuer_id = i.id) ORDER BY 1),
    (SELECT count(*) FROM dunning_case WHERE cleared_at IS NULL), n.*, (SELECT count(*) FROM promise WHERE proof_id IS NOT NULL AND reviewed IS NULL)
FROM (SELECT count(*) FILTER (WHERE {notice_messages.FAILED}),
        count(*) FILTER (WHERE f.channel = 'email' AND m.state IN ('queued', 'sending') AND m.made_at < now() - interval '1 day'),
        count(*) FILTER (WHERE f.channel <> 'email' AND f.sent_at < now() - interval '21 days')
    FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id {notice_messages.JOIN} WHERE f.delivered_at IS NULL AND c.cleared_at IS NULL) AS n
"""  # noqa: S608 - our own columns


@dataclass(frozen=True, slots=True)
class Standing:
    """How dunning stands as a whole: issuers that pursue nobody, open cases, and what waits for a person.

    `failed_notices` did not arrive, `waiting_notices` are mails that wait for longer than a day, `late_notices` letters that nobody
    said of that they came.
    """

    without_policy: list[str]
    cases: int
    failed_notices: int
    waiting_notices: int
    late_notices: int
    proofs: int


def load_standing(connection: Connection) -> Standing:
    """Notices are late that are under way for more than three weeks: a registered letter comes back before that."""
    row = connection.execute(_STANDING).fetchone()
    assert row is not None
    return Standing(*row)
