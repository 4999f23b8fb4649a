"""The interface for collectors and agents: a token sees only its holder's own, a payment is taken once, cash is counted and handed over."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.collecting_world import collecting
from support.program import Program, make_token, problem

from billing.commission_rules import Rule, RuleKind
from billing.operations.earning import work_out
from billing.store.commissions import load_agents, save_rule
from control_plane import db
from control_plane.access.permissions import EVERYTHING, OF_A_COLLECTOR, OF_AN_AGENT

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def field(console):
    return collecting(console)


@pytest.fixture(scope="module")
def app(console, field):
    """Carla's, on her phone."""
    return Program(console, make_token(console, "app", OF_A_COLLECTOR, holder="collector"))


@pytest.fixture(scope="module")
def office(console, field):
    return Program(console, make_token(console, "office", EVERYTHING))


def euro(amount):
    return {"amount": f"{Decimal(amount):.2f}", "currency": "EUR"}


@pytest.mark.parametrize("by", ["due", "way", "name"])
def test_the_round_is_the_holder_s_own_and_is_gone_through_in_each_order(app, field, by):
    seen, after = [], ""
    while after is not None:
        part = app.get(f"/field/customers?by={by}&limit=4{f'&after={after}' if after else ''}").json
        seen += [one["customer_id"] for one in part["data"]]
        after = part["next"]
    assert len(seen) == len(set(seen)) == app.get("/field/sums").json[0]["customers"]
    assert field["own"] in seen
    assert field["foreign"] not in seen


def test_a_payment_is_taken_once_and_a_twin_only_when_it_is_said(app, field, console):
    shown = app.get(f"/field/customers/{field['own']}").json
    body = {
        "customer_id": field["own"],
        "amount": shown["owed"][0]["open"],
        "key": "door 1",
        "document_id": shown["owed"][0]["document_id"],
    }
    tried = app.post("/field/payments?dry_run=true", {**body, "key": "door-1"})
    assert tried.status_code == 200, tried.json
    assert problem(app.post("/field/payments", body))[1]["errors"][0]["pointer"] == "/key"
    taken, again = (app.post("/field/payments", {**body, "key": "door-1"}).json for _ in range(2))
    assert (taken["again"], again["again"]) == (False, True)
    assert taken["receipt"] == again["receipt"]
    assert taken["documents"][0]["number"] == shown["owed"][0]["number"]
    assert problem(app.post("/field/payments", {**body, "key": "door-2", "document_id": None}))[0] == 409
    another = app.post("/field/payments", {**body, "key": "door-2", "document_id": None, "another": True})
    assert another.status_code == 201, another.json
    count = "SELECT count(*) FROM payment WHERE customer_id = %s AND source = 'collector'"
    assert console.query(count, (field["own"],)) == [(2,)]
    number = taken["receipt"]["payment_id"]
    assert app.get(f"/field/receipts/{number}.pdf?size=58mm").data.startswith(b"%PDF")
    assert app.post(f"/field/receipts/{number}/send").status_code == 200


def test_what_can_t_be_taken_is_named_by_its_place(app, field):
    body = {"customer_id": field["spare"], "amount": euro(1), "key": "wrong"}
    for change, place in (
        ({"amount": euro(0)}, "/amount/amount"),
        ({"method": "shells"}, "/method"),
        ({"document_id": 999_999}, "/document_id"),
    ):
        status, said = problem(app.post("/field/payments", {**body, **change}))
        assert (status, said["errors"][0]["pointer"]) == (422, place)
    assert problem(app.post("/field/payments", {**body, "amount": euro(1501)}))[0] == 409


def test_nothing_of_another_s_is_there_whatever_is_asked(app, office, console, field):
    """Pedro's customer, receipt and session."""
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "UPDATE staff SET collector_id = (SELECT id FROM collector WHERE name = 'Pedro') WHERE name = 'reader'"
        )
        connection.execute(
            "INSERT INTO staff_has_role (staff_id, role_id) SELECT s.id, r.id FROM staff s, staff_role r WHERE s.name = 'reader' AND r.name = 'collector'"
        )
        connection.commit()
    pedro = Program(console, make_token(console, "pedro", OF_A_COLLECTOR, holder="reader"))
    owed = pedro.get(f"/field/customers/{field['foreign']}").json["owed"]
    taken = pedro.post(
        "/field/payments", {"customer_id": field["foreign"], "amount": owed[0]["open"], "key": "pedro-1"}
    ).json
    payment, session = taken["receipt"]["payment_id"], pedro.get("/field/sessions").json["data"][0]["id"]
    for address in (
        f"/field/customers/{field['foreign']}",
        f"/field/receipts/{payment}",
        f"/field/receipts/{payment}.pdf",
        f"/field/sessions/{session}",
        f"/field/sessions/{session}.pdf",
    ):
        assert pedro.get(address).status_code == 200
        assert problem(app.get(address))[0] == 404
    body = {"customer_id": field["foreign"], "amount": euro(1), "key": "stolen"}
    assert problem(app.post("/field/payments", body))[0] == 404
    assert problem(app.send("PUT", f"/field/sessions/{session}/count", {"pieces": []}))[0] == 404
    assert problem(app.get("/cash/sessions"))[0] == 403
    assert problem(app.get("/customers"))[0] == 403
    assert problem(app.get("/agent/contracts"))[0] == 403
    # Bound to nobody.
    assert problem(office.get("/field/customers"))[0] == 403


def test_cash_is_counted_withdrawn_and_handed_over_with_its_difference(app, office, field):
    owed = app.get(f"/field/customers/{field['spare']}").json["owed"]
    app.post("/field/payments", {"customer_id": field["spare"], "amount": owed[0]["open"], "key": "spare-1"})
    session = app.get("/field/sessions").json["data"][0]
    there = Decimal(session["expected"]["amount"])
    assert problem(app.post("/field/sessions"))[0] == 409
    count = {"pieces": [{"value": "1.00", "count": int(there)}]}
    assert (
        problem(app.send("PUT", f"/field/sessions/{session['id']}/count", {"pieces": [{"value": "3", "count": 1}]}))[0]
        == 422
    )
    offered = app.send("PUT", f"/field/sessions/{session['id']}/count", count).json["offer"]
    assert offered["together"] == euro(int(there))
    (mine,) = [one for one in office.get("/cash/collectors").json if one["id"] == session["collector_id"]]
    assert mine["in_hand"] == [session["expected"]]
    out = {"amount": euro(1), "to": "bank", "reason": "paid in"}
    left = office.post(f"/cash/sessions/{session['id']}/withdrawals", out).json
    assert left["session"]["expected"] == euro(there - 1)
    path = f"/cash/sessions/{session['id']}/hand-over"
    assert problem(office.post(path, {**count, "expected": session["expected"]}))[0] == 409
    tried = office.post(f"{path}?dry_run=true", {**count, "expected": euro(there - 1)}).json
    assert tried["session"]["difference"] == euro(int(there) - (there - 1))
    assert office.post(path, {**count, "expected": euro(there - 1)}).json["session"]["closed_at"] is not None
    assert problem(app.send("PUT", f"/field/sessions/{session['id']}/count", count))[0] == 404
    begun = office.post(f"/cash/collectors/{session['collector_id']}/sessions", {"amount": euro(50)})
    assert (begun.status_code, begun.json["opening"]) == (201, euro(50))
    assert office.get("/cash/sessions?state=open&limit=1").json["data"][0]["id"] == begun.json["id"]
    assert office.get(f"/cash/sessions/{session['id']}.pdf?language=it").data.startswith(b"%PDF")


def test_an_agent_s_token_sees_the_contracts_and_commissions_of_that_agent(console, field):
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        save_rule(
            connection,
            field["issuer"],
            Rule(0, RuleKind.RECURRING, Decimal(10), None, None, None, date(2026, 1, 1), None, None, None, None),
        )
        (earner,) = load_agents(connection, agent_id=field["agent"])
        work_out(connection, earner, today=date(2026, 12, 1), actor="test")
        connection.execute("UPDATE staff SET agent_id = %s WHERE name = 'support'", (field["agent"],))
        connection.execute(
            "INSERT INTO staff_has_role (staff_id, role_id) SELECT s.id, r.id FROM staff s, staff_role r WHERE s.name = 'support' AND r.name = 'agent'"
        )
        connection.commit()
    agent = Program(console, make_token(console, "dora", OF_AN_AGENT, holder="support"))
    brought = agent.get("/agent/contracts").json["data"]
    mine = console.query("SELECT contract_id FROM contract_agent WHERE agent_id = %s", (field["agent"],))
    assert sorted(one["id"] for one in brought) == sorted(number for (number,) in mine)
    earned = agent.get("/agent/commissions").json["data"]
    assert {one["contract_id"] for one in earned} <= {one["id"] for one in brought}
    together = sum(Decimal(one["amount"]["amount"]) for one in earned)
    assert agent.get("/agent/waiting").json == [euro(together)]
    assert agent.get("/agent/settlements").json == []
    assert problem(agent.get("/agent/settlements/1.pdf"))[0] == 404
    assert problem(agent.get("/field/customers"))[0] == 403
