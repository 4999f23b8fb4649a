"""The steps of `corrente nas test` that read the device itself: access, clock, what bypasses RADIUS, who is online. Pure.

Units: *_s seconds.
Source: RFC 5176 section 6.3.
Next: looking.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from control_plane.device_test.seen import DeviceView, NasUnderTest, Probe
from control_plane.device_test.steps import ago, is_answer
from control_plane.findings import Finding, fail, ok, warn
from control_plane.quantities import off_text
from control_plane.store.clocks import NasClock
from nas_drivers.inspection import some

# RFC 5176 section 6.3 suggests 300 s; devices that check drop what is beyond.
_CLOCK_FAIL_S: Final = 300.0
_CLOCK_WARN_S: Final = 30.0
# What accounting showed of a clock is written again every ten minutes as long as it shows something.
_CLOCK_OLD: Final = timedelta(hours=1)
# Of a list of names: enough to see what they have in common.
_NAMED: Final = 20


def check_access(nas: NasUnderTest, view: DeviceView) -> Finding:
    """Its API lets us in, over TLS, with the certificate that is pinned; or its command line, with the trusted host key."""
    if not view.by:
        if nas.verification in ("routeros_api", "cli"):
            return fail(
                "access",
                f"it is to be verified by {nas.verification}, and no access is configured",
                f"corrente nas set {nas.name} --api-user or --ssh-user, or --verification accounting",
            )
        return ok("access", "none is configured: it is spoken to by RADIUS alone")
    if view.by != "API":
        if view.problem:
            advice = f"corrente nas host-key {nas.name}; corrente nas set {nas.name} --ssh-user, --ssh-password-file, --ssh-port"
            return fail("access", view.problem, view.remedy or advice)
        if view.not_in:
            return ok("access", f"its {view.by} shows the host key that is trusted; nobody logged in: {view.not_in}")
        return ok("access", f"its {view.by} lets us in, with the host key that is trusted")
    if view.problem:
        return fail(
            "access", view.problem, f"corrente nas set {nas.name} --api-user, --api-password-file, --api-certificate"
        )
    if not view.tls:
        return warn(
            "access",
            "the API lets us in without TLS: whoever is on the way reads it, and the password unless --api-login challenge",
            f"corrente nas set {nas.name} --api-tls --api-certificate SHA256",
        )
    return ok(
        "access",
        f"the API lets us in by TLS, {'with the pinned certificate' if view.pinned else 'its certificate vouched for by an authority'}",
    )


def check_clock(
    nas: NasUnderTest, view: DeviceView, probe: Probe, stamped: NasClock | None, *, records: bool, now: datetime
) -> Finding:
    """Its clock agrees with ours: by its own word, by what its accounting is stamped with, or because it takes what ours dates.

    `records`: whether it sends accounting at all.
    """
    undated = f"corrente nas set {nas.name} --no-coa-event-timestamp"
    fresh = stamped if stamped is not None and now - stamped.at <= _CLOCK_OLD else None
    if view.off_s is not None:
        ahead_s, by = view.off_s, f"by its {view.by}"
    elif fresh is not None:
        who = "" if fresh.source == nas.source else f" of {fresh.source}"
        ahead_s, by = float(fresh.ahead_s), f"by the Event-Timestamp of its accounting{who}, {ago(fresh.at, now)} ago"
    else:
        return _clock_not_read(nas, probe, undated, records=records)
    text = f"its clock is {off_text(ahead_s)} {'of ' if ahead_s > 0 else ''}ours ({by})"
    if abs(ahead_s) <= _CLOCK_WARN_S and not is_answer(probe.undated):
        return ok("clock", text)
    advice = f"set it: {nas.ntp}; until then: {undated}"
    if abs(ahead_s) > _CLOCK_FAIL_S or is_answer(probe.undated):
        return fail("clock", f"{text}: where it checks Event-Timestamp it drops every change in silence", advice)
    return warn("clock", f"{text}; from {_CLOCK_FAIL_S:.0f} s on it may drop changes in silence", advice)


def _clock_not_read(nas: NasUnderTest, probe: Probe, undated: str, *, records: bool) -> Finding:
    advice = f"set it: {nas.ntp}"
    if is_answer(probe.undated):
        text = "it answers only what carries no time: more than 300 s off, as it seems"
        return fail("clock", text, f"{advice}; until then: {undated}")
    if is_answer(probe.outcome) and probe.dated:
        return ok("clock", "not read; it takes what our clock dates")
    if records:
        text = "not known: its accounting has no Event-Timestamp, and its clock can't be read"
    else:
        text = "not known: no accounting has come yet that would show it"
    return warn("clock", text, advice)


def check_bypass(nas: NasUnderTest, view: DeviceView) -> list[Finding]:
    """Nothing on the device lets subscribers past RADIUS, or past their rates; a line for each thing that does."""
    by_hand = f"look at it by hand: docs/drivers/{nas.vendor}.md"
    if not view.by:
        return [warn("bypass", "not checked: there is no access to the device's own configuration", by_hand)]
    if view.problem:
        return [warn("bypass", "not checked: nobody got in", f"put `access` right; or {by_hand}")]
    if view.faults is None:
        return [warn("bypass", _not(view.no_faults), by_hand)]
    found = [(fail if fault.grave else warn)("bypass", fault.text, fault.advice) for fault in view.faults]
    return found or [ok("bypass", view.clean)]


def check_sessions(nas: NasUnderTest, view: DeviceView) -> Finding:
    """The device lists the sessions that accounting has."""
    by_hand = f"compare by hand: corrente sessions --nas {nas.name}"
    if not view.by:
        return warn("sessions", "not compared: there is no access to the device's list", by_hand)
    if view.problem:
        return warn("sessions", "not compared: nobody got in", f"put `access` right; or {by_hand}")
    sides = view.sides
    if sides is None:
        return warn("sessions", f"not compared: {view.no_list}", by_hand)
    how = "" if sides.by_id else ", by their usernames: its list has no Acct-Session-Id"
    if not sides.only_ours and not sides.only_there:
        return ok("sessions", f"the device lists {sides.there:,}, and they are ours{how}")
    parts = [
        f"{len(names):,} {what}: {some(names, named=_NAMED)}"
        for names, what in ((sides.only_there, "only on the device"), (sides.only_ours, "only in accounting"))
        if names
    ]
    return fail("sessions", "; ".join(parts) + how, _session_advice(nas, has_list=view.by == "API" or sides.by_id))


def _session_advice(nas: NasUnderTest, *, has_list: bool) -> str:
    if has_list and nas.verification in ("routeros_api", "cli"):
        return f"corrente drift --nas {nas.name} names them; corrente drift cut, or close-ghosts {nas.name}, once the reason is known"
    return f"corrente sessions --nas {nas.name}: who is only there came in past RADIUS, or its accounting got lost"


def _not(why: str) -> str:
    return why if why.startswith("not ") else f"not checked: {why}"
