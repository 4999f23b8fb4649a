"""Contracts and money. It has never heard of a NAS.

Rules stand here and in the packages of their subject: values in, values out. `store/` reads and writes tables and asks rules;
`operations/` do one thing to one contract, customer or payment, in the caller's transaction; `runs/` do it for many.
"""
