"""Whose a payment of a bank's line may be: every customer that something speaks for, with a score and the reasons.

Each reason is evidence by itself; together they leave as much doubt as each leaves, multiplied: a printed number (85 of 100) and an
amount that is just what is open (50) leave 15 % of 50 %, which is a score of 92. Nothing is certain; the operator says from which score
on a match needs no person, and two customers that come near each other always need one.

An amount alone speaks only where a single invoice has it open: in a book of equal fees it says nothing.

Units: scores of 0 to 99.
Source: billing model section 12.

Next: billing/banking/returns.py
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Final

from billing.banking.bank_line import BankLine
from billing.banking.evidence import is_telling, name_tokens, reference_bodies, runs_of, tokens
from billing.money import Money, total


class Reason(StrEnum):
    """What speaks for a customer."""

    REFERENCE = "creditor_reference"
    NUMBER = "document_number"
    LOOSE_NUMBER = "number_and_year"
    CUSTOMER = "customer_reference"
    IBAN = "known_iban"
    SHARED_IBAN = "iban_of_several"
    NAME = "name"
    SHARED_NAME = "name_of_several"
    AMOUNT = "amount_of_document"
    NAMED_AMOUNT = "amount_of_named"
    ALL = "amount_of_all_open"
    SOME = "amount_of_some"
    ONLY = "only_one_with_amount"


# Of 100 times that it is seen, how often it is right by itself.
_WEIGHTS: Final[Mapping[Reason, int]] = {
    Reason.REFERENCE: 97,
    Reason.NUMBER: 85,
    Reason.LOOSE_NUMBER: 60,
    Reason.CUSTOMER: 80,
    Reason.IBAN: 75,
    Reason.SHARED_IBAN: 40,
    Reason.NAME: 55,
    Reason.SHARED_NAME: 30,
    Reason.AMOUNT: 50,
    Reason.NAMED_AMOUNT: 60,
    Reason.ALL: 50,
    Reason.SOME: 30,
    Reason.ONLY: 40,
}
# Beyond so many open invoices of one customer some of them come to nearly any amount.
_MOST_SUMMED: Final = 10
_MOST_SUGGESTED: Final = 5
# A printed number of one word that is shorter stands in a text by chance.
_TELLING_LABEL: Final = 6
_LONGEST_NUMBER: Final = 9
_NEAR: Final = 2
_LITTLE: Final = frozenset(("DEL", "DELL", "DE", "ANNO", "ANO", "OF", "N", "NR", "NO", "NUM"))
_YEAR: Final = re.compile(r"20[0-9]{2}")
# A customer's own reference that stands in a text may stand there for another thing, and the amount may be anybody's.
_NEEDS_MORE: Final = frozenset((Reason.CUSTOMER, Reason.AMOUNT, Reason.ALL, Reason.SOME, Reason.ONLY))
# Two customers nearer to each other than this are for a person.
CLEAR_BY: Final = 15


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """An invoice with something open."""

    id: int
    label: str
    customer_id: int
    open: Money
    due_on: date


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A customer that a line may be of, and the invoices that it names or adds up to."""

    customer_id: int
    score: int
    reasons: tuple[Reason, ...]
    invoices: tuple[int, ...] = ()


class Known:
    """What lines are held against: open invoices, customers' names and references, accounts that paid before.

    Read once for a file; `settle` brings one customer up to date after each payment.
    """

    def __init__(
        self,
        *,
        names: Mapping[int, str],
        references: Mapping[int, str],
        ibans: Mapping[str, frozenset[int]],
        documents: Iterable[OpenDocument],
    ) -> None:
        self.ibans = ibans
        self.documents: dict[int, OpenDocument] = {}
        self._open: dict[int, tuple[OpenDocument, ...]] = {}
        self._labels: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._bodies: dict[str, set[int]] = defaultdict(set)
        self._numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._amounts: dict[Money, set[int]] = defaultdict(set)
        by_customer: dict[int, list[OpenDocument]] = defaultdict(list)
        for one in documents:
            by_customer[one.customer_id].append(one)
        for customer_id, mine in by_customer.items():
            self.settle(customer_id, mine)
        # Each name under the rarest of its words: one look finds all names that a text has whole.
        named = {customer_id: name_tokens(name) for customer_id, name in names.items()}
        counted = Counter(word for words in named.values() for word in words)
        self._by_name: dict[str, list[tuple[frozenset[str], int]]] = defaultdict(list)
        for customer_id, words in named.items():
            if words:
                self._by_name[min(words, key=lambda word: (counted[word], word))].append((words, customer_id))
        self._by_reference: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for customer_id, reference in references.items():
            if is_telling(reference):
                self._by_reference[tokens(reference)].add(customer_id)
        # How many words printed numbers and references have.
        self.lengths = sorted({len(one) for one in (*self._labels, *self._by_reference)})

    def settle(self, customer_id: int, documents: Iterable[OpenDocument]) -> None:
        """What a customer has open now."""
        for one in self._open.pop(customer_id, ()):
            del self.documents[one.id]
            for place in self._places(one):
                place.discard(one.id)
        mine = tuple(sorted(documents, key=lambda one: (one.due_on, one.id)))
        if mine:
            self._open[customer_id] = mine
        for one in mine:
            self.documents[one.id] = one
            for place in self._places(one):
                place.add(one.id)

    def open_of(self, customer_id: int) -> tuple[OpenDocument, ...]:
        """What a customer has open, oldest first."""
        return self._open.get(customer_id, ())

    def with_amount(self, amount: Money) -> Collection[int]:
        """Invoices that have just that open."""
        return self._amounts.get(amount, ())

    def with_label(self, words: tuple[str, ...]) -> Collection[int]:
        """Invoices whose printed number is that run of words."""
        return self._labels.get(words, ())

    def with_body(self, body: str) -> Collection[int]:
        """Invoices that a structured reference is of."""
        return self._bodies.get(body, ())

    def with_number(self, number: str, year: str) -> Collection[int]:
        """Invoices of a number and a year, in whatever register."""
        return self._numbers.get((number, year), ())

    def referred(self, words: tuple[str, ...]) -> Collection[int]:
        """Customers whose reference is that run of words."""
        return self._by_reference.get(words, ())

    def named(self, words: frozenset[str]) -> list[int]:
        """Customers all of whose name stands among these words; a name of one word only where nothing else stands there."""
        return [
            customer_id
            for word in words
            for name, customer_id in self._by_name.get(word, ())
            if name <= words and (len(name) > 1 or len(words) == 1)
        ]

    def _places(self, one: OpenDocument) -> tuple[set[int], ...]:
        words = tokens(one.label)
        years = [word for word in words if _YEAR.fullmatch(word)]
        numbers = [word.lstrip("0") for word in words if word.isdigit() and word not in years]
        loose = [self._numbers[number, years[0]] for number in numbers[:1] if years]
        # A number of one short word stands in every text.
        exact = [self._labels[words]] if len(words) > 1 or len(one.label) >= _TELLING_LABEL else []
        return (*exact, *loose, self._bodies["".join(words)], self._amounts[one.open])


class _Case:
    """What speaks for each customer, as it is gathered."""

    def __init__(self) -> None:
        self.reasons: dict[int, dict[Reason, None]] = defaultdict(dict)
        self.invoices: dict[int, dict[int, None]] = defaultdict(dict)

    def name(self, known: Known, invoices: Iterable[int], reason: Reason) -> None:
        """Invoices that a line names."""
        for number in sorted(invoices):
            customer_id = known.documents[number].customer_id
            self.reasons[customer_id][reason] = None
            self.invoices[customer_id][number] = None

    def point(self, customers: Collection[int], reason: Reason, shared: Reason) -> None:
        """Customers that a line points at: one alone, or several."""
        for customer_id in sorted(set(customers)):
            self.reasons[customer_id][reason if len(set(customers)) == 1 else shared] = None


def suggest(line: BankLine, known: Known) -> tuple[Suggestion, ...]:
    """Who a line that came in may be of, the likeliest first."""
    case = _Case()
    words = tokens(f"{line.text} {line.end_to_end}")
    for body in reference_bodies(line.creditor_reference, line.text):
        case.name(known, known.with_body(body), Reason.REFERENCE)
        case.point(known.referred((body,)), Reason.REFERENCE, Reason.REFERENCE)
    for run in runs_of(words, known.lengths):
        case.name(known, known.with_label(run), Reason.NUMBER)
        case.point(known.referred(run), Reason.CUSTOMER, Reason.CUSTOMER)
    if not case.invoices:
        for number, year in _numbers_with_years(words):
            case.name(known, known.with_number(number, year), Reason.LOOSE_NUMBER)
    case.point(known.ibans.get(line.party_iban, frozenset()), Reason.IBAN, Reason.SHARED_IBAN)
    case.point(known.named(name_tokens(line.party)), Reason.NAME, Reason.SHARED_NAME)
    alone = known.with_amount(line.amount)
    if len(alone) == 1:
        # It names no invoice: it only happens to be the one.
        case.reasons[known.documents[next(iter(alone))].customer_id][Reason.ONLY] = None
    found = [_judged(customer_id, case, line, known) for customer_id in case.reasons]
    return tuple(sorted(found, key=lambda one: (-one.score, one.customer_id))[:_MOST_SUGGESTED])


def clear_choice(suggestions: Sequence[Suggestion], *, automatic_from: int) -> Suggestion | None:
    """The one that needs no person: at or above the operator's score, no other near it, and not by a customer's reference and amount alone."""
    if not suggestions or suggestions[0].score < automatic_from:
        return None
    if Reason.CUSTOMER in suggestions[0].reasons and _NEEDS_MORE.issuperset(suggestions[0].reasons):
        return None
    if len(suggestions) > 1 and suggestions[0].score - suggestions[1].score < CLEAR_BY:
        return None
    return suggestions[0]


def _numbers_with_years(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    """A number and a year that stand near each other: 12/2026, 12 del 2026, 2026-12."""
    for place, word in enumerate(words):
        if not _YEAR.fullmatch(word):
            continue
        for other in (*_reached(words[place - 1 :: -1] if place else ()), *_reached(words[place + 1 :])):
            if other.isdigit() and len(other) <= _LONGEST_NUMBER and not _YEAR.fullmatch(other):
                yield other.lstrip("0"), word


def _reached(words: Sequence[str]) -> Iterable[str]:
    """The next word, and what stands behind a little one. Behind another word stands another thing: FT may name a register."""
    for word in words[:_NEAR]:
        yield word
        if word not in _LITTLE:
            return


def _judged(customer_id: int, case: _Case, line: BankLine, known: Known) -> Suggestion:
    """With what the amount says of the customer's open invoices."""
    reasons = case.reasons[customer_id]
    mine = known.open_of(customer_id)
    invoices = tuple(case.invoices.get(customer_id, ()))
    fitting = _fitting(line.amount, mine, invoices)
    if fitting is not None:
        reason, invoices = fitting
        reasons[reason] = None
        # The amount speaks once.
        reasons.pop(Reason.ONLY, None)
    doubt = 1.0
    for reason in reasons:
        doubt *= 1 - _WEIGHTS[reason] / 100
    return Suggestion(customer_id, min(99, int(100 * (1 - doubt) + 1e-9)), tuple(reasons), invoices)


def _fitting(
    amount: Money, mine: Sequence[OpenDocument], named: tuple[int, ...]
) -> tuple[Reason, tuple[int, ...]] | None:
    """Which of a customer's open invoices an amount is just enough for: those that are named, one, all, some."""
    mine = [one for one in mine if one.open.currency == amount.currency]
    told = [one.open for one in mine if one.id in named]
    if named and told and total(told, amount.currency) == amount:
        return Reason.NAMED_AMOUNT, named
    if named:
        return None
    alone = next((one for one in mine if one.open == amount), None)
    if alone is not None:
        return Reason.AMOUNT, (alone.id,)
    if mine and total((one.open for one in mine), amount.currency) == amount:
        return Reason.ALL, ()
    for count in range(2, min(len(mine), _MOST_SUMMED)):
        for some in combinations(mine[:_MOST_SUMMED], count):
            if total((one.open for one in some), amount.currency) == amount:
                return Reason.SOME, tuple(one.id for one in some)
    return None
