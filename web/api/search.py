"""One search for whatever is known: a name, a number, a username, an address. Its hits are of what the token may see."""

from __future__ import annotations

from typing import Annotated

import msgspec

from control_plane.searching import NEEDS, search
from web.acting import may
from web.api._shapes import NO_CONTROL, shaped
from web.calls import Noun
from web.database import Connection

pages = Noun("search")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, or a part of it; less than two letters that are no number find nothing."""

    q: Annotated[str, msgspec.Meta(max_length=200, pattern=NO_CONTROL)]


class SearchHit(msgspec.Struct, frozen=True):
    """A `customer`, `contract`, `account` or `document` by its number or username (`key`); `facts` tell it from others. `exact`: it was meant."""

    kind: str
    key: str
    title: str
    facts: list[str]
    exact: bool
    live: bool
    status: str


@pages.call("GET", "/search", permission=None, asked=Question, answers=list[SearchHit], does=("search.show",))
def find(connection: Connection, *, asked: Question) -> list[SearchHit]:
    """The best that fit, of each kind that the token may see, those that were meant first."""
    kinds = [kind for kind, needed in NEEDS.items() if may(needed)]
    return [shaped(SearchHit, one) for one in search(connection, asked.q, kinds=kinds)]
