"""A PostgreSQL of our own in a data directory: socket only, so it disturbs no other one on the machine.

Used by `corrente up` and by the tests. PostgreSQL refuses to run as root; started by root it runs as the system user
that Debian's package made for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BINARIES: Final = Path("/usr/lib/postgresql/15/bin")
SERVICE_USER: Final = "postgres"
# The socket file's name carries a port even when nothing listens on one; a socket directory of our own makes it free.
SOCKET_PORT: Final = 5432
_START_TIMEOUT_S: Final = 60
# The owner, then the roles that schema.sql makes.
ROLES: Final = (
    "corrente",
    "corrente_edge",
    "corrente_worker",
    "corrente_web",
    "corrente_lookup",
    "corrente_collector",
    "corrente_console",
)


class PostgresError(Exception):
    """The private PostgreSQL could not be made or started; the message holds its own words."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory and the directory of its socket."""

    data: Path
    socket_dir: Path

    @property
    def is_made(self) -> bool:
        """Whether the data directory is there and whole."""
        return (self.data / "corrente_ready").exists()

    def conninfo(self, database: str, *, user: str = "corrente") -> str:
        """How to reach a database of the cluster. Timeouts so that a server that hangs is noticed in seconds."""
        return (
            f"host={self.socket_dir} port={SOCKET_PORT} dbname={database} user={user} connect_timeout=5 "
            "keepalives=1 keepalives_idle=10 keepalives_interval=5 keepalives_count=3"
        )


def service_user() -> str:
    """Who PostgreSQL runs as: the caller, or Debian's system user when the caller is root."""
    return SERVICE_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _run(command: list[str], *, cwd: Path) -> str:
    user = {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_TIMEOUT_S,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        **user,  # type: ignore[call-overload]
    )
    if done.returncode != 0:
        raise PostgresError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return str(done.stdout)


def make_cluster(cluster: Cluster, *, settings: dict[str, str] | None = None, os_users: tuple[str, ...] = ()) -> bool:
    """Make the data directory if it is not there; says whether it was made.

    `os_users` may connect as any role besides the caller: `corrente up` names the users its processes run as.
    A half-made directory (killed during initdb) is made again.
    """
    if not (BINARIES / "initdb").exists():
        raise PostgresError(f"{BINARIES}/initdb is missing: apt-get install postgresql-15")
    if cluster.is_made:
        return False
    if cluster.data.exists():
        shutil.rmtree(cluster.data)
    cluster.data.mkdir(parents=True)
    cluster.data.chmod(0o700)
    cluster.socket_dir.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(cluster.data, SERVICE_USER, SERVICE_USER)
        shutil.chown(cluster.socket_dir, SERVICE_USER, SERVICE_USER)
    cluster.socket_dir.chmod(0o755)
    _run(
        [
            str(BINARIES / "initdb"),
            "-D",
            str(cluster.data),
            "-U",
            "corrente",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "peer",
            "--no-instructions",
        ],
        cwd=cluster.data,
    )
    _configure(cluster, settings or {}, os_users)
    (cluster.data / "corrente_ready").touch()
    return True


def _configure(cluster: Cluster, settings: dict[str, str], os_users: tuple[str, ...]) -> None:
    lines = {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{cluster.socket_dir}'",
        "port": str(SOCKET_PORT),
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_min_duration_statement": "5000",
        **settings,
    }
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {value}\n" for name, value in lines.items())
    callers = {pwd.getpwuid(os.geteuid()).pw_name, service_user(), *os_users}
    (cluster.data / "pg_ident.conf").write_text(
        "".join(f"corrente {user} {role}\n" for user in sorted(callers) for role in ROLES)
    )
    (cluster.data / "pg_hba.conf").write_text("local all all peer map=corrente\n")


def start_cluster(cluster: Cluster, *, log: Path) -> None:
    """Start it and wait until it answers. Raises: PostgresError with the end of its log."""
    log.touch()
    if os.geteuid() == 0:
        shutil.chown(log, SERVICE_USER, SERVICE_USER)
    try:
        _run([str(BINARIES / "pg_ctl"), "-D", str(cluster.data), "-l", str(log), "-w", "-s", "start"], cwd=cluster.data)
    except PostgresError as error:
        raise PostgresError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from error


def stop_cluster(cluster: Cluster, *, mode: str = "fast") -> None:
    """Stop it; `mode` is pg_ctl's: smart, fast or immediate (a crash)."""
    _run([str(BINARIES / "pg_ctl"), "-D", str(cluster.data), "-m", mode, "-w", "-s", "stop"], cwd=cluster.data)
