-- What takes payments in asks which policy a customer's method has: the method of the account that the mandate is for.
GRANT SELECT (method_id) ON gateway_account TO corrente_web;
