"""What a person asks of live sessions: it goes whatever the policy says, past the guard's share, and never past a stop."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.drift_world import KEY
from support.guarded_isp import RULES
from support.lone_enforcer import desk, settings_for
from support.radius_server import SEALER

from control_plane import db
from control_plane.control_loop import by_hand
from control_plane.control_loop.by_hand import TooManyError
from control_plane.control_loop.reconcile import reconcile_all
from control_plane.control_loop.turn import News, Turns
from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns
from control_plane.policy.rendering import profile_revision
from control_plane.store.guard import may_send
from control_plane.store.online_list import OnlineFilter
from nas_drivers.transport.coa import ChangeCode

pytestmark = pytest.mark.db
NOTHING = frozenset()


def turns(conninfo):
    """A sender that asks the real guard."""
    return Turns(
        settings_for(conninfo),
        SEALER,
        worker="worker",
        may_send=lambda connection, ids, now: may_send(connection, ids, now, RULES),
        chance=lambda: 0.5,
    )


def ask(database, deed, **asked):
    with db.connect(database, name="test") as connection:
        return deed(
            connection,
            settings_for(database),
            OnlineFilter(**asked),
            reason="asked for",
            by="maria",
            now=datetime.now(UTC),
        )


def codes(database):
    """What one turn of a worker sends."""
    sender = turns(database)
    made = sender.transact(News(), {}, NOTHING)
    sender.disconnect()
    return [outgoing.request.code for _, _, outgoing in made.outgoing]


def test_a_session_that_runs_as_it_should_is_ended_all_the_same(database):
    with desk(database, "127.66.31.1") as one, db.connect(database, name="reconcile", autocommit=True) as loop:
        done = ask(database, by_hand.disconnect, username="user0001")
        assert (done.meant.sessions, done.opened, done.ends, done.left_out) == (1, 1, 1, 0)
        # Whoever compares what is wanted with what is there leaves it alone, though the contract gives full service.
        reconcile_all(loop)
        assert one.rows("state::text, level::text, asked_by") == [("queued", "none", "maria")]
        assert codes(database) == [ChangeCode.DISCONNECT]


def test_a_policy_is_told_again_though_the_session_runs_under_it(database):
    with desk(database, "127.66.31.2") as one, db.connect(database, name="reconcile", autocommit=True) as loop:
        one.execute(
            "UPDATE profile_revision SET revision = %s WHERE profile_id = %s", _content(one), one.world.isp.full
        )
        one.execute("UPDATE session SET policy_version = %s || '1111'::bytea", _content(one))
        done = ask(database, by_hand.apply_again, keys=(KEY.format(1),))
        assert done.opened == 1
        reconcile_all(loop)
        assert one.rows("state::text, from_version = desired_version, asked_by") == [("queued", True, "maria")]
        assert codes(database) == [ChangeCode.COA]


def test_what_is_asked_for_again_makes_way_for_what_is_wanted_since(database):
    with desk(database, "127.66.31.3") as one, db.connect(database, name="reconcile", autocommit=True) as loop:
        ask(database, by_hand.apply_again, keys=(KEY.format(1),))
        one.world.want(one.world.isp.accounts[0], "walled", 2)
        reconcile_all(loop)
        rows = one.execute("SELECT state::text, asked_by, level::text FROM enforcement ORDER BY id")
        assert rows == [("superseded", "maria", "full"), ("queued", None, "walled")]


def test_a_person_s_change_passes_the_share_and_no_stop(database):
    with desk(database, "127.66.31.4") as one:
        ask(database, by_hand.disconnect)
        one.execute("UPDATE guard_state SET tripped_at = now(), tripped_reason = 'too many'")
        one.execute("INSERT INTO network_stop (reason, placed_by) VALUES ('fire', 'maria')")
        sender = turns(database)
        assert sender.transact(News(), {}, NOTHING).outgoing == []
        assert all("everything is stopped" in row[0] for row in one.rows("held_reason"))
        one.execute("UPDATE network_stop SET ended_at = now(), ended_by = 'maria'")
        one.execute("UPDATE enforcement SET next_at = now()")
        assert len(sender.transact(News(), {}, NOTHING).outgoing) == len(one.world.isp.accounts)
        # It takes no place in automation's hour.
        assert one.execute("SELECT count(*) FROM guard_pass") == [(0,)]
        sender.disconnect()


def test_a_session_that_must_end_is_not_told_anything_again(database):
    with desk(database, "127.66.31.5") as one:
        one.world.want(one.world.isp.accounts[0], "blocked", 2)
        done = ask(database, by_hand.apply_again)
        assert (done.meant.sessions - 1, done.left_out) == (done.opened, 1)


def test_more_than_one_deed_may_concern_is_refused(database, monkeypatch):
    monkeypatch.setattr(by_hand, "MOST", 2)
    with desk(database, "127.66.31.6") as one:
        with pytest.raises(TooManyError):
            ask(database, by_hand.disconnect)
        assert one.rows("id") == []


def _content(one):
    """The revision of what the full profile gives now."""
    row = one.execute(f"SELECT {', '.join(PROFILE_COLUMNS)} FROM profile WHERE id = %s", one.world.isp.full)[0]
    return profile_revision(ProfileColumns(**dict(zip(PROFILE_COLUMNS, row, strict=True))))
