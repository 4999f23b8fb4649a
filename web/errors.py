"""Pages for what goes wrong: each says what it is, what was not done, and what to do.

A database that is away is no fault of the page: it says so, asks again by itself, and works again once it is back.
"""

from __future__ import annotations

import errno
from typing import Final

import psycopg
from flask import Flask, current_app, g, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from control_plane import telemetry
from web.acting import INTERFACE
from web.language import gettext, lazy
from web.problems import problem_response
from web.refusal_words import database_words

_AGAIN_S = 5
# Of int(), against numbers that take seconds to read.
_TOO_LONG: Final = "for integer string conversion"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TITLES = {
    400: lazy("This can't be read"),
    401: lazy("Please sign in"),
    403: lazy("Not for you"),
    404: lazy("There is nothing here"),
    405: lazy("This can't be done here"),
    409: lazy("Not done"),
    413: lazy("Too large"),
    422: lazy("Not done"),
    429: lazy("Too often"),
    503: lazy("The database can't be reached"),
}
_WORDS = {
    403: lazy("You have not been granted what this page needs. An administrator can do that under Staff."),
    404: lazy("There is no page of this address, or what it showed is gone."),
    405: lazy("Pages that change something are opened from their form."),
    413: lazy("What you sent is larger than this page takes."),
}


_TO_PROGRAMS = {
    401: "Send a token that is valid: Authorization: Bearer …",
    403: "The token has not this call's scope, or who it acts for has not been granted it.",
    404: "There is no such thing.",
    405: "This address takes other methods: see Allow.",
    413: "The body is too large.",
    429: "This token has called too often: wait for as many seconds as Retry-After says. Nothing was done.",
    503: "The database can't be reached at this moment, or has no room: ask again. With an Idempotency-Key nothing is done twice.",
}


def explain_errors(app: Flask) -> None:
    """Put these pages into an application."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(psycopg.errors.IntegrityError, _refused)
    app.register_error_handler(psycopg.errors.LockNotAvailable, _busy)
    app.register_error_handler(psycopg.errors.DeadlockDetected, _busy)
    app.register_error_handler(psycopg.errors.QueryCanceled, _slow)
    app.register_error_handler(psycopg.DataError, _unfit)
    app.register_error_handler(OverflowError, _unfit)
    app.register_error_handler(ValueError, _unread)
    app.register_error_handler(psycopg.errors.DiskFull, _full)
    app.register_error_handler(OSError, _unkept)
    app.register_error_handler(psycopg.OperationalError, _away)
    app.register_error_handler(Exception, _fault)


def error_page(status: int, title: object, words: object, *, again_s: int = 0) -> Response:
    """A page, or a part of one where only that was asked for."""
    if request.path.startswith(INTERFACE):
        return problem_response(status, _plain(status, words))
    template = "error_part.html" if "HX-Request" in request.headers else "error.html"
    g.setdefault("staff", None)
    text = render_template(
        template, status=status, title=title, words=words, again_s=again_s, actor_id=g.get("request_id")
    )
    return Response(text, status, content_type="text/html; charset=utf-8")


def _plain(status: int, words: object) -> str:
    """For a program: in English, and what to do."""
    return _TO_PROGRAMS.get(status) or str(words) or "Not done."


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400 or error.response is not None:
        return error.get_response()
    own = error.description if error.description != type(error).description else None
    words = own or _WORDS.get(status, "")
    page = error_page(status, _TITLES.get(status, gettext("Not done")), words)
    page.headers.extend({name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")})
    return page


def _refused(error: psycopg.errors.IntegrityError) -> Response:
    telemetry.logger().warning("page.refused", path=request.path, constraint=error.diag.constraint_name)
    return error_page(409, gettext("Not done"), database_words(error))


def _unfit(error: psycopg.DataError | OverflowError | ValueError) -> Response:
    # A day at the end of all time has no day after it: what is worked out of such a value goes no further than one that can't be kept.
    primary = error.diag.message_primary if isinstance(error, psycopg.DataError) else None
    telemetry.logger().warning("page.unfit", path=request.path, problem=primary or str(error))
    return error_page(
        422, gettext("Not done"), gettext("A number or a text is not one that the database can hold; nothing was done.")
    )


def _unread(error: ValueError) -> Response:
    """A number of more figures than Python reads at all, which is nothing's number either; anything else is a fault of ours."""
    return _unfit(error) if _TOO_LONG in str(error) else _fault(error)


def _busy(error: psycopg.Error) -> Response:
    del error
    return error_page(
        409,
        gettext("Not done"),
        gettext("Somebody else was changing the same at this moment, so nothing was done. Send it again."),
    )


def _slow(error: psycopg.Error) -> Response:
    del error
    telemetry.logger().error("page.too_slow", path=request.path)
    return error_page(
        503,
        gettext("This took too long"),
        gettext("The question was given up, so that others are not held. Narrow it down."),
    )


def _unkept(error: OSError) -> Response:
    """What was sent, or a file that is made, found no room beside this process; anything else is a fault of ours."""
    return _full(error) if error.errno in _NO_ROOM else _fault(error)


def _full(error: psycopg.Error | OSError) -> Response:
    telemetry.logger().error("page.disk_full", path=request.path, problem=str(error).strip())
    return error_page(
        503,
        gettext("There is no room left"),
        gettext("The disk is full, so nothing was done. Once whoever runs Corrente has made room, send it again."),
    )


def _away(error: psycopg.Error) -> Response:
    telemetry.logger().warning("page.database_away", path=request.path, problem=str(error).strip())
    nothing_sent = request.method in ("GET", "HEAD")
    words = (
        gettext("Subscribers go on logging in meanwhile and their usage is counted. This page asks again by itself.")
        if nothing_sent
        else gettext("Whether what you sent was done is not known. Go back and send it again: nothing is done twice.")
    )
    page = error_page(503, _TITLES[503], words, again_s=_AGAIN_S if nothing_sent else 0)
    page.headers["Retry-After"] = str(_AGAIN_S)
    return page


def _fault(error: Exception) -> Response:
    # A fault of ours: told whole in the log, by its number on the page.
    telemetry.logger().exception("page.fault", path=request.path, request_id=g.get("request_id"))
    if current_app.testing:
        raise error
    return error_page(
        500,
        gettext("A fault of ours"),
        gettext(
            "It stands in the log of the web process under %(number)s. Nothing was done.",
            number=g.get("request_id", "?"),
        ),
    )
