"""Calls to addresses that people typed: where they may lead, and one HTTP request within limits."""
