"""Accounting's sessions of a NAS compared with the device's own list: which of ours are ghosts, which run under something else
than we took them to, and whether to act. Pure.

On who is online and under what the device is right; on what a session may have, the contract.

Units: *_s seconds; instants are aware UTC.
Next: device_views.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nas_drivers.device_session import DeviceSession, is_same_rate

# Younger differences are the two views' own delay: a Start or Stop on its way, a list that took its time.
GRACE_S: Final = 120
# A difference beyond both is more likely a fault of the reading than of so many sessions.
MASS_SHARE: Final = 0.05
MASS_LEAST: Final = 20
# The first half of a version is its profile's revision; this one is no profile's.
_REVISION_OCTETS: Final = 4
_NO_REVISION: Final = bytes(_REVISION_OCTETS)


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A live session as accounting has it."""

    session_key: bytes
    acct_session_id: str
    username: str
    started_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as the device listed it; `since` is when it came up, or was first listed."""

    acct_session_id: str
    username: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """Ghosts are only ours, unknown ones only the device's. `held` says why nothing is to be done about them."""

    ghosts: tuple[OwnSession, ...]
    unknown: tuple[ListedSession, ...]
    held: str = ""


def difference(
    own: Iterable[OwnSession], listed: Iterable[ListedSession], *, read_at: datetime, grace_s: int = GRACE_S
) -> Difference:
    """What differs at `read_at` and has for longer than the grace.

    A session is the same in both by its id and name: an id alone comes round again after a reboot.
    """
    since = read_at - timedelta(seconds=grace_s)
    ours = {(one.acct_session_id, one.username): one for one in own}
    theirs = {(one.acct_session_id, one.username): one for one in listed}
    ghosts = tuple(one for name, one in ours.items() if name not in theirs and one.received_at < since)
    unknown = tuple(one for name, one in theirs.items() if name not in ours and one.since < since)
    return Difference(ghosts, unknown, _held(len(ghosts), len(unknown), of=max(len(ours), len(theirs))))


def _held(ghosts: int, unknown: int, *, of: int) -> str:
    if not _is_mass(ghosts + unknown, of):
        return ""
    return f"{ghosts} of our sessions are not on the device and {unknown} of its own are not known here, of {of}: nothing was done"


def _is_mass(differing: int, of: int) -> bool:
    return differing > MASS_LEAST and differing > MASS_SHARE * of


@dataclass(frozen=True, slots=True)
class Gives:
    """What a revision of a profile gives, as far as a device shows it. `lists` None: no longer known. Units: bit/s, 0 no limit."""

    down_bps: int
    up_bps: int
    lists: frozenset[str] | None


def agrees(shown: DeviceSession, given: Gives) -> bool | None:
    """Whether a session, as its device lists it, has what was given; None when the device does not say.

    Lists on top may be somebody else's: a person's, a firewall rule's.
    """
    said: list[bool] = []
    if shown.rate_down_bps is not None and shown.rate_up_bps is not None:
        said.append(is_same_rate(shown.rate_down_bps, given.down_bps) and is_same_rate(shown.rate_up_bps, given.up_bps))
    if shown.address_lists is not None and given.lists is not None:
        said.append(given.lists.issubset(shown.address_lists))
    return all(said) if said else None


@dataclass(frozen=True, slots=True)
class HeldSession:
    """A live session with the version we take it to run under, and the one it should; None: it must end."""

    session_key: bytes
    acct_session_id: str
    username: str
    account_id: int
    held: bytes
    desired: bytes | None


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A session that the device shows under something else than we took it to; `shown` is the version that comes nearest."""

    session: HeldSession
    shown: bytes

    @property
    def is_drift(self) -> bool:
        """Whether it is not what the session should run under either."""
        return self.shown != self.session.desired


def contradicted(
    held: Iterable[HeldSession], listed: Iterable[DeviceSession], gives: Mapping[bytes, Gives]
) -> list[Contradicted]:
    """The sessions whose device contradicts what we hold; `gives` is by revision.

    The rest of a version, the account's own part, no device shows: it is taken to be as before. What fits no revision gets
    one that nobody has.
    """
    theirs = {(one.acct_session_id, one.username): one for one in listed}
    found = []
    for session in held:
        shown = theirs.get((session.acct_session_id, session.username))
        given = gives.get(session.held[:_REVISION_OCTETS])
        unknown = session.held.startswith(_NO_REVISION)
        if shown is None or (given is None and not unknown) or (given and agrees(shown, given) is not False):
            continue
        version = _likeliest(shown, session.desired, gives) + session.held[_REVISION_OCTETS:]
        if version != session.held:
            found.append(Contradicted(session, version))
    return found


def _likeliest(shown: DeviceSession, desired: bytes | None, gives: Mapping[bytes, Gives]) -> bytes:
    """The revision that a session seems to run under: the desired one if that can be, else the one with the most lists."""
    wanted = None if desired is None else gives.get(desired[:_REVISION_OCTETS])
    if desired is not None and wanted is not None and agrees(shown, wanted):
        return desired[:_REVISION_OCTETS]
    fitting = [revision for revision, given in gives.items() if agrees(shown, given)]
    return max(fitting, key=lambda revision: len(gives[revision].lists or ()), default=_NO_REVISION)


def held_policies(found: Collection[Contradicted], *, of: int) -> str:
    """Why what a device shows is not believed; empty when it is."""
    drifted = sum(one.is_drift for one in found)
    if not _is_mass(drifted, of):
        return ""
    return f"{drifted} of {of} sessions run under something else than they should by the device's own list: nothing was done"
