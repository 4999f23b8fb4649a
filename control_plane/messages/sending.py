"""Sends what is due: takes messages, writes their text, hands them over, and notes what was answered.

Each step is committed before the next begins, and no transaction is open while the other side is spoken to. A message goes
once. Where a worker was killed, or the connection broke, between the text's last octet and its answer, nobody can know: what
the law, the contract or the service asks for is then sent once more, with the same Message-ID; marketing is not.

Units: *_s seconds.
Source: docs/messages.md; decision 0036.
Next: channel.py
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as TimeOfDay
from typing import Any, Final, assert_never

import psycopg

from billing.dunning.guard import Hours
from billing.errors import BillingError
from billing.messages.may_go import Asked, Go, Wait, Withhold, may_go
from billing.messages.message import PUSH, Purpose, State, read_enclosure
from billing.messages.texts import Reader, write
from billing.operations.enclosures import File, make_enclosure
from billing.operations.printing import PrintShop
from billing.papers.press import own_folders
from billing.papers.wording import load_look
from billing.store.message_queue import (
    Happening,
    Taken,
    claim,
    end,
    free_overdue,
    is_any_due,
    later,
    mark_handing,
    put_back,
    room_left,
    save_text,
    was_handed,
)
from billing.store.message_readers import Addressee, Sender, load_addressees
from billing.store.message_templates import find_source
from billing.store.push_devices import remove_device
from billing.store.undeliverable import mark_undeliverable
from control_plane import db, telemetry
from control_plane.leadership import LeadershipLostError
from control_plane.messages.channel import (
    Channel,
    ChannelError,
    Deferred,
    Letter,
    Line,
    NotSent,
    Outcome,
    Refused,
    Sent,
)
from control_plane.messages.channels import CHANNELS, SWITCHED_OFF
from control_plane.messages.notice import news_of, page_for
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]

ACTOR: Final = "job send_messages"
SEND_MESSAGES_EVERY_S: Final = 5.0
# One turn of the job: others want its thread, and a leader that lost its lease is to be noticed.
TURN_S: Final = 20.0
_BATCH: Final = 20
# Who takes longer finds its messages taken by another, and sends none of them.
LEASE_S: Final = 300.0
# From the text's first octet to the answer that is noted; [email] timeout_s is far below.
_ANSWER_S: Final = 300.0
# Greylisting is over after minutes, a full mailbox after days: three days in all, as mail servers do.
RETRIES_S: Final = (300, 600, 1200, 2400, 4800, 9600, *(14400,) * 16)
_DOUBT_S: Final = 300
_NO_ROOM: Final = "the limit of [email] per_hour or per_day is reached"


@dataclass(frozen=True, slots=True)
class Desk:
    """What a turn has open: one connection to the database, one line, the presses, and since when."""

    connection: Connection
    settings: Settings
    channel: Channel
    line: Line
    shop: PrintShop
    operator: Sender
    began_at: datetime
    began_s: float

    @property
    def now(self) -> datetime:
        """The database's time when the turn began, and what passed since."""
        return self.began_at + timedelta(seconds=time.monotonic() - self.began_s)


def send_messages(connection: Connection, settings: Settings, now: datetime) -> str:
    """One turn of the job: send by every channel what is due, for some seconds. Says what became of it.

    Raises: ChannelError, which names what to do, when a channel can't be used.
    """
    counted: Counter[str] = Counter()
    waits: list[str] = []
    failed: list[ChannelError] = []
    for name, make in CHANNELS.items():
        _settle_overdue(connection, name, counted)
        try:
            channel = make(settings, connection)
            if is_any_due(connection, name):
                if channel is None:
                    waits.append(f"messages wait: {SWITCHED_OFF[name]}")
                else:
                    _send_by(connection, settings, channel, now, counted)
        except ChannelError as error:
            # What goes another way does not wait for this one.
            failed.append(error)
    if failed:
        raise failed[0]
    said = [*waits, *(f"{count} {word}" for word, count in sorted(counted.items()))]
    return ", ".join(said) or "nothing to send"


def _send_by(
    connection: Connection, settings: Settings, channel: Channel, now: datetime, counted: Counter[str]
) -> None:
    operator = Sender(None, {"name": settings.operator.name}, None, settings.zone)
    until = time.monotonic() + TURN_S
    with PrintShop(settings.papers_dir) as shop, channel.open() as line:
        desk = Desk(connection, settings, channel, line, shop, operator, now, time.monotonic())
        while time.monotonic() < until:
            room = room_left(connection, channel.name, per_hour=channel.per_hour, per_day=channel.per_day)
            if room == 0:
                counted[_NO_ROOM] += 1
                return
            taken = claim(connection, channel.name, limit=min(_BATCH, room), lease_s=LEASE_S)
            if not taken:
                return
            _send_batch(desk, taken, until, counted)


def _send_batch(desk: Desk, taken: Sequence[Taken], until: float, counted: Counter[str]) -> None:
    """What is not tried, since the time is over or the line broke, is put back as it was."""
    left = [one.id for one in taken]
    try:
        addressees = load_addressees(desk.connection, taken, channel=desk.channel.name, operator=desk.operator)
        for one in taken:
            if time.monotonic() >= until:
                break
            said = _sent_or_set_aside(desk, one, addressees[one.id])
            left.remove(one.id)
            counted[said.value] += 1
            telemetry.MESSAGES.labels(desk.channel.name, said.value).inc()
    finally:
        if left and not desk.connection.broken:
            put_back(desk.connection, left)


def _sent_or_set_aside(desk: Desk, message: Taken, addressee: Addressee) -> Happening:
    """A bug of ours that one message meets is logged, and that message comes later: it would be the first again, and stop all."""
    try:
        return _send_one(desk, message, addressee)
    except (psycopg.Error, ChannelError, LeadershipLostError):
        raise
    except Exception as error:  # noqa: BLE001 - logged as ours; the others go on
        telemetry.logger().error("message.not_sent", message_id=message.id, problem=f"{type(error).__name__}: {error}")
        if was_handed(desk.connection, message.id):
            # Its lease is over in minutes, and then it is in doubt.
            return Happening.IN_DOUBT
        return _deferred(desk, message, f"{type(error).__name__}: {error}")


def _send_one(desk: Desk, message: Taken, addressee: Addressee) -> Happening:
    """All of one message; what is wrong with it alone stops no other."""
    asked = Asked(
        message.purpose, message.at_once, addressee.consent, addressee.undeliverable, expires_at=message.expires_at
    )
    sender = addressee.sender
    verdict = may_go(
        asked,
        hours=hours_of(desk.settings),
        zone=sender.zone,
        country=sender.country,
        now=desk.now,
    )
    match verdict:
        case Withhold():
            return _ended(desk, message, State.WITHHELD, Happening.WITHHELD, verdict.why)
        case Wait():
            later(
                desk.connection,
                message.id,
                Happening.HELD,
                problem=f"{verdict.why} until {verdict.until.astimezone(sender.zone):%Y-%m-%d %H:%M}",
                made_by=ACTOR,
                at=verdict.until,
                is_attempt=False,
            )
            return Happening.HELD
        case Go():
            pass
        case _:
            assert_never(verdict)
    if desk.channel.name == PUSH and addressee.device is None:
        return _ended(desk, message, State.WITHHELD, Happening.WITHHELD, "the device is not told any more")
    if addressee.address is None:
        return _ended(desk, message, State.FAILED, Happening.FAILED, "the customer has no e-mail address")
    try:
        letter = letter_for(
            desk.connection, message, addressee, settings=desk.settings, channel=desk.channel, shop=desk.shop
        )
    except BillingError as error:
        # A text that was edited wrongly is mended, and then what waited for it goes.
        return _deferred(desk, message, str(error))
    outcome = desk.line.send(letter, before_text=lambda: mark_handing(desk.connection, message, lease_s=_ANSWER_S))
    return _noted(desk, message, letter, outcome)


def letter_for(
    connection: Connection,
    message: Taken,
    addressee: Addressee,
    *,
    settings: Settings,
    channel: Channel,
    shop: PrintShop,
) -> Letter:
    """The message's text, written at its first attempt and kept, and what goes with it.

    Raises: BillingError for a text that can't be filled in, or an enclosure that can't be made.
    """
    address = addressee.address
    assert address is not None, "no address: nothing is written"
    kept = _kept_text(message)
    reference, version = message.reference, None
    if kept is None or reference is None:
        source = find_source(connection, message.template, addressee.language, addressee.sender.id)
        reader = reader_of(addressee, accent=accent_of(settings, addressee.sender.id))
        text = write(source, message.template, message.data, reader)
        kept = db.clock(connection), text.subject, text.body, text.html
        reference, version = channel.reference_for(message.id, message.token), source.version
    if message.reference is None or message.address != address:
        save_text(connection, message.id, address=address, reference=reference, version=version, written=kept)
    at, subject, body, html = kept
    return Letter(
        message.id,
        message.token,
        message.purpose,
        reference,
        at.astimezone(addressee.sender.zone),
        addressee.sender.name,
        addressee.sender.facts.get("email") or None,
        address,
        addressee.name,
        addressee.language,
        subject,
        body,
        html,
        _enclosures(connection, shop, message),
        addressee.device,
        page_for(message.template, message.contract_id),
        news_of(message.template, body),
        message.expires_at,
    )


def _enclosures(connection: Connection, shop: PrintShop, message: Taken) -> tuple[File, ...]:
    """What goes with it. Raises: BillingError."""
    return tuple(
        make_enclosure(connection, shop, read_enclosure(one), customer_id=message.customer_id)
        for one in message.enclosures
    )


def _kept_text(message: Taken) -> tuple[datetime, str, str, str] | None:
    """What was written at an earlier attempt: it goes out as it was."""
    at, subject, body, html = message.written_at, message.subject, message.body, message.html
    if at is None or subject is None or body is None or html is None:
        return None
    return at, subject, body, html


def reader_of(addressee: Addressee, *, accent: str) -> Reader:
    """What every message knows of who reads and who writes it."""
    sender = addressee.sender
    customer = {"name": addressee.customer_name, "number": addressee.customer_number}
    return Reader(addressee.name, customer, sender.facts, addressee.language, sender.country or "", sender.zone, accent)


def accent_of(settings: Settings, issuer_id: int | None) -> str:
    """The colour of an issuer's papers. Raises: PaperError for a look that can't be read."""
    return str(load_look(own_folders(settings.papers_dir, issuer_id))["accent"])


def hours_of(settings: Settings) -> Hours:
    """Between which times of a day customers are written to."""
    own = settings.messages
    ends = TimeOfDay.max if own.until_time == "24:00" else TimeOfDay.fromisoformat(own.until_time)
    return Hours(TimeOfDay.fromisoformat(own.from_time), ends)


def _noted(desk: Desk, message: Taken, letter: Letter, outcome: Outcome) -> Happening:
    connection = desk.connection
    match outcome:
        case Sent():
            end(connection, message.id, State.SENT, Happening.SENT, detail=outcome.reply, made_by=ACTOR)
            return Happening.SENT
        case Deferred(in_doubt=True):
            settle_doubt(connection, message.id, message.purpose, message.doubts, outcome.reply)
            return Happening.IN_DOUBT
        case Deferred():
            return _deferred(desk, message, outcome.reply, least_s=outcome.wait_s)
        case Refused():
            with connection.transaction():
                if outcome.no_such_address and letter.device is not None:
                    remove_device(connection, letter.device.id)
                elif outcome.no_such_address:
                    mark_undeliverable(
                        connection, desk.channel.name, letter.address, outcome.reply, message_id=message.id
                    )
                return _ended(desk, message, State.FAILED, Happening.FAILED, outcome.reply)
        case NotSent():
            return Happening.HELD
        case _:
            assert_never(outcome)


def _deferred(desk: Desk, message: Taken, why: str, *, least_s: float = 0.0) -> Happening:
    if message.attempts > len(RETRIES_S):
        return _ended(desk, message, State.FAILED, Happening.FAILED, f"given up: {why}")
    wait_s = max(least_s, RETRIES_S[message.attempts - 1])
    later(desk.connection, message.id, Happening.DEFERRED, problem=why, made_by=ACTOR, in_s=wait_s)
    return Happening.DEFERRED


def _ended(desk: Desk, message: Taken, state: State, happened: Happening, why: str) -> Happening:
    end(desk.connection, message.id, state, happened, detail=why, made_by=ACTOR)
    return happened


def _settle_overdue(connection: Connection, channel: str, counted: Counter[str]) -> None:
    with connection.transaction():
        for message_id, purpose, doubts in free_overdue(connection, channel):
            settle_doubt(connection, message_id, purpose, doubts, "the worker ended before the answer was noted")
            counted[Happening.IN_DOUBT.value] += 1


def settle_doubt(connection: Connection, message_id: int, purpose: Purpose, doubts: int, why: str) -> None:
    """It may have arrived. Once it is sent again, for what a customer must hear; then a person decides."""
    if purpose is not Purpose.MARKETING and doubts == 0:
        later(
            connection,
            message_id,
            Happening.IN_DOUBT,
            problem=f"in doubt, it is sent once more: {why}",
            made_by=ACTOR,
            in_s=_DOUBT_S,
        )
        return
    why = f"in doubt, it may have arrived and is not sent again by itself: {why}"
    end(connection, message_id, State.FAILED, Happening.IN_DOUBT, detail=why, made_by=ACTOR)
