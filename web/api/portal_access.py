"""A customer's access to the portal: whether they have it, a link by mail or in a letter, kept out and let in again, sessions and devices ended."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from billing.payments import NotDone
from billing.store.push_devices import load_devices_of
from control_plane.access.permissions import Permission
from control_plane.access.portal_office import drop_device, end_sessions, invite_by_letter, keep_out, let_in, send_link
from control_plane.store.portal import load_access_of, load_sessions_of
from web.acting import person
from web.api._shapes import Number, Reason, done, there_is_none
from web.api.customers import known
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.staff.portal_access import link_maker

pages = Noun("customers", "portal")
_SESSIONS = 20
_ALSO = (Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)


class PortalVisit(msgspec.Struct, frozen=True):
    """A time in the portal."""

    created_at: datetime
    last_seen_at: datetime
    is_over: bool


class NoticeDevice(msgspec.Struct, frozen=True):
    """A browser that shows notices."""

    id: int
    name: str
    made_at: datetime


class PortalAccess(msgspec.Struct, frozen=True):
    """Whether and how a customer comes in: `came_in_at` the first time, null for who never did; `email` is null for who does by their
    number alone; `blocked_at` since when they are kept out.
    """

    came_in_at: datetime | None
    email: str | None
    has_password: bool
    blocked_at: datetime | None
    sessions: list[PortalVisit]
    devices: list[NoticeDevice]


class LinkToMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To which contact of the customer's a link goes."""

    contact_id: Number


class LetterToPrint(msgspec.Struct, frozen=True):
    """The page that a letter names, told now and never again: it lets in once, until then."""

    page: str
    until: datetime


class WhyKeptOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a customer is kept out."""

    reason: Reason


@pages.call("GET", "/customers/<int:number>/portal", permission=Permission.CUSTOMER_SEE, also=(Permission.PORTAL_SEE,), answers=PortalAccess, does=("portal_access.show",))  # fmt: skip
def portal(connection: Connection, *, number: int) -> PortalAccess:
    """A customer's access to the portal."""
    known(connection, number)
    return _shown(connection, number)


@pages.call("POST", "/customers/<int:number>/portal/link", permission=Permission.CUSTOMER_SEE, also=_ALSO, body=LinkToMail, answers=PortalAccess, does=("portal_access.link",))  # fmt: skip
def portal_link(connection: Connection, *, number: int, body: LinkToMail) -> PortalAccess:
    """Mail a contact a link that lets them in once."""
    known(connection, number)
    address = link_maker()
    if address is None:
        raise Problem(409, "Links can't be mailed yet: the settings name no public address.")
    _done(send_link(connection, number, body.contact_id, link=address, actor=person().name, now=datetime.now(UTC)))
    return _shown(connection, number)


@pages.call("POST", "/customers/<int:number>/portal/letter", permission=Permission.CUSTOMER_SEE, also=_ALSO, answers=LetterToPrint, status=201, does=("portal_access.letter",), tells_secret=True)  # fmt: skip
def portal_letter(connection: Connection, *, number: int) -> LetterToPrint:
    """What a letter tells a customer who has no e-mail; what an older letter says lets nobody in any more."""
    known(connection, number)
    address = link_maker()
    if address is None:
        raise Problem(409, "A letter can't name the portal yet: the settings name no public address.")
    invited = done(invite_by_letter(connection, number, link=address, actor=person().name, now=datetime.now(UTC)))
    return LetterToPrint(invited.page, invited.until)


@pages.call("POST", "/customers/<int:number>/portal/lock", permission=Permission.CUSTOMER_SEE, also=_ALSO, body=WhyKeptOut, answers=PortalAccess, does=("portal_access.lock",))  # fmt: skip
def portal_lock(connection: Connection, *, number: int, body: WhyKeptOut) -> PortalAccess:
    """Keep a customer out of the portal; all sessions end."""
    known(connection, number)
    _done(keep_out(connection, number, reason=body.reason, actor=person().name, now=datetime.now(UTC)))
    return _shown(connection, number)


@pages.call("POST", "/customers/<int:number>/portal/unlock", permission=Permission.CUSTOMER_SEE, also=_ALSO, answers=PortalAccess, does=("portal_access.unlock",))  # fmt: skip
def portal_unlock(connection: Connection, *, number: int) -> PortalAccess:
    """Let a customer in again."""
    known(connection, number)
    _done(let_in(connection, number, actor=person().name))
    return _shown(connection, number)


@pages.call("POST", "/customers/<int:number>/portal/end-sessions", permission=Permission.CUSTOMER_SEE, also=_ALSO, answers=PortalAccess, does=("portal_access.end_all",))  # fmt: skip
def portal_end_sessions(connection: Connection, *, number: int) -> PortalAccess:
    """Sign a customer out everywhere."""
    known(connection, number)
    end_sessions(connection, number, actor=person().name, now=datetime.now(UTC))
    return _shown(connection, number)


@pages.call("DELETE", "/customers/<int:number>/portal/devices/<int:device>", permission=Permission.CUSTOMER_SEE, also=_ALSO, answers=None, does=("portal_access.remove",))  # fmt: skip
def portal_device(connection: Connection, *, number: int, device: int) -> None:
    """Show no notices on a device any more."""
    known(connection, number)
    if not drop_device(connection, number, device, actor=person().name):
        raise there_is_none()


def _done(refused: NotDone | None) -> None:
    if refused is not None:
        done(refused)


def _shown(connection: Connection, number: int) -> PortalAccess:
    access = load_access_of(connection, number)
    visits = load_sessions_of(connection, number, now=datetime.now(UTC), limit=_SESSIONS)
    return PortalAccess(
        None if access is None else access.came_in_at,
        None if access is None else access.email,
        access is not None and access.has_password,
        None if access is None else access.blocked_at,
        [PortalVisit(one.created_at, one.last_seen_at, one.is_over) for one in visits],
        [NoticeDevice(one.id, one.name, one.made_at) for one in load_devices_of(connection, number)],
    )
