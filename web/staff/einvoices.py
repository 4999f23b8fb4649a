"""E-invoices: how far each is, what the tax authority said in its words, its files; sent again where the law lets, and the accounts that send them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from billing.einvoice.outcome import Handover, State
from billing.einvoice.remedies import Remedy
from billing.store import einvoice_desk as store
from billing.store.einvoice_desk import Listed
from billing.store.einvoices import Einvoice, EinvoiceAccount, hold, load_account, load_accounts
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from control_plane.einvoice.by_hand import NotAllowedError, remedies_of
from web.acting import clock, person, transaction
from web.confirming import confirm_page
from web.database import Connection
from web.forms import PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, ngettext
from web.lists import PAGE_ROWS, after, chosen, page_of
from web.marks import allowed
from web.navigation import Entry
from web.sealing import sealer
from web.staff._document_words import EINVOICES
from web.surroundings import here

pages = Blueprint("einvoices", __name__)
ENTRIES: Final = (Entry("billing", lazy("E-invoices"), "einvoices.show_list", Permission.EINVOICE_SEE, order=80),)
Answer = Response | tuple[str, int] | str
_GREATEST_ID: Final = 2**63 - 1
_MOST_SHOWN: Final = 200_000
_WAITING: Final = "waiting"
_LATE: Final = "late"
HANDOVERS: Final = MappingProxyType(
    {
        Handover.NONE: lazy("not yet"),
        Handover.SENT: lazy("on its way to the receiver"),
        Handover.DELIVERED: lazy("the receiver has it"),
        Handover.UNDELIVERABLE: lazy("can't be delivered"),
        Handover.REFUSED: lazy("the receiver refused it"),
    }
)
REMEDIES: Final = MappingProxyType(
    {
        Remedy.WAIT: lazy("It goes its way by itself."),
        Remedy.ASK: lazy("It is asked about by itself; you can have it asked at once."),
        Remedy.FIX_AND_SEND: lazy("Mend what it says, then send it."),
        Remedy.RESEND: lazy("Mend what it says, then send it again under its number."),
        Remedy.CREDIT_INSIDE: lazy("A credit note takes it back and stays inside; then a new invoice is issued."),
        Remedy.CREDIT_NOTE: lazy("A credit note takes it back; it goes to the authority, too."),
        Remedy.CANCEL: lazy("It can be made void at the authority: corrente einvoice cancel."),
        Remedy.UNBLOCK: lazy("Mend the account, then let it go on."),
    }
)
_SENDABLE: Final = frozenset({Remedy.ASK, Remedy.FIX_AND_SEND, Remedy.RESEND})
_DIRECTIONS: Final = MappingProxyType(
    {"sent": lazy("We said"), "received": lazy("The authority said"), "noted": lazy("Noted")}
)


@pages.get("/einvoices")
@allowed(Permission.EINVOICE_SEE)
def show_list() -> str:
    """The newest e-invoices and how far they are; those that need a person, with until when."""
    state = chosen("state", (*EINVOICES, _WAITING))
    begin = after()
    before = _whole(begin)
    with transaction() as connection:
        standings, now = office.load_standings(connection, only_open=True), clock(connection)
        accounts = {one.account.name: one.account for one in standings}
        name = chosen("account", accounts)
        rows = store.load_list(
            connection,
            account_id=None if name is None else accounts[name].id,
            state=None if state == _WAITING else state,
            only_waiting=state == _WAITING,
            before=before,
            limit=PAGE_ROWS + 1,
        )
    page = page_of(rows, lambda row: (row.id,))
    until = {one.id: office.resend_until(one, accounts[one.account], now=now) for one in page.rows}
    return render_template(
        "staff/einvoices/list.html",
        page=page,
        until=until,
        standings=standings,
        choices=[(_WAITING, lazy("Needs a person")), *((name, words) for name, (words, _) in EINVOICES.items())],
        names=[(one, one) for one in accounts],
        **_words(),
    )


@pages.get("/einvoices/<int:number>")
@allowed(Permission.EINVOICE_SEE)
def show(number: int) -> str:
    """One: what was said about it, its files, and what may be done."""
    with transaction() as connection:
        listed, one, account = _known(connection, number)
        _, said, files = store.load_one(connection, number)
    found = remedies_of(one, account)
    return render_template(
        "staff/einvoices/show.html",
        listed=listed,
        one=one,
        said=said,
        files=files,
        found=found,
        remedies=[REMEDIES[each] for each in found.remedies],
        can_send=bool(_SENDABLE & set(found.remedies)) or one.standing.state is State.PENDING,
        directions=_DIRECTIONS,
        **_words(),
    )


@pages.get("/einvoices/<int:number>/files/<kind>")
@allowed(Permission.EINVOICE_SEE)
def show_file(number: int, kind: str) -> Response | str:
    """A file as it is to be read, or with `?keep=yes` to be kept."""
    with transaction() as connection:
        listed, _, _ = _known(connection, number)
        content = store.load_file(connection, number, kind)
    if content is None:
        raise NotFound
    if request.args.get("keep"):
        response = Response(content, content_type="application/octet-stream")
        name = "".join(letter if letter.isalnum() else "-" for letter in f"{listed.label}-{kind}")
        ending = {b"<": "xml", b"{": "json", b"[": "json", b"%": "pdf"}.get(content.lstrip()[:1], "bin")
        response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{ending}")
        return response
    text = content[:_MOST_SHOWN].decode("utf-8", errors="replace")
    whole = len(content) <= _MOST_SHOWN
    return render_template("staff/einvoices/file.html", listed=listed, kind=kind, text=text, whole=whole)


@pages.route("/einvoices/<int:number>/retry", methods=["GET", "POST"])
@allowed(Permission.EINVOICE_ACT)
def retry(number: int) -> Answer:
    """Send it again under its number, or ask at once where it is in doubt: asked first, with its last day."""
    form = read_form(PageForm)
    if was_sent(form):
        try:
            return do_once(lambda connection: _sent_again(connection, number, late=form.seen.data == _LATE))
        except NotAllowedError as error:
            refuse(form, "", _why_not(error))
    with transaction() as connection:
        listed, one, account = _known(connection, number)
    found = remedies_of(one, account)
    # Whoever was shown that its last day is over says yes to that.
    form.seen.data = _LATE if found.is_late else ""
    does = [gettext("It is sent again under its number, or asked about where it is in doubt, within seconds.")]
    if found.is_late and found.until is not None:
        does.append(
            gettext("Its last day was %(day)s: it is sent all the same. Ask an accountant.", day=day_shown(found.until))
        )
    elif found.until is not None:
        does.append(gettext("Its last day is %(day)s.", day=day_shown(found.until)))
    if listed.problem:
        does.append(gettext("What is wrong with it: %(problem)s", problem=listed.problem))
    question, back = gettext("Send %(label)s again?", label=listed.label), url_for("einvoices.show", number=number)
    return confirm_page(form, question, does, button=gettext("Send again"), back=back, tone="primary"), status_of(form)


@pages.post("/einvoices/accounts/<name>/check")
@allowed(Permission.EINVOICE_ACT)
def check(name: str) -> str:
    """Whether the authority answers and takes the account's login, asked now; a part of the page."""
    with transaction() as connection:
        account = _account(connection, name)
        health = office.check(connection, here().settings, sealer(), account)
    tone = {"ok": "good", "degraded": "warn"}.get(health.verdict, "bad")
    return render_template("staff/einvoices/health.html", health=health, tone=tone)


@pages.route("/einvoices/accounts/<name>/<any(on,off,unblock):deed>", methods=["GET", "POST"])
@allowed(Permission.EINVOICE_ACT)
def act(name: str, deed: str) -> Answer:
    """Switch an account on or off, or let it go on that was blocked: asked first, with what waits there."""
    form = read_form(PageForm)
    if was_sent(form):
        try:
            return do_once(lambda connection: _done(connection, name, deed))
        except office.OtherIsOnError:
            refuse(form, "", gettext("Another account of this issuer is on: switch that off first."))
    with transaction() as connection:
        account = _account(connection, name)
        states = store.count_states(connection, only_open=True).get(account.id, {})
    held = sum(states.get(one, 0) for one in ("draft", "prepared", "pending", "unknown", "sending"))
    stopped = ngettext("%(num)s document ran into it.", "%(num)s documents ran into it.", states.get(State.BLOCKED, 0))
    asked = {
        "on": (gettext("Send through %(name)s again?", name=name), [gettext("What was issued meanwhile is not queued by this.")], gettext("Switch on"), "primary"),
        "off": (
            gettext("Send nothing through %(name)s?", name=name),
            [ngettext("%(num)s document is on its way and waits.", "%(num)s documents are on their way and wait.", held), gettext("What is issued meanwhile is not queued.")],
            gettext("Switch off"),
            "danger",
        ),
        "unblock": (gettext("Let %(name)s go on?", name=name), [stopped, gettext("They are sent again with the octets that they had.")], gettext("Go on"), "primary"),
    }  # fmt: skip
    question, does, button, tone = asked[deed]
    back = url_for("einvoices.show_list")
    return confirm_page(form, question, does, button=button, back=back, tone=tone), status_of(form)


def _sent_again(connection: Connection, number: int, *, late: bool) -> str:
    listed, one, _ = _known(connection, number)
    office.send_again(connection, here().settings, sealer(), one, label=listed.label, late=late, by=person().name)
    flash(gettext("It is sent or asked about within seconds."))
    return url_for("einvoices.show", number=number)


def _done(connection: Connection, name: str, deed: str) -> str:
    account = _account(connection, name)
    if deed == "unblock":
        count = office.unblock(connection, account, by=person().name)
        flash(ngettext("%(num)s document is sent again.", "%(num)s documents are sent again.", count))
    else:
        office.switch(connection, account, enabled=deed == "on", by=person().name)
    return url_for("einvoices.show_list")


def _why_not(error: NotAllowedError) -> str:
    if error.problem:
        return gettext("It can't be sent as it is: %(why)s", why=error.problem)
    return gettext("This can't be done with it as it stands now.")


def _whole(begin: tuple[Any, ...] | None) -> int | None:
    if begin is None:
        return None
    if len(begin) != 1 or not isinstance(begin[0], int):
        raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return begin[0]


def _known(connection: Connection, number: int) -> tuple[Listed, Einvoice, EinvoiceAccount]:
    listed = store.find_listed(connection, number) if number <= _GREATEST_ID else None
    if listed is None:
        raise NotFound
    one = hold(connection, number)
    return listed, one, load_account(connection, one.account_id)


def _account(connection: Connection, name: str) -> EinvoiceAccount:
    found = next((one for one in load_accounts(connection) if one.name == name), None)
    if found is None:
        raise NotFound
    return found


def _words() -> dict[str, Any]:
    return {"states": EINVOICES, "handovers": HANDOVERS}
