"""Live parts of pages: server-sent events, worked out once for all who look.

A feed is a question asked again every so often, by one thread however many people look, and only while somebody does. Each
stream waits for the feed's next answer and holds a thread of the server, but no connection to the database. There is a limit of
streams a process, and one for each who looks, so that nobody takes all of them: who comes after it is told to ask again later, and the page asks by itself (`hx-trigger="every …"`). A stream ends
within seconds of the session that it was opened in.

Source: HTML Living Standard, section 9.2 "Server-sent events".
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Final

import psycopg
from flask import Response, g

from control_plane import telemetry
from web.database import Connection, Database

# The server has more threads than this, see web/entrance.py: pages go on while all streams are taken.
MOST_STREAMS: Final = 64
# A word that keeps proxies from ending a stream in which nothing happens, and by which a client that has gone is noticed.
_SILENCE_S: Final = 5.0
# So long after a session was ended, or a permission taken away, a stream may go on telling.
_ASK_S: Final = 5.0
# A browser opens a stream again; after this time it has to.
_LIFE_S: Final = 600.0
_RETRY_MS: Final = 3000

Answer = Callable[[Connection], str]
May = Callable[[Connection], bool]


class _Feed:
    """One question and who waits for its answer."""

    def __init__(self, database: Database, ask: Answer, interval_s: float, before: Callable[[], None] | None) -> None:
        self._database, self._ask, self._interval_s, self._before = database, ask, interval_s, before
        self._changed = threading.Condition()
        self._answer, self._number, self._looking = "", 0, 0
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._changed:
            self._looking += 1
            if self._looking == 1:
                threading.Thread(target=self._turn, daemon=True, name="feed").start()

    def leave(self) -> bool:
        """Whether nobody looks any more."""
        with self._changed:
            self._looking -= 1
            self._changed.notify_all()
            return self._looking == 0

    def after(self, number: int, *, within_s: float) -> tuple[int, str]:
        """The first answer after that one, or the same number when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, within_s)
            return self._number, self._answer

    def _turn(self) -> None:
        me = threading.current_thread()
        self._thread = me
        while True:
            began = time.monotonic()
            try:
                if self._before is not None:
                    self._before()
                with self._database.transaction() as connection:
                    answer = self._ask(connection)
            except psycopg.Error as error:
                # It comes back by itself; meanwhile nothing new is told.
                telemetry.logger().warning("feed.unanswered", problem=str(error).strip())
                answer = ""
            except Exception as error:  # noqa: BLE001 - who looks keeps what was told last, and the fault is said
                telemetry.logger().error("feed.our_fault", problem=f"{type(error).__name__}: {error}")
                answer = ""
            with self._changed:
                if self._looking == 0 or self._thread is not me:
                    return
                if answer and answer != self._answer:
                    self._answer, self._number = answer, self._number + 1
                    self._changed.notify_all()
                rest_s = self._interval_s - (time.monotonic() - began)
                self._changed.wait_for(lambda: self._looking == 0 or self._thread is not me, max(rest_s, 0.1))
                if self._looking == 0 or self._thread is not me:
                    return


class Streams:
    """The streams of this process."""

    def __init__(self, database: Database, *, each: int) -> None:
        self._database, self._each = database, each
        self._lock = threading.Lock()
        self._feeds: dict[Hashable, _Feed] = {}
        self._open = 0
        self._open_of: Counter[int] = Counter()

    def stream(
        self,
        key: Hashable,
        ask: Answer,
        *,
        interval_s: float,
        event: str = "message",
        before: Callable[[], None] | None = None,
    ) -> Response:
        """A response that tells each new answer of `ask`; those with one `key` share it.

        `ask` gets a connection and returns text, HTML or JSON: the same text again is not sent. 503 when there are too many.
        `before` is called each time before the transaction: for what must not be asked within one, such as a device.
        """
        who = g.staff.id
        feed = self._entered(who, key, lambda: _Feed(self._database, ask, interval_s, before))
        if feed is None:
            return Response("too many live pages: this one asks from time to time", 503, {"Retry-After": "30"})
        left = threading.Event()

        def leave() -> None:
            with self._lock:
                if left.is_set():
                    return
                left.set()
                self._open -= 1
                self._open_of -= Counter((who,))
                if feed.leave():
                    self._feeds.pop(key, None)

        may: May = g.still_may

        def allowed() -> bool:
            try:
                with self._database.transaction(actor="web") as connection:
                    return may(connection)
            except psycopg.Error:
                # Nothing new is told while the database is away.
                return True

        response = Response(_told(feed, event, allowed, leave), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        # A client that has gone before the first word never starts the generator, whose end would count it out.
        response.call_on_close(leave)
        return response

    def _entered(self, who: int, key: Hashable, make: Callable[[], _Feed]) -> _Feed | None:
        """The feed of that key, which one more looks at; None when there are too many streams, of all or of that person."""
        with self._lock:
            if self._open >= MOST_STREAMS or self._open_of[who] >= self._each:
                return None
            self._open += 1
            self._open_of[who] += 1
            feed = self._feeds.get(key)
            if feed is None:
                feed = self._feeds[key] = make()
            feed.enter()
            return feed

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open


def _told(feed: _Feed, event: str, allowed: Callable[[], bool], leave: Callable[[], None]) -> Iterator[bytes]:
    began = asked = time.monotonic()
    number = 0
    try:
        yield f"retry: {_RETRY_MS}\n\n".encode()
        while time.monotonic() - began < _LIFE_S:
            last = number
            number, answer = feed.after(last, within_s=_SILENCE_S)
            if time.monotonic() - asked >= _ASK_S:
                if not allowed():
                    return
                asked = time.monotonic()
            if number == last:
                yield b": still here\n\n"
                continue
            lines = "".join(f"data: {line}\n" for line in answer.splitlines())
            yield f"event: {event}\nid: {number}\n{lines}\n".encode()
    finally:
        leave()
