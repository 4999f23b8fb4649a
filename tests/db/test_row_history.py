"""How rows stood before each change is kept by the database itself: append-only, without secrets, only what changed."""

from __future__ import annotations

import pytest
from support.small_isp import make_isp

pytestmark = pytest.mark.db


def history(connection, kind):
    return connection.execute(
        "SELECT key, content FROM row_history WHERE kind = %s ORDER BY until, id", (kind,)
    ).fetchall()


def test_a_row_that_never_changed_has_no_history(connection):
    make_isp(connection)

    assert connection.execute("SELECT count(*) FROM row_history").fetchone() == (0,)


def test_each_change_keeps_the_row_as_it_stood_and_the_role_that_changed_it(connection):
    isp = make_isp(connection)
    contract = isp.contracts[0]
    connection.execute("UPDATE contract SET status = 'free' WHERE id = %s", (contract,))
    connection.execute("UPDATE contract SET status = 'ended', ends_on = '2026-03-01' WHERE id = %s", (contract,))

    kept = history(connection, "contract")

    assert [(key, was["status"], was["ends_on"]) for key, was in kept] == [
        (contract, "active", None),
        (contract, "free", None),
    ]
    assert connection.execute("SELECT DISTINCT by_role = session_user FROM row_history").fetchall() == [(True,)]


def test_a_statement_over_many_rows_keeps_those_that_it_really_changed(connection):
    isp = make_isp(connection, accounts=3)
    connection.execute("UPDATE contract SET starts_on = '2026-01-01' WHERE id = %s", (isp.contracts[0],))
    connection.execute("UPDATE contract SET starts_on = '2026-01-01'")

    assert sorted(key for key, _ in history(connection, "contract")) == isp.contracts


def test_a_secret_never_enters_the_history_and_a_new_one_is_no_change(connection):
    isp = make_isp(connection, accounts=1)
    connection.execute("UPDATE subscriber_account SET sealed_secret = decode(repeat('cd', 40), 'hex')")
    assert history(connection, "account") == []

    connection.execute("UPDATE subscriber_account SET max_sessions = 2")

    [(key, was)] = history(connection, "account")
    assert (key, was["max_sessions"], "sealed_secret" in was) == (isp.accounts[0], 1, False)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("plan", "UPDATE plan SET name = 'office'"),
        ("profile", "UPDATE profile SET rate_up_bps = 10000 WHERE name = 'pay'"),
        ("relief", "UPDATE relief SET reason = 'other'"),
        ("restriction", "UPDATE restriction SET lifted_at = now(), lifted_by = 'maria'"),
        ("account", "DELETE FROM subscriber_account WHERE username = 'user0003'"),
        ("contract", "DELETE FROM contract WHERE id = (SELECT max(id) FROM contract)"),
    ],
)
def test_every_kind_of_row_that_decides_a_policy_is_kept(connection, kind, change):
    isp = make_isp(connection)
    connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'walled', 'x', 'maria')",
        (isp.contracts[0],),
    )
    connection.execute(
        "INSERT INTO relief (contract_id, during, reason, granted_by) VALUES (%s, '[2026-01-01,2026-01-02)', 'x', 'maria')",
        (isp.contracts[0],),
    )
    connection.execute(
        "DELETE FROM subscriber_account WHERE contract_id = %s AND %s", (isp.contracts[2], kind == "contract")
    )

    connection.execute(change)

    assert len(history(connection, kind)) == 1
