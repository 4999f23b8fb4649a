"""Desired against applied: finds the live sessions that do not run under what their accounts should have, in sets, and
opens one enforcement for each.

`reconcile_accounts` looks at the accounts whose desired policy or whose sessions changed, within a second of it;
`reconcile_all` looks at every live session, so a change that was missed is found all the same. Both may run anywhere, any
number at once: what is open once stays open once. Each step is a transaction of its own, and what a killed one has not
written is found again by the next.

Next: disruption.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from control_plane import db
from control_plane.control_loop.disruption import Given, is_disruptive
from control_plane.policy.profile import ProfileColumns, session_policy
from control_plane.store import drift
from control_plane.store.drift import Change, Connection, DriftFigure, Way
from control_plane.store.network_figures import save_sweep
from nas_drivers.changes import way_to
from nas_drivers.driver import DEFAULT_DRIVERS, ChangesListsByApi, Drivers, UnknownVendorError
from nas_drivers.policy import Method, SessionPolicy

# Accounts looked at in one transaction.
ACCOUNTS_AT_ONCE: Final = 5000
# Enforcements opened in one transaction, so that the first of a million are sent while the last are written.
OPENED_AT_ONCE: Final = 50_000
# Each round finds what another reconciler or a newer policy left open in the one before; the sweep finds the rest.
_ROUNDS: Final = 3


@dataclass(slots=True)
class Reconciled:
    """What a pass did. `figures` is the drift that a pass over everything found, before it opened anything."""

    opened: int = 0
    superseded: int = 0
    ended: int = 0
    figures: list[DriftFigure] = field(default_factory=list)

    @property
    def in_drift(self) -> int:
        """Sessions in drift, worked on or not."""
        return sum(figure.sessions for figure in self.figures)


def reconcile_accounts(
    connection: Connection, accounts: Iterable[int], *, drivers: Drivers = DEFAULT_DRIVERS
) -> Reconciled:
    """Bring the open enforcements of these accounts' live sessions to what is desired now. The connection is in autocommit."""
    done = Reconciled()
    for some in _portions(sorted(set(accounts))):
        for _ in range(_ROUNDS):
            with connection.transaction():
                drift.tune(connection)
                db.expect_few_rows(connection, only_here=True)
                done.superseded += drift.supersede_open(connection, some)
                wanted = drift.collect_of_accounts(connection, some)
                done.opened += _open_collected(connection, drivers) if wanted else 0
            if not wanted:
                break
    return done


def reconcile_all(connection: Connection, *, drivers: Drivers = DEFAULT_DRIVERS) -> Reconciled:
    """The same for every live session, and what is left of changes whose sessions are over. The connection is in autocommit."""
    done = Reconciled()
    with connection.transaction():
        drift.tune(connection)
        done.ended = drift.close_ended(connection)
        drift.settle(connection)
        done.superseded = drift.supersede_open(connection)
        done.figures = drift.find_drift(connection)
        save_sweep(connection, done.figures)
    if any(figure.to_change for figure in done.figures):
        for after in range(0, done.in_drift, OPENED_AT_ONCE):
            with connection.transaction():
                drift.tune(connection)
                if drift.collect_found(connection, after=after, upto=after + OPENED_AT_ONCE):
                    done.opened += _open_collected(connection, drivers)
    return done


def _portions(accounts: Sequence[int]) -> Iterator[list[int]]:
    for first in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        yield list(accounts[first : first + ACCOUNTS_AT_ONCE])


def _open_collected(connection: Connection, drivers: Drivers) -> int:
    """Open an enforcement for each gathered session, by the best method of its device; returns how many."""
    changes = drift.load_collected_changes(connection)
    profiles = drift.load_profiles(
        connection, sorted({one.profile_id for one in changes if one.profile_id is not None})
    )
    known = drift.load_contents(
        connection, sorted({i for one in changes for i in (one.old_revision, one.sent_revision) if i})
    )
    return drift.open_enforcements(connection, [way_of(change, profiles, known, drivers) for change in changes])


def way_of(
    change: Change, profiles: Mapping[int, ProfileColumns], known: Mapping[bytes, ProfileColumns], drivers: Drivers
) -> Way:
    """How a change is made, as far as is known here: the sender, which knows more, asks again for the method.

    Where it starts from what was sent in between, but that would say nothing, it starts from what the session is held to run
    under: whether it took what was sent is not known.
    """
    # A profile that an account should have can't be deleted; that a session must end is said by no profile at all.
    new = None if change.profile_id is None else session_policy(profiles[change.profile_id])
    from_sent = change.sent_revision is not None
    ladder = _ladder(change, change.sent_revision if from_sent else change.old_revision, new, known, drivers)
    if from_sent and not ladder:
        from_sent, ladder = False, _ladder(change, change.old_revision, new, known, drivers)
    # Where nothing is to be sent the sender says so, and the session follows as it is.
    method = ladder[0] if ladder else Method.COA
    return Way(change, method, takes_away(change, profiles, logs_in_anew=method is not Method.COA), from_sent)


def _ladder(
    change: Change,
    revision: bytes | None,
    new: SessionPolicy | None,
    known: Mapping[bytes, ProfileColumns],
    drivers: Drivers,
) -> tuple[Method, ...]:
    before = known.get(revision or b"")
    old = None if before is None else session_policy(before)
    try:
        driver = drivers.of(change.vendor)
    except UnknownVendorError:
        # A NAS of a vendor that this release has no file for: what RFC 5176 says is all there is.
        return (Method.DISCONNECT if new is None else Method.COA,)
    if isinstance(driver, ChangesListsByApi) and not change.has_api:
        driver = driver.without_live_lists()
    return way_to(driver, old, new)


def takes_away(change: Change, profiles: Mapping[int, ProfileColumns], *, logs_in_anew: bool) -> bool:
    """Whether a change is disruptive: see disruption.py."""
    before = None if change.before is None else Given(**asdict(change.before))
    wanted = None
    if change.profile_id is not None:
        gives = profiles[change.profile_id]
        wanted = Given(change.profile_id, change.level, gives.rate_down_bps, gives.rate_up_bps)
    return is_disruptive(before, wanted, logs_in_anew=logs_in_anew)
