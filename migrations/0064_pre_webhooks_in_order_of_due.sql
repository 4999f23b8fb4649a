-- Webhooks that wait are taken in the index's own order: thousands of them cost a claim no more than four do.
DROP INDEX webhook_delivery_due;
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_at, id) WHERE state = 'waiting';
