"""desired_policy and profile_revision follow the database, and the clock, without anybody touching a row."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from msgspec.structs import replace
from support.desired_keeper import keeping, worker_settings
from support.edge_process import wait_until
from support.small_isp import make_isp, one

from billing.store.checks.catalogue import find_in
from control_plane.check_desired import network_checks
from control_plane.control_loop.desired import PART_ACCOUNTS, READER, Changed
from control_plane.policy import policy_source
from control_plane.policy.rendering import Rendering, build_account_record, policy_version, profile_revision
from nas_drivers.dictionaries.reader import load_dictionary
from radius_hooks.decision import step_at

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    return make_isp(connection)


@pytest.fixture
def settings(cluster, connection, isp):
    return worker_settings(cluster, connection)


@pytest.fixture
def keeper(settings):
    with keeping(settings) as started:
        yield started


def change(connection, statement, *arguments):
    """Commit one statement."""
    connection.execute(statement, arguments)
    connection.commit()


def desired(connection, account):
    row = connection.execute(
        "SELECT level::text, profile_id, reason, valid_until FROM desired_policy WHERE account_id = %s", (account,)
    ).fetchone()
    connection.commit()
    return row


def level(connection, account):
    row = desired(connection, account)
    return row and row[0]


def test_from_nothing_every_account_and_profile_is_worked_out(keeper, isp, connection):
    assert desired(connection, isp.accounts[1]) == ("full", isp.full, "full", None)
    assert one(connection, "SELECT count(*) FROM desired_policy") == 3
    assert one(connection, "SELECT count(*) FROM profile_revision") == 3
    assert keeper.told == [Changed(everything=True)]


def test_the_version_is_what_the_edge_publishes(keeper, isp, connection, settings):
    change(
        connection,
        "INSERT INTO account_prefix (account_id, kind, prefix) VALUES (%s, 'framed_ipv4', '203.0.113.9/32')",
        isp.accounts[0],
    )
    wait_until(lambda: keeper.told[1:])
    found = connection.execute(
        "SELECT d.account_id, p.revision || d.account_revision FROM desired_policy d JOIN profile_revision p USING (profile_id)"
    ).fetchall()
    rendering = Rendering(load_dictionary(settings.radius.freeradius_dictionary), settings.zone, datetime.now(UTC))
    revisions = {row.id: profile_revision(row) for row in policy_source.load_profiles(connection)}
    published = {}
    for row in policy_source.load_accounts(connection, ids=isp.accounts):
        record = build_account_record(row, rendering)
        step = step_at(record.steps, rendering.now.timestamp())
        published[row.account_id] = policy_version(revisions[step.profile_id], record.revision)
    assert dict(found) == published
    assert published[isp.accounts[0]][4:] != published[isp.accounts[1]][4:]


@pytest.fixture
def told_keeper(settings):
    """One that would look by itself tomorrow: what it does before, it was told to."""
    with keeping(replace(settings, edge=replace(settings.edge, poll_interval_s=86_400))) as started:
        yield started


def test_a_change_is_there_and_told_at_its_commit(told_keeper, isp, connection):
    keeper, contract, account = told_keeper, isp.contracts[0], isp.accounts[0]
    change(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'dunning', 'blocked', 'unpaid', 'x')",
        contract,
    )
    wait_until(lambda: level(connection, account) == "blocked")
    assert desired(connection, account) == ("blocked", None, "blocked: dunning: unpaid", None)
    wait_until(lambda: keeper.told[1:])
    assert keeper.told[1:] == [Changed(accounts=[account])]


def test_changed_at_is_when_level_profile_or_revision_changed_and_not_their_reason_or_end(keeper, isp, connection):
    account = isp.accounts[0]
    changed_at = "SELECT changed_at FROM desired_policy WHERE account_id = %s"
    before = one(connection, changed_at, account)
    change(connection, "UPDATE subscriber_account SET expires_at = now() + interval '1 year' WHERE id = %s", account)
    wait_until(lambda: desired(connection, account)[3])
    after = one(connection, changed_at, account)
    assert after > before  # the expiry is part of what a session is given
    change(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since) VALUES (%s, 'admin', 'walled', 'x', 'x', now() + interval '1 day')",
        isp.contracts[0],
    )
    soon = datetime.now(UTC) + timedelta(days=2)
    wait_until(lambda: desired(connection, account)[3] < soon)
    assert one(connection, changed_at, account) == after


def test_moments_that_nobody_touches_a_row_for_wake_it(keeper, isp, connection):
    third = isp.accounts[2]
    connection.execute("UPDATE profile SET quota_octets = 1000 WHERE id = %s", (isp.full,))
    connection.execute("INSERT INTO usage_day VALUES (%s, current_date, 1500, 0)", (third,))
    connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, until)"
        " VALUES (%s, 'dunning', 'walled', 'unpaid', 'x', now() - interval '1 h', NULL),"
        " (%s, 'admin', 'throttle', 'x', 'x', now() - interval '1 h', now() + interval '1 h')",
        (isp.contracts[0], isp.contracts[1]),
    )
    connection.execute(
        "INSERT INTO relief (contract_id, during, reason, granted_by) VALUES (%s, tstzrange(now() - interval '1 s', now() + interval '1 h'), 'promise', 'x')",
        (isp.contracts[0],),
    )
    connection.execute(
        "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '1 h' WHERE id = %s", (third,)
    )
    connection.commit()
    wait_until(lambda: [level(connection, one) for one in isp.accounts] == ["full", "throttle", "throttle"])
    # Soon, and all at once.
    connection.execute("UPDATE restriction SET until = now() + interval '2 s' WHERE until IS NOT NULL")
    connection.execute("UPDATE relief SET during = tstzrange(lower(during), now() + interval '2 s')")
    connection.execute(
        "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '2 s' WHERE id = %s", (third,)
    )
    connection.commit()
    feed = one(connection, "SELECT count(*) FROM change_feed")
    connection.commit()

    wait_until(lambda: [level(connection, one) for one in isp.accounts] == ["walled", "full", "full"])
    assert one(connection, "SELECT count(*) FROM change_feed") == feed
    late = one(connection, "SELECT max(changed_at) - min(changed_at) FROM desired_policy")
    assert late < timedelta(seconds=30)
    assert [row[3] for row in map(lambda one: desired(connection, one), isp.accounts)] == [None, None, None]


def test_an_account_that_expires_may_have_no_session_from_that_second_on(keeper, isp, connection):
    account = isp.accounts[0]
    change(connection, "UPDATE subscriber_account SET expires_at = now() + interval '1 h' WHERE id = %s", account)
    wait_until(lambda: desired(connection, account)[3])
    assert level(connection, account) == "full"
    change(connection, "UPDATE subscriber_account SET expires_at = now() + interval '2 s' WHERE id = %s", account)
    wait_until(lambda: level(connection, account) == "none")
    assert desired(connection, account)[1:] == (None, "account expired", None)


def test_an_edited_profile_touches_one_row_and_none_of_its_accounts(keeper, isp, connection):
    versions = "SELECT array_agg(xmin::text || account_id ORDER BY account_id) FROM desired_policy"
    revision = "SELECT revision FROM profile_revision WHERE profile_id = %s"
    before, old = one(connection, versions), one(connection, revision, isp.full)
    others = one(connection, "SELECT array_agg(xmin::text) FROM profile_revision WHERE profile_id <> %s", isp.full)
    change(connection, "UPDATE profile SET rate_down_bps = 90000000 WHERE id = %s", isp.full)
    wait_until(lambda: one(connection, revision, isp.full) != old)
    assert one(connection, versions) == before
    assert (
        one(connection, "SELECT array_agg(xmin::text) FROM profile_revision WHERE profile_id <> %s", isp.full) == others
    )
    wait_until(lambda: keeper.told[1:])
    assert keeper.told[1:] == [Changed(profiles=[isp.full])]


def test_what_a_profile_gives_is_noted_whole_under_each_of_its_revisions(keeper, isp, connection):
    """Beside what a release has noted that kept the rates alone: that one is completed while it is in force."""
    noted = (
        "SELECT array_agg(k.content ->> 'ipv4_pool' ORDER BY k.since) FROM known_revision k WHERE k.profile_id = %s "
        "AND k.rate_down_bps = (k.content ->> 'rate_down_bps')::bigint"
    )
    wait_until(lambda: one(connection, noted, isp.full) == [None])
    change(connection, "UPDATE profile SET ipv4_pool = 'homes' WHERE id = %s", isp.full)
    wait_until(lambda: one(connection, noted, isp.full) == [None, "homes"])
    change(connection, "UPDATE profile SET ipv4_pool = 'others' WHERE id = %s", isp.full)
    wait_until(lambda: one(connection, noted, isp.full) == [None, "homes", "others"])

    change(connection, "UPDATE known_revision SET content = NULL")
    change(connection, "UPDATE profile SET idle_timeout_s = 600 WHERE id = %s", isp.throttle)
    # Of today's profiles all is noted again; of what is over nobody knows any more.
    wait_until(lambda: one(connection, noted, isp.full) == ["others"])


def test_a_top_up_lets_go_at_once_who_was_throttled(told_keeper, isp, connection):
    account = isp.accounts[0]
    connection.execute("UPDATE profile SET quota_octets = 1000 WHERE id = %s", (isp.full,))
    connection.execute("INSERT INTO usage_day VALUES (%s, current_date, 1500, 0)", (account,))
    connection.execute(
        "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '3 days' WHERE id = %s", (account,)
    )
    connection.commit()
    wait_until(lambda: level(connection, account) == "throttle")
    change(
        connection,
        "INSERT INTO data_topup (contract_id, octets, until, reason, placed_by) VALUES (%s, 501, now() + interval '1 day', 'bought', 'x')",
        isp.contracts[0],
    )
    wait_until(lambda: level(connection, account) == "full")


def test_a_top_up_lets_go_at_once_in_the_midst_of_a_bulk_change_too(told_keeper, isp, connection):
    account = isp.accounts[0]
    connection.execute("UPDATE profile SET quota_octets = 1000 WHERE id = %s", (isp.full,))
    connection.execute("INSERT INTO usage_day VALUES (%s, current_date, 1500, 0)", (account,))
    connection.execute(
        "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '3 days' WHERE id = %s", (account,)
    )
    connection.commit()
    wait_until(lambda: level(connection, account) == "throttle")
    connection.execute(
        "INSERT INTO data_topup (contract_id, octets, until, reason, placed_by) VALUES (%s, 501, now() + interval '1 day', 'bought', 'x')",
        (isp.contracts[0],),
    )
    change(
        connection,
        "INSERT INTO subscriber_account (contract_id, username, sealed_secret) "
        "SELECT %s, 'bulk' || n, decode(repeat('ab', 44), 'hex') FROM generate_series(1, %s) n",
        isp.contracts[1],
        2 * PART_ACCOUNTS,
    )
    wait_until(lambda: level(connection, account) == "full")


def test_it_goes_on_from_where_it_was_and_from_nothing_when_it_is_too_far_behind(settings, isp, connection):
    with keeping(settings) as first:
        change(connection, "UPDATE contract SET status = 'free' WHERE id = %s", isp.contracts[0])
        wait_until(lambda: one(connection, "SELECT count(*) FROM change_feed") > 0)
    assert first.told[0] == Changed(everything=True)

    change(connection, "UPDATE contract SET status = 'ended', ends_on = '2026-01-02' WHERE id = %s", isp.contracts[0])
    with keeping(settings) as second:
        wait_until(lambda: level(connection, isp.accounts[0]) == "none")
    assert not any(told.everything for told in second.told)

    change(connection, "UPDATE desired_policy SET level = 'walled', profile_id = %s", isp.walled)
    change(connection, "UPDATE change_horizon SET xid = pg_current_xact_id()")
    with keeping(settings) as third:
        assert third.told == [Changed(everything=True)]
    assert [level(connection, one) for one in isp.accounts] == ["none", "full", "full"]


def test_an_account_that_can_t_be_rendered_keeps_what_it_had_and_is_not_looked_at_for_ever(keeper, isp, connection):
    account = isp.accounts[0]
    change(connection, "UPDATE subscriber_account SET expires_at = now() + interval '1 day' WHERE id = %s", account)
    wait_until(lambda: desired(connection, account)[3])
    change(
        connection,
        """UPDATE subscriber_account SET own_attributes = '[{"reply": [["Nonsense-Attribute", ":=", "1"]]}]' WHERE id = %s""",
        account,
    )
    wait_until(lambda: desired(connection, account)[3] is None)
    assert level(connection, account) == "full"
    change(connection, "UPDATE contract SET status = 'free' WHERE id = %s", isp.contracts[1])
    change(connection, "UPDATE subscriber_account SET own_attributes = '[]' WHERE id = %s", account)
    wait_until(lambda: desired(connection, account)[3])


def test_an_account_deleted_in_the_middle_of_a_turn_is_left_out(keeper, isp, connection, database):
    with psycopg.connect(database) as other:
        other.execute("DELETE FROM subscriber_account WHERE id = %s", (isp.accounts[0],))
        # It is told of the other one, and sees the first one still there.
        change(connection, "UPDATE contract SET status = 'free' WHERE id = %s", isp.contracts[0])
        other.commit()
    wait_until(lambda: one(connection, "SELECT count(*) FROM desired_policy") == 2)
    change(connection, "UPDATE contract SET status = 'ended', ends_on = '2026-01-02' WHERE id = %s", isp.contracts[1])
    wait_until(lambda: level(connection, isp.accounts[1]) == "none")


def test_a_bulk_change_lets_a_small_one_pass(settings, connection, isp):
    connection.execute(
        "INSERT INTO subscriber_account (contract_id, username, secret_kind) SELECT %s, 'bulk' || n, 'no_secret' FROM generate_series(1, 20000) n",
        (isp.contracts[2],),
    )
    connection.commit()
    with keeping(settings):
        walled = "SELECT count(*) FROM desired_policy WHERE level = 'walled'"
        restrict = "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'walled', 'x', 'x')"
        change(connection, restrict, isp.contracts[2])
        wait_until(lambda: one(connection, walled) > 0)
        change(connection, restrict, isp.contracts[0])
        wait_until(lambda: level(connection, isp.accounts[0]) == "walled")
        assert one(connection, walled) < 20002
        connection.commit()
        wait_until(lambda: one(connection, walled) == 20002)
        position = "SELECT snapshot FROM feed_position WHERE reader = %s"
        assert one(connection, position, READER)


def test_a_payment_is_worked_out_by_itself_between_two_parts_of_a_bulk_change(connection, isp, settings):
    connection.execute(
        "INSERT INTO subscriber_account (contract_id, username, sealed_secret) "
        "SELECT %s, 'bulk' || n, decode(repeat('ab', 44), 'hex') FROM generate_series(1, %s) n",
        (isp.contracts[0], 2 * PART_ACCOUNTS),
    )
    connection.commit()
    payer, told = isp.accounts[2], []

    def tell(changed):
        told.append(changed)
        if len(told) == 2:
            change(
                connection,
                "UPDATE subscriber_account SET expires_at = now() + interval '1 day' WHERE id = %s",
                payer,
            )

    with keeping(settings, on_changed=tell):
        change(
            connection,
            "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'walled', 'x', 'x')",
            isp.contracts[0],
        )
        wait_until(lambda: sum(len(one.accounts) for one in told) == 2 * PART_ACCOUNTS + 2)

    assert [len(one.accounts) for one in told[1:]] == [PART_ACCOUNTS, 1, PART_ACCOUNTS, 1]
    assert told[2].accounts == [payer]


def test_the_check_of_the_books_works_out_what_accounts_are_to_have_and_minds_what_is_not_looked_at_yet(
    keeper, isp, connection
):
    def wrong():
        with psycopg.connect(connection.info.dsn, user="corrente") as reader:
            return [(one.subject, one.message) for one in find_in(reader, network_checks(ZoneInfo("Europe/Rome")))]

    contract = isp.contracts[0]
    (name,) = connection.execute("SELECT username FROM subscriber_account WHERE id = %s", (isp.accounts[0],)).fetchone()
    assert wrong() == []
    change(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'walled', 'x', 'x')",
        contract,
    )
    wait_until(lambda: level(connection, isp.accounts[0]) == "walled")
    assert wrong() == []
    keeper.end()
    change(connection, "UPDATE restriction SET lifted_at = now(), lifted_by = 'x' WHERE contract_id = %s", contract)
    assert wrong() == []
    change(connection, "UPDATE feed_position SET snapshot = pg_current_snapshot()::text")
    assert wrong() == [
        (f"account {name}", f"it is to have walled and contract {contract}, which is active, comes to full")
    ]
