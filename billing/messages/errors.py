"""What can be wrong with a message's text.

Next: message.py
"""

from __future__ import annotations

from billing.errors import BillingError


class TextError(BillingError):
    """A template can't be read or filled in; the message names the place and what to do."""
