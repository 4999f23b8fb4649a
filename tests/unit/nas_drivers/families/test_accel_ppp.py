"""accel-ppp's tables of sessions, laid out as cli/show_sessions.c prints them, and those of VyOS's documentation."""

import pytest

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.families.accel_ppp import read_sessions, refused

# A column is as wide as its widest cell; the lines end with CR LF.
OURS = (
    "       sid        | ifname | username |     ip     |    calling-sid    | rate-limit | state  | uptime-raw \r\n"
    "------------------+--------+----------+------------+-------------------+------------+--------+------------\r\n"
    " 0a1b2c3d4e5f6071 | ppp0   | anna     | 100.64.0.7 | 00:53:00:ba:db:15 | 2048/1024  | active | 93784      \r\n"
    " 0a1b2c3d4e5f6072 | ppp1   | bert     |            | 00:53:00:ba:db:16 |            | active | 5          \r\n"
    " 0a1b2c3d4e5f6073 | ppp2   |          |            | 00:53:00:ba:db:17 |            | start  | 0          \r\n"
)
# VyOS documentation, PPPoE Server, "show pppoe-server sessions".
VYOS = """\
ifname | username |     ip     |    calling-sid    | rate-limit  | state  |  uptime  | rx-bytes | tx-bytes
-------+----------+------------+-------------------+-------------+--------+----------+----------+----------
ppp0   | foo      | 10.1.1.100 | 00:53:00:ba:db:15 | 20480/10240 | active | 00:00:11 | 214 B    | 76 B
"""
VYOS_DUAL_STACK = """\
 ifname | username |     ip      |            ip6           |       ip6-dp        |    calling-sid    | rate-limit | state  |  uptime  | rx-bytes | tx-bytes
--------+----------+-------------+--------------------------+---------------------+-------------------+------------+--------+----------+----------+----------
 ppp0   | test     | 192.168.0.1 | 2001:db8:8002:0:200::/64 | 2001:db8:8003::1/56 | 00:53:00:12:42:eb |            | active | 1.02:03:04 | 875 B    | 2.1 KiB
"""


def test_a_session_has_its_id_its_rates_and_how_long_it_is_up() -> None:
    assert read_sessions(OURS) == (
        DeviceSession(
            "0a1b2c3d4e5f6071",
            "anna",
            "100.64.0.7",
            "005300badb15",
            93_784,
            rate_down_bps=2_048_000,
            rate_up_bps=1_024_000,
            local_name="ppp0",
        ),
        DeviceSession(
            "0a1b2c3d4e5f6072", "bert", None, "005300badb16", 5, rate_down_bps=0, rate_up_bps=0, local_name="ppp1"
        ),
    )


def test_vyos_lists_sessions_without_ids() -> None:
    assert read_sessions(VYOS) == (
        DeviceSession(
            "",
            "foo",
            "10.1.1.100",
            "005300badb15",
            11,
            rate_down_bps=20_480_000,
            rate_up_bps=10_240_000,
            local_name="ppp0",
        ),
    )
    dual = read_sessions(VYOS_DUAL_STACK)[0]
    # A day, two hours, three minutes, four seconds.
    assert (dual.framed_ipv4, dual.up_s, dual.mac) == ("192.168.0.1", 93_784, "0053001242eb")


def test_a_table_without_rows_is_nobody_online() -> None:
    assert read_sessions("".join(OURS.splitlines(keepends=True)[:2])) == ()


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Connection to 127.0.0.1:2001 failed: Connection refused",
        "unknown column rate-limit\r\n",
        "pppoe server is not running",
        " sid | ip \n-----+----\n 1 | 2 \n",
        OURS + " 0a1b2c3d4e5f6074 | ppp3 \r\n",
        "------+----\n",
    ],
)
def test_what_is_no_whole_table_is_not_read(output: str) -> None:
    with pytest.raises(CliOutputError):
        read_sessions(output)


def test_an_address_a_mac_a_rate_or_a_time_that_is_none_is_not_known() -> None:
    table = "username|ip|calling-sid|rate-limit|state|uptime\n---+---+---+---+---+---\nanna|fe80::1|port 7|fast|active|soon\n"

    assert read_sessions(table) == (DeviceSession("", "anna"),)


def test_a_time_that_no_device_can_have_been_up_is_not_known() -> None:
    table = f"username|uptime-raw\n---+---\nanna|{'9' * 4000}\n"

    assert read_sessions(table)[0].up_s is None


@pytest.mark.parametrize(
    "line",
    ["syntax error", "invalid argument", "command failed", "command unknown", "unknown column sidd", "match: nothing to repeat at 0",
     "Connection to 127.0.0.1:2001 failed: Connection refused"],
)  # fmt: skip
def test_its_own_words_for_a_command_not_taken_are_found(line: str) -> None:
    assert refused(f"{line}\r\n") == line


def test_silence_is_no_refusal() -> None:
    assert refused("") is None
    assert refused(OURS) is None
