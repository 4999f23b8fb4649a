"""A policy read from data, a TOML file or a row of JSON; what can't be read is told by step and field.

Names of fields are those of billing/dunning/policy.py; amounts are `{ EUR = "5.00" }`, hours "09:00-17:00", weekdays "sat".

Source: billing/dunning/policies/*.toml, the two that an issuer may begin with (billing model section 14).

Next: facts.py
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from billing.dunning.floor import Channel, Floor
from billing.dunning.guard import WORKING_HOURS, ClosedDays, Guard, Hours
from billing.dunning.holidays_of import UnknownCalendarError, holidays_of
from billing.dunning.policy import Action, Contracts, CountedFrom, Policy, PromiseTerms, Scope, ShorterNotice, Step
from billing.dunning.policy_errors import PolicyError, policy_errors
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.sentence import Sentence

_FOLDER: Final = Path(__file__).resolve().parent / "policies"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_A_WEEKEND: Final = ["sat", "sun"]
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an issuer is: the calendar, the law and the clock that its policies go by."""

    country: str
    zone: ZoneInfo
    floors: tuple[Floor, ...]


def default_policy(place: Place) -> dict[str, Any]:
    """What an issuer's first policy says, as data: with a formal notice where the law asks for one."""
    return tomllib.loads(default_text(place))


def default_text(place: Place) -> str:
    """The same as its file has it, with its comments."""
    name = "formal_notice" if place.floors else "plain"
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def read_policy(
    data: Mapping[str, Any], place: Place, *, version: int = 1, since: date, checked: bool = True
) -> Policy | tuple[PolicyError, ...]:
    """The policy that the data say, checked against the law of the place, or all that is wrong with it.

    Not `checked`: what was right when it was saved is only read; today's law holds for what it does.
    """
    wrong: list[PolicyError] = []
    own = _Fields(data, None, wrong)
    steps = tuple(_step(one, number, wrong) for number, one in enumerate(own.records("step"), start=1))
    policy = Policy(
        name=own.text("name") or "",
        version=version,
        since=since,
        steps=steps,
        guard=_guard(own.record("guard"), place, wrong),
        min_debt=own.amounts("min_debt"),
        contracts=own.word(Contracts, "contracts", Contracts.CONCERNED),
        scope=_scope(own.record("scope"), wrong),
        promise=_promise(own.record("promise"), wrong),
        floors=place.floors,
        shorter_notice=_shorter(own.record("shorter_notice"), wrong),
    )
    own.done()
    # What can't be read would only make more of the same error.
    return tuple(wrong) or (checked and policy_errors(policy)) or policy


class _Fields:
    """The fields of one record, crossed out as they are taken."""

    def __init__(self, data: Mapping[str, Any], step: str | None, wrong: list[PolicyError], prefix: str = "") -> None:
        self._data, self._left, self._wrong = data, set(data), wrong
        self._step, self._prefix = step, prefix

    def refuse(self, field: str, why: Sentence) -> None:
        self._wrong.append(PolicyError(self._step, self._prefix + field, why))

    def take(self, field: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        self._left.discard(field)
        value = self._data.get(field)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.refuse(field, Sentence("%(found)s is not what belongs there", found=repr(value)))
            return default
        return value

    def text(self, field: str, *, needed: bool = True) -> str | None:
        found: str | None = self.take(field, str)
        if needed and not found:
            self.refuse(field, Sentence("it is missing"))
        return found

    def whole(self, field: str, default: int) -> int:
        found: int = self.take(field, int, default)
        return found

    def limit(self, field: str, default: int | None) -> int | None:
        """A whole number, or `"none"` for no limit."""
        found = self.take(field, (int, str), default)
        if isinstance(found, str) and found != "none":
            self.refuse(field, Sentence("%(found)s: a number, or none", found=repr(found)))
        return None if isinstance(found, str) else found

    def flag(self, field: str, default: bool) -> bool:
        found: bool = self.take(field, bool, default)
        return found

    def word(self, words: type[_Word], field: str, default: _Word) -> _Word:
        found = self.take(field, str, default.value)
        if found not in set(words):
            self.refuse(field, Sentence("%(found)s: one of %(known)s", found=repr(found), known=", ".join(words)))
            return default
        return words(found)

    def amounts(self, field: str) -> tuple[Money, ...]:
        found: list[Money] = []
        for currency, amount in self.take(field, Mapping, {}).items():
            try:
                found.append(read_money(Decimal(str(amount)), currency))
            except (InvalidOperation, ValueError, OverflowError):
                self.refuse(field, Sentence("%(found)s is no amount", found=f"{amount!r} {currency}"))
            except BillingError as error:
                self.refuse(field, _told(error))
        return tuple(found)

    def names(self, field: str, default: Iterable[str] = ()) -> list[str]:
        return [str(one) for one in self.take(field, list, list(default))]

    def record(self, field: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.take(field, Mapping)
        return found

    def records(self, field: str) -> list[Mapping[str, Any]]:
        found = self.take(field, list, [])
        if all(isinstance(one, Mapping) for one in found):
            return list(found)
        self.refuse(field, Sentence("each is a record of its own"))
        return []

    def done(self) -> None:
        for field in sorted(self._left):
            self.refuse(field, Sentence("there is no such field"))


def _step(data: Mapping[str, Any], number: int, wrong: list[PolicyError]) -> Step:
    code = data.get("code")
    fields = _Fields(data, code if isinstance(code, str) and code else str(number), wrong)
    offset, action = fields.take("offset_days", int), fields.text("action")
    if offset is None:
        fields.refuse("offset_days", Sentence("it is missing: days from the due day"))
    channel = fields.take("channel", str)
    step = Step(
        code=fields.text("code") or "",
        offset_days=offset or 0,
        action=Action.NOTIFY if action is None else fields.word(Action, "action", Action.NOTIFY),
        counted_from=fields.word(CountedFrom, "counted_from", CountedFrom.DUE),
        channel=None if channel is None else fields.word(Channel, "channel", Channel.EMAIL),
        template=fields.text("template", needed=False),
        is_formal=fields.flag("is_formal", False),
        min_debt=fields.amounts("min_debt"),
        min_documents=fields.whole("min_documents", 1),
        needs_notice_days=fields.take("needs_notice_days", int),
        confirm=fields.flag("confirm", False),
        fee_product=fields.text("fee_product", needed=False),
    )
    fields.done()
    return step


def _guard(data: Mapping[str, Any] | None, place: Place, wrong: list[PolicyError]) -> Guard:
    fields = _Fields(data or {}, None, wrong, "guard.")
    hours = _hours(fields, wrong)
    weekdays = fields.names("weekdays", _A_WEEKEND)
    if unknown := sorted(set(weekdays) - set(WEEKDAYS)):
        found = ", ".join(unknown)
        fields.refuse("weekdays", Sentence("%(found)s: one of %(known)s", found=found, known=", ".join(WEEKDAYS)))
    try:
        # A file has dates, JSON their text.
        days = [date.fromisoformat(str(one)) for one in fields.take("days", list, [])]
    except ValueError:
        fields.refuse("days", Sentence("each is a date"))
        days = []
    region, with_holidays = fields.text("region", needed=False), fields.flag("holidays", True)
    closed = ClosedDays(
        weekdays=frozenset(WEEKDAYS.index(one) for one in weekdays if one in WEEKDAYS),
        country=place.country if with_holidays else None,
        region=region,
        easter_monday=fields.flag("easter_monday", True),
        days=frozenset(days),
        eves_of_weekends=fields.flag("eves_of_weekends", True),
        eves_of_holidays=fields.flag("eves_of_holidays", True),
    )
    fields.done()
    if closed.country is not None:
        try:
            holidays_of(closed.country, region, date(2026, 1, 1).year)
        except UnknownCalendarError as error:
            fields.refuse("region", _told(error))
            closed = ClosedDays()
    return Guard(place.zone, hours, closed)


def _hours(fields: _Fields, wrong: list[PolicyError]) -> tuple[Hours, ...]:
    found: list[Hours] = []
    for one in fields.names("hours", (f"{hours.begins:%H:%M}-{hours.ends:%H:%M}" for hours in WORKING_HOURS)):
        begins, _, ends = one.partition("-")
        try:
            # ISO 8601-1 has no 24:00 any more, and people write it.
            found.append(
                Hours(time.fromisoformat(begins), time.max if ends.strip() == "24:00" else time.fromisoformat(ends))
            )
        except ValueError:
            fields.refuse("hours", Sentence("%(found)s: such as 09:00-17:00", found=repr(one)))
    return tuple(found) if found or not wrong else WORKING_HOURS


def _scope(data: Mapping[str, Any] | None, wrong: list[PolicyError]) -> Scope:
    fields = _Fields(data or {}, None, wrong, "scope.")
    scope = Scope(*(frozenset(fields.names(name)) for name in ("customer_kinds", "methods", "profiles")))
    fields.done()
    return scope


def _promise(data: Mapping[str, Any] | None, wrong: list[PolicyError]) -> PromiseTerms:
    usual, fields = PromiseTerms(), _Fields(data or {}, None, wrong, "promise.")
    terms = PromiseTerms(
        hours=fields.whole("hours", usual.hours),
        proof_hours=fields.whole("proof_hours", usual.proof_hours),
        per_case=fields.limit("per_case", usual.per_case),
        per_month=fields.limit("per_month", usual.per_month),
        max_debt=fields.amounts("max_debt"),
        refused_days=fields.whole("refused_days", usual.refused_days),
    )
    fields.done()
    return terms


def _shorter(data: Mapping[str, Any] | None, wrong: list[PolicyError]) -> ShorterNotice | None:
    if data is None:
        return None
    fields = _Fields(data, None, wrong, "shorter_notice.")
    shorter = ShorterNotice(fields.whole("days", -1), fields.text("reason") or "")
    fields.done()
    return shorter


def _told(error: BillingError) -> Sentence:
    told = error.args[0]
    assert isinstance(told, Sentence), "what is raised here says a sentence"
    return told
