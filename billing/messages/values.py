"""What a message tells, kept as JSON until it is sent, and then written as its reader's language does.

Amounts, days and moments are kept as such, so that who writes a message need not know the language of who reads it.

Next: texts.py
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.errors import BillingError
from billing.messages.plain_values import day_told, money_told
from billing.money import Money, read_money
from billing.papers.spelling import Spelling

# One key, which no name of a template can be; amounts and days: plain_values.py.
_MOMENT: Final = "$moment"
_NUMBER: Final = "$number"


def kept(value: object) -> Any:
    """A value as JSON holds it. Raises: BillingError for what no message can tell."""
    match value:
        case None | bool() | str() | int():
            return value
        case Money():
            return money_told(value)
        case datetime():
            return {_MOMENT: value.isoformat()}
        case date():
            return day_told(value)
        case Decimal():
            return {_NUMBER: str(value)}
        case Mapping():
            return {str(key): kept(one) for key, one in value.items()}
        case list() | tuple():
            return [kept(one) for one in value]
        case _:
            raise BillingError(
                f"{value!r} can't stand in a message: texts, amounts, days, moments, lists and tables can"
            )


def told(value: Any, spelling: Spelling, zone: ZoneInfo) -> Any:
    """What was kept, as texts: amounts with their currency, days in full, moments in that zone."""
    if isinstance(value, list):
        return [told(one, spelling, zone) for one in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$money": [amount, currency]}:
            return spelling.amount(read_money(Decimal(amount), currency))["full"]
        case {"$day": day}:
            return spelling.day(date.fromisoformat(day))["long"]
        case {"$moment": moment}:
            return spelling.moment(datetime.fromisoformat(moment).astimezone(zone))
        case {"$number": number}:
            return spelling.number(Decimal(number))
    return {key: told(one, spelling, zone) for key, one in value.items()}
