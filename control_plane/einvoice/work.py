"""One account's turn: what was left in doubt is asked about, messages are read, what is queued is prepared and sent.

Each step is a transaction before the network is touched and one after it; none is open meanwhile. What is sent was written
down first, octet by octet. Who dies in between leaves it `sending`, which the next turn takes for doubt, and asks.

Units: *_s seconds.
Source: the e-invoice provider interface, "Worker rules"; its common rules 1 to 6.
Next: ../jobs/einvoices.py
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.einvoice.outcome import Message, Numbering, Outcome, State
from billing.einvoice.states import REJECTED, TAKEN, Change, answered, begin_sending, left_alone, pause_s
from billing.plain_text import plain_text
from billing.store import einvoice_desk as desk
from billing.store import einvoices as store
from billing.store import outbox
from billing.store.einvoices import Einvoice, EinvoiceAccount
from billing.store.issued import load_document
from billing.store.outbox import Event
from control_plane import telemetry
from control_plane.einvoice.provider import Account, NotPrepared, Prepared, Provider, Tickets
from radius_hooks.sealing import Sealer, SealError, ticket_row

Connection = psycopg.Connection[Any]

# Longer than any one try, and asked about soon after.
LEASE_S: Final = 120.0
LOOKUP: Final = "lookup"
_ASKED_AT_ONCE: Final = 100
_READ_AT_ONCE: Final = 100


@dataclass
class Turn:
    """One account for a while: it ends when nothing is left, when nobody answers, or when the time is over."""

    connection: Connection
    account: EinvoiceAccount
    provider: Provider
    speaker: Account
    until: float
    done: Counter[str] = field(default_factory=Counter)
    silent: bool = False
    blocked: bool = False

    def goes_on(self) -> bool:
        """Whether something else may be asked."""
        return not self.silent and not self.blocked and time.monotonic() < self.until

    def run(self) -> Counter[str]:
        """Ask, read, send. Returns what became of how many."""
        self._ask()
        if self.goes_on():
            self._read()
        while self.goes_on() and self._send_one():
            pass
        with self.connection.transaction():
            if self.silent:
                pause = pause_s(self.account.failures + 1, spread=_spread())
                desk.rest(self.connection, self.account.id, pause_s=pause)
            elif self.done:
                desk.answers(self.connection, self.account.id)
        return self.done

    def _ask(self) -> None:
        """What is in doubt or pending; and what a dead worker was sending is in doubt."""
        for one in store.load_due(self.connection, self.account.id, limit=_ASKED_AT_ONCE):
            if not self.goes_on():
                return
            if one.standing.state is State.SENDING:
                with self.connection.transaction():
                    held = store.hold(self.connection, one.id)
                    if held.standing.state is not State.SENDING:
                        continue
                    store.save(self.connection, one.id, left_alone(held.standing, now=_now()))
                    store.note(self.connection, one.id, "send", text="nobody noted how it ended: it is asked about")
            self._take(one.id, LOOKUP, self.provider.lookup(self.speaker, prepared_of(one)))

    def _read(self) -> None:
        """Fetch messages, keep them, then read them."""
        for content in self.provider.collect(self.speaker):
            with self.connection.transaction():
                desk.keep_message(self.connection, self.account.id, content)
        read_messages(self.connection, self.account, self.provider, self.speaker)

    def _send_one(self) -> bool:
        """Prepare or send the next; whether there was one."""
        manner = self.provider.describe().manner
        with self.connection.transaction():
            one = store.take_to_send(self.connection, self.account.id, consecutive=manner.consecutive)
            if one is None:
                return False
            if one.standing.state is State.DRAFT:
                self._prepare(one)
                return True
            begun = begin_sending(one.standing, now=_now(), lease_s=LEASE_S)
            store.save(self.connection, one.id, begun, sends=True)
            store.note(
                self.connection, one.id, "send", direction="sent", text=f"{one.external_key}, try {one.attempts + 1}"
            )
        self._take(one.id, "send", self.provider.submit(self.speaker, prepared_of(one)))
        return True

    def _prepare(self, one: Einvoice) -> None:
        problem = prepare(self.connection, self.account, self.provider, self.speaker, one)
        self.done["prepared" if not problem else "held"] += 1
        if problem and self.account.blocked_at is None and problem.startswith(_RANGE):
            self._block(problem)

    def _take(self, einvoice_id: int, operation: str, outcome: Outcome) -> None:
        """Write down an answer and what it makes of the document."""
        with self.connection.transaction():
            change = take_answer(self.connection, self.provider, einvoice_id, operation, outcome)
            if change.blocks:
                self._block(change.blocks)
        self.done[change.standing.state.value] += 1
        self.silent = outcome.unreachable

    def _block(self, why: str) -> None:
        self.blocked = True
        desk.block(self.connection, self.account.id, why=why)
        telemetry.logger().error("einvoice.blocked", account=self.account.name, reason=why)


_RANGE: Final = "the range of numbers"


def prepared_of(one: Einvoice) -> Prepared:
    """What was kept to be sent."""
    assert one.payload is not None, f"e-invoice {one.id} is prepared"
    assert one.external_key is not None
    assert one.media_type is not None
    assert one.standing.digest is not None
    return Prepared(
        one.payload, one.media_type, one.external_key, one.kind, one.series, one.number or 0, one.standing.digest
    )


def prepare(
    connection: Connection, account: EinvoiceAccount, provider: Provider, speaker: Account, one: Einvoice
) -> str:
    """Build what is sent, and keep it with its number; a document that was rejected keeps the number that it has.

    In the caller's transaction. Returns why it can't be, which holds it for a person; empty when it was prepared.
    """
    manner = provider.describe().manner
    today = billing_day(_now(), ZoneInfo(account.zone))
    document = load_document(connection, one.document_id, today=today)
    number = one.number
    if number is None and manner.numbering is Numbering.SERIES:
        allowed = store.next_number(connection, account.id, one.kind, one.series)
        number = allowed.next_number
        if allowed.last_allowed is not None and number > allowed.last_allowed:
            problem = f"{_RANGE} of series {one.series} is used up at {allowed.last_allowed}"
            store.note(connection, one.id, "prepare", text=problem)
            return problem
        if allowed.valid_to is not None and today > allowed.valid_to:
            problem = f"{_RANGE} of series {one.series} was valid until {allowed.valid_to}"
            store.note(connection, one.id, "prepare", text=problem)
            return problem
    made = provider.prepare(speaker, document, number or 0, one.series)
    if isinstance(made, NotPrepared):
        problem = "; ".join(f"{fault.code} {fault.text}".strip() for fault in made.messages)
        store.hold_back(connection, one.id, problem=problem)
        store.note(connection, one.id, "prepare", text=problem)
        return problem
    if number is not None and manner.numbering is Numbering.SERIES:
        store.take_number(connection, account.id, one.kind, one.series, number)
    if manner.numbering is Numbering.AUTHORITY:
        number = None
    store.keep_prepared(
        connection,
        one.id,
        number=number or made.number or None,
        external_key=made.external_key,
        payload=made.payload,
        media_type=made.media_type,
    )
    return ""


def take_answer(
    connection: Connection, provider: Provider, einvoice_id: int, operation: str, outcome: Outcome
) -> Change:
    """What an answer makes of an e-invoice, written down in the caller's transaction together with what others are told."""
    one = store.hold(connection, einvoice_id)
    outcome = _plain(outcome)
    was = one.standing
    asked, manner = operation == LOOKUP, provider.describe().manner
    change = answered(was, outcome, manner, now=_now(), asked=asked, spread=_spread())
    store.note(connection, einvoice_id, operation, direction="received", outcome=outcome)
    # What an answer says that changes nothing does not overwrite what is known.
    moved = change.standing.state is not was.state or was.state not in TAKEN | REJECTED
    store.save(connection, einvoice_id, change, outcome=outcome if moved else None)
    if not moved:
        store.keep_artifacts(connection, einvoice_id, outcome.artifacts)
    if change.standing.contradiction != was.contradiction:
        telemetry.logger().error("einvoice.contradiction", einvoice_id=einvoice_id, said=change.standing.contradiction)
    _tell(connection, one, was.state, change.standing.state, outcome)
    return change


def _plain(outcome: Outcome) -> Outcome:
    """With words that the database keeps, whatever an authority wrote; files and `raw` stay octet by octet."""
    key, code, qr_text = (
        None if text is None else plain_text(text)
        for text in (outcome.authority_key, outcome.authority_code, outcome.qr_text)
    )
    messages = tuple(Message(plain_text(one.code), plain_text(one.text), one.level) for one in outcome.messages)
    return replace(outcome, authority_key=key, authority_code=code, qr_text=qr_text, messages=messages)


def _tell(connection: Connection, one: Einvoice, was: State, is_now: State, outcome: Outcome) -> None:
    if is_now is was or not (is_now in TAKEN or is_now in REJECTED):
        return
    telemetry.EINVOICES.labels(is_now.value).inc()
    told: dict[str, object] = {
        "document": one.document_id,
        "state": is_now.value,
        "series": one.series,
        "number": one.number,
    }
    if is_now in TAKEN:
        more: dict[str, object] = {"authority_key": outcome.authority_key, "authority_code": outcome.authority_code}
        outbox.write(connection, [Event("einvoice.accepted", told | more)])
        return
    reasons = [{"code": said.code, "text": said.text} for said in outcome.messages]
    telemetry.logger().warning("einvoice.rejected", document_id=one.document_id, state=is_now.value)
    outbox.write(connection, [Event("einvoice.rejected", told | {"reasons": reasons})])


def read_messages(connection: Connection, account: EinvoiceAccount, provider: Provider, speaker: Account) -> int:
    """Read what was told and nobody has read, each in a transaction of its own; returns how many were believed."""
    believed = 0
    while True:
        with connection.transaction():
            waiting = desk.take_messages(connection, account.id, limit=1)
            if not waiting:
                return believed
            ((number, content),) = waiting
            told = provider.ingest(speaker, content)
            words = [plain_text(told.refused)] if told.refused else []
            for said, outcome in told.outcomes:
                key = plain_text(said)
                einvoice_id = store.find_by_key(connection, account.id, key)
                if einvoice_id is None:
                    words.append(f"{key}: nothing of that key was sent")
                    continue
                change = take_answer(connection, provider, einvoice_id, "message", outcome)
                words.append(f"{key}: {change.standing.state.value}")
            if told.refused:
                telemetry.logger().warning("einvoice.message_refused", account=account.name, reason=told.refused)
            believed += not told.refused
            desk.end_message(connection, number, verdict="; ".join(words) or "it says nothing of ours")


class KeptTickets(Tickets):
    """Logins kept in the database, sealed; each in a transaction of its own, so that one is never lost with another's work."""

    def __init__(self, connection: Connection, account_id: int, sealer: Sealer) -> None:
        self._connection = connection
        self._account_id = account_id
        self._sealer = sealer

    def get(self, service: str, *, now: datetime) -> str | None:
        """The login to a service that is still valid."""
        sealed = desk.load_ticket(self._connection, self._account_id, service, now=now)
        if sealed is None:
            return None
        try:
            return self._sealer.open(sealed, row=ticket_row(self._account_id, service)).decode()
        except SealError:
            # A login that can't be opened is made anew, and kept in its place.
            return None

    def keep(self, service: str, token: str, *, expires: datetime) -> None:
        """Keep one for everybody."""
        sealed = self._sealer.seal(token.encode(), row=ticket_row(self._account_id, service))
        with self._connection.transaction():
            desk.keep_ticket(self._connection, self._account_id, service, sealed=sealed, expires=expires)

    def drop(self, service: str) -> None:
        """The authority takes it no more."""
        with self._connection.transaction():
            desk.drop_ticket(self._connection, self._account_id, service)


def _now() -> datetime:
    return datetime.now(UTC)


def _spread() -> float:
    return random.random()  # noqa: S311 - no secret: it only keeps questions apart
