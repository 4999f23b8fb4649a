"""Who acts in this request, and whether they may: asked before every view.

A request has the session's cookie or a token; the mark on its view says who may see it; what has no mark is refused. What changes
something has to come from a page of ours (security.py). Views ask `person()` and open `transaction()`, which tells the
database for whom it works.

Next: language.py
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from flask import Flask, current_app, g, redirect, request, url_for
from flask import Response as FlaskResponse
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized
from werkzeug.wrappers import Response

from control_plane import db
from control_plane.access.call_limit import WINDOW_S, Allowance, count_call
from control_plane.access.permissions import Permission
from control_plane.access.person import Staff
from control_plane.access.portal import actor_of, subscriber_of
from control_plane.store.portal import Subscriber
from control_plane.store.staff_sessions import Entered, session_for, token_for
from web.database import Connection
from web.marks import Allowed, Mark, OfSubscriber, Public, SignedIn, mark_of
from web.surroundings import here

COOKIE: Final = "corrente_session"
PORTAL_COOKIE: Final = "corrente_portal"
# Below it programs call, with a token.
INTERFACE: Final = "/api/"
# Where somebody with a one-time password chooses their own, and where who lacks a second factor makes one.
_FIRST_STEP: Final = "sign_in.new_password"
_SECOND_STEP: Final = "sign_in.new_factor"


def guard(app: Flask) -> None:
    """Put the question before every view of an application."""
    app.before_request(_enter)
    app.before_request(_decide)
    app.after_request(_tell_allowance)


def person() -> Staff:
    """Who acts."""
    staff: Staff | None = g.get("staff")
    assert staff is not None, "this view is for staff: mark it so"
    return staff


def subscriber() -> Subscriber:
    """Whose portal this is."""
    found: Subscriber | None = g.get("subscriber")
    assert found is not None, "this view is for subscribers: mark it so"
    return found


def caller() -> str:
    """Whose forms these are: what is done once is done once for each of them."""
    if "caller" in g:
        return str(g.caller)
    if g.get("staff") is not None:
        return f"screen {person().id}"
    return f"portal {subscriber().customer_id}"


def may(permission: Permission | str) -> bool:
    """Whether the one who looks may; False for nobody."""
    staff: Staff | None = g.get("staff")
    return staff is not None and staff.may(Permission(permission))


def demand(permission: Permission) -> None:
    """Refuse who may not, within a view that others may see."""
    if not may(permission):
        raise Forbidden


@contextmanager
def transaction() -> Iterator[Connection]:
    """One, for whoever acts; see database.py."""
    staff: Staff | None = g.get("staff")
    customer: Subscriber | None = g.get("subscriber")
    actor = staff.name if staff else g.get("actor", actor_of(customer.customer_id) if customer else "web")
    origin = g.get("origin", "screen")
    with here().database.transaction(actor=actor, origin=origin, request_id=request_id()) as connection:
        yield connection


def request_id() -> str:
    """The same on all that one request writes."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return str(g.request_id)


def still_may() -> Callable[[Connection], bool]:
    """What asks, long after this request was let in, whether it still would be: for who goes on telling them something."""
    token = request.cookies.get(COOKIE, "")
    mark = mark_of(current_app.view_functions.get(request.endpoint or ""))
    needed = mark.permissions if isinstance(mark, Allowed) else ()

    def ask(connection: Connection) -> bool:
        entered = session_for(connection, token, now=datetime.now(UTC))
        return entered is not None and all(entered.staff.may(one) for one in needed)

    return ask


def clock(connection: Connection) -> datetime:
    """What time the database has, aware UTC: what pages go by."""
    return db.clock(connection)


def _enter() -> None:
    """Know who it is."""
    g.staff = None
    g.entered = None
    g.subscriber = None
    if request.path.startswith(INTERFACE):
        _enter_by_token()
        return
    token = request.cookies.get(COOKIE)
    mark = mark_of(current_app.view_functions.get(request.endpoint or ""))
    if request.endpoint == "assets.file" or (isinstance(mark, Public) and mark.checked_by_itself):
        return
    if isinstance(mark, OfSubscriber | Public):
        _enter_portal()
    if not token or isinstance(mark, OfSubscriber):
        return
    with here().database.transaction(actor="web", request_id=request_id()) as connection:
        entered: Entered | None = session_for(connection, token, now=datetime.now(UTC))
    g.entered = entered
    if entered is not None:
        g.staff = entered.staff
        g.still_may = still_may()


def _enter_portal() -> None:
    """Know which subscriber it is. Public pages know it too: what everybody's switches send comes from a page of the portal's."""
    token = request.cookies.get(PORTAL_COOKIE)
    if token:
        with here().database.transaction(actor="web", request_id=request_id()) as connection:
            g.subscriber = subscriber_of(connection, token, now=datetime.now(UTC))


def _enter_by_token() -> None:
    """Know for whom a program acts: a cookie is nothing here, so that no page of another site can call."""
    g.by_token, g.origin = True, "interface"
    kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not bearer:
        return
    now = datetime.now(UTC)
    with here().database.transaction(actor="web", request_id=request_id()) as connection:
        program = token_for(connection, bearer.strip(), now=now)
        if program is None:
            return
        per_minute = here().settings.web.calls_per_minute
        g.allowance = count_call(connection, program.token_id, per_minute=per_minute, now=now)
    if g.allowance.is_too_much:
        raise TooManyRequests(retry_after=g.allowance.over_in_s)
    g.staff, g.program = program.staff, program


def _tell_allowance(response: FlaskResponse) -> FlaskResponse:
    """Source: IETF draft-ietf-httpapi-ratelimit-headers-10."""
    allowance: Allowance | None = g.get("allowance")
    if allowance is not None:
        response.headers["RateLimit-Policy"] = f'"token";q={allowance.limit};w={WINDOW_S}'
        response.headers["RateLimit"] = f'"token";r={allowance.left};t={allowance.over_in_s}'
    return response


def _decide() -> Response | None:
    """Refuse what is not allowed: 404 for what there is not, sign-in for who has not, 403 for who may not."""
    if request.endpoint is None:
        return None
    mark = mark_of(current_app.view_functions[request.endpoint])
    if mark is None:
        raise Forbidden
    match mark:
        case Public():
            return None
        case OfSubscriber():
            return _to_sign_in("portal_entrance.ask") if g.subscriber is None else None
        case _ if request.path.startswith(INTERFACE):
            _decide_for_program(mark)
            return None
        case _ if g.entered is None:
            return _to_sign_in()
        case _:
            return _decide_for_staff(mark, g.entered)


def _decide_for_staff(mark: Mark, entered: Entered) -> Response | None:
    """What comes before anything else comes first: a password of one's own, then the second factor that a role demands."""
    match mark:
        case SignedIn(first=True):
            return None
        case _ if entered.must_change_password:
            return _to_page(url_for(_FIRST_STEP))
        case SignedIn(second=True):
            return None
        case _ if entered.lacks_second_factor:
            return _to_page(url_for(_SECOND_STEP))
        case Allowed(permissions) if not all(person().may(one) for one in permissions):
            raise Forbidden
        case _:
            return None


def _decide_for_program(mark: Mark) -> None:
    if g.staff is None:
        raise Unauthorized
    # What each member of staff may, whatever their roles, each token of theirs may: it is answered what its scopes open.
    if isinstance(mark, SignedIn):
        return
    if not isinstance(mark, Allowed) or not all(person().may(one) for one in mark.permissions):
        raise Forbidden


def _to_sign_in(page: str = "sign_in.ask") -> Response:
    """The sign-in page, which leads back here. Who asks for a part of a page has the whole page go there."""
    back = request.full_path.rstrip("?") if request.method == "GET" and "HX-Request" not in request.headers else ""
    return _to_page(url_for(page, back=back or None))


def _to_page(target: str) -> Response:
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target, 303)
