"""Collectors as the office keeps them: who they are, and from whom they collect. Commands, pages and programs call the same.

What is given to a collector or taken away is done whole or not at all, with one row in the audit log.

Next: billing/store/collectors.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from billing.collectors import Collector, Scope, ScopeKind
from billing.payments import NotDone
from billing.store.collectors import add_scopes, add_series, hold_collectors, load_series, take_scopes
from billing.store.customers import load_customer
from billing.store.rows import insert_row, update_row
from control_plane import audit

Connection = psycopg.Connection[Any]
_SERIES = "receipt"


def series_meant(connection: Connection, issuer_id: int, code: str | None) -> int | NotDone:
    """The issuer's series of receipts of that code, the oldest one without a code."""
    found = load_series(connection, issuer_id, _SERIES)
    if not found:
        return NotDone("there is no series of numbers for receipts yet")
    if code is None:
        return found[0][0]
    by_code = {name: number for number, name in found}
    return by_code.get(code) or NotDone("there is no series of receipts %(code)s", code=code)


def add_receipt_series(connection: Connection, issuer_id: int, code: str, name: str, *, actor: str) -> int | NotDone:
    """One more series that numbers receipts; returns its number."""
    if any(there == code for _, there in load_series(connection, issuer_id, _SERIES)):
        return NotDone("there is a series of receipts %(code)s already", code=code)
    made = add_series(connection, issuer_id, _SERIES, code, name)
    audit.append(connection, actor=actor, action="series.add", subject=code, detail={"kind": _SERIES, "name": name})
    return made


def add_collector(connection: Connection, columns: Mapping[str, object], *, actor: str) -> int:
    """A collector, who may collect from nobody yet; returns the number."""
    number = insert_row(connection, "collector", columns)
    audit.append(connection, actor=actor, action="collector.add", subject=f"collector {number}", detail=columns)
    return number


def change_collector(connection: Connection, collector_id: int, columns: Mapping[str, object], *, actor: str) -> None:
    """Set these columns of a collector."""
    update_row(connection, "collector", collector_id, columns)
    audit.append(connection, actor=actor, action="collector.set", subject=f"collector {collector_id}", detail=columns)


def assign(
    connection: Connection, collector: Collector, scopes: Sequence[Scope], *, today: date, actor: str
) -> NotDone | None:
    """Let a collector collect from these, too; what was given before counts as long as it is said now."""
    for one in scopes:
        if one.through is not None and one.through < today:
            return NotDone("%(day)s is over: give the last day of what is to come", day=one.through)
        if one.kind is ScopeKind.CUSTOMER and load_customer(connection, int(one.value or 0)) is None:
            return NotDone("there is no customer %(customer)s", customer=one.value)
    hold_collectors(connection, [collector.id])
    add_scopes(connection, collector.id, scopes)
    _tell(connection, collector, "collector.assign", scopes, actor)
    return None


def take_away(
    connection: Connection, collector: Collector, scopes: Sequence[Scope], *, actor: str, to: Collector | None = None
) -> NotDone | None:
    """Let a collector collect from these no more, and another one instead, as long as the first one was to."""
    if to is not None and (not to.active or to.issuer_id != collector.issuer_id or to.id == collector.id):
        return NotDone("%(name)s can't take them over: only another active collector of the same books can", name=to.name)  # fmt: skip
    hold_collectors(connection, [collector.id, *([to.id] if to else [])])
    if take_scopes(connection, collector.id, scopes) < len(scopes):
        return NotDone("%(name)s does not collect from all of them any more: look again", name=collector.name)
    _tell(connection, collector, "collector.take_away", scopes, actor)
    if to is not None:
        add_scopes(connection, to.id, scopes)
        _tell(connection, to, "collector.assign", scopes, actor)
    return None


def _tell(connection: Connection, collector: Collector, action: str, scopes: Sequence[Scope], actor: str) -> None:
    detail = {"scopes": [str(one) for one in scopes]}
    audit.append(connection, actor=actor, action=action, subject=f"collector {collector.id}", detail=detail)
