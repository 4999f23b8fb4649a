"""Turns of the enforcer in the database: what is taken, by whose clock, and what is said to leave. No socket."""

from __future__ import annotations

import datetime as clocks
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.drift_world import KEY
from support.lone_enforcer import desk, everything, settings_for
from support.radius_server import SEALER

from control_plane import db
from control_plane.control_loop import turn
from control_plane.control_loop.enforcement import Outcome, Reply
from control_plane.control_loop.outgoing import Outgoing
from control_plane.control_loop.turn import Came, News, Turns
from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns
from control_plane.policy.rendering import profile_revision
from control_plane.store.enforcement import PacketRow
from radius_hooks.sealing import nas_ssh_row

pytestmark = pytest.mark.db
NOTHING = frozenset()


def turns(conninfo, *, worker="worker", may_send=everything):
    return Turns(settings_for(conninfo), SEALER, worker=worker, may_send=may_send, chance=lambda: 0.5)


def content(one, profile):
    """The revision of what a profile gives now."""
    row = one.execute(f"SELECT {', '.join(PROFILE_COLUMNS)} FROM profile WHERE id = %s", profile)[0]
    return profile_revision(ProfileColumns(**dict(zip(PROFILE_COLUMNS, row, strict=True))))


def throttle(one, number):
    """Account and change want the throttled profile under the revision that the database has of it."""
    account, profile = one.world.isp.accounts[number - 1], one.world.isp.throttle
    one.world.want(account, "throttle", 2)
    one.execute(
        "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, method, "
        "desired_version, profile_id, wanted_at) SELECT %s, %s, %s, %s, %s, 'throttle', 'unpaid', true, 'coa', "
        "revision || '2222'::bytea, profile_id, now() FROM profile_revision WHERE profile_id = %s",
        KEY.format(number),
        one.world.isp.nas,
        account,
        f"s{number}",
        f"user{number:04}",
        profile,
    )


def rates(made):
    """What leaves: the rate of each request."""
    return [
        next(attribute.value for attribute in outgoing.request.attributes if attribute.name == "Filter-Id")
        for _, _, outgoing in made.outgoing
        if isinstance(outgoing, Outgoing)
    ]


def test_a_profile_edited_a_moment_ago_goes_out_as_it_is_now(database):
    with desk(database, "127.66.21.1") as one:
        sender = turns(database)
        assert sender.transact(News(), {}, NOTHING).outgoing == []
        # Within the second in which profiles are not read again.
        one.execute("UPDATE profile SET rate_down_bps = 3000000 WHERE id = %s", one.world.isp.throttle)
        new = content(one, one.world.isp.throttle)
        one.execute("UPDATE profile_revision SET revision = %s WHERE profile_id = %s", new, one.world.isp.throttle)
        throttle(one, 1)

        made = sender.transact(News(), {}, NOTHING)

        assert rates(made) == ["3000/1000"]
        sender.disconnect()


def test_what_a_profile_gives_since_a_moment_never_goes_out_under_its_old_version(database):
    with desk(database, "127.66.21.2") as one:
        old = content(one, one.world.isp.throttle)
        one.execute("UPDATE profile_revision SET revision = %s WHERE profile_id = %s", old, one.world.isp.throttle)
        throttle(one, 1)
        one.execute("UPDATE profile SET rate_down_bps = 3000000 WHERE id = %s", one.world.isp.throttle)
        sender = turns(database)

        assert sender.transact(News(), {}, NOTHING).outgoing == []

        assert one.rows("state::text, attempt, taken_by") == [("queued", 0, None)]
        # It was a mistake, and taken back before anybody worked out a new version.
        one.execute("UPDATE profile SET rate_down_bps = 2000000 WHERE id = %s", one.world.isp.throttle)
        one.execute("UPDATE enforcement SET next_at = now()")
        assert rates(sender.transact(News(), {}, NOTHING)) == ["2000/1000"]
        sender.disconnect()


def test_a_hopeless_change_of_a_dead_worker_ends(database):
    with desk(database, "127.66.21.3") as one:
        one.cut(1)
        # Its NAS stands for many devices now, so nothing can be addressed.
        one.execute("UPDATE nas SET source = '127.66.21.0/24'")
        one.execute(
            "UPDATE enforcement SET state = 'sent', sent_at = now(), attempt = 1, tries = 1, taken_by = 'the dead', taken_until = now()"
        )
        sender = turns(database)

        made = sender.transact(News(), {}, NOTHING)

        assert made.outgoing == []
        assert one.rows("state::text, alarmed_at IS NOT NULL, taken_by") == [("gave_up", True, None)]
        sender.disconnect()


class Fast(clocks.datetime):
    """A clock that is an hour ahead."""

    @classmethod
    def now(cls, tz=None):
        return clocks.datetime.now(tz) + timedelta(hours=1)


class Slow(clocks.datetime):
    """A clock that is an hour behind."""

    @classmethod
    def now(cls, tz=None):
        return clocks.datetime.now(tz) - timedelta(hours=1)


def test_a_worker_whose_clock_is_fast_takes_nothing_out_of_anothers_hands(database, monkeypatch):
    with desk(database, "127.66.21.4") as one:
        one.cut(1)
        one.execute(
            "UPDATE enforcement SET state = 'sent', sent_at = now(), attempt = 1, tries = 1, taken_by = 'another', "
            "taken_until = now() + interval '1 minute', next_at = now() + interval '1 minute'"
        )
        monkeypatch.setattr(turn, "datetime", Fast)
        sender = turns(database)

        assert sender.transact(News(), {}, NOTHING).outgoing == []
        one.cut(2)
        assert len(sender.transact(News(), {}, NOTHING).outgoing) == 1
        # What it takes itself is free again when it is killed, and not an hour later.
        assert one.execute("SELECT taken_until < now() + interval '1 minute' FROM enforcement WHERE id = 2") == [
            (True,)
        ]
        sender.disconnect()


def test_a_worker_whose_clock_is_slow_takes_what_is_due(database, monkeypatch):
    with desk(database, "127.66.21.5") as one:
        one.cut(1)
        monkeypatch.setattr(turn, "datetime", Slow)
        sender = turns(database)

        assert len(sender.transact(News(), {}, NOTHING).outgoing) == 1
        sender.disconnect()


def test_no_more_is_taken_than_a_slow_device_takes_within_moments(database):
    with desk(database, "127.66.21.6", accounts=12) as one:
        one.execute("UPDATE nas SET coa_window = 4, coa_rate_per_s = 2")
        one.cut(*range(1, 12))
        sender = turns(database)

        first = sender.transact(News(), {}, NOTHING)

        assert len(first.outgoing) == 4
        # Who pays comes next, not behind the eleven.
        one.execute("UPDATE nas SET coa_rate_per_s = 3")
        one.cut(12)
        one.execute("UPDATE enforcement SET disruptive = false WHERE session_key = %s", KEY.format(12))
        in_hand = frozenset(change.id for change, _, _ in first.outgoing)
        second = sender.transact(News(), {one.world.isp.nas: 4}, in_hand)
        assert second.outgoing[0][0].username == "user0012"
        sender.disconnect()


def test_a_worker_that_is_stopped_within_its_turn_does_not_hold_the_guard(database):
    with desk(database, "127.66.21.7") as one:
        one.cut(1)
        holds, go_on = threading.Event(), threading.Event()

        def stopped(connection, ids, now):
            connection.execute("SELECT FROM guard_state FOR UPDATE")
            holds.set()
            go_on.wait(120)
            return everything(connection, ids, now)

        sender = turns(database, may_send=stopped)
        failed = []

        def run():
            try:
                sender.transact(News(), {}, NOTHING)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert holds.wait(120)
            with db.connect(database, name="test", autocommit=True) as connection:
                connection.execute("SET statement_timeout = '30s'")
                connection.execute("SELECT FROM guard_state FOR UPDATE")
        finally:
            go_on.set()
            thread.join(120)
        # Continued, it finds that nothing of its turn was written, and nothing leaves.
        assert len(failed) == 1
        assert one.rows("state::text, attempt") == [("queued", 0)]
        sender.disconnect()


@pytest.mark.parametrize(
    ("started", "mac", "left"),
    [
        ("1 second", "020000000001", 0),
        ("0 seconds", "020000000001", 0),
        ("-1 minute", "020000000001", 1),
        ("1 second", "020000000002", 1),
    ],
    ids=["dialled in again since", "in that second", "had two before", "another line"],
)
def test_what_a_dead_worker_typed_is_not_typed_at_the_session_that_came_after_it(database, started, mac, left):
    # A command line that shows no Acct-Session-Id knows the new session by the same name and address.
    with desk(database, "127.66.21.9", vendor="cisco_iosxe") as one:
        one.execute(
            "UPDATE nas SET ssh_address = '127.0.0.1', ssh_username = 'corrente', sealed_ssh_password = %s, ssh_host_key = 'ssh-ed25519 '"
            " || repeat('A', 68)",
            SEALER.seal(b"its password", row=nas_ssh_row(one.world.isp.nas)),
        )
        one.cut(1, method="cli")
        one.execute(
            "UPDATE enforcement SET state = 'sent', sent_at = now() - interval '20 seconds', attempt = 1, tries = 1, "
            "taken_by = 'the dead', taken_until = now()"
        )
        one.execute("UPDATE session SET mac = '020000000001' WHERE session_key = %s", KEY.format(1))
        # Its Stop never came: for the database both are online.
        one.execute(
            "UPDATE session SET username = 'user0001', mac = %s, started_at = date_trunc('second', e.sent_at) + %s::interval "
            "FROM enforcement e WHERE session.session_key = %s",
            mac,
            started,
            KEY.format(2),
        )
        sender = turns(database)

        made = sender.transact(News(), {}, NOTHING)

        assert len(made.outgoing) == left
        if not left:
            assert one.rows("state::text, problem") == [
                ("superseded", "the subscriber has logged in again on the same line since it was sent")
            ]
            assert list(made.replaced.values()) == [[UUID(KEY.format(1))]]
        sender.disconnect()


def test_what_was_written_and_whose_commit_was_lost_with_the_connection_is_not_in_the_log_twice(database):
    with desk(database, "127.66.21.10") as one:
        one.cut(1)
        sender = turns(database)
        ((change, progress, _),) = sender.transact(News(), {}, NOTHING).outgoing
        at = datetime.now(UTC)
        news = News(
            came=[Came(change, progress, Outcome(Reply.ACK), at)],
            packets=[
                PacketRow(change.id, at, way, code, 7, "127.66.21.10:3799", "User-Name = user0001")
                for way, code in (("sent", 40), ("received", 41))
            ],
        )
        sender.transact(news, {}, NOTHING)
        # The database has it all; who wrote it was never told so, and more has come since.
        later = News(packets=[PacketRow(change.id, datetime.now(UTC), "received", 41, 7, "127.66.21.10:3799", "")])
        later.put_back(news)

        sender.transact(later, {}, NOTHING)

        assert one.execute("SELECT direction, count(*) FROM enforcement_packet GROUP BY 1 ORDER BY 1") == [
            ("received", 2),
            ("sent", 1),
        ]
        sender.disconnect()


def test_a_username_that_no_command_line_takes_is_given_up_before_anybody_logs_in(database):
    with desk(database, "127.66.21.11", vendor="cisco_iosxe") as one:
        one.execute(
            "UPDATE nas SET ssh_address = '127.0.0.1', ssh_username = 'corrente', sealed_ssh_password = %s, ssh_host_key = 'ssh-ed25519 '"
            " || repeat('A', 68)",
            SEALER.seal(b"its password", row=nas_ssh_row(one.world.isp.nas)),
        )
        one.cut(1, method="cli")
        one.execute(
            "UPDATE enforcement SET username = 'anna maria', attempt = 2, tries = 1, state = 'nacked', sent_at = now(), answered_at = now(), problem = 'x'"
        )
        sender = turns(database)

        made = sender.transact(News(), {}, NOTHING)

        assert made.outgoing == []
        ((state, method, problem, alarmed),) = one.rows("state::text, method::text, problem, alarmed_at IS NOT NULL")
        assert (state, method, alarmed) == ("gave_up", "cli", True)
        assert "'anna maria' does not fit a command line" in problem
        sender.disconnect()
