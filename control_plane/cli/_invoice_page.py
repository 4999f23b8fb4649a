"""A document on the terminal, laid out as it reads on paper, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from billing.money import Money
from billing.periods import Period
from billing.shown import ShownDocument, ShownLine
from control_plane.cli._amounts import amount_words
from nas_drivers.errors import printable

# Where amounts end.
_AMOUNTS: Final = 75
_WORDS: Final = {"invoice": "Invoice", "credit_note": "Credit note", "quote": "Quote", "order": "Order"}
_ONE_DAY: Final = timedelta(days=1)


def plain(value: object) -> Any:
    """A value for JSON: amounts and numbers as text with all their digits, times as first and last day."""
    if isinstance(value, Money):
        return str(value.amount)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Period):
        return {"from": value.start, "until": value.end - _ONE_DAY}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return value


def page(document: ShownDocument) -> Iterator[str]:
    """The lines of its printed form."""
    for line in _page(document):
        yield printable(line.rstrip())


def _page(document: ShownDocument) -> Iterator[str]:
    yield from _head(document)
    yield ""
    yield from _lines(document)
    yield ""
    yield from _sums(document)
    yield ""
    yield from _foot(document)


def _head(document: ShownDocument) -> Iterator[str]:
    left = list(_party(document.issuer, _issuer_numbers(document.issuer)))
    title = f"{_WORDS[document.kind]} {document.label or '(draft, without a number)'}"
    right = [title, f"of {document.document_date}"]
    if document.corrects is not None:
        right.append(f"corrects {document.corrects}")
    if document.state not in ("issued", "draft"):
        right.append(document.state)
    right += [""] * (len(left) - len(right))
    left += [""] * (len(right) - len(left))
    for one, other in zip(left, right, strict=True):
        yield f"{one:<44}{other}"
    yield ""
    yield "To"
    yield from _party(document.customer, list((document.customer.get("tax_identifiers") or {}).items()))


def _issuer_numbers(data: dict[str, Any]) -> list[tuple[str, str]]:
    numbers = [("VAT", data.get("vat_number")), ("tax number", data.get("tax_number"))]
    if numbers[0][1] == numbers[1][1]:
        del numbers[1]
    return [(name, number) for name, number in numbers if number]


def _party(data: dict[str, Any], numbers: list[tuple[str, str]]) -> Iterator[str]:
    yield str(data["name"])
    street = " ".join(str(data[key]) for key in ("street", "house_number") if data.get(key))
    city = " ".join(str(data[key]) for key in ("postal_code", "city", "province", "country") if data.get(key))
    yield from (one for one in (street, city) if one)
    for name, number in numbers:
        yield f"{name} {number}"


def _lines(document: ShownDocument) -> Iterator[str]:
    yield f"{'#':>3}  {'DESCRIPTION':<36}{'QUANTITY':>10}{'PRICE':>12}{'NET':>12}{'TAX':>8}"
    for line in document.lines:
        yield from _line(line)


def _line(line: ShownLine) -> Iterator[str]:
    words = _wrapped(line.description, 36)
    tax = line.nature or f"{_number(line.rate)} %"
    amount = line.net.amount
    first = f"{line.number:>3}  {words[0]:<36}{_number(line.quantity):>10}{amount_words(line.unit_price, line.net.currency):>12}"
    yield f"{first}{amount:>12}{tax:>8}"
    yield from (f"     {one}" for one in words[1:])
    if line.during is not None:
        yield f"     {line.during.start} to {line.during.end - _ONE_DAY}"
    if line.discount:
        yield f"     less {amount_words(line.discount, line.net.currency)} each"
    if line.corrects is not None:
        yield f"     gives back a line of {line.corrects}"
    if line.credited:
        yield f"     {line.credited.amount} given back since"


def _sums(document: ShownDocument) -> Iterator[str]:
    yield _sum("Net", document.net)
    for group in document.groups:
        if group.nature is not None:
            yield _sum(f"{group.nature}, {group.legal_reference}, on {group.base.amount}", group.tax)
        else:
            liability = "" if group.liability == "immediate" else f", {group.liability}"
            yield _sum(f"Tax {_number(group.rate)} % on {group.base.amount}{liability}", group.tax)
    yield _sum("Total", document.gross)
    if document.payable != document.gross:
        yield _sum("Tax that the customer pays to the state", document.payable - document.gross)
    yield _sum("To be given back" if document.kind == "credit_note" else "To be paid", document.payable)


def _foot(document: ShownDocument) -> Iterator[str]:
    for due in document.dues:
        yield f"due {due.due_on}  {due.amount}"
    if document.stamp_duty:
        yield f"stamp duty {document.stamp_duty}"
    standing = document.standing
    if standing is not None:
        words = str(standing.state).replace("_", " ")
        late = f", {standing.overdue} of it due since {standing.due_on}" if standing.overdue else ""
        yield words + (f": {standing.open} left{late}" if standing.open else "")
    for label, how, amount in document.related:
        yield f"{how} {label}" + (f"  {amount}" if amount else "")
    if document.reason:
        yield f"because: {document.reason}"
    yield f"made by {document.made_by}" + (f" in run {document.run_id}" if document.run_id is not None else "")


def _sum(words: str, amount: Money) -> str:
    return f"{words:>{_AMOUNTS - 12}}{amount.amount:>12} {amount.currency}"


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width - 1:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _number(value: Decimal) -> str:
    """Without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
