"""The console as it is delivered, over a house of the benchmark: `corrente web` in a process of its own, and browsers without a screen.

Next: console.py
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from benchmarks.answering import BenchmarkError
from benchmarks.freeradius import free_port_pair
from control_plane import db
from control_plane.access.own import save_password
from control_plane.access.people import add_person, make_first_administrator
from control_plane.access.person import Actor
from control_plane.access.tokens import digest_of, new_token
from control_plane.store.staff import load_person

ROOT: Final = Path(__file__).resolve().parent.parent
KEY: Final = base64.b64encode(bytes(32)).decode()
_PASSWORD: Final = "a lorry full of pears"
_START_S: Final = 30.0
_TIMEOUT_S: Final = 120.0
_BY: Final = Actor("benchmark")
# What a worker counts each minute is as new as it is beside one, for as long as a run takes.
_MINUTES: Final = """
INSERT INTO online_minute (at, subscribers, sessions, stale) SELECT date_trunc('minute', now()) + n * interval '1 minute', l.subscribers, l.sessions, l.stale
FROM generate_series(0, 60) AS n, (SELECT * FROM online_minute ORDER BY at DESC LIMIT 1) AS l ON CONFLICT (at) DO NOTHING
"""
_FIELD: Final = re.compile(r'name="csrf_token"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="csrf_token"')


@dataclass(slots=True)
class Browser:
    """One connection that is kept open, with its cookies. Not for two threads."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and text."""
        return self._ask("GET", path, None, headers or {})

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        """The form of that page sent with these fields; its token was on the page."""
        status, text = self.get(path)
        found = _FIELD.search(text)
        if found is None:
            raise BenchmarkError(f"{path} answered {status} without a form")
        body = urlencode({"csrf_token": found[1] or found[2], **fields})
        return self._ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def stream(self, path: str) -> tuple[http.client.HTTPResponse, socket.socket]:
        """An answer that does not end, its first octets there, and its socket: whoever shuts that down ends who reads."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        connection.request("GET", path, headers=self._headers({"Accept": "text/event-stream"}))
        taken = connection.sock
        answer = connection.getresponse()
        if answer.status != 200:
            raise BenchmarkError(f"{path} answered {answer.status}")
        answer.readline()
        return answer, taken

    def again(self) -> Browser:
        """Another connection of the same person."""
        return Browser(self.port, dict(self.cookies))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies, "Accept-Encoding": "identity", "Sec-Fetch-Site": "same-origin", **more}

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            self._connection.request(method, path, body=body, headers=self._headers(headers))
            answer = self._connection.getresponse()
        except http.client.RemoteDisconnected:
            # It was idle for long, and the server has hung up.
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
            self._connection.request(method, path, body=body, headers=self._headers(headers))
            answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        for one in answer.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(one).items()}
        return answer.status, text


@dataclass(frozen=True, slots=True)
class Served:
    """The running console, and who has entered: of the staff who may do all, in the field, on the portal."""

    port: int
    pid: int
    settings_file: Path
    staff: Browser
    collector: Browser
    subscriber: Browser


@contextmanager
def served(folder: Path, conninfo: str) -> Iterator[Served]:
    """`corrente web` over that database as long as the block runs. Raises: BenchmarkError when it does not come up."""
    os.environ["CORRENTE_SECRETS_KEY"] = KEY
    port, _ = free_port_pair()
    state = folder / "var"
    state.mkdir(exist_ok=True)
    file = folder / "corrente.toml"
    file.write_text(
        f'[database]\nconninfo = "{without_user(conninfo)}"\n[paths]\nstate_dir = "{state}"\n'
        f'[operator]\nbilling_zone = "Europe/Rome"\n[web]\nport = {port}\nstreams_per_person = 64\n'
    )
    portal = people(conninfo)
    log = folder / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(file), "web"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _wait(port, process, log)
        yield Served(
            port,
            process.pid,
            file,
            _entered(port, "olga"),
            _entered(port, "carlo"),
            Browser(port, {"corrente_portal": portal}),
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def without_user(conninfo: str) -> str:
    """The same for whoever comes as their own role."""
    return " ".join(part for part in conninfo.split() if not part.startswith("user="))


def people(conninfo: str) -> str:
    """Olga who may do all, Carlo the collector, and a subscriber's session on the portal, whose token is returned."""
    now = datetime.now(UTC)
    token = new_token()
    with db.connect(conninfo, name="benchmark", origin="command") as connection:
        make_first_administrator(connection, now=now)
        for name, role in (("olga", "administrator"), ("carlo", "collector")):
            person = load_person(connection, name)
            if person is None:
                add_person(connection, name, full_name=name.title(), roles=[role], by=_BY, now=now)
                person = load_person(connection, name)
                assert person is not None
                save_password(connection, person, _PASSWORD, now=now)
        connection.execute("UPDATE staff SET collector_id = (SELECT min(id) FROM collector) WHERE name = 'carlo'")
        connection.execute(
            "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at) VALUES (1, %s, %s, %s, %s, %s)",
            (digest_of(token), bytes(32), now, now, now + timedelta(days=1)),
        )
        connection.execute(
            "INSERT INTO portal_access (customer_id, email) VALUES (1, 'anna@example.net') ON CONFLICT DO NOTHING"
        )
        connection.execute(_MINUTES)
    return token


def _entered(port: int, name: str) -> Browser:
    browser = Browser(port)
    status, text = browser.send("/sign-in", name=name, password=_PASSWORD)
    if "corrente_session" not in browser.cookies:
        raise BenchmarkError(f"{name} could not sign in: {status} {text[:500]}")
    return browser


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if Browser(port).get("/health")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise BenchmarkError(f"corrente web did not come up:\n{log.read_text(errors='replace')[-2000:]}")
