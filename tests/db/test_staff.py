"""Staff and roles changed: nobody hands on more than they have, an administrator stays, and all of it is told."""

from __future__ import annotations

import threading

import pytest
from support.staff_house import ADMIN, NOW, PASSWORD, add_settled, entered, give_totp, make_house

from control_plane import db
from control_plane.access.api_tokens import make_api_token, revoke_api_token
from control_plane.access.people import (
    AccessError,
    LastAdministratorError,
    MoreThanOwnError,
    NobodyError,
    NoFactorYetError,
    add_person,
    add_role,
    change_person,
    change_role,
    drop_second_factors,
    end_all_sessions,
    end_session,
    give_one_time_password,
    make_first_administrator,
    remove_role,
    unlock,
)
from control_plane.access.permissions import FIRST_ROLES, Permission
from control_plane.access.person import Actor
from control_plane.store.staff import load_person, load_person_of, load_role, load_staff
from control_plane.store.staff_sessions import load_sessions, session_for, token_for

pytestmark = pytest.mark.db

# May administer staff, and customers; not the network.
CLERK = Actor("clerk", frozenset({Permission.STAFF_SEE, Permission.STAFF_CHANGE, Permission.CUSTOMER_SEE}))


@pytest.fixture
def house(database):
    with db.connect(database, name="test") as opened:
        opened.execute("SET ROLE corrente_console")
        make_house(opened)
        yield opened


def test_two_first_starts_at_once_make_one_administrator(database):
    ready, made = threading.Barrier(4), []

    def start():
        with db.connect(database, name="test", autocommit=True) as connection:
            ready.wait()
            made.append(make_first_administrator(connection, now=NOW))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len([one for one in made if one is not None]) == 1
    with db.connect(database, name="test") as connection:
        assert connection.execute("SELECT name, must_change_password FROM staff").fetchall() == [("admin", True)]
        roles = dict(connection.execute("SELECT name, permissions FROM staff_role").fetchall())
        assert {name: frozenset(granted) for name, granted in roles.items()} == FIRST_ROLES


def test_two_administrators_who_take_each_other_s_role_at_once_do_not_both_succeed(house, database):
    add_settled(house, "second", "administrator")
    house.commit()
    ready, outcomes = threading.Barrier(2), []

    def take(name):
        with db.connect(database, name="test") as connection:
            ready.wait()
            try:
                change_person(connection, name, changes={}, roles=["reader"], by=ADMIN, now=NOW)
                connection.commit()
                outcomes.append("done")
            except LastAdministratorError:
                outcomes.append("refused")

    threads = [threading.Thread(target=take, args=(name,)) for name in ("admin", "second")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["done", "refused"]


@pytest.mark.parametrize(
    "deed",
    [
        lambda house: add_person(house, "leo", full_name="Leo", roles=["administrator"], by=CLERK, now=NOW),
        lambda house: change_person(house, "maria", changes={}, roles=["administrator"], by=CLERK, now=NOW),
        lambda house: change_person(house, "admin", changes={"enabled": False}, by=CLERK, now=NOW),
        lambda house: give_one_time_password(house, "admin", by=CLERK, now=NOW),
        lambda house: drop_second_factors(house, "admin", by=CLERK, now=NOW),
        lambda house: end_all_sessions(house, "admin", by=CLERK, now=NOW),
        lambda house: unlock(house, "admin", by=CLERK, now=NOW),
        lambda house: add_role(house, "mine", permissions=frozenset({Permission.NETWORK_ACT}), by=CLERK),
        lambda house: change_role(house, "counter", permissions=frozenset(), by=CLERK),
        lambda house: remove_role(house, "network operator", by=CLERK),
    ],
)
def test_who_administers_staff_comes_to_no_more_than_they_have(house, deed):
    before = state(house)
    with pytest.raises(MoreThanOwnError):
        deed(house)
    assert state(house) == before


def test_who_administers_staff_does_the_same_with_what_they_have(house):
    granted = frozenset({Permission.CUSTOMER_SEE})
    add_role(house, "seer", permissions=granted, by=CLERK)
    made = add_person(house, "leo", full_name="Leo", roles=["seer"], by=CLERK, now=NOW)
    change_person(house, "leo", changes={"email": "leo@isp.example"}, roles=[], by=CLERK, now=NOW)
    change_role(house, "seer", permissions=frozenset(), by=CLERK)
    remove_role(house, "seer", by=CLERK)
    give_one_time_password(house, "leo", by=CLERK, now=NOW)
    assert load_person_of(house, made.id).permissions == frozenset()
    told = house.execute("SELECT action, detail FROM audit_log WHERE actor = 'clerk' ORDER BY id").fetchall()
    assert [action for action, _ in told] == [
        "role.add",
        "staff.add",
        "staff.change",
        "role.change",
        "role.remove",
        "staff.give_password",
    ]
    assert told[2][1] == {
        "before": {"email": None, "roles": ["seer"]},
        "after": {"email": "leo@isp.example", "roles": []},
    }
    assert told[3][1] == {"before": {"permissions": ["customer.see"]}, "after": {"permissions": []}}


def demand(house, role, by=ADMIN, *, wanted=True):
    permissions = load_role(house, role).permissions
    change_role(house, role, permissions=permissions, by=by, needs_second_factor=wanted)


def test_who_lacks_the_second_factor_that_a_role_demands_may_nothing_until_they_have_one_and_their_tokens_go_on(house):
    session, token = entered(house), made_token(house).token
    demand(house, "counter")
    inside = session_for(house, session.token, now=NOW)
    assert (inside.lacks_second_factor, inside.staff.permissions) == (True, frozenset())
    assert load_person(house, "maria").demanded_by == ["counter"]
    assert load_person(house, "maria").lacks_second_factor
    assert token_for(house, token, now=NOW).staff.permissions == {Permission.CUSTOMER_SEE}
    # A role that somebody else has demands nothing of them.
    assert not session_for(
        house, entered(house, "admin", password=first_password(house)).token, now=NOW
    ).lacks_second_factor
    give_totp(house)
    assert not load_person(house, "maria").lacks_second_factor
    drop_second_factors(house, "maria", by=ADMIN, now=NOW)
    again = session_for(house, entered(house).token, now=NOW)
    assert again.lacks_second_factor
    demand(house, "counter", wanted=False)
    inside = session_for(house, entered(house).token, now=NOW)
    assert (inside.lacks_second_factor, Permission.CUSTOMER_SEE in inside.staff.permissions) == (False, True)


def first_password(house):
    return give_one_time_password(house, "admin", by=ADMIN, now=NOW)


def test_one_who_administers_staff_has_the_second_factor_before_it_is_demanded_of_all_who_do(house):
    with pytest.raises(NoFactorYetError):
        demand(house, "administrator")
    assert not load_role(house, "administrator").needs_second_factor
    add_settled(house, "second", "administrator")
    give_totp(house, "second")
    demand(house, "administrator")
    for changes, roles in (({"enabled": False}, None), ({}, ["reader"])):
        with pytest.raises(NoFactorYetError):
            change_person(house, "second", changes=changes, roles=roles, by=ADMIN, now=NOW)
    # Whose telephone is lost makes another one at the next click, and what has nothing to do with it goes on.
    drop_second_factors(house, "second", by=ADMIN, now=NOW)
    change_person(house, "maria", changes={"full_name": "Maria R."}, by=ADMIN, now=NOW)
    demand(house, "administrator", wanted=False)
    told = house.execute("SELECT detail FROM audit_log WHERE action = 'role.change' ORDER BY id").fetchall()
    assert told[0][0] == {"before": {"needs_second_factor": False}, "after": {"needs_second_factor": True}}


def test_a_demand_that_protects_more_than_one_has_is_not_lifted(house):
    demand(house, "counter")
    with pytest.raises(MoreThanOwnError):
        demand(house, "counter", CLERK, wanted=False)
    assert load_role(house, "counter").needs_second_factor


def test_a_change_that_changes_nothing_is_not_told(house):
    count = house.execute("SELECT count(*) FROM audit_log").fetchone()
    change_person(house, "maria", changes={"full_name": "Maria"}, roles=["counter"], by=ADMIN, now=NOW)
    change_role(house, "counter", permissions=load_role(house, "counter").permissions, by=ADMIN)
    assert house.execute("SELECT count(*) FROM audit_log").fetchone() == count


def test_the_last_who_may_administer_staff_stays_and_a_disabled_one_does_not_count(house):
    add_settled(house, "second", "administrator")
    change_person(house, "second", changes={"enabled": False}, by=ADMIN, now=NOW)
    for changes, roles in (({"enabled": False}, None), ({}, ["reader"])):
        with pytest.raises(LastAdministratorError):
            change_person(house, "admin", changes=changes, roles=roles, by=ADMIN, now=NOW)
    change_person(house, "second", changes={"enabled": True}, by=ADMIN, now=NOW)
    change_person(house, "admin", changes={}, roles=["reader"], by=ADMIN, now=NOW)
    assert load_person(house, "admin").roles == ["reader"]


def test_a_role_that_somebody_has_stays(house):
    with pytest.raises(AccessError, match="1 have the role 'counter'"):
        remove_role(house, "counter", by=ADMIN)


def test_who_is_disabled_is_nobody(house):
    session = entered(house)
    assert load_staff(house, "MARIA") is not None
    change_person(house, "maria", changes={"enabled": False}, by=ADMIN, now=NOW)
    assert load_staff(house, "maria") is None
    assert load_sessions(house, now=NOW) == []
    assert end_session(house, session.session_id, by=ADMIN, now=NOW) is False
    with pytest.raises(NobodyError):
        end_session(house, 999, by=ADMIN, now=NOW)


# -- tokens of programs ----------------------------------------------------------------------------------------------


def made_token(house, *granted, **more):
    permissions = frozenset(granted or {Permission.CUSTOMER_SEE})
    given = {"name": "shop", "expires_at": None, "by": Actor("maria"), "now": NOW} | more
    return make_api_token(house, load_person(house, "maria"), permissions=permissions, **given)


def test_a_token_may_what_it_was_made_for_while_its_holder_may(house):
    token = made_token(house).token
    assert token_for(house, token, now=NOW).staff.permissions == {Permission.CUSTOMER_SEE}
    change_role(house, "counter", permissions=frozenset({Permission.MESSAGE_SEND}), by=ADMIN)
    assert token_for(house, token, now=NOW).staff.permissions == frozenset()
    give_one_time_password(house, "maria", by=ADMIN, now=NOW)
    assert token_for(house, token, now=NOW).staff.permissions == frozenset()
    change_person(house, "maria", changes={"enabled": False}, by=ADMIN, now=NOW)
    assert token_for(house, token, now=NOW) is None
    assert token not in str(
        house.execute("SELECT t::text FROM api_token AS t UNION ALL SELECT a::text FROM audit_log AS a").fetchall()
    )


@pytest.mark.parametrize("granted", [Permission.STAFF_CHANGE, Permission.NETWORK_SEE])
def test_a_token_is_not_made_for_more_than_its_holder_may(house, granted):
    with pytest.raises(MoreThanOwnError):
        made_token(house, granted)


def test_nor_for_more_than_who_makes_it_may(house):
    with pytest.raises(MoreThanOwnError):
        made_token(house, by=Actor("leo", frozenset()))


def test_a_token_is_over_when_its_time_is_and_when_it_is_revoked(house):
    timed = made_token(house, expires_at=NOW.replace(hour=13))
    assert token_for(house, timed.token, now=NOW.replace(hour=12, minute=59)) is not None
    assert token_for(house, timed.token, now=NOW.replace(hour=13)) is None
    kept = made_token(house, name="other")
    other = add_settled(house, "anna", "counter")
    with pytest.raises(NobodyError):
        revoke_api_token(house, kept.id, by=ADMIN, now=NOW, of=other)
    assert token_for(house, kept.token, now=NOW) is not None
    revoke_api_token(house, kept.id, by=ADMIN, now=NOW)
    assert token_for(house, kept.token, now=NOW) is None
    with pytest.raises(NobodyError):
        revoke_api_token(house, kept.id, by=ADMIN, now=NOW)
    # Its name is free again.
    assert made_token(house, name="other").id != kept.id


@pytest.mark.parametrize("bearer", ["", "corr_", "x" * 300, PASSWORD])
def test_what_is_no_token_is_nobody_s(house, bearer):
    made_token(house)
    assert token_for(house, bearer, now=NOW) is None


def state(house):
    return house.execute(
        "SELECT (SELECT array_agg(p::text ORDER BY p.id) FROM staff AS p), (SELECT array_agg(r::text ORDER BY r.id) FROM staff_role AS r),"
        " (SELECT array_agg(h::text ORDER BY h.staff_id, h.role_id) FROM staff_has_role AS h), (SELECT count(*) FROM audit_log)"
    ).fetchone()
