"""For every constraint of payments and what they settle: a statement it must refuse, and its legal neighbour.

The invoice of books_world is issued first: 122.00 of customer 1. Payment 5 is of 50.00.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.ledger_cases import ISSUE, ISSUED, another_invoice, note
from support.legal_world import insert

# Accounts: 1 customers, 2 VAT, 3 revenue; 4 money on its way, 5 receipts that nobody knows, 6 bad debts.
_MONEY: Final = (
    "INSERT INTO ledger_account (id, issuer_id, code, name, role) OVERRIDING SYSTEM VALUE"
    " VALUES (4, 1, '1800', 'Under way', 'clearing'), (5, 1, '1990', 'Not matched', 'suspense'), (6, 1, '6900', 'Lost', 'bad_debts'); "
    + insert("customer", id="2")
    + "; "
)
_ENTRIES: Final = {
    "payment": (20, 5),
    "payment_match": (21, 8),
    "payment_reversal": (22, 5),
    "refund": (23, 9),
    "write_off": (24, 3),
    "write_off_undo": (25, 3),
}


def _entry(source: str, *legs: tuple[int, int | None, str], **changes: str) -> str:
    """The entry of an event with its legs: account, customer, amount."""
    number, event = _ENTRIES[source]
    row = {"id": str(number), "source": f"'{source}'", "source_id": str(event), "kind": f"'{source}'", **changes}
    values = ", ".join(
        f"({number}, {place}, {account}, {customer or 'NULL'}, {amount})"
        for place, (account, customer, amount) in enumerate(legs, 1)
    )
    return f"{insert('entry', **row)}; INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES {values}; "


def _paid(amount: str = "50", **changes: str) -> str:
    """Payment 5 with its entry, customer 1's if not said otherwise."""
    customer = changes.get("customer_id", "1")
    owner = (5, None, f"-{amount}") if customer == "NULL" else (1, int(customer), f"-{amount}")
    row = insert("payment", **{"id": "5", "amount": amount, **changes})
    return _entry("payment", (4, None, amount), owner) + row + "; "


_PAID: Final = _MONEY + _paid()
# The same on the accounts that there are, as a role does it that may not add accounts.
PAID_AND_SETTLED: Final = (
    ISSUED
    + _entry("payment", (3, None, "50"), (1, 1, "-50"))
    + insert("payment", id="5")
    + "; "
    + insert("allocation", credit_note_id="NULL", payment_id="5", amount="50")
)
_ALLOCATED: Final = {"credit_note_id": "NULL", "payment_id": "5", "amount": "50"}
_REVERSED: Final = _entry("payment_reversal", (4, None, "-50"), (1, 1, "50"))
_REFUNDED: Final = _entry("refund", (4, None, "-50"), (1, 1, "50"))
_LOST: Final = ISSUED + _MONEY + _entry("write_off", (6, None, "122"), (1, 1, "-122"))
_FOUND: Final = _LOST + insert("write_off", id="3") + "; " + _entry("write_off_undo", (6, None, "-122"), (1, 1, "122"))
_MATCHED: Final = _MONEY + _paid(customer_id="NULL") + _entry("payment_match", (5, None, "50"), (1, 1, "-50"))
# A statement that each table takes, and what must be there before it.
_RIGHT: Final = {
    "payment": (_MONEY + _entry("payment", (4, None, "50"), (1, 1, "-50")), {"id": "5"}),
    "payment_match": (_MATCHED, {"id": "8"}),
    "payment_reversal": (_PAID + _REVERSED, {}),
    "refund": (_PAID + _REFUNDED, {"id": "9"}),
    "write_off": (_LOST, {"id": "3"}),
    "write_off_undo": (_FOUND, {}),
    "allocation": (ISSUED + _PAID, _ALLOCATED),
}


def _row(table: str, **changes: str) -> str:
    before, row = _RIGHT[table]
    return before + insert(table, **{**row, **changes})


def _bad(constraint: str, table: str, **wrong: str) -> Case:
    return Case(constraint, _row(table, **wrong), _row(table))


def _methods() -> Iterator[Case]:
    table = "payment_method"
    yield case(f"{table}_pkey", table, {"id": "1", "code": "'slip'"}, {"id": "77", "code": "'slip'"})
    for column, wrong in (("code", "'Card 1'"), ("name", "''"), ("returns_days", "0")):
        yield case(f"{table}_{column}_check", table, {"code": "'slip'", column: wrong}, {"code": "'slip'"})
    yield case(f"{table}_issuer_id_fkey", table, {"code": "'slip'", "issuer_id": "999"}, {"code": "'slip'"})
    fee = {"code": "'slip'", "return_fee": "3.50", "return_fee_product_id": "1"}
    for wrong in ({"return_fee": "0"}, {"return_fee": "NULL"}, {"return_fee_product_id": "NULL"}):
        yield case("payment_method_fee_is_a_product", table, {**fee, **wrong}, fee)
    yield case(f"{table}_return_fee_product_id_fkey", table, {**fee, "return_fee_product_id": "999"}, fee)
    yield case(f"{table}_code_once", table, {"code": "'card'"}, {"code": "'slip'"})
    yield Case(
        f"{table}_of_issuer",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE; {insert(table, id='1', code=repr('slip'))}",
        insert(table, code="'slip'"),
    )
    silent = "SET LOCAL corrente.actor = ''; "
    deeds = {
        "insert": insert(table, code="'slip'"),
        "update": f"UPDATE {table} SET name = 'x'",
    }
    for word, deed in deeds.items():
        yield Case(f"{table}_money_{word}", silent + deed, deed)
    # The first one is a gateway's.
    another = insert(table, id="77", code="'slip'") + "; "
    gone = f"DELETE FROM {table} WHERE id = 77"
    yield Case(f"{table}_money_delete", another + silent + gone, another + gone)


def _rows() -> Iterator[Case]:
    for table in _RIGHT:
        right = _row(table)
        for wrong in (f"UPDATE {table} SET {_changed(table)}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", f"{right}; {wrong}", right)
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", right)
        before, row = _RIGHT[table]
        yield Case(f"{table}_money_insert", f"{before}SET LOCAL corrente.actor = ''; {insert(table, **row)}", right)
    bad = {
        "payment": {
            "reference": "''",
            "payer": "''",
            "note": "''",
            "made_by": "''",
        },
        "payment_match": {"reason": "''", "made_by": "''"},
        "payment_reversal": {"reason": "''", "made_by": "''", "reference": "''", "reason_code": "'no funds'"},
        "refund": {"reason": "''", "made_by": "''", "reference": "''", "amount": "0"},
        "write_off": {"reason": "''", "made_by": "''", "amount": "0"},
        "write_off_undo": {"reason": "''", "made_by": "''"},
        "allocation": {"amount": "0"},
    }
    for table, columns in bad.items():
        for column, wrong in columns.items():
            yield _bad(f"{table}_{column}_check", table, **{column: wrong})
    for table, column in (
        ("payment", "issuer_id"),
        ("payment", "customer_id"),
        ("payment_match", "payment_id"),
        ("payment_match", "customer_id"),
        ("payment_reversal", "payment_id"),
        ("payment_reversal", "fee_item_id"),
        ("refund", "payment_id"),
        ("refund", "method_id"),
        ("write_off", "invoice_id"),
        ("write_off_undo", "write_off_id"),
        ("allocation", "payment_id"),
        ("allocation", "invoice_id"),
        ("allocation", "withdraws_id"),
    ):
        wrong = {column: "999"}
        if column == "withdraws_id":
            wrong["amount"] = "-50"
        yield _bad(f"{table}_{column}_fkey", table, **wrong)
    for table, column in (
        ("allocation", "credit_note_id"),
        ("allocation", "write_off_id"),
        ("refund", "credit_note_id"),
    ):
        yield _bad(f"{table}_{column}_fkey", table, payment_id="NULL", **{column: "999"})


def _changed(table: str) -> str:
    return "amount = 1" if table in {"payment", "refund", "write_off", "allocation"} else "made_by = 'x'"


def _payments() -> Iterator[Case]:
    yield _bad("payment_is_an_amount", "payment", amount="0")
    yield Case("payment_is_an_amount", _MONEY + insert("payment", id="5", amount="1.001"), _PAID + "SELECT 1")
    yield _bad("payment_method_of_its_issuer", "payment", method_id="9")
    yield Case(
        "payment_returns_after_value",
        _row("payment", returns_until="'2026-03-09'"),
        _row("payment", returns_until="'2026-03-10'"),
    )
    again = _PAID + insert("entry", id="30", source="'payment'", source_id="6", kind="'payment'")
    again += "; INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES (30, 1, 4, NULL, 50), (30, 2, 1, 1, -50); "
    yield Case("payment_once", again + insert("payment", id="6"), again + insert("payment", id="6", reference="'r2'"))
    yield Case("payment_pkey", _PAID + insert("payment", id="5", reference="'r2'"), _PAID + "SELECT 1")
    yield Case(
        "payment_match_pkey",
        _row("payment_match") + "; " + insert("payment_match", id="8", customer_id="2"),
        _row("payment_match"),
    )
    yield Case(
        "payment_reversal_pkey",
        _row("payment_reversal") + "; " + insert("payment_reversal", reference="'b2'"),
        _row("payment_reversal"),
    )
    yield Case(
        "payment_reversal_once",
        f"ALTER TABLE payment_reversal DROP CONSTRAINT payment_reversal_pkey CASCADE; {_row('payment_reversal')}; {insert('payment_reversal')}",
        _row("payment_reversal"),
    )
    yield Case("refund_pkey", _row("refund") + "; " + insert("refund", id="9", reference="'f2'"), _row("refund"))
    yield Case("refund_once", _row("refund") + "; " + insert("refund", id="10"), _row("refund"))
    yield _bad("refund_of_one", "refund", payment_id="NULL")
    yield Case("write_off_pkey", _row("write_off") + "; " + insert("write_off", id="3"), _row("write_off"))
    yield Case("write_off_undo_pkey", _row("write_off_undo") + "; " + insert("write_off_undo"), _row("write_off_undo"))


def _booked() -> Iterator[Case]:
    """Nothing moves money that the books do not say: no entry, another amount, customer, currency or issuer."""
    for table, (before, row) in _RIGHT.items():
        if table == "allocation":
            continue
        number = _ENTRIES[table][0]
        gone = f"SET LOCAL session_replication_role = replica; DELETE FROM posting WHERE entry_id = {number}; SET LOCAL session_replication_role = origin; "
        yield Case(f"{table}_booked", before + gone + insert(table, **row), _row(table))
    money = _entry("payment", (4, None, "49"), (1, 1, "-49"))
    yield Case("payment_booked", _MONEY + money + insert("payment", id="5"), _row("payment"))
    nobody = _entry("payment", (4, None, "50"), (5, None, "-50"))
    yield Case("payment_booked", _MONEY + nobody + insert("payment", id="5"), _row("payment"))
    dollars = _entry("payment", (4, None, "50"), (1, 1, "-50"), currency="'USD'")
    yield Case("payment_booked", _MONEY + dollars + insert("payment", id="5"), _row("payment"))
    # A match to whom it is matched already, and one whose entry names another owner before.
    yield Case(
        "payment_match_booked",
        _PAID + _entry("payment_match", (5, None, "50"), (1, 1, "-50")) + insert("payment_match", id="8"),
        _row("payment_match"),
    )
    wrong = _PAID + _entry("payment_match", (5, None, "50"), (1, 2, "-50"))
    right = _PAID + _entry("payment_match", (1, 1, "50"), (1, 2, "-50"))
    match = insert("payment_match", id="8", customer_id="2")
    yield Case("payment_match_booked", wrong + match, right + match)
    back = right + match + "; " + _entry("payment_reversal", (4, None, "-50"), (1, 2, "50"))
    first = right + match + "; " + _REVERSED
    yield Case("payment_reversal_booked", first + insert("payment_reversal"), back + insert("payment_reversal"))
    abroad = insert("issuer", id="2") + "; " + insert("payment_method", id="7", issuer_id="2") + "; "
    yield Case(
        "refund_booked",
        abroad + _PAID + _REFUNDED + insert("refund", id="9", method_id="7"),
        abroad + _row("refund"),
    )


def _allocations() -> Iterator[Case]:
    table = "allocation"
    right = _row(table)
    yield Case("allocation_pkey", f"{_row(table, id='1')}; {insert(table, id='1', **_ALLOCATED)}", right)
    yield _bad("allocation_of_one", table, payment_id="NULL")
    yield _bad("allocation_of_one", table, credit_note_id="1")
    yield _bad("allocation_below_zero_withdraws", table, amount="-50")
    once = _row(table, id="1") + "; "
    back = {**_ALLOCATED, "amount": "-50", "withdraws_id": "1"}
    yield Case(
        "allocation_below_zero_withdraws",
        once + insert(table, **{**back, "amount": "50"}),
        once + insert(table, **back),
    )
    yield Case(
        "allocation_withdrawn_once",
        once + f"{insert(table, **back)}; {insert(table, **back)}",
        once + insert(table, **back),
    )
    # Part of it, of another invoice, of another payment.
    yield Case("allocation_within", once + insert(table, **{**back, "amount": "-49"}), once + insert(table, **back))
    for wrong in ("50.01", "1.001"):
        yield _bad("allocation_within", table, amount=wrong)
    draft = _PAID + insert(table, **_ALLOCATED)
    yield Case("allocation_within", draft, right)
    other = ISSUED + _MONEY + _paid(customer_id="2") + insert(table, **_ALLOCATED)
    yield Case("allocation_within", other, right)
    nobody = ISSUED + _MONEY + _paid(customer_id="NULL") + insert(table, **_ALLOCATED)
    yield Case("allocation_within", nobody, right)
    rich = ISSUED + _MONEY + _paid("200")
    yield Case(
        "allocation_within",
        rich + insert(table, **{**_ALLOCATED, "amount": "122.01"}),
        rich + insert(table, **{**_ALLOCATED, "amount": "122"}),
    )
    # What came back, and what was given back, settles nothing.
    for table_, entry in (("payment_reversal", _REVERSED), ("refund", _REFUNDED)):
        gone = ISSUED + _PAID + entry + insert(table_, **({"id": "9"} if table_ == "refund" else {})) + "; "
        yield Case("allocation_within", gone + insert(table, **_ALLOCATED), right)
        yield Case(
            "allocation_within",
            f"{right}; {entry}{insert(table_, **({'id': '9'} if table_ == 'refund' else {}))}",
            f"{once}{insert(table, **back)}; {entry}{insert(table_, **({'id': '9'} if table_ == 'refund' else {}))}",
        )
    match = _entry("payment_match", (1, 1, "50"), (1, 2, "-50")) + insert("payment_match", id="8", customer_id="2")
    yield Case("payment_match_leaves", f"{right}; {match}", f"{once}{insert(table, **back)}; {match}")
    yield Case("open_payment_pkey", _PAID + insert("open_payment"), _PAID + "SELECT 1")
    yield Case("open_payment_payment_id_fkey", insert("open_payment", payment_id="999"), _PAID + "SELECT 1")
    yield Case("open_payment_open_check", insert("open_payment", open="0"), _PAID + "SELECT 1")
    yield Case("open_payment_is_counted", _PAID + "UPDATE open_payment SET open = 1", _PAID + "SELECT 1")


def _credit_notes() -> Iterator[Case]:
    """A credit note of 99 and its tax, 120.78, against an invoice of 122."""
    table = "allocation"
    noted = ISSUED + insert("document_register", id="2") + "; " + note(1, "99") + "; "
    right = noted + insert(table, amount="120.78")
    yield Case("allocation_within", noted + insert(table, amount="120.79"), right)
    yield Case("allocation_within", noted + insert(table, amount="1", invoice_id="11"), right)
    yield Case("allocation_within", noted + insert(table, amount="1", credit_note_id="1"), right)
    other = noted + another_invoice() + ISSUE.format(number=2, id=7) + "; "
    yield Case(
        "allocation_within",
        other + insert(table, amount="120") + "; " + insert(table, amount="1", invoice_id="7"),
        other + insert(table, amount="119.78") + "; " + insert(table, amount="1", invoice_id="7"),
    )
    two = noted + note(2, "1") + "; " + insert(table, amount="120.78") + "; "
    yield Case(
        "allocation_within",
        two + insert(table, amount="1.23", credit_note_id="12"),
        two + insert(table, amount="1.22", credit_note_id="12"),
    )
    # A note of the other invoice gives 120.78 too, of which the first one has 1.22 open.
    crossed = other + note(2, "99", corrects_id="7", line_of="7") + "; " + insert(table, amount="120.78") + "; "
    yield Case(
        "allocation_within",
        crossed + insert(table, amount="1.23", credit_note_id="12"),
        crossed + insert(table, amount="1.22", credit_note_id="12"),
    )
    own = insert(table, amount="1", invoice_id="7")
    for wrong in ({"customer": "2"}, {"currency": "CHF"}):
        foreign = (
            insert("customer", id="2") + "; " + noted + another_invoice(**wrong) + ISSUE.format(number=2, id=7) + "; "
        )
        yield Case("allocation_within", foreign + own, other + own)
    given = noted + _MONEY + _entry("refund", (4, None, "-120.78"), (1, 1, "120.78"))
    refund = {"id": "9", "payment_id": "NULL", "credit_note_id": "11", "amount": "120.78"}
    yield Case(
        "allocation_within",
        given + insert(table, amount="1") + "; " + insert("refund", **refund),
        given + insert("refund", **refund),
    )
    yield Case(
        "allocation_within",
        _row("write_off") + "; " + insert("allocation", credit_note_id="NULL", write_off_id="3", amount="1"),
        _row("write_off"),
    )


PAYMENT_CASES: Final = tuple(
    case for part in (_methods, _rows, _payments, _booked, _allocations, _credit_notes) for case in part()
)
