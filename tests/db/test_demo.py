"""The demo ISP as it lands in a database."""

from datetime import date

import psycopg
import pytest

from control_plane import db
from control_plane.machine.demo import DemoOutcome, is_demo, load_demo
from control_plane.machine.demo_isp import CUSTOMERS, NASES, demo_lines
from radius_hooks.sealing import Sealer, account_row, nas_row

pytestmark = pytest.mark.db
KEY = bytes(range(32))
TODAY = date(2026, 11, 21)
TABLES = ("site", "nas", "profile", "plan", "customer", "contract", "restriction", "relief", "subscriber_account",
          "account_prefix", "change_feed", "audit_log")  # fmt: skip


def counts(connection: psycopg.Connection) -> dict[str, int]:
    return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


@pytest.fixture(scope="module")
def demo(module_database):
    """The demo's database, loaded once: who changes it takes that back."""
    with db.connect(module_database, name="test") as connection:
        assert load_demo(connection, Sealer([KEY]), today=TODAY) is DemoOutcome.LOADED
    return module_database


@pytest.fixture
def loaded(demo):
    with db.connect(demo, name="test") as connection:
        yield connection
        connection.rollback()


def test_an_empty_database_gets_the_whole_isp(loaded):
    connection = loaded
    found = counts(connection)
    assert (found["customer"], found["contract"], found["subscriber_account"]) == (CUSTOMERS,) * 3
    assert (found["nas"], found["site"], found["plan"], found["profile"]) == (6, 3, 4, 6)
    assert is_demo(connection)
    statuses = {row[0] for row in connection.execute("SELECT DISTINCT status::text FROM contract")}
    assert statuses == {"draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled"}
    levels = {row[0] for row in connection.execute("SELECT DISTINCT level::text FROM restriction")}
    assert levels == {"throttle", "walled", "blocked"}
    assert found["relief"] > 3
    kinds = {row[0] for row in connection.execute("SELECT DISTINCT kind::text FROM account_prefix")}
    assert kinds == {"framed_ipv4", "delegated_ipv6_prefix", "route"}


def test_loading_it_again_changes_nothing(loaded):
    before = counts(loaded)
    assert load_demo(loaded, Sealer([KEY]), today=TODAY) is DemoOutcome.ALREADY_THERE
    assert counts(loaded) == before


def test_contracts_are_as_the_made_up_lines_say_when_the_year_has_passed(loaded):
    """Those that ended and those with another plan went there by deeds of their day."""
    rows = loaded.execute(
        "SELECT a.username, p.name, c.status::text, c.starts_on, c.ends_on FROM subscriber_account a JOIN contract c ON c.id = a.contract_id"
        " JOIN plan p ON p.id = c.plan_id ORDER BY c.id"
    ).fetchall()
    assert rows == [(one.username, one.plan, one.status, one.starts_on, one.ends_on) for one in demo_lines(TODAY)]


def test_every_customer_has_papers_and_every_contract_terms(loaded):
    (addresses, numbers, contacts, terms, unserved) = loaded.execute(
        "SELECT (SELECT count(DISTINCT customer_id) FROM address WHERE latitude IS NOT NULL), (SELECT count(DISTINCT customer_id) FROM tax_identifier),"
        " (SELECT count(DISTINCT customer_id) FROM contact), (SELECT count(*) FROM contract_terms WHERE service_address_id IS NOT NULL),"
        " (SELECT count(*) FROM contract c WHERE status = 'active' AND NOT EXISTS (SELECT FROM contract_item i JOIN billing_position b ON b.item_id = i.id"
        "     WHERE i.contract_id = c.id AND i.kind = 'plan' AND b.due_on IS NOT NULL))"
    ).fetchone()
    assert (addresses, numbers, contacts, terms, unserved) == (CUSTOMERS, CUSTOMERS, CUSTOMERS, CUSTOMERS, 0)


def test_a_database_with_data_of_its_own_is_left_alone(connection):
    connection.execute("INSERT INTO customer (name) VALUES ('Somebody real')")
    before = counts(connection)
    assert load_demo(connection, Sealer([KEY]), today=TODAY) is DemoOutcome.OTHER_DATA
    assert counts(connection) == before
    assert not is_demo(connection)


def test_two_loaders_at_once_load_it_once(database, connection):
    assert load_demo(connection, Sealer([KEY]), today=TODAY, customers=20) is DemoOutcome.LOADED
    with db.connect(database, name="test") as other:
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            load_demo(other, Sealer([KEY]), today=TODAY)
        other.rollback()
        connection.commit()
        assert load_demo(other, Sealer([KEY]), today=TODAY) is DemoOutcome.ALREADY_THERE


def test_the_secrets_open_for_their_rows(loaded):
    connection, sealer = loaded, Sealer([KEY])
    key, sealed = connection.execute("SELECT id, sealed_secret FROM nas WHERE name = 'kingsbridge-olt'").fetchone()
    assert sealer.open(sealed, row=nas_row(key)) == b"demo-kingsbridge-olt"
    key, sealed = connection.execute("SELECT id, sealed_secret FROM subscriber_account LIMIT 1").fetchone()
    assert len(sealer.open(sealed, row=account_row(key))) == 10
    assert {nas.name for nas in NASES} == {row[0] for row in connection.execute("SELECT name FROM nas")}


def test_accounts_made_later_get_ids_of_their_own(loaded):
    loaded.execute("INSERT INTO customer (name) VALUES ('One more')")
    assert counts(loaded)["customer"] == CUSTOMERS + 1
