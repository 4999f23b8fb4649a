"""Files of banks: a file is shown before it is taken in, its lines are matched, and what is not clear waits for a person.

A line that waits is shown with whose it may be and why; Enter takes the likeliest, a number another one. The same file sent twice adds
nothing, and a line is decided once however often it is sent.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.exceptions import BadRequest, Conflict
from werkzeug.wrappers import Response

from billing.banking.bank_line import BankFileError
from billing.banking.matching import Suggestion
from billing.operations.bank_import import Desk, work_lines
from billing.operations.bank_queue import Decided, choose_customer, choose_payment, ignore_line, undo_line
from billing.operations.bank_reading import (
    NoAccountMeantError,
    NoLayoutError,
    UnknownAccountError,
    desks_of,
    foresee_file,
    load_line,
    may_be,
    read_statements,
)
from billing.payments import NotDone
from billing.store.bank_files import (
    BankAccount,
    KeptLine,
    count_states,
    load_accounts_at_banks,
    load_files,
    load_queue,
)
from billing.store.customers import load_customer
from billing.store.payments import load_payment
from control_plane.access.permissions import Permission
from control_plane.bank_desk import days_at, decide, take_in
from web.acting import clock, person, transaction
from web.bank_words import reason_words, why_words
from web.confirming import rehearsal
from web.database import Connection
from web.forms import do_once, new_key
from web.language import gettext, lazy
from web.lists import after, page_of
from web.marks import allowed
from web.money_words import error_words, words_of
from web.navigation import Entry
from web.security import takes_files
from web.surroundings import here

pages = Blueprint("bank", __name__)
ENTRIES: Final = (Entry("money", lazy("Bank"), "bank.show", Permission.PAYMENT_SEE, order=30),)
# More than a month of a busy account; the command takes larger ones.
MOST_OCTETS: Final = 8 * 1024 * 1024
_FORM_OCTETS: Final = 2 * MOST_OCTETS
_LINES: Final = 20
_FILES: Final = 20
_FILE_LINES: Final = 100
_SHOWN: Final = 200
# Lines of one turn: some seconds at most, and the page says how far it is.
_AT_ONCE: Final = 50
_GREATEST_ID: Final = 2**63 - 1
STATES: Final[dict[str, Any]] = {
    "new": (lazy("Not looked at yet"), "busy"),
    "waiting": (lazy("Waits for a person"), "warn"),
    "recorded": (lazy("Matched"), "good"),
    "returned": (lazy("Took a payment back"), "bad"),
    "ignored": (lazy("Ignored"), "calm"),
}
Answer = Response | tuple[str, int] | str


@dataclass(frozen=True, slots=True)
class _May:
    """What a line may be: a customer, or the payment that it took back."""

    score: int
    why: str
    customer_id: int | None
    name: str
    labels: tuple[str, ...]
    payment_id: int | None


@pages.get("/bank")
@allowed(Permission.PAYMENT_SEE)
def show() -> str:
    """The lines that wait, oldest first, and the newest files."""
    key = after()
    with rehearsal() as connection:
        kept = load_queue(connection, limit=_LINES + 1, after=int(key[0]) if key else 0)
        page = page_of(kept, lambda one: (one.id,), rows_a_page=_LINES)
        desks = desks_of(
            connection, page.rows, today_of=days_at(connection, now=clock(connection)), actor=person().name
        )
        lines = [(one, _may(connection, one, desks[one.bank_account_id])) for one in page.rows]
        files = load_files(connection, limit=_FILES)
        accounts = load_accounts_at_banks(connection)
    return render_template(
        "staff/bank/show.html",
        page=page,
        lines=lines,
        files=files,
        accounts=accounts,
        states=STATES,
        why_words=why_words,
        new_key=new_key,
        error="",
    )


@pages.post("/bank/try")
@takes_files(_FORM_OCTETS)
@allowed(Permission.PAYMENT_RECORD)
def look() -> Answer:
    """What would become of each line of a file that was sent; nothing is written."""
    sent = request.files.get("file")
    octets = sent.read(MOST_OCTETS + 1) if sent is not None else b""
    name = (sent.filename or "")[:200] if sent is not None else ""
    refused = ""
    if not octets:
        refused = gettext("Choose a file first.")
    elif len(octets) > MOST_OCTETS:
        refused = gettext("The file is too large for a page: give it in parts, or import it with the command.")
    if refused:
        return _refused(refused)
    return _shown(octets, name, request.form.get("account", ""))


@pages.post("/bank/import")
@takes_files(_FORM_OCTETS)
@allowed(Permission.PAYMENT_RECORD)
def take() -> Answer:
    """Take in the file that was shown. The same file again leads to the one that is there."""
    octets = _unpacked(request.form.get("content", ""))
    name = request.form.get("name", "")[:200] or "file"
    skip = request.form.get("skip_refused") == "yes"

    def taken(connection: Connection) -> str:
        account = _account(connection, request.form.get("account", ""))
        statements, refused = read_statements(connection, octets, account, schemas=here().settings.bank_schemas_dir)
        if refused and not skip:
            raise BankFileError(gettext("Rows of it can't be read: say that they are left behind."))
        done = take_in(connection, octets, name=name, statements=statements, refused=len(refused), actor=person().name)
        return f"/bank/files/{done.file_id}"

    try:
        return do_once(taken)
    except BankFileError as error:
        return _refused(_file_words(error))


@pages.get("/bank/files/<int:number>")
@allowed(Permission.PAYMENT_SEE)
def file(number: int) -> str:
    """A file with its lines and what became of each."""
    key = after()
    with transaction() as connection:
        found = load_files(connection, limit=1, file_id=number) if number <= _GREATEST_ID else []
        if not found:
            abort(404)
        lines = load_queue(
            connection, limit=_FILE_LINES + 1, state=None, file_id=number, after=int(key[0]) if key else 0
        )
        counted = count_states(connection, number)
    return render_template(
        "staff/bank/file.html",
        file=found[0],
        page=page_of(lines, lambda one: (one.id,), rows_a_page=_FILE_LINES),
        counted=counted,
        states=STATES,
        why_words=why_words,
    )


@pages.post("/bank/files/<int:number>/work")
@allowed(Permission.PAYMENT_RECORD)
def work(number: int) -> Answer:
    """Look at some of the lines that nobody has looked at yet; the answer asks for the next ones."""
    with transaction() as connection:
        today_of = days_at(connection, now=clock(connection))
        work_lines(connection, today_of=today_of, actor=person().name, most=_AT_ONCE)
        counted = count_states(connection, number)
    if "HX-Request" not in request.headers:
        return redirect(f"/bank/files/{number}", 303)
    if not counted.get("new"):
        # The whole page anew: it has what became of each line.
        return Response("", headers={"HX-Redirect": f"/bank/files/{number}"})
    return render_template("staff/bank/work.html", number=number, counted=counted)


@pages.get("/bank/lines/<int:number>")
@allowed(Permission.PAYMENT_SEE)
def line(number: int) -> str:
    """One line as the bank told it, what became of it, and all that it may be; a part of the queue for who asks for that."""
    return _line_page(number)


@pages.post("/bank/lines/<int:number>/choose")
@allowed(Permission.PAYMENT_RECORD)
def choose_(number: int) -> Answer:
    """The line is that customer's, or it is that payment."""
    customer, payment = _number("customer_id"), _number("payment_id")
    reason = request.form.get("reason", "").strip()[:300] or gettext("chosen by hand")

    def chosen(connection: Connection, desk: Desk) -> Decided | NotDone:
        if payment is not None:
            return choose_payment(connection, number, payment, desk, reason=reason)
        if customer is None or load_customer(connection, customer) is None:
            return NotDone(gettext("Choose who paid: type, then Enter on the right line."))
        return choose_customer(connection, number, customer, (), desk, reason=reason)

    return _decide(number, "choose", reason, chosen)


@pages.post("/bank/lines/<int:number>/ignore")
@allowed(Permission.PAYMENT_RECORD)
def ignore(number: int) -> Answer:
    """The line is no customer's."""
    reason = request.form.get("reason", "").strip()[:300]

    def ignored(connection: Connection, desk: Desk) -> Decided | NotDone:
        if not reason:
            return NotDone(gettext("Say why it is nobody's: a transfer of our own, a payout, interest."))
        return ignore_line(connection, number, desk, reason=reason)

    return _decide(number, "ignore", reason, ignored)


@pages.post("/bank/lines/<int:number>/undo")
@allowed(Permission.PAYMENT_RECORD)
def undo(number: int) -> Answer:
    """Take back what was chosen or ignored: the line waits again."""
    reason = request.form.get("reason", "").strip()[:300]

    def undone(connection: Connection, desk: Desk) -> Decided | NotDone:
        if not reason:
            return NotDone(gettext("Say why it is taken back."))
        return undo_line(connection, number, desk, reason=reason)

    return _decide(number, "undo", reason, undone)


def _decide(number: int, deed: str, reason: str, do: Callable[[Connection, Desk], Decided | NotDone]) -> Answer:
    refused: list[NotDone] = []

    def decided(connection: Connection) -> str:
        done = decide(
            *(connection, number, deed, lambda desk: do(connection, desk)),
            reason=reason,
            today_of=days_at(connection, now=clock(connection)),
            actor=person().name,
        )
        if done is None:
            abort(404)
        if isinstance(done, NotDone):
            refused.append(done)
            raise Conflict(words_of(done))
        return f"/bank/lines/{number}"

    try:
        return do_once(decided)
    except Conflict:
        if not refused:
            raise
        return _line_page(number, error=words_of(refused[0])), 422


def _line_page(number: int, *, error: str = "") -> str:
    with rehearsal() as connection:
        found = load_line(connection, number, today_of=days_at(connection, now=clock(connection)), actor=person().name)
        if found is None:
            abort(404)
        kept, desk = found
        may = _may(connection, kept, desk)
        account = next(one for one in load_accounts_at_banks(connection) if one.id == kept.bank_account_id)
        payment = None if kept.payment_id is None else load_payment(connection, kept.payment_id)
        owner = (
            None if payment is None or payment.customer_id is None else load_customer(connection, payment.customer_id)
        )
    template = "staff/bank/queued.html" if "HX-Request" in request.headers else "staff/bank/line.html"
    return render_template(
        template,
        one=kept,
        may_be=may,
        account=account,
        owner=owner,
        states=STATES,
        why_words=why_words,
        new_key=new_key,
        error=error,
    )


def _may(connection: Connection, kept: KeptLine, desk: Desk) -> list[_May]:
    labels = {number: one.label for number, one in desk.known.documents.items()}
    found = []
    for one in may_be(connection, kept, desk):
        why = ", ".join(reason_words(reason) for reason in one.reasons)
        if isinstance(one, Suggestion):
            customer = load_customer(connection, one.customer_id)
            named = tuple(labels[number] for number in one.invoices if number in labels)
            name = customer.name if customer else str(one.customer_id)
            found.append(_May(one.score, why, one.customer_id, name, named, None))
        else:
            found.append(
                _May(one.score, why, None, gettext("Payment %(number)s", number=one.payment_id), (), one.payment_id)
            )
    return found


def _shown(octets: bytes, name: str, account: str) -> Answer:
    with rehearsal() as connection:
        try:
            statements, refused = read_statements(
                connection, octets, _account(connection, account), schemas=here().settings.bank_schemas_dir
            )
        except BankFileError as error:
            return _refused(_file_words(error))
        found = foresee_file(
            connection, statements, today_of=days_at(connection, now=clock(connection)), actor=person().name
        )
        people = {fate.customer_id for _, fate in found.rows[:_SHOWN] if fate.customer_id is not None}
        names = {one: customer.name for one in people if (customer := load_customer(connection, one)) is not None}
    return render_template(
        "staff/bank/try.html",
        rows=found.rows[:_SHOWN],
        more=max(len(found.rows) - _SHOWN, 0),
        counted=Counter(fate.state for _, fate in found.rows),
        new=len(found.rows),
        known=found.known,
        findings=found.findings,
        refused=refused,
        names=names,
        name=name,
        account=account,
        content=base64.b64encode(zlib.compress(octets)).decode(),
        states=STATES,
        why_words=why_words,
        key=new_key(),
    )


def _refused(words: str) -> tuple[str, int]:
    with transaction() as connection:
        accounts = load_accounts_at_banks(connection)
        files = load_files(connection, limit=_FILES)
    page = page_of([], lambda one: (one.id,))
    return render_template(
        "staff/bank/show.html",
        page=page,
        lines=None,
        files=files,
        accounts=accounts,
        states=STATES,
        why_words=why_words,
        new_key=new_key,
        error=words,
    ), 422


def _file_words(error: BankFileError) -> str:
    match error:
        case NoAccountMeantError(names=()):
            return gettext("There is no account at a bank yet whose files are imported.")
        case NoAccountMeantError():
            return gettext("The file does not say of which account it is: choose one.")
        case NoLayoutError():
            return gettext("Nobody has said yet how %(name)s writes its CSV.", name=error.name)
        case UnknownAccountError():
            return gettext("The file is of account %(number)s, which is not known here.", number=error.number or "?")
        case _:
            return error_words(error)


def _unpacked(content: str) -> bytes:
    try:
        inflater = zlib.decompressobj()
        octets = inflater.decompress(base64.b64decode(content, validate=True), MOST_OCTETS)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadRequest(gettext("The file did not come back whole: send it again.")) from error
    if inflater.unconsumed_tail or not octets:
        raise BadRequest(gettext("The file did not come back whole: send it again."))
    return octets


def _account(connection: Connection, wanted: str) -> BankAccount | None:
    return next((one for one in load_accounts_at_banks(connection) if str(one.id) == wanted), None)


def _number(name: str) -> int | None:
    typed = request.form.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and int(typed) <= _GREATEST_ID else None
