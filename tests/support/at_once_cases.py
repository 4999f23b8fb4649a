"""A document written as issued, behind its parts: they say before that it is to come, and at the end it has come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case
from support.legal_world import insert

_COME: Final = insert("document_to_come")
_END: Final = "SET CONSTRAINTS document_to_come_has_come IMMEDIATE"
_LINE: Final = insert("document_line", document_id="7", number="1")
_TAX: Final = insert("document_tax", document_id="7", rate="22")
_DUE: Final = insert("document_due", document_id="7", number="1")
# Accounts: 1 customers, 2 VAT, 3 revenue.
_BOOKED: Final = (
    insert("entry", id="7", source="'document'", source_id="7", kind="'invoice'"),
    "INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES (7, 1, 1, 1, 122), (7, 2, 2, NULL, -22), (7, 3, 3, NULL, -100)",
)
_PARTS: Final = (_LINE, _TAX, _DUE, *_BOOKED)


def _issued(**changes: str) -> str:
    numbered = {"state": "'issued'", "year": "2026", "number": "1", "label": "'1'", "issued_at": "now()"}
    return insert("document", id="7", **{**numbered, **changes})


def _all(*statements: str) -> str:
    return "; ".join(statements)


def _cases() -> Iterator[Case]:
    right = _all(_COME, *_PARTS, _issued(), _END)
    table = "document_to_come"
    # Its parts are there and it never comes, whichever they are; a draft of it has come too.
    for part in (_LINE, _TAX, _DUE):
        yield Case(f"{table}_has_come", _all(_COME, part, _END), _all(_COME, part, insert("document", id="7"), _END))
    # Somebody wrote it behind the back of who has its parts: they were not judged with it.
    behind = "ALTER TABLE document DISABLE TRIGGER document_come"
    yield Case(f"{table}_has_come", _all(behind, _COME, *_PARTS, _issued(), _END), right)
    # Nobody takes off the list what has not come.
    for wrong in ("UPDATE document_to_come SET ids = '{}'", "DELETE FROM document_to_come"):
        yield Case(f"{table}_is_kept", _all(_COME, _LINE, wrong), right)
    yield Case(f"{table}_no_truncate", "TRUNCATE document_to_come", right)
    twice = [insert(table, id="7", ids="'{8}'"), insert(table, id="8", ids="'{8}'")]
    yield Case(f"{table}_pkey", _all(twice[0], twice[0]), _all(*twice))
    # A part of what nobody says is to come, and one of what has come.
    for part, name in ((_LINE, "line"), (_TAX, "tax"), (_DUE, "due")):
        yield Case(f"document_{name}_none_added", part, _all(_COME, part))
    for part, name in (
        (insert("document_line", document_id="7"), "line"),
        (insert("document_tax", document_id="7"), "tax"),
        (insert("document_due", document_id="7"), "due"),
    ):
        yield Case(f"document_{name}_none_added", _all(_COME, *_PARTS, _issued(), part), _all(_COME, *_PARTS, part))
    # It is judged as a draft that becomes issued is.
    for wrong in ({"number": "2"}, {"net": "99", "gross": "121", "payable": "121"}, {"document_date": "'2026-03-02'"}):
        yield Case("document_issue_whole", _all(_COME, *_PARTS, _issued(**wrong)), right)
    for missing in (_LINE, _TAX, _DUE, *_BOOKED[1:]):
        some = [part for part in _PARTS if part != missing]
        yield Case("document_issue_whole", _all(_COME, *some, _issued()), right)
    yield Case("document_issue_whole", _issued(), right)


AT_ONCE_CASES: Final[tuple[Case, ...]] = tuple(_cases())
