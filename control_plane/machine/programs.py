"""The processes of one machine: what each runs, as whom, and in which order they start and stop. Pure.

Next: supervision.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from control_plane import freeradius
from control_plane.gateways import sealing as webhook_sealing
from control_plane.machine.ports import UP_VARIABLE
from control_plane.machine.private_postgres import BINARIES
from control_plane.machine.state_dir import StateDir, Users
from control_plane.machine.supervision import Program
from control_plane.settings import Settings, secret_keys

POSTGRES: Final = "postgres"
DEVICES: Final = "devices"
# Who dials first, who needs the database last but for the database itself. What FreeRADIUS answered waits in the spool.
STOP_ORDER: Final = ((DEVICES,), (*freeradius.SERVERS, "web", "worker"), ("edge",), (POSTGRES,))
# They share the policy store and the spools with FreeRADIUS through their group.
_SHARING_UMASK: Final = "007"
# The hook inside FreeRADIUS opens the secrets of logins, the worker those of access devices, the console those it is asked to show.
_NO_KEY: Final = ("CORRENTE_SECRETS_KEY",)


def programs_for(settings: Settings, state: StateDir, users: Users, *, is_root: bool) -> tuple[Program, ...]:
    """Every process, in the order of their starts. With a database of the operator's own there is no PostgreSQL."""
    ours = users.ours if is_root else ""
    python = (sys.executable, "-m", "control_plane")
    postgres = Program(
        POSTGRES,
        (str(BINARIES / "postgres"), "-D", str(state.cluster.data)),
        priority=10,
        user=users.postgres if is_root else "",
        stop_signal="INT",  # fast: it ends the connections that are left and writes a checkpoint
        stop_wait_s=60,
        without=_NO_KEY,
    )
    others = (
        Program("edge", (*python, "edge"), priority=20, user=ours, umask=_SHARING_UMASK, without=_NO_KEY),
        *(_freeradius(server, state) for server in freeradius.SERVERS),
        Program("worker", (*python, "worker"), priority=40, user=ours),
        Program("web", (*python, "web"), priority=50, user=ours),
        Program(DEVICES, (*python, "demo-network"), priority=60, user=ours, without=_NO_KEY),
    )
    return others if settings.database.conninfo else (postgres, *others)


def _freeradius(server: str, state: StateDir) -> Program:
    return Program(
        server,
        (*freeradius.command(state.freeradius, server), "-l", "stdout"),
        priority=30,
        # Started as root it gives that up by itself, after it has read its configuration.
        user="",
        umask=_SHARING_UMASK,
        # FreeRADIUS 3.2.1 can turn for ever at its end when requests are still queued (request_dequeue, threads.c);
        # what it answered is on disk by then, so it is killed.
        stop_wait_s=5,
    )


def environment_for(
    settings: Settings, state: StateDir, *, code_dir: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """What supervisord and its processes find in their environment: of the caller's, Corrente's own settings alone."""
    own = {key: value for key, value in inherited.items() if key.startswith("CORRENTE_")}
    found = {
        **own,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(code_dir),
        "PYTHONUNBUFFERED": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(state.metrics),
        UP_VARIABLE: str(state.root),
    }
    if "CORRENTE_SECRETS_KEY" in own:
        # All that the web process gets of it.
        found[webhook_sealing.VARIABLE] = webhook_sealing.webhook_variable(secret_keys(settings))
    if settings.source_file:
        found["CORRENTE_SETTINGS"] = settings.source_file
    return found
