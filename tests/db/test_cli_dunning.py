"""`corrente dunning` and `corrente promise`, as they are typed: an Italian issuer whose customers' invoices are long overdue."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings
from support.debtors import bill, levels, pay_at, the_pass
from support.paper_reading import codes_of, pages_of, text_of

from billing.operations.printing import PrintShop, load_letter_paper
from control_plane.check_others import check_dunning
from control_plane.findings import Verdict

pytestmark = pytest.mark.db

# Where the issuer is: for an hour or two of each night that is another day than in UTC.
TODAY = datetime.now(ZoneInfo("Europe/Rome")).date()
BILLED = TODAY - timedelta(days=100)


@pytest.fixture(scope="module")
def world(module_database, tmp_path_factory):
    with psycopg.connect(module_database) as connection:
        isp = make_books(connection, customers=3)
        bill(connection, isp, day=BILLED)
        connection.commit()
    settings = write_settings(tmp_path_factory.mktemp("dunning"), module_database)

    def ask(*words, code=0, group="dunning"):
        result = run(settings, group, *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    return isp, ask, module_database


def _checked(database):
    with psycopg.connect(database) as connection:
        return check_dunning(connection)


def _letters_are_printed_as_they_were_written(isp, ask, database, tmp_path):
    """One and all that wait for a channel; the same although it was paid and the customer moved meanwhile."""
    one, again, every = (tmp_path / f"{name}.pdf" for name in ("one", "again", "every"))
    assert ask("letter", 1, "--out", one) == f"Wrote {one}.\n"
    read = text_of(one.read_bytes())
    due = BILLED + timedelta(days=15)
    for said in (
        "costituzione in mora",
        "PEC",
        "122,00 €",
        "trascorsi 40 giorni",
        "L. 160/2019",
        "Anna Rossi 1",
        f"{(TODAY - due).days} 122,00",
    ):
        assert said in read, (said, read)
    assert codes_of(one.read_bytes()) == []
    ask("print", "--channel", "certified_mail", "--out", every, group="message")
    pages = pages_of(every.read_bytes())
    assert [f"Anna Rossi {number}" in pages[number - 1] for number in (1, 2, 3)] == [True] * 3
    with psycopg.connect(database) as connection:
        pay_at(connection, isp, isp.customers[0], "22.00", datetime.now(UTC))
        connection.execute("UPDATE customer SET name = 'Anna Verdi' WHERE id = %s", (isp.customers[0],))
        (number, enclosed) = connection.execute(
            "SELECT id, enclosures FROM message WHERE channel = 'certified_mail' ORDER BY id LIMIT 1"
        ).fetchone()
        assert enclosed == ["letter:1"]
        with PrintShop(None) as shop:
            assert shop.press(1).print(load_letter_paper(connection, 1)[1]) == one.read_bytes()
        connection.rollback()
    ask("letter", 1, "formal_notice", "--language", "en", "--out", again)
    assert "Formal notice of default" in text_of(again.read_bytes())
    ask("print", number, "--out", again, group="message")
    assert len(pages_of(again.read_bytes())) == 1
    assert "there is no message 999" in ask("print", 999, "--out", again, code=1, group="message")
    assert "no message waits to go by letter" in ask(
        "print", "--channel", "letter", "--out", again, code=1, group="message"
    )
    assert "no letter was written in case 99" in ask("letter", 99, code=1)
    assert "there is no letter 'x'" in ask("letter", 1, "x", code=1)


def test_from_no_policy_to_the_log_of_cuts(world, tmp_path):
    isp, ask, database = world
    assert "No policy: nobody is pursued" in ask("policy", "list")
    assert "Nobody will be limited." in ask("tonight")
    assert ask("run") == "nobody is to be looked at\n"
    assert _checked(database).text == "Example Net pursues nobody: `corrente dunning policy new` begins"

    # One that the law forbids is refused by step and field.
    file = tmp_path / "policy.toml"
    ask("policy", "new", "--out", file)
    hasty = tmp_path / "hasty.toml"
    hasty.write_text(file.read_text().replace('counted_from = "not_before"\noffset_days = 0', "offset_days = 5"))
    assert "step throttle" in ask("policy", "check", hasty, code=1)
    hasty.write_text(file.read_text().replace('contracts = "concerned"', 'scope = { methods = ["slip"] }'))
    assert "nobody is known to pay by 'slip'" in ask("policy", "check", hasty, code=1)

    # Tried over the book: a notice at once, and no limit before its forty days.
    tried = json.loads(ask("policy", "check", file, "--days", "120", "--json"))
    assert tried["by_day"][0] | {"day": None} == {
        "day": None, "reminders": 0, "notices": 0, "formal": 3, "fees": 0, "throttle": 0, "walled": 0, "blocked": 0,
        "ends": 0, "lifted": 0,
    }  # fmt: skip
    limited = [row for row in tried["by_day"] if row["throttle"] + row["walled"] + row["blocked"]]
    # Seven days on the way and forty, and then the first open day, by which three more may have passed.
    assert min(row["day"] for row in limited) >= str(TODAY + timedelta(days=47))
    assert sum(row["blocked"] for row in limited) == 3
    assert tried["now_by_day"] == []
    assert "Dry run: nothing was saved." in ask("policy", "save", file, "--reason", "try", "--dry-run")
    assert "version 1" in ask("policy", "save", "--default", "--reason", "begin", "--from", BILLED, "--yes")

    said = ask("run")
    assert "looked at 3 customers: 3 cases begun, 0 over, 3 steps" in said
    with psycopg.connect(database) as connection:
        told = connection.execute("SELECT template, channel, origin FROM message ORDER BY customer_id").fetchall()
        assert told[0] == ("formal_notice", "certified_mail", "dunning 1 formal_notice")
        # Half an hour before midnight in UTC, which is the day after in Rome.
        written = f"{TODAY - timedelta(days=70)} 23:30+00"
        connection.execute(
            f"SET corrente.actor = 'test'; ALTER TABLE formal_notice DISABLE TRIGGER USER; UPDATE formal_notice SET sent_at = '{written}'; ALTER TABLE formal_notice ENABLE TRIGGER USER"
        )
    listed = ask("notices")
    assert "certified_mail" in listed
    assert f"  {TODAY - timedelta(days=69)}  " in listed
    _letters_are_printed_as_they_were_written(isp, ask, database, tmp_path)
    late = _checked(database)
    assert (late.verdict, "3 formal notices are under way" in late.text) == (Verdict.WARN, True)
    came = TODAY - timedelta(days=60)
    assert ask("delivered", 1, 2, 3, "--on", came) == "Delivered: 1, 2, 3.\n"
    assert "was delivered at" in ask("delivered", 1, code=1)

    cuts = json.loads(ask("tonight", "--json"))
    assert {one["contract_id"]: (one["level"], one["debt"]) for one in cuts} == dict.fromkeys(isp.contracts, ("blocked", "122.00"))  # fmt: skip
    assert "formal notice" in ask("case", 1)

    excluded = ask("exclude", "--contract", isp.contracts[2], "--reason", "a hospital", "--essential")
    assert excluded.startswith("Exclusion 1 for good")
    assert {one["contract_id"] for one in json.loads(ask("tonight", "--json"))} == set(isp.contracts[:2])

    # The pass at a moment of the hours: the next one, which may be after the weekend.
    opens = datetime.fromisoformat(cuts[0]["at"])
    with psycopg.connect(database, autocommit=True) as connection:
        the_pass(connection, opens + timedelta(minutes=1))
        assert levels(connection) == dict.fromkeys(isp.contracts[:2], "blocked")
    log = json.loads(ask("cuts", "--json"))
    assert [(one["contract_id"], one["level"], one["steps"], one["told"]) for one in log] == [
        (contract, "blocked", ["blocked"], ["email blocked: queued"]) for contract in reversed(isp.contracts[:2])
    ]
    assert log[0]["placed_by"] == "dunning run 1"
    assert "no device was told" in ask("cuts", "--contract", isp.contracts[0])

    promised = ask("ask", isp.customers[0], group="promise")
    assert "Promise 1: 122.00 EUR until" in promised
    assert "no promise is taken: promised to pay until" in ask("ask", isp.customers[0], group="promise", code=1)
    proof = tmp_path / "receipt.pdf"
    proof.write_bytes(b"%PDF-1.4")
    assert "review 2 valid" in ask("ask", isp.customers[1], "--proof", proof, group="promise")
    assert json.loads(ask("list", "--to-review", "--json", group="promise"))[0]["id"] == 2
    assert _checked(database).text == "1 proofs of payment: `corrente promise list --to-review`"
    assert "Promise 2 is broken" in ask("review", 2, "invalid", group="promise")
    assert "was found not valid before" in ask("review", 2, "valid", group="promise", code=1)
    assert "broken" in ask("list", group="promise")

    # In dispute it is no debt: open at once, and limited again only by the pass.
    label = "2/FT/2026"
    assert "Dispute 1" in ask("dispute", label, "--reason", "speed")
    with psycopg.connect(database) as connection:
        assert levels(connection) == {isp.contracts[0]: "blocked"}
    assert "122.00 EUR" not in ask("plans")
    assert "Dispute 1 is closed." in ask("resolve", 1, "--outcome", "ours")
    refused = ask("plan", "--invoice", label, "--part", f"{TODAY + timedelta(days=30)}=61", "--reason", "r", code=1)
    assert "61.00 EUR in instalments for 122.00 EUR that are open" in refused
    parts = [f"{TODAY + timedelta(days=30 * n)}=61" for n in (1, 2)]
    assert "Plan 1" in ask("plan", "--invoice", label, "--part", parts[0], "--part", parts[1], "--reason", "by phone")
    assert "2/FT/2026" in ask("plans")
    assert "Plan 1 is over." in ask("end-plan", 1, "--reason", "wrong")
    assert "Exclusion 1 is over." in ask("include", 1, "--reason", "moved")
    assert "a hospital" in ask("exclusions", "--all")
    shown = ask("policy", "off", "--reason", "August", "--dry-run")
    assert "contracts 1, customers 1" in shown
    assert "nothing was switched off" in shown
    assert "is off (version 2)" in ask("policy", "off", "--reason", "August", "--yes")
    assert "Nobody will be limited." in ask("tonight")


def test_what_is_not_there_is_named(world):
    _, ask, _ = world
    assert "there is no case 99" in ask("case", 99, code=1)
    assert "there is no open case 99" in ask("confirm", 99, "walled", code=1)
    assert "there is no formal notice 99" in ask("delivered", 99, code=1)
    assert "there is no exclusion 99" in ask("include", 99, "--reason", "r", code=1)
    assert "there is no promise 99" in ask("review", 99, "valid", group="promise", code=1)
    assert "either --customer or --contract" in ask("exclude", "--reason", "r", code=2)
