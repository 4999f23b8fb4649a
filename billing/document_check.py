"""What an exchange system would say of the figures printed on a document, whoever made it.

Documents made here are exact by construction (billing/totals.py); these are the controls of those who receive them, with
their tolerances, for documents of others and to be sure of our own.

Units: amounts in whole units of the currency as printed, rates in percent.
Source: FatturaPA technical specification 1.9, controls 00400, 00401, 00419 to 00423, 00429, 00430, 00443 and 00444;
EN 16931 BR-CO-10, BR-CO-14, BR-CO-15.

Next: billing/documents.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from billing.money import settle

LINE_TOLERANCE: Final = Decimal("0.01")
BASE_TOLERANCE: Final = Decimal("1.00")
TAX_TOLERANCE: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PrintedDiscount:
    """Taken off the unit price: a percent of what the one before left, or an amount; below zero it is a surcharge."""

    percent: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line as it stands on a document; without a quantity it is one."""

    total: Decimal
    rate: Decimal = Decimal(0)
    nature: str | None = None
    unit_price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    discounts: tuple[PrintedDiscount, ...] = ()


@dataclass(frozen=True, slots=True)
class PrintedGroup:
    """A block of the tax summary as it stands on a document."""

    rate: Decimal
    base: Decimal
    tax: Decimal
    nature: str | None = None
    rounding: Decimal = Decimal(0)
    is_split: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """A control that refuses a document, what it came to and what is printed."""

    code: str
    sentence: str


def line_errors(line: PrintedLine) -> Iterator[Wrong]:
    """What is wrong with one line."""
    yield from _nature_errors(line.rate, line.nature, "00400", "00401")
    if line.unit_price is None:
        return
    each = Fraction(line.unit_price)
    for discount in line.discounts:
        each -= (
            each * Fraction(discount.percent) / 100 if discount.percent is not None else Fraction(discount.amount or 0)
        )
    exact = each * Fraction(line.quantity)
    if abs(Fraction(line.total) - exact) > Fraction(LINE_TOLERANCE):
        yield Wrong(
            "00423", f"the line is {line.total}; {line.quantity} at its price less discounts is {_shown(exact)}"
        )


def summary_errors(lines: Sequence[PrintedLine], groups: Sequence[PrintedGroup]) -> Iterator[Wrong]:
    """What is wrong with the tax summary of these lines. Several blocks of one nature, each with its law, count together."""
    seen: set[tuple[Decimal, str | None]] = set()
    for group in groups:
        yield from _nature_errors(group.rate, group.nature, "00429", "00430")
        if group.is_split and (group.nature or "").startswith("N6"):
            yield Wrong("00420", f"tax of nature {group.nature} can't be split")
        if _key(group) not in seen:
            yield from _base_errors(_key(group), lines, groups)
        seen.add(_key(group))
        tax = settle(Fraction(group.base) * Fraction(group.rate) / 100, "EUR").amount
        if abs(tax - group.tax) > TAX_TOLERANCE:
            yield Wrong(
                "00421",
                f"the tax at {_named(*_key(group))} is {group.tax}; {group.rate} percent of {group.base} is {tax}",
            )
    of_lines, of_groups = {_key(line) for line in lines}, {_key(group) for group in groups}
    rates = {key[0] for key in of_lines} - {key[0] for key in of_groups}
    for rate in sorted(rates):
        yield Wrong("00419", f"lines at {rate} percent have no block in the summary")
    for rate in sorted({key[0] for key in of_groups} - {key[0] for key in of_lines}):
        yield Wrong("00443", f"the summary has a block at {rate} percent and no line has it")
    for nature in sorted({key[1] or "" for key in of_lines} ^ {key[1] or "" for key in of_groups}):
        if nature:
            yield Wrong("00444", f"nature {nature} stands on lines and not in the summary, or the other way round")


def _base_errors(
    key: tuple[Decimal, str | None], lines: Sequence[PrintedLine], groups: Sequence[PrintedGroup]
) -> Iterator[Wrong]:
    own = [one for one in groups if _key(one) == key]
    stands = sum((one.base for one in own), Decimal(0))
    base = sum((line.total for line in lines if _key(line) == key), sum((one.rounding for one in own), Decimal(0)))
    if abs(base - stands) > BASE_TOLERANCE:
        yield Wrong("00422", f"the base at {_named(*key)} is {stands}; its lines are {base}")


def _nature_errors(rate: Decimal, nature: str | None, missing: str, superfluous: str) -> Iterator[Wrong]:
    if not rate and nature is None:
        yield Wrong(missing, "a rate of zero has a nature that says why")
    if rate and nature is not None:
        yield Wrong(superfluous, f"nature {nature} goes with a rate of zero, not {rate}")


def _key(one: PrintedLine | PrintedGroup) -> tuple[Decimal, str | None]:
    return one.rate.normalize(), one.nature


def _named(rate: Decimal, nature: str | None) -> str:
    return nature or f"{rate:f} percent"


def _shown(exact: Fraction) -> Decimal:
    return settle(exact, "EUR").amount
