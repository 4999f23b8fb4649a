"""Letters of dunning: written with their parties as they are that day, read back as they were.

Units: days of the issuer's zone; amounts in the currency of the case.
Next: billing/papers/letters.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import orjson
import psycopg

from billing.errors import BillingError
from billing.money import read_money
from billing.papers.letters import ListedPart, WrittenLetter
from billing.store.parties import load_issuer, load_parties

Connection = psycopg.Connection[Any]

# A contract is named by its number and where its line ends.
_CONTRACTS: Final = """
SELECT c.id, concat_ws(', ', c.id::text, concat_ws(' ', a.street, a.house_number), a.city)
FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id LEFT JOIN address AS a ON a.id = t.service_address_id WHERE c.id = ANY (%s)
"""
_SAVE: Final = """
INSERT INTO dunning_letter (case_id, step, is_formal, dated, language, issuer, customer, said)
SELECT case_id, step, is_formal, dated, language::spoken_language, issuer::jsonb, customer::jsonb, said::jsonb
FROM unnest(%(cases)s::bigint[], %(steps)s::text[], %(formal)s::boolean[], %(dated)s::date[], %(languages)s::text[], %(issuers)s::text[], %(customers)s::text[],
    %(said)s::text[]) WITH ORDINALITY AS n (case_id, step, is_formal, dated, language, issuer, customer, said, place) ORDER BY place
RETURNING id, case_id, step
"""
_LOAD: Final = """
SELECT c.customer_id, c.issuer_id, c.currency::text, l.is_formal, l.dated, l.language::text, l.issuer, l.customer, l.said
FROM dunning_letter AS l JOIN dunning_case AS c ON c.id = l.case_id WHERE l.id = %s
"""
_DOCUMENTS: Final = "SELECT id, label, document_date, payable FROM document WHERE id = ANY (%s)"
_OF_CASE: Final = "SELECT id, step FROM dunning_letter WHERE case_id = %s ORDER BY id"


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter as a step writes it. `parts` are documents with a due day and what is open of it."""

    case_id: int
    customer_id: int
    issuer_id: int
    step: str
    is_formal: bool
    dated: date
    channel: str
    nth: int
    parts: tuple[tuple[int, date, Decimal], ...]
    pay_by: date
    limited_on: date | None
    notice_days: int | None
    law: str | None
    contracts: tuple[int, ...]


def save_letters(connection: Connection, letters: Sequence[NewLetter]) -> list[int]:
    """Write them with who writes to whom; their numbers, in their order."""
    if not letters:
        return []
    customers = load_parties(connection, sorted({one.customer_id for one in letters}))
    issuers = {number: load_issuer(connection, number).data for number in {one.issuer_id for one in letters}}
    names = dict(connection.execute(_CONTRACTS, (sorted({n for one in letters for n in one.contracts}),)).fetchall())
    given: dict[str, list[Any]] = {
        "cases": [one.case_id for one in letters],
        "steps": [one.step for one in letters],
        "formal": [one.is_formal for one in letters],
        "dated": [one.dated for one in letters],
        "languages": [customers[one.customer_id].language for one in letters],
        "issuers": [issuers[one.issuer_id] for one in letters],
        "customers": [customers[one.customer_id].data for one in letters],
        "said": [_said(one, [names[number] for number in one.contracts]) for one in letters],
    }
    rows = connection.execute(_SAVE, given).fetchall()
    numbers = {(case_id, step): number for number, case_id, step in rows}
    return [numbers[one.case_id, one.step] for one in letters]


def load_letter(connection: Connection, letter_id: int) -> tuple[int, int, WrittenLetter]:
    """Whose it is, which issuer's, and the letter. Raises: BillingError when there is none."""
    row = connection.execute(_LOAD, (letter_id,)).fetchone()
    if row is None:
        raise BillingError(f"there is no letter {letter_id}")
    customer_id, issuer_id, currency, is_formal, dated, language, issuer, customer, said = row
    ids = [document for document, _, _ in said["parts"]]
    # What an issued document says never changes: only what was open of it had to be kept.
    documents = {number: rest for number, *rest in connection.execute(_DOCUMENTS, (ids,))}
    parts = []
    for document, due_on, open_ in said["parts"]:
        label, day, payable = documents[document]
        money = (read_money(payable, currency), read_money(Decimal(open_), currency))
        parts.append(ListedPart(label, day, date.fromisoformat(due_on), *money))
    limited = said["limited_on"]
    written = WrittenLetter(
        is_formal,
        dated,
        language,
        issuer,
        customer,
        currency,
        said["channel"],
        said["nth"],
        tuple(parts),
        date.fromisoformat(said["pay_by"]),
        limited_on=None if limited is None else date.fromisoformat(limited),
        notice_days=said["notice_days"],
        law=said["law"],
        contracts=tuple(said["contracts"]),
    )
    return customer_id, issuer_id, written


def load_letters_of(connection: Connection, case_id: int) -> dict[str, int]:
    """The letters of a case by their steps, in order."""
    return {step: number for number, step in connection.execute(_OF_CASE, (case_id,))}


def _said(letter: NewLetter, contracts: Sequence[str]) -> str:
    return orjson.dumps(
        {
            "channel": letter.channel,
            "nth": letter.nth,
            "parts": [(document, due_on, str(open_)) for document, due_on, open_ in letter.parts],
            "pay_by": letter.pay_by,
            "limited_on": letter.limited_on,
            "notice_days": letter.notice_days,
            "law": letter.law,
            "contracts": contracts,
        }
    ).decode()
