-- Corrente: the database as it is today. An older database becomes this one through migrations/.
-- Invariants stand here as constraints wherever the database can hold them; code may be wrong, the database refuses.
--
-- Units: rates in bit/s, octets in bytes, times with zone (UTC inside), *_s in seconds.
-- Secrets (`sealed_*`) are AES-256-GCM under a key the database never sees; see radius_hooks/sealing.py.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- ---------------------------------------------------------------------------------------------------------------
-- Roles. They have no password and no login here: the operator's pg_hba.conf or `corrente up` says who becomes which.
-- FreeRADIUS has none: its hook reads the policy store.
-- ---------------------------------------------------------------------------------------------------------------
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['corrente_edge', 'corrente_worker', 'corrente_web', 'corrente_lookup', 'corrente_collector', 'corrente_console'] LOOP
        -- Roles belong to the cluster: another database of it, or its administrator, may have made them.
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- made by another database in this moment
        END;
    END LOOP;
END
$$;

CREATE TABLE schema_migration (
    name       text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_migration IS 'Migrations this database holds; a new database starts with all of them.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: what to do instead.
BEGIN
    RAISE EXCEPTION '%: % refused by %', TG_TABLE_NAME, TG_OP, TG_NAME
        USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0], TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_change() IS 'For triggers that forbid a kind of change altogether; the error names the trigger as its constraint.';

CREATE FUNCTION every_item_matches(items text[], pattern text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    item text;
BEGIN
    IF array_ndims(items) > 1 THEN
        RETURN false;
    END IF;
    FOREACH item IN ARRAY items LOOP
        IF item IS NULL OR item !~ pattern THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;
COMMENT ON FUNCTION every_item_matches(text[], text) IS 'A flat array without NULL whose items all match; an empty one does.';

-- ---------------------------------------------------------------------------------------------------------------
-- Access devices
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE site (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE CHECK (name <> ''),
    latitude  numeric(9, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT site_place_in_pairs CHECK ((latitude IS NULL) = (longitude IS NULL))
);
COMMENT ON TABLE site IS 'A place with equipment: a point of presence, a tower, an access point.';

CREATE TYPE nas_verification AS ENUM ('accounting', 'routeros_api', 'cli', 'none');
COMMENT ON TYPE nas_verification IS 'The second source that confirms what a device acknowledged.';

CREATE TABLE nas (
    id                            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                          text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    source                        cidr NOT NULL,
    identifier                    text CHECK (octet_length(identifier) BETWEEN 1 AND 253),
    vendor                        text NOT NULL CHECK (vendor ~ '^[a-z][a-z0-9_]{0,31}$'),
    sealed_secret                 bytea NOT NULL,
    require_message_authenticator boolean NOT NULL DEFAULT true,
    realms                        text[] NOT NULL DEFAULT '{}',
    coa_address                   inet,
    coa_port                      integer NOT NULL DEFAULT 3799 CHECK (coa_port BETWEEN 1 AND 65535),
    sealed_coa_secret             bytea,
    verification                  nas_verification NOT NULL DEFAULT 'accounting',
    swap_octets                   boolean NOT NULL DEFAULT false,
    site_id                       bigint REFERENCES site,
    enabled                       boolean NOT NULL DEFAULT true,
    booted_at                     timestamptz,
    created_at                    timestamptz NOT NULL DEFAULT now(),
    coa_source                    inet,
    coa_message_authenticator     boolean NOT NULL DEFAULT true,
    coa_event_timestamp           boolean NOT NULL DEFAULT true,
    coa_window                    smallint NOT NULL DEFAULT 16 CHECK (coa_window BETWEEN 1 AND 256),
    coa_rate_per_s                integer NOT NULL DEFAULT 100 CHECK (coa_rate_per_s BETWEEN 1 AND 10000),
    api_address                   inet,
    api_port                      integer CHECK (api_port BETWEEN 1 AND 65535),
    api_tls                       boolean NOT NULL DEFAULT true,
    api_certificate               bytea CHECK (octet_length(api_certificate) = 32),
    api_username                  text CHECK (octet_length(api_username) BETWEEN 1 AND 253 AND api_username !~ '[[:cntrl:]]'),
    sealed_api_password           bytea,
    ssh_address                   inet,
    ssh_port                      integer NOT NULL DEFAULT 22 CHECK (ssh_port BETWEEN 1 AND 65535),
    ssh_username                  text CHECK (octet_length(ssh_username) BETWEEN 1 AND 253 AND ssh_username !~ '[[:cntrl:]]'),
    sealed_ssh_password           bytea,
    ssh_host_key                  text CHECK (octet_length(ssh_host_key) BETWEEN 40 AND 8192 AND ssh_host_key ~ '^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$'),
    api_login                     text NOT NULL DEFAULT 'auto' CHECK (api_login IN ('auto', 'challenge', 'clear')),
    CONSTRAINT nas_source_once UNIQUE (source),
    CONSTRAINT nas_source_not_everyone CHECK (masklen(source) >= CASE family(source) WHEN 4 THEN 8 ELSE 16 END),
    CONSTRAINT nas_secret_sealed CHECK (octet_length(sealed_secret) > 32),
    CONSTRAINT nas_coa_secret_sealed CHECK (octet_length(sealed_coa_secret) > 32),
    CONSTRAINT nas_coa_address_is_host CHECK (masklen(coa_address) = CASE family(coa_address) WHEN 4 THEN 32 ELSE 128 END),
    CONSTRAINT nas_realms_bare CHECK (realms = '{}' OR every_item_matches(realms, '^[^@[:space:][:cntrl:]]{1,253}$')),
    CONSTRAINT nas_coa_source_is_host CHECK (masklen(coa_source) = CASE family(coa_source) WHEN 4 THEN 32 ELSE 128 END),
    CONSTRAINT nas_coa_source_reaches CHECK (family(coa_source) = family(coalesce(coa_address, source))),
    CONSTRAINT nas_api_address_is_host CHECK (masklen(api_address) = CASE family(api_address) WHEN 4 THEN 32 ELSE 128 END),
    CONSTRAINT nas_api_password_sealed CHECK (octet_length(sealed_api_password) > 32),
    CONSTRAINT nas_api_user_has_password CHECK ((api_username IS NULL) = (sealed_api_password IS NULL)),
    CONSTRAINT nas_ssh_address_is_host CHECK (masklen(ssh_address) = CASE family(ssh_address) WHEN 4 THEN 32 ELSE 128 END),
    CONSTRAINT nas_ssh_password_sealed CHECK (octet_length(sealed_ssh_password) > 32),
    CONSTRAINT nas_ssh_user_has_password CHECK ((ssh_username IS NULL) = (sealed_ssh_password IS NULL))
);
COMMENT ON TABLE nas IS 'Access devices. The source address that selects the shared secret is the identity; a prefix may stand for a group.';
COMMENT ON COLUMN nas.source IS 'Never everyone: a prefix is at least /8, or /16 in IPv6. Prefixes may nest; the longest one holds.';
COMMENT ON COLUMN nas.identifier IS 'What it calls itself (NAS-Identifier): a claim that is shown, never the identity.';
COMMENT ON COLUMN nas.sealed_secret IS 'The RADIUS shared secret; sealing adds 32 octets, so nothing shorter was ever sealed.';
COMMENT ON COLUMN nas.realms IS 'Serves only usernames with one of these after the last @; empty means all.';
COMMENT ON COLUMN nas.coa_address IS 'Where CoA goes; the source address when empty and that is one host.';
COMMENT ON COLUMN nas.swap_octets IS 'This model reports upload and download exchanged; calibrate with a known transfer.';
COMMENT ON COLUMN nas.booted_at IS 'Last Accounting-On or -Off taken to be true: sessions that began before it are over.';
COMMENT ON COLUMN nas.coa_source IS 'Our address that CoA leaves from: a device answers only the ones it knows. Empty: what the routing table picks.';
COMMENT ON COLUMN nas.coa_message_authenticator IS 'CoA carries a Message-Authenticator (RFC 5176 section 3.4); off only for a device that refuses it.';
COMMENT ON COLUMN nas.coa_event_timestamp IS 'CoA carries an Event-Timestamp against replay (RFC 5176 section 6.3); off for a device whose clock is wrong: it would drop all, in silence.';
COMMENT ON COLUMN nas.coa_window IS 'How many requests may wait for an answer at once.';
COMMENT ON COLUMN nas.coa_rate_per_s IS 'How many new requests may begin in a second.';
COMMENT ON COLUMN nas.api_address IS 'Where its RouterOS API listens; where CoA goes when empty.';
COMMENT ON COLUMN nas.api_port IS '8729 with TLS and 8728 without when empty.';
COMMENT ON COLUMN nas.api_certificate IS 'SHA-256 of the one certificate that is trusted; empty: whatever the system''s authorities vouch for under its address.';
COMMENT ON COLUMN nas.api_login IS 'How its API is shown the password. auto: in clear under TLS, else to a challenge and in clear where that fails; challenge: never in clear.';
COMMENT ON COLUMN nas.api_username IS 'Empty: there is no API access.';
COMMENT ON COLUMN nas.ssh_address IS 'Where its command line is reached; where CoA goes when empty.';
COMMENT ON COLUMN nas.ssh_username IS 'Empty: its command line is not used.';
COMMENT ON COLUMN nas.ssh_host_key IS 'The one host key that a person confirmed, as in known_hosts without a name. Empty: nothing is sent there.';

-- ---------------------------------------------------------------------------------------------------------------
-- What the network can give, and what is sold
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE profile (
    id                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                     text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._ -]{1,64}$'),
    rate_down_bps            bigint CHECK (rate_down_bps BETWEEN 1000 AND 400000000000),
    rate_up_bps              bigint CHECK (rate_up_bps BETWEEN 1000 AND 400000000000),
    burst_down_bps           bigint CHECK (burst_down_bps BETWEEN 1000 AND 400000000000),
    burst_up_bps             bigint CHECK (burst_up_bps BETWEEN 1000 AND 400000000000),
    burst_threshold_down_bps bigint CHECK (burst_threshold_down_bps BETWEEN 1000 AND 400000000000),
    burst_threshold_up_bps   bigint CHECK (burst_threshold_up_bps BETWEEN 1000 AND 400000000000),
    burst_time_s             integer CHECK (burst_time_s BETWEEN 1 AND 3600),
    priority                 smallint CHECK (priority BETWEEN 1 AND 8),
    minimum_down_bps         bigint CHECK (minimum_down_bps BETWEEN 1000 AND 400000000000),
    minimum_up_bps           bigint CHECK (minimum_up_bps BETWEEN 1000 AND 400000000000),
    address_lists            text[] NOT NULL DEFAULT '{}',
    ipv4_pool                text CHECK (octet_length(ipv4_pool) BETWEEN 1 AND 253 AND ipv4_pool !~ '[[:cntrl:]]'),
    ipv6_pool                text CHECK (octet_length(ipv6_pool) BETWEEN 1 AND 253 AND ipv6_pool !~ '[[:cntrl:]]'),
    delegated_ipv6_pool      text CHECK (octet_length(delegated_ipv6_pool) BETWEEN 1 AND 253 AND delegated_ipv6_pool !~ '[[:cntrl:]]'),
    filter                   text CHECK (octet_length(filter) BETWEEN 1 AND 253 AND filter !~ '[[:cntrl:]]'),
    quota_octets             bigint CHECK (quota_octets > 0),
    session_timeout_s        integer CHECK (session_timeout_s BETWEEN 60 AND 31536000),
    idle_timeout_s           integer CHECK (idle_timeout_s BETWEEN 60 AND 31536000),
    interim_interval_s       integer DEFAULT 600 CHECK (interim_interval_s BETWEEN 60 AND 86400),
    device_policy            text CHECK (device_policy ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$'),
    CONSTRAINT profile_rates_in_pairs CHECK ((rate_down_bps IS NULL) = (rate_up_bps IS NULL)),
    CONSTRAINT profile_bursts_in_pairs CHECK ((burst_down_bps IS NULL) = (burst_up_bps IS NULL)),
    CONSTRAINT profile_thresholds_in_pairs CHECK ((burst_threshold_down_bps IS NULL) = (burst_threshold_up_bps IS NULL)),
    CONSTRAINT profile_minimums_in_pairs CHECK ((minimum_down_bps IS NULL) = (minimum_up_bps IS NULL)),
    CONSTRAINT profile_burst_above_rate CHECK (burst_down_bps IS NULL OR (rate_down_bps IS NOT NULL AND burst_down_bps >= rate_down_bps AND burst_up_bps >= rate_up_bps)),
    CONSTRAINT profile_threshold_needs_burst CHECK (burst_threshold_down_bps IS NULL OR burst_down_bps IS NOT NULL),
    CONSTRAINT profile_threshold_below_burst CHECK (burst_threshold_down_bps <= burst_down_bps AND burst_threshold_up_bps <= burst_up_bps),
    CONSTRAINT profile_burst_time_needs_burst CHECK (burst_time_s IS NULL OR burst_down_bps IS NOT NULL),
    CONSTRAINT profile_minimum_below_rate CHECK (minimum_down_bps IS NULL OR (rate_down_bps IS NOT NULL AND minimum_down_bps <= rate_down_bps AND minimum_up_bps <= rate_up_bps)),
    CONSTRAINT profile_priority_needs_rate CHECK (priority IS NULL OR rate_down_bps IS NOT NULL),
    CONSTRAINT profile_address_lists_fit CHECK (address_lists = '{}' OR every_item_matches(address_lists, '^[^[:cntrl:]]{1,60}$'))
);
COMMENT ON TABLE profile IS 'What the network gives, in no vendor''s words. Down is to the subscriber, up is from the subscriber.';
COMMENT ON COLUMN profile.quota_octets IS 'Octets both ways in a calendar month of the billing zone; beyond it the plan''s throttle profile holds.';
COMMENT ON COLUMN profile.interim_interval_s IS 'RFC 2869 section 5.16: never under 60, better not under 600. NULL sends none: the device decides.';
COMMENT ON COLUMN profile.device_policy IS 'Under which name devices that take names instead of rates (policy maps, SLA and QoS profiles, services) have this policy ready.';

CREATE TABLE plan (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL UNIQUE CHECK (name <> ''),
    profile_id          bigint NOT NULL REFERENCES profile,
    throttle_profile_id bigint NOT NULL REFERENCES profile,
    walled_profile_id   bigint NOT NULL REFERENCES profile
);
COMMENT ON TABLE plan IS 'What is sold, and the three profiles it can mean: in full, throttled, in the walled garden.';
CREATE INDEX plan_profile ON plan (profile_id);

CREATE FUNCTION window_minutes(begins time, ends time) RETURNS int4multirange LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN b < e THEN int4multirange(int4range(b, e)) ELSE int4multirange(int4range(b, 1440), int4range(0, e)) END
    FROM (SELECT (extract(epoch FROM begins) / 60)::integer AS b, (extract(epoch FROM ends) / 60)::integer AS e) AS minutes
$$;
COMMENT ON FUNCTION window_minutes(time, time) IS 'The minutes of a day that lie in a window; one that ends at or before its beginning goes over midnight.';

CREATE TABLE plan_window (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id    bigint NOT NULL REFERENCES plan ON DELETE CASCADE,
    begins     time NOT NULL,
    ends       time NOT NULL,
    profile_id bigint NOT NULL REFERENCES profile,
    CONSTRAINT plan_window_has_length CHECK (begins <> ends),
    CONSTRAINT plan_window_whole_minutes CHECK (extract(second FROM begins) = 0 AND extract(second FROM ends) = 0 AND begins < '24:00' AND ends < '24:00'),
    CONSTRAINT plan_window_one_at_a_time EXCLUDE USING gist (plan_id WITH =, (window_minutes(begins, ends)) WITH &&)
);
COMMENT ON TABLE plan_window IS 'Hours of every day in which a plan in full means another profile, such as a faster night. Clock times of the billing zone.';
COMMENT ON COLUMN plan_window.ends IS 'First minute that is no longer in it; at or before `begins`, that of the next day.';
COMMENT ON COLUMN plan_window.profile_id IS 'In the place of plan.profile_id; who is throttled or walled stays so.';

CREATE TYPE quota_action AS ENUM ('notice', 'throttle');
COMMENT ON TYPE quota_action IS 'What happens at a share of a quota: the subscriber is told, or throttled until the month ends.';

CREATE TABLE quota_step (
    plan_id bigint NOT NULL REFERENCES plan ON DELETE CASCADE,
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 1000),
    action  quota_action NOT NULL,
    PRIMARY KEY (plan_id, percent)
);
COMMENT ON TABLE quota_step IS 'What happens at which share of the quota (profile.quota_octets and the top-ups in force). A plan without rows has a notice at 80 and throttle at 100.';
CREATE UNIQUE INDEX quota_step_one_throttle ON quota_step (plan_id) WHERE action = 'throttle';

-- ---------------------------------------------------------------------------------------------------------------
-- Who acts: each transaction that writes money says so first, in `corrente.actor`
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION row_name(content jsonb, columns text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(content ->> part, ' ' ORDER BY place) FROM unnest(columns) WITH ORDINALITY AS part (part, place)
$$;
COMMENT ON FUNCTION row_name(jsonb, text[]) IS 'A row by the values of its key, with blanks between.';

CREATE FUNCTION note_money() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: the columns of the key, with commas; columns whose changes another table tells, with commas.
DECLARE
    writer text   := coalesce(current_setting('corrente.actor', true), '');
    keys   text[] := string_to_array(TG_ARGV[0], ',');
    silent text[] := string_to_array(coalesce(TG_ARGV[1], ''), ',');
BEGIN
    IF writer = '' THEN
        RAISE EXCEPTION '%: % by nobody; this transaction does not say who writes', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'First, in the same transaction: SELECT set_config(''corrente.actor'', ''maria'', true).';
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.insert', TG_TABLE_NAME, jsonb_build_object('rows', (SELECT count(*) FROM new_rows), 'names', jsonb_agg(name))
            FROM (SELECT row_name(to_jsonb(n) - 'content', keys) AS name FROM new_rows AS n LIMIT 20) AS written HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.delete', TG_TABLE_NAME || ' ' || row_name(gone, keys), jsonb_build_object('before', gone)
            FROM (SELECT to_jsonb(o) - 'content' AS gone FROM old_rows AS o) AS deleted;
    ELSE
        -- OFFSET 0: a row becomes JSON once, not once for each place that names it below.
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.update', TG_TABLE_NAME || ' ' || name, jsonb_build_object('before', jsonb_object_agg(field, was -> field), 'after', jsonb_object_agg(field, becomes -> field))
            FROM (SELECT row_name(to_jsonb(o), keys) AS name, to_jsonb(o) AS was FROM old_rows AS o OFFSET 0) AS old_ones
                JOIN (SELECT row_name(to_jsonb(n), keys) AS name, to_jsonb(n) AS becomes FROM new_rows AS n OFFSET 0) AS new_ones USING (name)
                CROSS JOIN LATERAL jsonb_object_keys(was - silent) AS field
            WHERE was -> field IS DISTINCT FROM becomes -> field GROUP BY name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_money() IS 'The audit log of money, written by the database itself: who wrote, and of each changed or deleted row what stood there. Nobody is refused.';

CREATE FUNCTION currency_places(currency text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END
$$;
COMMENT ON FUNCTION currency_places(text) IS 'Decimals of a currency, ISO 4217; billing/money.py has the same list. Not STRICT, so that it is written into the statements that ask it.';

CREATE DOMAIN currency_code AS char(3) CHECK (VALUE ~ '^[A-Z]{3}$');
COMMENT ON DOMAIN currency_code IS 'ISO 4217.';
CREATE DOMAIN country_code AS char(2) CHECK (VALUE ~ '^[A-Z]{2}$');
COMMENT ON DOMAIN country_code IS 'ISO 3166-1 alpha-2.';
CREATE TYPE spoken_language AS ENUM ('en', 'it', 'es');
COMMENT ON TYPE spoken_language IS 'In which a document or a message is written.';

CREATE TYPE customer_kind AS ENUM ('person', 'company', 'public_body');
COMMENT ON TYPE customer_kind IS 'What the law sees in a customer; taxes, notices and registers go by it.';

-- ---------------------------------------------------------------------------------------------------------------
-- Customers and contracts, as far as access needs them
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE customer (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    kind        customer_kind NOT NULL DEFAULT 'person',
    given_name  text CHECK (given_name <> ''),
    family_name text CHECK (family_name <> ''),
    language    spoken_language NOT NULL DEFAULT 'en',
    CONSTRAINT customer_person_has_both_names CHECK ((given_name IS NULL) = (family_name IS NULL) AND (given_name IS NULL OR kind = 'person'))
);
COMMENT ON TABLE customer IS 'The person or company who owes.';
COMMENT ON COLUMN customer.given_name IS 'A person''s, for authorities that want it apart from the family name.';
CREATE INDEX customer_by_name ON customer (name, id);

CREATE TYPE contract_status AS ENUM ('draft', 'proposal', 'pending', 'trial', 'active', 'free', 'ended', 'cancelled');
COMMENT ON TYPE contract_status IS 'Trial, active and free are in service; the others give nothing on the network.';

CREATE TABLE contract (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    plan_id     bigint NOT NULL REFERENCES plan,
    status      contract_status NOT NULL DEFAULT 'pending',
    starts_on   date,
    ends_on     date,
    CONSTRAINT contract_dates_in_order CHECK (ends_on >= starts_on),
    CONSTRAINT contract_ended_has_end CHECK (status <> 'ended' OR ends_on IS NOT NULL),
    CONSTRAINT contract_of_customer UNIQUE (id, customer_id)
);
COMMENT ON TABLE contract IS 'One customer''s agreement to a plan. What the line gets is computed from status, restrictions and relief; nobody sets it by hand.';
COMMENT ON COLUMN contract.ends_on IS 'First day without service, in the billing zone.';
CREATE FUNCTION refuse_contract_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paths  CONSTANT jsonb := '{"draft": ["proposal", "cancelled"], "proposal": ["pending", "cancelled"],
        "pending": ["trial", "active", "free", "cancelled"], "trial": ["active", "free", "ended"], "active": ["free", "ended"],
        "free": ["active", "ended"], "ended": ["active"], "cancelled": []}';
    onward jsonb := paths -> OLD.status::text;
BEGIN
    IF onward ? NEW.status::text THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contract % is % and can''t become %', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = CASE onward WHEN '[]' THEN 'Make a new contract.'
                ELSE 'From here: ' || (SELECT string_agg(word, ', ') FROM jsonb_array_elements_text(onward) AS word) || '.' END;
END
$$;
COMMENT ON FUNCTION refuse_contract_status() IS 'The paths of a contract''s commercial status. A contract may begin with any status: a take-over brings active ones.';
CREATE TRIGGER contract_status_path BEFORE UPDATE OF status ON contract FOR EACH ROW WHEN (OLD.status <> NEW.status)
    EXECUTE FUNCTION refuse_contract_status();
CREATE INDEX contract_customer ON contract (customer_id);
CREATE INDEX contract_plan ON contract (plan_id);
CREATE INDEX contract_status_by_id ON contract (status, id);

CREATE TYPE restriction_origin AS ENUM ('dunning', 'customer_pause', 'admin', 'abuse', 'legal', 'technical');
CREATE TYPE restriction_level AS ENUM ('throttle', 'walled', 'blocked');
COMMENT ON TYPE restriction_origin IS 'Who limits the service, and so who may lift it: paying lifts dunning and nothing else.';
COMMENT ON TYPE restriction_level IS 'In order of severity; of several the severest holds.';

CREATE TABLE automation_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name ~ '^[a-z_]{1,64}$'),
    started_by  text NOT NULL CHECK (started_by <> ''),
    started_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    undone_at   timestamptz,
    undone_by   text CHECK (undone_by <> ''),
    undo_reason text CHECK (undo_reason <> ''),
    CONSTRAINT automation_run_ends_after_start CHECK (ended_at >= started_at),
    CONSTRAINT automation_run_undone_after_start CHECK (undone_at >= started_at),
    CONSTRAINT automation_run_undo_is_signed CHECK ((undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undo_reason IS NULL))
);
COMMENT ON TABLE automation_run IS 'One run of something that restricts contracts without a person: what it placed names it, and can be lifted together.';
COMMENT ON COLUMN automation_run.started_by IS 'The worker or the person that started it.';

CREATE TABLE guard_release (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    released_by text NOT NULL CHECK (released_by <> ''),
    reason      text NOT NULL CHECK (reason <> ''),
    changes     integer NOT NULL CHECK (changes >= 0)
);
COMMENT ON TABLE guard_release IS 'A person let go what the guard held, and why. Append-only.';
CREATE TRIGGER guard_release_append_only BEFORE UPDATE OR DELETE ON guard_release FOR EACH ROW EXECUTE FUNCTION refuse_change('Releases are append-only: write a new row.');
CREATE TRIGGER guard_release_no_truncate BEFORE TRUNCATE ON guard_release FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Releases are append-only: write a new row.');

CREATE TABLE restriction (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    origin      restriction_origin NOT NULL,
    level       restriction_level NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz,
    lifted_at   timestamptz,
    lifted_by   text CHECK (lifted_by <> ''),
    run_id      bigint REFERENCES automation_run,
    held_since  timestamptz,
    release_id  bigint REFERENCES guard_release,
    CONSTRAINT restriction_held_is_of_a_run CHECK (held_since IS NULL OR run_id IS NOT NULL),
    CONSTRAINT restriction_until_after_since CHECK (until > since),
    CONSTRAINT restriction_lift_is_signed CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CONSTRAINT restriction_lifted_after_since CHECK (lifted_at >= since)
);
COMMENT ON TABLE restriction IS 'Service limited, by whom and why. Lifting one never touches another.';
COMMENT ON COLUMN restriction.run_id IS 'The automation_run that placed it; NULL: a person did.';
COMMENT ON COLUMN restriction.held_since IS 'Beyond what automation may restrict in an hour: it does not count until a person lets it go.';
COMMENT ON COLUMN restriction.release_id IS 'By which word of a person a held one was let go; from then on it is that person''s.';
CREATE INDEX restriction_run ON restriction (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX restriction_held ON restriction (run_id) WHERE held_since IS NOT NULL AND lifted_at IS NULL;
CREATE INDEX restriction_in_force ON restriction (contract_id) WHERE lifted_at IS NULL;
CREATE INDEX restriction_of_dunning ON restriction (since, id) WHERE origin = 'dunning';
CREATE TRIGGER restriction_lift_is_final BEFORE UPDATE ON restriction FOR EACH ROW WHEN (OLD.lifted_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('A lifted restriction is history: place a new one.');

CREATE TABLE relief (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    during      tstzrange NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    granted_by  text NOT NULL CHECK (granted_by <> ''),
    CONSTRAINT relief_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during) AND lower_inc(during) AND NOT upper_inc(during)),
    CONSTRAINT relief_one_at_a_time EXCLUDE USING gist (contract_id WITH =, during WITH &&)
);
COMMENT ON TABLE relief IS 'A promise to pay or a grace: while it lasts, restrictions of origin dunning do not count.';

-- ---------------------------------------------------------------------------------------------------------------
-- Parties: who invoices, who owes, and how they are reached
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION refuse_unknown_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.zone IS NULL OR EXISTS (SELECT FROM pg_timezone_names WHERE name = NEW.zone) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'there is no zone %', NEW.zone
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'A name such as Europe/Rome or America/Guayaquil.';
END
$$;
COMMENT ON FUNCTION refuse_unknown_zone() IS 'A CHECK may not read the list of zones.';

CREATE TABLE issuer (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name <> ''),
    country         country_code NOT NULL,
    vat_number      text CHECK (vat_number ~ '^[A-Z0-9]{4,28}$'),
    tax_number      text CHECK (tax_number ~ '^[A-Z0-9&\u00D1]{4,28}$'),
    street          text NOT NULL CHECK (street <> ''),
    house_number    text,
    postal_code     text NOT NULL CHECK (postal_code <> ''),
    city            text NOT NULL CHECK (city <> ''),
    province        text,
    email           text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    phone           text,
    zone            text NOT NULL DEFAULT 'Europe/Rome',
    currency        currency_code NOT NULL DEFAULT 'EUR',
    tax_regime      text,
    recharges_stamp boolean NOT NULL DEFAULT false,
    iban            text CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    confirm_hours   smallint CHECK (confirm_hours BETWEEN 0 AND 720),
    minimum_document numeric(16, 3),
    mails_invoices  boolean NOT NULL DEFAULT true,
    bank_days       text CHECK (bank_days ~ '^[A-Z]{2}(-.{1,40})?$'),
    CONSTRAINT issuer_minimum_document_check CHECK (minimum_document > 0 AND minimum_document = round(minimum_document, currency_places(currency)))
);
COMMENT ON TABLE issuer IS 'The legal entity that invoices. Its data is copied into each document when that is issued.';
COMMENT ON COLUMN issuer.zone IS 'In which zone its billing days begin and end; the network''s is [operator] billing_zone.';
COMMENT ON COLUMN issuer.currency IS 'Of its books.';
COMMENT ON COLUMN issuer.tax_regime IS 'As its tax authority codes it, such as RF01.';
COMMENT ON COLUMN issuer.recharges_stamp IS 'Stamp duty is a line that the customer pays; otherwise the issuer bears it.';
COMMENT ON COLUMN issuer.confirm_hours IS 'A prepared run issues by itself after so many hours without a word; NULL: only when a person confirms.';
COMMENT ON COLUMN issuer.minimum_document IS 'What comes to less waits for the next run, once; NULL: everything is invoiced at once.';
COMMENT ON COLUMN issuer.mails_invoices IS 'The documents of a run are mailed by themselves when it is done; otherwise a person sends them.';
COMMENT ON COLUMN issuer.bank_days IS 'Due days move on to the next bank day: none of Saturday, Sunday and this calendar''s holidays, such as IT or IT-TO; NULL: they stay where the terms put them.';
CREATE TRIGGER issuer_zone_known BEFORE INSERT OR UPDATE OF zone ON issuer FOR EACH ROW EXECUTE FUNCTION refuse_unknown_zone();

CREATE TABLE tax_identifier (
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    scheme      text NOT NULL CHECK (scheme ~ '^[a-z]{2}\.[a-z]{2,20}$'),
    number      text NOT NULL CHECK (number ~ '^[A-Z0-9&\u00D1/.-]{1,30}$'),
    PRIMARY KEY (customer_id, scheme)
);
COMMENT ON TABLE tax_identifier IS 'Under which numbers tax authorities know a customer, checked before they are written (billing/tax_identifiers.py).';
COMMENT ON COLUMN tax_identifier.scheme IS 'Country and kind: it.codicefiscale, it.iva, ar.cuit, eu.vat.';
COMMENT ON COLUMN tax_identifier.number IS 'Compact, in capitals, without separators that carry nothing. Names in Mexican ones hold & and N with a tilde.';
CREATE INDEX tax_identifier_number ON tax_identifier (number);

CREATE TYPE address_kind AS ENUM ('legal', 'billing', 'service');
COMMENT ON TYPE address_kind IS 'Seat, where documents go when elsewhere, where a line ends.';
CREATE TABLE address (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    kind         address_kind NOT NULL,
    street       text NOT NULL CHECK (street <> ''),
    house_number text,
    postal_code  text NOT NULL,
    city         text NOT NULL CHECK (city <> ''),
    province     text,
    country      country_code NOT NULL,
    latitude     numeric(8, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude    numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    directions   text,
    CONSTRAINT address_coordinates_in_pairs CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT address_of_customer UNIQUE (id, customer_id)
);
COMMENT ON TABLE address IS 'Where a customer has its seat, gets documents, or is served. Documents hold a copy.';
CREATE UNIQUE INDEX address_one_seat ON address (customer_id, kind) WHERE kind IN ('legal', 'billing');
CREATE INDEX address_customer ON address (customer_id);

CREATE TYPE contact_role AS ENUM ('main', 'administrative', 'technical', 'collections');
COMMENT ON TYPE contact_role IS 'What somebody is written to about; without one for it, main.';
CREATE TABLE contact (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    contract_id bigint,
    parent_id   bigint,
    role        contact_role NOT NULL,
    name        text CHECK (name <> ''),
    email       text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    phone       text CHECK (phone ~ '^\+[0-9]{6,15}$'),
    mobile      text CHECK (mobile ~ '^\+[0-9]{6,15}$'),
    language    spoken_language,
    CONSTRAINT contact_of_customer UNIQUE (id, customer_id),
    CONSTRAINT contact_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id),
    CONSTRAINT contact_parent_of_customer FOREIGN KEY (parent_id, customer_id) REFERENCES contact (id, customer_id) ON DELETE SET NULL (parent_id),
    CONSTRAINT contact_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT contact_one_a_role UNIQUE NULLS NOT DISTINCT (customer_id, contract_id, role)
);
COMMENT ON TABLE contact IS 'Persons that notices reach. What one leaves empty its parent tells; a contract''s own come before the customer''s.';
COMMENT ON COLUMN contact.phone IS 'E.164, with + and country.';

CREATE INDEX contact_by_email ON contact (lower(email)) WHERE email IS NOT NULL;
CREATE FUNCTION refuse_contact_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (WITH RECURSIVE above AS (
            SELECT parent_id AS id FROM contact WHERE id = NEW.parent_id
            UNION SELECT c.parent_id FROM contact c JOIN above ON c.id = above.id)
        SELECT FROM above WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'contact % would stand above itself', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Choose a contact that does not depend on this one.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_contact_circle() IS 'Contacts inherit from their parents, so none may be its own.';
CREATE TRIGGER contact_no_circle BEFORE UPDATE OF parent_id ON contact FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION refuse_contact_circle();

CREATE TABLE consent (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    purpose     text NOT NULL CHECK (purpose ~ '^[a-z_]{1,40}$'),
    channel     text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    given       boolean NOT NULL,
    wording     text NOT NULL CHECK (wording <> ''),
    evidence    text,
    taken_by    text NOT NULL CHECK (taken_by <> ''),
    taken_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE consent IS 'Given or withdrawn, for which use over which channel, to which wording. The newest of a purpose and channel counts. Append-only.';
CREATE INDEX consent_customer ON consent (customer_id, purpose, channel, taken_at);
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE ON consent FOR EACH ROW EXECUTE FUNCTION refuse_change('Consents are evidence: write a new one.');

CREATE TABLE note (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint,
    text        text NOT NULL CHECK (text <> ''),
    author      text NOT NULL CHECK (author <> ''),
    written_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT note_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id)
);
COMMENT ON TABLE note IS 'What staff wrote about a customer or a contract. Append-only: a correction is another note.';
CREATE INDEX note_customer ON note (customer_id, written_at);
CREATE TRIGGER note_append_only BEFORE UPDATE OR DELETE ON note FOR EACH ROW EXECUTE FUNCTION refuse_change('Notes stay as they were written: write another one.');

CREATE TABLE attachment (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint,
    name        text NOT NULL CHECK (name ~ '^[^/[:cntrl:]]{1,200}$'),
    media_type  text NOT NULL CHECK (media_type ~ '^[a-z]+/[a-z0-9.+-]+$'),
    content     bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 20000000),
    sha256      bytea GENERATED ALWAYS AS (sha256(content)) STORED,
    author      text NOT NULL CHECK (author <> ''),
    added_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT attachment_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id)
);
COMMENT ON TABLE attachment IS 'Files of a customer or a contract, 20 MB at most. They never change; one may be taken away, which the audit log keeps.';
CREATE INDEX attachment_customer ON attachment (customer_id);
CREATE TRIGGER attachment_never_changes BEFORE UPDATE ON attachment FOR EACH ROW EXECUTE FUNCTION refuse_change('Add the new file and take the old one away.');

-- ---------------------------------------------------------------------------------------------------------------
-- Tax, as dated data
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE tax_liability AS ENUM ('immediate', 'deferred', 'split');
COMMENT ON TYPE tax_liability IS 'When, and by whom, the tax of a group is owed; split: the customer pays it to the state (IT, art. 17-ter DPR 633/72).';

CREATE TABLE tax_code (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,40}$'),
    nature          text CHECK (nature ~ '^[A-Z0-9.]{1,10}$'),
    legal_reference text CHECK (length(legal_reference) BETWEEN 1 AND 100),
    bears_stamp     boolean NOT NULL DEFAULT false,
    CONSTRAINT tax_code_nature_says_why CHECK (nature IS NULL OR legal_reference IS NOT NULL),
    CONSTRAINT tax_code_stamp_is_untaxed CHECK (NOT bears_stamp OR nature IS NOT NULL)
);
COMMENT ON TABLE tax_code IS 'How something is taxed. With a nature it bears no tax, and the law that says so stands beside it.';
COMMENT ON COLUMN tax_code.nature IS 'Why it bears no tax, as the country codes it: N2.2, N4 (IT), E (EN 16931).';
COMMENT ON COLUMN tax_code.bears_stamp IS 'Amounts under it count towards stamp duty; the last word is the accountant''s.';

CREATE TABLE tax_rate (
    tax_code_id bigint NOT NULL REFERENCES tax_code,
    during      daterange NOT NULL,
    percent     numeric(7, 4) NOT NULL CHECK (percent BETWEEN 0 AND 100),
    CONSTRAINT tax_rate_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT tax_rate_one_a_day EXCLUDE USING gist (tax_code_id WITH =, during WITH &&)
);
COMMENT ON TABLE tax_rate IS 'The rate of a code by date of the document. A code with a nature has rate 0.';

CREATE TABLE stamp_duty (
    country country_code NOT NULL,
    during  daterange NOT NULL,
    above   numeric(16, 3) NOT NULL CHECK (above >= 0),
    amount  numeric(16, 3) NOT NULL CHECK (amount > 0),
    CONSTRAINT stamp_duty_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during))
);
COMMENT ON TABLE stamp_duty IS 'What a document owes when its amounts that bear stamp duty are above a sum: IT 2.00 above 77.47 (DPR 642/72, art. 13 tariff).';

CREATE TABLE fiscal_position (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name <> ''),
    liability     tax_liability NOT NULL DEFAULT 'immediate',
    priority      smallint CHECK (priority BETWEEN 1 AND 1000),
    issuer_id     bigint REFERENCES issuer,
    customer_kind customer_kind,
    countries     text[] NOT NULL DEFAULT '{}',
    postal_prefix text CHECK (postal_prefix ~ '^[A-Za-z0-9 -]{1,10}$'),
    CONSTRAINT fiscal_position_countries_are_codes CHECK (every_item_matches(countries, '^[A-Z]{2}$')),
    CONSTRAINT fiscal_position_prefix_of_country CHECK (postal_prefix IS NULL OR countries <> '{}')
);
COMMENT ON TABLE fiscal_position IS 'How customers of a kind and place are taxed. A customer''s own comes first, else the first by priority that fits its billing address.';
COMMENT ON COLUMN fiscal_position.priority IS 'NULL: only for customers that name it.';
COMMENT ON COLUMN fiscal_position.countries IS 'Empty: any.';

ALTER TABLE customer ADD COLUMN fiscal_position_id bigint REFERENCES fiscal_position;
COMMENT ON COLUMN customer.fiscal_position_id IS 'Its own, before any that fits by kind and place.';

ALTER TABLE customer ADD COLUMN external_reference text CONSTRAINT customer_external_reference_check CHECK (external_reference ~ '^[^[:cntrl:][:space:]]{1,64}$'),
    ADD CONSTRAINT customer_external_reference_once UNIQUE (external_reference);
COMMENT ON COLUMN customer.external_reference IS 'Its number in another system, such as the one it was taken over from; an import finds it by this.';

CREATE TABLE fiscal_position_tax (
    fiscal_position_id bigint NOT NULL REFERENCES fiscal_position ON DELETE CASCADE,
    from_tax_code_id   bigint NOT NULL REFERENCES tax_code,
    to_tax_code_id     bigint NOT NULL REFERENCES tax_code,
    PRIMARY KEY (fiscal_position_id, from_tax_code_id)
);
COMMENT ON TABLE fiscal_position_tax IS 'Which code takes the place of a product''s own; one without a row stays.';

CREATE TABLE exemption (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id     bigint NOT NULL REFERENCES customer,
    tax_code_id     bigint NOT NULL REFERENCES tax_code,
    during          daterange NOT NULL,
    legal_reference text NOT NULL CHECK (length(legal_reference) BETWEEN 1 AND 100),
    placed_by       text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT exemption_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT exemption_one_a_day EXCLUDE USING gist (customer_id WITH =, during WITH &&)
);
COMMENT ON TABLE exemption IS 'A customer that pays no tax for a time under a paper it gave, such as a declaration of intent: what it would pay tax on gets this code.';

-- ---------------------------------------------------------------------------------------------------------------
-- Finding customers
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION plain_text(written text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT lower(CASE WHEN octet_length(written) = length(written) THEN written ELSE regexp_replace(normalize(written, NFKD), '[\u0300-\u036f]', '', 'g') END)
$$;
COMMENT ON FUNCTION plain_text(text) IS 'Without accents and capitals, as people search.';

CREATE TABLE customer_words (
    customer_id bigint PRIMARY KEY REFERENCES customer ON DELETE CASCADE,
    words       text NOT NULL
);
COMMENT ON TABLE customer_words IS 'All that a customer is searched by, plain, a blank before each word: names, reference, tax numbers, addresses, contacts. Written by triggers.';
CREATE INDEX customer_words_parts ON customer_words USING gin (words gin_trgm_ops);

CREATE FUNCTION gather_customer_words(ids bigint[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Who writes another part of the same customer waits here, and then reads what this transaction wrote.
    PERFORM FROM customer WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO customer_words AS kept (customer_id, words)
        SELECT c.id, ' ' || plain_text(concat_ws(' ', c.name, c.given_name, c.family_name, c.external_reference,
            (SELECT string_agg(t.number, ' ' ORDER BY t.scheme) FROM tax_identifier AS t WHERE t.customer_id = c.id),
            (SELECT string_agg(concat_ws(' ', a.street, a.house_number, a.postal_code, a.city, a.province), ' ' ORDER BY a.id) FROM address AS a WHERE a.customer_id = c.id),
            (SELECT string_agg(concat_ws(' ', k.name, k.email, substr(k.phone, 2), substr(k.mobile, 2)), ' ' ORDER BY k.id) FROM contact AS k WHERE k.customer_id = c.id)))
        FROM customer AS c WHERE c.id = ANY (ids)
        ON CONFLICT (customer_id) DO UPDATE SET words = excluded.words WHERE kept.words <> excluded.words;
END
$$;
REVOKE EXECUTE ON FUNCTION gather_customer_words(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION gather_customer_words(bigint[]) IS 'Writes the words of these customers anew.';

CREATE FUNCTION note_customer_words() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the column that names the customer.
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM gather_customer_words(ARRAY(SELECT DISTINCT (to_jsonb(o) ->> TG_ARGV[0])::bigint FROM old_rows AS o));
    ELSE
        PERFORM gather_customer_words(ARRAY(SELECT DISTINCT (to_jsonb(n) ->> TG_ARGV[0])::bigint FROM new_rows AS n));
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION note_customer_words() FROM PUBLIC;
COMMENT ON FUNCTION note_customer_words() IS 'One statement, one writing of the words of the customers that it touched.';

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['customer', 'id'], ['tax_identifier', 'customer_id'], ['address', 'customer_id'], ['contact', 'customer_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_insert', kept[1], kept[2]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_update', kept[1], kept[2]);
        CONTINUE WHEN kept[1] = 'customer';
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_delete', kept[1], kept[2]);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- The catalogue
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE product_kind AS ENUM ('plan', 'add_on', 'one_off', 'usage');
COMMENT ON TYPE product_kind IS 'The line itself, what recurs beside it, what is charged once, what is counted.';

CREATE TABLE product (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL UNIQUE CHECK (name <> ''),
    kind             product_kind NOT NULL,
    plan_id          bigint UNIQUE REFERENCES plan,
    family           text NOT NULL CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    tax_code_id      bigint NOT NULL REFERENCES tax_code,
    minimum_months   smallint CHECK (minimum_months BETWEEN 1 AND 120),
    renew_months     smallint CHECK (renew_months BETWEEN 1 AND 120),
    notice_days      smallint CHECK (notice_days BETWEEN 0 AND 365),
    offered          daterange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(offered)),
    CONSTRAINT product_of_kind UNIQUE (id, kind),
    CONSTRAINT product_plan_has_plan CHECK ((kind = 'plan') = (plan_id IS NOT NULL)),
    CONSTRAINT product_terms_are_a_plans CHECK (kind = 'plan' OR (minimum_months IS NULL AND renew_months IS NULL AND notice_days IS NULL))
);
COMMENT ON TABLE product IS 'What is sold. A product of kind plan sells a plan of the network.';
COMMENT ON COLUMN product.family IS 'What discounts and revenue accounts go by.';
ALTER TABLE stamp_duty ADD COLUMN product_id bigint REFERENCES product, ADD COLUMN currency currency_code NOT NULL,
    ADD CONSTRAINT stamp_duty_one_a_day EXCLUDE USING gist (country WITH =, currency WITH =, during WITH &&);
COMMENT ON COLUMN stamp_duty.currency IS 'Of both sums, and of the documents that they are for.';
COMMENT ON COLUMN stamp_duty.product_id IS 'The line of it where the issuer recharges it: its words and its tax code.';

CREATE TABLE product_text (
    product_id bigint NOT NULL REFERENCES product ON DELETE CASCADE,
    language   spoken_language NOT NULL,
    text       text NOT NULL CHECK (text <> ''),
    PRIMARY KEY (product_id, language)
);
COMMENT ON TABLE product_text IS 'What stands on the customer''s document; without a row, the product''s name.';

CREATE TABLE price (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id   bigint NOT NULL REFERENCES product,
    currency     currency_code NOT NULL,
    months       smallint NOT NULL DEFAULT 1 CHECK (months BETWEEN 1 AND 12),
    unit_price   numeric(18, 8) NOT NULL CHECK (unit_price >= 0),
    includes_tax boolean NOT NULL DEFAULT false,
    during       daterange NOT NULL CHECK (NOT isempty(during)),
    CONSTRAINT price_one_a_day EXCLUDE USING gist (product_id WITH =, currency WITH =, months WITH =, (includes_tax::integer) WITH =, during WITH &&)
);
COMMENT ON TABLE price IS 'What a product costs for so many months, by the day a contract is made. Contracts hold a copy: a new price touches nothing agreed.';
COMMENT ON COLUMN price.includes_tax IS 'For contracts whose prices are with tax, or without: a product may have one of each.';
COMMENT ON COLUMN price.months IS 'A period of P months costs the price for P months, or without one P times that for one month. One-off fees have 1.';

CREATE TABLE early_exit_cost (
    product_id  bigint NOT NULL REFERENCES product,
    from_month  smallint NOT NULL CHECK (from_month BETWEEN 0 AND 119),
    currency    currency_code NOT NULL,
    amount      numeric(16, 3) NOT NULL,
    includes_tax boolean NOT NULL DEFAULT false,
    PRIMARY KEY (product_id, currency, includes_tax, from_month),
    CONSTRAINT early_exit_cost_amount_check CHECK (amount >= 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE early_exit_cost IS 'What leaving before the minimum term costs after so many whole months of service.';
COMMENT ON COLUMN early_exit_cost.includes_tax IS 'For contracts whose prices are with tax, or without: each has its own table.';

CREATE TABLE pause_fee (
    product_id   bigint NOT NULL REFERENCES product,
    currency     currency_code NOT NULL,
    includes_tax boolean NOT NULL DEFAULT false,
    amount       numeric(16, 3) NOT NULL,
    PRIMARY KEY (product_id, currency, includes_tax),
    CONSTRAINT pause_fee_amount_check CHECK (amount > 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE pause_fee IS 'What a customer who has this plan pays for a pause, once each, in the place of its days.';
COMMENT ON COLUMN pause_fee.includes_tax IS 'For contracts whose prices are with tax, or without.';

CREATE TYPE discount_kind AS ENUM ('percent', 'fixed');
COMMENT ON TYPE discount_kind IS 'Percent of what is left, or an amount for each whole period.';

CREATE TABLE promotion (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL UNIQUE CHECK (name <> ''),
    kind     discount_kind NOT NULL,
    value    numeric(18, 8) NOT NULL CHECK (value > 0),
    family   text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    months   smallint CHECK (months BETWEEN 1 AND 120),
    priority smallint NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
    offered  daterange NOT NULL CHECK (NOT isempty(offered)),
    CONSTRAINT promotion_percent_is_a_share CHECK (kind <> 'percent' OR value <= 100)
);
COMMENT ON TABLE promotion IS 'A rule that makes discounts on contracts. Each contract holds its copy: a later edit changes nothing agreed.';
COMMENT ON COLUMN promotion.months IS 'How long each contract has it, from the day it gets it; NULL: as long as the contract.';

-- ---------------------------------------------------------------------------------------------------------------
-- What a contract agreed
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE due_timing AS ENUM ('anticipated', 'posticipated');
COMMENT ON TYPE due_timing IS 'A period is due on its start, or on its end.';
CREATE TYPE day_basis AS ENUM ('actual', 'thirty');
COMMENT ON TYPE day_basis IS 'Days as they are, or twelve months of thirty.';
CREATE TYPE opening_rule AS ENUM ('prorate', 'full', 'free', 'join');
COMMENT ON TYPE opening_rule IS 'What the days before the first boundary cost: their share, a whole period, nothing, or their share with the next period.';
CREATE TYPE negative_change AS ENUM ('credit_note', 'next_document');
COMMENT ON TYPE negative_change IS 'When a change gives back more than it charges: at once, or with what is billed next.';

CREATE TYPE due_alignment AS ENUM ('anniversary', 'day_of_month', 'calendar');
COMMENT ON TYPE due_alignment IS 'Where the first boundary lies, at or after the first billable day: on it, on a day of the month, where a natural period begins.';

CREATE TABLE contract_terms (
    contract_id       bigint PRIMARY KEY REFERENCES contract,
    issuer_id         bigint NOT NULL REFERENCES issuer,
    payer_id          bigint REFERENCES customer,
    service_address_id bigint REFERENCES address,
    currency          currency_code NOT NULL,
    billing_group     text CHECK (billing_group ~ '^[A-Za-z0-9._ -]{1,40}$'),
    due_days          smallint NOT NULL DEFAULT 15 CHECK (due_days BETWEEN 0 AND 180),
    timing            due_timing NOT NULL DEFAULT 'anticipated',
    fixed_day         smallint CHECK (fixed_day BETWEEN 1 AND 31),
    lead_days         smallint NOT NULL DEFAULT 0 CHECK (lead_days BETWEEN 0 AND 60),
    includes_tax      boolean NOT NULL DEFAULT false,
    basis             day_basis NOT NULL DEFAULT 'actual',
    opening           opening_rule NOT NULL DEFAULT 'prorate',
    on_negative       negative_change NOT NULL DEFAULT 'next_document',
    order_fees        boolean NOT NULL DEFAULT false,
    trial_days        smallint CHECK (trial_days BETWEEN 1 AND 365),
    billable_from     date,
    minimum_until     date,
    renew_months      smallint CHECK (renew_months BETWEEN 1 AND 120),
    notice_days       smallint CHECK (notice_days BETWEEN 0 AND 365),
    free_reason       text CHECK (free_reason <> ''),
    free_review_on    date,
    signed_at         timestamptz,
    alignment         due_alignment NOT NULL DEFAULT 'anniversary',
    billing_day       smallint CHECK (billing_day BETWEEN 1 AND 31),
    minimum_months    smallint CHECK (minimum_months BETWEEN 1 AND 120),
    distance          boolean NOT NULL DEFAULT false,
    free_from         date,
    exit_is_free      boolean NOT NULL DEFAULT false,
    plan_locked_until date,
    valid_until       date,
    CONSTRAINT contract_terms_free_is_reviewed CHECK (num_nulls(free_from, free_reason, free_review_on) IN (0, 3)),
    CONSTRAINT contract_terms_day_goes_with_alignment CHECK ((alignment = 'day_of_month') = (billing_day IS NOT NULL))
);
COMMENT ON TABLE contract_terms IS 'How a contract is billed, as it was agreed. A contract without terms is not billed, and the run''s preview lists it.';
COMMENT ON COLUMN contract_terms.payer_id IS 'Who gets and pays the documents; NULL: the customer.';
COMMENT ON COLUMN contract_terms.billing_group IS 'Contracts of one group, payer, currency, register and due terms share a document.';
COMMENT ON COLUMN contract_terms.fixed_day IS 'Due on the first such day at or after the period''s own due day.';
COMMENT ON COLUMN contract_terms.lead_days IS 'Documents are prepared so many days before the due day; the period stays.';
COMMENT ON COLUMN contract_terms.includes_tax IS 'Its prices and discounts are with tax; documents never mix both.';
COMMENT ON COLUMN contract_terms.billable_from IS 'First billable day, set by activation; a trial ends on it.';
COMMENT ON COLUMN contract_terms.order_fees IS 'One-off fees are due when the contract is accepted, not when it is activated.';
COMMENT ON COLUMN contract_terms.alignment IS 'Activation places the items'' boundaries by it.';
COMMENT ON COLUMN contract_terms.minimum_months IS 'As agreed; activation makes minimum_until of it.';
COMMENT ON COLUMN contract_terms.distance IS 'Concluded at a distance or away from the office: the customer may withdraw for 14 days.';
COMMENT ON COLUMN contract_terms.free_from IS 'From which day it is free, with the reason and when that is looked at again.';
COMMENT ON COLUMN contract_terms.exit_is_free IS 'The end that is set costs nothing: the issuer wants it, or changed its terms.';
COMMENT ON COLUMN contract_terms.plan_locked_until IS 'First day on which its plan may change.';
COMMENT ON COLUMN contract_terms.valid_until IS 'The last day on which the customer may accept the proposal; NULL: any.';
CREATE INDEX contract_terms_issuer ON contract_terms (issuer_id);
CREATE INDEX contract_terms_payer ON contract_terms (payer_id) WHERE payer_id IS NOT NULL;

CREATE FUNCTION month_end(day date) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT next_month - extract(day FROM next_month)::integer FROM (SELECT day - extract(day FROM day)::integer + 32 AS next_month) AS later
$$;
COMMENT ON FUNCTION month_end(date) IS 'The last day of a day''s month.';

CREATE TABLE contract_item (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id    bigint NOT NULL REFERENCES contract_terms,
    product_id     bigint NOT NULL,
    kind           product_kind NOT NULL,
    quantity       numeric(18, 8) NOT NULL DEFAULT 1 CHECK (quantity > 0),
    period_price   numeric(18, 8) NOT NULL CHECK (period_price >= 0),
    months         smallint CHECK (months BETWEEN 1 AND 12),
    anchor         date,
    wanted_day     smallint CHECK (wanted_day BETWEEN 1 AND 31),
    starts_on      date NOT NULL,
    ends_on        date,
    CONSTRAINT contract_item_of_contract UNIQUE (id, contract_id),
    CONSTRAINT contract_item_product_of_kind FOREIGN KEY (product_id, kind) REFERENCES product (id, kind),
    CONSTRAINT contract_item_dates_in_order CHECK (ends_on >= starts_on),
    CONSTRAINT contract_item_recurring_has_cycle CHECK (num_nulls(months, anchor, wanted_day) = CASE WHEN kind IN ('plan', 'add_on') THEN 0 ELSE 3 END),
    CONSTRAINT contract_item_anchor_on_day CHECK (extract(day FROM anchor) = least(wanted_day, extract(day FROM month_end(anchor)))),
    CONSTRAINT contract_item_one_plan EXCLUDE USING gist (contract_id WITH =, daterange(starts_on, ends_on) WITH &&) WHERE (kind = 'plan')
);
COMMENT ON TABLE contract_item IS 'One thing a contract pays for, with its own price and dates, as it was agreed.';
COMMENT ON COLUMN contract_item.period_price IS 'Of one unit for a whole period of `months`; of a one-off fee its price.';
CREATE INDEX contract_item_contract ON contract_item (contract_id);
CREATE INDEX contract_item_product ON contract_item (product_id, contract_id) INCLUDE (ends_on);

CREATE TABLE instalment (
    item_id bigint NOT NULL REFERENCES contract_item,
    number  smallint NOT NULL CHECK (number BETWEEN 1 AND 60),
    due_on  date NOT NULL,
    amount  numeric(16, 3) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (item_id, number)
);
COMMENT ON TABLE instalment IS 'The parts in which a one-off fee is charged. Together they are its price, checked when the transaction ends.';

CREATE FUNCTION refuse_instalments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    item    contract_item := (SELECT i FROM contract_item i WHERE i.id = coalesce(NEW.item_id, OLD.item_id));
    price   numeric;
    parts   numeric;
BEGIN
    SELECT round(item.period_price * item.quantity, currency_places(terms.currency)) INTO price FROM contract_terms AS terms WHERE terms.contract_id = item.contract_id;
    SELECT sum(amount) INTO parts FROM instalment WHERE item_id = item.id;
    IF parts IS NULL OR parts = price THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the instalments of item % are % together and its price is %', item.id, parts, price
        USING ERRCODE = 'check_violation', TABLE = 'instalment', CONSTRAINT = TG_NAME, HINT = 'Write all of them in one transaction.';
END
$$;
COMMENT ON FUNCTION refuse_instalments() IS 'Instalments add up to the price, or there are none.';
CREATE CONSTRAINT TRIGGER instalment_adds_up AFTER INSERT OR UPDATE OR DELETE ON instalment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_instalments();

CREATE TABLE discount (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id  bigint NOT NULL REFERENCES contract_terms,
    item_id      bigint,
    family       text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    kind         discount_kind NOT NULL,
    value        numeric(18, 8) NOT NULL CHECK (value > 0),
    during       daterange NOT NULL,
    priority     smallint NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
    promotion_id bigint REFERENCES promotion,
    reason       text NOT NULL CHECK (reason <> ''),
    placed_by    text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT discount_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT discount_percent_is_a_share CHECK (kind <> 'percent' OR value <= 100),
    CONSTRAINT discount_one_scope CHECK (item_id IS NULL OR family IS NULL),
    CONSTRAINT discount_item_of_contract FOREIGN KEY (item_id, contract_id) REFERENCES contract_item (id, contract_id),
    CONSTRAINT discount_promotion_once UNIQUE (contract_id, promotion_id)
);
COMMENT ON TABLE discount IS 'Taken off an item, a family or the whole contract while it lasts, before tax, each on what those of lower priority number left.';

CREATE TABLE billing_stop (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id    bigint NOT NULL REFERENCES contract_terms,
    during         daterange NOT NULL,
    rule           text NOT NULL CHECK (rule IN ('credit_days', 'stop')),
    restriction_id bigint REFERENCES restriction,
    reason         text NOT NULL CHECK (reason <> ''),
    placed_by      text NOT NULL CHECK (placed_by <> ''),
    settled_through date,
    CONSTRAINT billing_stop_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT billing_stop_one_a_day EXCLUDE USING gist (contract_id WITH =, during WITH &&)
);
COMMENT ON TABLE billing_stop IS 'Days that a contract does not pay: credited day by day (credit_days) or whole periods left out (stop).';

CREATE TABLE contract_notice (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract_terms,
    kind        text NOT NULL CHECK (kind IN ('renewal', 'expiry', 'price_change', 'term_change')),
    due_on      date NOT NULL,
    channel     text CHECK (channel ~ '^[a-z_]{1,40}$'),
    sent_at     timestamptz,
    result      text,
    CONSTRAINT contract_notice_once UNIQUE (contract_id, kind, due_on)
);
COMMENT ON TABLE contract_notice IS 'What must be told to a customer about a contract, by when, and how it went.';

CREATE TABLE contract_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id   bigint NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL CHECK (actor <> ''),
    event         text NOT NULL CHECK (event ~ '^[a-z_]{1,40}$'),
    effective_on  date,
    status_before contract_status NOT NULL,
    status_after  contract_status NOT NULL,
    detail        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
COMMENT ON TABLE contract_event IS 'What happened to a contract, who did it and from which day it counts. Append-only, and it outlives the contract; a change of status can''t be made without its row.';
CREATE INDEX contract_event_contract ON contract_event (contract_id, id);
CREATE TRIGGER contract_event_append_only BEFORE UPDATE OR DELETE ON contract_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What happened stays as it was told: write another event.');
CREATE TRIGGER contract_event_no_truncate BEFORE TRUNCATE ON contract_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What happened stays as it was told.');

CREATE FUNCTION refuse_contract_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_told contract_status := (SELECT status_after FROM contract_event WHERE contract_id = NEW.contract_id ORDER BY id DESC LIMIT 1);
BEGIN
    -- Changes of status are told by the trigger on contract alone, so there is none without its event and no event without it.
    IF num_nulls(NEW.contract_id, NEW.status_before, NEW.status_after) > 0
            OR (EXISTS (SELECT FROM contract WHERE id = NEW.contract_id) AND NEW.status_before = coalesce(last_told, NEW.status_before) AND (NEW.status_before = NEW.status_after OR pg_trigger_depth() > 1)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contract % is % by its events and can''t be told to go from % to %', NEW.contract_id, last_told, NEW.status_before, NEW.status_after
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Change contract.status: its event is written with it.';
END
$$;
COMMENT ON FUNCTION refuse_contract_event() IS 'The events of a contract are a path of its statuses.';
CREATE TRIGGER contract_event_path BEFORE INSERT ON contract_event FOR EACH ROW EXECUTE FUNCTION refuse_contract_event();

CREATE FUNCTION tell_contract() RETURNS trigger LANGUAGE plpgsql AS $$
-- The transaction may say what it does: corrente.actor, corrente.event, corrente.effective_on, corrente.detail.
DECLARE
    writer text := coalesce(nullif(current_setting('corrente.actor', true), ''), 'database ' || session_user);
    deed   text := nullif(current_setting('corrente.event', true), '');
    since  date := nullif(current_setting('corrente.effective_on', true), '')::date;
    more   jsonb := coalesce(nullif(current_setting('corrente.detail', true), '')::jsonb, '{}');
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail)
            SELECT n.id, writer, coalesce(deed, 'created'), since, n.status, n.status, more FROM new_rows AS n ORDER BY n.id;
    ELSE
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail)
            SELECT n.id, writer, coalesce(deed, 'status_set'), since, o.status, n.status, more FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE n.status <> o.status ORDER BY n.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_contract() IS 'One statement, one insert of the events of the contracts that it made or whose status it changed.';
CREATE TRIGGER contract_told_insert AFTER INSERT ON contract REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_contract();
CREATE TRIGGER contract_told_update AFTER UPDATE ON contract REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_contract();

-- ---------------------------------------------------------------------------------------------------------------
-- The ledger
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE account_role AS ENUM ('customers', 'revenue', 'vat_output', 'vat_split', 'stamp_duty', 'deferred_revenue', 'clearing', 'bank', 'fees', 'fee_income', 'suspense', 'bad_debts',
    'cash_with_collector', 'cash', 'cash_shortage', 'commissions', 'agents_payable', 'differences', 'other');
COMMENT ON TYPE account_role IS 'What a ledger account is for: entries are written by role, never by number.';

CREATE TABLE ledger_account (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Za-z0-9.]{1,20}$'),
    name      text NOT NULL CHECK (name <> ''),
    role      account_role NOT NULL,
    family    text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    CONSTRAINT ledger_account_code_once UNIQUE (issuer_id, code),
    stands_for boolean NOT NULL DEFAULT true,
    CONSTRAINT ledger_account_of_issuer UNIQUE (id, issuer_id),
    CONSTRAINT ledger_account_other_stands_for_nothing CHECK (role::text <> 'other' OR NOT stands_for)
);
COMMENT ON TABLE ledger_account IS 'Where value sits in an issuer''s books.';
COMMENT ON COLUMN ledger_account.family IS 'Revenue goes to the account of its product family, clearing to that of its payment method, cash counted too much to surplus of cash_shortage; NULL takes what has none of its own.';
COMMENT ON COLUMN ledger_account.stands_for IS 'What names no account goes to it by role and family; otherwise only products and entries by hand that name it.';
CREATE UNIQUE INDEX ledger_account_role_once ON ledger_account (issuer_id, role, family) NULLS NOT DISTINCT WHERE stands_for;

CREATE TABLE product_account (
    product_id bigint NOT NULL REFERENCES product,
    issuer_id  bigint NOT NULL,
    account_id bigint NOT NULL,
    PRIMARY KEY (product_id, issuer_id),
    CONSTRAINT product_account_of_issuer FOREIGN KEY (account_id, issuer_id) REFERENCES ledger_account (id, issuer_id)
);
COMMENT ON TABLE product_account IS 'A product''s own revenue account with an issuer; without a row that of its family, else the one for all revenue.';

CREATE TABLE fiscal_period (
    issuer_id bigint NOT NULL REFERENCES issuer,
    during    daterange NOT NULL,
    closed_by text NOT NULL CHECK (closed_by <> ''),
    closed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fiscal_period_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT fiscal_period_one_a_day EXCLUDE USING gist (issuer_id WITH =, during WITH &&)
);
COMMENT ON TABLE fiscal_period IS 'Closed days: nothing is posted inside them any more.';

CREATE TABLE entry (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id   bigint NOT NULL,
    dated       date NOT NULL,
    source      text NOT NULL CHECK (source ~ '^[a-z_]{1,40}$'),
    source_id   bigint NOT NULL,
    kind        text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    currency    currency_code NOT NULL,
    corrects_id bigint REFERENCES entry,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    note        text CHECK (note <> ''),
    evidence    text CHECK (evidence <> ''),
    CONSTRAINT entry_once UNIQUE (source, source_id, kind),
    CONSTRAINT entry_by_hand_says_what CHECK (source NOT IN ('manual', 'correction') OR note IS NOT NULL),
    CONSTRAINT entry_correction_names_what CHECK (source <> 'correction' OR (corrects_id IS NOT NULL AND corrects_id = source_id))
);
COMMENT ON TABLE entry IS 'One event in the books, once. Append-only: what corrects it is another entry that names it.';
COMMENT ON COLUMN entry.note IS 'What a person says that it is.';
COMMENT ON COLUMN entry.evidence IS 'What proves it, such as a statement of the bank and its page.';
COMMENT ON COLUMN entry.issuer_id IS 'That of the accounts of its postings, which it has.';
CREATE INDEX entry_in_order ON entry (issuer_id, dated, id);
CREATE INDEX entry_apart ON entry (issuer_id, dated) WHERE source <> 'document';
CREATE INDEX entry_corrects ON entry (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change('Entries stay: write one that corrects it.');
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Entries stay.');
CREATE FUNCTION hold_entries() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE entry IN SHARE MODE;
END
$$;
COMMENT ON FUNCTION hold_entries() IS 'Whoever closes days keeps writers of entries away until the transaction ends; nobody but the owner may lock the table otherwise.';

CREATE TABLE posting (
    entry_id    bigint NOT NULL,
    number      smallint NOT NULL CHECK (number >= 1),
    account_id  bigint NOT NULL,
    customer_id bigint,
    amount      numeric(16, 3) NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, number)
);
COMMENT ON TABLE posting IS 'One leg of an entry; a debit is above zero. All legs of an entry are written by one statement and sum to zero.';
COMMENT ON COLUMN posting.entry_id IS 'Looked at with the sum of its legs: entries never go.';
CREATE INDEX posting_customer ON posting (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX posting_account ON posting (account_id);
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change('Postings stay: write an entry that corrects theirs.');
CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Postings stay.');

CREATE FUNCTION refuse_account_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM posting WHERE account_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'account % has postings, made to it as %', OLD.code, OLD.role
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Add another account.';
END
$$;
COMMENT ON FUNCTION refuse_account_change() IS 'What an account is for stays once something was posted to it.';
CREATE TRIGGER ledger_account_role_stays BEFORE UPDATE ON ledger_account FOR EACH ROW WHEN (OLD.role <> NEW.role OR OLD.issuer_id <> NEW.issuer_id)
    EXECUTE FUNCTION refuse_account_change();

CREATE TABLE customer_balance (
    customer_id bigint NOT NULL,
    issuer_id   bigint NOT NULL,
    currency    currency_code NOT NULL,
    balance     numeric(16, 3) NOT NULL,
    PRIMARY KEY (customer_id, issuer_id, currency)
);
COMMENT ON TABLE customer_balance IS 'The sum of a customer''s postings, above zero what it owes. The database counts it as they are written, so it names who they name.';

CREATE FUNCTION refuse_own_writing() RETURNS trigger LANGUAGE plpgsql AS $$
-- Argument: what writes it.
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '%: % refused by %', TG_TABLE_NAME, TG_OP, TG_NAME
        USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0], TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_own_writing() IS 'For tables that other tables'' triggers keep: nobody else writes them.';
CREATE TRIGGER customer_balance_is_counted AFTER INSERT OR UPDATE OR DELETE ON customer_balance FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('It follows from the postings.');

CREATE FUNCTION refuse_postings() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    wrong text;
BEGIN
    -- All legs have come when they are numbered 1 to n: who adds one later meets the key.
    SELECT CASE
            WHEN NOT sums.known THEN format('there is no entry %s', sums.entry_id)
            WHEN sums.total <> 0 THEN format('entry %s: its postings sum to %s', sums.entry_id, sums.total)
            WHEN sums.legs < 2 THEN format('entry %s has one posting', sums.entry_id)
            WHEN sums.first <> 1 OR sums.last <> sums.legs THEN format('entry %s: its postings are %s to %s and not 1 to %s', sums.entry_id, sums.first, sums.last, sums.legs)
            WHEN NOT sums.at_home THEN format('entry %s posts to an account of another issuer', sums.entry_id)
            WHEN NOT sums.named THEN format('entry %s: a posting names a customer exactly on an account of customers', sums.entry_id)
            ELSE format('entry %s: an amount has more places than its currency', sums.entry_id)
        END INTO wrong
        FROM (SELECT n.entry_id, bool_and(e.id IS NOT NULL) AS known, sum(n.amount) AS total, count(*) AS legs, min(n.number) AS first, max(n.number) AS last, bool_and(a.issuer_id = e.issuer_id) AS at_home,
                bool_and((a.role = 'customers') = (n.customer_id IS NOT NULL)) AS named, bool_and(n.amount = round(n.amount, currency_places(e.currency))) AS fits
            FROM new_rows AS n LEFT JOIN entry AS e ON e.id = n.entry_id JOIN ledger_account AS a ON a.id = n.account_id GROUP BY n.entry_id) AS sums
        WHERE NOT sums.known OR sums.total <> 0 OR sums.legs < 2 OR sums.first <> 1 OR sums.last <> sums.legs OR NOT sums.at_home OR NOT sums.named OR NOT sums.fits
        ORDER BY sums.entry_id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = 'Write all postings of an entry with one statement, numbered from 1; debits and credits are equal.';
    END IF;
    -- In one order everywhere, so that two writers wait for each other and never both.
    INSERT INTO customer_balance AS b (customer_id, issuer_id, currency, balance)
        SELECT n.customer_id, e.issuer_id, e.currency, sum(n.amount) FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id
        WHERE n.customer_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET balance = b.balance + EXCLUDED.balance;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_postings() IS 'One statement''s postings: each entry of them balances, is whole, and counts on its customers'' balances.';
CREATE TRIGGER posting_balances AFTER INSERT ON posting REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_postings();

CREATE FUNCTION refuse_closed_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed record;
BEGIN
    SELECT n.dated, f.during INTO closed FROM new_rows AS n JOIN fiscal_period AS f ON f.issuer_id = n.issuer_id AND f.during @> n.dated LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'nothing is posted on %: % is closed', closed.dated, closed.during
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date it after the closed days.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_closed_days() IS 'No entry is dated inside a closed fiscal period.';
CREATE TRIGGER entry_in_open_days AFTER INSERT ON entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_days();

CREATE FUNCTION refuse_empty_entry() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'entry % has no postings', NEW.id
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write them in the same transaction.';
END
$$;
COMMENT ON FUNCTION refuse_empty_entry() IS 'An entry without postings says nothing.';
CREATE CONSTRAINT TRIGGER entry_has_postings AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_empty_entry();

-- ---------------------------------------------------------------------------------------------------------------
-- Billing runs and charges
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE billing_run_state AS ENUM ('prepared', 'issuing', 'done', 'cancelled');
COMMENT ON TYPE billing_run_state IS 'Prepared waits to be confirmed and has taken no number.';

CREATE TABLE billing_run (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id    bigint NOT NULL REFERENCES issuer,
    run_date     date NOT NULL,
    filter       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filter) = 'object'),
    state        billing_run_state NOT NULL DEFAULT 'prepared',
    started_by   text NOT NULL CHECK (started_by <> ''),
    started_at   timestamptz NOT NULL DEFAULT now(),
    expected     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(expected) = 'object'),
    issue_after  timestamptz,
    confirmed_by text CHECK (confirmed_by <> ''),
    confirmed_at timestamptz,
    ended_at     timestamptz,
    mailed_at    timestamptz,
    CONSTRAINT billing_run_once UNIQUE (issuer_id, run_date, filter),
    CONSTRAINT billing_run_confirmation_is_signed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT billing_run_issues_when_confirmed CHECK (state IN ('prepared', 'cancelled') OR confirmed_at IS NOT NULL),
    CONSTRAINT billing_run_ends_when_over CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
);
COMMENT ON TABLE billing_run IS 'One billing of an issuer up to a date. A second start of the same one goes on with the first.';
COMMENT ON COLUMN billing_run.expected IS 'What its preview found, shown to who confirms it.';
COMMENT ON COLUMN billing_run.issue_after IS 'When it issues without a word; NULL: only confirmed by a person.';
COMMENT ON COLUMN billing_run.mailed_at IS 'When the last of its documents was queued to be mailed, or nothing of it goes by itself; NULL or before its end: not yet.';
CREATE INDEX billing_run_to_mail ON billing_run (id) WHERE state = 'done' AND (mailed_at IS NULL OR mailed_at < ended_at);
CREATE TYPE billing_request_act AS ENUM ('prepare', 'issue');
COMMENT ON TYPE billing_request_act IS 'What the worker is asked for: to work a run out, or to issue one that was confirmed.';

CREATE TABLE billing_request (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act       billing_request_act NOT NULL,
    issuer_id bigint NOT NULL REFERENCES issuer,
    run_date  date NOT NULL,
    filter    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filter) = 'object'),
    run_id    bigint REFERENCES billing_run,
    asked_by  text NOT NULL CHECK (asked_by <> ''),
    asked_at  timestamptz NOT NULL DEFAULT now(),
    begun_at  timestamptz,
    payers    integer NOT NULL DEFAULT 0 CHECK (payers >= 0),
    of_payers integer CHECK (of_payers >= 0),
    ended_at  timestamptz,
    problem   text NOT NULL DEFAULT '',
    CONSTRAINT billing_request_issues_a_run CHECK (act = 'prepare' OR run_id IS NOT NULL)
);
COMMENT ON TABLE billing_request IS 'What a page asks of the billing run, which no page may wait for; the job asked_billing does it and says how far it is.';
COMMENT ON COLUMN billing_request.payers IS 'How many are done, of so many.';
COMMENT ON COLUMN billing_request.problem IS 'Why it ended without what was asked for.';
CREATE UNIQUE INDEX billing_request_one_at_a_time ON billing_request (issuer_id, run_date, filter) WHERE ended_at IS NULL;
CREATE INDEX billing_request_of_run ON billing_request (run_id, id) WHERE run_id IS NOT NULL;


CREATE TABLE billing_error (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      bigint NOT NULL REFERENCES billing_run,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint REFERENCES contract,
    reason      text NOT NULL CHECK (reason <> ''),
    found_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT billing_error_once UNIQUE NULLS NOT DISTINCT (run_id, customer_id, contract_id)
);
COMMENT ON TABLE billing_error IS 'Who was not billed in a run, and why; the others were.';

-- ---------------------------------------------------------------------------------------------------------------
-- Documents
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE document_kind AS ENUM ('quote', 'order', 'invoice', 'credit_note');
COMMENT ON TYPE document_kind IS 'Offered, agreed, owed, given back.';
CREATE TYPE document_state AS ENUM ('draft', 'issued', 'accepted', 'refused', 'expired');
COMMENT ON TYPE document_state IS 'An issued invoice or credit note stays issued; a quote is answered or expires, an order is fulfilled or refused.';

CREATE TYPE register_purpose AS ENUM ('recurring', 'manual');
COMMENT ON TYPE register_purpose IS 'Numbers of what runs invoice, or of what people do.';

CREATE TABLE document_register (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Z0-9]{1,6}$'),
    kind      document_kind NOT NULL,
    name      text NOT NULL CHECK (name <> ''),
    pattern   text NOT NULL DEFAULT '{number}/{code}/{year}' CHECK (pattern LIKE '%{number}%' AND pattern ~ '^[ -~]{1,40}$'),
    purpose   register_purpose,
    fiscal_position_id bigint REFERENCES fiscal_position,
    CONSTRAINT document_register_code_once UNIQUE (issuer_id, code),
    CONSTRAINT document_register_of_issuer UNIQUE (id, issuer_id, kind),
    CONSTRAINT document_register_one_a_purpose UNIQUE NULLS NOT DISTINCT (issuer_id, kind, purpose, fiscal_position_id)
);
COMMENT ON TABLE document_register IS 'A series of legal numbers for one kind of document (IT: sezionale). Of those that fit, the most specific is taken.';
COMMENT ON COLUMN document_register.purpose IS 'NULL: any.';
COMMENT ON COLUMN document_register.fiscal_position_id IS 'Of which customers; NULL: of any. It comes before purpose.';
COMMENT ON COLUMN document_register.pattern IS 'How a number is printed, of {number}, {code} and {year}.';

CREATE TABLE register_year (
    register_id bigint NOT NULL REFERENCES document_register,
    year        smallint NOT NULL CHECK (year BETWEEN 1990 AND 2200),
    last_number integer NOT NULL DEFAULT 0 CHECK (last_number >= 0),
    last_date   date,
    PRIMARY KEY (register_id, year)
);
COMMENT ON TABLE register_year IS 'The last number that was taken, and its document''s date. The database moves it as documents are issued.';

CREATE TABLE document (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          document_kind NOT NULL,
    state         document_state NOT NULL DEFAULT 'draft',
    issuer_id     bigint NOT NULL,
    customer_id   bigint NOT NULL,
    register_id   bigint NOT NULL,
    year          smallint,
    number        integer CHECK (number >= 1),
    label         text CHECK (label ~ '^[ -~]{1,40}$'),
    document_date date NOT NULL,
    currency      currency_code NOT NULL,
    includes_tax  boolean NOT NULL,
    net           numeric(16, 3) NOT NULL,
    tax           numeric(16, 3) NOT NULL,
    gross         numeric(16, 3) NOT NULL,
    payable       numeric(16, 3) NOT NULL,
    stamp_duty    numeric(16, 3) NOT NULL DEFAULT 0 CHECK (stamp_duty >= 0),
    issuer_data   jsonb NOT NULL CHECK (jsonb_typeof(issuer_data) = 'object'),
    customer_data jsonb NOT NULL CHECK (jsonb_typeof(customer_data) = 'object'),
    language      spoken_language NOT NULL,
    run_id        bigint,
    from_id       bigint REFERENCES document,
    corrects_id   bigint REFERENCES document,
    reason        text CHECK (reason <> ''),
    valid_until   date,
    made_by       text NOT NULL CHECK (made_by <> ''),
    issued_at     timestamptz,
    is_advance    boolean NOT NULL DEFAULT false,
    CONSTRAINT document_number_once UNIQUE (register_id, year, number),
    CONSTRAINT document_issued_is_numbered CHECK (num_nulls(year, number, label, issued_at) = CASE state WHEN 'draft' THEN 4 ELSE 0 END),
    CONSTRAINT document_year_is_its_date_s CHECK (year = extract(year FROM document_date)),
    CONSTRAINT document_gross_adds_up CHECK (gross = net + tax),
    CONSTRAINT document_payable_within CHECK (payable BETWEEN 0 AND gross),
    CONSTRAINT document_credit_note_corrects CHECK ((kind = 'credit_note') = (corrects_id IS NOT NULL)),
    CONSTRAINT document_answered_is_an_offer CHECK (state IN ('draft', 'issued') OR kind IN ('quote', 'order')),
    CONSTRAINT document_advance_is_of_an_order CHECK (NOT is_advance OR (kind = 'invoice' AND from_id IS NOT NULL))
);
COMMENT ON TABLE document IS 'A quote, order, invoice or credit note. Once issued it stays; what corrects it is another document.';
COMMENT ON COLUMN document.issuer_id IS 'Its register''s.';
COMMENT ON COLUMN document.label IS 'The number as it is printed.';
COMMENT ON COLUMN document.payable IS 'What the customer pays: the gross without tax that it pays to the state itself.';
COMMENT ON COLUMN document.issuer_data IS 'The issuer as it was then; so the customer''s.';
COMMENT ON COLUMN document.from_id IS 'The quote that an order was made from, or the order that an invoice bills. Which advances it deducts say its lines.';
COMMENT ON COLUMN document.is_advance IS 'An invoice of a part of an order before it is delivered; its final invoice deducts it.';
CREATE INDEX document_customer ON document (customer_id, document_date);
CREATE INDEX document_dated ON document (issuer_id, document_date);
CREATE INDEX document_of_register ON document (register_id, document_date, id);
CREATE INDEX document_label ON document (label text_pattern_ops) WHERE label IS NOT NULL;
CREATE INDEX document_run ON document (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX document_corrects ON document (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE UNIQUE INDEX document_one_order ON document (from_id) WHERE kind = 'order';
CREATE UNIQUE INDEX document_one_final ON document (from_id) WHERE kind = 'invoice' AND NOT is_advance;
CREATE INDEX document_from ON document (from_id) WHERE from_id IS NOT NULL;

CREATE TABLE document_line (
    document_id     bigint NOT NULL,
    number          smallint NOT NULL CHECK (number >= 1),
    contract_id     bigint,
    item_id         bigint,
    description     text NOT NULL CHECK (description <> ''),
    during          daterange CHECK (NOT isempty(during)),
    quantity        numeric(18, 8) NOT NULL CHECK (quantity > 0),
    unit_price      numeric(18, 8) NOT NULL,
    discount        numeric(18, 8) NOT NULL DEFAULT 0,
    net             numeric(16, 3) NOT NULL,
    tax_code_id     bigint NOT NULL,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    corrects_id     bigint,
    corrects_number smallint,
    product_id      bigint,
    account_id      bigint NOT NULL,
    legal_reference text,
    PRIMARY KEY (document_id, number),
    CONSTRAINT document_line_nature_has_law CHECK ((nature IS NULL) = (legal_reference IS NULL)),
    CONSTRAINT document_line_nature_untaxed CHECK (nature IS NULL OR rate = 0),
    CONSTRAINT document_line_corrects_a_line FOREIGN KEY (corrects_id, corrects_number) REFERENCES document_line (document_id, number) MATCH FULL
);
COMMENT ON TABLE document_line IS 'One line as it is printed, without tax; with tax in the prices its unit price is worked back.';
COMMENT ON COLUMN document_line.corrects_id IS 'Which line it gives back: a credit note''s, or an invoice''s that is below zero.';
COMMENT ON COLUMN document_line.account_id IS 'Where its net is posted, as it was then.';
COMMENT ON COLUMN document_line.legal_reference IS 'The law that says why there is no tax, as it was then.';
CREATE INDEX document_line_corrects ON document_line (corrects_id, corrects_number) WHERE corrects_id IS NOT NULL;

CREATE TABLE document_tax (
    document_id     bigint NOT NULL,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    legal_reference text,
    base            numeric(16, 3) NOT NULL,
    tax             numeric(16, 3) NOT NULL,
    CONSTRAINT document_tax_group_once UNIQUE NULLS NOT DISTINCT (document_id, rate, nature, liability, legal_reference),
    CONSTRAINT document_tax_nature_untaxed CHECK (nature IS NULL OR (rate = 0 AND tax = 0 AND legal_reference IS NOT NULL))
);
COMMENT ON TABLE document_tax IS 'All lines that are taxed alike: their sum and its tax, rounded once; two laws of one nature are two groups. The VAT register is read from here.';
CREATE INDEX document_tax_deferred ON document_tax (document_id) WHERE liability = 'deferred';

CREATE TABLE document_due (
    document_id bigint NOT NULL,
    number      smallint NOT NULL CHECK (number >= 1),
    due_on      date NOT NULL,
    amount      numeric(16, 3) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (document_id, number)
);
COMMENT ON TABLE document_due IS 'When an invoice is to be paid, in one part or several.';
CREATE INDEX document_due_day ON document_due (due_on);

CREATE TABLE credited_line (
    document_id bigint NOT NULL,
    number      smallint NOT NULL,
    net         numeric(16, 3) NOT NULL,
    credited    numeric(16, 3) NOT NULL,
    PRIMARY KEY (document_id, number),
    CONSTRAINT credited_line_is_a_line FOREIGN KEY (document_id, number) REFERENCES document_line (document_id, number),
    CONSTRAINT credited_line_within CHECK (credited BETWEEN least(0, net) AND greatest(0, net))
);
COMMENT ON TABLE credited_line IS 'How much of an issued line credit notes, and lines below zero of later invoices, gave back. The database counts it as they are issued.';

CREATE TRIGGER register_year_is_counted AFTER UPDATE OR DELETE ON register_year FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing documents moves it.');
CREATE TRIGGER register_year_begins_at_none BEFORE INSERT ON register_year FOR EACH ROW WHEN (NEW.last_number <> 0 OR NEW.last_date IS NOT NULL)
    EXECUTE FUNCTION refuse_change('A year begins with no number taken.');
CREATE TRIGGER credited_line_is_counted AFTER INSERT OR UPDATE OR DELETE ON credited_line FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing credit notes counts it.');
CREATE TRIGGER document_begins_as_draft BEFORE INSERT ON document FOR EACH ROW WHEN (NEW.state NOT IN ('draft', 'issued'))
    EXECUTE FUNCTION refuse_change('Issue it, then answer it.');
CREATE TRIGGER document_draft_is_issued_first BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state NOT IN ('draft', 'issued'))
    EXECUTE FUNCTION refuse_change('Issue it, then answer it.');
CREATE TRIGGER document_issued_stays BEFORE DELETE ON document FOR EACH ROW WHEN (OLD.state <> 'draft')
    EXECUTE FUNCTION refuse_change('An issued document stays: correct it by a credit note.');
CREATE TRIGGER document_no_truncate BEFORE TRUNCATE ON document FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Documents stay.');

CREATE TABLE document_to_come (
    id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ids bigint[] NOT NULL
);
COMMENT ON TABLE document_to_come IS 'Documents that a transaction issues when it ends, and whose parts it writes before: a row is seen by its transaction alone and is gone with it.';
COMMENT ON COLUMN document_to_come.ids IS 'Those that have not come yet.';

CREATE FUNCTION refuse_parts_alone() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong bigint;
BEGIN
    -- Even where somebody else wrote a document of that id by now: these parts were not judged with it.
    SELECT own.id INTO wrong FROM document_to_come AS t CROSS JOIN unnest(t.ids) AS own (id) WHERE t.id = NEW.id
        AND (EXISTS (SELECT FROM document_line AS p WHERE p.document_id = own.id) OR EXISTS (SELECT FROM document_tax AS p WHERE p.document_id = own.id)
            OR EXISTS (SELECT FROM document_due AS p WHERE p.document_id = own.id)) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % has not come, and parts of it are there', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Issue it in the transaction that writes its parts.';
    END IF;
    DELETE FROM document_to_come WHERE id = NEW.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_parts_alone() IS 'What was to come has come when the transaction ends, or has left no parts.';
CREATE CONSTRAINT TRIGGER document_to_come_has_come AFTER INSERT ON document_to_come DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_parts_alone();
CREATE TRIGGER document_to_come_is_kept AFTER UPDATE OR DELETE ON document_to_come FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Writing the documents takes them off it.');
CREATE TRIGGER document_to_come_no_truncate BEFORE TRUNCATE ON document_to_come FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Writing the documents takes them off it.');

CREATE FUNCTION note_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE document_to_come AS t SET ids = ARRAY(SELECT unnest(t.ids) EXCEPT SELECT n.id FROM new_rows AS n);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_come() IS 'What was just written has come. Rows of other transactions are not seen.';
CREATE TRIGGER document_come AFTER INSERT ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_come();

CREATE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A quote or an order is answered; that is all that happens to what was issued.
    IF OLD.state = 'issued' AND NEW.state IN ('accepted', 'refused', 'expired') AND to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document % is % and can''t be changed', OLD.label, OLD.state
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
END
$$;
COMMENT ON FUNCTION refuse_issued_change() IS 'What was issued stays as it was.';
CREATE TRIGGER document_issued_never_changes BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION refuse_issued_change();

CREATE FUNCTION refuse_issued_parts() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
-- A document is held as a foreign key would hold it, so that it is neither issued nor deleted before this transaction ends.
-- Behind an outer join all are held before they are looked at; a condition that a row must meet would be asked first.
DECLARE
    wrong bigint;
    its   document_state;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT own.document_id, d.state INTO wrong, its FROM (SELECT DISTINCT document_id FROM old_rows) AS own
            LEFT JOIN LATERAL (SELECT state FROM document WHERE id = own.document_id FOR KEY SHARE) AS d ON true WHERE coalesce(d.state, 'draft') <> 'draft' LIMIT 1;
    END IF;
    IF TG_OP <> 'DELETE' AND wrong IS NULL THEN
        SELECT own.document_id, d.state INTO wrong, its FROM (SELECT DISTINCT document_id FROM new_rows) AS own
            LEFT JOIN LATERAL (SELECT state FROM document WHERE id = own.document_id FOR KEY SHARE) AS d ON true
            WHERE d.state <> 'draft' OR (d.state IS NULL AND own.document_id NOT IN (SELECT unnest(t.ids) FROM document_to_come AS t WHERE t.id > 0)) LIMIT 1;
    END IF;
    IF its IS NOT NULL THEN
        RAISE EXCEPTION 'document % is issued: its % stays as it is', wrong, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
    ELSIF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'there is no document %', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write the document first, or say that it is to come (document_to_come).';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_issued_parts() IS 'Lines, tax groups and due days are those of a document that is there, and of an issued one they stay.';
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['document_line', 'document_tax', 'document_due'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_added', part);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_changed', part);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_taken', part);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''Documents stay.'')', part || '_no_truncate', part);
    END LOOP;
END
$$;

CREATE FUNCTION issue_documents() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
-- Only drafts become issued, so every issued row of the statement was issued by it. Parts are found by their keys, however many
-- documents there are and whatever was known about the tables when this was planned first.
DECLARE
    block   record;
    counter register_year;
    wrong   record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows AS n WHERE n.state = 'issued') THEN
        RETURN NULL;
    END IF;
    -- Numbers without a hole, dates that never go back.
    FOR block IN SELECT n.register_id, n.year, count(*) AS documents, min(n.number) AS first, max(n.number) AS last, min(n.document_date) AS from_date, max(n.document_date) AS to_date
            FROM new_rows AS n WHERE n.state = 'issued' GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        INSERT INTO register_year (register_id, year) VALUES (block.register_id, block.year) ON CONFLICT DO NOTHING;
        SELECT * INTO counter FROM register_year WHERE register_id = block.register_id AND year = block.year FOR UPDATE;
        IF block.first <> counter.last_number + 1 OR block.last <> counter.last_number + block.documents THEN
            RAISE EXCEPTION 'register % of %: numbers % to % for % documents after %', block.register_id, block.year, block.first, block.last, block.documents, counter.last_number
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Lock the register''s year first and count on from its last number.';
        END IF;
        IF block.from_date < counter.last_date OR (block.from_date < block.to_date AND EXISTS (SELECT FROM (SELECT n.document_date AS own, lag(n.document_date) OVER (ORDER BY n.number) AS before
                FROM new_rows AS n WHERE n.state = 'issued' AND n.register_id = block.register_id AND n.year = block.year) AS dates WHERE own < before)) THEN
            RAISE EXCEPTION 'register % of %: a document of % after one of %', block.register_id, block.year, block.from_date, coalesce(counter.last_date, block.to_date)
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Dates of a register never go back.';
        END IF;
        IF EXISTS (SELECT FROM register_year WHERE register_id = block.register_id AND year > block.year AND last_number > 0) THEN
            RAISE EXCEPTION 'register %: % is over, a later year has begun', block.register_id, block.year
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date the document in the year that has begun.';
        END IF;
        UPDATE register_year SET last_number = block.last, last_date = block.to_date WHERE register_id = block.register_id AND year = block.year;
    END LOOP;
    -- What stands on a document adds up, and stands in the books. One pass over all parts of all documents: `line`, `tax`,
    -- `due` and `leg` become one row a document each, with its own.
    SELECT own.id, CASE
            WHEN own.line_off THEN 'a line is not the rounded product of its price, discount and quantity'
            WHEN own.lines IS DISTINCT FROM own.net THEN format('its lines are %s and its net is %s', own.lines, own.net)
            WHEN own.tax_off THEN 'a tax group is not the sum of its lines'
            WHEN own.taxes IS DISTINCT FROM own.tax THEN format('its tax groups are %s, it says %s', own.taxes, own.tax)
            WHEN own.tax_far THEN 'the tax of a group is more than the last place from its rate'
            WHEN own.split <> own.gross - own.payable THEN format('payable %s is not %s less %s that is paid to the state', own.payable, own.gross, own.split)
            WHEN own.sign = 1 AND own.dues IS DISTINCT FROM nullif(own.payable, 0) THEN format('its due days are %s and payable is %s', own.dues, own.payable)
            WHEN own.sign <> 0 AND own.owed <> own.payable * own.sign THEN format('its entry says %s of the customer and payable is %s', own.owed, own.payable)
            WHEN own.sign <> 0 AND (own.vat <> own.tax * -own.sign OR own.vat_split <> own.split * own.sign) THEN format('its entry says %s and %s of its tax, which is %s with %s paid to the state', own.vat, own.vat_split, own.tax, own.split)
            ELSE 'its entry is not what its lines come to by account'
        END AS reason INTO wrong
        FROM (
            WITH d AS MATERIALIZED (
                SELECT n.id, CASE n.kind WHEN 'invoice' THEN 1 WHEN 'credit_note' THEN -1 ELSE 0 END AS sign, n.kind::text, n.document_date, n.issuer_id, n.customer_id, n.currency, currency_places(n.currency) AS places, n.net, n.tax, n.gross, n.payable
                FROM new_rows AS n WHERE n.state = 'issued'
            ), line AS MATERIALIZED (
                SELECT d.id, d.sign, l.net, l.rate, l.nature, l.liability, l.legal_reference AS law, l.account_id, l.net <> round((l.unit_price - l.discount) * l.quantity, d.places) AS off FROM d JOIN document_line AS l ON l.document_id = d.id
            ), tax AS (
                SELECT part.id, sum(part.tax) AS tax, sum(part.tax) FILTER (WHERE part.liability = 'split') AS split, sum(part.line) IS DISTINCT FROM sum(part.base) OR count(part.base) <> 1 AS off, bool_or(part.far) AS far
                FROM (SELECT d.id, t.rate, t.nature, t.liability, CASE WHEN t.nature IS NOT NULL THEN t.legal_reference END AS law, t.base, t.tax, NULL::numeric AS line, abs(t.tax - round(t.base * t.rate / 100, d.places)) > 10.0 ^ -d.places AS far FROM d JOIN document_tax AS t ON t.document_id = d.id
                    UNION ALL SELECT id, rate, nature, liability, law, NULL, NULL, net, NULL FROM line) AS part GROUP BY part.id, part.rate, part.nature, part.liability, part.law
            ), leg AS (
                SELECT part.id, max(part.role) AS role, sum(part.amount) AS amount, bool_or(part.stray) OR CASE WHEN max(part.role) IN ('customers', 'vat_output', 'vat_split') THEN count(part.line) > 0
                    ELSE coalesce(sum(part.amount), 0) + coalesce(sum(part.line), 0) <> 0 END AS off
                FROM (SELECT d.id, p.account_id, a.role, p.amount, NULL::numeric AS line, p.customer_id <> d.customer_id OR e.dated <> d.document_date OR e.currency <> d.currency OR e.issuer_id <> d.issuer_id AS stray
                        FROM d CROSS JOIN LATERAL (SELECT * FROM entry WHERE source = 'document' AND source_id = d.id AND kind = d.kind LIMIT 1) AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
                    UNION ALL SELECT id, account_id, NULL, NULL, net * sign, false FROM line WHERE sign <> 0) AS part GROUP BY part.id, part.account_id
            )
            SELECT part.id, max(part.sign) AS sign, max(part.net) AS net, max(part.tax) AS tax, max(part.gross) AS gross, max(part.payable) AS payable, sum(part.line) AS lines, bool_or(part.line_off) AS line_off,
                sum(part.taxes) AS taxes, coalesce(sum(part.split), 0) AS split, bool_or(part.tax_off) AS tax_off, bool_or(part.tax_far) AS tax_far, sum(part.due) AS dues,
                coalesce(sum(part.amount) FILTER (WHERE part.role = 'customers'), 0) AS owed, coalesce(sum(part.amount) FILTER (WHERE part.role = 'vat_output'), 0) AS vat,
                coalesce(sum(part.amount) FILTER (WHERE part.role = 'vat_split'), 0) AS vat_split, coalesce(bool_or(part.leg_off), false) AS leg_off
            FROM (SELECT id, sign, net, tax, gross, payable, NULL::numeric AS line, NULL::boolean AS line_off, NULL::numeric AS taxes, NULL::numeric AS split, NULL::boolean AS tax_off, NULL::boolean AS tax_far, NULL::numeric AS due,
                    NULL::account_role AS role, NULL::numeric AS amount, NULL::boolean AS leg_off FROM d
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, net, off, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM line
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, tax, split, off, far, NULL, NULL, NULL, NULL FROM tax
                UNION ALL SELECT d.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, due.amount, NULL, NULL, NULL FROM d JOIN document_due AS due ON due.document_id = d.id
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, role, amount, off FROM leg) AS part GROUP BY part.id) AS own
        WHERE own.line_off OR own.lines IS DISTINCT FROM own.net OR own.tax_off OR own.taxes IS DISTINCT FROM own.tax OR own.tax_far OR own.split <> own.gross - own.payable
            OR (own.sign = 1 AND own.dues IS DISTINCT FROM nullif(own.payable, 0))
            OR (own.sign <> 0 AND (own.owed <> own.payable * own.sign OR own.vat <> own.tax * -own.sign OR own.vat_split <> own.split * own.sign OR own.leg_off))
        ORDER BY own.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % can''t be issued: %', wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Work its totals out again from its lines.';
    END IF;
    -- What a credit note gives back, or a line below zero of an invoice, counts on the line that it corrects.
    IF NOT EXISTS (SELECT FROM new_rows AS n WHERE n.state = 'issued' AND (n.kind = 'credit_note' OR EXISTS (SELECT FROM document_line AS l WHERE l.document_id = n.id AND l.corrects_id IS NOT NULL))) THEN
        RETURN NULL;
    END IF;
    SELECT d.id, d.kind INTO wrong FROM new_rows AS d
        WHERE d.state = 'issued' AND ((d.corrects_id IS NOT NULL AND NOT EXISTS (SELECT FROM document_line AS l WHERE l.document_id = d.id)) OR EXISTS (
            SELECT FROM document_line AS l LEFT JOIN document AS first ON first.id = l.corrects_id
            WHERE l.document_id = d.id AND (d.kind = 'credit_note' OR l.corrects_id IS NOT NULL) AND NOT coalesce(
                first.kind = 'invoice' AND first.state = 'issued' AND first.customer_id = d.customer_id AND first.issuer_id = d.issuer_id AND first.currency = d.currency AND first.document_date <= d.document_date
                AND first.id <> d.id AND CASE d.kind WHEN 'credit_note' THEN first.id = d.corrects_id ELSE l.net <= 0 END, false))) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% % does not correct the invoice that it names', replace(wrong.kind::text, '_', ' '), wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'An issued invoice of the same customer, issuer and currency, not dated later. Each line of a credit note names one of its lines; of an invoice only a line below zero names one.';
    END IF;
    SELECT l.document_id AS id, l.number INTO wrong FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE n.state = 'issued' AND (l.rate, l.nature, l.liability, l.legal_reference) IS DISTINCT FROM (first.rate, first.nature, first.liability, first.legal_reference) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'line % of document % gives back at another tax than the line that it corrects', wrong.number, wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Rate, nature, law and liability are those of the line that it corrects, whatever holds today.';
    END IF;
    INSERT INTO credited_line AS c (document_id, number, net, credited)
        SELECT l.corrects_id, l.corrects_number, first.net, sum(CASE n.kind WHEN 'credit_note' THEN l.net ELSE -l.net END) FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id
            JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (document_id, number) DO UPDATE SET credited = c.credited + EXCLUDED.credited;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION issue_documents() IS 'Issuing, in sets: numbers are the register''s next ones, sums agree, the entry says the same by account, no line is credited beyond itself or at another tax.';
CREATE TRIGGER document_issue AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION issue_documents();
CREATE TRIGGER document_issue_whole AFTER INSERT ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION issue_documents();

CREATE TABLE open_document (
    document_id bigint PRIMARY KEY,
    issuer_id   bigint NOT NULL,
    customer_id bigint NOT NULL,
    currency    currency_code NOT NULL,
    due_on      date NOT NULL,
    open        numeric(16, 3) NOT NULL CHECK (open <> 0),
    in_parts    boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE open_document IS 'Invoices that are not settled, and below zero credit notes that have something left to give: so few rows that the open ones are found at once. The database keeps it.';
COMMENT ON COLUMN open_document.due_on IS 'Its first due day that is not settled; of a credit note its date.';
COMMENT ON COLUMN open_document.in_parts IS 'What is open falls due on several days: document_due says which.';
CREATE INDEX open_document_due ON open_document (issuer_id, due_on);
CREATE INDEX open_document_customer ON open_document (customer_id);
CREATE INDEX open_document_amount ON open_document (open);
CREATE TRIGGER open_document_is_counted AFTER INSERT OR UPDATE OR DELETE ON open_document FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('It follows from documents, allocations and refunds.');

CREATE FUNCTION open_documents() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO open_document (document_id, issuer_id, customer_id, currency, due_on, open, in_parts)
        SELECT n.id, n.issuer_id, n.customer_id, n.currency, coalesce(u.due_on, n.document_date), CASE n.kind WHEN 'invoice' THEN n.payable ELSE -n.payable END, u.parts > 1
        FROM new_rows AS n CROSS JOIN LATERAL (SELECT min(due_on) AS due_on, count(*) AS parts FROM document_due WHERE document_id = n.id) AS u
        WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') AND n.payable > 0 ORDER BY n.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION open_documents() IS 'What was just issued is open; an issued invoice or credit note is never updated again.';
CREATE TRIGGER document_opens AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION open_documents();
CREATE TRIGGER document_whole_opens AFTER INSERT ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION open_documents();

CREATE TABLE turnover (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id  bigint NOT NULL,
    dated      date NOT NULL,
    product_id bigint,
    account_id bigint NOT NULL,
    currency   currency_code NOT NULL,
    net        numeric(18, 3) NOT NULL
);
COMMENT ON TABLE turnover IS 'What each issuing added, by day, product and account; a credit note takes away. Only added to, so that no run waits for another''s sum; a month is the sum of some hundred rows.';
CREATE INDEX turnover_dated ON turnover (issuer_id, dated);

CREATE FUNCTION count_turnover() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO turnover (issuer_id, dated, product_id, account_id, currency, net)
        SELECT n.issuer_id, n.document_date, l.product_id, l.account_id, n.currency, sum(CASE n.kind WHEN 'credit_note' THEN -l.net ELSE l.net END)
        FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note')
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION count_turnover() IS 'What was just issued is sold.';
CREATE TRIGGER document_turnover AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_turnover();
CREATE TRIGGER whole_document_turnover AFTER INSERT ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_turnover();
CREATE TRIGGER turnover_is_counted AFTER INSERT OR UPDATE OR DELETE ON turnover FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('Issuing documents counts it.');

CREATE TYPE charge_kind AS ENUM ('period', 'one_off', 'instalment', 'usage', 'credit', 'early_exit', 'pause_fee');
COMMENT ON TYPE charge_kind IS 'What is due: time of an item, something once, or time given back.';
CREATE TABLE charge (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id     bigint NOT NULL,
    kind        charge_kind NOT NULL,
    during      daterange NOT NULL,
    units       integer NOT NULL,
    of          integer NOT NULL,
    full_price  numeric(16, 3) NOT NULL,
    discounted  numeric(16, 3) NOT NULL DEFAULT 0,
    net         numeric(16, 3) NOT NULL,
    currency    currency_code NOT NULL,
    due_on      date NOT NULL,
    corrects_id bigint REFERENCES charge,
    run_id      bigint,
    document_id bigint,
    line_number smallint,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    covered     boolean NOT NULL DEFAULT false,
    stop_id     bigint REFERENCES billing_stop,
    CONSTRAINT charge_stopped_is_nothing CHECK (stop_id IS NULL OR (kind = 'period' AND full_price = 0 AND covered)),
    CONSTRAINT charge_covered_has_no_line CHECK (NOT covered OR document_id IS NULL),
    CONSTRAINT charge_during_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT charge_units_of_a_whole CHECK (of >= 1 AND units BETWEEN 0 AND of),
    CONSTRAINT charge_discount_within CHECK (discounted BETWEEN least(0, full_price) AND greatest(0, full_price)),
    CONSTRAINT charge_net_adds_up CHECK (net = full_price - discounted),
    CONSTRAINT charge_credit_names_what CHECK ((kind = 'credit') = (corrects_id IS NOT NULL)),
    CONSTRAINT charge_credit_is_given CHECK (CASE WHEN kind = 'credit' THEN net <= 0 ELSE net >= 0 END),
    CONSTRAINT charge_places CHECK (net = round(net, currency_places(currency)) AND full_price = round(full_price, currency_places(currency))),
    CONSTRAINT charge_on_a_line CHECK ((document_id IS NULL) = (line_number IS NULL))
);
COMMENT ON TABLE charge IS 'An amount due for an item and a time. No day of an item is charged twice, whatever runs at once.';
COMMENT ON COLUMN charge.net IS 'In the prices of its contract, with or without tax.';
COMMENT ON COLUMN charge.stop_id IS 'The period was left out for good: it is recorded here, so that no time of an item is without its charge.';
COMMENT ON COLUMN charge.run_id IS 'Which run made it, or let it wait first. A run of a later day puts it on a document however little it is.';
COMMENT ON COLUMN charge.covered IS 'It is nothing, or came to nothing together with others, so no document has it. What neither has a document nor is covered waits.';
CREATE UNIQUE INDEX charge_period_once ON charge (item_id, lower(during)) WHERE kind = 'period';
CREATE UNIQUE INDEX charge_once ON charge (item_id, kind, lower(during)) WHERE kind IN ('one_off', 'instalment', 'early_exit');
CREATE INDEX charge_waiting ON charge (item_id) WHERE document_id IS NULL AND NOT covered;
CREATE INDEX charge_corrects ON charge (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE INDEX charge_document ON charge (document_id) WHERE document_id IS NOT NULL;
-- A stop that is deleted is looked for here: without it each would read the whole table.
CREATE INDEX charge_stop ON charge (stop_id) WHERE stop_id IS NOT NULL;

CREATE FUNCTION refuse_charge_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.document_id IS NULL AND NOT OLD.covered AND NEW.run_id IS NOT DISTINCT FROM coalesce(OLD.run_id, NEW.run_id)
            AND to_jsonb(NEW) - '{document_id,line_number,covered,run_id}'::text[] = to_jsonb(OLD) - '{document_id,line_number,covered,run_id}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'charge % stays as it is', OLD.id
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Give it back by a charge of kind credit.';
END
$$;
COMMENT ON FUNCTION refuse_charge_change() IS 'A charge comes to stand on a line, or to nothing, once, and a run that lets it wait marks it once; nothing else of it changes.';
CREATE TRIGGER charge_stays BEFORE UPDATE OR DELETE ON charge FOR EACH ROW EXECUTE FUNCTION refuse_charge_change();
CREATE TRIGGER charge_no_truncate BEFORE TRUNCATE ON charge FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Charges stay.');

CREATE FUNCTION refuse_credit_beyond() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows WHERE corrects_id IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM charge WHERE id IN (SELECT corrects_id FROM new_rows) ORDER BY id FOR UPDATE;
    SELECT c.id, c.net, sum(given.net) AS credited INTO wrong FROM charge AS c JOIN charge AS given ON given.corrects_id = c.id
        WHERE c.id IN (SELECT corrects_id FROM new_rows) GROUP BY c.id, c.net HAVING c.net + sum(given.net) < 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'charge % is % and % of it would be given back', wrong.id, wrong.net, -wrong.credited
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Never more than is left of it.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_credit_beyond() IS 'Credits of a charge together are never more than it.';
CREATE TRIGGER charge_credit_within AFTER INSERT ON charge REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_credit_beyond();

CREATE FUNCTION refuse_day_twice() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
-- Items are held until this transaction ends, so who charges one of them at the same time comes after it and sees its charges. Of periods
-- in order of their first days it is enough that neighbours are apart: each new one is compared with the last that begins before its end.
DECLARE
    wrong record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows WHERE kind = 'period') THEN
        RETURN NULL;
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%: what others have charged meanwhile is seen in READ COMMITTED alone', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Do it in a transaction of that isolation.';
    END IF;
    PERFORM FROM contract_item WHERE id IN (SELECT item_id FROM new_rows WHERE kind = 'period') ORDER BY id FOR NO KEY UPDATE;
    SELECT n.item_id, n.during, near.during AS other INTO wrong FROM new_rows AS n CROSS JOIN LATERAL (
            SELECT c.id, c.during FROM charge AS c WHERE c.item_id = n.item_id AND c.kind = 'period' AND lower(c.during) < upper(n.during) ORDER BY lower(c.during) DESC LIMIT 2) AS near
        WHERE n.kind = 'period' AND near.id <> n.id AND near.during && n.during LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'item % would be charged for % and for %', wrong.item_id, wrong.other, wrong.during
            USING ERRCODE = 'exclusion_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'No day of an item is charged twice.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_day_twice() IS 'Periods of an item are pairwise disjoint, whoever charges it at the same time.';
CREATE TRIGGER charge_periods_disjoint AFTER INSERT ON charge REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_day_twice();

CREATE TABLE billing_position (
    item_id        bigint PRIMARY KEY REFERENCES contract_item,
    billed_through date NOT NULL,
    due_on         date
);
COMMENT ON TABLE billing_position IS 'How far each recurring item is billed, and when its next part falls due. Runs move it; what was agreed stands in contract_item.';
COMMENT ON COLUMN billing_position.billed_through IS 'First day that is not billed.';
COMMENT ON COLUMN billing_position.due_on IS 'When a run finds the next part of it; NULL: all its time is billed.';
CREATE INDEX billing_position_due ON billing_position (due_on) WHERE due_on IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- Keys that are looked at once a statement
-- ---------------------------------------------------------------------------------------------------------------
-- A declared foreign key looks its row up for each row that is written, and again for a row that its own transaction updates: half of
-- what issuing a document cost. Here each statement asks once for each row that it names, and holds it as a declared key does
-- (FOR KEY SHARE), so it is neither deleted nor given another key before this transaction ends; who deletes it later is refused. Behind an
-- outer join all are held before they are looked at.
CREATE FUNCTION refuse_old_snapshot(place text, guard text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%: who names its rows is seen in READ COMMITTED alone', place
            USING ERRCODE = 'restrict_violation', TABLE = place, CONSTRAINT = guard, HINT = 'Do it in a transaction of that isolation.';
    END IF;
END
$$;
COMMENT ON FUNCTION refuse_old_snapshot(text, text) IS 'A snapshot of a whole transaction does not show who has come to name a row since.';

CREATE FUNCTION take_document_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_old_snapshot(TG_TABLE_NAME, TG_NAME);
    DELETE FROM document_line WHERE document_id IN (SELECT id FROM old_rows);
    DELETE FROM document_tax WHERE document_id IN (SELECT id FROM old_rows);
    DELETE FROM document_due WHERE document_id IN (SELECT id FROM old_rows);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION take_document_parts() IS 'A draft goes with its parts.';
CREATE TRIGGER document_goes_whole AFTER DELETE ON document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION take_document_parts();
CREATE TRIGGER document_keeps_id BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_change('Its parts name it.');

DO $$
DECLARE
    name_of text[];
    side    text;
    body    text;
    names   CONSTANT text[] := ARRAY[
        ['document', 'customer_id', 'customer', 'id'], ['document', 'register_id,issuer_id,kind', 'document_register', 'id,issuer_id,kind'],
        ['document', 'run_id', 'billing_run', 'id'],
        ['document_line', 'contract_id', 'contract', 'id'], ['document_line', 'item_id', 'contract_item', 'id'], ['document_line', 'tax_code_id', 'tax_code', 'id'],
        ['document_line', 'product_id', 'product', 'id'], ['document_line', 'account_id', 'ledger_account', 'id'],
        ['posting', 'account_id', 'ledger_account', 'id'], ['posting', 'customer_id', 'customer', 'id'],
        ['charge', 'item_id', 'contract_item', 'id'], ['charge', 'run_id', 'billing_run', 'id'],
        ['charge', 'document_id,line_number', 'document_line', 'document_id,number']];
BEGIN
    FOREACH side IN ARRAY ARRAY['document', 'document_line', 'posting', 'charge'] LOOP
        body := '';
        FOREACH name_of SLICE 1 IN ARRAY names LOOP
            CONTINUE WHEN name_of[1] <> side;
            body := body || format($body$
    SELECT own.* INTO unknown FROM (SELECT DISTINCT %1$s FROM new_rows WHERE %2$s IS NOT NULL) AS own
        LEFT JOIN LATERAL (SELECT true AS there FROM %3$I AS p WHERE (%4$s) = (%5$s) FOR KEY SHARE) AS held ON true WHERE held.there IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%%: there is no %3$s %%', TG_TABLE_NAME, unknown
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Its %1$s names one that is there.';
    END IF;
$body$, name_of[2], split_part(name_of[2], ',', 1), name_of[3], 'p.' || replace(name_of[4], ',', ', p.'), 'own.' || replace(name_of[2], ',', ', own.'));
        END LOOP;
        EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off'
            || ' SET enable_mergejoin = off SET enable_material = off AS %L', side || '_all_known', format(E'\nDECLARE\n    unknown record;\nBEGIN%s    RETURN NULL;\nEND\n', body));
        EXECUTE format('COMMENT ON FUNCTION %I() IS %L', side || '_all_known', 'What rows of one statement name is there, and stays.');
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', side || '_all_known');
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %I()', side || '_all_known', side, side || '_all_known');
        IF side <> 'posting' THEN
            EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %I()', side || '_all_known_still', side, side || '_all_known');
        END IF;
    END LOOP;
    FOREACH side IN ARRAY ARRAY['customer', 'contract', 'contract_item', 'product', 'tax_code', 'ledger_account', 'billing_run', 'document_register', 'document_line'] LOOP
        body := '';
        FOREACH name_of SLICE 1 IN ARRAY names LOOP
            CONTINUE WHEN name_of[3] <> side;
            body := body || format($body$
    IF EXISTS (SELECT FROM %1$I AS n WHERE (%2$s) = (%3$s)) THEN
        RAISE EXCEPTION '%%: its key is named by a %1$s', TG_TABLE_NAME
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'It stays as long as it is named.';
    END IF;
$body$, name_of[1], 'n.' || replace(name_of[2], ',', ', n.'), 'OLD.' || replace(name_of[4], ',', ', OLD.'));
        END LOOP;
        EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS %L', side || '_not_named',
            format(E'\nBEGIN\n    PERFORM refuse_old_snapshot(TG_TABLE_NAME, TG_NAME);%s    RETURN NULL;\nEND\n', body));
        EXECUTE format('COMMENT ON FUNCTION %I() IS %L', side || '_not_named', 'What is named stays, with its key.');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I FOR EACH ROW EXECUTE FUNCTION %I()', side || '_not_named', side, side || '_not_named');
        SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', key), ' OR ') INTO body FROM unnest(string_to_array(
            CASE side WHEN 'document_register' THEN 'id,issuer_id,kind' WHEN 'document_line' THEN 'document_id,number' ELSE 'id' END, ',')) AS key;
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION %I()', side || '_not_named_so', side, body, side || '_not_named');
        IF side NOT IN ('contract', 'document_line') THEN -- which have one
            EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What may be named stays.'')', side || '_no_truncate', side);
        END IF;
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Payments, and what settles an invoice
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE payment_kind AS ENUM ('cash', 'card', 'transfer', 'slip', 'direct_debit', 'gateway', 'other');
COMMENT ON TYPE payment_kind IS 'How money travels.';

CREATE TABLE payment_method (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id    bigint NOT NULL REFERENCES issuer,
    code         text NOT NULL CHECK (code ~ '^[a-z0-9_]{1,40}$'),
    name         text NOT NULL CHECK (name <> ''),
    kind         payment_kind NOT NULL,
    returns_days smallint CHECK (returns_days BETWEEN 1 AND 400),
    offered      boolean NOT NULL DEFAULT true,
    return_fee   numeric(16, 3),
    return_fee_product_id bigint REFERENCES product,
    mails_receipt boolean NOT NULL DEFAULT true,
    CONSTRAINT payment_method_code_once UNIQUE (issuer_id, code),
    CONSTRAINT payment_method_of_issuer UNIQUE (id, issuer_id),
    CONSTRAINT payment_method_fee_is_a_product CHECK (return_fee > 0 AND (return_fee IS NULL) = (return_fee_product_id IS NULL))
);
COMMENT ON TABLE payment_method IS 'A way in which an issuer is paid. What comes by it is posted to the clearing account whose family is its code, else to the one for all; cash to cash.';
COMMENT ON COLUMN payment_method.returns_days IS 'So long a payment may come back; meanwhile it counts as paid and is flagged.';
COMMENT ON COLUMN payment_method.return_fee IS 'What a customer is charged on the next invoice when a payment by it comes back, in the issuer''s currency; return_fee_product_id is its line: words, account and tax code.';
COMMENT ON COLUMN payment_method.mails_receipt IS 'Who pays by it and has an address is sent a receipt, in the transaction that records the payment.';
COMMENT ON COLUMN payment_method.offered IS 'Nothing new comes by a method that is offered no more.';

CREATE TYPE payment_source AS ENUM ('webhook', 'file', 'counter', 'collector', 'manual');
COMMENT ON TYPE payment_source IS 'Through what we were told: a gateway, a bank''s file, a till, a collector, a person.';

CREATE TABLE payment (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id     bigint NOT NULL REFERENCES issuer,
    method_id     bigint NOT NULL,
    customer_id   bigint REFERENCES customer,
    currency      currency_code NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    value_on      date NOT NULL,
    source        payment_source NOT NULL,
    reference     text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    payer         text CHECK (length(payer) BETWEEN 1 AND 400),
    note          text CHECK (note <> ''),
    returns_until date,
    made_by       text NOT NULL CHECK (made_by <> ''),
    made_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_once UNIQUE (source, reference),
    CONSTRAINT payment_method_of_its_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id),
    CONSTRAINT payment_is_an_amount CHECK (amount > 0 AND amount = round(amount, currency_places(currency))),
    CONSTRAINT payment_returns_after_value CHECK (returns_until >= value_on)
);
COMMENT ON TABLE payment IS 'Money that came in. Append-only: what becomes of it is told by payment_match, payment_reversal, refund and allocation.';
COMMENT ON COLUMN payment.customer_id IS 'Whose it was said to be when it came; NULL: nobody knew. Whose it is now: open_payment.';
COMMENT ON COLUMN payment.value_on IS 'From which day the money is there.';
COMMENT ON COLUMN payment.reference IS 'What it is called where it comes from, such as a gateway''s event or a bank''s row: the same one again is the same payment.';
COMMENT ON COLUMN payment.payer IS 'Who paid, in the bank''s words.';
COMMENT ON COLUMN payment.returns_until IS 'Until then it may come back.';
CREATE INDEX payment_customer ON payment (customer_id, value_on) WHERE customer_id IS NOT NULL;
CREATE INDEX payment_day ON payment (issuer_id, value_on);
CREATE INDEX payment_value_day ON payment (value_on, id);
CREATE INDEX payment_of_method ON payment (method_id, id);

CREATE TABLE payment_match (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  bigint NOT NULL REFERENCES payment,
    customer_id bigint REFERENCES customer,
    reason      text NOT NULL CHECK (reason <> ''),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE payment_match IS 'Whose a payment turned out to be: an entry, not an edit. NULL takes it back to those that nobody knows. Append-only; the last one counts.';
CREATE INDEX payment_match_payment ON payment_match (payment_id, id);
CREATE INDEX payment_match_customer ON payment_match (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE payment_reversal (
    payment_id  bigint PRIMARY KEY REFERENCES payment,
    dated       date NOT NULL,
    reason_code text CHECK (reason_code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    reason      text NOT NULL CHECK (reason <> ''),
    source      payment_source NOT NULL,
    reference   text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    fee_item_id bigint REFERENCES contract_item,
    CONSTRAINT payment_reversal_once UNIQUE (source, reference)
);
COMMENT ON COLUMN payment_reversal.fee_item_id IS 'The fee that was charged for it, which the next invoice bears; NULL: none.';
COMMENT ON TABLE payment_reversal IS 'A payment that came back: a returned debit, a chargeback, a mistake. Its allocations are withdrawn first. Append-only.';
COMMENT ON COLUMN payment_reversal.reason_code IS 'As who sent it back codes it: AM04, MD06, fraudulent.';

CREATE TABLE refund (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id     bigint REFERENCES payment,
    credit_note_id bigint REFERENCES document,
    method_id      bigint NOT NULL REFERENCES payment_method,
    amount         numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated          date NOT NULL,
    source         payment_source NOT NULL,
    reference      text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    reason         text NOT NULL CHECK (reason <> ''),
    made_by        text NOT NULL CHECK (made_by <> ''),
    made_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refund_once UNIQUE (source, reference),
    CONSTRAINT refund_of_one CHECK (num_nonnulls(payment_id, credit_note_id) = 1)
);
COMMENT ON TABLE refund IS 'Money given back: of a payment what is allocated to nothing, of a credit note what settled nothing. Append-only.';
CREATE INDEX refund_payment ON refund (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX refund_credit_note ON refund (credit_note_id) WHERE credit_note_id IS NOT NULL;

CREATE TABLE write_off (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES document,
    amount     numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated      date NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE write_off IS 'What of an invoice nobody will pay any more. Append-only; taken back by write_off_undo.';
CREATE INDEX write_off_invoice ON write_off (invoice_id);

CREATE TABLE write_off_undo (
    write_off_id bigint PRIMARY KEY REFERENCES write_off,
    dated        date NOT NULL,
    reason       text NOT NULL CHECK (reason <> ''),
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE write_off_undo IS 'An invoice is asked for again after all, with its own due days.';

CREATE TABLE allocation (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id     bigint REFERENCES payment,
    credit_note_id bigint REFERENCES document,
    write_off_id   bigint REFERENCES write_off,
    invoice_id     bigint NOT NULL REFERENCES document,
    amount         numeric(16, 3) NOT NULL CHECK (amount <> 0),
    withdraws_id   bigint REFERENCES allocation,
    chosen         boolean NOT NULL DEFAULT false,
    allocated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT allocation_of_one CHECK (num_nonnulls(payment_id, credit_note_id, write_off_id) = 1),
    CONSTRAINT allocation_withdrawn_once UNIQUE (withdraws_id),
    CONSTRAINT allocation_below_zero_withdraws CHECK ((amount < 0) = (withdraws_id IS NOT NULL))
);
COMMENT ON TABLE allocation IS 'How much of an invoice a payment, a credit note or a write-off settled. It moves no money: what an invoice has left open follows from it. Append-only; below zero it takes one back whole.';
COMMENT ON COLUMN allocation.chosen IS 'The customer said so; otherwise by due day and number.';
CREATE INDEX allocation_invoice ON allocation (invoice_id);
CREATE INDEX allocation_payment ON allocation (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX allocation_credit_note ON allocation (credit_note_id) WHERE credit_note_id IS NOT NULL;

CREATE TABLE open_payment (
    payment_id  bigint PRIMARY KEY REFERENCES payment,
    issuer_id   bigint NOT NULL,
    customer_id bigint,
    currency    currency_code NOT NULL,
    open        numeric(16, 3) NOT NULL CHECK (open > 0)
);
COMMENT ON TABLE open_payment IS 'Payments that have something left to settle: a customer''s credit, and what nobody is known for. The database keeps it.';
CREATE INDEX open_payment_customer ON open_payment (customer_id);
CREATE TRIGGER open_payment_is_counted AFTER INSERT OR UPDATE OR DELETE ON open_payment FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('It follows from payments, refunds and allocations.');

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund', 'write_off', 'write_off_undo', 'allocation'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What came in and what became of it stays: write what takes it back.'')', kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What came in stays.'')', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

CREATE FUNCTION owner_of_payment(of bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN m.payment_id IS NULL THEN p.customer_id ELSE m.customer_id END
    FROM payment AS p LEFT JOIN LATERAL (SELECT payment_id, customer_id FROM payment_match WHERE payment_id = p.id ORDER BY id DESC LIMIT 1) AS m ON true WHERE p.id = of
$$;
COMMENT ON FUNCTION owner_of_payment(bigint) IS 'Whose a payment is now; NULL: nobody knows.';

CREATE FUNCTION booked_for(of_source text, of_id bigint, of_issuer bigint, of_currency text, of_customer bigint) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT sum(p.amount) FILTER (WHERE CASE WHEN of_customer IS NULL THEN a.role = 'suspense' ELSE p.customer_id = of_customer END)
    FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
    WHERE e.source = of_source AND e.source_id = of_id AND e.kind = of_source AND e.issuer_id = of_issuer AND e.currency = of_currency
$$;
COMMENT ON FUNCTION booked_for(text, bigint, bigint, text, bigint) IS 'What the entry of an event of the customer account says of a customer, or of those that nobody knows; NULL without that entry.';

CREATE FUNCTION refuse_unbooked() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
-- What moves money has its entry before it, which says the same. One query for the rows of a statement.
DECLARE
    wrong text;
BEGIN
    IF TG_TABLE_NAME = 'payment' THEN
        SELECT format('payment %s of %s %s', n.id, n.amount, n.currency) INTO wrong FROM new_rows AS n
            WHERE booked_for('payment', n.id, n.issuer_id, n.currency, n.customer_id) IS DISTINCT FROM -n.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'payment_match' THEN
        -- What is left of it, from whose it was, the match before this one or what was said first, to whose it is.
        SELECT format('match %s of payment %s', n.id, n.payment_id) INTO wrong FROM new_rows AS n JOIN payment AS p ON p.id = n.payment_id
            CROSS JOIN LATERAL (SELECT coalesce((SELECT coalesce(m.customer_id, 0) FROM payment_match AS m WHERE m.payment_id = p.id AND m.id < n.id ORDER BY m.id DESC LIMIT 1), p.customer_id, 0) AS owner) AS was
            CROSS JOIN LATERAL (SELECT p.amount - coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.payment_id = p.id), 0) AS amount) AS rest
            WHERE was.owner = coalesce(n.customer_id, 0) OR booked_for('payment_match', n.id, p.issuer_id, p.currency, nullif(was.owner, 0)) IS DISTINCT FROM rest.amount
                OR booked_for('payment_match', n.id, p.issuer_id, p.currency, n.customer_id) IS DISTINCT FROM -rest.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'payment_reversal' THEN
        SELECT format('reversal of payment %s of %s %s', p.id, p.amount, p.currency) INTO wrong FROM new_rows AS n JOIN payment AS p ON p.id = n.payment_id
            WHERE booked_for('payment_reversal', p.id, p.issuer_id, p.currency, owner_of_payment(p.id)) IS DISTINCT FROM p.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'refund' THEN
        SELECT format('refund %s of %s', n.id, n.amount) INTO wrong FROM new_rows AS n LEFT JOIN payment AS p ON p.id = n.payment_id LEFT JOIN document AS d ON d.id = n.credit_note_id
                JOIN payment_method AS m ON m.id = n.method_id
            WHERE booked_for('refund', n.id, m.issuer_id, coalesce(p.currency, d.currency), CASE WHEN p.id IS NULL THEN d.customer_id ELSE owner_of_payment(p.id) END) IS DISTINCT FROM n.amount
                OR m.issuer_id <> coalesce(p.issuer_id, d.issuer_id) LIMIT 1;
    ELSIF TG_TABLE_NAME = 'write_off' THEN
        SELECT format('write-off %s of %s', n.id, n.amount) INTO wrong FROM new_rows AS n JOIN document AS d ON d.id = n.invoice_id
            WHERE booked_for('write_off', n.id, d.issuer_id, d.currency, d.customer_id) IS DISTINCT FROM -n.amount LIMIT 1;
    ELSE
        SELECT format('undo of write-off %s of %s', w.id, w.amount) INTO wrong FROM new_rows AS n JOIN write_off AS w ON w.id = n.write_off_id JOIN document AS d ON d.id = w.invoice_id
            WHERE booked_for('write_off_undo', w.id, d.issuer_id, d.currency, d.customer_id) IS DISTINCT FROM w.amount LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '% has no entry that says the same', wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its entry and postings first, in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unbooked() IS 'Nothing moves money that the books do not say.';

CREATE FUNCTION keep_open_payments(ids bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong bigint;
BEGIN
    -- In one order everywhere, so that two writers wait for each other and never both; what others wrote is seen from here on.
    PERFORM FROM payment WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    WITH rest AS (
        SELECT p.id, p.issuer_id, p.currency, owner_of_payment(p.id) AS customer_id,
            CASE WHEN EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) THEN 0
                ELSE p.amount - coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.payment_id = p.id), 0) END - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = p.id), 0) AS open
        FROM payment AS p WHERE p.id = ANY (ids)
    ), closed AS (
        DELETE FROM open_payment AS o USING rest AS r WHERE o.payment_id = r.id AND r.open <= 0
    ), kept AS (
        INSERT INTO open_payment AS o (payment_id, issuer_id, customer_id, currency, open) SELECT id, issuer_id, customer_id, currency, open FROM rest WHERE open > 0 ORDER BY id
        ON CONFLICT (payment_id) DO UPDATE SET customer_id = EXCLUDED.customer_id, open = EXCLUDED.open
    )
    SELECT id INTO wrong FROM rest WHERE open < 0 ORDER BY id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'more of payment % is settled or given back than it is', wrong
            USING ERRCODE = 'check_violation', TABLE = 'allocation', CONSTRAINT = 'allocation_within', HINT = 'Withdraw its allocations first; of a payment that came back nothing is left.';
    END IF;
END
$$;
COMMENT ON FUNCTION keep_open_payments(bigint[]) IS 'What payments have left, worked out from nothing.';

CREATE FUNCTION keep_open_documents(ids bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong text;
BEGIN
    PERFORM FROM document WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    WITH rest AS (
        SELECT d.id, d.issuer_id, d.customer_id, d.currency, d.label, d.payable, d.kind = 'credit_note' AS gives, d.document_date,
            coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id), 0) + coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.credit_note_id = d.id), 0)
                + coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.credit_note_id = d.id), 0) AS settled
        FROM document AS d WHERE d.id = ANY (ids)
    ), closed AS (
        DELETE FROM open_document AS o USING rest AS r WHERE o.document_id = r.id AND r.settled >= r.payable
    ), kept AS (
        INSERT INTO open_document AS o (document_id, issuer_id, customer_id, currency, due_on, open, in_parts)
            SELECT r.id, r.issuer_id, r.customer_id, r.currency, coalesce(u.due_on, r.document_date), CASE WHEN r.gives THEN r.settled - r.payable ELSE r.payable - r.settled END, u.parts > 1
            FROM rest AS r CROSS JOIN LATERAL (SELECT min(part.due_on) AS due_on, count(*) AS parts
                FROM (SELECT due_on, sum(amount) OVER (ORDER BY due_on, number) AS through FROM document_due WHERE document_id = r.id) AS part WHERE part.through > r.settled) AS u
            WHERE r.settled < r.payable ORDER BY r.id
        ON CONFLICT (document_id) DO UPDATE SET due_on = EXCLUDED.due_on, open = EXCLUDED.open, in_parts = EXCLUDED.in_parts
    )
    SELECT CASE WHEN settled < 0 THEN format('less than nothing of %s is settled', label) ELSE format('%s of %s would be settled, and %s is payable', settled, label, payable) END
        INTO wrong FROM rest WHERE settled < 0 OR settled > payable ORDER BY id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong
            USING ERRCODE = 'check_violation', TABLE = 'allocation', CONSTRAINT = 'allocation_within', HINT = 'No more than an invoice has open, and a credit note has left to give.';
    END IF;
END
$$;
COMMENT ON FUNCTION keep_open_documents(bigint[]) IS 'What documents have open, worked out from nothing; an invoice''s first parts are settled first.';

CREATE FUNCTION keep_payments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whose a payment is, and that it came back, concerns the whole of it: what it settles is withdrawn first. What was given back
    -- while it was nobody's went to whoever sent it.
    IF TG_TABLE_NAME = 'payment_match' THEN
        IF EXISTS (SELECT FROM new_rows AS n WHERE EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = n.payment_id)
                OR EXISTS (SELECT FROM refund AS r JOIN entry AS e ON e.source = 'refund' AND e.source_id = r.id JOIN posting AS p ON p.entry_id = e.id WHERE r.payment_id = n.payment_id AND p.customer_id IS NOT NULL)
                OR (SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = n.payment_id) <> 0) THEN
            RAISE EXCEPTION 'a payment that came back, was given back to a customer or settles something stays whose it is'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Withdraw its allocations first.';
        END IF;
    END IF;
    IF TG_TABLE_NAME = 'payment' THEN
        PERFORM keep_open_payments(ARRAY(SELECT id FROM new_rows));
    ELSIF TG_TABLE_NAME = 'refund' THEN
        PERFORM keep_open_documents(ARRAY(SELECT credit_note_id FROM new_rows WHERE credit_note_id IS NOT NULL));
        PERFORM keep_open_payments(ARRAY(SELECT payment_id FROM new_rows WHERE payment_id IS NOT NULL));
    ELSE
        PERFORM keep_open_payments(ARRAY(SELECT payment_id FROM new_rows));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION keep_payments() IS 'What was just written changes what payments have left.';

CREATE FUNCTION refuse_allocation() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong record;
BEGIN
    SELECT n.id, i.label AS invoice, CASE
            WHEN i.kind <> 'invoice' OR i.state <> 'issued' THEN 'it is no issued invoice'
            WHEN n.amount <> round(n.amount, currency_places(i.currency)) THEN format('%s has more places than %s', n.amount, i.currency)
            WHEN t.id IS NOT NULL THEN 'an allocation is withdrawn whole, and once'
            ELSE 'it is of another customer, issuer or currency'
        END AS reason INTO wrong
        FROM new_rows AS n JOIN document AS i ON i.id = n.invoice_id LEFT JOIN payment AS p ON p.id = n.payment_id LEFT JOIN document AS c ON c.id = n.credit_note_id
            LEFT JOIN write_off AS w ON w.id = n.write_off_id LEFT JOIN allocation AS t ON t.id = n.withdraws_id
        WHERE i.kind <> 'invoice' OR i.state <> 'issued' OR n.amount <> round(n.amount, currency_places(i.currency))
            OR (t.id IS NOT NULL AND (t.amount, t.invoice_id, t.payment_id, t.credit_note_id, t.write_off_id) IS DISTINCT FROM (-n.amount, n.invoice_id, n.payment_id, n.credit_note_id, n.write_off_id))
            OR (p.id IS NOT NULL AND (p.issuer_id, p.currency::text, owner_of_payment(p.id)) IS DISTINCT FROM (i.issuer_id, i.currency::text, i.customer_id))
            OR (c.id IS NOT NULL AND (c.kind, c.state, c.issuer_id, c.currency, c.customer_id) IS DISTINCT FROM ('credit_note'::document_kind, 'issued'::document_state, i.issuer_id, i.currency, i.customer_id))
            OR (w.id IS NOT NULL AND (w.invoice_id, w.amount) IS DISTINCT FROM (i.id, abs(n.amount))) ORDER BY n.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'nothing of % is settled by allocation %: %', coalesce(wrong.invoice, 'a draft'), wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Money settles issued invoices of its own customer, issuer and currency.';
    END IF;
    PERFORM keep_open_documents(ARRAY(SELECT invoice_id FROM new_rows UNION SELECT credit_note_id FROM new_rows WHERE credit_note_id IS NOT NULL));
    PERFORM keep_open_payments(ARRAY(SELECT DISTINCT payment_id FROM new_rows WHERE payment_id IS NOT NULL));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_allocation() IS 'What settles an invoice is its customer''s, in its currency, and no more than is open and left.';
CREATE TRIGGER allocation_within AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_allocation();

CREATE FUNCTION allocate_write_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'write_off' THEN
        INSERT INTO allocation (write_off_id, invoice_id, amount) SELECT id, invoice_id, amount FROM new_rows ORDER BY id;
    ELSE
        INSERT INTO allocation (write_off_id, invoice_id, amount, withdraws_id) SELECT a.write_off_id, a.invoice_id, -a.amount, a.id FROM new_rows AS n JOIN allocation AS a USING (write_off_id) WHERE a.amount > 0 ORDER BY a.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION allocate_write_off() IS 'A write-off settles its invoice by itself, and gives it back whole.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund', 'write_off', 'write_off_undo'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbooked()', kept || '_booked', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_payments()', kept || '_leaves', kept);
    END LOOP;
    CREATE TRIGGER write_off_settles AFTER INSERT ON write_off REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION allocate_write_off();
    CREATE TRIGGER write_off_undo_settles AFTER INSERT ON write_off_undo REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION allocate_write_off();
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Collectors, receipts and cash
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE numbered_kind AS ENUM ('receipt', 'agent_settlement');
COMMENT ON TYPE numbered_kind IS 'Papers with numbers of their own that are no documents of billing.';

CREATE TABLE number_series (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Z0-9]{1,6}$'),
    kind      numbered_kind NOT NULL,
    name      text NOT NULL CHECK (name <> ''),
    pattern   text NOT NULL DEFAULT '{number}/{code}/{year}' CHECK (pattern LIKE '%{number}%' AND pattern ~ '^[ -~]{1,40}$'),
    CONSTRAINT number_series_code_once UNIQUE (issuer_id, code),
    CONSTRAINT number_series_of_issuer UNIQUE (id, issuer_id)
);
COMMENT ON TABLE number_series IS 'A series of numbers of receipts or agents'' settlements: 1 to n a year, without a hole.';
COMMENT ON COLUMN number_series.pattern IS 'How a number is printed, of {number}, {code} and {year}.';

CREATE TABLE number_series_year (
    series_id   bigint NOT NULL REFERENCES number_series,
    year        smallint NOT NULL,
    last_number integer NOT NULL,
    last_on     date NOT NULL,
    PRIMARY KEY (series_id, year)
);
COMMENT ON TABLE number_series_year IS 'How far a series has come in a year. Who takes a number counts it and holds the series until its transaction ends, so what is taken back leaves no hole.';
CREATE TRIGGER number_series_year_is_counted AFTER INSERT OR UPDATE OR DELETE ON number_series_year FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('Who takes a number counts it.');

CREATE FUNCTION take_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the kind of series. The database numbers, so that nobody else can leave a hole or give a number twice.
DECLARE
    series number_series;
    newest number_series_year;
BEGIN
    IF NEW.series_id IS NULL OR NEW.issued_on IS NULL THEN
        RETURN NEW; -- refused as what must not be empty
    END IF;
    SELECT * INTO series FROM number_series WHERE id = NEW.series_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NEW; -- refused as a series that there is not
    END IF;
    IF series.kind::text <> TG_ARGV[0] THEN
        RAISE EXCEPTION 'series % numbers %s, no %s', series.code, series.kind, TG_ARGV[0]
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Choose a series of that kind.';
    END IF;
    SELECT * INTO newest FROM number_series_year WHERE series_id = NEW.series_id ORDER BY year DESC LIMIT 1;
    -- Not before the one in front of it: who began before midnight may be numbered behind who began after it.
    NEW.issued_on := greatest(NEW.issued_on, newest.last_on);
    NEW.year := extract(year FROM NEW.issued_on);
    INSERT INTO number_series_year AS y (series_id, year, last_number, last_on) VALUES (NEW.series_id, NEW.year, 1, NEW.issued_on)
        ON CONFLICT (series_id, year) DO UPDATE SET last_number = y.last_number + 1, last_on = EXCLUDED.last_on RETURNING last_number INTO NEW.number;
    NEW.label := replace(replace(replace(series.pattern, '{number}', NEW.number::text), '{code}', series.code), '{year}', NEW.year::text);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION take_number() IS 'Gives a row its year, number and printed number, 1 to n without a hole, days not going back.';
REVOKE EXECUTE ON FUNCTION take_number() FROM PUBLIC;

CREATE TABLE collector (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    login     text CHECK (login ~ '^[A-Za-z0-9._@-]{1,64}$'),
    series_id bigint NOT NULL,
    most_cash numeric(16, 3) CHECK (most_cash > 0),
    active    boolean NOT NULL DEFAULT true,
    CONSTRAINT collector_name_once UNIQUE (issuer_id, name),
    CONSTRAINT collector_login_once UNIQUE (login),
    CONSTRAINT collector_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE collector IS 'Who takes payments in the field, gives numbered receipts and accounts for the cash.';
COMMENT ON COLUMN collector.login IS 'As whom the collector signs in.';
COMMENT ON COLUMN collector.series_id IS 'Which series numbers the receipts; several collectors may share one.';
COMMENT ON COLUMN collector.most_cash IS 'Who has so much of a currency hands it over before taking more; NULL: no limit.';
COMMENT ON COLUMN collector.active IS 'Who is not takes nothing and sees nothing; what is left is handed over.';

CREATE TYPE collector_scope_kind AS ENUM ('everyone', 'customer', 'group', 'city', 'province', 'postal_code');
COMMENT ON TYPE collector_scope_kind IS 'Whose documents: all of the issuer, one customer''s, a billing group''s, of who lives or is served in a city, a province, or where the postal code begins so.';

CREATE TABLE collector_scope (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collector_id bigint NOT NULL REFERENCES collector,
    kind         collector_scope_kind NOT NULL,
    customer_id  bigint REFERENCES customer ON DELETE CASCADE,
    value        text CHECK (length(value) BETWEEN 1 AND 100),
    through      date,
    CONSTRAINT collector_scope_names_what CHECK ((kind::text = 'customer') = (customer_id IS NOT NULL) AND (kind::text IN ('everyone', 'customer')) = (value IS NULL)),
    CONSTRAINT collector_scope_once UNIQUE NULLS NOT DISTINCT (collector_id, kind, customer_id, value)
);
COMMENT ON TABLE collector_scope IS 'From whom a collector may collect, one part a row; without a row from nobody.';
COMMENT ON COLUMN collector_scope.through IS 'Last day on which it counts, where the issuer is; NULL: until it is taken away.';

CREATE VIEW own_scope WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, s.kind, s.customer_id, s.value
    FROM collector AS k JOIN issuer AS i ON i.id = k.issuer_id JOIN collector_scope AS s ON s.collector_id = k.id
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND coalesce(s.through >= (now() AT TIME ZONE i.zone)::date, true);
COMMENT ON VIEW own_scope IS 'What the collector whom the transaction names may collect today, part by part; none of one who is not active.';

CREATE VIEW collectable_customer WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, c.id AS customer_id, c.name AS customer, c.language
    FROM collector AS k CROSS JOIN customer AS c
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND (
        EXISTS (SELECT FROM own_scope AS s WHERE s.kind = 'everyone')
        OR EXISTS (SELECT FROM own_scope AS s WHERE s.kind = 'customer' AND s.customer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN contract_terms AS t ON t.billing_group = s.value AND t.issuer_id = s.issuer_id AND t.payer_id IS NULL JOIN contract AS n ON n.id = t.contract_id
            WHERE s.kind = 'group' AND n.customer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN contract_terms AS t ON t.billing_group = s.value AND t.issuer_id = s.issuer_id WHERE s.kind = 'group' AND t.payer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN address AS a ON CASE s.kind WHEN 'city' THEN lower(a.city) = lower(s.value)
            WHEN 'province' THEN lower(a.province) = lower(s.value) WHEN 'postal_code' THEN starts_with(a.postal_code, s.value) ELSE false END WHERE a.customer_id = c.id));
COMMENT ON VIEW collectable_customer IS 'From whom the collector whom the transaction names (corrente.collector) may collect; without one, or for one who is not active, from nobody.';

CREATE VIEW collectable_document WITH (security_barrier) AS
    SELECT c.collector_id, o.document_id, d.label, d.document_date, o.due_on, o.open, d.payable, o.currency, c.customer_id, c.customer, a.address, p.phone, a.way
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id
        CROSS JOIN LATERAL (SELECT i.label, i.document_date, i.payable FROM document AS i WHERE i.id = o.document_id LIMIT 1) AS d
        LEFT JOIN LATERAL (SELECT concat_ws(', ', concat_ws(' ', w.street, w.house_number), w.city) AS address,
            lower(concat_ws('|', w.city, w.street, lpad(substring(w.house_number FROM '^[0-9]{1,8}'), 8, '0'), w.house_number)) AS way FROM address AS w WHERE w.customer_id = c.customer_id
            ORDER BY w.kind = 'service' DESC, w.kind = 'billing' DESC, w.id LIMIT 1) AS a ON true
        LEFT JOIN LATERAL (SELECT coalesce(n.mobile, n.phone) AS phone FROM contact AS n WHERE n.customer_id = c.customer_id AND coalesce(n.mobile, n.phone) IS NOT NULL
            ORDER BY n.role = 'collections' DESC, n.role = 'main' DESC, n.id LIMIT 1) AS p ON true
    WHERE o.open > 0;
COMMENT ON VIEW collectable_document IS 'Open invoices that the collector whom the transaction names may collect, with where to find the customer. Whoever reads for a collector reads here.';

CREATE VIEW collectable_open WITH (security_barrier) AS
    SELECT c.collector_id, c.customer_id, c.customer, o.document_id, o.currency, o.due_on, o.open
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id WHERE o.open > 0;
COMMENT ON VIEW collectable_open IS 'The same open invoices as collectable_document without where to find the customer: what sums and the order of a round are worked out from.';

CREATE TABLE cash_session (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collector_id bigint NOT NULL REFERENCES collector,
    currency     currency_code NOT NULL,
    opening      numeric(16, 3) NOT NULL DEFAULT 0,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    opened_by    text NOT NULL CHECK (opened_by <> ''),
    closed_at    timestamptz,
    closed_on    date,
    closed_by    text CHECK (closed_by <> ''),
    taken_by     text CHECK (taken_by <> ''),
    expected     numeric(16, 3),
    counted      numeric(16, 3),
    note         text CHECK (note <> ''),
    CONSTRAINT cash_session_opening_is_an_amount CHECK (opening >= 0 AND opening = round(opening, currency_places(currency))),
    CONSTRAINT cash_session_closed_whole CHECK (num_nulls(closed_at, closed_on, closed_by, expected, counted) IN (0, 5)),
    CONSTRAINT cash_session_counted_check CHECK (counted >= 0)
);
COMMENT ON TABLE cash_session IS 'A collector''s takings in one currency from the first payment to the hand-over. Closed it stays: what was wrong is set right in the next one.';
COMMENT ON COLUMN cash_session.opening IS 'Cash that the collector was given to begin with; it is the main cash''s all the time.';
COMMENT ON COLUMN cash_session.closed_on IS 'Of which day the hand-over is, where the issuer is.';
COMMENT ON COLUMN cash_session.taken_by IS 'Who took the money.';
COMMENT ON COLUMN cash_session.expected IS 'Opening, and cash that came in, less what was handed over before and what was taken back.';
CREATE UNIQUE INDEX cash_session_one_open ON cash_session (collector_id, currency) WHERE closed_at IS NULL;
CREATE INDEX cash_session_collector ON cash_session (collector_id, id);

CREATE TABLE cash_offer (
    session_id bigint PRIMARY KEY REFERENCES cash_session,
    pieces     jsonb NOT NULL CHECK (jsonb_typeof(pieces) = 'object'),
    note       text CHECK (note <> ''),
    offered_by text NOT NULL CHECK (offered_by <> ''),
    offered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cash_offer IS 'What a collector has counted and wants to hand over. No money moves by it: the office counts again and closes the session.';
COMMENT ON COLUMN cash_offer.pieces IS 'Value of a note or coin → how many.';

CREATE TYPE count_moment AS ENUM ('opening', 'closing');
COMMENT ON TYPE count_moment IS 'When cash was counted.';
CREATE TABLE cash_count (
    session_id bigint NOT NULL REFERENCES cash_session,
    moment     count_moment NOT NULL,
    value      numeric(16, 3) NOT NULL CHECK (value > 0),
    pieces     integer NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (session_id, moment, value)
);
COMMENT ON TABLE cash_count IS 'Notes and coins of one value that were counted.';

CREATE TABLE receipt (
    payment_id bigint PRIMARY KEY REFERENCES payment,
    issuer_id  bigint NOT NULL,
    series_id  bigint NOT NULL,
    year       smallint,
    number     integer,
    label      text,
    issued_on  date NOT NULL,
    session_id bigint REFERENCES cash_session,
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT receipt_is_numbered CHECK (num_nulls(year, number, label) = 0),
    CONSTRAINT receipt_number_once UNIQUE (series_id, year, number),
    CONSTRAINT receipt_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE receipt IS 'The numbered receipt of a payment, written in the payment''s transaction by a collector, later where somebody asks for one. Append-only.';
COMMENT ON COLUMN receipt.session_id IS 'In whose hand-over the payment is listed; NULL for what no collector took.';
CREATE INDEX receipt_session ON receipt (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE cash_withdrawal (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES cash_session,
    amount     numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated      date NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cash_withdrawal IS 'Cash that left a collector before the hand-over: paid in at the bank, or given to the main cash. Append-only.';
CREATE INDEX cash_withdrawal_session ON cash_withdrawal (session_id);

CREATE TABLE cash_taken_back (
    payment_id bigint PRIMARY KEY REFERENCES payment_reversal,
    session_id bigint NOT NULL REFERENCES cash_session
);
COMMENT ON TABLE cash_taken_back IS 'In which hand-over it counts that a collector''s payment was taken back: the one that is closed next, whenever the payment was handed over. Append-only.';
CREATE INDEX cash_taken_back_session ON cash_taken_back (session_id);

CREATE FUNCTION refuse_cash() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- What belongs to a session is written while it is open; it is held, so that nobody closes it meanwhile.
DECLARE
    kept  record;
    paid  record;
    wrong text;
BEGIN
    SELECT s.*, k.issuer_id INTO kept FROM cash_session AS s JOIN collector AS k ON k.id = s.collector_id WHERE s.id = NEW.session_id FOR NO KEY UPDATE OF s;
    IF kept.closed_at IS NOT NULL THEN
        wrong := format('session %s is closed', kept.id);
    ELSIF TG_TABLE_NAME IN ('receipt', 'cash_taken_back') THEN
        SELECT p.*, r.session_id AS session, o.collector_id AS collector INTO paid FROM payment AS p LEFT JOIN receipt AS r ON r.payment_id = p.id LEFT JOIN cash_session AS o ON o.id = r.session_id WHERE p.id = NEW.payment_id;
        wrong := CASE
            WHEN (paid.source = 'collector') <> (NEW.session_id IS NOT NULL) THEN format('payment %s was taken by %s collector', paid.id, CASE WHEN paid.source = 'collector' THEN 'a' ELSE 'no' END)
            WHEN TG_TABLE_NAME = 'receipt' AND paid.issuer_id <> (to_jsonb(NEW) ->> 'issuer_id')::bigint THEN format('payment %s is another issuer''s', paid.id)
            WHEN (paid.issuer_id, paid.currency) IS DISTINCT FROM (kept.issuer_id, kept.currency) AND kept.id IS NOT NULL THEN format('payment %s is of another issuer or currency', paid.id)
            WHEN TG_TABLE_NAME = 'cash_taken_back' AND paid.collector IS DISTINCT FROM kept.collector_id THEN format('payment %s is another collector''s', paid.id)
        END;
    ELSIF NEW.amount <> round(NEW.amount, currency_places(kept.currency)) OR (SELECT sum(p.amount) FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
            WHERE e.source = 'cash_withdrawal' AND e.source_id = NEW.id AND e.kind = 'cash_withdrawal' AND e.issuer_id = kept.issuer_id AND e.currency = kept.currency AND a.role = 'cash_with_collector') IS DISTINCT FROM -NEW.amount THEN
        wrong := format('withdrawal %s of %s has no entry that says the same', NEW.id, NEW.amount);
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%: %', TG_TABLE_NAME, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'What a collector takes belongs to that collector''s open session, and the books say it.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_cash() IS 'Receipts, withdrawals and what is taken back are of an open session of their collector, issuer and currency.';
CREATE TRIGGER receipt_fits AFTER INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION refuse_cash();
CREATE TRIGGER receipt_takes_number BEFORE INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION take_number('receipt');
CREATE TRIGGER cash_withdrawal_fits AFTER INSERT ON cash_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse_cash();
CREATE TRIGGER cash_taken_back_fits AFTER INSERT ON cash_taken_back FOR EACH ROW EXECUTE FUNCTION refuse_cash();

CREATE FUNCTION refuse_cash_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cash_session AS s WHERE s.id = NEW.session_id AND (s.closed_at IS NOT NULL OR NEW.value <> round(NEW.value, currency_places(s.currency)))) THEN
        RAISE EXCEPTION 'session % is closed, or its currency has no % ', NEW.session_id, NEW.value
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Count while the session is open.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_cash_count() IS 'Cash is counted while a session is open.';
CREATE TRIGGER cash_count_fits AFTER INSERT ON cash_count FOR EACH ROW EXECUTE FUNCTION refuse_cash_count();

CREATE FUNCTION cash_expected(of_session bigint) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT s.opening
        + coalesce((SELECT sum(p.amount) FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE r.session_id = s.id AND m.kind = 'cash'), 0)
        - coalesce((SELECT sum(w.amount) FROM cash_withdrawal AS w WHERE w.session_id = s.id), 0)
        - coalesce((SELECT sum(p.amount) FROM cash_taken_back AS b JOIN payment AS p ON p.id = b.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE b.session_id = s.id AND m.kind = 'cash'), 0)
    FROM cash_session AS s WHERE s.id = of_session
$$;
COMMENT ON FUNCTION cash_expected(bigint) IS 'What should be in the collector''s hands, from nothing: opening, cash that came in, less what left and what was taken back.';

CREATE FUNCTION refuse_closing() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    should  numeric := cash_expected(NEW.id);
    booked  record;
    wrong   text;
BEGIN
    SELECT coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash_with_collector'), 0) AS with_collector, coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash'), 0) AS cash,
            coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash_shortage'), 0) AS shortage INTO booked
        FROM collector AS k JOIN entry AS e ON e.issuer_id = k.issuer_id JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
        WHERE k.id = NEW.collector_id AND e.source = 'cash_session' AND e.source_id = NEW.id AND e.kind = 'cash_session' AND e.currency = NEW.currency;
    wrong := CASE
        WHEN NEW.expected <> should THEN format('%s should be there, and it says %s', should, NEW.expected)
        WHEN NEW.counted <> coalesce((SELECT sum(value * pieces) FROM cash_count WHERE session_id = NEW.id AND moment = 'closing'), 0) THEN format('what was counted is not %s', NEW.counted)
        WHEN (booked.with_collector, booked.cash, booked.shortage) IS DISTINCT FROM (NEW.opening - NEW.expected, NEW.counted - NEW.opening, NEW.expected - NEW.counted) THEN 'it has no entry that says the same'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'session % is not handed over: %', NEW.id, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write what was counted and the entry first, in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_closing() IS 'A hand-over says what was counted, what should be there, and its entry the same.';
CREATE TRIGGER cash_session_hands_over AFTER UPDATE ON cash_session FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_closing();
CREATE TRIGGER cash_session_begins_open AFTER INSERT ON cash_session FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('Open it, then close it.');
CREATE TRIGGER cash_session_closes_once BEFORE UPDATE ON cash_session FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A hand-over stays: what was wrong is set right in the next one.');
CREATE TRIGGER cash_session_is_of_its_collector BEFORE UPDATE ON cash_session FOR EACH ROW
    WHEN ((OLD.id, OLD.collector_id, OLD.currency, OLD.opening, OLD.opened_at, OLD.opened_by) IS DISTINCT FROM (NEW.id, NEW.collector_id, NEW.currency, NEW.opening, NEW.opened_at, NEW.opened_by)) EXECUTE FUNCTION refuse_change('Only its hand-over is written later.');

CREATE FUNCTION refuse_unreceipted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM receipt WHERE payment_id = NEW.id) THEN
        RAISE EXCEPTION 'payment % was taken by a collector and has no receipt', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its receipt in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unreceipted() IS 'What a collector takes has its receipt, and with it a session that accounts for it.';
CREATE CONSTRAINT TRIGGER payment_by_collector_has_receipt AFTER INSERT ON payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.source = 'collector') EXECUTE FUNCTION refuse_unreceipted();

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['receipt', 'cash_withdrawal', 'cash_taken_back', 'cash_count'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What was received and counted stays.'')', kept || '_append_only', kept);
    END LOOP;
    CREATE TRIGGER cash_session_stays BEFORE DELETE ON cash_session FOR EACH ROW EXECUTE FUNCTION refuse_change('Hand it over.');
    FOREACH kept IN ARRAY ARRAY['receipt', 'cash_withdrawal', 'cash_taken_back', 'cash_count', 'cash_session'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What was received and counted stays.'')', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['number_series', 'id'], ['collector', 'id'], ['collector_scope', 'id'], ['cash_session', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_update', kept[1], kept[2], '');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_delete', kept[1], kept[2], '');
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['number_series', 'id'], ['collector', 'id'], ['collector_scope', 'id'], ['cash_session', 'id'], ['cash_count', 'session_id,moment,value'], ['receipt', 'payment_id'],
        ['cash_withdrawal', 'id'], ['cash_taken_back', 'payment_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
END
$$;
-- A collector's own connection reads the three views and nothing else.
GRANT SELECT ON collectable_customer, collectable_document, collectable_open TO corrente_collector;
GRANT SELECT ON number_series, number_series_year, collector, collector_scope, collectable_customer, collectable_document, collectable_open, cash_session, cash_count, receipt, cash_withdrawal, cash_taken_back TO corrente_worker, corrente_web;
GRANT INSERT ON cash_session, cash_count, receipt, cash_withdrawal, cash_taken_back, collector, collector_scope, number_series TO corrente_web;
GRANT UPDATE (closed_at, closed_on, closed_by, taken_by, expected, counted, note) ON cash_session TO corrente_web;
GRANT UPDATE ON collector, collector_scope TO corrente_web;
GRANT DELETE ON collector_scope TO corrente_web;
GRANT USAGE ON SEQUENCE cash_session_id_seq, cash_withdrawal_id_seq TO corrente_web;

-- ---------------------------------------------------------------------------------------------------------------
-- Files of banks
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE bank_account (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id      bigint NOT NULL REFERENCES issuer,
    name           text NOT NULL CHECK (name <> ''),
    account        text NOT NULL CHECK (account ~ '^[A-Z0-9]{4,34}$'),
    currency       currency_code NOT NULL,
    method_id      bigint NOT NULL,
    automatic_from smallint NOT NULL DEFAULT 90 CHECK (automatic_from BETWEEN 1 AND 101),
    layout         jsonb CHECK (jsonb_typeof(layout) = 'object'),
    CONSTRAINT bank_account_name_once UNIQUE (name),
    CONSTRAINT bank_account_account_once UNIQUE (account),
    CONSTRAINT bank_account_method_of_its_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id)
);
COMMENT ON TABLE bank_account IS 'An account of an issuer at a bank, whose files are imported.';
COMMENT ON COLUMN bank_account.account IS 'Its IBAN, or its number where there is none: files of ISO 20022 find it by this.';
COMMENT ON COLUMN bank_account.method_id IS 'By which method what comes in was paid; direct debits by the issuer''s method of that kind.';
COMMENT ON COLUMN bank_account.automatic_from IS 'From which score on, of 100, a line is matched without a person; 101: never.';
COMMENT ON COLUMN bank_account.layout IS 'How this bank writes its CSV files; billing/banking/layout.py reads it.';

CREATE TABLE bank_file (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL CHECK (name <> ''),
    form    text NOT NULL CHECK (form IN ('csv', 'camt.053', 'camt.054', 'pain.002')),
    digest  bytea NOT NULL,
    octets  integer NOT NULL,
    content bytea NOT NULL,
    made_by text NOT NULL CHECK (made_by <> ''),
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bank_file_once UNIQUE (digest)
);
COMMENT ON TABLE bank_file IS 'A file of a bank as it came. Append-only.';
COMMENT ON COLUMN bank_file.digest IS 'SHA-256 of the file: the same one again adds nothing.';
COMMENT ON COLUMN bank_file.content IS 'Its octets, packed by zlib.';
CREATE TRIGGER bank_file_append_only BEFORE UPDATE OR DELETE ON bank_file FOR EACH ROW EXECUTE FUNCTION refuse_change('What a bank told stays as it came.');

CREATE TYPE bank_line_state AS ENUM ('new', 'waiting', 'recorded', 'returned', 'ignored');
COMMENT ON TYPE bank_line_state IS 'New: not looked at yet; waiting: for a person; recorded: somebody''s payment; returned: it took a payment back; ignored: no customer''s.';

CREATE TABLE bank_line (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id         bigint NOT NULL REFERENCES bank_file,
    bank_account_id bigint NOT NULL REFERENCES bank_account,
    key             text NOT NULL,
    entry_key       text NOT NULL,
    number          integer NOT NULL,
    booked_on       date NOT NULL,
    value_on        date NOT NULL,
    currency        currency_code NOT NULL,
    amount          numeric(16, 3) NOT NULL,
    told            jsonb NOT NULL,
    state           bank_line_state NOT NULL DEFAULT 'new',
    payment_id      bigint REFERENCES payment,
    score           smallint,
    reason          text,
    decided_by      text,
    decided_at      timestamptz,
    CONSTRAINT bank_line_once UNIQUE (bank_account_id, key),
    CONSTRAINT bank_line_is_an_amount CHECK (amount <> 0 AND amount = round(amount, currency_places(currency))),
    CONSTRAINT bank_line_is_decided CHECK ((state = 'new') = (decided_by IS NULL)),
    CONSTRAINT bank_line_has_its_payment CHECK (state NOT IN ('recorded', 'returned') OR payment_id IS NOT NULL)
);
COMMENT ON TABLE bank_line IS 'One line of an account, whatever files told it. What the bank said never changes; what became of it does.';
COMMENT ON COLUMN bank_line.key IS 'By this it is the same line in every file that tells it: billing/banking/bank_line.py.';
COMMENT ON COLUMN bank_line.entry_key IS 'Of the bank''s entry that it is, or is a part of.';
COMMENT ON COLUMN bank_line.amount IS 'Above zero came in, below zero went out.';
COMMENT ON COLUMN bank_line.told IS 'What the bank said of it: party, iban, text, references, code of a return.';
COMMENT ON COLUMN bank_line.payment_id IS 'The payment that it is, also where nobody knows whose, or that it took back.';
COMMENT ON COLUMN bank_line.reason IS 'Why it is where it is, in a person''s words.';
CREATE INDEX bank_line_open ON bank_line (state, id) WHERE state IN ('new', 'waiting');
CREATE INDEX bank_line_file ON bank_line (file_id, id);
CREATE INDEX bank_line_entry ON bank_line (bank_account_id, entry_key);
CREATE INDEX bank_line_day ON bank_line (bank_account_id, booked_on, amount);
CREATE INDEX bank_line_payment ON bank_line (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX bank_line_iban ON bank_line ((told ->> 'party_iban')) WHERE state = 'recorded' AND told ->> 'party_iban' <> '';
CREATE INDEX bank_line_end_to_end ON bank_line ((told ->> 'end_to_end')) WHERE state = 'recorded' AND told ->> 'end_to_end' <> '';
CREATE INDEX bank_line_mandate ON bank_line ((told ->> 'mandate')) WHERE state = 'recorded' AND told ->> 'mandate' <> '';
CREATE TRIGGER bank_line_tells_the_same BEFORE UPDATE ON bank_line FOR EACH ROW
    WHEN ((OLD.id, OLD.file_id, OLD.bank_account_id, OLD.key, OLD.entry_key, OLD.number, OLD.booked_on, OLD.value_on, OLD.currency, OLD.amount, OLD.told)
        IS DISTINCT FROM (NEW.id, NEW.file_id, NEW.bank_account_id, NEW.key, NEW.entry_key, NEW.number, NEW.booked_on, NEW.value_on, NEW.currency, NEW.amount, NEW.told) OR (OLD.state <> 'new' AND NEW.state = 'new'))
    EXECUTE FUNCTION refuse_change('What a bank told stays as it came.');
CREATE TRIGGER bank_line_stays BEFORE DELETE ON bank_line FOR EACH ROW EXECUTE FUNCTION refuse_change('Ignore it, with a reason.');

-- ---------------------------------------------------------------------------------------------------------------
-- Agents and what they earn
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE agent (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email     text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    series_id bigint NOT NULL,
    active    boolean NOT NULL DEFAULT true,
    CONSTRAINT agent_name_once UNIQUE (issuer_id, name),
    CONSTRAINT agent_of_issuer UNIQUE (id, issuer_id),
    CONSTRAINT agent_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE agent IS 'Who brings contracts and earns commissions of them.';
COMMENT ON COLUMN agent.series_id IS 'Which series numbers the settlements.';
COMMENT ON COLUMN agent.active IS 'Who is not gets no contract more; what is earned is settled.';

CREATE TABLE contract_agent (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    agent_id    bigint NOT NULL REFERENCES agent,
    during      daterange NOT NULL,
    CONSTRAINT contract_agent_is_some_time CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT contract_agent_one_at_a_time EXCLUDE USING gist (contract_id WITH =, during WITH &&)
);
COMMENT ON TABLE contract_agent IS 'Whose a contract is, day by day: what is invoiced on a day is its agent''s of that day.';
CREATE INDEX contract_agent_agent ON contract_agent (agent_id);

CREATE TYPE commission_kind AS ENUM ('one_off', 'recurring');
COMMENT ON TYPE commission_kind IS 'Once a contract, or of each of its invoices.';
CREATE TABLE commission_rule (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id       bigint NOT NULL REFERENCES issuer,
    agent_id        bigint,
    kind            commission_kind NOT NULL,
    percent         numeric(7, 4) CHECK (percent > 0 AND percent <= 100),
    flat            numeric(16, 3) CHECK (flat > 0),
    currency        currency_code,
    product_id      bigint REFERENCES product,
    since           date NOT NULL,
    until           date,
    months          smallint CHECK (months BETWEEN 1 AND 600),
    survives_months smallint CHECK (survives_months BETWEEN 1 AND 600),
    after_periods   smallint CHECK (after_periods BETWEEN 1 AND 600),
    CONSTRAINT commission_rule_gives_one CHECK (num_nonnulls(percent, flat) = 1 AND (flat IS NULL) = (currency IS NULL)),
    CONSTRAINT commission_rule_places CHECK (flat = round(flat, currency_places(currency))),
    CONSTRAINT commission_rule_some_days CHECK (until >= since),
    CONSTRAINT commission_rule_once_has_no_months CHECK (kind::text <> 'one_off' OR months IS NULL),
    CONSTRAINT commission_rule_agent_of_issuer FOREIGN KEY (agent_id, issuer_id) REFERENCES agent (id, issuer_id)
);
COMMENT ON TABLE commission_rule IS 'By which agents earn. Only its last day is ever changed: another rule is another row.';
COMMENT ON COLUMN commission_rule.agent_id IS 'NULL: all agents of the issuer who have none of their own.';
COMMENT ON COLUMN commission_rule.product_id IS 'NULL: all products that have none of their own.';
COMMENT ON COLUMN commission_rule.months IS 'Of invoices so many months from the contract''s start; NULL: as long as it is invoiced.';
COMMENT ON COLUMN commission_rule.survives_months IS 'A contract that ends before earns nothing, and what it earned is taken back.';
COMMENT ON COLUMN commission_rule.after_periods IS 'Not payable before so many invoices of the contract are paid.';
CREATE TRIGGER commission_rule_stays BEFORE UPDATE ON commission_rule FOR EACH ROW WHEN (to_jsonb(OLD) - 'until' IS DISTINCT FROM to_jsonb(NEW) - 'until') EXECUTE FUNCTION refuse_change('End it and write another one.');
CREATE TRIGGER commission_rule_kept BEFORE DELETE ON commission_rule FOR EACH ROW EXECUTE FUNCTION refuse_change('End it.');

CREATE TYPE commission_cause AS ENUM ('activation', 'paid', 'withdrawn', 'adjusted', 'early_end');
COMMENT ON TYPE commission_cause IS 'A contract went into service, money came in or went back, credit notes and rules changed what is earned, a contract did not survive.';
CREATE TABLE commission (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id       bigint NOT NULL REFERENCES commission_rule,
    agent_id      bigint NOT NULL REFERENCES agent,
    contract_id   bigint NOT NULL REFERENCES contract,
    invoice_id    bigint REFERENCES document,
    allocation_id bigint REFERENCES allocation,
    cause         commission_cause NOT NULL,
    currency      currency_code NOT NULL,
    base          numeric(16, 3) NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    earned_on     date NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT commission_once UNIQUE (rule_id, allocation_id, contract_id, agent_id),
    CONSTRAINT commission_places CHECK (amount = round(amount, currency_places(currency)) AND base = round(base, currency_places(currency))),
    CONSTRAINT commission_of_money CHECK ((allocation_id IS NOT NULL) = (cause::text IN ('paid', 'withdrawn')) AND (invoice_id IS NOT NULL OR allocation_id IS NULL)),
    CONSTRAINT commission_says_something CHECK (allocation_id IS NOT NULL OR amount <> 0 OR base <> 0)
);
COMMENT ON TABLE commission IS 'What an agent earned, row by row: of a part of a payment, or what brings it to what the rules give now. Append-only; the rows of money that was withdrawn sum to zero.';
COMMENT ON COLUMN commission.base IS 'The net of the money, of the lines that the rule counts.';
COMMENT ON COLUMN commission.earned_on IS 'The day of the money, or on which it was worked out, where the issuer is.';
CREATE INDEX commission_of_contract ON commission (contract_id, agent_id);
CREATE INDEX commission_agent ON commission (agent_id, id);
CREATE INDEX commission_allocation ON commission (allocation_id) WHERE allocation_id IS NOT NULL;
CREATE TRIGGER commission_append_only BEFORE UPDATE OR DELETE ON commission FOR EACH ROW EXECUTE FUNCTION refuse_change('What was earned stays: what takes it back is another row.');
CREATE TRIGGER commission_no_truncate BEFORE TRUNCATE ON commission FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was earned stays.');

CREATE FUNCTION withdraw_commissions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows WHERE withdraws_id IS NOT NULL) THEN
        INSERT INTO commission (rule_id, agent_id, contract_id, invoice_id, allocation_id, cause, currency, base, amount, earned_on)
            SELECT c.rule_id, c.agent_id, c.contract_id, c.invoice_id, n.id, 'withdrawn', c.currency, -c.base, -c.amount, (now() AT TIME ZONE i.zone)::date
            FROM new_rows AS n JOIN commission AS c ON c.allocation_id = n.withdraws_id JOIN agent AS a ON a.id = c.agent_id JOIN issuer AS i ON i.id = a.issuer_id ORDER BY c.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION withdraw_commissions() IS 'Money that goes takes what was earned of it along, in the same transaction.';
REVOKE EXECUTE ON FUNCTION withdraw_commissions() FROM PUBLIC;
CREATE TRIGGER allocation_commission_settles AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION withdraw_commissions();

CREATE FUNCTION refuse_commission() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- Who works out commissions holds the contract's rows of that agent; the money must not go meanwhile unseen.
DECLARE
    wrong bigint;
BEGIN
    SELECT n.id INTO wrong FROM new_rows AS n JOIN allocation AS l ON l.id = n.allocation_id
        WHERE n.invoice_id IS DISTINCT FROM l.invoice_id OR (l.withdraws_id IS NULL) <> (n.cause = 'paid')
            OR (l.withdraws_id IS NOT NULL AND -n.amount IS DISTINCT FROM (SELECT c.amount FROM commission AS c WHERE c.allocation_id = l.withdraws_id AND c.rule_id = n.rule_id AND c.contract_id = n.contract_id AND c.agent_id = n.agent_id))
        ORDER BY n.id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'commission % is not what its money says', wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'What is withdrawn takes back what was earned of it, to the cent.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_commission() IS 'The rows of money that was withdrawn sum to zero.';
CREATE TRIGGER commission_of_its_money AFTER INSERT ON commission REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_commission();

CREATE TABLE agent_settlement (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id  bigint NOT NULL,
    issuer_id bigint NOT NULL,
    series_id bigint NOT NULL,
    year      smallint,
    number    integer,
    label     text,
    issued_on date NOT NULL,
    through   date NOT NULL,
    currency  currency_code NOT NULL,
    amount    numeric(16, 3) NOT NULL CHECK (amount <> 0),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agent_settlement_is_numbered CHECK (num_nulls(year, number, label) = 0),
    CONSTRAINT agent_settlement_number_once UNIQUE (series_id, year, number),
    CONSTRAINT agent_settlement_agent_of_issuer FOREIGN KEY (agent_id, issuer_id) REFERENCES agent (id, issuer_id),
    CONSTRAINT agent_settlement_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE agent_settlement IS 'What an agent is paid for, with a number of its own and an entry: commissions to what is owed to agents. Append-only; taken back by agent_settlement_undo.';
COMMENT ON COLUMN agent_settlement.through IS 'What was earned up to and with this day.';
COMMENT ON COLUMN agent_settlement.amount IS 'The sum of its commissions; below zero the agent owes it.';
CREATE INDEX agent_settlement_agent ON agent_settlement (agent_id, id);
CREATE TRIGGER agent_settlement_takes_number BEFORE INSERT ON agent_settlement FOR EACH ROW EXECUTE FUNCTION take_number('agent_settlement');

CREATE TABLE agent_settlement_line (
    settlement_id bigint NOT NULL REFERENCES agent_settlement,
    commission_id bigint NOT NULL REFERENCES commission,
    PRIMARY KEY (settlement_id, commission_id)
);
COMMENT ON TABLE agent_settlement_line IS 'Which commissions a settlement pays. Append-only; each is in one settlement that was not taken back.';
CREATE INDEX agent_settlement_line_commission ON agent_settlement_line (commission_id);

CREATE TABLE agent_settlement_undo (
    settlement_id bigint PRIMARY KEY REFERENCES agent_settlement,
    dated         date NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    made_by       text NOT NULL CHECK (made_by <> ''),
    made_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE agent_settlement_undo IS 'A settlement that was taken back: its number stays, its commissions are settled anew. Append-only.';

CREATE FUNCTION refuse_settlement_line() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong text;
BEGIN
    -- Whoever settles an agent's commissions holds the agent, so two at once are one after the other.
    PERFORM FROM agent WHERE id IN (SELECT s.agent_id FROM new_rows AS n JOIN agent_settlement AS s ON s.id = n.settlement_id) ORDER BY id FOR NO KEY UPDATE;
    SELECT format('commission %s is settled by %s', n.commission_id, o.label) INTO wrong
        FROM new_rows AS n JOIN agent_settlement_line AS l ON l.commission_id = n.commission_id AND l.settlement_id <> n.settlement_id JOIN agent_settlement AS o ON o.id = l.settlement_id
        WHERE NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = l.settlement_id) LIMIT 1;
    IF wrong IS NULL THEN
        SELECT format('commission %s is another agent''s, of another currency or earned later', c.id) INTO wrong FROM new_rows AS n JOIN agent_settlement AS s ON s.id = n.settlement_id JOIN commission AS c ON c.id = n.commission_id
            WHERE (c.agent_id, c.currency::text) <> (s.agent_id, s.currency::text) OR c.earned_on > s.through LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Settle what is the agent''s and not settled yet.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_settlement_line() IS 'A commission is paid once, to its agent.';
CREATE TRIGGER agent_settlement_line_fits AFTER INSERT ON agent_settlement_line REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_settlement_line();

CREATE FUNCTION refuse_settlement() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    settled agent_settlement;
    sign    integer := CASE WHEN TG_TABLE_NAME = 'agent_settlement' THEN 1 ELSE -1 END;
    booked  numeric;
    owed    numeric;
BEGIN
    SELECT * INTO settled FROM agent_settlement WHERE id = CASE WHEN TG_TABLE_NAME = 'agent_settlement' THEN (to_jsonb(NEW) ->> 'id')::bigint ELSE (to_jsonb(NEW) ->> 'settlement_id')::bigint END;
    SELECT sum(p.amount) FILTER (WHERE a.role = 'commissions'), sum(p.amount) FILTER (WHERE a.role = 'agents_payable') INTO booked, owed
        FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
        WHERE e.source = TG_TABLE_NAME AND e.source_id = settled.id AND e.kind = TG_TABLE_NAME AND e.issuer_id = settled.issuer_id AND e.currency = settled.currency;
    IF (booked, owed) IS DISTINCT FROM (sign * settled.amount, -sign * settled.amount)
            OR settled.amount <> (SELECT coalesce(sum(c.amount), 0) FROM agent_settlement_line AS l JOIN commission AS c ON c.id = l.commission_id WHERE l.settlement_id = settled.id) THEN
        RAISE EXCEPTION '% of % %: its commissions or its entry say something else', TG_TABLE_NAME, settled.amount, settled.currency
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its lines and its entry in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_settlement() IS 'A settlement is the sum of its commissions, and the books say it.';
CREATE CONSTRAINT TRIGGER agent_settlement_adds_up AFTER INSERT ON agent_settlement DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_settlement();
CREATE CONSTRAINT TRIGGER agent_settlement_undo_booked AFTER INSERT ON agent_settlement_undo DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_settlement();

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent', 'id'], ['contract_agent', 'id'], ['commission_rule', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_update', kept[1], kept[2], '');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_delete', kept[1], kept[2], '');
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent', 'id'], ['contract_agent', 'id'], ['commission_rule', 'id'], ['commission', 'id'], ['agent_settlement', 'id'], ['agent_settlement_line', 'settlement_id,commission_id'],
        ['agent_settlement_undo', 'settlement_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent_settlement', 'id'], ['agent_settlement_line', 'id'], ['agent_settlement_undo', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''A settlement stays: take it back.'')', kept[1] || '_append_only', kept[1]);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''A settlement stays.'')', kept[1] || '_no_truncate', kept[1]);
    END LOOP;
END
$$;
GRANT SELECT ON agent, contract_agent, commission_rule, commission, agent_settlement, agent_settlement_line, agent_settlement_undo TO corrente_worker, corrente_web;
GRANT INSERT ON commission TO corrente_worker, corrente_web;
GRANT INSERT ON agent, contract_agent, commission_rule, agent_settlement, agent_settlement_line, agent_settlement_undo TO corrente_web;
-- Who works out or settles holds the agent.
GRANT UPDATE (active) ON agent TO corrente_worker;
GRANT UPDATE ON agent, contract_agent TO corrente_web;
GRANT UPDATE (until) ON commission_rule TO corrente_web;
GRANT DELETE ON contract_agent TO corrente_web;
GRANT USAGE ON SEQUENCE agent_settlement_id_seq TO corrente_web;

-- ---------------------------------------------------------------------------------------------------------------
-- Dunning cases
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE dunning_case (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    currency    currency_code NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    cleared_at  timestamptz,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    CONSTRAINT dunning_case_clears_after_opening CHECK (cleared_at >= opened_at)
);
COMMENT ON TABLE dunning_case IS 'A customer''s debt to one issuer in one currency, from the first day on which more than the policy''s threshold is overdue until no more than that is. A new debt is a new case.';
CREATE UNIQUE INDEX dunning_case_one_open ON dunning_case (customer_id, issuer_id, currency) WHERE cleared_at IS NULL;
CREATE INDEX dunning_case_open ON dunning_case (id) WHERE cleared_at IS NULL;

CREATE TABLE dunning_case_step (
    case_id bigint NOT NULL REFERENCES dunning_case,
    step    text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    ran_at  timestamptz NOT NULL DEFAULT now(),
    ran_by  text NOT NULL CHECK (ran_by <> ''),
    contracts bigint[] NOT NULL DEFAULT '{}',
    reason    text CHECK (reason <> ''),
    PRIMARY KEY (case_id, step)
);
COMMENT ON COLUMN dunning_case_step.reason IS 'Why it ran, with the figures of that moment.';
COMMENT ON TABLE dunning_case_step IS 'What was done in a case: each step once, and none once it is cleared. Written in order of case_id.';

CREATE FUNCTION refuse_dunning_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Held until the transaction ends, so that nobody clears the case under the step. Not FOR SHARE: of two that run steps of one case and then clear it, each would wait for the other.
    PERFORM FROM dunning_case WHERE id = NEW.case_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM dunning_case WHERE id = NEW.case_id AND cleared_at IS NOT NULL) THEN
        RAISE EXCEPTION 'dunning case % is cleared: step % does not run', NEW.case_id, NEW.step
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'A new debt opens a new case.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_dunning_step() IS 'A cleared case runs no step, whoever clears it at the same time.';
CREATE TRIGGER dunning_case_step_of_open_case BEFORE INSERT ON dunning_case_step FOR EACH ROW EXECUTE FUNCTION refuse_dunning_step();
CREATE TRIGGER dunning_case_step_append_only BEFORE UPDATE OR DELETE ON dunning_case_step FOR EACH ROW EXECUTE FUNCTION refuse_change('What was done stays done.');
CREATE TRIGGER dunning_case_step_no_truncate BEFORE TRUNCATE ON dunning_case_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was done stays done.');
CREATE TRIGGER dunning_case_is_of_its_customer BEFORE UPDATE OF id, customer_id, currency, opened_at, issuer_id ON dunning_case FOR EACH ROW
    WHEN ((OLD.id, OLD.customer_id, OLD.currency, OLD.opened_at, OLD.issuer_id) IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.currency, NEW.opened_at, NEW.issuer_id)) EXECUTE FUNCTION refuse_change('Only cleared_at is written later.');
CREATE TRIGGER dunning_case_clears_once BEFORE UPDATE ON dunning_case FOR EACH ROW WHEN (OLD.cleared_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A cleared case is history: a new debt opens a new one.');
CREATE TRIGGER dunning_case_stays BEFORE DELETE ON dunning_case FOR EACH ROW EXECUTE FUNCTION refuse_change('Clear the case.');
CREATE TRIGGER dunning_case_no_truncate BEFORE TRUNCATE ON dunning_case FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Clear the cases.');

-- ---------------------------------------------------------------------------------------------------------------
-- Messages to customers: the row is the job
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE message_purpose AS ENUM ('legal', 'service', 'marketing');
COMMENT ON TYPE message_purpose IS 'Legal: owed by law or contract, goes whatever the customer says. Service: about what they have, until they decline. Marketing: only with a consent.';

CREATE TYPE message_state AS ENUM ('queued', 'sending', 'sent', 'bounced', 'failed', 'withheld', 'cancelled');
COMMENT ON TYPE message_state IS 'Sent: the next server took it. Bounced: it came back later. Failed: it can''t go. Withheld: it may not go, or would be too late. Cancelled: by a person.';

CREATE TABLE message_batch (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    scope        jsonb NOT NULL CHECK (jsonb_typeof(scope) = 'object'),
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by text CHECK (cancelled_by <> ''),
    CONSTRAINT message_batch_cancelled_by_someone CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
);
COMMENT ON TABLE message_batch IS 'One text to many: to a choice of customers, or to everyone behind a device. Taken back as one, as far as it has not gone.';
COMMENT ON COLUMN message_batch.scope IS 'To whom, as it was asked for.';

CREATE TABLE message (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id      bigint NOT NULL REFERENCES customer,
    contract_id      bigint,
    issuer_id        bigint REFERENCES issuer,
    batch_id         bigint REFERENCES message_batch,
    origin           text NOT NULL CHECK (length(origin) BETWEEN 1 AND 200),
    channel          text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    purpose          message_purpose NOT NULL,
    template         text NOT NULL CHECK (template ~ '^[a-z0-9_]{1,40}$'),
    data             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
    enclosures       text[] NOT NULL DEFAULT '{}',
    role             contact_role NOT NULL DEFAULT 'main',
    contact_id       bigint,
    language         spoken_language,
    at_once          boolean NOT NULL DEFAULT false,
    expires_at       timestamptz,
    token            uuid NOT NULL DEFAULT gen_random_uuid(),
    made_by          text NOT NULL CHECK (made_by <> ''),
    made_at          timestamptz NOT NULL DEFAULT now(),
    turn             smallint GENERATED ALWAYS AS (CASE WHEN purpose = 'marketing' THEN 2 WHEN batch_id IS NOT NULL THEN 1 ELSE 0 END) STORED,
    state            message_state NOT NULL DEFAULT 'queued',
    next_at          timestamptz NOT NULL DEFAULT now(),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    taken_until      timestamptz,
    handed_at        timestamptz,
    ended_at         timestamptz,
    problem          text NOT NULL DEFAULT '',
    address          text CHECK (address <> ''),
    template_version integer,
    reference        text CHECK (reference <> ''),
    written_at       timestamptz,
    subject          text,
    body             text,
    html             text,
    CONSTRAINT message_once UNIQUE (origin, customer_id, channel),
    CONSTRAINT message_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id),
    CONSTRAINT message_contact_of_customer FOREIGN KEY (contact_id, customer_id) REFERENCES contact (id, customer_id) ON DELETE SET NULL (contact_id),
    CONSTRAINT message_encloses_rows CHECK (array_to_string(enclosures, ',', 'NULL') ~ '^([a-z_]{1,40}:[1-9][0-9]{0,18}(,|$)){0,10}$'),
    CONSTRAINT message_taken_while_sending CHECK ((state = 'sending') = (taken_until IS NOT NULL)),
    CONSTRAINT message_ends_with_its_state CHECK ((state IN ('queued', 'sending')) = (ended_at IS NULL)),
    CONSTRAINT message_sent_was_handed CHECK (handed_at IS NOT NULL OR state NOT IN ('sent', 'bounced')),
    CONSTRAINT message_handed_is_written CHECK (handed_at IS NULL OR (address IS NOT NULL AND reference IS NOT NULL AND body IS NOT NULL))
);
COMMENT ON TABLE message IS 'What a customer is told. Written in the transaction that decides; a worker takes the row, writes the text from its template and hands it over.';
COMMENT ON COLUMN message.issuer_id IS 'In whose name, and by whose hours; NULL: the operator''s.';
COMMENT ON COLUMN message.origin IS 'Why it is written, such as `dunning 12 walled`: once a customer and channel, however often that is decided.';
COMMENT ON COLUMN message.data IS 'What its template tells, as texts.';
COMMENT ON COLUMN message.enclosures IS 'What goes with it, kind and row, such as `document:7`: printed when it is sent.';
COMMENT ON COLUMN message.role IS 'Whom of the customer''s contacts it is for; contact_id names one instead.';
COMMENT ON COLUMN message.at_once IS 'Quiet hours do not hold it: the customer waits for it, or it is of no use later.';
COMMENT ON COLUMN message.expires_at IS 'From then on it is withheld: old news.';
COMMENT ON COLUMN message.token IS 'Who knows it got the message, or its bounce.';
COMMENT ON COLUMN message.turn IS 'The lower goes first: one customer''s before what goes to many, marketing last.';
COMMENT ON COLUMN message.next_at IS 'Not before.';
COMMENT ON COLUMN message.taken_until IS 'So long the worker that took it has it to itself.';
COMMENT ON COLUMN message.handed_at IS 'Written and committed before the text leaves, and taken back when it was refused: who was killed in between leaves it in doubt.';
COMMENT ON COLUMN message.template_version IS 'Of the operator''s own text; NULL: the package''s.';
COMMENT ON COLUMN message.reference IS 'What the channel knows it by: for e-mail its Message-ID, the same at every attempt.';
COMMENT ON COLUMN message.written_at IS 'When its text was made, which is the Date that it carries.';
CREATE INDEX message_waiting ON message (channel, turn, next_at, id) WHERE state = 'queued';
CREATE INDEX message_taken ON message (taken_until) WHERE state = 'sending';
CREATE INDEX message_handed ON message (channel, handed_at) WHERE handed_at IS NOT NULL;
CREATE INDEX message_customer ON message (customer_id, id);
CREATE INDEX message_reference ON message (reference) WHERE reference IS NOT NULL;
CREATE INDEX message_of_batch ON message (batch_id, state) WHERE batch_id IS NOT NULL;
CREATE INDEX message_ended ON message (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX message_by_state ON message (state, id);
CREATE INDEX message_by_kind ON message (template, id);
CREATE INDEX message_by_channel ON message (channel, id);
CREATE INDEX message_by_address ON message (lower(address)) WHERE address IS NOT NULL;
CREATE INDEX message_by_moment ON message (made_at, id);
CREATE TRIGGER message_stays_as_asked BEFORE UPDATE ON message FOR EACH ROW
    WHEN ((OLD.id, OLD.customer_id, OLD.contract_id, OLD.issuer_id, OLD.batch_id, OLD.origin, OLD.channel, OLD.purpose, OLD.template, OLD.data, OLD.enclosures, OLD.role, OLD.token, OLD.made_by, OLD.made_at)
        IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.contract_id, NEW.issuer_id, NEW.batch_id, NEW.origin, NEW.channel, NEW.purpose, NEW.template, NEW.data, NEW.enclosures, NEW.role, NEW.token, NEW.made_by, NEW.made_at))
    EXECUTE FUNCTION refuse_change('Cancel it and write another one.');
CREATE TRIGGER message_stays_as_handed BEFORE UPDATE ON message FOR EACH ROW
    WHEN (OLD.handed_at IS NOT NULL AND (OLD.address, OLD.reference, OLD.written_at, OLD.subject, OLD.body, OLD.html) IS DISTINCT FROM (NEW.address, NEW.reference, NEW.written_at, NEW.subject, NEW.body, NEW.html))
    EXECUTE FUNCTION refuse_change('What left stays as it was written.');
CREATE TRIGGER message_kept BEFORE DELETE ON message FOR EACH ROW WHEN (OLD.ended_at IS NULL OR OLD.ended_at > now() - interval '28 days')
    EXECUTE FUNCTION refuse_change('Messages are kept for four weeks: cancel what should not go.');
CREATE TRIGGER message_no_truncate BEFORE TRUNCATE ON message FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Messages are kept for four weeks.');

CREATE FUNCTION note_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY corrente_message;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_message() IS 'A hint to the workers beside their poll.';
CREATE TRIGGER message_change_insert AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION note_message();

CREATE TYPE message_happening AS ENUM ('sent', 'deferred', 'in_doubt', 'held', 'failed', 'withheld', 'cancelled', 'delayed', 'bounced', 'delivered', 'again');
COMMENT ON TYPE message_happening IS 'Deferred: refused for now. Held: quiet hours or the limit of sending. Delayed, bounced and delivered are said by the other side later; again: a person had it sent once more.';
CREATE TABLE message_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL REFERENCES message ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT now(),
    happened   message_happening NOT NULL,
    detail     text NOT NULL DEFAULT '',
    made_by    text NOT NULL CHECK (made_by <> '')
);
COMMENT ON TABLE message_event IS 'What became of a message, in the other side''s words: the evidence. It goes with the message.';
CREATE INDEX message_event_of ON message_event (message_id, id);
CREATE TRIGGER message_event_never_changes BEFORE UPDATE ON message_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What happened stays as it was written.');

CREATE TABLE undeliverable_address (
    channel    text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    address    text NOT NULL CHECK (address <> '' AND address = lower(address)),
    since      timestamptz NOT NULL DEFAULT now(),
    reason     text NOT NULL CHECK (reason <> ''),
    message_id bigint REFERENCES message ON DELETE SET NULL,
    PRIMARY KEY (channel, address)
);
COMMENT ON TABLE undeliverable_address IS 'Addresses that do not exist, by the word of the server for them: nothing more is sent there until a person says otherwise or the contact has another.';

CREATE TABLE message_template (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint REFERENCES issuer,
    kind      text NOT NULL CHECK (kind ~ '^[a-z0-9_]{1,40}$'),
    language  spoken_language NOT NULL,
    version   integer NOT NULL CHECK (version >= 1),
    subject   text CHECK (length(subject) BETWEEN 1 AND 1000),
    body      text CHECK (length(body) BETWEEN 1 AND 20000),
    html      text CHECK (length(html) BETWEEN 1 AND 100000),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT message_template_version_once UNIQUE NULLS NOT DISTINCT (issuer_id, kind, language, version),
    CONSTRAINT message_template_whole_or_none CHECK ((subject IS NULL) = (body IS NULL) AND (html IS NULL OR body IS NOT NULL))
);
COMMENT ON TABLE message_template IS 'The operator''s own texts, for all issuers or one. The last version counts; without a text it goes back to the package''s. Append-only.';
CREATE TRIGGER message_template_append_only BEFORE UPDATE OR DELETE ON message_template FOR EACH ROW EXECUTE FUNCTION refuse_change('Write the next version.');
-- Dunning: policies, what holds them back, what was said and promised
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE dunning_policy (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    CONSTRAINT dunning_policy_name_once UNIQUE (issuer_id, name)
);
COMMENT ON TABLE dunning_policy IS 'How an issuer pursues debts. An issuer without one pursues nobody.';

CREATE TABLE dunning_policy_version (
    policy_id bigint NOT NULL REFERENCES dunning_policy,
    version   integer NOT NULL CHECK (version >= 1),
    since     date NOT NULL,
    data      jsonb CHECK (jsonb_typeof(data) = 'object'),
    reason    text NOT NULL CHECK (reason <> ''),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (policy_id, version)
);
COMMENT ON TABLE dunning_policy_version IS 'What a policy says from a day on: of those whose day has come the newest counts. Append-only.';
COMMENT ON COLUMN dunning_policy_version.data IS 'As billing/dunning/policy_data.py reads it; NULL: switched off.';

CREATE TYPE dunning_exclusion_kind AS ENUM ('whitelist', 'essential', 'not_before');
COMMENT ON TYPE dunning_exclusion_kind IS 'Whitelist: left alone. Essential: a contract that is told and never limited. Not before: neither limit nor fee before its end.';

CREATE TABLE dunning_exclusion (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        dunning_exclusion_kind NOT NULL,
    customer_id bigint REFERENCES customer,
    contract_id bigint REFERENCES contract,
    since       date NOT NULL,
    until       date,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    placed_at   timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by <> ''),
    end_reason  text CHECK (end_reason <> ''),
    CONSTRAINT dunning_exclusion_of_one CHECK (num_nonnulls(customer_id, contract_id) = 1),
    CONSTRAINT dunning_exclusion_until_after_since CHECK (until > since),
    CONSTRAINT dunning_exclusion_of_its_kind CHECK (CASE kind WHEN 'essential' THEN contract_id IS NOT NULL WHEN 'not_before' THEN customer_id IS NOT NULL AND until IS NOT NULL ELSE true END),
    CONSTRAINT dunning_exclusion_end_is_signed CHECK (num_nulls(ended_at, ended_by, end_reason) IN (0, 3))
);
COMMENT ON TABLE dunning_exclusion IS 'Who is left alone and why, of the days [since, until) or for good, until a person ends it.';
CREATE INDEX dunning_exclusion_customer ON dunning_exclusion (customer_id) WHERE ended_at IS NULL;
CREATE INDEX dunning_exclusion_contract ON dunning_exclusion (contract_id) WHERE ended_at IS NULL;

CREATE TABLE dunning_dispute (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL REFERENCES document,
    amount      numeric(16, 3) NOT NULL CHECK (amount > 0),
    reason      text NOT NULL CHECK (reason <> ''),
    opened_at   timestamptz NOT NULL DEFAULT now(),
    opened_by   text NOT NULL CHECK (opened_by <> ''),
    closed_at   timestamptz,
    closed_by   text CHECK (closed_by <> ''),
    outcome     text CHECK (outcome <> ''),
    reference   text CHECK (reference <> ''),
    CONSTRAINT dunning_dispute_close_is_signed CHECK (num_nulls(closed_at, closed_by, outcome) IN (0, 3))
);
COMMENT ON TABLE dunning_dispute IS 'What of an invoice is contested, with us or at the bank: open, it does not count as debt.';
COMMENT ON COLUMN dunning_dispute.reference IS 'What a payment provider calls it, by whose word it is closed; NULL: a person opened it.';
CREATE INDEX dunning_dispute_document ON dunning_dispute (document_id) WHERE closed_at IS NULL;
CREATE INDEX dunning_dispute_reference ON dunning_dispute (reference) WHERE closed_at IS NULL AND reference IS NOT NULL;

CREATE TABLE instalment_plan (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    customer_id bigint NOT NULL REFERENCES customer,
    currency    currency_code NOT NULL,
    grace_days  smallint NOT NULL DEFAULT 5 CHECK (grace_days BETWEEN 0 AND 60),
    reason      text NOT NULL CHECK (reason <> ''),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    ended_on    date,
    ended_by    text CHECK (ended_by <> ''),
    end_reason  text CHECK (end_reason <> ''),
    CONSTRAINT instalment_plan_end_is_signed CHECK (num_nulls(ended_on, ended_by, end_reason) IN (0, 3))
);
COMMENT ON TABLE instalment_plan IS 'Agreed days on which documents are paid in parts; ended when all is paid, when a person says so, or when it is broken: then their own days count again.';
COMMENT ON COLUMN instalment_plan.grace_days IS 'An instalment that is later by more than these breaks it.';
CREATE INDEX instalment_plan_customer ON instalment_plan (customer_id) WHERE ended_on IS NULL;

CREATE TABLE instalment_plan_part (
    plan_id bigint NOT NULL REFERENCES instalment_plan,
    due_on  date NOT NULL,
    amount  numeric(16, 3) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (plan_id, due_on)
);
COMMENT ON TABLE instalment_plan_part IS 'How much is due when.';

CREATE TABLE instalment_plan_document (
    plan_id     bigint NOT NULL REFERENCES instalment_plan,
    document_id bigint NOT NULL REFERENCES document,
    PRIMARY KEY (plan_id, document_id)
);
COMMENT ON TABLE instalment_plan_document IS 'Which invoices are paid so.';
CREATE INDEX instalment_plan_document_of ON instalment_plan_document (document_id);

CREATE TABLE formal_notice (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id      bigint NOT NULL REFERENCES dunning_case,
    step         text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    channel      text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    documents    bigint[] NOT NULL CHECK (cardinality(documents) BETWEEN 1 AND 1000),
    amount       numeric(16, 3) NOT NULL CHECK (amount > 0),
    sent_at      timestamptz NOT NULL DEFAULT now(),
    sent_by      text NOT NULL CHECK (sent_by <> ''),
    delivered_at timestamptz,
    delivered_by text CHECK (delivered_by <> ''),
    proof_id     bigint REFERENCES attachment,
    CONSTRAINT formal_notice_delivered_after_sent CHECK (delivered_at >= sent_at),
    CONSTRAINT formal_notice_delivery_is_signed CHECK ((delivered_at IS NULL) = (delivered_by IS NULL))
);
COMMENT ON TABLE formal_notice IS 'That a customer was put on notice of these invoices, and when that came: from its delivery the law counts.';
COMMENT ON COLUMN formal_notice.sent_at IS 'When it was written; when it went out is said by its message.';
COMMENT ON COLUMN formal_notice.delivered_by IS 'Who says so: a person, or the channel that had it confirmed.';
CREATE INDEX formal_notice_case ON formal_notice (case_id);
CREATE INDEX formal_notice_under_way ON formal_notice (sent_at) WHERE delivered_at IS NULL;

CREATE TABLE dunning_letter (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id   bigint NOT NULL REFERENCES dunning_case,
    step      text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    is_formal boolean NOT NULL,
    dated     date NOT NULL,
    language  spoken_language NOT NULL,
    issuer    jsonb NOT NULL CHECK (jsonb_typeof(issuer) = 'object'),
    customer  jsonb NOT NULL CHECK (jsonb_typeof(customer) = 'object'),
    said      jsonb NOT NULL CHECK (jsonb_typeof(said) = 'object'),
    CONSTRAINT dunning_letter_once UNIQUE (case_id, step)
);
COMMENT ON TABLE dunning_letter IS 'The reminder or formal notice of a step that told its customer: who wrote to whom, what was open of which document, and the days that it names, as they stood then. Printed again it says the same. Append-only.';
COMMENT ON COLUMN dunning_letter.said IS 'Parts of documents with what was open, by when to pay, from when on the line may be limited, the law, the contracts concerned.';
CREATE TRIGGER dunning_letter_append_only BEFORE UPDATE OR DELETE ON dunning_letter FOR EACH ROW EXECUTE FUNCTION refuse_change('What was written stays: write the next step.');
CREATE TRIGGER dunning_letter_no_truncate BEFORE TRUNCATE ON dunning_letter FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('It is evidence.');

CREATE TABLE dunning_confirmation (
    case_id      bigint NOT NULL REFERENCES dunning_case,
    step         text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    confirmed_by text NOT NULL CHECK (confirmed_by <> ''),
    PRIMARY KEY (case_id, step)
);
COMMENT ON TABLE dunning_confirmation IS 'A person let a step of a case go that waits for that. Append-only.';

CREATE TABLE dunning_reminder (
    document_id bigint NOT NULL REFERENCES document,
    due_on      date NOT NULL,
    step        text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    sent_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, due_on, step)
);
COMMENT ON TABLE dunning_reminder IS 'Of which due day a document''s customer was reminded before it came; it is of no case, as nothing is owed yet. Append-only.';

CREATE TYPE promise_state AS ENUM ('open', 'kept', 'broken');
COMMENT ON TYPE promise_state IS 'Of a promise to pay. What was refused never was one.';
CREATE TYPE promise_asked_by AS ENUM ('portal', 'app', 'operator');
COMMENT ON TYPE promise_asked_by IS 'Where it was given.';

CREATE TABLE promise (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id       bigint NOT NULL REFERENCES dunning_case,
    amount        numeric(16, 3) NOT NULL CHECK (amount > 0),
    made_at       timestamptz NOT NULL DEFAULT now(),
    until         timestamptz NOT NULL,
    respite_until timestamptz NOT NULL,
    asked_by      promise_asked_by NOT NULL,
    made_by       text NOT NULL CHECK (made_by <> ''),
    state         promise_state NOT NULL DEFAULT 'open',
    ended_at      timestamptz,
    proof_id      bigint REFERENCES attachment,
    reviewed      boolean,
    reviewed_by   text CHECK (reviewed_by <> ''),
    reviewed_at   timestamptz,
    CONSTRAINT promise_until_after_made CHECK (until > made_at),
    CONSTRAINT promise_respite_after_made CHECK (respite_until >= made_at),
    CONSTRAINT promise_ends_with_its_state CHECK ((state = 'open') = (ended_at IS NULL)),
    CONSTRAINT promise_review_is_signed CHECK (num_nulls(reviewed, reviewed_by, reviewed_at) IN (0, 3)),
    CONSTRAINT promise_review_is_of_a_proof CHECK (reviewed IS NULL OR proof_id IS NOT NULL)
);
COMMENT ON TABLE promise IS 'A promise to pay what a case owes: while its respite lasts nothing is made worse, and its reliefs open the lines.';
COMMENT ON COLUMN promise.until IS 'When the promised hours are over.';
COMMENT ON COLUMN promise.respite_until IS 'When the lines are limited again: the first moment after that at which anything may be cut.';
COMMENT ON COLUMN promise.reviewed IS 'What a person found of the proof of payment: valid or not.';
CREATE UNIQUE INDEX promise_one_open ON promise (case_id) WHERE state = 'open';
CREATE INDEX promise_case ON promise (case_id);
CREATE INDEX promise_to_review ON promise (made_at) WHERE proof_id IS NOT NULL AND reviewed IS NULL;

CREATE TABLE promise_relief (
    relief_id  bigint PRIMARY KEY REFERENCES relief ON DELETE CASCADE,
    promise_id bigint NOT NULL REFERENCES promise
);
COMMENT ON TABLE promise_relief IS 'Which reliefs a promise gave: they end with it.';
CREATE INDEX promise_relief_promise ON promise_relief (promise_id);

CREATE TABLE dunning_look (
    customer_id bigint NOT NULL REFERENCES customer,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    currency    currency_code NOT NULL,
    next_at     timestamptz NOT NULL,
    PRIMARY KEY (customer_id, issuer_id, currency)
);
COMMENT ON TABLE dunning_look IS 'Who is to be looked at again before the next day''s pass: a queue, which may be emptied; the pass looks at everybody.';
CREATE INDEX dunning_look_due ON dunning_look (next_at);

CREATE TABLE dunning_pass (
    issuer_id bigint NOT NULL REFERENCES issuer,
    day       date NOT NULL,
    begun_at  timestamptz NOT NULL DEFAULT now(),
    done_at   timestamptz,
    run_id    bigint REFERENCES automation_run,
    result    text NOT NULL DEFAULT '',
    PRIMARY KEY (issuer_id, day),
    CONSTRAINT dunning_pass_done_after_begun CHECK (done_at >= begun_at)
);
COMMENT ON TABLE dunning_pass IS 'On which days all of an issuer''s debts were looked at. One that did not come to its end is made up for.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['dunning_policy_version', 'dunning_confirmation', 'dunning_reminder', 'instalment_plan_part', 'instalment_plan_document'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What was said stays: say something new.'')', kept || '_append_only', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'formal_notice', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''It is evidence: end it.'')', kept || '_stays', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_policy_version', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'instalment_plan_part', 'instalment_plan_document', 'formal_notice',
        'dunning_confirmation', 'dunning_reminder', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''It is evidence.'')', kept || '_no_truncate', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'formal_notice', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(''id'')', kept || '_money_insert', kept);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(''id'')', kept || '_money_update', kept);
    END LOOP;
END
$$;
CREATE TRIGGER dunning_policy_version_money_insert AFTER INSERT ON dunning_policy_version REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('policy_id,version');
CREATE TRIGGER dunning_confirmation_money_insert AFTER INSERT ON dunning_confirmation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('case_id,step');
CREATE TRIGGER dunning_exclusion_ends_once BEFORE UPDATE ON dunning_exclusion FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_change('An ended exclusion is history: place a new one.');
CREATE TRIGGER dunning_dispute_closes_once BEFORE UPDATE ON dunning_dispute FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A closed dispute is history: open a new one.');
CREATE TRIGGER instalment_plan_ends_once BEFORE UPDATE ON instalment_plan FOR EACH ROW WHEN (OLD.ended_on IS NOT NULL) EXECUTE FUNCTION refuse_change('An ended plan is history: agree on a new one.');
CREATE TRIGGER formal_notice_stays_as_sent BEFORE UPDATE ON formal_notice FOR EACH ROW
    WHEN ((OLD.id, OLD.case_id, OLD.step, OLD.channel, OLD.documents, OLD.amount, OLD.sent_at, OLD.sent_by) IS DISTINCT FROM (NEW.id, NEW.case_id, NEW.step, NEW.channel, NEW.documents, NEW.amount, NEW.sent_at, NEW.sent_by))
    EXECUTE FUNCTION refuse_change('What was sent stays as it was: only its delivery is said later.');
CREATE TRIGGER promise_stays_as_made BEFORE UPDATE ON promise FOR EACH ROW
    WHEN ((OLD.id, OLD.case_id, OLD.amount, OLD.made_at, OLD.until, OLD.asked_by, OLD.made_by) IS DISTINCT FROM (NEW.id, NEW.case_id, NEW.amount, NEW.made_at, NEW.until, NEW.asked_by, NEW.made_by))
    EXECUTE FUNCTION refuse_change('A promise stays as it was made: what becomes of it is its state.');

-- ---------------------------------------------------------------------------------------------------------------
-- Interfaces: what others are told, and answers that are given once
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE contract_version (
    contract_id bigint PRIMARY KEY,
    version     bigint NOT NULL CHECK (version >= 1)
);
COMMENT ON TABLE contract_version IS 'How many events of a contract were written to the outbox. The database counts them; the row is held until the transaction ends, so versions are committed in order.';
CREATE TRIGGER contract_version_is_counted AFTER INSERT OR UPDATE OR DELETE ON contract_version FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Writing to the outbox counts it.');
CREATE TRIGGER contract_version_no_truncate BEFORE TRUNCATE ON contract_version FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Versions never go back.');

CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    event           text NOT NULL CHECK (event ~ '^[a-z_]+\.[a-z_]+$'),
    payload_version smallint NOT NULL DEFAULT 1 CHECK (payload_version >= 1),
    payload         jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    contract_id     bigint,
    version         bigint,
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at         timestamptz NOT NULL DEFAULT now(),
    problem         text NOT NULL DEFAULT '',
    sent_at         timestamptz,
    CONSTRAINT outbox_version_once UNIQUE (contract_id, version),
    CONSTRAINT outbox_contract_has_version CHECK ((contract_id IS NULL) = (version IS NULL)),
    CONSTRAINT outbox_sent_was_tried CHECK (sent_at IS NULL OR attempts >= 1)
);
COMMENT ON TABLE outbox IS 'What others are told, written in the transaction that decides. Delivered at least once; the events of a contract in order of version.';
COMMENT ON COLUMN outbox.payload_version IS 'The form of the payload of this event; another form gets the next number.';
COMMENT ON COLUMN outbox.version IS 'Grows by one a contract; given by the database. Who has applied a version ignores older ones.';
COMMENT ON COLUMN outbox.next_at IS 'Not claimed before: a claim moves it, so that what its claimer never marked is claimed again.';
CREATE INDEX outbox_waiting ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_waiting_of_contract ON outbox (contract_id, version) WHERE sent_at IS NULL AND contract_id IS NOT NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version IS NOT NULL THEN
        RAISE EXCEPTION 'outbox: version % of contract % was given by its writer', NEW.version, NEW.contract_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Leave it out: the database counts it.';
    END IF;
    INSERT INTO contract_version AS c (contract_id, version) VALUES (NEW.contract_id, 1)
        ON CONFLICT (contract_id) DO UPDATE SET version = c.version + 1 RETURNING version INTO NEW.version;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION count_version() IS 'Gives an event its contract''s next version. Ids do not tell an order: they are taken before a writer waits for another.';
CREATE TRIGGER outbox_counts_version BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.contract_id IS NOT NULL) EXECUTE FUNCTION count_version();

CREATE FUNCTION refuse_outbox_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NOT NULL OR to_jsonb(NEW) - '{attempts,next_at,problem,sent_at}'::text[] <> to_jsonb(OLD) - '{attempts,next_at,problem,sent_at}'::text[] THEN
        RAISE EXCEPTION 'outbox %: what was told stays as it was', OLD.id
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write another event.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_outbox_change() IS 'Of an event only its delivery moves, until it is sent.';
CREATE TRIGGER outbox_stays BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION refuse_outbox_change();

CREATE FUNCTION refuse_disorder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM outbox WHERE contract_id = NEW.contract_id AND version < NEW.version AND sent_at IS NULL) THEN
        RAISE EXCEPTION 'outbox %: an earlier event of contract % is not sent yet', NEW.id, NEW.contract_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Send the events of a contract in order of version.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_disorder() IS 'The events of a contract are sent in order.';
CREATE TRIGGER outbox_in_order AFTER UPDATE ON outbox FOR EACH ROW WHEN (OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL AND NEW.contract_id IS NOT NULL) EXECUTE FUNCTION refuse_disorder();
CREATE TRIGGER outbox_kept BEFORE DELETE ON outbox FOR EACH ROW WHEN (OLD.sent_at IS NULL OR OLD.sent_at > now() - interval '3 days') EXECUTE FUNCTION refuse_change('What was not sent stays, and what was sent for three days.');
CREATE TRIGGER outbox_no_truncate BEFORE TRUNCATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was not sent stays.');

CREATE TABLE idempotency_key (
    caller    text NOT NULL CHECK (caller <> ''),
    route     text NOT NULL CHECK (route <> ''),
    key       text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    status    smallint CHECK (status BETWEEN 200 AND 599),
    answer    bytea,
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key),
    CONSTRAINT idempotency_key_answer_has_status CHECK ((status IS NULL) = (answer IS NULL))
);
COMMENT ON TABLE idempotency_key IS 'What a caller was answered to a call that it may repeat. Written in the transaction of the call''s effect: both are there or neither.';
COMMENT ON COLUMN idempotency_key.body_hash IS 'SHA-256 of what was asked: the same key with another body is refused.';
CREATE INDEX idempotency_key_by_age ON idempotency_key (made_at);

CREATE FUNCTION refuse_unanswered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM idempotency_key WHERE caller = NEW.caller AND route = NEW.route AND key = NEW.key AND status IS NULL) THEN
        RAISE EXCEPTION 'idempotency key % of % on % has no answer', NEW.key, NEW.caller, NEW.route
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Keep the answer in the transaction of the effect, or take both back.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unanswered() IS 'A key is committed with its answer: one without would answer nobody for ever.';
CREATE CONSTRAINT TRIGGER idempotency_key_is_answered AFTER INSERT ON idempotency_key DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status IS NULL) EXECUTE FUNCTION refuse_unanswered();
CREATE TRIGGER idempotency_key_answer_is_final BEFORE UPDATE ON idempotency_key FOR EACH ROW
    WHEN (OLD.status IS NOT NULL OR (OLD.caller, OLD.route, OLD.key, OLD.body_hash, OLD.made_at) IS DISTINCT FROM (NEW.caller, NEW.route, NEW.key, NEW.body_hash, NEW.made_at))
    EXECUTE FUNCTION refuse_change('What was answered is answered again.');
CREATE TRIGGER idempotency_key_kept BEFORE DELETE ON idempotency_key FOR EACH ROW WHEN (OLD.made_at > now() - interval '24 hours') EXECUTE FUNCTION refuse_change('Answers are kept for a day.');
CREATE TRIGGER idempotency_key_no_truncate BEFORE TRUNCATE ON idempotency_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Answers are kept for a day.');

CREATE FUNCTION note_answer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    writer text := coalesce(current_setting('corrente.actor', true), '');
BEGIN
    IF writer = '' THEN
        RAISE EXCEPTION '%: % by nobody; this transaction does not say who writes', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'First, in the same transaction: SELECT set_config(''corrente.actor'', ''maria'', true).';
    END IF;
    INSERT INTO audit_log (actor, action, subject, detail)
        VALUES (writer, 'document.update', 'document ' || NEW.id, jsonb_build_object('before', jsonb_build_object('state', OLD.state), 'after', jsonb_build_object('state', NEW.state)));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_answer() IS 'The audit log of quotes and orders that are answered: all that is ever changed of an issued document.';
CREATE TRIGGER document_money_answer AFTER UPDATE ON document FOR EACH ROW WHEN (OLD.state = 'issued' AND NEW.state <> 'issued') EXECUTE FUNCTION note_answer();

-- Money: every write is signed and kept (migrations made the same, group by group).
DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['issuer', 'id', ''], ['tax_identifier', 'customer_id,scheme', ''], ['address', 'id', ''], ['attachment', 'id', ''],
        ['tax_code', 'id', ''], ['tax_rate', 'tax_code_id,during', ''], ['stamp_duty', 'country,currency,during', ''], ['fiscal_position', 'id', ''],
        ['fiscal_position_tax', 'fiscal_position_id,from_tax_code_id', ''], ['exemption', 'id', ''], ['product', 'id', ''], ['price', 'id', ''],
        ['early_exit_cost', 'product_id,currency,includes_tax,from_month', ''], ['pause_fee', 'product_id,currency,includes_tax', ''], ['promotion', 'id', ''], ['contract_terms', 'contract_id', ''], ['contract_item', 'id', ''],
        ['instalment', 'item_id,number', ''], ['discount', 'id', ''], ['billing_stop', 'id', 'settled_through'], ['ledger_account', 'id', ''],
        ['fiscal_period', 'issuer_id,during', ''], ['billing_run', 'id', ''], ['document_register', 'id', ''], ['product_account', 'product_id,issuer_id', ''],
        ['dunning_case', 'id', ''], ['payment_method', 'id', ''], ['bank_account', 'id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
    -- Of these nothing is changed that they do not tell themselves.
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['entry', 'id'], ['document', 'id'], ['charge', 'id'], ['payment', 'id'], ['payment_match', 'id'], ['payment_reversal', 'payment_id'], ['refund', 'id'], ['write_off', 'id'],
        ['write_off_undo', 'write_off_id'], ['allocation', 'id'], ['dunning_case_step', 'case_id,step']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    CREATE TRIGGER document_money_delete AFTER DELETE ON document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id');
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Gateways: who collects for an issuer, what they were asked, what they told, what they paid out
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE gateway_account (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id             bigint NOT NULL,
    method_id             bigint NOT NULL,
    name                  text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    provider              text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,39}$'),
    live                  boolean NOT NULL,
    base_url              text NOT NULL CHECK (base_url ~ '^https?://[A-Za-z0-9.:\[\]-]+$'),
    sealed_secret         bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    sealed_webhook_secret bytea NOT NULL CHECK (octet_length(sealed_webhook_secret) > 32),
    token                 text NOT NULL CHECK (token ~ '^[A-Za-z0-9_-]{32,64}$'),
    return_url            text CHECK (return_url ~ '^https?://[^[:space:]]+$'),
    enabled               boolean NOT NULL DEFAULT true,
    asked_to              timestamptz NOT NULL DEFAULT now(),
    problem               text NOT NULL DEFAULT '',
    made_at               timestamptz NOT NULL DEFAULT now(),
    debits_since          date,
    debit_days            smallint NOT NULL DEFAULT 0 CHECK (debit_days BETWEEN 0 AND 30),
    pages_since           date,
    CONSTRAINT gateway_account_name_once UNIQUE (name),
    CONSTRAINT gateway_account_token_once UNIQUE (token),
    CONSTRAINT gateway_account_method_of_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id)
);
COMMENT ON TABLE gateway_account IS 'An issuer''s account with a payment provider. What comes through it is paid by its method and lies on that method''s clearing account until it is paid out.';
COMMENT ON COLUMN gateway_account.live IS 'Real money; otherwise the provider''s test mode. What tells of the other one is refused.';
COMMENT ON COLUMN gateway_account.base_url IS 'Where it is asked: the provider''s own address, or one that [gateways] test_hosts names.';
COMMENT ON COLUMN gateway_account.sealed_secret IS 'What we ask it with; see radius_hooks/sealing.py.';
COMMENT ON COLUMN gateway_account.sealed_webhook_secret IS 'What it signs with, under a key of its own: who takes notices in can open nothing else.';
COMMENT ON COLUMN gateway_account.token IS 'The end of the address that it sends notices to.';
COMMENT ON COLUMN gateway_account.return_url IS 'Where a person goes on who has paid or signed at the provider.';
COMMENT ON COLUMN gateway_account.asked_to IS 'Up to when the provider was asked for what it may have told in vain.';
COMMENT ON COLUMN gateway_account.debits_since IS 'Invoices of this day and later are debited by themselves where the customer has a mandate; NULL: none.';
COMMENT ON COLUMN gateway_account.debit_days IS 'So many days before an invoice is due its debit is asked for, as the provider needs them; it is collected on the due day.';
COMMENT ON COLUMN gateway_account.pages_since IS 'Invoices of this day and later get a page to pay on by themselves where no debit is to pay them; NULL: none.';
CREATE UNIQUE INDEX gateway_account_pages_once ON gateway_account (issuer_id) WHERE pages_since IS NOT NULL;

CREATE TABLE webhook_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    at         timestamptz NOT NULL DEFAULT now(),
    headers    jsonb NOT NULL,
    body       bytea NOT NULL,
    verdict    text CHECK (verdict IN ('verified', 'refused')),
    reason     text NOT NULL DEFAULT ''
);
COMMENT ON TABLE webhook_log IS 'What came in at an account''s address, raw, before anything was made of it. Only the verdict is added, once.';
COMMENT ON COLUMN webhook_log.verdict IS 'NULL: not judged yet; whoever was to do it has died, and the worker does.';
CREATE INDEX webhook_log_unjudged ON webhook_log (id) WHERE verdict IS NULL;
CREATE INDEX webhook_log_at ON webhook_log (at);
CREATE TRIGGER webhook_log_stays BEFORE UPDATE ON webhook_log FOR EACH ROW
    WHEN (OLD.verdict IS NOT NULL OR (OLD.account_id, OLD.at, OLD.headers, OLD.body) IS DISTINCT FROM (NEW.account_id, NEW.at, NEW.headers, NEW.body))
    EXECUTE FUNCTION refuse_change('What came in stays as it came.');

CREATE TABLE gateway_notice (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    topic      text NOT NULL CHECK (length(topic) BETWEEN 1 AND 100),
    ref        text NOT NULL CHECK (length(ref) BETWEEN 1 AND 200),
    happened   timestamptz NOT NULL,
    webhook_id bigint REFERENCES webhook_log ON DELETE SET NULL,
    told_at    timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at    timestamptz NOT NULL DEFAULT now(),
    problem    text NOT NULL DEFAULT '',
    done_at    timestamptz,
    outcome    text NOT NULL DEFAULT '',
    CONSTRAINT gateway_notice_once UNIQUE (account_id, key)
);
COMMENT ON TABLE gateway_notice IS 'That something happened at a provider, once however often it is told. The row is the job: the worker asks the provider what it is and records that.';
COMMENT ON COLUMN gateway_notice.key IS 'The provider''s own number of the event.';
COMMENT ON COLUMN gateway_notice.topic IS 'In the provider''s words: charge.refunded, payments.failed.';
COMMENT ON COLUMN gateway_notice.ref IS 'What it is about, as the provider numbers it.';
COMMENT ON COLUMN gateway_notice.webhook_id IS 'What told it first; NULL: nobody, it was found by asking.';
CREATE INDEX gateway_notice_due ON gateway_notice (next_at, id) WHERE done_at IS NULL;
CREATE INDEX gateway_notice_problem ON gateway_notice (id) WHERE problem <> '';

CREATE TYPE gateway_charge_state AS ENUM ('open', 'presented', 'pending', 'paid', 'partly_refunded', 'refunded', 'reversed', 'disputed', 'failed', 'expired', 'withdrawn');
COMMENT ON TYPE gateway_charge_state IS 'Worked out from what was presented and all events, whatever the order in which they were told.';

CREATE TABLE gateway_charge (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text NOT NULL CHECK (key ~ '^[A-Za-z0-9_-]{16,60}$'),
    account_id   bigint NOT NULL REFERENCES gateway_account,
    customer_id  bigint NOT NULL REFERENCES customer,
    document_id  bigint REFERENCES document,
    currency     currency_code NOT NULL,
    amount       numeric(16, 3) NOT NULL,
    words        text NOT NULL CHECK (words <> ''),
    state        gateway_charge_state NOT NULL DEFAULT 'open',
    withdrawn_at timestamptz,
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now(),
    due_on       date,
    withdrawn_by text CHECK (withdrawn_by <> ''),
    CONSTRAINT gateway_charge_key_once UNIQUE (key),
    CONSTRAINT gateway_charge_due_is_of_an_invoice CHECK (due_on IS NULL OR document_id IS NOT NULL),
    CONSTRAINT gateway_charge_withdrawal_has_its_time CHECK (withdrawn_by IS NULL OR withdrawn_at IS NOT NULL),
    CONSTRAINT gateway_charge_is_an_amount CHECK (amount > 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE gateway_charge IS 'What a customer is asked to pay through a gateway: an invoice, or an amount.';
COMMENT ON COLUMN gateway_charge.key IS 'Ours; the provider is told it with everything, keeps it, and gives it back.';
COMMENT ON COLUMN gateway_charge.due_on IS 'Debited by itself for what fell due on this day: once, whether it succeeds or not.';
COMMENT ON COLUMN gateway_charge.withdrawn_by IS 'A person: then it is not asked for by itself again. NULL: it was withdrawn since less is owed, and the rest is asked for.';
CREATE INDEX gateway_charge_document ON gateway_charge (document_id) WHERE document_id IS NOT NULL;
CREATE UNIQUE INDEX gateway_charge_due_once ON gateway_charge (document_id, due_on) WHERE due_on IS NOT NULL AND (withdrawn_at IS NULL OR withdrawn_by IS NOT NULL);
CREATE INDEX gateway_charge_customer ON gateway_charge (customer_id);

CREATE TYPE mandate_state AS ENUM ('created', 'active', 'cancelled', 'failed', 'expired');
COMMENT ON TYPE mandate_state IS 'Active alone lets us collect.';

CREATE TABLE mandate (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES gateway_account,
    customer_id bigint NOT NULL REFERENCES customer,
    ref         text CHECK (length(ref) BETWEEN 1 AND 200),
    state       mandate_state NOT NULL DEFAULT 'created',
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mandate_ref_once UNIQUE (account_id, ref)
);
COMMENT ON TABLE mandate IS 'A customer''s authority to collect by direct debit through an account.';
COMMENT ON COLUMN mandate.ref IS 'As the provider numbers it; NULL until the customer has signed.';
CREATE INDEX mandate_customer ON mandate (customer_id);

CREATE TYPE presentment_kind AS ENUM ('link', 'mandate', 'debit', 'refund');
COMMENT ON TYPE presentment_kind IS 'A page to pay on, a page to sign a mandate on, a debit under a mandate, money given back.';
CREATE TYPE presentment_state AS ENUM ('asked', 'presented', 'refused', 'withdrawn');
COMMENT ON TYPE presentment_state IS 'Asked: the provider may have done it or not, and is asked again under the same key until it says.';

CREATE TABLE presentment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    kind       presentment_kind NOT NULL,
    key        text NOT NULL CHECK (key ~ '^[A-Za-z0-9_-]{16,60}$'),
    charge_id  bigint REFERENCES gateway_charge,
    mandate_id bigint REFERENCES mandate,
    payment_id bigint REFERENCES payment,
    amount     numeric(16, 3) CHECK (amount > 0),
    reason     text NOT NULL DEFAULT '',
    state      presentment_state NOT NULL DEFAULT 'asked',
    value      text CHECK (value ~ '^https?://[^[:space:]]+$'),
    ref        text CHECK (length(ref) BETWEEN 1 AND 200),
    expires_at timestamptz,
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at    timestamptz NOT NULL DEFAULT now(),
    problem    text NOT NULL DEFAULT '',
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT presentment_key_once UNIQUE (key),
    CONSTRAINT presentment_is_of_its_kind CHECK ((kind IN ('link', 'debit')) = (charge_id IS NOT NULL) AND (kind IN ('mandate', 'debit')) = (mandate_id IS NOT NULL)
        AND (kind = 'refund') = (payment_id IS NOT NULL) AND (kind = 'refund') = (amount IS NOT NULL))
);
COMMENT ON TABLE presentment IS 'What a provider was asked to do, written before it is asked: who dies in between finds it again, and the key makes a repeat harmless. The row is the job.';
COMMENT ON COLUMN presentment.value IS 'The page that the customer opens.';
COMMENT ON COLUMN presentment.ref IS 'As the provider numbers it.';
CREATE INDEX presentment_due ON presentment (next_at, id) WHERE state = 'asked';
CREATE INDEX presentment_charge ON presentment (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX presentment_payment ON presentment (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX presentment_ref ON presentment (account_id, ref) WHERE ref IS NOT NULL;

CREATE TYPE payment_event_kind AS ENUM ('pending', 'paid', 'failed', 'expired', 'reversed', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'returned', 'settled', 'dispute_lost');
COMMENT ON TYPE payment_event_kind IS 'What happens to a payment at a provider, in one set of words for all of them.';

CREATE TABLE payment_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES gateway_account,
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    kind          payment_event_kind NOT NULL,
    payment_key   text NOT NULL CHECK (length(payment_key) BETWEEN 1 AND 200),
    part_key      text CHECK (length(part_key) BETWEEN 1 AND 200),
    currency      currency_code NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    happened      timestamptz NOT NULL,
    value_on      date NOT NULL,
    charge_id     bigint REFERENCES gateway_charge,
    customer_id   bigint REFERENCES customer,
    payer         text CHECK (length(payer) BETWEEN 1 AND 400),
    reason_code   text CHECK (reason_code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    reason        text NOT NULL DEFAULT '',
    notice_id     bigint REFERENCES gateway_notice,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_event_once UNIQUE (account_id, key),
    CONSTRAINT payment_event_is_an_amount CHECK (amount >= 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE payment_event IS 'What a provider said happened, read back from it. Written together with what it does to the books. Append-only; what a payment is follows from all of its events, not from the last.';
COMMENT ON COLUMN payment_event.payment_key IS 'Which payment, as the provider numbers it.';
COMMENT ON COLUMN payment_event.part_key IS 'Which refund or dispute of it.';
COMMENT ON COLUMN payment_event.happened IS 'By the provider''s clock.';
CREATE INDEX payment_event_payment ON payment_event (account_id, payment_key);
CREATE INDEX payment_event_charge ON payment_event (charge_id) WHERE charge_id IS NOT NULL;
CREATE TRIGGER payment_event_append_only BEFORE UPDATE OR DELETE ON payment_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What a provider said stays: what takes it back is another event.');
CREATE TRIGGER payment_event_no_truncate BEFORE TRUNCATE ON payment_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What a provider said stays.');

CREATE TABLE payout (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES gateway_account,
    ref         text NOT NULL CHECK (length(ref) BETWEEN 1 AND 200),
    currency    currency_code NOT NULL,
    amount      numeric(16, 3) NOT NULL,
    fee         numeric(16, 3) NOT NULL,
    arrives_on  date NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payout_once UNIQUE (account_id, ref),
    CONSTRAINT payout_is_amounts CHECK (amount = round(amount, currency_places(currency)) AND fee = round(fee, currency_places(currency)))
);
COMMENT ON TABLE payout IS 'What a provider sent to the bank, with its entry: bank and fees against clearing. Append-only.';
COMMENT ON COLUMN payout.fee IS 'What it kept of the payments in it.';
CREATE TRIGGER payout_append_only BEFORE UPDATE OR DELETE ON payout FOR EACH ROW EXECUTE FUNCTION refuse_change('What was paid out stays: a failed payout has a row of its own.');
CREATE TRIGGER payout_no_truncate BEFORE TRUNCATE ON payout FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was paid out stays.');

CREATE TABLE payout_line (
    payout_id   bigint NOT NULL REFERENCES payout,
    number      integer NOT NULL CHECK (number >= 1),
    kind        text NOT NULL CHECK (kind IN ('payment', 'refund', 'return', 'fee', 'other')),
    payment_key text CHECK (length(payment_key) BETWEEN 1 AND 200),
    amount      numeric(16, 3) NOT NULL,
    fee         numeric(16, 3) NOT NULL DEFAULT 0,
    PRIMARY KEY (payout_id, number)
);
COMMENT ON TABLE payout_line IS 'What a payout is made of, as the provider lists it. Append-only.';
CREATE INDEX payout_line_payment ON payout_line (payment_key) WHERE payment_key IS NOT NULL;
CREATE TRIGGER payout_line_append_only BEFORE UPDATE OR DELETE ON payout_line FOR EACH ROW EXECUTE FUNCTION refuse_change('What was paid out stays.');
CREATE TRIGGER payout_line_no_truncate BEFORE TRUNCATE ON payout_line FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was paid out stays.');

CREATE TABLE gateway_file (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    name       text NOT NULL CHECK (name <> ''),
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    rows       integer NOT NULL CHECK (rows >= 0),
    findings   jsonb NOT NULL,
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_file_once UNIQUE (account_id, digest)
);
COMMENT ON TABLE gateway_file IS 'A provider''s reconciliation file that was read, and what was found by it.';
COMMENT ON COLUMN gateway_file.digest IS 'SHA-256: the same file again changes nothing.';

GRANT SELECT ON gateway_account, webhook_log, gateway_notice, gateway_charge, mandate, presentment, payment_event, payout, payout_line, gateway_file TO corrente_worker;
GRANT SELECT (id, issuer_id, name, provider, live, token, enabled, sealed_webhook_secret, method_id) ON gateway_account TO corrente_web;
GRANT SELECT ON gateway_charge, mandate, presentment TO corrente_web;
GRANT SELECT (id), INSERT (account_id, headers, body), UPDATE (verdict, reason) ON webhook_log TO corrente_web;
GRANT INSERT (account_id, key, topic, ref, happened, webhook_id) ON gateway_notice TO corrente_web, corrente_worker;
-- What is known already is left as it is, and to see that takes this.
GRANT SELECT (account_id, key) ON gateway_notice TO corrente_web;
GRANT UPDATE (asked_to, problem) ON gateway_account TO corrente_worker;
GRANT UPDATE (verdict, reason), DELETE ON webhook_log TO corrente_worker;
GRANT UPDATE (attempts, next_at, problem, done_at, outcome), DELETE ON gateway_notice TO corrente_worker;
GRANT INSERT, UPDATE ON gateway_charge, mandate, presentment TO corrente_worker, corrente_web;
GRANT INSERT ON payment_event, payout, payout_line TO corrente_worker;

-- ---------------------------------------------------------------------------------------------------------------
-- Subscriber accounts
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE secret_kind AS ENUM ('clear', 'nt', 'crypt', 'md5', 'smd5', 'sha1', 'ssha1', 'sha2', 'password_with_header', 'no_secret');
COMMENT ON TYPE secret_kind IS 'In what form the secret is kept. Only clear can answer CHAP; clear and nt can answer MS-CHAPv2.';

CREATE FUNCTION own_attributes_are_sound(blocks jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
-- A password would lie here in clear, and Auth-Type := Accept would let in without one.
DECLARE
    block jsonb;
    items jsonb;
    item  jsonb;
BEGIN
    FOR block IN SELECT jsonb_array_elements(blocks) LOOP
        IF jsonb_typeof(block) <> 'object' OR block - ARRAY['check', 'control', 'reply', 'fall_through'] <> '{}'
            OR jsonb_typeof(coalesce(block -> 'fall_through', 'false')) <> 'boolean' THEN
            RETURN false;
        END IF;
        FOR items IN SELECT coalesce(block -> list, '[]') FROM unnest(ARRAY['check', 'control', 'reply']) AS list LOOP
            IF jsonb_typeof(items) <> 'array' THEN
                RETURN false;
            END IF;
            FOR item IN SELECT jsonb_array_elements(items) LOOP
                IF jsonb_typeof(item) <> 'array' OR jsonb_array_length(item) <> 3
                    OR EXISTS (SELECT FROM jsonb_array_elements(item) AS part WHERE jsonb_typeof(part) <> 'string')
                    OR item ->> 0 = '' OR item ->> 0 ~* 'password'
                    OR item ->> 1 NOT IN ('=', ':=', '+=', '-=', '==', '!=', '<', '<=', '>', '>=', '=~', '!~', '=*', '!*')
                    OR (lower(item ->> 0) = 'auth-type' AND lower(item ->> 2) = 'accept') THEN
                    RETURN false;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN true;
END
$$;
COMMENT ON FUNCTION own_attributes_are_sound(jsonb) IS 'Blocks of [name, operator, value] texts, with no password among them and no way round the password check.';

CREATE TABLE subscriber_account (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id           bigint NOT NULL REFERENCES contract,
    username              text COLLATE "C" NOT NULL,
    secret_kind           secret_kind NOT NULL DEFAULT 'clear',
    sealed_secret         bytea NOT NULL DEFAULT '',
    expires_at            timestamptz,
    max_sessions          smallint NOT NULL DEFAULT 1 CHECK (max_sessions BETWEEN 0 AND 1000),
    macs                  text[] NOT NULL DEFAULT '{}',
    circuit_ids           text[] NOT NULL DEFAULT '{}',
    nas_ids               bigint[] NOT NULL DEFAULT '{}',
    own_attributes        jsonb NOT NULL DEFAULT '[]' CHECK (own_attributes = '[]' OR (jsonb_typeof(own_attributes) = 'array' AND own_attributes_are_sound(own_attributes))),
    quota_exhausted_until timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriber_account_username_once UNIQUE (username),
    CONSTRAINT subscriber_account_username_fits CHECK (octet_length(username) BETWEEN 1 AND 253 AND username !~ '[\x01-\x1f\x7f\u0080-\u009f]'),
    CONSTRAINT subscriber_account_secret_present CHECK ((secret_kind = 'no_secret') = (sealed_secret = '')),
    CONSTRAINT subscriber_account_secret_sealed CHECK (sealed_secret = '' OR octet_length(sealed_secret) > 32),
    CONSTRAINT subscriber_account_macs_normal CHECK (macs = '{}' OR every_item_matches(macs, '^[0-9a-f]{12}$')),
    CONSTRAINT subscriber_account_circuit_ids_fit CHECK (circuit_ids = '{}' OR every_item_matches(circuit_ids, '^[^[:cntrl:]]{1,253}$')),
    CONSTRAINT subscriber_account_nas_ids_flat CHECK (nas_ids = '{}' OR (array_ndims(nas_ids) = 1 AND array_position(nas_ids, NULL) IS NULL))
);
COMMENT ON TABLE subscriber_account IS 'One RADIUS username with its line. Usernames are compared byte for byte.';
COMMENT ON COLUMN subscriber_account.max_sessions IS 'Sessions at once; 0 means no limit.';
COMMENT ON COLUMN subscriber_account.macs IS 'Bound MAC addresses as twelve lower-case hex digits; empty means any.';
COMMENT ON COLUMN subscriber_account.own_attributes IS 'Blocks [{check, control, reply, fall_through}] of attributes [name, operator, value] no other column carries.';
COMMENT ON COLUMN subscriber_account.sealed_secret IS 'The password, or its hash in the form secret_kind says, sealed for this row; empty only for no_secret.';
COMMENT ON COLUMN subscriber_account.circuit_ids IS 'Bound access lines; empty means any.';
COMMENT ON COLUMN subscriber_account.nas_ids IS 'Bound NASes (nas.id, held by triggers because an array has no foreign key); empty means any.';
COMMENT ON COLUMN subscriber_account.quota_exhausted_until IS 'The worker found the quota of the month used up; full service again at this instant.';
CREATE INDEX subscriber_account_contract ON subscriber_account (contract_id);
CREATE INDEX subscriber_account_quota ON subscriber_account (quota_exhausted_until) WHERE quota_exhausted_until IS NOT NULL;
CREATE INDEX subscriber_account_username_parts ON subscriber_account USING gin (username gin_trgm_ops);
CREATE INDEX subscriber_account_macs ON subscriber_account USING gin (macs) WHERE macs <> '{}';
CREATE INDEX subscriber_account_nases ON subscriber_account USING gin (nas_ids) WHERE nas_ids <> '{}';

CREATE TABLE plan_change (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id  bigint NOT NULL REFERENCES contract,
    plan_id      bigint NOT NULL REFERENCES plan,
    effective_on date NOT NULL,
    placed_by    text NOT NULL CHECK (placed_by <> ''),
    placed_at    timestamptz NOT NULL DEFAULT now(),
    applied_at   timestamptz,
    CONSTRAINT plan_change_one_a_day UNIQUE (contract_id, effective_on)
);
COMMENT ON TABLE plan_change IS 'A contract''s plan from a day on. It counts from that day''s first moment, whenever the worker writes it into the contract.';
COMMENT ON COLUMN plan_change.effective_on IS 'First day of the new plan, in the billing zone.';
COMMENT ON COLUMN plan_change.applied_at IS 'When it was written into contract.plan_id; until then the contract holds the plan before.';
CREATE INDEX plan_change_waiting ON plan_change (effective_on) WHERE applied_at IS NULL;
CREATE INDEX plan_change_waiting_plan ON plan_change (plan_id) WHERE applied_at IS NULL;
CREATE TRIGGER plan_change_applied_is_final BEFORE UPDATE OR DELETE ON plan_change FOR EACH ROW WHEN (OLD.applied_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('An applied plan change is history: place a new one.');

CREATE TABLE data_topup (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    account_id  bigint REFERENCES subscriber_account ON DELETE CASCADE,
    octets      bigint NOT NULL CHECK (octets > 0),
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT data_topup_until_after_since CHECK (until > since)
);
COMMENT ON TABLE data_topup IS 'Octets beyond the quota while `[since, until)` lasts, in each quota month that it touches; it lifts the throttle at once.';
COMMENT ON COLUMN data_topup.account_id IS 'The account it is for; NULL: each account of the contract.';
CREATE INDEX data_topup_contract ON data_topup (contract_id, until);
CREATE INDEX data_topup_account ON data_topup (account_id) WHERE account_id IS NOT NULL;

CREATE FUNCTION refuse_unknown_nas() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown bigint[];
BEGIN
    -- The lock keeps these NASes from being deleted before we commit.
    PERFORM FROM nas WHERE id = ANY (NEW.nas_ids) FOR KEY SHARE;
    SELECT array_agg(wanted) INTO unknown FROM unnest(NEW.nas_ids) AS wanted WHERE NOT EXISTS (SELECT FROM nas WHERE id = wanted);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'subscriber account % is bound to NAS % that does not exist', NEW.username, unknown
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_unknown_nas() IS 'The foreign key of subscriber_account.nas_ids, seen from the account.';
CREATE TRIGGER subscriber_account_nas_known_insert BEFORE INSERT ON subscriber_account FOR EACH ROW
    WHEN (NEW.nas_ids <> '{}') EXECUTE FUNCTION refuse_unknown_nas();
CREATE TRIGGER subscriber_account_nas_known_update BEFORE UPDATE OF nas_ids ON subscriber_account FOR EACH ROW
    WHEN (NEW.nas_ids <> '{}') EXECUTE FUNCTION refuse_unknown_nas();

CREATE FUNCTION refuse_bound_nas() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bound text;
BEGIN
    SELECT username INTO bound FROM subscriber_account WHERE nas_ids @> ARRAY[OLD.id] LIMIT 1;
    IF bound IS NOT NULL THEN
        RAISE EXCEPTION 'NAS % has subscriber accounts bound to it, such as %', OLD.name, bound
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Disable it instead.';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION refuse_bound_nas() IS 'The foreign key of subscriber_account.nas_ids, seen from the NAS: gone, it would leave accounts that can log in nowhere.';
CREATE TRIGGER nas_unbound BEFORE DELETE ON nas FOR EACH ROW EXECUTE FUNCTION refuse_bound_nas();

CREATE TYPE account_prefix_kind AS ENUM ('framed_ipv4', 'framed_ipv6_address', 'framed_ipv6_prefix', 'delegated_ipv6_prefix', 'route');
COMMENT ON TYPE account_prefix_kind IS 'How the device is told: each but route is one RADIUS attribute, at most once an account.';

CREATE TABLE account_prefix (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES subscriber_account ON DELETE CASCADE,
    kind       account_prefix_kind NOT NULL,
    prefix     cidr NOT NULL,
    metric     integer CHECK (metric BETWEEN 0 AND 65535),
    CONSTRAINT account_prefix_once UNIQUE (prefix, account_id, kind),
    -- The sum keeps the planner from looking an account up in this index: it thinks that cheap and it is not.
    CONSTRAINT account_prefix_one_holder EXCLUDE USING gist (prefix inet_ops WITH &&, (account_id + 0) WITH <>),
    CONSTRAINT account_prefix_family CHECK (CASE kind
        WHEN 'framed_ipv4' THEN family(prefix) = 4 AND masklen(prefix) = 32
        WHEN 'framed_ipv6_address' THEN family(prefix) = 6 AND masklen(prefix) = 128
        WHEN 'route' THEN masklen(prefix) >= CASE family(prefix) WHEN 4 THEN 8 ELSE 16 END
        ELSE family(prefix) = 6 AND masklen(prefix) BETWEEN 32 AND 128 END),
    -- A device takes 127/8 and 224/3 as an order to pick from its own pool, and 0/8 as none at all.
    CONSTRAINT account_prefix_unicast CHECK (NOT (prefix && '0.0.0.0/8' OR prefix && '127.0.0.0/8' OR prefix && '224.0.0.0/3'
        OR prefix && '::/8' OR prefix && 'fe80::/10' OR prefix && 'ff00::/8')),
    CONSTRAINT account_prefix_metric_of_route CHECK (metric IS NULL OR kind = 'route')
);
COMMENT ON TABLE account_prefix IS 'Static addresses, prefixes and routes. No address is inside the prefixes of two accounts.';
-- Beside the exclusion constraint, which a database spread over shards does not have.
CREATE UNIQUE INDEX account_prefix_assigned_once ON account_prefix (prefix) WHERE kind <> 'route';
CREATE INDEX account_prefix_account ON account_prefix (account_id);
CREATE UNIQUE INDEX account_prefix_one_framed ON account_prefix (account_id, kind) WHERE kind IN ('framed_ipv4', 'framed_ipv6_address', 'framed_ipv6_prefix', 'delegated_ipv6_prefix');

-- ---------------------------------------------------------------------------------------------------------------
-- Sessions
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE applied_source AS ENUM ('verified', 'device', 'same');
COMMENT ON TYPE applied_source IS 'How it is known what a session runs under since its login: a change that was verified, the device''s own word since (another Class than before, or what it showed when read), or nothing differs that its device is told.';

CREATE TABLE session (
    session_key          uuid PRIMARY KEY,
    nas_id               bigint NOT NULL REFERENCES nas,
    acct_session_id      text NOT NULL,
    username             text COLLATE "C" NOT NULL,
    account_id           bigint REFERENCES subscriber_account ON DELETE SET NULL,
    class_key            uuid,
    policy_version       bytea CHECK (octet_length(policy_version) = 8),
    started_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    received_at          timestamptz NOT NULL,
    session_time_s       bigint NOT NULL CHECK (session_time_s >= 0),
    octets_in            bigint NOT NULL CHECK (octets_in >= 0),
    octets_out           bigint NOT NULL CHECK (octets_out >= 0),
    counter_in           numeric(20) NOT NULL CHECK (counter_in BETWEEN 0 AND 18446744073709551615),
    counter_out          numeric(20) NOT NULL CHECK (counter_out BETWEEN 0 AND 18446744073709551615),
    interim_interval_s   integer CHECK (interim_interval_s > 0),
    framed_ipv4          inet CHECK (family(framed_ipv4) = 4),
    framed_ipv6_address  inet CHECK (family(framed_ipv6_address) = 6),
    framed_ipv6_prefix   cidr CHECK (family(framed_ipv6_prefix) = 6),
    delegated_ipv6_prefix cidr CHECK (family(delegated_ipv6_prefix) = 6),
    nat_address          inet CHECK (family(nat_address) = 4),
    nat_first_port       integer,
    nat_last_port        integer,
    addresses_since      timestamptz NOT NULL,
    mac                  text NOT NULL DEFAULT '' CHECK (mac ~ '^([0-9a-f]{12})?$'),
    line                 text NOT NULL DEFAULT '',
    stale                boolean NOT NULL DEFAULT false,
    applied_version      bytea CHECK (octet_length(applied_version) = 8),
    applied_by           applied_source,
    applied_at           timestamptz,
    nas_port_id          text NOT NULL DEFAULT '',
    rate_in_bps          bigint CHECK (rate_in_bps >= 0),
    rate_out_bps         bigint CHECK (rate_out_bps >= 0),
    CONSTRAINT session_applied_together CHECK ((applied_version IS NULL) = (applied_by IS NULL) AND (applied_by IS NULL) = (applied_at IS NULL)),
    CONSTRAINT session_nat_block CHECK ((nat_address IS NULL) = (nat_first_port IS NULL) AND (nat_first_port IS NULL) = (nat_last_port IS NULL)
        AND (nat_first_port IS NULL OR (nat_first_port BETWEEN 0 AND 65535 AND nat_last_port BETWEEN nat_first_port AND 65535)))
) WITH (fillfactor = 70);
COMMENT ON TABLE session IS 'Live RADIUS sessions, one row each. Counters carry no index, so that an interim is an update in place.';
COMMENT ON COLUMN session.octets_in IS 'From the subscriber, summed over all segments of a counter that was reset.';
COMMENT ON COLUMN session.counter_in IS 'The device''s counter when last read; octets_in grows by its differences.';
COMMENT ON COLUMN session.policy_version IS 'What the session was given at login, from Class: profile revision and account revision, 4 octets each.';
COMMENT ON COLUMN session.applied_version IS 'What it runs under by a later word than its login; until there is one, policy_version. A revision of zeros fits no profile that is known.';
COMMENT ON COLUMN session.applied_at IS 'When the change was verified, the device was read, or its record with another Class was received.';
COMMENT ON COLUMN session.line IS 'Circuit id, or NAS-Port-Id, or NAS-Port: which access line of the NAS.';
COMMENT ON COLUMN session.rate_in_bps IS 'From the subscriber, on average between its last two records; NULL before there were two.';
COMMENT ON COLUMN session.nas_port_id IS 'NAS-Port-Id as the device writes it, for changes that name it; empty where it is none or no plain text.';
CREATE INDEX session_by_start ON session (started_at);
CREATE INDEX session_stale ON session (started_at, nas_id) WHERE stale;
CREATE INDEX session_of_nas ON session (nas_id, started_at);
CREATE INDEX session_line ON session (line text_pattern_ops) WHERE line <> '';
CREATE INDEX session_account ON session (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_id ON session (nas_id, acct_session_id);
CREATE INDEX session_by_username ON session (username);
CREATE INDEX session_framed_ipv4 ON session (framed_ipv4) WHERE framed_ipv4 IS NOT NULL;
CREATE INDEX session_framed_ipv6_address ON session (framed_ipv6_address) WHERE framed_ipv6_address IS NOT NULL;
CREATE INDEX session_framed_ipv6_prefix ON session (framed_ipv6_prefix) WHERE framed_ipv6_prefix IS NOT NULL;
CREATE INDEX session_delegated_ipv6_prefix ON session (delegated_ipv6_prefix) WHERE delegated_ipv6_prefix IS NOT NULL;
CREATE INDEX session_nat_address ON session (nat_address) WHERE nat_address IS NOT NULL;
CREATE INDEX session_mac ON session (mac) WHERE mac <> '';

CREATE TYPE session_end AS ENUM ('stop', 'stale', 'nas_reboot', 'replaced', 'closed_by_staff', 'not_on_device');
COMMENT ON TYPE session_end IS 'Who said that the session is over; only stop is the device''s own word for this session, not_on_device its silence about it.';

CREATE TABLE closed_session (
    session_key     uuid NOT NULL,
    ended_at        timestamptz NOT NULL,
    ended_by        session_end NOT NULL,
    terminate_cause text,
    nas_id          bigint NOT NULL,
    acct_session_id text NOT NULL,
    username        text COLLATE "C" NOT NULL,
    account_id      bigint,
    class_key       uuid,
    policy_version  bytea CHECK (octet_length(policy_version) = 8),
    started_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    session_time_s  bigint NOT NULL CHECK (session_time_s >= 0),
    octets_in       bigint NOT NULL CHECK (octets_in >= 0),
    octets_out      bigint NOT NULL CHECK (octets_out >= 0),
    counter_in      numeric(20) NOT NULL CHECK (counter_in BETWEEN 0 AND 18446744073709551615),
    counter_out     numeric(20) NOT NULL CHECK (counter_out BETWEEN 0 AND 18446744073709551615),
    interim_interval_s integer,
    framed_ipv4     inet CHECK (family(framed_ipv4) = 4),
    framed_ipv6_address inet CHECK (family(framed_ipv6_address) = 6),
    framed_ipv6_prefix cidr CHECK (family(framed_ipv6_prefix) = 6),
    delegated_ipv6_prefix cidr CHECK (family(delegated_ipv6_prefix) = 6),
    nat_address     inet CHECK (family(nat_address) = 4),
    nat_first_port  integer,
    nat_last_port   integer,
    mac             text NOT NULL CHECK (mac ~ '^([0-9a-f]{12})?$'),
    line            text NOT NULL,
    applied_version bytea CHECK (octet_length(applied_version) = 8),
    applied_by      applied_source,
    applied_at      timestamptz,
    nas_port_id     text NOT NULL DEFAULT '',
    PRIMARY KEY (session_key, ended_at),
    CONSTRAINT closed_session_applied_together CHECK ((applied_version IS NULL) = (applied_by IS NULL) AND (applied_by IS NULL) = (applied_at IS NULL)),
    CONSTRAINT closed_session_nat_block CHECK ((nat_address IS NULL) = (nat_first_port IS NULL) AND (nat_first_port IS NULL) = (nat_last_port IS NULL)
        AND (nat_first_port IS NULL OR (nat_first_port BETWEEN 0 AND 65535 AND nat_last_port BETWEEN nat_first_port AND 65535)))
) PARTITION BY RANGE (ended_at);
COMMENT ON TABLE closed_session IS 'Ended sessions by month of their end. ended_by other than stop: the device never said so, and a word from it reopens the session.';
COMMENT ON COLUMN closed_session.applied_version IS 'What it ran under when it was closed; a word that reopens it brings this back.';
CREATE INDEX closed_session_account ON closed_session (account_id, ended_at);
CREATE INDEX closed_session_by_id ON closed_session (nas_id, acct_session_id);

CREATE TABLE address_history (
    month           date NOT NULL,
    address         inet NOT NULL,
    valid_from      timestamptz NOT NULL,
    valid_to        timestamptz NOT NULL,
    first_port      integer NOT NULL DEFAULT 0,
    last_port       integer NOT NULL DEFAULT 65535,
    session_key     uuid NOT NULL,
    nas_id          bigint NOT NULL,
    account_id      bigint,
    username        text COLLATE "C" NOT NULL,
    PRIMARY KEY (address, valid_from, session_key, first_port, month),
    CONSTRAINT address_history_in_order CHECK (valid_to >= valid_from),
    CONSTRAINT address_history_ports CHECK (first_port BETWEEN 0 AND 65535 AND last_port BETWEEN first_port AND 65535),
    -- A row that reaches out of its month would not be found by a look-up, which reads one partition.
    CONSTRAINT address_history_inside_month CHECK (extract(day FROM month) = 1 AND valid_from AT TIME ZONE 'UTC' >= month
        AND valid_to AT TIME ZONE 'UTC' <= month + interval '1 month')
) PARTITION BY RANGE (month);
COMMENT ON TABLE address_history IS 'Who had an address or prefix and when, kept apart from usage with its own retention and readers. A holding that crosses a month has a row in each (UTC months), so a look-up touches one partition.';

CREATE TABLE usage_hour (
    account_id bigint NOT NULL,
    hour       timestamptz NOT NULL,
    octets_in  bigint NOT NULL CHECK (octets_in >= 0),
    octets_out bigint NOT NULL CHECK (octets_out >= 0),
    PRIMARY KEY (account_id, hour),
    CONSTRAINT usage_hour_begins_one CHECK (extract(epoch FROM hour AT TIME ZONE 'UTC') % 900 = 0)
) PARTITION BY RANGE (hour);
COMMENT ON TABLE usage_hour IS 'Octets of an account in each hour of the billing zone, by the instant it begins; some zones are a half or a quarter hour off.';

CREATE TABLE usage_day (
    account_id bigint NOT NULL,
    day        date NOT NULL,
    octets_in  bigint NOT NULL CHECK (octets_in >= 0),
    octets_out bigint NOT NULL CHECK (octets_out >= 0),
    PRIMARY KEY (account_id, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE usage_day IS 'Octets of an account in each civil day of the billing zone.';
CREATE INDEX usage_day_by_day ON usage_day (day);

CREATE TABLE late_usage (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL
);
COMMENT ON TABLE late_usage IS 'Accounts with usage for a day that the count of quotas may have closed: counted anew at its next run, which removes the rows.';

CREATE FUNCTION note_late_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO late_usage (account_id) VALUES (NEW.account_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_late_usage() IS 'Says that a past day of an account has more usage now.';
-- The count closes a day three days after it (control_plane/policy/quota.py): a day apart, for zones and transactions across midnight.
CREATE TRIGGER usage_day_notes_late AFTER INSERT OR UPDATE ON usage_day FOR EACH ROW
    WHEN (NEW.day < (now() AT TIME ZONE 'UTC')::date - 1) EXECUTE FUNCTION note_late_usage();

CREATE TABLE quota_usage (
    account_id     bigint PRIMARY KEY,
    month          date NOT NULL CHECK (extract(day FROM month) = 1),
    counted_before date NOT NULL,
    octets         bigint NOT NULL CHECK (octets >= 0),
    CONSTRAINT quota_usage_within_month CHECK (counted_before BETWEEN month AND month + interval '1 month')
);
COMMENT ON TABLE quota_usage IS 'Running count of the quota month for accounts that have a quota: octets both ways in the days from `month` until before `counted_before`, which are closed. The days since are read from usage_day.';

CREATE TABLE quota_event (
    account_id bigint NOT NULL,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    percent    smallint NOT NULL CHECK (percent BETWEEN 1 AND 1000),
    action     quota_action NOT NULL,
    octets     bigint NOT NULL CHECK (octets >= 0),
    allowed    bigint NOT NULL CHECK (allowed > 0),
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, month, percent)
);
COMMENT ON TABLE quota_event IS 'A step of the quota reached, once an account, month and step: what a notice to the subscriber is made from. Append-only.';
COMMENT ON COLUMN quota_event.allowed IS 'Quota and the top-ups then in force; octets is what was used of it.';
CREATE INDEX quota_event_at ON quota_event (at);
CREATE TRIGGER quota_event_append_only BEFORE UPDATE OR DELETE ON quota_event FOR EACH ROW EXECUTE FUNCTION refuse_change('Quota events are append-only.');
CREATE TRIGGER quota_event_no_truncate BEFORE TRUNCATE ON quota_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Quota events are append-only.');

CREATE TABLE login_attempt (
    at             timestamptz NOT NULL,
    attempt_key    bytea NOT NULL CHECK (octet_length(attempt_key) = 16),
    outcome        text NOT NULL CHECK (outcome IN ('accept', 'reject')),
    reason         text NOT NULL CHECK (reason ~ '^[a-z_]{1,64}$'),
    username       text COLLATE "C" NOT NULL,
    account_id     bigint,
    nas_id         bigint,
    source         inet,
    mac            text NOT NULL DEFAULT '' CHECK (mac ~ '^([0-9a-f]{12})?$'),
    line           text NOT NULL DEFAULT '',
    session_key    uuid,
    policy_version bytea CHECK (octet_length(policy_version) = 8),
    detail         text NOT NULL DEFAULT '',
    PRIMARY KEY (at, attempt_key)
) PARTITION BY RANGE (at);
COMMENT ON TABLE login_attempt IS 'Every login asked for and what was answered, why. Never holds a password.';
CREATE INDEX login_attempt_username ON login_attempt (username, at);

CREATE TABLE spool_position (
    node       text NOT NULL,
    file       text NOT NULL,
    octets     bigint NOT NULL CHECK (octets >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (node, file)
);
COMMENT ON TABLE spool_position IS 'How far each spool file has had its effect; written in the transaction of that effect.';

CREATE TABLE spool_node (
    node       text PRIMARY KEY,
    read_to    timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    clock_ahead_s double precision
);
COMMENT ON TABLE spool_node IS 'Up to which time of receipt each RADIUS node''s accounting has been read: a session is silent only as far as its node has been heard.';
COMMENT ON COLUMN spool_node.clock_ahead_s IS 'How far the node''s clock was ahead of this database''s at updated_at; below 0 behind. NULL: an older release''s edge.';

CREATE TABLE nas_clock (
    nas_id  bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    source  inet NOT NULL,
    ahead_s bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nas_clock_source_is_host CHECK (masklen(source) = CASE family(source) WHEN 4 THEN 32 ELSE 128 END)
);
COMMENT ON TABLE nas_clock IS 'How far each access device''s clock is ahead of this database''s (below 0 behind), by the Event-Timestamp of its accounting; of a group the device that is furthest off. Written at most each minute, and only when it moved or is getting old.';
COMMENT ON COLUMN nas_clock.source IS 'The device it was measured of.';
COMMENT ON COLUMN nas_clock.at IS 'When it was last found so, within ten minutes.';

CREATE TABLE node_holder (
    node         text PRIMARY KEY CHECK (node ~ '^[A-Za-z0-9._-]{1,64}$'),
    installation text NOT NULL CHECK (installation ~ '^[0-9a-f]{32}$'),
    host         text NOT NULL CHECK (host <> ''),
    since        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE node_holder IS 'Which installation each node name belongs to: two edges of one name would each speak for both. The first to ship has it, until `corrente node release`.';
COMMENT ON COLUMN node_holder.installation IS 'The number in the spool directory''s file `installation`.';
COMMENT ON COLUMN node_holder.host IS 'What the machine called itself, for a person.';

CREATE TABLE unreadable_record (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    node    text NOT NULL,
    file    text NOT NULL,
    octet   bigint NOT NULL CHECK (octet >= 0),
    problem text NOT NULL CHECK (problem <> ''),
    record  text NOT NULL,
    kind    text NOT NULL DEFAULT 'unreadable' CONSTRAINT unreadable_record_kind CHECK (kind IN ('unreadable', 'refused', 'our_fault')),
    tried_at timestamptz,
    CONSTRAINT unreadable_record_once UNIQUE (node, file, octet)
);
COMMENT ON TABLE unreadable_record IS 'Spooled records without effect, kept until their retention or until `corrente unreadable retry` merges them; nothing is dropped in silence.';
COMMENT ON COLUMN unreadable_record.kind IS 'unreadable: the record''s fault; refused: the database refused it; our_fault: a bug of ours, the record may be as good as any.';
COMMENT ON COLUMN unreadable_record.tried_at IS 'When it was last tried again in vain; problem is what stood against it then.';
CREATE INDEX unreadable_record_at ON unreadable_record (at);

CREATE TYPE policy_level AS ENUM ('full', 'throttle', 'walled', 'blocked', 'none');
COMMENT ON TYPE policy_level IS 'What an account gets on the network; blocked and none: no session may live.';

-- ---------------------------------------------------------------------------------------------------------------
-- Enforcement: one change on its way to one live session
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE enforcement_state AS ENUM ('queued', 'sent', 'acked', 'nacked', 'unanswered', 'verified', 'unverifiable', 'gave_up', 'superseded');
COMMENT ON TYPE enforcement_state IS 'Open: queued, sent (no answer known yet), acked (not yet verified), nacked and unanswered (will be tried again). The others are closed.';
CREATE TYPE enforcement_method AS ENUM ('coa', 'disconnect', 'routeros_api', 'cli');
COMMENT ON TYPE enforcement_method IS 'How a device is told, in the order a vendor''s ladder may name them.';

CREATE TABLE enforcement (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_key     uuid NOT NULL,
    nas_id          bigint NOT NULL REFERENCES nas,
    account_id      bigint,
    acct_session_id text NOT NULL,
    username        text COLLATE "C" NOT NULL,
    level           policy_level NOT NULL,
    reason          text NOT NULL CHECK (reason <> ''),
    from_version    bytea CHECK (octet_length(from_version) = 8),
    desired_version bytea CHECK (octet_length(desired_version) = 8),
    profile_id      bigint,
    disruptive      boolean NOT NULL,
    held_since      timestamptz,
    held_reason     text NOT NULL DEFAULT '',
    state           enforcement_state NOT NULL DEFAULT 'queued',
    method          enforcement_method NOT NULL,
    attempt         smallint NOT NULL DEFAULT 0 CHECK (attempt BETWEEN 0 AND 1000),
    error_cause     integer CHECK (error_cause BETWEEN 0 AND 65535),
    problem         text NOT NULL DEFAULT '',
    next_at         timestamptz DEFAULT now(),
    taken_by        text,
    taken_until     timestamptz,
    wanted_at       timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    answered_at     timestamptz,
    closed_at       timestamptz,
    tries           smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 1000),
    identity_detail smallint NOT NULL DEFAULT 0 CHECK (identity_detail BETWEEN 0 AND 2),
    unsure          boolean NOT NULL DEFAULT false,
    alarmed_at      timestamptz,
    settled_at      timestamptz,
    asked_by        text CHECK (asked_by <> ''),
    CONSTRAINT enforcement_version_with_profile CHECK ((desired_version IS NULL) = (profile_id IS NULL)),
    CONSTRAINT enforcement_held_says_why CHECK ((held_since IS NULL) = (held_reason = '')),
    CONSTRAINT enforcement_closed_when_over CHECK ((closed_at IS NOT NULL) = (state IN ('verified', 'unverifiable', 'gave_up', 'superseded'))),
    CONSTRAINT enforcement_open_has_next CHECK (closed_at IS NOT NULL OR next_at IS NOT NULL),
    CONSTRAINT enforcement_sent_has_time CHECK (state IN ('queued', 'gave_up', 'superseded') OR sent_at IS NOT NULL),
    CONSTRAINT enforcement_answer_has_time CHECK (state NOT IN ('acked', 'nacked') OR answered_at IS NOT NULL),
    CONSTRAINT enforcement_failure_says_why CHECK (state NOT IN ('nacked', 'unanswered', 'unverifiable', 'gave_up', 'superseded') OR problem <> ''),
    CONSTRAINT enforcement_taken_until CHECK ((taken_by IS NULL) = (taken_until IS NULL))
);
COMMENT ON TABLE enforcement IS 'One change to deliver to one session, from the moment it was wanted to the proof that it holds. The row is the job.';
COMMENT ON COLUMN enforcement.session_key IS 'session.session_key; the session may be closed meanwhile.';
COMMENT ON COLUMN enforcement.desired_version IS 'Profile and account revision the session shall run under; NULL: the session must end.';
COMMENT ON COLUMN enforcement.disruptive IS 'Takes something away from the subscriber; what restores is never held by the guard and goes first.';
COMMENT ON COLUMN enforcement.held_reason IS 'Why it waits for a person: the guard, maintenance of the NAS, the global stop.';
COMMENT ON COLUMN enforcement.attempt IS 'Exchanges begun in all, by every method; the rules limit it.';
COMMENT ON COLUMN enforcement.tries IS 'Exchanges begun by this method with this much identity.';
COMMENT ON COLUMN enforcement.identity_detail IS 'Which attributes name the session: 0 what the vendor matches best, 1 fuller, 2 fewest.';
COMMENT ON COLUMN enforcement.unsure IS 'An earlier packet of this change was not answered, and may have had its effect: then "session not found" means done.';
COMMENT ON COLUMN enforcement.next_at IS 'When an open one is due: to be sent, or, when acked, to have been verified.';
COMMENT ON COLUMN enforcement.taken_by IS 'The worker that sends it now; after taken_until that worker is taken for dead and what it sent for unanswered.';
COMMENT ON COLUMN enforcement.wanted_at IS 'When the policy changed that this delivers.';
COMMENT ON COLUMN enforcement.alarmed_at IS 'When a person was asked to look: the device does not do what it acknowledged, or its configuration is wrong.';
COMMENT ON COLUMN enforcement.settled_at IS 'From then on it tells nothing of what its session runs under: never sent, or a later word came, or the session is over. The reconciler writes it.';
COMMENT ON COLUMN enforcement.asked_by IS 'Who asked for it by hand: such a disconnect is wanted whatever the policy says, such a change though the session runs under it.';
CREATE UNIQUE INDEX enforcement_one_open ON enforcement (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered');
CREATE INDEX enforcement_due ON enforcement (disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_of_session ON enforcement (session_key, id);
CREATE INDEX enforcement_by_username ON enforcement (username, id);
CREATE INDEX enforcement_unsettled ON enforcement (session_key) WHERE settled_at IS NULL AND state <> 'verified';
CREATE INDEX enforcement_of_nas ON enforcement (nas_id, disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_alarms ON enforcement (alarmed_at) WHERE alarmed_at IS NOT NULL;
CREATE INDEX enforcement_by_closing ON enforcement (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX enforcement_wanted ON enforcement (id) WHERE closed_at IS NULL AND disruptive;
-- Few beside a million that wait: what is on its way, and what workers have in hand.
CREATE INDEX enforcement_under_way ON enforcement (id) WHERE state IN ('sent', 'acked', 'nacked', 'unanswered');
CREATE INDEX enforcement_in_hand ON enforcement (nas_id) WHERE taken_by IS NOT NULL;

CREATE TABLE enforcement_packet (
    enforcement_id bigint NOT NULL,
    at             timestamptz NOT NULL,
    direction      text NOT NULL CHECK (direction IN ('sent', 'received')),
    code           smallint NOT NULL CHECK (code BETWEEN 0 AND 255),
    identifier     smallint NOT NULL CHECK (identifier BETWEEN 0 AND 255),
    peer           text NOT NULL CHECK (peer <> ''),
    attributes     text NOT NULL,
    error_cause    integer CHECK (error_cause BETWEEN 0 AND 65535),
    -- One attribute a line, so a value that speaks of passwords is none.
    CONSTRAINT enforcement_packet_no_secret CHECK (attributes !~* '(^|\n)[a-z0-9-]*(password|secret|ms-?chap|mppe|authenticator)[a-z0-9-]*\s*[:+]?=(?!\s*\*)')
) PARTITION BY RANGE (at);
COMMENT ON TABLE enforcement_packet IS 'Every packet sent for an enforcement and every answer accepted, by month. Append-only; code 0 is a call that is no RADIUS.';
COMMENT ON COLUMN enforcement_packet.enforcement_id IS 'enforcement.id, without a foreign key: to make a month would then lock that table. Packets are written while their enforcement is held.';
COMMENT ON COLUMN enforcement_packet.attributes IS 'One `Name = value` a line as on the wire, what must stay secret as ***.';
CREATE INDEX enforcement_packet_of ON enforcement_packet (enforcement_id, at);
CREATE TRIGGER enforcement_packet_append_only BEFORE UPDATE OR DELETE ON enforcement_packet FOR EACH ROW EXECUTE FUNCTION refuse_change('Packets are evidence: they go with their month''s partition.');
CREATE TRIGGER enforcement_packet_no_truncate BEFORE TRUNCATE ON enforcement_packet FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Packets are evidence: they go with their month''s partition.');

CREATE TABLE nas_silence (
    nas_id  bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    since   timestamptz NOT NULL DEFAULT now(),
    tries   smallint NOT NULL DEFAULT 1 CHECK (tries BETWEEN 1 AND 1000),
    next_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nas_silence IS 'NASes that answer no change request: one of their enforcements is sent as a probe at next_at, the others wait; an answer or their accounting ends it.';

CREATE FUNCTION note_enforcement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY corrente_enforcement;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_enforcement() IS 'A hint to the workers beside their poll.';
CREATE TRIGGER enforcement_change_insert AFTER INSERT ON enforcement FOR EACH STATEMENT EXECUTE FUNCTION note_enforcement();

-- ---------------------------------------------------------------------------------------------------------------
-- The second view: what devices list as online, beside what their accounting says
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE known_revision (
    revision      bytea NOT NULL CHECK (octet_length(revision) = 4),
    profile_id    bigint NOT NULL,
    rate_down_bps bigint,
    rate_up_bps   bigint,
    since         timestamptz NOT NULL DEFAULT now(),
    content       jsonb CHECK (jsonb_typeof(content) = 'object'),
    PRIMARY KEY (revision, profile_id)
);
COMMENT ON COLUMN known_revision.content IS 'All that it gives, by the names of profile''s columns; NULL: noted by a release that kept the rates alone, and not in force since.';
COMMENT ON TABLE known_revision IS 'What each profile gave under each revision that was ever in force: by it the smallest change is found, and whether it takes something away, after the profile was edited or deleted.';

CREATE TABLE device_reading (
    nas_id   bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    tried_at timestamptz NOT NULL,
    read_at  timestamptz,
    sessions integer NOT NULL DEFAULT 0 CHECK (sessions >= 0),
    problem  text NOT NULL DEFAULT '',
    held     text NOT NULL DEFAULT '',
    policies_held text NOT NULL DEFAULT '',
    CONSTRAINT device_reading_done_or_why CHECK (read_at IS NOT NULL OR problem <> '')
);
COMMENT ON TABLE device_reading IS 'When each device''s own list of sessions was last read in full, and what stood against it since.';
COMMENT ON COLUMN device_reading.held IS 'Why the difference to accounting is left to a person: so much of it is a fault of the reading more likely than of the sessions.';
COMMENT ON COLUMN device_reading.policies_held IS 'Why what it shows its sessions to run under is not believed before a person says so.';

CREATE TABLE device_session (
    nas_id          bigint NOT NULL REFERENCES nas ON DELETE CASCADE,
    acct_session_id text NOT NULL CHECK (acct_session_id <> ''),
    username        text COLLATE "C" NOT NULL,
    framed_ipv4     inet CHECK (family(framed_ipv4) = 4),
    mac             text NOT NULL DEFAULT '' CHECK (mac ~ '^([0-9a-f]{12})?$'),
    since           timestamptz NOT NULL,
    own_key         uuid NOT NULL,
    rate_down_bps   bigint,
    rate_up_bps     bigint,
    address_lists   text[],
    PRIMARY KEY (nas_id, acct_session_id)
);
COMMENT ON TABLE device_session IS 'The last list read from each device; device_reading says when. Rows that stay are not written again.';
COMMENT ON COLUMN device_session.since IS 'Since when it is up: the device''s word, or the reading that saw it first.';
COMMENT ON COLUMN device_session.rate_down_bps IS 'As the device shows the session, 0 for no limit; NULL, as the lists, where it does not say.';
COMMENT ON COLUMN device_session.own_key IS 'Names the session when accounting knows none like it, as for an enforcement that cuts it.';

CREATE TABLE feed_position (
    reader   text PRIMARY KEY CHECK (reader ~ '^[a-z_]{1,64}$'),
    system   text NOT NULL,
    snapshot text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE feed_position IS 'How far each reader of the change feed within the control plane has come; a reader without a row looks at everything.';

-- ---------------------------------------------------------------------------------------------------------------
-- What every account should have now: worked out by the worker from contract, restrictions, relief, plan, quota and time
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE profile_revision (
    profile_id bigint PRIMARY KEY REFERENCES profile ON DELETE CASCADE,
    revision   bytea NOT NULL CHECK (octet_length(revision) = 4)
);
COMMENT ON TABLE profile_revision IS 'Hash of what each profile gives: the first half of a policy version. Editing a profile changes one row here and none of its accounts.';

CREATE TABLE desired_policy (
    account_id       bigint PRIMARY KEY REFERENCES subscriber_account ON DELETE CASCADE,
    level            policy_level NOT NULL,
    reason           text NOT NULL CHECK (reason <> ''),
    profile_id       bigint REFERENCES profile,
    account_revision bytea NOT NULL CHECK (octet_length(account_revision) = 4),
    valid_until      timestamptz,
    changed_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT desired_policy_profile_unless_refused CHECK ((profile_id IS NULL) = (level IN ('blocked', 'none')))
);
COMMENT ON TABLE desired_policy IS 'What each account should have now. Its version is profile_revision.revision || account_revision, the octets that the hook puts into Class. An account without a row is not worked out yet, or can''t be rendered: leave its sessions alone.';
COMMENT ON COLUMN desired_policy.profile_id IS 'NULL exactly when no session may live.';
COMMENT ON COLUMN desired_policy.valid_until IS 'When the answer may change without anybody touching a row; NULL: never.';
COMMENT ON COLUMN desired_policy.changed_at IS 'When level, profile or account_revision last changed.';
CREATE INDEX desired_policy_due ON desired_policy (valid_until) WHERE valid_until IS NOT NULL;
CREATE INDEX desired_policy_profile ON desired_policy (profile_id);
CREATE INDEX desired_policy_limited ON desired_policy (level) WHERE level <> 'full';

-- ---------------------------------------------------------------------------------------------------------------
-- Change feed: what the edges must look at again
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE change_kind AS ENUM ('nas', 'profile', 'plan', 'contract', 'account', 'session');
COMMENT ON TYPE change_kind IS 'Whose key a row of the feed holds: nas.id, profile.id, plan.id, contract.id; account and session: subscriber_account.id.';

CREATE TABLE change_feed (
    xid  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id   bigint GENERATED ALWAYS AS IDENTITY,
    kind change_kind NOT NULL,
    key  bigint NOT NULL,
    old_name text,
    at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (xid, id)
);
COMMENT ON TABLE change_feed IS 'Which row changed, in which transaction. An edge reads what became visible between two snapshots, so a slow transaction is never skipped and never waited for.';
COMMENT ON COLUMN change_feed.old_name IS 'The name under which the policy store knew the row, when it is renamed or deleted: a username or a source prefix.';

CREATE TABLE change_horizon (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid      xid8 NOT NULL DEFAULT '0'
);
COMMENT ON TABLE change_horizon IS 'The feed has been cleared below this transaction: an edge that stands further back rebuilds its store.';
INSERT INTO change_horizon DEFAULT VALUES;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Arguments: kind, column that holds the key, column that names the row in the policy store (or none).
DECLARE
    named text := CASE WHEN TG_NARGS > 2 THEN format('%I::text', TG_ARGV[2]) ELSE 'NULL::text' END;
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        -- Of an update only what is no longer there: a key or a name that stays is in the new rows.
        EXECUTE format('INSERT INTO change_feed (kind, key, old_name) SELECT %L::change_kind, gone.* FROM (SELECT %I, %s FROM old_rows %s) AS gone', TG_ARGV[0], TG_ARGV[1], named,
            CASE TG_OP WHEN 'UPDATE' THEN format('EXCEPT SELECT %I, %s FROM new_rows', TG_ARGV[1], named) ELSE 'GROUP BY 1, 2' END);
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        EXECUTE format('INSERT INTO change_feed (kind, key) SELECT DISTINCT %L::change_kind, %I FROM new_rows', TG_ARGV[0], TG_ARGV[1]);
    END IF;
    NOTIFY corrente_change;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION note_change() FROM PUBLIC;
COMMENT ON FUNCTION note_change() IS 'One statement, one set of feed rows: a bulk change of a million rows costs one insert.';

DO $$
DECLARE
    watched text[];
BEGIN
    FOREACH watched SLICE 1 IN ARRAY ARRAY[
        ['nas', 'nas', 'id', 'source'], ['profile', 'profile', 'id', ''], ['plan', 'plan', 'id', ''],
        ['contract', 'contract', 'id', ''], ['restriction', 'contract', 'contract_id', ''], ['relief', 'contract', 'contract_id', ''],
        ['plan_window', 'plan', 'plan_id', ''], ['plan_change', 'contract', 'contract_id', ''], ['data_topup', 'contract', 'contract_id', ''],
        ['subscriber_account', 'account', 'id', 'username'], ['account_prefix', 'account', 'account_id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L%s)',
            watched[1] || '_change_insert', watched[1], watched[2], watched[3], CASE WHEN watched[4] = '' THEN '' ELSE format(', %L', watched[4]) END);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L%s)',
            watched[1] || '_change_update', watched[1], watched[2], watched[3], CASE WHEN watched[4] = '' THEN '' ELSE format(', %L', watched[4]) END);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L%s)',
            watched[1] || '_change_delete', watched[1], watched[2], watched[3], CASE WHEN watched[4] = '' THEN '' ELSE format(', %L', watched[4]) END);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(%L)',
            watched[1] || '_no_truncate', watched[1], 'TRUNCATE passes by the change feed, and edges would go on answering from what is gone: DELETE.');
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- The guard: what automation may take away, and who let more go
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE guard_state (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    live_subscribers integer NOT NULL DEFAULT 0 CHECK (live_subscribers >= 0),
    counted_at       timestamptz,
    tripped_at       timestamptz,
    tripped_reason   text CHECK (tripped_reason <> ''),
    CONSTRAINT guard_state_trip_says_why CHECK ((tripped_at IS NULL) = (tripped_reason IS NULL))
);
COMMENT ON TABLE guard_state IS 'Whoever lets a disruptive change of automation go holds this row, so that any number of workers count as one.';
COMMENT ON COLUMN guard_state.live_subscribers IS 'Subscribers online at counted_at; counted again when that is some seconds old.';
COMMENT ON COLUMN guard_state.tripped_at IS 'Since when everything disruptive waits for a person.';
INSERT INTO guard_state DEFAULT VALUES;

CREATE TABLE guard_pass (
    enforcement_id bigint PRIMARY KEY,
    account_id     bigint,
    at             timestamptz NOT NULL,
    release_id     bigint REFERENCES guard_release
);
COMMENT ON TABLE guard_pass IS 'Disruptive changes of automation that were let go, once each: within the share (these count for an hour), or by a person''s release.';
CREATE INDEX guard_pass_counted ON guard_pass (at) WHERE release_id IS NULL;

CREATE TABLE guard_exemption (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by <> ''),
    CONSTRAINT guard_exemption_until_after_since CHECK (until > since),
    CONSTRAINT guard_exemption_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT guard_exemption_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE guard_exemption IS 'Contracts that automation never cuts within [since, until), and why. A person still may.';
CREATE UNIQUE INDEX guard_exemption_one ON guard_exemption (contract_id) WHERE ended_at IS NULL;

CREATE TABLE network_stop (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason    text NOT NULL CHECK (reason <> ''),
    placed_by text NOT NULL CHECK (placed_by <> ''),
    since     timestamptz NOT NULL DEFAULT now(),
    ended_at  timestamptz,
    ended_by  text CHECK (ended_by <> ''),
    CONSTRAINT network_stop_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT network_stop_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE network_stop IS 'While one has not ended, nothing is sent to any access device.';
CREATE UNIQUE INDEX network_stop_one ON network_stop ((true)) WHERE ended_at IS NULL;

CREATE TABLE nas_maintenance (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nas_id    bigint NOT NULL REFERENCES nas ON DELETE CASCADE,
    reason    text NOT NULL CHECK (reason <> ''),
    placed_by text NOT NULL CHECK (placed_by <> ''),
    since     timestamptz NOT NULL DEFAULT now(),
    until     timestamptz,
    ended_at  timestamptz,
    ended_by  text CHECK (ended_by <> ''),
    CONSTRAINT nas_maintenance_until_after_since CHECK (until > since),
    CONSTRAINT nas_maintenance_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT nas_maintenance_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE nas_maintenance IS 'Within [since, until) nothing is sent to that access device; no until: until a person ends it.';
CREATE UNIQUE INDEX nas_maintenance_one ON nas_maintenance (nas_id) WHERE ended_at IS NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- What was: the rows that decide a policy, as they stood before each change
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE history_kind AS ENUM ('contract', 'plan', 'profile', 'account', 'restriction', 'relief');
COMMENT ON TYPE history_kind IS 'Whose row: contract.id, plan.id, profile.id, subscriber_account.id, restriction.id, relief.id.';

CREATE TABLE row_history (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    history_kind NOT NULL,
    key     bigint NOT NULL,
    until   timestamptz NOT NULL,
    by_role text NOT NULL DEFAULT session_user,
    content jsonb NOT NULL CHECK (jsonb_typeof(content) = 'object')
);
COMMENT ON TABLE row_history IS 'How a row stood until it was changed; the present is in its table, so what never changed costs nothing. Written by triggers, append-only but for its retention, without secrets.';
COMMENT ON COLUMN row_history.until IS 'At an instant a row stood as the first of its history with a later until says, else as it stands now.';
COMMENT ON COLUMN row_history.by_role IS 'The database role of the connection that changed it; who typed stands in audit_log.';
CREATE INDEX row_history_of ON row_history (kind, key, until, id);
CREATE INDEX row_history_by_end ON row_history (until);
CREATE TRIGGER row_history_append_only BEFORE UPDATE ON row_history FOR EACH ROW EXECUTE FUNCTION refuse_change('History is append-only.');
CREATE TRIGGER row_history_kept BEFORE DELETE ON row_history FOR EACH ROW WHEN (OLD.until > now() - interval '28 days')
    EXECUTE FUNCTION refuse_change('History of the last four weeks is never deleted.');
CREATE TRIGGER row_history_no_truncate BEFORE TRUNCATE ON row_history FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('History is append-only.');

CREATE FUNCTION clear_history(before timestamptz, at_once integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH cleared AS (
        DELETE FROM row_history WHERE id = ANY (ARRAY(SELECT id FROM row_history WHERE until < before ORDER BY until LIMIT at_once)) RETURNING id
    )
    SELECT count(*) FROM cleared
$$;
COMMENT ON FUNCTION clear_history(timestamptz, integer) IS 'Deletes history that ended before that instant, up to so many rows; returns how many. It holds names and places of subscribers, so it has a retention.';
REVOKE EXECUTE ON FUNCTION clear_history(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clear_history(timestamptz, integer) TO corrente_worker;

CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the kind.
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO row_history (kind, key, until, content)
            SELECT TG_ARGV[0]::history_kind, o.id, clock_timestamp(), to_jsonb(o) - 'sealed_secret' FROM old_rows AS o;
    ELSE
        INSERT INTO row_history (kind, key, until, content)
            SELECT TG_ARGV[0]::history_kind, o.id, clock_timestamp(), to_jsonb(o) - 'sealed_secret' FROM old_rows AS o JOIN new_rows AS n USING (id)
            WHERE to_jsonb(o) - 'sealed_secret' <> to_jsonb(n) - 'sealed_secret';
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION keep_history() FROM PUBLIC;
COMMENT ON FUNCTION keep_history() IS 'One statement, one insert into row_history of the rows that it changed or deleted, as they stood.';

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['contract', 'contract'], ['plan', 'plan'], ['profile', 'profile'], ['subscriber_account', 'account'],
        ['restriction', 'restriction'], ['relief', 'relief']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_history(%L)',
            kept[1] || '_history_update', kept[1], kept[2]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_history(%L)',
            kept[1] || '_history_delete', kept[1], kept[2]);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Webhooks: who is told of events by HTTP
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE webhook_state AS ENUM ('waiting', 'delivered', 'parked');
COMMENT ON TYPE webhook_state IS 'How far a webhook''s delivery is: tried until it is taken, or parked after three days until a person sends it again.';

CREATE TABLE webhook_endpoint (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    url               text NOT NULL CHECK (url ~ '^https?://[!-~]+$' AND length(url) <= 2000),
    events            text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 100),
    sealed_secret     bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    sealed_old_secret bytea CHECK (octet_length(sealed_old_secret) > 32),
    old_secret_until  timestamptz,
    failing_since     timestamptz,
    disabled_at       timestamptz,
    disabled_why      text NOT NULL DEFAULT '',
    removed_at        timestamptz,
    made_by           text NOT NULL CHECK (made_by <> ''),
    made_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_endpoint_old_secret_ends CHECK ((sealed_old_secret IS NULL) = (old_secret_until IS NULL)),
    CONSTRAINT webhook_endpoint_disabled_has_reason CHECK ((disabled_at IS NULL) = (disabled_why = ''))
);
COMMENT ON TABLE webhook_endpoint IS 'Who is told of events by HTTP, of which, and with what secret it is signed. A removed one stays as long as what was sent to it.';
COMMENT ON COLUMN webhook_endpoint.sealed_old_secret IS 'The secret before: what is sent is signed with both until old_secret_until.';
COMMENT ON COLUMN webhook_endpoint.failing_since IS 'The first failure since it last took something.';
CREATE UNIQUE INDEX webhook_endpoint_name_once ON webhook_endpoint (name) WHERE removed_at IS NULL;

CREATE TABLE webhook_delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES webhook_endpoint,
    outbox_id   bigint,
    event_id    text NOT NULL CHECK (event_id <> ''),
    event       text NOT NULL CHECK (event ~ '^[a-z_]+\.[a-z_]+$'),
    contract_id bigint,
    version     bigint,
    body        bytea NOT NULL CHECK (octet_length(body) BETWEEN 2 AND 262144),
    state       webhook_state NOT NULL DEFAULT 'waiting',
    attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    began_at    timestamptz,
    next_at     timestamptz NOT NULL DEFAULT now(),
    problem     text NOT NULL DEFAULT '',
    made_at     timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT webhook_delivery_once UNIQUE (endpoint_id, outbox_id),
    CONSTRAINT webhook_delivery_contract_has_version CHECK ((contract_id IS NULL) = (version IS NULL)),
    CONSTRAINT webhook_delivery_ends CHECK ((state = 'waiting') = (ended_at IS NULL))
);
COMMENT ON TABLE webhook_delivery IS 'One event on its way to one endpoint, with the octets that are sent; those of a contract go in order of version.';
COMMENT ON COLUMN webhook_delivery.outbox_id IS 'The event in the outbox, which forgets it sooner; none for a test.';
COMMENT ON COLUMN webhook_delivery.began_at IS 'The first try, or the first one after a person sent it again: three days count from here.';
COMMENT ON COLUMN webhook_delivery.next_at IS 'Not tried before: a try moves it, so that one that nobody told the end of is made again.';
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_at, id) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_waiting_of_contract ON webhook_delivery (endpoint_id, contract_id, version) WHERE state = 'waiting' AND contract_id IS NOT NULL;
CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint_id, id);
CREATE INDEX webhook_delivery_parked ON webhook_delivery (endpoint_id) WHERE state = 'parked';
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempt (
    delivery_id bigint NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    attempt     integer NOT NULL CHECK (attempt >= 1),
    at          timestamptz NOT NULL DEFAULT now(),
    took_s      double precision NOT NULL CHECK (took_s >= 0),
    address     inet,
    status      smallint CHECK (status BETWEEN 100 AND 999),
    problem     text NOT NULL DEFAULT '',
    answer      text NOT NULL DEFAULT '' CHECK (length(answer) <= 1000),
    PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT webhook_attempt_says_how_it_went CHECK (status IS NOT NULL OR problem <> '')
);
COMMENT ON TABLE webhook_attempt IS 'Each try of a delivery: where it went, what was answered and how long that took.';
GRANT SELECT ON webhook_endpoint, webhook_delivery, webhook_attempt TO corrente_worker, corrente_web;
GRANT UPDATE (failing_since, disabled_at, disabled_why) ON webhook_endpoint TO corrente_worker;
GRANT INSERT, DELETE ON webhook_delivery, webhook_attempt TO corrente_worker;
GRANT UPDATE (state, attempts, began_at, next_at, problem, ended_at) ON webhook_delivery TO corrente_worker;

-- ---------------------------------------------------------------------------------------------------------------
-- E-invoices: documents on their way to a tax authority
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE einvoice_state AS ENUM ('draft', 'prepared', 'sending', 'pending', 'unknown', 'accepted', 'accepted_noted', 'rejected_fixable', 'rejected_final', 'blocked',
    'cancel_requested', 'cancelled', 'cancel_refused');
COMMENT ON TYPE einvoice_state IS 'How far an e-invoice is with the tax authority; billing/einvoice/states.py moves it.';
CREATE TYPE einvoice_handover AS ENUM ('none', 'sent', 'delivered', 'undeliverable', 'refused');
COMMENT ON TYPE einvoice_handover IS 'Whether the receiver has an e-invoice.';
CREATE TYPE einvoice_environment AS ENUM ('test', 'production');
COMMENT ON TYPE einvoice_environment IS 'An authority''s test service, where nothing counts, or the one where all does.';

CREATE TABLE einvoice_account (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id      bigint NOT NULL REFERENCES issuer,
    name           text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    provider       text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,39}$'),
    environment    einvoice_environment NOT NULL,
    settings       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    sealed_secret  bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    series         text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    from_on        date NOT NULL,
    enabled        boolean NOT NULL DEFAULT true,
    blocked_at     timestamptz,
    blocked_reason text NOT NULL DEFAULT '',
    failures       integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    next_try       timestamptz NOT NULL DEFAULT now(),
    made_by        text NOT NULL CHECK (made_by <> ''),
    made_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT einvoice_account_name_once UNIQUE (name),
    CONSTRAINT einvoice_account_blocked_has_reason CHECK ((blocked_at IS NULL) = (blocked_reason = ''))
);
COMMENT ON TABLE einvoice_account IS 'Through whom an issuer''s documents reach the tax authority. Documents dated from from_on on are queued as they are issued.';
COMMENT ON COLUMN einvoice_account.sealed_secret IS 'What it signs or logs in with, such as a private key; see radius_hooks/sealing.py.';
COMMENT ON COLUMN einvoice_account.failures IS 'Times in a row that nobody answered; the next question waits until next_try.';
CREATE UNIQUE INDEX einvoice_account_one_enabled ON einvoice_account (issuer_id) WHERE enabled;

CREATE TABLE einvoice_series (
    account_id  bigint NOT NULL REFERENCES einvoice_account,
    kind        document_kind NOT NULL,
    series      text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    last_number bigint NOT NULL DEFAULT 0 CHECK (last_number >= 0),
    range_from  bigint,
    range_to    bigint,
    valid_to    date,
    PRIMARY KEY (account_id, kind, series),
    CONSTRAINT einvoice_series_range CHECK (num_nonnulls(range_from, range_to) <> 1 AND range_from BETWEEN 1 AND range_to)
);
COMMENT ON TABLE einvoice_series IS 'The numbers that we count for an authority, where it has its own; within a range that it gave, if it gives one.';

CREATE TABLE einvoice (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id    bigint NOT NULL REFERENCES document,
    account_id     bigint NOT NULL REFERENCES einvoice_account,
    kind           document_kind NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    series         text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    number         bigint CHECK (number >= 1),
    external_key   text CHECK (external_key <> ''),
    payload        bytea,
    media_type     text,
    digest         bytea,
    state          einvoice_state NOT NULL DEFAULT 'draft',
    handover       einvoice_handover NOT NULL DEFAULT 'none',
    authority_key  text,
    authority_code text,
    expires        date,
    qr_text        text,
    problem        text NOT NULL DEFAULT '',
    contradiction  text NOT NULL DEFAULT '',
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    tries          integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    since          timestamptz NOT NULL DEFAULT now(),
    absent_at      timestamptz,
    next_try       timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT einvoice_document_once UNIQUE (document_id),
    CONSTRAINT einvoice_number_once UNIQUE (account_id, kind, series, number),
    CONSTRAINT einvoice_external_key_once UNIQUE (account_id, external_key),
    CONSTRAINT einvoice_prepared_is_whole CHECK (num_nulls(external_key, payload, media_type, digest) = CASE state WHEN 'draft' THEN 4 ELSE 0 END),
    CONSTRAINT einvoice_digest_is_the_payload_s CHECK (digest = sha256(payload)),
    CONSTRAINT einvoice_moving_is_looked_at CHECK (state NOT IN ('sending', 'unknown', 'pending', 'prepared', 'cancel_requested') OR next_try IS NOT NULL)
);
COMMENT ON TABLE einvoice IS 'One issued document on its way to the tax authority: the octets that are sent, under which number, and how far it is.';
COMMENT ON COLUMN einvoice.number IS 'Of its series; NULL until it is prepared, and where the authority numbers.';
COMMENT ON COLUMN einvoice.attempts IS 'Times that octets were sent.';
COMMENT ON COLUMN einvoice.tries IS 'Questions since the state began.';
COMMENT ON COLUMN einvoice.next_try IS 'When it is looked at next; NULL: when a person says so, or never.';
COMMENT ON COLUMN einvoice.contradiction IS 'What the authority said against what it had said: for a person.';
CREATE INDEX einvoice_due ON einvoice (account_id, next_try) WHERE next_try IS NOT NULL;
CREATE INDEX einvoice_of_series ON einvoice (account_id, kind, series, number) WHERE state IN ('prepared', 'sending', 'unknown', 'rejected_fixable', 'blocked');
CREATE INDEX einvoice_to_send ON einvoice (account_id, id) WHERE state IN ('draft', 'prepared');
CREATE INDEX einvoice_of_account ON einvoice (account_id, id);
CREATE INDEX einvoice_by_state ON einvoice (state, id);
CREATE INDEX einvoice_needs_a_person ON einvoice (state) WHERE state IN ('rejected_fixable', 'rejected_final', 'blocked') OR (state = 'draft' AND next_try IS NULL) OR contradiction <> '';
CREATE TRIGGER einvoice_sent_stays BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN (OLD.state NOT IN ('draft', 'prepared', 'rejected_fixable', 'blocked') AND (OLD.number, OLD.external_key, OLD.payload) IS DISTINCT FROM (NEW.number, NEW.external_key, NEW.payload))
    EXECUTE FUNCTION refuse_change('What may be with the authority stays as it was sent.');
CREATE TRIGGER einvoice_taken_stays BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN (OLD.state IN ('accepted', 'accepted_noted', 'cancel_requested', 'cancelled', 'cancel_refused') AND NEW.state NOT IN ('accepted', 'accepted_noted', 'cancel_requested', 'cancelled', 'cancel_refused'))
    EXECUTE FUNCTION refuse_change('What the authority took is issued: give a credit note, or cancel it.');
CREATE TRIGGER einvoice_is_of_its_document BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN ((OLD.document_id, OLD.account_id, OLD.kind, OLD.series) IS DISTINCT FROM (NEW.document_id, NEW.account_id, NEW.kind, NEW.series)) EXECUTE FUNCTION refuse_change('It is of one document and one account.');
CREATE TRIGGER einvoice_stays BEFORE DELETE ON einvoice FOR EACH ROW EXECUTE FUNCTION refuse_change('What was queued for an authority stays.');
CREATE TRIGGER einvoice_no_truncate BEFORE TRUNCATE ON einvoice FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was queued for an authority stays.');

CREATE TYPE einvoice_direction AS ENUM ('sent', 'received', 'noted');
COMMENT ON TYPE einvoice_direction IS 'What we said to the authority, what it said, what we or a person did with it.';
CREATE TABLE einvoice_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    einvoice_id bigint NOT NULL REFERENCES einvoice,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    direction   einvoice_direction NOT NULL,
    operation   text NOT NULL CHECK (operation <> ''),
    http_status smallint,
    code        text NOT NULL DEFAULT '',
    text        text NOT NULL DEFAULT '',
    raw         bytea NOT NULL DEFAULT '' CHECK (octet_length(raw) <= 65536)
);
COMMENT ON TABLE einvoice_event IS 'All that was said about an e-invoice, as it came, without secrets.';
CREATE INDEX einvoice_event_of ON einvoice_event (einvoice_id, id);
CREATE TRIGGER einvoice_event_append_only BEFORE UPDATE OR DELETE ON einvoice_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What was said stays said.');
CREATE TRIGGER einvoice_event_no_truncate BEFORE TRUNCATE ON einvoice_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was said stays said.');

CREATE TABLE einvoice_artifact (
    einvoice_id bigint NOT NULL REFERENCES einvoice,
    kind        text NOT NULL CHECK (kind <> ''),
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    content     bytea NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (einvoice_id, kind, digest)
);
COMMENT ON TABLE einvoice_artifact IS 'Files of an e-invoice: each payload that was sent, and what the authority gave back, such as the authorised XML.';

CREATE TABLE einvoice_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES einvoice_account,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    content     bytea NOT NULL CHECK (octet_length(content) <= 4194304),
    received_at timestamptz NOT NULL DEFAULT now(),
    done_at     timestamptz,
    verdict     text NOT NULL DEFAULT '',
    CONSTRAINT einvoice_message_once UNIQUE (account_id, digest),
    CONSTRAINT einvoice_message_done_has_verdict CHECK ((done_at IS NULL) = (verdict = ''))
);
COMMENT ON TABLE einvoice_message IS 'What an authority tells by itself, raw and once, before anybody reads it.';
CREATE INDEX einvoice_message_waiting ON einvoice_message (account_id, id) WHERE done_at IS NULL;

CREATE TABLE auth_ticket (
    account_id   bigint NOT NULL REFERENCES einvoice_account,
    service      text NOT NULL CHECK (service <> ''),
    sealed_token bytea NOT NULL CHECK (octet_length(sealed_token) > 32),
    expires      timestamptz NOT NULL,
    PRIMARY KEY (account_id, service)
);
COMMENT ON TABLE auth_ticket IS 'A login at an authority that lasts for hours; asking for another one meanwhile may be refused.';
GRANT SELECT ON einvoice_account, einvoice_series, einvoice, einvoice_event, einvoice_artifact, einvoice_message, auth_ticket TO corrente_worker;
GRANT SELECT ON einvoice_account, einvoice_series, einvoice, einvoice_event, einvoice_artifact TO corrente_web;
GRANT UPDATE (blocked_at, blocked_reason, failures, next_try) ON einvoice_account TO corrente_worker;
GRANT INSERT, UPDATE (last_number) ON einvoice_series TO corrente_worker;
GRANT INSERT ON einvoice, einvoice_event, einvoice_artifact, einvoice_message TO corrente_worker;
GRANT UPDATE (number, external_key, payload, media_type, digest, state, handover, authority_key, authority_code, expires, qr_text, problem, contradiction, attempts, tries, since, absent_at, next_try)
    ON einvoice TO corrente_worker;
GRANT UPDATE (done_at, verdict) ON einvoice_message TO corrente_worker;
GRANT INSERT, UPDATE, DELETE ON auth_ticket TO corrente_worker;

-- ---------------------------------------------------------------------------------------------------------------
-- Audit
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE audit_origin AS ENUM ('screen', 'interface', 'job', 'command');
COMMENT ON TYPE audit_origin IS 'Through what somebody acted: a page, a call of the interface, a scheduled job, the command line.';

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL CHECK (actor <> ''),
    action     text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    subject    text NOT NULL CHECK (subject <> ''),
    detail     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    origin     audit_origin DEFAULT nullif(current_setting('corrente.origin', true), '')::audit_origin,
    request_id text DEFAULT nullif(current_setting('corrente.request_id', true), '') CHECK (request_id ~ '^[!-~]{1,100}$'),
    CONSTRAINT audit_log_reveal_has_reason CHECK (action !~ 'reveal' OR coalesce(detail ->> 'reason', '') <> ''),
    CONSTRAINT audit_log_reason_where_required CHECK (origin IS NULL OR action !~ '\.(lift|exempt|whitelist|write_off|make_free|override_price)$' OR coalesce(detail ->> 'reason', '') <> '')
);
COMMENT ON COLUMN audit_log.action IS 'noun.verb, such as account.reveal_secret. Secrets that are shown, service given back or given for nothing by hand, debts that are let go and prices of one''s own need detail.reason.';
COMMENT ON COLUMN audit_log.at IS 'When the row was written, not when its transaction began: a day that is over gets no more rows but of transactions that have written into it.';
COMMENT ON COLUMN audit_log.origin IS 'From corrente.origin of the connection; NULL: somebody wrote into the database itself, or it was not recorded yet.';
COMMENT ON COLUMN audit_log.request_id IS 'The same on all rows of one call, command or run of a job; from corrente.request_id.';
COMMENT ON TABLE audit_log IS 'Who did what to what: revealing a secret, an import, a look-up of who had an address. Append-only.';
CREATE INDEX audit_log_subject ON audit_log (subject, at);
CREATE INDEX audit_log_by_day ON audit_log (at, id);
CREATE INDEX audit_log_by_actor ON audit_log (actor, at, id);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change('The audit log is append-only: write a new row.');
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('The audit log is append-only: write a new row.');

CREATE TABLE audit_seal (
    day       date PRIMARY KEY,
    rows      bigint NOT NULL,
    previous  bytea NOT NULL CHECK (octet_length(previous) = 32),
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
    marks     bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_seal_marks_each_row CHECK (octet_length(marks) = 8 * rows)
);
COMMENT ON TABLE audit_seal IS 'SHA-256 over the rows of a day (UTC) of the audit log in order, chained to the day before: a row that is changed, put in or taken out later shows. billing/audit_chain.py says which octets.';
COMMENT ON COLUMN audit_seal.marks IS 'The first 8 octets of each row''s own SHA-256, in order: they tell which row it is that differs.';
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal FOR EACH ROW EXECUTE FUNCTION refuse_change('A sealed day stays sealed.');
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('A sealed day stays sealed.');

CREATE FUNCTION audit_day_key(day date) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (1635083369::bigint << 32) | (day - date '2000-01-01')
$$;
COMMENT ON FUNCTION audit_day_key(date) IS 'The advisory lock of a day of the audit log: who writes into it shares it until it commits, who seals it has it alone.';

CREATE FUNCTION refuse_sealed_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days date[] := ARRAY(SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM new_rows ORDER BY 1);
BEGIN
    -- The lock first: a day that is being sealed is sealed once we have it, and the next statement sees that.
    PERFORM pg_advisory_xact_lock_shared(audit_day_key(day)) FROM unnest(days) AS day;
    IF EXISTS (SELECT FROM audit_seal WHERE day >= days[1]) THEN
        RAISE EXCEPTION 'audit log: the % is sealed', days[1]
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Leave `at` to the database. If its clock went back, wait until it is beyond the last sealed day.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_sealed_day() IS 'No row comes into a day that is sealed, however long ago its transaction began.';
CREATE TRIGGER audit_log_day_is_open AFTER INSERT ON audit_log REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_sealed_day();

CREATE FUNCTION refuse_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last    audit_seal;
    written bigint;
    begins  timestamptz := (to_char(NEW.day, 'YYYY-MM-DD') || ' 00:00+00')::timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(audit_day_key(NEW.day));
    SELECT * INTO last FROM audit_seal ORDER BY day DESC LIMIT 1;
    SELECT count(*) INTO written FROM audit_log WHERE at >= begins AND at < begins + interval '24 hours';
    IF NEW.day >= (clock_timestamp() AT TIME ZONE 'UTC')::date OR NEW.day <> last.day + 1 OR NEW.previous <> coalesce(last.digest, decode(repeat('00', 32), 'hex')) OR NEW.rows <> written
            OR (last.day IS NULL AND EXISTS (SELECT FROM audit_log WHERE at < begins)) THEN
        RAISE EXCEPTION 'audit log: the % with % rows can''t be sealed after the %', NEW.day, NEW.rows, last.day
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Each day once it is over, in order, with all its rows, chained to the day before.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_seal() IS 'Days are sealed in order, each with all its rows, when it is over and no transaction that wrote into it is open.';
CREATE TRIGGER audit_seal_follows BEFORE INSERT ON audit_seal FOR EACH ROW EXECUTE FUNCTION refuse_seal();

-- ---------------------------------------------------------------------------------------------------------------
-- Staff: who may come into the console, and what they may do there
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE staff (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL CHECK (name ~ '^[A-Za-z0-9._@-]{1,64}$'),
    full_name            text NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200 AND full_name !~ '[[:cntrl:]]'),
    email                text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(email) <= 254),
    language             spoken_language,
    theme                text NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    password_hash        text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    password_changed_at  timestamptz NOT NULL,
    must_change_password boolean NOT NULL DEFAULT true,
    sealed_totp          bytea CHECK (octet_length(sealed_totp) > 32),
    totp_since           timestamptz,
    totp_last_step       bigint,
    enabled              boolean NOT NULL DEFAULT true,
    collector_id         bigint REFERENCES collector,
    agent_id             bigint REFERENCES agent,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT staff_totp_is_whole CHECK ((sealed_totp IS NULL) = (totp_since IS NULL) AND (totp_last_step IS NULL OR sealed_totp IS NOT NULL)),
    CONSTRAINT staff_is_collector_or_agent CHECK (collector_id IS NULL OR agent_id IS NULL)
);
COMMENT ON TABLE staff IS 'The operator''s people. Who left is disabled and stays: the audit log calls them by their name.';
COMMENT ON COLUMN staff.name IS 'What they sign in with, in any case of letters; what the audit log calls them.';
COMMENT ON COLUMN staff.language IS 'NULL: what the browser asks for.';
COMMENT ON COLUMN staff.password_hash IS 'Argon2id; of a one-time password, too.';
COMMENT ON COLUMN staff.must_change_password IS 'Until then nothing else is permitted.';
COMMENT ON COLUMN staff.totp_last_step IS 'The newest step whose code was taken: it and older ones are not taken again.';
COMMENT ON COLUMN staff.collector_id IS 'Sees only what is this collector''s.';
COMMENT ON COLUMN staff.agent_id IS 'Sees only what is this agent''s.';
CREATE UNIQUE INDEX staff_name_once ON staff (lower(name));
CREATE UNIQUE INDEX staff_email_once ON staff (lower(email));

CREATE TABLE staff_role (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name ~ '^[[:alnum:]._-]([[:alnum:] ._-]{0,62}[[:alnum:]._-])?$'),
    permissions text[] NOT NULL DEFAULT '{}',
    needs_second_factor boolean NOT NULL DEFAULT false,
    CONSTRAINT staff_role_name_once UNIQUE (name),
    CONSTRAINT staff_role_permissions_are_section_and_deed CHECK (every_item_matches(permissions, '^[a-z_]+\.[a-z_]+$'))
);
COMMENT ON TABLE staff_role IS 'A set of permissions under a name. What no role grants is refused.';
COMMENT ON COLUMN staff_role.permissions IS 'section.deed, as control_plane/access/permissions.py has them; one that this release does not know grants nothing.';
COMMENT ON COLUMN staff_role.needs_second_factor IS 'Who has it and no second factor may do nothing in the console but make one. Tokens go on.';

CREATE TABLE staff_has_role (
    staff_id bigint NOT NULL REFERENCES staff,
    role_id  bigint NOT NULL REFERENCES staff_role,
    PRIMARY KEY (staff_id, role_id)
);
COMMENT ON TABLE staff_has_role IS 'Who has which roles; their permissions add up.';
CREATE INDEX staff_has_role_by_role ON staff_has_role (role_id);

CREATE TABLE staff_session (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id         bigint NOT NULL REFERENCES staff,
    digest           bytea NOT NULL CHECK (octet_length(digest) = 32),
    csrf_secret      bytea NOT NULL CHECK (octet_length(csrf_secret) = 32),
    created_at       timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    address          inet,
    browser          text NOT NULL DEFAULT '' CHECK (length(browser) <= 400),
    complete         boolean NOT NULL,
    second_factor_at timestamptz,
    ended_at         timestamptz,
    ended_why        text CHECK (ended_why IN ('signed_out', 'revoked', 'password', 'disabled', 'second_factor', 'used', 'too_long')),
    CONSTRAINT staff_session_digest_once UNIQUE (digest),
    CONSTRAINT staff_session_ends_after_it_began CHECK (ends_at > created_at),
    CONSTRAINT staff_session_ended_has_reason CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
COMMENT ON TABLE staff_session IS 'Sessions of the console. Of the token that the browser has only the SHA-256 is kept.';
COMMENT ON COLUMN staff_session.last_seen_at IS 'Written at most once a minute.';
COMMENT ON COLUMN staff_session.ends_at IS 'The latest end, however much it is used.';
COMMENT ON COLUMN staff_session.complete IS 'False: the password was right and the second factor is waited for; opens no page.';
CREATE INDEX staff_session_by_staff ON staff_session (staff_id, created_at);
CREATE INDEX staff_session_by_end ON staff_session (ends_at);

CREATE TABLE staff_session_length (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    idle_minutes integer NOT NULL CHECK (idle_minutes BETWEEN 5 AND 1440),
    most_hours   integer NOT NULL CHECK (most_hours BETWEEN 1 AND 720),
    CONSTRAINT staff_session_length_idle_ends_first CHECK (idle_minutes <= most_hours * 60)
);
COMMENT ON TABLE staff_session_length IS 'How long sessions of the console last, where somebody has set it: the one row. Without it 8 hours without a click, 7 days in any case.';

CREATE TABLE staff_passkey (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id      bigint NOT NULL REFERENCES staff,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    credential_id bytea NOT NULL CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 4096),
    sign_count    bigint NOT NULL CHECK (sign_count >= 0),
    transports    text[] NOT NULL DEFAULT '{}' CHECK (every_item_matches(transports, '^[a-z-]{1,30}$')),
    added_at      timestamptz NOT NULL,
    last_used_at  timestamptz,
    CONSTRAINT staff_passkey_credential_once UNIQUE (credential_id),
    CONSTRAINT staff_passkey_name_once UNIQUE (staff_id, name)
);
COMMENT ON TABLE staff_passkey IS 'Public keys of devices and password managers that sign their holder in.';
COMMENT ON COLUMN staff_passkey.sign_count IS 'As the authenticator last said; one that does not count says 0. A smaller one is a copy''s and refused.';

CREATE TABLE passkey_challenge (
    digest    bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    challenge bytea NOT NULL CHECK (octet_length(challenge) >= 16),
    staff_id  bigint REFERENCES staff,
    ends_at   timestamptz NOT NULL
);
COMMENT ON TABLE passkey_challenge IS 'What a passkey is asked to sign, once: who answers takes the row away.';
COMMENT ON COLUMN passkey_challenge.staff_id IS 'Who adds a passkey, or shows one as a second factor; NULL: who signs in is not known yet.';
CREATE INDEX passkey_challenge_by_end ON passkey_challenge (ends_at);

CREATE TABLE staff_recovery_code (
    staff_id bigint NOT NULL REFERENCES staff,
    digest   bytea NOT NULL CHECK (octet_length(digest) = 32),
    used_at  timestamptz,
    PRIMARY KEY (staff_id, digest)
);
COMMENT ON TABLE staff_recovery_code IS 'Each stands in for the second factor once; shown when made, kept as SHA-256.';

CREATE TYPE sign_in_outcome AS ENUM ('in', 'wrong_password', 'wrong_code', 'unlocked');
COMMENT ON TYPE sign_in_outcome IS 'How a sign-in ended: wrong_password stands for an unknown or disabled name, too; unlocked is a person who let the name try again.';

CREATE TABLE sign_in_attempt (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    name_key bytea NOT NULL CHECK (octet_length(name_key) = 8),
    staff_id bigint REFERENCES staff,
    address  inet,
    outcome  sign_in_outcome NOT NULL
);
COMMENT ON TABLE sign_in_attempt IS 'Who tried to sign in: by name and by address it says how long the next try waits.';
COMMENT ON COLUMN sign_in_attempt.name_key IS 'The beginning of the SHA-256 of the name: people type their password there.';
COMMENT ON COLUMN sign_in_attempt.address IS 'In IPv6 the /64: one line has all of it.';
CREATE INDEX sign_in_attempt_by_name ON sign_in_attempt (name_key, at);
CREATE INDEX sign_in_attempt_by_address ON sign_in_attempt (address, at);
CREATE INDEX sign_in_attempt_by_time ON sign_in_attempt (at);

CREATE TABLE portal_access (
    customer_id   bigint PRIMARY KEY REFERENCES customer ON DELETE CASCADE,
    email         text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    blocked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    came_in_at    timestamptz
);
COMMENT ON TABLE portal_access IS 'Customers who have come into the portal, or are kept out of it. The first time by a link to an address of theirs or in a letter; without a password each time.';
COMMENT ON COLUMN portal_access.email IS 'Where the last link went that let them in: what they sign in with. NULL: by their number.';
COMMENT ON COLUMN portal_access.blocked_at IS 'Since when the office keeps them out.';
COMMENT ON COLUMN portal_access.came_in_at IS 'The first time; NULL: never.';
CREATE INDEX portal_access_by_email ON portal_access (lower(email));

CREATE TABLE portal_link (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    email       text,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    asked_at    timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT portal_link_digest_once UNIQUE (digest),
    CONSTRAINT portal_link_ends CHECK (ends_at > asked_at)
);
COMMENT ON TABLE portal_link IS 'Links that let a customer into the portal once. Their SHA-256 is kept.';
COMMENT ON COLUMN portal_link.email IS 'Where it was mailed to; NULL: it stands in a letter.';
CREATE INDEX portal_link_by_end ON portal_link (ends_at);
CREATE INDEX portal_link_by_customer ON portal_link (customer_id);

CREATE TABLE portal_session (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    csrf_secret  bytea NOT NULL CHECK (octet_length(csrf_secret) = 32),
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    CONSTRAINT portal_session_digest_once UNIQUE (digest),
    CONSTRAINT portal_session_ends_after_it_began CHECK (ends_at > created_at)
);
COMMENT ON TABLE portal_session IS 'Sessions of customers in the portal. Of the token that the browser has only the SHA-256 is kept.';
CREATE INDEX portal_session_by_customer ON portal_session (customer_id, created_at);
CREATE INDEX portal_session_by_end ON portal_session (ends_at);

CREATE TABLE plan_request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract ON DELETE CASCADE,
    plan_id     bigint NOT NULL REFERENCES plan,
    note        text CHECK (length(note) BETWEEN 1 AND 1000),
    asked_at    timestamptz NOT NULL DEFAULT now(),
    asked_by    text NOT NULL CHECK (asked_by <> ''),
    answered_at timestamptz,
    answered_by text CHECK (answered_by <> ''),
    accepted    boolean,
    answer      text CHECK (length(answer) BETWEEN 1 AND 1000),
    CONSTRAINT plan_request_answered_whole CHECK (num_nulls(answered_at, answered_by, accepted) IN (0, 3))
);
COMMENT ON TABLE plan_request IS 'A customer asks for another plan. Nothing changes by it: staff change the contract, and say here that they have, or why not.';
CREATE UNIQUE INDEX plan_request_one_open ON plan_request (contract_id) WHERE answered_at IS NULL;
CREATE INDEX plan_request_open ON plan_request (id) WHERE answered_at IS NULL;

CREATE TABLE garden_reminder (
    contract_id bigint PRIMARY KEY REFERENCES contract ON DELETE CASCADE,
    later_until timestamptz NOT NULL
);
COMMENT ON TABLE garden_reminder IS 'Lines that were reminded of a debt before anything was limited and want to be reminded later.';

CREATE TABLE rate_window (
    what     text NOT NULL CHECK (what ~ '^[a-z_]{1,40}$'),
    key      bytea NOT NULL CHECK (octet_length(key) = 32),
    begins   timestamptz NOT NULL,
    count    integer NOT NULL CHECK (count > 0),
    PRIMARY KEY (what, key)
);
COMMENT ON TABLE rate_window IS 'How often somebody did something since its window began; key is a SHA-256 of who.';
CREATE INDEX rate_window_by_begin ON rate_window (begins);

CREATE TABLE password_reset (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id bigint NOT NULL REFERENCES staff,
    digest   bytea CHECK (octet_length(digest) = 32),
    address  inet,
    asked_at timestamptz NOT NULL,
    sent_at  timestamptz,
    ends_at  timestamptz NOT NULL,
    used_at  timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL,
    problem  text NOT NULL DEFAULT '',
    CONSTRAINT password_reset_digest_once UNIQUE (digest),
    CONSTRAINT password_reset_ends CHECK (ends_at > asked_at),
    CONSTRAINT password_reset_used_was_sent CHECK (used_at IS NULL OR digest IS NOT NULL)
);
COMMENT ON TABLE password_reset IS 'Asked for, mailed by a worker, used once. The link''s token is made when it is mailed; its SHA-256 is kept.';
CREATE INDEX password_reset_by_staff ON password_reset (staff_id, asked_at);
CREATE INDEX password_reset_to_send ON password_reset (next_at) WHERE sent_at IS NULL AND used_at IS NULL;

CREATE TABLE api_token (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id     bigint NOT NULL REFERENCES staff,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    prefix       text NOT NULL CHECK (length(prefix) BETWEEN 4 AND 20),
    permissions  text[] NOT NULL,
    made_by      text NOT NULL CHECK (made_by <> ''),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT api_token_digest_once UNIQUE (digest),
    CONSTRAINT api_token_permissions_are_section_and_deed CHECK (every_item_matches(permissions, '^[a-z_]+\.[a-z_]+$')),
    CONSTRAINT api_token_expires_after_it_was_made CHECK (expires_at > created_at)
);
COMMENT ON TABLE api_token IS 'What a program shows instead of a session. Kept as SHA-256; it is shown when made and never again.';
COMMENT ON COLUMN api_token.prefix IS 'Its first characters, by which a person tells it from others.';
COMMENT ON COLUMN api_token.permissions IS 'No more than these, and no more than its holder has.';
CREATE INDEX api_token_by_staff ON api_token (staff_id);
CREATE UNIQUE INDEX api_token_name_once ON api_token (staff_id, name) WHERE revoked_at IS NULL;

CREATE TABLE saved_view (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id   bigint NOT NULL REFERENCES staff,
    page       text NOT NULL CHECK (page ~ '^[a-z0-9_.]{1,100}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    query      text NOT NULL CHECK (length(query) <= 2000),
    is_default boolean NOT NULL DEFAULT false,
    CONSTRAINT saved_view_name_once UNIQUE (staff_id, page, name)
);
COMMENT ON TABLE saved_view IS 'How somebody likes to see a list: filters, columns and order, as the address of the page has them.';
CREATE UNIQUE INDEX saved_view_one_default ON saved_view (staff_id, page) WHERE is_default;

-- ---------------------------------------------------------------------------------------------------------------
-- Figures of the network, counted by a job so that a look costs the same however many subscribers there are
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE online_minute (
    at          timestamptz PRIMARY KEY CHECK (extract(epoch FROM at) % 60 = 0),
    subscribers integer NOT NULL CHECK (subscribers >= 0),
    sessions    integer NOT NULL CHECK (sessions >= 0),
    stale       integer NOT NULL CHECK (stale >= 0)
);
COMMENT ON TABLE online_minute IS 'How many were online, counted once a minute by a job. Stale sessions count for themselves alone. A minute without a row: no worker ran.';

CREATE TABLE login_minute (
    at       timestamptz NOT NULL CHECK (extract(epoch FROM at) % 60 = 0),
    outcome  text NOT NULL CHECK (outcome IN ('accept', 'reject')),
    reason   text NOT NULL CHECK (reason <> ''),
    attempts integer NOT NULL CHECK (attempts > 0),
    PRIMARY KEY (at, outcome, reason)
);
COMMENT ON TABLE login_minute IS 'Logins by minute, answer and reason, from login_attempt; the last hour is counted anew each minute, for attempts come late.';

CREATE TABLE nas_word (
    nas_id     bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    sessions   integer NOT NULL CHECK (sessions >= 0),
    heard_at   timestamptz,
    counted_at timestamptz NOT NULL
);
COMMENT ON TABLE nas_word IS 'How many sessions each NAS has, and when its accounting was last received, counted once a minute.';
COMMENT ON COLUMN nas_word.heard_at IS 'Stays when its sessions are gone. NULL: nothing was ever heard.';

CREATE TABLE drift_sweep (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at        timestamptz NOT NULL,
    sessions  integer NOT NULL CHECK (sessions >= 0),
    by_reason jsonb NOT NULL CHECK (jsonb_typeof(by_reason) = 'object')
);
COMMENT ON TABLE drift_sweep IS 'How many sessions the last look at all of them found in drift, in all and by reason.';

-- ---------------------------------------------------------------------------------------------------------------
-- Scheduled jobs of the workers
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE scheduled_job (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z_]{1,64}$'),
    next_at    timestamptz NOT NULL DEFAULT now(),
    done_at    timestamptz,
    took_s     double precision CHECK (took_s >= 0),
    result     text NOT NULL DEFAULT '',
    failed_at  timestamptz,
    problem    text NOT NULL DEFAULT '',
    started_at timestamptz,
    deadline_s double precision CHECK (deadline_s > 0),
    CONSTRAINT scheduled_job_failure_says_why CHECK ((failed_at IS NULL) = (problem = ''))
);
COMMENT ON COLUMN scheduled_job.started_at IS 'When the run that has not ended began; older than deadline_s is a job that hangs, or a worker that died with no other to go on.';
COMMENT ON COLUMN scheduled_job.deadline_s IS 'What the job may take; a statement of it that runs longer is cancelled.';
COMMENT ON TABLE scheduled_job IS 'One row a job of the leading worker: when it is due and how its last run went. failed_at is emptied by the next success.';

CREATE TABLE scheduler_lease (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    holder   text NOT NULL DEFAULT '',
    token    bigint NOT NULL DEFAULT 0,
    since    timestamptz NOT NULL DEFAULT 'epoch',
    until    timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON TABLE scheduler_lease IS 'Which worker leads: it alone runs the scheduled jobs and decides what the network should be. Over when until has passed by the clock of the database; then any worker may take it.';
COMMENT ON COLUMN scheduler_lease.holder IS 'Host, process and a random number of a worker''s start; a worker that starts anew is another.';
COMMENT ON COLUMN scheduler_lease.token IS 'Grows with each change of leader. A leader''s transaction compares it with scheduler_fence before it commits, so that one that was stopped for a while writes nothing after its successor came.';
INSERT INTO scheduler_lease DEFAULT VALUES;

CREATE TABLE scheduler_fence (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    token    bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE scheduler_fence IS 'The token of the lease, in a row that changes with the leader alone: its transactions lock it before they commit, and a renewal of the lease neither waits for them nor breaks a REPEATABLE READ one.';
INSERT INTO scheduler_fence DEFAULT VALUES;

CREATE FUNCTION refuse_lease_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.token > OLD.token OR (NEW.token = OLD.token AND NEW.holder = OLD.holder) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the lease of % has token %: another holder needs a greater one', OLD.holder, OLD.token
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_lease_token() IS 'The lease changes hands only with a greater token.';
CREATE TRIGGER scheduler_lease_token_grows BEFORE UPDATE ON scheduler_lease FOR EACH ROW EXECUTE FUNCTION refuse_lease_token();

-- ---------------------------------------------------------------------------------------------------------------
-- Partitions: made ahead and dropped by age, never deleted from
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION make_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first  date := date_trunc('month', month)::date;
    after  date := (date_trunc('month', month) + interval '1 month')::date;
    parent record;
    part   text;
BEGIN
    -- Instants are cut at UTC months, dates at civil ones.
    FOR parent IN SELECT c.relname AS name, a.atttypid = 'timestamptz'::regtype AS instant FROM pg_partitioned_table p
        JOIN pg_class c ON c.oid = p.partrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
        WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname LOOP
        part := parent.name || to_char(first, '_YYYYMM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- Two that make the same month wait for each other; readers and writers of the table do not wait for either,
        -- as they would for CREATE TABLE … PARTITION OF.
        EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', parent.name);
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent.name);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent.name, part,
            first::text || CASE WHEN parent.instant THEN ' 00:00:00+00' ELSE '' END,
            after::text || CASE WHEN parent.instant THEN ' 00:00:00+00' ELSE '' END);
    END LOOP;
END
$$;
COMMENT ON FUNCTION make_month(date) IS 'Partitions of all partitioned tables for the month of that date; harmless when they are there.';

CREATE FUNCTION drop_months(parent text, before date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(parent)) THEN
        RAISE EXCEPTION '% is not a table with a partition a month', parent USING ERRCODE = 'undefined_table';
    END IF;
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname ~ ('^' || parent || '_[0-9]{6}$')
            AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= before ORDER BY c.relname LOOP
        EXECUTE format('DROP TABLE %I', part);
        RETURN NEXT part;
    END LOOP;
END
$$;
COMMENT ON FUNCTION drop_months(text, date) IS 'Drops the partitions of a table whose whole month lies before that date; returns their names. Give it a lock_timeout: it waits for who reads the table.';
REVOKE EXECUTE ON FUNCTION make_month(date), drop_months(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_month(date) TO corrente_edge, corrente_worker;
GRANT EXECUTE ON FUNCTION drop_months(text, date) TO corrente_worker;

-- ---------------------------------------------------------------------------------------------------------------
-- Grants. The edge writes sessions and usage and no contract. Who had an address is read by corrente_lookup alone, besides
-- the edge and the worker that write it.
-- ---------------------------------------------------------------------------------------------------------------
GRANT SELECT ON nas, site, profile, plan, contract, restriction, relief, subscriber_account, account_prefix, change_feed, change_horizon, schema_migration TO corrente_edge, corrente_worker, corrente_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON session, closed_session, usage_hour, usage_day, spool_position, spool_node TO corrente_edge;
GRANT SELECT, INSERT ON address_history, login_attempt, unreadable_record, change_feed TO corrente_edge;
-- A holding of no length grows when its session speaks again.
GRANT UPDATE (valid_to) ON address_history TO corrente_edge, corrente_worker;
-- An edge takes a name that nobody has, and never another's.
GRANT SELECT, INSERT ON node_holder TO corrente_edge;
-- To change sessions is to hold their NAS first, and a row lock needs the right to update something.
GRANT UPDATE (booted_at) ON nas TO corrente_edge, corrente_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON session, closed_session, usage_hour, usage_day, change_feed, change_horizon, spool_position, spool_node TO corrente_worker;
GRANT SELECT, INSERT ON address_history, login_attempt TO corrente_worker;
GRANT SELECT ON audit_log TO corrente_worker;
-- Not its time: a row of the past or of the year 1 would stand among what nobody has sealed yet.
GRANT INSERT (actor, action, subject, detail, origin, request_id) ON audit_log TO corrente_web, corrente_worker, corrente_lookup;
GRANT SELECT, DELETE ON unreadable_record TO corrente_worker;
GRANT SELECT, INSERT, UPDATE ON customer, contract, restriction, relief, subscriber_account TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON account_prefix TO corrente_worker, corrente_web;
GRANT SELECT ON session, closed_session, usage_hour, usage_day, login_attempt, customer TO corrente_web;
GRANT SELECT ON address_history, schema_migration TO corrente_lookup;
GRANT SELECT (id, name, source, identifier, vendor, site_id, enabled) ON nas TO corrente_lookup;
GRANT SELECT (session_key, nas_id, acct_session_id, username, account_id, class_key, started_at, updated_at, received_at, framed_ipv4, framed_ipv6_address,
    framed_ipv6_prefix, delegated_ipv6_prefix, nat_address, nat_first_port, nat_last_port, addresses_since, mac, line, stale) ON session TO corrente_lookup;
GRANT SELECT, INSERT, UPDATE ON scheduled_job TO corrente_worker;
GRANT SELECT ON scheduled_job TO corrente_web;
GRANT SELECT, UPDATE ON scheduler_lease, scheduler_fence TO corrente_worker;
GRANT SELECT ON scheduler_lease TO corrente_web;
-- The guard and its history. Only a person, as the owner, stops, exempts and releases; the worker counts.
GRANT SELECT ON guard_state, guard_release, guard_pass, guard_exemption, network_stop, nas_maintenance, automation_run, row_history TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON guard_pass TO corrente_worker;
GRANT UPDATE ON guard_state TO corrente_worker;
GRANT INSERT, UPDATE ON automation_run TO corrente_worker;
-- A secret is sealed for its row's number, so that number is taken before the row is written.
GRANT USAGE ON SEQUENCE subscriber_account_id_seq TO corrente_worker, corrente_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON enforcement, nas_silence TO corrente_worker;
GRANT SELECT, INSERT ON enforcement_packet TO corrente_worker;
GRANT SELECT ON enforcement, enforcement_packet, nas_silence TO corrente_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON device_reading, device_session, feed_position TO corrente_worker;
GRANT SELECT ON device_reading, device_session TO corrente_web;
GRANT SELECT ON plan_window, plan_change TO corrente_edge, corrente_worker, corrente_web;
GRANT SELECT ON quota_step, data_topup, quota_usage, quota_event, profile_revision, desired_policy TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON plan_change TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE (until) ON data_topup TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON quota_usage, profile_revision, desired_policy TO corrente_worker;
GRANT INSERT ON quota_event TO corrente_worker;
GRANT INSERT ON late_usage TO corrente_edge, corrente_worker;
GRANT SELECT, DELETE ON late_usage TO corrente_worker;
GRANT SELECT, INSERT, UPDATE (content) ON known_revision TO corrente_worker;
GRANT SELECT ON known_revision TO corrente_web;
GRANT SELECT, INSERT, UPDATE ON nas_clock TO corrente_edge;
GRANT SELECT ON nas_clock TO corrente_worker, corrente_web;
GRANT SELECT ON spool_node TO corrente_web;
GRANT SELECT ON issuer, tax_identifier, address, contact, consent, note, attachment TO corrente_worker, corrente_web;
GRANT SELECT ON customer_words TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON tax_identifier, address, contact TO corrente_web;
GRANT INSERT, DELETE ON attachment TO corrente_web;
GRANT INSERT ON consent, note TO corrente_worker, corrente_web;
GRANT SELECT ON tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax, exemption, product, product_text, price, early_exit_cost, pause_fee, promotion TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON product, product_text, price, early_exit_cost, pause_fee, promotion, exemption TO corrente_web;
GRANT DELETE ON early_exit_cost, pause_fee TO corrente_web;
GRANT SELECT, INSERT ON contract_event TO corrente_worker, corrente_web;
GRANT SELECT ON contract_terms, contract_item, instalment, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON contract_terms, contract_item, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON instalment TO corrente_worker, corrente_web;
GRANT DELETE ON billing_stop TO corrente_worker, corrente_web;
GRANT DELETE ON discount TO corrente_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON open_document TO corrente_worker, corrente_web;
GRANT SELECT, INSERT ON turnover TO corrente_worker, corrente_web;
GRANT SELECT ON ledger_account, fiscal_period, entry, posting, customer_balance, billing_run, billing_error, document_register, register_year, document, document_line, document_tax, document_due,
    credited_line, charge, billing_position, product_account TO corrente_worker, corrente_web;
GRANT INSERT ON entry, posting, billing_error, document_line, document_tax, document_due, charge, register_year TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON billing_run, document, billing_position, customer_balance, credited_line TO corrente_worker, corrente_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON document_to_come TO corrente_worker, corrente_web;
GRANT UPDATE (document_id, line_number, covered, run_id) ON charge TO corrente_worker, corrente_web;
GRANT UPDATE, DELETE ON billing_error TO corrente_worker, corrente_web;
GRANT UPDATE (last_number, last_date) ON register_year TO corrente_worker, corrente_web;
GRANT DELETE ON document, document_line, document_tax, document_due TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON ledger_account, document_register, product_account TO corrente_web;
GRANT DELETE ON product_account TO corrente_web;
-- Lines and postings name documents and entries that are copied with them.
GRANT USAGE ON SEQUENCE document_id_seq, entry_id_seq, charge_id_seq TO corrente_worker, corrente_web;
GRANT SELECT ON payment_method, payment, payment_match, payment_reversal, refund, write_off, write_off_undo, allocation, open_payment TO corrente_worker, corrente_web;
GRANT INSERT ON payment, payment_match, payment_reversal, refund, write_off, write_off_undo, allocation TO corrente_worker, corrente_web;
-- To hold a payment while it is allocated; its trigger refuses every change.
GRANT UPDATE (made_at) ON payment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON open_payment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON payment_method TO corrente_web;
GRANT USAGE ON SEQUENCE payment_id_seq, payment_match_id_seq, refund_id_seq, write_off_id_seq TO corrente_worker, corrente_web;
GRANT SELECT ON bank_account, bank_file, bank_line TO corrente_worker, corrente_web;
GRANT INSERT ON bank_file, bank_line TO corrente_worker, corrente_web;
GRANT UPDATE (state, payment_id, score, reason, decided_by, decided_at) ON bank_line TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON bank_account TO corrente_web;
GRANT INSERT ON fiscal_period TO corrente_web;
GRANT SELECT ON dunning_case, dunning_case_step, outbox, contract_version TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_case, dunning_case_step, outbox TO corrente_worker, corrente_web;
GRANT UPDATE (cleared_at) ON dunning_case TO corrente_worker, corrente_web;
GRANT SELECT ON dunning_policy, dunning_policy_version, dunning_exclusion, dunning_dispute, instalment_plan, instalment_plan_part, instalment_plan_document, formal_notice, dunning_confirmation, dunning_reminder,
    promise, promise_relief, dunning_look, dunning_pass TO corrente_worker, corrente_web;
GRANT INSERT ON formal_notice, dunning_reminder, dunning_confirmation, promise, promise_relief, instalment_plan, instalment_plan_part, instalment_plan_document, dunning_dispute TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_policy, dunning_policy_version, dunning_exclusion TO corrente_web;
GRANT UPDATE (delivered_at, delivered_by, proof_id) ON formal_notice TO corrente_worker, corrente_web;
GRANT SELECT ON dunning_letter TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_letter TO corrente_worker;
GRANT UPDATE (state, ended_at, respite_until, proof_id, reviewed, reviewed_by, reviewed_at) ON promise TO corrente_worker, corrente_web;
GRANT UPDATE (ended_on, ended_by, end_reason) ON instalment_plan TO corrente_worker, corrente_web;
GRANT UPDATE (closed_at, closed_by, outcome) ON dunning_dispute TO corrente_web, corrente_worker;
GRANT UPDATE (ended_at, ended_by, end_reason) ON dunning_exclusion TO corrente_web;
GRANT INSERT, UPDATE, DELETE ON dunning_look TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON dunning_pass TO corrente_worker;
GRANT INSERT, UPDATE ON contract_version TO corrente_worker, corrente_web;
GRANT UPDATE (attempts, next_at, problem, sent_at), DELETE ON outbox TO corrente_worker;
GRANT SELECT, INSERT, UPDATE (status, answer) ON idempotency_key TO corrente_web;
GRANT SELECT, DELETE ON idempotency_key TO corrente_worker;
GRANT SELECT ON message, message_event, message_batch, undeliverable_address, message_template TO corrente_worker, corrente_web;
GRANT INSERT ON message, message_event, message_batch TO corrente_worker, corrente_web;
GRANT UPDATE (state, next_at, attempts, taken_until, handed_at, ended_at, problem, contact_id, address, template_version, reference, written_at, subject, body, html), DELETE ON message TO corrente_worker;
GRANT UPDATE (state, next_at, ended_at, problem) ON message TO corrente_web;
GRANT UPDATE (cancelled_at, cancelled_by) ON message_batch TO corrente_web;
GRANT INSERT, UPDATE, DELETE ON undeliverable_address TO corrente_worker, corrente_web;
GRANT INSERT ON message_template TO corrente_web;
-- Who writes into the audit log is asked whether the day is open.
GRANT SELECT ON audit_seal TO corrente_worker, corrente_web, corrente_lookup;
GRANT INSERT ON audit_seal TO corrente_worker;

-- The console does what staff do by hand, so it may what its pages' permissions stand for: all that the worker, the public pages and
-- the look-up may, and what only people set up. What is append-only or issued the triggers above hold against it, too.
DO $$
BEGIN
    GRANT corrente_web, corrente_worker, corrente_lookup TO corrente_console;
EXCEPTION WHEN insufficient_privilege THEN
    -- Where the owner may not make roles, an administrator has made this one, and has to have granted it the others.
    IF NOT (pg_has_role('corrente_console', 'corrente_web', 'USAGE') AND pg_has_role('corrente_console', 'corrente_worker', 'USAGE')
            AND pg_has_role('corrente_console', 'corrente_lookup', 'USAGE')) THEN
        RAISE EXCEPTION 'role corrente_console may not do its work' USING ERRCODE = 'insufficient_privilege',
            HINT = 'As an administrator of the database: GRANT corrente_web, corrente_worker, corrente_lookup TO corrente_console';
    END IF;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON site, nas, profile, plan, plan_window, quota_step, tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax,
    customer_words, guard_exemption, network_stop, nas_maintenance TO corrente_console;
GRANT SELECT, INSERT, UPDATE ON issuer, guard_release TO corrente_console;
GRANT SELECT, INSERT ON gateway_account, webhook_endpoint, einvoice_account TO corrente_console;
GRANT SELECT ON node_holder TO corrente_console;
GRANT SELECT, INSERT, UPDATE ON staff_role, staff_session, staff_recovery_code, password_reset, rate_window TO corrente_console;
GRANT SELECT, INSERT ON staff, api_token TO corrente_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON staff_passkey, saved_view TO corrente_console;
GRANT SELECT, INSERT, DELETE ON staff_has_role, passkey_challenge TO corrente_console;
GRANT DELETE ON staff_role, staff_recovery_code TO corrente_console;
GRANT SELECT, INSERT ON sign_in_attempt TO corrente_console;
-- The worker mails what a password is set anew with, and takes away what is over.
GRANT SELECT (id, name, full_name, email, language, enabled) ON staff TO corrente_worker;
GRANT SELECT, UPDATE (digest, sent_at, attempts, next_at, problem, ends_at), DELETE ON password_reset TO corrente_worker;
GRANT SELECT (id, ends_at), DELETE ON staff_session TO corrente_worker;
GRANT SELECT (at), DELETE ON sign_in_attempt TO corrente_worker;
GRANT SELECT (begins), DELETE ON rate_window TO corrente_worker;
GRANT SELECT (ends_at), DELETE ON passkey_challenge TO corrente_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON online_minute, login_minute, nas_word, drift_sweep TO corrente_worker;
-- Pages of collectors.
GRANT SELECT, INSERT, UPDATE ON cash_offer TO corrente_console;
-- A secret is sealed for its row's number, so that number is taken before the row is written.
GRANT USAGE ON SEQUENCE webhook_endpoint_id_seq, gateway_account_id_seq, einvoice_account_id_seq TO corrente_console;
GRANT DELETE ON customer TO corrente_console;
GRANT SELECT, UPDATE (run_id, begun_at, payers, of_payers, ended_at, problem) ON billing_request TO corrente_worker;
GRANT SELECT, INSERT ON billing_request TO corrente_console;
-- A NAS's secrets are sealed for its row's number, which is drawn first.
GRANT USAGE ON SEQUENCE nas_id_seq TO corrente_console;
-- The portal of subscribers; the worker takes away what is over.
GRANT SELECT, INSERT, UPDATE ON portal_access, portal_link, portal_session, plan_request TO corrente_console;
GRANT SELECT (id, ends_at), DELETE ON portal_link, portal_session TO corrente_worker;
-- The page where limited lines land.
GRANT SELECT, INSERT, UPDATE ON garden_reminder TO corrente_console;
GRANT DELETE ON price TO corrente_console;
-- Who may change policies does it from a page, too.
GRANT SELECT, INSERT, UPDATE ON dunning_policy TO corrente_console;
GRANT SELECT, INSERT ON dunning_policy_version TO corrente_console;

-- Contracts on their way, and signed on a screen.
CREATE TABLE contract_draft (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_by     text NOT NULL CHECK (made_by <> ''),
    begun_at    timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    answers     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(answers) = 'object'),
    contract_id bigint REFERENCES contract
);
COMMENT ON TABLE contract_draft IS 'What was typed so far on the way to a contract, step by step; with its contract it is over. It never holds a password.';
CREATE INDEX contract_draft_open ON contract_draft (made_by, changed_at) WHERE contract_id IS NULL;

CREATE TABLE contract_signature (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    signer      text NOT NULL CHECK (signer <> ''),
    signed_at   timestamptz NOT NULL DEFAULT now(),
    address     inet,
    browser     text NOT NULL,
    drawing     bytea NOT NULL CHECK (octet_length(drawing) BETWEEN 1 AND 500000),
    paper       bytea NOT NULL CHECK (octet_length(paper) BETWEEN 1 AND 20000000),
    sha256      bytea GENERATED ALWAYS AS (sha256(paper)) STORED,
    taken_by    text NOT NULL CHECK (taken_by <> '')
);
COMMENT ON TABLE contract_signature IS 'Who signed what on a screen, when, and on which device: the drawing and the very paper that was signed with its digest. Append-only: it is evidence.';
CREATE INDEX contract_signature_contract ON contract_signature (contract_id);
CREATE TRIGGER contract_signature_append_only BEFORE UPDATE OR DELETE ON contract_signature FOR EACH ROW EXECUTE FUNCTION refuse_change('A signature is evidence: it stays as it was given.');
GRANT SELECT, INSERT, UPDATE ON contract_draft TO corrente_console;
GRANT SELECT, INSERT ON contract_signature TO corrente_console;
-- Days are closed from a page, too.
REVOKE EXECUTE ON FUNCTION hold_entries() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_entries() TO corrente_web;
GRANT USAGE ON SEQUENCE contract_item_id_seq TO corrente_console;

-- Notices on subscribers' devices (web push).
CREATE TABLE push_key (
    id             smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    public_key     bytea NOT NULL CHECK (octet_length(public_key) = 65),
    sealed_private bytea NOT NULL CHECK (octet_length(sealed_private) > 32),
    made_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE push_key IS 'The one key by which push services know this installation (VAPID, RFC 8292). With another one every device has to be asked again.';

CREATE TABLE push_device (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    session_id  bigint REFERENCES portal_session ON DELETE SET NULL,
    endpoint    text NOT NULL CHECK (length(endpoint) BETWEEN 1 AND 2000),
    public_key  bytea NOT NULL CHECK (octet_length(public_key) = 65),
    auth_secret bytea NOT NULL CHECK (octet_length(auth_secret) = 16),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT push_device_endpoint_once UNIQUE (endpoint)
);
COMMENT ON TABLE push_device IS 'Browsers that show a customer''s notices (web push). Gone when the customer says so or signs out, or the push service says that it is.';
COMMENT ON COLUMN push_device.session_id IS 'In which it was asked for, and with whose end by a person it goes; one that ran out leaves it.';
COMMENT ON COLUMN push_device.endpoint IS 'Where its push service takes what is for it: who knows it reaches the device.';
CREATE INDEX push_device_by_customer ON push_device (customer_id, id);
CREATE INDEX push_device_by_session ON push_device (session_id);
ALTER TABLE message ADD COLUMN device_id bigint REFERENCES push_device ON DELETE SET NULL,
    ADD CONSTRAINT message_to_a_device_is_pushed CHECK (device_id IS NULL OR channel = 'push');
COMMENT ON COLUMN message.device_id IS 'The browser that a notice is for; without one its device is gone.';
CREATE INDEX message_of_device ON message (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX promise_open_until ON promise (until) WHERE state = 'open';
-- Notices on subscribers' devices: whoever writes a message writes one for each device.
GRANT SELECT (id, customer_id) ON push_device TO corrente_web;
GRANT SELECT, DELETE ON push_device TO corrente_worker;
GRANT SELECT, INSERT ON push_key TO corrente_worker;
GRANT INSERT, UPDATE ON push_device TO corrente_console;

-- Price changes and promotions: pages ask, the worker gives them to the contracts.
CREATE TYPE catalogue_request_act AS ENUM ('price_change', 'promotion', 'promotion_undo');
COMMENT ON TYPE catalogue_request_act IS 'What the worker is asked to give contracts, or to take back from them.';

CREATE TABLE catalogue_request (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act          catalogue_request_act NOT NULL,
    what         jsonb NOT NULL CHECK (jsonb_typeof(what) = 'object'),
    asked_by     text NOT NULL CHECK (asked_by <> ''),
    asked_at     timestamptz NOT NULL DEFAULT now(),
    begun_at     timestamptz,
    through      bigint NOT NULL DEFAULT 0,
    contracts    integer NOT NULL DEFAULT 0 CHECK (contracts >= 0),
    of_contracts integer CHECK (of_contracts >= 0),
    changed      integer NOT NULL DEFAULT 0 CHECK (changed >= 0),
    ended_at     timestamptz,
    problem      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE catalogue_request IS 'A price change or a promotion that somebody confirmed; the job asked_catalogue gives it to the contracts and says how far it is.';
COMMENT ON COLUMN catalogue_request.through IS 'The last contract that is done: written with what it was given, so that whoever goes on begins behind it.';
COMMENT ON COLUMN catalogue_request.contracts IS 'How many are done, of so many.';
COMMENT ON COLUMN catalogue_request.changed IS 'How many items or contracts came out otherwise.';
COMMENT ON COLUMN catalogue_request.problem IS 'Why it ended before all was done.';
CREATE UNIQUE INDEX catalogue_request_one_at_a_time ON catalogue_request (act, what) WHERE ended_at IS NULL;
GRANT SELECT, UPDATE (begun_at, through, contracts, of_contracts, changed, ended_at, problem) ON catalogue_request TO corrente_worker;
GRANT SELECT, INSERT ON catalogue_request TO corrente_console;
GRANT USAGE ON SEQUENCE contract_item_id_seq TO corrente_worker;
GRANT DELETE ON discount TO corrente_worker;

-- The check of the books: pages ask, the worker does it and keeps what it found.
CREATE TABLE books_check (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chosen   text[] NOT NULL DEFAULT '{}',
    asked_by text NOT NULL CHECK (asked_by <> ''),
    asked_at timestamptz NOT NULL DEFAULT now(),
    begun_at timestamptz,
    attempt  integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    ended_at timestamptz,
    given_up boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE books_check IS 'A check of the books that somebody asked for; the job asked_checks does it and keeps what it found.';
COMMENT ON COLUMN books_check.chosen IS 'The names of the checks that are meant; none: all.';
COMMENT ON COLUMN books_check.attempt IS 'How often it was begun. Only who began it last writes what comes of it.';
COMMENT ON COLUMN books_check.given_up IS 'It was begun again and again and came to no end.';
CREATE UNIQUE INDEX books_check_one_at_a_time ON books_check ((true)) WHERE ended_at IS NULL;

CREATE TABLE books_check_result (
    check_id   bigint NOT NULL REFERENCES books_check,
    place      integer NOT NULL CHECK (place > 0),
    name       text NOT NULL,
    invariants text NOT NULL,
    rows_done  bigint NOT NULL DEFAULT 0,
    rows_of    bigint NOT NULL DEFAULT 0,
    findings   integer NOT NULL DEFAULT 0 CHECK (findings >= 0),
    begun_at   timestamptz,
    ended_at   timestamptz,
    PRIMARY KEY (check_id, place)
);
COMMENT ON TABLE books_check_result IS 'One of the checks: how far it is, and how much it found wrong.';
COMMENT ON COLUMN books_check_result.place IS 'In which order they are done, from 1.';

CREATE TABLE books_check_finding (
    check_id bigint NOT NULL,
    place    integer NOT NULL,
    number   integer NOT NULL CHECK (number > 0),
    subject  text NOT NULL,
    message  text NOT NULL,
    PRIMARY KEY (check_id, place, number),
    FOREIGN KEY (check_id, place) REFERENCES books_check_result ON DELETE CASCADE
);
COMMENT ON TABLE books_check_finding IS 'Something wrong in the books; of each check the first ones are kept.';
GRANT SELECT, UPDATE (begun_at, attempt, ended_at, given_up) ON books_check TO corrente_worker;
GRANT SELECT, INSERT, DELETE, UPDATE (rows_done, rows_of, findings, begun_at, ended_at) ON books_check_result TO corrente_worker;
GRANT SELECT, INSERT, DELETE ON books_check_finding TO corrente_worker;
GRANT SELECT, INSERT ON books_check TO corrente_console;
GRANT SELECT ON books_check_result, books_check_finding TO corrente_console;
GRANT SELECT, INSERT, UPDATE (idle_minutes, most_hours) ON staff_session_length TO corrente_console;
-- Of these the console changes no name, no provider, no token's holder or permissions: what it does not write it may not.
GRANT UPDATE (full_name, email, language, theme, password_hash, password_changed_at, must_change_password, sealed_totp, totp_since, totp_last_step, enabled,
    collector_id, agent_id) ON staff TO corrente_console;
GRANT UPDATE (last_used_at, revoked_at) ON api_token TO corrente_console;
GRANT UPDATE (sealed_secret, sealed_webhook_secret, return_url, enabled, debits_since, debit_days, pages_since) ON gateway_account TO corrente_console;
GRANT UPDATE (sealed_secret, enabled) ON einvoice_account TO corrente_console;
GRANT UPDATE (url, events, sealed_secret, sealed_old_secret, old_secret_until, removed_at) ON webhook_endpoint TO corrente_console;

-- Staff give an authority's range of numbers, have a provider asked and compare its files.
GRANT SELECT, INSERT, UPDATE (range_from, range_to, valid_to) ON einvoice_series TO corrente_console;
GRANT SELECT, INSERT ON gateway_file TO corrente_console;
GRANT UPDATE (asked_to) ON gateway_account TO corrente_console;
