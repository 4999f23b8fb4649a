"""The interface for dunning: tonight's cuts with reasons, who is left alone, promises, and a policy tried before it is saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.billed_console import bill_everybody, debtors
from support.program import Program, make_token, problem

from billing.dunning.policy_data import default_policy
from billing.operations.pursuing import pursue
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies, save_version
from control_plane import db
from control_plane.access.permissions import EVERYTHING

pytestmark = pytest.mark.db
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def pursued(console):
    """Eight customers on notice since weeks: tonight their lines are limited, but of the one whose notice did not come."""
    issuer = bill_everybody(console)
    people = debtors(console, count=12)
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        acting(connection, "maria")
        data = default_policy(load_policies(connection)[issuer].place)
        since = NOW.date() - timedelta(days=365)
        save_version(connection, issuer, data, name=data["name"], since=since, reason="the first", by="maria")
        customers = [one["customer"] for one in people[:8]]
        pursue(connection, customers, NOW - timedelta(days=70), place=lambda _connection, _cuts: frozenset())
        connection.execute(
            "UPDATE formal_notice SET delivered_at = %s, delivered_by = 'post' WHERE delivered_at IS NULL"
            " AND case_id IN (SELECT id FROM dunning_case WHERE customer_id <> %s)",
            (NOW - timedelta(days=65), customers[7]),
        )
        connection.commit()
    return people


@pytest.fixture(scope="module")
def program(console, pursued):
    return Program(console, make_token(console, "everything", EVERYTHING))


def tonight(program):
    return [one["customer_id"] for one in program.get("/dunning/tonight").json["cuts"]]


def test_a_case_says_what_holds_and_why_and_prints_its_letter(program, pursued):
    (case,) = program.get(f"/dunning/cases?customer_id={pursued[0]['customer']}").json["data"]
    shown = program.get(f"/dunning/cases/{case['id']}").json
    assert shown["debt"]["amount"] == f"{pursued[0]['open']:.2f}"
    assert "owes" in [one["code"] for one in shown["because"]]
    assert program.get(f"/dunning/cases/{case['id']}/letters/{shown['letters'][0]}.pdf").data.startswith(b"%PDF")
    assert problem(program.get(f"/dunning/cases/{case['id']}/letters/nonsense.pdf"))[0] == 404
    assert (
        program.post(f"/dunning/cases/{case['id']}/confirm", {"step": "propose_end"}).json["case"]["id"] == case["id"]
    )
    assert problem(program.post("/dunning/cases/999999/confirm", {"step": "propose_end"}))[0] == 404
    first = program.get("/dunning/cases?limit=5").json
    rest = program.get(f"/dunning/cases?limit=5&after={first['next']}").json
    assert len({one["id"] for one in (*first["data"], *rest["data"])}) == 8


def test_who_is_left_alone_is_not_among_tonight_s_cuts_until_that_ends(program, pursued):
    customer, before = pursued[1]["customer"], tonight(program)
    assert customer in before
    body = {"kind": "whitelist", "customer_id": customer, "reason": "a hospital"}
    assert program.post("/dunning/exclusions?dry_run=true", body).status_code == 200
    assert tonight(program) == before
    number = program.post("/dunning/exclusions", body).json["id"]
    assert tonight(program) == [one for one in before if one != customer]
    assert "a hospital" in [one["reason"] for one in program.get("/dunning/held").json["exclusions"]]
    assert program.post(f"/dunning/exclusions/{number}/end", {"reason": "moved"}).status_code == 200
    assert tonight(program) == before
    assert problem(program.post(f"/dunning/exclusions/{number}/end", {"reason": "again"}))[0] == 409
    both = {**body, "contract_id": 1}
    assert problem(program.post("/dunning/exclusions", both))[0] == 422


def test_a_promise_a_dispute_and_instalments_are_taken(program, pursued):
    promised = program.post("/dunning/promises", {"customer_id": pursued[2]["customer"]})
    assert promised.status_code == 201, promised.json
    assert promised.json["promise"]["amount"]["amount"] == f"{pursued[2]['open']:.2f}"
    assert problem(program.post("/dunning/promises", {"customer_id": pursued[2]["customer"]}))[0] == 409
    number = program.post("/dunning/disputes", {"invoice_id": pursued[3]["document"], "reason": "no line"}).json["id"]
    assert pursued[3]["customer"] not in tonight(program)
    assert program.post(f"/dunning/disputes/{number}/close", {"reason": "it was there"}).status_code == 200
    part = {"due_on": (NOW + timedelta(days=30)).date().isoformat()}
    parts = [{**part, "amount": {"amount": f"{pursued[4]['open']:.2f}", "currency": "EUR"}}]
    body = {"customer_id": pursued[4]["customer"], "parts": parts, "reason": "asked for"}
    plan = program.post("/dunning/plans", body)
    assert plan.status_code == 201, plan.json
    assert pursued[4]["customer"] not in tonight(program)
    assert program.post(f"/dunning/plans/{plan.json['id']}/end", {"reason": "not kept"}).status_code == 200


def test_a_proof_is_judged_and_a_notice_said_to_have_come(program, console, pursued):
    assert problem(program.post("/dunning/promises/999999/review", {"valid": True}))[0] == 404
    promised = program.post("/dunning/promises", {"customer_id": pursued[5]["customer"]}).json["promise"]
    # It has no proof.
    assert problem(program.post(f"/dunning/promises/{promised['id']}/review", {"valid": True}))[0] == 409
    ((number,),) = console.query("SELECT id FROM formal_notice WHERE delivered_at IS NULL")
    day = (NOW - timedelta(days=3)).date().isoformat()
    came = program.post(f"/dunning/notices/{number}/delivered", {"day": day})
    assert came.status_code == 200, came.json
    assert console.query("SELECT delivered_at::date::text FROM formal_notice WHERE id = %s", (number,)) == [(day,)]
    assert problem(program.post(f"/dunning/notices/{number}/delivered", {"day": day}))[0] == 409
    assert program.get("/dunning/cuts?limit=5").status_code == 200


def test_a_policy_is_tried_saved_over_what_was_seen_and_switched_off(program, pursued):
    (version,) = program.get("/dunning/policies").json
    body = {"text": version["text"], "reason": "as it is", "seen_version": version["version"]}
    tried = program.post("/dunning/policies?dry_run=true", body).json
    assert tried["forecast"]["cuts_tonight"]["now"] == tried["forecast"]["cuts_tonight"]["then"] > 0
    assert len(program.get("/dunning/policies").json) == 1
    assert (
        problem(program.post("/dunning/policies", {**body, "text": "this is ="}))[1]["errors"][0]["pointer"] == "/text"
    )
    assert problem(program.post("/dunning/policies", {**body, "seen_version": 7}))[0] == 409
    saved = program.post("/dunning/policies", body)
    assert saved.status_code == 201, saved.json
    off = program.post("/dunning/policies/off", {"name": version["name"], "reason": "a strike"}).json
    assert off["version"]["text"] is None
    assert tonight(program) == []
