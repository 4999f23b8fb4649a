"""One line of an account at a bank, whatever file told it: an amount in or out, who, when, and in which words.

A line has a key: told again, in the same file or in another that overlaps, it is the same line. The bank's own reference makes it
where there is one; else what the line says, with its place among equal lines of the file. An entry that the bank tells in parts
(a batch of direct debits) is one entry and several lines.

Units: amounts above zero came in, below zero went out; days are the bank's own.
Source: billing model section 12 and 17; ISO 20022 camt.053 and camt.054, AccountServicerReference.

Next: billing/banking/amount_text.py
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from billing.errors import BillingError
from billing.money import Money, total

# Beyond this nobody's statement of a day, month or year lies; a larger file is refused before it is read.
MAX_FILE_OCTETS: Final = 64 << 20
MAX_LINES: Final = 200_000
_LONGEST: Final = {"text": 1000, "party": 300}
_LONGEST_WORD: Final = 140


class BankFileError(BillingError):
    """A file can't be read as a whole; the message says where, why and what to do."""


class Form(StrEnum):
    """What kind of file told a line."""

    CSV = "csv"
    CAMT_053 = "camt.053"
    CAMT_054 = "camt.054"
    PAIN_002 = "pain.002"


class Flow(StrEnum):
    """How the money moved, as far as the file says."""

    TRANSFER = "transfer"
    DEBIT = "direct_debit"


@dataclass(frozen=True, slots=True)
class BankLine:
    """One line. `party` and `party_iban` are who paid, or was paid; `reference` is the bank's own word for it.

    `returned` is the code with which money came back, "" where it came back and nobody says why, None where it did not. `whole` is
    what of a return was the payment, without the bank's charge. `undone`: the bank takes an entry of its own back.
    """

    number: int
    amount: Money
    booked_on: date
    value_on: date
    text: str = ""
    party: str = ""
    party_iban: str = ""
    reference: str = ""
    entry_reference: str = ""
    creditor_reference: str = ""
    end_to_end: str = ""
    mandate: str = ""
    bank_code: str = ""
    flow: Flow = Flow.TRANSFER
    returned: str | None = None
    whole: Money | None = None
    undone: bool = False
    key: str = ""
    entry_key: str = ""

    @property
    def is_return(self) -> bool:
        """Whether this is money of ours that went back."""
        return self.amount.minor < 0 and (self.returned is not None or self.undone)


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines that a file has of one account; `account` is as the file says it, "" where it does not. `findings` are for a person.

    `how` tells ways of reading from each other: by another layout a line says something else, and has another key.
    """

    account: str
    form: Form
    lines: tuple[BankLine, ...]
    findings: tuple[str, ...] = ()
    skipped: int = 0
    how: str = ""


def clean(text: str, longest: int = _LONGEST_WORD) -> str:
    """A text of a bank as it is kept: one line, nothing that a terminal or a database obeys, no longer than it may be."""
    # Nearly all texts; looking at each character is for the others.
    plain = text if text.isprintable() else "".join(" " if unicodedata.category(one) in _BLANK else one for one in text)
    return " ".join(plain.split())[:longest].rstrip()


_BLANK: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


_MARKS: Final = re.compile(r"[\W_]+")
_OTHERS: Final = ("reference", "entry_reference", "creditor_reference", "end_to_end", "mandate", "bank_code")


def cleaned(line: BankLine) -> BankLine:
    """It with its texts as they are kept."""
    words: dict[str, Any] = {name: clean(getattr(line, name), longest) for name, longest in _LONGEST.items()}
    words |= {name: clean(getattr(line, name)) for name in _OTHERS}
    iban = "".join(one for one in line.party_iban.upper() if one.isascii() and one.isalnum())[:34]
    return replace(line, party_iban=iban, **words)


def keyed(lines: Iterable[BankLine]) -> tuple[BankLine, ...]:
    """The lines of one account's statement, each with its key and the key of its entry.

    Lines that say the same and have no reference of the bank's are told apart by their place among themselves: a file that has two
    of them and another that has one agree about the first. Two banks' references never meet, since keys count within an account.
    """
    found, counted = [], Counter[str]()
    for entry in _entries(lines):
        name = entry[0].entry_reference or entry[0].reference
        if name:
            # A bank that gives one reference to several entries, or to one and its reversal, tells them by day and amount.
            said = f"{name} {entry[0].booked_on:%Y%m%d} {sum_of(entry)}"
        else:
            said = "~" + _digest(_says(one) for one in entry)
        counted[said] += 1
        entry_key = said if counted[said] == 1 else f"{said} #{counted[said]}"
        found += _parts(entry, entry_key)
    return tuple(found)


def _entries(lines: Iterable[BankLine]) -> list[list[BankLine]]:
    """Lines of one entry stand together and have its number."""
    entries: list[list[BankLine]] = []
    for line in lines:
        if entries and entries[-1][0].number == line.number:
            entries[-1].append(line)
        else:
            entries.append([line])
    return entries


def _parts(entry: Sequence[BankLine], entry_key: str) -> list[BankLine]:
    if len(entry) == 1:
        return [replace(entry[0], key=entry_key, entry_key=entry_key)]
    counted, found = Counter[str](), []
    for line in entry:
        said = line.reference or line.end_to_end or "~" + _digest([_says(line)])
        counted[said] += 1
        part = said if counted[said] == 1 else f"{said} #{counted[said]}"
        found.append(replace(line, key=f"{entry_key} / {part}", entry_key=entry_key))
    return found


def sum_of(entry: Sequence[BankLine]) -> Money:
    """What an entry comes to, with all its parts."""
    return total((one.amount for one in entry), entry[0].amount.currency)


def _says(line: BankLine) -> str:
    """What tells a line from others, without how a file happens to write it: case, blanks and marks don't count."""
    words = (line.text, line.party, line.party_iban, line.creditor_reference, line.end_to_end, line.mandate)
    plain = (_MARKS.sub("", word.upper()) for word in words)
    return "|".join((str(line.amount), line.booked_on.isoformat(), line.value_on.isoformat(), *plain))


def _digest(texts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=12).hexdigest()
