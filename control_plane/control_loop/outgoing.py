"""What one change looks like on the wire: to whom, and which attributes or which call of an API. Pure but for the opening
of a sealed secret.

Next: verification.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from control_plane.control_loop.api_calls import TIMEOUT_S, ApiCall, ListsCall
from control_plane.control_loop.cli_calls import CliCall
from control_plane.control_loop.enforcement import Progress
from control_plane.control_loop.ladder import Ladders
from control_plane.store.enforcement import Change
from control_plane.store.targets import NasTarget
from nas_drivers.driver import ChangesListsByApi, NasDriver
from nas_drivers.errors import NasError
from nas_drivers.families.routeros_lists import ListChange
from nas_drivers.policy import Method, SessionIdentity
from nas_drivers.transport.coa import ChangeCode, ChangeRequest, ChangeTarget
from nas_drivers.transport.routeros_access import ApiAccess, ApiLogin
from nas_drivers.transport.ssh_access import SshAccess
from radius_hooks.packet import CLASS_PREFIX
from radius_hooks.sealing import Sealer, nas_api_row, nas_coa_row, nas_row, nas_ssh_row

_CODES: Final = {Method.COA: ChangeCode.COA, Method.DISCONNECT: ChangeCode.DISCONNECT}


class UnreachableError(NasError):
    """A change can't be addressed as things are configured."""


class ContentError(Exception):
    """A profile has been edited, and what its version means is not known at this moment: it will be in the next."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request and who gets it."""

    target: ChangeTarget
    request: ChangeRequest


@dataclass(frozen=True, slots=True)
class OutgoingWithLists:
    """A CoA, if it says anything, and once that is acknowledged the address lists by API: together they are one change."""

    coa: Outgoing | None
    lists: ListsCall


AnyOutgoing = Outgoing | OutgoingWithLists | ApiCall | CliCall


def build_outgoing(change: Change, progress: Progress, ladders: Ladders, sealer: Sealer) -> AnyOutgoing:
    """The request for a change as far as it has come. Raises: ContentError, NasError, SealError, ValueError."""
    nas, driver = ladders.nas(change.nas_id), ladders.driver(change.nas_id)
    if progress.method is Method.ROUTEROS_API:
        return ApiCall(api_access(nas, sealer), change.username, change.acct_session_id)
    if progress.method is Method.CLI:
        return _cli_call(change, nas, driver, sealer)
    code = _CODES.get(progress.method)
    if code is None:
        raise UnreachableError(f"{nas.name}: no way to carry out {progress.method.value}")
    attributes = driver.identity_attributes(_identity(change, nas), detail=progress.identity_detail)
    if code is ChangeCode.COA:
        policy = ladders.policy(change.profile_id)
        if policy is None:
            raise UnreachableError(f"profile {change.profile_id} is not there any more")
        # The version is what the session will be known by: it must never stand for another content than was sent.
        if not ladders.has_content(change.profile_id, change.desired_version):
            raise ContentError(f"profile {change.profile_id} is not what version {change.desired_version!r} means")
        old = ladders.given_by(change.from_version)
        attributes += driver.change_attributes(policy, old=old, class_octets=_new_class(change))
    outgoing = Outgoing(change_target(nas, sealer), ChangeRequest(code, attributes))
    way = (change.nas_id, change.from_version, change.desired_version, change.profile_id)
    if code is not ChangeCode.COA or not ladders.lists_change(*way):
        return outgoing
    lists = ListsCall(api_access(nas, sealer), _list_change(change, ladders, driver))
    return OutgoingWithLists(outgoing if ladders.coa_says_something(*way) else None, lists)


def _list_change(change: Change, ladders: Ladders, driver: NasDriver) -> ListChange:
    policy = ladders.policy(change.profile_id)
    assert policy is not None
    assert isinstance(driver, ChangesListsByApi)
    timeout_s = driver.live_lists()
    assert timeout_s is not None
    return ListChange(
        username=change.username,
        acct_session_id=change.acct_session_id,
        address=None if change.framed_ipv4 is None else str(change.framed_ipv4),
        wanted=frozenset(policy.address_lists),
        known=ladders.all_lists(),
        timeout_s=timeout_s,
    )


def _identity(change: Change, nas: NasTarget) -> SessionIdentity:
    return SessionIdentity(
        username=change.username,
        acct_session_id=change.acct_session_id,
        nas_address=nas.own_address,
        nas_identifier=nas.identifier,
        framed_ipv4=change.framed_ipv4,
        framed_ipv6_prefix=change.framed_ipv6_prefix,
        mac=change.mac,
        nas_port_id=change.nas_port_id,
    )


def _new_class(change: Change) -> bytes | None:
    """The session's Class with the new version; None for a session that does not carry ours."""
    if change.class_key is None or change.desired_version is None:
        return None
    return CLASS_PREFIX + change.class_key.bytes + change.desired_version


def api_access(nas: NasTarget, sealer: Sealer) -> ApiAccess:
    """How the API of a NAS is reached. Raises: UnreachableError, SealError."""
    if nas.api_address is None or nas.api_username is None or nas.sealed_api_password is None:
        raise UnreachableError(f"{nas.name}: no API access: corrente nas set {nas.name} --api-user, --api-address")
    return ApiAccess(
        nas_id=nas.id,
        address=str(nas.api_address),
        username=nas.api_username,
        password=sealer.open(nas.sealed_api_password, row=nas_api_row(nas.id)).decode(),
        port=nas.api_port,
        tls=nas.api_tls,
        certificate=nas.api_certificate,
        timeout_s=TIMEOUT_S,
        login=ApiLogin(nas.api_login),
        nas_name=nas.name,
    )


def _cli_call(change: Change, nas: NasTarget, driver: NasDriver, sealer: Sealer) -> CliCall:
    if driver.cli is None:
        raise UnreachableError(f"{nas.name}: no command of {driver.vendor} is known")
    identity = _identity(change, nas)
    # A name that no command line takes is found out here, and nobody logs in for it.
    driver.cli.show_session(identity)
    return CliCall(ssh_access(nas, driver.cli.device_type, sealer), driver.cli, identity)


def ssh_access(nas: NasTarget, device_type: str, sealer: Sealer) -> SshAccess:
    """How the command line of a NAS is reached. Raises: UnreachableError, SealError."""
    if nas.ssh_address is None or nas.ssh_username is None or nas.sealed_ssh_password is None:
        raise UnreachableError(f"{nas.name}: no command line: corrente nas set {nas.name} --ssh-user, --ssh-address")
    if nas.ssh_host_key is None:
        raise UnreachableError(f"{nas.name}: no host key is trusted: corrente nas host-key {nas.name}")
    return SshAccess(
        nas_id=nas.id,
        address=str(nas.ssh_address),
        username=nas.ssh_username,
        password=sealer.open(nas.sealed_ssh_password, row=nas_ssh_row(nas.id)).decode(),
        host_key=nas.ssh_host_key,
        device_type=device_type,
        port=nas.ssh_port,
        timeout_s=TIMEOUT_S,
        nas_name=nas.name,
    )


def change_target(nas: NasTarget, sealer: Sealer) -> ChangeTarget:
    """Where a NAS is sent changes, with the secret in clear. Raises: UnreachableError, SealError."""
    if nas.address is None:
        raise UnreachableError(
            f"{nas.name} stands for many devices and has no CoA address: give it one, or register each by itself"
        )
    if nas.sealed_coa_secret is not None:
        secret = sealer.open(nas.sealed_coa_secret, row=nas_coa_row(nas.id))
    else:
        secret = sealer.open(nas.sealed_secret, row=nas_row(nas.id))
    return ChangeTarget(
        nas_id=nas.id,
        address=str(nas.address),
        port=nas.port,
        secret=secret,
        source_address=None if nas.source_address is None else str(nas.source_address),
        message_authenticator=nas.message_authenticator,
        event_timestamp=nas.event_timestamp,
        window=nas.window,
        rate_per_s=nas.rate_per_s,
    )
