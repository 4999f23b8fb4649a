"""What is added to and taken from a router's address lists for one session, and what entries of ours need."""

from __future__ import annotations

import pytest

from nas_drivers.families.routeros_lists import (
    Care,
    ListChange,
    ListEntry,
    care_for,
    entry_comment,
    list_plan,
    read_entries,
    what_is_wrong,
)

WALL = ListChange("anna", "81a00001", "100.64.0.1", frozenset({"walled"}), frozenset({"walled", "slow"}), 3600)
FREE = ListChange("anna", "81a00001", "100.64.0.1", frozenset(), frozenset({"walled", "slow"}), 3600)
OURS = {
    "id": "*E1", "list": "walled", "address": "100.64.0.1", "comment": "Corrente session 81a00001", "dynamic": "true",
    "disabled": "false", "timeout": "59m30s",
}  # fmt: skip
LOGINS = {"id": "*D1", "list": "walled", "address": "100.64.0.1", "dynamic": "true", "disabled": "false"}
SOMEBODYS = {"id": "*3", "list": "walled", "address": "100.64.0.1", "dynamic": "false", "disabled": "false"}
SCRIPTS = {**SOMEBODYS, "id": "*4", "dynamic": "true", "timeout": "1d", "comment": "port scan"}
LEFTOVER = {**OURS, "id": "*E2", "comment": "Corrente session 81a00000"}


def test_an_entry_says_whose_it_is_in_one_spelling():
    assert entry_comment("81A00001") == entry_comment("0x81a00001") == "Corrente session 81a00001"


@pytest.mark.parametrize("rows", [[OURS], [LOGINS], [SOMEBODYS]])
def test_who_is_in_the_list_already_is_left_there(rows):
    plan = list_plan(WALL, rows)
    assert (plan.remove, plan.add) == ((), ())
    assert what_is_wrong(WALL, rows) == ""


def test_who_is_in_no_list_or_by_an_entry_that_is_switched_off_is_added():
    assert list_plan(WALL, []).add == ("walled",)
    assert list_plan(WALL, [{**SOMEBODYS, "disabled": "true"}]).add == ("walled",)
    assert what_is_wrong(WALL, [{**SOMEBODYS, "disabled": "true"}]) == "it is not in walled"


def test_what_the_session_before_left_behind_does_not_count_and_goes():
    plan = list_plan(WALL, [LEFTOVER])
    assert (plan.remove, plan.add) == ((LEFTOVER,), ("walled",))
    assert list_plan(FREE, [LEFTOVER]).remove == (LEFTOVER,)


def test_what_the_login_or_we_put_there_is_taken_away_when_it_is_not_wanted():
    assert list_plan(FREE, [OURS]).remove == (OURS,)
    assert list_plan(FREE, [LOGINS]).remove == (LOGINS,)
    # Ours in a list that no profile names any more.
    renamed = {**OURS, "list": "old garden"}
    assert list_plan(FREE, [renamed]).remove == (renamed,)


@pytest.mark.parametrize("row", [SOMEBODYS, SCRIPTS])
def test_what_somebody_else_put_there_stays_and_is_said(row):
    assert list_plan(FREE, [row]).remove == ()
    assert what_is_wrong(FREE, [row]).startswith("it is still in walled")


def test_lists_that_no_profile_names_are_nobodys_business():
    vip = {**LOGINS, "list": "vip"}
    assert list_plan(FREE, [vip]).remove == ()
    assert what_is_wrong(FREE, [vip]) == ""


def test_ours_are_known_by_their_comment_and_say_how_long_they_stand():
    (found,) = read_entries([OURS, LOGINS, SOMEBODYS, SCRIPTS, {**SOMEBODYS, "comment": "not Corrente session 1"}])
    assert found == ListEntry("*E1", "walled", "100.64.0.1", "81a00001", 59 * 60 + 30)


def entry(left_s):
    return ListEntry("*E1", "walled", "100.64.0.1", "81a00001", left_s)


@pytest.mark.parametrize(
    ("left_s", "wanted", "care"),
    [
        (3500, ("walled",), Care.NONE),
        (1800, ("walled",), Care.NONE),
        (1799, ("walled",), Care.RENEWAL),
        # A change takes it away; after ten minutes no change has.
        (3000, (), Care.NONE),
        (2999, (), Care.REMOVAL),
        (2999, ("slow",), Care.REMOVAL),
        (3500, None, Care.QUESTION),
        (None, None, Care.QUESTION),
        (None, ("walled",), Care.NONE),
    ],
)
def test_what_an_entry_needs_follows_from_its_session_and_the_time_it_has_left(left_s, wanted, care):
    assert care_for(entry(left_s), wanted, timeout_s=3600) is care
