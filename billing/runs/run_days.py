"""Of which day a run may be, and up to which day it may bill. Pure.

Next: preview.py
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from billing.errors import BillingError

# Who bills years ahead has mostly mistyped a year: 2999 are 12,000 periods a contract.
AHEAD: Final = timedelta(days=400)


class DatedAheadError(BillingError):
    """A run of a day that has not come: no document is dated ahead."""


class FarAheadError(BillingError):
    """A run that bills further ahead than anybody means, mostly."""


def check_run_days(day: date, through: date | None, *, today: date, far_ahead: bool = False) -> None:
    """Raises: DatedAheadError; FarAheadError unless that is meant."""
    if day > today:
        raise DatedAheadError(f"today is {today}: no document is dated ahead; `--through {day}` bills ahead")
    if through is not None and through > day + AHEAD and not far_ahead:
        raise FarAheadError(
            f"--through {through} bills {(through - day).days} days ahead of {day}, each period of each contract: if that is"
            " meant, say --far-ahead too"
        )
