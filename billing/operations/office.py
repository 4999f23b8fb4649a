"""What documents of an issuer are made with: its books and taxes, and how a customer's document is numbered, taxed and stamped.

Runs and people issue with the same answers.

Units: days are civil dates of the issuer's zone.
Source: billing model sections 2, 9 and 10.

Next: billing/operations/invoices.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from billing.country_data import countries_of_codes
from billing.documents import (
    CustomerParty,
    DocumentKind,
    DraftLine,
    IssuerParty,
    Purpose,
    Register,
    Source,
    Stamp,
    register_for,
)
from billing.due_contract import Article
from billing.errors import BillingError
from billing.postings import STAMP_DUTY, Accounts
from billing.sentence import Sentence
from billing.store.due_contracts import load_articles
from billing.store.ledger import load_accounts, load_registers
from billing.store.parties import load_issuer
from billing.store.tax import load_tax_tables
from billing.tax import TaxTables, position_for, stamp_rule_for, treatment_for
from billing.totals import LineDraft, TaxTreatment


@dataclass(frozen=True, slots=True)
class Office:
    """What documents of an issuer are made with, read once for a command or a run."""

    issuer: IssuerParty
    tables: TaxTables
    accounts: Accounts
    registers: tuple[Register, ...]
    articles: Mapping[int, Article]

    def register(self, kind: DocumentKind, customer: CustomerParty, purpose: Purpose) -> Register:
        """Where a document for that customer is numbered."""
        position = position_for(customer.taxed, issuer_id=self.issuer.id, tables=self.tables)
        return register_for(self.registers, kind, purpose=purpose, position_id=position.id if position else None)

    def treatment(self, code_id: int, customer: CustomerParty, day: date) -> TaxTreatment:
        """How a line with that tax code is taxed for a customer.

        Raises: BillingError for a code of a country that neither of both is in, and as `treatment_for`.
        """
        found = treatment_for(code_id, customer.taxed, issuer_id=self.issuer.id, day=day, tables=self.tables)
        land = countries_of_codes().get(found.code)
        # The tax of the customer's country is charged by who declares it there (EU: one-stop shop).
        if land is not None and land not in (self.issuer.country, customer.taxed.country):
            raise BillingError(
                Sentence(
                    "tax code %(code)s is of %(land)s, and this is an issuer of %(country)s and a customer in %(other)s: give the product a tax code of %(country)s (`corrente issuer tax add`)",
                    code=found.code,
                    land=land,
                    country=self.issuer.country,
                    other=customer.taxed.country,
                )
            )
        return found

    def stamp(
        self,
        kind: DocumentKind,
        customer: CustomerParty,
        lines: Iterable[TaxTreatment],
        *,
        currency: str,
        day: date,
    ) -> Stamp | None:
        """Stamp duty of the issuer's country, with the line that recharges it on an invoice where the issuer does so.

        None where no line bears it: then nobody asks what it is in the currency. A credit note owes it like an invoice; it is the issuer's, since nothing can be charged on a credit note.
        Source: IT: DPR 642/72, tariff art. 13, names invoices and notes alike.
        """
        if not kind.is_booked or not any(one.bears_stamp for one in lines):
            return None
        rule = stamp_rule_for(self.issuer.country, currency=currency, day=day, tables=self.tables)
        if rule is None:
            return None
        if kind is not DocumentKind.INVOICE or not self.issuer.recharges_stamp:
            return Stamp(rule)
        if rule.product_id is None:
            raise BillingError(
                Sentence(
                    "issuer %(id)s recharges stamp duty and no product says as what: set stamp_duty.product_id of %(country)s",
                    id=self.issuer.id,
                    country=self.issuer.country,
                )
            )
        article = self.articles[rule.product_id]
        priced = LineDraft(
            article.words(customer.language),
            Decimal(1),
            rule.duty.amount,
            self.treatment(article.tax_code_id, customer, day),
        )
        return Stamp(rule, DraftLine(priced, self.accounts.of(STAMP_DUTY), Source(product_id=article.id)))


def load_office(connection: psycopg.Connection[Any], issuer_id: int) -> Office:
    """Read it. Raises: BillingError when there is no such issuer."""
    return Office(
        issuer=load_issuer(connection, issuer_id),
        tables=load_tax_tables(connection),
        accounts=load_accounts(connection, issuer_id),
        registers=load_registers(connection, issuer_id),
        articles=load_articles(connection),
    )
