"""What FreeRADIUS gives to Python at best: a hook that finds a ready answer in a dictionary and does nothing else.

Loaded by FreeRADIUS, so it stands alone. No policy store, no decision, no session limit, no log: the difference to Corrente
is what those cost, the difference to `files` what rlm_python3 costs.
"""

from __future__ import annotations

import json
from pathlib import Path

import radiusd

_ANSWERS: dict[str, tuple[int, dict[str, tuple[tuple[str, str, str], ...]]]] = {}


def instantiate(_: object) -> int:
    """Read the answers: by username the password and the reply."""
    for username, (password, reply) in json.loads(Path(radiusd.config["answers"]).read_text()).items():
        control = (("Cleartext-Password", ":=", password), ("Auth-Type", ":=", "PAP"))
        _ANSWERS[username] = (2, {"reply": tuple(map(tuple, reply)), "config": control})
    return 2


def authorize(pairs: tuple[tuple[str, str], ...]) -> tuple[int, dict[str, tuple[tuple[str, str, str], ...]]] | int:
    """The ready answer; nobody else is known."""
    return _ANSWERS.get(dict(pairs)["User-Name"], 0)
