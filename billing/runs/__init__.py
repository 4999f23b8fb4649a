"""Batches: what walks over many customers, commits as it goes and can be killed anywhere."""
