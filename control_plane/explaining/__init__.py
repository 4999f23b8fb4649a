"""Answers to people: why an account gets what it gets, why it got it then, and what would come."""
