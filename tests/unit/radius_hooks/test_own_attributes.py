"""The expected answers were read from FreeRADIUS 3.2.1 with rlm_sql, question by question."""

import pytest

from radius_hooks.own_attributes import evaluate, merge_reply
from radius_hooks.policy_store import OwnBlock, ReplyItem

REQUEST = (
    ("User-Name", "anna"),
    ("NAS-Identifier", "nas-1"),
    ("NAS-Port", "17"),
    ("NAS-Port-Type", "Virtual"),
    ("NAS-IP-Address", "127.0.0.1"),
)


def _check(name, op, value, kind="string"):
    return OwnBlock((ReplyItem(name, op, value, kind),), (), (), fall_through=True)


def _replies(*rows):
    return tuple(ReplyItem(name, op, value, "string") for name, op, value in rows)


def _values(items):
    return [(item.name, item.value) for item in items]


@pytest.mark.parametrize(
    ("op", "value", "matches"),
    [
        ("==", "nas-1", True),
        ("=", "nas-1", True),
        ("==", "NAS-1", False),
        ("!=", "nas-1", False),
        ("!=", "nas-2", True),
        (">", "nas-0", True),
        ("<", "nas-0", False),
        (">=", "nas-1", True),
        ("<=", "nas-1", True),
        ("=~", "^nas-[0-9]$", True),
        ("=~", "^NAS", False),
        ("=~", "(?i)^NAS", True),
        ("!~", "^nas", False),
        ("!~", "^bras", True),
        ("=*", "", True),
        ("!*", "", False),
    ],
)
def test_a_string_is_compared_byte_by_byte(op, value, matches):
    assert evaluate([_check("NAS-Identifier", op, value)], REQUEST).matches is matches


@pytest.mark.parametrize(
    ("op", "value", "matches"),
    [
        ("==", "17", True),
        ("==", "017", True),
        (">", "16", True),
        (">", "17", False),
        ("<", "18", True),
        # The difference wraps at 32 bits: FreeRADIUS takes 17 for greater than three thousand million.
        (">", "3000000000", True),
        ("<", "3000000000", False),
    ],
)
def test_an_integer_is_compared_by_value_as_freeradius_computes_it(op, value, matches):
    assert evaluate([_check("NAS-Port", op, value, "integer")], REQUEST).matches is matches


@pytest.mark.parametrize("op", ["==", "!=", "=~", "!~", "=*", "<", ">"])
def test_an_absent_attribute_satisfies_nothing(op):
    assert not evaluate([_check("Called-Station-Id", op, "x")], REQUEST).matches


def test_an_absent_attribute_satisfies_the_wish_for_its_absence():
    assert evaluate([_check("Called-Station-Id", "!*", "")], REQUEST).matches


@pytest.mark.parametrize(("op", "value"), [("==", "b"), ("!=", "nas-1"), ("!~", "nas")])
def test_one_of_several_attributes_of_a_name_is_enough(op, value):
    assert evaluate([_check("NAS-Identifier", op, value)], [*REQUEST, ("NAS-Identifier", "b")]).matches


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "sent"),
    [
        ("NAS-IP-Address", "ipaddr", "127.0.0.1", "127.0.0.1"),
        ("NAS-IPv6-Address", "ipv6addr", "2001:db8:0::1", "2001:db8::1"),
        ("Framed-IPv6-Prefix", "ipv6prefix", "2001:DB8::/64", "2001:db8::/64"),
        ("Class", "octets", "0xAB", "0xab"),
        ("NAS-Port-Type", "integer", "Virtual", "Virtual"),
    ],
)
def test_values_of_other_types_are_equal_by_value(name, kind, wanted, sent):
    assert evaluate([_check(name, "==", wanted, kind)], [(name, sent)]).matches
    assert not evaluate([_check(name, "!=", wanted, kind)], [(name, sent)]).matches


def test_the_order_of_values_that_have_none_is_never_satisfied():
    assert not evaluate([_check("NAS-IP-Address", ">", "10.0.0.1", "ipaddr")], REQUEST).matches


def test_the_detail_names_the_check_item_that_refuses():
    assert evaluate([_check("NAS-Identifier", "==", "bras")], REQUEST).detail == "NAS-Identifier == bras"


def _group(*rows, check=(), fall_through=False):
    return OwnBlock(check, (), _replies(*rows), fall_through=fall_through)


ELSEWHERE = (ReplyItem("NAS-Identifier", "==", "elsewhere", "string"),)
OWN = OwnBlock((), (), (), fall_through=True)


def test_a_group_that_does_not_match_is_passed_over():
    blocks = [OWN, _group(("Class", "=", "c"), check=ELSEWHERE), _group(("Filter-Id", "=", "h"))]
    assert _values(evaluate(blocks, REQUEST).reply) == [("Filter-Id", "h")]


def test_the_first_group_that_matches_is_the_last_unless_it_falls_through():
    closed = [OWN, _group(("Class", "=", "c")), _group(("Filter-Id", "=", "h"))]
    open_ = [OWN, _group(("Class", "=", "c"), fall_through=True), _group(("Filter-Id", "=", "h"))]
    assert _values(evaluate(closed, REQUEST).reply) == [("Class", "c")]
    assert _values(evaluate(open_, REQUEST).reply) == [("Class", "c"), ("Filter-Id", "h")]


def test_an_own_block_that_does_not_fall_through_keeps_the_groups_out():
    own = OwnBlock((), (), _replies(("Reply-Message", ":=", "u")), fall_through=False)
    assert _values(evaluate([own, _group(("Class", "=", "c"))], REQUEST).reply) == [("Reply-Message", "u")]


@pytest.mark.parametrize(
    ("user", "group", "expected"),
    [
        ([(":=", "a"), (":=", "b")], [], ["a", "b"]),
        ([("=", "a"), ("=", "b")], [], ["a", "b"]),
        ([("=", "a"), ("=", "b")], [(":=", "c"), (":=", "d"), (":=", "e")], ["c", "d", "e"]),
        ([("=", "a")], [("=", "c")], ["a"]),
        ([("+=", "a")], [("+=", "c"), ("+=", "d")], ["a", "c", "d"]),
        ([("+=", "a"), ("+=", "b")], [("-=", "a")], ["b"]),
        ([("+=", "a"), ("-=", "a")], [], ["a"]),
        ([("+=", "a"), ("+=", "b")], [("==", "a")], ["a"]),
        ([("==", "a")], [], []),
        ([("+=", "a"), ("+=", "b")], [("!*", "")], []),
    ],
)
def test_reply_operators_act_on_what_stood_there_before_the_block(user, group, expected):
    blocks = [
        OwnBlock((), (), _replies(*(("Framed-Route", op, value) for op, value in user)), fall_through=True),
        _group(*(("Framed-Route", op, value) for op, value in group)),
    ]
    assert [item.value for item in evaluate(blocks, REQUEST).reply] == expected


def test_own_attributes_are_put_over_those_of_the_profile():
    base = _replies(("Session-Timeout", ":=", "3600"), ("Framed-Pool", ":=", "home"), ("Framed-Route", "+=", "a"))
    own = OwnBlock((), (), _replies(("Session-Timeout", ":=", "60"), ("Framed-Pool", "=", "x")), fall_through=True)
    merged = merge_reply(base, evaluate([own], REQUEST))
    assert _values(merged) == [("Session-Timeout", "60"), ("Framed-Pool", "home"), ("Framed-Route", "a")]


def test_auth_type_reject_refuses_and_no_other_auth_type_gets_through():
    def control(value):
        return [OWN, OwnBlock((), (ReplyItem("Auth-Type", ":=", value, "integer"),), (), fall_through=False)]

    assert not evaluate(control("Reject"), REQUEST).matches
    accepted = evaluate(control("Accept"), REQUEST)
    assert accepted.matches
    assert accepted.control == ()


def test_no_blocks_say_nothing():
    outcome = evaluate((), REQUEST)
    assert outcome.matches
    assert merge_reply(_replies(("Class", ":=", "x")), outcome) == _replies(("Class", ":=", "x"))
