"""The worker's part in gateways: looks into what was told, asks for what is wanted, judges what nobody has judged.

Providers are asked by several threads at once, outside of any transaction; what they say is recorded by one, an event with all that
follows from it in a transaction.

What was told goes first: somebody has paid and waits. What is asked for has a few seconds of each turn.

Units: seconds.
Next: reconciling.py
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.errors import BillingError
from billing.operations.recording import record_event, record_payout
from billing.store import gateway_work as store
from billing.store.gateway_work import Notice, Unjudged
from billing.store.gateways import load_gateway_account
from control_plane import telemetry
from control_plane.gateways.desk import Desk, Line, context_of
from control_plane.gateways.intake import judge
from control_plane.gateways.presenting import Made, present, wait_s
from control_plane.gateways.provider import (
    Declined,
    GatewayError,
    GatewayRefusedError,
    Hint,
    Presented,
    Told,
    Verified,
    provider_for,
)
from control_plane.gateways.reading import UnreadableAnswerError
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]

# Calls at once: providers take some twenty a second of one account.
_THREADS: Final = 8
_NOTICES: Final = 200
# A thousand a minute is what GoCardless takes of one account; an answer takes some 0.3 s.
PRESENTED_AT_ONCE: Final = 4
# A provider that does not answer takes its timeout more; the next turn begins a second later.
_PRESENTING_S: Final = 5.0
# Whoever took it in has long answered or is dead.
_UNJUDGED_S: Final = 60.0
_JUDGED_AT_ONCE: Final = 500


def work(
    connection: Connection, settings: Settings, now: datetime, *, actor: str, presenting_s: float = _PRESENTING_S
) -> str:
    """Do what is due; harmless to repeat. Says what it did. `connection` is in autocommit.

    After `presenting_s` nothing more is asked for in this turn; one is in each.
    """
    desk = Desk(settings)
    judged = _judge_left(connection, desk)
    recorded = _look_into(connection, desk, store.take_notices(connection, limit=_NOTICES), now, actor=actor)
    done = _present_due(connection, desk, time.monotonic() + presenting_s)
    said = [f"judged {judged} notices"] if judged else []
    said += [f"{word} {number}" for word, number in sorted((done + recorded).items())]
    return ", ".join(said) or "nothing to do"


def _present_due(connection: Connection, desk: Desk, until: float) -> Counter[str]:
    """Taken a few at a time: what is not reached in this turn was not asked for, and its time stays."""
    done: Counter[str] = Counter()
    with ThreadPoolExecutor(PRESENTED_AT_ONCE, thread_name_prefix="gateway") as threads:
        while taken := store.take_presentments(connection, limit=PRESENTED_AT_ONCE):
            done.update(_word(made) for made in present(connection, desk, taken, threads))
            if time.monotonic() >= until:
                break
    return done


def _word(made: Made) -> str:
    if isinstance(made, Presented):
        return "presented"
    return "declined" if isinstance(made, Declined) else "put off"


def _look_into(connection: Connection, desk: Desk, notices: list[Notice], now: datetime, *, actor: str) -> Counter[str]:
    done: Counter[str] = Counter()
    problems: dict[int, str] = {}
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway") as threads:
        asked: dict[Future[Told], tuple[Notice, Line]] = {}
        for notice in notices:
            try:
                line = desk.line(connection, notice.account_id)
            except GatewayError as error:
                _put_off(connection, notice, error, problems)
                done["put off"] += 1
                continue
            asked[threads.submit(_fetching(line, notice))] = (notice, line)
        for future in as_completed(asked):
            notice, line = asked[future]
            try:
                told = future.result()
                _record(connection, line, notice, told, now, actor=actor)
                problems.setdefault(line.account.id, "")
                done["looked into"] += 1
            except (GatewayError, BillingError, psycopg.Error) as error:
                # What the database refuses of one is that one's problem; without the database it is nobody's.
                if connection.closed or connection.broken:
                    raise
                _put_off(connection, notice, error, problems)
                done["put off"] += 1
    for account_id, problem in problems.items():
        store.save_problem(connection, account_id, problem)
    return done


def _fetching(line: Line, notice: Notice) -> Callable[[], Told]:
    hint = Hint(notice.key, notice.topic, notice.ref, notice.happened)

    def fetch() -> Told:
        try:
            return line.provider.fetch(line.ask, hint, line.context)
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError) as error:
            raise UnreadableAnswerError(f"{hint.topic} {hint.ref}: {type(error).__name__}: {error}") from error

    return fetch


def _record(connection: Connection, line: Line, notice: Notice, told: Told, now: datetime, *, actor: str) -> None:
    """All that a notice turned out to be, and that it is done, in one transaction. Raises: BillingError."""
    account = line.account
    today = billing_day(now, ZoneInfo(account.zone))
    with connection.transaction():
        recorded = [
            record_event(connection, account, event, notice_id=notice.id, today=today, actor=actor)
            for event in told.events
        ]
        said = [one.said for one in recorded]
        said += [
            record_payout(connection, account, payout, notice_id=notice.id, today=today, actor=actor)
            for payout in told.payouts
        ]
        said += [
            store.save_mandate(connection, account.id, ref=one.ref, state=one.state, key=one.key)
            for one in told.mandates
        ]
        problem = "; ".join(one.problem for one in recorded if one.problem)
        store.end_notice(connection, notice.id, "; ".join(said) or "nothing for the books", problem)
    if problem:
        telemetry.logger().warning("gateway.not_booked", notice_id=notice.id, topic=notice.topic, problem=problem)


def _put_off(connection: Connection, notice: Notice, error: Exception, problems: dict[int, str]) -> None:
    store.put_off_notice(connection, notice.id, str(error), seconds=wait_s(notice.attempts))
    if isinstance(error, GatewayRefusedError):
        problems[notice.account_id] = str(error)
    log = telemetry.logger()
    log.warning(
        "gateway.put_off", notice_id=notice.id, topic=notice.topic, attempts=notice.attempts, problem=str(error)
    )


def _judge_left(connection: Connection, desk: Desk) -> int:
    """Judge what came in while its taker died, by the time at which it came."""
    left = store.load_unjudged(connection, older_s=_UNJUDGED_S, limit=_JUDGED_AT_ONCE)
    for one in left:
        _judge(connection, desk, one)
    return len(left)


def _judge(connection: Connection, desk: Desk, one: Unjudged) -> None:
    account = load_gateway_account(connection, one.account_id)
    try:
        secret = desk.webhook_secret(connection, one.account_id)
    except GatewayError as error:
        store.save_problem(connection, one.account_id, str(error))
        return
    provider = provider_for(account.provider)
    verdict = judge(provider, secret, one.headers, one.body, context=context_of(account), now=one.at)
    with connection.transaction():
        if isinstance(verdict, Verified):
            store.save_verdict(connection, one.id, "verified", "judged by the worker")
            hints = [(hint.key, hint.topic, hint.ref, hint.happened) for hint in verdict.hints]
            store.write_notices(connection, one.account_id, hints, webhook_id=one.id)
        else:
            store.save_verdict(connection, one.id, "refused", verdict.reason)
