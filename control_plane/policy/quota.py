"""Quotas (fair use): how much of its month each account has used, told at one step and throttled at another.

A quota counts in calendar months of the billing zone. The days of a month that nothing is added to any more are summed once,
an account and month; the days since are read at each count. Usage that comes later for a closed day leaves a row in
late_usage, and its account is summed anew. A top-up counts while it is in force, in each month that it touches.

Units: octets both ways; months and days are those of the billing zone.
Next: store/quota.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from control_plane.settings import Settings
from control_plane.store import quota as store

Connection = psycopg.Connection[Any]

# Days before today that are read at each count. Usage for a day before yesterday (UTC) leaves a row in late_usage; this day
# more covers billing zones ahead of UTC and transactions that were open over a midnight.
OPEN_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class QuotaMonth:
    """The calendar month of the billing zone in which quotas are counted, and the instant they start anew.

    `open_from` is the first day that may still grow without being noted.
    """

    first: date
    after: date
    reset: datetime
    open_from: date


def quota_month(now: datetime, zone: ZoneInfo) -> QuotaMonth:
    """The month that `now` falls into."""
    today = now.astimezone(zone).date()
    first = today.replace(day=1)
    after = next_month(first)
    reset = datetime.combine(after, time.min, tzinfo=zone)
    return QuotaMonth(first, after, reset, max(first, today - timedelta(days=OPEN_DAYS)))


def next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def count_quotas(connection: Connection, settings: Settings, now: datetime) -> str:
    """Note each step of a quota that was reached, throttle where a step says so, and let go who has quota again."""
    month = quota_month(now, settings.zone)
    with connection.transaction():
        # What a count compares is a few octets an account; on disk it takes three times as long.
        connection.execute("SET LOCAL work_mem = '128MB'")
        late = store.forget_late(connection)
        store.close_days(connection, first=month.first, before=month.open_from)
        anew = store.sum_anew(connection, first=month.first, before=month.open_from)
        done = store.apply_steps(
            connection, first=month.first, open_from=month.open_from, after=month.after, reset=month.reset, now=now
        )
    counted = f", {anew} accounts summed anew ({late} of them for late usage)" if anew else ""
    return f"{done.used_up} used up, {done.free} free again, {done.told} steps noted{counted}"


def lift_quotas(connection: Connection, accounts: Sequence[int], *, now: datetime, zone: ZoneInfo) -> list[int]:
    """Of these accounts let those go at once whose quota reaches again: a top-up, a bigger plan. Returns them."""
    if not accounts:
        return []
    month = quota_month(now, zone)
    return store.lift(connection, accounts, first=month.first, after=month.after, now=now)
