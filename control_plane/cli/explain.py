"""`corrente explain`: what RADIUS would answer a subscriber now or later, what was at a moment that is over, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import click

from control_plane.cli._console import Connection, Refused, known_account, open_database, print_json, unknown
from control_plane.cli._explain_past import explain_past
from control_plane.cli._options import MAC
from control_plane.explaining.account_page import AccountPage, load_page
from control_plane.explaining.explain_now import reasons, step_words
from control_plane.explaining.likely_asking import likely_nas, usual_mac
from control_plane.explaining.trial_login import (
    Asked,
    Rendered,
    Told,
    answer_from_records,
    answer_from_store,
    clear_password,
    load_rendered,
)
from control_plane.quantities import QuantityError, duration_text, instant_text, mac_text, network_text, read_instant
from control_plane.settings import Settings, SettingsError
from control_plane.store.nas import Nas, load_nases
from nas_drivers.dictionaries.reader import DictionaryError
from radius_hooks.decision import NO_TIME_LIMIT, Accept
from radius_hooks.policy_store import StoreError
from radius_hooks.sealing import SealError


@dataclass(frozen=True, slots=True)
class _Explanation:
    """The answer and all that led to it."""

    page: AccountPage
    nas: Nas
    because_nas: str
    rendered: Rendered
    told: Told
    store: str
    store_agrees: bool | None


@click.command()
@click.argument("username")
@click.option("--nas", "nas_name", help="As if this NAS asked; else the one of its session or last login.")
@click.option("--mac", type=MAC, help="As if from this MAC address; else its session's or a bound one.")
@click.option("--circuit", help="As if from this circuit; else a bound one.")
@click.option(
    "--at", metavar="TIME", help="As if at a time to come, or what was at one that is over: 2026-02-02 18:41, -2h, +2d."
)
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="A further attribute of the request."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def command(
    settings: Settings,
    username: str,
    *,
    nas_name: str | None,
    mac: str | None,
    circuit: str | None,
    at: str | None,
    attributes: Sequence[str],
    as_json: bool,
) -> None:
    """Tell what a login of USERNAME with the right password is answered, with which attributes, and why.

    For a time that is over: contract, restrictions, policy, session, changes with each packet, and logins of then.
    """
    now = datetime.now(UTC)
    moment = now if at is None else _moment(at, settings.zone, now)
    if moment < now:
        explain_past(settings, username, moment, as_json=as_json)
        return
    extra = tuple(_pair(text) for text in attributes)
    try:
        with open_database(settings) as connection:
            account = known_account(connection, username)
            page = load_page(connection, account, at=moment, zone=settings.zone)
            nas, because = _nas_for(connection, page, nas_name)
            rendered = load_rendered(connection, settings, username, nas.name, at=moment)
        asked = Asked(
            username=username,
            source=str(nas.source.network_address),
            mac=mac or usual_mac(page),
            circuit_id=circuit or next(iter(account.circuit_ids), ""),
            password=clear_password(rendered, settings),
            attributes=extra,
        )
        told = answer_from_records(rendered, asked, settings, at=moment)
    except (SealError, SettingsError, DictionaryError) as error:
        raise Refused(str(error)) from error
    store, agrees = _store_words(asked, told, settings, at=moment, is_current=at is None)
    explanation = _Explanation(page, nas, because, rendered, told, store, agrees)
    if as_json:
        print_json(_as_json(explanation, settings.zone))
    else:
        _print(explanation, asked, settings)


def _moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    try:
        return read_instant(text, zone=zone, now=now)
    except QuantityError as error:
        raise click.UsageError(str(error)) from error


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--attribute {text!r}: expected NAME=VALUE such as NAS-Port-Id=ether1")
    return name, value


def _nas_for(connection: Connection, page: AccountPage, wanted: str | None) -> tuple[Nas, str]:
    """The NAS that is taken to ask, and why that one."""
    nases = {nas.name: nas for nas in load_nases(connection)}
    if wanted is not None:
        if wanted not in nases:
            raise unknown("NAS", wanted, nases, also="`corrente nas list` shows them")
        return nases[wanted], ""
    found = likely_nas(page, {nas.name: nas.enabled for nas in nases.values()})
    if found is None:
        raise Refused("there is no NAS that could ask: corrente nas add NAME ADDRESS --vendor VENDOR")
    return nases[found[0]], found[1].value


def _store_words(
    asked: Asked, told: Told, settings: Settings, *, at: datetime, is_current: bool
) -> tuple[str, bool | None]:
    """How the policy store of this node answers the same, and whether that agrees; None without a store."""
    try:
        stored, checked_at = answer_from_store(asked, settings, at=at, is_current=is_current)
    except (StoreError, OSError, SealError) as error:
        return f"not compared: {error}", None
    age = duration_text(max(0, int(datetime.now(UTC).timestamp() - checked_at)))
    if stored.agrees_with(told):
        return f"the policy store of this node answers the same; compared with the database {age} ago", True
    return (
        f"DIFFERS: the policy store of this node, compared with the database {age} ago, answers: {stored.words()}"
        + "".join(f"\n  {name} {op} {value}" for name, op, value in stored.reply),
        False,
    )


def _print(explanation: _Explanation, asked: Asked, settings: Settings) -> None:
    page, nas, told = explanation.page, explanation.nas, explanation.told
    zone = settings.zone
    line = "".join(
        f", {label} {value}" for label, value in (("MAC", mac_text(asked.mac)), ("circuit", asked.circuit_id)) if value
    )
    why = f" ({explanation.because_nas})" if explanation.because_nas else ""
    click.echo(f"{asked.username} asks {nas.name} at {network_text(ip_network(asked.source))}, {nas.vendor}{why}{line}")
    click.echo(f"at {instant_text(page.at, zone)}, with the right password\n")
    click.echo(told.words())
    for sentence in (*_because(page, zone), *_until(told, page, zone)):
        click.echo(f"  {sentence}")
    if not nas.enabled:
        click.echo(f"  NAS {nas.name} is disabled: `corrente nas enable {nas.name}`")
    for problem in explanation.rendered.problems:
        click.echo(f"  can't be rendered: {problem}")
    if isinstance(told.decision, Accept):
        _print_reply(told, settings.access.timeout_jitter_percent)
    click.echo(f"\n{explanation.store}")


def _because(page: AccountPage, zone: ZoneInfo) -> list[str]:
    return reasons(page.account, page.restrictions, page.reliefs, at=page.at, zone=zone)


def _until(told: Told, page: AccountPage, zone: ZoneInfo) -> list[str]:
    """What the accepted step gives and when it ends; which sessions the login stands in for."""
    if not isinstance(told.decision, Accept):
        return []
    step = told.decision.step
    end = ""
    if step.until != NO_TIME_LIMIT:
        end = f", until {instant_text(datetime.fromtimestamp(step.until, UTC), zone)}"
    said = [f"{step_words(step, page.profiles)}{end}"]
    if told.decision.takes_over:
        said.append(f"takes over {len(told.decision.takes_over)} session on the same line or gone silent")
    return said


def _print_reply(told: Told, jitter_percent: int) -> None:
    click.echo("\nreply")
    for name, op, value in told.reply:
        note = ""
        if name == "Session-Timeout" and jitter_percent:
            note = f"   each login up to {jitter_percent} % less"
        if name == "Acct-Interim-Interval" and jitter_percent:
            note = f"   each login up to {jitter_percent} % more or less"
        click.echo(f"  {name} {op} {value}{note}")
    click.echo(f"  Class with a new session key and policy version {told.policy_version}")


def _as_json(explanation: _Explanation, zone: ZoneInfo) -> dict[str, Any]:
    told, decision = explanation.told, explanation.told.decision
    return {
        "at": explanation.page.at,
        "nas": explanation.nas.name,
        "answer": told.words().partition(":")[0].rpartition(" ")[0],
        "reason": decision.reason.value,
        "detail": "" if isinstance(decision, Accept) else decision.detail,
        "because": _because(explanation.page, zone),
        "until": decision.step.until if isinstance(decision, Accept) and decision.step.until else None,
        "reply": told.reply,
        "policy_version": told.policy_version,
        "problems": explanation.rendered.problems,
        "store": explanation.store,
        "store_agrees": explanation.store_agrees,
    }
