"""The guard's pages, maintenance, changes and drift: numbers before each deed, what waits let go in part or whole, sent once."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from support.browser import PHONE, WIDE, usable_by_everybody
from support.console_forms import send, send_filled
from support.console_network import KEY, dial, restrict, tell, want

from control_plane import db

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def online(console):
    """Twelve subscribers online on the first device."""
    return dial(console, 12)


@pytest.fixture
def operator(console):
    return console.client("network operator")


def _audit(console, action):
    return console.query("SELECT actor, subject, detail FROM audit_log WHERE action = %s ORDER BY id", (action,))


def _passes(console):
    return {
        name
        for (name,) in console.query(
            "SELECT e.username FROM guard_pass g JOIN enforcement e ON e.id = g.enforcement_id"
        )
    }


def test_what_waits_is_let_go_in_part_and_once(console, operator, online):
    names = [name for _, name in online]
    want(console, [number for number, _ in online[:3]])
    page = operator.get("/guard").text
    assert all(f'value="{name}"' in page for name in names[:3])
    assert "dunning: not paid" in page

    address = f"/guard/release?user={names[0]}"
    asked = operator.get(address).text
    assert "1 change goes out and takes service away, of 1 subscriber online." in asked
    assert f"Only of: {names[0]}. The rest waits on." in asked
    assert send_filled(operator, address, asked).status_code == 422
    answers = [send_filled(operator, address, asked, reason="looked at") for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert _passes(console) == {names[0]}
    ((actor, _, detail),) = _audit(console, "guard.release")
    assert (actor, detail["changes"], detail["users"]) == ("network.operator", 1, [names[0]])


def test_what_comes_to_wait_while_one_reads_waits_on(console, operator, online):
    names = [name for _, name in online]
    before = _passes(console)
    asked = operator.get("/guard/release").text
    want(console, [online[3][0]])
    assert send_filled(operator, "/guard/release", asked, reason="all of it").status_code == 303
    assert _passes(console) - before == {names[1], names[2]}
    assert f'value="{names[3]}"' in operator.get("/guard").text
    tell(
        console,
        "UPDATE enforcement SET state = 'superseded', problem = 'test', closed_at = now() WHERE closed_at IS NULL",
    )
    assert operator.get("/guard/release").status_code == 409


def test_restrictions_of_a_run_wait_and_are_let_go_or_taken_back(console, operator, online):
    first = restrict(console, [number for number, _ in online[4:9]], most=2)
    page = operator.get("/guard").text
    assert f"5 restrictions of run {first} (dunning) wait and do not count" in page
    assert "Tripped" in page
    # Whom they concern; and nobody is told that nothing waits.
    assert all(f"/accounts/{quote(name, safe='')}" in page for _, name in online[4:9])
    assert "Nothing waits" not in page
    assert all(name in operator.get("/guard/restrictions").text for _, name in online[4:9])
    assert send(operator, "/guard/release", reason="they were told").status_code == 303
    assert console.query("SELECT count(*) FROM restriction WHERE run_id = %s AND held_since IS NULL", (first,)) == [
        (5,)
    ]
    assert "On guard" in operator.get("/guard").text

    address = f"/guard/runs/{first}/undo"
    assert "5 restrictions of it are in force and are lifted." in operator.get(address).text
    assert send(operator, address, reason="").status_code == 422
    assert send(operator, address, reason="a wrong file of the bank").status_code == 303
    assert console.query("SELECT count(*) FROM restriction WHERE run_id = %s AND lifted_at IS NULL", (first,)) == [(0,)]
    assert "Taken back by network.operator" in operator.get("/guard/runs").text
    assert send(operator, address, reason="again").status_code == 409
    assert operator.get("/guard/runs/999/undo").status_code == 404


def test_a_guard_behind_which_nothing_waits_any_more_is_set_on_guard_again(console, operator, online):
    run = restrict(console, [number for number, _ in online[4:9]], most=2)
    assert send(operator, f"/guard/runs/{run}/undo", reason="a wrong file of the bank").status_code == 303
    page = operator.get("/guard").text
    assert ("Tripped" in page, "Nothing waits" in page, "Let all of it go" in page) == (True, True, False)
    assert "Set it on guard again" in page
    asked = operator.get("/guard/release").text
    assert "changes go out" not in asked
    assert send_filled(operator, "/guard/release", asked, reason="mended").status_code == 303
    after = operator.get("/guard").text
    assert ("On guard" in after, "Set it on guard again" in after) == (True, False)


def test_everything_is_stopped_and_goes_on(console, operator):
    assert send(operator, "/guard/stop", reason="a wrong list").status_code == 303
    assert "a wrong list" in operator.get("/guard").text
    assert send(operator, "/guard/stop", reason="again").status_code == 409
    assert "Everything is stopped" in operator.get("/guard/forecast").text
    assert send(operator, "/guard/resume").status_code == 303
    assert send(operator, "/guard/resume").status_code == 409
    assert console.query("SELECT ended_by FROM network_stop") == [("network.operator",)]


def test_a_contract_is_exempt_until_a_day_to_come(console, operator, online):
    name = online[9][1]
    address = f"/guard/exemptions/new?user={name}"
    given = {"reason": "a hospital", "until": "2027-01-31"}
    for wrong, words in (
        ({"until": "2020-01-31"}, "That is over."),
        ({"username": "nobody"}, "No account has this username."),
        ({"reason": " "}, "This is needed."),
    ):
        answer = send(operator, address, **{**given, **wrong})
        assert (answer.status_code, words in answer.text) == (422, True), wrong
    assert send(operator, address, **given).status_code == 303
    again = send(operator, address, **given)
    assert (again.status_code, "exempt already" in again.text) == (422, True)
    contract, until = console.query("SELECT contract_id, until AT TIME ZONE 'Europe/Rome' FROM guard_exemption")[0]
    assert str(until) == "2027-02-01 00:00:00"
    assert name in operator.get("/guard/exemptions").text
    assert send(operator, f"/guard/exemptions/{contract}/end").status_code == 303
    assert operator.get(f"/guard/exemptions/{contract}/end").status_code == 404


def test_maintenance_of_a_device_and_of_a_site(console, operator, online):
    address = "/maintenance/begin?nas=monte-alto-1"
    assert send(operator, address, until="2020-01-01T10:00", reason="x").status_code == 422
    assert send(operator, address, what="", reason="x").status_code == 422
    first = send(operator, address, reason="firmware")
    assert (first.status_code, "12 live sessions are not changed meanwhile" in first.text) == (200, False)
    assert console.query("SELECT count(*) FROM nas_maintenance") == [(0,)]
    assert send_filled(operator, "/maintenance/begin", first.text).status_code == 303
    assert "firmware" in operator.get("/nases/monte-alto-1").text
    whole = send(operator, "/maintenance/begin", what="site Monte Alto", reason="power", until="2099-01-31T18:40")
    assert "monte-alto-1, monte-alto-2" in whole.text
    assert send_filled(operator, "/maintenance/begin", whole.text).status_code == 303
    in_it = console.query(
        "SELECT n.name, m.reason, m.until AT TIME ZONE 'Europe/Rome' FROM nas_maintenance m JOIN nas n ON n.id = m.nas_id ORDER BY 1"
    )
    assert [(name, reason, str(until)) for name, reason, until in in_it] == [
        ("monte-alto-1", "firmware", "None"), ("monte-alto-2", "power", "2099-01-31 18:40:00"),
    ]  # fmt: skip
    asked = operator.get("/maintenance/end?site=Monte Alto").text
    assert [send_filled(operator, "/maintenance/end?site=Monte Alto", asked).status_code for _ in range(2)] == [
        303,
        303,
    ]
    assert "No device is in maintenance" in operator.get("/maintenance").text
    assert len(_audit(console, "nas.maintenance_off")) == 2
    assert operator.get("/maintenance/end?nas=monte-alto-1").status_code == 404


def test_a_change_is_shown_with_its_packets_and_sent_again(console, operator, online):
    (number,) = want(console, [online[10][0]])
    tell(
        console,
        "INSERT INTO enforcement_packet (enforcement_id, at, direction, code, identifier, peer, attributes) VALUES (%s, now(), 'sent', 43, 7, '127.20.0.11:3799', 'User-Name = \"x\"'), (%s, now(), 'received', 45, 7, '127.20.0.11:3799', 'Error-Cause = 503')",
        number,
        number,
    )
    tell(
        console,
        "UPDATE enforcement SET state = 'gave_up', sent_at = now(), closed_at = now(), error_cause = 407, problem = 'no such policy', alarmed_at = now() WHERE id = %s",
        number,
    )
    page = operator.get(f"/enforcements/{number}").text
    for words in (
        "Gave up",
        "CoA-Request",
        "CoA-NAK",
        "Error-Cause = 503",
        "the device knows no such policy",
        "A person was told",
    ):
        assert words in page
    listed = operator.get(f"/enforcements?which=alarms&user={online[10][1]}").text
    assert f"/enforcements/{number}" in listed
    assert "No change is like that" in operator.get("/enforcements?state=sent").text
    asked = operator.get(f"/enforcements/{number}/retry").text
    assert "It takes something away" in asked
    answers = [send_filled(operator, f"/enforcements/{number}/retry", asked) for _ in range(2)]
    again = console.query("SELECT id, state::text FROM enforcement WHERE id > %s", (number,))
    assert len(again) == 1
    assert {one.headers["Location"] for one in answers} == {f"/enforcements/{again[0][0]}"}
    refused = send(operator, f"/enforcements/{number}/retry")
    assert (refused.status_code, "has another change open" in refused.text) == (422, True)
    assert operator.get("/enforcements/999999").status_code == 404


def test_the_list_of_changes_goes_on_where_it_ended(console, operator, online):
    tell(
        console,
        "INSERT INTO enforcement (session_key, nas_id, acct_session_id, username, level, reason, disruptive, method, wanted_at, state, problem, closed_at) SELECT gen_random_uuid(), (SELECT min(id) FROM nas), 'x' || n, 'paged', 'full', 'test', false, 'coa', now(), 'superseded', 'test', now() FROM generate_series(1, 51) AS n",
    )
    page = operator.get("/enforcements?user=paged").text
    assert page.count("<tr>") == 51
    further = (
        page.partition('href="/enforcements?after=')[2].partition('"')[0]
        or page.partition("after=")[2].partition('"')[0].partition("&")[0]
    )
    assert operator.get(f"/enforcements?user=paged&after={further.partition('&')[0]}").text.count("<tr>") == 2
    assert operator.get("/enforcements?after=broken").status_code == 400


def test_drift_and_sessions_of_nobody(console, operator, online):
    account, name = online[11]
    tell(
        console,
        "INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision) VALUES (%s, 'blocked', 'contract ended', NULL, '1111') ON CONFLICT (account_id) DO UPDATE SET level = 'blocked', profile_id = NULL",
        account,
    )
    tell(
        console,
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, started_at, updated_at, received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) VALUES (%s, (SELECT min(id) FROM nas), 'ghost', 'forgotten', now() - interval '1 hour', now(), now(), 1, 1, 1, 1, 1, now())",
        KEY.format(999_999),
    )
    page = operator.get("/drift").text
    assert name in page
    assert "Must end" in page
    assert "forgotten" in page
    assert name not in operator.get("/drift?reason=unknown").text
    assert operator.get("/drift?nas=nobody").status_code == 404
    address = f"/drift/cut?session={KEY.format(999_999)}"
    assert send(operator, address, reason="").status_code == 422
    done = send(operator, address, reason="a local user")
    assert done.headers["Location"].startswith("/enforcements/")
    assert send(operator, address, reason="again").status_code == 409
    assert operator.get(f"/drift/cut?session={KEY.format(5)}").status_code == 404


def test_a_device_is_believed_though_much_differs(console, operator, online):
    tell(
        console,
        "INSERT INTO device_reading (nas_id, tried_at, read_at, sessions, held) SELECT min(id), now(), now(), 0, 'too much differs' FROM nas",
    )
    assert "too much differs" in operator.get("/drift").text
    assert console.client("support").get("/drift/close-ghosts?nas=monte-alto-1").status_code == 403
    assert "listed 0 sessions" in operator.get("/drift/close-ghosts?nas=monte-alto-1").text
    assert send(operator, "/drift/believe?nas=monte-alto-1").status_code == 303
    assert operator.get("/drift/close-ghosts?nas=monte-alto-2").status_code == 409


@pytest.mark.parametrize(
    "path", ["/guard/release", "/guard/stop", "/guard/resume", "/guard/exemptions/new", "/guard/runs/1/undo"]
)
def test_who_may_not_release_is_refused(console, path):
    assert console.client("support").get(path).status_code == 403
    assert console.client("reader").get("/maintenance/begin").status_code == 403
    assert "Let all of it go" not in console.client("reader").get("/guard").text


def test_the_pages_are_usable_by_everybody(console, address, browser, online):
    number = want(console, [online[0][0], online[1][0]]) or [1]
    with browser.page(console, "network operator") as page:
        paths = (
            "/guard",
            "/guard/release",
            "/guard/forecast?days=30",
            "/guard/runs",
            "/guard/exemptions/new",
            "/maintenance/begin",
            "/drift",
            "/enforcements",
            f"/enforcements/{number[0]}",
        )
        usable_by_everybody(page, address, paths)
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)
            page.goto(f"{address}/guard")
            page.locator("input[name=user]").first.check()
            page.locator("[data-needs-chosen=user] button").click()
            page.locator("main", has_text="1 change goes out").wait_for()


def test_the_changes_of_one_subscriber_are_looked_up(console, online):
    with db.connect(console.conninfo, name="test") as connection:
        # There are a handful of rows here, of which any way is as cheap: ways that a large table makes dear are left out.
        connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM enforcement WHERE username = 'x' AND id < 9000000000 ORDER BY id DESC LIMIT 50"
        ).fetchall()
    assert "enforcement_by_username" in str(plan)
    assert "Sort" not in str(plan)
