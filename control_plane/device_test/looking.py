"""Looks at one device for `corrente nas test`, and has the steps judge what it saw. An edge: database, logs, network.

Nothing that is sent touches a subscriber: one Disconnect that names a session nobody has, and commands that print. It needs no
worker and holds none up: it opens connections of its own beside theirs.

Units: *_s seconds; instants are aware UTC.
Next: steps.py
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import psycopg

from billing.sentence import Sentence
from control_plane.control_loop.outgoing import UnreachableError, api_access, change_target
from control_plane.device_test import device_steps, steps
from control_plane.device_test.command_line import OwnView, look_by_command_line
from control_plane.device_test.seen import DeviceView, Heard, NasUnderTest, Probe
from control_plane.device_test.session_lists import LISTS_GRACE_S, compare
from control_plane.findings import Finding
from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings
from control_plane.store.clocks import load_nas_clock
from control_plane.store.device_test import load_heard, load_just_in, load_live
from control_plane.store.device_views import load_own
from control_plane.store.interventions import load_maintenance, load_stop
from control_plane.store.nas import Nas, load_nases
from control_plane.store.targets import NasTarget
from control_plane.unanswered import Why, load_dropped, load_malformed
from nas_drivers.driver import Drivers, NasDriver
from nas_drivers.errors import NasError
from nas_drivers.families.routeros_setup import setup_faults
from nas_drivers.policy import SessionIdentity
from nas_drivers.transport.coa import (
    ChangeCode,
    ChangeRequest,
    ChangeSender,
    ChangeTarget,
    Outcome,
    Unanswered,
)
from nas_drivers.transport.patience import Patience
from nas_drivers.transport.routeros import RouterOsDevice
from radius_hooks.sealing import Sealer, SealError

# A device that answers does so at once; this is a person who waits.
_PATIENCE: Final = Patience(first_s=1.0, sends=3, total_s=5.0)
_DROPPED_BACK: Final = timedelta(hours=1)
_TIMEOUT_S: Final = 10.0


def look_at(
    connection: psycopg.Connection[Any],
    settings: Settings,
    nas: Nas,
    target: NasTarget,
    sealer: Sealer,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every step of one device, one after the other. The connection is in autocommit: nothing is asked in a transaction.

    `tell` is given words before each step that may take a while.
    """
    now = datetime.now(UTC)
    driver = Drivers(settings.drivers).of(nas.vendor)
    tested, heard = _tested(settings, nas, target, driver), _heard(connection, settings, nas, now)
    yield steps.check_reachable(tested, heard, now=now)
    secret = steps.check_secret(tested, heard, now=now)
    yield secret
    yield steps.after(secret, steps.check_login(tested, heard, now=now))
    live, interval_s = load_live(connection, nas.id), settings.accounting.default_interim_interval_s
    accounting = steps.check_accounting(tested, heard, live, default_interval_s=interval_s, now=now)
    yield steps.after(secret, accounting)
    withheld = _withheld(connection, nas, now)
    if not withheld:
        tell("asking for the end of a session that nobody has")
    probe = Probe(withheld=withheld) if withheld else asyncio.run(probe_changes(target, driver, sealer))
    changes = steps.check_changes(tested, probe)
    yield steps.after(secret, changes) if target.sealed_coa_secret is None and steps.says_nothing(probe) else changes
    if target.api_username is not None or target.ssh_username is not None:
        tell("asking the device itself, which may take a minute")
    view = look_at_device(connection, target, driver, sealer)
    records = heard.record_at is not None
    yield device_steps.check_access(tested, view)
    yield device_steps.check_clock(tested, view, probe, heard.clock, records=records, now=datetime.now(UTC))
    yield from device_steps.check_bypass(tested, view)
    yield device_steps.check_sessions(tested, view)


def _tested(settings: Settings, nas: Nas, target: NasTarget, driver: NasDriver) -> NasUnderTest:
    radius = settings_in_force(settings).radius
    return NasUnderTest(
        name=nas.name,
        source=str(nas.source) if target.own_address is None else str(target.own_address),
        vendor=nas.vendor,
        signs=nas.require_message_authenticator,
        verification=nas.verification,
        coa_address="" if target.address is None else str(target.address),
        coa_port=nas.coa_port,
        ports=(radius.authentication_port, radius.accounting_port),
        enabled=nas.enabled,
        ntp=driver.inspection.ntp,
    )


def _heard(connection: psycopg.Connection[Any], settings: Settings, nas: Nas, now: datetime) -> Heard:
    # The servers' logs are in the machine's own time, without a zone.
    dropped = load_dropped(settings, since=(now - _DROPPED_BACK).astimezone().replace(tzinfo=None))
    ours = [one.last.astimezone(UTC) for one in dropped if one.why is Why.WRONG_SECRET and one.who == nas.name]
    sources = [other.source for other in load_nases(connection) if other.enabled]
    strangers = [one.who for one in dropped if one.why is Why.UNKNOWN]
    return replace(
        load_heard(connection, nas.id, now=now),
        dropped_at=max(ours, default=None),
        strangers=tuple(who for who in strangers if not any(ip_address(who) in source for source in sources)),
        malformed=load_malformed(settings) or 0,
        clock=load_nas_clock(connection, nas.id),
    )


def _withheld(connection: psycopg.Connection[Any], nas: Nas, now: datetime) -> Sentence | str:
    """Why nothing may be sent to the device; empty when it may."""
    if load_stop(connection) is not None:
        return Sentence("`corrente stop` holds all that is sent")
    in_maintenance = Sentence("the NAS is in maintenance")
    return in_maintenance if any(row.nas == nas.name for row in load_maintenance(connection, now)) else ""


async def probe_changes(nas: NasTarget, driver: NasDriver, sealer: Sealer, *, patience: Patience = _PATIENCE) -> Probe:
    """Ask for the end of a session that nobody has; when nothing answers, once more without Event-Timestamp."""
    sender = ChangeSender(patience=patience)
    try:
        target = change_target(nas, sealer)
        # Of the form of most devices' ids, and as likely to be somebody's as any 64 random bits.
        identity = SessionIdentity(
            username=f"corrente-test-{secrets.token_hex(8)}",
            acct_session_id=secrets.token_hex(8),
            nas_address=nas.own_address,
            nas_identifier=nas.identifier,
        )
        request = ChangeRequest(ChangeCode.DISCONNECT, driver.identity_attributes(identity, detail=0))
        outcome = await _ask(sender, target, request)
        other_secret = sender.discarded["wrong authenticator"] > 0
        undated = None
        if isinstance(outcome, Unanswered) and outcome.sends and not outcome.refused and target.event_timestamp:
            undated = await _ask(sender, replace(target, event_timestamp=False), request)
        return Probe(outcome, other_secret=other_secret, dated=target.event_timestamp, undated=undated)
    except (UnreachableError, SealError) as error:
        return Probe(withheld=str(error))
    finally:
        await sender.close()


async def _ask(sender: ChangeSender, target: ChangeTarget, request: ChangeRequest) -> Outcome:
    try:
        return await sender.send(target, request, on_packet=lambda _: None)
    except NasError as error:
        return Unanswered(0, problem=str(error))


def look_at_device(
    connection: psycopg.Connection[Any], nas: NasTarget, driver: NasDriver, sealer: Sealer
) -> DeviceView:
    """What the device itself shows of its setup, its clock and its sessions: by its API, else by its command line."""
    if nas.api_username is None and nas.ssh_username is None:
        return DeviceView()
    own = OwnView(load_own(connection, nas.id), load_just_in(connection, nas.id, since_s=LISTS_GRACE_S))
    if nas.api_username is None:
        return look_by_command_line(nas, driver, own, sealer)
    view = DeviceView("API", tls=nas.api_tls, pinned=nas.api_certificate is not None)
    try:
        device = RouterOsDevice(replace(api_access(nas, sealer), timeout_s=_TIMEOUT_S))
        setup, read_at = device.read_setup(), datetime.now(UTC)
        listed = device.read_sessions()
    except (NasError, SealError) as error:
        return replace(view, problem=str(error))
    return replace(
        view,
        faults=setup_faults(setup, coa_port=nas.port),
        off_s=None if setup.clock is None else (setup.clock - read_at).total_seconds(),
        no_clock="the router does not say its offset from UTC",
        sides=compare(own.sessions, listed, read_at=read_at, just_in=own.just_in),
    )
