"""The sockets to access devices; only the control plane opens them."""
