"""Webhooks: who is told of events by HTTP, what was sent and answered, and sending it again. Secrets are told once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from billing.store import webhooks as store
from billing.store.webhooks import Delivery, Endpoint
from control_plane.access.permissions import Permission
from control_plane.outward import webhook_desk as desk
from control_plane.outward.target import TargetError
from web.acting import person
from web.api._shapes import NO_CONTROL, Words, shaped, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem
from web.sealing import sealer
from web.surroundings import here
from web.versions import check_version, tell_version

pages = Noun("webhooks")
_OLD_VALID_S = 86_400
Event = Literal[
    "*",
    "contract.changed",
    "document.issued",
    "document.credited",
    "payment.recorded",
    "payment.reversed",
    "dunning.step",
    "dunning.cleared",
    "dunning.lifted",
    "cash_session.closed",
    "einvoice.accepted",
    "einvoice.rejected",
]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=NO_CONTROL)]
Events = Annotated[list[Event], msgspec.Meta(min_length=1, max_length=20)]


class Webhook(msgspec.Struct, frozen=True):
    """Who is told of what, and how that goes: what waits, what was given up, what was delivered."""

    name: str
    url: str
    events: list[str]
    old_secret_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str
    made_by: str
    made_at: datetime
    waiting: int
    parked: int
    delivered: int


class WebhookWithSecret(msgspec.Struct, frozen=True):
    """A webhook and the secret that it is signed with, told this once; the one before signs too until `old_until`."""

    name: str
    secret: str
    old_until: datetime | None = None


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Its name, where it is sent and of which events: `*` is everything."""

    name: Name
    url: Url
    events: Events


class ChangedWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another address, or other events."""

    url: Url
    events: Events


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Words


class ListedDelivery(msgspec.Struct, frozen=True):
    """A delivery: waiting, delivered, or parked once it was given up."""

    id: int
    endpoint: str
    event_id: str
    event: str
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime
    ended_at: datetime | None
    problem: str


class Try(msgspec.Struct, frozen=True):
    """How one try went."""

    attempt: int
    at: datetime
    took_s: float
    address: str | None
    status: int | None
    problem: str
    answer: str


class OneDelivery(msgspec.Struct, frozen=True):
    """A delivery with what is sent, and each try with its answer."""

    delivery: ListedDelivery
    body: str
    tries: list[Try]


class DeliveryQuestion(Paging, frozen=True, kw_only=True):
    """Which deliveries: of a webhook, in a state."""

    webhook: Name | None = None
    state: Literal["waiting", "delivered", "parked"] | None = None


class Sent(msgspec.Struct, frozen=True):
    """The delivery that was written."""

    delivery_id: int


@pages.call(
    "GET",
    "/webhooks",
    permission=Permission.WEBHOOK_SEE,
    answers=list[Webhook],
    does=("webhook_desk.show_all",),
)
def find(connection: Connection) -> list[Webhook]:
    """All webhooks."""
    tallies = store.load_tallies(connection)
    return [_with_tally(one, tallies.get(one.id)) for one in store.load_endpoints(connection)]


@pages.call(
    "POST",
    "/webhooks",
    permission=Permission.WEBHOOK_CHANGE,
    body=NewWebhook,
    answers=WebhookWithSecret,
    status=201,
    refusals=(409,),
    does=("webhook_desk.new",),
    tells_secret=True,
)
def new(connection: Connection, *, body: NewWebhook) -> WebhookWithSecret:
    """A new webhook; its secret is told now and never again."""
    try:
        added = desk.add(
            connection,
            sealer(),
            body.name,
            url=body.url,
            events=list(body.events),
            secret=None,
            allow_private=here().settings.webhooks.allow_private_addresses,
            actor=person().name,
        )
    except TargetError as error:
        raise wrong_value(str(error), pointer="/url") from error
    except desk.WebhookRefusedError as error:
        raise Problem(409, str(error)) from error
    return WebhookWithSecret(added.name, added.secret)


@pages.call(
    "GET",
    "/webhooks/<name>",
    permission=Permission.WEBHOOK_SEE,
    answers=Webhook,
    refusals=(404,),
    does=("webhook_desk.show_all",),
    version="told",
)
def show(connection: Connection, *, name: str) -> Webhook:
    """One webhook."""
    known = _held(connection, name)
    tell_version((known.url, known.events))
    return _shown(connection, known)


@pages.call(
    "PUT",
    "/webhooks/<name>",
    permission=Permission.WEBHOOK_CHANGE,
    also=(Permission.WEBHOOK_SEE,),
    body=ChangedWebhook,
    answers=Webhook,
    refusals=(404, 409),
    does=("webhook_desk.edit",),
    version="needed",
)
def change(connection: Connection, *, name: str, body: ChangedWebhook) -> Webhook:
    """Another address, or other events."""
    known = _held(connection, name)
    check_version((known.url, known.events))
    allow_private = here().settings.webhooks.allow_private_addresses
    try:
        desk.change(
            connection,
            known,
            url=body.url,
            events=list(body.events),
            allow_private=allow_private,
            actor=person().name,
        )
    except TargetError as error:
        raise wrong_value(str(error), pointer="/url") from error
    return _shown(connection, _held(connection, name))


@pages.call(
    "POST",
    "/webhooks/<name>/secret",
    permission=Permission.WEBHOOK_CHANGE,
    answers=WebhookWithSecret,
    refusals=(404,),
    does=("webhook_desk.rotate",),
    tells_secret=True,
)
def rotate(connection: Connection, *, name: str) -> WebhookWithSecret:
    """Sign with another secret, told now; for a day the old one signs too."""
    made = desk.rotate(
        connection, sealer(), _held(connection, name), secret=None, old_valid_s=_OLD_VALID_S, actor=person().name
    )
    return WebhookWithSecret(name, made.secret, made.old_until)


@pages.call(
    "POST",
    "/webhooks/<name>/ping",
    permission=Permission.WEBHOOK_CHANGE,
    answers=Sent,
    status=201,
    refusals=(404,),
    does=("webhook_desk.ping",),
)
def ping(connection: Connection, *, name: str) -> Sent:
    """Have the worker send a ping now."""
    return Sent(store.add_ping(connection, _held(connection, name), by=person().name))


@pages.call(
    "POST",
    "/webhooks/<name>/off",
    permission=Permission.WEBHOOK_CHANGE,
    body=Why,
    answers=Webhook,
    refusals=(404, 409),
    does=("webhook_desk.act",),
)
def off(connection: Connection, *, name: str, body: Why) -> Webhook:
    """Switch one off: what happens meanwhile is kept and can be sent later."""
    try:
        desk.switch_off(connection, _held(connection, name), reason=body.reason, actor=person().name)
    except desk.WebhookRefusedError as error:
        raise Problem(409, str(error)) from error
    return _shown(connection, _held(connection, name))


@pages.call(
    "POST",
    "/webhooks/<name>/on",
    permission=Permission.WEBHOOK_CHANGE,
    answers=Webhook,
    refusals=(404, 409),
    does=("webhook_desk.act",),
)
def on(connection: Connection, *, name: str) -> Webhook:
    """Switch one on again; what was kept meanwhile is not sent by this."""
    try:
        desk.switch_on(connection, _held(connection, name), actor=person().name)
    except desk.WebhookRefusedError as error:
        raise Problem(409, str(error)) from error
    return _shown(connection, _held(connection, name))


@pages.call(
    "POST",
    "/webhooks/<name>/replay",
    permission=Permission.WEBHOOK_CHANGE,
    answers=Webhook,
    refusals=(404, 409),
    does=("webhook_desk.act",),
)
def replay(connection: Connection, *, name: str) -> Webhook:
    """Send again what was given up, each under its own event id."""
    try:
        desk.replay_all(connection, _held(connection, name), since=None, also_delivered=False, actor=person().name)
    except desk.WebhookRefusedError as error:
        raise Problem(409, str(error)) from error
    return _shown(connection, _held(connection, name))


@pages.call(
    "DELETE",
    "/webhooks/<name>",
    permission=Permission.WEBHOOK_CHANGE,
    answers=None,
    refusals=(404,),
    does=("webhook_desk.act",),
    version="needed",
)
def remove(connection: Connection, *, name: str) -> None:
    """Remove one: what waits is given up, what was sent can still be looked at."""
    known = _held(connection, name)
    check_version((known.url, known.events))
    desk.remove(connection, known, actor=person().name)


@pages.call(
    "GET",
    "/webhook-deliveries",
    permission=Permission.WEBHOOK_SEE,
    asked=DeliveryQuestion,
    answers=Slice[ListedDelivery],
    refusals=(404,),
    does=("webhook_desk.show_deliveries",),
)
def deliveries(connection: Connection, *, asked: DeliveryQuestion) -> Slice[ListedDelivery]:
    """Deliveries, the newest first."""
    key = part_after(asked, int)
    rows = store.load_deliveries(
        connection,
        endpoint_id=None if asked.webhook is None else _held(connection, asked.webhook).id,
        state=asked.state,
        before=None if key is None else key[0],
        limit=asked.limit + 1,
    )
    return slice_of(rows, asked, shown=_delivery_shown, key=lambda one: (one.id,))


@pages.call(
    "GET",
    "/webhook-deliveries/<int:number>",
    permission=Permission.WEBHOOK_SEE,
    answers=OneDelivery,
    refusals=(404,),
    does=("webhook_desk.delivery",),
)
def delivery(connection: Connection, *, number: int) -> OneDelivery:
    """One delivery: what is sent, and each try with its answer."""
    found = store.load_delivery(connection, number)
    if found is None:
        raise there_is_none()
    one, body, tries = found
    return OneDelivery(_delivery_shown(one), body.decode(), [shaped(Try, each) for each in tries])


@pages.call(
    "POST",
    "/webhook-deliveries/<int:number>/replay",
    permission=Permission.WEBHOOK_CHANGE,
    also=(Permission.WEBHOOK_SEE,),
    answers=OneDelivery,
    refusals=(404, 409),
    does=("webhook_desk.delivery",),
)
def replay_one(connection: Connection, *, number: int) -> OneDelivery:
    """Send a delivery again under the same event id."""
    if store.load_delivery(connection, number) is None:
        raise there_is_none()
    try:
        desk.replay_one(connection, number, actor=person().name)
    except desk.WebhookRefusedError as error:
        raise Problem(409, str(error)) from error
    answer: OneDelivery = delivery(connection, number=number)
    return answer


def _shown(connection: Connection, one: Endpoint) -> Webhook:
    return _with_tally(one, store.load_tallies(connection).get(one.id))


def _with_tally(one: Endpoint, found: store.Tally | None) -> Webhook:
    tally = found or store.Tally(one.id, 0, 0, 0, None)
    return shaped(Webhook, one, waiting=tally.waiting, parked=tally.parked, delivered=tally.delivered)


def _delivery_shown(one: Delivery) -> ListedDelivery:
    return shaped(ListedDelivery, one)


def _held(connection: Connection, name: str) -> Endpoint:
    known = store.load_endpoint(connection, name)
    if known is None:
        raise there_is_none()
    return known
