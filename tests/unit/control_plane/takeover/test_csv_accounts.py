from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from control_plane.takeover.csv_accounts import CsvError, Known, read_accounts
from control_plane.takeover.wanted import Verdict, WantedPrefix

KNOWN = Known({"Home 300", "Business"}, ZoneInfo("Europe/Rome"), datetime(2026, 11, 21, tzinfo=UTC))
HEADER = (
    "username,password,plan,customer,status,static_ipv4,ipv6_prefix,delegated_prefix,routes,mac,max_sessions,expires\n"
)
SAMPLE = Path(__file__).resolve().parents[4] / "docs/samples/accounts.csv"


def _read(text, encoding="utf-8"):
    return read_accounts(text.encode(encoding), KNOWN)


def _refused(text):
    wanted = _read(text)
    assert all(one.verdict is Verdict.REFUSED for one in wanted.findings)
    return [f"{one.where}: {one.text}" for one in wanted.findings]


def test_the_sample_of_the_manual_is_read_as_it_says():
    wanted = read_accounts(SAMPLE.read_bytes(), KNOWN)
    assert wanted.findings == ()
    anna, mario, shop, branch = wanted.accounts
    assert (anna.username, anna.secret, anna.plan, anna.customer, anna.max_sessions) == (
        "anna@isp.example",
        b"correct horse",
        "Home 300",
        "Anna Rossi",
        1,
    )
    assert anna.prefixes == (
        WantedPrefix("framed_ipv4", "192.0.2.10/32"),
        WantedPrefix("delegated_ipv6_prefix", "2001:db8:100::/56"),
    )
    assert anna.macs == ("02005e100001",)
    assert (mario.username, mario.secret) == ("bianchi, mario", b'batt"ery')
    # Noon in Rome in summer.
    assert mario.expires_at == datetime(2027, 6, 30, 10, tzinfo=UTC)
    assert [prefix.prefix for prefix in shop.prefixes if prefix.kind == "route"] == [
        "198.51.100.0/28",
        "198.51.100.16/28",
    ]
    assert (branch.customer, branch.status) == (shop.customer, "trial")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_mark_delimiter_and_line_end_are_found_out(encoding, delimiter, newline):
    lines = [delimiter.join(("plan", "username", "password")), delimiter.join(("Home 300", "zoë", " pass word "))]
    wanted = _read(newline.join(lines) + newline, encoding)
    assert [(one.username, one.secret) for one in wanted.accounts] == [("zoë", b" pass word ")]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (",x,Home 300,,,,,,,,,", "username: is empty"),
        ("a,,Home 300,,,,,,,,,", "password: is empty"),
        ("a,x,Home 30,,,,,,,,,", "plan: there is no plan 'Home 30'; did you mean 'Home 300'?"),
        ("a,x,zzz,,,,,,,,,", "plan: there is no plan 'zzz'; make it with `corrente plan add`"),
        ("a,x,Home 300,,on,,,,,,,", "status: 'on' is none of"),
        ("a,x,Home 300,,,192.0.2.300,,,,,,", "static_ipv4: '192.0.2.300': expected an address"),
        ("a,x,Home 300,,,192.0.2.0/24,,,,,,", "static_ipv4: 192.0.2.0/24: expected one IPv4 address"),
        ("a,x,Home 300,,,127.0.0.5,,,,,,", "static_ipv4: 127.0.0.5: no subscriber can have this"),
        ("a,x,Home 300,,,192.0.2.1 192.0.2.2,,,,,,", "static_ipv4: one address or prefix, not 2"),
        ("a,x,Home 300,,,,2001:db8::1/64,,,,,", "ipv6_prefix: '2001:db8::1/64' has bits beyond its prefix"),
        ("a,x,Home 300,,,,,192.0.2.0/24,,,,", "delegated_prefix: 192.0.2.0/24: expected an IPv6 prefix"),
        ("a,x,Home 300,,,,,,0.0.0.0/0,,,", "routes: 0.0.0.0/0: no subscriber can have this"),
        ("a,x,Home 300,,,,,,,02:00:5e:10:00,,", "mac: '02:00:5e:10:00': expected a MAC address"),
        ("a,x,Home 300,,,,,,,,-1,", "max_sessions: '-1': expected 0 (no limit) to 1000"),
        ("a,x,Home 300,,,,,,,,1001,", "max_sessions: '1001'"),
        ("a,x,Home 300,,,,,,,,,31/12/2026", "expires: '31/12/2026': expected a time"),
        ("a,x,Home 300,,,,,,,,,+30d", "expires: a time from now on would be another one at the next reading"),
        ("a\x07,x,Home 300,,,,,,,,,", "username: holds a control character"),
        (f"{'a' * 254},x,Home 300,,,,,,,,,", "username: 254 octets, 253 are the most"),
        ("a,x,Home 300", "3 fields, the header has 12"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_column(fields, problem):
    good = "good,x,Home 300,,,,,,,,,\n"
    found = _refused(HEADER + good + fields + "\n")
    assert len(found) == 1
    assert found[0].startswith(f"line 3: {problem}")


def test_a_line_break_inside_quotes_does_not_shift_the_numbers():
    text = HEADER + 'a,x,Home 300,"Two\nlines",,,,,,,,\n\nb,x,nowhere,,,,,,,,,\n'
    assert [one.split(":")[0] for one in _refused(text)] == ["line 2", "line 5"]


def test_a_username_twice_is_refused_with_both_lines():
    text = HEADER + "a,x,Home 300,,,,,,,,,\nA,x,Home 300,,,,,,,,,\na,y,Business,,,,,,,,,\n"
    assert _refused(text) == ["line 4: username 'a' stands in line 2 already"]


def test_an_address_twice_is_refused_with_its_first_holder():
    text = HEADER + "b,x,Home 300,,,,,,192.0.2.0/28,,,\na,x,Home 300,,,192.0.2.9,,,,,,\n"
    assert _refused(text) == ["line 3: 192.0.2.9/32 overlaps 192.0.2.0/28 of b: one holder each"]


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"", "line 1: no header"),
        (b"username,password\n", "line 1: column plan is missing"),
        (b"username,password,plan,plan\n", "line 1: column 'plan' stands there twice"),
        (b"username,pasword,plan\n", "line 1: unknown column 'pasword'; did you mean password?"),
        (b"username,password,plan\na,b\xe8,Home 300\n", "line 2: this is no UTF-8"),
        (b'username,password,plan\na,"b,Home 300\n', "line 2: unexpected end of data"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(octets, problem):
    with pytest.raises(CsvError, match="line") as raised:
        read_accounts(octets, KNOWN)
    assert str(raised.value).startswith(problem)
