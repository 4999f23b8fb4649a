"""Lines that give back, fitted into what is left of the lines that they correct.

With prices including tax the net of a line comes from spreading its group's base, so the same price on another document may
come to a cent more than the line has left. That cent goes to another line of the group; where there is none, from its base
to its tax, and where the rate allows no other cent of tax, off the document.

A group that is given back in parts leaves as much tax as what is left of its base may bear, and the last part takes that: so an
invoice and all its credit notes come to nothing, to the cent.

Units: nets in the currency's smallest unit.
Source: billing model section 9 rule 5; invariant I10; FatturaPA control 00421.

Next: billing/store/documents.py
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from msgspec.structs import replace

from billing.documents import DocumentKind, Draft, Due
from billing.money import Money, settle, total
from billing.totals import Liability, Line, TaxGroup, TaxTreatment, Totals, taxed_alike, with_net


def fitted(draft: Draft, left: Mapping[tuple[int, int], Money]) -> Draft:
    """The draft with no line that gives back some cents more than is left of what it corrects, by (document, line).

    More than its lines' roundings can come to is no matter of cents: that stays, and the database refuses it.
    """
    lines = list(draft.totals.lines)
    sign = 1 if draft.kind is DocumentKind.CREDIT_NOTE else -1
    given: dict[tuple[int, int], int] = {}
    moved = False
    for index, line in enumerate(draft.lines):
        key = line.source.corrects
        if key is None or key not in left:
            continue
        whole = left[key].minor
        direction = -1 if whole < 0 else 1
        beyond = direction * (sign * lines[index].net.minor + given.get(key, 0) - whole)
        if 0 < beyond <= len(lines):
            _move(draft, lines, index, -beyond * sign * direction)
            moved = True
        given[key] = given.get(key, 0) + sign * lines[index].net.minor
    return _with_lines(draft, lines) if moved else draft


def tax_of_part(base: Money, treatment: TaxTreatment, tax: Money, *, left: tuple[Money, Money]) -> Money:
    """The tax of a part of a group, which by itself would be `tax`; `left` are base and tax of what was not given back before.

    Neither the part nor what stays may be more than a cent from its rate, which is what who receives them allows.
    """
    if treatment.nature is not None:
        return Money(0, base.currency)
    near = left[1].minor
    if base != left[0]:
        spare = left[1].minor - _by_rate(left[0] - base, treatment).minor
        near = max(spare - 1, min(spare + 1, tax.minor))
    by_rate = _by_rate(base, treatment).minor
    return Money(max(by_rate - 1, min(by_rate + 1, near)), base.currency)


def with_rest(draft: Draft, left: Mapping[tuple[object, ...], tuple[Money, Money]]) -> Draft:
    """A credit note with the taxes that its groups may take of what is left of those of its invoice."""
    groups = tuple(
        TaxGroup(one.treatment, one.base, tax_of_part(one.base, one.treatment, one.tax, left=left[key]))
        if (key := taxed_alike(one.treatment)) in left
        else one
        for one in draft.totals.groups
    )
    return draft if groups == draft.totals.groups else _with_groups(draft, draft.totals.lines, groups)


def _move(draft: Draft, lines: list[Line], index: int, by: int) -> None:
    """Change a line's net by some units, and the largest other one of its group that corrects nothing by as many."""
    _change(lines, index, by)
    group = taxed_alike(lines[index].treatment)
    others = [
        other
        for other, line in enumerate(lines)
        if other != index and draft.lines[other].source.corrects is None and taxed_alike(line.treatment) == group
    ]
    if others:
        _change(lines, max(others, key=lambda other: abs(lines[other].net.minor)), -by)


def _change(lines: list[Line], index: int, by: int) -> None:
    line = lines[index]
    lines[index] = with_net(line, Money(line.net.minor + by, line.net.currency))


def _with_lines(draft: Draft, lines: list[Line]) -> Draft:
    groups = tuple(_group(group, lines, draft.currency) for group in draft.totals.groups)
    return _with_groups(draft, tuple(lines), groups)


def _with_groups(draft: Draft, lines: tuple[Line, ...], groups: tuple[TaxGroup, ...]) -> Draft:
    before, currency = draft.totals, draft.currency
    net = total((group.base for group in groups), currency)
    tax = total((group.tax for group in groups), currency)
    split = total((one.tax for one in groups if one.treatment.liability is Liability.SPLIT), currency)
    payable = net + tax - split
    totals = Totals(lines, before.amounts, groups, net, tax, net + tax, payable)
    dues = draft.dues
    if dues and payable != before.payable:
        dues = (Due(dues[0].due_on, dues[0].amount + payable - before.payable), *dues[1:])
    return replace(draft, totals=totals, dues=dues)


def _group(group: TaxGroup, lines: list[Line], currency: str) -> TaxGroup:
    """The group with its lines' sum as base: its gross stays as far as its rate allows a cent of tax."""
    base = total((line.net for line in lines if taxed_alike(line.treatment) == taxed_alike(group.treatment)), currency)
    by_rate = _by_rate(base, group.treatment).minor
    tax = (group.base + group.tax - base).minor
    if group.treatment.nature is not None:
        return TaxGroup(group.treatment, base, group.tax)
    return TaxGroup(group.treatment, base, Money(max(by_rate - 1, min(by_rate + 1, tax)), currency))


def _by_rate(base: Money, treatment: TaxTreatment) -> Money:
    """The tax of a base, rounded once."""
    return settle(Fraction(base.amount) * Fraction(treatment.rate) / 100, base.currency)
