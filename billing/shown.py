"""A document as it is shown: issued, or a draft that has no number yet.

Next: billing/operations/invoices.py
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.documents import Draft, Due
from billing.money import Money, zero
from billing.periods import Period
from billing.settlement import Standing


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as it is printed, and how much of its net was given back since."""

    number: int
    description: str
    during: Period | None
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    net: Money
    tax_code: str
    rate: Decimal
    nature: str | None
    credited: Money
    contract_id: int | None
    product: str | None
    corrects: str | None


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A tax group as it is printed."""

    rate: Decimal
    nature: str | None
    legal_reference: str | None
    liability: str
    base: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """All that stands on a document, with its parties as they were then; a draft has no number.

    `related` are other documents that have to do with it: number, how, amount.
    """

    id: int | None
    label: str | None
    kind: str
    state: str
    document_date: date
    issued_at: datetime | None
    made_by: str
    currency: str
    includes_tax: bool
    net: Money
    tax: Money
    gross: Money
    payable: Money
    stamp_duty: Money
    language: str
    issuer_id: int
    customer_id: int
    issuer: dict[str, Any]
    customer: dict[str, Any]
    run_id: int | None
    reason: str | None
    corrects: str | None
    lines: tuple[ShownLine, ...]
    groups: tuple[ShownGroup, ...]
    dues: tuple[Due, ...]
    standing: Standing | None
    related: tuple[tuple[str, str, Money], ...] = field(default=())
    valid_until: date | None = None
    is_advance: bool = False


def shown_draft(draft: Draft, *, made_by: str, corrects: str | None = None) -> ShownDocument:
    """A draft as the document that it would be; `corrects` is the label of the invoice that it gives back."""
    totals = draft.totals
    return ShownDocument(
        id=None,
        label=None,
        kind=draft.kind,
        state="draft",
        document_date=draft.document_date,
        issued_at=None,
        made_by=made_by,
        currency=draft.currency,
        includes_tax=draft.includes_tax,
        net=totals.net,
        tax=totals.tax,
        gross=totals.gross,
        payable=totals.payable,
        stamp_duty=draft.stamp_duty,
        language=draft.language,
        issuer_id=draft.issuer_id,
        customer_id=draft.customer_id,
        issuer=json.loads(draft.issuer_data),
        customer=json.loads(draft.customer_data),
        run_id=draft.run_id,
        reason=draft.reason,
        corrects=None if draft.corrects_id is None else corrects or f"id:{draft.corrects_id}",
        lines=_shown_lines(draft, corrects),
        groups=_shown_groups(draft),
        dues=draft.dues,
        standing=None,
        valid_until=draft.valid_until,
        is_advance=draft.is_advance,
    )


def _shown_lines(draft: Draft, corrects: str | None) -> tuple[ShownLine, ...]:
    return tuple(
        ShownLine(
            number=number,
            description=printed.description,
            during=line.source.during,
            quantity=printed.quantity,
            unit_price=printed.unit_price,
            discount=printed.discount,
            net=printed.net,
            tax_code=printed.treatment.code,
            rate=printed.treatment.rate,
            nature=printed.treatment.nature,
            credited=zero(draft.currency),
            contract_id=line.source.contract_id,
            product=None,
            corrects=None if line.source.corrects is None else corrects or f"id:{line.source.corrects[0]}",
        )
        for number, (line, printed) in enumerate(zip(draft.lines, draft.totals.lines, strict=True), 1)
    )


def _shown_groups(draft: Draft) -> tuple[ShownGroup, ...]:
    return tuple(
        ShownGroup(
            group.treatment.rate,
            group.treatment.nature,
            group.treatment.legal_reference,
            group.treatment.liability,
            group.base,
            group.tax,
        )
        for group in draft.totals.groups
    )
