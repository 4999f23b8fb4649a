"""What every answer carries, and what every request that changes something must bring.

Pages run scripts and styles of this site alone, and nobody may frame them. A request that changes something comes from a page of ours:
the browser says so (Sec-Fetch-Site, or Origin), and the form sends back the secret of its session. Before somebody has signed in
the secret is a cookie's own.

Source: W3C Content Security Policy Level 3; W3C Fetch Metadata; OWASP "Cross-Site Request Forgery Prevention".
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from web.language import gettext
from web.marks import Public, mark_of

View = TypeVar("View", bound=Callable[..., Any])
FIELD: Final = "csrf_token"
_FILES: Final = "corrente_most_octets"
_HEADER: Final = "X-CSRF-Token"
_COOKIE: Final = "corrente_form"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Forms have fields; what takes files is marked by takes_files.
MOST_OCTETS: Final = 2 * 1024 * 1024
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_OWN_PICTURES: Final = "img-src 'self' data:"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self), payment=()",
}


class ForeignFormError(BadRequest):
    """A form that is not ours, or one of a session that has ended meanwhile."""


def protect(app: Flask) -> None:
    """Put all of it around an application."""
    app.config["MAX_CONTENT_LENGTH"] = MOST_OCTETS
    app.config["MAX_FORM_MEMORY_SIZE"] = MOST_OCTETS
    app.before_request(_check_form)
    app.after_request(_seal)


def form_secret() -> str:
    """What a form of this page sends back."""
    if (sessions := _secrets()) != ():
        return sessions[0]
    if "form_secret" not in g:
        g.form_secret = request.cookies.get(_COOKIE) or secrets.token_urlsafe(24)
    return str(g.form_secret)


def takes_files(most_octets: int) -> Callable[[View], View]:
    """A mark on a view: what is sent to it may be so large, which forms alone may not."""

    def put(view: View) -> View:
        setattr(view, _FILES, most_octets)
        return view

    return put


def policy_with_pictures_of(address: str) -> str:
    """The policy of a page that shows pictures from another host, too: a map's."""
    parts = urlsplit(address)
    return _POLICY.replace(_OWN_PICTURES, f"{_OWN_PICTURES} {parts.scheme}://{parts.netloc}")


def _secrets() -> tuple[str, ...]:
    """Of the sessions that this request has: staff's, a subscriber's, on public pages perhaps both."""
    found = (g.get("entered"), g.get("subscriber"))
    return tuple(_of_session(one.csrf_secret) for one in found if one is not None)


def _of_session(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode()


def _check_form() -> None:
    if request.method in _SAFE or request.endpoint is None or g.get("by_token"):
        return
    view = current_app.view_functions[request.endpoint]
    request.max_content_length = request.max_form_memory_size = getattr(view, _FILES, MOST_OCTETS)
    mark = mark_of(view)
    if isinstance(mark, Public) and mark.checked_by_itself:
        return
    if not _of_this_site():
        raise ForeignFormError(gettext("This came from another site, so nothing was done."))
    given = request.headers.get(_HEADER) or request.form.get(FIELD, "")
    expected = _secrets() or (request.cookies.get(_COOKIE, ""),)
    if not any(one and hmac.compare_digest(given.encode(), one.encode()) for one in expected):
        raise ForeignFormError(
            gettext(
                "This page is older than your session, so nothing was done. Load it again, then repeat what you did."
            )
        )


def _of_this_site() -> bool:
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        return said in ("same-origin", "none")
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def _seal(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    mark = mark_of(current_app.view_functions.get(request.endpoint or ""))
    if not isinstance(mark, Public) or "Cache-Control" not in response.headers:
        # What a page or a file shows is of who was signed in: nobody else's browser is to have it, nor this one after a sign-out.
        response.headers["Cache-Control"] = "no-store"
    if "form_secret" in g and _COOKIE not in request.cookies:
        response.set_cookie(_COOKIE, g.form_secret, httponly=True, secure=request.is_secure, samesite="Lax")
    return response
