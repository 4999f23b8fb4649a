-- The list of customers goes by name, page after page.
CREATE INDEX customer_by_name ON customer (name, id);
GRANT DELETE ON customer TO corrente_console;
