"""What a device says: the words of its vendor, the counters and their halves."""

from support.simulated_sessions import IDENTITY, live_session

from nas_drivers.simulated import codec, requests, wire
from nas_drivers.simulated.behaviour import Habits
from nas_drivers.simulated.behaviours.accel_ppp import BEHAVIOUR as ACCEL_PPP
from nas_drivers.simulated.behaviours.mikrotik import BEHAVIOUR as MIKROTIK
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Subscriber
from nas_drivers.simulated.traffic import Counters
from nas_drivers.simulated.wire import Cause, Status


def _packet(attributes: bytes) -> Packet:
    return codec.decode(codec.signed_request(4, 1, attributes, b"secret"))


def _number(packet: Packet, attribute: int) -> int:
    value = packet.first(attribute)
    assert value is not None
    return int.from_bytes(value, "big")


def test_a_line_is_described_in_the_vendors_way() -> None:
    subscriber = Subscriber("anna", "secret", mac="0200-5E00-53ab", circuit_id=b"\x01\xffport 7")

    packet = _packet(
        requests.line_attributes(
            subscriber, port=15728641, port_id="ether2.101", station="02:00:5E:00:53:AB", habits=MIKROTIK.habits
        )
    )

    assert packet.first(wire.USER_NAME) == b"anna"
    assert packet.first(wire.CALLING_STATION_ID) == b"02:00:5E:00:53:AB"
    assert packet.first(wire.ADSL_AGENT_CIRCUIT_ID) == b"\x01\xffport 7"
    assert (_number(packet, wire.NAS_PORT), _number(packet, wire.NAS_PORT_TYPE)) == (15728641, 15)
    assert ACCEL_PPP.habits.nas_port_type == 5


def test_a_mac_is_written_with_colons_in_the_vendors_case() -> None:
    assert requests.station_id("0200.5e00.53ab", Habits()) == "02:00:5E:00:53:AB"
    assert requests.station_id("02-00-5E-00-53-AB", Habits(upper_case_mac=False)) == "02:00:5e:00:53:ab"


def test_input_is_from_the_subscriber_and_gigawords_count_the_wraps() -> None:
    # 3 * 2^32 + 5 octets down, 7 octets up.
    packet = _packet(requests.counter_attributes(Counters(12_884_901_893, 7), swapped=False, gigawords=True))

    assert (_number(packet, wire.ACCT_INPUT_OCTETS), _number(packet, wire.ACCT_INPUT_GIGAWORDS)) == (7, 0)
    assert (_number(packet, wire.ACCT_OUTPUT_OCTETS), _number(packet, wire.ACCT_OUTPUT_GIGAWORDS)) == (5, 3)


def test_a_device_may_swap_directions_and_leave_gigawords_out() -> None:
    packet = _packet(requests.counter_attributes(Counters(12_884_901_893, 7), swapped=True, gigawords=False))

    assert (_number(packet, wire.ACCT_INPUT_OCTETS), _number(packet, wire.ACCT_OUTPUT_OCTETS)) == (5, 7)
    assert packet.first(wire.ACCT_INPUT_GIGAWORDS) is None


def test_a_session_is_described_with_all_it_was_given() -> None:
    session = live_session("81000001", "anna", "192.0.2.9")
    session.classes = (b"one", b"two")
    session.delegated_prefix = bytes((0, 56)) + bytes(16)

    echoed = _packet(requests.session_attributes(session, class_echoed=True))
    silent = _packet(requests.session_attributes(session, class_echoed=False))

    assert echoed.first(wire.FRAMED_IP_ADDRESS) == bytes([192, 0, 2, 9])
    assert echoed.all(wire.CLASS) == (b"one", b"two")
    assert echoed.first(wire.DELEGATED_IPV6_PREFIX) == session.delegated_prefix
    assert silent.all(wire.CLASS) == ()


def test_a_record_says_its_kind_time_cause_and_stamp() -> None:
    packet = _packet(
        requests.record_attributes(Status.STOP, session_time_s=61, cause=Cause.ADMIN_RESET, stamp=1_700_000_000)
    )

    assert _number(packet, wire.ACCT_STATUS_TYPE) == 2
    assert _number(packet, wire.ACCT_SESSION_TIME) == 61
    assert _number(packet, wire.ACCT_TERMINATE_CAUSE) == 6
    assert _number(packet, wire.EVENT_TIMESTAMP) == 1_700_000_000


def test_a_device_names_itself() -> None:
    packet = _packet(requests.device_attributes(IDENTITY))

    assert (packet.first(wire.NAS_IDENTIFIER), packet.first(wire.NAS_IP_ADDRESS)) == (b"tower", bytes([127, 66, 0, 1]))
