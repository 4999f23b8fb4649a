"""The way from the server to the pages: who sends or reads slowly holds no thread, and what comes in is what was sent."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from web import entrance
from web.entrance import MOST_OCTETS, Entrance

SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/a/b\u00e9",
    "raw_path": b"/a%2Fb%C3%A9",
    "query_string": b"x=%C3%A9",
    "headers": [(b"host", b"h:1")],
    "server": ("127.0.0.1", "8000"),
    "client": ("127.0.0.1", "4000"),
}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Sender:
    """A client: what it sends, and what it was told. After the last part it waits in silence, or has gone."""

    def __init__(self, *parts: dict[str, Any], reads: int = 1000) -> None:
        self.parts = list(parts)
        self.reads = reads
        self.told: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self.parts:
            await asyncio.Event().wait()
        return self.parts.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.told) == self.reads:
            await asyncio.Event().wait()
        self.told.append(message)

    def asks(self, pages: Any, **differently: Any) -> int | None:
        """The status of the answer; None where there was none."""
        # In a thread of its own: where a test before had Chromium, this one's has a loop that runs.
        with ThreadPoolExecutor(max_workers=1) as own:
            asked = Entrance(pages)({**SCOPE, **differently}, self.receive, self.send)
            own.submit(asyncio.run, asked).result()
        return self.told[0]["status"] if self.told else None


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(content))), ("X-Seen", environ["PATH_INFO"])])
    return [content]


def never(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise AssertionError("no page is asked")


def test_a_body_comes_to_the_page_whole_however_it_was_cut():
    sender = Sender(part(b"one ", more=True), part(b"", more=True), part(b"two"))
    assert sender.asks(echo) == 200
    assert sender.told[1]["body"] == b"one two"
    assert (b"x-seen", b"/a/b\xc3\xa9") in sender.told[0]["headers"]


def test_half_a_form_is_answered_and_no_page_was_asked(monkeypatch):
    monkeypatch.setattr(entrance, "SILENCE_S", 0.01)
    sender = Sender(part(b"half", more=True))
    assert sender.asks(never) == 408
    assert (b"connection", b"close") in sender.told[0]["headers"]


def test_a_form_that_trickles_is_given_up_though_it_is_never_silent(monkeypatch):
    monkeypatch.setattr(entrance, "_FIRST_S", 0.0)
    assert Sender(*(part(b"x", more=True) for _ in range(1000))).asks(never) == 408


@pytest.mark.parametrize("declared", [str(MOST_OCTETS + 1).encode(), b"9" * 5000, b"-1", b"many"])
def test_what_says_that_it_is_too_large_is_not_waited_for(declared):
    assert Sender().asks(never, headers=[(b"content-length", declared)]) == 413


def test_what_turns_out_too_large_is_refused_too(monkeypatch):
    monkeypatch.setattr(entrance, "MOST_OCTETS", 10)
    assert Sender(part(b"x" * 11)).asks(never) == 413
    monkeypatch.setattr(entrance, "MOST_ON_THE_WAY", 5)
    assert Sender(part(b"x" * 9)).asks(never) == 503


def test_where_no_large_body_can_lie_it_is_refused_and_small_ones_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(entrance, "_IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert Sender(part(b"x" * 100)).asks(echo) == 200
    assert Sender(part(b"x" * 101)).asks(never) == 503


def test_who_has_gone_is_told_nothing():
    assert Sender(part(b"half", more=True), {"type": "http.disconnect"}).asks(never) is None


def test_a_header_does_not_pass_for_another():
    seen: dict[str, Any] = {}

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return echo(environ, start_response)

    headers = [
        (b"x_forwarded_for", b"203.0.113.9"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"transfer-encoding", b"chunked"),
    ]
    assert Sender(part(b"abc")).asks(look, headers=headers) == 200
    assert "HTTP_X_FORWARDED_FOR" not in seen
    assert "HTTP_TRANSFER_ENCODING" not in seen
    assert (seen["HTTP_COOKIE"], seen["CONTENT_LENGTH"], seen["REMOTE_ADDR"]) == ("a=1; b=2", "3", "127.0.0.1")


class Endless:
    """An answer without an end, which is closed as one should be."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Endless:
        return self

    def __next__(self) -> bytes:
        return b"on and on"

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("how", ["stops reading", "has gone"])
def test_an_answer_ends_that_nobody_takes(how, monkeypatch):
    monkeypatch.setattr(entrance, "_TELL_S", 0.01)
    answer = Endless()

    def pages(environ: dict[str, Any], start_response: Any) -> Endless:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return answer

    rest = [{"type": "http.disconnect"}] if how == "has gone" else []
    sender = Sender(part(b""), *rest, reads=3)
    sender.asks(pages)
    assert answer.closed
    assert len(sender.told) <= 3


def test_a_fault_of_explaining_is_said():
    assert Sender(part(b"")).asks(never) == 500
