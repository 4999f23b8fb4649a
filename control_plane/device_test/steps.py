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

from billing.sentence import Sentence
from control_plane.control_loop.error_cause import SESSION_NOT_FOUND
from control_plane.device_test.seen import Heard, Live, NasUnderTest, Probe
from control_plane.findings import Finding, Verdict, fail, ok, warn
from nas_drivers.transport.coa import Acked, Nacked, Outcome, Unanswered

# Fewer refusals than this may be one subscriber's typing.
_FEW: Final = 3
# What shows more, once nothing stands in its way.
_LOG_IN: Final = Sentence("let one subscriber log in, then test again")
_WRONG_PASSWORD: Final = "wrong_password"  # noqa: S105 - the name of a reason
# A record may be on its way, and an interval is told with a minute's grain.
_LATE_S: Final = 60.0


def check_reachable(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """Something was heard from it in the last day."""
    if not nas.enabled:
        return fail(
            "reachable",
            Sentence("%(nas)s is disabled: nothing of it is answered", nas=nas.name),
            f"corrente nas enable {nas.name}",
        )
    times = [at for at in (heard.login_at, heard.record_at, heard.dropped_at) if at is not None]
    if times:
        last = ago(max(times), now)
        if heard.login_source:
            said = Sentence("last heard %(ago)s ago, logins from %(source)s", ago=last, source=heard.login_source)
        else:
            said = Sentence("last heard %(ago)s ago", ago=last)
        return ok("reachable", said)
    return _never_heard(nas, heard)


def _never_heard(nas: NasUnderTest, heard: Heard) -> Finding:
    login_port, accounting_port = nas.ports
    if heard.malformed and nas.signs:
        return fail(
            "reachable",
            Sentence(
                "nothing of %(source)s was understood, and %(count)s packets came without Message-Authenticator or damaged",
                source=nas.source,
                count=f"{heard.malformed:,}",
            ),
            Sentence(
                "a device that sends none: corrente nas set %(nas)s --no-require-message-authenticator", nas=nas.name
            ),
        )
    if heard.strangers:
        return fail(
            "reachable",
            Sentence(
                "nothing came from %(source)s, but %(others)s asked and is no NAS",
                source=nas.source,
                others=", ".join(heard.strangers),
            ),
            Sentence(
                "if that is this device: corrente nas set %(nas)s --source %(source)s",
                nas=nas.name,
                source=heard.strangers[0],
            ),
        )
    return fail(
        "reachable",
        Sentence("nothing came from %(source)s in the last day", source=nas.source),
        Sentence(
            "paste what `corrente nas commands %(nas)s` prints; let UDP %(login)s and %(accounting)s through to this machine",
            nas=nas.name,
            login=login_port,
            accounting=accounting_port,
        ),
    )


def check_secret(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """It signs with the secret that we have: what was dropped, what was taken since, and what passwords look like."""
    advice = Sentence(
        "corrente nas set %(nas)s --secret-file FILE takes the device's; --new-secret makes one for both", nas=nas.name
    )
    # An accepted login, and a record that was taken, can't have been made with another one.
    signed_login = heard.login_at if nas.signs else heard.accepted_at
    proofs = [at for at in (signed_login, heard.record_at) if at is not None]
    proof = max(proofs, default=None)
    if heard.dropped_at is not None and (proof is None or proof < heard.dropped_at):
        return fail(
            "secret",
            Sentence(
                "packets signed with another secret were dropped, last %(ago)s ago", ago=ago(heard.dropped_at, now)
            ),
            advice,
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
            Sentence(
                "all %(count)s logins of the last hour had a wrong password: another secret spoils passwords, and this device signs nothing",
                count=count,
            ),
            advice,
        )
    if proof is None:
        return warn("secret", Sentence("not known: nothing came that shows it"), _LOG_IN)
    return ok("secret", Sentence("the same on both sides %(ago)s ago", ago=ago(proof, now)))


def check_login(nas: NasUnderTest, heard: Heard, *, now: datetime) -> Finding:
    """Somebody was let in."""
    reasons = _reasons(heard.refused)
    if heard.accepted_at is not None:
        last = ago(heard.accepted_at, now)
        return ok(
            "login",
            Sentence("last accepted %(ago)s ago; refused in the last hour: %(reasons)s", ago=last, reasons=reasons)
            if reasons
            else Sentence("last accepted %(ago)s ago", ago=last),
        )
    if reasons:
        return fail(
            "login",
            Sentence("none accepted in the last day; refused in the last hour: %(reasons)s", reasons=reasons),
            f"corrente explain USERNAME --nas {nas.name}",
        )
    if heard.login_at is not None:
        return fail("login", Sentence("none accepted in the last day"), f"corrente explain USERNAME --nas {nas.name}")
    return warn("login", Sentence("none seen in the last day"), _LOG_IN)


def check_accounting(nas: NasUnderTest, heard: Heard, live: Live, *, default_interval_s: int, now: datetime) -> Finding:
    """Records arrive, and as often as they should."""
    advice = Sentence(
        "switch accounting on, to UDP port %(port)s: corrente nas commands %(nas)s", port=nas.ports[1], nas=nas.name
    )
    if heard.record_at is None:
        if heard.accepted:
            return fail(
                "accounting",
                Sentence(
                    "logins accepted in the last hour: %(count)s, and no record of any session", count=heard.accepted
                ),
                advice,
            )
        return warn("accounting", Sentence("no record yet"), _LOG_IN)
    told = live.interval_s or default_interval_s
    last = ago(heard.record_at, now)
    text = Sentence("last record %(ago)s ago; %(sessions)s live sessions", ago=last, sessions=live.sessions)
    if not live.sessions:
        return ok("accounting", text)
    text = Sentence("%(text)s, told to report every %(told)s s", text=text, told=told)
    if (now - heard.record_at).total_seconds() > 2 * told + _LATE_S:
        return fail("accounting", text, Sentence("interim records don't come: %(advice)s", advice=advice))
    if live.stale:
        return warn(
            "accounting",
            Sentence("%(text)s; %(count)s silent for longer", text=text, count=live.stale),
            f"corrente sessions --nas {nas.name}",
        )
    return ok("accounting", text)


def check_changes(nas: NasUnderTest, probe: Probe) -> Finding:
    """A Disconnect for a session that nobody has comes back as "no such session"."""
    where = Sentence("%(address)s port %(port)s", address=nas.coa_address, port=nas.coa_port)
    if probe.outcome is None:
        return warn(
            "changes",
            Sentence("not asked: %(why)s", why=probe.withheld),
            Sentence("test again: corrente nas test %(nas)s", nas=nas.name),
        )
    match probe.outcome:
        case Nacked(error_cause=cause, message=message):
            return _refusal(nas, cause, message)
        case Acked():
            return warn(
                "changes",
                Sentence(
                    "%(where)s says that it ended a session that nobody has: its word proves nothing", where=where
                ),
                Sentence("changes are proven by accounting or by what the device lists: leave --verification as it is"),
            )
        case Unanswered(refused=True):
            return fail(
                "changes",
                Sentence("nothing listens on %(where)s", where=where),
                Sentence("switch incoming RADIUS on: corrente nas commands %(nas)s", nas=nas.name),
            )
        case Unanswered(sends=0, problem=problem):
            return fail(
                "changes",
                Sentence("nothing could be sent to %(where)s: %(problem)s", where=where, problem=problem),
                f"corrente nas set {nas.name} --coa-address, --coa-source",
            )
    return _unanswered(nas, probe, where)


def _unanswered(nas: NasUnderTest, probe: Probe, where: Sentence) -> Finding:
    if probe.other_secret:
        return fail(
            "changes",
            Sentence("%(where)s answers with another secret", where=where),
            f"corrente nas set {nas.name} --coa-secret-file FILE",
        )
    if is_answer(probe.undated):
        return fail(
            "changes",
            Sentence(
                "%(where)s answers only what carries no Event-Timestamp: its clock is wrong, or it does not take one",
                where=where,
            ),
            Sentence("set its clock by NTP; else corrente nas set %(nas)s --no-coa-event-timestamp", nas=nas.name),
        )
    return fail(
        "changes",
        Sentence("%(where)s answers nothing", where=where),
        Sentence(
            "let UDP through to that port; it must know our address and the secret (a wrong one is dropped in silence): corrente nas commands %(nas)s",
            nas=nas.name,
        ),
    )


def _refusal(nas: NasUnderTest, cause: int | None, message: str) -> Finding:
    if cause == SESSION_NOT_FOUND:
        return ok(
            "changes",
            Sentence("a Disconnect for a session that nobody has was refused as it should be: error cause 503"),
        )
    if cause is None:
        said = Sentence("a Disconnect for a session that nobody has was refused, without a cause")
        return ok("changes", _in_its_words(said, message))
    text = _refused_with(cause, message)
    if cause == 403:
        return fail(
            "changes",
            Sentence("%(text)s: it is not the device we take it for", text=text),
            f"corrente nas set {nas.name} --identifier, --coa-address",
        )
    if cause in (406, 501):
        return fail(
            "changes",
            Sentence("%(text)s: it takes no changes", text=text),
            Sentence("switch them on: corrente nas commands %(nas)s", nas=nas.name),
        )
    return warn(
        "changes", text, Sentence("it hears us; docs/drivers/%(vendor)s.md says what it wants", vendor=nas.vendor)
    )


def _refused_with(cause: int, message: str) -> Sentence:
    if not message:
        return Sentence(
            "a Disconnect for a session that nobody has was refused with error cause %(cause)s, not 503", cause=cause
        )
    return Sentence(
        "a Disconnect for a session that nobody has was refused with error cause %(cause)s (%(message)s), not 503",
        cause=cause,
        message=message,
    )


def _in_its_words(said: Sentence, message: str) -> Sentence:
    return Sentence("%(text)s (%(message)s)", text=said, message=message) if message else said


def after(first: Finding, later: Finding) -> Finding:
    """A step that fails because an earlier one did says so: one thing to put right is one FAIL, and until then a login shows nothing."""
    first_that = Sentence("put `%(subject)s` right, then test again", subject=first.subject)
    if first.verdict is not Verdict.FAIL or (later.verdict is not Verdict.FAIL and later.advice != _LOG_IN):
        return later
    if later.verdict is Verdict.FAIL:
        return warn(
            later.subject,
            Sentence("not judged before `%(subject)s` is right: %(text)s", subject=first.subject, text=later.text),
            first_that,
        )
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
