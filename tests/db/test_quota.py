"""Quotas on a real database: the running count, late usage, steps, top-ups; as the roles they have in production."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.small_isp import make_isp, one

from control_plane import db
from control_plane.policy.quota import count_quotas, lift_quotas
from control_plane.settings import DatabaseSettings, Settings

pytestmark = pytest.mark.db

ROME = ZoneInfo("Europe/Rome")
# Rome is an hour ahead in March until the 29th.
MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)
RESET = datetime(2026, 3, 31, 22, tzinfo=UTC)


@pytest.fixture
def settings(cluster, connection):
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    name = one(connection, "SELECT current_database()")
    connection.commit()
    return Settings(database=DatabaseSettings(conninfo=cluster.conninfo(name, user="corrente_worker")))


@pytest.fixture
def worker(settings):
    with db.connect(settings.database.conninfo, name="worker", autocommit=True) as opened:
        yield opened


@pytest.fixture
def isp(connection):
    made = make_isp(connection, accounts=3)
    connection.execute("UPDATE profile SET quota_octets = 1000 WHERE id = %s", (made.full,))
    connection.commit()
    return made


def use(connection, account, day, octets_in, octets_out):
    connection.execute("INSERT INTO usage_day VALUES (%s, %s, %s, %s)", (account, day, octets_in, octets_out))
    connection.commit()


def counted(worker, settings, now):
    """How many accounts a count throttles, and how many it lets go."""
    words = count_quotas(worker, settings, now).split(", ")
    return int(words[0].removesuffix(" used up")), int(words[1].removesuffix(" free again"))


def exhausted(connection):
    found = connection.execute(
        "SELECT id, quota_exhausted_until FROM subscriber_account WHERE quota_exhausted_until IS NOT NULL ORDER BY id"
    ).fetchall()
    connection.commit()
    return found


def test_a_quota_is_used_up_by_both_directions_of_all_days_of_the_month_until_the_next_begins(
    worker, settings, isp, connection
):
    first, second, third = isp.accounts
    use(connection, first, "2026-03-01", 400, 100)
    use(connection, first, "2026-03-09", 250, 250)
    use(connection, second, "2026-03-09", 500, 499)
    use(connection, third, "2026-02-28", 5000, 5000)
    use(connection, third, "2026-04-01", 5000, 5000)

    done = "1 used up, 0 free again, 3 steps noted, 3 accounts summed anew (0 of them for late usage)"
    assert count_quotas(worker, settings, MARCH) == done
    # Midnight of 1 April in Rome, when its clocks are two hours ahead.
    assert exhausted(connection) == [(first, datetime(2026, 3, 31, 22, tzinfo=UTC))]
    assert counted(worker, settings, MARCH) == (0, 0)


def test_a_bigger_quota_or_none_or_a_new_month_frees_again(worker, settings, isp, connection):
    for account in isp.accounts:
        use(connection, account, "2026-03-09", 1500, 0)
    count_quotas(worker, settings, MARCH)
    assert len(exhausted(connection)) == 3

    connection.execute("UPDATE profile SET quota_octets = 1501 WHERE id = %s", (isp.full,))
    connection.commit()
    assert counted(worker, settings, MARCH) == (0, 3)
    connection.execute("UPDATE profile SET quota_octets = 1500 WHERE id = %s", (isp.full,))
    connection.commit()
    assert counted(worker, settings, MARCH) == (3, 0)
    assert counted(worker, settings, datetime(2026, 3, 31, 22, tzinfo=UTC)) == (0, 3)
    count_quotas(worker, settings, MARCH)
    connection.execute("UPDATE profile SET quota_octets = NULL")
    connection.commit()
    count_quotas(worker, settings, MARCH)
    assert exhausted(connection) == []


def test_counting_again_writes_nothing_to_the_feed(worker, settings, isp, connection):
    use(connection, isp.accounts[0], "2026-03-09", 1500, 0)
    count_quotas(worker, settings, MARCH)
    before = one(connection, "SELECT count(*) FROM change_feed")
    connection.commit()
    count_quotas(worker, settings, MARCH)
    assert one(connection, "SELECT count(*) FROM change_feed") == before


def events(connection):
    found = connection.execute(
        "SELECT account_id, month, percent, action::text, octets, allowed FROM quota_event ORDER BY 1, 2, 3"
    ).fetchall()
    connection.commit()
    return found


def test_each_step_is_noted_once_an_account_and_month_with_what_was_used_then(worker, settings, isp, connection):
    first, second, _ = isp.accounts
    use(connection, first, "2026-03-09", 799, 0)
    use(connection, second, "2026-03-09", 800, 0)
    count_quotas(worker, settings, MARCH)
    assert events(connection) == [(second, date(2026, 3, 1), 80, "notice", 800, 1000)]

    connection.execute("UPDATE usage_day SET octets_out = 300")
    connection.commit()
    for _ in range(2):
        count_quotas(worker, settings, MARCH + timedelta(minutes=1))
    assert events(connection) == [
        (first, date(2026, 3, 1), 80, "notice", 1099, 1000),
        (first, date(2026, 3, 1), 100, "throttle", 1099, 1000),
        (second, date(2026, 3, 1), 80, "notice", 800, 1000),
        (second, date(2026, 3, 1), 100, "throttle", 1100, 1000),
    ]


def test_a_plan_s_own_steps_stand_in_for_the_usual_ones(worker, settings, isp, connection):
    connection.execute(
        "INSERT INTO quota_step (plan_id, percent, action) VALUES (%s, 50, 'notice'), (%s, 150, 'throttle')",
        (isp.plan, isp.plan),
    )
    use(connection, isp.accounts[0], "2026-03-09", 1499, 0)
    use(connection, isp.accounts[1], "2026-03-09", 1500, 0)
    count_quotas(worker, settings, MARCH)
    assert [row[2:4] for row in events(connection)] == [(50, "notice"), (50, "notice"), (150, "throttle")]
    assert exhausted(connection) == [(isp.accounts[1], RESET)]


def test_a_plan_that_only_tells_throttles_nobody(worker, settings, isp, connection):
    connection.execute("INSERT INTO quota_step (plan_id, percent, action) VALUES (%s, 100, 'notice')", (isp.plan,))
    use(connection, isp.accounts[0], "2026-03-09", 5000, 0)
    count_quotas(worker, settings, MARCH)
    assert exhausted(connection) == []


def top_up(connection, isp, octets, *, account=None, since="2026-03-10 00:00+00", until="2026-04-01 00:00+00"):
    connection.execute(
        "INSERT INTO data_topup (contract_id, account_id, octets, since, until, reason, placed_by)"
        " VALUES (%s, %s, %s, %s, %s, 'bought', 'test')",
        (isp.contracts[0], account, octets, since, until),
    )
    connection.commit()


def test_a_top_up_lifts_the_throttle_at_once_and_for_as_long_as_it_reaches(worker, settings, isp, connection):
    account, other, _ = isp.accounts
    use(connection, account, "2026-03-09", 1500, 0)
    use(connection, other, "2026-03-09", 1500, 0)
    count_quotas(worker, settings, MARCH)

    top_up(connection, isp, 500)
    assert lift_quotas(worker, [account, other], now=MARCH, zone=ROME) == []
    top_up(connection, isp, 1)
    assert lift_quotas(worker, [account, other], now=MARCH, zone=ROME) == [account]
    assert exhausted(connection) == [(other, RESET)]
    # The count says the same, and a step that was noted is not noted again at the larger allowance.
    assert counted(worker, settings, MARCH) == (0, 0)
    assert len(events(connection)) == 4

    use(connection, account, "2026-03-10", 1, 0)
    assert counted(worker, settings, MARCH) == (1, 0)


def test_a_top_up_counts_while_it_is_in_force_and_for_the_account_it_names(worker, settings, isp, connection):
    account = isp.accounts[0]
    use(connection, account, "2026-03-09", 1500, 0)
    count_quotas(worker, settings, MARCH)
    top_up(connection, isp, 9000, account=isp.accounts[1])
    top_up(connection, isp, 9000, since="2026-03-10 13:00+00", until="2026-03-10 14:00+00")
    assert counted(worker, settings, MARCH) == (0, 0)
    assert lift_quotas(worker, [account], now=MARCH, zone=ROME) == []
    assert counted(worker, settings, MARCH + timedelta(hours=1)) == (0, 1)
    assert counted(worker, settings, MARCH + timedelta(hours=2)) == (1, 0)


def test_days_that_are_over_are_summed_once_and_usage_that_comes_late_for_them_is_counted_all_the_same(
    worker, settings, isp, connection
):
    account = isp.accounts[0]
    use(connection, account, "2026-03-02", 300, 0)
    use(connection, account, "2026-03-07", 300, 0)
    use(connection, account, "2026-03-08", 100, 0)
    count_quotas(worker, settings, MARCH)
    sums = "SELECT month, counted_before, octets FROM quota_usage WHERE account_id = %s"
    # The 8th, the 9th and today are open.
    assert connection.execute(sums, (account,)).fetchone() == (date(2026, 3, 1), date(2026, 3, 8), 600)
    count_quotas(worker, settings, MARCH + timedelta(days=1))
    assert connection.execute(sums, (account,)).fetchone() == (date(2026, 3, 1), date(2026, 3, 9), 700)
    connection.commit()

    # A node that was cut off ships its spool as the role of the edge.
    with connection.transaction():
        connection.execute("SET LOCAL ROLE corrente_edge")
        connection.execute("UPDATE usage_day SET octets_in = octets_in + 300 WHERE day = '2026-03-02'")
    assert one(connection, "SELECT count(*) FROM late_usage") == 1
    connection.commit()
    assert counted(worker, settings, MARCH + timedelta(days=1)) == (1, 0)
    assert connection.execute(sums, (account,)).fetchone() == (date(2026, 3, 1), date(2026, 3, 9), 1000)
    assert one(connection, "SELECT count(*) FROM late_usage") == 0


def test_usage_of_yesterday_and_today_leaves_no_note_of_being_late(connection):
    for back, notes in ((0, 0), (1, 0), (2, 1)):
        connection.execute("DELETE FROM usage_day")
        connection.execute("DELETE FROM late_usage")
        connection.execute("SELECT make_month((now() AT TIME ZONE 'UTC')::date - %s)", (back,))
        connection.execute("INSERT INTO usage_day VALUES (1, (now() AT TIME ZONE 'UTC')::date - %s, 1, 1)", (back,))
        assert one(connection, "SELECT count(*) FROM late_usage") == notes
    connection.rollback()


def naive_exhausted(usage, quota, topups, now):
    """Add up every day of the month from the first; accounts whose sum reaches what is allowed."""
    today = now.astimezone(ROME).date()
    found = set()
    for account in {key[0] for key in usage}:
        used = 0
        for (one_account, day), octets in usage.items():
            if one_account == account and (day.year, day.month) == (today.year, today.month):
                used += octets
        allowed = quota + sum(
            octets for holder, octets, since, until in topups if holder == account and since <= now < until
        )
        if used >= allowed:
            found.add(account)
    return found


ACTIONS = st.one_of(
    st.tuples(st.just("use"), st.integers(0, 2), st.integers(0, 40), st.integers(1, 400)),
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.tuples(st.just("topup"), st.integers(0, 2), st.integers(1, 600), st.integers(1, 300)),
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(ACTIONS, min_size=5, max_size=25))
def test_whatever_comes_in_whatever_order_the_count_is_that_of_who_adds_up_every_day(
    worker, settings, isp, connection, actions
):
    with connection.transaction():
        connection.execute(
            "DELETE FROM usage_day; DELETE FROM quota_usage; DELETE FROM late_usage; DELETE FROM data_topup"
        )
        connection.execute("UPDATE subscriber_account SET quota_exhausted_until = NULL")
    usage, topups, now = {}, [], datetime(2026, 2, 20, 12, tzinfo=UTC)
    for action in actions:
        match action:
            case ("use", number, back, octets):
                # Real days are long past for the trigger, so each of these leaves its note.
                account, day = isp.accounts[number], now.astimezone(ROME).date() - timedelta(days=back)
                connection.execute(
                    "INSERT INTO usage_day VALUES (%s, %s, %s, 0) ON CONFLICT (account_id, day)"
                    " DO UPDATE SET octets_in = usage_day.octets_in + EXCLUDED.octets_in",
                    (account, day, octets),
                )
                usage[account, day] = usage.get((account, day), 0) + octets
            case ("wait", hours):
                now += timedelta(hours=hours)
            case ("topup", number, octets, hours):
                until = now + timedelta(hours=hours)
                top_up(connection, isp, octets, account=isp.accounts[number], since=now, until=until)
                topups.append((isp.accounts[number], octets, now, until))
        connection.commit()
        count_quotas(worker, settings, now)
        assert {account for account, _ in exhausted(connection)} == naive_exhausted(usage, 1000, topups, now)


def test_a_count_that_is_killed_in_the_middle_changes_nothing(worker, settings, isp, connection):
    use(connection, isp.accounts[0], "2026-03-02", 1500, 0)
    connection.execute("ALTER TABLE quota_event ADD CONSTRAINT broken CHECK (octets < 0) NOT VALID")
    connection.commit()
    with pytest.raises(psycopg.errors.CheckViolation):
        count_quotas(worker, settings, MARCH)
    assert one(connection, "SELECT count(*) FROM quota_usage") == 0
    assert one(connection, "SELECT count(*) FROM late_usage") == 1
    assert exhausted(connection) == []
