"""Worked cases of calls that are repeated under a key: what each is answered, and how many effects there are."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final, assert_never

import psycopg
from support.case_fields import Fields, Values, named

from billing.store.idempotency import Answered, First, OtherBody, Running, keep_answer, once
from control_plane import db
from control_plane.jobs.upkeep import clear_told
from control_plane.settings import Settings

CALLS: Final = ("calls", "requests")
_OPEN: Final = ("during_previous", "while_running", "concurrent", "before_previous_ends")


def calls(given: Values, conninfo: str) -> dict[str, Any]:
    """Each call in turn; one may come while the one before it is not over, fail, or come hours later."""
    fields = Fields(given)
    told = [_Call(one, number) for number, one in enumerate(fields.objects(*CALLS), start=1)]
    fields.done()
    with db.connect(conninfo, name="test") as connection:
        connection.execute("CREATE TABLE effect (what text)")
    statuses, answers = [], []
    for one, after in zip(told, [*told[1:], None], strict=True):
        if one.is_open:
            continue  # answered below, within the call before it
        _let_pass(conninfo, one.hours_later)
        with ExitStack() as stack:
            connection = stack.enter_context(db.connect(conninfo, name="test"))
            results = [one.make(connection)]
            if after is not None and after.is_open:
                with db.connect(conninfo, name="test") as other:
                    results.append(after.make(other))
            if one.fails:
                connection.rollback()
        statuses += [status for status, _ in results]
        answers += [answer for _, answer in results]
    with db.connect(conninfo, name="test") as connection:
        row = connection.execute("SELECT count(*) FROM effect").fetchone()
    assert row is not None
    got = named(statuses, "statuses", "codes", "results") | named(answers, "answers", "bodies", "responses")
    return got | named(row[0], "effects", "effect_count", "payments", "count")


class _Call:
    def __init__(self, given: Values, number: int) -> None:
        fields = Fields(given, f"call {number}")
        self.caller = str(fields.take("caller", "client", "who", default="bank"))
        self.route = str(fields.take("route", "path", "endpoint", default="POST /payments"))
        self.key = str(fields.take("key", "idempotency_key"))
        self.body = json.dumps(fields.take("body", "request", "payload", default={}), sort_keys=True).encode()
        self.answer = str(fields.take("answer", "response", default=f"answer {number}"))
        self.status = fields.whole("status", "code", default=201)
        self.fails = bool(fields.take("fails", "rolled_back", "crashes", default=False))
        self.is_open = bool(fields.take(*_OPEN, default=False))
        self.hours_later = fields.whole("hours_later", "after_hours", default=0)
        fields.done()

    def make(self, connection: psycopg.Connection[Any]) -> tuple[int, str | None]:
        """What an interface answers to it: 422 for another body, 409 while the same runs (billing model, section 17)."""
        match once(connection, caller=self.caller, route=self.route, key=self.key, body=self.body):
            case First() as first:
                connection.execute("INSERT INTO effect VALUES (%s)", (self.answer,))
                keep_answer(connection, first, status=self.status, answer=self.answer.encode())
                return (500, None) if self.fails else (self.status, self.answer)
            case Answered(status, answer):
                return status, answer.decode()
            case OtherBody():
                return 422, None
            case Running():
                return 409, None
            case other:
                assert_never(other)


def _let_pass(conninfo: str, hours: int) -> None:
    """What was kept is so much older, and the worker clears what is past its time."""
    if not hours:
        return
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE idempotency_key SET made_at = made_at - %s", (timedelta(hours=hours),))
        connection.execute("SET session_replication_role = DEFAULT")
        clear_told(connection, Settings(), datetime.now(UTC))
