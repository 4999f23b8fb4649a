"""What a document says in the books: the legs of its entry, which sum to zero.

The customer owes what is payable; revenue is the lines' nets by their accounts; tax owed is all of the document's, of which
what the customer pays to the state itself stands against it. A credit note is the same with the other sign.

Source: billing model section 13; invariants I1 and I28.

Next: billing/store/documents.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from billing.documents import DocumentKind, Draft
from billing.errors import BillingError
from billing.money import Money
from billing.sentence import Sentence

CUSTOMERS = "customers"
REVENUE = "revenue"
VAT_OUTPUT = "vat_output"
VAT_SPLIT = "vat_split"
STAMP_DUTY = "stamp_duty"


class Leg(Struct, frozen=True):
    """One posting; a debit is above zero. A leg names a customer exactly on the account of customers."""

    account_id: int
    amount: Money
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class Accounts:
    """An issuer's ledger accounts by role and family (None takes what has none of its own), and its products' own.

    `by_code` are those that a line by hand may name: revenue.
    """

    issuer_id: int
    by_role: Mapping[tuple[str, str | None], int]
    by_product: Mapping[int, int]
    by_code: Mapping[str, int] = field(default_factory=dict)

    def of(self, role: str, family: str | None = None) -> int:
        """The account for a role, of a family when it has one.

        Raises: BillingError when the issuer has none; it says which.
        """
        found = self.by_role.get((role, family)) or self.by_role.get((role, None))
        if found is None:
            of_family = Sentence(" of %(family)s or of all families", family=family) if family else ""
            raise BillingError(
                Sentence(
                    "issuer %(issuer_id)s has no ledger account for %(role)s%(of_family)s: add it to its chart of accounts",
                    issuer_id=self.issuer_id,
                    role=role.replace("_", " "),
                    of_family=of_family,
                )
            )
        return found

    def revenue(self, product_id: int | None, family: str | None) -> int:
        """Where a line's net goes: the product's own account, else its family's, else the one for all revenue."""
        own = self.by_product.get(product_id) if product_id is not None else None
        return own if own is not None else self.of(REVENUE, family)


def postings_for(draft: Draft, accounts: Accounts) -> tuple[Leg, ...]:
    """The entry's legs: customers, revenue by account in order of the lines, tax. None where there is nothing to say.

    Raises: BillingError for an account that the issuer does not have.
    """
    assert draft.kind.is_booked, f"a {draft.kind} is not booked"
    totals = draft.totals
    by_account: dict[int, int] = {}
    for line, printed in zip(draft.lines, totals.lines, strict=True):
        by_account[line.account_id] = by_account.get(line.account_id, 0) + printed.net.minor
    split = totals.gross - totals.payable
    legs: list[Leg] = []
    if totals.payable:
        legs.append(Leg(accounts.of(CUSTOMERS), totals.payable, draft.customer_id))
    legs += [Leg(account, Money(-minor, draft.currency)) for account, minor in by_account.items() if minor]
    if totals.tax:
        legs.append(Leg(accounts.of(VAT_OUTPUT), -totals.tax))
    if split:
        legs.append(Leg(accounts.of(VAT_SPLIT), split))
    assert sum(leg.amount.minor for leg in legs) == 0, f"{legs} do not balance"
    if draft.kind is DocumentKind.CREDIT_NOTE:
        return tuple(Leg(leg.account_id, -leg.amount, leg.customer_id) for leg in legs)
    return tuple(legs)
