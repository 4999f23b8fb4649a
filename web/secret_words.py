"""A secret that the next page shows, once: sealed on its way, since a browser keeps what a page tells the next one in a cookie.

Flask signs that cookie and anybody at the browser can read it. What is sealed here opens for the person who is signed in alone,
and is gone from the cookie once it was shown.
"""

from __future__ import annotations

import base64
from typing import Final

from flask import g, session

from radius_hooks.sealing import SealError
from web.surroundings import here

_NAME: Final = "secret_words"


def tell_once(words: str) -> None:
    """Have the next page show these words."""
    sealer = here().sealer
    assert sealer is not None, "who has made a secret has the key"
    session[_NAME] = base64.b64encode(sealer.seal(words.encode(), row=_row())).decode()


def told_once() -> str:
    """What the page before has to tell, and from now on nobody; empty without."""
    kept, sealer = session.pop(_NAME, None), here().sealer
    if not isinstance(kept, str) or sealer is None:
        return ""
    try:
        return sealer.open(base64.b64decode(kept), row=_row()).decode()
    except (SealError, ValueError):
        # Of somebody who has signed out since, or of a key that is gone: it is not for who looks now.
        return ""


def _row() -> str:
    staff = g.get("staff")
    return f"told:{staff.id if staff else 0}"
