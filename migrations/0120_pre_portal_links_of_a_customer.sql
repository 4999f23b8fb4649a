-- A newer letter voids the older ones of its customer, and a customer who goes takes theirs along: neither reads everybody's.
CREATE INDEX portal_link_by_customer ON portal_link (customer_id);
