"""Reading a worked case whose author chose the names: each field under any name that says the same, none overlooked.

Names are compared without case and with `-` and blanks as `_`. What an adapter takes is crossed out; what is left over at the
end, and what it needs and does not find, is told by name: such a case is not covered, never passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from billing.money import Money, settle

Values = Mapping[str, Any]

# What a case may say for its reader alone.
REMARKS: Final = frozenset(
    {"note", "notes", "comment", "title", "description", "why", "name", "id", "label", "source", "remark"}
)
_MISSING: Final = object()


class NotCoveredError(Exception):
    """A case that asks for what no public function here answers, or in words that its adapter does not know."""


class Fields:
    """The fields of one object of a case, crossed out as they are taken."""

    def __init__(self, given: Values, what: str = "input") -> None:
        if not isinstance(given, Mapping):
            raise NotCoveredError(f"{what} is no object but {given!r}")
        self._given = {_plain(name): value for name, value in given.items()}
        self._left = set(self._given)
        self.what = what

    def has(self, *names: str) -> bool:
        """Whether one of these is there and not null."""
        return any(self._given.get(name) is not None for name in names)

    def take(self, *names: str, default: Any = _MISSING) -> Any:
        """The value of the first of these names that is there, all of them crossed out; a null counts as not there."""
        found = [name for name in names if self._given.get(name) is not None]
        self._left -= set(names)
        if len(found) > 1 and any(self._given[name] != self._given[found[0]] for name in found[1:]):
            raise NotCoveredError(f"{self.what} has {' and '.join(found)}, which say the same thing differently")
        if found:
            return self._given[found[0]]
        if default is _MISSING:
            raise NotCoveredError(f"{self.what} has none of {', '.join(names)}")
        return default

    def day(self, *names: str, default: Any = _MISSING) -> date:
        """A civil date."""
        return as_day(self.take(*names)) if self.has(*names) else self.take(*names, default=default)

    def number(self, *names: str, default: Any = _MISSING) -> Decimal:
        """An exact number."""
        return as_number(self.take(*names)) if self.has(*names) else self.take(*names, default=default)

    def whole(self, *names: str, default: Any = _MISSING) -> int:
        """A whole number."""
        value = self.number(*names, default=default)
        if isinstance(value, Decimal):
            if value != int(value):
                raise NotCoveredError(f"{self.what}: {names[0]} is {value}, no whole number")
            return int(value)
        return value

    def word(self, known: Mapping[str, Any], *names: str, default: Any = _MISSING) -> Any:
        """What a word stands for."""
        if not self.has(*names):
            return self.take(*names, default=default)
        value = self.take(*names)
        word = _plain(str(value))
        if word not in known:
            raise NotCoveredError(f"{self.what}: {names[0]} is {value!r}; known are {', '.join(sorted(known))}")
        return known[word]

    def objects(self, *names: str, default: Any = _MISSING) -> list[Any]:
        """A list; one object alone is a list of one, an object of objects is a list of them with their ids."""
        value = self.take(*names, default=default)
        if isinstance(value, Mapping):
            inner = list(value.values())
            if inner and all(isinstance(one, Mapping) for one in inner):
                return [{"id": key, **one} for key, one in value.items()]
            return [value]
        return list(value) if isinstance(value, list) else [value]

    def done(self) -> None:
        """Refuse a case that says more than was taken."""
        left = sorted(self._left - REMARKS)
        if left:
            raise NotCoveredError(f"unknown in {self.what}: {', '.join(left)}")


def as_day(text: Any) -> date:
    """A civil date as a case writes it."""
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise NotCoveredError(f"{text!r} is no date") from None


def as_instant(text: str) -> datetime:
    """An instant with its offset as a case writes it."""
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise NotCoveredError(f"{text!r} is no instant") from None
    if read.tzinfo is None:
        raise NotCoveredError(f"{text!r} has no offset")
    return read


def as_number(value: Any) -> Decimal:
    """An exact number as a case writes it: a string, or a whole number; a float is read by its shortest decimals."""
    try:
        return Decimal(str(value).strip().removesuffix("%"))
    except InvalidOperation:
        raise NotCoveredError(f"{value!r} is no number") from None


def as_money(value: Any, currency: str) -> Money:
    """A settled amount."""
    return settle(as_number(value), currency)


def abs_money(amount: Money) -> Money:
    """It without a sign: authors write what is given back with a minus or without."""
    return amount if amount.minor >= 0 else -amount


def shown(amount: Money) -> str:
    """An amount as a case writes it."""
    return str(amount.amount)


def amount_or(value: Any, count: int) -> AnyOf:
    """A list, or how many stand in it."""
    return AnyOf((value, count))


def named(value: Any, *names: str) -> dict[str, Any]:
    """The same answer under each of the names that an author may ask for it by."""
    return dict.fromkeys(names, value)


class AnyOf(tuple[Any, ...]):
    """The same answer in several shapes, such as a date, an amount or a record: the case takes the one it expects."""

    __slots__ = ()


class EitherSign(str):
    """An amount given back: authors write it with a minus or without."""

    __slots__ = ()


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_").replace("/", "_")
