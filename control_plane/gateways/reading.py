"""Reading what a provider's JSON says, whatever it says: a field of another kind is an error that names it.

Amounts come as whole numbers of a smallest unit or as decimal texts, never as floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from control_plane.gateways.provider import GatewayUnreachableError

Object = Mapping[str, Any]
# Beyond it tenths are not exact any more.
_TOO_LARGE: Final = Decimal(10) ** 18


class UnreadableAnswerError(GatewayUnreachableError):
    """An answer is not what the provider's manual says; it is kept and asked for again."""


def text_of(holder: Object, *path: str) -> str:
    """The text at that path. Raises: UnreadableAnswerError."""
    found = at(holder, *path)
    if not isinstance(found, str) or not found:
        raise UnreadableAnswerError(f"{'.'.join(path)} is {found!r}, expected a text")
    return found


def text_or_none(holder: Object, *path: str) -> str | None:
    """The text at that path, None where there is none."""
    found = at(holder, *path)
    return found if isinstance(found, str) and found else None


def whole_of(holder: Object, *path: str) -> int:
    """The whole number at that path, which may be text. Raises: UnreadableAnswerError."""
    found = at(holder, *path)
    if isinstance(found, str):
        try:
            number = Decimal(found)
        except InvalidOperation as error:
            raise UnreadableAnswerError(f"{'.'.join(path)} is {found!r}, expected a number") from error
        # A number of a billion digits would be worked out for hours.
        if number.is_finite() and -_TOO_LARGE < number < _TOO_LARGE and number == number.to_integral_value():
            return int(number)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise UnreadableAnswerError(f"{'.'.join(path)} is {found!r}, expected a whole number")


def tenths_of(holder: Object, *path: str) -> Decimal:
    """The number at that path, a text with one decimal place at most. Raises: UnreadableAnswerError."""
    found = at(holder, *path)
    try:
        number = Decimal(found) if isinstance(found, str) else Decimal(whole_of(holder, *path))
    except InvalidOperation as error:
        raise UnreadableAnswerError(f"{'.'.join(path)} is {found!r}, expected a number") from error
    if number.is_finite() and abs(number) < _TOO_LARGE and number * 10 == (number * 10).to_integral_value():
        return number
    raise UnreadableAnswerError(f"{'.'.join(path)} is {found!r}, expected a number with one decimal place at most")


def list_of(holder: Object, *path: str) -> Sequence[Object]:
    """The list of objects at that path. Raises: UnreadableAnswerError."""
    found = at(holder, *path)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise UnreadableAnswerError(f"{'.'.join(path)} is no list of objects")
    return found


def object_of(holder: Object, *path: str) -> Object:
    """The object at that path. Raises: UnreadableAnswerError."""
    found = at(holder, *path)
    if not isinstance(found, Mapping):
        raise UnreadableAnswerError(f"{'.'.join(path)} is no object")
    return found


def id_of(found: object) -> str | None:
    """The number of an object that stands there whole or by its number only."""
    if isinstance(found, Mapping):
        found = found.get("id")
    return found if isinstance(found, str) and found else None


def epoch_of(holder: Object, *path: str) -> datetime:
    """The instant at that path, in seconds since 1970. Raises: UnreadableAnswerError."""
    try:
        return datetime.fromtimestamp(whole_of(holder, *path), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableAnswerError(f"{'.'.join(path)} is no time") from error


def instant_of(holder: Object, *path: str) -> datetime:
    """The instant at that path, as ISO 8601. Raises: UnreadableAnswerError."""
    said = text_of(holder, *path)
    try:
        read = datetime.fromisoformat(said)
    except ValueError as error:
        raise UnreadableAnswerError(f"{'.'.join(path)} is {said!r}, expected a time") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def at(holder: Object, *path: str) -> object:
    """What stands at that path; None where the path ends early."""
    found: object = holder
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found
