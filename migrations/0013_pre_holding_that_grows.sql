-- A session closed where it began leaves a holding of no length, which grows when the session speaks again.
GRANT UPDATE (valid_to) ON address_history TO corrente_edge, corrente_worker;
