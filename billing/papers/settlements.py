"""What an agent is paid for becomes the paper that goes with the money.

Source: billing model section 16.

Next: billing/papers/template_data.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from billing.money import Money
from billing.papers.paper import Frame, PaperKind, PrintedParty, SettledCommission, SettlementPaper
from billing.papers.parties import sender_of


def settlement_paper(
    *,
    label: str,
    issued_on: date,
    through: date,
    agent: str,
    email: str | None,
    issuer: Mapping[str, Any],
    language: str,
    amount: Money,
    commissions: Sequence[SettledCommission],
    undone_on: date | None = None,
) -> SettlementPaper:
    """What is printed of a settlement: each commission, and the sum; below zero the agent owes it."""
    return SettlementPaper(
        PaperKind.AGENT_SETTLEMENT,
        Frame(
            language,
            str(issuer.get("country", "")),
            issued_on,
            sender_of(issuer),
            PrintedParty(agent, email=email),
            label,
        ),
        through,
        tuple(commissions),
        amount,
        undone_on,
    )
