"""Profiles: added, changed with whom it concerns shown first, and what each vendor would be told while one types."""

from __future__ import annotations

import pytest
from support.browser import PHONE, violations
from support.console_forms import secret_of, send, send_filled
from support.console_network import dial, tell

pytestmark = pytest.mark.db


@pytest.fixture
def operator(console):
    return console.client("network operator")


def _number(console, name):
    return console.query("SELECT id FROM profile WHERE name = %s", (name,))[0][0]


def test_a_profile_is_added_once(console, operator):
    page = operator.get("/profiles/new").text
    given = {
        "name": "Home 200",
        "rate_down_bps": "200M",
        "rate_up_bps": "1.5G",
        "address_lists": "a, b",
        "quota_octets": "500G",
        "idle_timeout_s": "30m",
    }
    assert [send_filled(operator, "/profiles/new", page, **given).status_code for _ in range(2)] == [303, 303]
    row = console.query(
        "SELECT rate_down_bps, rate_up_bps, address_lists, quota_octets, idle_timeout_s, interim_interval_s FROM profile WHERE name = 'Home 200'"
    )
    assert row == [(200_000_000, 1_500_000_000, ["a", "b"], 500 * 10**9, 1800, 600)]
    assert console.query("SELECT actor FROM audit_log WHERE action = 'profile.add' AND subject = 'Home 200'") == [
        ("network.operator",)
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "Fibra 100"}, "There is a profile of this name already."),
        ({"rate_up_bps": ""}, "Both directions, or neither."),
        ({"rate_up_bps": "30"}, "Write it such as 300M"),
        ({"priority": "9"}, "between 1 and 8"),
        ({"device_policy": "a b"}, "Write it such as home-300"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field(console, operator, changed, words):
    given = {"name": "Wrong", "rate_down_bps": "200M", "rate_up_bps": "20M", **changed}
    answer = send(operator, "/profiles/new", **given)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert 'value="200M"' in answer.text
    assert console.query("SELECT count(*) FROM profile WHERE name = 'Wrong'") == [(0,)]
    against = send(operator, "/profiles/new", name="Wrong", burst_down_bps="1M", burst_up_bps="1M")
    assert (against.status_code, "A burst needs a rate" in against.text) == (409, True)


def test_whom_a_change_concerns_is_shown_before_it_is_saved(console, operator):
    online = dial(console, 3)
    number = _number(console, "Fibra 300")
    tell(
        console,
        "INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision) SELECT unnest(%s::bigint[]), 'full', 'full', %s, '1111' ON CONFLICT (account_id) DO UPDATE SET profile_id = EXCLUDED.profile_id",
        [account for account, _ in online],
        number,
    )
    address = f"/profiles/{number}/edit"
    early = operator.get(address).text
    asked = send(operator, address, rate_down_bps="350M", address_lists="vip")
    assert asked.status_code == 200
    assert "3 live sessions should run under it and are told at once." in asked.text
    assert "Changed: Down, Address lists." in asked.text
    assert console.query("SELECT rate_down_bps FROM profile WHERE id = %s", (number,)) == [(300_000_000,)]
    assert [send_filled(operator, address, asked.text).status_code for _ in range(2)] == [303, 303]
    assert console.query("SELECT rate_down_bps, address_lists FROM profile WHERE id = %s", (number,)) == [
        (350_000_000, ["vip"])
    ]
    late = send_filled(operator, address, early, rate_down_bps="400M")
    assert (late.status_code, "Somebody else has changed this" in late.text) == (422, True)
    late = send_filled(operator, address, asked.text, once_key="another", rate_down_bps="400M")
    assert late.status_code == 422
    assert console.query("SELECT rate_down_bps FROM profile WHERE id = %s", (number,)) == [(350_000_000,)]


def test_the_preview_is_what_the_vendors_are_told(console, operator):
    token = secret_of(operator.get("/profiles/new").text)
    given = {"csrf_token": token, "rate_down_bps": "300M", "rate_up_bps": "30M", "idle_timeout_s": "30m"}
    text = operator.post("/profiles/preview", data=given).text
    assert "Mikrotik-Rate-Limit := 30M/300M" in text
    assert "Idle-Timeout := 1800" in text
    assert "A field can" in operator.post("/profiles/preview", data={**given, "rate_up_bps": "x"}).text
    number = _number(console, "Fibra 1000")
    assert "Live sessions: CoA" in operator.post(f"/profiles/preview?of={number}", data=given).text


def test_who_may_not_change_is_refused(console):
    reader = console.client("reader")
    assert "Fibra 100" in reader.get("/profiles").text
    assert "/profiles/new" not in reader.get("/profiles").text
    assert reader.get("/profiles/new").status_code == 403
    assert reader.get(f"/profiles/{_number(console, 'Fibra 100')}/edit").status_code == 403
    assert console.client("network operator").get("/profiles/9999/edit").status_code == 404


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}], ids=["wide", "phone"])
def test_the_preview_follows_what_is_typed(console, address, browser, options):
    with browser.page(console, "network operator", **options) as page:
        page.goto(f"{address}/profiles")
        assert violations(page) == []
        page.goto(f"{address}/profiles/{_number(console, 'Fibra 100')}/edit")
        page.get_by_text("Mikrotik-Rate-Limit").first.wait_for()
        page.get_by_label("Down", exact=True).fill("777M")
        page.get_by_text("777M").first.wait_for()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
