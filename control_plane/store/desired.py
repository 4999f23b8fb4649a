"""What every account should have: desired_policy, profile_revision, and how far their keeper has read the change feed.

Units: instants in epoch seconds on this side, 0 for never; timestamptz in the tables.
Next: control_loop/desired.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from control_plane.policy.profile import ProfileColumns, content_of
from control_plane.publishing.change_feed import Position
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]

# One statement for what is there and what is new. Rows that stay as they are are not written; an account that is deleted
# in this moment is waited for and left out.
_SAVE: Final = """
WITH incoming AS (
    SELECT account_id, level::policy_level, reason, profile_id, account_revision, CASE WHEN until > 0 THEN to_timestamp(until) END AS valid_until
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::bigint[])
        AS i (account_id, level, reason, profile_id, account_revision, until)
), updated AS (
    UPDATE desired_policy d SET level = i.level, reason = i.reason, profile_id = i.profile_id, account_revision = i.account_revision,
        valid_until = i.valid_until, changed_at = CASE WHEN (d.level, d.profile_id, d.account_revision)
            IS DISTINCT FROM (i.level, i.profile_id, i.account_revision) THEN now() ELSE d.changed_at END
    FROM incoming i WHERE d.account_id = i.account_id AND (d.level, d.reason, d.profile_id, d.account_revision, d.valid_until)
        IS DISTINCT FROM (i.level, i.reason, i.profile_id, i.account_revision, i.valid_until)
    RETURNING d.account_id, d.changed_at = now() AS changed
), fresh AS (
    SELECT i.* FROM incoming i JOIN subscriber_account a ON a.id = i.account_id
    WHERE NOT EXISTS (SELECT FROM desired_policy d WHERE d.account_id = i.account_id) FOR KEY SHARE OF a
), inserted AS (
    INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision, valid_until)
    SELECT account_id, level, reason, profile_id, account_revision, valid_until FROM fresh RETURNING account_id
)
SELECT account_id FROM updated WHERE changed UNION ALL SELECT account_id FROM inserted
"""
_SAVE_REVISIONS: Final = """
INSERT INTO profile_revision AS r (profile_id, revision) SELECT i.id, i.revision FROM unnest(%s::bigint[], %s::bytea[]) AS i (id, revision)
    JOIN profile p ON p.id = i.id WHERE NOT EXISTS (SELECT FROM profile_revision WHERE profile_id = i.id AND revision = i.revision)
ON CONFLICT (profile_id) DO UPDATE SET revision = EXCLUDED.revision RETURNING profile_id
"""
# What a revision gives, noted from the very row that was hashed: read a moment later the profile may have been edited. The
# release before noted rates alone.
_SAVE_CONTENTS: Final = """
INSERT INTO known_revision AS k (revision, profile_id, rate_down_bps, rate_up_bps, content)
SELECT i.revision, i.id, (i.content ->> 'rate_down_bps')::bigint, (i.content ->> 'rate_up_bps')::bigint, i.content
FROM unnest(%s::bigint[], %s::bytea[], %s::jsonb[]) AS i (id, revision, content) WHERE NOT EXISTS (
    SELECT FROM known_revision WHERE revision = i.revision AND profile_id = i.id AND content IS NOT NULL)
ON CONFLICT (revision, profile_id) DO UPDATE SET content = EXCLUDED.content WHERE k.content IS NULL
"""


@dataclass(frozen=True, slots=True)
class DesiredRow:
    """What one account should have, and until when that is known. `profile_id` is None when no session may live."""

    account_id: int
    level: Level
    reason: str
    profile_id: int | None
    account_revision: bytes
    valid_until: int


def load_position(connection: Connection, reader: str) -> Position | None:
    """How far a reader within this database has followed the change feed; None when it has to look at everything."""
    row = connection.execute("SELECT system, snapshot FROM feed_position WHERE reader = %s", (reader,)).fetchone()
    return None if row is None else Position(row[0], row[1])


def save_position(connection: Connection, reader: str, position: Position) -> None:
    """Remember it."""
    connection.execute(
        "INSERT INTO feed_position (reader, system, snapshot) VALUES (%s, %s, %s)"
        " ON CONFLICT (reader) DO UPDATE SET system = EXCLUDED.system, snapshot = EXCLUDED.snapshot, at = now()",
        (reader, position.system, position.snapshot),
    )


def save_desired(connection: Connection, desired: Sequence[DesiredRow]) -> list[int]:
    """Write what these accounts should have; returns the accounts whose level, profile or revision is another now."""
    columns = (
        [one.account_id for one in desired],
        [one.level.name.lower() for one in desired],
        [one.reason for one in desired],
        [one.profile_id for one in desired],
        [one.account_revision for one in desired],
        [one.valid_until for one in desired],
    )
    return [row[0] for row in connection.execute(_SAVE, columns)]


def save_revisions(connection: Connection, profiles: Mapping[int, tuple[bytes, ProfileColumns]]) -> list[int]:
    """Write what each profile gives, hashed and whole; returns the profiles that give something else now."""
    ids, revisions = list(profiles), [revision for revision, _ in profiles.values()]
    contents = [Jsonb(content_of(columns)) for _, columns in profiles.values()]
    connection.execute(_SAVE_CONTENTS, (ids, revisions, contents))
    return [row[0] for row in connection.execute(_SAVE_REVISIONS, (ids, revisions))]


def stop_waiting(connection: Connection, accounts: Sequence[int]) -> None:
    """Leave these accounts as they were until something of them changes: they can't be worked out."""
    connection.execute(
        "UPDATE desired_policy SET valid_until = NULL WHERE account_id = ANY (%s) AND valid_until IS NOT NULL",
        (list(accounts),),
    )


def load_due(connection: Connection, now: datetime, *, limit: int) -> list[int]:
    """Accounts whose answer may have changed by itself, the longest due first."""
    found = connection.execute(
        "SELECT account_id FROM desired_policy WHERE valid_until <= %s ORDER BY valid_until LIMIT %s", (now, limit)
    )
    return [row[0] for row in found]


def load_next_due(connection: Connection) -> datetime | None:
    """When the next answer changes by itself."""
    row = connection.execute("SELECT min(valid_until) FROM desired_policy").fetchone()
    assert row is not None
    until: datetime | None = row[0]
    return until
