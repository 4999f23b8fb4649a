"""The interface, catalogue: plans, products, prices, promotions, taxes and registers, as the console's pages write them."""

from __future__ import annotations

import pytest
from support.asked_catalogue import work
from support.console_world import Console
from support.program import Program, problem

from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def program(console: Console) -> Program:
    return Program.of(console)


def place(answer: object) -> str | None:
    status, said = problem(answer)
    assert status == 422, said
    return said["errors"][0].get("pointer")


def test_a_plan_is_added_changed_under_its_version_and_has_hours_and_steps(program, console):
    there = program.get("/plans").json["data"][0]
    profiles = {name: there[name] for name in ("profile", "throttle_profile", "walled_profile")}
    made = program.post("/plans", {"name": "Night owl"} | profiles)
    address = f"/plans/{made.json['id']}"
    assert (made.status_code, made.json["contracts"], made.json["live"]) == (201, 0, 0)
    assert place(program.post("/plans", {"name": "Night owl"} | profiles)) == "/name"
    assert place(program.post("/plans", {"name": "Other"} | profiles | {"profile": "none such"})) == "/profile"

    renamed = program.send("PATCH", address, {"name": "Owl"}, If_Match=made.headers["ETag"])
    late = program.send("PATCH", address, {"name": "Raven"}, If_Match=made.headers["ETag"])
    assert (renamed.json["name"], problem(late)[0], program.get(address).json["name"]) == ("Owl", 412, "Owl")
    hours = {"begins": "22:00", "ends": "06:00", "profile": there["profile"]}
    assert program.send("PUT", f"{address}/hours", hours).json["hours"] == [f"22:00-06:00 {there['profile']}"]
    assert program.send("PUT", f"{address}/hours", hours | {"profile": None}).json["hours"] == []
    assert place(program.send("PUT", f"{address}/hours", hours | {"ends": "22:00"})) == "/ends"
    steps = {"steps": [{"percent": 80, "action": "notice"}, {"percent": 100, "action": "throttle"}]}
    assert program.send("PUT", f"{address}/quota-steps", steps).json["quota_steps"] == ["80=notice", "100=throttle"]
    assert (
        place(program.send("PUT", f"{address}/quota-steps", {"steps": [*steps["steps"], steps["steps"][0]]}))
        == "/steps"
    )
    assert console.query(
        "SELECT DISTINCT action FROM audit_log WHERE subject IN ('Night owl', 'Owl') AND actor = 'admin' ORDER BY 1"
    ) == [("plan.add",), ("plan.hours",), ("plan.quota",), ("plan.set",)]


def test_a_product_has_prices_and_words_and_contracts_are_given_another_price(program, console):
    tax = console.query("SELECT name FROM tax_code WHERE nature IS NULL ORDER BY id LIMIT 1")[0][0]
    body = {"name": "Address of its own", "kind": "add_on", "family": "extras", "tax_code": tax}
    added = program.post("/products", body)
    assert added.status_code == 201, added.json
    made = added.json
    priced = program.post(
        f"/products/{made['id']}/prices", {"unit_price": "2.50", "currency": "EUR", "since": "2026-01-01"}
    )
    assert (priced.status_code, priced.json["prices"][0]["unit_price"][:4]) == (201, "2.50")
    assert (
        program.send("PUT", f"/products/{made['id']}/texts/it", {"text": "Indirizzo"}).json["texts"]["it"]
        == "Indirizzo"
    )
    assert problem(program.send("PUT", f"/products/{made['id']}/texts/de", {"text": "Adresse"}))[0] == 404
    assert place(program.post("/products", body)) == "/name"
    assert place(program.post("/products", body | {"name": "x", "plan": "Home 100"})) == "/plan"
    assert place(program.post("/products", body | {"name": "x", "notice_days": 3})) == "/notice_days"

    sold = next(one for one in program.get("/products").json["data"] if one["kind"] == "plan" and one["contracts"])
    change = {"product_id": sold["id"], "day": "2099-01-01", "percent": "10"}
    tried = program.post("/price-changes?dry_run=true", change)
    assert tried.status_code == 200, tried.json
    assert float(tried.json["totals"][0]["after"]["amount"]) > float(tried.json["totals"][0]["before"]["amount"])
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'price.change'") == [(0,)]
    done = program.post("/price-changes", change).json
    assert (done["items"], done["totals"]) == (tried.json["items"], tried.json["totals"])
    work(console)
    came = program.get(f"/catalogue-requests/{done['request']}").json
    assert (came["act"], came["name"], came["changed"], came["problem"]) == (
        "price_change",
        sold["name"],
        done["items"],
        "",
    )
    assert came["ended_at"]
    assert problem(program.get("/catalogue-requests/9999"))[0] == 404
    assert console.query("SELECT actor FROM audit_log WHERE action = 'price.change'") == [("admin",)]
    assert problem(program.post("/price-changes", change | {"day": "2026-01-01"}))[0] == 409
    assert place(program.post("/price-changes", change | {"month_price": "3"})) == "/month_price"


def test_a_promotion_is_given_to_whom_it_is_meant_for_and_taken_back(program, console):
    made = program.post("/promotions", {"name": "Spring", "kind": "percent", "value": "10", "months": 3}).json
    assert place(program.post("/promotions", {"name": "Much", "kind": "percent", "value": "101"})) == "/value"
    apply = f"/promotions/{made['id']}/apply"
    assert place(program.post(apply, {})) == "/everybody"
    everybody = {"everybody": True}
    tried = program.post(f"{apply}?dry_run=true", everybody).json
    given = program.post(apply, everybody).json
    assert (tried | {"request": given["request"]}, given["gets"] > 0) == (given, True)
    assert program.post(apply, everybody).json == given, "said twice it is asked for once"
    work(console)
    again = program.post(apply, everybody).json
    assert (again["gets"], again["had"], again["without_family"]) == (0, given["gets"], given["without_family"])
    undone = program.post(f"/promotions/{made['id']}/undo").json
    assert (undone["undone"], undone["charged"]) == (given["gets"], 0)
    work(console)
    assert program.get(f"/catalogue-requests/{undone['request']}").json["changed"] == given["gets"]


def test_taxes_and_registers_are_read_and_added_to(program):
    code = next(one for one in program.get("/taxes").json["codes"] if one["nature"] is None)
    rate = {"code": code["name"], "percent": "24", "since": "2099-01-01"}
    added = program.post("/taxes/rates", rate).json["rates"]
    assert (added[-1], added[-2]["until"]) == ({"percent": "24", "since": "2099-01-01", "until": None}, "2099-01-01")
    assert place(program.post("/taxes/rates", rate)) == "/since"
    assert place(program.post("/taxes/rates", rate | {"percent": "100.1"})) == "/percent"
    first = program.get("/registers").json["data"][0]
    new = {"issuer_id": first["issuer_id"], "code": "W", "kind": "invoice", "name": "Web", "purpose": "manual"}
    made = program.post("/registers", new).json
    assert (made["code"], made["last_number"]) == ("W", None)
    assert place(program.post("/registers", new)) == "/code"


def test_who_only_reads_the_catalogue_changes_nothing_of_it(console):
    reader = Program.of(console, Permission.CATALOGUE_SEE)
    assert reader.get("/taxes").status_code == 200
    assert problem(reader.post("/promotions", {"name": "x", "kind": "percent", "value": "1"}))[0] == 403


@pytest.fixture(scope="module")
def quoted(console: Console) -> dict:
    """A plan at the catalogue's price, and work by hand."""
    ((product,),) = console.query(
        "SELECT p.id FROM product AS p JOIN price AS r ON r.product_id = p.id WHERE p.kind = 'plan' AND r.months = 1 AND r.includes_tax"
        " AND upper_inf(r.during) AND upper_inf(p.offered) ORDER BY p.id LIMIT 1"
    )
    ((tax,),) = console.query(
        "SELECT name FROM tax_code AS t JOIN tax_rate AS r ON r.tax_code_id = t.id WHERE r.percent = 22 AND nature IS NULL ORDER BY t.id LIMIT 1"
    )
    work = {"description": "Work on the roof", "unit_price": "122.00", "tax_code": tax}
    return {"customer_id": 3, "includes_tax": True, "lines": [{"product_id": product}, work]}


def test_a_quote_becomes_a_contract_and_an_order_which_is_invoiced(program, quoted):
    tried = program.post("/quotes?dry_run=true", quoted)
    assert (tried.status_code, program.get("/quotes").json["data"]) == (200, [])
    made = program.post("/quotes", quoted, Idempotency_Key="offer-1").json
    number = made["document"]["id"]
    assert program.post("/quotes", quoted, Idempotency_Key="offer-1").json == made
    assert [one["id"] for one in program.get("/quotes?state=issued").json["data"]] == [number]
    assert problem(program.get(f"/orders/{number}"))[0] == 404

    accepted = program.post(f"/quotes/{number}/accept", {"due_days": 20}).json
    assert accepted["document"]["state"] == "accepted"
    assert program.get(f"/contracts/{accepted['contract_id']}").json["terms"]["due_days"] == 20
    assert problem(program.post(f"/quotes/{number}/refuse", {}))[0] == 409

    order = f"/orders/{accepted['order_id']}"
    advance = program.post(f"{order}/invoice", {"advance_percent": "30"}).json
    assert advance["to_pay"] == {"amount": "36.60", "currency": "EUR"}
    (invoiced,) = program.get(order).json["invoices"]
    assert (invoiced["id"], invoiced["is_advance"]) == (advance["id"], True)
    rest = program.post(f"{order}/invoice?dry_run=true", {}).json
    assert rest["to_pay"] == {"amount": "85.40", "currency": "EUR"}
    assert program.post(f"{order}/cancel", {"reason": "no roof"}).json["document"]["state"] == "refused"
    assert problem(program.post(f"{order}/cancel", {"reason": "no roof"}))[0] == 409


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"customer_id": 999_999}, "/customer_id"),
        ({"valid_until": "2020-01-01"}, "/valid_until"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"description": "No price"}]}, "/lines/0"),
        ({"lines": [{"product_id": 1, "unit_price": "1.00"}]}, "/reason"),
        ({"lines": [{"product_id": 1, "quantity": "0"}]}, "/lines/0/quantity"),
    ],
)
def test_a_quote_says_what_is_wrong_with_it(program, quoted, change, where):
    assert place(program.post("/quotes", quoted | change)) == where


def test_a_quote_that_is_refused_is_no_longer_open(program, quoted):
    number = program.post("/quotes", quoted).json["document"]["id"]
    assert program.post(f"/quotes/{number}/refuse", {"reason": "too dear"}).json["document"]["state"] == "refused"
    assert problem(program.post(f"/quotes/{number}/accept", {}))[0] == 409
