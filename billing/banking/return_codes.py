"""Why money came back: the reason codes of SEPA direct debits and transfers, in words, and what kind of reason each is.

A code that is not here is kept as it is told and taken for one that may pass by itself.

Source: EPC guidance on reason codes for R-transactions; ISO 20022 external code set ExternalReturnReason1Code.

Next: billing/banking/bank_line.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReturnKind(StrEnum):
    """What a return means for the next attempt."""

    SOFT = "soft"
    HARD = "hard"
    DISPUTE = "dispute"
    TECHNICAL = "technical"


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """A code in words; `kind` soft: it may go through another time, hard: not by this mandate, dispute: the payer refused it."""

    code: str
    words: str
    kind: ReturnKind


_S, _H, _D, _T = ReturnKind.SOFT, ReturnKind.HARD, ReturnKind.DISPUTE, ReturnKind.TECHNICAL
_CODES: Final = (
    ("AC01", "the account number is wrong", _H),
    ("AC04", "the account is closed", _H),
    ("AC06", "the account is blocked", _H),
    ("AC13", "the payer is a consumer", _H),
    ("AG01", "no direct debits on this account", _H),
    ("AG02", "wrong sequence or operation code", _T),
    ("AM04", "insufficient funds", _S),
    ("AM05", "collected twice", _T),
    ("BE05", "the creditor is not known", _T),
    ("CNOR", "the creditor's bank can't be reached", _T),
    ("DNOR", "the payer's bank can't be reached", _T),
    ("DT01", "wrong date", _T),
    ("ED05", "settlement failed", _T),
    ("FF01", "wrong format", _T),
    ("FF05", "wrong kind of debit", _T),
    ("MD01", "no valid mandate", _H),
    ("MD02", "data of the mandate is missing", _H),
    ("MD06", "the payer asked for it back", _D),
    ("MD07", "the payer is deceased", _H),
    ("MS02", "refused by the payer", _D),
    ("MS03", "the bank gives no reason", _S),
    ("RC01", "wrong BIC", _T),
    ("RR01", "regulatory: the payer's account is not told", _H),
    ("RR02", "regulatory: the payer's name or address is not told", _H),
    ("RR03", "regulatory: the creditor's name or address is not told", _H),
    ("RR04", "regulatory reason", _H),
    ("SL01", "a service of the payer's bank refuses it", _H),
    ("TM01", "told too late", _T),
)
CODES: Final = {code: ReturnCode(code, words, kind) for code, words, kind in _CODES}
_ANY: Final = re.compile(r"(?<![A-Z0-9])(" + "|".join(CODES) + r")(?![A-Z0-9])")
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def return_code(code: str) -> ReturnCode:
    """What is known of a code; of none and of an unknown one, that it may pass."""
    if not code:
        return ReturnCode("", "it came back", ReturnKind.SOFT)
    return CODES.get(code, ReturnCode(code, f"reason {code}", ReturnKind.SOFT))


def charges_fee(code: str) -> bool:
    """Whether the payer is charged for a return: not where the fault is ours or the banks'."""
    return return_code(code).kind is not ReturnKind.TECHNICAL


def code_in(text: str) -> str:
    """The first known code that a text names; a text that is one short word is its own code; "" where there is none."""
    found = _ANY.search(text.upper())
    if found:
        return found[1]
    word = text.strip()
    return word if _WELL_FORMED.fullmatch(word) else ""
