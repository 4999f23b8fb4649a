"""The menu: what each section's modules put into it, and who sees which entry.

A module of pages that belongs into the menu has a constant `ENTRIES`; app.py finds it. Nobody sees what they may not open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import request, url_for

from control_plane.access.permissions import Permission
from web.acting import may, person
from web.language import lazy


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the menu."""

    key: str
    label: Any
    icon: str


# In the order of the menu.
SECTIONS: Final = (
    Section("home", lazy("Home"), "home"),
    Section("network", lazy("Network"), "network"),
    Section("customers", lazy("Customers"), "users"),
    Section("billing", lazy("Billing"), "file-invoice"),
    Section("money", lazy("Payments"), "coin"),
    Section("dunning", lazy("Dunning"), "clock"),
    Section("books", lazy("Books"), "scale"),
    Section("offers", lazy("Offers"), "tags"),
    Section("field", lazy("Field"), "truck"),
    Section("messages", lazy("Messages"), "mail"),
    Section("system", lazy("System"), "settings"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that the menu leads to; `bound_to` names the field of who signed in without which the page is nobody's."""

    section: str
    label: Any
    endpoint: str
    permission: Permission
    order: int = 100
    bound_to: Literal["", "collector_id", "agent_id"] = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A section as somebody sees it."""

    section: Section
    entries: tuple[tuple[Entry, str, bool], ...]
    here: bool


def menu(entries: Iterable[Entry]) -> tuple[Shown, ...]:
    """What the one who looks may open: each entry with its address and whether it is the page that is open."""
    known, shown = sorted(entries, key=lambda entry: (entry.order, str(entry.label))), []
    here = _page_of(known)
    for section in SECTIONS:
        mine = tuple(
            (entry, url_for(entry.endpoint), entry is here)
            for entry in known
            if entry.section == section.key and _may_open(entry)
        )
        if mine:
            shown.append(Shown(section, mine, any(here for _, _, here in mine)))
    return tuple(shown)


def _may_open(entry: Entry) -> bool:
    """Whether the page answers who looks: they may, and it is theirs, where it is about themselves."""
    return may(entry.permission) and (not entry.bound_to or getattr(person(), entry.bound_to) is not None)


def _page_of(known: list[Entry]) -> Entry | None:
    """The entry that the page belongs to: its own, its module's only one, or the one whose address its own begins with."""
    for entry in known:
        if entry.endpoint == request.endpoint:
            return entry
    own = [entry for entry in known if entry.endpoint.partition(".")[0] == request.blueprint]
    if len(own) == 1:
        return own[0]
    above = [entry for entry in known if request.path.startswith(f"{url_for(entry.endpoint)}/")]
    return max(above, key=lambda entry: len(url_for(entry.endpoint)), default=None)
