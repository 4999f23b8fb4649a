"""Runs worked billing cases from a file against the public functions of `billing`: bin/test --cases FILE.

A file is JSON of the form billing-cases/1: {"cases": [{"id", "kind", "input", "expect"}, ...]}. Amounts are decimal strings,
dates local civil dates, intervals half-open. Each kind has one adapter here that only turns a case's fields into calls and
the results into its fields again; nothing is worked out in this file. A kind without an adapter, or a case with a field
that its adapter does not know, is "not covered" and never "pass".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.calendar import billing_day
from billing.charges import Charge, DiscountKind, credit_for, discount_total
from billing.errors import BillingError
from billing.money import Money, settle, total, zero
from billing.periods import Basis, Cycle, Period, Segment, Timing, segments_due
from billing.totals import LineDraft, TaxTreatment, stamp_duty_for, totals_for

Values = Mapping[str, Any]
CURRENCY: Final = "EUR"
ITALY_STAMP: Final = (Money(7747, "EUR"), Money(200, "EUR"))


class NotCoveredError(Exception):
    """A case that asks for what no public function here answers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case came out: `pass`, `fail` or `not covered`, with what was expected and what came."""

    id: str
    word: str
    expected: str = ""
    got: str = ""


def run_case(case: Values) -> Outcome:
    """Put one case through its adapter and compare field by field; numbers are compared as numbers."""
    name, kind = str(case.get("id", "?")), str(case.get("kind", ""))
    if kind not in ADAPTERS:
        return Outcome(name, "not covered", got=f"no adapter for kind {kind!r}")
    try:
        got = ADAPTERS[kind](case["input"])
    except NotCoveredError as error:
        return Outcome(name, "not covered", got=str(error))
    except BillingError as error:
        return Outcome(name, "fail", json.dumps(case["expect"]), f"refused: {error}")
    expected = case["expect"]
    unknown = sorted(set(expected) - set(got))
    if unknown:
        return Outcome(name, "not covered", got=f"nothing here tells {', '.join(unknown)}")
    asked = {key: _only_asked(got[key], expected[key]) for key in expected}
    if _comparable(asked) == _comparable(expected):
        return Outcome(name, "pass")
    return Outcome(name, "fail", json.dumps(expected), json.dumps(asked))


def main(arguments: list[str]) -> int:
    """Print a line a case and a total; 1 when a case fails, 2 when the file can't be read."""
    if len(arguments) != 1:
        print("usage: bin/test --cases FILE", file=sys.stderr)
        return 2
    try:
        cases = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))["cases"]
        outcomes = [run_case(case) for case in cases]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{arguments[0]}: not a file of the form billing-cases/1: {error!r}", file=sys.stderr)
        return 2
    for one in outcomes:
        details = (
            f"  expected {one.expected}  got {one.got}" if one.word == "fail" else f"  {one.got}" if one.got else ""
        )
        print(f"{one.id}  {one.word}{details}")
    counts = {word: sum(one.word == word for one in outcomes) for word in ("pass", "fail", "not covered")}
    print(f"{len(outcomes)} cases: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["fail"] else 0


def _only_asked(got: Any, expected: Any) -> Any:
    """Of a list of records only the fields that the case names: a case need not tell everything."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return {key: _only_asked(got[key], expected[key]) for key in expected if key in got}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [_only_asked(one, other) for one, other in zip(got, expected, strict=True)]
    return got


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _comparable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(one) for one in value]
    if isinstance(value, str):
        try:
            return Decimal(value)
        except ArithmeticError:
            return value
    return value


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _a_day(text: str) -> date:
    return date.fromisoformat(text)


def _known(given: Values, *names: str) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise NotCoveredError(f"unknown input {', '.join(unknown)}")


def _segments(given: Values) -> dict[str, Any]:
    _known(given, "start", "first_boundary", "anchor_day", "months", "end", "bill_through", "mode", "basis", "price")
    due = segments_due(
        Cycle(_a_day(given["first_boundary"]), given["anchor_day"], given["months"]),
        billed_through=_a_day(given["start"]),
        end=_day(given.get("end")),
        through=_a_day(given["bill_through"]),
        timing={"advance": Timing.ANTICIPATED, "arrears": Timing.POSTICIPATED}[given["mode"]],
        basis=Basis(given["basis"]),
    )
    price = settle(Decimal(given["price"]), CURRENCY) if "price" in given else None
    nets = [None if price is None else one.net(price) for one in due]
    got: dict[str, Any] = {
        "segments": [_segment(one, net) for one, net in zip(due, nets, strict=True)],
        "cycles": str(sum((_cycles(one) for one in due), Decimal(0))),
    }
    if price is not None:
        got["net_total"] = str(total((one for one in nets if one is not None), CURRENCY).amount)
    return got


def _segment(one: Segment, net: Money | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "from": one.part.start.isoformat(),
        "to": one.part.end.isoformat(),
        "units": one.units,
        "of": one.of,
    }
    return shown if net is None else {**shown, "net": str(net.amount)}


def _cycles(one: Segment) -> Decimal:
    # The form's own field: units/of of each segment with nine decimals.
    return (Decimal(one.units) / one.of).quantize(Decimal("1e-9"), ROUND_HALF_UP)


def _cycle_of(period: list[str]) -> Cycle:
    start, end = map(_a_day, period)
    months = (end.year - start.year) * 12 + end.month - start.month
    return Cycle(start, max(start.day, end.day), months)


def _change(given: Values) -> dict[str, Any]:
    _known(given, "change_date", "basis", "old", "new")
    day, basis = _a_day(given["change_date"]), Basis(given["basis"])
    got: dict[str, Any] = {}
    sides: list[Money] = []
    if given.get("old"):
        price, cycle = settle(Decimal(given["old"]["price"]), CURRENCY), _cycle_of(given["old"]["period"])
        whole = Period(*map(_a_day, given["old"]["period"]))
        _, of = cycle.units(whole, basis)
        charge = Charge(1, whole, of, of, price, zero(CURRENCY), whole.start)
        unused = Period(day, whole.end)
        sides.append(-credit_for(charge, unused, cycle=cycle, basis=basis, credited=zero(CURRENCY)))
        got["credit"] = _segment(Segment(unused, *cycle.units(unused, basis)), sides[-1])
    if given.get("new"):
        price, cycle = settle(Decimal(given["new"]["price"]), CURRENCY), _cycle_of(given["new"]["period"])
        served = Period(day, _a_day(given["new"]["period"][1]))
        segment = Segment(served, *cycle.units(served, basis))
        sides.append(segment.net(price))
        got["charge"] = _segment(segment, sides[-1])
    return {**got, "net_total": str(total(sides, CURRENCY).amount)}


def _schedule(given: Values) -> dict[str, Any]:
    _known(given, "anchor", "anchor_day", "months", "count")
    cycle = Cycle(_a_day(given["anchor"]), given["anchor_day"], given["months"])
    return {"boundaries": [cycle.boundary(k).isoformat() for k in range(given["count"])]}


def _treatment(line: Values) -> TaxTreatment:
    nature = line.get("nature")
    return TaxTreatment(
        "case", Decimal(line.get("vat_rate", 0)), nature, "case" if nature else None, bears_stamp=bool(nature)
    )


def _document(given: Values) -> dict[str, Any]:
    _known(given, "prices_include_vat", "currency_decimals", "lines")
    currency = {0: "CLP", 2: CURRENCY, 3: "TND"}[given.get("currency_decimals", 2)]
    drafts = []
    for number, line in enumerate(given["lines"], start=1):
        _known(line, "qty", "unit_price", "discount_pct", "vat_rate", "nature")
        discounts = (Decimal(line["discount_pct"]),) if line.get("discount_pct") else ()
        drafts.append(
            LineDraft(f"line {number}", Decimal(line["qty"]), Decimal(line["unit_price"]), _treatment(line), discounts)
        )
    totals = totals_for(drafts, currency=currency, includes_tax=given["prices_include_vat"])
    return {
        "line_amounts": [str(one.amount) for one in totals.amounts],
        "summary": [
            {
                "rate": str(one.treatment.rate),
                "nature": one.treatment.nature,
                "base": str(one.base.amount),
                "tax": str(one.tax.amount),
            }
            for one in totals.groups
        ],
        "net": str(totals.net.amount),
        "vat": str(totals.tax.amount),
        "gross": str(totals.gross.amount),
    }


def _stamp_duty(given: Values) -> dict[str, Any]:
    _known(given, "queries")
    exempt = TaxTreatment("exempt", Decimal(0), "N4", "case", bears_stamp=True)
    duties = []
    for query in given["queries"]:
        drafts = [
            LineDraft("taxed", Decimal(1), Decimal(query["taxed_base"]), TaxTreatment("taxed", Decimal(22))),
            LineDraft("untaxed", Decimal(1), Decimal(query["untaxed_amount"]), exempt),
        ]
        totals = totals_for(drafts, currency=CURRENCY, includes_tax=False)
        above, duty = ITALY_STAMP
        duties.append(str(stamp_duty_for(totals.lines, above=above, duty=duty).amount))
    return {"stamp_duty": duties}


def _credit_note(given: Values) -> dict[str, Any]:
    _known(given, "line_net", "units_credited", "units_in_period", "vat_rate")
    # Days of a period of that many days: the credit is a share of units, whatever they are called.
    start = date(2026, 1, 1)
    whole = Period(start, date.fromordinal(start.toordinal() + given["units_in_period"]))
    unused = Period(date.fromordinal(whole.end.toordinal() - given["units_credited"]), whole.end)
    cycle = Cycle(start, 1, 12)
    price = settle(Decimal(given["line_net"]), CURRENCY)
    charge = Charge(
        1, whole, given["units_in_period"], cycle.units(whole, Basis.ACTUAL)[1], price, zero(CURRENCY), start
    )
    net = credit_for(charge, unused, cycle=cycle, basis=Basis.ACTUAL, credited=zero(CURRENCY))
    line = LineDraft("credit", Decimal(1), net.amount, TaxTreatment("case", Decimal(given["vat_rate"])))
    totals = totals_for([line], currency=CURRENCY, includes_tax=False)
    return {"net": str(totals.net.amount), "vat": str(totals.tax.amount), "gross": str(totals.gross.amount)}


def _discount(given: Values) -> dict[str, Any]:
    _known(given, "base", "discounts")
    base = settle(Decimal(given["base"]), CURRENCY)
    taken = discount_total(base, [(DiscountKind(one["type"]), Decimal(one["value"])) for one in given["discounts"]])
    return {"discount_total": str(taken.amount), "net": str((base - taken).amount)}


def _local_date(given: Values) -> dict[str, Any]:
    _known(given, "zone", "instants_utc", "billing_date")
    zone, wanted = ZoneInfo(given["zone"]), _a_day(given["billing_date"])
    return {
        "is_billing_date": [billing_day(datetime.fromisoformat(one), zone) == wanted for one in given["instants_utc"]]
    }


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "segments": _segments,
    "change": _change,
    "schedule": _schedule,
    "document": _document,
    "stamp_duty": _stamp_duty,
    "credit_note": _credit_note,
    "discount": _discount,
    "local_date": _local_date,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
