"""The chart of accounts, entries by hand and closed days.

What may be written decides billing/ledger.py. Each writer says in its transaction who it is (billing/store/acting.py).

Next: billing/store/reports.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row, tuple_row

from billing.chart import Account, LedgerReason, NotTaken, Role, decide_account, decide_role
from billing.errors import BillingError
from billing.ledger import BY_HAND, CORRECTION, Booked, HandEntry, Unfinished, decide_closing
from billing.money import read_money
from billing.periods import Period
from billing.postings import Leg
from billing.sentence import Sentence

Connection = psycopg.Connection[Any]


class NoSuchIssuerError(BillingError):
    """No issuer of that name, or none named where there are several."""


@dataclass(frozen=True, slots=True)
class BookKeeper:
    """An issuer as its books need it: the currency they are in and the zone its days begin in."""

    id: int
    name: str
    currency: str
    zone: str


# Whether an account has postings: EXISTS would read all of them where it has none, for the planner takes every account to have its share.
_CHART: Final = """
SELECT a.id, a.code, a.name, a.role::text AS role, a.family, a.stands_for, coalesce((SELECT p.account_id FROM posting p WHERE p.account_id >= a.id ORDER BY p.account_id LIMIT 1) = a.id, false) AS posted
FROM ledger_account a WHERE a.issuer_id = %s ORDER BY a.code
"""
_OWN: Final = """
SELECT p.name, a.code FROM product_account o JOIN product p ON p.id = o.product_id JOIN ledger_account a ON a.id = o.account_id
WHERE o.issuer_id = %s ORDER BY p.name
"""
_BOOKED: Final = """
SELECT e.id, e.source, e.dated, e.currency, (SELECT c.id FROM entry c WHERE c.corrects_id = e.id ORDER BY c.id LIMIT 1)
FROM entry e WHERE e.id = %s AND e.issuer_id = %s
"""


# What of the days up to one still waits. Each: what it is, how many, for example which, what finishes it.
@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """An entry with who wrote it, of what, and what it says."""

    id: int
    issuer_id: int
    dated: date
    source: str
    source_id: int
    corrects_id: int | None
    note: str | None
    evidence: str | None
    made_by: str
    made_at: datetime


_UNFINISHED: Final = (
    (
        Sentence("drafts of documents"),
        "SELECT count(*), min(id)::text FROM document WHERE issuer_id = %(issuer)s AND state = 'draft' AND kind IN ('invoice', 'credit_note')"
        " AND document_date <= %(through)s",
        "issue or delete them",
    ),
    (
        Sentence("billing runs not done"),
        "SELECT count(*), min(run_date)::text FROM billing_run WHERE issuer_id = %(issuer)s AND state IN ('prepared', 'issuing') AND run_date <= %(through)s",
        "confirm or cancel them",
    ),
    (
        Sentence("customers that a run could not bill"),
        "SELECT count(DISTINCT e.customer_id), min(e.customer_id)::text FROM billing_error e JOIN billing_run r ON r.id = e.run_id"
        " WHERE r.issuer_id = %(issuer)s AND r.state <> 'cancelled' AND r.run_date <= %(through)s"
        " AND EXISTS (SELECT FROM contract_terms t JOIN contract_item i ON i.contract_id = t.contract_id JOIN billing_position b ON b.item_id = i.id"
        " WHERE t.contract_id = e.contract_id AND b.due_on <= %(through)s)",
        "mend what each says and bill again",
    ),
    (
        Sentence("items due and not billed"),
        "SELECT count(*), min(t.contract_id)::text FROM billing_position b JOIN contract_item i ON i.id = b.item_id JOIN contract_terms t ON t.contract_id = i.contract_id"
        " WHERE t.issuer_id = %(issuer)s AND b.due_on <= %(through)s",
        "bill them",
    ),
    (
        Sentence("charges on no document"),
        "SELECT count(*), min(t.contract_id)::text FROM charge c JOIN contract_item i ON i.id = c.item_id JOIN contract_terms t ON t.contract_id = i.contract_id"
        " WHERE t.issuer_id = %(issuer)s AND c.document_id IS NULL AND NOT c.covered AND c.due_on <= %(through)s",
        "bill them",
    ),
)


# A contract is of one issuer; a customer, of those with whom it has contracts or an account.
_CONCERNED: Final = """
SELECT t.issuer_id FROM contract_terms AS t JOIN contract AS c ON c.id = t.contract_id
WHERE CASE WHEN %(contract)s::bigint IS NOT NULL THEN c.id = %(contract)s ELSE %(customer)s IN (c.customer_id, t.payer_id) END
UNION SELECT issuer_id FROM customer_balance WHERE %(contract)s::bigint IS NULL AND customer_id = %(customer)s
"""


def load_book_keeper(
    connection: Connection,
    name: str | None = None,
    *,
    customer_id: int | None = None,
    contract_id: int | None = None,
) -> BookKeeper:
    """The issuer of that name; without a name the only one there is, or that has to do with a contract or a customer.

    Raises: NoSuchIssuerError, which names those that there are.
    """
    with connection.cursor(row_factory=class_row(BookKeeper)) as cursor:
        issuers = cursor.execute("SELECT id, name, currency, zone FROM issuer ORDER BY name").fetchall()
    found = [one for one in issuers if name is None or one.name.casefold() == name.casefold()]
    if name is None and len(found) > 1 and (customer_id is not None or contract_id is not None):
        given = {"customer": customer_id, "contract": contract_id}
        concerned = {number for (number,) in connection.execute(_CONCERNED, given).fetchall()}
        found = [one for one in issuers if one.id in concerned]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in issuers)
    if not issuers:
        raise NoSuchIssuerError("there is no issuer yet, so there are no books")
    raise NoSuchIssuerError(
        f"there is no issuer {name!r}; there is {names}" if name else f"say whose books with --issuer: {names}"
    )


def load_chart(connection: Connection, issuer_id: int) -> list[Account]:
    """An issuer's accounts by code."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_CHART, (issuer_id,)).fetchall()
    return [Account(id, code, name, Role(role), *rest) for id, code, name, role, *rest in rows]


def load_own_accounts(connection: Connection, issuer_id: int) -> list[tuple[str, str]]:
    """The products with a revenue account of their own: product and account code."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_OWN, (issuer_id,)).fetchall()


def add_account(
    connection: Connection, issuer_id: int, code: str, name: str, role: Role, *, family: str | None, stands_for: bool
) -> Account | NotTaken:
    """Add an account to an issuer's chart, or say why not."""
    refused = decide_account(code, role, family, stands_for=stands_for, chart=load_chart(connection, issuer_id))
    if refused:
        return refused
    number = _number(
        connection,
        "INSERT INTO ledger_account (issuer_id, code, name, role, family, stands_for) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (issuer_id, code, name, role, family, stands_for),
    )
    return Account(number, code, name, role, family, stands_for)


def change_account(
    connection: Connection, account: Account, *, code: str | None, name: str | None, role: Role | None
) -> NotTaken | None:
    """Give an account another code or name; another role only while nothing is posted to it."""
    if role is not None and (refused := decide_role(account, role)):
        return refused
    connection.execute(
        "UPDATE ledger_account SET code = %s, name = %s, role = %s, stands_for = stands_for AND %s WHERE id = %s",
        (code or account.code, name or account.name, role or account.role, role is not Role.OTHER, account.id),
    )
    return None


def set_family_account(connection: Connection, issuer_id: int, account: Account, family: str | None) -> NotTaken | None:
    """Post the revenue of a product family to an account from now on; without a family, all that has no account of its own."""
    if account.role is not Role.REVENUE:
        return NotTaken(
            LedgerReason.FAMILY,
            Sentence(
                "account %(account)s is of role %(role)s; name one of role revenue",
                account=f"{account.code} {account.name}",
                role=account.role.value,
            ),
        )
    connection.execute(
        "UPDATE ledger_account SET stands_for = false WHERE issuer_id = %s AND role = 'revenue' AND family IS NOT DISTINCT FROM %s AND stands_for AND id <> %s",
        (issuer_id, family, account.id),
    )
    connection.execute("UPDATE ledger_account SET family = %s, stands_for = true WHERE id = %s", (family, account.id))
    return None


def set_product_account(
    connection: Connection, issuer_id: int, product: str, account: Account | None
) -> NotTaken | None:
    """Post a product's revenue to an account of its own from now on; without one it goes by its family again."""
    found = connection.execute("SELECT id FROM product WHERE name = %s", (product,)).fetchone()
    if found is None:
        return NotTaken(LedgerReason.NOTHING, Sentence("there is no product %(product)s", product=repr(product)))
    (product_id,) = found
    if account is None:
        connection.execute(
            "DELETE FROM product_account WHERE product_id = %s AND issuer_id = %s", (product_id, issuer_id)
        )
        return None
    if account.role is not Role.REVENUE:
        return NotTaken(
            LedgerReason.FAMILY,
            Sentence(
                "account %(account)s is of role %(role)s; name one of role revenue",
                account=f"{account.code} {account.name}",
                role=account.role.value,
            ),
        )
    connection.execute(
        "INSERT INTO product_account (product_id, issuer_id, account_id) VALUES (%s, %s, %s)"
        " ON CONFLICT (product_id, issuer_id) DO UPDATE SET account_id = EXCLUDED.account_id",
        (product_id, issuer_id, account.id),
    )
    return None


def write_entry(connection: Connection, issuer_id: int, entry: HandEntry, *, made_by: str) -> int:
    """Write an entry with its postings; its number.

    A correction's source is the entry that it takes back, so that the database takes no second one.
    """
    number = _number(connection, "SELECT nextval(pg_get_serial_sequence('entry', 'id'))", ())
    corrects = entry.corrects_id
    connection.execute(
        "INSERT INTO entry (id, issuer_id, dated, source, source_id, kind, currency, corrects_id, made_by, note, evidence)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            number,
            issuer_id,
            entry.dated,
            BY_HAND if corrects is None else CORRECTION,
            number if corrects is None else corrects,
            "entry" if corrects is None else "taken_back",
            entry.currency,
            corrects,
            made_by,
            entry.note,
            entry.evidence,
        ),
    )
    write_legs(connection, number, entry.legs)
    return number


def write_legs(connection: Connection, entry_id: int, legs: Sequence[Leg]) -> None:
    """Write all postings of an entry by one statement, numbered from 1, as the database wants them."""
    connection.execute(
        "INSERT INTO posting (entry_id, number, account_id, customer_id, amount)"
        " SELECT %s, legs.number, legs.account, legs.customer, legs.amount"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[]) WITH ORDINALITY AS legs (account, customer, amount, number)",
        (
            entry_id,
            [leg.account_id for leg in legs],
            [leg.customer_id for leg in legs],
            [leg.amount.amount for leg in legs],
        ),
    )


def load_entry(connection: Connection, number: int) -> WrittenEntry | None:
    """An entry of any issuer's books as it was written, without its postings."""
    with connection.cursor(row_factory=class_row(WrittenEntry)) as cursor:
        return cursor.execute(
            "SELECT id, issuer_id, dated, source, source_id, corrects_id, note, evidence, made_by, made_at FROM entry WHERE id = %s",
            (number,),
        ).fetchone()


def load_booked(connection: Connection, issuer_id: int, number: int) -> Booked | None:
    """An entry as it stands in an issuer's books."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_BOOKED, (number, issuer_id)).fetchone()
        if found is None:
            return None
        id, source, dated, currency, corrected_by = found
        legs = cursor.execute(
            "SELECT account_id, customer_id, amount FROM posting WHERE entry_id = %s ORDER BY number", (number,)
        ).fetchall()
    taken = tuple(Leg(account, read_money(amount, currency), customer) for account, customer, amount in legs)
    return Booked(id, source, dated, currency, taken, corrected_by)


def load_closed(connection: Connection, issuer_id: int) -> list[Period]:
    """The closed days of an issuer, in order."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT lower(during), upper(during) FROM fiscal_period WHERE issuer_id = %s ORDER BY 1", (issuer_id,)
        ).fetchall()
    return [Period(start, end) for start, end in rows]


def load_unfinished(connection: Connection, issuer_id: int, through: date) -> list[Unfinished]:
    """What of the days up to one still waits to be finished; empty when nothing does."""
    facts: Mapping[str, object] = {"issuer": issuer_id, "through": through}
    found = []
    with connection.cursor(row_factory=tuple_row) as cursor:
        for what, statement, remedy in _UNFINISHED:
            row = cursor.execute(statement, facts).fetchone()
            assert row is not None, "a count has a row"
            if row[0]:
                found.append(Unfinished(what, row[0], row[1], remedy))
    return found


def close_through(
    connection: Connection, issuer_id: int, through: date, *, today: date, closed_by: str, despite_unfinished: bool
) -> Period | NotTaken:
    """Close all open days up to and with one, or say why not.

    Writers of entries wait until this transaction ends: none slips into days that are being closed.
    """
    connection.execute("SELECT hold_entries()")
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT min(dated) FROM entry WHERE issuer_id = %s", (issuer_id,)).fetchone()
    closing = decide_closing(
        through,
        closed=load_closed(connection, issuer_id),
        first_day=row[0] if row else None,
        unfinished=load_unfinished(connection, issuer_id, through),
        today=today,
        despite_unfinished=despite_unfinished,
    )
    if isinstance(closing, Period):
        connection.execute(
            "INSERT INTO fiscal_period (issuer_id, during, closed_by) VALUES (%s, daterange(%s, %s), %s)",
            (issuer_id, closing.start, closing.end, closed_by),
        )
    return closing


def last_day(period: Period) -> date:
    """The last day of a period, as people say it."""
    return period.end - timedelta(days=1)


def _number(connection: Connection, statement: str, values: tuple[object, ...]) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement, values).fetchone()
    assert row is not None, statement
    return int(row[0])
