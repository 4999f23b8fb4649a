"""The steps of `corrente nas test` that read the device itself: access, clock, what bypasses RADIUS, who is online. Pure.

Units: *_s seconds.
Source: RFC 5176 section 6.3.
Next: looking.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from billing.sentence import Sentence
from control_plane.device_test.seen import DeviceView, NasUnderTest, Probe, Sides
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
                Sentence("it is to be verified by %(way)s, and no access is configured", way=nas.verification),
                f"corrente nas set {nas.name} --api-user or --ssh-user, or --verification accounting",
            )
        return ok("access", Sentence("none is configured: it is spoken to by RADIUS alone"))
    if view.by != "API":
        if view.problem:
            advice = f"corrente nas host-key {nas.name}; corrente nas set {nas.name} --ssh-user, --ssh-password-file, --ssh-port"
            return fail("access", view.problem, view.remedy or advice)
        if view.not_in:
            return ok(
                "access",
                Sentence(
                    "its %(by)s shows the host key that is trusted; nobody logged in: %(why)s",
                    by=view.by,
                    why=view.not_in,
                ),
            )
        return ok("access", Sentence("its %(by)s lets us in, with the host key that is trusted", by=view.by))
    if view.problem:
        return fail(
            "access", view.problem, f"corrente nas set {nas.name} --api-user, --api-password-file, --api-certificate"
        )
    if not view.tls:
        return warn(
            "access",
            Sentence(
                "the API lets us in without TLS: whoever is on the way reads it, and the password unless --api-login challenge"
            ),
            f"corrente nas set {nas.name} --api-tls --api-certificate SHA256",
        )
    return ok(
        "access",
        Sentence("the API lets us in by TLS, with the pinned certificate")
        if view.pinned
        else Sentence("the API lets us in by TLS, its certificate vouched for by an authority"),
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
        ahead_s, by = view.off_s, Sentence("by its %(by)s", by=view.by)
    elif fresh is not None:
        ahead_s, last = float(fresh.ahead_s), ago(fresh.at, now)
        by = (
            Sentence("by the Event-Timestamp of its accounting, %(ago)s ago", ago=last)
            if fresh.source == nas.source
            else Sentence(
                "by the Event-Timestamp of its accounting of %(source)s, %(ago)s ago", source=fresh.source, ago=last
            )
        )
    else:
        return _clock_not_read(nas, probe, undated, records=records)
    text = _off(ahead_s, by)
    if abs(ahead_s) <= _CLOCK_WARN_S and not is_answer(probe.undated):
        return ok("clock", text)
    advice = Sentence("set it: %(ntp)s; until then: %(undated)s", ntp=nas.ntp, undated=undated)
    if abs(ahead_s) > _CLOCK_FAIL_S or is_answer(probe.undated):
        return fail(
            "clock",
            Sentence("%(text)s: where it checks Event-Timestamp it drops every change in silence", text=text),
            advice,
        )
    return warn(
        "clock",
        Sentence("%(text)s; from %(most)s s on it may drop changes in silence", text=text, most=f"{_CLOCK_FAIL_S:.0f}"),
        advice,
    )


def _clock_not_read(nas: NasUnderTest, probe: Probe, undated: str, *, records: bool) -> Finding:
    advice = Sentence("set it: %(ntp)s", ntp=nas.ntp)
    if is_answer(probe.undated):
        text = Sentence("it answers only what carries no time: more than 300 s off, as it seems")
        return fail("clock", text, Sentence("set it: %(ntp)s; until then: %(undated)s", ntp=nas.ntp, undated=undated))
    if is_answer(probe.outcome) and probe.dated:
        return ok("clock", Sentence("not read; it takes what our clock dates"))
    if records:
        text = Sentence("not known: its accounting has no Event-Timestamp, and its clock can't be read")
    else:
        text = Sentence("not known: no accounting has come yet that would show it")
    return warn("clock", text, advice)


def check_bypass(nas: NasUnderTest, view: DeviceView) -> list[Finding]:
    """Nothing on the device lets subscribers past RADIUS, or past their rates; a line for each thing that does."""
    by_hand = Sentence("look at it by hand: docs/drivers/%(vendor)s.md", vendor=nas.vendor)
    if not view.by:
        return [warn("bypass", Sentence("not checked: there is no access to the device's own configuration"), by_hand)]
    if view.problem:
        return [warn("bypass", Sentence("not checked: nobody got in"), _access_first(by_hand))]
    if view.faults is None:
        return [warn("bypass", _not(view.no_faults), by_hand)]
    found = [(fail if fault.grave else warn)("bypass", fault.text, fault.advice) for fault in view.faults]
    return found or [ok("bypass", view.clean)]


def check_sessions(nas: NasUnderTest, view: DeviceView) -> Finding:
    """The device lists the sessions that accounting has."""
    by_hand = Sentence("compare by hand: corrente sessions --nas %(nas)s", nas=nas.name)
    if not view.by:
        return warn("sessions", Sentence("not compared: there is no access to the device's list"), by_hand)
    if view.problem:
        return warn("sessions", Sentence("not compared: nobody got in"), _access_first(by_hand))
    sides = view.sides
    if sides is None:
        return warn("sessions", Sentence("not compared: %(why)s", why=view.no_list), by_hand)
    if not sides.only_ours and not sides.only_there:
        said = Sentence("the device lists %(count)s, and they are ours", count=f"{sides.there:,}")
        return ok("sessions", _how_compared(said, sides))
    return fail(
        "sessions",
        _how_compared(_only_one_has(sides), sides),
        _session_advice(nas, has_list=view.by == "API" or sides.by_id),
    )


def _only_one_has(sides: Sides) -> Sentence:
    there = Sentence(
        "%(count)s only on the device: %(names)s",
        count=f"{len(sides.only_there):,}",
        names=some(sides.only_there, named=_NAMED),
    )
    ours = Sentence(
        "%(count)s only in accounting: %(names)s",
        count=f"{len(sides.only_ours):,}",
        names=some(sides.only_ours, named=_NAMED),
    )
    if not sides.only_there or not sides.only_ours:
        return there if sides.only_there else ours
    return Sentence("%(one)s; %(other)s", one=there, other=ours)


def _how_compared(said: Sentence, sides: Sides) -> Sentence:
    if sides.by_id:
        return said
    return Sentence("%(said)s, by their usernames: its list has no Acct-Session-Id", said=said)


def _access_first(by_hand: Sentence) -> Sentence:
    return Sentence("put `access` right; or %(by_hand)s", by_hand=by_hand)


def _off(ahead_s: float, by: Sentence) -> Sentence:
    span = off_text(ahead_s).rpartition(" ")[0]
    return (
        Sentence("its clock is %(span)s ahead of ours (%(by)s)", span=span, by=by)
        if ahead_s > 0
        else Sentence("its clock is %(span)s behind ours (%(by)s)", span=span, by=by)
    )


def _session_advice(nas: NasUnderTest, *, has_list: bool) -> Sentence:
    if has_list and nas.verification in ("routeros_api", "cli"):
        return Sentence(
            "corrente drift --nas %(nas)s names them; corrente drift cut, or close-ghosts %(nas)s, once the reason is known",
            nas=nas.name,
        )
    return Sentence(
        "corrente sessions --nas %(nas)s: who is only there came in past RADIUS, or its accounting got lost",
        nas=nas.name,
    )


def _not(why: Sentence | str) -> Sentence | str:
    return why if str(why).startswith("not ") else Sentence("not checked: %(why)s", why=why)
