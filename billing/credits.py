"""Credit notes: what is given back of an invoice, whole or by line, in parts, and never more than is left of a line.

Amounts are asked for in the invoice's own prices, with tax or without. A line that is given back whole is printed as it
was; a part of it as one piece. The tax of a group is worked out once; each note leaves as much of it as what is left of its
base may bear, and the last one takes that, so that an invoice and all its credit notes come to nothing, to the cent.

Source: billing model sections 9 and 10; invariant I10; FatturaPA control 00421 (a cent at most from the rate).

Next: billing/operations/invoices.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from billing.documents import DocumentKind, Draft, DraftLine, Parties, Register, Source, Stamp
from billing.errors import BillingError
from billing.fitting import tax_of_part
from billing.money import Money, settle, share, spread, total, zero
from billing.sentence import Sentence
from billing.totals import Liability, Line, LineDraft, TaxGroup, TaxTreatment, Totals, stamp_duty_for, taxed_alike


class NothingLeftError(BillingError):
    """More was to be given back than is left, or something that there is not."""


@dataclass(frozen=True, slots=True)
class IssuedLine:
    """A line as it was issued, and how much of its net was given back since.

    `own` is what lines of the same invoice give back of it, in net and in the invoice's prices: those lines (`takes_back`)
    go with it. `waits` is what was given back of what it charged and stands on no document yet, in the invoice's prices.
    """

    number: int
    printed: Line
    credited: Money
    account_id: int
    source: Source
    own: tuple[Money, Money] | None = None
    takes_back: bool = False
    waits: Money | None = None

    @property
    def left(self) -> Money:
        """What is left of its net."""
        if self.takes_back:
            return zero(self.printed.net.currency)
        left = self.printed.net - self.credited
        return left if self.own is None else left - self.own[0]

    def free(self, includes_tax: bool) -> Money:
        """What is left of its net once a run has put what waits on a document."""
        if not self.waits:
            return self.left
        waits = net_of(self.waits, self.printed.treatment.rate, includes_tax)
        return Money(max(0, self.left.minor - waits.minor), waits.currency)


@dataclass(frozen=True, slots=True)
class IssuedGroup:
    """A tax group as it was issued, and how much of its tax was given back since."""

    treatment: TaxTreatment
    base: Money
    tax: Money
    credited_tax: Money


@dataclass(frozen=True, slots=True)
class Creditable:
    """An issued invoice as far as credit notes need it."""

    id: int
    label: str
    document_date: date
    currency: str
    includes_tax: bool
    lines: tuple[IssuedLine, ...]
    groups: tuple[IssuedGroup, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What is given back of a line: net, and what that is in the invoice's prices."""

    line: IssuedLine
    net: Money
    amount: Money


def credit_draft(
    invoice: Creditable,
    amounts: Mapping[int, Money | None] | None,
    parties: Parties,
    *,
    register: Register,
    document_date: date,
    reason: str | None = None,
    stamp: Stamp | None = None,
    run_id: int | None = None,
) -> Draft:
    """A credit note of these lines by number, each with how much of it (None: all that is left); of all lines without any.

    Raises: NothingLeftError for a line that is not there or used up, or an amount beyond it; BillingError for a date before
    the invoice's, or a customer that has no address any more.
    """
    parties.customer.check_address()
    _check_date(invoice, document_date)
    parts = _parts(invoice, amounts)
    totals = _totals(invoice, parts)
    _check_total(totals)
    duty = zero(invoice.currency)
    if stamp is not None:
        duty = stamp_duty_for(totals.lines, above=stamp.rule.above, duty=stamp.rule.duty)
    return Draft(
        kind=DocumentKind.CREDIT_NOTE,
        issuer_id=parties.issuer.id,
        customer_id=parties.customer.id,
        register_id=register.id,
        document_date=document_date,
        currency=invoice.currency,
        includes_tax=invoice.includes_tax,
        lines=tuple(_draft_line(invoice, part, line) for part, line in zip(parts, totals.lines, strict=True)),
        totals=totals,
        dues=(),
        stamp_duty=duty,
        issuer_data=parties.issuer.data,
        customer_data=parties.customer.data,
        language=parties.customer.language,
        run_id=run_id,
        corrects_id=invoice.id,
        reason=reason,
    )


def _check_date(invoice: Creditable, document_date: date) -> None:
    if document_date < invoice.document_date:
        raise BillingError(
            Sentence(
                "a credit note of %(document_date)s corrects nothing of %(other)s",
                document_date=document_date,
                other=invoice.document_date,
            )
        )


def _check_total(totals: Totals) -> None:
    if totals.payable.minor < 0:
        raise BillingError(
            Sentence(
                "a credit note of %(payable)s: the lines below zero alone can't be given back", payable=totals.payable
            )
        )


def amounts_of(invoice: Creditable) -> dict[int, Money]:
    """Each line in the invoice's prices, by number: with tax, its share of what its group comes to."""
    if not invoice.includes_tax:
        return {line.number: line.printed.net for line in invoice.lines}
    found: dict[int, Money] = {}
    for group in invoice.groups:
        own = [line for line in invoice.lines if taxed_alike(line.printed.treatment) == taxed_alike(group.treatment)]
        exact = [line.printed.net.minor * _factor(group.treatment) for line in own]
        # The group's tax may be some cents from its rate, which its lines share.
        off = Fraction(group.base.minor + group.tax.minor) - sum(exact, Fraction(0))
        whole = spread(group.base + group.tax, [one + off / len(own) for one in exact])
        found |= {line.number: amount for line, amount in zip(own, whole, strict=True)}
    return found


def left_of(invoice: Creditable) -> dict[int, Money]:
    """What is left of each line in the invoice's prices, by number."""
    whole = amounts_of(invoice)
    return {
        line.number: _beside(line, whole[line.number] - _in_prices(line, line.credited, whole[line.number]))
        for line in invoice.lines
    }


def net_of(amount: Money, rate: Decimal, includes_tax: bool) -> Money:
    """An amount in the invoice's prices without its tax."""
    return settle(Fraction(amount.amount) / (1 + Fraction(rate) / 100), amount.currency) if includes_tax else amount


def _beside(line: IssuedLine, left: Money) -> Money:
    """What may be given back beside what the invoice itself gives back, and what waits for a document already."""
    beside = [one for one in (line.own and line.own[1], line.waits) if one]
    return Money(max(0, left.minor - sum(one.minor for one in beside)), left.currency) if beside else left


def _parts(invoice: Creditable, amounts: Mapping[int, Money | None] | None) -> tuple[_Part, ...]:
    left = left_of(invoice)
    lines = {line.number: line for line in invoice.lines}
    if amounts is None:
        amounts = {number: None for number, line in lines.items() if line.free(invoice.includes_tax)}
        if not amounts:
            raise NothingLeftError(
                Sentence("invoice %(invoice)s is given back already, all of it", invoice=invoice.label)
            )
    parts = []
    for number, asked in sorted(amounts.items()):
        line = lines.get(number)
        if line is None:
            raise NothingLeftError(
                Sentence(
                    "invoice %(invoice)s has no line %(number)s: it has 1 to %(lines)s",
                    invoice=invoice.label,
                    number=number,
                    lines=len(lines),
                )
            )
        if not line.free(invoice.includes_tax):
            raise NothingLeftError(
                Sentence(
                    "line %(number)s of invoice %(invoice)s is given back already, all of it%(line)s",
                    number=number,
                    invoice=invoice.label,
                    line=_told(line),
                )
            )
        parts.append(_part(invoice, line, left[number], asked))
    return tuple(parts)


def _part(invoice: Creditable, line: IssuedLine, left: Money, asked: Money | None) -> _Part:
    if asked is None or asked == left:
        return _Part(line, line.free(invoice.includes_tax), left)
    sign = -1 if line.left.minor < 0 else 1
    if asked.minor * sign <= 0 or abs(asked.minor) > abs(left.minor):
        with_tax = " with tax" if invoice.includes_tax else ""
        raise NothingLeftError(
            Sentence(
                "line %(number)s of invoice %(invoice)s: %(asked)s%(with_tax)s of %(left)s that are left of it%(line)s",
                number=line.number,
                invoice=invoice.label,
                asked=asked,
                with_tax=with_tax,
                left=left,
                line=_told(line),
            )
        )
    net = net_of(asked, line.printed.treatment.rate, invoice.includes_tax)
    free = line.free(invoice.includes_tax)
    return _Part(line, net if abs(net.minor) <= abs(free.minor) else free, asked)


def _told(line: IssuedLine) -> Sentence | str:
    return Sentence(" beside the %(waits)s that the next run gives back", waits=line.waits) if line.waits else ""


def _totals(invoice: Creditable, parts: Sequence[_Part]) -> Totals:
    currency = invoice.currency
    groups = [group for one in invoice.groups if (group := _group(invoice, one, parts)) is not None]
    net = total((group.base for group in groups), currency)
    tax = total((group.tax for group in groups), currency)
    split = total((one.tax for one in groups if one.treatment.liability is Liability.SPLIT), currency)
    lines = tuple(_printed(part) for part in parts)
    return Totals(lines, tuple(part.amount for part in parts), tuple(groups), net, tax, net + tax, net + tax - split)


def _group(invoice: Creditable, group: IssuedGroup, parts: Sequence[_Part]) -> TaxGroup | None:
    """What is given back of one tax group; None when nothing of it is."""
    own = [part for part in parts if taxed_alike(part.line.printed.treatment) == taxed_alike(group.treatment)]
    if not own:
        return None
    base = total((part.net for part in own), invoice.currency)
    rest = [line for line in invoice.lines if taxed_alike(line.printed.treatment) == taxed_alike(group.treatment)]
    left = group.base - total((line.credited for line in rest), invoice.currency), group.tax - group.credited_tax
    tax = settle(Fraction(base.amount) * (_factor(group.treatment) - 1), invoice.currency)
    if invoice.includes_tax:
        tax = total((part.amount for part in own), invoice.currency) - base
    return TaxGroup(group.treatment, base, tax_of_part(base, group.treatment, tax, left=left))


def _printed(part: _Part) -> Line:
    line = part.line.printed
    if part.net == line.net:
        return line
    return Line(line.description, Decimal(1), part.net.amount, Decimal(0), part.net, line.treatment)


def _draft_line(invoice: Creditable, part: _Part, printed: Line) -> DraftLine:
    source = part.line.source
    priced = LineDraft(
        printed.description,
        printed.quantity,
        printed.unit_price,
        printed.treatment,
        discount_each=printed.discount,
    )
    corrects = (invoice.id, part.line.number)
    return DraftLine(
        priced,
        part.line.account_id,
        Source(source.product_id, source.contract_id, source.item_id, None, source.during, corrects),
    )


def _in_prices(line: IssuedLine, net: Money, whole: Money) -> Money:
    """So much of a line's net in the invoice's prices."""
    if not line.printed.net:
        return whole
    if line.printed.net.minor > 0:
        return share(whole, net.minor, line.printed.net.minor)
    return share(whole, -net.minor, -line.printed.net.minor)


def _factor(treatment: TaxTreatment) -> Fraction:
    return 1 + Fraction(treatment.rate) / 100
