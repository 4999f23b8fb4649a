"""The interface, the network: what operators see and do there, a program sees and does, and is refused what they are."""

from __future__ import annotations

import pytest
from support.console_online import go_online
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def online(console):
    return go_online(console)


@pytest.fixture(scope="module")
def program(console, online) -> Program:
    """One that may everything."""
    return Program(console, make_token(console, "everything", EVERYTHING))


@pytest.fixture(autouse=True)
def _nothing_open(console, online):
    yield
    for table in ("enforcement", "network_stop"):
        console.query(f"DELETE FROM {table} RETURNING id")


def narrow(console, name: str, *permissions: Permission) -> Program:
    return Program(console, make_token(console, name, frozenset(permissions)))


def through(program: Program, path: str) -> list[dict]:
    """A whole list, a part at a time."""
    found, after = [], ""
    while after is not None:
        part = program.get(f"{path}{'&' if '?' in path else '?'}limit=7{f'&after={after}' if after else ''}").json
        found += part["data"]
        after = part["next"]
    return found


def opened(console) -> list[tuple[str, str]]:
    return console.query("SELECT method::text, reason FROM enforcement ORDER BY id")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-since", "started_at DESC, session_key DESC"),
        ("since", "started_at, session_key"),
        ("username", "username, session_key"),
    ],
)
def test_who_is_online_is_gone_through_in_each_order(program, console, sort, order):
    keys = [key for (key,) in console.query(f"SELECT session_key::text FROM session ORDER BY {order}")]
    assert [one["session_key"] for one in through(program, f"/sessions?sort={sort}")] == keys
    assert len(keys) > 7


def test_sessions_are_found_by_what_is_known_of_them(program, console):
    ((key, address, mac, nas),) = console.query(
        "SELECT s.session_key::text, host(s.framed_ipv4), s.mac, n.name FROM session s JOIN nas n ON n.id = s.nas_id"
        " WHERE s.framed_ipv4 IS NOT NULL AND s.mac <> '' ORDER BY s.session_key LIMIT 1"
    )
    for asked in (f"ip={address}", f"mac={mac}", f"ip={address}/32&nas={nas}"):
        assert [one["session_key"] for one in program.get(f"/sessions?{asked}").json["data"]] == [key]
    assert program.get(f"/sessions?ip={address}&nas=elsewhere").json["data"] == []
    assert all(one["nas"] == nas for one in through(program, f"/sessions?nas={nas}&sort=-now"))


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [("ip=here", "ip"), ("mac=02:00", "mac"), ("sort=now", "sort"), ("customer_id=x", "customer_id")],
)
def test_a_question_that_can_t_be_read_is_named(program, asked, parameter):
    status, said = problem(program.get(f"/sessions?{asked}"))
    assert (status, said["errors"][0]["parameter"]) == (422, parameter)


def test_sessions_end_after_a_dry_run_has_told_how_many(program, console):
    nas = console.query(
        "SELECT n.name FROM session s JOIN nas n ON n.id = s.nas_id GROUP BY 1 ORDER BY count(*) LIMIT 1"
    )[0][0]
    sessions = len(through(program, f"/sessions?nas={nas}"))
    deed = {"where": {"nas": nas}, "reason": "new firmware", "at_most": sessions}

    tried = program.post("/sessions/disconnect?dry_run=true", deed)
    assert (tried.status_code, tried.headers["Dry-Run"]) == (200, "true")
    assert (tried.json["sessions"], tried.json["ends"]) == (sessions, sessions)
    assert opened(console) == []

    done = program.post("/sessions/disconnect", deed, Idempotency_Key="firmware-1")
    again = program.post("/sessions/disconnect", deed, Idempotency_Key="firmware-1")
    assert done.json == again.json
    assert len(opened(console)) == len(done.json["enforcements"]) == sessions
    assert opened(console)[0][1] == "disconnected by admin: new firmware"


def test_more_sessions_than_were_said_are_not_touched(program, console):
    status, said = problem(program.post("/sessions/disconnect", {"where": {}, "reason": "typo", "at_most": 1}))
    assert status == 409
    assert said["detail"].endswith("at most 1 may be: nothing was done.")
    for which in ({}, {"where": {}, "keys": ["00000000-0000-4000-8000-000000000001"]}):
        assert problem(program.post("/sessions/reapply", {**which, "reason": "x", "at_most": 9}))[0] == 422
    assert opened(console) == []


def test_who_may_not_release_does_not_end_more_than_automation_may(program, console):
    everybody = {"where": {}, "reason": "everybody", "at_most": 50_000}
    assert program.post("/sessions/disconnect?dry_run=true", everybody).json["beyond"] is True
    operator = narrow(console, "no release", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(operator.post("/sessions/disconnect", everybody))[0] == 403
    assert opened(console) == []


def test_chosen_sessions_are_told_their_policy_again(program, console):
    keys = [one["session_key"] for one in program.get("/sessions?limit=3").json["data"]]
    came = program.post("/sessions/reapply", {"keys": keys, "reason": "asked", "at_most": 3}).json
    assert (came["sessions"], came["opened"]) == (3, len(opened(console)))
    assert problem(program.post("/sessions/reapply", {"keys": ["x"], "reason": "asked", "at_most": 3}))[0] == 422


def test_customers_of_chosen_sessions_are_written_to(program, console):
    keys = [one["session_key"] for one in program.get("/sessions?limit=2").json["data"]]
    said = {"keys": keys, "at_most": 2, "subject": "Works tonight", "text": "From 02:00 on."}
    tried = program.post("/sessions/message?dry_run=true", said).json
    assert console.query("SELECT count(*) FROM message WHERE batch_id = %s", (tried["batch_id"],)) == [(0,)]
    queued = program.post("/sessions/message", said).json
    assert queued["messages"] == queued["goes"] + queued["waits"] + sum(queued["withheld"].values()) > 0
    assert console.query("SELECT count(*) FROM message WHERE batch_id = %s", (queued["batch_id"],)) == [
        (queued["messages"],)
    ]
    only_sees = narrow(console, "only sees", Permission.NETWORK_SEE)
    assert problem(only_sees.post("/sessions/message", said))[0] == 403


def test_a_device_is_maintained_and_sent_to_again(program, console):
    nas = console.query("SELECT name FROM nas ORDER BY id LIMIT 1")[0][0]
    assert (
        problem(program.post(f"/nases/{nas}/maintenance", {"reason": "x", "until": "2026-01-01T00:00:00Z"}))[0] == 422
    )
    begun = program.post(f"/nases/{nas}/maintenance", {"reason": "new card"}).json
    assert (begun["nas"], begun["placed_by"], begun["until"]) == (nas, "admin", None)
    assert problem(program.post(f"/nases/{nas}/maintenance", {"reason": "again"}))[0] == 409
    assert program.get("/maintenance").json == [begun]
    assert program.send("DELETE", f"/nases/{nas}/maintenance").status_code == 204
    assert problem(program.send("DELETE", f"/nases/{nas}/maintenance"))[0] == 409
    assert problem(program.post("/nases/elsewhere/maintenance", {"reason": "x"}))[0] == 404


def test_everything_is_stopped_once_and_goes_on(program, console):
    assert program.post("/guard/stop?dry_run=true", {"reason": "storm"}).json["reason"] == "storm"
    assert program.get("/guard").json["stop"] is None
    assert program.post("/guard/stop", {"reason": "storm"}).status_code == 200
    assert problem(program.post("/guard/stop", {"reason": "storm"}))[0] == 409
    assert program.get("/guard").json["stop"]["placed_by"] == "admin"
    operator = narrow(console, "acts", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(operator.post("/guard/resume"))[0] == 403
    assert program.post("/guard/resume").status_code == 204
    assert problem(program.post("/guard/resume"))[0] == 409


def test_with_nothing_waiting_there_is_nothing_to_release_or_take_back(program):
    state = program.get("/guard").json
    assert (state["changes"], state["upto"], state["runs"]) == (0, 0, [])
    assert problem(program.post("/guard/release", {"reason": "mine", "upto": 9}))[0] == 409
    assert problem(program.post("/guard/runs/999/undo", {"reason": "wrong"}))[0] == 404
    assert problem(program.send("DELETE", "/guard/exemptions/999"))[0] == 404
    assert program.get("/guard/waiting").json == {"data": [], "next": None}


def test_a_change_is_shown_and_sent_again_unless_it_is_on_its_way(program, console):
    key = program.get("/sessions?limit=1").json["data"][0]["session_key"]
    (number,) = program.post("/sessions/disconnect", {"keys": [key], "reason": "asked", "at_most": 1}).json[
        "enforcements"
    ]
    assert [one["id"] for one in program.get("/enforcements?which=open").json["data"]] == [number]
    shown = program.get(f"/enforcements/{number}").json
    assert (shown["enforcement"]["reason"], shown["packets"]) == ("disconnected by admin: asked", [])
    assert program.post(f"/enforcements/{number}/retry").json["id"] == number
    assert problem(program.get("/enforcements/999999"))[0] == 404
    assert problem(program.post("/enforcements/999999/retry"))[0] == 404


def test_logins_are_gone_through_and_asked_for_by_what_was_answered(program, console):
    assert len(through(program, "/logins")) == 20
    refused = through(program, "/logins?outcome=reject&reason=wrong_password")
    assert {one["reason"] for one in refused} == {"wrong_password"}
    assert len(refused) == 15
    assert problem(program.get("/logins?outcome=perhaps"))[0] == 422
