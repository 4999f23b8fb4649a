"""The console over a small ISP: the demo's own loader, a year of bills, and staff of every first role.

In the process (`Console.client`) for what a view answers; behind a real server in a process of its own (`serving`) for browsers.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import psycopg.sql
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from support.ports import free_port

from control_plane import db
from control_plane.access.people import add_person, make_first_administrator
from control_plane.access.person import Actor
from control_plane.access.signing_in import Came, SignedIn, sign_in
from control_plane.machine.demo import load_demo
from control_plane.machine.private_postgres import ROLES as ROLES_OF_PROCESSES
from control_plane.settings import load_settings
from radius_hooks.sealing import Sealer
from web.acting import COOKIE
from web.app import create_app

ROOT: Final = Path(__file__).resolve().parent.parent.parent
KEY: Final = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
# The demo's contracts and devices are of this day; who needs bills makes them for days after it.
TODAY: Final = date(2026, 6, 15)
CUSTOMERS: Final = 60
ROLES: Final = ("network operator", "billing", "support", "collector", "reader")
_START_S: Final = 120.0


class _Templates(BytecodeCache):
    """What one application of this process has compiled, for the next one."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """As it was kept, if the template's text is the same still."""
        if (kept := self._compiled.get((bucket.key, bucket.checksum))) is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._compiled[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


_templates: Final = _Templates()


@dataclass(frozen=True)
class Console:
    """An ISP and who works there. `tokens` are the sessions' cookies, by role; the administrator's is `administrator`."""

    conninfo: str
    folder: Path
    tokens: dict[str, str]
    app: Flask

    def client(self, role: str = "administrator") -> FlaskClient:
        """A browser without a screen: signed in as somebody of that role; `""` for nobody."""
        client = self.app.test_client()
        if role:
            client.set_cookie(COOKIE, self.tokens[role])
        return client

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """What the database holds, as its owner."""
        with db.connect(self.conninfo, name="test", autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    @property
    def settings_file(self) -> Path:
        """The settings that a process of its own reads."""
        return self.folder / "corrente.toml"


def sealer() -> Sealer:
    """The key of the tests."""
    return Sealer([base64.b64decode(KEY)])


def fill(conninfo: str) -> None:
    """The demo's ISP with `CUSTOMERS` customers, and the first administrator. Bills are not made: whoever needs them calls for them."""
    with db.connect(conninfo, name="test", origin="command") as connection:
        for role in ROLES_OF_PROCESSES:
            connection.execute(psycopg.sql.SQL("ALTER ROLE {} LOGIN").format(psycopg.sql.Identifier(role)))
        load_demo(connection, sealer(), today=TODAY, customers=CUSTOMERS)
        connection.commit()


def hire(conninfo: str) -> dict[str, str]:
    """One member of staff of each first role, signed in; their sessions' tokens by role."""
    now = datetime.now(UTC)
    tokens = {}
    with db.connect(conninfo, name="test", origin="command") as connection:
        made = make_first_administrator(connection, now=now)
        assert made is not None
        people = {"administrator": made}
        for role in ROLES:
            name = role.replace(" ", ".")
            people[role] = add_person(connection, name, full_name=role.title(), roles=[role], by=Actor("test"), now=now)
        connection.execute("UPDATE staff SET must_change_password = false")
        for role, one in people.items():
            came = Came(address="127.0.0.1", browser="test")
            result = sign_in(connection, sealer(), name=one.name, password=one.password, came=came, now=now)
            assert isinstance(result, SignedIn), result
            tokens[role] = result.token
        connection.commit()
    return tokens


@contextmanager
def key_in_force() -> Iterator[None]:
    """This process has the tests' key, and afterwards what it had before."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CORRENTE_SECRETS_KEY", KEY)
        yield


def console_of(conninfo: str, folder: Path, tokens: dict[str, str]) -> Console:
    """The application over a filled database, in which these are signed in. It reads the tests' key when it needs one: for as long as `key_in_force()` lasts."""
    # Without a user each part of the process comes as its own role, as in production.
    parts = {name: value for name, value in psycopg.conninfo.conninfo_to_dict(conninfo).items() if name != "user"}
    without_user = psycopg.conninfo.make_conninfo("", **parts)
    (folder / "corrente.toml").write_text(
        f'[database]\nconninfo = "{without_user}"\n[paths]\nstate_dir = "{folder}/var"\n[operator]\nbilling_zone = "Europe/Rome"\n'
    )
    app = app_of(folder / "corrente.toml")
    # A fault of ours fails the test at its own line.
    app.testing = True
    return Console(conninfo, folder, tokens, app)


def app_of(settings_file: Path, *, calls_per_minute: int = 1_000_000) -> Flask:
    """The application; its programs call as often as tests do unless told otherwise."""
    settings = load_settings(settings_file)
    web = msgspec.structs.replace(settings.web, calls_per_minute=calls_per_minute)
    made = create_app(msgspec.structs.replace(settings, web=web))
    made.jinja_env.bytecode_cache = _templates
    return made


@contextmanager
def serving(console: Console, *, port: int | None = None, **web: int) -> Iterator[str]:
    """`corrente web` in a process of its own, with more settings of its section; the address of its pages."""
    with running(console, port=port, **web) as (address, _):
        yield address


@contextmanager
def running(console: Console, *, port: int | None = None, **web: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """The same, and what kills it at once with all its threads."""
    port = port or free_port()
    file = console.folder / f"web-{port}.toml"
    file.write_text(
        console.settings_file.read_text()
        + f"[web]\nport = {port}\n"
        + "".join(f"{name} = {value}\n" for name, value in web.items())
    )
    environment = {**os.environ, "CORRENTE_SECRETS_KEY": KEY, "CORRENTE_SETTINGS": str(file), "PYTHONPATH": str(ROOT)}
    log = (console.folder / f"web-{port}.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "control_plane", "web"],
        env=environment,
        stdout=log,
        stderr=log,
        cwd=ROOT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, console.folder / f"web-{port}.log")
        yield address, lambda: _kill(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            _kill(process)
        log.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=60):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"the web process did not come up:\n{log.read_text()}")
