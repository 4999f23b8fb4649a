"""Files of banks, taken in: each line once, each in a transaction of its own, so that whoever paid is online before the file is through.

A file is kept as it came together with its lines in one transaction; then lines are looked at one by one. Killed at any point, what is
done is done and the next import, of this file or any other, goes on with the lines that nobody has looked at. What nobody is
known for is recorded as nobody's and waits for a person, as does what may have been told before by another kind of file.

Units: days of the issuer's zone; `today` is passed in.
Source: billing model sections 12 and 17; invariants I17 and I18.

Next: billing/operations/bank_queue.py
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

import psycopg

from billing.allocation import Choice
from billing.banking.bank_line import BankLine, Flow, Form, Statement
from billing.banking.matching import Known, OpenDocument, Suggestion, clear_choice, suggest
from billing.banking.return_codes import charges_fee, code_in, return_code
from billing.banking.returns import ReturnedPayment, clear_return, suggest_returned
from billing.money import Money
from billing.operations.receiving import Recorded, record_payment, reverse_payment
from billing.payments import Happening, Method, MethodKind, NewPayment, NotDone, PaymentSource
from billing.store import bank_files as store
from billing.store.bank_files import BankAccount, KeptLine, NewLine
from billing.store.bank_known import find_by_hand, find_told, load_known, load_open, load_returnable
from billing.store.payments import load_methods, load_payment

Connection = psycopg.Connection[Any]
_MOST_WORDS: Final = 400


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was kept, or was there; its number, how many of its lines are new and how many were told before."""

    file_id: int
    new: int
    known: int
    findings: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a line, or would: its state, whose payment, why."""

    state: str
    reason: str
    customer_id: int | None = None
    payment_id: int | None = None
    score: int | None = None


@dataclass
class Desk:
    """What lines of one account are judged with, read once for an import."""

    account: BankAccount
    known: Known
    methods: tuple[Method, ...]
    today: date
    actor: str
    by_code: dict[str, Method] = field(init=False)

    def __post_init__(self) -> None:
        """The methods by their code."""
        self.by_code = {one.code: one for one in self.methods}

    def method(self, line: BankLine) -> Method:
        """By which method a line was paid: what was collected by direct debit, else the account's own."""
        if line.flow is Flow.DEBIT:
            debit = next((one for one in self.methods if one.kind is MethodKind.DIRECT_DEBIT and one.offered), None)
            if debit is not None:
                return debit
        return self.by_code[self.account.method]


def take_file(
    connection: Connection, octets: bytes, *, name: str, statements: Sequence[tuple[BankAccount, Statement]], actor: str
) -> Taken:
    """Keep a file and those of its lines that no file told before, in the caller's transaction. The same file again adds nothing."""
    digest = hashlib.sha256(octets).digest()
    for account_id in sorted({account.id for account, _ in statements}):
        store.hold_account(connection, account_id)
    file_id = store.find_file(connection, digest)
    again = file_id is not None
    new, known, findings = 0, 0, list[str]()
    for account, statement in statements:
        lines = store.sort_lines(connection, account.id, statement)
        new, known = new + len(lines.new), known + lines.known
        findings += [f"{account.name}: {one}" for one in (*statement.findings, *lines.findings)]
        if file_id is None:
            file_id = store.save_file(
                connection, name=name, form=statement.form, digest=digest, octets=octets, actor=actor
            )
        store.save_lines(connection, file_id, account.id, lines.new)
    assert file_id is not None, "a file has a statement"
    return Taken(file_id, new, known, tuple(findings), again)


def load_desk(
    connection: Connection, account: BankAccount, lines: Sequence[BankLine], *, today: date, actor: str
) -> Desk:
    """Read it for the lines of an account."""
    known = load_known(connection, account.issuer_id, lines)
    return Desk(account, known, tuple(load_methods(connection, account.issuer_id)), today, actor)


def work_lines(
    connection: Connection,
    *,
    today_of: Callable[[BankAccount], date],
    actor: str,
    advance: Callable[[int, int], None] = lambda done, total: None,
    most: int | None = None,
) -> list[tuple[KeptLine, Fate]]:
    """Look at every line that nobody has looked at yet, or at the first so many, each in a transaction of its own; what became of them.

    Beside another one that does the same, each line is looked at once.
    """
    ids = store.load_new(connection)[:most]
    kept = store.load_queue(connection, limit=len(ids), ids=ids)
    accounts = {one.id: one for one in store.load_accounts_at_banks(connection)}
    desks: dict[int, Desk] = {}
    for account_id in {one.bank_account_id for one in kept}:
        mine = [one.line for one in kept if one.bank_account_id == account_id]
        account = accounts[account_id]
        desks[account_id] = load_desk(connection, account, mine, today=today_of(account), actor=actor)
    connection.commit()
    found = []
    for done, one in enumerate(kept, start=1):
        held = store.hold_line(connection, one.id, wait=False)
        if held is not None and held.state == "new":
            found.append((held, _work_or_set_aside(connection, held, desks[held.bank_account_id])))
        connection.commit()
        advance(done, len(kept))
    return found


def _work_or_set_aside(connection: Connection, kept: KeptLine, desk: Desk) -> Fate:
    """`work_line`; a line that the database can't take is for a person: it would be the first again, and stop all behind it."""
    try:
        with connection.transaction():
            return work_line(connection, kept, desk)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        fate = Fate("waiting", f"it can't be taken as it is: {error.diag.message_primary or error}")
        store.decide_line(connection, kept.id, fate.state, actor=desk.actor, reason=fate.reason)
        return fate


def work_line(connection: Connection, kept: KeptLine, desk: Desk) -> Fate:
    """Do to a line, which is held, what is clear, and leave the rest to a person; in the caller's transaction."""
    fate = _came_in(connection, kept, desk) if kept.line.amount.minor > 0 else _went_out(connection, kept, desk)
    store.decide_line(
        connection,
        kept.id,
        fate.state,
        actor=desk.actor,
        reason=fate.reason,
        payment_id=fate.payment_id,
        score=fate.score,
    )
    return fate


def foresee(connection: Connection, new: NewLine, desk: Desk, *, form: Form) -> Fate:
    """What would become of a line that is not written, by the import's own judgement; the lines of a file are asked for in their order."""
    line = new.line
    if line.amount.minor < 0:
        back = _judge_out(connection, line, new.doubt, desk, form)
        return back if isinstance(back, Fate) else Fate("returned", _why_back(line), None, back.payment_id, back.score)
    judged = _judge_in(connection, line, new.doubt, desk)
    if isinstance(judged, Fate):
        return judged
    pick = judged.pick
    if pick is None:
        return judged.unclear(None)
    desk.known.settle(pick.customer_id, _left(desk.known.open_of(pick.customer_id), line.amount, pick.invoices))
    return Fate("recorded", said(pick), customer_id=pick.customer_id, score=pick.score)


def _left(documents: Sequence[OpenDocument], amount: Money, chosen: Collection[int]) -> list[OpenDocument]:
    """What a payment leaves open: what it names is paid first, then the oldest."""
    left = []
    for one in sorted(documents, key=lambda one: (one.id not in chosen, one.due_on, one.id)):
        paid = min(one.open, amount, key=lambda money: money.minor) if one.open.currency == amount.currency else None
        if paid is not None:
            amount -= paid
        if paid != one.open:
            left.append(one if paid is None else replace(one, open=one.open - paid))
    return left


@dataclass(frozen=True, slots=True)
class _Judged:
    """Who a line may be of, best first, and whose it clearly is."""

    found: Sequence[Suggestion]
    pick: Suggestion | None

    def unclear(self, payment_id: int | None) -> Fate:
        """It is nobody's as yet."""
        score = self.found[0].score if self.found else None
        return Fate("waiting", unclear(self.found), payment_id=payment_id, score=score)


def _judge_in(connection: Connection, line: BankLine, doubt: str, desk: Desk) -> Fate | _Judged:
    """What is to become of money that came in, where nothing is to be recorded; else whose it is to be recorded as."""
    if doubt:
        return _doubted(doubt)
    if line.undone or line.returned is not None:
        return Fate("waiting", _CAME_BACK)
    # A collection that was recorded when it was made is the same payment.
    told = find_told(connection, desk.account.issuer_id, line)
    if told is not None:
        return _told_before(connection, *told)
    found = suggest(line, desk.known)
    pick = clear_choice(found, automatic_from=desk.account.automatic_from)
    if pick is not None and (by_hand := find_by_hand(connection, pick.customer_id, line)) is not None:
        return Fate("waiting", _by_hand(by_hand), score=pick.score)
    return _Judged(found, pick)


def _judge_out(connection: Connection, line: BankLine, doubt: str, desk: Desk, form: Form) -> Fate | ReturnedPayment:
    """The same of money that went out: what it clearly took back."""
    if not line.is_return:
        return Fate("ignored", _OUT)
    if doubt:
        return _doubted(doubt)
    found = suggest_returned(line, load_returnable(connection, desk.account.issuer_id, line))
    clear = clear_return(found, automatic_from=desk.account.automatic_from)
    return _nothing_to_take_back(form) if clear is None else clear


_OUT: Final = "money out that took nothing back"
_CAME_BACK: Final = "money that we had paid came back: no customer's, unless a person says so"


def _came_in(connection: Connection, kept: KeptLine, desk: Desk) -> Fate:
    judged = _judge_in(connection, kept.line, kept.doubt, desk)
    if isinstance(judged, Fate):
        return judged
    pick = judged.pick
    done = record_line(connection, kept, desk, pick)
    if isinstance(done, NotDone):
        return Fate("waiting", done.message)
    if pick is None:
        return judged.unclear(done.payment.id)
    desk.known.settle(pick.customer_id, load_open(connection, desk.account.issuer_id, pick.customer_id))
    return Fate("recorded", said(pick), done.payment.customer_id, done.payment.id, pick.score)


def _told_before(connection: Connection, payment_id: int, near: bool) -> Fate:
    known = load_payment(connection, payment_id)
    assert known is not None, f"payment {payment_id} was found"
    if not near:
        return Fate(
            "waiting",
            f"payment {payment_id} of {known.value_on} has its reference and amount: perhaps this very one, or another one",
        )
    state = "waiting" if known.customer_id is None else "recorded"
    return Fate(state, "recorded before under its reference", known.customer_id, payment_id)


def record_line(
    connection: Connection, kept: KeptLine, desk: Desk, pick: Suggestion | None, *, after: int | None = None
) -> Recorded | NotDone:
    """Record what came in as that customer's, or as nobody's. `after`: again, after that payment of it was taken back."""
    line = kept.line
    reference = reference_of(desk.account, line)
    payment = NewPayment(
        method=desk.method(line),
        amount=line.amount,
        value_on=line.value_on,
        source=PaymentSource.FILE,
        reference=reference if after is None else f"{reference} after {after}",
        customer_id=None if pick is None else pick.customer_id,
        payer=line.party[:_MOST_WORDS] or None,
        note=line.text or None,
        choices=() if pick is None else tuple(Choice(number) for number in pick.invoices),
    )
    done = record_payment(connection, payment, today=desk.today, actor=desk.actor)
    if isinstance(done, NotDone) and payment.choices:
        # What it names was paid a moment ago: then it goes the usual way.
        plain = Suggestion(payment.customer_id or 0, 0, ())
        return record_line(connection, kept, desk, plain, after=after)
    return done


def reference_of(account: BankAccount, line: BankLine) -> str:
    """What its payment is called, on statements too: the day, and what tells the line from every other of every account."""
    told = hashlib.blake2b(f"{account.account} {line.key}".encode(), digest_size=8).hexdigest()
    return f"{line.booked_on} {told}"


def _went_out(connection: Connection, kept: KeptLine, desk: Desk) -> Fate:
    clear = _judge_out(connection, kept.line, kept.doubt, desk, kept.form)
    if isinstance(clear, Fate):
        return clear
    done = take_back(connection, kept, desk, clear.payment_id)
    if isinstance(done, NotDone):
        return Fate("waiting", done.message)
    return Fate("returned", _why_back(kept.line), done.payment.customer_id, clear.payment_id, clear.score)


def take_back(connection: Connection, kept: KeptLine, desk: Desk, payment_id: int) -> Recorded | NotDone:
    """A line took a payment back: with the method's fee, unless it was no fault of the payer's."""
    line = kept.line
    # A bank's own words for it are told, and are no code.
    code = code_in(line.returned or "") or None
    with_fee = not line.undone and charges_fee(code or "")
    why = Happening(line.booked_on, _why_back(line), PaymentSource.FILE, reference_of(desk.account, line))
    return reverse_payment(
        connection, payment_id, why, code=code, with_fee=with_fee, today=desk.today, actor=desk.actor
    )


def said(pick: Suggestion) -> str:
    """Why a customer, in a person's words."""
    return ", ".join(one.replace("_", " ") for one in pick.reasons)


def unclear(found: Sequence[Suggestion]) -> str:
    """Why a line waits."""
    if not found:
        return "nothing speaks for any customer"
    return "not clear enough" if len(found) == 1 else "not clear among several"


def _why_back(line: BankLine) -> str:
    if line.undone and not line.returned:
        return "the bank took its own entry back"
    return return_code(line.returned or "").words


def _nothing_to_take_back(form: Form) -> Fate:
    if form is Form.PAIN_002:
        return Fate("ignored", "rejected before it was paid: there is no payment to take back")
    return Fate("waiting", "no payment that this clearly took back")


def _by_hand(payment_id: int) -> str:
    return f"payment {payment_id} was recorded by hand for the same customer and amount in these days: perhaps this very one"


def _doubted(form: str) -> Fate:
    return Fate("waiting", f"a {form} file told the same amount of that day: perhaps this very line")
