"""What an account's pages say of levels, restrictions, logins and changes, in words for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from control_plane.explaining.account_page import GivenPolicy, Standing
from control_plane.explaining.explain_now import Plan, Topup, plans_to_come, topups_of
from control_plane.policy.access_policy import Origin
from control_plane.policy.plan_hours import PlanWindow
from control_plane.store.account import Account
from control_plane.store.limits import GuardedRow, ReliefRow
from control_plane.store.past import PastRestriction
from control_plane.store.plan import Profile
from radius_hooks.decision import AcceptReason, RejectReason, SilenceReason
from radius_hooks.policy_records import Level, PolicyStep
from web.language import day_shown, gettext, lazy, moment_shown, octets_shown, rate_shown
from web.staff.contract_words import ORIGINS
from web.staff.customer_words import LEVELS as LIMITS
from web.staff.customer_words import STATUS_TONES, STATUSES

# A line of a timeline: when, what, more, tone.
Line = tuple[str, str, str, str]

LEVELS: Final = {
    Level.FULL: lazy("Full service"),
    Level.THROTTLE: lazy("Throttled"),
    Level.WALLED: lazy("Walled garden"),
    Level.BLOCKED: lazy("Blocked"),
    Level.NONE: lazy("No service"),
}
LEVEL_TONES: Final = {
    Level.FULL: "good",
    Level.THROTTLE: "warn",
    Level.WALLED: "warn",
    Level.BLOCKED: "bad",
    Level.NONE: "calm",
}
SECRETS: Final = {
    "clear": lazy("kept readable (any way to log in)"),
    "nt": lazy("kept as NT hash (PAP and MS-CHAPv2)"),
    "no_secret": lazy("none"),
}
# Beside each word for a refusal what to do about it.
REASONS: Final = {
    RejectReason.UNKNOWN_ACCOUNT: (
        lazy("Nobody has this username"),
        lazy("Compare it with the router's, letter by letter, or add the account."),
    ),
    RejectReason.BAD_USERNAME: (
        lazy("The username can't be read"),
        lazy("Type it again in the router: it is empty or holds characters that no username has."),
    ),
    RejectReason.WRONG_PASSWORD: (
        lazy("Wrong password"),
        lazy("Show the password and compare it with the router's, or set a new one."),
    ),
    RejectReason.NO_CREDENTIALS: (
        lazy("The router sent no password"),
        lazy("Set the router's PPPoE to PAP or CHAP with a password."),
    ),
    RejectReason.UNUSABLE_SECRET: (
        lazy("The password is kept in a form that can't answer this way to log in"),
        lazy("Let the router use PAP, or set a new password here: it is then kept readable."),
    ),
    RejectReason.WRONG_NAS: (
        lazy("Asked at another NAS than the account is bound to"),
        lazy("If the line has moved, change the NAS binding."),
    ),
    RejectReason.WRONG_REALM: (
        lazy("The NAS does not serve this realm"),
        lazy("Compare what stands behind the @ with the NAS's realms."),
    ),
    RejectReason.WRONG_MAC: (
        lazy("Another device than the account is bound to"),
        lazy("If the router was replaced, change the MAC binding to the one in this line."),
    ),
    RejectReason.WRONG_CIRCUIT: (
        lazy("Asked from another circuit than the account is bound to"),
        lazy("If the line was moved to another port, change the circuit binding."),
    ),
    RejectReason.CHECK_ITEM: (
        lazy("One of the account's own conditions does not hold"),
        lazy("Look at the account's own check attributes."),
    ),
    RejectReason.ACCOUNT_EXPIRED: (lazy("The account has expired"), lazy("Set a later expiry, or none.")),
    RejectReason.NOT_IN_SERVICE: (
        lazy("The contract gives no service"),
        lazy("Look at the contract's status and dates."),
    ),
    RejectReason.BLOCKED: (
        lazy("The line is blocked"),
        lazy("Look at the restriction; whoever placed it may lift it."),
    ),
    RejectReason.TOO_MANY_SESSIONS: (
        lazy("Too many sessions at once"),
        lazy("Disconnect the session that hangs, or allow more at once."),
    ),
    AcceptReason.FULL: (lazy("Let in with full service"), ""),
    AcceptReason.THROTTLED: (lazy("Let in, throttled"), ""),
    AcceptReason.WALLED_GARDEN: (lazy("Let in to the walled garden"), ""),
    AcceptReason.QUOTA_USED_UP: (lazy("Let in, throttled because the quota is used up"), ""),
    SilenceReason.STORE_TOO_OLD: (
        lazy("No answer: this RADIUS node has not heard of the database for too long"),
        lazy("Look whether its edge process runs."),
    ),
    SilenceReason.PROFILE_MISSING: (
        lazy("No answer: the profile can't be rendered for this NAS"),
        lazy("Look at the profile and at the NAS's vendor."),
    ),
    SilenceReason.VALUE_UNUSABLE: (
        lazy("No answer: a value of the profile can't be sent to this NAS"),
        lazy("Look at the profile's rates, pools and lists."),
    ),
    SilenceReason.UNKNOWN_NAS: (
        lazy("No answer: no NAS is known at this address, or it is disabled"),
        lazy("Enable the NAS, or add it."),
    ),
}
_BY_NAME: Final = {reason.value: said for reason, said in REASONS.items()}
ENDINGS: Final = {
    "stop": lazy("the NAS's own word"),
    "stale": lazy("silent for too long"),
    "nas_reboot": lazy("the NAS restarted"),
    "replaced": lazy("replaced by a newer session"),
    "closed_by_staff": lazy("closed by staff"),
    "not_on_device": lazy("the NAS no longer lists it"),
}
CHANGE_STATES: Final = {
    "queued": lazy("waits to be sent"),
    "sent": lazy("sent"),
    "acked": lazy("acknowledged"),
    "nacked": lazy("refused by the NAS"),
    "unanswered": lazy("not answered"),
    "verified": lazy("verified"),
    "unverifiable": lazy("acknowledged, and nothing can prove it"),
    "gave_up": lazy("given up"),
    "superseded": lazy("no longer wanted"),
}
CHANGE_TONES: Final = {
    "verified": "good",
    "nacked": "bad",
    "gave_up": "bad",
    "unanswered": "warn",
    "superseded": "calm",
}
METHODS: Final = {
    "coa": lazy("CoA"),
    "disconnect": lazy("Disconnect"),
    "routeros_api": lazy("the NAS's API"),
    "cli": lazy("the NAS's command line"),
}
PREFIX_KINDS: Final = {
    "framed_ipv4": lazy("IPv4 address"),
    "framed_ipv6_address": lazy("IPv6 address"),
    "framed_ipv6_prefix": lazy("IPv6 prefix of the link"),
    "delegated_ipv6_prefix": lazy("Delegated IPv6 prefix"),
    "route": lazy("Route"),
}


def reason_words(reason: str) -> tuple[str, str]:
    """Why a login was answered so, and what to do about it (empty: nothing)."""
    said = _BY_NAME.get(reason)
    return (str(said[0]), str(said[1])) if said else (reason.replace("_", " "), "")


def level_of(name: str | None) -> Level | None:
    """The level of a row of the database."""
    return None if name is None else Level[name.upper()]


def rates_words(profile: Profile) -> str:
    """`300 Mbit/s down, 30 Mbit/s up`."""
    if profile.rate_down_bps is None or profile.rate_up_bps is None:
        return gettext("no rate limit")
    down, up = rate_shown(profile.rate_down_bps), rate_shown(profile.rate_up_bps)
    return gettext("%(down)s down, %(up)s up", down=down, up=up)


def step_words(step: PolicyStep, profiles: dict[int, Profile]) -> tuple[str, str]:
    """A step's level, and the profile that it gives."""
    words = str(LEVELS[step.level])
    if step.reason == AcceptReason.QUOTA_USED_UP.value:
        words = gettext("Throttled: the quota is used up")
    if step.level in (Level.BLOCKED, Level.NONE):
        return words, ""
    profile = profiles.get(step.profile_id)
    if profile is None:
        return words, gettext("profile %(number)s, which does not exist", number=step.profile_id)
    return words, gettext("profile %(name)s: %(rates)s", name=profile.name, rates=rates_words(profile))


def given_words(given: GivenPolicy) -> tuple[str, str]:
    """Whether a session has what it should have, and its tone."""
    names = ", ".join(given.profiles) or gettext("a profile that was edited since")
    match given.standing:
        case Standing.AS_WANTED:
            return gettext("Has %(profile)s, as it should", profile=names), "good"
        case Standing.SHOULD_BE_OFFLINE:
            return gettext("Has %(profile)s and should be offline", profile=names), "bad"
        case Standing.OTHER:
            return gettext("Has %(profile)s and should have %(wanted)s", profile=names, wanted=given.wanted), "warn"
        case Standing.NOT_KNOWN:
            return gettext("What it was given is not known: the NAS does not repeat Class"), "calm"


def because(
    account: Account, restrictions: Iterable[PastRestriction], reliefs: Sequence[ReliefRow], *, at: datetime
) -> list[Line]:
    """The facts that decide at that moment, in the order they are looked at."""
    relief = next((row for row in reliefs if row.start <= at < row.end), None)
    said: list[Line] = [_contract_line(account)]
    said += [_restriction_line(row, relieved=relief is not None) for row in restrictions if _counts(row, at)]
    if relief is not None:
        words = gettext("granted by %(who)s: %(reason)s", who=relief.granted_by, reason=relief.reason)
        title = gettext("Time to pay until %(until)s", until=moment_shown(relief.end))
        said.append((moment_shown(relief.start), title, words, "good"))
    said += [_change_line(change) for change in plans_to_come(account)]
    for window in msgspec.convert(account.plan_windows, tuple[PlanWindow, ...]):
        said.append(
            ("", gettext("The plan gives another profile at %(hours)s each day", hours=str(window)), "", "calm")
        )
    said += [_topup_line(topup) for topup in topups_of(account) if topup.since <= at < topup.until]
    if account.quota_exhausted_until is not None and at < account.quota_exhausted_until:
        title = gettext("The quota is used up until %(until)s", until=moment_shown(account.quota_exhausted_until))
        quota = gettext("%(quota)s a month", quota=octets_shown(account.quota_octets)) if account.quota_octets else ""
        said.append(("", title, quota, "warn"))
    if account.expires_at is not None:
        over = account.expires_at <= at
        title = gettext("The account has expired") if over else gettext("The account expires")
        said.append((moment_shown(account.expires_at), title, "", "bad" if over else "calm"))
    return said


def guarded_lines(rows: Iterable[GuardedRow]) -> list[Line]:
    """What waits for a person, and why automation never cuts this contract."""
    lines: list[Line] = []
    for row in rows:
        if row.waits is not None:
            title = gettext("%(level)s waits for a person and does not count yet", level=LIMITS[row.waits])
            lines.append((moment_shown(row.since), title, f"{row.placed_by}: {row.reason}", "warn"))
        else:
            until = moment_shown(row.until) if row.until else gettext("it is ended")
            title = gettext("Automation never cuts this contract until %(until)s", until=until)
            lines.append((moment_shown(row.since), title, f"{row.placed_by}: {row.reason}", "calm"))
    return lines


def _counts(row: PastRestriction, at: datetime) -> bool:
    return row.since <= at and (row.until is None or at < row.until)


def _contract_line(account: Account) -> Line:
    title = gettext("Contract %(number)s of %(customer)s", number=account.contract_id, customer=account.customer)
    parts = [str(STATUSES[account.status]), gettext("plan %(plan)s", plan=account.plan)]
    if account.ends_on:
        parts.append(gettext("first day without service %(day)s", day=day_shown(account.ends_on)))
    since = day_shown(account.starts_on) if account.starts_on else ""
    return since, title, ", ".join(parts), STATUS_TONES[account.status]


def _restriction_line(row: PastRestriction, *, relieved: bool) -> Line:
    ignored = relieved and row.origin == Origin.DUNNING.value
    title = gettext("%(level)s because of %(origin)s", level=LIMITS[row.level], origin=ORIGINS[row.origin])
    if row.until is not None:
        title = gettext("%(what)s, until %(until)s", what=title, until=moment_shown(row.until))
    parts = [gettext("placed by %(who)s: %(reason)s", who=row.placed_by, reason=row.reason)]
    if row.run_id is not None:
        parts.append(gettext("by run %(number)s of %(name)s", number=row.run_id, name=row.run_name))
    if row.held:
        parts.append(gettext("waited for a person and did not count"))
    if ignored:
        parts.append(gettext("does not count while there is time to pay"))
    if row.lifted_at is not None:
        parts.append(gettext("lifted %(when)s by %(who)s", when=moment_shown(row.lifted_at), who=row.lifted_by))
    tone = "calm" if ignored or row.held else "bad" if row.level == "blocked" else "warn"
    return moment_shown(row.since), title, "; ".join(parts), tone


def _change_line(change: Plan) -> Line:
    title = gettext("Plan %(plan)s from %(day)s", plan=change.name, day=day_shown(change.effective_on))
    return "", title, gettext("placed by %(who)s", who=change.placed_by), "busy"


def _topup_line(topup: Topup) -> Line:
    title = gettext(
        "Top-up of %(octets)s until %(until)s", octets=octets_shown(topup.octets), until=moment_shown(topup.until)
    )
    return moment_shown(topup.since), title, f"{topup.placed_by}: {topup.reason}", "good"
