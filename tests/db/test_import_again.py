"""What an import finds there already or can't have: said in the dry run, and never made a second time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from support.accounting_world import NOON, detail, rows, settings_for, ship, spool
from support.command_line import KEY, run, write_settings
from support.edge_process import wait_until

from control_plane import db
from control_plane.takeover import store
from control_plane.takeover.apply_wanted import Intent, run_import
from control_plane.takeover.wanted import (
    Verdict,
    Wanted,
    WantedAccount,
    WantedNas,
    WantedPlan,
    WantedProfile,
    WantedSession,
)
from radius_hooks.sealing import Sealer

pytestmark = pytest.mark.db

ANNA = WantedAccount("user anna", "anna", "clear", b"anna-secret", "Home")
OPEN = WantedSession(
    "radacct 1", "anna", "192.0.2.1", "s1", datetime.fromtimestamp(NOON, UTC), datetime.fromtimestamp(NOON + 600, UTC),
    600, 5000, 7000, 600, "10.0.0.1", None, None, None, "", "",
)  # fmt: skip
WANTED = Wanted(
    nases=(WantedNas("nas 1", "bras", "192.0.2.1/32", "mikrotik", b"nas-secret-nas-secret"),),
    plans=(WantedPlan("radgroupreply Home", "Home", WantedProfile()),),
    accounts=(ANNA,),
    sessions=(OPEN,),
)


def apply(conninfo, wanted):
    with db.connect(conninfo, name="test") as connection:
        intent = Intent("maria", "test", apply=True, skip_refused=False)
        return run_import(connection, wanted, sealer=Sealer((KEY,)), intent=intent, progress=lambda *_: None)


def test_a_session_that_has_ended_here_is_not_opened_again(database, tmp_path):
    """The other system never hears of the Stop, for accounting comes to us by then: its row stays open for ever."""
    apply(database, WANTED)
    world = settings_for(tmp_path, database)
    spool(world, detail("Stop", source="192.0.2.1", at=NOON + 900, time=900, octets=(6000, 9000)))
    ship(world)

    again = apply(database, WANTED)

    assert [finding.verdict for finding in again if finding.where == "radacct 1"] == [Verdict.UNCHANGED]
    assert rows(database, "SELECT * FROM session") == []
    assert rows(database, "SELECT octets_in, octets_out FROM closed_session") == [(6000, 9000)]


def test_a_second_import_at_the_same_time_waits_and_then_finds_everything_there(database):
    found = []

    def import_too():
        found.extend(apply(database, WANTED))

    with db.connect(database, name="first") as first:
        store.begin(first)
        second = threading.Thread(target=import_too)
        second.start()
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        assert wait_until(lambda: rows(database, waits))
        first.execute("INSERT INTO customer (name) VALUES ('anna')")
        first.execute("INSERT INTO profile (name, interim_interval_s) VALUES ('Home', NULL)")
        first.execute(
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', id, id, id FROM profile"
        )
        first.commit()
    second.join(timeout=120)

    assert [finding.text for finding in found if finding.where.startswith("radgroupreply")] == [
        "is there already, just so"
    ]


@pytest.mark.parametrize(
    ("columns", "values", "said"),
    [
        ("routes", "10.1.0.0/24 10.1.0.0/24", "10.1.0.0/24 stands there twice"),
        ("ipv6_prefix,delegated_prefix", "2001:db8:1::/56,2001:db8:1::/56", "2001:db8:1::/56 stands there twice"),
    ],
)
def test_a_prefix_that_an_account_has_twice_is_refused_in_the_dry_run(
    database, connection, tmp_path, columns, values, said
):
    connection.execute("INSERT INTO profile (name) VALUES ('Home')")
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', id, id, id FROM profile"
    )
    connection.commit()
    file = tmp_path / "accounts.csv"
    file.write_text(
        f"username,password,plan,{columns}\nanna,s3cret,Home,{values}\nbruno,s3cret,Home{',' * len(columns.split(','))}\n"
    )

    done = run(write_settings(tmp_path, database), "import", "csv", str(file))

    assert done.exit_code == 1
    assert f"refused    line 2: {said}" in done.output
    assert "make       line 3: " in done.output
