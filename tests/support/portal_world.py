"""One legal row of each table of the portal. Values are SQL."""

from __future__ import annotations

from typing import Final

_AT: Final = "'2026-01-10 12:00+00'"
_LATER: Final = "'2026-01-11 12:00+00'"
_OCTETS: Final = "decode(repeat('04', {}), 'hex')"
_DIGEST: Final = "decode(repeat('{}', 32), 'hex')"

PORTAL_ROWS: Final[dict[str, dict[str, str]]] = {
    "portal_access": {"customer_id": "1", "email": "'anna@example.net'"},
    "portal_link": {
        "customer_id": "1",
        "email": "'anna@example.net'",
        "digest": _DIGEST.format("02"),
        "asked_at": _AT,
        "ends_at": _LATER,
    },
    "portal_session": {
        "customer_id": "1",
        "digest": _DIGEST.format("02"),
        "csrf_secret": _DIGEST.format("03"),
        "created_at": _AT,
        "last_seen_at": _AT,
        "ends_at": _LATER,
    },
    "push_key": {"public_key": _OCTETS.format(65), "sealed_private": _OCTETS.format(61)},
    "push_device": {
        "customer_id": "1",
        "session_id": "1",
        "endpoint": "'https://push.example/2'",
        "public_key": _OCTETS.format(65),
        "auth_secret": _OCTETS.format(16),
        "name": "'Firefox, Android'",
    },
    "garden_reminder": {"contract_id": "1", "later_until": _LATER},
    "plan_request": {"contract_id": "1", "plan_id": "1", "asked_by": "'customer 1'"},
}
PORTAL_FIRST: Final[dict[str, dict[str, str]]] = {
    "portal_link": {"digest": _DIGEST.format("01")},
    "portal_session": {"digest": _DIGEST.format("01")},
    "push_device": {"endpoint": "'https://push.example/1'"},
    "plan_request": {"answered_at": _LATER, "answered_by": "'maria'", "accepted": "true"},
}
# Of these one row a customer or a contract, and one of each.
PORTAL_ONCE: Final = {"portal_access", "garden_reminder", "push_key"}
