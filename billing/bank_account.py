"""A bank account's number as people write it, to the form in which it is kept: an IBAN, compact, whose check digits are right.

Source: ISO 13616 by python-stdnum; ISO 7064 MOD 97-10 finds every single mistyped character, and what a country says of its part.

Next: billing/contacts.py
"""

from __future__ import annotations

from dataclasses import dataclass

from stdnum import iban
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError

# Nothing longer is a number that somebody meant.
_LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True)
class WrongBankAccount:
    """Why a number was not taken."""

    reason: str


def read_iban(text: str) -> str | WrongBankAccount:
    """The IBAN in capitals without blanks, or what is wrong with it."""
    try:
        return (
            str(iban.validate(text))
            if len(text) <= _LONGEST_TEXT
            else WrongBankAccount("an IBAN has at most 34 characters")
        )
    except InvalidChecksum:
        return WrongBankAccount(
            f"IBAN {text}: wrong check digits: one of its characters is mistyped, missing or in another's place"
        )
    except InvalidLength:
        return WrongBankAccount(f"IBAN {text}: its length is not that of its country")
    except ValidationError:
        return WrongBankAccount(
            f"IBAN {text}: two letters of a country, two check digits and the account as that country writes it"
        )
