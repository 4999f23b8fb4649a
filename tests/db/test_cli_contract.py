"""corrente contract, as an operator types it. Days are the real ones, so what is expected is said by how far they lie."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings
from support.small_isp import SEALED, one

from billing.contract_facts import Status
from billing.contracts import possible_deeds
from billing.store.acting import acting
from control_plane.cli.contract import command

pytestmark = pytest.mark.db

TODAY = datetime.now(UTC).astimezone(ZoneInfo("Europe/Rome")).date()


BEGAN = TODAY - timedelta(days=10)
# The month that began then, on the same day of the next month or its last.
NEXT = (BEGAN.replace(day=1) + timedelta(days=32)).replace(day=1)
ENDS = min(NEXT + timedelta(days=BEGAN.day - 1), (NEXT + timedelta(days=32)).replace(day=1) - timedelta(days=1))


def day(after: int) -> str:
    return str(TODAY + timedelta(days=after))


@pytest.fixture
def isp(connection):
    isp = make_books(connection, starts_on=BEGAN)
    acting(connection, "maria")
    profile = one(
        connection,
        "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('fast', 500000000, 100000000) RETURNING id",
    )
    plan = one(
        connection,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('Home 500', %s, %s, %s) RETURNING id",
        *[profile] * 3,
    )
    product = one(
        connection,
        "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('Home 500', 'plan', %s, 'access', %s) RETURNING id",
        *(plan, next(iter(isp.tax_codes.values()))),
    )
    connection.execute(
        "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 44.90, '[2020-01-01,)')",
        (product,),
    )
    connection.execute(
        f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, 'anna', {SEALED})",
        (isp.contracts[0],),
    )
    connection.commit()
    return isp


@pytest.fixture
def corrente(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None, code=0):
        done = run(settings, "contract", *map(str, arguments), typed=typed)
        assert done.exit_code == code, done.output
        return done.output

    return command


@pytest.fixture
def account(tmp_path, database, isp):
    """corrente account, for the same contracts."""
    settings = write_settings(tmp_path, database)

    def command(*arguments, code=0):
        done = run(settings, "account", *map(str, arguments))
        assert done.exit_code == code, done.output
        return done.output

    return command


def status(connection, number):
    connection.rollback()
    return one(connection, "SELECT status::text FROM contract WHERE id = %s", number)


def test_a_change_of_plan_says_what_it_gives_back_charges_and_does_on_the_network(corrente, isp, connection):
    number = isp.contracts[0]
    acting(connection, "job billing")
    days = (ENDS - BEGAN).days
    connection.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, 'period', daterange(%s, %s), %s, %s, 29.90, 29.90, 'EUR', %s, 'job billing')",
        (isp.items[0], BEGAN, ENDS, days, days, BEGAN),
    )
    connection.execute("UPDATE billing_position SET billed_through = %s WHERE item_id = %s", (ENDS, isp.items[0]))
    connection.commit()

    shown = corrente("change-plan", number, "Home 500", "--dry-run")

    # What is left of 28 to 31 days after ten of them, of 29.90.
    given = {28: "19.22", 29: "19.59", 30: "19.93", 31: "20.25"}[days]
    assert f"bills    -{given} EUR given back, Home 30 {TODAY} until {ENDS}, due {TODAY}" in shown
    assert f"items    Home 30 ends on {TODAY}" in shown
    assert f"items    Home 500 at 44.90 EUR a month from {TODAY}, due {TODAY}" in shown
    # The next bill has what was charged and not billed yet, what of it is given back, and the new plan for the same days.
    asked = {28: "28.86", 29: "29.42", 30: "29.93", 31: "30.42"}[days]
    together = {28: "48.24", 29: "48.47", 30: "48.68", 31: "48.89"}[days]
    bill = [line.split()[1:] for line in shown.splitlines() if line.startswith("  next")]
    assert bill[:3] == [
        ["29.90", "EUR", "Casa", "30", f"{BEGAN}", "until", f"{ENDS}"],
        [f"-{given}", "EUR", "Casa", "30", f"{TODAY}", "until", f"{ENDS}"],
        [asked, "EUR", "Home", "500", f"{TODAY}", "until", f"{ENDS}"],
    ]
    assert f"next     bill of {TODAY}: {together} EUR with tax, if nothing else comes" in shown
    assert "network  anna now: full service, profile fast (down 500 Mbit/s, up 100 Mbit/s)" in shown
    assert "Dry run: nothing was changed." in shown
    assert one(connection, "SELECT count(*) FROM charge") == 1

    corrente("change-plan", number, "Home 500")

    connection.rollback()
    assert one(connection, "SELECT count(*) FROM charge") == 2
    assert one(connection, "SELECT actor FROM contract_event ORDER BY id DESC LIMIT 1") == "maria"
    assert (
        one(connection, "SELECT action FROM audit_log WHERE subject = %s", f"contract {number}")
        == "contract.plan_changed"
    )
    again = corrente("change-plan", number, "Home 500", code=1)
    assert f"Error: contract {number}: on {TODAY} it has that plan already" in again


def test_a_contract_goes_from_the_draft_to_its_end(corrente, isp, connection):
    made = json.loads(
        corrente(
            *("new", "--customer", isp.customers[1], "--plan", "Home 30", "--add-on", "Static address=2"),
            *("--fee", "Activation=3", "--account", "anna", "--json"),
        )
    )["contract"]
    corrente("propose", made)
    corrente("accept", made, "--signed-on", day(-1))
    slipped = corrente("activate", made, "--on", day(-401), code=1)
    assert "lies 401 days back, and each period since would be billed: if that is meant, say --far-back too" in slipped
    assert "pending → active" in corrente("activate", made, "--on", day(-401), "--far-back", "--dry-run")
    said = corrente("activate", made)
    assert "status   pending → active" in said
    assert "network  anna now: full service, profile" in said
    assert f"Home 30 at 29.90 EUR a month from {TODAY}, due {TODAY}" in said

    said = corrente("end", made, "--on", day(0), "--waive-notice", typed="y\n")
    assert "status   active → ended" in said
    assert "network  anna now: no service: contract ended" in said
    assert status(connection, made) == "ended"

    table = corrente("history", made)
    for word in ("created", "account bound", "proposed", "accepted", "activated", "end scheduled", "ended"):
        assert word in table
    assert [row["status_after"] for row in json.loads(corrente("history", made, "--json"))][-1] == "ended"


def test_new_shows_a_dry_run_and_writes_nothing(corrente, isp, connection):
    before = one(connection, "SELECT count(*) FROM contract")
    connection.rollback()

    shown = corrente("new", "--customer", "Anna Rossi 2", "--plan", "Home 30", "--fee", "Activation=3", "--dry-run")

    assert "Home 30: 29.90 EUR a month" in shown
    assert "Activation, instalment 1 of 3: 16.34" in shown
    for wrong in (
        "--fee=Activation=2.5",
        "--fee=Activation=0",
        "--fee=Activation=61",
        "--add-on=Static address=²",
        "--add-on=Static address=0",
    ):
        assert "expected a product, or PRODUCT=" in corrente(
            "new", "--customer", "Anna Rossi 2", "--plan", "Home 30", wrong, code=2
        )
    assert one(connection, "SELECT count(*) FROM contract") == before


def test_a_contract_takes_the_plans_own_kind_of_price_unless_told(corrente, isp, connection):
    acting(connection, "maria")
    connection.execute("UPDATE price SET includes_tax = true WHERE unit_price = 44.90")
    connection.commit()
    asked = ("new", "--customer", isp.customers[0], "--plan", "Home 500", "--dry-run")

    shown = corrente(*asked)

    assert "Home 500: 44.90 EUR a month with tax" in shown
    assert "prices with tax, anticipated, due after 15 days" in shown
    refused = corrente(*asked, "--excludes-tax", code=1)
    assert "Home 500 has no price in EUR without tax" in refused
    assert "only one with tax" in refused
    assert "--alignment day_of_month, which needs it" in corrente(*asked, "--alignment", "day_of_month", code=2)


def test_an_end_that_is_set_says_what_leaving_will_cost(corrente, isp, connection):
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO early_exit_cost (product_id, from_month, currency, amount) VALUES (%s, 0, 'EUR', 60)",
        (isp.products["Home 30"],),
    )
    connection.execute("UPDATE contract_terms SET minimum_until = %s", (day(700),))
    connection.commit()
    asked = ("end", isp.contracts[0], "--on", day(40), "--waive-notice", "--dry-run")

    assert f"leaving on {day(40)} costs 60.00 EUR for an early exit, charged when it ends" in corrente(*asked)
    assert "early exit" not in corrente(*asked, "--at-no-cost")


def test_a_price_of_its_own_needs_its_reason_and_is_audited_with_it(corrente, isp, connection):
    asked = ("new", "--customer", isp.customers[0], "--plan", "Home 30", "--price", "19.90")
    assert "a price of its own needs its --reason" in corrente(*asked, code=2)

    corrente(*asked, "--reason", "long a customer")

    connection.rollback()
    assert one(connection, "SELECT period_price FROM contract_item ORDER BY id DESC LIMIT 1") == Decimal("19.90")
    audited = "SELECT detail ->> 'reason' FROM audit_log WHERE action = 'contract.override_price'"
    assert one(connection, audited) == "long a customer"


def test_a_refusal_is_one_sentence_that_says_what_is_possible(corrente, isp):
    said = corrente("activate", isp.contracts[0], code=1)
    assert said.startswith(
        f"Error: contract {isp.contracts[0]}: can't activate: the contract is active; possible from here: "
    )
    assert len(said.splitlines()) == 1
    # What is possible is named as it is typed.
    assert {name for status in Status for name in possible_deeds(status)} <= set(command.commands)
    assert "there is no contract 4711" in corrente("activate", 4711, code=1)
    assert "did you mean Home 500" in corrente("change-plan", isp.contracts[0], "Home 50", code=1)
    assert "product 'Activation' is one-off, wanted is add-on" in corrente(
        "new", "--customer", isp.customers[0], "--plan", "Home 30", "--add-on", "Activation", code=1
    )


def test_what_takes_service_away_asks_and_no_leaves_everything(corrente, isp, connection):
    number = isp.contracts[0]
    assert "nothing was changed" in corrente(
        "restrict", number, "--level", "blocked", "--reason", "abuse", typed="n\n", code=1
    )
    connection.rollback()
    assert one(connection, "SELECT count(*) FROM restriction") == 0

    said = corrente("restrict", number, "--level", "blocked", "--reason", "abuse", "--billing", "credit_days", "--yes")

    assert "network  anna now: blocked: admin: abuse" in said
    assert one(connection, "SELECT rule FROM billing_stop") == "credit_days"
    assert "blocked by admin" in corrente("list", "--customer", isp.customers[0])
    assert "say why: --reason" in corrente("lift", number, "--origin", "admin", code=2)
    assert "full service" in corrente("lift", number, "--origin", "admin", "--reason", "a mistake")
    assert one(connection, "SELECT detail ->> 'reason' FROM audit_log WHERE action = 'contract.lift'") == "a mistake"


def test_a_free_contract_says_why_and_is_charged_again(corrente, isp, connection):
    number = isp.contracts[0]
    corrente("make-free", number, "--because", "staff line", "--review-on", day(90))
    shown = corrente("show", number)
    assert f"free from {day(0)}, because staff line, looked at on {day(90)}" in shown
    assert (
        one(connection, "SELECT detail ->> 'reason' FROM audit_log WHERE action = 'contract.make_free'") == "staff line"
    )

    said = corrente("make-billable", number)

    assert "status   free → active" in said
    assert f"Home 30 at 29.90 EUR a month from {TODAY}" in said


def test_another_period_and_another_address(corrente, isp, connection):
    number = isp.contracts[0]
    acting(connection, "maria")
    address = one(
        connection,
        "INSERT INTO address (customer_id, kind, street, postal_code, city, country) VALUES (%s, 'service', 'Via Nuova', '10100', 'Torino', 'IT') RETURNING id",
        isp.customers[0],
    )
    connection.commit()
    assert f"Home 30 at 89.70 EUR for 3 months from {TODAY}" in corrente(
        "change-period", number, "--months", "3", "--restart"
    )
    assert "say what changes" in corrente("change-period", number, code=2)
    assert "address moved" in corrente("move", number, address)
    connection.rollback()
    assert one(connection, "SELECT service_address_id FROM contract_terms WHERE contract_id = %s", number) == address
    assert "none of contract" in corrente("move", isp.contracts[1], address, code=1)


def test_a_pause_to_come_says_from_when_to_when_the_network_gives_nothing_and_what_it_costs(corrente, isp, connection):
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO pause_fee (product_id, currency, amount) VALUES (%s, 'EUR', 3)", (isp.products["Home 30"],)
    )
    connection.commit()
    pause = ("pause", isp.contracts[0], "--from", day(3), "--until", day(10), "--reason", "holidays")
    assert "pause fee" not in corrente(*pause, "--no-fee", "--dry-run")
    said = corrente(*pause, "--yes")
    assert f"bills    3.00 EUR pause fee, Home 30 {day(3)} until {day(10)}, due {day(3)}" in said
    lifted = corrente("lift", isp.contracts[0], "--origin", "customer_pause", "--reason", "stays", "--dry-run")
    assert "pause fee" not in lifted
    assert f"network  anna from {day(3)} 00:00: blocked: customer_pause: holidays" in said
    assert f"network  anna from {day(10)} 00:00: full service" in said
    assert f"not paid   {day(3)} until {day(10)}: holidays" in corrente("show", isp.contracts[0])


def test_show_tells_terms_items_and_what_waits(corrente, isp):
    shown = corrente("show", isp.contracts[2])
    assert "terms      billed by Example Net in EUR, prices without tax, anticipated, due after 15 days" in shown
    assert "Static address" in shown
    page = json.loads(corrente("show", isp.contracts[2], "--json"))["page"]
    assert [item["product"] for item in page["items"]] == ["Home 30", "Static address"]


def test_an_end_that_was_set_is_taken_back(corrente, isp, connection):
    number = isp.contracts[0]
    corrente("end", number, "--on", day(20), "--yes")
    assert json.loads(corrente("list", "--ending-before", day(21), "--json"))[0]["id"] == number

    said = corrente("keep", number)

    assert "items    Home 30 goes on" in said
    assert one(connection, "SELECT ends_on FROM contract WHERE id = %s", number) is None


def test_an_account_is_bound_and_released(corrente, isp):
    second = isp.contracts[1]
    assert f"Contract {second} has account anna, which had been of contract {isp.contracts[0]}" in corrente(
        "bind", second, "anna"
    )
    assert f"Account anna is released from contract {second}." in corrente("release", second, "anna")
    assert "no subscriber account 'nobody'" in corrente("bind", second, "nobody", code=1)


def test_an_accounts_commands_change_the_plan_of_a_billed_contract_with_its_bill(account, isp, connection):
    ends = "SELECT ends_on::text FROM contract_item WHERE contract_id = %s ORDER BY id"
    account("change-plan", "anna", "Home 500", "--on", day(9))
    assert connection.execute(ends, (isp.contracts[0],)).fetchall() == [(day(9),), (None,)]
    connection.rollback()

    account("change-plan", "anna", "--cancel")

    assert connection.execute(ends, (isp.contracts[0],)).fetchall() == [(None,), (day(9),)]
    assert one(connection, "SELECT count(*) FROM plan_change") == 0
    connection.rollback()
    account("set", "anna", "--plan", "Home 500")
    assert connection.execute(ends, (isp.contracts[0],)).fetchall()[0] == (day(0),)
    assert [
        row[0]
        for row in connection.execute(
            "SELECT event FROM contract_event WHERE contract_id = %s ORDER BY id", (isp.contracts[0],)
        )
    ] == [
        "created",
        "plan_changed",
        "plan_kept",
        "plan_changed",
    ]


def test_a_change_of_plan_that_waits_is_taken_back(corrente, isp, connection):
    number = isp.contracts[0]
    assert "no plan change" in corrente("keep-plan", number, code=1)
    corrente("change-plan", number, "Home 500", "--on", day(9))
    assert f"no change of plan waits for {day(8)}" in corrente("keep-plan", number, "--on", day(8), code=1)
    assert f"Home 500 of {day(9)} never begins" in corrente("keep-plan", number, "--dry-run")
    assert one(connection, "SELECT count(*) FROM plan_change") == 1
    connection.rollback()
    assert f"plan kept from {day(9)}: misread" in corrente("keep-plan", number, "--reason", "misread")
    assert one(connection, "SELECT count(*) FROM plan_change") == 0


def test_an_accounts_commands_leave_status_end_and_days_not_paid_to_the_contracts(account, corrente, isp):
    number = isp.contracts[0]
    said = account("set", "anna", "--ends-on", day(3), "--yes", code=1)
    assert f"contract {number} is billed: its ends on (end) change with the bill" in said
    assert "status (its deeds)" in account("set", "anna", "--status", "ended", "--yes", code=1)
    corrente("pause", number, "--until", day(5), "--yes")
    assert f"`corrente contract lift {number} --origin customer_pause`" in account(
        "lift", "anna", "--origin", "customer_pause", "--reason", "back", "--yes", code=1
    )
