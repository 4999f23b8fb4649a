"""E-invoices on their way: the interface that every authority's file satisfies, and the work that sends, asks and listens."""
