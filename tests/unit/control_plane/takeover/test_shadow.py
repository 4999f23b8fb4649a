import pytest

from control_plane.takeover.access_packet import AccessReply, Code, WireAttribute
from control_plane.takeover.shadow import Difference, Unanswered, compare_replies, encode_attribute, show_value
from nas_drivers.dictionaries.reader import load_dictionary

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")


def _reply(*attributes, code=Code.ACCESS_ACCEPT):
    return AccessReply(code, tuple(WireAttribute(*one) for one in attributes))


def _seconds(number, seconds):
    return _reply((0, number, seconds.to_bytes(4, "big")))


def _compare(theirs, ours, jitter_percent=10):
    return compare_replies(theirs, ours, DICTIONARY, jitter_percent=jitter_percent)


def test_the_order_of_different_attributes_is_no_difference():
    pool, filter_id = (0, 88, b"home"), (0, 11, b"out")
    assert _compare(_reply(pool, filter_id), _reply(filter_id, pool)) == ()


def test_the_order_of_one_attribute_is_a_difference():
    first, second = (0, 22, b"a"), (0, 22, b"b")
    assert _compare(_reply(first, second), _reply(second, first)) == (Difference("Framed-Route", "a, b", "b, a"),)


def test_what_names_the_packet_is_left_aside():
    assert _compare(_reply((0, 25, b"theirs"), (0, 24, b"x")), _reply((0, 25, b"ours"), (0, 33, b"p"))) == ()


def test_a_missing_and_a_different_value_are_named():
    theirs = _reply((14988, 8, b"10M/20M"), (0, 8, bytes((10, 0, 0, 1))))
    assert _compare(theirs, _reply((14988, 8, b"1M/1M"))) == (
        Difference("Framed-IP-Address", "10.0.0.1", ""),
        Difference("Mikrotik-Rate-Limit", "10M/20M", "1M/1M"),
    )


def test_an_accept_and_a_refusal_differ_in_nothing_but_the_answer():
    found = _compare(_reply((0, 88, b"home")), _reply(code=Code.ACCESS_REJECT))
    assert found == (Difference("answer", "Access-Accept", "Access-Reject"),)


def test_the_message_of_a_refusal_is_left_aside_but_not_that_of_an_accept():
    message = (0, 18, b"bye")
    assert _compare(_reply(message, code=Code.ACCESS_REJECT), _reply(code=Code.ACCESS_REJECT)) == ()
    assert _compare(_reply(message), _reply()) == (Difference("Reply-Message", "bye", ""),)


def test_silence_is_a_difference_unless_both_are_silent():
    assert _compare(Unanswered("a"), Unanswered("b")) == ()
    assert _compare(Unanswered("nothing within 3 s"), _reply()) == (
        Difference("answer", "no answer (nothing within 3 s)", "Access-Accept"),
    )


@pytest.mark.parametrize(
    ("number", "theirs", "ours", "same"),
    [
        (27, 3600, 3600, True),
        (27, 3600, 3250, True),
        (27, 3600, 3200, False),
        (27, 3600, 3605, True),
        (27, 3600, 3700, False),
        (85, 600, 655, True),
        (85, 600, 670, False),
        (85, 600, 530, False),
        (28, 600, 590, False),
    ],
)
def test_a_timeout_may_differ_by_the_jitter_and_an_idle_timeout_not_at_all(number, theirs, ours, same):
    assert (_compare(_seconds(number, theirs), _seconds(number, ours)) == ()) is same


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (b"home", "string", "home"),
        (b"a\nb\xff", "string", "'a\\nb\\\\xff'"),
        (bytes((0, 0, 2, 88)), "integer", "600"),
        (bytes((10, 0, 0, 1)), "ipaddr", "10.0.0.1"),
        (bytes((0, 56)) + bytes.fromhex("20010db8000100"), "ipv6prefix", "2001:db8:1::/56"),
        (b"\x01", "ipaddr", "0x01"),
    ],
)
def test_a_value_is_shown_as_its_kind(value, kind, shown):
    assert show_value(value, kind) == shown


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("NAS-Port-Type", "Virtual", WireAttribute(0, 61, bytes((0, 0, 0, 5)))),
        ("NAS-Port", "17", WireAttribute(0, 5, bytes((0, 0, 0, 17)))),
        ("NAS-IP-Address", "192.0.2.1", WireAttribute(0, 4, bytes((192, 0, 2, 1)))),
        ("Mikrotik-Realm", "x", WireAttribute(14988, 9, b"x")),
        ("ADSL-Agent-Circuit-Id", "0x0102", WireAttribute(3561, 1, b"\x01\x02")),
    ],
)
def test_a_question_holds_attributes_as_they_are_written(name, text, expected):
    assert encode_attribute(name, text, DICTIONARY) == expected


@pytest.mark.parametrize(
    ("name", "text"), [("No-Such", "x"), ("Tmp-String-0", "x"), ("NAS-Port", "many"), ("Tunnel-Type", "L2TP")]
)
def test_what_cannot_be_asked_with_is_refused(name, text):
    with pytest.raises(ValueError, match=r".+"):
        encode_attribute(name, text, DICTIONARY)
