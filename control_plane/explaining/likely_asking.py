"""From where and with what an account would log in, as far as it is known: what a question leaves out. Pure.

Next: trial_login.py
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from control_plane.explaining.account_page import AccountPage


class Because(StrEnum):
    """Why that NAS is taken to ask."""

    BOUND = "the account is bound to it"
    SESSION = "its session is there"
    LAST_LOGIN = "its last login came from there"
    FIRST = "it is the first by name; --nas names another"


def usual_mac(page: AccountPage) -> str:
    """The subscriber's own device, as far as it is known: asked about by name, a customer is meant at home."""
    bound = tuple(page.account.macs)
    online = [session.mac for session in page.sessions if session.mac and (not bound or session.mac in bound)]
    return next(iter((*online, *bound)), "")


def likely_nas(page: AccountPage, enabled: Mapping[str, bool]) -> tuple[str, Because] | None:
    """The NAS that is taken to ask, and why that one; None where there is none that could. `enabled`: all there are, in order of names."""
    guesses = (
        *((name, Because.BOUND) for name in page.account.nas_names),
        *((session.nas, Because.SESSION) for session in page.sessions),
        *((login.nas, Because.LAST_LOGIN) for login in page.logins if login.nas),
        *((name, Because.FIRST) for name, is_enabled in enabled.items() if is_enabled),
    )
    return next(((name, why) for name, why in guesses if name in enabled), None)
