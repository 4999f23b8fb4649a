"""AAA as IOS-XR's configuration has it: lines as in Cisco's BNG guide, with users of its own beside them."""

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.cisco_iosxr import read_faults

SHOWN = """Sun Nov 22 06:29:28.123 UTC
radius-server host 192.0.2.10 auth-port 1812 acct-port 1813
 key 7 SECRETKEY
!
usergroup operators
 taskgroup operator
!
username corrente
 group operator
 group CORRENTE
 secret 10 SECRETHASH
!
aaa group server radius CORRENTE
 server 192.0.2.10 auth-port 1812 acct-port 1813
!
aaa authentication login default local
aaa accounting subscriber default group CORRENTE
aaa authorization subscriber default group CORRENTE
{lists}"""


def found(lists):
    faults = read_faults(SHOWN.format(lists=lists))
    assert "SECRET" not in repr(faults)
    return [(one.grave, one.text) for one in faults]


def test_a_list_that_asks_the_group_alone_is_clean():
    assert found("aaa authentication subscriber default group CORRENTE\n") == []


def test_local_users_behind_and_before_the_group():
    assert found(
        "aaa authentication subscriber default group CORRENTE local\naaa authentication subscriber VIP local group local\n"
    ) == [
        (False, "the subscriber login list default asks local while no RADIUS server answers"),
        (True, "the subscriber login list VIP asks local before RADIUS"),
    ]


def test_none_lets_everybody_in_and_no_list_asks_nobody():
    assert found("aaa authentication ppp default none\n") == [
        (True, "the ppp login list default lets everybody in (none)")
    ]
    assert found("") == [(True, "no list of methods for subscribers' logins: RADIUS is not asked")]


@pytest.mark.parametrize("shown", ["", "% This command is not authorized", "% No such configuration item(s)"])
def test_what_is_no_configuration_is_never_taken_for_clean(shown):
    with pytest.raises(NotReadError):
        read_faults(shown)
