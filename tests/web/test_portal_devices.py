"""Notices on a subscriber's devices: asked for by a click, listed, taken away; and what Chromium shows of a push."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from support.browser import PHONE, chromium, violations
from support.console_world import Console
from support.push_service_stand_in import BrowserStandIn

from control_plane import db
from control_plane.access.tokens import digest_of
from control_plane.messages.web_push import new_key
from control_plane.plan_answers import answer_and_tell
from control_plane.store.plan_requests import add_request
from web.acting import PORTAL_COOKIE

pytestmark = pytest.mark.db
_FIELD = re.compile(r'name="(csrf_token|once_key)" value="([^"]*)"')
KEY = new_key()
BROWSER = BrowserStandIn()
SUBSCRIBED = {
    "endpoint": "https://push.example/send/abc",
    "p256dh": BROWSER.text(BROWSER.public_key),
    "auth": BROWSER.text(BROWSER.auth),
}
# Chromium asks Google's service for an address of its own. In its place: what it would give to the page.
NO_PUSH_SERVICE = """
const octets = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0)).buffer;
const made = (key) => {
  const given = SUBSCRIBED;
  const unsubscribe = async () => { sessionStorage.removeItem("there"); return true; };
  return { endpoint: given.endpoint, options: { applicationServerKey: octets(key) }, getKey: (name) => octets(given[name]), unsubscribe };
};
PushManager.prototype.getSubscription = async () => (sessionStorage.there ? made(sessionStorage.there) : null);
PushManager.prototype.subscribe = async ({ applicationServerKey, userVisibleOnly }) => {
  if (!userVisibleOnly) throw new Error("Chromium takes no other");
  sessionStorage.there = applicationServerKey;
  return made(applicationServerKey);
};
""".replace("SUBSCRIBED", json.dumps(SUBSCRIBED))


def fields(text: str) -> dict[str, str]:
    """What a form of the card sends along."""
    return dict(_FIELD.findall(text[text.index('id="notices"') :]))


@pytest.fixture(scope="module")
def customers(console: Console) -> tuple[int, int]:
    """Two customers with a contract in service, in an installation whose worker has made its key."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute(
            "INSERT INTO push_key (public_key, sealed_private) VALUES (%s, %s)", (KEY.public_octets, b"s" * 61)
        )
        first, second = connection.execute(
            "SELECT customer_id FROM contract WHERE status = 'active' AND ends_on IS NULL GROUP BY 1 ORDER BY 1 LIMIT 2"
        ).fetchall()
        connection.commit()
    return first[0], second[0]


def token_of(customer: int) -> str:
    return f"devices-a-token-that-is-long-enough-{customer}"


def enter(console: Console, customer: int):
    """A browser with a session of that customer's, in English."""
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "INSERT INTO portal_access (customer_id, email) VALUES (%s, 'x@example.net') ON CONFLICT DO NOTHING",
            (customer,),
        )
        connection.execute(
            "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at)"
            " VALUES (%s, %s, decode(repeat('05', 32), 'hex'), %s, %s, %s + interval '1 day') ON CONFLICT (digest) DO UPDATE SET ended_at = NULL",
            (customer, digest_of(token_of(customer)), now, now, now),
        )
    client = console.app.test_client()
    client.set_cookie(PORTAL_COOKIE, token_of(customer))
    client.set_cookie("language", "en")
    return client


def devices(console: Console) -> list[tuple]:
    return console.query("SELECT customer_id, endpoint, name, session_id IS NOT NULL FROM push_device ORDER BY id")


def add(client, **changed):
    page = fields(client.get("/portal/profile").text)
    headers = {"User-Agent": "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0"}
    return client.post("/portal/devices", data={**page, **SUBSCRIBED, **changed}, headers=headers)


def test_a_device_is_asked_for_listed_and_taken_away_by_its_owner_alone(console, customers):
    own, other = customers
    client = enter(console, own)
    page = fields(client.get("/portal/profile").text)
    sent = {**page, **SUBSCRIBED}
    # A double click.
    assert [client.post("/portal/devices", data=sent).status_code for _ in range(2)] == [303, 303]
    assert add(client).status_code == 303
    assert devices(console) == [(own, SUBSCRIBED["endpoint"], "Firefox, Android", True)]
    listed = client.get("/portal/profile").text
    assert "Firefox, Android" in listed
    # The address itself is nobody's to read.
    assert SUBSCRIBED["endpoint"] not in listed
    (number,) = re.findall(r"/portal/devices/(\d+)/remove", listed)
    stranger = enter(console, other)
    taken = stranger.post(f"/portal/devices/{number}/remove", data=fields(stranger.get("/portal/profile").text))
    assert taken.status_code == 404
    assert len(devices(console)) == 1
    assert client.post(f"/portal/devices/{number}/remove", data=fields(listed)).status_code == 303
    assert devices(console) == []
    assert (
        client.post(f"/portal/devices/{10**30}/remove", data=fields(client.get("/portal/profile").text)).status_code
        == 404
    )
    said = console.query("SELECT action, actor FROM audit_log WHERE action LIKE 'portal.%%device'")
    assert set(said) == {("portal.add_device", f"customer {own}"), ("portal.remove_device", f"customer {own}")}


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "http://push.example/send"},
        {"endpoint": "https://127.0.0.1/send"},
        {"endpoint": "https://10.0.0.7:5432/"},
        {"endpoint": ""},
        {"p256dh": "AAAA"},
        {"auth": "AAAA"},
    ],
)
def test_what_no_push_service_gives_is_not_kept(console, customers, changed):
    refused = add(enter(console, customers[0]), **changed)
    assert refused.status_code == 422
    assert "Not done" in refused.text
    assert devices(console) == []


def test_who_signs_out_is_told_nothing_on_that_device(console, customers):
    client = enter(console, customers[0])
    assert add(client).status_code == 303
    page = client.get("/portal").text
    (secret,) = set(re.findall(r'name="csrf_token" value="([^"]*)"', page))
    assert client.post("/portal/sign-out", data={"csrf_token": secret}).status_code == 303
    assert devices(console) == []


def test_an_answer_to_a_request_is_told_by_mail_and_on_the_device(console, customers):
    own = customers[0]
    client = enter(console, own)
    assert add(client).status_code == 303
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        contract, plan = connection.execute(
            "SELECT n.id, p.id FROM contract AS n, plan AS p WHERE n.customer_id = %s AND p.id <> n.plan_id LIMIT 1",
            (own,),
        ).fetchone()
        number = add_request(connection, contract, plan, note=None, by=f"customer {own}")
        asked = answer_and_tell(
            connection, number, accepted=False, answer="No fibre there.", by="maria", now=datetime.now(UTC)
        )
        again = answer_and_tell(connection, number, accepted=True, answer=None, by="anna", now=datetime.now(UTC))
        told = connection.execute(
            "SELECT channel, contract_id, data ->> 'plan', data ->> 'answer' FROM message WHERE template = 'plan_answered' ORDER BY channel"
        ).fetchall()
        connection.commit()
    assert (asked.accepted, again) == (False, None)
    assert told == [(channel, contract, asked.wants, "No fibre there.") for channel in ("email", "push")]
    client.post("/portal/devices/1/remove", data=fields(client.get("/portal/profile").text))
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("DELETE FROM push_device")


def test_without_a_key_to_send_with_nothing_is_offered(console, customers):
    client = enter(console, customers[0])
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("DELETE FROM push_key")
    assert 'id="notices"' not in client.get("/portal/profile").text
    assert client.get("/portal/devices").status_code == 404
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "INSERT INTO push_key (public_key, sealed_private) VALUES (%s, %s)", (KEY.public_octets, b"s" * 61)
        )


@pytest.fixture(scope="module")
def whole_browser():
    """One that shows notices, which its shell does not."""
    with chromium() as started:
        yield started


def test_chromium_asks_on_a_click_shows_what_is_pushed_and_opens_the_page(console, address, whole_browser, customers):
    own = customers[0]
    enter(console, own)
    cookie = {"name": PORTAL_COOKIE, "value": token_of(own), "domain": "127.0.0.1", "path": "/"}
    for options in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        with whole_browser.page(console, "", **options) as page:
            page.context.grant_permissions(["notifications"], origin=address)
            page.context.add_cookies([cookie, {**cookie, "name": "language", "value": "en"}])
            page.add_init_script(NO_PUSH_SERVICE)
            page.goto(f"{address}/portal/profile")
            page.get_by_role("button", name="Show notices on this device").click()
            page.get_by_text("this device", exact=True).wait_for()
            assert not page.locator("[data-push-add]").is_visible()
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert devices(console) == [(own, SUBSCRIBED["endpoint"], "Chrome, Linux", True)]
            if options:
                page.get_by_role("button", name="Switch off: Chrome, Linux").click()
                page.get_by_role("button", name="Show notices on this device").wait_for()
                assert devices(console) == []
            else:
                _push_and_click(page, address)


def _push_and_click(page, address: str) -> None:
    """A push as the debugger delivers it: the worker shows it, and a click on it leads the open portal to its page."""
    debugger = page.context.new_cdp_session(page)
    registrations: list[str] = []
    debugger.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: registrations.extend(one["registrationId"] for one in said["registrations"]),
    )
    debugger.send("ServiceWorker.enable")
    while not registrations:
        page.wait_for_timeout(20)
    told = {"title": "Isp: una fattura", "body": "due", "page": "/portal/documents", "language": "it", "tag": "t1"}
    # The second with the same tag takes the place of the first; one without words is shown all the same.
    for data in (json.dumps(told), json.dumps(told), ""):
        debugger.send(
            "ServiceWorker.deliverPushMessage", {"origin": address, "registrationId": registrations[0], "data": data}
        )
    shown = page.wait_for_function(
        """async () => {
            const shown = await (await navigator.serviceWorker.ready).getNotifications();
            return shown.length >= 2 && shown.map((one) => [one.title, one.body, one.lang, one.tag, one.data.page]);
        }"""
    ).json_value()
    assert sorted(shown) == [
        ["Isp: una fattura", "due", "it", "t1", "/portal/documents"],
        ["My line", "", "", "", "/portal"],
    ]
    (worker,) = page.context.service_workers
    worker.evaluate(
        """async () => {
            const [notification] = await self.registration.getNotifications({ tag: "t1" });
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
        }"""
    )
    page.wait_for_url(f"{address}/portal/documents")
