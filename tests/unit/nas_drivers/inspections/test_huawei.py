"""AAA as VRP's configuration has it: the form is that of published configurations of NE routers, the names are ours."""

from datetime import UTC, datetime

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.huawei import read_clock, read_faults

SHOWN = """#
aaa
 local-user corrente password irreversible-cipher SECRETHASH
 local-user corrente service-type ssh
{users} #
 authentication-scheme default0
 #
 authentication-scheme default1
 #
 authentication-scheme default
  authentication-mode local radius
 #
 authentication-scheme corrente
{mode} #
 accounting-scheme corrente
  accounting interim interval 10
 #
 domain default0
 #
 domain default_admin
  authentication-scheme default
 #
 domain corrente
  authentication-scheme {scheme}
  accounting-scheme corrente
  radius-server group corrente
 #
return
"""


def found(*, scheme="corrente", mode="  authentication-mode radius\n", users=""):
    faults = read_faults(SHOWN.format(scheme=scheme, mode=mode, users=users))
    assert "SECRET" not in repr(faults)
    return [(one.grave, one.text) for one in faults]


def test_a_domain_whose_scheme_asks_radius_is_clean_and_administrators_are_not_looked_at():
    assert found() == []
    # RADIUS is what a scheme asks that says nothing.
    assert found(mode="") == []


def test_local_users_before_and_behind_radius():
    assert found(mode="  authentication-mode radius local\n") == [
        (False, "domain corrente (scheme corrente) asks local while no RADIUS server answers")
    ]
    assert found(mode="  authentication-mode local radius\n") == [
        (True, "domain corrente (scheme corrente) asks local before RADIUS")
    ]


def test_the_schemes_of_the_factory_are_known():
    assert found(scheme="default0") == [(True, "domain corrente (scheme default0) asks local instead of RADIUS")]
    assert found(scheme="default1") == []


def test_none_lets_everybody_in_and_a_refusal_that_goes_on_to_local_users_is_named():
    assert found(mode="  authentication-mode none\n") == [
        (True, "domain corrente (scheme corrente) lets everybody in (none)")
    ]
    assert found(mode="  authentication-mode radius local\n  radius-reject local\n")[1] == (
        True,
        "domain corrente (scheme corrente) asks local users when RADIUS refuses",
    )


def test_local_users_that_may_dial_in_are_named_and_those_for_ssh_are_not():
    users = " local-user anna password cipher SECRET\n local-user anna service-type ppp\n local-user b@isp service-type ppp ssh\n"
    assert found(users=users) == [(False, "2 local users may dial in, where a scheme asks them: anna, b@isp")]


@pytest.mark.parametrize("shown", ["", "Error: Unrecognized command found at '^' position.", "return\n"])
def test_what_is_no_configuration_is_never_taken_for_clean(shown):
    with pytest.raises(NotReadError):
        read_faults(shown)


@pytest.mark.parametrize(
    "shown",
    [
        "2026-11-22 14:29:28+08:00\nSunday\nTime Zone(Beijing) : UTC+08:00\n",
        "2026-11-22 14:29:28\nSunday\nTime Zone(China-Standard-Time) : UTC+08:00\n",
        "2026-11-22 06:29:28\nSunday\nTime Zone(Default Zone Name) : UTC\n",
    ],
)
def test_its_time_has_the_offset_of_its_zone(shown):
    assert read_clock(shown) == datetime(2026, 11, 22, 6, 29, 28, tzinfo=UTC)


def test_a_time_without_a_zone_is_not_known():
    assert read_clock("2026-11-22 06:29:28\nSunday\n") is None
