"""Setting up an access device: what to paste on it, its secrets told to who says why, the key to trust, and a test of each part."""

from __future__ import annotations

from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.device_commands import DeviceSecrets, device_commands, hidden_secrets, read_facing
from control_plane.nases import is_never_answered, reveal_secrets, trust_host_key
from control_plane.store.nas import Nas
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.driver import vendor_names
from nas_drivers.errors import NasError
from radius_hooks.sealing import SealError
from web.acting import person, transaction
from web.api._shapes import Reason, wrong_value
from web.api.nases import known
from web.calls import Noun
from web.database import Connection
from web.device_tests import TESTING, findings_of
from web.problems import Problem
from web.sealing import sealer
from web.surroundings import here

pages = Noun("nases", "setup")
_Addresses = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class HowItSeesUs(msgspec.Struct, frozen=True, kw_only=True):
    """What only a person may know: the device's own address, where it finds the RADIUS servers (by commas), and the portal. Else it is worked out."""

    device: _Addresses = ""
    radius: _Addresses = ""
    portal: _Addresses = ""


class ToReveal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why its secrets are to be seen, which is kept; and how the device sees us."""

    reason: Reason
    device: _Addresses = ""
    radius: _Addresses = ""
    portal: _Addresses = ""


class DeviceSetup(msgspec.Struct, frozen=True):
    """What to paste on a device, with words in the place of secrets, and what a person should know of it. `never_answered`: as it is set, each of
    its requests would be dropped.
    """

    commands: str
    notes: list[str]
    never_answered: bool


class RevealedSetup(msgspec.Struct, frozen=True):
    """What to paste on a device, and its secrets in clear: nowhere kept with the answer. `coa` null: as `radius`."""

    commands: str
    notes: list[str]
    radius: str
    coa: str | None
    access: str | None


class DeviceKey(msgspec.Struct, frozen=True):
    """The key that its command line shows now; `trusted` is the fingerprint of the one that is trusted."""

    kind: str
    fingerprint: str
    trusted: str | None


class KeyToTrust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fingerprint that a person has compared."""

    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class TestedPart(msgspec.Struct, frozen=True):
    """A part of the test: `ok`, `warn` or `fail`, what was found, and what to do about it."""

    verdict: str
    subject: str
    text: str
    advice: str


@pages.call(
    "GET",
    "/nases/<name>/setup",
    permission=Permission.NETWORK_SEE,
    asked=HowItSeesUs,
    answers=DeviceSetup,
    refusals=(404, 409),
    does=("nases.setup",),
)
def setup(connection: Connection, *, name: str, asked: HowItSeesUs) -> DeviceSetup:
    """What to paste on a device, with words in the place of its secrets."""
    nas = known(connection, name)
    target = _target(connection, nas)
    text, notes = _commands(connection, target, hidden_secrets(target), asked)
    signed = nas.require_message_authenticator
    never = nas.vendor in vendor_names() and is_never_answered(nas.vendor, signed=signed)
    return DeviceSetup(text, notes, never)


@pages.call(
    "POST",
    "/nases/<name>/setup",
    permission=Permission.NETWORK_SEE,
    also=(Permission.NETWORK_CHANGE,),
    body=ToReveal,
    answers=RevealedSetup,
    refusals=(404, 409),
    transacted=False,
    does=("nases.setup",),
)
def reveal_setup(*, name: str, body: ToReveal) -> RevealedSetup:
    """What to paste on a device with its secrets in clear, after it is written down who saw them and why."""
    with transaction() as connection:
        target = _target(connection, known(connection, name))
        try:
            secrets = reveal_secrets(connection, target, sealer(), reason=body.reason, actor=person().name)
        except SealError as error:
            raise Problem(409, "The secrets were sealed with another key than this process has.") from error
        text, notes = _commands(connection, target, secrets, body)
    # Only after the commit: what was not written down is not told.
    return RevealedSetup(text, notes, secrets.radius, secrets.coa, secrets.access)


@pages.call(
    "GET",
    "/nases/<name>/host-key",
    permission=Permission.NETWORK_CHANGE,
    answers=DeviceKey,
    refusals=(404, 502),
    transacted=False,
    does=("nases.host_key",),
)
def host_key(*, name: str) -> DeviceKey:
    """The key that a device's command line shows now, for a person to compare. Asks the device."""
    return _shown_key(name)[0]


@pages.call(
    "POST",
    "/nases/<name>/host-key",
    permission=Permission.NETWORK_CHANGE,
    body=KeyToTrust,
    answers=DeviceKey,
    refusals=(404, 409, 502),
    transacted=False,
    does=("nases.host_key",),
)
def trust_key(*, name: str, body: KeyToTrust) -> DeviceKey:
    """Trust the key of that fingerprint, where the device shows it still. Asks the device."""
    key, line = _shown_key(name)
    if key.fingerprint != body.fingerprint:
        raise Problem(409, "It shows another key than that: nothing was changed.")
    with transaction() as connection:
        nas = known(connection, name)
        trust_host_key(connection, nas, line, shown=key.fingerprint, before=key.trusted, actor=person().name)
    return DeviceKey(key.kind, key.fingerprint, key.fingerprint)


@pages.call(
    "POST",
    "/nases/<name>/test",
    permission=Permission.NETWORK_ACT,
    answers=list[TestedPart],
    refusals=(404, 409),
    transacted=False,
    does=("nases.test",),
)
def test(*, name: str) -> list[TestedPart]:
    """Test each part of a device, which may take a minute: nothing that is sent touches a subscriber."""
    with transaction() as connection:
        known(connection, name)
    found_sealer = sealer()
    if not TESTING.acquire(blocking=False):
        raise Problem(409, "Several devices are being tested at this moment. Try again in a moment.")
    try:
        found = list(findings_of(name, found_sealer))
    finally:
        TESTING.release()
    return [TestedPart(one.verdict.name.lower(), one.subject, str(one.text), str(one.advice)) for one in found]


def _shown_key(name: str) -> tuple[DeviceKey, str]:
    from control_plane.host_keys import NoHostKeyError, read_host_key  # noqa: PLC0415 - SSH is half a second, for this call alone

    with transaction() as connection:
        nas = known(connection, name)
    try:
        key = read_host_key(nas)
    except NoHostKeyError as error:
        raise Problem(502, str(error)) from error
    return DeviceKey(key.kind, key.fingerprint, key.trusted), key.line


def _commands(
    connection: Connection, target: NasTarget, secrets: DeviceSecrets, asked: HowItSeesUs | ToReveal
) -> tuple[str, list[str]]:
    try:
        facing = read_facing(device=asked.device, radius=asked.radius, portal=asked.portal)
    except ValueError as error:
        raise wrong_value(f"no address: {error}") from error
    try:
        found = device_commands(connection, here().settings, target, secrets, facing)
    except NasError as error:
        raise Problem(409, str(error)) from error
    return found.text, list(found.notes)


def _target(connection: Connection, nas: Nas) -> NasTarget:
    return next(one for one in load_targets(connection) if one.id == nas.id)
