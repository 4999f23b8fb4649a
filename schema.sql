-- Corrente: the database as it is today. An older database becomes this one through migrations/.
-- Invariants stand here as constraints wherever the database can hold them; code may be wrong, the database refuses.
--
-- Units: rates in bit/s, octets in bytes, times with zone (UTC inside), *_s in seconds.
-- Secrets (`sealed_*`) are AES-256-GCM under a key the database never sees; see radius_hooks/sealing.py.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---------------------------------------------------------------------------------------------------------------
-- Roles. They have no password and no login here: the operator's pg_hba.conf or `corrente up` says who becomes which.
-- FreeRADIUS has none: its hook reads the policy store.
-- ---------------------------------------------------------------------------------------------------------------
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['corrente_edge', 'corrente_worker', 'corrente_web', 'corrente_lookup'] LOOP
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
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.update', TG_TABLE_NAME || ' ' || name, jsonb_build_object('before', jsonb_object_agg(field, was -> field), 'after', jsonb_object_agg(field, becomes -> field))
            FROM (SELECT row_name(to_jsonb(o), keys) AS name, to_jsonb(o) AS was FROM old_rows AS o) AS old_ones
                JOIN (SELECT row_name(to_jsonb(n), keys) AS name, to_jsonb(n) AS becomes FROM new_rows AS n) AS new_ones USING (name)
                CROSS JOIN LATERAL jsonb_object_keys(was - silent) AS field
            WHERE was -> field IS DISTINCT FROM becomes -> field GROUP BY name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_money() IS 'The audit log of money, written by the database itself: who wrote, and of each changed or deleted row what stood there. Nobody is refused.';

CREATE FUNCTION currency_places(currency text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END
$$;
COMMENT ON FUNCTION currency_places(text) IS 'Decimals of a currency, ISO 4217; billing/money.py has the same list.';

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
    confirm_hours   smallint CHECK (confirm_hours BETWEEN 0 AND 720)
);
COMMENT ON TABLE issuer IS 'The legal entity that invoices. Its data is copied into each document when that is issued.';
COMMENT ON COLUMN issuer.zone IS 'In which zone its billing days begin and end; the network''s is [operator] billing_zone.';
COMMENT ON COLUMN issuer.currency IS 'Of its books.';
COMMENT ON COLUMN issuer.tax_regime IS 'As its tax authority codes it, such as RF01.';
COMMENT ON COLUMN issuer.recharges_stamp IS 'Stamp duty is a line that the customer pays; otherwise the issuer bears it.';
COMMENT ON COLUMN issuer.confirm_hours IS 'A prepared run issues by itself after so many hours without a word; NULL: only when a person confirms.';
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
    CONSTRAINT stamp_duty_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT stamp_duty_one_a_day EXCLUDE USING gist (country WITH =, during WITH &&)
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
    CONSTRAINT fiscal_position_countries_are_codes CHECK (every_item_matches(countries, '^[A-Z]{2}$'))
);
COMMENT ON TABLE fiscal_position IS 'How customers of a kind and place are taxed. A customer''s own comes first, else the first by priority that fits its billing address.';
COMMENT ON COLUMN fiscal_position.priority IS 'NULL: only for customers that name it.';
COMMENT ON COLUMN fiscal_position.countries IS 'Empty: any.';

ALTER TABLE customer ADD COLUMN fiscal_position_id bigint REFERENCES fiscal_position;
COMMENT ON COLUMN customer.fiscal_position_id IS 'Its own, before any that fits by kind and place.';

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
COMMENT ON TABLE exemption IS 'A customer that pays no tax for a time under a paper it gave, such as a declaration of intent: all its lines get this code.';

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
    CONSTRAINT price_one_a_day EXCLUDE USING gist (product_id WITH =, currency WITH =, months WITH =, during WITH &&)
);
COMMENT ON TABLE price IS 'What a product costs for so many months, by the day a contract is made. Contracts hold a copy: a new price touches nothing agreed.';
COMMENT ON COLUMN price.months IS 'A period of P months costs the price for P months, or without one P times that for one month. One-off fees have 1.';

CREATE TABLE early_exit_cost (
    product_id  bigint NOT NULL REFERENCES product,
    from_month  smallint NOT NULL CHECK (from_month BETWEEN 0 AND 119),
    currency    currency_code NOT NULL,
    amount      numeric(16, 3) NOT NULL,
    PRIMARY KEY (product_id, currency, from_month),
    CONSTRAINT early_exit_cost_amount_check CHECK (amount >= 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE early_exit_cost IS 'What leaving before the minimum term costs after so many whole months of service.';

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
    CONSTRAINT contract_terms_free_is_reviewed CHECK ((free_reason IS NULL) = (free_review_on IS NULL))
);
COMMENT ON TABLE contract_terms IS 'How a contract is billed, as it was agreed. A contract without terms is not billed, and the run''s preview lists it.';
COMMENT ON COLUMN contract_terms.payer_id IS 'Who gets and pays the documents; NULL: the customer.';
COMMENT ON COLUMN contract_terms.billing_group IS 'Contracts of one group, payer, currency, register and due terms share a document.';
COMMENT ON COLUMN contract_terms.fixed_day IS 'Due on the first such day at or after the period''s own due day.';
COMMENT ON COLUMN contract_terms.lead_days IS 'Documents are prepared so many days before the due day; the period stays.';
COMMENT ON COLUMN contract_terms.includes_tax IS 'Its prices and discounts are with tax; documents never mix both.';
COMMENT ON COLUMN contract_terms.billable_from IS 'First billable day, set by activation; a trial ends on it.';
COMMENT ON COLUMN contract_terms.order_fees IS 'One-off fees are due when the contract is accepted, not when it is activated.';
CREATE INDEX contract_terms_issuer ON contract_terms (issuer_id);

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
-- The transaction may say what it does: corrente.actor, corrente.event, corrente.effective_on.
DECLARE
    writer text := coalesce(nullif(current_setting('corrente.actor', true), ''), 'database ' || session_user);
    deed   text := nullif(current_setting('corrente.event', true), '');
    since  date := nullif(current_setting('corrente.effective_on', true), '')::date;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after)
            SELECT n.id, writer, coalesce(deed, 'created'), since, n.status, n.status FROM new_rows AS n ORDER BY n.id;
    ELSE
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after)
            SELECT n.id, writer, coalesce(deed, 'status_set'), since, o.status, n.status FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE n.status <> o.status ORDER BY n.id;
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
    'cash_with_collector', 'cash', 'cash_shortage', 'commissions', 'agents_payable', 'differences');
COMMENT ON TYPE account_role IS 'What a ledger account is for: entries are written by role, never by number.';

CREATE TABLE ledger_account (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Za-z0-9.]{1,20}$'),
    name      text NOT NULL CHECK (name <> ''),
    role      account_role NOT NULL,
    family    text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    CONSTRAINT ledger_account_code_once UNIQUE (issuer_id, code),
    CONSTRAINT ledger_account_role_once UNIQUE NULLS NOT DISTINCT (issuer_id, role, family)
);
COMMENT ON TABLE ledger_account IS 'Where value sits in an issuer''s books.';
COMMENT ON COLUMN ledger_account.family IS 'Revenue goes to the account of its product family, clearing to that of its payment method; NULL takes what has none of its own.';

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
    issuer_id   bigint NOT NULL REFERENCES issuer,
    dated       date NOT NULL,
    source      text NOT NULL CHECK (source ~ '^[a-z_]{1,40}$'),
    source_id   bigint NOT NULL,
    kind        text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    currency    currency_code NOT NULL,
    corrects_id bigint REFERENCES entry,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT entry_once UNIQUE (source, source_id, kind)
);
COMMENT ON TABLE entry IS 'One event in the books, once. Append-only: what corrects it is another entry that names it.';
CREATE INDEX entry_dated ON entry (issuer_id, dated);
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change('Entries stay: write one that corrects it.');
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Entries stay.');

CREATE TABLE posting (
    entry_id    bigint NOT NULL REFERENCES entry,
    number      smallint NOT NULL CHECK (number >= 1),
    account_id  bigint NOT NULL REFERENCES ledger_account,
    customer_id bigint REFERENCES customer,
    amount      numeric(16, 3) NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, number)
);
COMMENT ON TABLE posting IS 'One leg of an entry; a debit is above zero. All legs of an entry are written by one statement and sum to zero.';
CREATE INDEX posting_customer ON posting (customer_id) WHERE customer_id IS NOT NULL;
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change('Postings stay: write an entry that corrects theirs.');
CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Postings stay.');

CREATE TABLE customer_balance (
    customer_id bigint NOT NULL REFERENCES customer,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    currency    currency_code NOT NULL,
    balance     numeric(16, 3) NOT NULL,
    PRIMARY KEY (customer_id, issuer_id, currency)
);
COMMENT ON TABLE customer_balance IS 'The sum of a customer''s postings, above zero what it owes. The database counts it as they are written.';

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

CREATE FUNCTION refuse_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT CASE
            WHEN sums.total <> 0 THEN format('entry %s: its postings sum to %s', sums.entry_id, sums.total)
            WHEN sums.legs < 2 THEN format('entry %s has one posting', sums.entry_id)
            WHEN sums.legs <> (SELECT count(*) FROM posting AS p WHERE p.entry_id = sums.entry_id) THEN format('entry %s has its postings already', sums.entry_id)
            WHEN NOT sums.at_home THEN format('entry %s posts to an account of another issuer', sums.entry_id)
            WHEN NOT sums.named THEN format('entry %s: a posting names a customer exactly on an account of customers', sums.entry_id)
            WHEN NOT sums.fits THEN format('entry %s: an amount has more places than its currency', sums.entry_id)
        END INTO wrong
        FROM (SELECT n.entry_id, sum(n.amount) AS total, count(*) AS legs, bool_and(a.issuer_id = e.issuer_id) AS at_home,
                bool_and((a.role = 'customers') = (n.customer_id IS NOT NULL)) AS named, bool_and(n.amount = round(n.amount, currency_places(e.currency))) AS fits
            FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id JOIN ledger_account AS a ON a.id = n.account_id GROUP BY n.entry_id) AS sums
        WHERE sums.total <> 0 OR sums.legs < 2 OR NOT sums.at_home OR NOT sums.named OR NOT sums.fits
            OR sums.legs <> (SELECT count(*) FROM posting AS p WHERE p.entry_id = sums.entry_id)
        ORDER BY sums.entry_id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = 'Write all postings of an entry with one statement; debits and credits are equal.';
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

CREATE FUNCTION refuse_empty_entry() RETURNS trigger LANGUAGE plpgsql AS $$
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
    CONSTRAINT billing_run_once UNIQUE (issuer_id, run_date, filter),
    CONSTRAINT billing_run_confirmation_is_signed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT billing_run_issues_when_confirmed CHECK (state IN ('prepared', 'cancelled') OR confirmed_at IS NOT NULL),
    CONSTRAINT billing_run_ends_when_over CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
);
COMMENT ON TABLE billing_run IS 'One billing of an issuer up to a date. A second start of the same one goes on with the first.';
COMMENT ON COLUMN billing_run.expected IS 'What its preview found, shown to who confirms it.';
COMMENT ON COLUMN billing_run.issue_after IS 'When it issues without a word; NULL: only confirmed by a person.';

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

CREATE TABLE document_register (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Z0-9]{1,6}$'),
    kind      document_kind NOT NULL,
    name      text NOT NULL CHECK (name <> ''),
    pattern   text NOT NULL DEFAULT '{number}/{code}/{year}' CHECK (pattern LIKE '%{number}%' AND pattern ~ '^[ -~]{1,40}$'),
    CONSTRAINT document_register_code_once UNIQUE (issuer_id, code),
    CONSTRAINT document_register_of_issuer UNIQUE (id, issuer_id, kind)
);
COMMENT ON TABLE document_register IS 'A series of legal numbers for one kind of document (IT: sezionale).';
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
    issuer_id     bigint NOT NULL REFERENCES issuer,
    customer_id   bigint NOT NULL REFERENCES customer,
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
    run_id        bigint REFERENCES billing_run,
    from_id       bigint REFERENCES document,
    corrects_id   bigint REFERENCES document,
    reason        text CHECK (reason <> ''),
    valid_until   date,
    made_by       text NOT NULL CHECK (made_by <> ''),
    issued_at     timestamptz,
    CONSTRAINT document_number_once UNIQUE (register_id, year, number),
    CONSTRAINT document_in_its_register FOREIGN KEY (register_id, issuer_id, kind) REFERENCES document_register (id, issuer_id, kind),
    CONSTRAINT document_issued_is_numbered CHECK (num_nulls(year, number, label, issued_at) = CASE state WHEN 'draft' THEN 4 ELSE 0 END),
    CONSTRAINT document_year_is_its_date_s CHECK (year = extract(year FROM document_date)),
    CONSTRAINT document_gross_adds_up CHECK (gross = net + tax),
    CONSTRAINT document_payable_within CHECK (payable BETWEEN 0 AND gross),
    CONSTRAINT document_credit_note_corrects CHECK ((kind = 'credit_note') = (corrects_id IS NOT NULL)),
    CONSTRAINT document_answered_is_an_offer CHECK (state IN ('draft', 'issued') OR kind IN ('quote', 'order'))
);
COMMENT ON TABLE document IS 'A quote, order, invoice or credit note. Once issued it stays; what corrects it is another document.';
COMMENT ON COLUMN document.label IS 'The number as it is printed.';
COMMENT ON COLUMN document.payable IS 'What the customer pays: the gross without tax that it pays to the state itself.';
COMMENT ON COLUMN document.issuer_data IS 'The issuer as it was then; so the customer''s.';
COMMENT ON COLUMN document.from_id IS 'The quote or order it was made from, or the advance invoice it deducts.';
CREATE INDEX document_customer ON document (customer_id, document_date);
CREATE INDEX document_run ON document (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX document_corrects ON document (corrects_id) WHERE corrects_id IS NOT NULL;

CREATE TABLE document_line (
    document_id     bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    number          smallint NOT NULL CHECK (number >= 1),
    contract_id     bigint REFERENCES contract,
    item_id         bigint REFERENCES contract_item,
    description     text NOT NULL CHECK (description <> ''),
    during          daterange CHECK (NOT isempty(during)),
    quantity        numeric(18, 8) NOT NULL CHECK (quantity > 0),
    unit_price      numeric(18, 8) NOT NULL,
    discount        numeric(18, 8) NOT NULL DEFAULT 0,
    net             numeric(16, 3) NOT NULL,
    tax_code_id     bigint NOT NULL REFERENCES tax_code,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    corrects_id     bigint,
    corrects_number smallint,
    PRIMARY KEY (document_id, number),
    CONSTRAINT document_line_nature_untaxed CHECK (nature IS NULL OR rate = 0),
    CONSTRAINT document_line_corrects_a_line FOREIGN KEY (corrects_id, corrects_number) REFERENCES document_line (document_id, number) MATCH FULL
);
COMMENT ON TABLE document_line IS 'One line as it is printed, without tax; with tax in the prices its unit price is worked back.';
CREATE INDEX document_line_corrects ON document_line (corrects_id, corrects_number) WHERE corrects_id IS NOT NULL;

CREATE TABLE document_tax (
    document_id     bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    legal_reference text,
    base            numeric(16, 3) NOT NULL,
    tax             numeric(16, 3) NOT NULL,
    CONSTRAINT document_tax_group_once UNIQUE NULLS NOT DISTINCT (document_id, rate, nature, liability),
    CONSTRAINT document_tax_nature_untaxed CHECK (nature IS NULL OR (rate = 0 AND tax = 0 AND legal_reference IS NOT NULL))
);
COMMENT ON TABLE document_tax IS 'All lines that are taxed alike: their sum and its tax, rounded once. The VAT register is read from here.';

CREATE TABLE document_due (
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
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
COMMENT ON TABLE credited_line IS 'How much of an issued line credit notes gave back. The database counts it as they are issued.';

CREATE TRIGGER register_year_is_counted AFTER UPDATE OR DELETE ON register_year FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing documents moves it.');
CREATE TRIGGER register_year_begins_at_none BEFORE INSERT ON register_year FOR EACH ROW WHEN (NEW.last_number <> 0 OR NEW.last_date IS NOT NULL)
    EXECUTE FUNCTION refuse_change('A year begins with no number taken.');
CREATE TRIGGER credited_line_is_counted AFTER INSERT OR UPDATE OR DELETE ON credited_line FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing credit notes counts it.');
CREATE TRIGGER document_begins_as_draft BEFORE INSERT ON document FOR EACH ROW WHEN (NEW.state <> 'draft')
    EXECUTE FUNCTION refuse_change('Write it as a draft, then its lines and its entry; then issue it.');
CREATE TRIGGER document_issued_stays BEFORE DELETE ON document FOR EACH ROW WHEN (OLD.state <> 'draft')
    EXECUTE FUNCTION refuse_change('An issued document stays: correct it by a credit note.');
CREATE TRIGGER document_no_truncate BEFORE TRUNCATE ON document FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Documents stay.');

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

CREATE FUNCTION refuse_issued_parts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    issued bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT d.id INTO issued FROM new_rows AS n JOIN document AS d ON d.id = n.document_id WHERE d.state <> 'draft' LIMIT 1;
    ELSE
        SELECT d.id INTO issued FROM old_rows AS o JOIN document AS d ON d.id = o.document_id WHERE d.state <> 'draft' LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is issued: its % stays as it is', issued, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_issued_parts() IS 'Lines, tax groups and due days of an issued document stay.';
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

CREATE FUNCTION issue_documents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    block   record;
    counter register_year;
    wrong   record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft') THEN
        RETURN NULL;
    END IF;
    -- Numbers without a hole, dates that never go back.
    FOR block IN SELECT n.register_id, n.year, count(*) AS documents, min(n.number) AS first, max(n.number) AS last, min(n.document_date) AS from_date, max(n.document_date) AS to_date
            FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft' GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        INSERT INTO register_year (register_id, year) VALUES (block.register_id, block.year) ON CONFLICT DO NOTHING;
        SELECT * INTO counter FROM register_year WHERE register_id = block.register_id AND year = block.year FOR UPDATE;
        IF block.first <> counter.last_number + 1 OR block.last <> counter.last_number + block.documents THEN
            RAISE EXCEPTION 'register % of %: numbers % to % for % documents after %', block.register_id, block.year, block.first, block.last, block.documents, counter.last_number
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Lock the register''s year first and count on from its last number.';
        END IF;
        IF block.from_date < counter.last_date OR EXISTS (SELECT FROM (SELECT n.document_date AS own, lag(n.document_date) OVER (ORDER BY n.number) AS before
                FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.register_id = block.register_id AND n.year = block.year) AS dates WHERE own < before) THEN
            RAISE EXCEPTION 'register % of %: a document of % after one of %', block.register_id, block.year, block.from_date, coalesce(counter.last_date, block.to_date)
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Dates of a register never go back.';
        END IF;
        IF EXISTS (SELECT FROM register_year WHERE register_id = block.register_id AND year > block.year AND last_number > 0) THEN
            RAISE EXCEPTION 'register %: % is over, a later year has begun', block.register_id, block.year
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date the document in the year that has begun.';
        END IF;
        UPDATE register_year SET last_number = block.last, last_date = block.to_date WHERE register_id = block.register_id AND year = block.year;
    END LOOP;
    -- What stands on a document adds up, and stands in the books.
    SELECT d.id, CASE
            WHEN lines.off THEN 'a line is not the rounded product of its price, discount and quantity'
            WHEN lines.net IS DISTINCT FROM d.net THEN format('its lines are %s and its net is %s', lines.net, d.net)
            WHEN EXISTS (SELECT l.rate, l.nature, l.liability, sum(l.net) FROM document_line AS l WHERE l.document_id = d.id GROUP BY 1, 2, 3
                EXCEPT SELECT t.rate, t.nature, t.liability, t.base FROM document_tax AS t WHERE t.document_id = d.id) THEN 'a tax group is not the sum of its lines'
            WHEN groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax THEN format('its tax groups are %s and %s, it says %s and %s', groups.base, groups.tax, d.net, d.tax)
            WHEN groups.off THEN 'the tax of a group is more than the last place from its rate'
            WHEN d.payable <> d.gross - groups.split THEN format('payable %s is not %s less %s that is paid to the state', d.payable, d.gross, groups.split)
            WHEN d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0) THEN format('its due days are %s and payable is %s', dues.amount, d.payable)
            WHEN d.kind IN ('invoice', 'credit_note') AND booked.amount IS DISTINCT FROM d.payable * CASE d.kind WHEN 'invoice' THEN 1 ELSE -1 END THEN format('its entry says %s of the customer and payable is %s', booked.amount, d.payable)
        END AS reason INTO wrong
        FROM (SELECT n.* FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft') AS d
            CROSS JOIN LATERAL (SELECT sum(net) AS net, bool_or(net <> round((unit_price - discount) * quantity, currency_places(d.currency))) AS off FROM document_line WHERE document_id = d.id) AS lines
            CROSS JOIN LATERAL (SELECT sum(base) AS base, sum(tax) AS tax, coalesce(sum(tax) FILTER (WHERE liability = 'split'), 0) AS split,
                bool_or(abs(tax - round(base * rate / 100, currency_places(d.currency))) > 10.0 ^ -currency_places(d.currency)) AS off FROM document_tax WHERE document_id = d.id) AS groups
            CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM document_due WHERE document_id = d.id) AS dues
            CROSS JOIN LATERAL (SELECT sum(p.amount) AS amount FROM entry AS e JOIN posting AS p ON p.entry_id = e.id
                WHERE e.source = 'document' AND e.source_id = d.id AND e.kind = d.kind::text AND e.dated = d.document_date AND e.issuer_id = d.issuer_id AND e.currency = d.currency AND p.customer_id = d.customer_id) AS booked
        WHERE lines.off OR lines.net IS DISTINCT FROM d.net OR groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax OR groups.off OR d.payable <> d.gross - groups.split
            OR (d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0))
            OR (d.kind IN ('invoice', 'credit_note') AND booked.amount IS DISTINCT FROM d.payable * CASE d.kind WHEN 'invoice' THEN 1 ELSE -1 END)
            OR EXISTS (SELECT l.rate, l.nature, l.liability, sum(l.net) FROM document_line AS l WHERE l.document_id = d.id GROUP BY 1, 2, 3
                EXCEPT SELECT t.rate, t.nature, t.liability, t.base FROM document_tax AS t WHERE t.document_id = d.id)
        ORDER BY d.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % can''t be issued: %', wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Work its totals out again from its lines.';
    END IF;
    -- What a credit note gives back counts on the line that it corrects.
    SELECT d.id INTO wrong FROM (SELECT n.* FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.kind = 'credit_note' AND n.state = 'issued') AS d
        JOIN document AS first ON first.id = d.corrects_id
        WHERE first.kind <> 'invoice' OR first.state <> 'issued' OR first.customer_id <> d.customer_id OR first.issuer_id <> d.issuer_id OR first.currency <> d.currency OR first.document_date > d.document_date
            OR EXISTS (SELECT FROM document_line AS l WHERE l.document_id = d.id AND l.corrects_id IS DISTINCT FROM d.corrects_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'credit note % does not correct the invoice that it names', wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'An issued invoice of the same customer, issuer and currency, not dated later; each line names one of its lines.';
    END IF;
    INSERT INTO credited_line AS c (document_id, number, net, credited)
        SELECT l.corrects_id, l.corrects_number, first.net, sum(l.net) FROM new_rows AS n JOIN old_rows AS o USING (id) JOIN document_line AS l ON l.document_id = n.id
            JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE o.state = 'draft' AND n.state = 'issued' AND n.kind = 'credit_note' GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (document_id, number) DO UPDATE SET credited = c.credited + EXCLUDED.credited;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION issue_documents() IS 'Issuing, in sets: numbers are the register''s next ones, sums agree, the entry is there, no line is credited beyond itself.';
CREATE TRIGGER document_issue AFTER UPDATE ON document REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION issue_documents();

CREATE TYPE charge_kind AS ENUM ('period', 'one_off', 'instalment', 'usage', 'credit', 'early_exit', 'pause_fee');
COMMENT ON TYPE charge_kind IS 'What is due: time of an item, something once, or time given back.';
CREATE TABLE charge (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id     bigint NOT NULL REFERENCES contract_item,
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
    run_id      bigint REFERENCES billing_run,
    document_id bigint,
    line_number smallint,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT charge_during_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT charge_units_of_a_whole CHECK (of >= 1 AND units BETWEEN 0 AND of),
    CONSTRAINT charge_discount_within CHECK (discounted BETWEEN least(0, full_price) AND greatest(0, full_price)),
    CONSTRAINT charge_net_adds_up CHECK (net = full_price - discounted),
    CONSTRAINT charge_credit_names_what CHECK ((kind = 'credit') = (corrects_id IS NOT NULL)),
    CONSTRAINT charge_credit_is_given CHECK (CASE WHEN kind = 'credit' THEN net <= 0 ELSE net >= 0 END),
    CONSTRAINT charge_places CHECK (net = round(net, currency_places(currency)) AND full_price = round(full_price, currency_places(currency))),
    CONSTRAINT charge_on_a_line FOREIGN KEY (document_id, line_number) REFERENCES document_line (document_id, number) MATCH FULL,
    CONSTRAINT charge_periods_disjoint EXCLUDE USING gist (item_id WITH =, during WITH &&) WHERE (kind = 'period')
);
COMMENT ON TABLE charge IS 'An amount due for an item and a time. No day of an item is charged twice, whatever runs at once.';
COMMENT ON COLUMN charge.net IS 'In the prices of its contract, with or without tax.';
CREATE UNIQUE INDEX charge_once ON charge (item_id, kind, lower(during)) WHERE kind IN ('one_off', 'instalment', 'early_exit');
CREATE INDEX charge_waiting ON charge (item_id) WHERE document_id IS NULL;
CREATE INDEX charge_corrects ON charge (corrects_id) WHERE corrects_id IS NOT NULL;

CREATE FUNCTION refuse_charge_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.document_id IS NULL AND to_jsonb(NEW) - '{document_id,line_number}'::text[] = to_jsonb(OLD) - '{document_id,line_number}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'charge % stays as it is', OLD.id
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Give it back by a charge of kind credit.';
END
$$;
COMMENT ON FUNCTION refuse_charge_change() IS 'A charge comes to stand on a line once; nothing else of it changes.';
CREATE TRIGGER charge_stays BEFORE UPDATE OR DELETE ON charge FOR EACH ROW EXECUTE FUNCTION refuse_charge_change();
CREATE TRIGGER charge_no_truncate BEFORE TRUNCATE ON charge FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Charges stay.');

CREATE FUNCTION refuse_credit_beyond() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
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

CREATE TABLE billing_position (
    item_id        bigint PRIMARY KEY REFERENCES contract_item,
    billed_through date NOT NULL,
    due_on         date
);
COMMENT ON TABLE billing_position IS 'How far each recurring item is billed, and when its next part falls due. Runs move it; what was agreed stands in contract_item.';
COMMENT ON COLUMN billing_position.billed_through IS 'First day that is not billed.';
COMMENT ON COLUMN billing_position.due_on IS 'When a run finds the next part of it; NULL: all its time is billed.';
CREATE INDEX billing_position_due ON billing_position (due_on) WHERE due_on IS NOT NULL;

-- Money: every write is signed and kept (migrations made the same, group by group).
DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['issuer', 'id', ''], ['tax_identifier', 'customer_id,scheme', ''], ['address', 'id', ''], ['attachment', 'id', ''],
        ['tax_code', 'id', ''], ['tax_rate', 'tax_code_id,during', ''], ['stamp_duty', 'country,during', ''], ['fiscal_position', 'id', ''],
        ['fiscal_position_tax', 'fiscal_position_id,from_tax_code_id', ''], ['exemption', 'id', ''], ['product', 'id', ''], ['price', 'id', ''],
        ['early_exit_cost', 'product_id,currency,from_month', ''], ['promotion', 'id', ''], ['contract_terms', 'contract_id', ''], ['contract_item', 'id', ''],
        ['instalment', 'item_id,number', ''], ['discount', 'id', ''], ['billing_stop', 'id', 'settled_through'], ['ledger_account', 'id', ''],
        ['fiscal_period', 'issuer_id,during', ''], ['billing_run', 'id', ''], ['document_register', 'id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
    -- Of these nothing is changed that they do not tell themselves.
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['entry', 'id'], ['document', 'id'], ['charge', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    CREATE TRIGGER document_money_delete AFTER DELETE ON document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id');
END
$$;

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
COMMENT ON COLUMN session.nas_port_id IS 'NAS-Port-Id as the device writes it, for changes that name it; empty where it is none or no plain text.';
CREATE INDEX session_account ON session (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_id ON session (nas_id, acct_session_id);
CREATE INDEX session_by_username ON session (username);
CREATE INDEX session_framed_ipv4 ON session (framed_ipv4) WHERE framed_ipv4 IS NOT NULL;
CREATE INDEX session_framed_ipv6_address ON session (framed_ipv6_address) WHERE framed_ipv6_address IS NOT NULL;
CREATE INDEX session_framed_ipv6_prefix ON session (framed_ipv6_prefix) WHERE framed_ipv6_prefix IS NOT NULL;
CREATE INDEX session_delegated_ipv6_prefix ON session (delegated_ipv6_prefix) WHERE delegated_ipv6_prefix IS NOT NULL;
CREATE INDEX session_nat_address ON session (nat_address) WHERE nat_address IS NOT NULL;

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
CREATE UNIQUE INDEX enforcement_one_open ON enforcement (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered');
CREATE INDEX enforcement_due ON enforcement (disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_of_session ON enforcement (session_key, id);
CREATE INDEX enforcement_unsettled ON enforcement (session_key) WHERE settled_at IS NULL AND state <> 'verified';
CREATE INDEX enforcement_of_nas ON enforcement (nas_id, disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_alarms ON enforcement (alarmed_at) WHERE alarmed_at IS NOT NULL;
CREATE INDEX enforcement_by_closing ON enforcement (closed_at) WHERE closed_at IS NOT NULL;
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
    PRIMARY KEY (revision, profile_id)
);
COMMENT ON TABLE known_revision IS 'What each profile gave under each revision that was ever in force: whether a change takes something away is judged by it after the profile was edited or deleted.';

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
-- Audit
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE audit_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL CHECK (actor <> ''),
    action  text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    subject text NOT NULL CHECK (subject <> ''),
    detail  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    CONSTRAINT audit_log_reveal_has_reason CHECK (action !~ 'reveal' OR coalesce(detail ->> 'reason', '') <> '')
);
COMMENT ON COLUMN audit_log.action IS 'noun.verb, such as account.reveal_secret, which needs detail.reason.';
COMMENT ON TABLE audit_log IS 'Who did what to what: revealing a secret, an import, a look-up of who had an address. Append-only.';
CREATE INDEX audit_log_subject ON audit_log (subject, at);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change('The audit log is append-only: write a new row.');
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('The audit log is append-only: write a new row.');

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
GRANT SELECT, INSERT ON address_history, login_attempt, audit_log TO corrente_worker;
GRANT SELECT, DELETE ON unreadable_record TO corrente_worker;
GRANT SELECT, INSERT, UPDATE ON customer, contract, restriction, relief, subscriber_account TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON account_prefix TO corrente_worker, corrente_web;
GRANT SELECT ON session, closed_session, usage_hour, usage_day, login_attempt, customer TO corrente_web;
GRANT INSERT ON audit_log TO corrente_web;
GRANT SELECT ON address_history, schema_migration TO corrente_lookup;
GRANT SELECT (id, name, source, identifier, vendor, site_id, enabled) ON nas TO corrente_lookup;
GRANT SELECT (session_key, nas_id, acct_session_id, username, account_id, class_key, started_at, updated_at, received_at, framed_ipv4, framed_ipv6_address,
    framed_ipv6_prefix, delegated_ipv6_prefix, nat_address, nat_first_port, nat_last_port, addresses_since, mac, line, stale) ON session TO corrente_lookup;
GRANT INSERT ON audit_log TO corrente_lookup;
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
GRANT SELECT, INSERT ON known_revision TO corrente_worker;
GRANT SELECT ON known_revision TO corrente_web;
GRANT SELECT, INSERT, UPDATE ON nas_clock TO corrente_edge;
GRANT SELECT ON nas_clock TO corrente_worker, corrente_web;
GRANT SELECT ON spool_node TO corrente_web;
GRANT SELECT ON issuer, tax_identifier, address, contact, consent, note, attachment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON tax_identifier, address, contact TO corrente_web;
GRANT INSERT, DELETE ON attachment TO corrente_web;
GRANT INSERT ON consent, note TO corrente_worker, corrente_web;
GRANT SELECT ON tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax, exemption, product, product_text, price, early_exit_cost, promotion TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON product, product_text, price, early_exit_cost, promotion, exemption TO corrente_web;
GRANT SELECT, INSERT ON contract_event TO corrente_worker, corrente_web;
GRANT SELECT ON contract_terms, contract_item, instalment, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON contract_terms, contract_item, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON instalment TO corrente_worker, corrente_web;
GRANT SELECT ON ledger_account, fiscal_period, entry, posting, customer_balance, billing_run, billing_error, document_register, register_year, document, document_line, document_tax, document_due,
    credited_line, charge, billing_position TO corrente_worker, corrente_web;
GRANT INSERT ON entry, posting, billing_error, document_line, document_tax, document_due, charge, register_year TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON billing_run, document, billing_position, customer_balance, credited_line TO corrente_worker, corrente_web;
GRANT UPDATE (document_id, line_number) ON charge TO corrente_worker, corrente_web;
GRANT UPDATE (last_number, last_date) ON register_year TO corrente_worker, corrente_web;
GRANT DELETE ON document, document_line, document_tax, document_due TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON ledger_account, document_register TO corrente_web;
GRANT INSERT ON fiscal_period TO corrente_web;
