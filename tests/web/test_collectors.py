"""Collectors as the office keeps them: who, from whom, given and taken away once it is known how many customers that is."""

from __future__ import annotations

import re

import pytest
from support.billed_console import bill_everybody
from support.browser import PHONE, violations
from support.forms import form_of, send
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING

pytestmark = pytest.mark.db


@pytest.fixture(scope="module", autouse=True)
def owing(console) -> list[int]:
    """Customers who owe, and two collectors of nobody: Carla and Pedro."""
    bill_everybody(console)
    office = console.client("billing")
    for name in ("Carla", "Pedro"):
        assert send(office, "/field/collectors/new", name=name, series="", code=name[:2].upper()).status_code == 303
    return [n for (n,) in console.query("SELECT customer_id FROM open_document WHERE open > 0 GROUP BY 1 ORDER BY 1")]


def number(console, name: str) -> int:
    return console.query("SELECT id FROM collector WHERE name = %s", (name,))[0][0]


def parts(console, name: str) -> list[tuple]:
    return console.query(
        "SELECT kind::text, coalesce(value, customer_id::text) FROM collector_scope WHERE collector_id = %s ORDER BY 1, customer_id, 2",
        (number(console, name),),
    )


def give(office, console, name: str, **typed) -> None:
    """Assign, through the page with the numbers."""
    path = f"/field/collectors/{number(console, name)}/assign"
    asked = send(office, path, **typed)
    assert asked.status_code == 200, asked.text
    assert office.post(path, data=form_of(asked.text)).status_code == 303


def test_customers_are_assigned_once_their_number_was_shown(console, owing):
    office, path = console.client("billing"), f"/field/collectors/{number(console, 'Carla')}/assign"
    asked = send(office, path, kind="customer", which="\n".join(map(str, owing[:3])))
    assert "customers 0 → 3; owing 0 → 3" in asked.text
    assert parts(console, "Carla") == []
    confirmed = form_of(asked.text)
    assert [office.post(path, data=confirmed).status_code for _ in range(2)] == [303, 303]
    assert parts(console, "Carla") == [("customer", str(one)) for one in owing[:3]]
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'collector.assign'") == [(1,)]
    shown = office.get(f"/field/collectors/{number(console, 'Carla')}").text
    assert all(f'href="/customers/{one}"' in shown for one in owing[:3])


@pytest.mark.parametrize(("typed", "says"), [({"kind": "customer", "which": "999999\nNobody At All"}, "999999, Nobody At All"), ({"kind": "city", "which": " "}, "needed"), ({"kind": "city", "which": "x" * 101}, "100 characters"), ({"kind": "everyone", "through": "2020-01-01"}, "is over")])  # fmt: skip
def test_what_can_t_be_assigned_is_said_beside_it(console, typed, says):
    before = parts(console, "Carla")
    answer = send(console.client("billing"), f"/field/collectors/{number(console, 'Carla')}/assign", **typed)
    assert answer.status_code == 422
    assert says in answer.text
    assert parts(console, "Carla") == before


def test_what_is_taken_away_can_go_to_another_one(console, owing):
    office = console.client("billing")
    give(office, console, "Carla", kind="customer", which="\n".join(map(str, owing[3:5])))
    page, before = office.get(f"/field/collectors/{number(console, 'Carla')}").text, len(parts(console, "Carla"))
    chosen = re.findall(r'name="scope" value="(\d+)"', page)[-2:]
    path = f"/field/collectors/{number(console, 'Carla')}/take-away"
    sent = {**form_of(page), "scope": chosen, "to": str(number(console, "Pedro"))}
    asked = office.post(path, data=sent)
    assert f"Carla: customers {before} → {before - 2}" in asked.text
    assert "Pedro: customers 0 → 2" in asked.text
    assert len(parts(console, "Carla")) == before
    late = office.post(path, data=sent)
    assert office.post(path, data=form_of(asked.text)).status_code == 303
    assert parts(console, "Pedro") == [("customer", str(one)) for one in owing[3:5]]
    assert len(parts(console, "Carla")) == before - 2
    # Somebody else who looked before has nothing to take any more.
    office.post(path, data=form_of(late.text))
    assert len(parts(console, "Carla")) == before - 2


def test_of_two_who_change_a_collector_the_second_is_told(console):
    office, path = console.client("billing"), f"/field/collectors/{number(console, 'Pedro')}/change"
    first, second = form_of(office.get(path).text), form_of(office.get(path).text)
    assert office.post(path, data={**first, "most_cash": "300"}).status_code == 303
    told = office.post(path, data={**second, "most_cash": "500"})
    assert told.status_code == 422
    assert "Somebody else" in told.text
    assert console.query("SELECT most_cash::text FROM collector WHERE name = 'Pedro'") == [("300.000",)]
    assert send(office, path, most_cash="0").status_code == 422
    assert send(office, path, name="Carla").status_code == 422


def test_who_does_not_manage_cash_does_not_see_them(console):
    for path in ("", "/new", f"/{number(console, 'Carla')}", f"/{number(console, 'Carla')}/assign"):
        assert console.client("support").get(f"/field/collectors{path}").status_code == 403
    assert console.client("billing").get("/field/collectors/999999").status_code == 404


def test_programs_do_the_same(console, owing):
    program = Program(console, make_token(console, "collectors", EVERYTHING))
    made = program.post("/collectors", {"name": "Rosa", "most_cash": {"amount": "200.00", "currency": "EUR"}}).json
    here = f"/collectors/{made['id']}"
    city = {"parts": ["everyone"]}
    assert program.post(f"{here}/parts?dry_run=true", city).json["customers"] > 0
    assert program.get(f"{here}/reach").json == {"customers": 0, "owing": 0, "open": []}
    assert program.post(f"{here}/parts", {"parts": [f"customer:{owing[0]}"]}).json["customers"] == 1
    assert [one["part"] for one in program.get(f"{here}/parts").json["data"]] == [f"customer:{owing[0]}"]
    assert problem(program.post(f"{here}/parts", {"parts": ["street:x"]}))[0] == 422
    assert problem(program.post(f"{here}/parts", {"parts": ["customer:999999"]}))[0] == 409
    assert problem(program.post(f"{here}/parts/taken", city))[0] == 422
    taken = program.post(f"{here}/parts/taken", {"parts": [f"customer:{owing[0]}"], "to": number(console, "Pedro")})
    assert taken.json["customers"] == 0
    version = program.get(here).headers["ETag"]
    changed = program.send("PUT", here, {"name": "Rosa", "active": False}, If_Match=version)
    assert (changed.json["active"], changed.json["most_cash"]) == (False, None)
    assert problem(program.send("PUT", here, {"name": "Rosa"}, If_Match=version))[0] == 412


def test_a_city_is_assigned_by_clicks(console, address, browser):
    (city,) = console.query("SELECT city FROM address ORDER BY id LIMIT 1")[0]
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/field/collectors")
        assert violations(page) == []
        page.get_by_role("link", name="Pedro").click()
        page.get_by_role("link", name="Assign customers").first.click()
        assert violations(page) == []
        page.get_by_label("From").select_option("city")
        page.get_by_label("Which").fill(city)
        page.get_by_role("button", name="See how many").click()
        assert violations(page) == []
        page.get_by_role("button", name="Assign").click()
        page.get_by_role("checkbox", name=f"City {city}").wait_for()
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
