"""Amounts and days as a message keeps them until it is written in its reader's language.

Next: billing/messages/message.py
"""

from __future__ import annotations

from datetime import date

from billing.money import Money


def money_told(amount: Money) -> dict[str, list[str]]:
    """An amount."""
    return {"$money": [str(amount.amount), amount.currency]}


def day_told(day: date) -> dict[str, str]:
    """A day."""
    return {"$day": day.isoformat()}
