"""The live part of an account: its sessions as accounting knows them, its traffic by the device's own counters where they can be read."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from flask import Blueprint, copy_current_request_context, g, render_template
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.device_traffic import (
    Counters,
    Sample,
    Unread,
    has_counters,
    read_counters,
    read_session,
    sample_between,
    target_of,
)
from control_plane.explaining.account_page import given_policy, load_page
from control_plane.store.account import load_account
from control_plane.store.history import SessionView
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.driver import Drivers
from web.acting import clock, transaction
from web.database import Connection
from web.language import chosen_language, gettext, zone
from web.marks import allowed
from web.staff.account_words import given_words
from web.staff.accounts import ShownSession, known
from web.surroundings import here

pages = Blueprint("account_traffic", __name__)
_EVERY_S: Final = 3.0
# Half an hour of them.
_MOST_SAMPLES: Final = 600


class _Watch:
    """What is known of one account while somebody looks. `before` asks the device, `ask` the database."""

    def __init__(self, username: str) -> None:
        self._username = username
        self._samples: deque[Sample] = deque(maxlen=_MOST_SAMPLES)
        self._last: Counters | None = None
        self._target: tuple[NasTarget, SessionView] | None = None
        self._problem = ""

    def look(self) -> None:
        """Ask the device for its counters, where it has an API and the session is there."""
        sealer = here().sealer
        if self._target is None or sealer is None:
            return
        nas, session = self._target
        if not has_counters(nas):
            return
        found = read_counters(nas, sealer, username=self._username, session=str(session.session_key))
        match found:
            case Unread(problem):
                self._problem = problem
            case Counters():
                self._problem = ""
                self._add(found)

    def ask(self, connection: Connection) -> str:
        """The sessions, and the rates so far."""
        account = load_account(connection, self._username)
        if account is None:
            return render_template("staff/accounts/sessions.html", sessions=[], now=None, samples=[])
        now = clock(connection)
        page = load_page(connection, account, at=now, zone=zone())
        live = [one for one in page.sessions if not one.stale]
        self._target = None
        words = ""
        if live:
            # Of two sessions of one username at one device, its interfaces don't say which is whose.
            alone = sum(one.nas == live[-1].nas for one in live) == 1
            words = self._choose(connection, live[-1], alone=alone)
        return render_template(
            "staff/accounts/sessions.html",
            sessions=[ShownSession(one, *given_words(given_policy(one, page))) for one in page.sessions],
            now=now,
            traffic_words=words,
            samples=self._shown() if live else [],
        )

    def _choose(self, connection: Connection, session: SessionView, *, alone: bool) -> str:
        """Whose counters the graph is of, in words."""
        nas = target_of(load_targets(connection), session.nas)
        if nas is not None and has_counters(nas) and alone:
            self._target = nas, session
            if not self._problem:
                return gettext("The graph is by the NAS's own counters, read every few seconds.")
            self._count(session)
            return gettext(
                "The NAS could not be read (%(problem)s): the graph is by accounting.", problem=self._problem
            )
        self._count(session)
        return gettext("The graph is by accounting, as often as the NAS reports.")

    def _count(self, session: SessionView) -> None:
        self._add(Counters(str(session.session_key), session.received_at, session.octets_in, session.octets_out))

    def _add(self, counters: Counters) -> None:
        """One more counting; what another source or session counted before says nothing of this one."""
        last = self._last
        if last is not None and last.session == counters.session and counters.at <= last.at:
            return
        sample = None if last is None else sample_between(last, counters)
        if sample is not None:
            self._samples.append(sample)
        elif last is not None and last.session != counters.session:
            self._samples.clear()
        self._last = counters

    def _shown(self) -> list[list[float]]:
        samples = list(self._samples)
        return [
            [one.at.timestamp() for one in samples],
            [one.down_bps for one in samples],
            [one.up_bps for one in samples],
        ]


@pages.get("/accounts/<path:username>/live")
@allowed(Permission.ACCOUNT_SEE)
def live(username: str) -> Response:
    """The stream of an account; all who look share one in each language."""
    language = chosen_language()
    watch = _Watch(username)
    lock = threading.Lock()

    # The feed outlives the request that began it, and its parts are rendered as that one's reader reads.
    @copy_current_request_context
    def ask(connection: Connection) -> str:
        g.language = language
        return watch.ask(connection)

    @copy_current_request_context
    def before() -> None:
        watch.look()

    def asked(connection: Connection) -> str:
        with lock:
            return str(ask(connection))

    def looked() -> None:
        with lock:
            before()

    return here().streams.stream(("account", username, language), asked, interval_s=_EVERY_S, before=looked)


@pages.get("/accounts/<path:username>/device")
@allowed(Permission.ACCOUNT_SEE)
def device(username: str) -> str:
    """What the device of each live session says of it now; it is asked outside of any transaction."""
    with transaction() as connection:
        account = known(connection, username)
        page = load_page(connection, account, at=clock(connection), zone=zone())
        targets = load_targets(connection)
    surroundings = here()
    drivers = Drivers(surroundings.settings.drivers)
    shown: list[tuple[SessionView, Any, str]] = []
    for session in page.sessions:
        nas = target_of(targets, session.nas)
        if nas is None or surroundings.sealer is None:
            shown.append((session, None, gettext("This process was given no key: see corrente check.")))
            continue
        found = read_session(
            nas, surroundings.sealer, drivers, username=username, acct_session_id=session.acct_session_id
        )
        if isinstance(found, Unread):
            shown.append((session, None, found.problem))
        else:
            shown.append((session, found, ""))
    return render_template("staff/accounts/device.html", shown=shown)
