"""Deeds on subscriber accounts: what a command types and a page clicks is done here once."""
