"""Users and groups of FreeRADIUS to accounts and plans of ours, so that every answer stays the same: pure.

What a plan, a profile or a column of the account says in our words goes there; the rest stays as own attributes. An
account with a row that can't be carried over is refused as a whole: half of what was agreed is not what was agreed.

Next: wanted.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Final
from zoneinfo import ZoneInfo

from control_plane.takeover.conflicts import is_assignable
from control_plane.takeover.freeradius_blocks import (
    Answer,
    Block,
    build_answer,
    fold_replies,
    own_blocks,
    touched_later,
)
from control_plane.takeover.freeradius_dates import read_expiration
from control_plane.takeover.freeradius_profiles import profile_for
from control_plane.takeover.freeradius_values import PASSWORDS, Item
from control_plane.takeover.wanted import Finding, OwnItem, Verdict, WantedAccount, WantedPlan, WantedPrefix

MAX_SESSIONS: Final = 1000
MAX_OWNED_NAMES: Final = 253
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{12}|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}")
_ADDRESS_KINDS: Final = {
    "Framed-IP-Address": "framed_ipv4",
    "Framed-IPv6-Address": "framed_ipv6_address",
    "Framed-IPv6-Prefix": "framed_ipv6_prefix",
    "Delegated-IPv6-Prefix": "delegated_ipv6_prefix",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HEADERS: Final = {"clear": "clear", "cleartext": "clear", "nt": "nt", "nthash": "nt", "x-nthash": "nt"}
# Rendered as `prefix gateway metric`, the gateway of zero being the user's own address (RFC 2865 section 5.22).
_ROUTES: Final = {"Framed-Route": "0.0.0.0", "Framed-IPv6-Route": "::"}  # noqa: S104 - gateways


@dataclass(frozen=True, slots=True)
class Network:
    """What all users have in common: the vendors of the access devices, the plan of those without a group, the zone."""

    vendors: tuple[str, ...]
    default_plan: str
    zone: ZoneInfo


@dataclass(slots=True)
class Plans:
    """The plans found so far, by the groups they come from."""

    by_groups: dict[tuple[str, ...], tuple[WantedPlan, dict[str, tuple[str, ...]]]] = field(default_factory=dict)


class _RefusedError(Exception):
    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where = where


def build_account(
    username: str, user: Block, groups: Sequence[Block], *, network: Network, plans: Plans
) -> tuple[WantedAccount | None, list[Finding]]:
    """The account of one user, or the reasons why there is none."""
    answer = build_answer(user, groups)
    findings = [
        Finding(Verdict.REFUSED, bad.row.where, bad.reason) for block in answer.blocks for bad in block.unreadable
    ]
    if findings:
        return None, findings
    try:
        return _account(username, answer, network, plans), findings
    except _RefusedError as refused:
        return None, [*findings, Finding(Verdict.REFUSED, refused.where, str(refused))]


def _account(username: str, answer: Answer, network: Network, plans: Plans) -> WantedAccount:
    where = f"user {username}"
    _check_username(username, where)
    _check_depending(answer)
    control = {item.name: item for item in answer.control}
    kind, secret = _password(answer, where)
    plan, given = _plan(answer, network, plans)
    prefixes, assigned = _prefixes(answer)
    macs, check = _macs(answer.user.check)
    reply = _own_reply(answer, {**given, **assigned})
    rejected = control.get("Auth-Type")
    return WantedAccount(
        where=where,
        username=username,
        secret_kind=kind,
        secret=secret,
        plan=plan,
        blocked_because="" if rejected is None else f"taken over: {rejected.row.where}",
        expires_at=_expires_at(control.get("Expiration"), network.zone),
        max_sessions=_max_sessions(control.get("Simultaneous-Use")),
        macs=macs,
        own=own_blocks(answer, reply, check),
        prefixes=prefixes,
    )


def _check_username(username: str, where: str) -> None:
    if not 1 <= len(username.encode()) <= MAX_OWNED_NAMES:
        raise _RefusedError(where, f"a username has 1 to {MAX_OWNED_NAMES} octets")
    if _CONTROL.search(username):
        raise _RefusedError(where, "the username holds a control character")


def _check_depending(answer: Answer) -> None:
    """Refuse what a group that depends on the request would decide beyond the reply."""
    for block in answer.depends:
        for item in block.control:
            if item.name != "Auth-Type":
                raise _RefusedError(item.row.where, "set by a group that compares: it would hold for some logins only")
    for block in (*answer.always, *answer.depends):
        for item in block.control:
            if item.name in PASSWORDS:
                raise _RefusedError(item.row.where, "a password that a whole group shares")


def _password(answer: Answer, where: str) -> tuple[str, bytes]:
    found = [item for item in answer.control if item.name in PASSWORDS]
    if not found:
        raise _RefusedError(where, "has no password in radcheck: FreeRADIUS refuses every login")
    if len(found) > 1:
        raise _RefusedError(found[1].row.where, "a second password: FreeRADIUS takes only the first; remove one")
    kind, value = PASSWORDS[found[0].name], found[0].value
    if kind.startswith("{"):
        return "password_with_header", (kind + value.removeprefix("0x")).encode()
    if kind == "password_with_header":
        return _without_header(value)
    return kind, value.encode()


def _without_header(value: str) -> tuple[str, bytes]:
    """A secret behind a header as the kind that the header names, where it can answer more than PAP under that name.

    FreeRADIUS's pap module does the same before the password is checked; no header at all means clear.
    """
    header, brace, rest = value.partition("}")
    if not (value.startswith("{") and brace):
        return "clear", value.encode()
    kind = _HEADERS.get(header[1:].lower())
    return ("password_with_header", value.encode()) if kind is None else (kind, rest.encode())


def _max_sessions(item: Item | None) -> int:
    if item is None:
        return 0
    wanted = int(item.value)
    if wanted == 0:
        raise _RefusedError(item.row.where, "0 refuses every login in FreeRADIUS; place a restriction instead")
    if wanted > MAX_SESSIONS:
        raise _RefusedError(
            item.row.where, f"{MAX_SESSIONS} sessions at once are the most; without a limit leave it out"
        )
    return wanted


def _expires_at(item: Item | None, zone: ZoneInfo) -> datetime | None:
    if item is None:
        return None
    try:
        return read_expiration(item.value, zone)
    except ValueError as error:
        raise _RefusedError(item.row.where, str(error)) from error


def _macs(check: Sequence[Item]) -> tuple[tuple[str, ...], tuple[OwnItem, ...]]:
    """The MAC binding, and the check items that stay as they are."""
    bound = [item for item in check if item.name == "Calling-Station-Id"]
    kept = [(item.name, item.op, item.value) for item in check]
    if len(bound) != 1 or bound[0].op != "==" or not _MAC.fullmatch(bound[0].value):
        return (), tuple(kept)
    kept.remove((bound[0].name, bound[0].op, bound[0].value))
    return (re.sub("[^0-9a-f]", "", bound[0].value.lower()),), tuple(kept)


def _plan(answer: Answer, network: Network, plans: Plans) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The plan of the groups that every login of this user gets, and the attributes that it gives."""
    speaking = tuple(block for block in answer.always if block.reply)
    if not speaking:
        return network.default_plan, {}
    key = tuple(block.name for block in speaking)
    if key not in plans.by_groups:
        profile, given = profile_for(fold_replies(speaking), network.vendors)
        where = "radgroupreply " + ", ".join(key)
        plans.by_groups[key] = (WantedPlan(where, " + ".join(key), profile), given)
    plan, given = plans.by_groups[key]
    return plan.name, given


def _prefixes(answer: Answer) -> tuple[tuple[WantedPrefix, ...], dict[str, tuple[str, ...]]]:
    """Static addresses, prefixes and routes of the user's own rows, and the attributes that they give back."""
    own = {item.name for item in answer.user.reply}
    found: list[WantedPrefix] = []
    given: dict[str, tuple[str, ...]] = {}
    for name, values in answer.reply.items():
        if name not in own:
            continue
        prefixes = _routes(name, values) if name in _ROUTES else _addresses(name, values)
        # A prefix is assigned once; what names it again stays as the account's own attribute.
        assigned = {one.prefix for one in found if one.kind != "route"}
        if prefixes and (name in _ROUTES or prefixes[0].prefix not in assigned):
            found.extend(prefixes)
            given[name] = values
    return tuple(found), given


def _addresses(name: str, values: tuple[str, ...]) -> tuple[WantedPrefix, ...]:
    kind = _ADDRESS_KINDS.get(name)
    if kind is None or len(values) != 1:
        return ()
    network = ip_network(values[0])
    return (WantedPrefix(kind, str(network)),) if is_assignable(network, kind) else ()


def _routes(name: str, values: tuple[str, ...]) -> tuple[WantedPrefix, ...]:
    """Routes, when each is written exactly as ours are rendered again."""
    found: list[WantedPrefix] = []
    for value in values:
        prefix, _, rest = value.partition(" ")
        gateway, _, metric = rest.partition(" ")
        try:
            network = ip_network(prefix)
        except ValueError:
            return ()
        if gateway != _ROUTES[name] or str(network) != prefix or not re.fullmatch(r"0|[1-9][0-9]{0,4}", metric):
            return ()
        if (network.version == 4) != (name == "Framed-Route") or int(metric) > 65535:
            return ()
        if not is_assignable(network, "route"):
            return ()
        found.append(WantedPrefix("route", prefix, int(metric)))
    # The database keeps a set and the order of rendering is its own.
    ordered = sorted(found, key=lambda route: (route.metric or 0, ip_network(route.prefix).network_address.packed))
    return tuple(found) if found == ordered and len({route.prefix for route in found}) == len(found) else ()


def _own_reply(answer: Answer, given: Mapping[str, tuple[str, ...]]) -> tuple[OwnItem, ...]:
    """What the account itself must say so that plan, columns and own attributes together give the folded reply.

    An attribute that a block which depends on the request may change is said in full, so that the block finds it.
    """
    later = touched_later(answer)
    own: list[OwnItem] = []
    for name, values in answer.reply.items():
        if given.get(name) != values or name.partition(":")[0] in later:
            own += _replacing(name, values, len(given.get(name, ())))
    own += [(name, "!*", "") for name in given if name not in answer.reply]
    return tuple(own)


def _replacing(name: str, values: tuple[str, ...], before: int) -> list[OwnItem]:
    """Items that leave exactly `values` where plan and columns give `before` values of that name.

    `:=` replaces one value; on a tagged attribute FreeRADIUS takes it for all tags, so a tagged one only adds.
    """
    if before > 1:
        return [(name, "!*", ""), *((name, "+=", value) for value in values)]
    first = "+=" if ":" in name else ":="
    return [(name, first if position == 0 else "+=", value) for position, value in enumerate(values)]


def plan_finding(plan: WantedPlan, given: Mapping[str, tuple[str, ...]], groups: Sequence[Block]) -> Finding:
    """What of the groups' attributes became the plan's profile, and what each account keeps as its own."""
    kept = sorted({item.name for group in groups for item in group.reply} - set(given))
    text = f"plan {plan.name!r}: its profile gives {', '.join(sorted(given)) or 'nothing'}"
    if kept:
        text += f"; each account keeps as its own {', '.join(kept)}"
    return Finding(Verdict.NOTE, plan.where, text)
