-- What the deeds of a contract turn on: alignment, minimum term in months, distance, since when it is free, whether leaving is.
CREATE TYPE due_alignment AS ENUM ('anniversary', 'day_of_month', 'calendar');
COMMENT ON TYPE due_alignment IS 'Where the first boundary lies, at or after the first billable day: on it, on a day of the month, where a natural period begins.';

ALTER TABLE contract_terms
    ADD COLUMN alignment due_alignment NOT NULL DEFAULT 'anniversary',
    ADD COLUMN billing_day smallint CHECK (billing_day BETWEEN 1 AND 31),
    ADD COLUMN minimum_months smallint CHECK (minimum_months BETWEEN 1 AND 120),
    ADD COLUMN distance boolean NOT NULL DEFAULT false,
    ADD COLUMN free_from date,
    ADD COLUMN exit_is_free boolean NOT NULL DEFAULT false,
    ADD COLUMN plan_locked_until date,
    DROP CONSTRAINT contract_terms_free_is_reviewed;
-- Since when a contract is free was not kept: it counts from its start.
SELECT set_config('corrente.actor', 'migration 0029', true);
UPDATE contract_terms AS t SET free_from = coalesce(t.billable_from, c.starts_on, current_date) FROM contract AS c WHERE c.id = t.contract_id AND t.free_reason IS NOT NULL;
ALTER TABLE contract_terms
    ADD CONSTRAINT contract_terms_free_is_reviewed CHECK (num_nulls(free_from, free_reason, free_review_on) IN (0, 3)),
    ADD CONSTRAINT contract_terms_day_goes_with_alignment CHECK ((alignment = 'day_of_month') = (billing_day IS NOT NULL));
COMMENT ON COLUMN contract_terms.alignment IS 'Activation places the items'' boundaries by it.';
COMMENT ON COLUMN contract_terms.minimum_months IS 'As agreed; activation makes minimum_until of it.';
COMMENT ON COLUMN contract_terms.distance IS 'Concluded at a distance or away from the office: the customer may withdraw for 14 days.';
COMMENT ON COLUMN contract_terms.free_from IS 'From which day it is free, with the reason and when that is looked at again.';
COMMENT ON COLUMN contract_terms.exit_is_free IS 'The end that is set costs nothing: the issuer wants it, or changed its terms.';
COMMENT ON COLUMN contract_terms.plan_locked_until IS 'First day on which its plan may change.';

CREATE OR REPLACE FUNCTION tell_contract() RETURNS trigger LANGUAGE plpgsql AS $$
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

GRANT DELETE ON billing_stop TO corrente_worker, corrente_web;
