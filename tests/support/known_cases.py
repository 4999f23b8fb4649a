"""What the keys that are looked at once a statement must refuse: naming what is not there, and taking away what is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_LEGS: Final = "INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES "
_ENTRY: Final = insert("entry", id="7") + "; "
_BALANCED: Final = _ENTRY + _LEGS + "(7, 1, 1, 1, 5), (7, 2, 3, NULL, -5)"
# A snapshot of the whole transaction would not see who names a row since.
_OLD_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
# Of each: a row of its own that nothing else holds, and each way to name it.
_NAMED: Final = (
    ("customer", insert("customer", id="7000") + "; DELETE FROM customer_words WHERE customer_id = 7000", (
        insert("document", customer_id="7000"),
        _ENTRY + _LEGS + "(7, 1, 1, 7000, 5), (7, 2, 3, NULL, -5)",
    )),
    ("contract", insert("contract", id="7000"), ("UPDATE document_line SET contract_id = 7000",)),
    ("contract_item", insert("contract_item", id="7000"), (
        "UPDATE document_line SET item_id = 7000",
        insert("charge", item_id="7000"),
    )),
    ("product", insert("product", id="7000"), ("UPDATE document_line SET product_id = 7000",)),
    ("tax_code", insert("tax_code", id="7000"), ("UPDATE document_line SET tax_code_id = 7000",)),
    ("ledger_account", insert("ledger_account", id="7000"), (
        "UPDATE document_line SET account_id = 7000",
        _ENTRY + _LEGS + "(7, 1, 1, 1, 5), (7, 2, 7000, NULL, -5)",
    )),
    ("billing_run", insert("billing_run", id="7000"), (
        insert("document", run_id="7000"),
        insert("charge", run_id="7000"),
    )),
    ("document_register", insert("document_register", id="7000"), (
        insert("document", register_id="7000", kind="'credit_note'", corrects_id="1"),
    )),
)  # fmt: skip


def _known() -> Iterator[Case]:
    for table, column in (
        ("document", "customer_id"),
        ("document", "run_id"),
        ("charge", "item_id"),
        ("charge", "run_id"),
    ):
        yield case(f"{table}_all_known", table, {column: "999"})
    yield case("document_all_known", "document", {"kind": "'quote'"})
    two = insert("issuer", id="2")
    yield Case("document_all_known", f"{two}; {insert('document', issuer_id='2')}", insert("document"))
    on_line = {"document_id": "1", "line_number": "1"}
    yield case("charge_all_known", "charge", {**on_line, "line_number": "9"}, on_line)
    for column in ("contract_id", "item_id", "tax_code_id", "product_id", "account_id"):
        yield case("document_line_all_known", "document_line", {column: "999"})
        changed = f"UPDATE document_line SET {column} = "
        yield Case("document_line_all_known_still", changed + "999", changed + column)
    for change in ("customer_id = 999", "run_id = 999", "register_id = 999"):
        column = change.partition(" ")[0]
        yield Case(
            "document_all_known_still", f"UPDATE document SET {change}", f"UPDATE document SET {column} = {column}"
        )
    changed = "UPDATE charge SET document_id = 1, line_number = "
    yield Case("charge_all_known_still", changed + "9", changed + "1")
    yield Case("charge_all_known_still", "UPDATE charge SET run_id = 999", "UPDATE charge SET run_id = 1")
    for wrong in (
        "(7, 1, 1, 1, 5), (7, 2, 3, NULL, -5), (7, 3, 999, NULL, 5), (7, 4, 3, NULL, -5)",
        "(7, 1, 1, 999, 5), (7, 2, 3, NULL, -5)",
    ):
        yield Case("posting_all_known", _ENTRY + _LEGS + wrong, _BALANCED)
    yield Case("posting_balances", _LEGS + "(999, 1, 1, 1, 5), (999, 2, 3, NULL, -5)", _BALANCED)
    for table in ("document_line", "document_tax", "document_due"):
        yield case(f"{table}_none_added", table, {"document_id": "999"})


def _named() -> Iterator[Case]:
    for table, own, names in _NAMED:
        key = "kind = 'quote'" if table == "document_register" else "id = DEFAULT"
        for deed, guard in (
            (f"DELETE FROM {table} WHERE id = 7000", f"{table}_not_named"),
            (f"UPDATE {table} SET {key} WHERE id = 7000", f"{table}_not_named_so"),
        ):
            for name in names:
                yield Case(guard, f"{own}; {name}; {deed}", f"{own}; {deed}")
            yield Case(guard, f"{_OLD_SNAPSHOT}{own}; {deed}", f"{own}; {deed}")
        if table != "contract":
            yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", own)
    billed = "UPDATE charge SET document_id = 1, line_number = 1; "
    for deed, guard in (
        ("DELETE FROM document_line", "document_line_not_named"),
        ("UPDATE document_line SET number = 5", "document_line_not_named_so"),
    ):
        yield Case(guard, billed + deed, deed)
        yield Case(guard, _OLD_SNAPSHOT + deed, deed)


def _parts() -> Iterator[Case]:
    gone = insert("document", id="7000") + "; DELETE FROM document WHERE id = 7000"
    yield Case("document_goes_whole", _OLD_SNAPSHOT + gone, gone)
    moved = insert("document", id="7000") + "; UPDATE document SET @ WHERE id = 7000"
    yield Case("document_keeps_id", moved.replace("@", "id = DEFAULT"), moved.replace("@", "reason = 'x'"))


KNOWN_CASES: Final[tuple[Case, ...]] = tuple(one for group in (_known, _named, _parts) for one in group())
