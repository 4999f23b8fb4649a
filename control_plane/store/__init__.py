"""Statements that load and save what operators look at and change: one module a noun, rows as frozen dataclasses.

The caller owns the transaction.
"""
