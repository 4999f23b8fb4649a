"""Why an account got what it got at a moment that is over: the chain from contract to packets and logins, in words.

Pure. The sentences about contract, restrictions and policy are explain_now.py's own.

Next: explain_now.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from control_plane.explaining.explain_now import reasons, step_words, steps_of
from control_plane.policy.rendering import REVISION_BYTES, profile_revision
from control_plane.quantities import instant_text, octets_text
from control_plane.store.account import Account
from control_plane.store.history import LoginView
from control_plane.store.limits import RestrictionRow
from control_plane.store.past import Past, PastChange, PastPacket, PastRestriction, PastSession
from control_plane.store.plan import Profile
from radius_hooks.decision import step_at

# RFC 5176 section 2.3; 0 stands for a call that is no RADIUS.
_CODES: Final = {
    0: "API or command line",
    40: "Disconnect-Request",
    41: "Disconnect-ACK",
    42: "Disconnect-NAK",
    43: "CoA-Request",
    44: "CoA-ACK",
    45: "CoA-NAK",
}


class NotKept(StrEnum):
    """Why nothing certain is known of a moment."""

    BEFORE_ACCOUNT = "before the account"
    TOO_OLD = "too old"


def not_kept(account: Account, at: datetime, *, now: datetime, kept_days: int) -> NotKept | None:
    """Why how things stood at `at` is not known; None: it is."""
    if at < account.created_at:
        return NotKept.BEFORE_ACCOUNT
    return NotKept.TOO_OLD if at < now - timedelta(days=kept_days) else None


def past_chain(past: Past, contents: Sequence[Profile], zone: ZoneInfo) -> list[tuple[str, str]]:
    """The chain at a moment that is over, as (label, sentence): contract, restrictions, policy, sessions, changes with
    their packets, logins, what was done by hand.

    `contents` is every content that any profile has had: they give a policy version its name.
    """
    names = names_by_revision(contents)
    rows = [
        RestrictionRow(one.id, one.origin, one.level, one.reason, one.placed_by, one.since, one.until)
        for one in past.restrictions
        if not one.held
    ]
    steps = steps_of(past.account, rows, past.reliefs, at=past.at, zone=zone)
    step = step_at(steps, past.at.timestamp())
    profile = past.profiles.get(step.profile_id)
    policy = step_words(step, past.profiles)
    if past.account.expires_at is not None and past.account.expires_at <= past.at:
        policy = "no service: the account expired"
    said = [("contract", words) for words in reasons(past.account, rows, past.reliefs, at=past.at, zone=zone)]
    said += [("restriction", _fate_words(one, zone)) for one in past.restrictions if _fate_words(one, zone)]
    said.append(("policy", policy + (f", revision {profile_revision(profile).hex()}" if profile else "")))
    for session in past.sessions:
        said.append(("session", _past_session_words(session, past.at, names, zone)))
        said += [
            line
            for change in past.changes
            if change.acct_session_id == session.acct_session_id and change.nas == session.nas
            for line in _change_lines(change, past.packets, names, zone)
        ]
    said += [("login", _login_words(login, zone)) for login in past.logins]
    said += [("done by hand", f"{instant_text(act.at, zone)} {act.actor}: {act.action}") for act in past.acts]
    return said


def names_by_revision(contents: Iterable[Profile]) -> dict[bytes, str]:
    """Which profiles had a content of that revision; a later name counts more, as the present ones come last."""
    return {profile_revision(one): one.name for one in contents}


def version_words(version: bytes | None, names: Mapping[bytes, str]) -> str:
    """`version 0011223344556677 (profile Home 300)`."""
    if version is None:
        return "a version that is not known: its device does not repeat Class"
    name = names.get(version[:REVISION_BYTES])
    return f"version {version.hex()} ({f'profile {name}' if name else 'a profile that is not kept'})"


def _fate_words(one: PastRestriction, zone: ZoneInfo) -> str:
    """What the restriction itself does not say: its run, that it waited, and how it ended since."""
    said = []
    if one.run_id is not None:
        said.append(f"placed by {one.run_name} run {one.run_id}")
    if one.held:
        said.append("waited for a person and did not count")
    if one.lifted_at is not None:
        said.append(f"lifted later, {instant_text(one.lifted_at, zone)}, by {one.lifted_by}")
    return f"restriction {one.id}: {'; '.join(said)}" if said else ""


def _past_session_words(session: PastSession, at: datetime, names: Mapping[bytes, str], zone: ZoneInfo) -> str:
    state = "was live"
    if session.ended_at is not None and session.ended_at <= at:
        state = "was over"
    end = "and is live still"
    if session.ended_at is not None:
        cause = f" ({session.terminate_cause})" if session.terminate_cause else ""
        end = f"until {instant_text(session.ended_at, zone)}, ended by {session.ended_by}{cause}"
    address = f", address {session.address}" if session.address else ""
    return (
        f"{session.acct_session_id} on {session.nas} {state}: from {instant_text(session.started_at, zone)} {end};"
        f" login gave {version_words(session.policy_version, names)}{address};"
        f" last accounting {instant_text(session.received_at, zone)}, down {octets_text(session.octets_out)},"
        f" up {octets_text(session.octets_in)} in all"
    )


def _change_lines(
    change: PastChange, packets: Sequence[PastPacket], names: Mapping[bytes, str], zone: ZoneInfo
) -> list[tuple[str, str]]:
    """One change: what was wanted and why, how far it came, and each packet."""
    wanted = "the session to end"
    if change.desired_version is not None:
        wanted = version_words(change.desired_version, names)
    state = change.state.replace("_", " ") + (f": {change.problem}" if change.problem else "")
    times = [
        f"{word} {instant_text(moment, zone)}"
        for word, moment in (("sent", change.sent_at), ("answered", change.answered_at), ("over", change.closed_at))
        if moment is not None
    ]
    said = [
        f"{change.id}: {instant_text(change.wanted_at, zone)} wanted {change.level} ({change.reason}): {wanted},"
        f" by {change.method}; {', '.join([state, *times])}"
    ]
    if change.held_since is not None:
        said.append(f"  waits since {instant_text(change.held_since, zone)}: {change.held_reason}")
    if change.released_by is not None:
        said.append(f"  let go by {change.released_by}: {change.release_reason}")
    said += [_packet_words(packet, zone) for packet in packets if packet.enforcement_id == change.id]
    return [("enforcement", sentence) for sentence in said]


def _packet_words(packet: PastPacket, zone: ZoneInfo) -> str:
    way = "to" if packet.direction == "sent" else "from"
    name = _CODES.get(packet.code, f"code {packet.code}")
    cause = f", Error-Cause {packet.error_cause}" if packet.error_cause is not None else ""
    attributes = f": {', '.join(packet.attributes.splitlines())}" if packet.attributes else ""
    return f"  {instant_text(packet.at, zone)} {name} id {packet.identifier} {way} {packet.peer}{cause}{attributes}"


def _login_words(login: LoginView, zone: ZoneInfo) -> str:
    place = login.nas or str(login.source or "an unknown device")
    detail = f": {login.detail}" if login.detail else ""
    return f"{instant_text(login.at, zone)} at {place}: {login.outcome} {login.reason}{detail}"
