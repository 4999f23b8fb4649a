"""A customer's invoices, what pays them, and the rows written, as the database keeps them; what is written says billing.allocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from billing.allocation import (
    Allocation,
    AllocationRow,
    Choice,
    OpenInvoice,
    RefusedChoice,
    Source,
    SourceKind,
    allocate,
    allocate_in_order,
    withdraw,
)
from billing.money import Money, total
from billing.settlement import left_of

Key = tuple[SourceKind, int]


@dataclass
class PaidAccount:
    """`invoices` are as they were issued, `sources` whole; what is open and free follows from the rows."""

    invoices: dict[int, OpenInvoice] = field(default_factory=dict)
    sources: dict[Key, Source] = field(default_factory=dict)
    rows: list[AllocationRow] = field(default_factory=list)
    currency: str = "EUR"

    def invoice(self, one: OpenInvoice) -> None:
        """Issued; free credit is laid on it."""
        self.invoices[one.id] = one
        self.apply_credit()

    def pay(self, source: Source, choices: Sequence[Choice] = ()) -> RefusedChoice | None:
        """A payment or credit has come. A choice that can't be leaves nothing behind."""
        done = allocate(source, self.open_invoices(), choices)
        if isinstance(done, RefusedChoice):
            return done
        self.sources[source.kind, source.id] = source
        self._write(done)
        return None

    def reverse(self, key: Key) -> None:
        """A payment has come back; other credit takes its place."""
        del self.sources[key]
        for one in withdraw(self.rows, key):
            self.rows.append(AllocationRow(len(self.rows) + 1, key, one.invoice_id, one.amount, one.withdraws_id))
        self.apply_credit()

    def give_back(self, key: Key, amount: Money) -> None:
        """So much of what is free was refunded."""
        self.sources[key] = replace(self.sources[key], left=self.sources[key].left - amount)

    def apply_credit(self) -> None:
        """What is free, on what is open."""
        self._write(allocate_in_order(self.free(), self.open_invoices()))

    def open_invoices(self) -> list[OpenInvoice]:
        """Those with something open."""
        left = [(one, left_of(one.parts, self.settled(one.id))) for one in self.invoices.values()]
        return [replace(one, parts=parts) for one, parts in left if parts]

    def free(self) -> list[Source]:
        """What pays, with what is not laid on an invoice."""
        return [replace(one, left=one.left - self.given(key)) for key, one in self.sources.items()]

    def settled(self, number: int) -> Money:
        """How much of an invoice is paid."""
        return total((row.amount for row in self.rows if row.invoice_id == number), self.currency)

    def given(self, key: Key) -> Money:
        """How much of a source lies on invoices."""
        return total((row.amount for row in self.rows if row.source == key), self.currency)

    @property
    def open(self) -> Money:
        """All that is open."""
        return total((one.open for one in self.open_invoices()), self.currency)

    @property
    def credit(self) -> Money:
        """All that is free."""
        return total((one.left for one in self.free()), self.currency)

    def balance(self) -> Money:
        """What is owed: invoices less what came, whatever was laid on what."""
        owed = total((one.open for one in self.invoices.values()), self.currency)
        return owed - total((one.left for one in self.sources.values()), self.currency)

    def _write(self, allocations: Sequence[Allocation]) -> None:
        for one in allocations:
            self.rows.append(AllocationRow(len(self.rows) + 1, one.source, one.invoice_id, one.amount))
