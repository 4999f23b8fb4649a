"""Scheduled jobs: which worker leads, what runs when, and what the database's upkeep does."""
