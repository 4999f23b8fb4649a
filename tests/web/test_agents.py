"""Agents as the office keeps them, and what one who signs in sees: their own, on every page, in every call and in the search."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from support.browser import PHONE, violations
from support.collecting_world import collecting
from support.console_world import Console
from support.forms import form_of, send
from support.program import Program, make_token, problem

from control_plane import db
from control_plane.access.permissions import EVERYTHING, OF_AN_AGENT
from web.calls import Noun
from web.marks import Allowed, SignedIn, mark_of

pytestmark = pytest.mark.db


@pytest.fixture(scope="module", autouse=True)
def field(console: Console) -> dict[str, int]:
    """Dora has the contracts of two customers, Aldo is an agent of nothing; a tenth is earned of what is paid."""
    made = collecting(console)
    office = console.client("billing")
    assert send(office, "/field/agents/new", name="Aldo", email="aldo@example.net").status_code == 303
    rule = {"kind": "recurring", "percent": "10", "since": "2026-01-01"}
    assert send(office, "/field/agents/rules/new", **rule).status_code == 303
    return made


@pytest.fixture(scope="module")
def paid(console: Console, field: dict[str, int]) -> list[int]:
    """The numbers of Dora's contracts; all that their customers owe is paid."""
    program = Program(console, make_token(console, "payer", EVERYTHING))
    customers = console.query(
        "SELECT k.customer_id, sum(o.open), min(o.currency) FROM contract_agent AS a JOIN contract AS k ON k.id = a.contract_id"
        " JOIN open_document AS o ON o.customer_id = k.customer_id WHERE a.agent_id = %s GROUP BY 1",
        (field["agent"],),
    )
    for customer, owed, currency in customers:
        amount = {"amount": f"{owed:.2f}", "currency": currency}
        body = {"amount": amount, "method": "cash", "customer_id": customer, "reference": f"slip {customer}"}
        assert program.post("/payments", body).status_code == 201
    return theirs(console, "Dora")


def number(console: Console, name: str) -> int:
    return console.query("SELECT id FROM agent WHERE name = %s", (name,))[0][0]


def theirs(console: Console, name: str) -> list[int]:
    """The contracts that are an agent's from now on."""
    rows = console.query(
        "SELECT contract_id FROM contract_agent WHERE agent_id = %s AND upper_inf(during) ORDER BY 1",
        (number(console, name),),
    )
    return [one for (one,) in rows]


def earned(console: Console, name: str) -> Decimal:
    rows = console.query(
        "SELECT coalesce(sum(amount), 0) FROM commission WHERE agent_id = %s", (number(console, name),)
    )
    return rows[0][0]


def test_contracts_are_given_once_it_was_shown_what_that_comes_to(console, paid):
    office, aldo = console.client("billing"), number(console, "Aldo")
    typed = {"kind": "contract", "which": ", ".join(map(str, paid)), "since": "2026-01-01"}
    asked = send(office, f"/field/agents/{aldo}/assign", **typed)
    said = re.findall(r"<li>(\w+): contracts (\d+) → (\d+); not settled (\S+) → (\S+)\.</li>", asked.text)
    much = said[0][4]
    assert said == [("Aldo", "0", str(len(paid)), "0", much), ("Dora", str(len(paid)), "0", said[1][3], "0")]
    assert Decimal(re.sub(r"[^\d.]", "", much)) > 0
    assert (theirs(console, "Aldo"), earned(console, "Aldo")) == ([], 0)
    confirmed = form_of(asked.text)
    path = f"/field/agents/{aldo}/assign"
    assert [office.post(path, data=confirmed).status_code for _ in range(2)] == [303, 303]
    assert (theirs(console, "Aldo"), theirs(console, "Dora")) == (paid, [])
    # What Dora had earned of them is taken back, and Aldo has it.
    assert (earned(console, "Aldo") > 0, earned(console, "Dora")) == (True, 0)
    (detail,) = console.query("SELECT detail FROM audit_log WHERE action = 'agent.assign' ORDER BY id DESC LIMIT 1")[0]
    dora = number(console, "Dora")
    assert (detail["before"], detail["after"]) == ({str(one): dora for one in paid}, aldo)


def test_what_is_taken_away_goes_to_another_one_from_a_day_on(console, paid):
    office, aldo, dora = console.client("billing"), number(console, "Aldo"), number(console, "Dora")
    page = office.get(f"/field/agents/{aldo}").text
    chosen = re.findall(r'name="contract" value="(\d+)"', page)
    assert sorted(map(int, chosen)) == paid
    sent = {**form_of(page), "contract": chosen, "to": str(dora), "since": "2026-01-01"}
    path = f"/field/agents/{aldo}/take-away"
    other = {**sent, **form_of(office.get(f"/field/agents/{aldo}").text), "to": str(dora), "since": "2026-01-01"}
    asked, late = office.post(path, data=sent), office.post(path, data=other)
    assert f"Aldo: contracts {len(paid)} → 0" in asked.text
    assert theirs(console, "Aldo") == paid
    assert office.post(path, data=form_of(asked.text)).status_code == 303
    assert (theirs(console, "Aldo"), theirs(console, "Dora")) == ([], paid)
    assert (earned(console, "Aldo"), earned(console, "Dora") > 0) == (0, True)
    # Somebody who looked before has nothing to take any more, and who chose nothing is told so.
    told = office.post(path, data=form_of(late.text), follow_redirects=True)
    assert "Not all of these are Aldo" in told.text
    assert "choose contracts" in office.post(path, data={**sent, "contract": []}, follow_redirects=True).text
    assert theirs(console, "Dora") == paid


@pytest.mark.parametrize(("typed", "says"), [({"which": "x7"}, "x7"), ({"which": "999999"}, "no contract 999999"), ({"which": " , "}, "needed"), ({"kind": "customer", "which": "Nobody At All"}, "Nobody At All")])  # fmt: skip
def test_what_can_t_be_given_is_said_beside_it(console, typed, says):
    answer = send(console.client("billing"), f"/field/agents/{number(console, 'Aldo')}/assign", **typed)
    assert answer.status_code == 422
    assert says in answer.text
    assert theirs(console, "Aldo") == []


def test_who_brings_no_more_gets_none_and_of_two_who_change_the_second_is_told(console, field):
    office, path = console.client("billing"), f"/field/agents/{number(console, 'Aldo')}"
    first, second = (form_of(office.get(f"{path}/change").text) for _ in range(2))
    off = {name: value for name, value in first.items() if name != "active"}
    assert office.post(f"{path}/change", data=off).status_code == 303
    told = office.post(f"{path}/change", data={**second, "email": "a@example.org"})
    assert told.status_code == 422
    assert "Somebody else" in told.text
    refused = send(office, f"{path}/assign", kind="customer", which=str(field["foreign"]))
    assert refused.status_code == 422
    assert "no longer active" in refused.text
    assert send(office, f"{path}/change", active="y", email="no address").status_code == 422
    assert send(office, f"{path}/change", active="y", name="Dora").status_code == 422
    assert send(office, f"{path}/change", active="y").status_code == 303


def test_what_was_earned_is_settled_once_its_sum_was_shown_and_taken_back(console, paid):
    office, dora = console.client("billing"), number(console, "Dora")
    path, much = f"/field/agents/{dora}/settle", earned(console, "Dora")
    asked = send(office, path)
    assert f"{much:.2f}" in asked.text
    assert console.query("SELECT count(*) FROM agent_settlement") == [(0,)]
    confirmed = form_of(asked.text)
    assert "has just changed" in office.post(path, data={**confirmed, "seen": "1 0.01 EUR"}).text
    assert [office.post(path, data=confirmed).status_code for _ in range(2)] == [303, 303]
    ((settlement, amount),) = console.query("SELECT id, amount FROM agent_settlement")
    assert amount == much
    shown = office.get(f"/field/agents/settlements/{settlement}")
    assert f"/contracts/{paid[0]}" in shown.text
    assert office.get(f"/field/agents/settlements/{settlement}.pdf").data.startswith(b"%PDF")
    nothing = send(office, path)
    assert nothing.status_code == 422
    assert "nothing to settle" in nothing.text
    undo = f"/field/agents/settlements/{settlement}/undo"
    assert send(office, undo, reason="").status_code == 422
    assert send(office, undo, reason="too early").status_code == 303
    assert office.get(undo).status_code == 409
    assert console.query("SELECT reason FROM agent_settlement_undo") == [("too early",)]
    # A later day than today is not over.
    assert send(office, path, through="2999-01-01").status_code == 422


def test_a_rule_ends_once_it_was_shown_what_it_takes_back(console, paid):
    office = console.client("billing")
    ((rule, before),) = console.query("SELECT id, until FROM commission_rule")
    assert before is None
    path = f"/field/agents/rules/{rule}/end"
    assert send(office, path, day="2025-12-31").status_code == 422
    asked = send(office, path, day="2026-01-01")
    assert f"{earned(console, 'Dora'):.2f}" in asked.text
    assert console.query("SELECT until FROM commission_rule") == [(None,)]
    assert office.post(path, data=form_of(asked.text)).status_code == 303
    assert console.query("SELECT until FROM commission_rule") == [(date(2026, 1, 1),)]
    # What is over earns nothing again: neither the page nor a call moves its end into later days.
    assert path not in office.get("/field/agents/rules").text
    later = send(office, path, day="2026-06-30")
    assert (later.status_code, "his rule ended on" in later.text) == (422, True)
    assert console.query("SELECT until FROM commission_rule") == [(date(2026, 1, 1),)]
    both = {"kind": "recurring", "percent": "10", "flat": "5", "since": "2026-01-01"}
    assert "say one of them" in send(office, "/field/agents/rules/new", **both).text
    assert send(office, "/field/agents/rules/new", kind="one_off", flat="1.234", since="2026-01-01").status_code == 422
    again = {"kind": "recurring", "percent": "10", "since": "2026-01-02", "survives": "12"}
    assert send(office, "/field/agents/rules/new", **again).status_code == 303
    assert "if the contract lives 12 months" in office.get("/field/agents/rules").text


def test_who_does_not_manage_agents_does_not_see_them(console):
    dora = number(console, "Dora")
    for path in ("", "/new", "/rules", f"/{dora}", f"/{dora}/earned", f"/{dora}/assign", f"/{dora}/settle"):
        assert console.client("support").get(f"/field/agents{path}").status_code == 403
    assert console.client("billing").get("/field/agents/999999").status_code == 404
    assert console.client("billing").get("/field/agents/settlements/999999").status_code == 404


def test_programs_do_the_same(console, paid):
    program = Program(console, make_token(console, "agents", EVERYTHING))
    made = program.post("/agents", {"name": "Rosa", "email": "rosa@example.net"}).json
    here, give = f"/agents/{made['id']}", {"contracts": paid[:1], "since": "2026-01-01"}
    assert program.post(f"{here}/contracts?dry_run=true", give).json["contracts"] == 1
    assert (program.get(here).json["contracts"], program.post(f"{here}/contracts", give).json["contracts"]) == (0, 1)
    assert [one["id"] for one in program.get(f"{here}/contracts").json["data"]] == paid[:1]
    assert problem(program.post(f"{here}/contracts", {"contracts": [999999]}))[0] == 409
    taken = {"contracts": paid[:1], "since": "2026-01-01", "to": number(console, "Dora")}
    assert program.post(f"{here}/contracts/taken", taken).json["contracts"] == 0
    assert problem(program.post(f"{here}/contracts/taken", taken))[0] == 409
    version = program.get(here).headers["ETag"]
    gone = program.send("PUT", here, {"name": "Rosa", "active": False}, If_Match=version)
    assert (gone.json["active"], gone.json["email"]) == (False, None)
    assert problem(program.send("PUT", here, {"name": "Rosa"}, If_Match=version))[0] == 412
    rule = program.post("/agents/rules", {"kind": "one_off", "flat": {"amount": "20.00", "currency": "EUR"}, "agent_id": made["id"]}).json  # fmt: skip
    assert rule in program.get("/agents/rules").json
    assert problem(program.post("/agents/rules", {"kind": "one_off"}))[0] == 422
    ended = program.post(f"/agents/rules/{rule['id']}/end", {"until": "2999-12-31"})
    assert ended.json["until"] == "2999-12-31"
    dora = f"/agents/{number(console, 'Dora')}"
    settled = program.post(f"{dora}/settlements", {}).json["settlements"]
    rows = program.get(f"/agents/settlements/{settled[0]['id']}/commissions").json["data"]
    assert sum(Decimal(one["amount"]["amount"]) for one in rows) == Decimal(settled[0]["amount"]["amount"])
    assert program.get(f"{dora}/commissions?limit=1").json["next"]
    undone = program.post(f"/agents/settlements/{settled[0]['id']}/undo", {"reason": "too early"}).json
    assert undone["undone_on"] is not None
    assert program.get(f"{dora}/settlements").json[0]["id"] == settled[0]["id"]


# All that is open to who is bound to an agent, beside their own account and kept views: test_people.py asks for the rest, and is refused.
_PAGES = {"agent_own.show", "agent_own.contracts", "agent_own.paper", "home.begin", "search.show"}
_CALLS = {"GET /agent/commissions", "GET /agent/contracts", "GET /agent/settlements", "GET /agent/settlements/<int:number>.pdf", "GET /agent/waiting", "GET /search"}  # fmt: skip
_OF_ONESELF = {"me", "passkeys", "saved_views", "sign_in", "look"}


@pytest.fixture
def bound(console: Console, field: dict[str, int]):
    """Somebody who may everything by roles, bound to Dora, and a token of theirs for everything."""
    program = Program(console, make_token(console, "bound", EVERYTHING))
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE staff SET agent_id = %s WHERE name = 'admin'", (field["agent"],))
    yield console.client(), program
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE staff SET agent_id = NULL WHERE name = 'admin'")


def test_what_is_open_to_an_agent_are_these_pages_and_calls(console):
    marks = {name: mark_of(view) for name, view in console.app.view_functions.items()}
    open_ = {
        name
        for name, mark in marks.items()
        if isinstance(mark, SignedIn) or (isinstance(mark, Allowed) and set(mark.permissions) <= OF_AN_AGENT)
    }
    nouns = [noun for noun in console.app.blueprints.values() if isinstance(noun, Noun)]
    calls = {f"{one.method} {one.path}" for noun in nouns for one in noun.calls if set(one.permissions) <= OF_AN_AGENT}
    pages = {one for one in open_ if console.app.view_functions[one].__module__.startswith(("web.staff", "web.coll"))}
    assert {one for one in pages if one.partition(".")[0] not in _OF_ONESELF} == _PAGES
    assert calls == _CALLS


def test_an_agent_who_signs_in_sees_their_own_and_nothing_of_others(console, paid, bound):
    client, program = bound
    whose = "SELECT k.id, c.name FROM contract AS k JOIN customer AS c ON c.id = k.customer_id"
    own = dict(console.query(f"{whose} WHERE k.id = ANY (%s)", (paid,)))
    others = {n: name for n, name in console.query(whose) if n not in own and name not in own.values()}
    shown = client.get("/field/agent/contracts").text
    assert {int(one) for one in re.findall(r"<tr><td>(\d+)</td>", shown)} == set(own)
    assert [name for name in others.values() if name in shown] == []
    assert {one["id"] for one in program.get("/agent/contracts").json["data"]} == set(own)
    seen = {one["contract_id"] for one in program.get("/agent/commissions").json["data"]}
    assert seen <= set(own)
    foreign = next(iter(others))
    for words in (others[foreign], str(foreign), own[paid[0]], str(paid[0])):
        found = client.get("/search", query_string={"q": words})
        assert found.status_code == 200
        assert not re.search(r"/(customers|contracts|accounts|documents)/", found.text.partition("<main")[2])
        assert program.get(f"/search?q={words.split()[0]}").json == []
    for path in (f"/contracts/{foreign}", f"/contracts/{paid[0]}", "/customers", "/field/agents", "/field"):
        assert client.get(path).status_code == 403, path
    home = client.get("/", follow_redirects=True)
    assert home.request.path == "/field/agent"
    # Another agent's settlement is not there, whether there is one or not.
    aldo = number(console, "Aldo")
    office = console.client("billing")
    give = send(office, f"/field/agents/{aldo}/assign", which=str(foreign))
    assert office.post(f"/field/agents/{aldo}/assign", data=form_of(give.text)).status_code == 303
    assert client.get("/field/agent/settlements/999999.pdf").status_code == 404
    assert f"<td>{foreign}</td>" not in client.get("/field/agent/contracts").text


def test_contracts_are_given_by_clicks(console, paid, address, browser):
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/field/agents")
        assert violations(page) == []
        page.get_by_role("link", name="Aldo").click()
        page.get_by_role("link", name="Give contracts").first.click()
        page.get_by_role("textbox", name="Which", exact=False).first.fill(str(paid[0]))
        page.get_by_role("button", name="See what it comes to").click()
        page.get_by_role("button", name="Give").click()
        page.get_by_role("checkbox", name=f"Contract {paid[0]}").wait_for()
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.goto(f"{address}/field/agents/rules/new")
        assert violations(page) == []
