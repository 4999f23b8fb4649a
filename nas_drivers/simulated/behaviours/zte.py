"""ZTE ZXR10 M6000 and its like. No manual of its RADIUS attributes was at hand: **all of this is UNCONFIRMED**, the awkward answer each time.

- A sustained rate each direction in bit/s, 32 bits (ZTE-Rate-Ctrl-SCR-Up, -Down), or a QoS profile each by its name. One that is
  not there fails the login.
- Every CoA-Request for a session that is there is acknowledged, **and nothing changes**: what a sender must survive.
- What identifies a session must match as a whole; none: 402, no such session: 503 (RFC 5176).

Source: FreeRADIUS's dictionary of vendor 3902; docs/drivers/zte.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, number_in, text_in
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates

_IDENTIFIES: Final = RFC_KEYS | {wire.FRAMED_IPV6_PREFIX}


def _reads(accept: Packet, policies: Policies) -> Terms:
    up, down = text_in(accept, wire.ZTE_QOS_PROFILE_UP), text_in(accept, wire.ZTE_QOS_PROFILE_DOWN)
    terms = replace(common_terms(accept, rates=None), policy_up=up, policy_down=down)
    if any(name is not None and name not in policies for name in (up, down)):
        return replace(terms, fails="no such QoS profile")
    up_bps = number_in(accept, wire.ZTE_RATE_CTRL_SCR_UP) or (policies[up].up_bps if up else None)
    down_bps = number_in(accept, wire.ZTE_RATE_CTRL_SCR_DOWN) or (policies[down].down_bps if down else None)
    return replace(terms, rates=Rates(down_bps=down_bps, up_bps=up_bps) if up_bps or down_bps else None)


def _changes(_request: Packet, _session: Session, _policies: Policies) -> Terms:
    return Terms()


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="zte",
    habits=Habits(mac_separator="-"),
    session_id=lambda boot, number: f"{5_107_000_000 + boot:010d}{number:010d}",
    nas_port_id=lambda number: f"slot=1;subslot=0;port=1;vlanid={100 + number % 3900};",
    reads=_reads,
    rules=ChangeRules(identifies=_IDENTIFIES, changes=_changes),
)
