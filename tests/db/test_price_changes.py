"""A new price for many contracts: items end and begin on their boundaries, customers are to be told, again changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

from billing.deeds import ChangeAt, ChangePlan, ScheduleEnd, WithdrawEnd
from billing.operations.doing import do_deed
from billing.price_changes import PriceChange, Reach, price_totals
from billing.store.acting import acting
from billing.store.checks.catalogue import find_in
from billing.store.price_changes import change_prices, load_new_prices, load_price_totals
from billing.store.price_undo import undo_prices

pytestmark = pytest.mark.db

DAY = date(2027, 3, 15)
BOUNDARY = date(2027, 4, 1)
CHANGE = PriceChange(Decimal("32.90"))


@pytest.fixture
def isp(connection):
    """Four monthly contracts on the first; the second is paid to 1 July 2027, the third ends on 20 March, the fourth waits."""
    made = make_books(connection, customers=4)
    acting(connection, "maria")
    connection.execute(
        "UPDATE billing_position SET billed_through = '2027-07-01', due_on = '2027-07-01' WHERE item_id = %s",
        (made.items[1],),
    )
    connection.execute("UPDATE contract_item SET ends_on = '2027-03-20' WHERE id = %s", (made.items[2],))
    connection.execute("UPDATE contract SET ends_on = '2027-03-20' WHERE id = %s", (made.contracts[2],))
    connection.execute(
        "INSERT INTO discount (contract_id, item_id, kind, value, during, reason, placed_by)"
        " VALUES (%s, %s, 'percent', 10, '[2027-01-01,2028-01-01)', 'loyal', 'maria')",
        (made.contracts[0], made.items[0]),
    )
    connection.commit()
    return made


def change(connection, isp, contracts=None, given=CHANGE, day=DAY, product="Home 30"):
    acting(connection, "maria")
    return change_prices(
        connection,
        isp.contracts if contracts is None else contracts,
        given,
        Reach(isp.products[product], day, "EUR"),
        actor="maria",
    )


def items(connection, contract):
    return connection.execute(
        "SELECT starts_on, ends_on, period_price, b.billed_through, b.due_on FROM contract_item AS i"
        " JOIN billing_position AS b ON b.item_id = i.id WHERE contract_id = %s AND kind = 'plan' ORDER BY starts_on, i.id",
        (contract,),
    ).fetchall()


OLD, NEW = Decimal("29.90"), Decimal("32.90")


def test_an_item_ends_on_its_boundary_and_goes_on_at_the_new_price(connection, isp):
    assert change(connection, isp) == 3
    first, second, third, _ = isp.contracts
    start = date(2026, 1, 1)
    assert items(connection, first) == [
        (start, BOUNDARY, OLD, start, start),
        (BOUNDARY, None, NEW, BOUNDARY, BOUNDARY),
    ]
    # Paid ahead, it has the old price to where it is paid; nothing of it is due any more.
    assert items(connection, second) == [
        (start, date(2027, 7, 1), OLD, date(2027, 7, 1), None),
        (date(2027, 7, 1), None, NEW, date(2027, 7, 1), date(2027, 7, 1)),
    ]
    assert [row[2] for row in items(connection, third)] == [OLD]


def test_customers_are_to_be_told_thirty_days_before_and_it_is_an_event_of_the_contract(connection, isp):
    change(connection, isp)
    told = connection.execute("SELECT contract_id, kind, due_on, sent_at FROM contract_notice ORDER BY 1").fetchall()
    first, second, _, fourth = isp.contracts
    assert told == [
        (first, "price_change", date(2027, 3, 2), None),
        (second, "price_change", date(2027, 6, 1), None),
        (fourth, "price_change", date(2027, 3, 2), None),
    ]
    event = connection.execute(
        "SELECT actor, effective_on, detail ->> 'before', detail ->> 'after' FROM contract_event"
        " WHERE event = 'price_change' AND contract_id = %s",
        (first,),
    ).fetchall()
    assert event == [("maria", BOUNDARY, "29.90000000", "32.90000000")]


def test_a_discount_of_the_item_goes_on(connection, isp):
    change(connection, isp)
    follows = connection.execute(
        "SELECT i.period_price, lower(during), upper(during), value FROM discount AS d JOIN contract_item AS i ON i.id = d.item_id ORDER BY i.id"
    ).fetchall()
    assert follows == [
        (OLD, date(2027, 1, 1), date(2028, 1, 1), Decimal(10)),
        (NEW, BOUNDARY, date(2028, 1, 1), Decimal(10)),
    ]


def test_the_same_change_again_changes_nothing_and_a_later_one_goes_on_from_it(connection, isp):
    change(connection, isp)
    before = [items(connection, contract) for contract in isp.contracts]
    assert change(connection, isp) == 0
    assert [items(connection, contract) for contract in isp.contracts] == before
    assert change(connection, isp, given=PriceChange(percent=Decimal(10)), day=date(2027, 10, 1)) == 3
    assert [row[2] for row in items(connection, isp.contracts[0])] == [OLD, NEW, Decimal("36.19")]


def test_a_percentage_typed_twice_counts_once(connection, isp):
    """4.5 percent of 29.90 are 1.35, once."""
    raised = PriceChange(percent=Decimal("4.5"))
    assert change(connection, isp, given=raised) == 3
    before = [items(connection, contract) for contract in isp.contracts]
    assert before[0][-1][2] == Decimal("31.25")
    assert change(connection, isp, given=raised) == 0
    assert change(connection, isp, given=PriceChange(percent=Decimal(2))) == 0
    assert [items(connection, contract) for contract in isp.contracts] == before
    # An amount takes the place of what was mistyped.
    assert change(connection, isp) == 3
    assert items(connection, isp.contracts[0])[-1][:3] == (BOUNDARY, None, NEW)


def test_what_it_comes_to_is_counted_by_the_database_as_item_by_item(connection, isp):
    """29.90 of three contracts: the third ends before its boundary. Who was raised by a percentage is not raised again."""
    reach, raised = Reach(isp.products["Home 30"], DAY, "EUR"), PriceChange(percent=Decimal("4.5"))

    def counted(given):
        totals = load_price_totals(connection, given, reach)
        assert totals == price_totals(load_new_prices(connection, isp.contracts, given, reach))
        return [(one.items, one.before.amount, one.after.amount) for one in totals]

    assert counted(CHANGE) == [(3, Decimal("89.70"), Decimal("98.70"))]
    assert counted(raised) == [(3, Decimal("89.70"), Decimal("93.75"))]
    change(connection, isp, isp.contracts[:1], raised)
    assert counted(raised) == [(2, Decimal("59.80"), Decimal("62.50"))]
    assert counted(CHANGE) == [(3, Decimal("91.05"), Decimal("98.70"))]
    connection.execute("UPDATE contract_item SET ends_on = '2027-05-20' WHERE id = %s", (isp.items[2],))
    connection.execute("UPDATE contract SET ends_on = '2027-05-20' WHERE id = %s", (isp.contracts[2],))
    assert counted(raised) == [(3, Decimal("89.70"), Decimal("93.75"))]
    change(connection, isp)
    assert counted(CHANGE) == []


def test_an_add_on_changes_its_price_and_not_the_plan(connection, isp):
    assert change(connection, isp, given=PriceChange(Decimal(6)), product="Static address") == 0  # the third ended
    connection.execute("UPDATE contract SET ends_on = NULL WHERE id = %s", (isp.contracts[2],))
    connection.execute("UPDATE contract_item SET ends_on = NULL WHERE contract_id = %s", (isp.contracts[2],))
    assert change(connection, isp, given=PriceChange(Decimal(6)), product="Static address") == 1
    assert [row[2] for row in items(connection, isp.contracts[2])] == [OLD]


def test_deeds_of_the_contract_meet_the_new_price_as_any_other_item(connection, isp):
    change(connection, isp)
    first, _, _, fourth = isp.contracts
    do_deed(connection, fourth, ScheduleEnd(on=date(2027, 3, 20)), today=date(2027, 1, 10), actor="maria")
    assert [row[1] for row in items(connection, fourth)] == [date(2027, 3, 20), BOUNDARY]  # the second never is
    other = connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id)"
        " SELECT 'Other', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id"
    ).fetchone()[0]
    product = connection.execute(
        "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('Other', 'plan', %s, 'access', %s) RETURNING id",
        (other, isp.tax_codes["IVA-22"]),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 40, '[2020-01-01,)')",
        (product,),
    )
    changed = ChangePlan(plan=other, at=ChangeAt.DATE, on=date(2027, 5, 1))
    do_deed(connection, first, changed, today=date(2027, 1, 10), actor="maria")
    assert [(row[0], row[2]) for row in items(connection, first)] == [
        (date(2026, 1, 1), OLD),
        (BOUNDARY, NEW),
        (date(2027, 5, 1), Decimal(40)),
    ]

    # Moved to a day before the new price, and taken back: the price that customers were told of comes all the same.
    before = ChangePlan(plan=other, at=ChangeAt.DATE, on=date(2027, 3, 10))
    do_deed(connection, first, before, today=date(2027, 1, 10), actor="maria")
    assert [row[2] for row in items(connection, first) if row[0] != row[1]] == [OLD, Decimal(40), Decimal(40)]
    own = connection.execute("SELECT plan_id FROM contract WHERE id = %s", (first,)).fetchone()[0]
    back = ChangePlan(plan=own, at=ChangeAt.DATE, on=date(2027, 3, 10))
    do_deed(connection, first, back, today=date(2027, 1, 11), actor="maria")
    lasting = [row for row in items(connection, first) if row[0] != row[1]]
    assert [row[:3] for row in lasting] == [
        (date(2026, 1, 1), BOUNDARY, OLD),
        (BOUNDARY, None, NEW),
    ]
    assert lasting[1][3:] == (BOUNDARY, BOUNDARY)


def test_an_end_taken_back_leaves_the_new_prices_of_plan_and_add_on(connection, isp):
    contract = isp.contracts[2]
    acting(connection, "maria")
    connection.execute("UPDATE contract SET ends_on = NULL WHERE id = %s", (contract,))
    connection.execute("UPDATE contract_item SET ends_on = NULL WHERE contract_id = %s", (contract,))
    change(connection, isp, [contract])
    change(connection, isp, [contract], PriceChange(Decimal(6)), product="Static address")
    query = "SELECT starts_on, ends_on FROM contract_item WHERE contract_id = %s ORDER BY id"
    agreed = connection.execute(query, (contract,)).fetchall()
    assert agreed == [(date(2026, 1, 1), BOUNDARY)] * 2 + [(BOUNDARY, None)] * 2

    do_deed(connection, contract, ScheduleEnd(on=date(2027, 3, 20)), today=date(2027, 1, 10), actor="maria")
    do_deed(connection, contract, WithdrawEnd(), today=date(2027, 1, 11), actor="maria")

    assert connection.execute(query, (contract,)).fetchall() == agreed


def test_prices_to_come_are_taken_back_and_each_item_goes_on_as_it_was(connection, isp):
    agreed = items(connection, isp.contracts[0])
    change(connection, isp)
    change(connection, isp, given=PriceChange(Decimal("34.90")), day=date(2027, 7, 1))
    assert [row[2] for row in items(connection, isp.contracts[0])] == [OLD, NEW, Decimal("34.90")]
    connection.execute("UPDATE contract_notice SET sent_at = now() WHERE contract_id = %s", (isp.contracts[3],))

    acting(connection, "maria")
    told = {"day": DAY, "today": date(2027, 3, 31), "actor": "maria"}
    undone = undo_prices(connection, isp.contracts[:3], isp.products["Home 30"], **told)

    # The second was paid up to July: both were of that day.
    assert [(one.contract_id, one.on) for one in undone] == [
        (isp.contracts[0], date(2027, 7, 1)),
        (isp.contracts[1], date(2027, 7, 1)),
        (isp.contracts[1], date(2027, 7, 1)),
        (isp.contracts[0], BOUNDARY),
    ]
    assert [row for row in items(connection, isp.contracts[0]) if row[0] != row[1]] == agreed
    told_of = "SELECT contract_id, count(*) FROM contract_notice GROUP BY 1 ORDER BY 1"
    assert connection.execute(told_of).fetchall() == [(isp.contracts[3], 2)]
    assert connection.execute("SELECT count(*) FROM discount").fetchone() == (1,)
    # On its own day it has come, and stays.
    late = {**told, "today": BOUNDARY}
    fourth = undo_prices(connection, isp.contracts, isp.products["Home 30"], **late)
    assert [(one.contract_id, one.on, one.told) for one in fourth] == [(isp.contracts[3], date(2027, 7, 1), True)]
    assert [row[2] for row in items(connection, isp.contracts[3]) if row[0] != row[1]] == [OLD, NEW]
    # A plan changed and changed back does not bring it again.
    other = connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id)"
        " SELECT 'Other', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id"
    ).fetchone()[0]
    product = connection.execute(
        "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('Other', 'plan', %s, 'access', %s) RETURNING id",
        (other, isp.tax_codes["IVA-22"]),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 40, '[2020-01-01,)')",
        (product,),
    )
    for plan in (other, isp.plan):
        moved = ChangePlan(plan=plan, at=ChangeAt.DATE, on=date(2027, 3, 10))
        do_deed(connection, isp.contracts[0], moved, today=date(2027, 1, 10), actor="maria")
    assert [row[:3] for row in items(connection, isp.contracts[0]) if row[0] != row[1]] == [row[:3] for row in agreed]
    # The second was only said to be billed that far.
    wrong = [one.subject for one in find_in(connection)]
    assert [one for one in wrong if not one.startswith(f"contract {isp.contracts[1]} ")] == []


@pytest.fixture
def corrente(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, "price-change", "Home 30", *arguments, typed=typed)

    return command


@pytest.fixture
def corrente_undo(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)
    return lambda *arguments: run(settings, "price-change", "undo", "Home 30", *arguments)


def test_a_dry_run_says_what_a_month_comes_to_before_and_after_and_changes_nothing(
    corrente, corrente_undo, connection, isp
):
    dry = corrente("--to", "32.90", "--from", "2027-03-15", "--everybody", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "3      EUR without tax        89.70         98.70        9.00" in dry.output
    assert "From 2027-04-01 to 2027-07-01; the first notices are due on 2027-03-02." in dry.output
    assert connection.execute("SELECT count(*) FROM contract_notice").fetchone() == (0,)
    connection.rollback()

    assert corrente("--to", "32.90", "--from", "2027-03-15", "--everybody", typed="n\n").exit_code == 1
    done = corrente("--to", "32.90", "--from", "2027-03-15", "--everybody", "--yes", "--json")
    assert json.loads(done.stdout)["changed"] == 3
    assert json.loads(done.stdout)["totals"][0]["after"] == "98.70"
    again = corrente("--to", "32.90", "--from", "2027-03-15", "--everybody", "--yes")
    assert "No contract that is meant has Home 30 at another price" in again.output
    assert again.exit_code == 0
    percent = corrente("--by-percent", "10", "--from", "2027-03-15", "--everybody", "--yes")
    assert "3 items have a new price from 2027-03-15 or later already and keep it" in percent.output
    assert connection.execute("SELECT count(*) FROM contract_notice").fetchone() == (3,)
    connection.rollback()
    dry = corrente_undo("--everybody", "--dry-run")
    assert dry.output.startswith("3 items of Home 30 keep their price; 0 customers were told of another")
    assert "3 new prices are taken back." in corrente_undo("--everybody", "--yes").output
    assert json.loads(corrente_undo("--everybody", "--json").stdout) == {"undone": 0, "items": []}
    assert connection.execute("SELECT count(*) FROM contract_notice").fetchone() == (0,)


def test_what_is_wrong_is_refused(corrente):
    soon = datetime.now(UTC).astimezone(ZoneInfo("Europe/Rome")).date() + timedelta(days=29)
    for arguments, says in (
        (("--to", "32.90", "--from", soon.isoformat(), "--everybody"), "customers are told 30 days before"),
        (("--from", "2099-01-01", "--everybody"), "one of the two"),
        (("--to", "1", "--by-percent", "1", "--from", "2099-01-01", "--everybody"), "one of the two"),
        (("--to", "-1", "--from", "2099-01-01", "--everybody"), "0 or more"),
        (("--by-percent", "4", "--with-tax", "--from", "2099-01-01", "--everybody"), "are said of --to"),
        (("--to", "1", "--from", "2099-01-01"), "say which contracts"),
    ):
        refused = corrente(*arguments)
        assert refused.exit_code in (1, 2), arguments
        assert says in refused.output, (arguments, refused.output)
