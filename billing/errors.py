"""What goes wrong in billing and is no outcome that the rules expect."""

from __future__ import annotations


class BillingError(Exception):
    """Something that a person must mend before this can be billed; its message says what and how."""

    retryable = False
