"""The two judges of the mixed fleet have teeth: the table of what devices must hold, and the ledger of packets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.fleet import Datagram, Device
from support.fleet_day import Book, Deed, Step, make_day
from support.fleet_words import FASTER, LANGUAGE, OFFERS, VENDORS, Held, must_hold
from support.packet_ledger import compare

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer

SECRET = b"the secret"
NAMED = codec.text(wire.USER_NAME, "user00001") + codec.text(wire.ACCT_SESSION_ID, "81000001")
ASKED = codec.signed_request(43, 7, NAMED + codec.whole(wire.EVENT_TIMESTAMP, 1_800_000_000), SECRET)
REFUSED = codec.response(45, codec.decode(ASKED), codec.whole(wire.ERROR_CAUSE, 503), SECRET, sign=False)
SAID = "User-Name = user00001\nAcct-Session-Id = 81000001\nEvent-Timestamp = 1800000000"
PEER = "127.66.40.1:3799"
SENT = (1, 100.0, "sent", 43, 7, PEER, SAID, None, "user00001", "81000001", "paid", "full", 1)
CAME = (1, 100.1, "received", 45, 7, PEER, "Error-Cause = 503", 503, "user00001", "81000001", "paid", "full", 1)


def device() -> Device:
    """It heard one request and refused it."""
    nas = SimulatedNas(
        "127.66.40.1", SECRET, servers=[RadiusServer("127.0.0.1", 1812, 1813)], options=DeviceOptions(coa_port=3799)
    )
    end = ("127.0.0.1", 40_000)
    return Device(1, "generic", nas, {}, [Datagram(100.0, True, ASKED, end), Datagram(100.1, False, REFUSED, end)])


def test_a_log_that_has_each_packet_once_is_in_order() -> None:
    ledger = compare([device()], [SENT, CAME])
    assert (ledger.unlogged, ledger.unheard, ledger.unsaid, ledger.unexplained) == ([], [], [], [])
    assert (ledger.heard, ledger.logged, ledger.answers) == (1, 1, 1)


def test_a_row_that_is_missing_or_too_many_is_found() -> None:
    assert [(port, found.username) for _, port, found in compare([device()], [CAME]).unlogged] == [
        (40_000, "user00001")
    ]
    assert [found.identifier for _, found in compare([device()], [SENT, SENT, CAME]).unheard] == [7]
    assert [found.error_cause for found in compare([device()], [SENT, CAME, CAME]).unsaid] == [503]


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (3, 40),
        (4, 8),
        (5, "127.66.40.2:3799"),
        (6, SAID.replace("81000001", "81000002")),
        (6, SAID + "\nIdle-Timeout = 1"),
    ],
)
def test_a_row_that_tells_of_another_packet_is_found(place: int, other: object) -> None:
    row = (*SENT[:place], other, *SENT[place + 1 :])
    ledger = compare([device()], [row, CAME])
    assert len(ledger.unlogged) == 1
    assert len(ledger.unheard) == 1


def test_a_row_without_its_change_or_its_reason_explains_nothing() -> None:
    assert len(compare([device()], [(*SENT[:8], None, None, None, None, None), CAME]).unexplained) == 1
    assert len(compare([device()], [(*SENT[:10], "", "full", 1), CAME]).unexplained) == 1


def test_another_answer_than_the_device_gave_is_found() -> None:
    assert len(compare([device()], [SENT, (*CAME[:7], 401, *CAME[8:])]).unsaid) == 1


def test_the_fleet_is_ten_devices_of_ten_vendors() -> None:
    assert len(VENDORS) == len(set(VENDORS)) == 10


@pytest.mark.parametrize(
    ("vendor", "held"),
    [
        ("cisco_iosxr", Held(300_000_000, 30_000_000, policy_up="business-in", policy_down="business-out")),
        ("huawei", Held(600_000_000, 30_000_000)),
        ("nokia_sros", Held(600_000_000, 30_000_000, policy_up="business", policy_down="business")),
        ("ericsson", Held(600_000_000, 30_000_000)),
    ],
)
def test_a_rate_that_was_raised_is_the_rate_where_rates_are_told_and_not_where_names_are(
    vendor: str, held: Held
) -> None:
    assert must_hold(vendor, FASTER) == held


@pytest.mark.parametrize("vendor", LANGUAGE)
def test_each_offer_is_something_of_its_own_on_each_device(vendor: str) -> None:
    held = [must_hold(vendor, offer) for offer in OFFERS.values()]
    assert len(set(held)) == len(OFFERS)


@pytest.mark.parametrize("vendor", [vendor for vendor, words in LANGUAGE.items() if words.by_rate])
def test_down_is_to_the_subscriber(vendor: str) -> None:
    held = must_hold(vendor, OFFERS["Home"])
    assert (held.down_bps, held.up_bps) == (100_000_000, 20_000_000)
    assert held != replace(held, down_bps=held.up_bps, up_bps=held.down_bps)
    assert held != Held()


def test_the_severest_restriction_holds_and_a_promise_suspends_dunning_alone() -> None:
    book = Book(3)
    given = []
    for deed in (Deed.USED_UP, Deed.WALL, Deed.BLOCK, Deed.UNBLOCK, Deed.PROMISE, Deed.TOP_UP, Deed.UPGRADE, Deed.END):
        book.note(Step(deed, (1,)))
        given.append(book.given(1))
    assert given == ["Slow", "Walled", None, "Walled", "Slow", "Home", "Business", None]
    assert (book.given(2), book.given(3), book.touched) == ("Home", "Business", {1})


def test_a_day_is_made_by_its_seed_and_has_thousands_of_changes() -> None:
    assert make_day(5000, seed=4) == make_day(5000, seed=4)
    assert make_day(5000, seed=4) != make_day(5000, seed=5)
    assert make_day(5000, seed=4).counted().total() > 3000
