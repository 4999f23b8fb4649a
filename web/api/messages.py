"""Messages: what was or will be sent, listed and shown; written to one customer, stopped and sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from billing.messages.errors import TextError
from billing.messages.message import NewMessage, Purpose, State
from billing.store.customers import load_customer
from billing.store.message_batches import Batch, load_batches
from billing.store.message_list import ListedMessage, load_happened, load_message
from billing.store.message_search import Asked, load_page
from control_plane.access.permissions import Permission
from control_plane.messages import desk
from web.acting import clock, person
from web.api._shapes import NO_CONTROL, Number, Words, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem, Wrong
from web.surroundings import here

pages = Noun("messages")
_GREATEST_ID = 2**63 - 1
_Key = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, description="told again it is the same message", pattern=NO_CONTROL)
]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]


class MessageQuestion(Paging, frozen=True, kw_only=True):
    """Which messages: to a customer, of a batch, in a state, of a kind, by a channel."""

    customer_id: Number | None = None
    batch_id: Number | None = None
    state: State | None = None
    kind: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,40}$")] | None = None
    channel: Annotated[str, msgspec.Meta(pattern="^[a-z_]{1,40}$")] | None = None


class ListedLetter(msgspec.Struct, frozen=True):
    """A message in a list. `next_at` is when it goes, while it waits."""

    id: int
    customer_id: int
    customer: str
    channel: str
    purpose: str
    kind: str
    because_of: str
    batch_id: int | None
    state: State
    tries: int
    written_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    address: str | None
    subject: str | None
    problem: str


class Step(msgspec.Struct, frozen=True):
    """What became of a message at a moment, in the other side's words."""

    at: datetime
    happened: str
    detail: str
    by: str


class OneLetter(msgspec.Struct, frozen=True):
    """A message with its text, as far as it was written, and its story."""

    id: int
    customer_id: int
    customer: str
    contract_id: int | None
    channel: str
    purpose: str
    kind: str
    because_of: str
    enclosures: list[str]
    state: State
    problem: str
    address: str | None
    subject: str | None
    text: str | None
    html: str | None
    story: list[Step]


class LetterToWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subject and a text to one customer."""

    customer_id: Number
    subject: Words
    text: _Text
    key: _Key
    purpose: Purpose = Purpose.SERVICE


class WhyStopped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it does not go."""

    reason: Words


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How and when it went by hand."""

    note: Words


class OneBatch(msgspec.Struct, frozen=True):
    """What went to many, and how far it is."""

    id: int
    title: str
    by: str
    written_at: datetime
    stopped_at: datetime | None
    messages: int
    waiting: int
    sent: int
    failed: int
    withheld: int
    stopped: int


class Done(msgspec.Struct, frozen=True):
    """How many messages it was done to."""

    messages: int


@pages.call(
    "GET",
    "/messages",
    permission=Permission.MESSAGE_SEE,
    asked=MessageQuestion,
    answers=Slice[ListedLetter],
    refusals=(404,),
    does=("messages.show_list",),
)
def find(connection: Connection, *, asked: MessageQuestion) -> Slice[ListedLetter]:
    """Messages, the newest first."""
    wanted = Asked(
        customer_id=asked.customer_id,
        batch_id=asked.batch_id,
        state=asked.state,
        template=asked.kind,
        channel=asked.channel,
    )
    rows = load_page(connection, wanted, limit=asked.limit + 1, after=part_after(asked, int))
    return slice_of(rows, asked, shown=_listed, key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/messages/<int:number>",
    permission=Permission.MESSAGE_SEE,
    answers=OneLetter,
    refusals=(404,),
    does=("messages.show", "messages.show_mail"),
)
def show(connection: Connection, *, number: int) -> OneLetter:
    """One message with its text and what became of it."""
    return _shown(connection, number)


@pages.call(
    "POST",
    "/messages",
    permission=Permission.MESSAGE_SEND,
    body=LetterToWrite,
    answers=OneLetter,
    status=201,
    refusals=(409,),
    does=("message_new.write",),
)
def write(connection: Connection, *, body: LetterToWrite) -> OneLetter:
    """Write to one customer."""
    if load_customer(connection, body.customer_id) is None:
        raise Problem(422, "A value is refused.", Wrong("there is no such customer", pointer="/customer_id"))
    data = {"subject": body.subject, "text": body.text}
    message = NewMessage(body.customer_id, "text", f"by hand {body.key}", data, body.purpose)
    try:
        written = desk.write_one(connection, here().settings, message, by=person().name, now=clock(connection))
    except TextError as error:
        raise Problem(422, "A value is refused.", Wrong(str(error), pointer="/text")) from error
    if written.number is None:
        raise Problem(409, "A message of this key was written to this customer before.")
    return _shown(connection, written.number)


@pages.call(
    "POST",
    "/messages/<int:number>/stop",
    permission=Permission.MESSAGE_SEND,
    body=WhyStopped,
    answers=OneLetter,
    refusals=(404, 409),
    does=("messages.act",),
)
def stop(connection: Connection, *, number: int, body: WhyStopped) -> OneLetter:
    """Take back what has not gone."""
    _shown(connection, number)
    if not desk.take_back(connection, [number], reason=body.reason, by=person().name):
        raise Problem(409, "It does not wait any more.")
    return _shown(connection, number)


@pages.call(
    "POST",
    "/messages/<int:number>/again",
    permission=Permission.MESSAGE_SEND,
    answers=OneLetter,
    refusals=(404, 409),
    does=("messages.act",),
)
def send_again(connection: Connection, *, number: int) -> OneLetter:
    """Queue again what did not arrive."""
    _shown(connection, number)
    if not desk.again(connection, [number], by=person().name)[0]:
        raise Problem(409, "It arrived, or it waits still.")
    return _shown(connection, number)


@pages.call(
    "POST",
    "/messages/<int:number>/copy",
    permission=Permission.MESSAGE_SEND,
    answers=OneLetter,
    status=201,
    refusals=(404, 409),
    does=("messages.act",),
)
def send_copy(connection: Connection, *, number: int) -> OneLetter:
    """Write a second message like one that was sent."""
    if _shown(connection, number).state is not State.SENT:
        raise Problem(409, "It was not sent.")
    _, copies = desk.again(connection, [number], copy=True, by=person().name)
    return _shown(connection, copies[number])


@pages.call(
    "POST",
    "/messages/<int:number>/done",
    permission=Permission.MESSAGE_SEND,
    body=Note,
    answers=OneLetter,
    refusals=(404, 409),
    does=("messages.act",),
)
def done_by_hand(connection: Connection, *, number: int, body: Note) -> OneLetter:
    """Note that it went by a channel that nothing here sends by."""
    _shown(connection, number)
    try:
        desk.done_by_hand(connection, number, body.note, by=person().name)
    except desk.NotWaitingError as error:
        raise Problem(409, "It does not wait to be sent by hand.") from error
    return _shown(connection, number)


@pages.call(
    "GET",
    "/message-batches",
    permission=Permission.MESSAGE_SEE,
    asked=Paging,
    answers=Slice[OneBatch],
    refusals=(404,),
    does=("messages.show_batches",),
)
def find_batches(connection: Connection, *, asked: Paging) -> Slice[OneBatch]:
    """What went to many, the newest first."""
    key = part_after(asked, int)
    rows = load_batches(connection, before=None if key is None else key[0], limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_batch, key=lambda row: (row.id,))


@pages.call(
    "POST",
    "/message-batches/<int:number>/stop",
    permission=Permission.MESSAGE_SEND,
    body=WhyStopped,
    answers=Done,
    refusals=(404,),
    does=("messages.act_on_batch",),
)
def stop_batch(connection: Connection, *, number: int, body: WhyStopped) -> Done:
    """Take back what has not gone of a batch."""
    _known_batch(connection, number)
    return Done(len(desk.take_back(connection, [], batch_id=number, reason=body.reason, by=person().name)))


@pages.call(
    "POST",
    "/message-batches/<int:number>/again",
    permission=Permission.MESSAGE_SEND,
    answers=Done,
    refusals=(404,),
    does=("messages.act_on_batch",),
)
def send_batch_again(connection: Connection, *, number: int) -> Done:
    """Queue again what failed and bounced of a batch."""
    _known_batch(connection, number)
    return Done(len(desk.again(connection, [], batch_id=number, by=person().name)[0]))


def _known_batch(connection: Connection, number: int) -> None:
    if number > _GREATEST_ID or not load_batches(connection, batch_id=number):
        raise there_is_none()


def _listed(row: ListedMessage) -> ListedLetter:
    state = State(row.state)
    return ListedLetter(
        id=row.id,
        customer_id=row.customer_id,
        customer=row.customer,
        channel=row.channel,
        purpose=row.purpose,
        kind=row.template,
        because_of=row.origin,
        batch_id=row.batch_id,
        state=state,
        tries=row.attempts,
        written_at=row.made_at,
        next_at=row.next_at if state is State.QUEUED else None,
        ended_at=row.ended_at,
        address=row.address,
        subject=row.subject,
        problem=row.problem,
    )


def _shown(connection: Connection, number: int) -> OneLetter:
    found = load_message(connection, number) if number <= _GREATEST_ID else None
    if found is None:
        raise there_is_none()
    return OneLetter(
        id=found.id,
        customer_id=found.customer_id,
        customer=found.customer,
        contract_id=found.contract_id,
        channel=found.channel,
        purpose=found.purpose,
        kind=found.template,
        because_of=found.origin,
        enclosures=found.enclosures,
        state=State(found.state),
        problem=found.problem,
        address=found.address,
        subject=found.subject,
        text=found.body,
        html=found.html,
        story=[Step(one.at, one.happened, one.detail, one.made_by) for one in load_happened(connection, number)],
    )


def _batch(one: Batch) -> OneBatch:
    return OneBatch(
        id=one.id,
        title=one.title,
        by=one.made_by,
        written_at=one.made_at,
        stopped_at=one.cancelled_at,
        messages=one.messages,
        waiting=one.waiting,
        sent=one.sent,
        failed=one.failed,
        withheld=one.withheld,
        stopped=one.cancelled,
    )
