"""Roles and what they grant."""

from __future__ import annotations

from control_plane.access.permissions import EVERYTHING, FIRST_ROLES, OF_A_COLLECTOR, Permission, section_of
from control_plane.access.person import Staff, bound


def test_the_first_administrator_may_everything_and_nobody_else_may_change_staff():
    assert FIRST_ROLES["administrator"] == EVERYTHING
    others = [granted for name, granted in FIRST_ROLES.items() if name != "administrator"]
    assert all(Permission.STAFF_CHANGE not in granted for granted in others)


def test_who_reads_changes_nothing():
    assert {one.value.partition(".")[2] for one in FIRST_ROLES["reader"]} == {"see"}


def test_the_permissions_of_a_section_stand_together():
    sections = [section_of(one) for one in Permission]
    assert [name for at, name in enumerate(sections) if name in sections[:at] and sections[at - 1] != name] == []


def test_who_is_bound_to_a_collector_or_an_agent_has_no_more_than_theirs_whatever_the_roles_grant():
    assert bound(EVERYTHING, collector_id=7, agent_id=None) == OF_A_COLLECTOR == {Permission.CASH_TAKE}
    assert bound(EVERYTHING, collector_id=None, agent_id=7) == {Permission.AGENT_OWN}
    assert bound(EVERYTHING, collector_id=None, agent_id=None) == EVERYTHING
    assert bound(frozenset(), collector_id=7, agent_id=None) == frozenset()


def test_a_token_may_no_more_than_its_holder():
    maria = Staff(1, "maria", "Maria", frozenset({Permission.STAFF_SEE, Permission.AUDIT_SEE}))
    token = maria.limited_to(frozenset({Permission.AUDIT_SEE, Permission.STAFF_CHANGE}))
    assert token.may(Permission.AUDIT_SEE)
    assert not token.may(Permission.STAFF_SEE)
    assert not token.may(Permission.STAFF_CHANGE)
