"""Ubiquiti EdgeRouter (EdgeOS): pppd with its RADIUS plugin, and no port for changes by itself.

- Rates by WISPr-Bandwidth-Max-Up and -Down in bit/s, 32 bits. It has no pools or filters by RADIUS.
- **Its port is closed.** Once its script start-pppoe-radius-disconnect is put in place (`hears_changes` of the device's options) it
  hears Disconnect-Requests: it ends every session of User-Name, looks at nothing else, and acknowledges whoever it is named, known
  or not. A CoA-Request is never answered.
- Session ids are made of the second and the process number, as radiusclient does.

Source: FreeRADIUS's dictionary.wispr; EdgeOS, package ubnt-pppoe-server 0.1.10 (the script); ppp 2.4, plugins/radius/util.c
(`rc_mksid`); docs/drivers/edgerouter.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import ChangeRules, DeviceBehaviour, Drop, Habits, Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, number_in, text_in
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

_FIRST_SECOND: Final = 0x65000000
_SECONDS_A_BOOT: Final = 1 << 20


def _finds(request: Packet, sessions: SessionTable) -> tuple[Session, ...] | Drop | None:
    if request.code != Code.DISCONNECT_REQUEST:
        return Drop("it hears disconnects alone")
    name = text_in(request, wire.USER_NAME)
    return None if name is None else sessions.of(name)


def _reads(accept: Packet, _policies: Policies) -> Terms:
    up, down = number_in(accept, wire.WISPR_BANDWIDTH_MAX_UP), number_in(accept, wire.WISPR_BANDWIDTH_MAX_DOWN)
    rates = Rates(down_bps=down or None, up_bps=up or None) if up or down else None
    return replace(common_terms(accept, rates=rates), pool=None, ipv6_pool=None, delegated_pool=None)


def _changes(_request: Packet, _session: Session, _policies: Policies) -> Drop:
    return Drop("it hears disconnects alone")


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="edgerouter",
    habits=Habits(
        nas_port_type=wire.VIRTUAL,
        first_nas_port=0,
        hears_changes=False,
        session_id_in_access_request=False,
        signs_answers=False,
        repeats_answers=False,
    ),
    session_id=lambda boot, number: (
        f"{_FIRST_SECOND + boot * _SECONDS_A_BOOT + number // 100:08X}{0x1000 + number % 0x8000:04X}{number % 100:02X}"
    ),
    nas_port_id=lambda number: f"pppoe{number}",
    reads=_reads,
    rules=ChangeRules(identifies=frozenset({wire.USER_NAME}), changes=_changes, finds=_finds, ends_nobody=True),
)
