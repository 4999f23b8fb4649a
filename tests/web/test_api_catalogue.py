"""The interface, catalogue: plans, products, prices, promotions, taxes and registers, as the console's pages write them."""

from __future__ import annotations

import pytest
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
    assert problem(program.post("/price-changes", change | {"day": "2026-01-01"}))[0] == 409
    assert place(program.post("/price-changes", change | {"month_price": "3"})) == "/month_price"


def test_a_promotion_is_given_to_whom_it_is_meant_for_and_taken_back(program):
    made = program.post("/promotions", {"name": "Spring", "kind": "percent", "value": "10", "months": 3}).json
    assert place(program.post("/promotions", {"name": "Much", "kind": "percent", "value": "101"})) == "/value"
    apply = f"/promotions/{made['id']}/apply"
    assert place(program.post(apply, {})) == "/everybody"
    tried = program.post(f"{apply}?dry_run=true", {"everybody": True}).json
    given = program.post(apply, {"everybody": True}).json
    assert (tried, given["gets"] > 0) == (given, True)
    assert program.post(apply, {"everybody": True}).json == {
        "gets": 0,
        "had": given["gets"],
        "without_family": given["without_family"],
    }
    assert program.post(f"/promotions/{made['id']}/undo").json == {"undone": given["gets"], "charged": 0}


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
