"""Pages of collectors and agents, who see only what is theirs."""
