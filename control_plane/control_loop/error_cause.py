"""What a device means by refusing a change: one table from Error-Cause to what is done about it. Pure.

Source: RFC 5176 section 3.5.
Next: enforcement.py
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Action(Enum):
    """What an Error-Cause asks for."""

    # The session is not there: done, after a second look under its fewest names.
    GONE = "gone"
    # An attribute too many, or too few: again at once with another identity, then the next method.
    FEWER = "fewer"
    FULLER = "fuller"
    # Later, some times; then the next method.
    LATER = "later"
    # This method can't; the next one of the ladder.
    NEXT = "next"
    # A fault of configuration: no packet will mend it. A way without RADIUS is left, if the vendor has one.
    CONFIGURATION = "configuration"
    # The wrong device: nothing more is sent to it.
    STOP = "stop"
    # Accepted, and under way.
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class CauseRule:
    """What one Error-Cause means, in words, and what is done.

    `alarm`: a person must look whatever comes of it. `configuration`: when the action brings nothing, no packet will.
    """

    action: Action
    meaning: str
    alarm: bool = False
    configuration: bool = False


SESSION_NOT_FOUND: Final = 503
# Source: RFC 5176 section 3.5, in its order.
CAUSES: Final[dict[int, CauseRule]] = {
    401: CauseRule(Action.FEWER, "unsupported attribute"),
    402: CauseRule(Action.FULLER, "missing attribute", configuration=True),
    403: CauseRule(Action.STOP, "NAS identification mismatch: this is not the device we take it for", alarm=True),
    404: CauseRule(Action.CONFIGURATION, "invalid request", alarm=True),
    405: CauseRule(Action.NEXT, "unsupported service"),
    406: CauseRule(Action.NEXT, "unsupported extension: change requests are switched off there", alarm=True),
    407: CauseRule(Action.CONFIGURATION, "invalid attribute value: the device knows no such policy", alarm=True),
    501: CauseRule(Action.LATER, "administratively prohibited"),
    502: CauseRule(Action.LATER, "request not routable: a proxy does not find the device", alarm=True),
    SESSION_NOT_FOUND: CauseRule(Action.GONE, "the device has no such session"),
    504: CauseRule(Action.LATER, "session context not removable"),
    505: CauseRule(Action.LATER, "a proxy could not process it"),
    506: CauseRule(Action.LATER, "resources unavailable"),
    507: CauseRule(Action.WAIT, "the device asks for authorization first"),
    508: CauseRule(Action.FULLER, "several sessions match, and the device changes one at a time"),
}
# Without a cause nothing is known of why, so the method is not tried again.
NO_CAUSE: Final = CauseRule(Action.NEXT, "refused without a cause")


def rule_for(error_cause: int | None) -> CauseRule:
    """The rule of a NAK's Error-Cause; unknown ones of the 500s may pass by themselves, the others do not."""
    if error_cause is None:
        return NO_CAUSE
    unknown = Action.LATER if 500 <= error_cause < 600 else Action.NEXT
    return CAUSES.get(error_cause, CauseRule(unknown, f"error cause {error_cause}", alarm=True))
