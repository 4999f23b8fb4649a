-- A table of early exit counted for contracts with prices of either kind, as it stood: so it goes on, as one of each. The code before read both as one.
SELECT set_config('corrente.actor', 'migration 0045', true);
INSERT INTO early_exit_cost (product_id, from_month, currency, amount, includes_tax) SELECT product_id, from_month, currency, amount, true FROM early_exit_cost
    ON CONFLICT DO NOTHING;
