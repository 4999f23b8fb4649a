"""`corrente payment`, as it is typed: customer 0 has 24.28 of January and 41.36 of February open, 2 has 36.48 of January."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from threading import Thread
from zoneinfo import ZoneInfo

import click
import psycopg
import pytest
from support.books_days import make_days
from support.command_line import run, write_settings
from support.edge_process import wait_until
from support.paid import pay

from billing.store.idempotency import First, once
from billing.store.payments import hold_customers
from control_plane.cli import payment as payment_commands

pytestmark = pytest.mark.db


@pytest.fixture
def typed(database, tmp_path):
    with psycopg.connect(database) as connection:
        days = make_days(connection)
    settings = write_settings(tmp_path, database)

    def ask(*words, code=0, group="payment"):
        result = run(settings, group, *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    return days, ask


def test_a_payment_is_recorded_shown_taken_back_and_listed(typed):
    days, ask = typed
    customer = days.isp.customers[0]
    dry = ask("new", "30", "--customer", customer, "--date", "2026-03-10", "--dry-run")
    assert "settles 24.28 of 1/FT/2026" in dry
    assert dry.endswith("Dry run: nothing was written.\n")
    assert ask("list") == "No payments.\n"

    said = ask("new", "30", "--customer", customer, "--date", "2026-03-10", "--method", "direct_debit")
    number = said.split()[1].rstrip(":")
    assert f"Payment {number}: 30.00 EUR by direct_debit of 2026-03-10, from customer {customer}" in said
    assert "settles 5.72 of 4/FT/2026" in said
    assert "may come back until 2026-05-05" in said

    again = ask("new", "30", "--customer", customer, "--date", "2026-03-10", "--method", "direct_debit", code=1)
    assert f"payment {number} is of the same customer, method, amount and day" in again

    returned = ("reverse", number, "--reason", "no funds", "--code", "AM04", "--date", "2026-03-12")
    # Who only tries is not asked, and nothing of it stays.
    opened = "  1/FT/2026 is open again with 24.28 EUR, due on 2026-01-16\n  4/FT/2026 is open again with 41.36 EUR, due on 2026-02-16\n"
    dry = ask(*returned, "--fee", "--dry-run")
    assert f"came back on 2026-03-12: no funds\n{opened}  no fee: none is set for direct_debit; " in dry
    assert dry.endswith("Dry run: nothing was written.\n")
    assert "came back" not in ask("show", number)
    back = ask(*returned, "--yes")
    assert back.endswith(f"came back on 2026-03-12: no funds\n{opened}")
    assert "settles" not in back
    (row,) = json.loads(ask("list", "--json"))
    assert (row["amount"], row["reversed_on"]) == ("30.00", "2026-03-12")


def test_the_customers_choice_and_another_one(typed):
    days, ask = typed
    customer = days.isp.customers[0]
    said = ask("new", "45", "--customer", customer, "--date", "2026-03-10", "--invoice", "4/FT/2026=41.36")
    assert ("settles 41.36 of 4/FT/2026" in said, "settles 3.64 of 1/FT/2026" in said) == (True, True)
    number = said.split()[1].rstrip(":")
    for words, told in (("--payer", "who paid has 1 to 400"), ("--note", "a note has at least one")):
        empty = ask("new", "46", "--customer", customer, "--date", "2026-03-10", words, "", code=1)
        assert told in empty
    assert "say why" in ask("reverse", number, "--reason", "", "--date", "2026-03-12", "--yes", code=1)
    assert "settles 24.28 of 1/FT/2026" in ask("choose", number, "--invoice", "1/FT/2026")
    assert "is not open for this customer" in ask("choose", number, "--invoice", "3/FT/2026", code=1)


def test_what_nobody_is_known_for_waits_until_it_is_matched(typed):
    days, ask = typed
    said = ask("new", "40", "--date", "2026-03-10", "--payer", "ROSSI MARIO", "--reference", "bank 7")
    number = said.split()[1].rstrip(":")
    assert f"40.00 EUR waits: `corrente payment match {number} CUSTOMER`" in said
    assert "? ROSSI MARIO" in ask("list", "--unmatched")

    matched = ask("match", number, days.isp.customers[2], "--reason", "by phone")
    assert "settles 36.48 of 3/FT/2026" in matched
    assert "3.52 EUR is credit" in matched
    assert "recorded before" in ask("new", "40", "--date", "2026-03-10", "--reference", "bank 7")

    assert "there is no document '\u00b2'" in ask("refund", "\u00b2", "4", "--reason", "asked", code=1)
    assert "'EURO' is no currency" in ask("new", "4", "--currency", "EURO", code=2)
    refused = ask("refund", number, "4", "--reason", "asked", code=1)
    assert "3.52 EUR of it settle nothing and can be given back" in refused
    assert "3.52 EUR given back by Bank transfer" in ask("refund", number, "3.52", "--reason", "asked")
    assert json.loads(ask("show", number, "--json"))["open"] == "0.00"


def test_a_payment_that_comes_back_after_a_part_was_given_back_says_what_is_owed_on_no_invoice(typed):
    days, ask = typed
    first, second, _ = days.isp.customers
    new = ask("new", "75.64", "--customer", first, "--date", "2026-03-10")
    ask("new", "1", "--customer", second, "--date", "2026-03-10")
    number = new.split()[1].rstrip(":")
    ask("refund", number, "10", "--reason", "too much")
    assert ask("show", number).endswith("  10.00 EUR of it were given back\n")
    back = ask("reverse", number, "--reason", "no funds", "--yes")
    assert (
        "10.00 EUR of it were given back; as all of it came back, they are owed on no invoice: `corrente ledger open` has them"
        in back
    )
    today = datetime.now(ZoneInfo("Europe/Rome")).date().isoformat()
    stands = [
        one
        for one in json.loads(ask("open", "--customer", first, "--json", group="ledger"))
        if one["kind"] == "payment returned"
    ]
    assert [(one["open"], one["due_on"]) for one in stands] == [("10.00", today)]
    assert "OK" in ask("check", group="ledger")
    assert [row["amount"] for row in json.loads(ask("list", "--customer", first, "--json"))] == ["75.64"]
    ask("match", "2", first, "--reason", "said wrong")
    assert [row["id"] for row in json.loads(ask("list", "--customer", first, "--json"))] == [2, int(number)]
    more = ask("new", "80", "--customer", first, "--date", "2026-03-11").split()[1].rstrip(":")
    # 64.64 are settled by it; of the 15.36 that are left ten were given back already.
    assert "were given back of a payment that came back" in ask("refund", more, "5.37", "--reason", "all", code=1)
    ask("refund", more, "5.36", "--reason", "all")
    assert ask("list", "--customer", second) == "No payments.\n"


def test_an_invoice_is_written_off_and_asked_for_again(typed):
    _, ask = typed

    def state():
        (row,) = [one for one in json.loads(ask("list", "--json", group="invoice")) if one["label"] == "3/FT/2026"]
        return row["standing"]["state"]

    assert state() == "overdue"
    assert "Write-off 1" in ask("write-off", "3/FT/2026", "--reason", "moved", "--yes")
    assert "is no invoice that has something open" in ask(
        "write-off", "3/FT/2026", "--reason", "moved", "--yes", code=1
    )
    assert state() == "written_off"
    assert "written off" in ask("show", "3/FT/2026", group="invoice")
    assert "taken back" in ask("undo-write-off", "1", "--reason", "found")
    assert state() == "overdue"
    assert "was taken back on" in ask("undo-write-off", "1", "--reason", "found", code=1)
    assert "there is no write-off 9" in ask("undo-write-off", "9", "--reason", "x", code=1)


def waits_for(database, holder):
    """Whether somebody waits for what that session holds."""
    with psycopg.connect(database) as looking:
        return (
            looking.execute("SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", (holder,)).fetchone()
            is not None
        )


@pytest.mark.parametrize("by_file", [False, True])
def test_of_two_counters_that_record_the_same_at_once_the_second_is_told_of_the_first(
    typed, database, tmp_path, by_file
):
    days, ask = typed
    customer, said = days.isp.customers[0], []
    words = ("new", "30", "--customer", customer, "--date", "2026-03-10")
    if by_file:
        till = tmp_path / "till.csv"
        till.write_text(f"customer,amount,date\n{customer},30,2026-03-10\n")
        words = ("bulk", till, "--total", "30")
    with psycopg.connect(database) as other:
        hold_customers(other, [customer])
        second = Thread(target=lambda: said.append(ask(*words, code=1)))
        second.start()
        wait_until(lambda: waits_for(database, other.info.backend_pid), seconds=20, what="the second one waits")
        pay(other, days.isp.issuer, "30.00", customer, value_on=date(2026, 3, 10))
        other.commit()
        second.join(120)
    assert "is of the same customer, method, amount and day" in said[0]


def test_what_is_wrong_is_named(typed):
    days, ask = typed
    assert "did you mean transfer?" in ask("new", "5", "--method", "transfr", code=1)
    assert "a payment of -5.00 EUR" in ask("new", "--", "-5", code=1)
    assert "look at the year" in ask("new", "5", "--date", "2062-03-10", code=1)
    assert "there is no payment 77" in ask("show", "77", code=1)
    assert "there is no document" in ask(
        "new", "5", "--customer", days.isp.customers[0], "--invoice", "9/FT/2026", code=1
    )
    assert "cash" in ask("methods")


def test_a_program_that_types_the_same_again_with_its_key_pays_once_and_has_the_first_answer(typed):
    days, ask = typed
    pay = ("new", "30", "--customer", days.isp.customers[0], "--date", "2026-03-10", "--key", "order 7", "--json")
    first = ask(*pay)
    assert ask(*pay) == f"Done before with key 'order 7'; this was the answer:\n{first}"
    assert "was used for something else: nothing was done" in ask(
        *("31" if one == "30" else one for one in pay), code=1
    )
    assert len(json.loads(ask("list", "--json"))) == 1

    back = ("refund", json.loads(first)["id"], "5.72", "--reason", "moved", "--date", "2026-03-11", "--key", "back 7")
    assert "and can be given back" in ask(*back, code=1)
    ask("choose", json.loads(first)["id"], "--invoice", "1/FT/2026=24.28")
    ask("write-off", "4/FT/2026", "--reason", "x", "--yes")
    reverse = ("reverse", json.loads(first)["id"], "--reason", "no funds", "--key", "r")
    assert "nobody is asked: give --yes" in ask(*reverse, code=2)
    said = ask(*reverse, "--yes")
    assert ask(*reverse, "--yes").endswith(said)


def test_while_a_key_s_command_runs_the_same_is_told_to_come_again_and_a_refused_one_leaves_it_free(typed, database):
    days, ask = typed
    pay = ("new", "30", "--customer", days.isp.customers[0], "--date", "2026-03-10", "--key", "order 7")
    with psycopg.connect(database) as other:
        call = {"caller": "maria", "route": "payment new", "key": "order 7", "body": b""}
        assert isinstance(once(other, **call), First)
        assert "is being done at this moment: type it again later" in ask(*pay, code=75)
        other.rollback()
    assert "there is no customer" in ask(*pay[:3], "999", *pay[4:], code=1)
    assert "Payment" in ask(*pay)
    assert len(json.loads(ask("list", "--json"))) == 1


def test_what_a_keyed_command_says_is_not_said_when_its_commit_fails(typed, database):
    days, ask = typed
    with psycopg.connect(database) as owner:
        owner.execute(
            "CREATE FUNCTION no_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''disk full''; END'"
        )
        owner.execute("CREATE CONSTRAINT TRIGGER no_commit AFTER INSERT ON payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_commit()")  # fmt: skip
    said = ask("new", "30", "--customer", days.isp.customers[0], "--date", "2026-03-10", "--key", "k", code=1)
    assert "settles" not in said
    assert ask("list") == "No payments.\n"


def test_who_gives_way_to_another_is_told_to_type_it_again(typed, database, monkeypatch):
    _, ask = typed

    def gives_way(*_, **__):
        raise psycopg.errors.DeadlockDetected("deadlock detected")

    monkeypatch.setattr(payment_commands, "record_payment", gives_way)
    said = ask("new", "30", code=75)
    assert said == "Error: somebody else was changing the same at this moment, so this was not done: type it again\n"


def test_a_file_without_days_is_the_same_file_on_another_day(typed, tmp_path):
    days, ask = typed
    till = tmp_path / "till.csv"
    till.write_text(f"customer,amount\n{days.isp.customers[0]},30\n")
    assert "1 payments" in ask("bulk", till, "--total", "30", "--date", "2026-03-10")
    assert "0 payments; 1 were recorded before" in ask("bulk", till, "--total", "30")


def test_the_payments_of_a_file_are_recorded_all_or_none_once_their_sum_was_said(typed, tmp_path):
    days, ask = typed
    first, _, third = days.isp.customers
    till = tmp_path / "till.csv"
    rows = f"customer,amount,date,invoice\n{third},40,2026-03-10,\n{first},41.36,2026-03-10,4/FT/2026\n"
    till.write_text(rows + "999,5,2026-03-10,\n")
    assert "nothing was recorded; line 4: there is no customer '999'" in ask("bulk", till, "--total", "86.36", code=1)
    till.write_text(rows)
    dry = ask("bulk", till, "--dry-run", "--method", "cash")
    # Told in the file's order and recorded in that of customers, as whoever else counts several balances.
    assert f"line 3: payment 1 of 41.36 EUR, customer {first}: settles 41.36 of 4/FT/2026" in dry
    assert dry.index("line 2: payment 2") < dry.index("line 3: payment 1")
    assert "settles 36.48 of 3/FT/2026; 3.52 EUR is credit" in dry
    assert dry.endswith("Dry run: nothing was written.\n")
    assert "they come to 81.36 EUR, and 81.37 was said" in ask("bulk", till, "--total", "81.37", code=1)
    assert "answer with the sum" in ask("bulk", till, code=1)
    assert ask("list") == "No payments.\n"

    assert "2 payments, 81.36 EUR together; 0 were recorded before" in ask(
        "bulk", till, "--total", "81.36", "--method", "cash"
    )
    assert "0 payments; 2 were recorded before" in ask("bulk", till, "--total", "81.36", "--method", "cash")
    other = tmp_path / "other.csv"
    other.write_text(rows.replace("40,", "40.00,"))
    assert "of the same customer, method, amount and day" in ask(
        "bulk", other, "--total", "81.36", "--method", "cash", code=1
    )
    other.write_text("customer,amount\n1,5\n1,-5\n")
    assert "1 rows can't be taken:\n  line 3:" in ask("bulk", other, code=1)


def test_invoices_are_paid_at_once_by_one_payment_a_customer(typed):
    days, ask = typed
    first, second, _ = days.isp.customers
    whole = ("4/FT/2026", "2/FT/2026", "5/FT/2026")
    assert "they come to 114.32 EUR" in ask("pay", *whole, "--total", "1", code=1)
    assert "Dry run" in ask("pay", *whole, "--dry-run")

    said = ask("pay", *whole, "--total", "114.32", "--method", "cash", "--date", "2026-03-10")

    assert f"of 41.36 EUR, customer {first}: settles 41.36 of 4/FT/2026" in said
    assert f"of 72.96 EUR, customer {second}: settles 36.48 of 2/FT/2026, 36.48 of 5/FT/2026" in said
    assert "4/FT/2026 has nothing open" in ask("pay", "4/FT/2026", "--total", "41.36", code=1)
    assert "there is no document" in ask("pay", "9/FT/2026", code=1)


def test_while_the_sum_is_typed_nobody_waits_and_what_is_paid_meanwhile_is_not_paid_again(typed, database, monkeypatch):
    days, ask = typed

    def answer(*_, **__):
        with psycopg.connect(database) as counter:
            counter.execute("SET lock_timeout = '2s'")
            pay(counter, days.isp.issuer, "10.00", days.isp.customers[0])
        return Decimal("65.64")

    monkeypatch.setattr(click, "prompt", answer)
    said = ask("pay", "1/FT/2026", "4/FT/2026", code=1)
    assert "what these invoices have open has just changed" in said
    assert len(json.loads(ask("list", "--json"))) == 1


def test_what_comes_back_costs_what_was_set_and_the_next_invoice_bears_it(typed):
    days, ask = typed
    customer = days.isp.customers[2]
    assert "nothing is charged" in ask("return-fee", "direct_debit")
    assert "needs --product" in ask("return-fee", "direct_debit", "3.50", code=1)
    assert "a fee is a one_off" in ask("return-fee", "direct_debit", "3.50", "--product", "Home 30", code=1)
    assert "3.50 EUR for a payment" in ask("return-fee", "direct_debit", "3.50", "--product", "Activation")
    ask("new", "36.48", "--customer", customer, "--date", "2026-03-10", "--method", "direct_debit")
    back = ask("reverse", "1", "--reason", "no funds", "--code", "AM04", "--fee", "--yes")
    assert "the next invoice bears 3.50 EUR for it" in back

    ask("run", "--customer", customer, "--yes", group="bill")
    (newest,) = json.loads(ask("list", "--customer", customer, "--limit", "1", "--json", group="invoice"))
    lines = ask("show", newest["label"], group="invoice")
    assert "Activation" in lines or "Attivazione" in lines
    assert "3.50" in lines
