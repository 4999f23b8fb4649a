"""Contracts and money. It has never heard of a NAS."""
