"""What a router's own configuration says, from rows as its API prints them."""

from datetime import UTC, datetime

import pytest

from nas_drivers.families.routeros_setup import RouterOsSetup, read_clock, read_setup, setup_faults
from nas_drivers.inspection import SetupFault, some

CLEAN = RouterOsSetup((), 0, (), True, 3799, True, True, None)


def test_the_rows_of_a_router_become_what_bears_on_subscribers():
    found = read_setup(
        secrets=[
            {"name": "anna", "service": "any", "disabled": "false"},
            {"name": "old", "service": "pppoe", "disabled": "true"},
            {"name": "office-tunnel", "service": "l2tp", "disabled": "false"},
        ],
        rules=[{"action": "fasttrack-connection", "disabled": "false"}, {"disabled": "true"}],
        profiles=[
            {"name": "default", "rate-limit": ""},
            {"name": "isp", "rate-limit": "10M/10M"},
            {"name": "poor", "address-list": "walled"},
        ],
        incoming=[{"accept": "false", "port": "1700"}],
        aaa=[{"use-radius": "yes", "accounting": "no"}],
        clock=[{"date": "2026-11-22", "time": "03:04:05", "gmt-offset": "+01:00"}],
    )

    assert found == RouterOsSetup(
        ("anna",), 1, ("isp", "poor"), False, 1700, True, False, datetime(2026, 11, 22, 2, 4, 5, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("row", "utc"),
    [
        (
            {"date": "nov/22/2026", "time": "00:30:00", "gmt-offset": "+05:30"},
            datetime(2026, 11, 21, 19, 0, tzinfo=UTC),
        ),
        ({"date": "2026-11-22", "time": "23:30:00", "gmt-offset": "-03:00"}, datetime(2026, 11, 23, 2, 30, tzinfo=UTC)),
        ({"date": "2026-11-22", "time": "23:30:00"}, None),
        ({"date": "22.11.2026", "time": "23:30:00", "gmt-offset": "+00:00"}, None),
        ({}, None),
    ],
)
def test_a_clock_is_read_in_the_forms_of_old_and_new_releases_or_not_at_all(row, utc):
    assert read_clock(row) == utc


def test_a_clean_router_has_no_fault_and_what_it_does_not_say_is_none():
    assert setup_faults(CLEAN, coa_port=3799) == ()
    silent = RouterOsSetup((), 0, (), None, None, None, None, None)
    assert setup_faults(silent, coa_port=3799) == ()


def test_each_thing_that_stands_beside_radius_is_named_with_the_command_against_it():
    worst = RouterOsSetup(("anna", "bruno"), 2, ("isp",), False, 1700, False, False, None)

    faults = setup_faults(worst, coa_port=3799)

    assert [(fault.grave, fault.text.split(":")[0]) for fault in faults] == [
        (True, "PPP logins are not asked of RADIUS"),
        (True, "PPP sessions are not accounted"),
        (True, "2 local secrets log in without RADIUS"),
        (True, "2 FastTrack rules"),
        (False, "PPP profiles with a rate limit or an address list"),
        (True, "changes are not accepted"),
        (True, "it takes changes on port 1700, not 3799"),
    ]
    assert faults[-1] == SetupFault(True, "it takes changes on port 1700, not 3799", "/radius incoming set port=3799")
    assert "anna, bruno" in faults[2].text


def test_of_many_names_five_are_said():
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c, d, e"
    assert some(["a", "b", "c", "d", "e", "f", "g"]) == "a, b, c, d, e and 2 more"


def test_a_clock_before_the_first_year_and_a_port_of_many_digits_are_not_known() -> None:
    row = {"date": "0001-01-01", "time": "00:00:00", "gmt-offset": "+02:00"}
    setup = read_setup(secrets=[], rules=[], profiles=[], incoming=[{"port": "9" * 5_000}], aaa=[], clock=[row])

    assert setup.clock is None
    assert setup.change_port is None
