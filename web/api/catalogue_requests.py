"""How far the worker is with a price change or a promotion that was asked for."""

from __future__ import annotations

from datetime import datetime

import msgspec

from billing.store.catalogue_requests import load_request
from control_plane.access.permissions import Permission
from web.api._shapes import shaped, there_is_none
from web.calls import Noun
from web.database import Connection

pages = Noun("catalogue_requests")


class OneCatalogueRequest(msgspec.Struct, frozen=True):
    """A price change or promotion: `contracts` of `of_contracts` are done, `changed` items or contracts came out otherwise. With a
    `problem` it has ended before all was done.
    """

    id: int
    act: str
    name: str
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    contracts: int
    of_contracts: int | None
    changed: int
    ended_at: datetime | None
    problem: str


@pages.call(
    "GET",
    "/catalogue-requests/<int:number>",
    permission=Permission.CATALOGUE_SEE,
    answers=OneCatalogueRequest,
    refusals=(404,),
    does=("catalogue_requests.show",),
)
def show(connection: Connection, *, number: int) -> OneCatalogueRequest:
    """How far one is, and what came of it."""
    found = load_request(connection, number)
    if found is None:
        raise there_is_none()
    return shaped(OneCatalogueRequest, found, name=str(found.what["name"]))
