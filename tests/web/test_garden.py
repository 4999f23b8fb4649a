"""Where limited lines land: known by their address alone, told why and no more, and led here by what telephones ask."""

from __future__ import annotations

import re
import uuid
from datetime import date

import pytest
from support.billing_world import bill
from support.browser import PHONE, violations
from support.console_world import Console

from control_plane import db
from control_plane.settings import load_settings
from web.app import create_app

pytestmark = pytest.mark.db
_FIELD = re.compile(r'name="(csrf_token|once_key)" value="([^"]*)"')
ADDRESS = "100.64.200.9"
FREE = "100.64.200.10"


@pytest.fixture(scope="module", autouse=True)
def garden(console: Console) -> dict[str, int]:
    """A line that is online at ADDRESS and owes, another one at FREE that owes too and is not limited."""
    bill(console.conninfo, date(2026, 7, 1))
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        rows = connection.execute(
            "SELECT DISTINCT ON (n.customer_id) a.id, n.id, n.customer_id, a.username, o.document_id FROM subscriber_account AS a JOIN contract AS n ON n.id = a.contract_id"
            " JOIN open_document AS o ON o.customer_id = n.customer_id AND o.open > 0 WHERE n.status = 'active' AND n.ends_on IS NULL"
            " AND NOT EXISTS (SELECT FROM restriction AS r WHERE r.contract_id = n.id) AND a.quota_exhausted_until IS NULL"
            " AND (SELECT count(*) FROM contract AS m WHERE m.customer_id = n.customer_id) = 1 ORDER BY n.customer_id, a.id LIMIT 2"
        ).fetchall()
        (nas,) = connection.execute("SELECT min(id) FROM nas").fetchone()
        for (account, _, _, username, _), address, prefix in zip(
            rows, (ADDRESS, FREE), ("2001:db8:9::/56", "2001:db8:a::/56"), strict=True
        ):
            connection.execute(
                "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at, session_time_s, octets_in, octets_out,"
                " counter_in, counter_out, framed_ipv4, delegated_ipv6_prefix, addresses_since) VALUES (%s, %s, %s, %s, %s, now(), now(), now(), 0, 0, 0, 0, 0, %s, %s, now())",
                (uuid.uuid4(), nas, f"s-{account}", username, account, address, prefix),
            )
        connection.commit()
    (_, contract, customer, _, document), (_, free, _, _, foreign) = rows
    return {"contract": contract, "customer": customer, "document": document, "free": free, "foreign": foreign}


def restrict(console: Console, contract: int, origin: str | None, level: str = "walled") -> None:
    """That restriction and no other one; None: none."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        connection.execute(
            "UPDATE restriction SET lifted_at = now(), lifted_by = 'test' WHERE contract_id = %s AND lifted_at IS NULL",
            (contract,),
        )
        if origin is not None:
            connection.execute(
                "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, %s, %s, 'what staff wrote', 'test')",
                (contract, origin, level),
            )


def at(app, address: str):
    """A browser behind that address, in English."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    client.set_cookie("language", "en")
    return client


def fields(text: str) -> dict[str, str]:
    return {name: value for name, value in _FIELD.findall(text)}


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("dunning", "an invoice is overdue"),
        ("admin", "limited by our office"),
        ("abuse", "something harmful came from it"),
        ("customer_pause", "This line is paused"),
        ("technical", "technical reasons"),
        (None, "This line is open"),
    ],
)
def test_each_reason_has_its_page_and_what_staff_wrote_stays_with_staff(console, garden, origin, words):
    restrict(console, garden["contract"], origin)
    text = at(console.app, ADDRESS).get("/garden").text
    assert words in text
    name = console.query("SELECT name FROM customer WHERE id = %s", (garden["customer"],))[0][0]
    assert "what staff wrote" not in text
    assert name not in text
    label = console.query("SELECT label FROM document WHERE id = %s", (garden["document"],))[0][0]
    assert (label in text) == (origin == "dunning")


def test_quota_and_end_have_their_pages_and_the_end_comes_first(console, garden):
    restrict(console, garden["contract"], None)
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute(
            "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '1 day' WHERE contract_id = %s",
            (garden["contract"],),
        )
    assert "volume of your plan is used up" in at(console.app, ADDRESS).get("/garden").text
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute(
            "UPDATE subscriber_account SET quota_exhausted_until = NULL WHERE contract_id = %s", (garden["contract"],)
        )


@pytest.mark.parametrize(("address", "known"), [(ADDRESS, True), ("2001:db8:9:77::1", True), ("::ffff:100.64.200.9", True), ("100.64.200.99", False), ("2001:db8:b::1", False), ("not an address", False)])  # fmt: skip
def test_a_line_is_known_by_an_address_of_its_live_session_and_by_no_other(console, garden, address, known):
    restrict(console, garden["contract"], "dunning")
    client = at(console.app, address)
    assert ("We do not know this line" not in client.get("/garden").text) == known
    answer = client.get("/garden/api", headers={"X-Forwarded-For": ADDRESS})
    assert answer.content_type == "application/captive+json"
    assert answer.json["captive"] == known


def test_what_a_telephone_asks_leads_to_the_page_and_elsewhere_says_that_the_internet_is_there(console, garden):
    restrict(console, garden["contract"], "dunning")
    limited, free = at(console.app, ADDRESS), at(console.app, FREE)
    for path in (
        "/generate_204",
        "/hotspot-detect.html",
        "/connecttest.txt",
        "/ncsi.txt",
        "/success.txt",
        "/canonical.html",
    ):
        led = limited.get(path, base_url="http://connectivitycheck.gstatic.com")
        assert (led.status_code, led.headers["Location"].endswith("/garden")) == (302, True), path
    assert free.get("/generate_204").status_code == 204
    assert "Success" in free.get("/hotspot-detect.html").text


def test_who_asks_for_another_site_is_led_here_only_from_a_limited_line(console, garden):
    file = console.folder / "public.toml"
    file.write_text(console.settings_file.read_text() + '[messages]\npublic_url = "https://isp.example"\n')
    app = create_app(load_settings(file))
    restrict(console, garden["contract"], "dunning")
    for path in ("/", "/any/page"):
        led = at(app, ADDRESS).get(path, base_url="http://news.example")
        assert (led.status_code, led.headers["Location"]) == (302, "https://isp.example/garden")
    assert at(app, FREE).get("/any/page", base_url="http://news.example").status_code == 404
    assert at(app, ADDRESS).get("/any/page", base_url="https://isp.example").status_code == 404
    assert at(app, ADDRESS).get("/garden/api").json == {
        "captive": True,
        "user-portal-url": "https://isp.example/garden",
    }


def test_another_s_invoice_is_not_paid_from_here_nor_one_of_a_line_that_is_free(console, garden):
    restrict(console, garden["contract"], "dunning")
    client = at(console.app, ADDRESS)
    assert client.get(f"/garden/pay/{garden['document']}").status_code == 200
    assert client.get(f"/garden/pay/{garden['foreign']}").headers["Location"] == "/garden"
    sent = fields(client.get("/portal/link").text) | {"once_key": "one"}
    assert client.post(f"/garden/pay/{garden['foreign']}", data=sent).status_code == 404
    assert at(console.app, FREE).get(f"/garden/pay/{garden['foreign']}").headers["Location"] == "/garden"
    assert at(console.app, "100.64.200.99").get(f"/garden/pay/{garden['document']}").status_code == 404
    restrict(console, garden["contract"], "admin")
    assert client.get(f"/garden/pay/{garden['document']}").headers["Location"] == "/garden"


def test_an_open_page_is_told_once_the_line_is_open_and_the_way_back_to_paying_leads_there(console, garden):
    restrict(console, garden["contract"], "dunning")
    client = at(console.app, ADDRESS)
    assert 'hx-get="/garden/still"' in client.get("/garden").text
    still = client.get("/garden/still")
    assert (still.status_code, "HX-Refresh" in still.headers) == (204, False)
    restrict(console, garden["contract"], None)
    assert client.get("/garden/still").headers["HX-Refresh"] == "true"
    assert 'hx-get="/garden/still"' not in client.get("/garden").text
    assert client.get(f"/garden/pay/{garden['document']}").headers["Location"] == "/garden"


def test_who_is_reminded_before_a_cut_may_be_reminded_later(console, garden):
    file = console.folder / "reminds.toml"
    file.write_text(console.settings_file.read_text() + "[garden]\nreminds = true\nremind_again_hours = 6\n")
    app = create_app(load_settings(file))
    restrict(console, garden["contract"], None)
    assert at(console.app, FREE).get("/garden/api").json == {"captive": False}
    client = at(app, FREE)
    assert client.get("/garden/api").json["captive"] is True
    # Nothing is limited, so nothing that a telephone asks is kept from it.
    assert client.get("/generate_204").status_code == 204
    page = client.get("/garden").text
    assert "Remind me in 6 hours" in page
    assert client.post("/garden/later", data={**fields(page), "csrf_token": "guessed"}).status_code == 400
    for _ in range(2):
        assert client.post("/garden/later", data=fields(page)).status_code == 303
    assert client.get("/garden/api").json == {"captive": False}
    assert len(console.query("SELECT FROM garden_reminder WHERE later_until > now() + interval '5 hours'")) == 1


def test_the_page_is_in_the_customer_s_language(console, garden):
    restrict(console, garden["contract"], "dunning")
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("UPDATE customer SET language = 'es' WHERE id = %s", (garden["customer"],))
    client = console.app.test_client()
    client.environ_base["REMOTE_ADDR"] = ADDRESS
    assert 'lang="es"' in client.get("/garden", headers={"Accept-Language": "it"}).text


def test_a_line_is_found_by_indexes(console):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(
            row
            for (row,) in connection.execute(
                "EXPLAIN SELECT FROM session AS s WHERE s.framed_ipv6_address = '2001:db8::1' OR s.framed_ipv6_prefix = ANY ('{2001:db8::/56}'::cidr[]) OR s.delegated_ipv6_prefix = ANY ('{2001:db8::/56}'::cidr[])"
            )
        )
    assert "Seq Scan on session" not in plan


def test_the_garden_is_usable_by_everybody(console, address, browser, garden):
    restrict(console, garden["contract"], "dunning")
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("UPDATE session SET framed_ipv4 = '127.0.0.1' WHERE framed_ipv4 = %s", (ADDRESS,))
    for options in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        with browser.page(console, "", **options) as page:
            page.goto(f"{address}/garden")
            assert page.locator("h1").inner_text()
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            # On a screen lower than the page one begins at the top, with the reason.
            page.set_viewport_size({"width": 390, "height": 240})
            assert page.locator("h1").bounding_box()["y"] >= 0
