"""How a line is taxed: the product's tax code, the customer's fiscal position or exemption, and the day of the document.

The answer is frozen on the document's lines; nothing here is asked again for a document that is issued.

Units: rates are percent, stamp duty in whole units of the issuer's currency; days are civil dates, `until` is not covered.
Source: billing model sections 2 and 9; schema.sql's section on tax; FatturaPA control 00420.

Next: billing/totals.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from billing.errors import BillingError
from billing.money import Money, read_money
from billing.sentence import Sentence
from billing.totals import Liability, TaxTreatment


class CustomerKind(StrEnum):
    """What the law sees in a customer."""

    PERSON = "person"
    COMPANY = "company"
    PUBLIC_BODY = "public_body"


@dataclass(frozen=True, slots=True)
class TaxCode:
    """How something is taxed; with a nature it bears no tax, by the law that stands beside it."""

    id: int
    name: str
    nature: str | None = None
    legal_reference: str | None = None
    bears_stamp: bool = False


@dataclass(frozen=True, slots=True)
class TaxRate:
    """The percent of a code from a day on, until another."""

    code_id: int
    since: date
    until: date | None
    percent: Decimal


@dataclass(frozen=True, slots=True)
class FiscalPosition:
    """How customers of a kind and place are taxed. `replaces` says which code takes the place of a product's own.

    Without a priority it is only for customers that name it; without countries it fits in any. A postal prefix goes with
    its countries: other countries' codes begin alike.
    """

    id: int
    name: str
    liability: Liability = Liability.IMMEDIATE
    priority: int | None = None
    issuer_id: int | None = None
    kind: CustomerKind | None = None
    countries: frozenset[str] = frozenset()
    postal_prefix: str | None = None
    replaces: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.postal_prefix and not self.countries:
            raise BillingError(
                Sentence(
                    "fiscal position %(name)s: postal codes from %(postal_prefix)s on, of which country?",
                    name=self.name,
                    postal_prefix=self.postal_prefix,
                )
            )


@dataclass(frozen=True, slots=True)
class Exemption:
    """A customer whose lines all get one code for a time, by a paper it gave."""

    customer_id: int
    code_id: int
    since: date
    until: date
    legal_reference: str


@dataclass(frozen=True, slots=True)
class StampDuty:
    """What a document of a country owes when its amounts that bear stamp duty are above a sum; recharged as that product."""

    country: str
    since: date
    until: date | None
    above: Decimal
    amount: Decimal
    currency: str
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class TaxedCustomer:
    """What of a customer taxes go by. Country and postal code are its billing address's, or its seat's without one."""

    id: int
    kind: CustomerKind
    country: str
    postal_code: str
    position_id: int | None = None


@dataclass(frozen=True, slots=True)
class StampRule:
    """What `totals.stamp_duty_for` asks: nothing up to `above`, then `duty`; where it is recharged, as that product."""

    above: Money
    duty: Money
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class TaxTables:
    """All tax data of the installation, sorted to be asked for each line. Made by `tax_tables`."""

    codes: Mapping[int, TaxCode]
    rates: Mapping[int, tuple[TaxRate, ...]]
    positions: Mapping[int, FiscalPosition]
    by_priority: tuple[FiscalPosition, ...]
    exemptions: Mapping[int, tuple[Exemption, ...]]
    duties: tuple[StampDuty, ...]


Dated = TypeVar("Dated", TaxRate, Exemption, StampDuty)


def tax_tables(
    *,
    codes: Iterable[TaxCode],
    rates: Iterable[TaxRate],
    positions: Iterable[FiscalPosition] = (),
    exemptions: Iterable[Exemption] = (),
    duties: Iterable[StampDuty] = (),
) -> TaxTables:
    """The rows of the tables by what they are asked by; positions of equal priority in order of their ids."""
    rates_of: dict[int, tuple[TaxRate, ...]] = {}
    for rate in rates:
        rates_of[rate.code_id] = (*rates_of.get(rate.code_id, ()), rate)
    exemptions_of: dict[int, tuple[Exemption, ...]] = {}
    for exemption in exemptions:
        exemptions_of[exemption.customer_id] = (*exemptions_of.get(exemption.customer_id, ()), exemption)
    by_id = {position.id: position for position in positions}
    ranked = sorted((one.priority, one.id) for one in by_id.values() if one.priority is not None)
    return TaxTables(
        codes={code.id: code for code in codes},
        rates=rates_of,
        positions=by_id,
        by_priority=tuple(by_id[position_id] for _, position_id in ranked),
        exemptions=exemptions_of,
        duties=tuple(duties),
    )


def treatment_for(
    code_id: int, customer: TaxedCustomer, *, issuer_id: int, day: date, tables: TaxTables
) -> TaxTreatment:
    """How a line of a product with that tax code is taxed on a document of that day.

    An exemption of the customer on that day gives what would be taxed its code and law; what bears no tax by itself, such as
    stamp duty passed on, keeps its own: it is none of what the customer may buy without tax. Else the fiscal position may
    replace the code. The liability is the position's, but only of tax that there is: where the customer owes it by reverse charge, or nobody
    does, there is none to split (SDI 00420; for IT, AdE circular 15/E of 2015 says so).

    Raises: BillingError for a code that has no rate on that day, or an id that the tables don't have.
    """
    position = position_for(customer, issuer_id=issuer_id, tables=tables)
    exemption = _in_force(tables.exemptions.get(customer.id, ()), day)
    if exemption is not None and _code(code_id, tables).nature is None:
        code = _code(exemption.code_id, tables)
        law: str | None = exemption.legal_reference
    else:
        code = _code(dict(position.replaces).get(code_id, code_id) if position else code_id, tables)
        law = code.legal_reference
    if code.nature is not None:
        return TaxTreatment(code.name, Decimal(0), code.nature, law, Liability.IMMEDIATE, code.bears_stamp)
    liability = position.liability if position else Liability.IMMEDIATE
    return TaxTreatment(code.name, _percent(code, day, tables), None, law, liability, code.bears_stamp)


def position_for(customer: TaxedCustomer, *, issuer_id: int, tables: TaxTables) -> FiscalPosition | None:
    """The customer's own, wherever it lives; else the first by priority that fits it; else none.

    Raises: BillingError when its own is not in the tables.
    """
    if customer.position_id is not None:
        own = tables.positions.get(customer.position_id)
        if own is None:
            raise BillingError(
                Sentence(
                    "customer %(customer)s names fiscal position %(position_id)s, which there is not: choose one that is",
                    customer=customer.id,
                    position_id=customer.position_id,
                )
            )
        return own
    for position in tables.by_priority:
        if _fits(position, customer, issuer_id):
            return position
    return None


def stamp_rule_for(country: str, *, currency: str, day: date, tables: TaxTables) -> StampRule | None:
    """What an issuer of that country owes on a document of that day, in its currency; None where there is no such duty.

    Raises: BillingError when an amount has more places than the currency, or the country has a duty in others alone: what
    its sums are in this one nobody here can know.
    """
    duties = [one for one in tables.duties if one.country == country and _in_force([one], day)]
    duty = next((one for one in duties if one.currency == currency), None)
    if duty is None:
        if duties:
            raise BillingError(
                Sentence(
                    "the stamp duty of %(country)s is known in %(currency)s and not in %(other)s: enter its sums in %(other)s too, at the rate of the day (`corrente issuer duty set %(country)s AMOUNT --above SUM --from DAY --currency %(other)s`)",
                    country=country,
                    currency=duties[0].currency,
                    other=currency,
                )
            )
        return None
    return StampRule(read_money(duty.above, currency), read_money(duty.amount, currency), duty.product_id)


def _fits(position: FiscalPosition, customer: TaxedCustomer, issuer_id: int) -> bool:
    return (
        position.issuer_id in (None, issuer_id)
        and position.kind in (None, customer.kind)
        and (not position.countries or customer.country in position.countries)
        and _plain(customer.postal_code).startswith(_plain(position.postal_prefix or ""))
    )


def _plain(postal_code: str) -> str:
    # People write SW1A 1AA and sw1a1aa, 12-345 and 12345.
    return postal_code.replace(" ", "").replace("-", "").upper()


def _code(code_id: int, tables: TaxTables) -> TaxCode:
    code = tables.codes.get(code_id)
    if code is None:
        raise BillingError(
            Sentence(
                "there is no tax code %(code_id)s: read the tax tables again, or choose a code that there is",
                code_id=code_id,
            )
        )
    return code


def _percent(code: TaxCode, day: date, tables: TaxTables) -> Decimal:
    rates = tables.rates.get(code.id, ())
    rate = _in_force(rates, day)
    if rate is not None:
        return rate.percent
    known = "; ".join(
        f"{one.percent} from {one.since}" + (f" until {one.until}" if one.until else "")
        for one in sorted(rates, key=lambda one: one.since)
    )
    raise BillingError(
        Sentence(
            "tax code %(code)s has no rate on %(day)s: enter its percent for a time that covers that day (it has %(known)s)",
            code=code.name,
            day=day,
            known=known or Sentence("none at all"),
        )
    )


def _in_force(rows: Iterable[Dated], day: date) -> Dated | None:
    for row in rows:
        if row.since <= day and (row.until is None or day < row.until):
            return row
    return None
