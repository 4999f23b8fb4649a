"""Taking over what exists: other people's databases and files become ours, and two servers are compared."""
