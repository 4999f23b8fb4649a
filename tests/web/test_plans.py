"""The pages of what is sold: plans with their network, hours and quota, products with their prices, promotions and who gets them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.asked_catalogue import work
from support.browser import usable_by_everybody
from support.console_world import Console

pytestmark = pytest.mark.db


def kept(text: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|once_key|seen)" value="([^"]*)"', text))


def send(client: Any, address: str, target: str = "", **typed: str) -> Any:
    """The form of a page, sent with what is typed."""
    return client.post(target or address, data={**kept(client.get(address).text), **typed})


def plan(console: Console) -> tuple[int, str, int]:
    (row,) = console.query(
        "SELECT n.id, n.name, p.id FROM plan AS n JOIN product AS p ON p.plan_id = n.id WHERE EXISTS (SELECT FROM contract AS c WHERE c.plan_id = n.id) ORDER BY n.id LIMIT 1"
    )
    return row


def profiles(console: Console) -> dict[str, str]:
    first, second, third = (str(row[0]) for row in console.query("SELECT id FROM profile ORDER BY id LIMIT 3"))
    return {"profile": first, "throttle": second, "walled": third}


def test_a_plan_shows_what_it_gives_and_costs(console):
    number, name, product = plan(console)
    listed = console.client("reader").get("/plans").text
    assert f'href="/plans/{number}"' in listed
    shown = console.client("reader").get(f"/plans/{number}").text
    assert f"Plan {name}" in shown
    assert f'href="/products/{product}"' in shown
    assert "Add hours" not in shown
    assert console.client("reader").get("/plans/new").status_code == 403
    assert console.client("network operator").get("/plans").status_code == 403
    assert console.client("billing").get("/plans/9999").status_code == 404


def test_a_plan_is_made_and_sold_and_gets_a_price(console):
    client = console.client("billing")
    made = send(client, "/plans/new", name="Casa 50", **profiles(console))
    assert made.status_code == 303
    again = send(client, "/plans/new", name="Casa 50", **profiles(console))
    assert again.status_code == 422
    assert "There is one of this name already." in again.text
    assert "Nobody sells it yet" in client.get(made.headers["Location"]).text

    (tax,) = console.query("SELECT name FROM tax_code ORDER BY id LIMIT 1")[0]
    typed = {"name": "Casa 50", "kind": "plan", "plan": "Casa 50", "family": "access", "tax": tax}
    wrong = send(client, "/products/new", **{**typed, "plan": ""})
    assert wrong.status_code == 422
    assert "sells a plan that no other sells" in wrong.text
    sold = send(client, "/products/new?plan=Casa%2050", **typed)
    assert sold.status_code == 303, sold.text
    page = sold.headers["Location"]
    price = {"amount": "19.90", "currency": "EUR", "taxed": "gross", "months": "1"}
    for since in ("2026-07-01", "2026-09-01"):
        assert send(client, page, f"{page}/price", since=since, **price).status_code == 303
    # The same day again is in the place of the one there was.
    assert send(client, page, f"{page}/price", since="2026-09-01", **{**price, "amount": "21"}).status_code == 303
    product = int(page.rpartition("/")[2])
    prices = "SELECT unit_price::float, lower(during)::text FROM price WHERE product_id = %s ORDER BY during"
    assert console.query(prices, (product,)) == [(19.9, "2026-07-01"), (21.0, "2026-09-01")]
    assert send(client, page, f"{page}/price", since="2026-09-01", **{**price, "amount": "much"}).status_code == 422
    assert send(client, page, f"{page}/text", language="it", text="Casa cinquanta").status_code == 303
    assert "Casa cinquanta" in client.get(page).text


def test_a_plan_changes_after_its_numbers_are_seen_and_two_do_not_overwrite_each_other(console):
    number, name, _ = plan(console)
    client, page = console.client("billing"), f"/plans/{number}/edit"
    (contracts,) = console.query(
        "SELECT count(*) FROM contract WHERE plan_id = %s AND status IN ('trial', 'active', 'free')", (number,)
    )[0]
    typed = {"name": name, **profiles(console)}
    opened = kept(client.get(page).text)
    asked = client.post(page, data={**opened, **typed})
    assert re.search(rf"{contracts} contracts? in service gets? the change", asked.text)
    before = console.query("SELECT * FROM plan WHERE id = %s", (number,))
    other = send(console.client("administrator"), page, **{**typed, "name": f"{name} plus"}, confirmed="yes")
    assert other.status_code == 303
    assert console.query("SELECT * FROM plan WHERE id = %s", (number,)) != before
    late = client.post(page, data={**opened, **typed, "confirmed": "yes"})
    assert late.status_code == 422
    assert "Somebody else has changed this" in late.text
    assert console.query("SELECT name FROM plan WHERE id = %s", (number,)) == [(f"{name} plus",)]


def test_hours_and_steps_of_the_quota_are_set_and_taken_away(console):
    number, _, _ = plan(console)
    client, page = console.client("billing"), f"/plans/{number}"
    profile = profiles(console)["throttle"]
    assert send(client, page, f"{page}/hours", begins="22:00", ends="06:00", at_hours=profile).status_code == 303
    assert "22:00-06:00" in client.get(page).text
    assert send(client, page, f"{page}/hours", begins="22:00", ends="22:00", at_hours=profile).status_code == 422
    assert send(client, page, f"{page}/hours", begins="night", ends="06:00", at_hours=profile).status_code == 422
    assert send(client, page, f"{page}/hours", remove="22:00-06:00").status_code == 303
    assert console.query("SELECT count(*) FROM plan_window WHERE plan_id = %s", (number,)) == [(0,)]
    assert send(client, page, f"{page}/quota", steps="70=notice 100=throttle").status_code == 303
    assert console.query("SELECT percent, action::text FROM quota_step WHERE plan_id = %s ORDER BY 1", (number,)) == [
        (70, "notice"),
        (100, "throttle"),
    ]
    wrong = send(client, page, f"{page}/quota", steps="70=notice 70=throttle")
    assert wrong.status_code == 422
    assert "One step a share" in wrong.text


def test_a_promotion_is_made_given_once_and_taken_back(console):
    client = console.client("billing")
    typed = {
        "name": "Autumn",
        "kind": "percent",
        "value": "20",
        "priority": "100",
        "since": "2026-01-01",
        "months": "3",
    }
    assert send(client, "/promotions/new", **{**typed, "value": "120"}).status_code == 422
    made = send(client, "/promotions/new", **typed)
    page = made.headers["Location"]
    all_of = {"product": "", "issuer": "", "since": "2026-12-01"}
    nobody = send(client, page, **all_of)
    assert nobody.status_code == 422
    assert "Say which contracts are meant" in nobody.text
    looked = send(client, page, **all_of, everybody="y")
    assert console.query("SELECT count(*) FROM discount WHERE reason = 'promotion Autumn'") == [(0,)]
    gets = int(re.search(r"([\d,]+) contracts get it", looked.text)[1])
    done = client.post(page, data={**kept(looked.text), **all_of, "everybody": "y", "confirmed": "yes"})
    assert done.status_code == 303
    assert f'href="{done.headers["Location"]}">Autumn is given' in client.get("/promotions").text
    work(console)
    assert f"{gets} contracts have it now." in client.get(done.headers["Location"]).text
    assert console.query("SELECT count(*) FROM discount WHERE reason = 'promotion Autumn'") == [(gets,)]
    assert gets > 0
    undo = page.replace("apply", "undo")
    assert f"{gets} contracts lose it" in client.get(undo).text
    assert send(client, undo, confirmed="yes").status_code == 303
    work(console)
    assert console.query("SELECT count(*) FROM discount WHERE reason = 'promotion Autumn'") == [(0,)]
    assert console.client("reader").get(page).status_code == 403


def test_the_pages_are_usable_by_everybody(console, address, browser):
    number, _, product = plan(console)
    paths = (
        "/plans",
        f"/plans/{number}",
        "/products",
        f"/products/{product}",
        "/promotions",
        "/promotions/new",
    )
    with browser.page(console, "billing") as page:
        usable_by_everybody(page, address, paths)
