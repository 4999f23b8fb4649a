"""From the database into the policy store that the hook reads: the change feed and what is built from it."""
