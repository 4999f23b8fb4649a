"""The search of the top bar: hits while one types, a page of them, and straight to the one that was meant."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, redirect, render_template, request
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from control_plane.searching import NEEDS, Found, Hit, meant, search
from web.acting import may, transaction
from web.language import lazy
from web.marks import signed_in
from web.staff.customer_words import STATUS_TONES, STATUSES

pages = Blueprint("search", __name__)
_GROUPS: Final[dict[Found, tuple[Any, str]]] = {
    Found.CUSTOMER: (lazy("Customers"), "users"),
    Found.CONTRACT: (lazy("Contracts"), "signature"),
    Found.ACCOUNT: (lazy("Accounts"), "router"),
    Found.DOCUMENT: (lazy("Documents"), "file-invoice"),
}
_WHERE: Final = {
    Found.CUSTOMER: "/customers/",
    Found.CONTRACT: "/contracts/",
    Found.ACCOUNT: "/accounts/",
    Found.DOCUMENT: "/documents/",
}


@pages.get("/search")
@signed_in()
def show() -> str | Response:
    """What fits, of the kinds that the one who asks may see. Enter with one that was meant leads to its page."""
    text = request.args.get("q", "")
    with transaction() as connection:
        hits = search(connection, text, kinds=[kind for kind, needed in NEEDS.items() if may(needed)])
    live = "HX-Request" in request.headers
    one = None if live else meant(hits)
    if one is not None:
        return redirect(address_of(one), 303)
    groups = [
        (*_GROUPS[kind], [(hit, address_of(hit)) for hit in hits if hit.kind is kind]) for kind in _in_order(hits)
    ]
    template = "staff/search/found.html" if live else "staff/search/page.html"
    return render_template(template, q=text.strip(), groups=groups, statuses=STATUSES, tones=STATUS_TONES)


def _in_order(hits: tuple[Hit, ...]) -> list[Found]:
    """The kinds that were found, that of the best hit first."""
    return list(dict.fromkeys(hit.kind for hit in hits))


def address_of(hit: Hit) -> str:
    """The page of what was found."""
    key = hit.key.replace("%", "%25").replace("/", "%2F").replace("?", "%3F").replace("#", "%23")
    return iri_to_uri(f"{_WHERE[hit.kind]}{key}")
