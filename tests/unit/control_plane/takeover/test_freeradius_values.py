"""What each row means was asked of FreeRADIUS 3.2.1; tests/radius/test_takeover_answers.py asks it again."""

import pytest

from control_plane.takeover.freeradius_values import Item, Role, SqlRow, Table, Unreadable, read_item
from nas_drivers.dictionaries.reader import load_dictionary

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")


def _read(table, attribute, op, value):
    return read_item(SqlRow(table, 7, "anna", attribute, op, value), DICTIONARY)


def _check(attribute, op, value):
    return _read(Table.USER_CHECK, attribute, op, value)


def _reply(attribute, op, value):
    return _read(Table.USER_REPLY, attribute, op, value)


@pytest.mark.parametrize(
    ("attribute", "op", "value", "expected"),
    [
        ("nas-identifier", "==", "nas-1", ("NAS-Identifier", "==", "nas-1")),
        ("NAS-Identifier", "", "nas-1", ("NAS-Identifier", "==", "nas-1")),
        ("NAS-Identifier", "=", "'nas-1'", ("NAS-Identifier", "==", "nas-1")),
        ("NAS-Identifier", "=~", "^10\\.", ("NAS-Identifier", "=~", "^10\\.")),
        ("NAS-Port", "==", " 0x11", ("NAS-Port", "==", "17")),
        ("NAS-Port-Type", "==", "5", ("NAS-Port-Type", "==", "Virtual")),
        ("NAS-Port-Type", "=~", "5", ("NAS-Port-Type", "=~", "Virtual")),
        ("Service-Type", "==", "Framed", ("Service-Type", "==", "Framed-User")),
        ("Framed-IPv6-Prefix", "==", "2001:DB8::1/64", ("Framed-IPv6-Prefix", "==", "2001:db8::/64")),
        ("NAS-Port", "=*", "whatever", ("NAS-Port", "=*", "")),
    ],
)
def test_a_check_item_is_kept_as_freeradius_prints_the_attribute(attribute, op, value, expected):
    item = _check(attribute, op, value)
    assert isinstance(item, Item)
    assert (item.role, item.name, item.op, item.value) == (Role.CHECK, *expected)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("plain", "plain"),
        ('"quoted"', "quoted"),
        ("a\\.b", "a\\.b"),
        ("a\\\\b", "a\\b"),
        ("a\\tb", "a\tb"),
        ("\\101", "A"),
        ("'open", "'open"),
        ("é", "é"),
    ],
)
def test_quotes_and_escapes_of_a_text_are_undone_as_freeradius_does(value, meant):
    item = _reply("Reply-Message", "=", value)
    assert isinstance(item, Item)
    assert (item.role, item.value) == (Role.REPLY, meant)


@pytest.mark.parametrize(
    ("attribute", "op", "value", "role"),
    [
        ("Cleartext-Password", ":=", "x", Role.CONTROL),
        ("Crypt-Password", "=", "x", Role.CONTROL),
        ("Auth-Type", ":=", "reject", Role.CONTROL),
        ("Expiration", "=", "1 Jan 2030", Role.CONTROL),
        ("Framed-IP-Address", ":=", "10.0.0.1", Role.NOTHING),
        ("Fall-Through", ":=", "No", Role.NOTHING),
    ],
)
def test_an_assignment_among_check_items_compares_nothing(attribute, op, value, role):
    item = _check(attribute, op, value)
    assert isinstance(item, Item)
    assert item.role is role


@pytest.mark.parametrize(
    ("attribute", "op", "value", "role", "meant"),
    [
        ("Fall-Through", "=", "Yes", Role.FALL_THROUGH, "yes"),
        ("Fall-Through", ":=", "0", Role.FALL_THROUGH, "no"),
        ("Fall-Through", "=", "2", Role.FALL_THROUGH, "default"),
        ("Tmp-String-0", "=", "x", Role.NOTHING, "x"),
        ("Session-Timeout", "!=", "60", Role.NOTHING, "60"),
        ("Tunnel-Type:1", "=", "L2TP", Role.REPLY, "3"),
    ],
)
def test_a_reply_item_is_sent_or_steers_or_does_nothing(attribute, op, value, role, meant):
    item = _reply(attribute, op, value)
    assert isinstance(item, Item)
    assert (item.role, item.value) == (role, meant)


@pytest.mark.parametrize(
    ("table", "attribute", "op", "value", "reason"),
    [
        (Table.USER_CHECK, "Cleartext-Password", "==", "x", "write :="),
        (Table.USER_CHECK, "Crypt-Password", "==", "x", "write :="),
        (Table.USER_CHECK, "Cleartext-Password", ":=", "", "empty"),
        (Table.USER_CHECK, "Cleartext-Password", ":=", None, "NULL"),
        (Table.USER_CHECK, "Huntgroup-Name", "==", "x", "huntgroups"),
        (Table.USER_CHECK, "Event-Timestamp", "=*", "x", "a time"),
        (Table.USER_CHECK, "NAS-Port-Type", ">", "5", "order"),
        (Table.USER_CHECK, "NAS-Identifier", "=~", "[[:alpha:]]", "not read alike"),
        (Table.USER_CHECK, "Tunnel-Type:1", "==", "L2TP", "tagged"),
        (Table.GROUP_CHECK, "Auth-Type", ":=", "Accept", "only Auth-Type := Reject"),
        (Table.USER_REPLY, "Class", "=", "x", "Corrente's own Class"),
        (Table.USER_REPLY, "Attr-27", "=", "0x0000003c", "write Session-Timeout"),
        (Table.USER_REPLY, "Session-Timeout", "=", "-5", "expected 0 to"),
        (Table.USER_REPLY, "Session-Timeout", "<=", "60", "<="),
        (Table.USER_REPLY, "Reply-Message", "=", "hi %{User-Name}", "%{…}"),
        (Table.USER_REPLY, "Reply-Message", "=", "`date`", "backquotes"),
        (Table.USER_REPLY, "Reply-Message", "=", "tail\\", "lone backslash"),
        (Table.USER_REPLY, "Reply-Message", "=", "\\377", "no UTF-8"),
        (Table.USER_REPLY, "Reply-Message", "&=", "x", "no operator"),
        (Table.USER_REPLY, "MS-MPPE-Send-Key", "=", "0x01", "encrypted"),
        (Table.GROUP_REPLY, "No-Such", "=", "x", "no such attribute"),
        (Table.GROUP_REPLY, "Fall-Through", "=", "perhaps", "Yes or No"),
    ],
)
def test_what_cannot_be_carried_over_says_why(table, attribute, op, value, reason):
    item = _read(table, attribute, op, value)
    assert isinstance(item, Unreadable)
    assert reason in item.reason


def test_a_password_is_left_out_of_the_name_of_its_row():
    row = SqlRow(Table.USER_CHECK, 3, "anna", "Cleartext-Password", ":=", "very secret")
    assert row.where == "radcheck 3 anna: Cleartext-Password := …"
