"""What the books of a new issuer begin with: its chart of accounts, the registers of its documents, the ways in which it is paid.

Entries are written by role, never by number, so that codes and names may be changed; a revenue account for a family of products, or a
clearing account for a way of payment, is added when somebody wants it apart.

Source: billing model sections 10 and 13; schema.sql's account_role.

Next: billing/store/issuers.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """As `ledger_account` holds it, of no issuer yet."""

    code: str
    name: str
    role: str
    family: str | None = None


@dataclass(frozen=True, slots=True)
class StartingMethod:
    """As `payment_method` holds it. `returns_days`: so long what came by it may come back; `mails_receipt`: who pays is thanked."""

    code: str
    name: str
    kind: str
    returns_days: int | None = None
    mails_receipt: bool = True


@dataclass(frozen=True, slots=True)
class StartingRegister:
    """As `document_register` holds it; without a purpose it takes what no register of its kind takes more exactly."""

    code: str
    kind: str
    name: str
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class StartingSeries:
    """As `number_series` holds it: papers with numbers of their own that are no documents."""

    code: str
    kind: str
    name: str


CHART: Final = (
    ChartAccount("1000", "Bank", "bank"),
    ChartAccount("1100", "Cash", "cash"),
    ChartAccount("1110", "Cash with collectors", "cash_with_collector"),
    ChartAccount("1500", "Customers", "customers"),
    ChartAccount("1800", "Payments under way", "clearing"),
    ChartAccount("1990", "Receipts not matched yet", "suspense"),
    ChartAccount("2400", "Agents", "agents_payable"),
    ChartAccount("2500", "Deferred revenue", "deferred_revenue"),
    ChartAccount("2600", "VAT on sales", "vat_output"),
    ChartAccount("2610", "VAT that customers pay to the state", "vat_split"),
    ChartAccount("2650", "Stamp duty", "stamp_duty"),
    ChartAccount("4000", "Other revenue", "revenue"),
    ChartAccount("4100", "Access", "revenue", "access"),
    ChartAccount("4200", "Voice", "revenue", "voice"),
    ChartAccount("4900", "Fees charged", "fee_income"),
    ChartAccount("4950", "Cash surpluses", "cash_shortage", "surplus"),
    ChartAccount("6500", "Fees of banks and gateways", "fees"),
    ChartAccount("6600", "Commissions", "commissions"),
    ChartAccount("6900", "Bad debts", "bad_debts"),
    ChartAccount("6910", "Cash shortages", "cash_shortage"),
    ChartAccount("6990", "Rounding and exchange differences", "differences"),
)
REGISTERS: Final = (
    StartingRegister("FT", "invoice", "Invoices"),
    StartingRegister("RC", "invoice", "Recurring invoices", "recurring"),
    StartingRegister("NC", "credit_note", "Credit notes"),
    StartingRegister("PR", "quote", "Quotes"),
    StartingRegister("OR", "order", "Orders"),
)
SERIES: Final = (
    StartingSeries("RE", "receipt", "Receipts"),
    StartingSeries("AG", "agent_settlement", "Settlements of agents"),
)
# A debit comes back within eight weeks without a reason (SEPA core rulebook 4.3.2.1), 13 months if the payer never agreed to it;
# its invoice announced it, and nobody is thanked for it each month.
METHODS: Final = (
    StartingMethod("cash", "Cash", "cash"),
    StartingMethod("card", "Card", "card"),
    StartingMethod("transfer", "Bank transfer", "transfer"),
    StartingMethod("slip", "Payment slip", "slip"),
    StartingMethod("direct_debit", "Direct debit", "direct_debit", returns_days=56, mails_receipt=False),
)
