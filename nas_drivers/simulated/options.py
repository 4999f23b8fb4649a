"""How a simulated device is set up.

Next: device.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.traffic import Rates

# Address and port at the other end.
Source = tuple[str, int]
# Whether it came or goes, its octets, the other end.
OnDatagram = Callable[[bool, bytes, Source], None]


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How one device is set up. None for a retry plan: the vendor's own."""

    name: str = "simulated"
    coa_port: int = 3799
    # What stands ready on it under a device policy's name; see Policies in behaviour.py.
    policies: Mapping[str, Rates] = field(default_factory=lambda: MappingProxyType({}))
    # Whether it listens for changes; None: as the vendor does.
    hears_changes: bool | None = None
    coa_secret: bytes | None = None
    # The CoA sources that are obeyed; None: any.
    coa_sources: frozenset[str] | None = None
    coa_requires_signature: bool = False
    event_timestamp_window_s: int | None = None
    # Whether a change without an Event-Timestamp is dropped, where there is a window.
    event_timestamp_required: bool = True
    # How long a change request is worked on before it takes effect and is answered.
    change_delay_s: float = 0.0
    announce_boot: bool = True
    # Interval when the server names none; None: no interim records then.
    interim_interval_s: int | None = None
    interim_jitter: float = 0.1
    interim_after_change: bool = False
    # Told of each datagram on the change port: all that comes, whatever becomes of it, and all that is answered from there.
    on_change_datagram: OnDatagram | None = None
    # A modem dials again so long after its session was ended by the network; None: it does not.
    redial_after_s: float | None = None
    line_bps: int = 1_000_000_000
    # Logins, and records, that are on their way at once; what comes on top waits in line.
    max_in_flight: int = 200
    require_signed_replies: bool = True
    access_retry: RetryPlan | None = None
    accounting_retry: RetryPlan | None = None
    seed: int = 1
