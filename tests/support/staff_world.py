"""One legal row of every table of staff. Values are SQL."""

from __future__ import annotations

from typing import Final

_DIGEST: Final = "decode(repeat('{}', 32), 'hex')"
_AT: Final = "'2026-01-10 12:00+00'"
_LATER: Final = "'2026-01-10 13:00+00'"

STAFF_ROWS: Final[dict[str, dict[str, str]]] = {
    "staff": {
        "name": "'bruno'",
        "full_name": "'Bruno Neri'",
        "password_hash": "'$argon2id$v=19$'",
        "password_changed_at": _AT,
    },
    "staff_role": {"name": "'field work'", "permissions": "'{cash.take}'"},
    "staff_has_role": {"staff_id": "1", "role_id": "1"},
    "staff_session": {
        "staff_id": "1",
        "digest": _DIGEST.format("02"),
        "csrf_secret": _DIGEST.format("03"),
        "created_at": _AT,
        "last_seen_at": _AT,
        "ends_at": _LATER,
        "complete": "true",
    },
    "staff_passkey": {
        "staff_id": "1",
        "name": "'telephone'",
        "credential_id": "'\\x02'",
        "public_key": "'\\x02'",
        "sign_count": "0",
        "added_at": _AT,
    },
    "passkey_challenge": {"digest": _DIGEST.format("02"), "challenge": _DIGEST.format("02"), "ends_at": _LATER},
    "staff_recovery_code": {"staff_id": "1", "digest": _DIGEST.format("02")},
    "sign_in_attempt": {
        "at": _AT,
        "name_key": "'\\x0102030405060708'",
        "address": "'192.0.2.7'",
        "outcome": "'wrong_password'",
    },
    "rate_window": {"what": "'reset'", "key": _DIGEST.format("02"), "begins": _AT, "count": "1"},
    "password_reset": {
        "staff_id": "1",
        "digest": _DIGEST.format("02"),
        "asked_at": _AT,
        "ends_at": _LATER,
        "next_at": _AT,
    },
    "api_token": {
        "staff_id": "1",
        "name": "'shop'",
        "digest": _DIGEST.format("02"),
        "prefix": "'corr_abcdef'",
        "permissions": "'{customer.see}'",
        "made_by": "'maria'",
        "created_at": _AT,
    },
    "saved_view": {"staff_id": "1", "page": "'drift.list'", "name": "'mine'", "query": "'state=open'"},
}
STAFF_FIRST: Final[dict[str, dict[str, str]]] = {
    "staff": {"name": "'anna'", "email": "'anna@isp.example'"},
    "staff_role": {"name": "'first'"},
    "staff_session": {"digest": _DIGEST.format("01")},
    "staff_passkey": {"name": "'first'", "credential_id": "'\\x01'"},
    "passkey_challenge": {"digest": _DIGEST.format("01")},
    "staff_recovery_code": {"digest": _DIGEST.format("01")},
    "rate_window": {"key": _DIGEST.format("01")},
    "password_reset": {"digest": _DIGEST.format("01")},
    "api_token": {"name": "'first'", "digest": _DIGEST.format("01")},
    "saved_view": {"name": "'first'", "is_default": "true"},
}
