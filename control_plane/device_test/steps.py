"""The steps of `corrente nas test`: each a rule from what was looked at to one line, with what to do about it. Pure.

FAIL: this part does not work, or lets subscribers past RADIUS. WARN: not known, or worth a look.

Units: *_s seconds; instants are aware UTC.
Source: RFC 2865 section 3; RFC 2866 section 3; RFC 5176 sections 3.5, 6.3.
Next: device_steps.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from control_plane.control_loop.error_cause import SESSION_NOT_FOUND
from control_plane.device_test.seen import Heard, Live, NasUnderTest, Probe
from control_plane.findings import Finding, Verdict, fail, ok, warn
from nas_drivers.transport.coa import Acked, Nacked, Outcome, Unanswered

# Fewer refusals than this may be one subscriber's typing.
_FEW: Final = 3
# What shows more, once nothing stands in its way.
_LOG_IN: Final = "let one subscriber log in, then test again"
_WRONG_PASSWORD: Final = "wrong_password"  # noqa: S105 - the name of a reason
# A record may be on its way, and an interval is told with a minute's grain.
_LATE_S: Final = 60.0


def check_reachable(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """Something was heard from it in the last day."""
    if not nas.enabled:
        return fail(
            "reachable", f"{nas.name} is disabled: nothing of it is answered", f"corrente nas enable {nas.name}"
        )
    times = [at for at in (heard.login_at, heard.record_at, heard.dropped_at) if at is not None]
    if times:
        source = f", logins from {heard.login_source}" if heard.login_source else ""
        return ok("reachable", f"last heard {ago(max(times), now)} ago{source}")
    login_port, accounting_port = nas.ports
    if heard.malformed and nas.signs:
        return fail(
            "reachable",
            f"nothing of {nas.source} was understood, and {heard.malformed:,} packets came without Message-Authenticator or damaged",
            f"a device that sends none: corrente nas set {nas.name} --no-require-message-authenticator",
        )
    if heard.strangers:
        return fail(
            "reachable",
            f"nothing came from {nas.source}, but {', '.join(heard.strangers)} asked and is no NAS",
            f"if that is this device: corrente nas set {nas.name} --source {heard.strangers[0]}",
        )
    return fail(
        "reachable",
        f"nothing came from {nas.source} in the last day",
        f"paste what `corrente nas commands {nas.name}` prints; let UDP {login_port} and {accounting_port} through to this machine",
    )


def check_secret(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """It signs with the secret that we have: what was dropped, what was taken since, and what passwords look like."""
    advice = f"corrente nas set {nas.name} --secret-file FILE takes the device's; --new-secret makes one for both"
    # An accepted login, and a record that was taken, can't have been made with another one.
    signed_login = heard.login_at if nas.signs else heard.accepted_at
    proofs = [at for at in (signed_login, heard.record_at) if at is not None]
    proof = max(proofs, default=None)
    if heard.dropped_at is not None and (proof is None or proof < heard.dropped_at):
        return fail(
            "secret", f"packets signed with another secret were dropped, last {ago(heard.dropped_at, now)} ago", advice
        )
    if (
        not nas.signs
        and not heard.accepted
        and set(heard.refused) == {_WRONG_PASSWORD}
        and heard.refused[_WRONG_PASSWORD] >= _FEW
    ):
        count = heard.refused[_WRONG_PASSWORD]
        return fail(
            "secret",
            f"all {count} logins of the last hour had a wrong password: another secret spoils passwords, and this device signs nothing",
            advice,
        )
    if proof is None:
        return warn("secret", "not known: nothing came that shows it", _LOG_IN)
    return ok("secret", f"the same on both sides {ago(proof, now)} ago")


def check_login(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """Somebody was let in."""
    reasons = _reasons(heard.refused)
    if heard.accepted_at is not None:
        also = f"; refused in the last hour: {reasons}" if reasons else ""
        return ok("login", f"last accepted {ago(heard.accepted_at, now)} ago{also}")
    if reasons:
        return fail(
            "login",
            f"none accepted in the last day; refused in the last hour: {reasons}",
            f"corrente explain USERNAME --nas {nas.name}",
        )
    if heard.login_at is not None:
        return fail("login", "none accepted in the last day", f"corrente explain USERNAME --nas {nas.name}")
    return warn("login", "none seen in the last day", _LOG_IN)


def check_accounting(nas: NasUnderTest, heard: Heard, live: Live, *, default_interval_s: int, now: datetime) -> Finding:
    """Records arrive, and as often as they should."""
    advice = f"switch accounting on, to UDP port {nas.ports[1]}: corrente nas commands {nas.name}"
    if heard.record_at is None:
        if heard.accepted:
            return fail(
                "accounting",
                f"logins accepted in the last hour: {heard.accepted}, and no record of any session",
                advice,
            )
        return warn("accounting", "no record yet", _LOG_IN)
    told = live.interval_s or default_interval_s
    text = f"last record {ago(heard.record_at, now)} ago; {live.sessions} live sessions"
    if not live.sessions:
        return ok("accounting", text)
    text += f", told to report every {told} s"
    if (now - heard.record_at).total_seconds() > 2 * told + _LATE_S:
        return fail("accounting", text, f"interim records don't come: {advice}")
    if live.stale:
        return warn("accounting", f"{text}; {live.stale} silent for longer", f"corrente sessions --nas {nas.name}")
    return ok("accounting", text)


def check_changes(nas: NasUnderTest, probe: Probe) -> Finding:
    """A Disconnect for a session that nobody has comes back as "no such session"."""
    where = f"{nas.coa_address} port {nas.coa_port}"
    if probe.outcome is None:
        return warn("changes", f"not asked: {probe.withheld}", f"test again: corrente nas test {nas.name}")
    match probe.outcome:
        case Nacked(error_cause=cause, message=message):
            return _refusal(nas, cause, message)
        case Acked():
            return warn(
                "changes",
                f"{where} says that it ended a session that nobody has: its word proves nothing",
                "changes are proven by accounting or by what the device lists: leave --verification as it is",
            )
        case Unanswered(refused=True):
            return fail(
                "changes", f"nothing listens on {where}", f"switch incoming RADIUS on: corrente nas commands {nas.name}"
            )
        case Unanswered(sends=0, problem=problem):
            return fail(
                "changes",
                f"nothing could be sent to {where}: {problem}",
                f"corrente nas set {nas.name} --coa-address, --coa-source",
            )
    if probe.other_secret:
        return fail(
            "changes", f"{where} answers with another secret", f"corrente nas set {nas.name} --coa-secret-file FILE"
        )
    if is_answer(probe.undated):
        return fail(
            "changes",
            f"{where} answers only what carries no Event-Timestamp: its clock is wrong, or it does not take one",
            f"set its clock by NTP; else corrente nas set {nas.name} --no-coa-event-timestamp",
        )
    return fail(
        "changes",
        f"{where} answers nothing",
        "let UDP through to that port; it must know our address and the secret (a wrong one is dropped in silence): "
        f"corrente nas commands {nas.name}",
    )


def _refusal(nas: NasUnderTest, cause: int | None, message: str) -> Finding:
    said = f" ({message})" if message else ""
    if cause == SESSION_NOT_FOUND:
        return ok("changes", "a Disconnect for a session that nobody has was refused as it should be: error cause 503")
    if cause is None:
        return ok("changes", f"a Disconnect for a session that nobody has was refused, without a cause{said}")
    text = f"a Disconnect for a session that nobody has was refused with error cause {cause}{said}, not 503"
    if cause == 403:
        return fail(
            "changes",
            f"{text}: it is not the device we take it for",
            f"corrente nas set {nas.name} --identifier, --coa-address",
        )
    if cause in (406, 501):
        return fail("changes", f"{text}: it takes no changes", f"switch them on: corrente nas commands {nas.name}")
    return warn("changes", text, f"it hears us; docs/drivers/{nas.vendor}.md says what it wants")


def after(first: Finding, later: Finding) -> Finding:
    """A step that fails because an earlier one did says so: one thing to put right is one FAIL, and until then a login shows nothing."""
    first_that = f"put `{first.subject}` right, then test again"
    if first.verdict is not Verdict.FAIL or (later.verdict is not Verdict.FAIL and later.advice != _LOG_IN):
        return later
    if later.verdict is Verdict.FAIL:
        return warn(later.subject, f"not judged before `{first.subject}` is right: {later.text}", first_that)
    return replace(later, advice=first_that)


def says_nothing(probe: Probe) -> bool:
    """Whether what was sent met with silence, which a wrong secret looks like too."""
    silent = isinstance(probe.outcome, Unanswered) and probe.outcome.sends > 0 and not probe.outcome.refused
    return silent and not probe.other_secret and not is_answer(probe.undated)


def is_answer(outcome: Outcome | None) -> bool:
    """Whether the device said anything."""
    return isinstance(outcome, Acked | Nacked)


def _reasons(refused: Mapping[str, int]) -> str:
    often = sorted(refused.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in often)


def ago(at: datetime, now: datetime) -> str:
    """`45 s`, `12 min`, `5 h`."""
    past_s = max(0, int((now - at).total_seconds()))
    if past_s < 120:
        return f"{past_s} s"
    return f"{past_s // 60} min" if past_s < 7200 else f"{past_s // 3600} h"
