"""Live sessions of a simulated device without a device, and change requests by hand."""

from __future__ import annotations

from ipaddress import IPv4Address

from nas_drivers.simulated import codec
from nas_drivers.simulated.behaviour import DeviceIdentity
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Session, SessionTable, Subscriber
from nas_drivers.simulated.traffic import Meter, Rates

IDENTITY = DeviceIdentity(IPv4Address("127.66.0.1"), "tower")
SECRET = b"coa secret"


def live_session(session_id: str, username: str, address: str = "100.64.0.1", port: int = 7) -> Session:
    """A session that began at 0 on a line of 1 Mbit/s each way."""
    rates = Rates(1_000_000, 1_000_000)
    return Session(
        session_id=session_id,
        subscriber=Subscriber(username, "secret"),
        nas_port=port,
        nas_port_id=f"port{port}",
        calling_station_id=f"02:00:00:00:00:{port:02X}",
        address=IPv4Address(address),
        pool="",
        meter=Meter(rates, line_bps=1_000_000_000, load_down=1.0, load_up=1.0, now=0.0),
        identity=b"",
        classes=(),
        started=0.0,
        started_at=1_700_000_000.0,
    )


def table_of(*sessions: Session) -> SessionTable:
    """A table that holds them."""
    table = SessionTable()
    for session in sessions:
        table.add(session)
    return table


def change_request(code: int, *attributes: bytes, signed: bool = False) -> Packet:
    """A genuine request with these attributes."""
    return codec.decode(codec.signed_request(code, 1, b"".join(attributes), SECRET, sign=signed))


def accept(*attributes: bytes) -> Packet:
    """An Access-Accept with these attributes."""
    return codec.decode(codec.signed_request(2, 1, b"".join(attributes), SECRET))
