"""Signing in, and who is let in with what they show: by one, by many at once, and cut off in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
from support.command_line import KEY
from support.legal_world import insert
from support.staff_house import (
    ADMIN,
    HERE,
    NOW,
    PASSWORD,
    SEALER,
    add_settled,
    enter,
    entered,
    give_totp,
    make_house,
)

from control_plane import db
from control_plane.access.own import (
    BadPasswordError,
    NotProvenError,
    Proof,
    TooOftenError,
    change_own_password,
    end_own_session,
    make_recovery_codes,
    sign_out,
)
from control_plane.access.people import (
    change_person,
    change_role,
    drop_second_factors,
    end_all_sessions,
    give_one_time_password,
    unlock,
)
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.access.session_length import IdleIsLongerError, change_session_length
from control_plane.access.signing_in import (
    Came,
    NeedsSecondFactor,
    Refused,
    SignedIn,
    SignInReason,
    complete_sign_in,
    sign_in,
)
from control_plane.store.sign_in_attempts import take_turn
from control_plane.store.staff_sessions import SessionLength, load_sessions, session_for

pytestmark = pytest.mark.db

WRONG = Refused(SignInReason.WRONG)


@pytest.fixture
def house(database):
    """The console's connection to a database with an administrator and maria."""
    with db.connect(database, name="test") as opened:
        opened.execute("SET ROLE corrente_console")
        make_house(opened)
        yield opened


def audited(connection):
    return [tuple(row) for row in connection.execute("SELECT actor, action, subject FROM audit_log ORDER BY id")]


def complete(house, step, code, *, after_s=0.0):
    result = complete_sign_in(house, SEALER, step=step.step, code=code, came=HERE, now=NOW + timedelta(seconds=after_s))
    house.commit()
    return result


# -- name and password -----------------------------------------------------------------------------------------------


def test_who_knows_the_password_is_in_and_what_the_browser_gets_stands_nowhere(house):
    inside = entered(house, "MARIA")

    found = session_for(house, inside.token, now=NOW)

    assert found is not None
    assert (found.session_id, found.staff.name, found.must_change_password) == (inside.session_id, "maria", False)
    assert found.staff.permissions == {Permission.CUSTOMER_SEE, Permission.MESSAGE_SEND}
    assert len(found.csrf_secret) == 32
    rows = house.execute(
        "SELECT s::text FROM staff_session AS s UNION ALL SELECT a::text FROM audit_log AS a"
    ).fetchall()
    assert not any(inside.token in row[0] or PASSWORD in row[0] for row in rows)
    assert audited(house)[-1] == ("maria", "session.begin", "maria")


def test_nobody_learns_whether_it_was_the_name_or_the_password(house):
    change_person(house, "maria", changes={"enabled": False}, by=ADMIN, now=NOW)
    assert enter(house, "maria") == enter(house, "admin", "not this one at all") == enter(house, "nobody") == WRONG
    assert house.execute("SELECT count(*) FROM staff_session").fetchone() == (0,)


def test_a_name_of_any_length_and_script_is_answered(house):
    for name in ("", "x" * 10_000, "Ω\x00\ud800".replace("\x00", ""), "maria' --"):
        assert enter(house, name.encode("utf-8", "replace").decode()) == WRONG


# -- back-off --------------------------------------------------------------------------------------------------------


def test_the_sixth_try_waits_and_so_does_the_right_password(house):
    tries = [enter(house, password="wrong", after_s=at) for at in range(5)]
    assert tries == [WRONG] * 4 + [Refused(SignInReason.WRONG, 30)]
    assert enter(house, after_s=5) == Refused(SignInReason.WAIT, 29)
    assert enter(house, password="wrong", after_s=34) == Refused(SignInReason.WRONG, 60)
    assert isinstance(enter(house, after_s=34 + 60), SignedIn)
    # The name begins anew.
    assert enter(house, password="wrong", after_s=95) == WRONG
    assert ("maria", "session.hold_back", "maria") in audited(house)


def test_a_name_that_nobody_has_waits_as_one_that_somebody_has(house):
    tries = [enter(house, "nobody", after_s=at) for at in range(6)]
    assert tries == [WRONG] * 4 + [Refused(SignInReason.WRONG, 30), Refused(SignInReason.WAIT, 29)]


def test_one_guess_on_each_of_many_names_makes_the_address_wait_and_a_name_of_one_s_own_changes_nothing(house):
    for number in range(19):
        assert enter(house, f"name-{number}") == WRONG
    assert isinstance(enter(house), SignedIn)
    assert enter(house, "name-19") == Refused(SignInReason.WRONG, 30)
    assert enter(house) == Refused(SignInReason.WAIT, 30)
    assert isinstance(enter(house, came=Came("192.0.2.8")), SignedIn)
    six = Came("2001:db8:0:1::1")
    for number in range(20):
        enter(house, f"six-{number}", came=Came(f"2001:db8:0:1::{number + 1:x}"))
    assert enter(house, came=six) == Refused(SignInReason.WAIT, 30)


def test_who_guesses_elsewhere_does_not_keep_out_who_got_in_from_here_lately(house):
    entered(house)
    there = Came("192.0.2.66")
    for _ in range(7):
        enter(house, password="wrong", came=there)
    assert enter(house, came=there) == Refused(SignInReason.WAIT, 30)
    tries = [enter(house, password="wrong", after_s=1) for _ in range(5)]
    assert tries == [WRONG] * 4 + [Refused(SignInReason.WRONG, 30)]
    month_s = 31 * 24 * 3600
    entered(house, after_s=month_s, came=there)
    for _ in range(5):
        enter(house, password="wrong", after_s=month_s, came=Came("192.0.2.67"))
    assert enter(house, after_s=month_s) == Refused(SignInReason.WAIT, 30)
    assert isinstance(enter(house, after_s=month_s, came=there), SignedIn)


def test_an_administrator_lets_a_name_try_again(house):
    for _ in range(7):
        enter(house, password="wrong")
    unlock(house, "maria", by=ADMIN, now=NOW)
    assert isinstance(enter(house), SignedIn)


def test_of_many_tries_at_once_no_more_are_looked_at_than_one_after_the_other(house, database):
    results = at_once(database, 16, lambda connection: enter(connection, password="wrong"))
    assert Counter(type(one).__name__ + one.reason for one in results) == {"Refusedwrong": 5, "Refusedwait": 11}


def test_a_rate_limit_counts_calls_that_come_at_once_and_begins_anew(house, database):
    def take(connection, *, at=0):
        taken = take_turn(connection, "reset", "maria", limit=3, per_s=60, now=NOW + timedelta(seconds=at))
        connection.commit()
        return taken

    assert Counter(at_once(database, 8, take)) == {True: 3, False: 5}
    assert not take(house, at=59)
    assert [take(house, at=60) for _ in range(4)] == [True, True, True, False]
    assert take_turn(house, "reset", "anna", limit=3, per_s=60, now=NOW)


# -- the second factor -----------------------------------------------------------------------------------------------


def test_the_password_alone_opens_nothing_where_there_is_a_second_factor(house):
    app = give_totp(house)

    step = enter(house)

    assert isinstance(step, NeedsSecondFactor)
    assert step.factors == ("totp",)
    assert session_for(house, step.step, now=NOW) is None
    inside = complete(house, step, app.at(NOW))
    assert isinstance(inside, SignedIn)
    found = session_for(house, inside.token, now=NOW)
    assert found is not None
    assert found.second_factor_at == NOW
    # The step is used.
    assert complete(house, step, app.at(NOW + timedelta(seconds=30)), after_s=30) == Refused(SignInReason.STEP_OVER)


def test_a_code_is_taken_once_and_so_is_one_before_it(house):
    app = give_totp(house)
    assert isinstance(enter(house, code=app.at(NOW)), SignedIn)
    assert enter(house, code=app.at(NOW)) == Refused(SignInReason.WRONG_CODE)
    assert enter(house, code=app.at(NOW - timedelta(seconds=30))) == Refused(SignInReason.WRONG_CODE)
    assert isinstance(enter(house, code=app.at(NOW + timedelta(seconds=30))), SignedIn)


def test_of_many_who_sign_in_with_one_code_at_once_one_is_in(house, database):
    app = give_totp(house)
    steps = [enter(house) for _ in range(4)]

    def by_step(connection, step):
        found = complete_sign_in(connection, SEALER, step=step.step, code=app.at(NOW), came=HERE, now=NOW)
        connection.commit()
        return found

    results = at_once(database, 4, *[lambda connection, step=step: by_step(connection, step) for step in steps])
    assert Counter(type(one).__name__ for one in results) == {"SignedIn": 1, "Refused": 3}


def test_wrong_codes_make_the_name_wait_as_wrong_passwords_do(house):
    give_totp(house)
    step = enter(house)
    tries = [complete(house, step, "000000") for _ in range(5)]
    assert tries == [Refused(SignInReason.WRONG_CODE)] * 4 + [Refused(SignInReason.WRONG_CODE, 30)]
    assert complete(house, step, "000000") == Refused(SignInReason.WAIT, 30)


def test_a_step_is_over_after_five_minutes_and_when_the_password_is_another_one(house):
    app = give_totp(house)
    late, early = enter(house), enter(house)
    at = NOW + timedelta(seconds=300)
    assert complete(house, late, app.at(at), after_s=300) == Refused(SignInReason.STEP_OVER)
    give_one_time_password(house, "maria", by=ADMIN, now=NOW)
    assert complete(house, early, app.at(NOW)) == Refused(SignInReason.STEP_OVER)
    assert complete(house, NeedsSecondFactor("nothing", 1, ()), "") == Refused(SignInReason.STEP_OVER)


def test_a_recovery_code_stands_in_once(house):
    app = give_totp(house)
    inside = enter(house, code=app.at(NOW))
    codes = make_recovery_codes(house, Proof(inside.staff_id, inside.session_id, PASSWORD), now=NOW)
    step = enter(house)
    assert step.factors == ("totp", "recovery_code")
    assert isinstance(complete(house, step, codes[0].upper()), SignedIn)
    assert enter(house, code=codes[0]) == Refused(SignInReason.WRONG_CODE)
    assert isinstance(enter(house, code=codes[1]), SignedIn)
    make_recovery_codes(house, Proof(inside.staff_id, inside.session_id, PASSWORD), now=NOW)
    assert enter(house, code=codes[2]) == Refused(SignInReason.WRONG_CODE)


def test_who_has_lost_the_telephone_gets_in_when_the_factors_are_dropped(house):
    give_totp(house)
    assert isinstance(enter(house), NeedsSecondFactor)
    drop_second_factors(house, "maria", by=ADMIN, now=NOW)
    assert isinstance(enter(house), SignedIn)


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_nobody_uses_it_and_in_any_case(house):
    used, left = entered(house), entered(house)
    for hours in range(7, 7 * 24, 7):
        at = NOW + timedelta(hours=hours)
        assert session_for(house, used.token, now=at) is not None
        assert (session_for(house, left.token, now=at) is None) == (hours > 7)
        if hours == 7:
            house.execute("UPDATE staff_session SET last_seen_at = %s WHERE id = %s", (NOW, left.session_id))
    assert session_for(house, used.token, now=NOW + timedelta(days=7)) is None


def test_another_length_holds_for_those_who_are_in_and_lets_nobody_in_again(house):
    busy, left = entered(house), entered(house)
    later = NOW + timedelta(hours=2)
    assert session_for(house, busy.token, now=later) is not None
    ended = change_session_length(house, SessionLength(60, 168), actor="admin", now=later)
    assert [one.id for one in ended] == [left.session_id]
    assert session_for(house, busy.token, now=later) is not None
    # Longer again: who was out stays out, and who is in stays for longer than was meant when they came in.
    assert change_session_length(house, SessionLength(1440, 720), actor="admin", now=later) == []
    assert session_for(house, left.token, now=later) is None
    for hours in range(23, 30 * 24, 23):
        assert session_for(house, busy.token, now=NOW + timedelta(hours=hours)) is not None
    assert session_for(house, busy.token, now=NOW + timedelta(days=30)) is None
    new = entered(house, after_s=7200)
    ended = change_session_length(house, SessionLength(60, 1), actor="admin", now=later + timedelta(hours=1))
    assert new.session_id in {one.id for one in ended}
    with pytest.raises(IdleIsLongerError):
        change_session_length(house, SessionLength(61, 1), actor="admin", now=later)
    told = house.execute("SELECT detail FROM audit_log WHERE action = 'setting.session_length' ORDER BY id").fetchall()
    assert told[0][0] == {
        "before": {"idle_minutes": 480, "most_hours": 168},
        "after": {"idle_minutes": 60, "most_hours": 168},
        "sessions_ended": 1,
    }
    assert len(told) == 3


def test_a_session_that_began_as_the_length_was_set_lasts_no_longer_than_that(house):
    change_session_length(house, SessionLength(60, 2), actor="admin", now=NOW)
    late = entered(house)
    house.execute(
        "UPDATE staff_session SET ends_at = %s, last_seen_at = %s", (NOW + timedelta(days=7), NOW + timedelta(hours=2))
    )
    assert session_for(house, late.token, now=NOW + timedelta(hours=2)) is None


def test_that_it_was_seen_is_written_once_a_minute_and_waits_for_nobody(house, database):
    inside = entered(house)

    def seen():
        return house.execute("SELECT last_seen_at FROM staff_session WHERE id = %s", (inside.session_id,)).fetchone()[0]

    session_for(house, inside.token, now=NOW + timedelta(seconds=59))
    assert seen() == NOW
    with db.connect(database, name="other") as other:
        other.execute("SELECT FROM staff_session WHERE id = %s FOR NO KEY UPDATE", (inside.session_id,))
        house.execute("SET LOCAL lock_timeout = '1s'")
        assert session_for(house, inside.token, now=NOW + timedelta(seconds=60)) is not None
        assert seen() == NOW
    session_for(house, inside.token, now=NOW + timedelta(seconds=61))
    assert seen() == NOW + timedelta(seconds=61)


def test_a_session_is_found_by_its_digest_alone(house):
    house.execute("SET LOCAL enable_seqscan = off")
    plan = house.execute("EXPLAIN SELECT FROM staff_session WHERE digest = '\\x00' AND complete").fetchall()
    assert "staff_session_digest_once" in str(plan)


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "ü" * 43, "x" * 10_000])
def test_what_is_no_session_lets_nobody_in(house, token):
    entered(house)
    assert session_for(house, token, now=NOW) is None


def test_a_permission_that_is_taken_away_is_gone_at_the_next_request(house):
    inside = entered(house)
    change_role(house, "counter", permissions=frozenset({Permission.CUSTOMER_SEE}), by=ADMIN)
    assert session_for(house, inside.token, now=NOW).staff.permissions == {Permission.CUSTOMER_SEE}
    change_person(house, "maria", changes={}, roles=["administrator"], by=ADMIN, now=NOW)
    assert session_for(house, inside.token, now=NOW).staff.permissions == EVERYTHING
    change_person(house, "maria", changes={}, roles=[], by=ADMIN, now=NOW)
    assert session_for(house, inside.token, now=NOW).staff.permissions == frozenset()
    change_person(house, "maria", changes={"enabled": False}, by=ADMIN, now=NOW)
    assert session_for(house, inside.token, now=NOW) is None
    change_person(house, "maria", changes={"enabled": True}, by=ADMIN, now=NOW)
    assert session_for(house, inside.token, now=NOW) is None


def test_a_collector_may_what_is_a_collector_s_whatever_the_role(house, database):
    with db.connect(database, name="books", autocommit=True) as books:
        books.execute("SET corrente.actor = 'maria'")
        books.execute("; ".join(insert(table) for table in ("issuer", "number_series", "collector")))
        (collector,) = books.execute("SELECT id FROM collector").fetchone()
    add_settled(house, "carla", "administrator", collector_id=collector)
    found = session_for(house, entered(house, "carla").token, now=NOW)
    assert found.staff.permissions == {Permission.CASH_TAKE}
    assert found.staff.collector_id == collector


def test_one_session_is_ended_by_its_holder_or_all_by_an_administrator(house):
    add_settled(house, "anna", "counter")
    first, second, others = entered(house), entered(house), entered(house, "anna")
    assert not end_own_session(house, first.staff_id, others.session_id, now=NOW)
    assert end_own_session(house, first.staff_id, second.session_id, now=NOW)
    assert session_for(house, second.token, now=NOW) is None
    assert [one.id for one in load_sessions(house, now=NOW, staff_id=first.staff_id)] == [first.session_id]
    assert {one.name for one in load_sessions(house, now=NOW)} == {"maria", "anna"}
    assert end_all_sessions(house, "maria", by=ADMIN, now=NOW) == 1
    assert session_for(house, first.token, now=NOW) is None
    sign_out(house, others.session_id, now=NOW)
    assert load_sessions(house, now=NOW) == []


# -- passwords -------------------------------------------------------------------------------------------------------


def test_a_one_time_password_opens_nothing_but_its_own_change(house):
    before = entered(house)
    once = give_one_time_password(house, "maria", by=ADMIN, now=NOW)
    assert session_for(house, before.token, now=NOW) is None
    assert enter(house) == WRONG
    inside = entered(house, password=once)
    assert inside.must_change_password
    assert session_for(house, inside.token, now=NOW).staff.permissions == frozenset()

    change_own_password(house, Proof(inside.staff_id, inside.session_id, once), new="eleven green bottles", now=NOW)

    assert session_for(house, inside.token, now=NOW).staff.permissions != frozenset()
    assert enter(house, password=once) == WRONG
    assert isinstance(enter(house, password="eleven green bottles"), SignedIn)


def test_another_password_ends_the_other_sessions_and_is_no_bad_one(house):
    mine, other = entered(house), entered(house)
    proof = Proof(mine.staff_id, mine.session_id, PASSWORD)
    for bad in (PASSWORD, "short", "maria2026!!!"):
        with pytest.raises(BadPasswordError):
            change_own_password(house, proof, new=bad, now=NOW)
    with pytest.raises(NotProvenError):
        change_own_password(house, Proof(mine.staff_id, mine.session_id, "?"), new="eleven green bottles", now=NOW)
    change_own_password(house, proof, new="eleven green bottles", now=NOW)
    assert session_for(house, mine.token, now=NOW) is not None
    assert session_for(house, other.token, now=NOW) is None


def test_who_sits_at_somebody_s_computer_does_not_guess_the_password_for_long(house):
    mine = entered(house)
    give_totp(house)
    for _ in range(12):  # the right one is no guess
        make_recovery_codes(house, Proof(mine.staff_id, mine.session_id, PASSWORD), now=NOW)
    for _ in range(10):
        with pytest.raises(NotProvenError):
            change_own_password(house, Proof(mine.staff_id, mine.session_id, "?"), new="eleven green bottles", now=NOW)
    with pytest.raises(TooOftenError):
        change_own_password(house, Proof(mine.staff_id, mine.session_id, PASSWORD), new="eleven green bottles", now=NOW)


# -- cut off ---------------------------------------------------------------------------------------------------------


def test_a_process_that_is_killed_while_it_signs_somebody_in_leaves_nothing(house, database):
    app = give_totp(house)
    program = f"""
import os, signal, sys
from datetime import datetime
from control_plane import db
from control_plane.access.signing_in import Came, sign_in
from radius_hooks.sealing import Sealer
connection = db.connect({database!r}, name="killed")
now = datetime.fromisoformat({NOW.isoformat()!r})
with connection.transaction():
    sign_in(connection, Sealer([{KEY!r}]), name="maria", password={PASSWORD!r}, code={app.at(NOW)!r}, came=Came(None), now=now)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    before = house.execute("SELECT count(*) FROM staff_session").fetchone()
    house.commit()
    killed = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert house.execute("SELECT count(*) FROM staff_session").fetchone() == before
    house.commit()
    assert isinstance(enter(house, code=app.at(NOW)), SignedIn)


def at_once(database, count, *deeds):
    """What came of the deeds, each by a thread with a connection of its own; one deed is done `count` times."""
    deeds = deeds if len(deeds) == count else deeds * count
    ready, results = threading.Barrier(count), [None] * count

    def work(number):
        with db.connect(database, name="test") as connection:
            connection.execute("SET ROLE corrente_console")
            connection.commit()
            ready.wait()
            results[number] = deeds[number](connection)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return results


def test_the_caller_s_transaction_decides(house):
    sign_in(house, SEALER, name="maria", password=PASSWORD, came=HERE, now=NOW)
    assert len(load_sessions(house, now=NOW)) == 1
    with house.transaction(force_rollback=True):
        sign_in(house, SEALER, name="maria", password=PASSWORD, came=HERE, now=NOW)
    assert len(load_sessions(house, now=NOW)) == 1
