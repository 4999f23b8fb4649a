"""Notices of a payment gateway taken in a second, beside the form that records the payment before it answers.

`python -m benchmarks.webhooks [--notices 4000] [--rounds 5]` makes a PostgreSQL of its own, durable as it is delivered, and starts two web processes of
the same kind (granian, one worker, eight threads): Corrente's own, which stores and judges, and one whose page judges and records the event with its
payment and entry within the request, without even asking the provider. Eight connections send signed notices, each of an event of its own, in turns to one and the other.

Units: notices a second by the clock; milliseconds to the answer; processor time a notice of the web process, PostgreSQL's not among it. The ratio is of
turns that lie next to each other, its median and its range.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from flask import Flask, Response, request

from benchmarks.population import postgres, working_directory
from billing.gateways.events import EventKind, PaymentEvent
from billing.money import Money
from billing.operations.recording import record_event
from billing.store.gateways import load_gateway_accounts
from control_plane import db
from control_plane.gateways.accounts import add_account, method_for
from control_plane.gateways.desk import context_of
from control_plane.gateways.provider import Verified, provider_for
from control_plane.settings import load_settings

ROOT: Final = Path(__file__).resolve().parents[1]
SECRET: Final = "whsec_benchmark"
THREADS: Final = 8
KEY: Final = base64.b64encode(b"k" * 32).decode()


def recording_app() -> Flask:
    """The rival: records within the request."""
    settings = load_settings()
    app, mine = Flask(__name__, static_folder=None), threading.local()

    @app.post("/webhooks/<token>")
    def take(token: str) -> Response:
        if not hasattr(mine, "connection"):
            mine.connection = db.connect(settings.conninfo("corrente"), name="rival", origin="interface")
            (mine.account,) = load_gateway_accounts(mine.connection)
        body, account, now = request.get_data(), mine.account, datetime.now(UTC)
        headers = {name.lower(): value for name, value in request.headers.items()}
        verdict = provider_for("stripe").receive(SECRET, headers, body, context=context_of(account), now=now)
        if not isinstance(verdict, Verified):
            return Response("no", 400)
        with mine.connection.transaction():
            for hint in verdict.hints:
                event = PaymentEvent(hint.key, EventKind.PAID, hint.ref, Money(3648, "EUR"), hint.happened, now.date())
                record_event(mine.connection, account, event, today=now.date(), actor="rival")
        return Response("yes", 200)

    return app


@dataclass(frozen=True)
class Turn:
    """What one turn took."""

    a_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def notices(count: int, start: int) -> list[tuple[bytes, dict[str, str]]]:
    """So many signed notices, each of a payment of its own."""
    found = []
    for number in range(start, start + count):
        event = {
            "id": f"evt_{number}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "created": int(time.time()),
            "livemode": False,
            "data": {
                "object": {"id": f"pi_{number}", "object": "payment_intent", "amount": 3648, "padding": "x" * 2500}
            },
        }
        body, stamp = json.dumps(event).encode(), str(int(time.time()))
        signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        found.append((body, {"Stripe-Signature": f"t={stamp},v1={signed}", "Content-Type": "application/json"}))
    return found


def send(port: int, path: str, wanted: list[tuple[bytes, dict[str, str]]], pid: int) -> Turn:
    """Send them over eight connections; all must be taken."""
    took: list[float] = []
    before, began = _cpu_s(pid), time.perf_counter()

    def through(mine: list[tuple[bytes, dict[str, str]]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for body, headers in mine:
            start = time.perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took.append(time.perf_counter() - start)
        connection.close()

    threads = [threading.Thread(target=through, args=(wanted[n::THREADS],)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock = time.perf_counter() - began
    assert len(took) == len(wanted), "some were not taken"
    ordered = sorted(took)
    cpu = (_cpu_s(pid) - before) / len(wanted) * 1000
    return Turn(len(wanted) / clock, ordered[len(took) // 2] * 1000, ordered[len(took) * 99 // 100] * 1000, cpu)


def _cpu_s(pid: int) -> float:
    """Processor time of a process and its children, which granian's worker is."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for one in (str(pid), *children):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(application: str, settings: Path) -> Iterator[tuple[int, int]]:
    """A web process as `corrente web` starts it; its port and pid."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    code = (
        "from granian import Granian; from granian.constants import Interfaces; "
        f"Granian({application!r}, address='127.0.0.1', port={port}, interface=Interfaces.WSGI, factory=True, workers=1, blocking_threads={THREADS}, log_access=False, log_enabled=False).serve()"
    )
    environment = {
        **os.environ,
        "CORRENTE_SETTINGS": str(settings),
        "CORRENTE_SECRETS_KEY": KEY,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, f"{application} does not listen"
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def prepare(conninfo: str, base: Path) -> tuple[Path, str]:
    """Books and an account; the settings file, and the end of its address."""
    sys.path.insert(0, str(ROOT / "tests"))
    books_isp = importlib.import_module("support.books_isp")
    settings = base / "corrente.toml"
    settings.write_text(f'[database]\nconninfo = "{conninfo}"\n')
    os.environ["CORRENTE_SECRETS_KEY"] = KEY
    with db.connect(conninfo, name="benchmark") as connection:
        connection.execute((ROOT / "schema.sql").read_text())
        connection.execute("SELECT make_month(date_trunc('month', now())::date)")
        isp = books_isp.make_books(connection, customers=3)
        connection.execute("SELECT set_config('corrente.actor', 'benchmark', true)")
        columns = {
            "issuer_id": isp.issuer,
            "method_id": method_for(connection, isp.issuer, "stripe", provider_for("stripe")),
            "name": "stripe",
            "provider": "stripe",
            "live": False,
            "base_url": "https://api.stripe.com",
        }
        account = add_account(connection, load_settings(settings), columns, secret="sk_test_1", webhook_secret=SECRET)
    return settings, f"/webhooks/{account.token}"


def _told(name: str, turns: list[Turn]) -> str:
    def middle(values: list[float]) -> float:
        return statistics.median(values)

    return (
        f"{name}: {middle([one.a_second for one in turns]):,.0f}/s ({min(one.a_second for one in turns):,.0f}-{max(one.a_second for one in turns):,.0f}), "
        f"p50 {middle([one.p50_ms for one in turns]):.1f} ms, p99 {middle([one.p99_ms for one in turns]):.1f} ms, {middle([one.cpu_ms for one in turns]):.2f} ms of processor time"
    )


@click.command()
@click.option("--notices", "count", default=4_000, show_default=True, help="A turn.")
@click.option("--rounds", default=5, show_default=True)
def main(count: int, rounds: int) -> None:
    """Measure and print."""
    with working_directory() as base, postgres(base) as cluster:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            admin.execute("CREATE DATABASE corrente")
        settings, path = prepare(cluster.conninfo("corrente"), base)
        ours: list[Turn] = []
        theirs: list[Turn] = []
        with (
            serving("web.app:create_app", settings) as (port, pid),
            serving("benchmarks.webhooks:recording_app", settings) as (rival_port, rival_pid),
        ):
            start = 0
            for number in range(rounds + 1):
                ours.append(send(port, path, notices(count, start), pid))
                theirs.append(send(rival_port, path, notices(count // 4, start + count), rival_pid))
                start += count + count // 4
                if number == 0:
                    # Connections are opened and statements prepared in the first one.
                    ours.clear()
                    theirs.clear()
        with db.connect(cluster.conninfo("corrente"), name="benchmark") as connection:
            stored = connection.execute("SELECT count(*) FROM webhook_log WHERE verdict = 'verified'").fetchone()
            assert stored == (count * (rounds + 1),), stored
        ratios = [one.a_second / other.a_second for one, other in zip(ours, theirs, strict=True)]
        click.echo(_told("stored, judged and queued", ours))
        click.echo(_told("recorded within the request", theirs))
        click.echo(
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}); load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
