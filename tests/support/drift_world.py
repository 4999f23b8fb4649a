"""Live sessions and what their accounts should have, for tests of the reconciler: versions are written out by hand.

The revision of a profile is its letter four times (`F` full, `T` throttle, `W` walled), that of an account's part a digit
four times, so a version reads `FFFF1111`.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from support.small_isp import SmallIsp, make_isp

from control_plane.policy.rendering import profile_revision
from control_plane.store.desired import save_revisions
from control_plane.store.drift import load_profiles

LETTERS = {"full": b"FFFF", "throttle": b"TTTT", "walled": b"WWWW"}
KEY = "00000000-0000-4000-8000-{:012d}"
OPEN = ("queued", "sent", "acked", "nacked", "unanswered")


@dataclass
class DriftWorld:
    """The ISP of small_isp with a session an account, each in order under `FFFF1111`."""

    connection: psycopg.Connection
    isp: SmallIsp

    def want(self, account: int, level: str, digit: int, *, reason: str = "because") -> None:
        """The account's desired policy from now on."""
        profile = {"full": self.isp.full, "throttle": self.isp.throttle, "walled": self.isp.walled}.get(level)
        self.connection.execute(
            "INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (account_id) DO UPDATE SET level = EXCLUDED.level, reason = EXCLUDED.reason, "
            "profile_id = EXCLUDED.profile_id, account_revision = EXCLUDED.account_revision, changed_at = now()",
            (account, level, reason, profile, str(digit).encode() * 4),
        )
        self.connection.commit()

    def give(self, profile: int, revision: bytes | None = None) -> None:
        """What the profile gives now goes by this revision from now on, or by its own."""
        columns = load_profiles(self.connection, [profile])[profile]
        save_revisions(self.connection, {profile: (revision or profile_revision(columns), columns)})
        self.connection.commit()

    def run_under(self, number: int, version: str | None) -> None:
        """What Class said at the login of that account's session."""
        self.change(
            "UPDATE session SET policy_version = %s WHERE session_key = %s",
            None if version is None else version.encode(),
            KEY.format(number),
        )

    def change(self, statement: str, *values: object) -> None:
        """Run and commit."""
        self.connection.execute(statement, values)
        self.connection.commit()

    def enforcements(self, *columns: str, states: tuple[str, ...] = OPEN) -> list[tuple]:
        """Those in these states, in order of their numbers; bytes as text."""
        rows = self.connection.execute(
            f"SELECT {', '.join(columns)} FROM enforcement WHERE state::text = ANY (%s) ORDER BY id", (list(states),)
        ).fetchall()
        self.connection.commit()
        return [tuple(cell.decode() if isinstance(cell, bytes) else cell for cell in row) for row in rows]

    def sent(self, state: str = "sent") -> None:
        """The open enforcements went out, and this came of it."""
        closed = "now()" if state in ("unverifiable", "gave_up", "verified") else "NULL"
        answered = "now()" if state in ("acked", "nacked") else "NULL"
        self.connection.execute(
            f"UPDATE enforcement SET state = %s, sent_at = now(), answered_at = {answered}, closed_at = {closed}, problem = 'test' "
            "WHERE closed_at IS NULL",
            (state,),
        )
        self.connection.commit()


def make_drift_world(connection: psycopg.Connection, *, accounts: int = 3) -> DriftWorld:
    """Every account should have the plan in full, and every session runs under that."""
    isp = make_isp(connection, accounts=accounts)
    world = DriftWorld(connection, isp)
    for name, profile in (("full", isp.full), ("throttle", isp.throttle), ("walled", isp.walled)):
        world.give(profile, LETTERS[name])
    for number, account in enumerate(isp.accounts, start=1):
        world.want(account, "full", 1)
        add_session(world, number, account)
    return world


def add_session(world: DriftWorld, number: int, account: int | None, *, version: str | None = "FFFF1111") -> None:
    """One more live session, an hour old and heard of a minute ago."""
    world.change(
        """
        INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at,
            received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since)
        VALUES (%s, %s, %s, %s, %s, %s, now() - interval '1 hour', now() - interval '1 minute', now() - interval '1 minute',
            3540, 10, 100, 10, 100, now() - interval '1 hour')
        """,
        KEY.format(number),
        world.isp.nas,
        f"s{number}",
        f"user{number:04}",
        account,
        None if version is None else version.encode(),
    )
