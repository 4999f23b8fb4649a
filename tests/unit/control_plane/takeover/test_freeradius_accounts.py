"""Addresses of a FreeRADIUS user: columns of ours where the table takes them, own attributes where it does not."""

from zoneinfo import ZoneInfo

from control_plane.takeover.freeradius_accounts import Network, Plans, build_account
from control_plane.takeover.freeradius_blocks import build_block
from control_plane.takeover.freeradius_values import Item, Role, SqlRow, Table
from control_plane.takeover.wanted import WantedPrefix

NETWORK = Network(("generic",), "imported", ZoneInfo("Europe/Rome"))


def account_of(*reply):
    """The account of anna with a password and these reply attributes."""
    password = SqlRow(Table.USER_CHECK, 1, "anna", "Cleartext-Password", ":=", "x")
    items = [Item(Role.CONTROL, "Cleartext-Password", ":=", "x", password)]
    for number, (name, op, value) in enumerate(reply, start=2):
        items.append(Item(Role.REPLY, name, op, value, SqlRow(Table.USER_REPLY, number, "anna", name, op, value)))
    account, findings = build_account("anna", build_block("anna", items), [], network=NETWORK, plans=Plans())
    assert findings == []
    assert account is not None
    return account


def test_a_prefix_that_is_framed_and_delegated_is_assigned_once_and_kept_once_as_it_stands():
    account = account_of(
        ("Framed-IPv6-Prefix", ":=", "2001:db8:1::/56"), ("Delegated-IPv6-Prefix", ":=", "2001:db8:1::/56")
    )

    assert account.prefixes == (WantedPrefix("framed_ipv6_prefix", "2001:db8:1::/56"),)
    assert [block.reply for block in account.own] == [(("Delegated-IPv6-Prefix", ":=", "2001:db8:1::/56"),)]


def test_one_route_with_two_metrics_stays_as_it_stands():
    routes = ("10.1.0.0/24 0.0.0.0 1", "10.1.0.0/24 0.0.0.0 2")
    account = account_of(*(("Framed-Route", "+=", route) for route in routes))

    assert account.prefixes == ()
    assert [[value for _, _, value in block.reply] for block in account.own] == [list(routes)]


def test_different_routes_become_rows_of_ours():
    account = account_of(*(("Framed-Route", "+=", f"10.{n}.0.0/24 0.0.0.0 1") for n in (1, 2)))

    assert account.prefixes == (WantedPrefix("route", "10.1.0.0/24", 1), WantedPrefix("route", "10.2.0.0/24", 1))
    assert account.own == ()
