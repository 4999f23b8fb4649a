"""What a change names, and values that are read before they are kept."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec

from billing.telephone import WrongTelephone, read_telephone
from web.acting import clock
from web.api._shapes import wrong_value
from web.database import Connection
from web.surroundings import here

# Texts with lines; what is longer is a file.
LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
LongText = Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=LINES)]
Language = Literal["en", "it", "es"]


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that a change names: what it leaves out stays, what is null in it goes."""
    values = {one.name: getattr(body, one.name) for one in msgspec.structs.fields(body)}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def check_telephones(values: dict[str, Any], *names: str, within: str = "") -> None:
    """Put numbers into the form in which they are kept. Raises: Problem for one that is none."""
    for name in names:
        if values.get(name) is not None:
            read = read_telephone(values[name])
            if isinstance(read, WrongTelephone):
                raise wrong_value(read.reason, pointer=f"{within}/{name}")
            values[name] = read


def today(connection: Connection) -> date:
    """The operator's day."""
    return clock(connection).astimezone(here().settings.zone).date()
