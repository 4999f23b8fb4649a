"""The PPPoE server's settings as VyOS shows them; the sample is its documentation's with names of ours."""

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.vyos import read_faults

SHOWN = """set service pppoe-server authentication radius rate-limit enable
set service pppoe-server authentication radius rate-limit attribute 'Filter-Id'
set service pppoe-server authentication radius server 192.0.2.10 key 'SECRET'
set service pppoe-server default-pool 'homes'
"""
RADIUS = "set service pppoe-server authentication mode 'radius'\n"
USERS = "".join(
    f"set service pppoe-server authentication local-users username {name} {rest}\n"
    for name, rest in (
        ("anna", "password 'SECRET'"),
        ("anna", "rate-limit download '20480'"),
        ("bruno", "password 'SECRET'"),
    )
)


def found(text):
    faults = read_faults(text)
    assert "SECRET" not in repr(faults)
    return [(one.grave, one.text) for one in faults]


def test_the_mode_radius_with_its_rates_is_clean():
    assert found(SHOWN + RADIUS) == []


def test_local_users_are_not_asked_in_the_mode_radius_and_are_all_that_is_asked_in_the_other():
    assert found(SHOWN + RADIUS + USERS) == [
        (False, "2 local users, which nothing asks while the mode is radius: anna, bruno")
    ]
    assert found(SHOWN + USERS + "set service pppoe-server authentication mode local\n") == [
        (True, "its PPPoE server asks local users instead of RADIUS (mode local): anna, bruno")
    ]
    assert found(SHOWN) == [(True, "its PPPoE server asks local users instead of RADIUS (mode none set)")]


def test_a_server_without_authentication_lets_everybody_in():
    assert found(SHOWN + "set service pppoe-server authentication mode 'noauth'\n") == [
        (True, "its PPPoE server lets everybody in: authentication mode noauth")
    ]


def test_rates_that_nothing_reads_are_nobodys():
    text = (SHOWN + RADIUS).replace("rate-limit enable\n", "nas-identifier bras-1\n", 1)
    assert found(text) == [(True, "it does not read the rates of RADIUS: nobody's plan has a rate there")]


@pytest.mark.parametrize("shown", ["", "Invalid command: [show configuration]", "set service ssh\n"])
def test_what_is_no_such_configuration_is_never_taken_for_clean(shown):
    with pytest.raises(NotReadError):
        read_faults(shown)
