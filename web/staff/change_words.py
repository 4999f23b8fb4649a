"""Words of changes on their way to live sessions: their states, the ways they go, what a device means by refusing one."""

from __future__ import annotations

from typing import Any, Final

from control_plane.control_loop.enforcement import State
from nas_drivers.policy import Method
from web.language import lazy

STATES: Final[dict[str, tuple[Any, str]]] = {
    State.QUEUED.value: (lazy("Queued"), "busy"),
    State.SENT.value: (lazy("Sent"), "busy"),
    State.ACKED.value: (lazy("Acknowledged"), "busy"),
    State.NACKED.value: (lazy("Refused"), "warn"),
    State.UNANSWERED.value: (lazy("Unanswered"), "warn"),
    State.VERIFIED.value: (lazy("Verified"), "good"),
    State.UNVERIFIABLE.value: (lazy("Acknowledged, not verifiable"), "calm"),
    State.GAVE_UP.value: (lazy("Gave up"), "bad"),
    State.SUPERSEDED.value: (lazy("Superseded"), "calm"),
}
HELD: Final = (lazy("Held"), "warn")
METHODS: Final[dict[str, Any]] = {
    Method.COA.value: lazy("CoA"),
    Method.DISCONNECT.value: lazy("Disconnect"),
    Method.ROUTEROS_API.value: lazy("RouterOS API"),
    Method.CLI.value: lazy("Command line"),
}
# By the code of the packet; 0 is a call that is no RADIUS.
CODES: Final[dict[int, Any]] = {
    0: lazy("API or command line"),
    40: "Disconnect-Request",
    41: "Disconnect-ACK",
    42: "Disconnect-NAK",
    43: "CoA-Request",
    44: "CoA-ACK",
    45: "CoA-NAK",
}
# Source: RFC 5176 section 3.5.
CAUSES: Final[dict[int, Any]] = {
    401: lazy("unsupported attribute"),
    402: lazy("missing attribute"),
    403: lazy("this is not the device we take it for"),
    404: lazy("invalid request"),
    405: lazy("unsupported service"),
    406: lazy("changes are switched off there"),
    407: lazy("the device knows no such policy"),
    501: lazy("administratively prohibited"),
    502: lazy("a proxy does not find the device"),
    503: lazy("the device has no such session"),
    504: lazy("the session can't be removed now"),
    505: lazy("a proxy could not process it"),
    506: lazy("resources unavailable"),
    507: lazy("the device asks for authorization first"),
    508: lazy("several sessions match"),
}
# What made sure of a change, by how its NAS is verified.
PROOFS: Final[dict[str, Any]] = {
    "accounting": lazy("its next accounting record"),
    "routeros_api": lazy("the device's own list, by API"),
    "cli": lazy("the device's own list, by command line"),
    "none": lazy("nothing: the device's word"),
}


def state_shown(state: str, *, held: bool) -> tuple[Any, str]:
    """Words and tone of a state; what may not go is held."""
    return HELD if held else STATES[state]
