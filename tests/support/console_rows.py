"""A legal row of each table that the console brought for itself, and what its constraints must refuse. Values are SQL."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = "'2026-01-10 12:00+00'"
_OTHER_MINUTE: Final = "'2026-01-10 12:01+00'"

CONSOLE_ROWS: Final[dict[str, dict[str, str]]] = {
    "online_minute": {"at": _OTHER_MINUTE, "subscribers": "7", "sessions": "8", "stale": "1"},
    "login_minute": {"at": _OTHER_MINUTE, "outcome": "'accept'", "reason": "'full'", "attempts": "3"},
    "nas_word": {"nas_id": "1", "sessions": "8", "counted_at": _MINUTE},
    "drift_sweep": {"at": _MINUTE, "sessions": "2", "by_reason": "'{}'"},
    "staff_session_length": {"idle_minutes": "480", "most_hours": "168"},
    "contract_draft": {"made_by": "'anna'"},
    "contract_signature": {
        "contract_id": "1",
        "signer": "'Anna Neri'",
        "browser": "'Firefox'",
        "drawing": "'\\x02'",
        "paper": "'\\x02'",
        "taken_by": "'bruno'",
    },
}
CONSOLE_FIRST: Final[dict[str, dict[str, str]]] = {
    "online_minute": {"at": _MINUTE},
    "login_minute": {"at": _MINUTE},
}
# One row a NAS, and one in all: the world has none, so that the case's own is the first.
CONSOLE_ONCE: Final = ("nas_word", "drift_sweep", "staff_session_length")
