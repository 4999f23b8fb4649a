"""Files of banks in the books: each line once, clear ones matched, the rest for a person, returns with their fee (I15 to I18).

Customer 0 has 24.28 of January (1/FT/2026) and 41.36 of February (4/FT/2026) open; 1 has 36.48 and 36.48 (2, 5); 2 has 36.48 (3).
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from support.bank_book import TODAY, file, line, make_account, states, work
from support.books_days import make_days
from support.paid import pay

from billing.allocation import Choice
from billing.banking.bank_line import Flow, Form, Statement, keyed
from billing.banking.csv_file import read_csv
from billing.banking.evidence import creditor_reference
from billing.banking.layout import Layout
from billing.operations.bank_import import foresee, load_desk, take_file
from billing.operations.bank_queue import choose_customer, choose_payment, ignore_line, undo_line
from billing.operations.receiving import reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.bank_files import NewLine, load_queue
from billing.store.bank_known import load_returnable
from billing.store.checks.catalogue import find_in
from billing.store.fees import add_fee, save_return_fee
from billing.store.payments import load_methods

pytestmark = pytest.mark.db


@pytest.fixture
def books(database):
    with psycopg.connect(database) as connection:
        days = make_days(connection)
        account = make_account(connection, days.isp.issuer)
        connection.commit()
        yield connection, days, account
        connection.rollback()
        assert list(find_in(connection)) == []


def desk(connection, account):
    return load_desk(connection, account, [], today=TODAY, actor="maria")


def money(connection):
    """Each payment: whose, how much, whether it came back."""
    return connection.execute(
        "SELECT owner_of_payment(p.id), p.amount::text, r.reason_code FROM payment AS p LEFT JOIN payment_reversal AS r ON r.payment_id = p.id ORDER BY p.id"
    ).fetchall()


def balance(connection, customer):
    row = connection.execute("SELECT balance FROM customer_balance WHERE customer_id = %s", (customer,)).fetchone()
    return str(row[0])


def test_clear_lines_are_matched_and_the_rest_is_nobodys_until_a_person_says(books):
    connection, days, account = books
    first, second, third = days.isp.customers
    file(
        connection,
        account,
        line("24.28", "SALDO 1/FT/2026"),
        line("72.96", creditor_reference=creditor_reference("5/FT/2026")),
        line("36.48", "canone"),
        line("-1.50", "commissioni"),
    )

    outcomes = work(connection)

    assert states(outcomes) == [("recorded", first), ("recorded", second), ("waiting", None), ("ignored", None)]
    assert money(connection) == [(first, "24.280", None), (second, "72.960", None), (None, "36.480", None)]
    # 72.96 is both of second's, though one was named; 36.48 lies with the receipts that nobody knows.
    assert (balance(connection, first), balance(connection, second), balance(connection, third)) == (
        "41.360",
        "0.000",
        "36.480",
    )
    suspense = connection.execute(
        "SELECT sum(p.amount) FROM posting p JOIN ledger_account a ON a.id = p.account_id WHERE a.role = 'suspense'"
    ).fetchone()
    assert suspense == (Decimal("-36.480"),)


def test_each_line_counts_once_however_often_and_in_whatever_files_it_is_told(books):
    connection, _, account = books
    monday = [line("10.00", "a", entry_reference="R1"), line("5.00", "same"), line("5.00", "same")]
    tuesday = [line("7.00", "b", day="2026-03-11")]

    first = file(connection, account, *monday)
    work(connection)
    again = file(connection, account, *monday, form=Form.CAMT_054)
    both = file(connection, account, *monday, *tuesday)
    work(connection)

    assert [(one.new, one.known) for one in (first, again, both)] == [(3, 0), (0, 3), (1, 3)]
    assert [amount for _, amount, _ in money(connection)] == ["10.000", "5.000", "5.000", "7.000"]


def test_an_entry_told_as_a_sum_and_in_parts_counts_once_and_the_parts_are_taken_when_the_sum_is_ignored(books):
    connection, days, account = books
    whole = line("60.76", "SDD", entry_reference="B7", flow=Flow.DEBIT)
    parts = [
        line("24.28", "1/FT/2026", entry_reference="B7", end_to_end="C1", flow=Flow.DEBIT),
        line("36.48", "2/FT/2026", entry_reference="B7", end_to_end="C2", flow=Flow.DEBIT),
    ]
    file(connection, account, whole)
    work(connection)

    def told_in_parts():
        statement = Statement(account.account, Form.CAMT_054, keyed(parts))
        return take_file(connection, b"parts", name="p.xml", statements=[(account, statement)], actor="maria")

    taken = told_in_parts()
    assert (taken.new, taken.known) == (0, 0)
    assert "was told before in another shape" in taken.findings[0]
    (waiting,) = load_queue(connection, limit=9)
    assert not isinstance(ignore_line(connection, waiting.id, desk(connection, account), reason="in parts"), NotDone)
    assert told_in_parts().new == 2
    connection.commit()
    assert states(work(connection)) == [("recorded", days.isp.customers[0]), ("recorded", days.isp.customers[1])]
    method = connection.execute(
        "SELECT DISTINCT m.code FROM payment p JOIN payment_method m ON m.id = p.method_id WHERE p.id > 1"
    ).fetchall()
    assert method == [("direct_debit",)]


def test_what_another_kind_of_file_told_under_other_words_waits_for_a_person_and_is_no_money_yet(books):
    connection, days, account = books
    file(connection, account, line("36.48", "3/FT/2026 ROSSI"), form=Form.CSV)
    file(connection, account, line("36.48", "3/FT/2026", party="ROSSI"), line("36.48", "3/FT/2026 again"))

    outcomes = work(connection)

    assert states(outcomes)[:2] == [("recorded", days.isp.customers[2]), ("waiting", None)]
    assert "a csv file told the same amount of that day" in outcomes[1][1].reason
    # The third is not the second time of the first: there was one before.
    assert outcomes[2][0].doubt == ""
    assert len(money(connection)) == 2
    number, table = outcomes[1][0].id, desk(connection, account)
    done = choose_payment(connection, number, 1, table, reason="the same")
    assert not isinstance(done, NotDone)
    assert len(money(connection)) == 2
    # Taken back, the payment is the first line's still.
    undo_line(connection, number, table, reason="another one")
    (kept,) = load_queue(connection, limit=1, ids=[number])
    assert (kept.state, kept.payment_id) == ("waiting", None)
    assert money(connection)[0] == (days.isp.customers[2], "36.480", None)
    connection.commit()


def test_an_invoice_that_a_line_of_the_file_has_just_paid_speaks_for_nobody_in_the_next(books):
    connection, days, account = books
    file(connection, account, line("24.28", "1/FT/2026"), line("24.28", "1/FT/2026 di nuovo"))

    assert states(work(connection)) == [("recorded", days.isp.customers[0]), ("waiting", None)]


def test_what_a_person_decides_while_an_import_works_stays(books, database):
    connection, _, account = books
    file(connection, account, line("1.00", "a"), line("36.48", "b"))

    def meanwhile(done, total):
        if done == 1:
            with psycopg.connect(database) as other:
                other.execute(
                    "UPDATE bank_line SET state = 'ignored', decided_by = 'maria', reason = 'ours' WHERE amount = 36.48"
                )

    assert len(work(connection, advance=meanwhile)) == 1
    assert [amount for _, amount, _ in money(connection)] == ["1.000"]


def test_a_file_that_is_read_again_by_another_layout_counts_nothing_twice(books):
    connection, _, account = books
    octets = b"Data;Causale;Chi;Importo\n10/03/2026;SALDO;ROSSI;24,28\n10/03/2026;ALTRO;VERDI;5,00\n"
    bare = Layout("Data", ("Causale",), amount="Importo")

    def take(layout, extra=b""):
        statement = read_csv(octets + extra, layout, currency="EUR").statement
        taken = take_file(connection, octets + extra, name="m.csv", statements=[(account, statement)], actor="maria")
        connection.commit()
        return taken.new, [fate.state for _, fate in work(connection)]

    assert take(bare) == (2, ["waiting", "waiting"])
    fuller = replace(bare, party="Chi")
    assert take(fuller) == (2, ["waiting", "waiting"])
    assert len(money(connection)) == 2
    assert take(fuller) == (0, [])
    # What only the second file has is new money.
    assert take(fuller, b"11/03/2026;NUOVO;NERI;7,00\n") == (1, ["waiting"])
    assert [amount for _, amount, _ in money(connection)] == ["24.280", "5.000", "7.000"]


def test_what_was_recorded_by_hand_is_not_recorded_again_without_a_person(books):
    connection, days, account = books
    pay(connection, days.isp.issuer, "24.28", days.isp.customers[0], value_on=date(2026, 3, 8))
    connection.commit()
    file(
        connection,
        account,
        line("24.28", "cliente", party="Anna Rossi 1", creditor_reference=creditor_reference("4/FT/2026")),
    )

    (queued,) = load_queue(connection, limit=1, state="new")
    foreseen = foresee(connection, NewLine(queued.line), desk(connection, account), form=Form.CAMT_053)
    ((kept, fate),) = work(connection)

    assert (fate.state, kept.payment_id) == ("waiting", None)
    assert "was recorded by hand" in fate.reason
    assert foreseen == fate
    assert len(money(connection)) == 1


def test_a_dry_run_says_what_the_import_does_and_leaves_nothing(books):
    connection, days, account = books
    first = days.isp.customers[0]
    told = pay(connection, days.isp.issuer, "24.28", first, reference="E2E-9", source=PaymentSource.WEBHOOK).payment
    connection.commit()
    lines = [line("24.28", "x", end_to_end="E2E-9"), line("41.36", "1/FT/2026", party="Anna Rossi 1"), line("41.36", "1/FT/2026", party="Anna Rossi 1"), line("-5.00", "x")]  # fmt: skip
    table = desk(connection, account)
    before = money(connection)
    foreseen = [foresee(connection, NewLine(one), table, form=Form.CAMT_053) for one in lines]
    connection.rollback()
    assert money(connection) == before
    file(connection, account, *lines)
    done = [fate for _, fate in work(connection)]
    assert [(one.state, one.reason, one.customer_id) for one in foreseen] == [(one.state, one.reason, one.customer_id) for one in done]  # fmt: skip
    assert (foreseen[0].payment_id, foreseen[0].reason) == (told.id, "recorded before under its reference")
    assert foreseen[1].payment_id is None


def test_a_debit_that_came_back_and_is_collected_again_under_its_reference_is_money_of_its_own(books):
    connection, days, account = books
    first = days.isp.customers[0]
    gone = pay(connection, days.isp.issuer, "24.28", first, reference="E2E-1").payment.id
    reverse_payment(connection, gone, Happening(date(2026, 3, 11), "AM04"), today=TODAY, actor="maria")
    connection.commit()
    file(connection, account, line("24.28", "1/FT/2026", day="2026-03-18", end_to_end="E2E-1"), line("1.00", "x"))

    assert states(work(connection)) == [("recorded", first), ("waiting", None)]
    # 65.64 were open.
    assert balance(connection, first) == "41.360"
    refused = choose_payment(connection, 2, gone, desk(connection, account), reason="that one")
    assert isinstance(refused, NotDone)
    connection.commit()


def test_one_payment_is_one_line_of_its_days_however_many_bear_its_reference_and_amount(books):
    connection, days, account = books
    second = days.isp.customers[1]
    known = pay(connection, days.isp.issuer, "36.48", second, reference="CANONE ROSSI").payment.id
    far = pay(connection, days.isp.issuer, "5.00", second, reference="FAR", value_on=date(2026, 1, 10)).payment.id
    connection.commit()
    file(
        connection,
        account,
        line("36.48", "canone", end_to_end="CANONE ROSSI"),
        line("36.48", "canone", day="2026-03-19", end_to_end="CANONE ROSSI"),
        line("5.00", "canone", end_to_end="FAR"),
        line("5.00", "canone", day="2026-03-11", end_to_end="FAR"),
    )

    outcomes = work(connection)

    assert states(outcomes) == [("recorded", second)] + [("waiting", None)] * 3
    assert [fate.payment_id for _, fate in outcomes] == [known, far + 1, None, None]
    assert f"payment {far} of 2026-01-10 has its reference and amount" in outcomes[2][1].reason
    # A person says which of them it is, once.
    table = desk(connection, account)
    assert not isinstance(choose_payment(connection, outcomes[2][0].id, far, table, reason="it is"), NotDone)
    refused = choose_payment(connection, outcomes[3][0].id, far, table, reason="this one too")
    assert isinstance(refused, NotDone)
    assert "is another line of a bank" in refused.message
    connection.commit()


def test_a_return_takes_its_payment_back_with_the_methods_fee_on_the_next_invoice(books):
    connection, days, account = books
    customer = days.isp.customers[1]
    debit = next(one for one in load_methods(connection, days.isp.issuer) if one.code == "direct_debit")
    acting(connection, "maria")
    (fee,) = connection.execute(
        "INSERT INTO product (name, kind, family, tax_code_id) VALUES ('Return fee', 'one_off', 'activation', %s) RETURNING id",
        (days.isp.tax_codes["IVA-N1"],),
    ).fetchone()
    save_return_fee(connection, debit.id, Decimal("3.50"), fee)
    collected = {"end_to_end": "C1", "flow": Flow.DEBIT}
    file(connection, account, line("36.48", "2/FT/2026", **collected))
    work(connection)
    before = balance(connection, customer)

    file(connection, account, line("-36.48", day="2026-03-18", returned="AM04", **collected))
    ((_, fate),) = work(connection)

    assert (fate.state, fate.reason) == ("returned", "insufficient funds")
    assert money(connection) == [(customer, "36.480", "AM04")]
    # The due day is the one that it had, and the fee is a one-off item of the customer's contract.
    assert connection.execute(
        "SELECT min(due_on) FROM open_document WHERE customer_id = %s", (customer,)
    ).fetchone() == (date(2026, 1, 16),)
    item = connection.execute(
        "SELECT i.contract_id, i.period_price::numeric(9,2)::text, i.kind::text, b.due_on FROM payment_reversal r JOIN contract_item i ON i.id = r.fee_item_id"
        " JOIN billing_position b ON b.item_id = i.id"
    ).fetchone()
    assert item == (days.isp.contracts[1], "3.50", "one_off", TODAY)
    assert (before, balance(connection, customer)) == ("36.480", "72.960")
    connection.commit()


def test_the_fee_of_a_step_of_dunning_stands_where_the_next_run_finds_it(books):
    connection, days, _ = books
    acting(connection, "maria")
    item = add_fee(connection, days.isp.contracts[0], days.isp.products["Activation"], on=TODAY)

    assert connection.execute("SELECT due_on FROM billing_position WHERE item_id = %s", (item,)).fetchone() == (TODAY,)
    connection.commit()


def test_a_return_is_held_against_what_it_names_and_else_against_what_may_come_back_on_its_day(books):
    connection, days, account = books
    issuer, second = days.isp.issuer, days.isp.customers[1]
    collected = {"flow": Flow.DEBIT, "text": "x"}
    file(
        connection,
        account,
        line("5.00", end_to_end="C1", mandate="M1", **collected),
        line("5.00", end_to_end="C2", mandate="M2", party_iban="IT28W8000000292100645211151", **collected),
    )
    table = desk(connection, account)
    by_line = [fate.payment_id for _, fate in work(connection)]
    for number in (1, 2):
        choose_customer(connection, number, second, [], table, reason="hers")
    old = {"method": "direct_debit", "value_on": date(2025, 12, 1)}
    by_name = [pay(connection, issuer, "5.00", second, reference=name, **old).payment.id for name in ("C3", "C4")]
    connection.commit()

    def found(day="2026-03-18", **given):
        return {one.id for one in load_returnable(connection, issuer, line("-5.00", day=day, returned="AM04", **given))}

    # Its own reference, at the bank or at whoever collected it, however long ago: nothing else is looked at.
    assert found(end_to_end="C1") == {by_line[0]}
    assert found(end_to_end="C3") == {by_name[0]}
    # A debit may come back for 56 days; a mandate and an account find it afterwards too.
    assert found() == set(by_line)
    assert found(day="2025-12-20") == set(by_name)
    assert found(day="2026-08-01") == set()
    assert found(day="2026-08-01", mandate="M1") == {by_line[0]}
    assert found(day="2026-08-01", party_iban="IT28W8000000292100645211151") == {by_line[1]}


def test_a_return_that_is_told_twice_or_by_another_file_takes_back_once_and_a_rejection_before_payment_is_nothing(
    books,
):
    connection, days, account = books
    collected = {"end_to_end": "C1", "flow": Flow.DEBIT}
    file(connection, account, line("36.48", "2/FT/2026", **collected))
    file(connection, account, line("-36.48", day="2026-03-12", returned="MS03", **collected), form=Form.PAIN_002)
    file(connection, account, line("-36.48", day="2026-03-13", returned="MS03", **collected))
    file(connection, account, line("-19.90", returned="AC01", end_to_end="C9"), form=Form.PAIN_002)
    file(connection, account, line("-19.91", returned="AC01", end_to_end="C9"))

    outcomes = work(connection)

    assert [state for state, _ in states(outcomes)] == ["recorded", "returned", "returned", "ignored", "waiting"]
    assert money(connection) == [(days.isp.customers[1], "36.480", "MS03")]


def test_a_line_that_can_t_be_taken_stops_none_behind_it(books):
    """A return for a reason in the bank's own words, a value day at the end of time, and one that the database refuses."""
    connection, days, account = books
    first, second, _ = days.isp.customers
    file(connection, account, line("36.48", "2/FT/2026", end_to_end="C1"))
    file(connection, account, line("-36.48", day="2026-03-12", returned="Konto erloschen!", end_to_end="C1"))
    file(connection, account, replace(line("36.48", "3/FT/2026"), value_on=date.max))
    file(connection, account, line("24.28", "1/FT/2026", party="refuse this"), line("41.36", "4/FT/2026"))
    connection.execute("ALTER TABLE payment ADD CHECK (payer <> 'refuse this')")

    outcomes = work(connection)

    assert states(outcomes) == [
        ("recorded", second),
        ("returned", second),
        ("waiting", None),
        ("waiting", None),
        ("recorded", first),
    ]
    assert "look at the year" in outcomes[2][1].reason
    assert "it can't be taken as it is: new row" in outcomes[3][1].reason
    assert money(connection) == [(second, "36.480", None), (first, "41.360", None)]
    assert connection.execute("SELECT reason FROM payment_reversal").fetchall() == [("reason Konto erloschen!",)]


def test_a_person_chooses_changes_ignores_and_takes_back(books):
    connection, days, account = books
    first, _, third = days.isp.customers
    file(connection, account, line("36.48", "canone"))
    ((kept, _),) = work(connection)
    number, table = kept.id, desk(connection, account)

    def stands():
        (row,) = load_queue(connection, limit=1, ids=[number])
        return row.state, row.payment_id, balance(connection, first), balance(connection, third)

    chosen = choose_customer(connection, number, third, [], table, reason="by phone")
    assert not isinstance(chosen, NotDone)
    assert stands() == ("recorded", 1, "65.640", "0.000")
    choose_customer(connection, number, first, [Choice(days.february[0].id)], table, reason="the other one")
    assert stands() == ("recorded", 1, "29.160", "36.480")
    assert isinstance(ignore_line(connection, number, table, reason="no"), NotDone)
    undo_line(connection, number, table, reason="nobody's")
    assert stands() == ("waiting", 1, "65.640", "36.480")
    ignore_line(connection, number, table, reason="a transfer of our own")
    assert stands() == ("ignored", 1, "65.640", "36.480")
    assert isinstance(choose_customer(connection, number, third, [], table, reason="x"), NotDone)
    undo_line(connection, number, table, reason="it was not")
    assert stands()[:2] == ("waiting", 2)
    choose_customer(connection, number, third, [], table, reason="hers")
    assert stands() == ("recorded", 2, "65.640", "0.000")
    assert money(connection) == [(None, "36.480", None), (third, "36.480", None)]
    assert isinstance(undo_line(connection, 999, table, reason="x"), NotDone)
    connection.commit()


def test_from_the_operators_score_on_and_by_a_known_account_nobody_needs_to_look(books):
    connection, days, account = books
    iban = "IT28W8000000292100645211151"
    file(connection, account, line("10.00", "x", party_iban=iban))
    ((kept, _),) = work(connection)
    choose_customer(connection, kept.id, days.isp.customers[2], [], desk(connection, account), reason="hers")
    connection.commit()
    file(connection, account, line("26.48", "y", party_iban=iban))
    ((_, fate),) = work(connection)
    # 1 - .25 * .5: her account, and just what she owes.
    assert (fate.state, fate.score) == ("waiting", 87)

    acting(connection, "maria")
    connection.execute("UPDATE bank_account SET automatic_from = 87")
    connection.commit()
    file(connection, account, line("26.48", "z", party_iban=iban, day="2026-03-11"))
    assert states(work(connection)) == [("recorded", days.isp.customers[2])]


def test_an_import_that_is_killed_between_two_lines_goes_on_where_it_was(books):
    connection, _, account = books

    class KilledError(Exception):
        pass

    def killed(done, total):
        if done == 2:
            raise KilledError

    file(connection, account, *(line(f"{n}.00", f"line {n}") for n in range(1, 6)))
    with pytest.raises(KilledError):
        work(connection, advance=killed)
    connection.rollback()
    assert len(money(connection)) == 2

    assert len(work(connection)) == 3
    assert [amount for _, amount, _ in money(connection)] == [f"{n}.000" for n in range(1, 6)]
    assert work(connection) == []


def test_two_who_import_at_once_take_each_line_once(books, database):
    connection, _, account = books
    lines = [line(f"{n}.00", f"line {n}") for n in range(1, 30)]
    file(connection, account, *lines)
    begin = threading.Barrier(2)

    def import_too():
        with psycopg.connect(database) as other:
            begin.wait()
            file(other, account, *lines)
            work(other)

    threads = [threading.Thread(target=import_too) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)

    assert connection.execute("SELECT count(*), count(DISTINCT payment_id) FROM bank_line").fetchone() == (29, 29)
    assert len(money(connection)) == 29


def test_the_worker_and_the_web_may_import_and_others_may_not(books):
    connection, _, account = books
    for role in ("corrente_worker", "corrente_web"):
        connection.execute(f"SET ROLE {role}")
        file(connection, account, line("1.00", role))
        assert len(work(connection)) == 1
        connection.execute("RESET ROLE")
        connection.commit()
