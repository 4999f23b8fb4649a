"""corrente import freeradius-sql, as an operator types it. The answers themselves are compared in tests/radius."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.accounting_world import NOON, detail, settings_for, ship, spool
from support.command_line import KEY, run, write_settings

from control_plane import db
from radius_hooks.sealing import Sealer, account_row, nas_row

pytestmark = pytest.mark.db

SEALER = Sealer((KEY,))
STOCK_SCHEMA = Path("/etc/freeradius/3.0/mods-config/sql/main/postgresql/schema.sql")
ROWS = """
INSERT INTO radcheck (username, attribute, op, value) VALUES
    ('anna', 'Cleartext-Password', ':=', 'anna-secret'), ('anna', 'Simultaneous-Use', ':=', '2'),
    ('bruno', 'MD5-Password', ':=', '8fe4c11451281c094a6578e6ddbf5eed'), ('bruno', 'Expiration', ':=', '31 Dec 2036'),
    ('carla', 'Cleartext-Password', ':=', 'carla-secret'), ('carla', 'NAS-Port-Type', '==', 'Virtual');
INSERT INTO radreply (username, attribute, op, value) VALUES
    ('anna', 'Framed-IP-Address', ':=', '100.64.0.1'), ('carla', 'Cisco-AVPair', '+=', 'ip:x=1');
INSERT INTO radusergroup (username, groupname, priority) VALUES ('anna', 'Gold', 1), ('bruno', 'Gold', 1), ('bruno', 'Off', 2);
INSERT INTO radgroupcheck (groupname, attribute, op, value) VALUES ('Off', 'Auth-Type', ':=', 'Reject');
INSERT INTO radgroupreply (groupname, attribute, op, value) VALUES
    ('Gold', 'Mikrotik-Rate-Limit', ':=', '30M/300M'), ('Gold', 'Fall-Through', '=', 'Yes');
INSERT INTO nas (nasname, shortname, type, secret) VALUES
    ('192.0.2.1', 'bras 1', 'mikrotik', 'nas-secret'), ('198.51.100.0/24', '', 'mikrotik', 'other-secret');
INSERT INTO radacct (acctsessionid, acctuniqueid, username, nasipaddress, nasportid, acctstarttime, acctupdatetime,
    acctinterval, acctsessiontime, acctinputoctets, acctoutputoctets, callingstationid, framedipaddress, delegatedipv6prefix)
VALUES ('s1', 'u1', 'anna', '192.0.2.1', 'ether5', '2026-11-21 11:00Z', '2026-11-21 11:50Z', 600, 3000, 5000000000, 7000,
    'AA-BB-CC-00-00-01', '100.64.0.1', '2001:db8:1::/56');
"""
_numbers = itertools.count(1)


@pytest.fixture
def before(cluster):
    """The conninfo of a FreeRADIUS database with three users, two NASes and a session."""
    name = f"radius_{next(_numbers)}"
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        with db.connect(cluster.conninfo(name), name="test") as connection:
            connection.execute(STOCK_SCHEMA.read_text())
            connection.execute(ROWS)
        yield cluster.conninfo(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def corrente(tmp_path, database, before):
    settings = write_settings(tmp_path, database)

    def command(*arguments):
        return run(settings, "import", "freeradius-sql", "--from", before, *arguments)

    return command


def _change(before, statement):
    with db.connect(before, name="test") as connection:
        connection.execute(statement)


def _all(connection, query, *arguments):
    connection.rollback()
    return connection.execute(query, arguments).fetchall()


def _everything(connection):
    """Every row of every table, so that any change at all is seen."""
    connection.rollback()
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()
    return {name: connection.execute(f"SELECT t::text FROM {name} t ORDER BY 1").fetchall() for (name,) in tables}


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(corrente, connection):
    empty = _everything(connection)
    done = corrente()
    assert done.exit_code == 0, done.output
    assert "make       user anna: account on plan 'Gold', clear secret, 2 at once, 100.64.0.1/32" in done.output
    assert "make       user bruno: account on plan 'Gold', md5 secret, until 2036-12-30 23:00Z, blocked" in done.output
    assert "make       user carla: account on plan 'imported', clear secret, 1 blocks of own attributes" in done.output
    assert "make       nas 1 192.0.2.1: NAS bras-1, source 192.0.2.1/32, vendor mikrotik" in done.output
    assert "8 to make, 0 there already, 0 refused, 1 notes" in done.output
    assert _everything(connection) == empty


def test_apply_makes_accounts_plans_nases_and_sessions(corrente, connection):
    done = corrente("--apply")
    assert done.exit_code == 0, done.output

    accounts = _all(connection, "SELECT a.id, a.username, a.secret_kind::text, a.sealed_secret, a.max_sessions, p.name, c.status::text, u.name "
        "FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN plan p ON p.id = c.plan_id "
        "JOIN customer u ON u.id = c.customer_id ORDER BY 2")  # fmt: skip
    assert [(row[1], row[2], *row[4:]) for row in accounts] == [
        ("anna", "clear", 2, "Gold", "active", "anna"),
        ("bruno", "md5", 0, "Gold", "active", "bruno"),
        ("carla", "clear", 0, "imported", "active", "carla"),
    ]
    assert [SEALER.open(row[3], row=account_row(row[0])) for row in accounts] == [
        b"anna-secret",
        b"8fe4c11451281c094a6578e6ddbf5eed",
        b"carla-secret",
    ]
    assert _all(
        connection, "SELECT rate_down_bps, rate_up_bps, interim_interval_s FROM profile WHERE name = 'Gold'"
    ) == [(300_000_000, 30_000_000, None)]
    assert _all(connection, "SELECT kind::text, prefix::text FROM account_prefix") == [("framed_ipv4", "100.64.0.1/32")]
    assert _all(connection, "SELECT origin::text, level::text, placed_by FROM restriction") == [
        ("admin", "blocked", "import")
    ]
    own = _all(connection, "SELECT own_attributes FROM subscriber_account WHERE username = 'carla'")[0][0]
    assert own == [
        {
            "check": [["NAS-Port-Type", "==", "Virtual"]],
            "control": [],
            "reply": [["Cisco-AVPair", ":=", "ip:x=1"]],
            "fall_through": False,
        }
    ]
    nases = _all(
        connection,
        "SELECT id, name, source::text, vendor, require_message_authenticator, sealed_secret FROM nas ORDER BY id",
    )
    assert [row[1:5] for row in nases] == [
        ("bras-1", "192.0.2.1/32", "mikrotik", False),
        ("198.51.100.0-24", "198.51.100.0/24", "mikrotik", False),
    ]
    assert SEALER.open(nases[0][5], row=nas_row(nases[0][0])) == b"nas-secret"
    session = _all(connection, "SELECT acct_session_id, username, octets_in, counter_out, mac, line, framed_ipv4::text, delegated_ipv6_prefix::text, "
        "session_time_s, interim_interval_s, started_at FROM session")  # fmt: skip
    assert session == [("s1", "anna", 5_000_000_000, 7000, "aabbcc000001", "ether5", "100.64.0.1/32", "2001:db8:1::/56", 3000, 600,
        datetime(2026, 11, 21, 11, tzinfo=UTC))]  # fmt: skip
    assert _all(connection, "SELECT count(*) FROM change_feed WHERE kind = 'session' AND key = %s", accounts[0][0]) == [
        (1,)
    ]
    assert _all(connection, "SELECT actor, action, subject, detail ->> 'make' FROM audit_log") == [
        ("maria", "import.applied", "freeradius-sql", "8")
    ]


def test_running_it_twice_changes_nothing(corrente, connection):
    assert corrente("--apply").exit_code == 0
    once = _everything(connection)
    again = corrente("--apply")
    assert again.exit_code == 0, again.output
    assert "0 made, 8 there already, 0 refused" in again.output
    twice = _everything(connection)
    assert len(twice.pop("audit_log")) == len(once.pop("audit_log")) + 1
    assert twice == once


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE radcheck SET value = 'changed' WHERE username = 'anna' AND attribute = 'Cleartext-Password'",
            "secret",
        ),
        ("UPDATE radreply SET value = '100.64.0.9' WHERE username = 'anna'", "addresses"),
        ("UPDATE radcheck SET value = '3' WHERE attribute = 'Simultaneous-Use'", "sessions at once"),
        ("UPDATE radreply SET value = 'ip:x=2' WHERE username = 'carla'", "own attributes"),
        ("DELETE FROM radgroupcheck", "restriction"),
        ("DELETE FROM radcheck WHERE attribute = 'Expiration'", "expiry"),
        ("UPDATE radgroupreply SET value = '1M/1M' WHERE attribute = 'Mikrotik-Rate-Limit'", "rate_down_bps"),
        ("UPDATE nas SET secret = 'new' WHERE id = 1", "secret"),
    ],
)
def test_what_was_changed_since_is_named_and_not_overwritten(corrente, connection, before, statement, what):
    assert corrente("--apply").exit_code == 0
    once = _everything(connection)
    _change(before, statement)
    again = corrente("--apply")
    assert again.exit_code == 1
    assert what in "\n".join(line for line in again.output.splitlines() if line.startswith("refused"))
    assert "nothing was made" in again.output
    assert _everything(connection) == once


def test_a_refused_line_stops_everything_unless_it_is_to_be_skipped(corrente, connection, before):
    _change(
        before,
        "INSERT INTO radcheck (username, attribute, op, value) VALUES ('carla', 'Login-Time', ':=', 'Wk0800-1800')",
    )
    empty = _everything(connection)
    refused = corrente("--apply")
    assert refused.exit_code == 1
    assert "Login-Time := Wk0800-1800: needs the module logintime" in refused.output
    assert _everything(connection) == empty

    skipped = corrente("--apply", "--skip-refused")
    assert skipped.exit_code == 0, skipped.output
    assert _all(connection, "SELECT username FROM subscriber_account ORDER BY 1") == [("anna",), ("bruno",)]
    assert _all(connection, "SELECT detail ->> 'refused' FROM audit_log") == [("1",)]


def test_what_the_database_refuses_leaves_nothing_behind(corrente, connection):
    connection.execute("ALTER TABLE session ADD CONSTRAINT session_refused CHECK (line <> 'ether5')")
    connection.commit()
    empty = _everything(connection)
    done = corrente("--apply")
    assert done.exit_code == 1
    assert "nothing was made: the database refused" in done.output
    assert "session_refused" in done.output
    assert _everything(connection) == empty


def test_an_address_that_another_account_holds_here_is_refused(corrente, connection, before):
    assert corrente("--apply").exit_code == 0
    _change(before, "DELETE FROM radreply WHERE username = 'anna'; DELETE FROM radcheck WHERE username = 'anna'; DELETE FROM radacct; "
        "DELETE FROM radusergroup WHERE username = 'anna'; "
        "INSERT INTO radcheck (username, attribute, op, value) VALUES ('dario', 'Cleartext-Password', ':=', 'x'); "
        "INSERT INTO radreply (username, attribute, op, value) VALUES ('dario', 'Framed-Route', ':=', '100.64.0.0/24 0.0.0.0 1')")  # fmt: skip
    done = corrente()
    assert done.exit_code == 1
    assert "refused    user dario: 100.64.0.0/24 overlaps 100.64.0.1/32 of account anna" in done.output


def test_json_holds_the_same_findings(corrente):
    done = corrente("--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report["applied"] is False
    assert report["totals"] == {"make": 8, "unchanged": 0, "note": 1, "refused": 0}
    assert {
        "verdict": "make",
        "where": "user anna",
        "text": "account on plan 'Gold', clear secret, 2 at once, 100.64.0.1/32",
    } in report["findings"]


def test_no_secret_is_printed(corrente):
    said = corrente().output + corrente("--json").output + corrente("--apply").output
    for secret in ("anna-secret", "carla-secret", "8fe4c11451281c09", "nas-secret"):
        assert secret not in said


@pytest.mark.parametrize("source", ["host=/nowhere dbname=x", "this is no conninfo"])
def test_a_database_that_cannot_be_read_is_named(tmp_path, database, source):
    done = run(write_settings(tmp_path, database), "import", "freeradius-sql", "--from", source)
    assert done.exit_code == 1
    assert "the FreeRADIUS database can't be read" in done.output


def test_a_database_without_the_tables_is_not_freeradius(tmp_path, database):
    done = run(write_settings(tmp_path, database), "import", "freeradius-sql", "--from", database)
    assert done.exit_code == 1
    assert "no table radcheck, radreply, radusergroup, radgroupcheck, radgroupreply" in done.output


def test_an_older_schema_without_ids_and_ipv6_columns_is_read(corrente, connection, before):
    _change(before, "ALTER TABLE radusergroup DROP COLUMN id; ALTER TABLE radacct DROP COLUMN framedipv6address, DROP COLUMN framedipv6prefix, "
        "DROP COLUMN delegatedipv6prefix, DROP COLUMN acctinterval")  # fmt: skip
    done = corrente("--apply")
    assert done.exit_code == 0, done.output
    assert _all(connection, "SELECT delegated_ipv6_prefix, interim_interval_s FROM session") == [(None, None)]


def test_addresses_as_text_and_times_without_a_zone_are_read(corrente, connection, before):
    _change(before, "ALTER TABLE radacct ALTER nasipaddress TYPE text USING host(nasipaddress), ALTER framedipv6address TYPE text, "
        "ALTER acctstarttime TYPE timestamp USING acctstarttime AT TIME ZONE 'UTC'; UPDATE radacct SET framedipv6address = ''")  # fmt: skip
    assert corrente("--apply").exit_code == 0
    assert _all(connection, "SELECT started_at, framed_ipv6_address FROM session") == [
        (datetime(2026, 11, 21, 11, tzinfo=UTC), None)
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("'bras.example', 'b', 'other', 's'", "a host name"),
        ("'0.0.0.0/0', 'b', 'other', 's'", "nearly everyone"),
        ("'203.0.113.1', 'b', 'other', ''", "no shared secret"),
        ("'192.0.2.1/32', 'b', 'other', 's'", "an earlier row"),
    ],
)
def test_a_nas_that_cannot_be_one_is_refused(corrente, before, row, problem):
    _change(before, f"INSERT INTO nas (nasname, shortname, type, secret) VALUES ({row})")
    done = corrente()
    assert done.exit_code == 1
    assert problem in done.output


def test_an_open_session_goes_on_when_its_next_record_comes(corrente, connection, database, tmp_path):
    connection.execute("SELECT make_month(date '2026-11-01')")
    connection.commit()
    assert corrente("--apply").exit_code == 0
    settings = settings_for(tmp_path / "node", database)
    spool(settings, detail("Interim-Update", at=NOON, source="192.0.2.1", time=3600, octets=(5_000_000_100, 7010)))
    ship(settings)
    assert _all(connection, "SELECT acct_session_id, octets_in, octets_out FROM session") == [
        ("s1", 5_000_000_100, 7010)
    ]
    assert _all(connection, "SELECT sum(octets_in), sum(octets_out) FROM usage_hour") == [(100, 10)]


CSV = (
    "username,password,plan,customer,static_ipv4,mac,max_sessions,expires\n"
    "anna,s3cret,Home,Rossi,192.0.2.10,02:00:5e:10:00:01,1,2036-12-31\n"
    "bruno,s3cret,Home,Rossi,,,,\n"
)


@pytest.fixture
def csv_import(tmp_path, database, connection):
    """`corrente import csv` on a database with the plan Home; the text of the file first."""
    connection.execute("INSERT INTO profile (name) VALUES ('Home')")
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', id, id, id FROM profile"
    )
    connection.commit()
    settings = write_settings(tmp_path, database)

    def command(text, *arguments):
        (tmp_path / "accounts.csv").write_text(text)
        return run(settings, "import", "csv", str(tmp_path / "accounts.csv"), *arguments)

    return command


def test_a_csv_file_is_made_once_and_changes_nothing_the_second_time(csv_import, connection):
    empty = _everything(connection)
    dry = csv_import(CSV)
    assert dry.exit_code == 0, dry.output
    assert (
        "make       line 2: account on plan 'Home', clear secret, 1 at once, until 2036-12-30 23:00Z, MAC 02005e100001, 192.0.2.10/32"
        in dry.output
    )
    assert _everything(connection) == empty

    assert csv_import(CSV, "--apply").exit_code == 0
    assert _all(
        connection, "SELECT name, count(*) FROM customer JOIN contract ON customer_id = customer.id GROUP BY 1"
    ) == [("Rossi", 2)]
    once = _everything(connection)
    again = csv_import(CSV, "--apply")
    assert "0 made, 2 there already, 0 refused" in again.output
    twice = _everything(connection)
    assert len(twice.pop("audit_log")) == len(once.pop("audit_log")) + 1
    assert twice == once


def test_a_bad_line_of_a_csv_file_stops_everything(csv_import, connection):
    empty = _everything(connection)
    done = csv_import(CSV + "carla,x,Hime,,,,,\n", "--apply")
    assert done.exit_code == 1
    assert "refused    line 4: plan: there is no plan 'Hime'; did you mean 'Home'?" in done.output
    assert _everything(connection) == empty


def test_a_username_that_is_there_with_another_password_is_refused(csv_import, connection):
    assert csv_import(CSV, "--apply").exit_code == 0
    done = csv_import(CSV.replace("bruno,s3cret", "bruno,other"), "--apply")
    assert done.exit_code == 1
    assert "refused    line 3: the account is there and differs in secret" in done.output


def test_a_customer_name_that_several_bear_is_refused(csv_import, connection):
    connection.execute("INSERT INTO customer (name) VALUES ('Rossi'), ('Rossi')")
    connection.commit()
    done = csv_import(CSV, "--apply")
    assert done.exit_code == 1
    assert "line 2: there are several customers named 'Rossi'" in done.output


def test_a_csv_file_that_is_not_there_is_named(tmp_path, database):
    done = run(write_settings(tmp_path, database), "import", "csv", str(tmp_path / "none.csv"))
    assert done.exit_code == 1
    assert "none.csv: can't be read: No such file or directory" in done.output
