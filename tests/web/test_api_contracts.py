"""The interface, contracts: made as the wizard makes them, carried through their life, each deed tried before it is done."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.console_world import Console
from support.program import Program, problem

from control_plane.access.permissions import Permission
from web.api.contract_deeds import _MADE, DeedToDo, SetEnd

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def program(console: Console) -> Program:
    return Program.of(console)


@pytest.fixture(scope="module")
def sold(console: Console) -> dict[str, int]:
    """Numbers of products on offer, by kind."""
    return dict(
        console.query(
            "SELECT DISTINCT ON (kind) kind::text, id FROM product WHERE offered @> current_date ORDER BY kind, id"
        )
    )


@pytest.fixture(scope="module")
def active(console: Console) -> int:
    """A contract in service that somebody bills."""
    ((number,),) = console.query(
        "SELECT c.id FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id WHERE c.status = 'active' AND c.ends_on IS NULL"
        " AND NOT EXISTS (SELECT FROM restriction AS r WHERE r.contract_id = c.id) ORDER BY c.id LIMIT 1"
    )
    return int(number)


def deed(program: Program, number: int, name: str, *, dry: bool = False, **asked: Any) -> Any:
    headers = {"If_Match": asked.pop("version")} if "version" in asked else {}
    address = f"/contracts/{number}/deeds{'?dry_run=true' if dry else ''}"
    return program.post(address, {"deed": name, **asked}, **headers)


def test_a_contract_is_made_in_one_call_and_lives(program, console, sold):
    body = {
        "customer_id": 1,
        "plan_id": sold["plan"],
        "account": {"username": "program@isp.example", "macs": ["02-00-5E-00-53-01"]},
        "months": 2,
        "due_days": 20,
    }
    tried = program.post("/contracts?dry_run=true", body)
    made = program.post("/contracts", body, Idempotency_Key="order-9")
    again = program.post("/contracts", body, Idempotency_Key="order-9")
    assert (tried.status_code, tried.json["status"]) == (200, "draft")
    assert (made.status_code, again.json) == (201, made.json)
    number = made.json["id"]
    assert made.json["accounts"] == ["program@isp.example"]
    assert (made.json["terms"]["due_days"], made.json["items"][0]["months"]) == (20, 2)
    assert console.query("SELECT macs::text[] FROM subscriber_account WHERE username = 'program@isp.example'") == [
        (["02005e005301"],)
    ]
    assert problem(program.post("/contracts", body))[1]["errors"][0]["pointer"] == "/account/username"
    assert "password" not in made.text

    assert [deed(program, number, name).status_code for name in ("propose", "accept")] == [200, 200]
    activated = deed(program, number, "activate").json
    assert (activated["contract"]["status"], activated["done"][0]["event"]) in {
        ("active", "activated"),
        ("trial", "activated"),
    }
    assert activated["network_before"][0]["steps"][0]["level"] == "none"
    assert activated["network_after"][0]["steps"][0]["level"] == "full"
    assert [one["event"] for one in program.get(f"/contracts/{number}/events").json["data"]] == [
        "created",
        "proposed",
        "accepted",
        "activated",
    ]
    assert program.get(f"/contracts/{number}/paper.pdf").data.startswith(b"%PDF")
    assert program.get("/contracts?customer_id=1&limit=1").json["data"][0]["id"] == number


def test_what_was_tried_is_done_unless_somebody_was_faster(program, console, active):
    tried = deed(program, active, "restrict", dry=True, level="walled", reason="asked for")
    assert tried.json["network_after"][0]["steps"][0]["level"] == "walled"
    assert program.get(f"/contracts/{active}").json["limited"] == []

    done = deed(program, active, "restrict", level="walled", reason="asked for", version=tried.headers["ETag"])
    late = deed(program, active, "pause", until="2099-01-01", version=tried.headers["ETag"])
    assert (done.status_code, done.json["contract"]["limited"]) == (200, ["walled by admin"])
    assert problem(late)[0] == 412
    lifted = deed(program, active, "lift", origin="admin", reason="over", version=done.headers["ETag"])
    assert (lifted.status_code, lifted.json["contract"]["limited"]) == (200, [])


@pytest.mark.parametrize(
    ("asked", "status", "place"),
    [
        ({"deed": "activate"}, 409, None),
        ({"deed": "restrict", "level": "walled"}, 422, ""),
        ({"deed": "vanish"}, 422, "/deed"),
        ({"deed": "change-plan", "plan_id": 1, "when": "date"}, 422, "/on"),
        ({"deed": "change-period"}, 422, "/months"),
        ({"deed": "end", "on": "tomorrow"}, 422, "/on"),
        ({"deed": "keep"}, 409, None),
        ({"deed": "keep-plan", "on": "2030-07-01"}, 409, None),
    ],
)
def test_a_deed_that_can_t_be_done_says_why_and_leaves_no_trace(program, console, active, asked, status, place):
    before = console.query("SELECT count(*) FROM contract_event WHERE contract_id = %s", [active])
    refused, said = problem(program.post(f"/contracts/{active}/deeds", asked))
    assert (refused, said.get("errors", [{}])[0].get("pointer") or ("" if place == "" else None)) == (status, place)
    assert console.query("SELECT count(*) FROM contract_event WHERE contract_id = %s", [active]) == before


def test_every_deed_of_the_contract_can_be_asked_for(program, active):
    tags = {one.__struct_config__.tag for one in DeedToDo.__args__}
    assert {SetEnd, *_MADE} == set(DeedToDo.__args__)
    shown = program.get("/openapi.json").json["components"]["schemas"]
    assert tags == {"propose", "accept", "refuse", "expire", "activate", "cancel", "end-trial", "make-free", "make-billable"} | {
        "change-plan", "keep-plan", "change-period", "move", "restrict", "lift", "pause", "end", "keep", "reach-end", "reopen", "withdraw"
    }  # fmt: skip
    assert {
        one["properties"]["deed"]["enum"][0] for one in shown.values() if "deed" in one.get("properties", {})
    } == tags
    for asked in (
        {"deed": "make-free", "reason": "a gift", "review_on": "2099-01-01"},
        {"deed": "change-period", "months": 3},
        {"deed": "pause", "until": "2099-01-01"},
        {"deed": "end", "waive_notice": True},
    ):
        tried = program.post(f"/contracts/{active}/deeds?dry_run=true", asked)
        assert tried.status_code == 200, (asked, tried.json)
        assert tried.json["done"]
    assert msgspec.json.encode(program.get(f"/contracts/{active}").json["deeds"])


def test_a_token_that_only_reads_does_no_deed(console, active):
    reader = Program.of(console, Permission.CONTRACT_SEE)
    assert reader.get(f"/contracts/{active}").status_code == 200
    assert problem(deed(reader, active, "end"))[0] == 403


def test_a_request_for_another_plan_is_answered_once(program, console, active):
    ((plan,),) = console.query(
        "SELECT p.id FROM plan AS p JOIN contract AS c ON c.id = %s AND c.plan_id <> p.id LIMIT 1", [active]
    )
    ((number,),) = console.query(
        "INSERT INTO plan_request (contract_id, plan_id, note, asked_by) VALUES (%s, %s, 'faster', 'customer 1') RETURNING id",
        [active, plan],
    )
    assert [one["note"] for one in program.get("/plan-requests").json["data"] if one["id"] == number] == ["faster"]
    answered = program.post(f"/plan-requests/{number}/answer", {"accepted": False, "answer": "Not there yet."}).json
    assert (answered["accepted"], answered["answered_by"], answered["answer"]) == (False, "admin", "Not there yet.")
    assert problem(program.post(f"/plan-requests/{number}/answer", {"accepted": True}))[0] == 409
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'plan_request.answer'") == [(1,)]


def test_a_contract_moves_to_no_place_of_somebody_else(program, console):
    ((number, foreign),) = console.query(
        "SELECT t.contract_id, a.id FROM contract_terms AS t JOIN contract AS c ON c.id = t.contract_id JOIN address AS a ON a.customer_id <> c.customer_id"
        " WHERE c.status = 'active' ORDER BY 1, 2 LIMIT 1"
    )
    status, said = problem(program.post(f"/contracts/{number}/deeds", {"deed": "move", "address_id": foreign}))
    assert (status, "is none of contract" in said["detail"]) == (409, True)
    assert console.query(
        "SELECT service_address_id IS DISTINCT FROM %s FROM contract_terms WHERE contract_id = %s", (foreign, number)
    ) == [(True,)]
