"""The database's upkeep: partitions made ahead and dropped by age, the feed and old records cleared, quotas counted.

Each function is one job's work: it opens its own transactions on a connection in autocommit, says in one line what it did,
and does nothing when there is nothing to do, so running it twice, or twice at once, is harmless.

Units: octets; days and months of the billing zone for quotas, of UTC for partitions.
Next: scheduler.py
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, LiteralString
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from billing.operations.quotes import expire_quotes as expire
from billing.store import deeds_due as billing_plans
from billing.store.acting import acting
from billing.store.audit import Busy, next_day, seal_day
from billing.store.issuers import load_issuers
from control_plane.policy.quota import next_month
from control_plane.settings import RetentionSettings, Settings

Connection = psycopg.Connection[TupleRow]

# Records of last month still come in; next month's are there before it begins even if no worker runs for weeks.
MONTHS_BACK: Final = 1
MONTHS_AHEAD: Final = 2
# Dropping a partition waits for who reads the table, and everybody else then waits behind it.
_DROP_WAIT: Final = "3s"

# Up to the first row that is kept, and never beyond the oldest running transaction: what it writes is still to come.
_CLEAR_FEED: Final = """
WITH cleared AS (
    DELETE FROM change_feed WHERE xid < least(pg_snapshot_xmin(pg_current_snapshot()),
        coalesce((SELECT xid FROM change_feed WHERE at >= %s ORDER BY xid LIMIT 1), pg_snapshot_xmin(pg_current_snapshot())))
    RETURNING xid
)
SELECT count(*), (max(xid)::text::numeric + 1)::text::xid8 FROM cleared
"""
# Rows cleared in one transaction: seconds of work, and the deadline is minutes.
CLEARED_AT_ONCE: Final = 10_000
_CLEAR_ENFORCEMENTS: Final = """
WITH cleared AS (
    DELETE FROM enforcement WHERE id = ANY (ARRAY(SELECT id FROM enforcement WHERE closed_at < %s ORDER BY closed_at LIMIT %s)) RETURNING id
), passes AS (
    DELETE FROM guard_pass WHERE enforcement_id IN (SELECT id FROM cleared)
)
SELECT count(*) FROM cleared
"""
# Who was told asks after an event for some days; a caller repeats its call for hours (schema.sql keeps three days and one).
EVENTS_KEPT: Final = timedelta(days=14)
ANSWERS_KEPT: Final = timedelta(days=3)
# Of staff's sessions and tries to sign in: as long as somebody may ask who was in when.
ACCESS_KEPT: Final = timedelta(days=90)
_CLEAR_EVENTS: Final = """
WITH cleared AS (
    DELETE FROM outbox WHERE id = ANY (ARRAY(SELECT id FROM outbox WHERE sent_at < %s ORDER BY sent_at LIMIT %s)) RETURNING id
)
SELECT count(*) FROM cleared
"""
_CLEAR_ANSWERS: Final = """
WITH cleared AS (
    DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_key WHERE made_at < %s ORDER BY made_at LIMIT %s)) RETURNING key
)
SELECT count(*) FROM cleared
"""
_CLEAR_WEBHOOKS: Final = """
WITH cleared AS (
    DELETE FROM webhook_delivery WHERE id = ANY (ARRAY(SELECT id FROM webhook_delivery WHERE ended_at < %s ORDER BY ended_at LIMIT %s)) RETURNING id
)
SELECT count(*) FROM cleared
"""
# A formal notice counts from when its message went out, and not at all if that failed: kept while its case is open, since a notice
# without a message counts from when it was written.
_CLEAR_MESSAGES: Final = """
WITH cleared AS (
    DELETE FROM message WHERE id = ANY (ARRAY(SELECT m.id FROM message AS m WHERE m.ended_at < %s AND NOT (m.origin LIKE 'dunning %%' AND EXISTS (
        SELECT FROM dunning_case AS c JOIN formal_notice AS f ON f.case_id = c.id WHERE c.customer_id = m.customer_id AND c.cleared_at IS NULL AND m.origin = 'dunning ' || f.case_id || ' ' || f.step))
    ORDER BY m.ended_at LIMIT %s)) RETURNING id
)
SELECT count(*) FROM cleared
"""


def months_wanted(today: date) -> tuple[date, ...]:
    """The first days of the months that must have partitions."""
    first = today.replace(day=1)
    for _ in range(MONTHS_BACK):
        first = (first - timedelta(days=1)).replace(day=1)
    months = [first]
    while len(months) <= MONTHS_BACK + MONTHS_AHEAD:
        months.append(next_month(months[-1]))
    return tuple(months)


def kept_from(retention: RetentionSettings, today: date) -> dict[str, date]:
    """For each partitioned table the first day that is still kept."""
    days = {
        "address_history": retention.address_history_days,
        "closed_session": retention.closed_session_days,
        "login_attempt": retention.login_attempt_days,
        "usage_hour": retention.usage_hour_days,
        "usage_day": retention.usage_day_days,
        "enforcement_packet": retention.enforcement_days,
    }
    return {table: today - timedelta(days=count) for table, count in days.items()}


def make_months(connection: Connection, _settings: Settings, now: datetime) -> str:
    """Make the partitions of last month, this one and the next two."""
    months = months_wanted(now.date())
    for month in months:
        connection.execute("SELECT make_month(%s)", (month,))
    return f"{len(months)} months from {months[0]:%Y-%m}"


def drop_months(connection: Connection, settings: Settings, now: datetime) -> str:
    """Drop partitions past their retention; a table in use is left for the next time and the others go on.

    Raises: what the first table that could not be cleared raised, after all were tried.
    """
    dropped: list[str] = []
    failure: psycopg.Error | None = None
    for table, day in kept_from(settings.retention, now.date()).items():
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_DROP_WAIT}'")
                dropped += [row[0] for row in connection.execute("SELECT drop_months(%s, %s)", (table, day))]
        except psycopg.errors.LockNotAvailable as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return f"dropped {', '.join(dropped)}" if dropped else "nothing past its retention"


def clear_feed(connection: Connection, settings: Settings, now: datetime) -> str:
    """Clear the change feed of what is older than its retention, and say up to where, in one transaction.

    A transaction that ran longer than the retention and has just ended may be cleared with it; an edge that has not read
    it stands below the horizon then, and builds its store anew.
    """
    oldest = now - timedelta(hours=settings.retention.change_feed_hours)
    with connection.transaction():
        # Taking the row first makes a second worker wait, and clear what this one has left.
        connection.execute("SELECT FROM change_horizon FOR UPDATE")
        row = connection.execute(_CLEAR_FEED, (oldest,)).fetchone()
        assert row is not None, "an aggregate has one row"
        count, horizon = row
        # Only as far as rows were cleared: on a quiet network an edge that reads all the time stands below any newer one.
        if count:
            connection.execute("UPDATE change_horizon SET xid = %s", (horizon,))
    return f"cleared {count} rows"


def clear_unreadable(connection: Connection, settings: Settings, now: datetime) -> str:
    """Delete the records without effect that nobody has looked after within their retention.

    One over which our own code failed is kept as long as the session that it should have become.
    """
    kept = settings.retention
    oldest = now - timedelta(days=kept.unreadable_record_days)
    oldest_of_ours = now - timedelta(days=max(kept.unreadable_record_days, kept.closed_session_days))
    cleared = connection.execute(
        "DELETE FROM unreadable_record WHERE at < CASE kind WHEN 'our_fault' THEN %s ELSE %s END",
        (oldest_of_ours, oldest),
    ).rowcount
    return f"cleared {cleared} records"


def clear_enforcements(connection: Connection, settings: Settings, now: datetime) -> str:
    """Delete the changes that ended before their retention, and what the guard noted of them; their packets go by month.

    In portions, each a transaction: after weeks without a worker, or a shorter retention, there are millions.
    """
    oldest = now - timedelta(days=settings.retention.enforcement_days)
    return f"cleared {_cleared(connection, _CLEAR_ENFORCEMENTS, oldest)} changes"


def clear_messages(connection: Connection, settings: Settings, now: datetime) -> str:
    """Delete what customers were told longer ago than its retention, with what became of it, in portions; no notice of an open case."""
    oldest = now - timedelta(days=settings.retention.message_days)
    return f"cleared {_cleared(connection, _CLEAR_MESSAGES, oldest)} messages"


def clear_history(connection: Connection, settings: Settings, now: datetime) -> str:
    """Delete how rows stood longer ago than their retention, in portions."""
    oldest = now - timedelta(days=settings.retention.history_days)
    return f"cleared {_cleared(connection, 'SELECT clear_history(%s, %s)', oldest)} rows"


def clear_access(connection: Connection, _settings: Settings, now: datetime) -> str:
    """Delete sessions of staff and subscribers, tries to sign in and links that have been over for a while. What was done stays in the audit log."""
    old, counted, asked = now - ACCESS_KEPT, now - timedelta(days=1), now
    cleared = 0
    for statement, before in (
        ("DELETE FROM staff_session WHERE ends_at < %s", old),
        ("DELETE FROM portal_session WHERE ends_at < %s", old),
        ("DELETE FROM portal_link WHERE ends_at < %s", old),
        ("DELETE FROM sign_in_attempt WHERE at < %s", old),
        ("DELETE FROM password_reset WHERE ends_at < %s", old),
        ("DELETE FROM rate_window WHERE begins < %s", counted),
        ("DELETE FROM passkey_challenge WHERE ends_at < %s", asked),
    ):
        cleared += connection.execute(statement, (before,)).rowcount
    return f"cleared {cleared} rows"


def _cleared(connection: Connection, statement: LiteralString, before: datetime) -> int:
    """Clear what is older in portions; returns how much it was."""
    cleared = 0
    while True:
        row = connection.execute(statement, (before, CLEARED_AT_ONCE)).fetchone()
        assert row is not None, "an aggregate has one row"
        cleared += int(row[0])
        if row[0] < CLEARED_AT_ONCE:
            return cleared


def seal_audit(connection: Connection, _settings: Settings, now: datetime) -> str:
    """Seal the days of the audit log that are over, each in a transaction; one that is written into still waits."""
    sealed = rows = 0
    while (day := next_day(connection, before=now.date())) is not None:
        with connection.transaction():
            made = seal_day(connection, day)
        if isinstance(made, Busy):
            return f"sealed {sealed} days with {rows} rows; {day} waits for a transaction that has written into it"
        sealed, rows = sealed + 1, rows + made.rows
    return f"sealed {sealed} days with {rows} rows"


def expire_quotes(connection: Connection, _settings: Settings, now: datetime) -> str:
    """Close quotes whose last day has passed, by the days of each issuer."""
    expired = 0
    with connection.transaction():
        acting(connection, "job expire_quotes")
        for issuer in load_issuers(connection):
            today = now.astimezone(ZoneInfo(issuer.zone)).date()
            expired += len(expire(connection, issuer.id, today=today, actor="job expire_quotes"))
    return f"expired {expired} quotes"


def clear_told(connection: Connection, settings: Settings, now: datetime) -> str:
    """Delete events that were sent, answers to repeated calls and webhooks that ended, each after its time, in portions."""
    events = _cleared(connection, _CLEAR_EVENTS, now - EVENTS_KEPT)
    answers = _cleared(connection, _CLEAR_ANSWERS, now - ANSWERS_KEPT)
    webhooks = _cleared(connection, _CLEAR_WEBHOOKS, now - timedelta(days=settings.webhooks.keep_days))
    return f"cleared {events} events, {answers} answers and {webhooks} webhooks"


def apply_plan_changes(connection: Connection, settings: Settings, now: datetime) -> str:
    """Write the plans whose day has come into their contracts. On the network they count from midnight without this."""
    today = now.astimezone(settings.zone).date()
    return f"applied {billing_plans.apply_plan_changes(connection, today, every=True)} plan changes"
