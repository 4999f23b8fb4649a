"""`corrente collector`, `cash` and `agent`, as they are typed: customer 0 has 24.28 of January and 41.36 of February open, 2 has 36.48."""

from __future__ import annotations

import json

import click
import psycopg
import pytest
from support.command_line import run, write_settings
from support.earned import make_earning_days
from support.paper_reading import text_of

from billing.store.payments import hold_customers

pytestmark = pytest.mark.db


@pytest.fixture
def typed(database, tmp_path):
    with psycopg.connect(database) as connection:
        days = make_earning_days(connection)
    settings = write_settings(tmp_path, database)

    def ask(*words, code=0):
        result = run(settings, *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    return days, ask


def test_a_collectors_day_from_the_first_tap_to_the_signed_paper(typed, tmp_path):
    days, ask = typed
    first, _, third = days.isp.customers
    assert "No collectors" in ask("collector", "list")
    said = ask("collector", "new", "Carla", "--most-cash", "200", "--login", "carla")
    assert "corrente collector assign 1" in said
    refused = ask("collector", "take", "Carla", first, "30", code=1)
    assert f"customer {first} is none of Carla's" in refused
    assert "Carla collects from city:Torino until 2999-12-31: " in ask("collector", "assign", "1", "city:Torino", "--until", "2999-12-31")  # fmt: skip
    assert "expected one of everyone" in ask("collector", "assign", "1", "zone:7", code=1)
    seen = json.loads(ask("collector", "documents", "Carla", "--json"))
    assert [one["open"] for one in seen] == ["24.28", "36.48", "36.48", "41.36", "36.48"]

    dry = ask("collector", "take", "Carla", first, "30", "--key", "7f3a", "--dry-run")
    assert dry.startswith("Receipt 1/RE/")
    assert dry.endswith("no number was taken.\n")
    assert "No sessions" in ask("cash", "list")

    pdf = tmp_path / "receipt.pdf"
    said = ask("collector", "take", "Carla", first, "30", "--key", "7f3a", "--pdf", pdf, "--size", "58mm")
    number = said.split()[1].rstrip(":")
    assert f"Receipt {number}: 30.00 EUR by cash from Anna Rossi 1" in said
    assert "settles 24.28 of 1/FT/2026" in said
    # 65.64 less 30.00.
    assert "Ancora da pagare 35,64 €" in text_of(pdf.read_bytes())
    assert "taken before; nothing was written" in ask("collector", "take", "Carla", first, "30", "--key", "7f3a")
    assert "if this is another one, say --again" in ask("collector", "take", "Carla", first, "30", code=1)
    told = json.loads(ask("collector", "take", "Carla", third, "40", "--json"))
    assert told["settles"] == [{"invoice": "3/FT/2026", "amount": "36.48"}]
    session = told["session"]

    assert "should be there  60.00 EUR" in ask("cash", "withdraw", session, 10, "--to", "bank", "--reason", "noon")
    refused = ask("cash", "close", session, "--count", "50=1", "--count", "5=1", code=1)
    assert "60.00 EUR should be there: 5.00 EUR are missing. Hand over?" in refused
    assert "expected a value and how many" in ask("cash", "close", session, "--count", "50", code=2)
    assert "there is no note or coin of 30 EUR" in ask("cash", "close", session, "--count", "30=2", "--yes", code=1)
    assert ask("cash", "close", session, "--count", "50=1", "--dry-run").endswith("Dry run: nothing was written.\n")
    paper = tmp_path / "arqueo.pdf"
    closed = ask("cash", "close", session, "--count", "50=1", "--count", "5=1", "--taken-by", "Maria", "--yes", "--pdf", paper, "--language", "es")  # fmt: skip
    assert "difference       -5.00 EUR" in closed
    text = text_of(paper.read_bytes())
    for words in ("Arqueo de caja", "Carla", "Maria", "60,00 €", "-5,00 €", "Retiro", "Efectivo"):
        assert words in text, words
    assert "was handed over on" in ask("cash", "close", session, "--yes", code=1)

    # Taken back after the hand-over: the next one is lower by it.
    assert "is taken back" in ask("cash", "take-back", number, "--reason", "typed twice", "--yes")
    begun = json.loads(ask("cash", "open", "Carla", "20", "--count", "10=2", "--json"))
    assert (begun["should_be_there"], begun["taken_back"]) == ("-10.00", "30.00")
    assert "taken back: typed twice" in ask("cash", "show", begun["id"])
    assert ask("ledger", "check")


def test_a_receipt_for_a_payment_at_the_counter_and_what_is_not_there(typed, tmp_path):
    days, ask = typed
    paid = ask("payment", "new", "10", "--customer", days.isp.customers[0], "--method", "cash", "--source", "counter")
    number = paid.split()[1].rstrip(":")
    pdf = tmp_path / "a4.pdf"
    given = ask("cash", "receipt", number, "--pdf", pdf, "--size", "a4", "--language", "en")
    assert "10.00 EUR by Cash" in given
    assert ask("cash", "receipt", number).split(" of ")[0] == given.splitlines()[0].split(" of ")[0]
    assert "Receipt" in text_of(pdf.read_bytes())
    assert "there is no payment 99" in ask("cash", "receipt", 99, code=1)
    assert "there is no session 9" in ask("cash", "show", 9, code=1)
    assert "there is no receipt '9/RE/2026'" in ask("cash", "take-back", "9/RE/2026", "--reason", "x", code=1)
    assert "there is no collector 'Carl'" in ask("cash", "open", "Carl", code=1)


def test_collectors_are_changed_and_lose_what_they_saw(typed):
    _, ask = typed
    ask("collector", "series", "CA", "Carla's")
    ask("collector", "new", "Carla", "--series", "CA")
    assert "there is no series of receipts 'XX'" in ask("collector", "new", "Bruno", "--series", "XX", code=1)
    ask("collector", "assign", "Carla", "everyone", "city:Torino")
    assert "there is a collector of this name already" in ask("collector", "new", "Carla", code=1)
    assert "up to 6 capitals and digits" in ask("collector", "series", "carla's own", "Hers", code=1)
    assert "2020-01-01 is over" in ask("collector", "assign", "Carla", "everyone", "--until", "2020-01-01", code=1)
    assert "bills nobody in USD; its books are in EUR" in ask(
        "collector", "take", "Carla", "1", "5", "--currency", "usd", code=1
    )
    assert "bills nobody in USD" in ask("cash", "open", "Carla", "--currency", "USD", code=1)
    # 3/FT/2026 is another customer's.
    chosen = ("collector", "take", "Carla", "1", "5", "--invoice", "3/FT/2026")
    assert "invoice 3/FT/2026 is not open for this customer" in ask(*chosen, code=1)
    assert "does not collect from all of them" in ask("collector", "unassign", "Carla", "province:TO", code=1)
    assert ask("collector", "unassign", "Carla", "everyone") == "Carla collects from city:Torino: 3 customers now.\n"
    ask("collector", "set", "Carla", "--name", "Carla N.", "--most-cash", "10", "--inactive")
    assert ask("collector", "documents", "Carla N.") == "Nothing to collect.\n"
    (row,) = json.loads(ask("collector", "list", "--json"))
    assert (row["name"], row["series"], row["most_cash"], row["active"], row["scopes"]) == ("Carla N.", "CA", "10.00", False, ["city:Torino"])  # fmt: skip


def test_an_agent_is_given_contracts_and_rules_and_is_settled_for_what_was_paid(typed, database, monkeypatch):
    days, ask = typed
    contract, customer = days.isp.contracts[1], days.isp.customers[1]
    assert "corrente agent assign 1" in ask("agent", "new", "Dora", "--email", "dora@example.net")
    assert f"Contract {contract}: Dora's from the first day on." in ask("agent", "assign", "Dora", contract)
    said = ask("agent", "rule", "add", "--percent", "10", "--from", "2026-01-01", "--survives", "12")
    assert said == "Rule 1: 10 % of each invoice, if the contract lives 12 months.\n"
    ask("agent", "rule", "add", "--agent", "Dora", "--once", "--amount", "20", "--product", "Home 30", "--from", "2026-01-01")  # fmt: skip
    assert "say one of them" in ask("agent", "rule", "add", "--percent", "10", "--amount", "1", code=1)
    assert "Dora" in ask("agent", "rule", "list")
    ask("payment", "new", "36.48", "--customer", customer, "--date", "2026-03-10")

    rows = json.loads(ask("agent", "earned", "Dora", "--json"))
    assert [(row["cause"], row["base"], row["amount"]) for row in rows] == [("activation", "0.00", "20.00"), ("paid", "29.90", "2.99")]  # fmt: skip
    dry = ask("agent", "settle", "Dora", "--dry-run")
    assert "22.99 EUR for 2 commissions" in dry
    assert dry.endswith("Dry run: nothing was written.\n")
    assert "nothing was changed" in ask("agent", "settle", "Dora", code=1)
    assert ask("agent", "settlements") == "No settlements.\n"

    # While a person thinks, the agent's customers pay, and another settlement is another sum.
    def answer(*_, **__):
        with psycopg.connect(database) as counter:
            counter.execute("SET lock_timeout = '2s'")
            assert hold_customers(counter, [customer]) == [customer]
        ask("agent", "settle", "Dora", "--yes")
        return True

    with monkeypatch.context() as asked:
        asked.setattr(click, "confirm", answer)
        assert "has just changed" in ask("agent", "settle", "Dora", code=1)
    (first,) = json.loads(ask("agent", "settlements", "--json"))
    ask("agent", "undo-settlement", first["label"], "--reason", "twice", "--yes")
    settled = json.loads(ask("agent", "settle", "Dora", "--yes", "--json"))
    (label,) = [one["label"] for one in settled["settlements"]]
    assert "Nothing to settle." in ask("agent", "settle", "Dora", "--yes")
    assert "2.99 EUR" in ask("agent", "settlement", label)
    assert (
        ask("agent", "undo-settlement", label, "--reason", "too early", "--yes")
        == f"Settlement {label} is taken back.\n"
    )
    assert "taken back on" in ask("agent", "settlements", "--agent", "Dora")
    assert "there is no settlement 'x'" in ask("agent", "settlement", "x", code=1)

    assert "does not end before it begins" in ask("agent", "rule", "end", 1, "2025-01-31", code=1)
    ask("agent", "rule", "end", 1, "2026-01-31")
    ask("agent", "assign", "nobody", contract, "--from", "2026-01-01")
    (row,) = json.loads(ask("agent", "list", "--json"))
    # What was earned of it is taken back at once.
    assert row["not_settled"] == []
    assert ask("agent", "earned", "1").count("adjusted") == 2
    ask("agent", "set", "Dora", "--name", "Dora V.", "--inactive")
    assert "gets no contract more" in ask("agent", "assign", "Dora V.", contract, code=1)
    assert "there is no contract 99" in ask("agent", "assign", "nobody", 99, code=1)
