"""The server under what a real network brings: fifty live pages, clients that send slowly, clients that vanish, a database that goes away."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg.sql
import pytest
from support.console_world import Console, serving
from support.edge_process import wait_until

from control_plane import db
from web.acting import COOKIE
from web.entrance import THREADS
from web.live import MOST_STREAMS

pytestmark = pytest.mark.db
STREAMS = 50
# Nothing is measured: this is when something that hangs is given up.
DEADLINE_S = 120


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), DEADLINE_S)


def ask(address: str, path: str, token: str) -> tuple[int, str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    connection.request("GET", path, headers={"Cookie": f"{COOKIE}={token}"})
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def stream(address: str, token: str) -> tuple[socket.socket, bytes]:
    """An open stream and how its answer begins."""
    opened = connect(address)
    opened.sendall(f"GET /home/live HTTP/1.1\r\nHost: x\r\nCookie: {COOKIE}={token}\r\n\r\n".encode())
    begun = b""
    while b"\r\n\r\n" not in begun or (b" 200 " in begun.splitlines()[0] and b"event:" not in begun):
        part = opened.recv(65536)
        if not part:
            break
        begun += part
    return opened, begun


@pytest.fixture
def own_address(console: Console) -> Iterator[str]:
    # One person looks here for many.
    with serving(console, streams_per_person=MOST_STREAMS) as served:
        yield served


def test_fifty_live_pages_and_more_slow_senders_than_threads_leave_room_for_everybody_else(console, own_address):
    token = console.tokens["administrator"]
    with ExitStack() as opened:
        for _ in range(STREAMS):
            there, begun = stream(own_address, token)
            opened.callback(there.close)
            assert begun.startswith(b"HTTP/1.1 200 OK")
            assert b"event:" in begun
        for _ in range(THREADS + 20):
            slow = connect(own_address)
            opened.callback(slow.close)
            slow.sendall(
                b"POST /look HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nlang"
            )
        for _ in range(20):
            assert ask(own_address, "/home", token)[0] == 200


def test_who_comes_after_the_last_stream_is_told_to_ask_again_and_who_vanishes_leaves_room(console, own_address):
    token = console.tokens["administrator"]
    with ExitStack() as opened:
        for _ in range(MOST_STREAMS):
            there, _ = stream(own_address, token)
            opened.callback(there.close)
        late, said = stream(own_address, token)
        opened.callback(late.close)
        assert said.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 30" in said.lower()
        assert ask(own_address, "/home", token)[0] == 200

    # They have gone without a word; the next thing that is told to them shows it.
    def is_let_in() -> bool:
        again, said = stream(own_address, token)
        again.close()
        return said.startswith(b"HTTP/1.1 200")

    wait_until(is_let_in, seconds=DEADLINE_S, what="a place that came free")


def test_a_database_that_goes_away_is_a_page_that_says_so_and_comes_back_by_itself(console, own_address):
    token = console.tokens["administrator"]
    name = psycopg.conninfo.conninfo_to_dict(console.conninfo)["dbname"]
    assert ask(own_address, "/home", token)[0] == 200
    server = psycopg.conninfo.make_conninfo(console.conninfo, dbname="postgres")
    with db.connect(server, name="test", autocommit=True) as admin:
        database = psycopg.sql.Identifier(name)
        admin.execute(psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(database))
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            status, page = ask(own_address, "/home", token)
        finally:
            admin.execute(psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(database))
    assert status == 503
    assert "The database can&#39;t be reached" in page
    assert 'http-equiv="refresh"' in page
    assert ask(own_address, "/health", token)[0] == 200
    assert ask(own_address, "/home", token)[0] == 200
