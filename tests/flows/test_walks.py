"""The walks of design.md from a click in Chromium to the effect on a simulated NAS, through all of Corrente as `corrente up` runs it.

One house for all of them; each walk has subscribers of its own. Both ends are asserted on: what the browser shows, what the NAS was
sent and has in force.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from support.browser import PHONE, chromium
from support.console_world import KEY
from support.ports import free_port
from support.stripe_stand_in import StripeStandIn
from support.whole_house import (
    ALLOWED_CUTS,
    NAS,
    RATES,
    ROME,
    House,
    lines_in_service,
    subscriber_of,
    whole_house,
)

from billing.dunning.policy_data import default_policy
from billing.operations.pursuing import pursue
from billing.runs.billing_run import confirm, issue_run
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.dunning_policies import load_policies, save_version
from control_plane import db
from nas_drivers.simulated.session import Subscriber

pytestmark = [pytest.mark.radius, pytest.mark.db, pytest.mark.slow, pytest.mark.timeout(1800)]
GARDEN: Final = RATES["Payment pages"]
# Anybody else's page, which a walled line's NAS sends to us.
ELSEWHERE: Final = "http://www.example.com/"
# The demo's first policy says "walled" some days after the first that the law allows; here it is this many.
WALLED_AFTER: Final = 60
_ANY_TIME: Final = {"hours": ["00:00-23:59:59.999999"], "weekdays": [], "holidays": False, "easter_monday": False}
_BILLED_DAYS_AGO, _NOTICED_DAYS_AGO = 150, 118
# Forty days after its delivery the law allows a limit: for who has had it for long, that was more than `WALLED_AFTER` days ago.
_LONG_AGO, _LATELY = 110, 50
_DEADLINE_MS: Final = 90_000


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    port = free_port()
    expect.set_options(timeout=_DEADLINE_MS)
    with pytest.MonkeyPatch.context() as patched, StripeStandIn().listening() as provider:
        patched.setenv("CORRENTE_SECRETS_KEY", KEY)
        assert isinstance(provider, StripeStandIn)
        # The line's NAS sends plain HTTP to anybody to us; no other name leads anywhere.
        rules = f"--host-resolver-rules=MAP www.example.com:80 127.0.0.1:{port}"
        with chromium(rules) as browser, whole_house(browser, provider, port=port) as made:
            yield made


@pytest.fixture(scope="module")
def debtors(house: House) -> list[str]:
    """Online at full service, billed five months ago, on notice, but none for so long that the policy walls it."""
    _bill(house)
    owing = _owing(house)
    lines = [one for one in lines_in_service(datetime.now(ROME).date()) if one.username in owing][:12]
    result = house.dial(*map(subscriber_of, lines))
    assert result.accepted == len(lines), result
    names = [one.username for one in lines]
    house.wait_until(lambda: house.query("SELECT count(*) FROM session WHERE username = ANY (%s)", names) == [(len(lines),)], "their sessions")  # fmt: skip
    assert [house.rates(one.username) for one in lines] == [RATES[one.plan] for one in lines]
    _put_on_notice(house, names)
    return names


def _owing(house: House) -> set[str]:
    """Accounts of persons with an open invoice."""
    rows = house.query(
        "SELECT a.username FROM open_document o JOIN contract c ON c.customer_id = o.customer_id JOIN subscriber_account a ON a.contract_id = c.id"
        " JOIN customer k ON k.id = c.customer_id WHERE o.open > 0 AND k.kind = 'person'"
    )
    return {name for (name,) in rows}


def _bill(house: House) -> None:
    """The run of a day five months ago, by the product's own run."""

    def connect() -> Any:
        return db.connect(house.conninfo, name="test", origin="command", autocommit=True)

    stop = threading.Event()
    with connect() as connection:
        ((issuer,),) = connection.execute("SELECT id FROM issuer").fetchall()
        day = datetime.now(ROME).date() - timedelta(days=_BILLED_DAYS_AGO)
        run = prepare_run(connection, issuer, run_date=day, scope=Scope(), by="maria", stop=stop)
        with connection.transaction():
            run = confirm(connection, run, by="maria")
        issue_run(connect, run, made_by="maria", stop=stop, batch=100, workers=1)


def _put_on_notice(house: House, names: list[str]) -> None:
    """The policy, and what it did to them in those months, done by its own pass as of a day then. The worker's first pass is yet to come."""
    now = datetime.now(UTC)

    def nobody(_: Any, cuts: Any) -> Any:
        raise AssertionError(f"limited on the day of the notice: {cuts}")

    with house.books() as connection:
        ((issuer,),) = connection.execute("SELECT id FROM issuer").fetchall()
        data = default_policy(load_policies(connection)[issuer].place) | {"guard": _ANY_TIME}
        steps = [one for one in data["step"] if one["code"] in ("due_soon", "reminder", "formal_notice", "walled")]
        data["step"] = [one | {"offset_days": WALLED_AFTER} if one["code"] == "walled" else one for one in steps]
        acting(connection, "maria")
        since = now.date() - timedelta(days=365)
        save_version(connection, issuer, data, name=data["name"], since=since, reason="the first one", by="maria")
        rows = connection.execute(
            "SELECT c.customer_id FROM subscriber_account a JOIN contract c ON c.id = a.contract_id WHERE a.username = ANY (%s) ORDER BY 1",
            (names,),
        )
        customers = [customer for (customer,) in rows]
        pursue(connection, customers, now - timedelta(days=_NOTICED_DAYS_AGO), place=nobody)
    _has_come(house, names, days_ago=_LATELY)


def _has_come(house: House, names: list[str], *, days_ago: int) -> None:
    """The formal notices of these came so many days ago."""
    with house.books() as connection:
        connection.execute(
            "UPDATE formal_notice SET delivered_at = now() - make_interval(days => %s), delivered_by = 'registered mail' WHERE case_id IN"
            " (SELECT d.id FROM dunning_case d JOIN contract c USING (customer_id) JOIN subscriber_account a ON a.contract_id = c.id WHERE a.username = ANY (%s))",
            (days_ago, names),
        )


def _press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def test_a_new_contract_is_made_signed_activated_and_dialled_in(house: House) -> None:
    page = house.page()
    _first_sign_in(house, page)
    _new_customer(page)
    password = _through_the_wizard(page)
    _sign_and_activate(page)

    page.get_by_role("link", name="giulia.fontanelli").click()
    session = page.locator("[data-traffic]")
    expect(session).to_contain_text("Not online")
    assert _revealed(house, page) == password
    packets = len(house.packets)
    stranger = Subscriber("giulia.fontanelli", password, "02:00:5e:00:53:99")
    modem = Subscriber("giulia.fontanelli", password, "02:00:5e:00:53:77", load_down=0.01, load_up=0.01)
    assert house.dial(stranger).rejected == 1
    assert house.dial(modem).accepted == 1
    assert house.rates("giulia.fontanelli") == RATES["Fibra 300"]

    # The open page comes to know it by itself, from the Accounting-Start.
    live = house.session("giulia.fontanelli")
    assert live is not None
    expect(session).to_contain_text(str(live.address))
    expect(session).to_contain_text(NAS.name)
    page.goto("/online?user=giulia")
    row = page.get_by_role("row").filter(has_text="giulia.fontanelli")
    expect(row).to_contain_text(str(live.address))
    expect(row).to_contain_text("300 Mbit/s / 100 Mbit/s")
    expect(row).to_contain_text("02:00:5e:00:53:77")
    # What it has is what it should have: nothing was sent to the NAS.
    assert house.query("SELECT count(*) FROM enforcement WHERE username = 'giulia.fontanelli'") == [(0,)]
    assert len(house.packets) == packets


def _first_sign_in(house: House, page: Page) -> None:
    """The administrator comes with the password that the start printed, and chooses one."""
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password", exact=False).first.fill(house.first_password)
    _press(page, "Sign in")
    for label in ("New password", "The same again"):
        page.get_by_label(label).fill("a lorry full of pears")
    _press(page, "Change the password")
    page.wait_for_url("**/home")


def _new_customer(page: Page) -> None:
    menu = page.get_by_role("complementary", name="Menu")
    menu.get_by_role("button", name="Customers", exact=True).click()
    menu.get_by_role("link", name="Customers", exact=True).click()
    page.get_by_role("link", name="New customer").first.click()
    typed = {"Street": "Via Roma", "House number": "3", "Postal code": "67100", "City": "L'Aquila", "Province": "AQ"}
    for label, text in {"Name": "Giulia Fontanelli", **typed, "E-mail": "giulia@example.net"}.items():
        page.get_by_label(label, exact=True).fill(text)
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Giulia Fontanelli")


def _through_the_wizard(page: Page) -> str:
    """Its steps; the password that it shows once."""
    page.get_by_role("link", name="New contract").click()
    expect(page.locator("main")).to_contain_text("For Giulia Fontanelli")
    _press(page, "Go on")
    expect(page.get_by_label("Place")).to_contain_text("Via Roma 3")
    _press(page, "Go on")
    page.get_by_label("Plan", exact=True).select_option(label="Fibra 300 · €29.90 a month")
    page.get_by_label("Router rental · €3.00 a month").check()
    page.get_by_label("Activation · €49.00").check()
    _press(page, "Go on")
    expect(page.get_by_label("Username")).to_have_value("giulia.fontanelli")
    page.get_by_label("MAC of the device").fill("02:00:5E:00:53:77")
    _press(page, "Go on")
    page.get_by_label("Days to pay").fill("20")
    _press(page, "Go on")
    for words in (
        "Fibra 300: €29.90",
        "Via Roma 3",
        "giulia.fontanelli",
        "02:00:5e:00:53:77",
        "Corrente Demo",
        "20",
    ):
        expect(page.locator("main form")).to_contain_text(words)
    _press(page, "Make the contract")
    told = page.locator(".told-once")
    expect(told).to_contain_text("Password of giulia.fontanelli")
    return told.locator("code").inner_text()


def _sign_and_activate(page: Page) -> None:
    expect(page.get_by_label("Name of who signs")).to_have_value("Giulia Fontanelli")
    box = page.get_by_label("Field to sign in").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 120, steps=8)
    page.mouse.up()
    _press(page, "Sign")
    expect(page.locator("body")).to_contain_text("Waits for activation")
    page.get_by_role("link", name="Activate", exact=True).first.click()
    _press(page, "Show what it does")
    expect(page.locator("main")).to_contain_text("Full service, profile Fibra 300: 300 Mbit/s down, 100 Mbit/s up")
    _press(page, "Activate")
    expect(page.locator("body")).to_contain_text("Done: Activate.")


def _revealed(house: House, page: Page) -> str:
    """The password as the account's page shows it to who says why."""
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Show the password").click()
    page.get_by_label("Reason").fill("the installer asks")
    _press(page, "Show the password")
    shown = page.locator("main code").first.inner_text()
    asked = "SELECT detail ->> 'reason' FROM audit_log WHERE action LIKE '%%reveal%%' AND subject = 'giulia.fontanelli'"
    assert house.query(asked) == [("the installer asks",)]
    page.go_back()
    page.go_back()
    return shown


def test_who_has_not_paid_lands_in_the_garden_pays_there_and_is_online_again(house: House, debtors: list[str]) -> None:
    name, owed = _spanish_debtor(house, debtors)
    full = house.rates(name)
    assert full is not None
    assert full != GARDEN
    _has_come(house, [name], days_ago=_LONG_AGO)
    house.run_now("dunning")
    house.wait_until(lambda: house.rates(name) == GARDEN, f"{name} in the garden on the NAS")
    # The CoA was for that session alone.
    assert [other for other in debtors if house.rates(other) == GARDEN] == [name]
    staff = house.staff_page("billing")
    _comes_to_say(house, staff, "/dunning/cuts", of=name, words="verified")

    page = house.page_behind(name, viewport=PHONE, locale="en-GB")
    house.serve_payment_pages(page)
    page.goto(ELSEWHERE)
    assert page.url == f"{house.address}/garden"
    expect(page.get_by_role("heading", level=1)).to_have_text("Esta línea está limitada: hay una factura vencida")
    _press(page, "Pagar")
    page.get_by_role("link", name="Ir a la página de pago").click(timeout=_DEADLINE_MS)
    expect(page.get_by_role("heading", name=f"{owed:.2f} EUR")).to_be_visible()
    other = house.page_behind(name, viewport=PHONE)
    other.goto("/garden")
    expect(other.locator("main")).to_contain_text(f"{owed:.2f}".replace(".", ","))
    page.get_by_role("button", name="Pay", exact=True).click()

    house.wait_until(lambda: house.rates(name) == full, f"{name} at full service on the NAS")
    # The page that was open says so by itself, and so does the way back from the payment page.
    expect(other.get_by_role("heading", level=1)).to_have_text("Esta línea está activa")
    page.goto(f"{house.address}/garden")
    expect(page.get_by_role("heading", level=1)).to_have_text("Esta línea está activa")
    changes = "SELECT level::text, method::text, state::text FROM enforcement WHERE username = %s ORDER BY id"
    both = [("walled", "coa", "verified"), ("full", "coa", "verified")]
    house.wait_until(lambda: house.query(changes, name) == both, "both changes verified")
    _comes_to_say(house, staff, "/dunning/cuts", of=name, words="payment")
    assert house.query("SELECT count(*), sum(amount) FROM payment") == [(1, owed)]


def _spanish_debtor(house: House, debtors: list[str]) -> tuple[str, Decimal]:
    """One of them who reads Spanish, and what is open."""
    ((name, owed),) = house.query(
        "SELECT a.username, (SELECT sum(o.open) FROM open_document o WHERE o.customer_id = k.id) FROM subscriber_account a JOIN contract c ON c.id = a.contract_id"
        " JOIN customer k ON k.id = c.customer_id WHERE a.username = ANY (%s) AND k.language = 'es' ORDER BY k.id LIMIT 1",
        debtors,
    )
    return name, owed


def _comes_to_say(house: House, page: Page, address: str, *, of: str, words: str) -> None:
    """The list's first row of that name has these words; opened again until it has."""

    def says() -> bool:
        page.goto(address)
        rows = page.get_by_role("row").filter(has_text=of)
        return rows.count() > 0 and words in rows.first.inner_text()

    house.wait_until(says, f"{words!r} of {of} on {address}")


def test_a_wrong_click_on_a_mass_cut_is_stopped_by_the_guard(house: House, debtors: list[str]) -> None:
    others = [name for name in debtors if name in _owing(house)]
    before = {name: house.rates(name) for name in others}
    packets = len(house.packets)
    _refused_to_disconnect_everybody(house, others)
    billing = house.staff_page("billing")
    _save_policy(billing, walled_after=6, instead_of=WALLED_AFTER)
    expect(billing.get_by_role("alert")).to_contain_text(f"The guard lets {ALLOWED_CUTS} go by themselves")
    _save(billing)
    _pass_the_day(house)

    guard = house.staff_page("network operator")
    guard.goto("/home")
    guard.get_by_role("alert").get_by_role("link", name="To the guard").click()
    expect(guard.get_by_role("heading", name=f"{len(others)} restrictions of run")).to_be_visible()
    waiting = guard.get_by_role("table", name="Restrictions that wait")
    for name in others:
        expect(waiting).to_contain_text(name)
    assert house.query("SELECT count(*) FROM restriction WHERE held_since IS NOT NULL AND lifted_at IS NULL") == [(len(others),)]  # fmt: skip
    assert {name: house.rates(name) for name in others} == before
    assert len(house.packets) == packets
    assert len(others) > ALLOWED_CUTS

    _save_policy(billing, walled_after=WALLED_AFTER, instead_of=6)
    _save(billing)
    guard.get_by_role("link", name="Take it back").click()
    guard.get_by_label("Reason").fill("6 was typed for 60")
    _press(guard, "Take it back")
    expect(guard.get_by_role("row").nth(1)).to_contain_text("Taken back by")
    guard.goto("/guard")
    guard.get_by_role("link", name="Set it on guard again").click()
    guard.get_by_label("Reason").fill("the run is taken back")
    _press(guard, "Set it on guard again")
    expect(guard.locator("body")).to_contain_text("The guard is on guard again.")
    _pass_the_day(house)
    assert {name: house.rates(name) for name in others} == before
    assert len(house.packets) == packets


def _pass_the_day(house: House) -> None:
    """The next day has come, and its pass is over."""
    house.query("DELETE FROM dunning_pass RETURNING day")
    house.run_now("dunning")


def _refused_to_disconnect_everybody(house: House, names: list[str]) -> None:
    """Who may not release what the guard holds chooses all who are online, and may end none."""
    page = house.staff_page("support")
    page.goto("/online")
    page.get_by_label("All on this page").check()
    chosen = page.get_by_role("row").filter(has=page.get_by_role("checkbox", checked=True))
    assert chosen.count() >= len(names)
    page.locator("[data-needs-chosen]").get_by_role("button", name="Disconnect").click()
    words = f"more than automation may cut in an hour ({ALLOWED_CUTS}): only who may release what the guard holds"
    expect(page.locator("#told")).to_contain_text(words)
    assert house.query("SELECT count(*) FROM enforcement WHERE closed_at IS NULL") == [(0,)]


def _save_policy(page: Page, *, walled_after: int, instead_of: int) -> None:
    """Another version of the policy, saved as the page says what comes of it."""
    page.goto("/dunning/policies")
    page.get_by_role("link", name="Change", exact=True).click()
    days = page.get_by_role("group", name="payment page only").get_by_label("Days", exact=True)
    expect(days).to_have_value(str(instead_of))
    days.fill(str(walled_after))
    page.get_by_label("Reason").fill("nine weeks")
    _press(page, "Look what it would do")
    expect(page.get_by_role("table", name="The next 30 days")).to_be_visible()


def _save(page: Page) -> None:
    _press(page, "Save this version")
    page.wait_for_url("**/dunning/policies")
