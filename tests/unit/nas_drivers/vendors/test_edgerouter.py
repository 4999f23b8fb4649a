"""EdgeRouter, worked out by hand: WISPr rates in bit/s, changes by a new login."""

import pytest

from nas_drivers.cli_dialect import CliOutputError, CliStep
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import Drivers
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.edgerouter import DRIVER, EdgeOsCli, Options

HOME = SessionPolicy(rate=RatePair(down=BitRate(300_000_000), up=BitRate(30_000_000)))
SLOW = SessionPolicy(rate=RatePair(down=BitRate(1_000_000), up=BitRate(512_000)))
# As ubnt-pppoe-server 0.1.10's show-pppoe-server.pl prints them: a name of more than ten characters on a line of its own.
SESSIONS = """\
Active PPPoE server sessions:

User       Time      Iface    Remote IP       TX pkt/byte   RX pkt/byte
---------- --------- -------- --------------- ------ ------ ------ ------
anna       01d02h03m pppoes0  10.5.50.2         1.2K  80.1K    980  70.2K
bert.rossi@isp.example
           00h00m27s pppoes1  10.5.50.3            8    512      9    600
cleo       00h00m01s pppoes2  N/A                  0      0      1     54
"""
# As EdgeOS lists its remote access and PPPoE client sessions since: a column more, and a total.
WITH_PROTO = """\
Active PPPoE server sessions:

User       Time      Proto Iface   Remote IP       TX pkt/byte   RX pkt/byte
---------- --------- ----- -----   --------------- ------ ------ ------ ------
anna       00h00m12s PPPoE pppoes0 10.5.50.2           56  11.6K     70   8.3K

Total sessions: 1
"""


def test_up_is_from_the_subscriber_and_rates_are_bits() -> None:
    assert DRIVER.login_attributes(SLOW) == (
        Attribute("WISPr-Bandwidth-Max-Up", ":=", "512000"),
        Attribute("WISPr-Bandwidth-Max-Down", ":=", "1000000"),
    )


def test_a_rate_beyond_32_bits_is_sent_as_the_ceiling_and_spoken_of() -> None:
    fibre = SessionPolicy(rate=RatePair(down=BitRate(10_000_000_000), up=BitRate(4_294_967_295)))

    assert [one.value for one in DRIVER.login_attributes(fibre)] == ["4294967295", "4294967295"]
    assert ["4294967295 bit/s at most" in sentence for sentence in DRIVER.unsupported(fibre)] == [True]
    assert DRIVER.unsupported(HOME) == ()


def test_a_rate_changes_by_a_new_login_unless_the_option_says_that_coa_does() -> None:
    by_coa = Drivers({"edgerouter": Options(rate_by_coa=True)}).of("edgerouter")

    assert DRIVER.change_methods(HOME, SLOW) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_attributes(SLOW, class_octets=b"CO1") == ()
    assert by_coa.change_methods(HOME, SLOW) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert by_coa.change_attributes(SLOW, class_octets=b"CO1") == DRIVER.login_attributes(SLOW)
    # A rate that is taken away no CoA takes back.
    assert by_coa.change_methods(HOME, SessionPolicy()) == (Method.DISCONNECT, Method.CLI)


def test_the_list_is_read_by_its_columns() -> None:
    assert EdgeOsCli().read_sessions(SESSIONS) == (
        DeviceSession("", "anna", "10.5.50.2", up_s=93_780, local_name="pppoes0"),
        DeviceSession("", "bert.rossi@isp.example", "10.5.50.3", up_s=27, local_name="pppoes1"),
        DeviceSession("", "cleo", None, up_s=1, local_name="pppoes2"),
    )
    assert EdgeOsCli().read_sessions(WITH_PROTO) == (
        DeviceSession("", "anna", "10.5.50.2", up_s=12, local_name="pppoes0"),
    )


@pytest.mark.parametrize("output", ["No active PPPoE-server sessions\n", "\nNo active PPPoE server sessions\n"])
def test_nobody_online_is_said_in_words(output: str) -> None:
    assert EdgeOsCli().read_sessions(output) == ()
    assert EdgeOsCli().refused(output) is None


def test_a_list_without_rows_is_nobody_online() -> None:
    assert EdgeOsCli().read_sessions("".join(SESSIONS.splitlines(keepends=True)[:4])) == ()


@pytest.mark.parametrize(
    "output",
    [
        "",
        "PPPoE server is not configured",
        "Cannot get session information",
        SESSIONS + "Segmentation fault\n",
        SESSIONS + "dora.bianchi@isp.example\n",
        SESSIONS.replace("bert.rossi@isp.example\n", ""),
        SESSIONS.replace("bert.rossi@isp.example", "bert.rossi@isp.example\ndora.bianchi@isp.example"),
        SESSIONS + "No active PPPoE-server sessions\n",
        SESSIONS.replace("Iface", "If"),
    ],
)
def test_what_is_no_whole_list_is_not_read(output: str) -> None:
    with pytest.raises(CliOutputError):
        EdgeOsCli().read_sessions(output)


def test_sessions_are_ended_by_their_username() -> None:
    anna = SessionIdentity("anna", "81000001")

    assert EdgeOsCli().clear_session(anna, None) == (CliStep("clear pppoe-server user anna"),)
    assert (
        EdgeOsCli().refused("\n  Invalid command: clear [pppoe-serverr]\n") == "Invalid command: clear [pppoe-serverr]"
    )
    assert EdgeOsCli().refused("Cannot get session information") == "Cannot get session information"
    assert EdgeOsCli().refused("") is None
