"""Marks on views: who may see a page. A view without one is not served.

`allowed(permission)` for staff, `signed_in` for what every member of staff may do with their own, `public(reason)` for what
anybody may, and `of_subscriber` for the portal. A test walks all routes and fails on one without a mark; `acting.py` refuses it.

Next: acting.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from control_plane.access.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE: Final = "corrente_mark"


@dataclass(frozen=True, slots=True)
class Allowed:
    """For staff with each of these permissions."""

    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """For every member of staff. `first`: also for one who has still to choose a password of their own. `second`: also for one who has
    still to make the second factor that a role of theirs demands.
    """

    first: bool = False
    second: bool = False


@dataclass(frozen=True, slots=True)
class Public:
    """For anybody, because of the reason. `checked_by_itself`: a machine calls it, which has no form of ours to send back."""

    reason: str
    checked_by_itself: bool = False


@dataclass(frozen=True, slots=True)
class OfSubscriber:
    """For a subscriber in the portal, who sees their own."""


Mark = Allowed | SignedIn | Public | OfSubscriber


def allowed(*permissions: Permission) -> Callable[[View], View]:
    """Staff with all of these may."""
    assert permissions, "name at least one permission; signed_in is for what needs none"
    return _marker(Allowed(permissions))


def signed_in(*, first: bool = False, second: bool = False) -> Callable[[View], View]:
    """Every member of staff may."""
    return _marker(SignedIn(first, second))


def public(reason: str, *, checked_by_itself: bool = False) -> Callable[[View], View]:
    """Anybody may, and why that is right."""
    return _marker(Public(reason, checked_by_itself))


def of_subscriber() -> Callable[[View], View]:
    """Subscribers may, in the portal."""
    return _marker(OfSubscriber())


def mark_of(view: Callable[..., Any] | None) -> Mark | None:
    """What stands on a view."""
    return getattr(view, _ATTRIBUTE, None)


def _marker(mark: Mark) -> Callable[[View], View]:
    def put(view: View) -> View:
        setattr(view, _ATTRIBUTE, mark)
        return view

    return put
