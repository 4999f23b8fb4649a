"""Messages: all that was or will be sent, one with its text and its story, sent again or stopped; and a message to one customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as TimeOfDay
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from billing.messages.errors import TextError
from billing.messages.message import State
from billing.messages.texts import Written
from billing.store.customers import load_customer
from billing.store.message_batches import Batch, load_batches
from billing.store.message_list import ListedMessage, ShownMessage, load_happened, load_message
from billing.store.message_search import Asked, load_page
from control_plane.access.permissions import Permission
from control_plane.messages import desk
from control_plane.messages.outlook import look_ahead
from web.acting import clock, person, transaction
from web.confirming import confirm_page
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, ngettext, zone
from web.lists import PAGE_ROWS, after, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.message_words import (
    CHANNELS,
    KINDS,
    PURPOSES,
    STATES,
    channel_words,
    fault_words,
    kind_words,
    problem_words,
    step_of,
)
from web.navigation import Entry
from web.surroundings import here

pages = Blueprint("messages", __name__)
ENTRIES: Final = (
    Entry("messages", lazy("Messages"), "messages.show_list", Permission.MESSAGE_SEE, order=10),
    Entry("messages", lazy("To many"), "messages.show_batches", Permission.MESSAGE_SEE, order=20),
)
_FILE_PAGE: Final = 5_000
_GREATEST_ID: Final = 2**63 - 1
_HEADS: Final = (
    *(
        lazy("Number"),
        lazy("Written"),
        lazy("Customer"),
        lazy("Customer number"),
        lazy("Kind"),
        lazy("Subject"),
        lazy("Way"),
    ),
    *(lazy("Address"), lazy("State"), lazy("Goes or ended"), lazy("Tries"), lazy("Problem")),
)
_NOT_ARRIVED: Final = frozenset({State.FAILED, State.BOUNCED, State.WITHHELD, State.CANCELLED})
Answer = Response | tuple[str, int] | str


class ReasonForm(PageForm):
    """Why it is taken back."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=200)])


class DoneForm(PageForm):
    """How it was sent by hand."""

    note = StringField(lazy("How and when"), [InputRequired(REQUIRED), Length(max=300)])


@pages.get("/messages")
@allowed(Permission.MESSAGE_SEE)
def show_list() -> str | Response:
    """All that was or will be sent, the newest first."""
    column, down = sorted_by({"number": "id", "written": "made_at"}, "-number")
    asked = _asked()
    by_moment = column == "made_at" or ("sort" not in request.args and bool(asked.since or asked.until))
    with transaction() as connection:
        heads = tuple(str(one) for one in _HEADS)
        file = file_of("messages", heads, _file_rows(connection, asked, by_moment=by_moment, down=down))
        if file is not None:
            return file
        key = _after(by_moment)
        rows = load_page(connection, asked, limit=PAGE_ROWS + 1, by_moment=by_moment, down=down, after=key)
        whose = None if asked.customer_id is None else load_customer(connection, asked.customer_id)
        batch = None if asked.batch_id is None else next(iter(load_batches(connection, batch_id=asked.batch_id)), None)
    return render_template(
        "staff/messages/list.html",
        page=page_of(rows, lambda row: (row.made_at, row.id) if by_moment else (row.id,)),
        whose=whose,
        batch=batch,
        states=STATES,
        state_choices=[(str(state), words) for state, (words, _) in STATES.items()],
        kinds=[(name, str(words)) for name, words in KINDS.items()],
        channels=list(CHANNELS.items()),
        **_words(),
    )


@pages.get("/messages/<int:number>")
@allowed(Permission.MESSAGE_SEE)
def show(number: int) -> str:
    """One message: what it says, why it was written, and what became of it, in the servers' words."""
    with transaction() as connection:
        one = _known(connection, number)
        happened = load_happened(connection, number)
        coming, trouble = _coming(connection, one)
    return render_template(
        "staff/messages/message.html",
        one=one,
        steps=[(step.at, *step_of(step.happened, step.detail)) for step in happened],
        coming=coming,
        trouble=trouble,
        enclosed=[_enclosed(text, one.customer_id) for text in one.enclosures],
        deeds=_deeds(one),
        states=STATES,
        purposes=PURPOSES,
        **_words(),
    )


@pages.get("/messages/<int:number>/mail")
@allowed(Permission.MESSAGE_SEE)
def show_mail(number: int) -> Response:
    """The message as a reader of mails shows it: a page that runs and fetches nothing."""
    with transaction() as connection:
        one = _known(connection, number)
        coming, _ = _coming(connection, one)
    html = one.html or (coming.html if coming else None)
    if html is None:
        raise NotFound
    return as_mail(html)


@pages.route("/messages/<int:number>/<any(stop,again,copy,done):deed>", methods=["GET", "POST"])
@allowed(Permission.MESSAGE_SEND)
def act(number: int, deed: str) -> Answer:
    """Stop one, send it again, send a copy of it, or note that it went by hand: asked first."""
    form = read_form({"stop": ReasonForm, "done": DoneForm}.get(deed, PageForm))
    if was_sent(form):
        try:
            return do_once(lambda connection: _do(connection, number, deed, form))
        except desk.NotWaitingError:
            refuse(form, "", gettext("This can't be done to it any more: look at how it stands now."))
    with transaction() as connection:
        one = _known(connection, number)
    back = url_for("messages.show", number=number)
    if deed == "done":
        return render_template("staff/messages/done.html", form=form, one=one, back=back, **_words()), status_of(form)
    question, does, button, tone = _asks(one, deed)
    return confirm_page(form, question, does, button=button, back=back, tone=tone), status_of(form)


@pages.get("/messages/batches")
@allowed(Permission.MESSAGE_SEE)
def show_batches() -> str:
    """What went to many, and how far each is."""
    begin = after()
    before = int(begin[0]) if begin else None
    with transaction() as connection:
        found = load_batches(connection, before=before, limit=PAGE_ROWS + 1)
    return render_template("staff/messages/batches.html", page=page_of(found, lambda row: (row.id,)))


@pages.route("/messages/batches/<int:number>/<any(stop,again):deed>", methods=["GET", "POST"])
@allowed(Permission.MESSAGE_SEND)
def act_on_batch(number: int, deed: str) -> Answer:
    """Stop what has not gone of a batch, or queue again what did not arrive: asked first, with how many."""
    form = read_form(ReasonForm if deed == "stop" else PageForm)
    if was_sent(form):
        return do_once(lambda connection: _do_batch(connection, number, deed, form))
    with transaction() as connection:
        one = _known_batch(connection, number)
    back = url_for("messages.show_list", batch=number)
    if deed == "stop":
        does = [
            ngettext("%(num)s message waits and does not go.", "%(num)s messages wait and do not go.", one.waiting),
            ngettext("%(num)s message has gone and stays gone.", "%(num)s messages have gone and stay gone.", one.sent),
        ]
        page = confirm_page(
            form, gettext("Stop %(title)s?", title=one.title), does, button=gettext("Stop them"), back=back
        )
        return page, status_of(form)
    does = [
        ngettext(
            "%(num)s message did not arrive and is queued again.",
            "%(num)s messages did not arrive and are queued again.",
            one.failed,
        )
    ]
    question, button = gettext("Send again what did not arrive of %(title)s?", title=one.title), gettext("Send again")
    return confirm_page(form, question, does, button=button, back=back, tone="primary"), status_of(form)


def as_mail(html: str) -> Response:
    """A mail's HTML as a page of its own, which runs and fetches nothing."""
    response = Response(html, content_type="text/html; charset=utf-8")
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; sandbox"
    )
    response.headers["Content-Security-Policy"] = policy
    return response


def _do(connection: Connection, number: int, deed: str, form: Any) -> str:
    by, made = person().name, number
    match deed:
        case "stop":
            done = bool(desk.take_back(connection, [number], reason=form.reason.data, by=by))
            flash(gettext("It does not go."))
        case "again":
            done = bool(desk.again(connection, [number], by=by)[0])
            flash(gettext("It is queued again."))
        case "copy":
            copies = desk.again(connection, [number], copy=True, by=by)[1]
            done, made = bool(copies), copies.get(number, number)
            flash(gettext("This is the copy. It goes on its own."))
        case _:
            desk.done_by_hand(connection, number, form.note.data, by=by)
            done = True
            flash(gettext("It is noted as sent."))
    if not done:
        raise desk.NotWaitingError
    return url_for("messages.show", number=made)


def _do_batch(connection: Connection, number: int, deed: str, form: Any) -> str:
    _known_batch(connection, number)
    if deed == "stop":
        done = desk.take_back(connection, [], batch_id=number, reason=form.reason.data, by=person().name)
        flash(ngettext("%(num)s message does not go.", "%(num)s messages do not go.", len(done)))
    else:
        queued, _ = desk.again(connection, [], batch_id=number, by=person().name)
        flash(ngettext("%(num)s message is queued again.", "%(num)s messages are queued again.", len(queued)))
    return url_for("messages.show_list", batch=number)


def _asks(one: ShownMessage, deed: str) -> tuple[str, Sequence[str], str, str]:
    to = gettext(
        "It is for %(customer)s, %(address)s.", customer=one.customer, address=one.address or channel_words(one.channel)
    )
    match deed:
        case "stop":
            return (
                gettext("Stop message %(number)s?", number=one.id),
                [to, gettext("It does not go.")],
                gettext("Stop it"),
                "danger",
            )
        case "again":
            does = [to, gettext("It did not arrive. It is queued again, with its text as it is.")]
            return gettext("Send message %(number)s again?", number=one.id), does, gettext("Send again"), "primary"
        case _:
            does = [to, gettext("It went already. A second one is written, with today's text.")]
            return (
                gettext("Send message %(number)s once more?", number=one.id),
                does,
                gettext("Send once more"),
                "primary",
            )


def _deeds(one: ShownMessage) -> frozenset[str]:
    """What can be done to it as it stands."""
    if one.state == State.QUEUED:
        return frozenset({"stop"} if desk.is_sent_here(one.channel) else {"stop", "done"})
    if one.state in _NOT_ARRIVED:
        return frozenset({"again"})
    return frozenset({"copy"} if one.state == State.SENT else ())


def _coming(connection: Connection, one: ShownMessage) -> tuple[Written | None, str]:
    """How a message that waits will read, or why it can't be written."""
    if one.state != State.QUEUED or one.body is not None:
        return None, ""
    try:
        outlook = look_ahead(connection, here().settings, [one.id], channel=one.channel, now=clock(connection))
    except TextError as error:
        return None, fault_words(error)
    return (outlook.examples[0].written if outlook.examples else None), ""


def _enclosed(text: str, customer_id: int) -> tuple[str, str | None]:
    """What goes with it, and the address of its page."""
    kind, _, row = text.partition(":")
    match kind:
        case "document":
            return gettext("Document %(number)s", number=row), f"/documents/{row}"
        case "attachment":
            return gettext("File %(number)s", number=row), f"/customers/{customer_id}/files/{row}"
        case "receipt":
            return gettext("Receipt %(number)s", number=row), None
        case _:
            return gettext("Letter %(number)s", number=row), None


def _asked() -> Asked:
    state, channel = chosen("state", STATES), chosen("channel", CHANNELS)
    kind = request.args.get("kind", "")
    return Asked(
        text=request.args.get("q", "").strip()[:200],
        customer_id=_number("customer"),
        batch_id=_number("batch"),
        state=state,
        channel=channel,
        template=kind[:40] or None,
        since=_moment("since"),
        until=_moment("until", days=1),
    )


def _number(name: str) -> int | None:
    typed = request.args.get(name, "")
    if typed and not (typed.isascii() and typed.isdigit() and int(typed[:30]) <= _GREATEST_ID):
        raise BadRequest(gettext("%(value)s is no choice here.", value=typed[:40]))
    return int(typed) if typed else None


def _moment(name: str, *, days: int = 0) -> datetime | None:
    """The beginning of a day that was asked for, or of one after it."""
    typed = request.args.get(name)
    try:
        day = date.fromisoformat(typed) + timedelta(days=days) if typed else None
    except (ValueError, OverflowError) as error:
        raise BadRequest(gettext("Write a day such as %(example)s.", example="2026-01-31")) from error
    return None if day is None else datetime.combine(day, TimeOfDay(), zone()).astimezone(UTC)


def _after(by_moment: bool) -> tuple[Any, ...] | None:
    key = after()
    kinds = (datetime, int) if by_moment else (int,)
    if key is not None and (len(key) != len(kinds) or not all(map(isinstance, key, kinds))):
        raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return key


def _file_rows(connection: Connection, asked: Asked, *, by_moment: bool, down: bool) -> Iterator[tuple[Any, ...]]:
    key: tuple[Any, ...] | None = None
    while True:
        rows: list[ListedMessage] = load_page(
            connection, asked, limit=_FILE_PAGE, by_moment=by_moment, down=down, after=key
        )
        for row in rows:
            yield (
                *(row.id, row.made_at, row.customer, row.customer_id, kind_words(row.template), row.subject),
                *(
                    channel_words(row.channel),
                    row.address,
                    str(STATES[State(row.state)][0]),
                    row.ended_at or row.next_at,
                ),
                *(row.attempts, problem_words(row.problem)),
            )
        if len(rows) < _FILE_PAGE:
            return
        key = (rows[-1].made_at, rows[-1].id) if by_moment else (rows[-1].id,)


def _words() -> dict[str, Any]:
    return {"kind_words": kind_words, "channel_words": channel_words, "problem_words": problem_words}


def _known(connection: Connection, number: int) -> ShownMessage:
    found = load_message(connection, number) if number <= _GREATEST_ID else None
    if found is None:
        raise NotFound
    return found


def _known_batch(connection: Connection, number: int) -> Batch:
    found = load_batches(connection, batch_id=number) if number <= _GREATEST_ID else []
    if not found:
        raise NotFound
    return found[0]
