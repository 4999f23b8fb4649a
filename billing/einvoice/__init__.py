"""E-invoices as rules: what an authority's answer makes of a document, and what may be done about it. No country, no network."""
