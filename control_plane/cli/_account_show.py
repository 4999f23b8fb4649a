"""The page that `corrente account show` prints, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from control_plane.cli._console import print_table
from control_plane.explaining.account_page import AccountPage, Standing, given_policy
from control_plane.explaining.explain_now import guarded_words, quota_in_force, reasons, step_words
from control_plane.quantities import (
    average_rate_text,
    duration_text,
    instant_text,
    mac_text,
    network_text,
    octets_text,
)
from control_plane.store.account import Account, Prefix
from control_plane.store.history import SessionView, Usage
from radius_hooks.decision import NO_TIME_LIMIT, step_at
from radius_hooks.policy_records import PolicyStep

_LABEL_WIDTH: Final = 12


def page_json(page: AccountPage, zone: ZoneInfo) -> dict[str, Any]:
    """The page as values; times with their zone, octets as numbers."""
    account, step = page.account, step_at(page.steps, page.at.timestamp())
    return {
        "at": page.at,
        "account": asdict(account),
        "prefixes": page.prefixes,
        "policy": {
            "level": step.level.name.lower(),
            "reason": step.reason,
            "profile": page.profiles.get(step.profile_id),
            "because": reasons(account, page.restrictions, page.reliefs, at=page.at, zone=zone),
            "steps": [
                {
                    "until": _end(one),
                    "level": one.level.name.lower(),
                    "reason": one.reason,
                    "profile_id": one.profile_id,
                }
                for one in page.steps
            ],
        },
        "restrictions": page.restrictions,
        "reliefs": page.reliefs,
        "guarded": page.guarded,
        "sessions": [
            {
                **asdict(one),
                "policy_version": one.policy_version.hex() if one.policy_version else None,
                "given": _given_words(one, page),
            }
            for one in page.sessions
        ],
        "logins": page.logins,
        "usage": page.usage,
    }


def print_page(page: AccountPage, zone: ZoneInfo) -> None:
    """The page for a reader."""
    account = page.account
    _line("account", f"{account.username}, number {account.id}, since {instant_text(account.created_at, zone)}")
    _line("contract", f"{account.contract_id}, {account.status}, plan {account.plan}")
    _line("customer", f"{account.customer}, number {account.customer_id}")
    now = step_at(page.steps, page.at.timestamp())
    _lines("policy", [step_words(now, page.profiles)])
    _lines("because", reasons(account, page.restrictions, page.reliefs, at=page.at, zone=zone))
    _lines("guard", [guarded_words(row, zone) for row in page.guarded])
    _lines("coming", _coming(page, zone))
    _lines("binding", _bindings(account))
    _lines("addresses", [_prefix_words(prefix) for prefix in page.prefixes] or ["from the pools of the profile"])
    _lines("session", [line for one in page.sessions for line in _session_words(one, page, zone)] or ["not online"])
    _lines("usage", _usage_words(page.usage, quota_in_force(account, at=page.at)))
    click.echo()
    print_table(
        ("LOGIN", "ANSWER", "REASON", "NAS", "MAC", "LINE", "DETAIL"),
        (
            (
                instant_text(login.at, zone),
                login.outcome,
                login.reason,
                login.nas or login.source,
                mac_text(login.mac),
                login.line,
                login.detail,
            )
            for login in page.logins
        ),
        empty="No login was asked for in the time that is kept.",
    )


def _line(label: str, text: str) -> None:
    click.echo(f"{label:<{_LABEL_WIDTH}}{text}")


def _lines(label: str, texts: list[str]) -> None:
    for number, text in enumerate(texts):
        _line("" if number else label, text)


def _end(step: PolicyStep) -> datetime | None:
    return None if step.until == NO_TIME_LIMIT else datetime.fromtimestamp(step.until, UTC)


def _coming(page: AccountPage, zone: ZoneInfo) -> list[str]:
    """What the next steps bring, each with the moment it begins."""
    pairs = zip(page.steps, page.steps[1:], strict=False)
    coming = [
        f"{instant_text(datetime.fromtimestamp(before.until, UTC), zone)}  {step_words(after, page.profiles)}"
        for before, after in pairs
    ]
    return coming or ["nothing is known to change this"]


def _bindings(account: Account) -> list[str]:
    sessions = f"{account.max_sessions} at once" if account.max_sessions else "no limit of sessions"
    return [
        f"{sessions}, secret kept as {account.secret_kind}",
        *([f"MAC {', '.join(map(mac_text, account.macs))}"] if account.macs else []),
        *([f"circuit {', '.join(account.circuit_ids)}"] if account.circuit_ids else []),
        *([f"NAS {', '.join(account.nas_names)}"] if account.nas_names else []),
        *([f"{len(account.own_attributes)} blocks of own attributes"] if account.own_attributes else []),
    ]


def _prefix_words(prefix: Prefix) -> str:
    metric = f" metric {prefix.metric}" if prefix.metric is not None else ""
    return f"{prefix.kind.replace('_', ' ')} {network_text(prefix.prefix)}{metric}"


def _session_words(session: SessionView, page: AccountPage, zone: ZoneInfo) -> Iterator[str]:
    silent = duration_text(max(0, int((page.at - session.received_at).total_seconds())))
    state = f"stale, silent for {silent}" if session.stale else f"last heard of {silent} ago"
    yield f"on {session.nas} since {instant_text(session.started_at, zone)}, {state}"
    addresses = [
        session.framed_ipv4,
        session.framed_ipv6_address,
        session.framed_ipv6_prefix,
        session.delegated_ipv6_prefix,
    ]
    given = ", ".join(str(address) for address in addresses if address is not None) or "no address reported"
    nat = ""
    if session.nat_address is not None:
        nat = f", NAT {session.nat_address} ports {session.nat_first_port}-{session.nat_last_port}"
    line = f", line {session.line}" if session.line else ""
    mac = f", MAC {mac_text(session.mac)}" if session.mac else ""
    yield f"  {given}{nat}{mac}{line}"
    yield f"  down {_counted(session.octets_out, session.session_time_s)}, up {_counted(session.octets_in, session.session_time_s)}"

    yield f"  {_given_words(session, page)}"


def _given_words(session: SessionView, page: AccountPage) -> str:
    """Which profile the session was given at its login, and whether it is the one that it should have now."""
    found = given_policy(session, page)
    if found.standing is Standing.NOT_KNOWN:
        return "what it was given is not known: its device does not repeat Class"
    given = (
        f"given profile {' or '.join(found.profiles)}" if found.profiles else "given a profile that has changed since"
    )
    if found.standing is Standing.SHOULD_BE_OFFLINE:
        return f"DRIFT: {given}, should be offline"
    if found.standing is Standing.AS_WANTED:
        return given
    return f"DRIFT: {given}, should have {found.wanted}"


def _counted(octets: int, seconds: int) -> str:
    """What was counted, and the average rate over the session."""
    average = average_rate_text(octets, seconds)
    return f"{octets_text(octets)} ({average} on average)" if average else octets_text(octets)


def _usage_words(usage: Usage, quota_octets: int | None) -> list[str]:
    month = usage.month_in + usage.month_out
    quota = f" of {octets_text(quota_octets)} ({month * 100 // quota_octets} %)" if quota_octets else ""
    return [
        f"today down {octets_text(usage.day_out)}, up {octets_text(usage.day_in)}",
        f"this month down {octets_text(usage.month_out)}, up {octets_text(usage.month_in)}; both {octets_text(month)}{quota}",
    ]
