"""How a NAS is sent changes: the options of `corrente nas add` and `set` for CoA, the RouterOS API and the command line."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from control_plane.cli._console import Refused
from control_plane.cli._options import DEVICE_ADDRESS, given_secret

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_COA_COLUMNS: Final = (
    "coa_port",
    "coa_message_authenticator",
    "coa_event_timestamp",
    "coa_window",
    "coa_rate_per_s",
    "api_port",
    "api_tls",
    "api_login",
    "api_username",
    "ssh_port",
    "ssh_username",
)


def change_options(function: Any) -> Any:
    """The options that say how changes reach a NAS."""
    for option in (
        click.option("--coa-address", type=DEVICE_ADDRESS, help="Where CoA goes, if not to the source address."),
        click.option(
            "--coa-port",
            type=click.IntRange(1, 65535),
            help="Where it listens for CoA; a new one: the usual of its vendor.",
        ),
        click.option("--coa-secret-file", metavar="FILE", help="CoA secret, if not the RADIUS secret."),
        click.option(
            "--coa-source", type=DEVICE_ADDRESS, help="Our address that CoA leaves from, if the device knows only one."
        ),
        click.option(
            "--coa-message-authenticator/--no-coa-message-authenticator",
            default=None,
            help="Sign CoA with a Message-Authenticator (the default).",
        ),
        click.option(
            "--coa-event-timestamp/--no-coa-event-timestamp",
            default=None,
            help="Date CoA against replay (the default); off where the device's clock is wrong.",
        ),
        click.option(
            "--coa-window", type=click.IntRange(1, 256), help="Requests that may wait for an answer at once: 16."
        ),
        click.option(
            "--coa-rate", "coa_rate_per_s", type=click.IntRange(1, 10_000), help="New requests in a second: 100."
        ),
        click.option("--api-user", "api_username", help="User of its RouterOS API; none: the API is not used."),
        click.option("--api-password-file", metavar="FILE", help="That user's password: the first line of a file."),
        click.option("--api-address", type=DEVICE_ADDRESS, help="Where the API listens, if not where CoA goes."),
        click.option("--api-port", type=click.IntRange(1, 65535), help="8729 with TLS, 8728 without."),
        click.option("--api-tls/--no-api-tls", default=None, help="TLS to the API (the default)."),
        click.option(
            "--api-certificate", metavar="SHA256", help="The one certificate to trust: its fingerprint, 64 hex digits."
        ),
        click.option(
            "--api-login",
            type=click.Choice(["auto", "challenge", "clear"]),
            help="How the API is shown the password: auto; challenge: by the MD5 of releases before 6.45.1 alone, never in clear.",
        ),
        click.option("--ssh-user", "ssh_username", help="User of its command line; none: that is not used."),
        click.option("--ssh-password-file", metavar="FILE", help="That user's password: the first line of a file."),
        click.option("--ssh-address", type=DEVICE_ADDRESS, help="Where the command line is, if not where CoA goes."),
        click.option("--ssh-port", type=click.IntRange(1, 65535), help="22 unless it is another."),
    ):
        function = option(function)
    return function


def change_columns(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as columns of the table; the passwords are not among them."""
    columns = {name: options[name] for name in _COA_COLUMNS if options[name] is not None}
    for name in ("coa_address", "coa_source", "api_address", "ssh_address"):
        if options[name] is not None:
            columns[name] = options[name].network_address
    if options["api_certificate"] is not None:
        columns["api_certificate"] = _fingerprint(options["api_certificate"])
    return columns


def emptied_columns(options: dict[str, Any]) -> dict[str, Any]:
    """The columns that `set` empties again."""
    for flag, option, typed in (
        ("no_coa_address", "coa_address", "--coa-address"),
        ("no_coa_source", "coa_source", "--coa-source"),
        ("no_coa_secret", "coa_secret_file", "--coa-secret-file"),
        ("no_api_certificate", "api_certificate", "--api-certificate"),
        ("no_api", "api_username", "--api-user"),
        ("no_api", "api_password_file", "--api-password-file"),
        ("no_ssh", "ssh_username", "--ssh-user"),
        ("no_ssh", "ssh_password_file", "--ssh-password-file"),
    ):
        if options[flag] and options[option] is not None:
            raise click.UsageError(f"--{flag.replace('_', '-')} excludes {typed}")
    columns: dict[str, Any] = {
        name: None for name in ("coa_address", "coa_source", "api_certificate") if options[f"no_{name}"]
    }
    if options["no_coa_secret"]:
        columns["sealed_coa_secret"] = None
    if options["no_api"]:
        columns |= {"api_username": None, "sealed_api_password": None}
    if options["no_ssh"]:
        columns |= {"ssh_username": None, "sealed_ssh_password": None, "ssh_host_key": None}
    return columns


def given_api_password(options: dict[str, Any], *, has_user: bool) -> str | None:
    """The password that goes with the user. Raises: Refused when one of the two is missing."""
    password = given_secret(options["api_password_file"], ask=False, what="the API password")
    if password is not None and options["api_username"] is None and not has_user:
        raise Refused("an API password needs --api-user")
    if options["api_username"] is not None and password is None and not has_user:
        raise Refused("an API user needs --api-password-file")
    return password


def given_ssh_password(options: dict[str, Any], *, has_user: bool) -> str | None:
    """The password that goes with the user of the command line. Raises: Refused when one of the two is missing."""
    password = given_secret(options["ssh_password_file"], ask=False, what="the SSH password")
    if password is not None and options["ssh_username"] is None and not has_user:
        raise Refused("an SSH password needs --ssh-user")
    if options["ssh_username"] is not None and password is None and not has_user:
        raise Refused("an SSH user needs --ssh-password-file")
    return password


def _fingerprint(text: str) -> bytes:
    digits = text.lower().replace(":", "")
    if _SHA256.fullmatch(digits) is None:
        raise Refused(f"{text}: a SHA-256 fingerprint has 64 hex digits")
    return bytes.fromhex(digits)
