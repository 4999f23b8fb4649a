"""Who may come in and do what: staff, their roles, their sessions, their second factors."""
