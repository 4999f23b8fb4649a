"""What can be wrong with a paper.

Next: billing/papers/paper.py
"""

from __future__ import annotations

from billing.errors import BillingError


class PaperError(BillingError):
    """A paper can't be printed: a template, a wording, a font; the message names it."""
