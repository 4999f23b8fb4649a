"""The FreeRADIUS of this product: its configuration rendered from freeradius-config/, and how its two servers are started.

One process answers logins and one takes accounting, so that neither waits for the other. `corrente up`, `corrente check`, the tests and an operator's own FreeRADIUS use the same files, so what is tested is what
runs. Nothing is written but the rendered files; the directories of the spools and logs are made by who starts it.

Next: freeradius-config/sites-enabled/corrente-authentication
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import string
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

from control_plane.settings import Settings

BINARY: Final = Path("/usr/sbin/freeradius")
# The two servers, each a process: FreeRADIUS reads NAME.conf when it is started with `-n NAME`.
AUTHENTICATION: Final = "authentication"
ACCOUNTING: Final = "accounting"
SERVERS: Final = (AUTHENTICATION, ACCOUNTING)
# Debian's package makes this user; started by root, FreeRADIUS gives up being root for it.
SERVICE_USER: Final = "freerad"
STATUS_SECRET_FILE: Final = "status.secret"  # noqa: S105 - the name of a file
_CHECK_TIMEOUT_S: Final = 60
_PLACEHOLDER_LEFT: Final = re.compile(r"@\{")
# Values stand in double quotes, where these have a meaning of their own.
_UNQUOTABLE: Final = re.compile(r"[\"\\$%\x00-\x1f\x7f]")


class FreeradiusError(Exception):
    """The configuration can't be rendered; the message names the value and what to do."""


class _Form(string.Template):
    """A configuration file with words to fill in, marked so that FreeRADIUS's own ${…} stays as it is."""

    delimiter = "@"
    pattern = r"@(?:(?P<escaped>@@)|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>(?=\{)))"  # type: ignore[assignment]


def forms_dir() -> Path:
    """Where freeradius-config is: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent
    installed = package / "freeradius-config"
    return installed if installed.is_dir() else package.parent / "freeradius-config"


def render(settings: Settings, target_dir: Path) -> Path:
    """Fill in freeradius-config for these settings and put it into `target_dir`, which is returned.

    A file that changed is replaced by rename; one that is no longer among the forms is removed. Started by root, the
    files belong to FreeRADIUS's group and nobody else reads them: one of them holds the status client's secret.

    Raises: FreeradiusError.
    """
    if target_dir.is_dir() and any(target_dir.iterdir()) and not (target_dir / STATUS_SECRET_FILE).exists():
        raise FreeradiusError(f"{target_dir} holds files of someone else: name an empty directory")
    words = _words(settings, target_dir)
    forms = forms_dir()
    names = sorted(path.relative_to(forms) for path in forms.rglob("*") if path.is_file() and path.suffix != ".md")
    if not names:
        raise FreeradiusError(f"{forms} holds no configuration: install the package again")
    for name in names:
        text = _Form((forms / name).read_text()).substitute(words)
        assert not _PLACEHOLDER_LEFT.search(text), f"{name} has a word in braces that is not filled in"
        _put(target_dir / name, text)
    _remove_others(target_dir, {target_dir / name for name in names} | {target_dir / STATUS_SECRET_FILE})
    return target_dir


def command(config_dir: Path, server: str, *, check_only: bool = False) -> list[str]:
    """How to start one of the rendered SERVERS in daemon mode without leaving the terminal, or only to check it.

    `-f` keeps it in the foreground for a supervisor; `-X` would change what rlm_python3 does, so it is never used.
    """
    if check_only:
        return [str(BINARY), "-C", "-d", str(config_dir), "-n", server, "-l", "stdout"]
    return [str(BINARY), "-f", "-d", str(config_dir), "-n", server]


def refusal(config_dir: Path) -> str:
    """What FreeRADIUS itself says against the rendered configuration of either server; empty when it accepts both."""
    for server in SERVERS:
        done = subprocess.run(
            command(config_dir, server, check_only=True),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_CHECK_TIMEOUT_S,
        )
        if done.returncode != 0:
            return (done.stdout + done.stderr).strip() or "it gives no reason"
    return ""


def status_secret(config_dir: Path) -> bytes:
    """The shared secret of the two status ports, made when the configuration was first rendered."""
    return (config_dir / STATUS_SECRET_FILE).read_bytes()


def log_dir(settings: Settings) -> Path:
    """Where each server writes NAME.log."""
    return settings.state_dir / "log" / "freeradius"


def run_dir(settings: Settings) -> Path:
    """Where each server keeps its pid file."""
    return settings.state_dir / "run" / "freeradius"


def secrets_key_file(settings: Settings) -> str:
    """The file with the secrets key; empty when the key is in FreeRADIUS's environment as CORRENTE_SECRETS_KEY."""
    if "CORRENTE_SECRETS_KEY" in os.environ:
        return ""
    return os.environ.get("CORRENTE_SECRETS_KEY_FILE", str(settings.state_dir / "secrets.key"))


def _words(settings: Settings, target_dir: Path) -> dict[str, str]:
    radius, access = settings.radius, settings.access
    quoted = {
        "config_dir": str(target_dir.resolve()),
        "log_dir": str(log_dir(settings)),
        "run_dir": str(run_dir(settings)),
        "code_dir": str(Path(__file__).resolve().parent.parent),
        "site_packages": sysconfig.get_path("purelib"),
        "policy_dir": str(settings.policy_dir),
        "secrets_key_file": secrets_key_file(settings),
        "accounting_spool_dir": str(settings.accounting_spool_dir),
        "login_spool_dir": str(settings.login_spool_dir),
        "listen_address": radius.listen_address,
        "status_secret": _status_secret(target_dir),
    }
    for name, value in quoted.items():
        if _UNQUOTABLE.search(value):
            raise FreeradiusError(
                f"{name} is {value!r}: FreeRADIUS can't take a path with a quote, backslash, $, % or a control character"
            )
    user = f"\tuser = {SERVICE_USER}\n\tgroup = {SERVICE_USER}" if os.geteuid() == 0 else "\t# as who started it"
    numbers = {
        "authentication_port": radius.authentication_port,
        "accounting_port": radius.accounting_port,
        "status_port": radius.status_port,
        "accounting_status_port": radius.accounting_status_port,
        "nas_lifetime_s": radius.nas_lifetime_s,
        "reject_delay_s": radius.reject_delay_s,
        "threads": radius.threads,
        "store_max_age_s": access.store_max_age_s,
        "sessions_max_age_s": access.sessions_max_age_s,
        "timeout_jitter_percent": access.timeout_jitter_percent,
    }
    return quoted | {"run_as": user} | {name: str(value) for name, value in numbers.items()}


def _status_secret(target_dir: Path) -> str:
    file = target_dir / STATUS_SECRET_FILE
    if not file.exists():
        _put(file, secrets.token_urlsafe(24))
    return file.read_text()


def _put(file: Path, text: str) -> None:
    """Write one file whole, readable by FreeRADIUS and not by everyone."""
    if file.is_file() and file.read_text() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.touch(mode=0o640)
    new.write_text(text)
    if os.geteuid() == 0:
        shutil.chown(new, group=SERVICE_USER)
    new.replace(file)


def _remove_others(target_dir: Path, wanted: set[Path]) -> None:
    """Drop files of an older version: FreeRADIUS would read whatever lies in mods-enabled and sites-enabled."""
    for path in target_dir.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
