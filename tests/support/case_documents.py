"""Worked cases of documents: totals and tax, stamp duty, credits, discounts, and which contracts share one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from support.case_contract import currency_of, interval_of, sum_of
from support.case_fields import (
    Fields,
    NotCoveredError,
    Values,
    abs_money,
    as_day,
    as_money,
    as_number,
    named,
    shown,
)

from billing.charges import Charge, DiscountKind, Terms, credit_for, discount_total
from billing.contract_facts import Status
from billing.credited_days import Charged, Credit, after_credits, give_back
from billing.credits import Creditable, IssuedGroup, IssuedLine, NothingLeftError, credit_draft
from billing.documents import NOWHERE, CustomerParty, DocumentKind, IssuerParty, Parties, Register
from billing.due_contract import ChargeKind, DueCharge, DueContract, OnNegative, RatedContract
from billing.grouping import group_charges
from billing.money import Money, total, zero
from billing.periods import Basis, Cycle, Period
from billing.tax import CustomerKind, TaxedCustomer
from billing.totals import Liability, Line, LineDraft, TaxTreatment, Totals, stamp_duty_for, totals_for

ITALY_STAMP: Final = (Money(7747, "EUR"), Money(200, "EUR"))
RATE: Final = ("vat_rate", "rate", "tax_rate", "aliquota", "aliquotaiva", "vat", "vat_pct", "vat_percent", "percent")
NATURE: Final = ("nature", "natura", "exemption", "exempt_code")
QUANTITY: Final = ("qty", "quantity", "quantita", "count", "units")
PRICE: Final = ("unit_price", "price", "prezzounitario", "prezzo_unitario", "unit_net", "net_price")
PERCENTS: Final = ("discount_pct", "discount_percent", "pct_off", "percent_off", "sconto_pct")
AMOUNTS: Final = ("discount_amount", "discount_each", "amount_off", "sconto_importo")
LINES: Final = ("lines", "items", "amounts", "prices", "line_nets", "nets", "line_prices", "net_amounts")
INCLUDES: Final = (
    "prices_include_vat",
    "prices_include_tax",
    "includes_tax",
    "include_vat",
    "vat_included",
    "tax_included",
    "inclusive",
)


def treatment_of(fields: Fields, default: Any = None) -> TaxTreatment:
    """How a line is taxed: its rate or its nature, or those of the document."""
    nature = fields.take(*NATURE, default=None)
    rate = fields.number(*RATE, default=Decimal(0) if nature else default)
    if rate is None:
        raise NotCoveredError(f"{fields.what} has none of {', '.join((*RATE, *NATURE))}")
    split = fields.take("split", "split_payment", default=False) or fields.take(
        "liability", "esigibilita", default=""
    ) in ("split", "S")
    liability = Liability.SPLIT if split else Liability.IMMEDIATE
    return TaxTreatment("case", rate, nature, "case" if nature else None, liability, bears_stamp=bool(nature))


def draft_of(given: Any, number: int, rate: Any) -> LineDraft:
    """A line; an amount alone is one unit of it."""
    if not isinstance(given, Mapping):
        given = {"unit_price": given}
    fields = Fields(given, f"line {number}")
    treatment = treatment_of(fields, rate)
    quantity = fields.number(*QUANTITY, default=Decimal(1))
    price = fields.number(*PRICE, "amount", "net", "gross", "total")
    percents: tuple[Decimal, ...] = tuple(
        as_number(one) for one in fields.objects(*PERCENTS, default=[]) if as_number(one)
    )
    each = fields.number(*AMOUNTS, default=Decimal(0))
    for one in fields.objects("discounts", default=[]):
        inner = Fields(one if isinstance(one, Mapping) else {"percent": one}, f"a discount of line {number}")
        kind = inner.take("type", "kind", default=None)
        value = inner.number("value", default=None)
        percent = inner.number("percent", "pct", default=value if kind == "percent" else None)
        amount = inner.number("amount", "fixed", default=value if kind in ("fixed", "amount") else None)
        inner.done()
        percents += () if percent is None else (percent,)
        each += amount or Decimal(0)
    fields.done()
    return LineDraft(f"line {number}", quantity, price, treatment, percents, each)


def totals_of(fields: Fields) -> Totals:
    """The document's totals."""
    currency = currency_of(fields)
    rate = fields.number(*RATE, default=None)
    lines = fields.objects(*LINES)
    includes = bool(fields.take(*INCLUDES, default=False))
    off = fields.take("document_discount", "discount_total", "discount", default=None)
    drafts = [draft_of(one, number, rate) for number, one in enumerate(lines, start=1)]
    percent = fields.number("document_discount_pct", "document_discount_percent", default=None)
    discount = None if off is None else as_money(off, currency)
    if percent is not None:
        whole = totals_for(drafts, currency=currency, includes_tax=includes)
        base = total(whole.amounts, currency)
        discount = discount_total(base, [(DiscountKind.PERCENT, percent)])
    return totals_for(drafts, currency=currency, includes_tax=includes, discount=discount)


def told_totals(totals: Totals) -> dict[str, Any]:
    """A document's sums as cases ask for them."""
    groups = [
        {
            "rate": str(one.treatment.rate),
            "base": shown(one.base),
            "tax": shown(one.tax),
            **named(one.treatment.nature, "nature", "natura"),
            **named(str(one.treatment.rate), "vat_rate", "tax_rate"),
            **named(shown(one.base), "net", "taxable", "imponibile"),
            **named(shown(one.tax), "vat", "imposta", "tax_amount"),
            **named(shown(one.base + one.tax), "gross", "total"),
        }
        for one in totals.groups
    ]
    got = named([shown(one) for one in totals.amounts], "line_amounts", "amounts", "line_totals")
    got |= named([shown(one.net) for one in totals.lines], "line_nets", "lines_net", "bases", "line_bases")
    got |= named(groups, "summary", "groups", "vat_summary", "tax_summary", "breakdown", "by_rate")
    got |= named(shown(totals.net), "net", "net_total", "base", "taxable", "total_net", "subtotal")
    got |= named(shown(totals.tax), "vat", "tax", "tax_total", "vat_total", "total_tax", "total_vat")
    return (
        got
        | named(shown(totals.gross), "gross", "total", "gross_total", "total_gross")
        | {"payable": shown(totals.payable)}
    )


def document(given: Values) -> dict[str, Any]:
    """Lines, tax groups and sums."""
    fields = Fields(given)
    totals = totals_of(fields)
    fields.done()
    return told_totals(totals)


def vat_rounding(given: Values) -> dict[str, Any]:
    """Tax once a group, and beside it what it would be line by line: the sum of documents of one line each."""
    given = {name: value for name, value in given.items() if name not in ("policy", "rounding", "mode", "method")}
    given = _with_lines(given)
    fields = Fields(given)
    totals = totals_of(fields)
    fields.done()
    again, currency = Fields(given), totals.net.currency
    includes, rate = bool(again.take(*INCLUDES, default=False)), again.number(*RATE, default=None)
    alone = [
        totals_for([draft_of(one, 1, rate)], currency=currency, includes_tax=includes) for one in again.objects(*LINES)
    ]
    got = told_totals(totals)
    got |= named(shown(totals.tax), "per_group", "group_tax", "tax_per_group", "vat_per_group", "per_document", "per_rate",
                 "document_tax", "tax_per_document", "round_globally", "tax_per_rate", "globally", "tax_by_group",
                 "vat_by_group", "vat_per_document", "on_sum", "tax_on_sum")  # fmt: skip
    by_line = sum_of([one.tax for one in alone], currency)
    got |= named(by_line, "per_line", "line_tax_sum", "tax_per_line", "vat_per_line", "sum_of_line_taxes", "round_per_line",
                 "tax_by_line", "vat_by_line", "tax_if_per_line", "line_by_line", "sum_of_lines")  # fmt: skip
    got |= named([shown(one.tax) for one in alone], "line_taxes", "line_tax", "line_vats", "line_vat")
    got |= named(sum_of([totals.tax, *(-one.tax for one in alone)], currency), "difference", "rounding_difference")
    return got | {"gross_per_line": sum_of([one.gross for one in alone], currency)}


def _with_lines(given: Values) -> Values:
    """The case with lines: those it has, itself as the one line, or amounts with or without tax."""
    if any(name in given for name in LINES):
        return given
    if "unit_price" in given:
        outside = {*INCLUDES, "currency", "currency_decimals"}
        line = {name: value for name, value in given.items() if name not in outside}
        return {**{name: value for name, value in given.items() if name in outside}, "lines": [line]}
    for name, gross in (("base", False), ("net", False), ("taxable", False), ("gross", True)):
        if name in given:
            amounts = given[name] if isinstance(given[name], list) else [given[name]]
            rest = {other: value for other, value in given.items() if other != name}
            return {
                **rest,
                "lines": [{"unit_price": one} for one in amounts],
                **({"prices_include_vat": True} if gross else {}),
            }
    return given


def stamp_duty(given: Values) -> dict[str, Any]:
    """Italy's stamp duty on the untaxed amounts of a document."""
    fields = Fields(given)
    several = fields.has("queries")
    queries = fields.objects("queries") if several else [given]
    if several:
        fields.done()
    duties = []
    for one in queries:
        asked = Fields(one, "a query")
        if asked.has("lines"):
            drafts = [draft_of(line, number, None) for number, line in enumerate(asked.objects("lines"), start=1)]
        else:
            taxed = LineDraft(
                "taxed",
                Decimal(1),
                asked.number("taxed_base", "taxed", default=Decimal(0)),
                TaxTreatment("taxed", Decimal(22)),
            )
            exempt = TaxTreatment("exempt", Decimal(0), "N4", "case", bears_stamp=True)
            drafts = [
                taxed,
                LineDraft("untaxed", Decimal(1), asked.number("untaxed_amount", "untaxed", "exempt"), exempt),
            ]
        asked.done()
        totals = totals_for(drafts, currency="EUR", includes_tax=False)
        above, duty = ITALY_STAMP
        duties.append(shown(stamp_duty_for(totals.lines, above=above, duty=duty)))
    return named(duties if several else duties[0], "stamp_duty", "stamp", "bollo")


def credit_note(given: Values) -> dict[str, Any]:
    """Days of a line given back, with their tax."""
    fields = Fields(given)
    currency = currency_of(fields)
    price = as_money(fields.take("line_net", "net", "line", "price"), currency)
    credited = as_money(fields.take("credited", "already_credited", "credited_before", default="0"), currency)
    treatment = treatment_of(fields)
    if fields.has("period"):
        whole = Period(*map(as_day, fields.take("period")))
        unused = Period(fields.day("credit_from", "from", "unused_from", "ends_on", "end", "terminated_on"), whole.end)
        units, of = (unused.end - unused.start).days, (whole.end - whole.start).days
    else:
        units, of = (
            fields.whole("units_credited", "units", "days"),
            fields.whole("units_in_period", "of", "days_in_period"),
        )
    fields.done()
    net = _days_back(price, credited, units, of)
    line = LineDraft("credit", Decimal(1), net.amount, treatment)
    return told_totals(totals_for([line], currency=currency, includes_tax=False))


def _days_back(price: Money, credited: Money, units: int, of: int) -> Money:
    # Days of a period of that many days: the credit is a share of units, whatever they are called.
    charged = replace(_charge_of(price, None, of), credited=credited)
    end = charged.charge.part.end
    unused = Period(date.fromordinal(end.toordinal() - units), end)
    return total(
        (one.amount for one in give_back(charged, unused, cycle=Cycle(date(2026, 1, 1), 1, 12), basis=Basis.ACTUAL)),
        price.currency,
    )


CAPPED: Final = ("line_net", "line", "line_amount", "charge", "charged", "price", "net", "invoice_line", "billed", "item_amount",
                 "item", "invoice_amount", "invoice_total", "invoice_net", "fee")  # fmt: skip
BEFORE: Final = ("credited", "already_credited", "credited_before", "previous_credits", "earlier_credits", "prior_credits",
                 "existing_credits", "credited_so_far")  # fmt: skip
ASKED: Final = ("credits", "requests", "requested", "credit", "request", "ask", "asked", "amount", "credit_requested", "requested_credit",
                "units_credited", "new_credit", "attempts", "adjustments", "adjustment", "credit_notes", "credit_note")  # fmt: skip


def credit_cap(given: Values) -> dict[str, Any]:
    """Credits of a line one after the other: each at most what is left of it."""
    fields = Fields(given)
    currency = currency_of(fields)
    told = fields.take(*CAPPED)
    period = fields.take("period", default=None)
    if isinstance(told, Mapping):
        inner = Fields(told, "the line")
        told, period = inner.take("net", "amount", "price"), inner.take("period", default=period)
        inner.done()
    line = as_money(told, currency)
    of = fields.whole("units_in_period", "of", "days_in_period", default=None)
    by_units = fields.has("units_credited")
    before, asked = fields.objects(*BEFORE, default=[]), fields.take(*ASKED)
    single = not isinstance(asked, list) or bool(asked and period and isinstance(asked[0], str))
    treatment = treatment_of(fields, Decimal(0))
    fields.done()
    charged = _charge_of(line, period, of)
    for one in before:
        charged = replace(charged, credited=charged.credited + abs_money(as_money(one, currency)))
    amounts: list[Money] = []
    fits: list[bool] = []
    for one in [asked] if single else asked:
        given_back, wanted = _given(charged, one, by_units=by_units)
        fits.append(wanted <= charged.charge.net - charged.credited)
        amounts.append(given_back.amount)
        charged = after_credits(charged, [given_back])
    return _told_cap(line, charged.credited, amounts, fits, treatment)


def _charge_of(line: Money, period: Any, of: int | None) -> Charged:
    """The line as a charge: of its own period, or of so many units, as days from a day on."""
    start = date(2026, 1, 1)
    whole = Period(*map(as_day, period)) if period else Period(start, date.fromordinal(start.toordinal() + (of or 1)))
    days = (whole.end - whole.start).days
    return Charged(1, Charge(1, whole, days, days, line, zero(line.currency), whole.start), zero(line.currency))


def _given(charged: Charged, asked: Any, *, by_units: bool) -> tuple[Credit, Money]:
    """What of a credit that is asked for is given, and what it would be without a cap."""
    charge = charged.charge
    cycle = Cycle(charge.part.start.replace(day=1), 1, 12)
    nothing = zero(charge.net.currency)
    part = None
    if isinstance(asked, list) or (isinstance(asked, Mapping) and {"from", "to"} & set(asked)):
        start, end = interval_of(asked, "a credit")
        part = Period(start, end or charge.part.end)
    elif by_units or (isinstance(asked, Mapping) and {"units", "days", "units_credited"} & set(asked)):
        units = asked if by_units else Fields(asked, "a credit").whole("units", "days", "units_credited")
        # The days that are left, from the last one back, as often as it is asked: only their number counts.
        part = Period(date.fromordinal(charge.part.end.toordinal() - int(units)), charge.part.end)
        charged = replace(charged, given_back=())
    if part is None:
        value = Fields(asked, "a credit").take("amount", "net") if isinstance(asked, Mapping) else asked
        wanted = abs_money(as_money(value, charge.net.currency))
        return Credit(1, 1, charge.part, 0, 1, _noted(charged, wanted)), wanted
    given = list(give_back(charged, part, cycle=cycle, basis=Basis.ACTUAL))
    amount = total((one.amount for one in given), charge.net.currency)
    wanted = credit_for(charge, part, cycle=cycle, basis=Basis.ACTUAL, credited=nothing)
    return Credit(1, 1, part, 0, 1, amount), wanted


def _noted(charged: Charged, wanted: Money) -> Money:
    """What a credit note of an amount comes to: the amount, or, where that is refused, one of all that is left."""
    net, currency = charged.charge.net, charged.charge.net.currency
    untaxed = TaxTreatment("case", Decimal(0), "N2.2", "case")
    line = Line("case", Decimal(1), net.amount, Decimal(0), net, untaxed)
    issued = IssuedLine(1, line, charged.credited, 1, NOWHERE)
    invoice = Creditable(
        1,
        "case",
        date(2026, 1, 1),
        currency,
        False,
        (issued,),
        (IssuedGroup(untaxed, net, zero(currency), zero(currency)),),
    )
    issuer = IssuerParty(1, "IT", currency, "Europe/Rome", False, None, "{}")
    parties = Parties(issuer, CustomerParty(TaxedCustomer(1, CustomerKind.PERSON, "IT", "38122"), "it", "{}", True))
    register = Register(1, "NC", DocumentKind.CREDIT_NOTE, "{number}")
    for amount in (wanted, None):
        with suppress(NothingLeftError):
            draft = credit_draft(invoice, {1: amount}, parties, register=register, document_date=invoice.document_date)
            return draft.totals.net
    return zero(currency)


def _told_cap(
    line: Money, credited: Money, amounts: list[Money], fits: list[bool], treatment: TaxTreatment
) -> dict[str, Any]:
    last = LineDraft("credit", Decimal(1), amounts[-1].amount, treatment)
    one_alone = len(amounts) == 1
    told = [shown(one) for one in amounts]
    got = told_totals(totals_for([last], currency=line.currency, includes_tax=False))
    got |= named(told, "credits", "given", "allowed", "credited_amounts", "applied", "amounts")
    got |= named(
        told[0] if one_alone else told, "credit", "credit_net", "allowed_credit", "capped", "granted", "amount"
    )
    got |= named(shown(credited), "credited", "credited_total", "total_credited", "credit_total", "total")
    got |= named(shown(line - credited), "left", "remaining", "open", "creditable", "billed", "remains", "net_left")
    got |= named(fits[0] if one_alone else fits, "accepted", "fits", "valid", "allowed_in_full", "ok")
    refused = [not one for one in fits]
    return got | named(refused[0] if one_alone else refused, "refused", "is_capped", "rejected", "error")


def discount(given: Values) -> dict[str, Any]:
    """Discounts in their order, each on what is left."""
    fields = Fields(given)
    currency = currency_of(fields)
    base = as_money(fields.take("base", "price", "amount", "net"), currency)
    discounts = []
    for one in fields.objects("discounts", "coupons", "discount"):
        inner = Fields(one, "a discount")
        kinds = {"percent": DiscountKind.PERCENT, "percentage": DiscountKind.PERCENT, "fixed": DiscountKind.FIXED,
                 "amount": DiscountKind.FIXED, "fixed_amount": DiscountKind.FIXED}  # fmt: skip
        discounts.append((inner.word(kinds, "type", "kind"), inner.number("value", "amount", "percent")))
        inner.take("order", "priority", default=None)
        inner.done()
    fields.done()
    taken = discount_total(base, discounts)
    got = named(shown(taken), "discount_total", "discount", "total_discount")
    return got | named(shown(base - taken), "net", "total", "net_total", "left")


def group(given: Values) -> dict[str, Any]:
    """Which contracts share a document."""
    fields = Fields(given)
    contracts = fields.objects("contracts", "subscriptions", "lines")
    fields.done()
    told = [_one_to_group(one, number) for number, one in enumerate(contracts, start=1)]
    payers = {payer: number for number, payer in enumerate(dict.fromkeys(one.payer for one in told), start=1)}
    for name in ("method", "register", "issuer"):
        if len({one.others.get(name) for one in told}) > 1:
            raise NotCoveredError(f"contracts that differ by {name}")
    rated = [_rated(one, number, payers[one.payer]) for number, one in enumerate(told, start=1)]
    sheets = group_charges(rated, taxed_as=lambda *_: 1).sheets
    members = [[told[number - 1].name for number in sheet.contract_ids] for sheet in sheets]
    totals = [sum_of([claim.charge.net for claim in sheet.claims], sheet.currency) for sheet in sheets]
    # Each document by its first contract, in the order in which the contracts were told.
    order = [one.name for one in told]
    pairs = sorted(zip(members, totals, strict=True), key=lambda pair: order.index(pair[0][0]))
    got = named(len(sheets), "documents", "invoices", "count", "invoice_count", "document_count")
    got |= named([names for names, _ in pairs], "groups", "grouped", "contracts", "by_document", "members", "sheets")
    got |= named([amount for _, amount in pairs], "nets", "amounts", "totals", "document_nets", "net_totals")
    return got | named([len(names) for names, _ in pairs], "lines", "line_counts", "sizes")


@dataclass(frozen=True, slots=True)
class _ToGroup:
    name: str
    payer: str
    group: str | None
    amount: Money
    due_days: int
    includes_tax: bool
    others: Mapping[str, Any]


def _one_to_group(given: Any, number: int) -> _ToGroup:
    fields = Fields(given, f"contract {number}")
    currency = currency_of(fields)
    one = _ToGroup(
        name=str(fields.take("id", "name", "contract", "subscription", default=f"C{number}")),
        payer=str(fields.take("payer", "customer", "account", "bill_to", "payer_id", "customer_id", default="")),
        group=fields.take("billing_group", "group", "invoice_group", "group_number", default=None),
        amount=as_money(fields.take("net", "amount", "price", default="10"), currency),
        due_days=fields.whole("due_days", "net_days", "terms_days", "payment_terms", "terms", default=15),
        includes_tax=bool(fields.take(*INCLUDES, default=False)),
        others={
            "method": fields.take("method", "payment_method", default=None),
            "register": fields.take("register", default=None),
            "issuer": fields.take("issuer", default=None),
        },
    )
    fields.done()
    return one


def _rated(one: _ToGroup, number: int, payer: int) -> RatedContract:
    day = date(2026, 1, 1)
    nothing = zero(one.amount.currency)
    charge = DueCharge(
        -number, number, ChargeKind.PERIOD, Period(day, date(2026, 2, 1)), 31, 31, one.amount, nothing, day
    )
    contract = DueContract(
        id=number,
        customer_id=payer,
        payer_id=payer,
        status=Status.ACTIVE,
        billing_group=one.group,
        due_days=one.due_days,
        includes_tax=one.includes_tax,
        order_fees=False,
        on_negative=OnNegative.NEXT_DOCUMENT,
        goes_on=True,
        terms=Terms(one.amount.currency),
    )
    return RatedContract(contract, (charge,), ())


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "document": document,
    "vat_rounding": vat_rounding,
    "stamp_duty": stamp_duty,
    "credit_note": credit_note,
    "credit_cap": credit_cap,
    "discount": discount,
    "group": group,
}
