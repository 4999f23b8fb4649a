"""An ISP that runs whole, as `corrente up` starts it, with one simulated NAS, staff with browsers and a payment provider's stand-in.

    with whole_house() as house:
        house.dial(Subscriber("anna", "her password"))
        page = house.staff_page("billing")
        house.wait_until(lambda: house.rates("anna") == …, "anna in the walled garden")

The demo's customers are its customers; nobody dials by itself. What a day or a clock would bring is brought forward by
`run_now`, which makes a job of the worker due; the job itself is run by the worker.
"""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from playwright.sync_api import BrowserContext, Page, Route
from support.browser import Browser
from support.console_world import KEY, sealer
from support.enforcement_world import PATIENT
from support.stripe_stand_in import StripeStandIn
from support.up_process import Home, Up, temporary_home, wait_until

from control_plane import db
from control_plane.access.people import add_person
from control_plane.access.person import Actor
from control_plane.access.signing_in import Came, SignedIn, sign_in
from control_plane.gateways.accounts import add_account, method_for
from control_plane.gateways.provider import provider_for
from control_plane.machine.demo import load_demo
from control_plane.machine.demo_isp import NASES, PROFILES, DemoLine, demo_lines
from control_plane.settings import load_settings
from nas_drivers.simulated.device import DialResult, SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.session import Session, Subscriber
from nas_drivers.simulated.traffic import Rates
from web.acting import COOKIE

ROME: Final = ZoneInfo("Europe/Rome")
CUSTOMERS: Final = 60
# A few may always be cut in an hour, and the share of so few subscribers is none.
ALLOWED_CUTS: Final = 3
NAS: Final = next(one for one in NASES if one.vendor == "accel_ppp")
RATES: Final = {one.name: Rates(one.down_bps, one.up_bps) for one in PROFILES}
_DEADLINE_S: Final = 240.0


@dataclass
class House:
    """See the module. `packets` are the change requests that came to the NAS, as it was sent them."""

    home: Home
    address: str
    first_password: str
    browser: Browser
    nas: SimulatedNas
    loop: asyncio.AbstractEventLoop
    provider: StripeStandIn
    packets: list[bytes]
    token: str = ""
    _contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    # The database, as its owner.

    @property
    def conninfo(self) -> str:
        """Of the private PostgreSQL."""
        return f"host={self.home.state / 'run' / 'postgres'} dbname=corrente user=corrente connect_timeout=60"

    @contextmanager
    def books(self) -> Iterator[psycopg.Connection[Any]]:
        """One transaction."""
        with db.connect(self.conninfo, name="test", origin="command") as connection:
            connection.execute("SELECT set_config('corrente.actor', 'test', false)")
            yield connection
            connection.commit()

    def query(self, sql: str, *given: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with db.connect(self.conninfo, name="test", autocommit=True) as connection:
            return connection.execute(sql, given).fetchall()

    def run_now(self, job: str) -> None:
        """It is the hour of this job; returns when the worker has run it."""
        with db.connect(self.conninfo, name="test", autocommit=True) as connection:
            (asked,) = connection.execute(
                "UPDATE scheduled_job SET next_at = clock_timestamp() WHERE name = %s RETURNING next_at", (job,)
            ).fetchall()
        ran = "SELECT failed_at IS NULL FROM scheduled_job WHERE name = %s AND greatest(done_at, failed_at) >= %s"
        self.wait_until(lambda: self.query(ran, job, asked[0]) == [(True,)], f"{job} run")

    def wait_until(self, holds: Callable[[], Any], what: str, *, seconds: float = _DEADLINE_S) -> Any:
        """What holds, once it does. The deadline is for a broken program, not a measurement."""
        try:
            return wait_until(holds, seconds=seconds, what=what)
        except AssertionError as late:
            changes = self.query("SELECT username, level, state, method, problem FROM enforcement ORDER BY id")
            raise AssertionError(f"{late}\nchanges: {changes}\n{self._end_of_logs()}") from None

    def _end_of_logs(self) -> str:
        logs = (self.home.state / "log" / f"{name}.log" for name in ("worker", "web", "edge"))
        return "\n".join(file.read_text(errors="replace")[-1500:] for file in logs if file.exists())

    # The NAS.

    def do(self, action: Any, *, timeout_s: float = 240) -> Any:
        """Run a coroutine in the NAS's event loop."""
        return asyncio.run_coroutine_threadsafe(action, self.loop).result(timeout_s)

    def dial(self, *subscribers: Subscriber) -> DialResult:
        """They log in; returns when each is answered, and so are their Starts."""
        result: DialResult = self.do(self.nas.dial(subscribers))
        assert self.do(self.nas.drain(240))
        return result

    def session(self, username: str) -> Session | None:
        """The live session of a subscriber on the NAS."""
        found = self.nas.sessions.of(username)
        return found[0] if found else None

    def rates(self, username: str) -> Rates | None:
        """At what that session runs on the NAS; None without one."""
        found = self.session(username)
        return None if found is None else found.rates

    # Browsers.

    def staff_page(self, *roles: str, **options: Any) -> Page:
        """A new member of staff of these roles has signed in and is before an empty page."""
        name = f"{roles[0].replace(' ', '.')}.{len(self._contexts)}"
        now = datetime.now(UTC)
        with self.books() as connection:
            made = add_person(connection, name, full_name=name.title(), roles=roles, by=Actor("test"), now=now)
            connection.execute("UPDATE staff SET must_change_password = false WHERE id = %s", (made.id,))
            came = Came(address="127.0.0.1", browser="test")
            result = sign_in(connection, sealer(), name=made.name, password=made.password, came=came, now=now)
        assert isinstance(result, SignedIn), result
        page = self.page(**options)
        cookie = {"name": COOKIE, "value": result.token, "domain": "127.0.0.1", "path": "/", "httpOnly": True}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        return page

    def page(self, **options: Any) -> Page:
        """A browser of its own; what its pages throw or the policy refuses stands in `complaints`."""
        context = self.browser.context(base_url=self.address, **options)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page

    def page_behind(self, username: str, **options: Any) -> Page:
        """A browser in a subscriber's house. Its requests come from the line's address, as a proxy before the web process says.

        While the line is walled, plain HTTP to anybody comes to us, as the NAS sends it.
        """
        session = self.session(username)
        assert session is not None, username
        return self.page(extra_http_headers={"X-Forwarded-For": str(session.address)}, **options)

    def serve_payment_pages(self, page: Page) -> None:
        """The provider's pages open in that browser: who presses Pay there has paid, and the provider tells us."""
        page.context.route("https://buy.stripe.com/**", self._payment_page)

    def _payment_page(self, route: Route) -> None:
        link = self.provider.objects[route.request.url.rpartition("test_")[2]]
        body = f'<h1>{link["amount"] / 100:.2f} {link["currency"].upper()}</h1><form method="post"><button>Pay</button></form>'
        if route.request.method == "POST":
            _, events = self.provider.pay(link)
            for event in events:
                headers, content = self.provider.notice([event])
                told = urllib.request.Request(f"{self.address}/webhooks/{self.token}", content, headers)
                with urllib.request.urlopen(told, timeout=90) as answer:
                    assert answer.status == 200
            body = "<h1>Thank you</h1>"
        route.fulfill(content_type="text/html", body=body)

    def close(self) -> None:
        """All browsers and the NAS."""
        for context in self._contexts:
            context.close()
        self.do(self.nas.stop())


def lines_in_service(today: Any) -> list[DemoLine]:
    """Demo customers with nothing but their plan: in service for long, without a limit or an end."""
    return [
        one
        for one in demo_lines(today, CUSTOMERS)
        if one.status == "active" and not one.restrictions and one.relief is None and one.ends_on is None
        and one.expires_at is None and (today - one.starts_on).days > 400
    ]  # fmt: skip


def subscriber_of(line: DemoLine) -> Subscriber:
    """Their modem."""
    return Subscriber(line.username, line.password, line.mac, load_down=0.01, load_up=0.01)


@contextmanager
def whole_house(browser: Browser, provider: StripeStandIn, *, port: int) -> Iterator[House]:
    """Everything runs; nobody is online. `port` is the web process's, to which the browser's foreign hosts lead."""
    with temporary_home() as home:
        address = f"http://127.0.0.1:{port}"
        words = home.settings.read_text()
        radius = dict(re.findall(r"(\w+_port) = (\d+)", words))
        home.settings.write_text(_settings(words, provider, address=address, port=port))
        up = Up(home, "--empty", CORRENTE_SECRETS_KEY=KEY)
        up.wait_for("Ready: RADIUS")
        password = re.search(r"sign in as admin with (\S+),", up.said)
        assert password is not None, up.said
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="NAS")
        thread.start()
        packets: list[bytes] = []
        nas = _device(int(radius["authentication_port"]), packets)
        house = House(home, address, password[1], browser, nas, loop, provider, packets)
        try:
            house.do(nas.start())
            _fill(house)
            house.wait_until(lambda: _answers(f"{address}/ready"), "the web process")
            yield house
            assert not house.complaints, house.complaints
            house.close()
            assert up.stop() == 0, up.said
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=90) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _settings(words: str, provider: StripeStandIn, *, address: str, port: int) -> str:
    before_web, _, rest = words.partition("[web]\n")
    others = rest[rest.index("[worker]") :]
    host = provider.url.removeprefix("http://")
    return (
        f"{before_web}nas_lifetime_s = 1\nreject_delay_s = 0\n[web]\nport = {port}\nproxies = 1\n{others}"
        f"[guard]\nnever_less_than = {ALLOWED_CUTS}\n"
        f'[messages]\npublic_url = "{address}"\n[gateways]\ntest_hosts = ["{host}"]\n'
    )


def _device(port: int, packets: list[bytes]) -> SimulatedNas:
    def keep(came: bool, octets: bytes, _other: Any) -> None:
        if came:
            packets.append(octets)

    return SimulatedNas(
        NAS.address,
        NAS.secret.encode(),
        vendor=NAS.vendor,
        servers=[RadiusServer("127.0.0.1", port, port + 1)],
        options=DeviceOptions(
            name=NAS.name,
            coa_port=0,
            access_retry=PATIENT,
            accounting_retry=PATIENT,
            interim_after_change=True,
            on_change_datagram=keep,
        ),
    )


def _fill(house: House) -> None:
    """The demo's ISP, the NAS's port, and an account with the payment provider."""
    settings = load_settings(house.home.settings)
    with house.books() as connection:
        load_demo(connection, sealer(), today=datetime.now(ROME).date(), customers=CUSTOMERS)
        connection.execute("UPDATE nas SET coa_port = %s WHERE name = %s", (house.nas.coa_port, NAS.name))
        # The others are not there.
        connection.execute("DELETE FROM nas WHERE name <> %s", (NAS.name,))
        ((issuer,),) = connection.execute("SELECT id FROM issuer").fetchall()
        columns = {
            "issuer_id": issuer,
            "method_id": method_for(connection, issuer, "card", provider_for("stripe")),
            "name": "cards",
            "provider": "stripe",
            "live": False,
            "base_url": house.provider.url,
            "return_url": f"{house.address}/garden",
        }
        secrets = {"secret": house.provider.secret, "webhook_secret": house.provider.webhook_secret}
        house.token = add_account(connection, settings, columns, **secrets).token
