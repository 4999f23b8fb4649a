"""The menu: what each section's modules put into it, and who sees which entry.

A module of pages that belongs into the menu has a constant `ENTRIES`; app.py finds it. Nobody sees what they may not open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from flask import request, url_for

from control_plane.access.permissions import Permission
from web.acting import may
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
    """A page that the menu leads to."""

    section: str
    label: Any
    endpoint: str
    permission: Permission
    order: int = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A section as somebody sees it."""

    section: Section
    entries: tuple[tuple[Entry, str, bool], ...]
    here: bool


def menu(entries: Iterable[Entry]) -> tuple[Shown, ...]:
    """What the one who looks may open: each entry with its address and whether it is the page that is open."""
    known, shown = sorted(entries, key=lambda entry: (entry.order, str(entry.label))), []
    blueprint = request.blueprint or ""
    for section in SECTIONS:
        mine = tuple(
            (
                entry,
                url_for(entry.endpoint),
                entry.endpoint == request.endpoint or _is_of(entry.endpoint, blueprint, known),
            )
            for entry in known
            if entry.section == section.key and may(entry.permission)
        )
        if mine:
            shown.append(Shown(section, mine, any(here for _, _, here in mine)))
    return tuple(shown)


def _is_of(endpoint: str, blueprint: str, known: list[Entry]) -> bool:
    """Whether an entry stands for all pages of its module: it is the module's only one."""
    own = [entry for entry in known if entry.endpoint.partition(".")[0] == blueprint]
    return len(own) == 1 and own[0].endpoint == endpoint
