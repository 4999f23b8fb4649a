"""The portal: into it by a link or a password, only what is one's own, and the way to pay."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from support.billing_world import bill
from support.browser import PHONE, violations
from support.console_world import Console

from control_plane import db
from control_plane.access.tokens import digest_of
from control_plane.settings import load_settings
from web.acting import PORTAL_COOKIE
from web.app import create_app

pytestmark = pytest.mark.db
_FIELD = re.compile(r'name="(csrf_token|once_key|seen)" value="([^"]*)"')
TOKEN = "a-token-of-the-tests-long-enough-for-anybody"


def fields(text: str) -> dict[str, str]:
    """What a form of ours sends along."""
    return {name: value for name, value in _FIELD.findall(text)}


@pytest.fixture(scope="module", autouse=True)
def portal(console: Console) -> dict[str, int]:
    """Two customers with a bill each; the first has the address anna@example.net."""
    bill(console.conninfo, date(2026, 7, 1))
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        own, other = (
            number
            for (number,) in connection.execute(
                "SELECT o.customer_id FROM open_document AS o JOIN contract AS n ON n.customer_id = o.customer_id"
                " WHERE o.open > 0 AND n.status = 'active' GROUP BY 1 ORDER BY 1 LIMIT 2"
            )
        )
        connection.execute("DELETE FROM contact WHERE lower(email) = 'anna@example.net'")
        connection.execute(
            "UPDATE contact SET email = 'anna@example.net' WHERE customer_id = %s AND contract_id IS NULL AND role = 'main'",
            (own,),
        )
        own_document, other_document = (
            connection.execute(
                "SELECT document_id FROM open_document WHERE customer_id = %s AND open > 0", (one,)
            ).fetchone()[0]
            for one in (own, other)
        )
        connection.commit()
    return {"own": own, "other": other, "document": own_document, "foreign": other_document}


def enter(console: Console, customer: int):
    """A browser with a session of that customer's."""
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "INSERT INTO portal_access (customer_id, email) VALUES (%s, 'x@example.net') ON CONFLICT DO NOTHING",
            (customer,),
        )
        connection.execute("DELETE FROM portal_session WHERE customer_id = %s", (customer,))
        connection.execute(
            "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at)"
            " VALUES (%s, %s, decode(repeat('05', 32), 'hex'), %s, %s, %s + interval '1 day')",
            (customer, digest_of(f"{TOKEN}-{customer}"), now, now, now),
        )
    client = console.app.test_client()
    client.set_cookie(PORTAL_COOKIE, f"{TOKEN}-{customer}")
    return client


@pytest.fixture(scope="module")
def mailing(console: Console):
    """The same with an address of its own to name in mails."""
    file = console.folder / "mailing.toml"
    file.write_text(console.settings_file.read_text() + '[messages]\npublic_url = "https://isp.example/"\n')
    return create_app(load_settings(file))


def ask_link(client, email: str):
    return client.post("/portal/link", data={**fields(client.get("/portal/link").text), "email": email})


def links(console: Console) -> list[str]:
    return [
        link
        for (link,) in console.query("SELECT data ->> 'link' FROM message WHERE template = 'portal_link' ORDER BY id")
    ]


def test_a_link_goes_to_an_address_of_the_customer_and_lets_in_once(console, mailing, portal):
    client = mailing.test_client()
    unknown, known = ask_link(client, "nobody@example.net"), ask_link(client, "ANNA@example.net")
    assert unknown.status_code == known.status_code == 200
    assert unknown.text.replace("nobody@", "") == known.text.replace("ANNA@", "")
    (link,) = links(console)
    assert link.startswith("https://isp.example/portal/enter/")
    to = console.query(
        "SELECT m.customer_id, k.email FROM message AS m JOIN contact AS k ON k.id = m.contact_id WHERE m.template = 'portal_link'"
    )
    assert to == [(portal["own"], "anna@example.net")]

    address = link.removeprefix("https://isp.example")
    # A mail scanner looks, and uses nothing up.
    assert "Come in" in client.get(address).text
    page = client.get(address).text
    entered = client.post(address, data=fields(page))
    assert (entered.status_code, entered.headers["Location"]) == (303, "/portal")
    assert client.get("/portal").status_code == 200
    again = mailing.test_client()
    assert again.post(address, data=fields(again.get(address).text)).status_code == 410


def test_links_to_one_address_have_an_end(console, mailing):
    client, before = mailing.test_client(), len(links(console))
    for _ in range(6):
        ask_link(client, "anna@example.net")
    assert len(links(console)) - before == 3


def test_a_password_lets_in_and_wrong_ones_have_to_wait(console, portal):
    client = enter(console, portal["own"])
    page = client.get("/portal/password").text
    assert (
        client.post("/portal/password", data={**fields(page), "password": "short", "again": "short"}).status_code == 422
    )
    good = "a kite over the harbour"
    assert client.post("/portal/password", data={**fields(page), "password": good, "again": good}).status_code == 303
    stranger = console.app.test_client()
    page = fields(stranger.get("/portal/sign-in").text)
    right = {**page, "name": str(portal["own"]), "password": good}
    assert stranger.post("/portal/sign-in", data=right).status_code == 303
    thief = console.app.test_client()
    page = fields(thief.get("/portal/sign-in").text)
    for _ in range(5):
        wrong = thief.post("/portal/sign-in", data={**page, "name": str(portal["own"]), "password": "guess"})
        assert wrong.status_code == 422
    held = thief.post("/portal/sign-in", data={**page, "name": str(portal["own"]), "password": good})
    assert (held.status_code, "Too many tries" in held.text) == (422, True)


@pytest.mark.parametrize("path", ["/portal/documents/{}.pdf", "/portal/documents/{}/paying"])
def test_another_s_document_is_not_there(console, portal, path):
    client = enter(console, portal["own"])
    assert client.get(path.format(portal["document"])).status_code == 200
    assert client.get(path.format(portal["foreign"])).status_code == 404
    assert client.get(path.format(10**30)).status_code == 404


def test_who_has_not_come_in_is_led_to_the_door_and_staff_s_sessions_open_nothing(console):
    for client in (console.client(""), console.client("administrator")):
        answer = client.get("/portal/documents")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/portal/sign-in?back=/portal/documents")


def test_a_subscriber_opens_no_page_of_staff(console, portal):
    answer = enter(console, portal["own"]).get("/home")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?back=/home")


def test_a_block_ends_a_session_at_the_next_request(console, portal):
    client = enter(console, portal["other"])
    assert client.get("/portal").status_code == 200
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("UPDATE portal_access SET blocked_at = now() WHERE customer_id = %s", (portal["other"],))
    assert client.get("/portal").status_code == 303
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("UPDATE portal_access SET blocked_at = NULL WHERE customer_id = %s", (portal["other"],))


def test_a_form_of_another_session_does_nothing(console, portal):
    client = enter(console, portal["own"])
    page = fields(client.get("/portal/profile").text)
    sent = {**page, "language": "es", "offers": "y"}
    assert client.post("/portal/profile", data={**sent, "csrf_token": "guessed"}).status_code == 400
    assert client.post("/portal/profile", data=sent, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 400
    assert (
        client.post("/portal/profile", data=sent).status_code
        == client.post("/portal/profile", data=sent).status_code
        == 303
    )
    assert console.query("SELECT language::text FROM customer WHERE id = %s", (portal["own"],)) == [("es",)]
    said = console.query(
        "SELECT given, taken_by FROM consent WHERE customer_id = %s AND taken_by LIKE 'customer %%'", (portal["own"],)
    )
    assert said == [(True, f"customer {portal['own']}")]
    # The switch of languages is everybody's, and knows the portal's forms.
    assert client.post("/look", data={"language": "it", "csrf_token": page["csrf_token"]}).status_code == 303
    assert "Panoramica" in client.get("/portal").text


def test_an_invoice_without_a_page_is_asked_for_once_and_its_page_is_led_to(console, portal):
    client = enter(console, portal["own"])
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        (issuer,) = connection.execute("SELECT min(id) FROM issuer").fetchone()
        account = connection.execute(
            "INSERT INTO gateway_account (issuer_id, method_id, name, provider, live, base_url, sealed_secret, sealed_webhook_secret, token)"
            " SELECT %s, min(id), 'stripe-1', 'stripe', false, 'https://api.stripe.com', decode(repeat('01', 40), 'hex'), decode(repeat('01', 40), 'hex'), repeat('a', 32)"
            " FROM payment_method WHERE issuer_id = %s RETURNING id",
            (issuer, issuer),
        ).fetchone()[0]
        connection.commit()
    client.set_cookie("language", "en")
    page = client.get("/portal").text
    assert f"/portal/documents/{portal['document']}/pay" in page
    for _ in range(2):
        answer = client.post(f"/portal/documents/{portal['document']}/pay", data=fields(page))
        assert answer.headers["Location"] == f"/portal/documents/{portal['document']}/paying"
    asked = console.query(
        "SELECT count(*), min(c.made_by) FROM gateway_charge AS c WHERE c.document_id = %s AND c.account_id = %s",
        (portal["document"], account),
    )
    assert asked == [(1, f"customer {portal['own']}")]
    assert "is being made" in client.get(f"/portal/documents/{portal['document']}/paying").text
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "UPDATE presentment SET state = 'presented', value = 'https://pay.example/x', ref = 'plink_1' WHERE charge_id IN (SELECT id FROM gateway_charge WHERE document_id = %s)",
            (portal["document"],),
        )
    assert 'href="https://pay.example/x"' in client.get(f"/portal/documents/{portal['document']}/paying").text
    assert (
        client.post(
            f"/portal/documents/{portal['foreign']}/pay", data={**fields(page), "once_key": "another"}
        ).status_code
        == 404
    )


def test_a_subscriber_reads_pays_and_looks_around_on_a_phone(console, address, browser, portal):
    enter(console, portal["own"])
    cookie = {"name": PORTAL_COOKIE, "value": f"{TOKEN}-{portal['own']}", "domain": "127.0.0.1", "path": "/"}
    with db.connect(console.conninfo, name="test") as connection:
        account = connection.execute(
            "SELECT a.id FROM subscriber_account AS a JOIN contract AS n ON n.id = a.contract_id WHERE n.customer_id = %s",
            (portal["own"],),
        ).fetchone()[0]
        connection.execute(
            "INSERT INTO usage_day SELECT %s, current_date - n, 1000000 * n, 90000000 * n FROM generate_series(0, 20) AS n ON CONFLICT DO NOTHING",
            (account,),
        )
    for options in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        with browser.page(console, "", **options) as page:
            page.goto(f"{address}/portal/sign-in")
            assert violations(page) == []
            page.context.add_cookies([cookie])
            for path in (
                "/portal",
                "/portal/documents",
                "/portal/statement",
                "/portal/usage",
                "/portal/profile",
                "/portal/password",
            ):
                page.goto(f"{address}{path}")
                assert page.url == f"{address}{path}"
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_the_worker_may_serve_the_portal_alone_and_is_asked_for_anew(console):
    answer = console.client("").get("/portal/worker.js")
    assert answer.headers["Service-Worker-Allowed"] == "/portal"
    assert answer.headers["Cache-Control"] == "no-cache"
    manifest = console.client("").get("/portal/manifest.webmanifest")
    assert (manifest.content_type, manifest.json["scope"]) == ("application/manifest+json", "/portal")


def test_without_a_network_the_portal_says_so_and_has_kept_nothing_of_anybody(console, address, browser, portal):
    enter(console, portal["own"])
    cookie = {"name": PORTAL_COOKIE, "value": f"{TOKEN}-{portal['own']}", "domain": "127.0.0.1", "path": "/"}
    language = {**cookie, "name": "language", "value": "en"}
    context = browser.context()
    try:
        context.add_cookies([cookie, language])
        page = context.new_page()
        page.goto(f"{address}/portal")
        assert page.url == f"{address}/portal"
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.goto(f"{address}/portal/documents")
        kept = page.evaluate(
            "caches.keys().then(async names => (await Promise.all(names.map(async name => (await (await caches.open(name)).keys()).map(one => new URL(one.url).pathname)))).flat())"
        )
        assert "/portal/offline" in kept
        assert [path for path in kept if path != "/portal/offline" and not path.startswith("/static/")] == []
        context.set_offline(True)
        page.goto(f"{address}/portal")
        assert page.locator("h1").inner_text() == "No network"
    finally:
        context.close()
