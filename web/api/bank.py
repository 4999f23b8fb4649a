"""The bank: files taken in, with what would become of each line; lines that wait, with whose they may be; decided and undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from billing.banking.bank_line import BankFileError, BankLine
from billing.banking.matching import Suggestion
from billing.operations.bank_import import Desk, work_lines
from billing.operations.bank_queue import Decided, choose_customer, choose_payment, ignore_line, undo_line
from billing.operations.bank_reading import desks_of, foresee_file, load_line, may_be, read_statements
from billing.payments import NotDone
from billing.store.bank_files import (
    KeptLine,
    ListedFile,
    State,
    count_states,
    load_accounts_at_banks,
    load_files,
    load_queue,
)
from billing.store.customers import load_customer
from control_plane.access.permissions import Permission
from control_plane.bank_desk import days_at, decide, take_in
from web.acting import clock, person
from web.api._shapes import Amount, Number, Words, amount_of, done, shaped, there_is_none, written, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.surroundings import here

pages = Noun("bank")
# More than a month of a busy account; the command takes larger ones.
MOST_OCTETS: Final = 8 * 1024 * 1024
# In base64, with what is around it.
_BODY_OCTETS: Final = 12 * 1024 * 1024
# Lines of one call: some seconds at most.
_AT_ONCE: Final = 50
LineState = Literal["new", "waiting", "recorded", "returned", "ignored"]


class AccountAtBank(msgspec.Struct, frozen=True):
    """An account whose files are taken in. From `automatic_from` on a line's likeliest customer is taken without a person."""

    id: int
    issuer_id: int
    name: str
    account: str
    currency: str
    method: str
    automatic_from: int


class BankFile(msgspec.Struct, frozen=True):
    """A file. `unread` of its lines nobody has looked at yet, `waiting` wait for a person."""

    id: int
    name: str
    form: str
    octets: int
    made_by: str
    made_at: datetime
    lines: int
    unread: int
    waiting: int


class Told(msgspec.Struct, frozen=True):
    """A line as the bank told it; `party` is who paid, or was paid."""

    amount: Amount
    booked_on: date
    value_on: date
    text: str
    party: str
    party_iban: str
    reference: str
    returned: str | None


class MayBe(msgspec.Struct, frozen=True):
    """Whose a line may be, or which payment it may have taken back; a higher score is likelier."""

    score: int
    reasons: list[str]
    customer_id: int | None
    customer: str | None
    invoices: list[str]
    payment_id: int | None


class Line(msgspec.Struct, frozen=True):
    """A line with what became of it; one that waits has what it may be, the likeliest first."""

    id: int
    bank_account_id: int
    told: Told
    state: str
    payment_id: int | None
    score: int | None
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    file: str
    may_be: list[MayBe]


class Foreseen(msgspec.Struct, frozen=True):
    """A line that no file told before, and what its import judges."""

    told: Told
    state: str
    reason: str
    customer_id: int | None
    payment_id: int | None
    score: int | None


class NewFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bank's file (camt.053, camt.054, pain.002, CSV), in base64. `bank_account_id` is meant where the file does not say."""

    name: Words
    content: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MOST_OCTETS)]
    bank_account_id: Number | None = None
    skip_refused: bool = False


class TakenFile(msgspec.Struct, frozen=True):
    """What was taken in. `again`: the same file was there; `refused` rows of a CSV could not be read and are left behind."""

    file_id: int
    new: int
    known: int
    again: bool
    findings: list[str]
    refused: list[str]
    lines: list[Foreseen]


class Counted(msgspec.Struct, frozen=True):
    """How many lines of a file are in each state."""

    new: int
    waiting: int
    recorded: int
    returned: int
    ignored: int


class LineQuestion(Paging, frozen=True, kw_only=True):
    """Which lines: in a state, those that wait without one; of a file those in any."""

    state: LineState | None = None
    file_id: Number | None = None


class ChosenFor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose a line is, or which payment it is: one of the two."""

    customer_id: Number | None = None
    payment_id: Number | None = None
    reason: Words = "chosen by a program"


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Words


@pages.call(
    "GET",
    "/bank/accounts",
    permission=Permission.PAYMENT_SEE,
    answers=list[AccountAtBank],
    does=("bank.show", "bank_accounts.show_all"),
)
def accounts(connection: Connection) -> list[AccountAtBank]:
    """The accounts whose files are taken in."""
    return [shaped(AccountAtBank, one) for one in load_accounts_at_banks(connection)]


@pages.call(
    "GET",
    "/bank/files",
    permission=Permission.PAYMENT_SEE,
    asked=Paging,
    answers=Slice[BankFile],
    refusals=(404,),
    does=("bank.show",),
)
def files(connection: Connection, *, asked: Paging) -> Slice[BankFile]:
    """Files, the newest first."""
    key = part_after(asked, int)
    rows = load_files(connection, limit=asked.limit + 1, before=None if key is None else key[0])
    return slice_of(rows, asked, shown=_file_shown, key=lambda one: (one.id,))


@pages.call(
    "GET",
    "/bank/files/<int:number>",
    permission=Permission.PAYMENT_SEE,
    answers=BankFile,
    refusals=(404,),
    does=("bank.file",),
)
def file(connection: Connection, *, number: int) -> BankFile:
    """One file; its lines are asked for by its number."""
    return _file_shown(_known_file(connection, number))


@pages.call(
    "POST",
    "/bank/files",
    permission=Permission.PAYMENT_RECORD,
    also=(Permission.PAYMENT_SEE,),
    body=NewFile,
    answers=TakenFile,
    status=201,
    octets=_BODY_OCTETS,
    does=("bank.take", "bank.look"),
)
def take(connection: Connection, *, body: NewFile) -> TakenFile:
    """Take a file in. Its lines are looked at afterwards: what that will come to is answered now.

    The same file again adds nothing.
    """
    account = next((one for one in load_accounts_at_banks(connection) if one.id == body.bank_account_id), None)
    if account is None and body.bank_account_id is not None:
        raise wrong_value("there is no such account at a bank", pointer="/bank_account_id")
    try:
        statements, refused = read_statements(
            connection, body.content, account, schemas=here().settings.bank_schemas_dir
        )
    except BankFileError as error:
        raise wrong_value(str(error), pointer="/content") from error
    if refused and not body.skip_refused:
        rows = "; ".join(f"row {one.number}: {one.reason}" for one in refused[:20])
        raise wrong_value(f"rows of it can't be read: {rows}. Say `skip_refused` to leave them", pointer="/content")
    with connection.transaction(force_rollback=True):
        found = foresee_file(
            connection, statements, today_of=days_at(connection, now=clock(connection)), actor=person().name
        )
    taken = take_in(
        connection, body.content, name=body.name, statements=statements, refused=len(refused), actor=person().name
    )
    return TakenFile(
        file_id=taken.file_id,
        new=taken.new,
        known=taken.known,
        again=taken.again,
        findings=list(taken.findings),
        refused=[f"row {one.number}: {one.reason}" for one in refused],
        lines=[shaped(Foreseen, fate, told=_told(line)) for line, fate in found.rows],
    )


@pages.call(
    "POST",
    "/bank/files/<int:number>/work",
    permission=Permission.PAYMENT_RECORD,
    also=(Permission.PAYMENT_SEE,),
    answers=Counted,
    refusals=(404,),
    does=("bank.work",),
)
def work(connection: Connection, *, number: int) -> Counted:
    """Look at some of the lines that nobody has looked at yet, and how the file stands: again while it has `new` ones."""
    _known_file(connection, number)
    work_lines(connection, today_of=days_at(connection, now=clock(connection)), actor=person().name, most=_AT_ONCE)
    counted = count_states(connection, number)
    return Counted(**{str(state): counted.get(state, 0) for state in State})


@pages.call(
    "GET",
    "/bank/lines",
    permission=Permission.PAYMENT_SEE,
    asked=LineQuestion,
    answers=Slice[Line],
    refusals=(404,),
    does=("bank.show", "bank.file"),
)
def lines(connection: Connection, *, asked: LineQuestion) -> Slice[Line]:
    """Lines, the oldest first: those that wait for a person, with whose they may be."""
    key = part_after(asked, int)
    kept = load_queue(
        connection,
        limit=asked.limit + 1,
        state=asked.state or (None if asked.file_id is not None else "waiting"),
        file_id=asked.file_id,
        after=0 if key is None else key[0],
    )
    with connection.transaction(force_rollback=True):
        desks = desks_of(
            connection, kept[: asked.limit], today_of=days_at(connection, now=clock(connection)), actor=person().name
        )
        return slice_of(
            kept,
            asked,
            shown=lambda one: _line_shown(connection, one, desks[one.bank_account_id]),
            key=lambda one: (one.id,),
        )


@pages.call(
    "GET",
    "/bank/lines/<int:number>",
    permission=Permission.PAYMENT_SEE,
    answers=Line,
    refusals=(404,),
    does=("bank.line",),
)
def line(connection: Connection, *, number: int) -> Line:
    """One line, what became of it, and what it may be."""
    with connection.transaction(force_rollback=True):
        return _one_line(connection, number)


@pages.call(
    "POST",
    "/bank/lines/<int:number>/choose",
    permission=Permission.PAYMENT_RECORD,
    also=(Permission.PAYMENT_SEE,),
    body=ChosenFor,
    answers=Line,
    refusals=(404, 409),
    does=("bank.choose_",),
)
def choose(connection: Connection, *, number: int, body: ChosenFor) -> Line:
    """The line is that customer's, and becomes a payment; or it is that payment."""
    if (body.customer_id is None) == (body.payment_id is None):
        raise wrong_value("either a customer or a payment", pointer="/customer_id")
    if body.customer_id is not None and load_customer(connection, body.customer_id) is None:
        raise wrong_value("there is no such customer", pointer="/customer_id")

    def chosen(desk: Desk) -> Decided | NotDone:
        if body.payment_id is not None:
            return choose_payment(connection, number, body.payment_id, desk, reason=body.reason)
        assert body.customer_id is not None, "one of the two is given"
        return choose_customer(connection, number, body.customer_id, (), desk, reason=body.reason)

    return _decided(connection, number, "choose", body.reason, chosen)


@pages.call(
    "POST",
    "/bank/lines/<int:number>/ignore",
    permission=Permission.PAYMENT_RECORD,
    also=(Permission.PAYMENT_SEE,),
    body=Why,
    answers=Line,
    refusals=(404, 409),
    does=("bank.ignore",),
)
def ignore(connection: Connection, *, number: int, body: Why) -> Line:
    """The line is no customer's."""
    return _decided(
        connection,
        number,
        "ignore",
        body.reason,
        lambda desk: ignore_line(connection, number, desk, reason=body.reason),
    )


@pages.call(
    "POST",
    "/bank/lines/<int:number>/undo",
    permission=Permission.PAYMENT_RECORD,
    also=(Permission.PAYMENT_SEE,),
    body=Why,
    answers=Line,
    refusals=(404, 409),
    does=("bank.undo",),
)
def undo(connection: Connection, *, number: int, body: Why) -> Line:
    """Take back what was chosen or ignored: the line waits again."""
    return _decided(
        connection, number, "undo", body.reason, lambda desk: undo_line(connection, number, desk, reason=body.reason)
    )


def _decided(
    connection: Connection, number: int, deed: str, reason: str, do: Callable[[Desk], Decided | NotDone]
) -> Line:
    outcome = decide(
        connection,
        number,
        deed,
        do,
        reason=reason,
        today_of=days_at(connection, now=clock(connection)),
        actor=person().name,
    )
    if outcome is None:
        raise there_is_none()
    done(outcome)
    return _one_line(connection, number)


def _one_line(connection: Connection, number: int) -> Line:
    found = load_line(connection, number, today_of=days_at(connection, now=clock(connection)), actor=person().name)
    if found is None:
        raise there_is_none()
    return _line_shown(connection, *found)


def _line_shown(connection: Connection, kept: KeptLine, desk: Desk) -> Line:
    return shaped(
        Line,
        kept,
        told=_told(kept.line),
        may_be=[_may(connection, one, desk) for one in may_be(connection, kept, desk)],
    )


def _may(connection: Connection, one: Any, desk: Desk) -> MayBe:
    reasons = [str(written(reason)) for reason in one.reasons]
    if not isinstance(one, Suggestion):
        return MayBe(one.score, reasons, None, None, [], one.payment_id)
    labels = {number: document.label for number, document in desk.known.documents.items()}
    customer = load_customer(connection, one.customer_id)
    named = [labels[number] for number in one.invoices if number in labels]
    return MayBe(one.score, reasons, one.customer_id, None if customer is None else customer.name, named, None)


def _told(line: BankLine) -> Told:
    return shaped(Told, line, amount=amount_of(line.amount))


def _known_file(connection: Connection, number: int) -> ListedFile:
    found = load_files(connection, limit=1, file_id=number)
    if not found:
        raise there_is_none()
    return found[0]


def _file_shown(found: ListedFile) -> BankFile:
    return shaped(BankFile, found)
