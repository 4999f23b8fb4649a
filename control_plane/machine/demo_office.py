"""What lies on the desks of the demo's office: a bank's file with lines that nobody could place, promises, a dispute, messages.

All of it is done by the same functions as anywhere and in one transaction with a row in the audit log that says so; a start that
finds it there leaves it alone.

Next: demo_loop.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.types.json import Jsonb

from billing.banking.csv_file import read_csv
from billing.banking.layout import Layout
from billing.documents import Due
from billing.messages.message import Enclosure, NewMessage, State
from billing.messages.plain_values import day_told, money_told
from billing.messages.texts import write
from billing.money import Money, read_money
from billing.operations.bank_import import load_desk, take_file, work_line
from billing.operations.holding_back import NewExclusion, NewPlan, agree_plan, exclude, open_dispute
from billing.operations.promising import Proof, Taken, take_promise
from billing.operations.receiving import record_payment
from billing.operations.restoring import look_again
from billing.payments import NewPayment, PaymentSource
from billing.store.acting import acting
from billing.store.bank_files import load_accounts_at_banks, load_new, load_queue, save_bank_account, save_layout
from billing.store.catalogue import PriceSeries, add_price, save_product, save_text
from billing.store.fees import save_return_fee
from billing.store.message_batches import save_batch
from billing.store.message_list import note_done_by_hand
from billing.store.message_queue import Happening, end, load_queued
from billing.store.message_queue import save_text as save_message_text
from billing.store.message_readers import Sender, load_addressees
from billing.store.message_templates import find_source
from billing.store.messages import queue
from billing.store.undeliverable import mark_undeliverable
from control_plane.machine.demo_books import ACTOR, CURRENCY, IBAN, MONTHS, months_before
from control_plane.machine.demo_debts import late_payers, method_of
from control_plane.machine.demo_field import (
    People,
    Person,
    collect_by_debit,
    done,
    have_an_agent,
    send_collectors,
    settle_the_agent,
    work_out_the_agent,
)
from control_plane.messages.channels import CHANNELS
from control_plane.messages.sending import reader_of

Connection = psycopg.Connection[Any]
_LAYOUT: Final = Layout(
    booked_on="Data", value_on="Valuta", text=("Descrizione",), amount="Importo", party="Ordinante",
    end_to_end="Riferimento", code="Codice",
)  # fmt: skip
_RETURN_FEE: Final = Decimal("3.50")
_ALWAYS: Final = date(2015, 1, 1)
_SET: Final = "SELECT FROM audit_log WHERE action = 'demo.office_set' LIMIT 1"
_PEOPLE: Final = """
SELECT DISTINCT ON (c.id) c.id, c.name, a.city, k.id, o.document_id, d.label, o.open, o.currency::text
FROM open_document AS o JOIN document AS d ON d.id = o.document_id JOIN customer AS c ON c.id = o.customer_id
JOIN address AS a ON a.customer_id = c.id AND a.kind = 'legal' JOIN contract AS k ON k.customer_id = c.id
WHERE o.issuer_id = %(issuer)s AND o.open > 0 AND d.kind = 'invoice' AND c.kind = 'person' AND c.id <> ALL (%(late)s)
    AND k.status = 'active' AND k.ends_on IS NULL AND NOT EXISTS (SELECT FROM restriction AS r WHERE r.contract_id = k.id AND r.lifted_at IS NULL)
ORDER BY c.id, d.document_date, d.id
"""
# Limited for a debt since before the books' policy, and without time for it.
_LIMITED: Final = """
SELECT k.customer_id, max(k.id) FROM contract AS k JOIN restriction AS r ON r.contract_id = k.id JOIN open_document AS o ON o.customer_id = k.customer_id
WHERE r.origin = 'dunning' AND r.level = 'walled' AND r.lifted_at IS NULL AND k.status = 'active' AND o.open > 0 AND o.issuer_id = %s
    AND NOT EXISTS (SELECT FROM relief AS f WHERE f.contract_id = k.id) GROUP BY k.customer_id ORDER BY k.customer_id LIMIT 4
"""
_HANDED: Final = """
UPDATE message SET state = 'sending', attempts = 1, taken_until = now() + interval '1 minute', handed_at = now() WHERE id = ANY (%s)
"""
_NOTICES: Final = (
    "SELECT id FROM message WHERE state = 'queued' AND template = 'formal_notice' AND channel <> 'email' ORDER BY id"
)


def set_the_office(connection: Connection, issuer: int, now: datetime, today: date) -> bool:
    """Everything that this module and demo_field.py tell of, once; whether it was done now. In the caller's transaction.

    Not in a demo that nobody pursues debts in: its year is not billed, or was before there were payments.
    """
    if connection.execute(_SET).rowcount:
        return False
    if not connection.execute("SELECT FROM dunning_policy WHERE issuer_id = %s LIMIT 1", (issuer,)).rowcount:
        return False
    acting(connection, ACTOR)
    late = [one.customer_id for one in late_payers(connection, today)]
    rows = connection.execute(_PEOPLE, {"issuer": issuer, "late": late}).fetchall()
    people = People(
        Person(number, name, city, contract, document, label, read_money(open_, currency))
        for number, name, city, contract, document, label, open_, currency in rows
    )
    agent, brought = have_an_agent(connection, issuer, months_before(today, MONTHS - 1), today)
    debited = people.next(3, contracts=brought)
    references = collect_by_debit(connection, issuer, debited, today - timedelta(days=6))
    settle_the_agent(connection, agent, today)
    send_collectors(connection, issuer, people, now, today)
    _import_a_file(connection, issuer, people, list(zip(debited, references, strict=True)), today)
    work_out_the_agent(connection, agent, today)
    _promise(connection, issuer, now)
    _hold_back(connection, people, now, today)
    _write_to(connection, issuer, people, today)
    connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES ('corrente up', 'demo.office_set', 'the demo ISP', %s)",
        (Jsonb({"today": today.isoformat()}),),
    )
    return True


def _import_a_file(
    connection: Connection, issuer: int, people: People, debits: Sequence[tuple[Person, str]], today: date
) -> None:
    """A file of the bank, of yesterday: most lines say what they pay, three wait for a person, one debit came back."""
    _charge_for_returns(connection, issuer)
    number = save_bank_account(
        connection,
        issuer_id=issuer,
        name="Main",
        account=IBAN,
        currency=CURRENCY,
        method_id=method_of(connection, issuer, "transfer").id,
        automatic_from=90,
    )
    save_layout(connection, number, _LAYOUT)
    day = today - timedelta(days=1)
    octets = _file_of(people, debits, day)
    (account,) = load_accounts_at_banks(connection)
    statement = read_csv(octets, _LAYOUT, currency=CURRENCY).statement
    take_file(connection, octets, name=f"main-{day}.csv", statements=[(account, statement)], actor=ACTOR)
    ids = load_new(connection)
    kept = load_queue(connection, limit=len(ids), ids=ids)
    desk = load_desk(connection, account, [one.line for one in kept], today=today, actor=ACTOR)
    for one in kept:
        work_line(connection, one, desk)


def _charge_for_returns(connection: Connection, issuer: int) -> None:
    product = save_product(
        connection, {"name": "Return fee", "kind": "one_off", "family": "fees"}, tax_code="IT-N1", plan=None
    )
    add_price(connection, PriceSeries(product, CURRENCY, 1, True), _RETURN_FEE, since=_ALWAYS)
    save_text(connection, product, "it", "Spese di insoluto")
    save_text(connection, product, "es", "Gastos de devolución")
    save_return_fee(connection, method_of(connection, issuer, "direct_debit").id, _RETURN_FEE, product)


def _file_of(people: People, debits: Sequence[tuple[Person, str]], day: date) -> bytes:
    rows = [(one.open, f"Bonifico fattura {one.label}", one.name, "", "") for one in people.next(6)]
    less = read_money(Decimal("5.00"), CURRENCY)
    rows += [(one.open - less, "acconto internet", one.name, "", "") for one in people.next(1)]
    rows += [(one.open, "saldo fatture", one.name, "", "") for one in people.next(1)]
    rows += [(one.open, "internet di mia madre", "FAMIGLIA BIANCHI", "", "") for one in people.next(1)]
    if len(debits) > 1:
        (back, came_back), *_, (paid, came) = debits
        rows += [(paid.open, "Incasso SDD", paid.name, came, "")]
        rows += [(-back.open, "SDD insoluto", back.name, came_back, "AM04")]
    rows += [(read_money(Decimal("-4.80"), CURRENCY), "Commissioni", "", "", "")]
    lines = [";".join((f"{day:%d/%m/%Y}", f"{day:%d/%m/%Y}", text, _amount(amount), party, reference, code)) for amount, text, party, reference, code in rows]  # fmt: skip
    return "\n".join(("Data;Valuta;Descrizione;Importo;Ordinante;Riferimento;Codice", *lines, "")).encode()


def _amount(amount: Money) -> str:
    return str(amount.amount).replace(".", ",")


def _promise(connection: Connection, issuer: int, now: datetime) -> None:
    """Four who are limited promised to pay: one did, one did not, one has time still, one shows a proof that nobody has looked at."""
    limited = connection.execute(_LIMITED, (issuer,)).fetchall()
    asked = ((30, "portal", None), (60, "portal", None), (5, "operator", None), (3, "app", "bonifico.txt"))
    for (customer, _), (hours, by, file) in zip(limited, asked, strict=False):
        proof = None if file is None else Proof(file, "text/plain", b"Bonifico eseguito, CRO 4711 0815 2342\n")
        key, made_at = (customer, issuer, CURRENCY), now - timedelta(hours=hours)
        taken = take_promise(connection, key, now=made_at, asked_by=by, actor=ACTOR, proof=proof)
        if isinstance(taken, Taken) and hours == 30:
            amount, method = taken.known.promise.amount, method_of(connection, issuer, "card")
            paid = NewPayment(method, amount, now.date(), PaymentSource.COUNTER, customer_id=customer)
            done(record_payment(connection, paid, today=now.date(), actor=ACTOR, now=now))
    look_again(connection, [customer for customer, _ in limited], now, by=ACTOR)


def _hold_back(connection: Connection, people: People, now: datetime, today: date) -> None:
    """A dispute, instalments, and somebody who is left alone."""
    for one in people.next(1):
        half = Money(one.open.minor // 2, CURRENCY)
        done(open_dispute(connection, one.document_id, half, reason="the speed was not what was sold", now=now, actor=ACTOR))  # fmt: skip
    for one in people.next(1):
        first = Money(one.open.minor // 2, CURRENCY)
        parts = (Due(today + timedelta(days=14), first), Due(today + timedelta(days=44), one.open - first))
        wanted = NewPlan((one.document_id,), parts, "two parts, agreed by telephone")
        done(agree_plan(connection, wanted, now=now, actor=ACTOR))
    for one in people.next(1):
        until = today + timedelta(days=90)
        why = "in hospital until spring; the daughter calls back"
        left_alone = NewExclusion("whitelist", why, today, until, customer_id=one.customer_id)
        done(exclude(connection, left_alone, now=now, actor=ACTOR))


def _write_to(connection: Connection, issuer: int, people: People, today: date) -> None:
    """Invoices by mail that went, one to an address that is not there; works that are announced; the notices' letters."""
    for (number,) in connection.execute(_NOTICES).fetchall():
        note_done_by_hand(connection, number, "RR certified mail", senders=list(CHANNELS), by=ACTOR)
    told = [_invoice_told(one, issuer, today) for one in people.next(5)]
    ids = queue(connection, told, made_by=ACTOR)
    _send(connection, ids)
    batch = save_batch(connection, "Works at the tower of Monte Alto", {"city": "Monte Alto"}, made_by=ACTOR)
    text = {"subject": "Works on Monday", "text": "From one to three on Monday night the tower gets new batteries."}
    works = [
        NewMessage(one.customer_id, "text", f"batch {batch}", text, issuer_id=issuer, batch_id=batch)
        for one in people.next(8, city="Monte Alto")
    ]
    queue(connection, works, made_by=ACTOR)


def _invoice_told(one: Person, issuer: int, today: date) -> NewMessage:
    data: dict[str, object] = {
        "number": one.label,
        "dated": day_told(today.replace(day=1)),
        "amount": money_told(one.open),
    }
    enclosed = (Enclosure("document", one.document_id),)
    return NewMessage(one.customer_id, "invoice", f"invoice {one.label}", data, issuer_id=issuer, enclosures=enclosed)


def _send(connection: Connection, ids: Sequence[int]) -> None:
    """As if a server had taken all but the last: nobody of the demo has a mailbox."""
    taken = load_queued(connection, ids)
    operator = Sender(None, {"name": "Corrente Demo"}, None, ZoneInfo("UTC"))
    addressees = load_addressees(connection, taken, channel="email", operator=operator)
    for one in taken:
        reader = addressees[one.id]
        source = find_source(connection, one.template, reader.language, reader.sender.id)
        text = write(source, one.template, one.data, reader_of(reader, accent="#1f4e79"))
        written = (datetime.now(UTC), text.subject, text.body, text.html)
        reference = f"<{one.id}.{one.token}@corrente.example>"
        save_message_text(connection, one.id, address=reader.email or "", reference=reference, version=source.version, written=written)  # fmt: skip
    connection.execute(_HANDED, (list(ids),))
    for number in ids[:-1]:
        end(connection, number, State.SENT, Happening.SENT, detail="250 2.0.0 Ok: queued (demo)", made_by=ACTOR)
    for number in ids[-1:]:
        said = "550 5.1.1 user unknown"
        address = next(addressees[one.id].email for one in taken if one.id == number)
        end(connection, number, State.FAILED, Happening.FAILED, detail=said, made_by=ACTOR)
        mark_undeliverable(connection, "email", address or "", said, message_id=number)
