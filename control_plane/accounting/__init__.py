"""Accounting records on their way from FreeRADIUS's spool into sessions, usage and address history."""
