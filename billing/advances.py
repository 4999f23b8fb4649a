"""What an advance on an order is of each tax treatment, and what is left for the final invoice: together exactly the order.

The order's groups (base and tax of what is taxed alike) are what is to be invoiced. An advance of an amount with its tax is
spread over what is left of the groups; its base is worked out of all that was advanced on a group so far, less what earlier
advances had, so that any number of advances and the rest add up to the group, and each of them states a tax that is no
more than one smallest unit from its rate (the tolerance of FatturaPA control 00421). The final invoice deducts the
advances group by group, so that nothing is taxed twice.

Units: amounts are settled; an advance's amount is with tax.
Source: billing model sections 9 and 10; DPR 633/72 art. 6 (an advance is taxed when it is invoiced).

Next: billing/operations/quotes.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from billing.errors import BillingError
from billing.money import Money, round_half_away, settle, split, total, zero
from billing.sentence import Sentence
from billing.totals import TaxGroup, TaxTreatment, taxed_alike

# Beyond it a base worked out of an amount could state a tax two units from its rate. No country's tax is near it.
HIGHEST_RATE: Final = Decimal(49)


class AdvanceError(BillingError):
    """An advance that an order can't have, or one that can't be deducted."""


def percent_of(groups: Sequence[TaxGroup], percent: Decimal) -> Money:
    """So many percent of an order with its tax. Raises: AdvanceError for none, or more than all."""
    if not 0 < percent <= 100:
        raise AdvanceError(Sentence("an advance of %(percent)s percent: above 0, at most 100", percent=percent))
    gross = total((_gross(group) for group in groups), groups[0].base.currency)
    return settle(Fraction(gross.amount) * Fraction(percent) / 100, gross.currency)


def advance_for(
    order: Sequence[TaxGroup], advanced: Iterable[Sequence[TaxGroup]], amount: Money
) -> tuple[TaxGroup, ...]:
    """The groups of an advance of that amount, after those that were made already. What it takes nothing of is left out.

    Raises: AdvanceError for nothing, more than is left of the order, or a tax that can't be divided like this.
    """
    done = _sums(advanced, amount.currency)
    for group in order:
        if group.base.minor < 0 or group.treatment.rate > HIGHEST_RATE:
            raise AdvanceError(
                Sentence(
                    "no advance is taken of %(base)s at %(rate)s percent: invoice the order in one",
                    base=group.base,
                    rate=group.treatment.rate,
                )
            )
    gone = [_done(group, done) for group in order]
    left = [_gross(group) - base - tax for group, (base, tax) in zip(order, gone, strict=True)]
    together = total(left, amount.currency)
    if amount.minor <= 0 or together < amount:
        raise AdvanceError(
            Sentence(
                "an advance of %(amount)s: above nothing, and at most the %(together)s that are left of the order",
                amount=amount,
                together=together,
            )
        )
    parts = split(amount, [one.minor for one in left])
    made = []
    for group, part, (base, tax) in zip(order, parts, gone, strict=True):
        if part:
            own = _base_of(base + tax + part, group.treatment) - base
            made.append(_checked(TaxGroup(group.treatment, own, part - own)))
    return tuple(made)


def rest_for(order: Sequence[TaxGroup], advanced: Iterable[Sequence[TaxGroup]]) -> tuple[TaxGroup, ...]:
    """What is left of each of an order's groups after its advances, also where that is nothing.

    Raises: AdvanceError when more was advanced, or in another treatment, than the order has.
    """
    currency = order[0].base.currency
    done = _sums(advanced, currency)
    rest = []
    for group in order:
        base, tax = _done(group, done)
        rest.append(_checked(TaxGroup(group.treatment, group.base - base, group.tax - tax)))
    strange = set(done) - {taxed_alike(group.treatment) for group in order}
    if strange or any(group.base.minor * (group.base - base).minor < 0 for group, base in _bases(order, done)):
        raise AdvanceError(Sentence("advances that are not of this order, or more than it: credit them first"))
    return tuple(rest)


def _bases(order: Sequence[TaxGroup], done: dict[object, tuple[Money, Money]]) -> list[tuple[TaxGroup, Money]]:
    return [(group, _done(group, done)[0]) for group in order]


def _sums(advanced: Iterable[Sequence[TaxGroup]], currency: str) -> dict[object, tuple[Money, Money]]:
    sums: dict[object, tuple[Money, Money]] = {}
    for groups in advanced:
        for group in groups:
            key = taxed_alike(group.treatment)
            base, tax = sums.get(key, (zero(currency), zero(currency)))
            sums[key] = (base + group.base, tax + group.tax)
    return sums


def _done(group: TaxGroup, done: dict[object, tuple[Money, Money]]) -> tuple[Money, Money]:
    nothing = zero(group.base.currency)
    return done.get(taxed_alike(group.treatment), (nothing, nothing))


def _gross(group: TaxGroup) -> Money:
    return group.base + group.tax


def _base_of(gross: Money, treatment: TaxTreatment) -> Money:
    """What of an amount is base. Of an order's whole group it is the group's own, with or without tax in the prices."""
    factor = 1 + Fraction(treatment.rate) / 100
    return Money(round_half_away(*(gross.minor / factor).as_integer_ratio()), gross.currency)


def _checked(group: TaxGroup) -> TaxGroup:
    """The group, if its tax is what an exchange system takes."""
    exact = Fraction(group.base.minor) * Fraction(group.treatment.rate) / 100
    if abs(group.tax.minor - round_half_away(*exact.as_integer_ratio())) > 1:
        raise AdvanceError(
            Sentence(
                "%(base)s at %(rate)s percent would state %(tax)s of tax: credit the advances and invoice the order in one",
                base=group.base,
                rate=group.treatment.rate,
                tax=group.tax,
            )
        )
    return group
