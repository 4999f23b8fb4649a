"""A secret that the next page shows, once, in a box that stays until it is closed: the one way in which pages tell what they have made.

It is sealed on its way, since a browser keeps what a page tells the next one in a cookie. Flask signs that cookie and anybody at
the browser can read it. What is sealed here opens for the person who is signed in alone, and is gone from the cookie once it was
shown. So a page that is loaded again makes nothing twice, and shows nothing again.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec
from flask import g, session

from radius_hooks.sealing import SealError
from web.surroundings import here

_NAME: Final = "secret_words"


class Told(msgspec.Struct, frozen=True):
    """What is shown once: whose it is, the secret or several, and what is done with it."""

    title: str
    secrets: list[str]
    hint: str = ""


def tell_once(title: str, *secrets: str, hint: str = "") -> None:
    """Have the next page show these."""
    sealer = here().sealer
    assert sealer is not None, "who has made a secret has the key"
    words = msgspec.json.encode(Told(title, list(secrets), hint))
    session[_NAME] = base64.b64encode(sealer.seal(words, row=_row())).decode()


def told_once() -> Told | None:
    """What the page before has to tell, and from now on nobody; None without."""
    kept, sealer = session.pop(_NAME, None), here().sealer
    if not isinstance(kept, str) or sealer is None:
        return None
    try:
        return msgspec.json.decode(sealer.open(base64.b64decode(kept), row=_row()), type=Told)
    except (SealError, ValueError):
        # Of somebody who has signed out since, or of a key that is gone: it is not for who looks now.
        return None


def _row() -> str:
    staff = g.get("staff")
    return f"told:{staff.id if staff else 0}"
