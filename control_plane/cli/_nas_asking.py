"""What `corrente nas add` asks for when it was left out and somebody sits at a terminal."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import click

from control_plane.cli._options import DEVICE_SOURCE, given_secret
from control_plane.made_secrets import made_nas_secret
from control_plane.nases import is_never_answered, way_in
from control_plane.quantities import Network
from nas_drivers.driver import driver_for, vendor_names

_NAME: Final = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}")
_ANSWERS: Final = {"y": "corrente", "yes": "corrente", "n": "", "no": ""}
_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class NewAccess:
    """A way into a device beside RADIUS, with a user that is to be made there."""

    by: Literal["api", "ssh"]
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewNas:
    """What a NAS must have. `secret` None: one is to be made. `unsigned`: its requests are taken without Message-Authenticator."""

    name: str
    source: Network
    vendor: str
    secret: str | None = field(repr=False)
    access: NewAccess | None = None
    unsigned: bool = False

    @property
    def answers(self) -> dict[str, Any]:
        """What was asked for beyond the arguments, as the options that it stands for."""
        found: dict[str, Any] = {"require_message_authenticator": False} if self.unsigned else {}
        return found if self.access is None else {**found, f"{self.access.by}_username": self.access.username}

    @property
    def made_password(self) -> str | None:
        """The password of the user that is to be made there."""
        return None if self.access is None else self.access.password


def given_nas(
    name: str | None,
    source: Network | None,
    vendor: str | None,
    *,
    secret_file: str | None,
    ask_secret: bool,
    what: str,
    has_access: bool,
    signing: bool | None,
) -> NewNas:
    """What was given, and what is answered for the rest. Raises: click.UsageError when nobody can be asked.

    `has_access`: a user was given; `signing`: whether it signs was.
    """
    missing = [said for value, said in ((name, "NAME"), (source, "SOURCE"), (vendor, "--vendor")) if value is None]
    if missing and not sys.stdin.isatty():
        raise click.UsageError(f"missing {', '.join(missing)}; at a terminal it is asked for")
    if name is None:
        name = str(click.prompt("Its name, such as bras-1", value_proc=_name))
    if source is None:
        source = click.prompt("The address it sends from, or the prefix of a group", type=DEVICE_SOURCE)
    if vendor is None:
        vendor = str(click.prompt("Vendor", type=click.Choice(vendor_names())))
    secret = given_secret(secret_file, ask=ask_secret, what=what)
    assert source is not None
    new = NewNas(name, source, vendor, secret)
    return _asked_more(new, what=what, has_access=has_access, signing=signing) if missing else new


def _asked_more(new: NewNas, *, what: str, has_access: bool, signing: bool | None) -> NewNas:
    """What has a default, and is worth a question to somebody who is being asked anyway."""
    if new.secret is None and click.confirm(f"Has it {what} already (else a strong one is made)?"):
        new = replace(new, secret=given_secret(None, ask=True, what=what))
    if signing is None and driver_for(new.vendor).inspection.signs is False:
        words = f"It sends no Message-Authenticator: no {new.vendor} does. Take its requests without (else none is answered)?"
        new = replace(new, unsigned=click.confirm(words, default=True))
    by = way_in(new.vendor)
    if has_access or by is None or new.source.prefixlen < new.source.max_prefixlen:
        return new
    place = "its API" if by == "api" else "SSH"
    click.echo(
        f"By {place} Corrente sees who is online and what lets people past RADIUS, and ends what RADIUS did not end."
    )
    words = "A user for that, made by the commands below: its name, such as corrente; empty: none"
    user = click.prompt(words, default="", show_default=False, value_proc=_user)
    return replace(new, access=NewAccess(by, user, made_nas_secret())) if user else new


def signing_note(vendor: str, name: str, *, required: bool) -> str | None:
    """A word on requests that would be dropped; None when there is nothing to say."""
    if not is_never_answered(vendor, signed=required):
        return None
    return (
        f"{name} sends no Message-Authenticator, so none of its requests is answered: "
        f"corrente nas set {name} --no-require-message-authenticator"
    )


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise click.BadParameter("letters, digits and . _ - alone, no - first, 64 at most")
    return text


def _user(text: str) -> str:
    """A name; who answers yes or no means that, not a user of that name."""
    text = _ANSWERS.get(text.lower(), text)
    if text and _USER.fullmatch(text) is None:
        raise click.BadParameter("letters, digits and . _ - alone, a letter or digit first, 32 at most")
    return text
