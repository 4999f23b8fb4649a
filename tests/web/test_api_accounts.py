"""The interface, accounts: added and changed, limited and let go, and why they get what they get."""

from __future__ import annotations

from typing import Any

import pytest
from support.console_world import Console
from support.program import Program, problem

from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db
NAME = "till-3@isp.example"


@pytest.fixture(scope="module")
def program(console: Console) -> Program:
    return Program.of(console)


@pytest.fixture(scope="module")
def contract(console: Console) -> int:
    """One in service, nobody of which is limited."""
    ((number,),) = console.query(
        "SELECT c.id FROM contract AS c WHERE c.status = 'active' AND NOT EXISTS (SELECT FROM restriction AS r WHERE r.contract_id = c.id)"
        " ORDER BY c.id LIMIT 1"
    )
    return int(number)


@pytest.fixture(scope="module")
def made(program: Program, contract: int) -> Any:
    answer = program.post(
        "/accounts",
        {
            "contract_id": contract,
            "username": NAME,
            "password": "Blue42sky",
            "macs": ["02-00-5E-00-53-77"],
            "ipv4": "198.18.77.7",
            "routes": ["198.18.78.0/29"],
        },
    )
    assert answer.status_code == 201, answer.json
    return answer


def test_an_account_is_added_and_changed_and_who_comes_second_is_told(program, console, made):
    assert (made.json["macs"], made.json["ipv4"], made.json["routes"]) == (
        ["02005e005377"],
        "198.18.77.7/32",
        ["198.18.78.0/29"],
    )
    assert "Blue42sky" not in made.text
    read = program.get(f"/accounts/{NAME}")
    assert read.headers["ETag"] == made.headers["ETag"]

    first = program.send("PATCH", f"/accounts/{NAME}", {"max_sessions": 2, "routes": []}, If_Match=read.headers["ETag"])
    late = program.send("PATCH", f"/accounts/{NAME}", {"max_sessions": 3}, If_Match=read.headers["ETag"])
    assert (first.json["max_sessions"], first.json["routes"], first.json["ipv4"]) == (2, [], "198.18.77.7/32")
    assert problem(late)[0] == 412
    before = console.query("SELECT sealed_secret FROM subscriber_account WHERE username = %s", [NAME])
    program.send("PATCH", f"/accounts/{NAME}", {"password": None}, If_Match="*")
    assert console.query("SELECT sealed_secret FROM subscriber_account WHERE username = %s", [NAME]) != before


def test_a_password_is_told_to_who_says_why_and_kept_with_no_answer(program, console, made, contract):
    name = "secret@isp.example"
    program.post("/accounts", {"contract_id": contract, "username": name, "password": "Blue42sky"})
    told = program.post(f"/accounts/{name}/password", {"reason": "on the phone"}, Idempotency_Key="reveal")
    assert told.json == {"password": "Blue42sky"}
    assert console.query("SELECT count(*) FROM idempotency_key WHERE key = 'reveal'") == [(0,)]
    assert console.query(
        "SELECT actor, detail ->> 'reason' FROM audit_log WHERE action = 'account.reveal_secret' AND subject = %s",
        [name],
    ) == [("admin", "on the phone")]
    assert problem(program.post(f"/accounts/{name}/password", {"reason": " "}))[0] == 409
    assert problem(program.post(f"/accounts/{name}/password", {}))[0] == 422
    without = Program.of(console, Permission.ACCOUNT_SEE, Permission.ACCOUNT_CHANGE)
    assert problem(without.post(f"/accounts/{name}/password", {"reason": "x"}))[0] == 403


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"username": NAME}, 422, "/username"),
        ({"contract_id": 999_999}, 422, "/contract_id"),
        ({"macs": ["no mac at all"]}, 422, "/macs/0"),
        ({"nases": ["nowhere"]}, 422, "/nases"),
        ({"ipv4": "198.18.77.300"}, 422, "/ipv4"),
        ({"ipv4": "198.18.77.7"}, 409, None),
        ({"expires_at": "2099-01-01T00:00:00"}, 422, "/expires_at"),
    ],
)
def test_what_is_wrong_with_an_account_is_named(program, console, made, contract, change, status, place):
    body = {"contract_id": contract, "username": "other@isp.example"} | change
    refused, said = problem(program.post("/accounts", body))
    assert (refused, said.get("errors", [{}])[0].get("pointer")) == (status, place)
    assert console.query("SELECT count(*) FROM subscriber_account WHERE username = 'other@isp.example'") == [(0,)]


def test_an_account_is_limited_and_let_go_each_tried_before(program, made):
    asked = {"level": "walled", "reason": "asked for"}
    tried = program.post(f"/accounts/{NAME}/restrictions?dry_run=true", asked)
    assert (tried.json["now"]["level"], program.get(f"/accounts/{NAME}/restrictions").json["restrictions"]) == (
        "walled",
        [],
    )
    (placed,) = program.post(f"/accounts/{NAME}/restrictions", asked, Idempotency_Key="limit").json["restrictions"]
    again = program.post(f"/accounts/{NAME}/restrictions", asked, Idempotency_Key="limit").json["restrictions"]
    assert (placed["placed_by"], again) == ("admin", [placed])
    why = program.get(f"/accounts/{NAME}/why").json["data"]
    assert any("walled" in one["words"] for one in why)
    past = program.post(f"/accounts/{NAME}/restrictions", asked | {"until": "2020-01-01T00:00:00Z"})
    assert problem(past)[1]["errors"][0]["pointer"] == "/until"
    lift = f"/accounts/{NAME}/restrictions/lift"
    assert problem(program.post(lift, {"restriction_ids": [999_999], "reason": "x"}))[0] == 422
    lifted = program.post(lift, {"restriction_ids": [placed["id"]], "reason": "over"}).json
    assert (lifted["restrictions"], lifted["now"]["level"]) == ([], "full")


def test_what_radius_would_answer_is_told_to_the_last_attribute(program, made):
    right = program.post(f"/accounts/{NAME}/tried-logins", {"mac": "02:00:5e:00:53:77"}).json
    wrong = program.post(f"/accounts/{NAME}/tried-logins", {"password": "guess"}).json
    assert (right["answer"], wrong["answer"]) == ("accept", "reject")
    assert {"name", "operator", "value"} == set(right["attributes"][0])
    assert problem(program.post(f"/accounts/{NAME}/tried-logins", {"nas": "nowhere"}))[0] == 422
    assert problem(program.post(f"/accounts/{NAME}/tried-logins", {"at": "2020-01-01T00:00:00Z"}))[0] == 422


def test_plan_sessions_and_past_of_an_account(program, console, made, contract):
    ((plan,),) = console.query(
        "SELECT p.name FROM plan AS p JOIN product AS o ON o.plan_id = p.id, contract AS c WHERE c.id = %s AND p.id <> c.plan_id"
        " AND o.offered @> current_date ORDER BY p.id LIMIT 1",
        [contract],
    )
    tried = program.post(f"/accounts/{NAME}/plan?dry_run=true", {"plan": plan})
    assert tried.status_code in (200, 409), tried.json
    assert problem(program.post(f"/accounts/{NAME}/plan", {"plan": "Nothing"}))[0] == 422
    assert problem(program.post(f"/accounts/{NAME}/plan", {"plan": plan, "on": "2020-01-01"}))[0] == 409
    for deed in ("disconnect", "reapply"):
        assert "no live session" in problem(program.post(f"/accounts/{NAME}/{deed}", {"reason": "x"}))[1]["detail"]
    for part in ("usage", "usage?by=month&since=2026-01-01", "logins?outcome=reject", "sessions"):
        assert program.get(f"/accounts/{NAME}/{part}").json["data"] == []
    assert problem(program.get(f"/accounts/{NAME}/usage?since=2001-01-01"))[0] == 422
    assert problem(program.get("/accounts/nobody/usage"))[0] == 404
    narrow = Program.of(console, Permission.ACCOUNT_SEE)
    assert problem(narrow.post(f"/accounts/{NAME}/disconnect", {"reason": "x"}))[0] == 403
