"""A secret on its way to the next page: sealed, for one person, once."""

from __future__ import annotations

import base64

import pytest
from flask import g, session

from control_plane.access.person import Staff
from web.secret_words import Told, tell_once, told_once

pytestmark = pytest.mark.db
ANNA, BRUNO = (Staff(number, name, name.title(), frozenset()) for number, name in ((1, "anna"), (2, "bruno")))


def test_it_is_shown_once_and_the_cookie_does_not_hold_it(console):
    with console.app.test_request_context("/"):
        g.staff = ANNA
        tell_once("The word of anna", "7f2c", hint="Keep it.")
        (kept,) = session.values()
        assert b"7f2c" not in base64.b64decode(kept)
        assert (told_once(), told_once()) == (Told("The word of anna", ["7f2c"], "Keep it."), None)


def test_who_signs_in_at_the_same_browser_is_not_told(console):
    with console.app.test_request_context("/"):
        g.staff = ANNA
        tell_once("The word of anna", "7f2c")
        g.staff = BRUNO
        assert told_once() is None
        g.staff = ANNA
        assert told_once() is None


def test_what_is_no_seal_of_ours_tells_nothing(console):
    with console.app.test_request_context("/"):
        g.staff = ANNA
        session["secret_words"] = "not base64 é"
        assert told_once() is None
