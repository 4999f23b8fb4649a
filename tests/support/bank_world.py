"""One legal row of every table of banks' files. Values are SQL."""

from __future__ import annotations

from typing import Final

BANK_ROWS: Final[dict[str, dict[str, str]]] = {
    "bank_account": {
        "issuer_id": "1",
        "name": "'Main'",
        "account": "'IT60X0542811101000000123456'",
        "currency": "'EUR'",
        "method_id": "1",
    },
    "bank_file": {
        "name": "'march.xml'",
        "form": "'camt.053'",
        "digest": "sha256('b')",
        "octets": "1",
        "content": "'b'",
        "made_by": "'maria'",
    },
    "bank_line": {
        "file_id": "1",
        "bank_account_id": "1",
        "key": "'k2'",
        "entry_key": "'k2'",
        "number": "1",
        "booked_on": "'2026-03-10'",
        "value_on": "'2026-03-10'",
        "currency": "'EUR'",
        "amount": "50",
        "told": "'{}'",
    },
}
BANK_FIRST: Final[dict[str, dict[str, str]]] = {
    "bank_account": {"name": "'Savings'", "account": "'123456789'"},
    "bank_file": {"digest": "sha256('a')"},
    "bank_line": {"key": "'k1'"},
}
