"""Collectors: who takes payments in the field, and from whom; how many customers a deed concerns is answered, and by a dry run beforehand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec

from billing.collectors import Collector, Scope, ScopeKind, read_scope
from billing.payments import NotDone
from billing.store.collectors import hold_collectors, load_assigned, load_collector, load_collectors, load_reach
from control_plane.access.permissions import Permission
from control_plane.collectors import add_collector, assign, change_collector, series_meant, take_away
from web.acting import person
from web.api._shapes import Amount, Number, Words, amount_of, books_of, done, money_of, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.versions import check_version, tell_version

pages = Noun("collectors")
_GREATEST = 2**63 - 1
Part = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=120,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="`everyone`, `customer:17`, `group:north`, `city:Torino`, `province:TO` or `postal_code:101`",
    ),
]


class OneCollector(msgspec.Struct, frozen=True):
    """A collector. `series` numbers the receipts; who carries `most_cash` hands it over before taking more."""

    id: int
    issuer_id: int
    name: str
    series: str
    most_cash: Amount | None
    active: bool


class CollectorToBe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a collector is to be: all of it is said. Without `series` the issuer's first one."""

    name: Words
    series: Words | None = None
    most_cash: Amount | None = None
    active: bool = True


class NewCollector(CollectorToBe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same of a new one; `issuer_id` where there are several."""

    issuer_id: Number | None = None


class AssignedPart(msgspec.Struct, frozen=True):
    """From whom a collector collects, up to and with the day `through`."""

    part: str
    through: date | None
    customer: str | None


class Parts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a collector gets, up to and with the day `through`."""

    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=500)]
    through: date | None = None


class PartsTaken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a collector loses, and who gets it instead."""

    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=500)]
    to: Number | None = None


class CollectorReach(msgspec.Struct, frozen=True):
    """From how many customers a collector collects now, how many of them owe, and how much."""

    customers: int
    owing: int
    open: list[Amount]


@pages.call("GET", "/collectors", permission=Permission.CASH_MANAGE, answers=Slice[OneCollector], does=("collectors.show_all",))  # fmt: skip
def find(connection: Connection) -> Slice[OneCollector]:
    """All collectors, by name."""
    return Slice([_shown(one) for one in load_collectors(connection)], None)


@pages.call("POST", "/collectors", permission=Permission.CASH_MANAGE, body=NewCollector, answers=OneCollector, status=201, does=("collectors.new",))  # fmt: skip
def new(connection: Connection, *, body: NewCollector) -> OneCollector:
    """Add a collector, who may collect from nobody yet."""
    issuer = books_of(connection, body.issuer_id).issuer
    columns = {"issuer_id": issuer.id, **_columns(connection, body, issuer.id, issuer.currency)}
    return _shown(_known(connection, add_collector(connection, columns, actor=person().name)))


@pages.call("GET", "/collectors/<int:number>", permission=Permission.CASH_MANAGE, answers=OneCollector, does=("collectors.show",), version="told")  # fmt: skip
def show(connection: Connection, *, number: int) -> OneCollector:
    """One collector."""
    found = _known(connection, number)
    tell_version(found)
    return _shown(found)


@pages.call("PUT", "/collectors/<int:number>", permission=Permission.CASH_MANAGE, body=CollectorToBe, answers=OneCollector, does=("collectors.change",), version="needed")  # fmt: skip
def change(connection: Connection, *, number: int, body: CollectorToBe) -> OneCollector:
    """Change who a collector is."""
    hold_collectors(connection, [number])
    found = _known(connection, number)
    check_version(found)
    issuer = books_of(connection, found.issuer_id).issuer
    columns = _columns(connection, body, issuer.id, issuer.currency)
    change_collector(connection, number, columns, actor=person().name)
    changed = _known(connection, number)
    tell_version(changed)
    return _shown(changed)


@pages.call("GET", "/collectors/<int:number>/parts", permission=Permission.CASH_MANAGE, asked=Paging, answers=Slice[AssignedPart], does=("collectors.show",))  # fmt: skip
def parts(connection: Connection, *, number: int, asked: Paging) -> Slice[AssignedPart]:
    """From whom a collector collects, part by part."""
    key = part_after(asked, int)
    found = load_assigned(connection, _known(connection, number).id, after=key[0] if key else 0, limit=asked.limit + 1)
    return slice_of(
        found,
        asked,
        shown=lambda one: AssignedPart(str(Scope(one.scope.kind, one.scope.value)), one.scope.through, one.customer),
        key=lambda one: (one.id,),
    )


@pages.call("GET", "/collectors/<int:number>/reach", permission=Permission.CASH_MANAGE, answers=CollectorReach, does=("collectors.show",))  # fmt: skip
def reach(connection: Connection, *, number: int) -> CollectorReach:
    """From how many customers a collector collects now."""
    return _reach(connection, _known(connection, number).id)


@pages.call("POST", "/collectors/<int:number>/parts", permission=Permission.CASH_MANAGE, body=Parts, answers=CollectorReach, does=("collectors.give",))  # fmt: skip
def give(connection: Connection, *, number: int, body: Parts) -> CollectorReach:
    """Let a collector collect from these, too; what was given before counts as long as it is said now."""
    found = _known(connection, number)
    today = books_of(connection, found.issuer_id).today
    scopes = _scopes(body.parts, body.through)
    refused = assign(connection, found, scopes, today=today, actor=person().name)
    if refused is not None:
        done(refused)
    return _reach(connection, number)


@pages.call("POST", "/collectors/<int:number>/parts/taken", permission=Permission.CASH_MANAGE, body=PartsTaken, answers=CollectorReach, does=("collectors.take",))  # fmt: skip
def take(connection: Connection, *, number: int, body: PartsTaken) -> CollectorReach:
    """Let a collector collect from these no more, and another one instead."""
    found = _known(connection, number)
    to = None if body.to is None else load_collector(connection, body.to)
    if body.to is not None and to is None:
        raise wrong_value("there is no such collector", pointer="/to")
    wanted = {(one.kind, one.value) for one in _scopes(body.parts, None)}
    there = [one.scope for one in load_assigned(connection, number, limit=1_000_000)]
    scopes = [one for one in there if (one.kind, one.value) in wanted]
    if len(scopes) < len(wanted):
        raise wrong_value("not all of them are assigned", pointer="/parts")
    refused = take_away(connection, found, scopes, to=to, actor=person().name)
    if refused is not None:
        done(refused)
    return _reach(connection, number)


def _known(connection: Connection, number: int) -> Collector:
    found = load_collector(connection, number)
    if found is None:
        raise there_is_none()
    return found


def _shown(one: Collector) -> OneCollector:
    most = None if one.most_cash is None else amount_of(one.most_cash)
    return OneCollector(one.id, one.issuer_id, one.name, one.series, most, one.active)


def _reach(connection: Connection, number: int) -> CollectorReach:
    found = load_reach(connection, number)
    return CollectorReach(found.customers, found.owing, [amount_of(one) for one in found.open])


def _columns(connection: Connection, body: CollectorToBe, issuer_id: int, currency: str) -> dict[str, object]:
    most = None if body.most_cash is None else money_of(body.most_cash, "/most_cash")
    if most is not None and (most.currency != currency or most.amount <= Decimal(0)):
        raise wrong_value(f"more than nothing, in {currency}", pointer="/most_cash")
    series = series_meant(connection, issuer_id, body.series)
    if isinstance(series, NotDone):
        raise wrong_value(series.message, pointer="/series")
    return {
        "name": body.name,
        "series_id": series,
        "most_cash": None if most is None else most.amount,
        "active": body.active,
    }


def _scopes(texts: list[str], through: date | None) -> list[Scope]:
    found: list[Scope] = []
    for place, text in enumerate(texts):
        scope = read_scope(text, through=through)
        if isinstance(scope, NotDone):
            raise wrong_value(scope.message, pointer=f"/parts/{place}")
        value = scope.value or ""
        if len(value) > 100 or (scope.kind is ScopeKind.CUSTOMER and not (value.isascii() and int(value) <= _GREATEST)):
            raise wrong_value("there is no such thing", pointer=f"/parts/{place}")
        found.append(scope)
    return list(dict.fromkeys(found))
