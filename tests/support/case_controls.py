"""Worked cases of the controls of those who receive documents: verdicts on lines and on tax summaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from support.case_documents import AMOUNTS, NATURE, PERCENTS, PRICE, QUANTITY, RATE
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, as_number, named

from billing.document_check import PrintedDiscount, PrintedGroup, PrintedLine, Wrong, line_errors, summary_errors

TOTAL: Final = ("total", "line_total", "prezzototale", "prezzo_totale", "net", "amount", "line_net", "line_amount", "printed_total", "printed")  # fmt: skip


def line_check(given: Values) -> dict[str, Any]:
    """What the exchange system says of lines: control 00423, and 00400 and 00401."""
    fields = Fields(given)
    several = fields.has("lines", "queries", "cases")
    lines = fields.objects("lines", "queries", "cases") if several else [given]
    rate = fields.number(*RATE, default=Decimal(22)) if several else Decimal(22)
    tolerance = fields.number("tolerance", default=Decimal("0.01")) if several else Decimal("0.01")
    if several:
        fields.done()
    if tolerance != Decimal("0.01"):
        raise NotCoveredError(f"the tolerance of a line is 0.01, not {tolerance}")
    each = [[*line_errors(_printed(one, number, rate))] for number, one in enumerate(lines, start=1)]
    flat = [wrong for errors in each for wrong in errors]
    got = _verdict(flat) | named([not errors for errors in each], "lines", "results", "verdicts")
    if several:
        got |= named([not errors for errors in each], "ok", "valid", "accepted", "passes")
        got |= named([errors[0].code if errors else None for errors in each], "error", "code", "codes_by_line")
    return got


def _printed(given: Any, number: int, rate: Decimal) -> PrintedLine:
    fields = Fields(given, f"line {number}")
    nature = fields.take(*NATURE, default=None)
    discounts = [PrintedDiscount(percent=as_number(one)) for one in fields.objects(*PERCENTS, default=[])]
    discounts += [PrintedDiscount(amount=as_number(one)) for one in fields.objects(*AMOUNTS, default=[])]
    for one in fields.objects("discounts", "sconti", "scontomaggiorazione", default=[]):
        inner = Fields(one if isinstance(one, Mapping) else {"percent": one}, f"a discount of line {number}")
        kind, value = inner.take("type", "kind", "tipo", default=None), inner.number("value", default=None)
        percent = inner.number("percent", "pct", "percentuale", default=value if kind == "percent" else None)
        amount = inner.number("amount", "importo", "fixed", default=value if kind in ("fixed", "amount") else None)
        inner.done()
        sign = -1 if kind in ("MG", "surcharge", "charge", "maggiorazione") else 1
        discounts.append(
            PrintedDiscount(None if percent is None else sign * percent, None if amount is None else sign * amount)
        )
    quantity = fields.number(*QUANTITY, default=Decimal(1))
    price = fields.number(*PRICE, default=None)
    total = fields.number(*TOTAL)
    tolerance = fields.number("tolerance", default=Decimal("0.01"))
    if tolerance != Decimal("0.01"):
        raise NotCoveredError(f"the tolerance of a line is 0.01, not {tolerance}")
    own = fields.number(*RATE, default=Decimal(0) if nature else rate)
    fields.done()
    return PrintedLine(total, own, nature, price, quantity, tuple(discounts))


def summary_check(given: Values) -> dict[str, Any]:
    """What the exchange system says of a tax summary: controls 00421 and 00422, and those of rates and natures."""
    fields = Fields(given)
    default = fields.number("vat_rate", "rate", default=None)
    lines = [
        _printed(one if isinstance(one, Mapping) else {"total": one}, number, default or Decimal(22))
        for number, one in enumerate(fields.objects("lines", "items", "line_totals", default=[]), start=1)
    ]
    blocks = fields.objects("summary", "groups", "riepilogo", "datiriepilogo", "blocks", default=[])
    if not blocks:
        blocks = [
            {
                name: fields.take(name)
                for name in ("base", "tax", "imponibile", "imposta", "net", "vat", "rounding", "nature")
                if fields.has(name)
            }
        ]
    fields.done()
    groups = [_group(one, number, default) for number, one in enumerate(blocks, start=1)]
    if not lines:  # only the tax is asked about
        lines = [PrintedLine(one.base - one.rounding, one.rate, one.nature) for one in groups]
    return _verdict([*summary_errors(lines, groups)])


def _group(given: Any, number: int, rate: Decimal | None) -> PrintedGroup:
    fields = Fields(given, f"block {number}")
    nature = fields.take(*NATURE, default=None)
    group = PrintedGroup(
        rate=fields.number(
            "vat_rate", "rate", "aliquotaiva", "aliquota", "tax_rate", default=Decimal(0) if nature else rate
        ),
        base=fields.number("base", "imponibileimporto", "imponibile", "taxable", "net"),
        tax=fields.number("tax", "imposta", "vat", "tax_amount", default=Decimal(0)),
        nature=nature,
        rounding=fields.number("rounding", "arrotondamento", default=Decimal(0)),
        is_split=fields.take("liability", "esigibilitaiva", "esigibilita", default="I") in ("S", "split"),
    )
    fields.done()
    if group.rate is None:
        raise NotCoveredError(f"block {number} has no rate")
    return group


def _verdict(errors: list[Wrong]) -> dict[str, Any]:
    codes = list(dict.fromkeys(one.code for one in errors))
    got = named(codes, "errors", "codes", "error_codes", "controls", "refused_by", "failed")
    got |= named(not codes, "ok", "valid", "accepted", "passes", "pass", "conforms")
    got |= named(bool(codes), "refused", "rejected", "scartata")
    words = (
        ("ok", "pass", "accepted", "valid")
        if not codes
        else (*codes, "refused", "rejected", "fail", "error", "invalid")
    )
    got |= named(AnyOf((*words, not codes)), "verdict", "result", "check", "outcome")
    return got | named(codes[0] if codes else None, "error", "code", "error_code", "control")


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "line_check": line_check,
    "summary_check": summary_check,
}
