"""`corrente webhook`: who is told of events by HTTP, what was sent and answered, and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from billing.store import webhooks as store
from billing.store.webhooks import Delivery, Endpoint
from billing.webhooks import EVENTS, Parked, Took
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table, sealer_of, unknown
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.outward import webhook_desk as desk
from control_plane.outward.target import TargetError
from control_plane.outward.webhooks import send, valid_secrets
from control_plane.quantities import QuantityError, instant_text, read_instant
from control_plane.settings import Settings

command = Group("webhook", help="Webhooks: who is told of events by HTTP, and what was sent.")

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_STATES: Final = ("waiting", "delivered", "parked")
_SECRETS: Final = frozenset({"sealed_secret", "sealed_old_secret"})
# A test is waited for, and nobody else takes it meanwhile.
_TEST_LEASE_S: Final = 600.0


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    default=("*",),
    show_default=True,
    help="Such as document.issued or payment.*; may be given several times.",
)
@click.option("--secret", help="One that the receiver has already (whsec_…); without it one is made.")
@_JSON
@click.pass_obj
def add(
    settings: Settings, /, *, name: str, url: str, events: tuple[str, ...], secret: str | None, as_json: bool
) -> None:
    """Tell URL of what happens from now on. The secret is shown once: the receiver checks signatures with it."""
    with open_books(settings) as connection, _refusals():
        added = desk.add(
            connection,
            sealer_of(settings),
            name,
            url=url,
            events=events,
            secret=secret,
            allow_private=settings.webhooks.allow_private_addresses,
            actor=os_user(),
        )
    if as_json:
        print_json(asdict(added))
        return
    click.echo(f"Webhook {name}: {url} is told of {', '.join(added.events)}\nSecret: {added.secret} (not shown again)")
    click.echo(f"`corrente webhook test {name}` sends a ping.")


@command.command("set")
@click.argument("name")
@click.option("--url", help="Where to send from now on, what waits too.")
@click.option("--event", "events", multiple=True, help="Instead of the events it has; may be given several times.")
@click.pass_obj
def set_(settings: Settings, *, name: str, url: str | None, events: tuple[str, ...]) -> None:
    """Send to another address, or tell of other events."""
    with open_books(settings) as connection, _refusals():
        known = _known(connection, name)
        there = url or known.url
        allow_private = settings.webhooks.allow_private_addresses
        wanted = events or known.events
        told = desk.change(connection, known, url=there, events=wanted, allow_private=allow_private, actor=os_user())
    click.echo(f"Webhook {name}: {there} is told of {', '.join(told)}")


@command.command("list")
@_JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """Who is told of what, what waits, and who takes nothing."""
    with open_books(settings) as connection:
        found, tallies = store.load_endpoints(connection), store.load_tallies(connection)
    if as_json:
        print_json([_fields(one) | {"deliveries": tallies.get(one.id)} for one in found])
        return
    rows = []
    for one in found:
        tally = tallies.get(one.id, store.Tally(one.id, 0, 0, 0, None))
        rows.append(
            (
                one.name,
                one.url,
                " ".join(one.events),
                tally.waiting,
                tally.parked,
                tally.delivered,
                _state(one, settings),
            )
        )
    print_table(("NAME", "URL", "EVENTS", "WAITING", "PARKED", "DELIVERED", ""), rows, empty="No webhooks.")


@command.command("events")
@_JSON
def events_(*, as_json: bool) -> None:
    """The events that there are."""
    if as_json:
        print_json(dict(EVENTS))
        return
    print_table(("EVENT", "WHEN"), EVENTS.items(), empty="None.")


@command.command("show")
@click.argument("number", type=int)
@_JSON
@click.pass_obj
def show(settings: Settings, number: int, *, as_json: bool) -> None:
    """Delivery NUMBER: what is sent, and each try with its answer."""
    with open_books(settings) as connection:
        found = store.load_delivery(connection, number)
    if found is None:
        raise Refused(f"there is no delivery {number}: `corrente webhook deliveries` shows them")
    delivery, body, tries = found
    if as_json:
        print_json(asdict(delivery) | {"body": body.decode(), "tries": [asdict(one) for one in tries]})
        return
    zone = settings.zone
    click.echo(
        f"Delivery {number}: {delivery.event} {delivery.event_id} to {delivery.endpoint}, {_how_far(delivery, settings)}"
    )
    click.echo(body.decode())
    rows = (
        (
            one.attempt,
            instant_text(one.at, zone),
            one.address,
            one.status,
            f"{one.took_s:.2f}",
            one.problem or one.answer,
        )
        for one in tries
    )
    print_table(("TRY", "AT", "ADDRESS", "ANSWERED", "SECONDS", ""), rows, empty="Not tried yet.")


@command.command("deliveries")
@click.argument("name", required=False)
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_JSON
@click.pass_obj
def deliveries(settings: Settings, *, name: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """The newest deliveries, of webhook NAME if one is given."""
    with open_books(settings) as connection:
        number = None if name is None else _known(connection, name).id
        found = store.load_deliveries(connection, endpoint_id=number, state=state, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.id,
            one.endpoint,
            one.event,
            one.event_id,
            instant_text(one.made_at, settings.zone),
            one.attempts,
            _how_far(one, settings),
        )
        for one in found
    )
    print_table(("NUMBER", "TO", "EVENT", "EVENT ID", "SINCE", "TRIES", ""), rows, empty="No deliveries.")


@command.command("replay")
@click.argument("what")
@click.option("--since", help="Of webhook WHAT those since then: 2026-01-31 18:40, or -2h.")
@click.option("--delivered", is_flag=True, help="Those, too, that were taken already.")
@click.pass_obj
def replay(settings: Settings, *, what: str, since: str | None, delivered: bool) -> None:
    """Send again delivery number WHAT, or what was given up of the webhook of that name.

    Under the same event id, so that a receiver that has it leaves it be, and for three days anew.
    """
    with open_books(settings) as connection, _refusals():
        if what.isascii() and what.isdigit():
            desk.replay_one(connection, int(what), actor=os_user())
            count = 1
        else:
            known, began = _known(connection, what), _since(settings, since)
            count = desk.replay_all(connection, known, since=began, also_delivered=delivered, actor=os_user())
    click.echo(f"{count} {'is' if count == 1 else 'are'} sent again.")


@command.command("test")
@click.argument("name")
@_JSON
@click.pass_obj
def test(settings: Settings, *, name: str, as_json: bool) -> None:
    """Send a ping to webhook NAME now and show what is answered."""
    with open_books(settings) as connection:
        known = _known(connection, name)
        number = store.add_ping(connection, known, by=os_user())
        due = store.claim_one(connection, number, lease_s=_TEST_LEASE_S)
        connection.commit()  # no transaction is open while somebody else's server is waited for
        signed = valid_secrets(known, sealer_of(settings), now=datetime.now(UTC))
        given = settings.webhooks
        sent = send(due, known, signed, timeout_s=given.timeout_s, allow_private=given.allow_private_addresses)
        # A test is made once: who failed it is told now.
        store.note(connection, due, sent.tried, Took() if isinstance(sent.outcome, Took) else Parked())
    tried = sent.tried
    if as_json:
        print_json({"delivery": number, "took_it": isinstance(sent.outcome, Took)} | asdict(tried))
    else:
        said = tried.problem or f"answered {tried.status} {tried.answer!r}"
        click.echo(f"Delivery {number} to {known.url}: {said} after {tried.took_s:.2f} s")
    if not isinstance(sent.outcome, Took):
        raise Refused(f"{name} did not take it: a receiver answers 200 to 299")


@command.command("rotate")
@click.argument("name")
@click.option(
    "--valid-hours",
    type=click.FloatRange(0, 24 * 30),
    default=24,
    show_default=True,
    help="For so long the old secret signs, too; 0: not at all.",
)
@click.option("--secret", help="One that the receiver has already (whsec_…); without it one is made.")
@_JSON
@click.pass_obj
def rotate(settings: Settings, *, name: str, valid_hours: float, secret: str | None, as_json: bool) -> None:
    """Sign with another secret. For a time with both, so that the receiver changes over when it likes."""
    with open_books(settings) as connection, _refusals():
        known, sealer = _known(connection, name), sealer_of(settings)
        new = desk.rotate(connection, sealer, known, secret=secret, old_valid_s=valid_hours * 3600, actor=os_user())
    until = new.old_until
    if as_json:
        print_json({"name": name, "secret": new.secret, "old_secret_until": until})
        return
    both = (
        "The old one is valid no more."
        if until is None
        else f"The old one signs, too, until {instant_text(until, settings.zone)}."
    )
    click.echo(f"Secret of {name}: {new.secret} (not shown again)\n{both}")


@command.command("disable")
@click.argument("name")
@click.option("--reason", required=True, help="Why, in a few words.")
@click.pass_obj
def disable(settings: Settings, *, name: str, reason: str) -> None:
    """Send nothing to webhook NAME; what happens meanwhile is kept for `replay`."""
    with open_books(settings) as connection:
        parked = desk.switch_off(connection, _known(connection, name), reason=reason, actor=os_user())
    click.echo(f"Webhook {name} is switched off; {parked} deliveries are parked.")


@command.command("enable")
@click.argument("name")
@click.pass_obj
def enable(settings: Settings, *, name: str) -> None:
    """Send to webhook NAME again; `replay NAME` sends what was parked."""
    with open_books(settings) as connection:
        parked = desk.switch_on(connection, _known(connection, name), actor=os_user())
    waits = f"; `corrente webhook replay {name}` sends {parked} that are parked" if parked else ""
    click.echo(f"Webhook {name} is told again{waits}.")


@command.command("remove")
@click.argument("name")
@_YES
@click.pass_obj
def remove(settings: Settings, *, name: str, yes: bool) -> None:
    """Tell webhook NAME nothing any more. What was sent can still be looked at."""
    with open_books(settings) as connection:
        known = _known(connection, name)
        confirm(f"Remove webhook {name} ({known.url})?", yes=yes)
        given_up = desk.remove(connection, known, actor=os_user())
    click.echo(f"Webhook {name} is removed; {given_up} deliveries were given up.")


@contextmanager
def _refusals() -> Iterator[None]:
    """What the desk refuses ends the command with its words."""
    try:
        yield
    except (desk.WebhookRefusedError, TargetError) as error:
        raise Refused(str(error)) from error


def _known(connection: Connection, name: str) -> Endpoint:
    known = store.load_endpoint(connection, name)
    if known is None:
        names = (one.name for one in store.load_endpoints(connection))
        raise unknown("webhook", name, names, also="`corrente webhook list` shows them")
    return known


def _since(settings: Settings, text: str | None) -> datetime | None:
    try:
        return None if text is None else read_instant(text, zone=settings.zone, now=datetime.now(UTC))
    except QuantityError as error:
        raise Refused(str(error)) from error


def _fields(one: Endpoint) -> dict[str, object]:
    return {name: getattr(one, name) for name in type(one).__slots__ if name not in _SECRETS}


def _state(one: Endpoint, settings: Settings) -> str:
    if one.disabled_at is not None:
        return f"switched off: {one.disabled_why}"
    return f"fails since {instant_text(one.failing_since, settings.zone)}" if one.failing_since else ""


def _how_far(one: Delivery, settings: Settings) -> str:
    if one.state == "waiting" and one.attempts:
        return f"again at {instant_text(one.next_at, settings.zone)}: {one.problem}"
    return f"{one.state}: {one.problem}" if one.problem else one.state
