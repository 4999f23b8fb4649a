-- Lists of contracts by status and of lines by what limits them read those alone.
CREATE INDEX contract_status_by_id ON contract (status, id);
CREATE INDEX desired_policy_limited ON desired_policy (level) WHERE level <> 'full';
-- How many contracts have a product stands beside each product.
CREATE INDEX contract_item_product ON contract_item (product_id, contract_id) INCLUDE (ends_on);
