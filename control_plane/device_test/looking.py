"""Looks at one device for `corrente nas test`, and has the steps judge what it saw. An edge: database, logs, network.

Nothing that is sent touches a subscriber: one Disconnect that names a session nobody has, and commands of the API that print.

Units: *_s seconds; instants are aware UTC.
Next: steps.py
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import psycopg

from control_plane.control_loop.outgoing import UnreachableError, api_access, change_target
from control_plane.control_loop.two_views import ListedSession, difference
from control_plane.device_test import device_steps, steps
from control_plane.device_test.seen import ApiView, Heard, NasUnderTest, Probe
from control_plane.findings import Finding
from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings
from control_plane.store.device_test import load_heard, load_live
from control_plane.store.device_views import load_own
from control_plane.store.interventions import load_maintenance, load_stop
from control_plane.store.nas import Nas, load_nases
from control_plane.store.targets import NasTarget
from control_plane.unanswered import Why, load_dropped, load_malformed
from nas_drivers.driver import Drivers, NasDriver
from nas_drivers.errors import NasError
from nas_drivers.policy import SessionIdentity
from nas_drivers.routeros_setup import setup_faults
from nas_drivers.transport import ssh
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
    connection: psycopg.Connection[Any], settings: Settings, nas: Nas, target: NasTarget, sealer: Sealer
) -> Iterator[Finding]:
    """Every step of one device, one after the other. The connection is in autocommit: nothing is asked in a transaction."""
    now = datetime.now(UTC)
    tested, heard = _tested(settings, nas, target), _heard(connection, settings, nas, now)
    yield steps.check_reachable(tested, heard, now=now)
    yield steps.check_secret(tested, heard, now=now)
    yield steps.check_login(tested, heard, now=now)
    yield steps.check_accounting(
        tested,
        heard,
        load_live(connection, nas.id),
        default_interval_s=settings.accounting.default_interim_interval_s,
        now=now,
    )
    withheld = _withheld(connection, nas, now)
    driver = Drivers(settings.drivers).of(nas.vendor)
    probe = Probe(withheld=withheld) if withheld else asyncio.run(probe_changes(target, driver, sealer))
    yield steps.check_changes(tested, probe)
    api = look_by_api(connection, target, sealer)
    yield device_steps.check_access(tested, api)
    yield device_steps.check_clock(tested, api, probe)
    yield from device_steps.check_bypass(tested, api)
    yield device_steps.check_sessions(tested, api)


def _tested(settings: Settings, nas: Nas, target: NasTarget) -> NasUnderTest:
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
    )


def _withheld(connection: psycopg.Connection[Any], nas: Nas, now: datetime) -> str:
    """Why nothing may be sent to the device; empty when it may."""
    if load_stop(connection) is not None:
        return "`corrente stop` holds all that is sent"
    return "the NAS is in maintenance" if any(row.nas == nas.name for row in load_maintenance(connection, now)) else ""


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


def look_by_api(connection: psycopg.Connection[Any], nas: NasTarget, sealer: Sealer) -> ApiView:
    """What the device's API shows of its setup, its clock and its sessions."""
    view = ApiView(nas.api_username is not None, tls=nas.api_tls, pinned=nas.api_certificate is not None)
    if nas.api_username is None:
        return view if nas.ssh_username is None else _look_at_host_key(nas)
    try:
        device = RouterOsDevice(replace(api_access(nas, sealer), timeout_s=_TIMEOUT_S))
        setup, read_at = device.read_setup(), datetime.now(UTC)
        listed = device.read_sessions()
    except (NasError, SealError) as error:
        return replace(view, problem=str(error))
    theirs = [
        ListedSession(one.acct_session_id, one.username, read_at - timedelta(seconds=one.up_s or 0)) for one in listed
    ]
    differs = difference(load_own(connection, nas.id), theirs, read_at=read_at)
    return replace(
        view,
        faults=setup_faults(setup, coa_port=nas.port),
        off_s=None if setup.clock is None else (setup.clock - read_at).total_seconds(),
        only_ours=tuple(one.username for one in differs.ghosts),
        only_there=tuple(one.username for one in differs.unknown),
        there=len(listed),
    )


def _look_at_host_key(nas: NasTarget) -> ApiView:
    """Whether the device's command line shows the key that a person trusted; nobody logs in."""
    view = ApiView(True, by="command line")
    if nas.ssh_address is None or nas.ssh_host_key is None:
        return replace(view, problem="its command line is not used: it has no address, or no host key is trusted")
    try:
        offered = ssh.read_offered_key(str(nas.ssh_address), nas.ssh_port, timeout_s=_TIMEOUT_S)
    except NasError as error:
        return replace(view, problem=str(error))
    if offered == nas.ssh_host_key:
        return view
    shown, trusted = ssh.fingerprint_of(offered), ssh.fingerprint_of(nas.ssh_host_key)
    return replace(view, problem=f"its command line shows host key {shown}, trusted is {trusted}")
