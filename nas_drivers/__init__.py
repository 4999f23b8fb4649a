"""How each vendor of access devices is spoken to."""
