"""Words for what dunning does and waits for, in the reader's language.

Next: money_words.py
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.contract_facts import Level
from billing.dunning.policy import Action
from billing.dunning.promise import PromiseState
from billing.dunning.reasons import Reason
from billing.dunning.words import say
from web.language import chosen_language, lazy

LEVELS: Final[dict[str, Any]] = {
    Level.THROTTLE: (lazy("Slowed down"), "warn"),
    Level.WALLED: (lazy("Payment page only"), "bad"),
    Level.BLOCKED: (lazy("Blocked"), "bad"),
}
ACTIONS: Final[dict[str, Any]] = {
    Action.NOTIFY: lazy("Write"),
    Action.FEE: lazy("Charge a fee"),
    Action.THROTTLE: lazy("Slow down"),
    Action.WALLED: lazy("Leave the payment page only"),
    Action.SUSPEND: lazy("Block"),
    Action.PROPOSE_END: lazy("Propose to end the contract"),
    Action.END: lazy("End the contract"),
}
PROMISES: Final[dict[str, Any]] = {
    PromiseState.OPEN: (lazy("Runs"), "busy"),
    PromiseState.KEPT: (lazy("Kept"), "good"),
    PromiseState.BROKEN: (lazy("Broken"), "bad"),
}
# The steps of the policies that we ship. An ISP's own step is called what it calls it.
_STEPS: Final[dict[str, Any]] = {
    "due_soon": lazy("due soon"),
    "reminder": lazy("reminder"),
    "notice": lazy("notice"),
    "formal_notice": lazy("formal notice"),
    "throttle": lazy("line slowed down"),
    "walled": lazy("payment page only"),
    "blocked": lazy("line blocked"),
    "propose_end": lazy("end of the contract proposed"),
}
EXCLUSIONS: Final[dict[str, Any]] = {
    "whitelist": lazy("Left alone altogether"),
    "not_before": lazy("Neither limited nor charged before the day"),
    "essential": lazy("An essential service: told of the debt, never limited"),
}
COUNTED: Final[dict[str, Any]] = {
    "reminders": lazy("Reminders"),
    "notices": lazy("Notices"),
    "formal": lazy("Formal notices"),
    "fees": lazy("Fees"),
    "throttle": lazy("Slowed down"),
    "walled": lazy("Payment page only"),
    "blocked": lazy("Blocked"),
    "ends": lazy("Ends"),
    "lifted": lazy("Lifted"),
}


def step_words(code: str) -> str:
    """What a step is called; one of the ISP's own by its code."""
    return str(_STEPS[code]) if code in _STEPS else code.replace("_", " ")


def why(reasons: Iterable[Reason], zone: ZoneInfo) -> str:
    """The reasons as a line, each once."""
    return "; ".join(dict.fromkeys(say(one, chosen_language(), zone) for one in reasons))
