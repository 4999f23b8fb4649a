"""What a person or a program does at the bank's desk, each with its line in the audit log: a file taken in, a line decided.

Next: billing/operations/bank_queue.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.banking.bank_line import Statement
from billing.calendar import billing_day
from billing.operations.bank_import import Desk, Taken, take_file
from billing.operations.bank_queue import Decided
from billing.operations.bank_reading import load_line
from billing.payments import NotDone
from billing.store.bank_files import BankAccount
from billing.store.issuers import load_issuers
from control_plane import audit

Connection = psycopg.Connection[Any]


def take_in(
    connection: Connection,
    octets: bytes,
    *,
    name: str,
    statements: Sequence[tuple[BankAccount, Statement]],
    refused: int,
    actor: str,
) -> Taken:
    """Keep a file with the lines that no file told before; `refused` rows of it were left behind."""
    done = take_file(connection, octets, name=name, statements=statements, actor=actor)
    detail = {"file": name, "new": done.new, "known": done.known, "refused": refused}
    audit.append(connection, actor=actor, action="bank_file.import", subject=f"bank_file {done.file_id}", detail=detail)
    return done


def decide(
    connection: Connection,
    number: int,
    deed: str,
    do: Callable[[Desk], Decided | NotDone],
    *,
    reason: str,
    today_of: Callable[[BankAccount], Any],
    actor: str,
) -> Decided | NotDone | None:
    """Choose, ignore or undo a line; None where there is none of that number."""
    found = load_line(connection, number, today_of=today_of, actor=actor)
    if found is None:
        return None
    done = do(found[1])
    if isinstance(done, NotDone):
        return done
    payment = None if done.payment is None else done.payment.payment.id
    detail = {"reason": reason, "state": done.state, "payment": payment}
    audit.append(connection, actor=actor, action=f"bank_line.{deed}", subject=f"bank_line {number}", detail=detail)
    return done


def days_at(connection: Connection, *, now: datetime) -> Callable[[BankAccount], date]:
    """Which day it is where the issuer of an account is."""
    zones = {one.id: ZoneInfo(one.zone) for one in load_issuers(connection)}
    return lambda account: billing_day(now, zones[account.issuer_id])
