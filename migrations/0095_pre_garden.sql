-- 0095_pre_garden: lines that want to be reminded later.
CREATE TABLE garden_reminder (
    contract_id bigint PRIMARY KEY REFERENCES contract ON DELETE CASCADE,
    later_until timestamptz NOT NULL
);
COMMENT ON TABLE garden_reminder IS 'Lines that were reminded of a debt before anything was limited and want to be reminded later.';

-- The page where limited lines land.
GRANT SELECT, INSERT, UPDATE ON garden_reminder TO corrente_console;
