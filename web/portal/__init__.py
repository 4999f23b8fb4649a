"""Pages of subscribers: one module a noun."""
