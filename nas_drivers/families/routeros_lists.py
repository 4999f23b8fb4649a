"""Entries of RouterOS's firewall address lists that we make for a session as it runs: how they are marked, and what is to be
added and taken away. Pure.

An entry belongs to an address, and an address outlives its session. So each of ours names the session it is for and ends by
itself: what it names and the router's own list of sessions tell whether it still stands for anybody.

An entry that a login made is dynamic and has no timeout; RouterOS takes it away with the session. One that is neither that nor ours
is somebody else's and stays. UNCONFIRMED on a real router: that a login's entry looks so, and that it can be removed.

Units: *_s seconds.
Source: RouterOS manual, page Address lists (dynamic, timeout, comment).
Next: ../transport/routeros.py
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from nas_drivers.families.routeros_output import Row, read_session_id, read_uptime_s

# A change of what a session should have is done by then, or by a new login.
_LEFT_TO_CHANGES_S: Final = 600
_OURS: Final = re.compile(r"Corrente session (\S+)")


@dataclass(frozen=True, slots=True)
class ListChange:
    """The lists that a session's address shall stand in: `wanted`, and none of the other `known` ones.

    `known` are the lists that profiles name: of others nothing is known here. `address` is what accounting has; None: unknown.
    """

    username: str
    acct_session_id: str
    address: str | None
    wanted: frozenset[str]
    known: frozenset[str]
    timeout_s: int


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What is to be done: rows to remove, then names of lists to add the address to."""

    remove: tuple[Row, ...]
    add: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entry of ours; `left_s` until it ends by itself, None when the router does not say."""

    number: str
    list: str
    address: str
    acct_session_id: str
    left_s: int | None


def entry_comment(acct_session_id: str) -> str:
    """What marks an entry as ours, and says for which session."""
    return f"Corrente session {read_session_id(acct_session_id)}"


def read_entries(rows: Iterable[Row]) -> tuple[ListEntry, ...]:
    """Ours among the rows of a list."""
    return tuple(
        ListEntry(
            row.get(".id", row.get("id", "")),
            row.get("list", ""),
            _address(row),
            session_id,
            read_uptime_s(row.get("timeout", "")),
        )
        for row in rows
        if (session_id := _session_of(row)) is not None
    )


class Care(Enum):
    """What an entry of ours needs."""

    NONE = "none"
    RENEWAL = "renewal"
    # The database has no such session at that address, or another one there: the router is asked.
    QUESTION = "question"
    REMOVAL = "removal"


def care_for(entry: ListEntry, wanted: Collection[str] | None, *, timeout_s: int) -> Care:
    """What an entry needs; `wanted` are the lists that its session should be in, None where the session may be over.

    One that is not wanted any more has a change on its way that takes it away. Only what no change took is taken here.
    """
    if wanted is None:
        return Care.QUESTION
    if entry.left_s is None:
        return Care.NONE
    if entry.list in wanted:
        return Care.RENEWAL if entry.left_s < timeout_s / 2 else Care.NONE
    return Care.REMOVAL if timeout_s - entry.left_s > _LEFT_TO_CHANGES_S else Care.NONE


def list_plan(change: ListChange, rows: Iterable[Row]) -> ListPlan:
    """What brings it about; `rows` are those of the session's address. Nothing where it is so already.

    What was made for another session that had the address goes in any case, before anything is added.
    """
    ours = read_session_id(change.acct_session_id)
    remove, present = [], set()
    for row in rows:
        name, session_id = row.get("list", ""), _session_of(row)
        is_leftover = session_id is not None and session_id != ours
        is_unwanted = name not in change.wanted and (session_id == ours or (name in change.known and _is_of_login(row)))
        if is_leftover or is_unwanted:
            remove.append(row)
        elif row.get("disabled") != "true":
            present.add(name)
    return ListPlan(tuple(remove), tuple(sorted(change.wanted - present)))


def what_is_wrong(change: ListChange, rows: Iterable[Row]) -> str:
    """Why the change does not hold by these rows of its address; empty when it does."""
    present = {row.get("list", "") for row in rows if row.get("disabled") != "true"}
    if missing := sorted(change.wanted - present):
        return f"it is not in {', '.join(missing)}"
    if left := sorted(present & (change.known - change.wanted)):
        return f"it is still in {', '.join(left)} by an entry that could not be taken away, or is not ours to take away"
    return ""


def _session_of(row: Row) -> str | None:
    found = _OURS.fullmatch(row.get("comment", ""))
    return None if found is None else found[1]


def _is_of_login(row: Row) -> bool:
    return row.get("dynamic") == "true" and not row.get("timeout")


def _address(row: Row) -> str:
    return row.get("address", "").removesuffix("/32")
