"""The state directory: what is where, who owns it, and the users that Corrente's processes run as.

Started by root, PostgreSQL runs as `postgres`, FreeRADIUS as `freerad` (the users of Debian's packages) and all else as
the system user `corrente`, which is also in FreeRADIUS's group: the two share the policy store and the spools, and
nothing more. Started by anyone else, all of it runs as that user.

Next: supervision.py
"""

from __future__ import annotations

import base64
import grp
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.machine.private_postgres import Cluster, service_user
from control_plane.settings import Settings
from radius_hooks.sealing import KEY_BYTES

SYSTEM_USER: Final = "corrente"
RADIUS_USER: Final = "freerad"
# sockaddr_un holds 108 octets; PostgreSQL's `/.s.PGSQL.5432` and the closing zero go off that.
_SOCKET_DIR_OCTETS: Final = 92


class StateError(Exception):
    """The state directory can't be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Users:
    """Who each part runs as, and the group that FreeRADIUS and Corrente share."""

    ours: str
    radius: str
    postgres: str
    shared_group: str


def users_for(euid: int) -> Users:
    """The users of a start by `euid`."""
    if euid == 0:
        return Users(ours=SYSTEM_USER, radius=RADIUS_USER, postgres=service_user(), shared_group=RADIUS_USER)
    caller = pwd.getpwuid(euid)
    return Users(caller.pw_name, caller.pw_name, caller.pw_name, grp.getgrgid(caller.pw_gid).gr_name)


def ensure_system_user() -> bool:
    """Make the system user `corrente` when root starts and it is missing; says whether it was made.

    An existing user only gets FreeRADIUS's group when it is not in it. Raises: StateError.
    """
    if os.geteuid() != 0:
        return False
    try:
        shared = grp.getgrnam(RADIUS_USER)
    except KeyError:
        raise StateError("the group freerad is missing: apt-get install freeradius") from None
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _run("useradd", "--system", "--user-group", "--home-dir", "/nonexistent", "--no-create-home", "--shell",
             "/usr/sbin/nologin", "--groups", RADIUS_USER, "--comment", "Corrente", SYSTEM_USER)  # fmt: skip
        return True
    if shared.gr_gid not in os.getgrouplist(SYSTEM_USER, user.pw_gid):
        _run("usermod", "--append", "--groups", RADIUS_USER, SYSTEM_USER)
    return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StateError(f"{command[0]} failed: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class StateDir:
    """The paths below the state directory that `corrente up` uses itself; the others are in the settings."""

    root: Path

    @property
    def run(self) -> Path:
        """Sockets, lock and ports of the running processes."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """One file a process, rotated."""
        return self.root / "log"

    @property
    def metrics(self) -> Path:
        """Where the processes of this machine keep their counters for the web process to add up."""
        return self.root / "run" / "metrics"

    @property
    def freeradius(self) -> Path:
        """The rendered configuration of FreeRADIUS."""
        return self.root / "freeradius"

    @property
    def secrets_key(self) -> Path:
        """The key that seals secrets: lose it and every password is lost."""
        return self.root / "secrets.key"

    @property
    def cluster(self) -> Cluster:
        """The private PostgreSQL."""
        return Cluster(data=self.root / "postgres", socket_dir=self.run / "postgres")


def prepare(settings: Settings, users: Users) -> StateDir:
    """The state directory with its folders, owners and secrets key; harmless when all of it is there.

    Raises: StateError.
    """
    state = StateDir(settings.state_dir)
    if len(os.fsencode(state.cluster.socket_dir)) > _SOCKET_DIR_OCTETS:
        raise StateError(f"{state.root} is too long for a socket below it: set paths.state_dir to a shorter one")
    try:
        _make_folders(settings, state, users)
        _make_secrets_key(state, users)
    except PermissionError as error:
        owner = _owner_of(state.root)
        raise StateError(
            f"{error.filename}: {error.strerror}. The state directory belongs to {owner}: start as that user, or set "
            "paths.state_dir to one of your own"
        ) from error
    return state


def _owner_of(path: Path) -> str:
    while not path.exists():
        path = path.parent
    return path.owner()


def _make_folders(settings: Settings, state: StateDir, users: Users) -> None:
    shared = (users.ours, users.shared_group, 0o2770)
    wanted = {
        state.root: ("", "", 0o755),
        state.run: ("", "", 0o755),
        state.log: ("", "", 0o755),
        state.metrics: (users.ours, "", 0o755),
        state.freeradius: (users.radius, users.shared_group, 0o750),
        settings.policy_dir: shared,
        settings.accounting_spool_dir.parent: (users.ours, users.shared_group, 0o750),
        settings.accounting_spool_dir: shared,
        settings.login_spool_dir: shared,
    }
    for folder, (user, group, mode) in wanted.items():
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0 and user:
            shutil.chown(folder, user, group or None)
        if os.stat(folder).st_uid == os.geteuid() or os.geteuid() == 0:
            folder.chmod(mode)


def _make_secrets_key(state: StateDir, users: Users) -> None:
    """Written beside and linked into place, so that a start that is killed never leaves half a key behind.

    Never beside a database that is there already: its secrets are sealed under the key that is gone.
    """
    if "CORRENTE_SECRETS_KEY" in os.environ or "CORRENTE_SECRETS_KEY_FILE" in os.environ or state.secrets_key.exists():
        return
    if state.cluster.is_made:
        raise StateError(
            f"{state.secrets_key} is gone, and the passwords in {state.cluster.data} are sealed under it: put it back "
            "from your copy. A new key would open none of them"
        )
    half = state.secrets_key.with_suffix(".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        shutil.chown(half, users.ours, users.shared_group)
    half.chmod(0o640 if os.geteuid() == 0 else 0o600)
    half.replace(state.secrets_key)
