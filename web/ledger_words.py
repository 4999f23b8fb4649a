"""Words for the books: what accounts are for, what columns of reports are.

Next: money_words.py
"""

from __future__ import annotations

from typing import Any, Final

from billing.chart import Role
from web.language import lazy

ROLES: Final[dict[str, Any]] = {
    Role.CUSTOMERS: lazy("Customers"),
    Role.REVENUE: lazy("Revenue"),
    Role.VAT_OUTPUT: lazy("VAT"),
    Role.VAT_SPLIT: lazy("VAT paid by the customer"),
    Role.STAMP_DUTY: lazy("Stamp duty"),
    Role.DEFERRED_REVENUE: lazy("Revenue put off"),
    Role.CLEARING: lazy("Money on its way"),
    Role.BANK: lazy("Bank"),
    Role.FEES: lazy("Fees of providers"),
    Role.FEE_INCOME: lazy("Fees charged"),
    Role.SUSPENSE: lazy("Receipts of nobody known"),
    Role.BAD_DEBTS: lazy("Bad debts"),
    Role.CASH_WITH_COLLECTOR: lazy("Cash with collectors"),
    Role.CASH: lazy("Cash"),
    Role.CASH_SHORTAGE: lazy("Cash missing or over"),
    Role.COMMISSIONS: lazy("Commissions"),
    Role.AGENTS_PAYABLE: lazy("Owed to agents"),
    Role.DIFFERENCES: lazy("Rounding differences"),
    Role.OTHER: lazy("Other"),
}
COLUMNS: Final[dict[str, Any]] = {
    "account": lazy("Account"),
    "account_name": lazy("Name"),
    "role": lazy("For"),
    "currency": lazy("Currency"),
    "opening": lazy("Before"),
    "debit": lazy("Debit"),
    "credit": lazy("Credit"),
    "balance": lazy("Balance"),
    "entry": lazy("Entry"),
    "dated": lazy("Day"),
    "source": lazy("Source"),
    "document": lazy("Document"),
    "text": lazy("Text"),
    "evidence": lazy("Evidence"),
    "corrects": lazy("Takes back"),
    "customer": lazy("Customer"),
    "customer_name": lazy("Name"),
    "made_by": lazy("By"),
    "kind": lazy("Kind"),
    "document_date": lazy("Date"),
    "due_on": lazy("Due"),
    "payable": lazy("Payable"),
    "open": lazy("Open"),
    "days_over": lazy("Days over"),
    "not_due": lazy("Not due"),
    "up_to_30": lazy("1 to 30 days"),
    "up_to_60": lazy("31 to 60 days"),
    "up_to_90": lazy("61 to 90 days"),
    "over_90": lazy("Over 90 days"),
    "together": lazy("Together"),
    "register": lazy("Register"),
    "year": lazy("Year"),
    "protocol": lazy("Protocol"),
    "tax_number": lazy("Tax number"),
    "rate": lazy("Rate"),
    "nature": lazy("Nature"),
    "liability": lazy("Who owes the tax"),
    "base": lazy("Taxable"),
    "tax": lazy("Tax"),
    "legal_reference": lazy("Legal reference"),
    "documents": lazy("Documents"),
    "tax_due": lazy("Tax due"),
    "tax_not_due": lazy("Tax put off"),
    "month": lazy("Month"),
    "category": lazy("Category"),
    "product": lazy("Product"),
    "net": lazy("Net"),
    "deferred": lazy("Put off"),
}
