"""Words for what dunning does and waits for, in the reader's language.

Next: money_words.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.contract_facts import Level
from billing.dunning.policy import Action, Contracts, CountedFrom
from billing.dunning.promise import PromiseState
from billing.dunning.reasons import Reason
from billing.dunning.words import retold, say
from billing.messages.message import State
from billing.sentence import Sentence
from web.language import chosen_language, gettext, lazy, zone
from web.message_words import STATES, channel_words, kind_words, problem_words
from web.money_words import part_of
from web.staff.account_words import CHANGE_STATES, METHODS

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
CONTRACTS: Final[dict[str, Any]] = {
    Contracts.CONCERNED: lazy("Those that the overdue lines name"),
    Contracts.ALL: lazy("All of the customer"),
    Contracts.EACH: lazy("Each by what it owes itself"),
}
COUNTED_FROM: Final[dict[str, Any]] = {
    CountedFrom.DUE: lazy("the due day"),
    CountedFrom.NOT_BEFORE: lazy("the first day on which a limit is allowed"),
}
WEEKDAY_WORDS: Final[dict[str, Any]] = {
    "mon": lazy("Monday"),
    "tue": lazy("Tuesday"),
    "wed": lazy("Wednesday"),
    "thu": lazy("Thursday"),
    "fri": lazy("Friday"),
    "sat": lazy("Saturday"),
    "sun": lazy("Sunday"),
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


_UNPAID: Final = "unpaid: step "


def step_words(code: str) -> str:
    """What a step is called; one of the ISP's own by its code."""
    return str(_STEPS[code]) if code in _STEPS else code.replace("_", " ")


def kept_words(line: str) -> str:
    """Why somebody was limited, as it was kept in English: what dunning says in the reader's language, a person's words as they are."""
    if line.startswith(_UNPAID):
        return gettext("unpaid: step %(step)s", step=step_words(line.removeprefix(_UNPAID)))
    return retold(line, chosen_language(), zone())


def told_words(told: Sentence) -> str:
    """A line of a case's story or of the log of cuts: steps, levels, ways and states by their words."""
    said = _told(told)
    return said[:1].upper() + said[1:]


def _told(told: Sentence) -> str:
    return part_of(Sentence(told.form, **{name: _said(name, value) for name, value in told.about.items()}))


def _said(name: str, value: object) -> object:
    if isinstance(value, Sentence):
        return _told(value)
    said = _SAID.get(name)
    return value if said is None else said(str(value))


def why(reasons: Iterable[Reason], zone: ZoneInfo) -> str:
    """The reasons as a line, each once."""
    return "; ".join(dict.fromkeys(say(_with_steps(one), chosen_language(), zone) for one in reasons))


def _with_steps(reason: Reason) -> Reason:
    """The same with steps by their words."""
    return Reason(
        reason.why, tuple((name, step_words(str(value)) if name == "step" else value) for name, value in reason.values)
    )


_SAID: Final[dict[str, Callable[[str], str]]] = {
    "step": step_words,
    "reason": lambda line: kept_words(problem_words(line)),
    "problem": problem_words,
    "level": lambda level: str(LEVELS[Level[level.upper()]][0]),
    "channel": channel_words,
    "template": kind_words,
    "state": lambda state: str(STATES[State(state)][0]),
    "answer": lambda state: str(CHANGE_STATES[state]),
    "method": lambda method: str(METHODS[method]),
}
