"""Simulated devices at the product's own FreeRADIUS: every vendor gets its words, every method works, a storm is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from support.radius_server import (
    FULL_PROFILE,
    NAS_SECRET,
    WALLED_PROFILE,
    account_record,
    nas_record,
    profile_record,
    radius_server,
    step,
)

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import driver_for
from nas_drivers.policy import BitRate, RatePair, SessionPolicy
from nas_drivers.simulated.credentials import Method
from nas_drivers.simulated.device import DialResult, SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Subscriber
from nas_drivers.simulated.traffic import Rates
from radius_hooks.policy_store import Level

pytestmark = pytest.mark.radius
DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
ADDRESSES = {"mikrotik": "127.66.3.1", "accel_ppp": "127.66.3.2", "generic": "127.66.3.3"}
POLICY = SessionPolicy(
    rate=RatePair(down=BitRate(300_000_000), up=BitRate(30_000_000)), ipv4_pool="homes", filter="home"
)
WALLED = SessionPolicy(
    rate=RatePair(down=BitRate(512_000), up=BitRate(256_000)), address_lists=("walled",), filter="walled"
)
ACCOUNTS = 500
PATIENT = RetryPlan(first_s=30, factor=1, longest_s=30, tries=3, jitter=0)


def _rendered(vendor: str, policy: SessionPolicy) -> list[tuple[str, str, str]]:
    """The driver's attributes as a profile record has them."""
    items = []
    for item in driver_for(vendor).login_attributes(policy):
        attribute = DICTIONARY.attribute(item.name)
        assert attribute is not None
        items.append((item.name, canonical_value(attribute, item.value), attribute.kind))
    return items


def _fill(batch) -> None:
    for number, (vendor, address) in enumerate(ADDRESSES.items(), start=10):
        batch.put_nas(f"{address}/32", nas_record(number, vendor=vendor))
        batch.put_profile(FULL_PROFILE, vendor, profile_record(FULL_PROFILE, *_rendered(vendor, POLICY)))
        batch.put_profile(WALLED_PROFILE, vendor, profile_record(WALLED_PROFILE, *_rendered(vendor, WALLED)))
    for number in range(ACCOUNTS):
        batch.put_account(f"user{number}", account_record(100 + number, f"pw{number}"))
    walled = (step(WALLED_PROFILE, Level.WALLED, "overdue"),)
    batch.put_account("overdue", account_record(99, "pw", steps=walled))


@pytest.fixture(scope="module")
def server() -> Iterator[object]:
    with radius_server(_fill) as started:
        yield started


def _nas(server, vendor: str, *, secret: bytes = NAS_SECRET) -> SimulatedNas:
    return SimulatedNas(
        ADDRESSES[vendor],
        secret,
        vendor=vendor,
        servers=[RadiusServer("127.0.0.1", server.authentication[1], server.accounting[1])],
        options=DeviceOptions(name=vendor, coa_port=0, access_retry=PATIENT, accounting_retry=PATIENT),
    )


@pytest.mark.parametrize(
    ("vendor", "full", "walled"),
    [
        (
            "mikrotik",
            (Rates(300_000_000, 30_000_000), "home", ()),
            (Rates(512_000, 256_000), "walled", ("walled",)),
        ),
        ("accel_ppp", (Rates(300_000_000, 30_000_000), None, ()), (Rates(512_000, 256_000), None, ())),
        ("generic", (Rates(), "home", ()), (Rates(), "walled", ())),
    ],
)
def test_each_vendor_understands_what_the_hook_answers(server, vendor: str, full: object, walled: object) -> None:
    async def evening() -> None:
        nas = _nas(server, vendor)
        await nas.start()
        result = await nas.dial([Subscriber("user1", "pw1"), Subscriber("overdue", "pw"), Subscriber("user2", "wrong")])
        assert result == DialResult(accepted=2, rejected=1)
        rich, poor = nas.sessions.of("user1")[0], nas.sessions.of("overdue")[0]
        assert (rich.rates, rich.filter, rich.address_lists) == full
        assert (poor.rates, poor.filter, poor.address_lists) == walled
        assert rich.pool == "homes"
        assert [(value[:3], len(value)) for value in rich.classes] == [(b"CO1", 27)]
        assert await nas.drain(timeout_s=60)
        await nas.stop(hang_up=True)
        assert nas.statistics.bad_replies == Counter()

    asyncio.run(evening())


@pytest.mark.parametrize("method", list(Method))
def test_every_method_lets_the_right_password_in_and_no_other(server, method: Method) -> None:
    async def evening() -> DialResult:
        nas = _nas(server, "mikrotik")
        await nas.start()
        result = await nas.dial([Subscriber("user3", "pw3", method=method), Subscriber("user4", "pw3", method=method)])
        await nas.stop(hang_up=True)
        return result

    assert asyncio.run(evening()) == DialResult(accepted=1, rejected=1)


def test_after_a_reboot_everybody_gets_in_again_and_every_record_is_answered(server) -> None:
    async def night() -> SimulatedNas:
        nas = _nas(server, "mikrotik")
        everyone = [Subscriber(f"user{n}", f"pw{n}", method=list(Method)[n % 3]) for n in range(ACCOUNTS)]
        await nas.start()
        for _ in range(2):
            assert await nas.dial(everyone) == DialResult(accepted=ACCOUNTS)
            assert await nas.drain(timeout_s=120)
            await nas.reboot(reuse_ids=True)
        assert await nas.drain(timeout_s=120)
        await nas.stop()
        return nas

    nas = asyncio.run(night())

    assert nas.statistics.records_answered == {"on": 3, "start": 2 * ACCOUNTS}
    assert nas.statistics.bad_replies == Counter()
