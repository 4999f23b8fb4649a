"""What a member of staff may be allowed to do: one permission a section of the console and kind of deed. Pure.

A role is a set of these. Whatever is not granted is refused: a page without a permission of its own is not served.

Next: person.py
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """`section.deed`. `see` opens the section's pages; a deed is granted beside it, never implied by another one."""

    NETWORK_SEE = "network.see"
    NETWORK_ACT = "network.act"
    NETWORK_CHANGE = "network.change"
    NETWORK_RELEASE = "network.release"
    HOLDER_SEE = "holder.see"
    ACCOUNT_SEE = "account.see"
    ACCOUNT_CHANGE = "account.change"
    ACCOUNT_REVEAL = "account.reveal"
    CUSTOMER_SEE = "customer.see"
    CUSTOMER_CHANGE = "customer.change"
    CUSTOMER_EXPORT = "customer.export"
    CONTRACT_SEE = "contract.see"
    CONTRACT_CHANGE = "contract.change"
    DOCUMENT_SEE = "document.see"
    DOCUMENT_ISSUE = "document.issue"
    BILL_SEE = "bill.see"
    BILL_RUN = "bill.run"
    PAYMENT_SEE = "payment.see"
    PAYMENT_RECORD = "payment.record"
    PAYMENT_GIVE_BACK = "payment.give_back"
    DUNNING_SEE = "dunning.see"
    DUNNING_ACT = "dunning.act"
    DUNNING_CHANGE = "dunning.change"
    LEDGER_SEE = "ledger.see"
    LEDGER_POST = "ledger.post"
    CATALOGUE_SEE = "catalogue.see"
    CATALOGUE_CHANGE = "catalogue.change"
    MESSAGE_SEE = "message.see"
    MESSAGE_SEND = "message.send"
    MESSAGE_CHANGE = "message.change"
    CASH_TAKE = "cash.take"
    CASH_MANAGE = "cash.manage"
    AGENT_MANAGE = "agent.manage"
    AGENT_OWN = "agent.own"
    EINVOICE_SEE = "einvoice.see"
    EINVOICE_ACT = "einvoice.act"
    GATEWAY_SEE = "gateway.see"
    GATEWAY_CHANGE = "gateway.change"
    WEBHOOK_SEE = "webhook.see"
    WEBHOOK_CHANGE = "webhook.change"
    PORTAL_SEE = "portal.see"
    PORTAL_CHANGE = "portal.change"
    STAFF_SEE = "staff.see"
    STAFF_CHANGE = "staff.change"
    AUDIT_SEE = "audit.see"
    SETTING_SEE = "setting.see"
    SETTING_CHANGE = "setting.change"


def section_of(permission: Permission) -> str:
    """The part of the console that it is about."""
    return permission.value.partition(".")[0]


EVERYTHING: Final = frozenset(Permission)
# Whatever their roles say: who is bound to a collector or an agent sees what is theirs and no more.
OF_A_COLLECTOR: Final = frozenset({Permission.CASH_TAKE})
OF_AN_AGENT: Final = frozenset({Permission.AGENT_OWN})
_NETWORK: Final = frozenset(
    {Permission.NETWORK_SEE, Permission.ACCOUNT_SEE, Permission.CUSTOMER_SEE, Permission.CONTRACT_SEE}
)
_OFFICE: Final = frozenset(
    {
        Permission.CUSTOMER_SEE,
        Permission.CONTRACT_SEE,
        Permission.ACCOUNT_SEE,
        Permission.DOCUMENT_SEE,
        Permission.BILL_SEE,
        Permission.PAYMENT_SEE,
        Permission.DUNNING_SEE,
        Permission.LEDGER_SEE,
        Permission.CATALOGUE_SEE,
        Permission.MESSAGE_SEE,
        Permission.EINVOICE_SEE,
        Permission.GATEWAY_SEE,
        Permission.PORTAL_SEE,
    }
)

# What a new installation begins with; an administrator makes others.
FIRST_ROLES: Final = MappingProxyType(
    {
        "administrator": EVERYTHING,
        "network operator": _NETWORK
        | {
            Permission.NETWORK_ACT,
            Permission.NETWORK_CHANGE,
            Permission.NETWORK_RELEASE,
            Permission.HOLDER_SEE,
            Permission.ACCOUNT_CHANGE,
            Permission.ACCOUNT_REVEAL,
            Permission.MESSAGE_SEE,
            Permission.MESSAGE_SEND,
        },
        "billing": _OFFICE
        | {
            Permission.CUSTOMER_CHANGE,
            Permission.CUSTOMER_EXPORT,
            Permission.CONTRACT_CHANGE,
            Permission.ACCOUNT_CHANGE,
            Permission.DOCUMENT_ISSUE,
            Permission.BILL_RUN,
            Permission.PAYMENT_RECORD,
            Permission.PAYMENT_GIVE_BACK,
            Permission.DUNNING_ACT,
            Permission.DUNNING_CHANGE,
            Permission.LEDGER_POST,
            Permission.CATALOGUE_CHANGE,
            Permission.MESSAGE_SEND,
            Permission.MESSAGE_CHANGE,
            Permission.EINVOICE_ACT,
            Permission.CASH_MANAGE,
            Permission.AGENT_MANAGE,
            Permission.PORTAL_CHANGE,
        },
        "support": _NETWORK | _OFFICE | {Permission.NETWORK_ACT, Permission.CUSTOMER_CHANGE, Permission.MESSAGE_SEND},
        "collector": OF_A_COLLECTOR,
        "agent": OF_AN_AGENT,
        "reader": _NETWORK | _OFFICE,
    }
)
