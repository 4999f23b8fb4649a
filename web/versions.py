"""Who comes second is told: what is there has a version, and a change names the one that it was made from.

What is shown carries its version (`ETag`); what changes it is sent with that (`If-Match`), and is refused when somebody else has changed it since.
`tell_version` and `check_version` are given the same thing that the console's form compares (forms.py).

Source: RFC 9110 §13.1.1 (If-Match), RFC 6585 §3 (428).
"""

from __future__ import annotations

import re
from typing import Final

from flask import g, request

from web.forms import fingerprint
from web.problems import Problem, Wrong

TOLD: Final = "ETag"
NAMED: Final = "If-Match"
PATTERN: Final = r'^(\*|"[0-9a-f]{24}")$'
_ANY: Final = "*"


def tell_version(there: object) -> None:
    """Put the version of what is answered into the answer."""
    g.version_told = _tag(there)


def version_told() -> str | None:
    """The version that this answer carries, if it has one."""
    told: str | None = g.get("version_told")
    return told


def read_version(*, needed: bool) -> None:
    """Look whether the request names one as it has to. Raises: Problem."""
    given = request.headers.get(NAMED)
    if given is None and needed:
        words = "Send the `ETag` of what you have read as `If-Match`, so that nobody's change is lost; `*` for whatever is there."
        raise Problem(428, words, Wrong("missing", parameter=NAMED))
    if given is not None and not re.fullmatch(PATTERN, given):
        raise Problem(422, "A value is refused.", Wrong("one ETag as it was answered, or `*`", parameter=NAMED))


def check_version(there: object) -> None:
    """Pass where what is there, read under a lock, is what the request was made from. Raises: Problem."""
    given = request.headers.get(NAMED, _ANY)
    if given not in (_ANY, _tag(there)):
        raise Problem(
            412,
            "Somebody else has changed this since you read it, so nothing was done. Read it again.",
            Wrong("old", parameter=NAMED),
        )


def _tag(there: object) -> str:
    return f'"{fingerprint(there)}"'
