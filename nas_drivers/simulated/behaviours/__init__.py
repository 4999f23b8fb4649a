"""One file a vendor: how its device identifies sessions, what it lets a CoA change, and its small habits."""
