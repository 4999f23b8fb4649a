"""The commands that make a device and this installation know each other, from what the database and the settings have. An edge.

Next: ../nas_drivers/device_setup.py
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any, Final

import psycopg

from control_plane.machine.ports import settings_in_force
from control_plane.policy.policy_source import load_profiles
from control_plane.policy.profile import session_policy
from control_plane.settings import Settings
from control_plane.store.targets import NasTarget
from nas_drivers.device_setup import Address, DeviceSetup, fit_policies
from nas_drivers.driver import Drivers, NasDriver
from nas_drivers.errors import NasError
from radius_hooks.sealing import Sealer, nas_api_row, nas_coa_row, nas_row, nas_ssh_row

Connection = psycopg.Connection[Any]

# What stands in the place of a secret that is not to be shown.
HIDDEN_SECRET: Final = "PUT-THE-RADIUS-SECRET-HERE"  # noqa: S105 - the place of a secret
HIDDEN_COA_SECRET: Final = "PUT-THE-COA-SECRET-HERE"  # noqa: S105 - the place of a secret
HIDDEN_PASSWORD: Final = "PUT-THE-PASSWORD-HERE"  # noqa: S105 - the place of a secret
# Any port will do: nothing is sent to it.
_DISCARD_PORT: Final = 9
# RFC 5737: nobody's. Printed nowhere.
_ANY_PORTAL: Final = ip_address("203.0.113.5")


class NoCommandsError(NasError):
    """The commands can't be printed as things are; the message says what to give."""


@dataclass(frozen=True, slots=True)
class DeviceSecrets:
    """What a device must be told in clear. `coa` None: the same as `radius`. `access` is the password of the user that we
    come as by API or SSH."""

    radius: str = field(repr=False)
    coa: str | None = field(default=None, repr=False)
    access: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Facing:
    """What only a person may know of how a device sees us. Empty or None: it is worked out."""

    device: Address | None = None
    radius_addresses: tuple[Address, ...] = ()
    portal: Address | None = None


@dataclass(frozen=True, slots=True)
class DeviceCommands:
    """The text to paste, and what a person should know of it."""

    text: str
    notes: tuple[str, ...]


def read_facing(*, device: str, radius: str, portal: str) -> Facing:
    """What somebody wrote of it; addresses of RADIUS servers by commas or blanks. Raises: ValueError."""
    read = {"device": _addresses(device), "radius": _addresses(radius), "portal": _addresses(portal)}
    return Facing(next(iter(read["device"]), None), read["radius"], next(iter(read["portal"]), None))


def _addresses(text: str) -> tuple[Address, ...]:
    return tuple(ip_address(one) for one in re.split(r"[\s,;]+", text) if one)


def hidden_secrets(nas: NasTarget) -> DeviceSecrets:
    """Words in the place of a NAS's secrets."""
    return DeviceSecrets(
        HIDDEN_SECRET,
        None if nas.sealed_coa_secret is None else HIDDEN_COA_SECRET,
        None if nas.sealed_api_password is None and nas.sealed_ssh_password is None else HIDDEN_PASSWORD,
    )


def open_secrets(nas: NasTarget, sealer: Sealer) -> DeviceSecrets:
    """A NAS's secrets in clear. Raises: SealError."""

    def opened(sealed: bytes | None, row: str) -> str | None:
        return None if sealed is None else sealer.open(sealed, row=row).decode()

    return DeviceSecrets(
        sealer.open(nas.sealed_secret, row=nas_row(nas.id)).decode(),
        opened(nas.sealed_coa_secret, nas_coa_row(nas.id)),
        opened(nas.sealed_api_password, nas_api_row(nas.id)) or opened(nas.sealed_ssh_password, nas_ssh_row(nas.id)),
    )


def device_commands(
    connection: Connection, settings: Settings, nas: NasTarget, secrets: DeviceSecrets, facing: Facing
) -> DeviceCommands:
    """What to paste on a device. Raises: NoCommandsError, CliWordError, UnknownVendorError."""
    device = facing.device or nas.own_address
    if device is None:
        raise NoCommandsError(
            f"{nas.name} stands for many devices: corrente nas commands {nas.name} --device ADDRESS, for each of them"
        )
    radius = settings_in_force(settings).radius
    servers = facing.radius_addresses or (_listening(radius.listen_address) or our_address_towards(device),)
    policies, left_out = fit_policies(session_policy(profile) for profile in load_profiles(connection))
    setup = DeviceSetup(
        nas_name=nas.name,
        nas_address=device,
        radius_addresses=servers,
        # Workers stand where the RADIUS nodes do unless a NAS is told changes from an address of its own.
        change_addresses=(nas.source_address,) if nas.source_address is not None else servers,
        secret=secrets.radius,
        coa_secret=secrets.radius if secrets.coa is None else secrets.coa,
        coa_port=nas.port,
        authentication_port=radius.authentication_port,
        accounting_port=radius.accounting_port,
        interim_interval_s=settings.accounting.default_interim_interval_s,
        policies=policies,
        portal_address=facing.portal,
        access_username=nas.api_username or nas.ssh_username,
        access_password=secrets.access,
    )
    driver = Drivers(settings.drivers).of(nas.vendor)
    notes = (*_left_out(left_out), *_of_address(device, radius.listen_address), *_of_portal(driver, setup))
    return DeviceCommands(driver.setup_commands(setup), (*notes, page_note(nas.vendor)))


def page_note(vendor: str) -> str:
    """Where the rest stands: commands alone don't say what is missing or was never tried."""
    return f"docs/drivers/{vendor}.md says what else only you know, and what is UNCONFIRMED on a real device"


def our_address_towards(device: Address) -> Address:
    """Our own address from which this machine would speak to a device; nothing is sent. Raises: NoCommandsError."""
    family = socket.AF_INET if device.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        try:
            asker.connect((str(device), _DISCARD_PORT))
            return ip_address(str(asker.getsockname()[0]).partition("%")[0])
        except OSError as error:
            raise NoCommandsError(
                f"this machine has no route to {device} ({error.strerror}): say with --radius-address where it finds us"
            ) from error


def _listening(address: str) -> Address | None:
    """The address of the settings when it is one that a device could ask."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return None if found.is_unspecified or found.is_loopback else found


def _left_out(names: Sequence[str]) -> list[str]:
    return [
        f"left out: {name!r} of a profile, which no command line takes as it stands; enter it by hand" for name in names
    ]


def _of_address(device: Address, listens: str) -> list[str]:
    if device.is_loopback or not _is_loopback(listens):
        return []
    return [f"the RADIUS servers listen on {listens}, where no device reaches them: set [radius] listen_address"]


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _of_portal(driver: NasDriver, setup: DeviceSetup) -> list[str]:
    """Only where its commands have a place for the portal: elsewhere nothing would be printed for it."""
    named = replace(setup, portal_address=_ANY_PORTAL)
    if setup.portal_address is not None or driver.setup_commands(named) == driver.setup_commands(setup):
        return []
    again = f"corrente nas commands {setup.nas_name} --portal-address ADDRESS"
    return [f"the walled garden reaches no portal: {again} prints them with one"]
