"""From where a request comes, and what is said to who is not let in: for the pages that let people in.

Next: staff/sign_in.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

from flask import g, redirect, request
from werkzeug.wrappers import Response

from control_plane.access.own import sign_out
from control_plane.access.passkeys import Site
from control_plane.access.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, PasswordProblem
from control_plane.access.signing_in import Came, Refused, SignedIn, SignInReason
from web.acting import COOKIE, transaction
from web.language import gettext, span_shown
from web.surroundings import here


def came() -> Came:
    """The address, as far as it is one, and what the browser calls itself."""
    address = request.remote_addr
    try:
        ip_address((address or "").partition("%")[0])
    except ValueError:
        address = None
    return Came(address, request.headers.get("User-Agent", ""))


def site() -> Site | None:
    """This site as passkeys know it; None where it has no name, for they are for names alone."""
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if not host:
        return None
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return Site(host, request.host_url.rstrip("/"), here().settings.operator.name)
    return None


def can_mail() -> bool:
    """Whether a link to a page of this site can be mailed to staff."""
    settings = here().settings
    return bool(settings.email.host and settings.messages.public_url)


def let_in(result: SignedIn, back: str) -> Response:
    """Lead to where they wanted to go, with the session's cookie. The session that this browser had before ends: nobody could end it there any more."""
    if g.entered is not None:
        with transaction() as connection:
            sign_out(connection, g.entered.session_id, now=datetime.now(UTC))
    response = redirect(back, 303)
    response.set_cookie(COOKIE, result.token, httponly=True, secure=request.is_secure, samesite="Lax")
    return response


def refusal_words(refused: Refused) -> str:
    """Why somebody is not let in."""
    if refused.reason is SignInReason.STEP_OVER:
        return gettext("This took too long. Begin again with your name and password.")
    if refused.reason is SignInReason.WAIT:
        said = gettext("Too many tries have failed.")
    elif refused.reason is SignInReason.WRONG_PASSKEY:
        said = gettext("This passkey is not known here, or was not unlocked.")
    elif refused.reason is SignInReason.WRONG_CODE:
        said = gettext("This code is wrong, or it was used before.")
    else:
        said = gettext("The name or the password is wrong.")
    if refused.wait_s:
        return said + " " + gettext("The next one is looked at in %(span)s.", span=span_shown(refused.wait_s))
    return said


def password_words(problem: PasswordProblem) -> str:
    """Why a password is not taken."""
    match problem:
        case PasswordProblem.TOO_SHORT:
            return gettext("At least %(number)s characters.", number=LEAST_CHARACTERS)
        case PasswordProblem.TOO_LONG:
            return gettext("At most %(number)s characters.", number=MOST_CHARACTERS)
        case PasswordProblem.COMMON:
            return gettext("This is among the first that anybody tries.")
        case PasswordProblem.REPEATS:
            return gettext("This repeats a few characters.")
        case PasswordProblem.LIKE_THE_NAME:
            return gettext("Not your own name.")
        case PasswordProblem.AS_BEFORE:
            return gettext("This is the one you have.")
