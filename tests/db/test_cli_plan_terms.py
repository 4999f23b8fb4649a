"""corrente plan hours and quota, account change-plan and top-up, as an operator types them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.command_line import run, write_settings

pytestmark = pytest.mark.db

ROME = ZoneInfo("Europe/Rome")


@pytest.fixture
def corrente(tmp_path, database, connection):
    """The command, on a database with two plans and one account."""
    connection.execute("SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) m")
    connection.commit()
    settings = write_settings(tmp_path, database)

    def command(*arguments):
        return run(settings, *arguments)

    command("profile", "add", "Home 300", "--rate", "300M/30M", "--quota", "500G")
    command("profile", "add", "Slow", "--rate", "2M/1M")
    command("profile", "add", "Night", "--rate", "900M/90M")
    command("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Slow")
    command("plan", "add", "Big", "--profile", "Night", "--throttle", "Slow", "--walled", "Slow")
    command("account", "add", "anna", "--customer", "Anna Rossi", "--plan", "Home")
    return command


def rows(connection, statement):
    connection.rollback()
    return connection.execute(statement).fetchall()


def page(corrente):
    """The labelled lines of `account show`, by label."""
    said, label = {}, ""
    for line in corrente("account", "show", "anna").output.splitlines():
        label = line[:12].strip() or label
        said.setdefault(label, []).append(line[12:])
    return said


def test_hours_are_given_to_a_plan_shown_as_steps_and_taken_away(corrente):
    # All hours but one minute, so that they are in force whatever the time is when this runs.
    now = datetime.now(ROME)
    hours = f"{now - timedelta(minutes=30):%H:%M}-{now + timedelta(minutes=30):%H:%M}"
    done = corrente("plan", "hours", "Home", hours, "--profile", "Night", "--yes")
    assert (done.exit_code, done.output) == (0, f"Plan Home at {hours}: Night.\n")
    shown = page(corrente)
    assert shown["policy"] == [f"full service, hours {hours}, profile Night (down 900 Mbit/s, up 90 Mbit/s)"]
    assert shown["because"][1] == f"plan Home gives another profile at the hours {hours} of each day"
    assert shown["coming"][0].endswith("full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)")
    assert len(shown["coming"]) >= 5

    assert corrente("plan", "hours", "Home", hours, "--remove", "--yes").exit_code == 0
    assert page(corrente)["coming"] == ["nothing is known to change this"]
    assert "has no hours" in corrente("plan", "hours", "Home", hours, "--remove", "--yes").output


@pytest.mark.parametrize("wrong", ["22-06", "22:00-24:00", "22:00-22:00", "7:00-08:00"])
def test_hours_that_are_none_are_refused(corrente, wrong):
    assert corrente("plan", "hours", "Home", wrong, "--profile", "Night", "--yes").exit_code == 2


def test_hours_that_overlap_others_are_refused_by_the_database_in_a_person_s_words(corrente, connection):
    corrente("plan", "hours", "Home", "22:00-06:00", "--profile", "Night", "--yes")
    refused = corrente("plan", "hours", "Home", "05:59-07:00", "--profile", "Slow", "--yes")
    assert refused.exit_code == 1
    assert "overlap" in refused.output
    assert rows(connection, "SELECT count(*) FROM plan_window") == [(1,)]


def test_the_steps_of_a_quota_are_set_as_a_whole(corrente, connection):
    stored = "SELECT percent, action::text FROM quota_step ORDER BY 1"
    assert corrente("plan", "quota", "Home", "50=notice", "120=throttle", "--yes").exit_code == 0
    assert rows(connection, stored) == [(50, "notice"), (120, "throttle")]
    assert corrente("plan", "hours", "Home", "22:00-06:00", "--profile", "Night", "--yes").exit_code == 0
    (listed,) = (line for line in corrente("plan", "list").output.splitlines() if line.startswith("Home"))
    assert "22:00-06:00 Night" in listed
    assert "500 GB, 50=notice 120=throttle" in listed
    assert corrente("plan", "quota", "Home", "--yes").exit_code == 0
    assert rows(connection, stored) == []
    for wrong in (
        ("0=notice",),
        ("1001=notice",),
        ("80=blocked",),
        ("80=notice", "80=throttle"),
        ("1=throttle", "2=throttle"),
    ):
        assert corrente("plan", "quota", "Home", *wrong, "--yes").exit_code == 2


def test_a_plan_change_is_placed_replaced_shown_and_taken_back(corrente, connection):
    stored = "SELECT n.name, x.effective_on, x.placed_by FROM plan_change x JOIN plan n ON n.id = x.plan_id"
    day = datetime.now(ROME).date() + timedelta(days=40)
    assert corrente("account", "change-plan", "anna", "Home", "--on", f"{day}").exit_code == 0
    done = corrente("account", "change-plan", "anna", "Big", "--on", f"{day}")
    assert done.output == f"Contract 1 has plan Big from the first moment of {day}.\n"
    assert rows(connection, stored) == [("Big", day, "maria")]
    shown = page(corrente)
    assert shown["because"][1] == f"plan Big from {day}, placed by maria"
    assert shown["coming"] == [
        f"{day} 00:00:00 {datetime(day.year, day.month, day.day, tzinfo=ROME):%Z}  full service, plan from {day},"
        " profile Night (down 900 Mbit/s, up 90 Mbit/s)"
    ]

    assert corrente("account", "change-plan", "anna", "--on", f"{day}", "--cancel").exit_code == 0
    assert rows(connection, stored) == []
    assert corrente("account", "change-plan", "anna", "--on", f"{day}", "--cancel").exit_code == 1
    corrente("account", "change-plan", "anna", "Big", "--on", f"{day}")
    corrente("account", "change-plan", "anna", "Home", "--on", f"{day + timedelta(days=1)}")
    which = corrente("account", "change-plan", "anna", "--cancel")
    assert f"2 plan changes of contract 1 wait: say --on {day} or --on {day + timedelta(days=1)}" in which.output
    corrente("account", "change-plan", "anna", "--on", f"{day}", "--cancel")
    assert corrente("account", "change-plan", "anna", "--cancel").exit_code == 0
    assert rows(connection, stored) == []
    assert "no plan change of contract 1 waits" in corrente("account", "change-plan", "anna", "--cancel").output
    assert "--on 2027-02-01" in corrente("account", "change-plan", "anna", "Big").output
    today = datetime.now(ROME).date()
    assert "is not to come" in corrente("account", "change-plan", "anna", "Big", "--on", f"{today}").output


def test_a_top_up_ends_with_the_month_of_the_billing_zone_unless_said_otherwise(corrente, connection):
    assert corrente("account", "top-up", "anna", "50G", "--reason", "bought").exit_code == 0
    assert (
        corrente("account", "top-up", "anna", "1G", "--until", "+2d", "--contract", "--reason", "gift").exit_code == 0
    )
    first, second = rows(connection, "SELECT account_id, octets, until, reason, placed_by FROM data_topup ORDER BY id")
    after = (datetime.now(ROME).date().replace(day=1) + timedelta(days=32)).replace(day=1)
    assert first == (1, 50_000_000_000, midnight(after), "bought", "maria")
    assert second[:2] == (None, 1_000_000_000)
    assert abs(second[2] - datetime.now(UTC) - timedelta(days=2)) < timedelta(minutes=2)
    assert [line.partition(" until")[0] for line in page(corrente)["because"][1:]] == [
        "top-up of 50.0 GB",
        "top-up of 1.00 GB",
    ]

    # 500 GB are the profile's.
    assert page(corrente)["usage"][1].endswith("both 0 B of 551 GB (0 %)")
    corrente("account", "set", "anna", "--plan", "Big")
    assert "no quota" in corrente("account", "top-up", "anna", "1G", "--reason", "x").output


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ROME)


def test_what_was_done_is_in_the_audit_log(corrente, connection):
    corrente("plan", "hours", "Home", "22:00-06:00", "--profile", "Night", "--yes")
    corrente("account", "top-up", "anna", "1G", "--reason", "gift")
    found = rows(connection, "SELECT actor, action, subject, detail::text FROM audit_log WHERE id > 6 ORDER BY id")
    assert [row[:3] for row in found] == [("maria", "plan.hours", "Home"), ("maria", "account.top_up", "anna")]
    assert json.loads(found[0][3]) == {"hours": "22:00-06:00", "profile": "Night"}
