"""corrente account, as an operator types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.command_line import KEY, run, write_settings

from control_plane.policy.policy_source import load_profiles
from control_plane.policy.rendering import profile_revision
from radius_hooks.sealing import Sealer, account_row

pytestmark = pytest.mark.db

SEALER = Sealer((KEY,))
ROME = ZoneInfo("Europe/Rome")


@pytest.fixture
def corrente(tmp_path, database, connection):
    """The command, on a database with one plan, two NASes and the months around now."""
    connection.execute("SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) m")
    connection.commit()
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, *arguments, typed=typed)

    command("profile", "add", "Home 300", "--rate", "300M/30M", "--quota", "500G")
    command("profile", "add", "Slow", "--rate", "2M/1M")
    command("profile", "add", "Payment", "--rate", "1M/1M", "--address-list", "walled")
    command("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Payment")
    command("plan", "add", "Slow home", "--profile", "Slow", "--throttle", "Slow", "--walled", "Payment")
    command("nas", "add", "bras-1", "192.0.2.1", "--vendor", "mikrotik")
    return command


def _add(corrente, username="anna@isp.example", *more):
    done = corrente("account", "add", username, "--customer", "Anna Rossi", "--plan", "Home", *more)
    assert done.exit_code == 0, done.output
    return done.output


def _row(connection, username, table="subscriber_account"):
    connection.rollback()
    key = "contract_id" if table == "contract" else "id"
    row = connection.execute(
        f"SELECT to_jsonb(t) FROM {table} t WHERE t.id = (SELECT {key} FROM subscriber_account WHERE username = %s)",
        (username,),
    ).fetchone()
    return row[0] if row else None


def _password(connection, username):
    connection.rollback()
    account_id, sealed = connection.execute(
        "SELECT id, sealed_secret FROM subscriber_account WHERE username = %s", (username,)
    ).fetchone()
    return SEALER.open(sealed, row=account_row(account_id)).decode()


def _audit(connection, action):
    connection.rollback()
    rows = connection.execute("SELECT actor, subject, detail FROM audit_log WHERE action = %s ORDER BY id", (action,))
    return rows.fetchall()


def _policy(corrente, username="anna@isp.example"):
    return json.loads(corrente("account", "show", username, "--json").output)["policy"]


def test_an_account_is_added_with_customer_contract_and_a_password_shown_once(corrente, connection):
    output = _add(corrente)

    shown = output.split("shown this once: ")[1].strip()
    assert (len(shown), _password(connection, "anna@isp.example")) == (12, shown)
    contract = _row(connection, "anna@isp.example", "contract")
    assert (contract["status"], contract["plan_id"]) == ("active", 1)
    assert _audit(connection, "account.add") == [("maria", "anna@isp.example", {"contract": contract["id"]})]


def test_all_that_can_be_said_of_an_account_is_kept(corrente, connection, tmp_path):
    (tmp_path / "secret").write_text("Segreta è!\n")
    _add(
        *(corrente, "anna", "--status", "trial", "--starts-on", "2026-01-01", "--ends-on", "2027-01-01"),
        *("--secret-file", str(tmp_path / "secret"), "--max-sessions", "2", "--expires-at", "2027-01-31 18:40"),
        *("--mac", "02:00:5E:10:00:01", "--mac", "0200.5e10.0002", "--circuit", "olt 1/2/3:10", "--nas", "bras-1"),
        *("--ipv4", "198.18.0.7", "--ipv6-address", "2001:db8::7", "--ipv6-prefix", "2001:db8:1::/64"),
        *("--delegated-prefix", "2001:db8:100::/56", "--route", "203.0.113.0/29", "--route", "203.0.113.8/29"),
    )

    account, contract = _row(connection, "anna"), _row(connection, "anna", "contract")
    prefixes = connection.execute("SELECT kind::text, prefix::text FROM account_prefix ORDER BY 1, 2").fetchall()
    assert _password(connection, "anna") == "Segreta è!"
    assert (contract["status"], contract["starts_on"], contract["ends_on"]) == ("trial", "2026-01-01", "2027-01-01")
    assert (account["max_sessions"], account["expires_at"]) == (2, "2027-01-31T17:40:00+00:00")
    assert (account["macs"], account["circuit_ids"]) == (["02005e100001", "02005e100002"], ["olt 1/2/3:10"])
    assert account["nas_ids"] == [1]
    assert prefixes == [
        ("delegated_ipv6_prefix", "2001:db8:100::/56"),
        ("framed_ipv4", "198.18.0.7/32"),
        ("framed_ipv6_address", "2001:db8::7/128"),
        ("framed_ipv6_prefix", "2001:db8:1::/64"),
        ("route", "203.0.113.0/29"),
        ("route", "203.0.113.8/29"),
    ]


def test_a_second_account_joins_a_contract(corrente, connection):
    _add(corrente, "anna")
    done = corrente("account", "add", "anna.2", "--contract", "1")
    assert (done.exit_code, _row(connection, "anna.2")["contract_id"]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("bruno",), "say whose account it is"),
        (("bruno", "--customer", "Bruno", "--plan", "Hone"), "there is no plan 'Hone'; did you mean Home"),
        (("bruno", "--contract", "99"), "there is no contract 99"),
        (("bruno", "--contract", "1", "--plan", "Home"), "--contract excludes"),
        (("anna", "--contract", "1"), "there is a subscriber account of this username already"),
        (("a\tb", "--contract", "1"), "no control characters"),
        (("bruno", "--contract", "1", "--ipv4", "198.18.0.7"), "198.18.0.7 is held by account anna"),
        (
            ("bruno", "--contract", "1", "--route", "198.18.0.0/24"),
            "198.18.0.0/24 is held by account anna, all of it or a part",
        ),
        (("bruno", "--contract", "1", "--ipv4", "127.0.0.1"), "is no subscriber's"),
        (("bruno", "--contract", "1", "--ipv4", "2001:db8::9"), "an IPv4 address is one address"),
        (("bruno", "--contract", "1", "--mac", "02:00"), "expected a MAC address"),
        (("bruno", "--contract", "1", "--nas", "bras-9"), "there is no NAS 'bras-9'"),
        (("bruno", "--contract", "1", "--expires-at", "soon"), "expected a time such as"),
        (("bruno", "--customer", "B", "--plan", "Home", "--status", "ended"), "an ended contract needs its end"),
        (("bruno", "--contract", "1", "--secret-kind", "nt"), "--secret-kind needs --secret-file"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(corrente, connection, arguments, complaint):
    _add(corrente, "anna", "--ipv4", "198.18.0.7")

    done = corrente("account", "add", *arguments)

    assert done.exit_code != 0
    assert complaint in done.output
    assert connection.execute(
        "SELECT (SELECT count(*) FROM subscriber_account), (SELECT count(*) FROM contract), (SELECT count(*) FROM customer)"
    ).fetchone() == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "column", "table"),
    [
        (("--ends-on", "2026-01-01"), "ends_on", "contract"),
        (("--starts-on", "2999-01-01"), "starts_on", "contract"),
        (("--expires-at", "2026-01-01 00:00"), "expires_at", "subscriber_account"),
        (("--username", "bruno"), "username", "subscriber_account"),
    ],
)
def test_whatever_ends_service_now_is_asked_before(corrente, connection, change, column, table):
    _add(corrente, "anna")
    before = _row(connection, "anna", table)[column]

    assert corrente("account", "set", "anna", *change, typed="n\n").exit_code == 1
    assert _row(connection, "anna", table)[column] == before
    assert corrente("account", "set", "anna", *change, "--yes").exit_code == 0


def test_an_end_to_come_is_not_asked_about(corrente):
    _add(corrente, "anna")

    done = corrente("account", "set", "anna", "--ends-on", "2999-01-01", "--expires-at", "2999-01-01 00:00")

    assert done.exit_code == 0, done.output


def test_set_changes_what_is_given_and_nothing_else(corrente, connection):
    _add(corrente, "anna", "--mac", "02:00:5e:10:00:01", "--ipv4", "198.18.0.7", "--route", "203.0.113.0/29")
    before, password = _row(connection, "anna"), _password(connection, "anna")

    done = corrente(
        *("account", "set", "anna", "--plan", "Slow home", "--any-mac", "--max-sessions", "3", "--ipv4", "198.18.0.8"),
        *("--drop", "routes"),
    )

    assert done.exit_code == 0, done.output
    assert _row(connection, "anna") == {**before, "macs": [], "max_sessions": 3}
    assert _row(connection, "anna", "contract")["plan_id"] == 2
    assert _password(connection, "anna") == password
    assert connection.execute("SELECT kind::text, prefix::text FROM account_prefix").fetchall() == [
        ("framed_ipv4", "198.18.0.8/32")
    ]
    assert _audit(connection, "account.set")[0][2] == {
        "changed": ["plan_id", "max_sessions", "macs", "framed_ipv4", "route"]
    }


def test_a_renamed_account_keeps_its_secret(corrente, connection):
    _add(corrente, "anna")
    password = _password(connection, "anna")
    assert corrente("account", "set", "anna", "--username", "anna.rossi", "--yes").exit_code == 0
    assert _password(connection, "anna.rossi") == password


def test_ending_service_or_changing_the_password_asks_first(corrente, connection):
    _add(corrente, "anna")
    password = _password(connection, "anna")

    for arguments in (("--new-secret",), ("--status", "ended", "--ends-on", "2026-02-01")):
        refused = corrente("account", "set", "anna", *arguments, typed="n\n")
        assert refused.exit_code == 1
        assert "Go on? [y/N]" in refused.output
    assert (_password(connection, "anna"), _row(connection, "anna", "contract")["status"]) == (password, "active")

    done = corrente("account", "set", "anna", "--new-secret", "--yes")
    assert _password(connection, "anna") == done.output.split("shown this once: ")[1].strip() != password


def test_nothing_to_change_and_contradictions_are_refused(corrente):
    _add(corrente, "anna")
    assert "nothing to change" in corrente("account", "set", "anna").output
    assert (
        "takes away what another option gives"
        in corrente("account", "set", "anna", "--any-nas", "--nas", "bras-1").output
    )


def test_an_unknown_account_is_answered_with_similar_usernames(corrente):
    _add(corrente, "anna@isp.example")
    done = corrente("account", "show", "anna@isp.exmaple")
    assert done.exit_code == 1
    assert done.output == "Error: there is no subscriber account 'anna@isp.exmaple'; did you mean anna@isp.example?\n"
    assert "did you mean anna@isp.example?" in corrente("account", "show", "ANNA@isp.example").output


def test_revealing_a_secret_needs_a_reason_and_is_written_down(corrente, connection):
    _add(corrente, "anna")
    password = _password(connection, "anna")

    asked = corrente("account", "reveal-secret", "anna", typed="customer lost it\n")
    assert asked.output.splitlines()[-1] == password
    given = corrente("account", "reveal-secret", "anna", "--reason", "router swap")
    assert given.output == f"{password}\n"
    assert _audit(connection, "account.reveal_secret") == [
        ("maria", "anna", {"reason": "customer lost it"}),
        ("maria", "anna", {"reason": "router swap"}),
    ]


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_revealed(corrente, connection, reason):
    _add(corrente, "anna")
    done = corrente("account", "reveal-secret", "anna", "--reason", reason)
    assert (done.exit_code, "a reason is needed" in done.output) == (1, True)
    assert _password(connection, "anna") not in done.output


def test_what_can_not_be_written_down_is_not_revealed(corrente, connection):
    _add(corrente, "anna")
    connection.execute("ALTER TABLE audit_log ADD CONSTRAINT audit_log_full CHECK (action <> 'account.reveal_secret')")
    connection.commit()

    done = corrente("account", "reveal-secret", "anna", "--reason", "router swap")

    assert done.exit_code == 1
    assert _password(connection, "anna") not in done.output


def test_a_secret_sealed_with_another_key_is_said_so(corrente, connection):
    _add(corrente, "anna")
    foreign = Sealer((bytes(32),)).seal(b"x", row=account_row(1))
    connection.execute("UPDATE subscriber_account SET sealed_secret = %s", (foreign,))
    connection.commit()
    done = corrente("account", "reveal-secret", "anna", "--reason", "router swap")
    assert (done.exit_code, "not among the settings" in done.output) == (1, True)
    assert _audit(connection, "account.reveal_secret") == []


def test_a_restriction_is_shown_asked_placed_and_written_down(corrente, connection):
    _add(corrente)
    restrict = (
        "account",
        "restrict",
        "anna@isp.example",
        "--level",
        "walled",
        "--reason",
        "port scan",
        "--origin",
        "abuse",
    )

    dry = corrente(*restrict, "--dry-run")
    assert dry.output.splitlines() == [
        "now    full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)",
        "then   walled garden, profile Payment (down 1 Mbit/s, up 1 Mbit/s)",
        "Dry run: nothing was changed.",
    ]
    assert corrente(*restrict, typed="n\n").exit_code == 1
    assert _policy(corrente)["level"] == "full"

    assert corrente(*restrict, "--yes").exit_code == 0
    policy = _policy(corrente)
    assert (policy["level"], policy["profile"]["name"]) == ("walled", "Payment")
    assert "placed by maria: port scan" in policy["because"][1]
    assert _audit(connection, "account.restrict")[0][2]["reason"] == "port scan"


def test_a_relief_stops_dunning_until_its_end_and_nothing_else(corrente, connection):
    _add(corrente)
    for origin, level in (("dunning", "blocked"), ("abuse", "throttle")):
        corrente(
            "account", "restrict", "anna@isp.example", "--level", level, "--reason", "r", "--origin", origin, "--yes"
        )
    assert _policy(corrente)["level"] == "blocked"

    done = corrente("account", "relief", "anna@isp.example", "--until", "+2d", "--reason", "pays on Monday")

    assert done.exit_code == 0, done.output
    steps = _policy(corrente)["steps"]
    assert [step["level"] for step in steps] == ["throttle", "blocked"]
    ends = datetime.fromisoformat(steps[0]["until"])
    assert timedelta(hours=47, minutes=59) < ends - datetime.now(UTC) <= timedelta(days=2, seconds=1)
    again = corrente("account", "relief", "anna@isp.example", "--until", "+1d", "--reason", "again")
    assert (again.exit_code, "another relief in that time" in again.output) == (1, True)
    over = corrente("account", "relief", "anna@isp.example", "--until", "2020-01-01", "--reason", "late")
    assert (over.exit_code, "is over; give a time to come" in over.output) == (1, True)


def test_lifting_takes_the_one_that_is_named_and_leaves_the_others(corrente, connection):
    _add(corrente)
    for origin, level in (("dunning", "blocked"), ("abuse", "throttle")):
        corrente(
            "account", "restrict", "anna@isp.example", "--level", level, "--reason", "r", "--origin", origin, "--yes"
        )

    unclear = corrente("account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--yes")
    assert (
        unclear.exit_code,
        "name which with --id or --origin: 1 blocked (dunning): r; 2 throttle" in unclear.output,
    ) == (1, True)
    wrong = corrente("account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--id", "9", "--yes")
    assert (wrong.exit_code, "restriction 9 is none of contract 1's" in wrong.output) == (1, True)
    assert (
        corrente(
            "account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--origin", "dunning", "--dry-run"
        ).exit_code
        == 0
    )
    assert _policy(corrente)["level"] == "blocked"

    assert (
        corrente(
            "account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--origin", "dunning", "--yes"
        ).exit_code
        == 0
    )

    assert _policy(corrente)["level"] == "throttle"
    assert connection.execute("SELECT lifted_by FROM restriction ORDER BY id").fetchall() == [("maria",), (None,)]
    assert corrente("account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--yes").exit_code == 0
    none = corrente("account", "lift", "anna@isp.example", "--reason", "paid at the desk", "--yes")
    assert (none.exit_code, "there are: none" in none.output) == (1, True)


def _fill_history(connection, now):
    """A session of an hour with 9 GB down and 0.9 GB up, two logins, usage of two days of this month."""
    today = now.astimezone(ROME).date()
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at,"
        " session_time_s, octets_in, octets_out, counter_in, counter_out, framed_ipv4, delegated_ipv6_prefix, mac, line,"
        " addresses_since) VALUES (gen_random_uuid(), 1, '81', 'anna@isp.example', 1, %(start)s, %(now)s, %(now)s, 3600, 900000000,"
        " 9000000000, 0, 0, '100.64.0.9', '2001:db8:100::/56', '02005e100001', 'ether1', %(start)s)",
        {"start": now - timedelta(hours=1), "now": now - timedelta(minutes=3)},
    )
    for minutes, outcome, reason in ((61, "reject", "wrong_password"), (60, "accept", "full")):
        connection.execute(
            "INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, account_id, nas_id, mac)"
            " VALUES (%s, uuid_send(gen_random_uuid()), %s, %s, 'anna@isp.example', 1, 1, '02005e100001')",
            (now - timedelta(minutes=minutes), outcome, reason),
        )
    connection.execute("INSERT INTO usage_day VALUES (1, %s, 1000000000, 10000000000)", (today,))
    before = today.replace(day=1) - timedelta(days=1)
    connection.execute("INSERT INTO usage_day VALUES (1, %s, 7, 7)", (before,))
    connection.commit()
    return today


def test_the_page_of_an_account_says_contract_policy_session_logins_and_usage(corrente, connection):
    _add(corrente, "anna@isp.example", "--ipv4", "198.18.0.7", "--mac", "02:00:5e:10:00:01")
    corrente(
        "account", "restrict", "anna@isp.example", "--level", "throttle", "--reason", "r", "--until", "+1h", "--yes"
    )
    _fill_history(connection, datetime.now(UTC))

    page = corrente("account", "show", "anna@isp.example")

    assert page.exit_code == 0, page.output
    lines = page.output.splitlines()
    said = {line[:12].strip(): line[12:] for line in lines if line[:12].strip()}
    assert said["contract"] == "1, active, plan Home"
    assert said["policy"] == "throttled, profile Slow (down 2 Mbit/s, up 1 Mbit/s)"
    assert said["because"] == "contract 1 of Anna Rossi is active, plan Home"
    assert said["coming"].endswith("full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)")
    assert said["binding"] == "1 at once, secret kept as clear"
    assert said["addresses"] == "framed ipv4 198.18.0.7"
    assert said["session"].startswith("on bras-1 since")
    assert "last heard of 3 min" in said["session"]
    assert any("100.64.0.9, 2001:db8:100::/56, MAC 02:00:5e:10:00:01, line ether1" in line for line in lines)
    assert any("down 9.00 GB (20.0 Mbit/s on average), up 900 MB (2.00 Mbit/s on average)" in line for line in lines)
    assert said["usage"] == "today down 10.0 GB, up 1.00 GB"
    assert any("this month down 10.0 GB, up 1.00 GB; both 11.0 GB of 500 GB (2 %)" in line for line in lines)
    accepted, rejected = (line.split() for line in lines[-2:])
    assert accepted[3:7] == ["accept", "full", "bras-1", "02:00:5e:10:00:01"]
    assert rejected[3:5] == ["reject", "wrong_password"]


def test_the_same_page_as_json_has_values(corrente, connection):
    _add(corrente)
    today = _fill_history(connection, datetime.now(UTC))

    page = json.loads(corrente("account", "show", "anna@isp.example", "--json").output)

    assert page["usage"] == {"day_in": 10**9, "day_out": 10**10, "month_in": 10**9, "month_out": 10**10}, today
    assert page["sessions"][0]["octets_out"] == 9_000_000_000
    assert [login["reason"] for login in page["logins"]] == ["full", "wrong_password"]
    assert page["policy"]["steps"] == [{"until": None, "level": "full", "reason": "full", "profile_id": 1}]
    assert "secret" not in " ".join(page["account"]).replace("secret_kind", "")


def _give(connection, profile):
    """Put into the session what a login under that profile would have given it."""
    row = next(row for row in load_profiles(connection) if row.name == profile)
    connection.execute("UPDATE session SET policy_version = %s", (profile_revision(row) + bytes(4),))
    connection.commit()


def test_a_session_says_what_it_was_given_and_whether_that_is_still_right(corrente, connection):
    _add(corrente)
    _fill_history(connection, datetime.now(UTC))
    page = ("account", "show", "anna@isp.example")
    assert "its device does not repeat Class" in corrente(*page).output

    _give(connection, "Home 300")
    assert "  given profile Home 300\n" in corrente(*page).output

    corrente("account", "restrict", "anna@isp.example", "--level", "throttle", "--reason", "r", "--yes")
    assert "DRIFT: given profile Home 300, should have Slow" in corrente(*page).output
    corrente("account", "restrict", "anna@isp.example", "--level", "blocked", "--reason", "r", "--yes")
    assert "DRIFT: given profile Home 300, should be offline" in corrente(*page).output

    connection.execute("UPDATE profile SET rate_up_bps = 40000000 WHERE name = 'Home 300'")
    connection.commit()
    assert "DRIFT: given a profile that has changed since" in corrente(*page).output


def test_an_account_that_never_logged_in_has_a_page_too(corrente):
    _add(corrente)
    page = corrente("account", "show", "anna@isp.example").output
    assert "not online" in page
    assert "No login was asked for" in page
    assert "nothing is known to change this" in page
