"""`corrente gateway`, as it is typed, from the key to the payment on the statement."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import psycopg
import pytest
from support.books_days import make_days
from support.command_line import KEY, run, write_settings
from support.gateway_stand_in import Fault
from support.paper_reading import codes_of
from support.stripe_stand_in import StripeStandIn

from control_plane.check_others import check_gateways
from control_plane.findings import Verdict
from control_plane.gateways.working import work
from control_plane.jobs.gateways import collect_due
from control_plane.settings import load_settings

pytestmark = pytest.mark.db


@pytest.fixture
def typed(database, tmp_path, monkeypatch):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(KEY).decode())
    with psycopg.connect(database) as connection:
        days = make_days(connection)
    with StripeStandIn().listening() as stand_in:
        settings = write_settings(tmp_path, database)
        host = stand_in.url.removeprefix("http://")
        with settings.open("a") as file:
            file.write(f'[gateways]\ntest_hosts = ["{host}"]\ntimeout_s = 60.0\n')
        for name, content in (
            ("key", stand_in.secret),
            ("wrong", "sk_test_wrong"),
            ("signing", stand_in.webhook_secret),
        ):
            (tmp_path / name).write_text(content + "\n")

        def ask(*words, code=0, group="gateway"):
            result = run(settings, group, *map(str, words))
            assert result.exit_code == code, result.output
            return result.output

        def turn():
            with psycopg.connect(database, autocommit=True) as connection:
                return work(connection, load_settings(settings), datetime.now(UTC), actor="job gateways")

        yield days, stand_in, tmp_path, ask, turn


def test_a_wrong_key_or_address_adds_nothing_and_says_what_to_do(typed):
    _, stand_in, folder, ask, _ = typed
    common = ("add", "stripe", "--provider", "stripe", "--webhook-secret-file", folder / "signing", "--base-url")
    said = ask(*common, stand_in.url, "--secret-file", folder / "wrong", code=1)
    assert "Stripe does not take it: Stripe answers 401: no such key" in said
    said = ask(*common, "http://127.0.0.1:1", "--secret-file", folder / "key", code=1)
    assert "[gateways] test_hosts may name another host and port" in said
    said = ask(*common, stand_in.url, "--live", "--secret-file", folder / "key", code=1)
    assert "Stripe is asked at https://api.stripe.com" in said
    stand_in.livemode = True
    said = ask(*common, stand_in.url, "--secret-file", folder / "key", code=1)
    assert "this key moves real money" in said
    assert "give the key with" in ask("add", "stripe", "--provider", "stripe", code=1)
    assert ask("list").startswith("There is no account yet")


def test_from_the_key_to_the_payment_on_the_statement(typed, database):
    days, stand_in, folder, ask, turn = typed
    said = ask(
        *("add", "stripe", "--provider", "stripe", "--base-url", stand_in.url),
        *("--secret-file", folder / "key", "--webhook-secret-file", folder / "signing"),
    )
    assert "Stripe: the key is good." in said
    (account,) = json.loads(ask("list", "--json"))
    assert said.endswith(f"/webhooks/{account['token']}\n")
    assert "key is good" in ask("check", "stripe")
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT row_to_json(a)::text FROM gateway_account AS a").fetchone()[0]
        logged = connection.execute("SELECT string_agg(detail::text, '') FROM audit_log").fetchone()[0]
    assert stand_in.secret not in row + logged + said
    assert stand_in.webhook_secret not in row + logged + said

    label = "3/FT/2026"
    made = json.loads(ask("link", label, "--json"))
    assert (made["amount"], made["link"]) == ("36.48", f"https://buy.stripe.com/test_{made['reference']}")
    assert json.loads(ask("link", label, "--json"))["link"] == made["link"]
    ask("pdf", label, "--out", folder / "invoice.pdf", group="invoice")
    assert f"QR-Code:{made['link']}" in codes_of((folder / "invoice.pdf").read_bytes())

    payment, _ = stand_in.pay(stand_in.objects[made["reference"]])
    # No notice came: the address was not given to the provider yet.
    assert "of them never told" in ask("reconcile", "stripe", "--from", "2026-01-01")
    assert "looked into 2" in turn()
    (first, second) = json.loads(ask("events", "--json"))
    assert {first["topic"], second["topic"]} == {"payment_intent.processing", "payment_intent.succeeded"}
    assert "36.48 EUR" in first["outcome"] + second["outcome"]
    customer = days.isp.customers[2]
    assert ask("open", "--customer", customer, group="ledger").count("FT/2026") == 0
    assert "nothing open" in ask("link", label, code=1)

    payout, _ = stand_in.pay_out([payment], 75)
    ask("reconcile")
    turn()
    (row,) = json.loads(ask("payouts", "--json"))
    assert (row["ref"], row["amount"], row["fee"], row["unknown"]) == (payout["id"], "35.73", "0.75", [])
    assert ask("check", group="ledger").count("OK") >= 1


def test_what_can_t_be_asked_now_is_said_and_done_by_the_worker(typed, database):
    _, stand_in, folder, ask, turn = typed
    ask(
        *("add", "stripe", "--provider", "stripe", "--base-url", stand_in.url),
        *("--secret-file", folder / "key", "--webhook-secret-file", folder / "signing"),
    )
    stand_in.faults.append(Fault("POST", "/v1/payment_links", "closed after"))
    assert "no answer yet, and the worker goes on asking" in ask("link", "3/FT/2026", code=1)
    with psycopg.connect(database, autocommit=True) as connection:
        # As after days in vain: nobody asks any more but a person.
        connection.execute("UPDATE presentment SET next_at = 'infinity'")
        assert turn() == "nothing to do"
        found = check_gateways(connection)
    assert (found.verdict, found.text) == (
        Verdict.WARN,
        "1 events, pages or debits wait for an answer of their provider",
    )
    assert ask("retry") == "1 pages, debits and refunds are asked for again.\n"
    assert "presented 1" in turn()
    assert "https://buy.stripe.com/" in ask("link", "3/FT/2026")
    assert len([one for one in stand_in.objects.values() if one["object"] == "payment_link"]) == 1

    ask("unlink", "3/FT/2026")
    assert "has no page" in ask("unlink", "3/FT/2026", code=1)
    assert not any(one["active"] for one in stand_in.objects.values() if one["object"] == "payment_link")
    ask("set", "stripe", "--disable")
    assert "no gateway account does that (link)" in ask("link", "3/FT/2026", code=1)
    assert ask("retry") == "Nothing waits.\n"
    assert ask("mandates") == "No mandates.\n"
    assert "Stripe does not do that (mandate)" in ask("mandate", "1", "--account", "stripe", code=1)
    assert "there is no gateway account 'strip'; did you mean stripe?" in ask("check", "strip", code=1)


def test_what_accounts_collect_by_themselves_is_set_listed_and_taken_back(typed, database):
    days, stand_in, folder, ask, _ = typed
    common = ("--base-url", stand_in.url, "--secret-file", folder / "key", "--webhook-secret-file", folder / "signing")
    ask("add", "stripe", "--provider", "stripe", *common)
    ask("add", "debits", "--provider", "gocardless", "--no-check", *common)
    assert "Stripe does not do that (debit)" in ask("set", "stripe", "--debits-from", "2026-01-01", code=1)
    assert "No account debits by itself" in ask("tonight")
    ask("set", "stripe", "--pages-from", "2026-01-01")
    ask("set", "debits", "--debits-from", "2026-01-01", "--debit-days", "3")
    ask("add", "other", "--provider", "stripe", *common)
    assert "stripe makes the pages of this issuer" in ask("set", "other", "--pages-from", "2026-01-01", code=1)
    kept = {
        one["name"]: (one["debits_since"], one["debit_days"], one["pages_since"])
        for one in json.loads(ask("list", "--json"))
    }
    assert kept == {"debits": ("2026-01-01", 3, None), "stripe": (None, 0, "2026-01-01"), "other": (None, 0, None)}

    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO mandate (account_id, customer_id, ref, state, made_by) SELECT id, %s, 'MD1', 'active', 'maria' FROM gateway_account WHERE name = 'debits'",
            (days.isp.customers[2],),
        )
    before = ask("tonight")
    assert "3/FT/2026" in before
    assert "debits: 1 debits, 36.48 EUR" in before
    (one,) = json.loads(ask("tonight", "--json"))["debits"]
    assert (one["document"], one["amount"], one["due_on"]) == ("3/FT/2026", "36.48", "2026-01-16")
    assert ask("charges") == "Nothing was asked for.\n"

    with psycopg.connect(database, autocommit=True) as connection:
        assert collect_due(connection, None, datetime.now(UTC)) == "asked for 1 debits and 4 pages"
    assert "Nothing is to be debited." in ask("tonight")
    asked = {one["document"]: (one["kind"], one["state"]) for one in json.loads(ask("charges", "--json"))}
    assert asked["3/FT/2026"] == ("debit", "open")
    assert {one[0] for name, one in asked.items() if name != "3/FT/2026"} == {"link"}
    assert ask("charges", "--failed") == "Nothing was asked for.\n"
    ask("cancel", "3/FT/2026")
    assert "no debit under way" in ask("cancel", "3/FT/2026", code=1)
    assert "Nothing is to be debited." in ask("tonight")
    ask("set", "debits", "--no-debits")
    assert "No account debits by itself" in ask("tonight")
