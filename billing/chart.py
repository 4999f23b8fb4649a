"""The chart of accounts: what an account is for, which one takes what, and why the books refuse something.

Source: billing model section 13; schema.sql's account_role.

Next: billing/ledger.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.sentence import Sentence


class Role(StrEnum):
    """What an account is for; entries of the product are written by role, never by number."""

    CUSTOMERS = "customers"
    REVENUE = "revenue"
    VAT_OUTPUT = "vat_output"
    VAT_SPLIT = "vat_split"
    STAMP_DUTY = "stamp_duty"
    DEFERRED_REVENUE = "deferred_revenue"
    CLEARING = "clearing"
    BANK = "bank"
    FEES = "fees"
    FEE_INCOME = "fee_income"
    SUSPENSE = "suspense"
    BAD_DEBTS = "bad_debts"
    CASH_WITH_COLLECTOR = "cash_with_collector"
    CASH = "cash"
    CASH_SHORTAGE = "cash_shortage"
    COMMISSIONS = "commissions"
    AGENTS_PAYABLE = "agents_payable"
    DIFFERENCES = "differences"
    OTHER = "other"


# Only of these there is one a product family, one a payment method, or one for what was counted too much (`surplus`).
ROLES_WITH_FAMILY: Final = frozenset({Role.REVENUE, Role.CLEARING, Role.CASH_SHORTAGE})


class LedgerReason(StrEnum):
    """Why the books do not take something."""

    NO_TEXT = "no_text"
    TOO_FEW = "too_few"
    NO_ACCOUNT = "no_account"
    NO_AMOUNT = "no_amount"
    PLACES = "places"
    CUSTOMER = "customer"
    UNBALANCED = "unbalanced"
    CLOSED = "closed"
    AHEAD = "ahead"
    DOCUMENT = "document"
    CORRECTED = "corrected"
    ORDER = "order"
    NOTHING = "nothing"
    UNFINISHED = "unfinished"
    TAKEN = "taken"
    POSTED = "posted"
    FAMILY = "family"


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The books do not take it; `why` names the thing and what to do."""

    reason: LedgerReason
    why: Sentence

    @property
    def message(self) -> str:
        """In English, as commands print it."""
        return self.why.message


@dataclass(frozen=True, slots=True)
class Account:
    """One account of an issuer's chart. `stands_for` its role and family: what names no account goes to it."""

    id: int
    code: str
    name: str
    role: Role
    family: str | None = None
    stands_for: bool = True
    posted: bool = False


def decide_account(
    code: str, role: Role, family: str | None, *, stands_for: bool, chart: Sequence[Account]
) -> NotTaken | None:
    """Why an account can't be added to a chart; None when it can."""
    if any(account.code == code for account in chart):
        return NotTaken(LedgerReason.TAKEN, Sentence("there is an account %(account)s already", account=code))
    if family is not None and role not in ROLES_WITH_FAMILY:
        return NotTaken(
            LedgerReason.FAMILY,
            Sentence(
                "an account of role %(role)s has no family; revenue, clearing and cash_shortage have", role=role.value
            ),
        )
    if not stands_for:
        return None
    if role is Role.OTHER:
        return NotTaken(
            LedgerReason.FAMILY, Sentence("an account of role other stands for nothing: entries by hand name it")
        )
    return next(
        (
            NotTaken(
                LedgerReason.TAKEN,
                _taken(one, role, family),
            )
            for one in chart
            if one.stands_for and one.role is role and one.family == family
        ),
        None,
    )


def _taken(one: Account, role: Role, family: str | None) -> Sentence:
    account = f"{one.code} {one.name}"
    if family is None:
        return Sentence("account %(account)s stands for %(role)s already", account=account, role=role.value)
    return Sentence(
        "account %(account)s stands for %(role)s of %(family)s already",
        account=account,
        role=role.value,
        family=family,
    )


def decide_role(account: Account, role: Role) -> NotTaken | None:
    """Why an account can't get another role; None when it can."""
    if account.posted and account.role is not role:
        return NotTaken(
            LedgerReason.POSTED,
            Sentence(
                "account %(account)s has postings, which were made to it as %(role)s: add another account",
                account=account.code,
                role=account.role.value,
            ),
        )
    return None
