-- Events of gateways that need somebody are listed by themselves, the newest first.
CREATE INDEX gateway_notice_problem ON gateway_notice (id) WHERE problem <> '';
