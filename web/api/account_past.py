"""What an account used and did, why it gets what it gets, and what RADIUS would answer it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.explaining.account_page import load_page
from control_plane.explaining.explain_past import not_kept, past_chain
from control_plane.explaining.likely_asking import likely_nas, usual_mac
from control_plane.explaining.trial_login import Asked, Way, answer_from_records, clear_password, load_rendered
from control_plane.quantities import QuantityError, read_mac
from control_plane.settings import SettingsError
from control_plane.store.account import Account
from control_plane.store.account_history import (
    LoginRow,
    PastSessionRow,
    UsageRow,
    load_logins_behind,
    load_sessions_behind,
    load_usage_days,
    load_usage_months,
)
from control_plane.store.nas import Nas, load_nas, load_nas_enabled
from control_plane.store.past import load_past, load_profile_names
from nas_drivers.dictionaries.reader import DictionaryError
from radius_hooks.decision import Accept, Reject
from radius_hooks.sealing import SealError
from web.acting import clock
from web.api._account_shapes import Moment, known
from web.api._contract_shapes import NetworkStep, step_of
from web.api._shapes import NO_CONTROL, shaped, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.language import zone
from web.problems import Problem
from web.surroundings import here

pages = Noun("accounts", "past")
# A year and a day of days; five years of months.
_MOST_DAYS = timedelta(days=366)
_MOST_MONTHS = timedelta(days=5 * 366)


class UsageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, both included: this month's without; by day or by month."""

    since: date | None = None
    until: date | None = None
    by: Literal["day", "month"] = "day"


class AccountUsage(msgspec.Struct, frozen=True):
    """Octets of a day, or of the month that begins on it. Days without any are left out. Units: octets, in: from the subscriber."""

    day: date
    octets_in: int
    octets_out: int


class LoginQuestion(Paging, frozen=True, kw_only=True):
    """Which logins."""

    outcome: Literal["accept", "reject"] | None = None


class AccountLogin(msgspec.Struct, frozen=True):
    """A login that was asked for, the answer and its reason."""

    at: datetime
    outcome: str
    reason: str
    detail: str
    nas: str | None
    mac: str
    line: str


class PastSession(msgspec.Struct, frozen=True):
    """A session that is over. Units: octets, in: from the subscriber; seconds."""

    nas: str
    acct_session_id: str
    started_at: datetime
    ended_at: datetime
    ended_by: str
    terminate_cause: str | None
    session_time_s: int
    octets_in: int
    octets_out: int
    address: str | None
    mac: str
    line: str


class WhyQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """At which moment; now without."""

    at: Moment | None = None


class Cause(msgspec.Struct, frozen=True):
    """One link of the chain: what it is about (`contract`, `restriction`, `policy`, `session`, `change`, `login`, …), and what is so."""

    about: str
    words: str


class LoginToTry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login as it would come: without a NAS the one that most likely asks, without a MAC the usual one, without a password the right one."""

    nas: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    mac: Annotated[str, msgspec.Meta(min_length=12, max_length=40)] | None = None
    circuit_id: Annotated[str, msgspec.Meta(max_length=253, pattern=NO_CONTROL)] | None = None
    way: Literal["pap", "chap", "mschap"] = "pap"
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)] | None = None
    at: Moment | None = None


class ReplyAttribute(msgspec.Struct, frozen=True):
    """An attribute of the answer."""

    name: str
    operator: str
    value: str


class TriedLogin(msgspec.Struct, frozen=True):
    """What would be answered: `accept`, `reject`, or `silence` so that the NAS asks its other server; with the policy in force."""

    answer: str
    reason: str
    detail: str | None
    nas: str
    gets: NetworkStep | None
    attributes: list[ReplyAttribute]
    problems: list[str]


@pages.call(
    "GET",
    "/accounts/<username>/usage",
    permission=Permission.ACCOUNT_SEE,
    asked=UsageQuestion,
    answers=Slice[AccountUsage],
    does=("account_past.usage",),
)
def usage(connection: Connection, *, username: str, asked: UsageQuestion) -> Slice[AccountUsage]:
    """What an account used by day or by month, as far as the devices have reported; at most a year of days or five years of months."""
    account = known(connection, username)
    last = asked.until or clock(connection).astimezone(zone()).date()
    first = asked.since or last.replace(day=1)
    load, most = (load_usage_days, _MOST_DAYS) if asked.by == "day" else (load_usage_months, _MOST_MONTHS)
    if last - first > most:
        raise wrong_value("these are too many days at once", parameter="since")
    rows: list[UsageRow] = load(connection, account.id, first=first, last=last)
    return Slice([shaped(AccountUsage, one) for one in rows], None)


@pages.call(
    "GET",
    "/accounts/<username>/logins",
    permission=Permission.ACCOUNT_SEE,
    asked=LoginQuestion,
    answers=Slice[AccountLogin],
    does=("account_past.logins",),
)
def logins(connection: Connection, *, username: str, asked: LoginQuestion) -> Slice[AccountLogin]:
    """Every login that was asked for, the newest first."""
    known(connection, username)
    key = part_after(asked, datetime, str)
    behind = None if key is None else (key[0], key[1])
    rows = load_logins_behind(connection, username, behind=behind, outcome=asked.outcome, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_login, key=lambda row: (row.at, row.key))


def _login(row: LoginRow) -> AccountLogin:
    return shaped(AccountLogin, row)


@pages.call(
    "GET",
    "/accounts/<username>/sessions",
    permission=Permission.ACCOUNT_SEE,
    asked=Paging,
    answers=Slice[PastSession],
    does=("account_past.sessions",),
)
def sessions(connection: Connection, *, username: str, asked: Paging) -> Slice[PastSession]:
    """Sessions that are over, the last one first; the account itself tells the live ones."""
    account = known(connection, username)
    key = part_after(asked, datetime, str)
    if key is not None and not key[1].replace("-", "").isalnum():
        raise Problem(404, "There is no such part of the list: take `after` from the `next` of the part before.")
    behind = None if key is None else (key[0], key[1])
    rows = load_sessions_behind(connection, account.id, behind=behind, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_past, key=lambda row: (row.ended_at, str(row.session_key)))


def _past(row: PastSessionRow) -> PastSession:
    return shaped(PastSession, row)


@pages.call(
    "GET",
    "/accounts/<username>/why",
    permission=Permission.ACCOUNT_SEE,
    asked=WhyQuestion,
    answers=Slice[Cause],
    does=("account_why.why",),
)
def why(connection: Connection, *, username: str, asked: WhyQuestion) -> Slice[Cause]:
    """Why an account gets what it gets: from the contract to the packets, now or at a moment that is over."""
    account = known(connection, username)
    now = clock(connection)
    at = asked.at or now
    if at > now:
        raise wrong_value("this is to come: ask what RADIUS would answer then", parameter="at")
    unknown = not_kept(account, at, now=now, kept_days=here().settings.retention.history_days) if at < now else None
    if unknown is not None:
        raise wrong_value(f"nothing certain is known of then: {unknown.value}", parameter="at")
    chain = past_chain(load_past(connection, account, at), load_profile_names(connection), zone())
    return Slice([Cause(about, words) for about, words in chain], None)


@pages.call(
    "POST",
    "/accounts/<username>/tried-logins",
    permission=Permission.ACCOUNT_SEE,
    body=LoginToTry,
    answers=TriedLogin,
    does=("account_why.answer",),
)
def try_login(connection: Connection, *, username: str, body: LoginToTry) -> TriedLogin:
    """Say what RADIUS would answer a login, to the last attribute. Nothing is sent, and nobody is logged in."""
    account = known(connection, username)
    now = clock(connection)
    at = body.at or now
    if at < now:
        raise wrong_value("this is over: `why` tells what was", pointer="/at")
    nas, mac = _asking(connection, account, body, now)
    try:
        rendered = load_rendered(connection, here().settings, username, nas.name, at=at)
        asked = Asked(
            username=username,
            source=str(nas.source.network_address),
            mac=mac,
            circuit_id=body.circuit_id if body.circuit_id is not None else next(iter(account.circuit_ids), ""),
            password=body.password or clear_password(rendered, here().settings),
            way=Way(body.way),
        )
        told = answer_from_records(rendered, asked, here().settings, at=at)
    except (DictionaryError, SealError, SettingsError) as error:
        raise Problem(409, str(error)) from error
    decision = told.decision
    answer = "accept" if isinstance(decision, Accept) else "reject" if isinstance(decision, Reject) else "silence"
    profiles = {number: one.name for number, one in load_page(connection, account, at=at, zone=zone()).profiles.items()}
    return TriedLogin(
        answer=answer,
        reason=decision.reason.value,
        detail=None if isinstance(decision, Accept) else decision.detail,
        nas=nas.name,
        gets=step_of(decision.step, profiles) if isinstance(decision, Accept) else None,
        attributes=[ReplyAttribute(*one) for one in told.reply],
        problems=list(rendered.problems),
    )


def _asking(connection: Connection, account: Account, body: LoginToTry, now: datetime) -> tuple[Nas, str]:
    """Which NAS asks, and for which MAC. Raises: Problem."""
    page = load_page(connection, account, at=now, zone=zone())
    likely = likely_nas(page, load_nas_enabled(connection))
    name = body.nas if body.nas is not None else likely[0] if likely else None
    nas = None if name is None else load_nas(connection, name)
    if nas is None:
        raise wrong_value("there is no such NAS", pointer="/nas")
    try:
        return nas, usual_mac(page) if body.mac is None else read_mac(body.mac)
    except QuantityError as error:
        raise wrong_value(str(error), pointer="/mac") from error
