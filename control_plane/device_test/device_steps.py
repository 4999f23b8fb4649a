"""The steps of `corrente nas test` that read the device itself: access, clock, what bypasses RADIUS, who is online. Pure.

Units: *_s seconds.
Next: looking.py
"""

from __future__ import annotations

from typing import Final

from control_plane.device_test.seen import ApiView, NasUnderTest, Probe
from control_plane.device_test.steps import is_answer
from control_plane.findings import Finding, fail, ok, warn
from nas_drivers.routeros_setup import some

# RFC 5176 section 6.3 suggests 300 s; devices that check drop what is beyond.
_CLOCK_FAIL_S: Final = 300.0
_CLOCK_WARN_S: Final = 30.0


def check_access(nas: NasUnderTest, api: ApiView) -> Finding:
    """Its API lets us in, over TLS, with the certificate that is pinned; or its command line shows the trusted host key."""
    if not api.configured:
        if nas.verification in ("routeros_api", "cli"):
            return fail(
                "access",
                f"it is to be verified by {nas.verification}, and no access is configured",
                f"corrente nas set {nas.name} --api-user or --ssh-user, or --verification accounting",
            )
        return ok("access", "none is configured: it is spoken to by RADIUS alone")
    if api.by != "API":
        if api.problem:
            return fail("access", api.problem, f"corrente nas host-key {nas.name}")
        return ok("access", f"its {api.by} shows the host key that is trusted; nobody logged in")
    if api.problem:
        return fail(
            "access", api.problem, f"corrente nas set {nas.name} --api-user, --api-password-file, --api-certificate"
        )
    if not api.tls:
        return warn(
            "access",
            "the API lets us in without TLS: whoever is on the way reads it, and the password unless --api-login challenge",
            f"corrente nas set {nas.name} --api-tls --api-certificate SHA256",
        )
    return ok(
        "access",
        f"the API lets us in by TLS, {'with the pinned certificate' if api.pinned else 'its certificate vouched for by an authority'}",
    )


def check_clock(nas: NasUnderTest, api: ApiView, probe: Probe) -> Finding:
    """Its clock agrees with ours, by its own word or because it takes what ours dates."""
    advice = (
        "set its clock by NTP, and this machine's: a device that checks Event-Timestamp drops every change in silence"
    )
    if api.off_s is None:
        if is_answer(probe.undated):
            return fail("clock", "it answers only what carries no time: more than 300 s off, as it seems", advice)
        if is_answer(probe.outcome) and probe.dated:
            return ok("clock", "not read; it takes what our clock dates")
        return warn(
            "clock",
            "not known: there is no access to read it by",
            f"corrente nas set {nas.name} --api-user, where it has an API",
        )
    text = f"{abs(api.off_s):.0f} s {'ahead of' if api.off_s > 0 else 'behind'} ours"
    if abs(api.off_s) > _CLOCK_FAIL_S:
        return fail("clock", text, advice)
    return warn("clock", text, advice) if abs(api.off_s) > _CLOCK_WARN_S else ok("clock", text)


def check_bypass(nas: NasUnderTest, api: ApiView) -> list[Finding]:
    """Nothing on the device lets subscribers past RADIUS, or past their rates; a line for each thing that does."""
    if api.faults is None:
        advice = f"look at it by hand: docs/drivers/{nas.vendor}.md"
        return [warn("bypass", "not known: the device's own configuration can't be read", advice)]
    found = [(fail if fault.grave else warn)("bypass", fault.text, fault.advice) for fault in api.faults]
    return found or [ok("bypass", "nothing on the device lets subscribers past RADIUS or their rates")]


def check_sessions(nas: NasUnderTest, api: ApiView) -> Finding:
    """The device lists the sessions that accounting has."""
    if api.there is None:
        return warn(
            "sessions",
            "not compared: the device's list can't be read",
            f"compare by hand: corrente sessions --nas {nas.name}",
        )
    if not api.only_ours and not api.only_there:
        return ok("sessions", f"the device lists {api.there}, and they are ours")
    parts = [
        f"{len(names)} {what}: {some(names)}"
        for names, what in ((api.only_there, "only on the device"), (api.only_ours, "only in accounting"))
        if names
    ]
    return fail(
        "sessions",
        "; ".join(parts),
        f"corrente drift unknown, or corrente drift close-ghosts {nas.name}, once the reason is known",
    )
