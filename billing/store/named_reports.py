"""The reports of the books by their names: what a row is, and its rows of a period or as of a day.

Next: reports.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import psycopg

from billing.reports import AgeingRow, JournalRow, OpenRow, TrialBalanceRow
from billing.store import reports, turnover
from billing.store.deferred_revenue import DeferredRevenueRow, stream_deferred_revenue

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whose books, from and until which day; `today` where the issuer is."""

    issuer_id: int
    since: date
    until: date
    today: date


@dataclass(frozen=True, slots=True)
class NamedReport:
    """A report: its rows are of a period, or of today."""

    row: type
    rows: Callable[[Connection, Stretch], Iterable[object]]
    of_period: bool = True


REPORTS: Final = MappingProxyType(
    {
        "trial-balance": NamedReport(
            TrialBalanceRow,
            lambda c, s: reports.stream_trial_balance(c, s.issuer_id, since=s.since, until=s.until),
        ),
        "journal": NamedReport(
            JournalRow, lambda c, s: reports.stream_journal(c, s.issuer_id, since=s.since, until=s.until)
        ),
        "vat": NamedReport(
            turnover.VatSum, lambda c, s: turnover.stream_vat_sums(c, s.issuer_id, since=s.since, until=s.until)
        ),
        "vat-register": NamedReport(
            turnover.VatRow, lambda c, s: turnover.stream_vat_register(c, s.issuer_id, since=s.since, until=s.until)
        ),
        "turnover": NamedReport(
            turnover.TurnoverRow, lambda c, s: turnover.stream_turnover(c, s.issuer_id, since=s.since, until=s.until)
        ),
        "ageing": NamedReport(
            AgeingRow, lambda c, s: reports.stream_ageing(c, s.issuer_id, today=s.today), of_period=False
        ),
        "open": NamedReport(OpenRow, lambda c, s: reports.stream_open(c, s.issuer_id, today=s.today), of_period=False),
        "deferred": NamedReport(
            DeferredRevenueRow, lambda c, s: stream_deferred_revenue(c, s.issuer_id, at=s.today), of_period=False
        ),
    }
)
