"""What a run makes of agreed contracts: documents, charges, what waits, who fails. Worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from support.billing_world import EVERYTHING, bill, go_on, prepare, what_is_written
from support.books_isp import add_items, make_books

from billing.runs.billing_run import issue_run
from billing.runs.desk import RunRefusedError, load_desk, work_out
from billing.runs.preview import look_ahead, prepare_run
from billing.store.acting import acting
from billing.store.due_contracts import load_due
from billing.store.due_work import look_at_due
from billing.store.parties import load_parties
from billing.store.positions import place_items
from billing.store.runs import load_errors, load_run, runs_to_issue
from control_plane import db

pytestmark = pytest.mark.db

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.fixture
def isp(connection):
    return make_books(connection, customers=3, static_address_every=9)


def change(conninfo, *statements):
    """What an operator would have agreed, in SQL."""
    with db.connect(conninfo, name="test") as connection:
        acting(connection, "maria")
        for statement in statements:
            connection.execute(statement)
        contracts = [row[0] for row in connection.execute("SELECT contract_id FROM contract_terms")]
        place_items(connection, contracts)


def ask(conninfo, query, *arguments):
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        return connection.execute(query, arguments).fetchall()


def documents(conninfo):
    return ask(conninfo, "SELECT label, customer_id, net, gross FROM document ORDER BY register_id, number")


def money(*texts):
    return tuple(map(Decimal, texts))


# A credit as a deed writes it: of a charge that is on a document.
CREDIT = """INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, corrects_id, made_by)
    SELECT item_id, 'credit', during, units, of, -{amount}, -{amount}, 'EUR', '{day}', id, 'maria' FROM charge WHERE item_id = {item} AND kind = 'period' ORDER BY id LIMIT 1"""


def test_contracts_in_arrears_get_one_document_with_a_line_a_period(database, isp):
    bill(database, MARCH)

    # 3 x 29.90 = 89.70; 22 percent of it are 19.734.
    assert documents(database) == [(f"{n}/RC/2026", n, *money("89.70", "109.43")) for n in (1, 2, 3)]
    lines = ask(database, "SELECT number, lower(during), net FROM document_line WHERE document_id = 1 ORDER BY 1")
    assert lines == [(n + 1, day, Decimal("29.900")) for n, day in enumerate((JANUARY, FEBRUARY, MARCH))]
    assert ask(database, "SELECT DISTINCT due_on FROM document_due") == [(date(2026, 3, 16),)]


def test_a_group_of_one_payer_shares_a_document_whoever_has_the_contracts(database, isp):
    change(
        database,
        "UPDATE contract_terms SET billing_group = 'home'",
        "UPDATE contract_terms SET payer_id = 1 WHERE contract_id = 3",
    )

    bill(database, JANUARY)

    assert documents(database) == [
        ("1/RC/2026", 1, *money("59.80", "72.96")),
        ("2/RC/2026", 2, *money("29.90", "36.48")),
    ]
    assert ask(database, "SELECT contract_id FROM document_line WHERE document_id = 1 ORDER BY number") == [(1,), (3,)]


def test_an_invoice_under_the_minimum_waits_for_the_next_day_s_run_and_no_longer(database, isp):
    change(database, "UPDATE issuer SET minimum_document = 50")

    first = bill(database, JANUARY)
    same_day = bill(database, JANUARY)
    charges = ask(database, "SELECT item_id, document_id, run_id FROM charge ORDER BY 1")
    next_day = bill(database, date(2026, 1, 2))

    assert (first.invoices, first.waiting, same_day.invoices) == (0, 3, 0)
    assert charges == [(1, None, 1), (2, None, 1), (3, None, 1)]
    assert (next_day.invoices, next_day.charges) == (3, 0)
    assert ask(database, "SELECT count(*) FROM charge WHERE document_id IS NOT NULL") == [(3,)]


def test_all_discounts_make_no_document_and_the_time_counts_as_billed(database, isp):
    change(
        database,
        "INSERT INTO discount (contract_id, kind, value, during, reason, placed_by) VALUES (1, 'percent', 100, '[2026-01-01,)', 'ours', 'maria')",
    )

    tally = bill(database, JANUARY)

    assert (tally.invoices, tally.covered) == (2, 1)
    assert ask(database, "SELECT covered, full_price, net FROM charge WHERE item_id = 1") == [
        (True, *money("29.90", "0"))
    ]
    assert ask(database, "SELECT billed_through FROM billing_position WHERE item_id = 1") == [(FEBRUARY,)]


def test_a_credit_is_a_line_below_zero_of_the_next_invoice_and_counts_on_what_it_corrects(database, isp):
    bill(database, JANUARY)
    change(database, CREDIT.format(amount=10, item=1, day=JANUARY))

    waits = bill(database, date(2026, 1, 15))
    bill(database, FEBRUARY)

    assert (waits.invoices, waits.waiting) == (0, 1)
    lines = ask(
        database,
        "SELECT net, corrects_id, corrects_number FROM document_line WHERE contract_id = 1 AND document_id > 3 ORDER BY number",
    )
    assert sorted(lines) == [(Decimal("-10.000"), 1, 1), (Decimal("29.900"), None, None)]
    assert ask(database, "SELECT document_id, number, credited FROM credited_line") == [(1, 1, Decimal("10.000"))]


RATE_RISES = (
    "UPDATE tax_rate SET during = '[2013-10-01,2026-02-01)' WHERE percent = 22",
    "INSERT INTO tax_rate (tax_code_id, during, percent) SELECT id, '[2026-02-01,)', 24 FROM tax_code WHERE name = 'IVA-22'",
)


def test_what_is_given_back_is_taxed_as_it_was_though_the_rate_has_risen_since(database, isp):
    bill(database, JANUARY)
    change(database, *RATE_RISES, CREDIT.format(amount=10, item=1, day=JANUARY))

    bill(database, FEBRUARY)

    taxes = "SELECT rate, base, tax FROM document_tax WHERE document_id = (SELECT id FROM document WHERE label = '4/RC/2026') ORDER BY 1"
    # 29.90 at 24 percent is 7.176; what was charged with 22 percent is given back with 22.
    assert ask(database, taxes) == [money("22", "-10", "-2.20"), money("24", "29.90", "7.18")]


def test_a_note_for_days_not_paid_takes_the_tax_back_though_the_customer_is_exempt_by_now(database, isp):
    bill(database, JANUARY)
    change(
        database,
        "UPDATE contract_terms SET on_negative = 'credit_note'",
        "INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by) VALUES (1, '[2026-01-01,2026-02-01)', 'credit_days', 'works', 'maria')",
        "INSERT INTO exemption (customer_id, tax_code_id, during, legal_reference, placed_by)"
        " SELECT 1, id, '[2026-01-10,2027-01-01)', 'art. 8 DPR 633/72', 'maria' FROM tax_code WHERE name = 'IVA-N4'",
        "UPDATE contract_item SET ends_on = '2026-02-01' WHERE id = 1",
    )

    bill(database, FEBRUARY)

    assert documents(database)[-1] == ("1/NC/2026", 1, *money("29.90", "36.48"))
    assert ask(database, "SELECT balance FROM customer_balance WHERE customer_id = 1") == [(Decimal("0.000"),)]


def test_a_credit_note_of_a_run_owes_stamp_duty_as_one_by_hand_does(database, isp):
    change(
        database,
        "UPDATE issuer SET recharges_stamp = true",
        "UPDATE product SET tax_code_id = (SELECT id FROM tax_code WHERE name = 'IVA-N4') WHERE name = 'Home 30'",
        "UPDATE contract_item SET period_price = 100 WHERE id = 1",
        "UPDATE contract_terms SET on_negative = 'credit_note'",
    )
    bill(database, JANUARY)
    change(database, CREDIT.format(amount="77.48", item=1, day=JANUARY))

    bill(database, date(2026, 1, 15))

    stamped = "SELECT label, gross, stamp_duty FROM document WHERE customer_id = 1 ORDER BY id"
    # 100.00 and 2.00 recharged; 77.48 is above 77.47, and the issuer's duty on a note is no charge to the customer.
    assert ask(database, stamped) == [("1/RC/2026", *money("102", "2")), ("1/NC/2026", *money("77.48", "2"))]


def test_what_is_given_back_at_another_rate_than_is_charged_is_not_nothing_with_it(database, isp):
    bill(database, JANUARY)
    change(
        database,
        *RATE_RISES,
        "INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on)"
        " SELECT 1, id, 'one_off', 10, '2026-02-01' FROM product WHERE name = 'Activation'",
        "UPDATE contract_item SET ends_on = '2026-02-01' WHERE id = 1",
        CREDIT.format(amount=10, item=1, day=JANUARY),
    )

    tally = bill(database, FEBRUARY)
    bill(database, date(2026, 2, 2))

    # 10.00 with 24 percent is 0.20 more than 10.00 with 22.
    assert tally.covered == 0
    assert ask(database, "SELECT balance FROM customer_balance WHERE customer_id = 1") == [(Decimal("36.680"),)]


def test_or_a_credit_note_at_once_when_that_was_agreed(database, isp):
    bill(database, JANUARY)
    change(
        database,
        "UPDATE contract_terms SET on_negative = 'credit_note'",
        CREDIT.format(amount=10, item=1, day=date(2026, 1, 15)),
    )

    tally = bill(database, date(2026, 1, 15))

    assert (tally.invoices, tally.credit_notes) == (0, 1)
    assert documents(database)[-1] == ("1/NC/2026", 1, *money("10", "12.20"))
    assert ask(database, "SELECT balance FROM customer_balance WHERE customer_id = 1") == [(Decimal("24.280"),)]


def test_what_an_ended_contract_gets_back_does_not_wait_for_a_document_that_never_comes(database, isp):
    bill(database, JANUARY)
    change(
        database,
        "UPDATE contract SET status = 'ended', ends_on = '2026-02-01' WHERE id = 1",
        "UPDATE contract_item SET ends_on = '2026-02-01' WHERE contract_id = 1",
        CREDIT.format(amount=10, item=1, day=JANUARY),
    )

    assert bill(database, date(2026, 1, 15)).credit_notes == 1


def test_a_fee_in_instalments_falls_due_part_by_part(database, isp):
    change(
        database,
        f"INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on) VALUES (1, {isp.products['Activation']}, 'one_off', 50, '2026-01-10')",
        "INSERT INTO instalment VALUES (4, 1, '2026-01-10', 25), (4, 2, '2026-02-10', 25)",
    )

    bill(database, FEBRUARY)
    bill(database, date(2026, 2, 10))

    assert ask(database, "SELECT kind::text, due_on, net FROM charge WHERE item_id = 4 ORDER BY due_on") == [
        ("instalment", date(2026, 1, 10), Decimal("25.000")),
        ("instalment", date(2026, 2, 10), Decimal("25.000")),
    ]
    assert ask(database, "SELECT due_on FROM billing_position WHERE item_id = 4") == [(None,)]
    lines = "SELECT description FROM document_line AS l JOIN charge AS h ON (h.document_id, h.line_number) = (l.document_id, l.number) WHERE h.item_id = 4 ORDER BY h.due_on"
    assert [text.split(": ") for (text,) in ask(database, lines)] == [
        ["Activation", "rata 1 di 2"],
        ["Activation", "rata 2 di 2"],
    ]


def test_a_line_of_prices_with_tax_says_what_was_agreed_and_what_is_less(database, isp):
    change(
        database,
        "UPDATE contract_terms SET includes_tax = true WHERE contract_id = 1",
        "INSERT INTO discount (contract_id, kind, value, during, reason, placed_by) VALUES (1, 'percent', 50, '[2026-01-01,)', 'Spring', 'maria')",
    )

    bill(database, JANUARY)

    lines = "SELECT l.description, l.net FROM document_line AS l JOIN document AS d ON d.id = l.document_id WHERE d.customer_id = 1"
    # 14.95 with 22 percent is 12.254… without.
    assert ask(database, lines) == [("Casa 30 (29,90 meno 14,95 di sconto, IVA inclusa)", Decimal("12.250"))]


def test_days_of_a_pause_are_given_back_when_their_period_ends(database, isp):
    change(
        database,
        "INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by) VALUES (1, '[2026-01-11,2026-01-21)', 'credit_days', 'away', 'maria')",
    )

    bill(database, JANUARY)
    nothing_yet = bill(database, date(2026, 1, 20))
    bill(database, FEBRUARY)

    assert nothing_yet.charges == 0
    # 29.90 * 10 / 31 = 9.645…
    assert ask(database, "SELECT net, due_on FROM charge WHERE kind = 'credit'") == [
        (Decimal("-9.650"), date(2026, 1, 21))
    ]
    assert ask(database, "SELECT settled_through FROM billing_stop") == [(date(2026, 1, 21),)]


def test_periods_inside_a_stop_are_recorded_and_never_charged_later(database, isp):
    change(
        database,
        "INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by) VALUES (1, '[2026-02-01,2026-03-01)', 'stop', 'works', 'maria')",
    )
    bill(database, FEBRUARY)
    change(database, "UPDATE billing_stop SET during = '[2026-02-01,2026-02-02)'")

    bill(database, MARCH)

    assert ask(database, "SELECT lower(during), net, stop_id, covered FROM charge WHERE item_id = 1 ORDER BY 1") == [
        (JANUARY, Decimal("29.900"), None, False),
        (FEBRUARY, Decimal("0.000"), 1, True),
        (MARCH, Decimal("29.900"), None, False),
    ]


def test_one_contract_that_can_not_be_worked_out_is_told_and_the_others_are_billed(database, isp):
    change(
        database,
        "INSERT INTO tax_code (name) VALUES ('NEW')",
        "INSERT INTO product (name, kind, family, tax_code_id) SELECT 'Odd', 'add_on', 'access', max(id) FROM tax_code",
        "INSERT INTO contract_item (contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on)"
        " SELECT 2, max(id), 'add_on', 5, 1, '2026-01-01', 1, '2026-01-01' FROM product",
    )

    tally = bill(database, JANUARY)
    (error,) = ask(database, "SELECT customer_id, contract_id, reason FROM billing_error")
    change(
        database,
        "INSERT INTO tax_rate (tax_code_id, during, percent) SELECT max(id), '[2013-10-01,)', 22 FROM tax_code",
    )
    again = bill(database, JANUARY)

    assert (tally.invoices, [one.contract_id for one in tally.failures]) == (2, [2])
    assert error[:2] == (2, 2)
    assert "tax code NEW has no rate on 2026-01-01" in error[2]
    assert (again.invoices, ask(database, "SELECT count(*) FROM billing_error")) == (1, [(0,)])


def test_one_contract_that_the_database_refuses_is_found_in_its_batch(database, isp):
    # Its January was charged behind the run's back, and its position was not moved.
    change(
        database,
        "UPDATE contract_terms SET payer_id = 1, billing_group = 'home' WHERE contract_id IN (1, 2)",
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by, covered)"
        " VALUES (2, 'period', '[2026-01-10,2026-01-20)', 10, 31, 9.65, 9.65, 'EUR', '2026-01-10', 'bruno', true)",
    )

    tally = bill(database, JANUARY)

    ((customer, contract, reason),) = ask(database, "SELECT customer_id, contract_id, reason FROM billing_error")
    assert (customer, contract) == (1, 2)
    assert "charge_periods_disjoint" in reason
    assert tally.invoices == 2
    assert documents(database) == [
        ("1/RC/2026", 1, *money("29.90", "36.48")),
        ("2/RC/2026", 3, *money("29.90", "36.48")),
    ]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_is_nobody_s_fault_is_repeated_and_not_told(database, isp, code):
    # A sequence does not roll back, so the first try fails and the second does not.
    change(
        database,
        "CREATE SEQUENCE tries",
        f"""CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER fail_once BEFORE INSERT ON charge FOR EACH ROW EXECUTE FUNCTION fail_once()",
    )

    tally = bill(database, JANUARY)

    assert (tally.invoices, tally.failures) == (3, [])
    # The whole batch was repeated, and not its customers one by one.
    assert ask(database, "SELECT count(DISTINCT issued_at) FROM document") == [(1,)]


def test_what_no_contract_is_guilty_of_ends_the_run_which_goes_on_later(database, isp):
    run = prepare(database, JANUARY)
    change(
        database,
        """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$""",
        "CREATE TRIGGER fail BEFORE INSERT ON charge FOR EACH ROW WHEN (NEW.item_id = 3) EXECUTE FUNCTION fail()",
    )

    with pytest.raises(psycopg.errors.DiskFull):
        go_on(database, run, batch=1, workers=1)
    change(database, "DROP TRIGGER fail ON charge")
    billed = len(documents(database))
    go_on(database, run)

    assert billed == 2
    assert ask(database, "SELECT count(*) FROM billing_error") == [(0,)]
    assert len(documents(database)) == 3


def test_a_preview_writes_nothing_and_a_prepared_run_nothing_but_its_row(database, isp):
    before = what_is_written(database)
    with db.connect(database, name="test", autocommit=True) as connection:
        look_ahead(connection, isp.issuer, run_date=JANUARY, scope=EVERYTHING)
        none = connection.execute("SELECT count(*) FROM billing_run").fetchone()
        run = prepare_run(connection, isp.issuer, run_date=JANUARY, scope=EVERYTHING, by="maria")

    assert none == (0,)
    assert what_is_written(database) == before
    assert run.expected["documents"][0]["count"] == 3


def test_the_preview_tells_the_biggest_changes_first_and_who_is_never_billed(database, isp):
    bill(database, JANUARY)
    change(
        database,
        "UPDATE contract_item SET period_price = 31 WHERE id = 1",
        "UPDATE contract_item SET period_price = 20 WHERE id = 3",
        f"INSERT INTO contract (customer_id, plan_id, status) VALUES (1, {isp.plan}, 'active')",
    )

    with db.connect(database, name="test", autocommit=True) as connection:
        expected = look_ahead(connection, isp.issuer, run_date=FEBRUARY, scope=EVERYTHING)

    assert [(one["contract"], one["before"], one["now"]) for one in expected["changes"]] == [
        (3, "29.90", "20.00"),
        (1, "29.90", "31.00"),
    ]
    assert expected["unbilled"] == {
        "count": 1,
        "contracts": [{"contract": 4, "customer": 1, "reason": "it has no terms"}],
    }


def test_a_run_issues_only_when_it_is_confirmed_or_its_hours_are_over(database, isp):
    change(database, "UPDATE issuer SET confirm_hours = 24")
    with db.connect(database, name="test", autocommit=True) as connection:
        run = prepare_run(connection, isp.issuer, run_date=JANUARY, scope=EVERYTHING, by="job billing")
        with pytest.raises(RunRefusedError, match="is prepared: confirm it first"):
            issue_run(lambda: db.connect(database, name="test", autocommit=True), run, made_by="job billing")
        waits = runs_to_issue(connection, isp.issuer)
        acting(connection, "maria")
        with connection.transaction():
            acting(connection, "maria")
            connection.execute("UPDATE billing_run SET issue_after = now() - interval '1 second'")
        over = runs_to_issue(connection, isp.issuer)

    assert (waits, [one.id for one in over]) == ([], [run.id])


def test_a_register_whose_last_day_is_later_refuses_the_run_before_it_begins(database, isp):
    bill(database, FEBRUARY)

    with (
        db.connect(database, name="test", autocommit=True) as connection,
        pytest.raises(RunRefusedError, match="2026-02-01"),
    ):
        prepare_run(connection, isp.issuer, run_date=date(2026, 1, 31), scope=EVERYTHING, by="maria")

    assert ask(database, "SELECT run_date FROM billing_run") == [(FEBRUARY,)]


def test_lead_days_bill_early_and_only_the_scope_s_own(database, isp):
    change(database, "UPDATE contract_terms SET lead_days = 5 WHERE contract_id = 1")
    bill(database, JANUARY)

    tally = bill(database, date(2026, 1, 27))

    assert (tally.contracts, tally.charges) == (1, 1)
    assert ask(database, "SELECT lower(during), due_on FROM charge WHERE run_id = 2") == [(FEBRUARY, FEBRUARY)]


def test_contracts_that_are_not_in_service_are_not_billed(database, isp):
    with db.connect(database, name="test") as connection:
        acting(connection, "maria")
        connection.execute(f"INSERT INTO contract (customer_id, plan_id, status) VALUES (1, {isp.plan}, 'pending')")
        connection.execute("INSERT INTO contract_terms (contract_id, issuer_id, currency) VALUES (4, 1, 'EUR')")
        add_items(connection, [4], isp.products["Home 30"], "plan", price=Decimal(10), starts_on=JANUARY)

    assert bill(database, JANUARY).contracts == 3
    with db.connect(database, name="test") as connection:
        run = load_run(connection, 1)
        assert run is not None
        assert load_errors(connection, run.id) == []


EXEMPT = """INSERT INTO exemption (customer_id, tax_code_id, during, legal_reference, placed_by)
    SELECT id, (SELECT id FROM tax_code WHERE name = 'IVA-N4'), '[2026-01-01,2027-01-01)', 'declaration 12', 'maria' FROM customer WHERE id IN (1, 3)"""


def test_a_stamp_duty_known_in_another_currency_alone_stops_whom_it_is_for_and_nobody_else(database, isp):
    change(database, "UPDATE stamp_duty SET currency = 'USD'", EXEMPT)

    tally = bill(database, JANUARY)
    told = ask(database, "SELECT customer_id, contract_id, reason FROM billing_error ORDER BY 1")

    why = "the stamp duty of IT is known in USD and not in EUR: enter its sums in EUR too, at the rate of the day (`corrente issuer duty set IT AMOUNT --above SUM --from DAY --currency EUR`)"
    assert [(one.customer_id, one.contract_id) for one in tally.failures] == [(1, 1), (3, 3)]
    assert told == [(1, 1, why), (3, 3, why)]
    assert documents(database) == [("1/RC/2026", 2, *money("29.90", "36.48"))]
    # Once it is known, the next run bills them: 29.90 is not above 77.47.
    change(database, "UPDATE stamp_duty SET currency = 'EUR'")
    assert (bill(database, date(2026, 1, 2)).invoices, documents(database)[1:]) == (
        2,
        [("2/RC/2026", 1, *money("29.90", "29.90")), ("3/RC/2026", 3, *money("29.90", "29.90"))],
    )


def test_documents_that_all_fail_are_worked_out_again_once_and_not_once_each(database, isp, connection):
    """However many there are: a round for each would be a stack as deep as the batch is wide."""
    change(database, "UPDATE stamp_duty SET currency = 'USD'", EXEMPT.replace("IN (1, 3)", "> 0"))
    desk = load_desk(connection, isp.issuer, run_id=None, run_date=JANUARY, through=JANUARY)
    with connection.transaction():
        due = look_at_due(connection, isp.contracts, through=JANUARY)
        (contract, *_), sold = load_due(connection, isp.contracts, due, run_date=JANUARY)
    customers = load_parties(connection, [1])
    many = [replace(contract, id=10_000 + n) for n in range(1500)]

    sheaf = work_out(desk, many, sold=sold, customers=customers)

    assert [one.contract_id for one in sheaf.failures] == [one.id for one in many]
    assert (sheaf.drafts, len(sheaf.owners)) == ((), 1500)
