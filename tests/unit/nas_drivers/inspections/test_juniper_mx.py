"""Access profiles as Junos shows them, and its clock."""

from datetime import UTC, datetime

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.juniper_mx import read_clock, read_faults

SHOWN = """set access radius-server 192.0.2.10 port 1812
set access radius-server 192.0.2.10 secret "$9$SECRET" ## SECRET-DATA
set access profile corrente accounting order radius
set access profile corrente radius authentication-server 192.0.2.10
"""


def found(*lines):
    faults = read_faults(SHOWN + "".join(f"set access profile {line}\n" for line in lines))
    assert "SECRET" not in repr(faults)
    return [(one.grave, one.text) for one in faults]


def test_radius_alone_is_clean():
    assert found("corrente authentication-order radius") == []
    assert found("corrente authentication-order [ radius ]") == []


def test_a_profile_without_an_order_asks_local_passwords_and_no_radius():
    assert found() == [(True, "access profile corrente asks local passwords and no RADIUS")]


def test_local_subscribers_are_named_where_the_order_asks_them():
    local = (
        'corrente subscriber anna password "$9$SECRET"',
        "corrente subscriber anna framed-ip-address 10.0.0.1",
        'corrente subscriber bruno password "$9$SECRET"',
    )
    assert found("corrente authentication-order [ radius password ]", *local) == [
        (True, "access profile corrente asks its own subscribers besides RADIUS: anna, bruno")
    ]
    assert found("corrente authentication-order [ password radius ]", *local) == [
        (True, "access profile corrente asks its own subscribers before RADIUS: anna, bruno")
    ]
    assert found("corrente authentication-order radius", *local) == [
        (False, "access profile corrente has subscribers of its own, which nothing asks now: anna, bruno")
    ]
    assert found("corrente authentication-order [ radius password ]") == [
        (False, "access profile corrente asks local passwords besides RADIUS")
    ]


def test_none_is_a_login_without_a_password():
    assert found("corrente authentication-order [ radius none ]") == [
        (True, "access profile corrente has `none` among its methods: logins without a password")
    ]


@pytest.mark.parametrize("shown", ["", "error: permission denied", "set access radius-server 192.0.2.10 port 1812\n"])
def test_what_is_no_profile_is_never_taken_for_clean(shown):
    with pytest.raises(NotReadError):
        read_faults(shown)


def test_its_time_is_that_of_the_first_line_and_not_of_the_boot():
    shown = "Current time: 2026-11-22 06:29:28 UTC\nTime Source:  NTP CLOCK \nSystem booted: 2026-01-01 00:00:00 UTC (46w3d)\n"
    assert read_clock(shown) == datetime(2026, 11, 22, 6, 29, 28, tzinfo=UTC)
    assert read_clock("System booted: 2026-01-01 00:00:00 UTC") is None
