"""What a device answers is read in time that grows with its length and no faster, and whatever it is it breaks nothing.

One expression that tries every beginning with every end holds the interpreter, and with it the whole worker, for hours: a device
that is broken into, or whose terminal prints blank lines, would stop all changes on all devices. Over every vendor file found on disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from nas_drivers.cli_dialect import CliDetail
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import driver_for, vendor_names
from nas_drivers.errors import NasError
from nas_drivers.families.routeros_output import read_limit, read_uptime_s
from nas_drivers.transport.screen import plain

CHARACTERS = 40_000
# Read in some milliseconds; what tries every beginning with every end takes minutes for as much.
MOST_S = 15.0
DIGITS = "9" * 5_000


def _long(unit: str, before: str = "", after: str = "") -> str:
    return before + unit * (CHARACTERS // len(unit)) + after


LONG = {
    "blank lines": _long("\n"),
    "lines of one blank": _long(" \n"),
    "blanks": _long(" "),
    "tabs": _long("\t"),
    "percent signs": _long("% "),
    "a percent sign and blanks": _long(" ", before="%"),
    "a word and blanks": _long(" ", before="a"),
    "a field with blanks in it": _long(" ", before="a:b", after="x"),
    "keys without values": _long("a:\n"),
    "dashes": _long("-- "),
    "digits": _long("1 "),
    "columns": _long("a b c d\n"),
    "half a table": _long("a ", before="User Time Iface Remote IP\n"),
    "another half of a table": _long("1 ", before="Uniq ID Interface State Service Up-time\n"),
    "types": _long("Type: "),
    "sessions": _long("Type: PPPoE, UID: 1, State: a, Identity: b\n"),
    "older sessions": _long("Unique Session ID: 1\nIdentifier: \n"),
    "interfaces": _long("Interface: x\n"),
    "policies": _long("QoS Policy Map:\nClass-id\n"),
    "rates": _long("Inbound qos configuration:\n"),
    "zones": _long("Time Zone"),
    "a setting": _long(" ", before="set service pppoe-server x", after="x"),
    "an order": _long(" ", before="set access profile a authentication-order [a"),
    "a login list": _long(" ", before="aaa authentication ppp a b", after="x"),
    "a list of methods": _long(
        " ", before="authen queue=AAA_ML_AUTHEN_PPP\nname=a valid=b id=c :state=d : x", after="x"
    ),
    "titles without an end": _long("\x1b]"),
    "colours without an end": _long("\x1b["),
}
BROKEN = {
    "a time up of 5,000 digits": f"Uniq ID Interface State Service Up-time TC Ct. Identifier\n7 Vi1.1 authen Lterm {DIGITS}:00:01 0 anna\n",
    "up for longer than the calendar": "Uniq ID Interface State Service Up-time TC Ct. Identifier\n7 Vi1.1 authen Lterm 999999y1w 0 anna\n",
    "a rate of 5,000 digits": f" username | rate-limit | state  | uptime\n----------+------------+--------+--------\n anna | {DIGITS}/1 | active | {DIGITS}.00:00:11\n",
    "a total of 5,000 digits": f"Total users : {DIGITS}\n",
    "the first day of the calendar": "Current time: 0001-01-01 00:00:00 +10:00\n0001-01-01 00:00:00+10:00\nTime Zone : UTC+10:00\n",
    "a scheme without a name": "aaa\n domain isp\n  authentication-scheme\n",
    "nothing": "",
    "odd characters": "\0\u202e\x9b2J\ud7ff\U0010ffff | \u0663\u00b2 : \n",
}


def _readers(vendor: str) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Whatever reads an answer of that vendor."""
    yield "screen", plain
    driver = driver_for(vendor)
    dialect, inspection = driver.cli, driver.inspection
    if dialect is not None:
        yield "sessions", dialect.read_sessions
        yield "refusal", dialect.refused
    if isinstance(dialect, CliDetail):
        yield "detail", lambda shown: dialect.read_detail(shown, DeviceSession("1", "anna"))
    if inspection.clock is not None:
        yield "clock", inspection.clock.read
    if inspection.bypass is not None:
        yield "bypass", inspection.bypass.read


@pytest.mark.parametrize("vendor", vendor_names())
def test_an_answer_is_read_in_time_that_grows_with_its_length_and_no_faster(vendor):
    for what, read in _readers(vendor):
        for name, shown in LONG.items():
            began = time.process_time()
            with contextlib.suppress(NasError):
                read(shown)
            assert time.process_time() - began < MOST_S, f"{vendor} reads {what} from {name}"


@pytest.mark.parametrize("vendor", vendor_names())
@pytest.mark.parametrize("shown", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_means_nothing_is_refused_or_left_out_by_every_vendor(vendor, shown):
    for _, read in _readers(vendor):
        with contextlib.suppress(NasError):
            found = read(shown)
            for one in found if isinstance(found, tuple) else ():
                # A day that is not in the calendar can't be reckoned with, a greater rate fits no column.
                assert getattr(one, "up_s", None) is None
                assert (getattr(one, "rate_down_bps", None) or 0) < 2**63


@pytest.mark.parametrize("text", [f"{DIGITS}s", f"{DIGITS}w", f"{DIGITS}:00:01", "9999999999w"])
def test_routeros_uptimes_that_no_device_can_have_are_none(text):
    assert read_uptime_s(text) is None


@pytest.mark.parametrize("text", [f"{DIGITS}/1", f"1/{DIGITS}", "1/999999999999999G"])
def test_routeros_limits_that_no_line_can_have_are_none(text):
    assert read_limit(text) is None
