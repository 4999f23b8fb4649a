"""Promotions given to many contracts, each with its own copy, and taken back where nothing was charged."""

from __future__ import annotations

import json
from datetime import date

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

from billing.store.acting import acting
from billing.store.promotions import count_application, load_promotions, plan_application
from billing.store.selection import Selection, load_selected

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    """Six contracts with Home 30; the third and the sixth have a static address too, the second is billed to 1 March 2027."""
    made = make_books(connection, customers=6)
    acting(connection, "maria")
    connection.execute(
        "UPDATE billing_position SET billed_through = '2027-03-01', due_on = '2027-03-01' WHERE item_id = %s",
        (made.items[1],),
    )
    connection.execute(
        "UPDATE address SET postal_code = '20121', city = 'Milano' WHERE customer_id = %s", (made.customers[0],)
    )
    connection.execute("UPDATE customer SET external_reference = 'C-2' WHERE id = %s", (made.customers[1],))
    connection.commit()
    return made


@pytest.fixture
def corrente(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, "promotion", *arguments, typed=typed)

    command("new", "Spring", "--percent", "50", "--months", "3", "--from", "2020-01-01")
    command("new", "Address", "--amount", "1.00", "--family", "access", "--priority", "5", "--from", "2020-01-01")
    command("new", "Over", "--percent", "10", "--from", "2020-01-01", "--until", "2021-01-01")
    return command


def copies(connection, name="Spring"):
    connection.rollback()
    return connection.execute(
        "SELECT contract_id, lower(during), upper(during), kind::text, value, family, priority FROM discount"
        " WHERE promotion_id = (SELECT id FROM promotion WHERE name = %s) ORDER BY 1",
        (name,),
    ).fetchall()


def test_a_dry_run_counts_and_changes_nothing_then_each_gets_a_copy_once(corrente, connection, isp):
    dry = corrente("apply", "Spring", "--everybody", "--from", "2027-01-01", "--dry-run")
    assert "6 of 6 contracts get Spring, 50 % from 2027-01-01 on" in dry.output
    assert copies(connection) == []

    done = corrente("apply", "Spring", "--everybody", "--from", "2027-01-01", "--yes")
    assert done.output.endswith("6 contracts have Spring now.\n")
    periods = {row[0]: row[1:3] for row in copies(connection)}
    assert periods[isp.contracts[0]] == (date(2027, 1, 1), date(2027, 4, 1))
    # Billed to 1 March, it has the whole of its three months from there.
    assert periods[isp.contracts[1]] == (date(2027, 3, 1), date(2027, 6, 1))

    again = corrente("apply", "Spring", "--everybody", "--from", "2027-01-01", "--yes")
    assert "0 of 6 contracts get Spring" in again.output
    assert "6 have it already" in again.output
    assert len(copies(connection)) == 6


def test_who_gets_it_is_counted_by_the_database_as_contract_by_contract(corrente, connection):
    since = date(2027, 1, 1)
    corrente("new", "Calls", "--percent", "10", "--family", "telephone", "--from", "2020-01-01")
    corrente("apply", "Spring", "--product", "Static address", "--from", "2027-01-01", "--yes")
    promotions = {one.name: one for one in load_promotions(connection)}

    def counted(name, **meant):
        found = count_application(connection, promotions[name], Selection(**meant), since=since)
        chosen = load_selected(connection, Selection(**meant), day=since)
        assert found == plan_application(connection, promotions[name], chosen, since=since)[0]
        return found.gets, found.had, found.without_family

    assert counted("Spring") == (4, 2, 0)
    assert counted("Spring", product="Static address") == (0, 2, 0)
    assert counted("Spring", city="milano") == (1, 0, 0)
    assert counted("Address") == (6, 0, 0)
    assert counted("Calls") == (0, 0, 6)
    assert counted("Calls", family="access") == (0, 0, 6)


def test_what_a_contract_has_is_a_copy_that_a_later_edit_of_the_rule_does_not_reach(corrente, connection):
    corrente("apply", "Address", "--everybody", "--from", "2027-01-01", "--yes")
    before = copies(connection, "Address")
    acting(connection, "maria")
    connection.execute("UPDATE promotion SET value = 3, priority = 9, family = NULL WHERE name = 'Address'")
    connection.commit()
    assert copies(connection, "Address") == before
    assert {row[2:] for row in before} == {(None, "fixed", 1, "access", 5)}


def test_contracts_are_chosen_by_product_family_place_customer_list_and_number(corrente, connection, isp, tmp_path):
    acting(connection, "maria")
    connection.execute(
        "WITH served AS (INSERT INTO address (customer_id, kind, street, postal_code, city, country)"
        " VALUES (%s, 'service', 'Via Etnea', '95131', 'Catania', 'IT') RETURNING id)"
        " UPDATE contract_terms SET service_address_id = (SELECT id FROM served) WHERE contract_id = %s",
        (isp.customers[5], isp.contracts[5]),
    )
    connection.commit()

    def meant(*options):
        done = corrente("apply", "Spring", *options, "--dry-run", "--json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)["contracts"]
        return [isp.contracts.index(number) + 1 for number in found]

    listed = tmp_path / "customers.txt"
    listed.write_text(f"{isp.customers[3]}\n\nC-2\n")
    assert meant("--product", "Static address") == [3, 6]
    assert meant("--family", "access") == [1, 2, 3, 4, 5, 6]
    assert meant("--family", "voice") == []
    assert meant("--city", "MILANO") == [1]
    # Where a line ends comes before the seat, which the sixth has in Torino.
    assert meant("--postal-prefix", "101") == [2, 3, 4, 5]
    assert meant("--city", "catania") == [6]
    assert meant("--customers-file", str(listed)) == [2, 4]
    assert meant("--customer", "C-2", "--contract", str(isp.contracts[1])) == [2]
    assert meant("--product", "Static address", "--city", "Milano") == []
    assert meant("--issuer", "Example Net", "--contract", str(isp.contracts[4])) == [5]


def test_only_copies_that_no_charge_has_counted_are_taken_back(corrente, connection, isp):
    corrente("apply", "Spring", "--everybody", "--from", "2027-01-01", "--yes")
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, discounted, net, currency, due_on, made_by)"
        " VALUES (%s, 'period', '[2027-01-01,2027-02-01)', 31, 31, 29.90, 14.95, 14.95, 'EUR', '2027-01-01', 'maria')",
        (isp.items[0],),
    )
    # Charged without a discount, as a part that was billed before it was given, the copy is still free.
    connection.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, 'period', '[2027-01-01,2027-02-01)', 31, 31, 29.90, 29.90, 'EUR', '2027-01-01', 'maria')",
        (isp.items[3],),
    )
    connection.commit()
    said = "5 contracts lose Spring; 1 have been charged with it and keep it"
    assert said in corrente("undo", "Spring", "--dry-run").output
    assert len(copies(connection)) == 6
    assert corrente("undo", "Spring", "--contract", str(isp.contracts[4]), "--yes").exit_code == 0
    assert corrente("undo", "Spring", typed="n\n").exit_code == 1
    assert corrente("undo", "Spring", "--yes").output.endswith("taken back from 4 contracts.\n")
    assert [row[0] for row in copies(connection)] == [isp.contracts[0]]


def test_what_is_wrong_is_refused_and_gives_nothing(corrente, connection, isp):
    acting(connection, "maria")
    connection.execute("UPDATE contract_terms SET includes_tax = true WHERE contract_id = %s", (isp.contracts[5],))
    connection.commit()
    for arguments, says in (
        (("new", "Spring", "--percent", "5", "--from", "2026-01-01"), "a promotion of this name already"),
        (("new", "X", "--percent", "101", "--from", "2026-01-01"), "at most 100"),
        (("new", "X", "--amount", "0", "--from", "2026-01-01"), "above 0"),
        (("new", "X", "--from", "2026-01-01"), "either --percent or --amount"),
        (("apply", "Sping", "--everybody"), "did you mean Spring?"),
        (("apply", "Spring"), "say which contracts"),
        (("apply", "Spring", "--everybody", "--city", "Milano"), "say which contracts"),
        (("apply", "Spring", "--customer", "nobody"), "there is no customer 'nobody'"),
        (("apply", "Over", "--everybody"), "is given from 2020-01-01 until 2021-01-01"),
        (("apply", "Address", "--everybody", "--yes"), "5 EUR without tax"),
    ):
        refused = corrente(*arguments)
        assert refused.exit_code in (1, 2), arguments
        assert says in refused.output, (arguments, refused.output)
    assert copies(connection) == copies(connection, "Address") == []


def test_a_copy_begins_behind_what_is_billed_of_an_item_that_has_ended_too(corrente, connection, isp):
    acting(connection, "maria")
    connection.execute("UPDATE contract_item SET ends_on = '2026-12-01' WHERE id = %s", (isp.items[1],))
    connection.commit()

    corrente("apply", "Spring", "--everybody", "--from", "2027-01-01", "--yes")

    begins = {contract: first for contract, first, *_ in copies(connection)}
    assert begins[isp.contracts[1]] == date(2027, 3, 1)
    assert begins[isp.contracts[0]] == date(2027, 1, 1)
