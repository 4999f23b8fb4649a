"""The demo ISP's books as they begin: an issuer, a catalogue, its customers' papers, and terms and items of their contracts.

They begin a year ago, on the first of a month, with what the contracts then had. What happened since to contracts alone (other
plans, ends, a new price, promotions) is done here by the same functions as anywhere, as of its day; the bills of the year are
made later, by demo_year.py, so that nobody waits for them.

Next: demo_year.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.country_data import load_country
from billing.deeds import ChangeAt, Changed, ChangePlan, Deed, ReachEnd, ScheduleEnd
from billing.money import instalments, read_money
from billing.operations.doing import do_deed
from billing.periods import Alignment, Cycle, first_boundary
from billing.price_changes import PriceChange, Reach
from billing.store.acting import acting
from billing.store.catalogue import PriceSeries, add_price, save_product, save_text
from billing.store.contract_items import save_instalments
from billing.store.deeds_due import apply_plan_changes
from billing.store.issuers import begin_issuer
from billing.store.positions import place_items
from billing.store.price_changes import change_prices
from billing.store.promotions import apply_promotion, load_promotions, save_promotion
from control_plane.machine.demo_isp import TRIAL_DAYS, DemoLine
from control_plane.machine.demo_people import DemoPapers, company_number_of_issuer
from control_plane.machine.demo_rows import copy_rows, new_ids

Connection = psycopg.Connection[Any]
ACTOR: Final = "maria of the office"
CURRENCY: Final = "EUR"
IBAN: Final = "IT60X0542811101000000123456"  # the one that every example has; invoices and letters say it, the office has its file
MONTHS: Final = 12
_ALWAYS: Final = date(2015, 1, 1)
# With tax, a month or once; what the products are for the reports, and their words in Italian and Spanish.
_PRODUCTS: Final = (
    ("Fibra 30", "plan", "access", "19.90", "Fibra 30 Mbit/s", "Fibra 30 Mbit/s"),
    ("Fibra 100", "plan", "access", "24.90", "Fibra 100 Mbit/s", "Fibra 100 Mbit/s"),
    ("Fibra 300", "plan", "access", "29.90", "Fibra 300 Mbit/s", "Fibra 300 Mbit/s"),
    ("Fibra 1000", "plan", "access", "39.90", "Fibra 1 Gbit/s", "Fibra 1 Gbit/s"),
    ("Static address", "add_on", "access", "5.00", "Indirizzo statico", "Dirección fija"),
    ("Router rental", "add_on", "access", "3.00", "Noleggio router", "Alquiler de router"),
    ("Phone", "add_on", "voice", "4.00", "Telefono", "Teléfono"),
    ("Activation", "one_off", "installation", "49.00", "Attivazione", "Alta"),
    ("Call-out", "one_off", "installation", "60.00", "Intervento di un tecnico", "Visita de un técnico"),
)
_RAISED: Final = ("Fibra 100", Decimal("26.90"))
_NO_ITEMS: Final = ("free", "cancelled")
_BUSINESS_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class DemoContract:
    """A line with its papers and the ids of its rows."""

    line: DemoLine
    papers: DemoPapers
    customer: int
    contract: int


@dataclass(frozen=True, slots=True)
class _Office:
    """What contracts are written with. `begins` is the day from which the books bill; `raised_on` that of the new price."""

    issuer: int
    products: dict[str, int]
    plans: dict[str, int]
    begins: date
    raised_on: date
    today: date

    def price(self, name: str, on: date) -> Decimal:
        """What a product cost a month on a day."""
        if name == _RAISED[0] and on >= self.raised_on:
            return _RAISED[1]
        return next(Decimal(one[3]) for one in _PRODUCTS if one[0] == name)


def months_before(day: date, count: int) -> date:
    """The first of the month so many months before a day's."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def load_books(connection: Connection, demo: Sequence[DemoContract], plans: dict[str, int], *, today: date) -> None:
    """Write it all, in the caller's transaction. Contracts that have ended are there as active, those with an earlier plan with that."""
    acting(connection, ACTOR)
    issuer, products = _load_catalogue(connection, plans, raised_on=months_before(today, 4))
    office = _Office(
        issuer, products, plans, begins=months_before(today, MONTHS - 1), raised_on=months_before(today, 4), today=today
    )
    addresses = _load_papers(connection, demo)
    _load_terms(connection, demo, addresses, office)
    _load_items(connection, demo, office)
    # Nobody has counted the new tables yet, and the deeds look single rows up in them.
    connection.execute("ANALYZE contract, contract_terms, contract_item, product, price, customer, subscriber_account")
    placed = [one.contract for one in demo if one.line.status in ("active", "ended", "trial")]
    place_items(connection, placed)
    _live_the_year(connection, demo, office)
    acting(connection, ACTOR)


def _load_catalogue(connection: Connection, plans: dict[str, int], *, raised_on: date) -> tuple[int, dict[str, int]]:
    number = company_number_of_issuer().number
    country = load_country("IT")
    begun = begin_issuer(
        connection,
        {
            "name": "Corrente Demo",
            "country": "IT",
            "vat_number": number,
            "tax_number": number,
            "street": "Via della Fibra",
            "house_number": "1",
            "postal_code": "67100",
            "city": "Monte Alto",
            "province": "AQ",
            "email": "billing@corrente.example",
            "iban": IBAN,
            "zone": country.zone,
            "currency": CURRENCY,
            "tax_regime": country.tax_regime,
        },
        country,
    )
    products = {}
    for name, kind, family, price, italian, spanish in _PRODUCTS:
        columns = {"name": name, "kind": kind, "family": family}
        products[name] = save_product(connection, columns, tax_code="IT-22", plan=name if name in plans else None)
        for since, value in ((_ALWAYS, Decimal(price)), (raised_on, _RAISED[1])):
            if since == _ALWAYS or name == _RAISED[0]:
                add_price(connection, PriceSeries(products[name], CURRENCY, 1, True), value, since=since)
        save_text(connection, products[name], "it", italian)
        save_text(connection, products[name], "es", spanish)
    return begun.issuer_id, products


def _load_papers(connection: Connection, demo: Sequence[DemoContract]) -> list[int]:
    """Numbers, addresses, contacts, notes and consents; returns the ids of the addresses."""
    rows = [(one.customer, one.papers) for one in demo]
    copy_rows(
        connection,
        "tax_identifier (customer_id, scheme, number)",
        [(key, had.scheme, had.number) for key, papers in rows for had in papers.identifiers],
    )
    addresses = new_ids(connection, "address", len(demo))
    copy_rows(
        connection,
        "address (id, customer_id, kind, street, house_number, postal_code, city, province, country, latitude, longitude)",
        [
            (own, key, "legal", p.street, p.house_number, p.postal_code, p.city, p.province, "IT", p.latitude, p.longitude)
            for own, (key, p) in zip(addresses, rows, strict=True)
        ],
    )  # fmt: skip
    copy_rows(
        connection,
        "contact (customer_id, role, email, mobile, language)",
        [(key, "main", p.email, p.mobile, p.language) for key, p in rows],
    )
    copy_rows(
        connection,
        "contact (customer_id, role, name, email)",
        [(key, "administrative", "The office", f"office.{p.email}") for key, p in rows if p.kind != "person"],
    )
    copy_rows(
        connection,
        "note (customer_id, text, author)",
        [(key, p.note, "anna of support") for key, p in rows if p.note is not None],
    )
    copy_rows(
        connection,
        "consent (customer_id, purpose, channel, given, wording, taken_by)",
        [
            (key, "marketing", "paper", key % 3 == 0, "News of our offers by e-mail.", "anna of support")
            for key, p in rows
            if p.kind == "person"
        ],
    )
    return addresses


def _load_terms(connection: Connection, demo: Sequence[DemoContract], addresses: list[int], office: _Office) -> None:
    copy_rows(
        connection,
        "contract_terms (contract_id, issuer_id, service_address_id, currency, includes_tax, alignment, on_negative, trial_days,"
        " billable_from, signed_at, minimum_months, minimum_until, renew_months, notice_days, free_from, free_reason, free_review_on)",
        [_terms(one, address, office) for one, address in zip(demo, addresses, strict=True)],
    )


def _terms(one: DemoContract, address: int, office: _Office) -> tuple[object, ...]:
    line = one.line
    served = line.status not in ("draft", "proposal", "pending", "cancelled")
    billable = _billable(line) if served else None
    signed = line.starts_on - timedelta(days=3) if served else office.today if line.status == "pending" else None
    bound: tuple[object, ...] = (None, None, None, None)
    if one.papers.kind == "company" and served:
        until = line.starts_on.replace(year=office.today.year + 1, day=min(line.starts_on.day, 28))
        bound = (_BUSINESS_MONTHS, until, _BUSINESS_MONTHS, 60)
    free: tuple[object, ...] = (None, None, None)
    if line.status == "free":
        free = (line.starts_on, "a neighbour of the tower", office.today + timedelta(days=200))
    trial = TRIAL_DAYS if line.status == "trial" else None
    return (
        one.contract, office.issuer, address, CURRENCY, True, Alignment.CALENDAR.value, "credit_note", trial, billable, signed,
        *bound, *free,
    )  # fmt: skip


def _billable(line: DemoLine) -> date:
    return line.starts_on + timedelta(days=TRIAL_DAYS) if line.status == "trial" else line.starts_on


def _load_items(connection: Connection, demo: Sequence[DemoContract], office: _Office) -> None:
    rows = [row for one in demo if one.line.status not in _NO_ITEMS for row in _items(one, office)]
    ids = new_ids(connection, "contract_item", len(rows))
    copy_rows(
        connection,
        "contract_item (id, contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on, ends_on)",
        [(key, *row) for key, row in zip(ids, rows, strict=True)],
    )
    for number, (key, row) in enumerate(zip(ids, rows, strict=True)):
        if row[2] == "one_off" and number % 4 == 0:
            parts = instalments(read_money(row[3], CURRENCY), 3)
            cycle = Cycle(row[7], row[7].day, 1)
            save_instalments(connection, key, [(n + 1, cycle.boundary(n), part.amount) for n, part in enumerate(parts)])


def _items(one: DemoContract, office: _Office) -> Iterator[tuple[Any, ...]]:
    """Of a contract: the plan and add-ons from where the books begin, and the activation of who came since."""
    line, months = one.line, one.papers.months
    first = max(_billable(line), office.begins)
    anchor, day = first_boundary(first, Alignment.CALENDAR, months=months)
    ends_on = line.ends_on if line.status == "active" else None
    for name in (one.papers.earlier_plan or line.plan, *one.papers.add_ons):
        kind = "plan" if name in office.plans else "add_on"
        price = office.price(name, first) * months
        yield one.contract, office.products[name], kind, price, months, anchor, day, first, ends_on
    if line.starts_on >= office.begins:
        price = office.price("Activation", first)
        yield one.contract, office.products["Activation"], "one_off", price, None, None, None, line.starts_on, None


def _live_the_year(connection: Connection, demo: Sequence[DemoContract], office: _Office) -> None:
    """Other plans, ends, a new price and promotions, each as of its day."""
    for number, one in enumerate(demo):
        if one.papers.earlier_plan is not None:
            told = max(one.line.starts_on, months_before(office.today, number % (MONTHS - 2) + 1)) + timedelta(days=9)
            _do(
                connection,
                one,
                ChangePlan(office.plans[one.line.plan], ChangeAt.NEXT_BOUNDARY),
                min(told, office.today),
            )
        if one.line.status == "ended":
            assert one.line.ends_on is not None
            told = max(one.line.starts_on, one.line.ends_on - timedelta(days=20))
            _do(connection, one, ScheduleEnd(one.line.ends_on, notice_waived=True), told)
            _do(connection, one, ReachEnd(), one.line.ends_on)
    apply_plan_changes(connection, office.today, issuer_id=office.issuer)
    acting(connection, ACTOR)
    running = [one.contract for one in demo if one.line.status == "active"]
    raised = Reach(office.products[_RAISED[0]], office.raised_on, CURRENCY, includes_tax=True)
    change_prices(connection, running, PriceChange(month_price=_RAISED[1]), raised, actor=ACTOR)
    welcome = {"name": "Welcome", "kind": "percent", "value": Decimal(50), "family": "access", "months": 3}
    summer = {
        "name": "Thank you",
        "kind": "percent",
        "value": Decimal(20),
        "family": "access",
        "months": 2,
        "priority": 200,
    }
    for columns in (welcome, summer):
        save_promotion(connection, columns, offered=(office.begins, None))
    promotions = {one.name: one for one in load_promotions(connection)}
    new = [one.contract for one in demo if one.line.status == "active" and one.line.starts_on >= office.begins]
    old = [key for key in running if key not in set(new)]
    apply_promotion(connection, promotions["Welcome"], new[::2], since=office.begins, actor=ACTOR)
    apply_promotion(connection, promotions["Thank you"], old[::15], since=months_before(office.today, 6), actor=ACTOR)


def _do(connection: Connection, one: DemoContract, deed: Deed, day: date) -> None:
    outcome = do_deed(connection, one.contract, deed, today=day, actor=ACTOR, zone="Europe/Rome", reason="asked for")
    assert isinstance(outcome, Changed), f"contract {one.contract}, {deed} on {day}: {outcome}"
