"""Who is online: where, with which addresses, under which policy, carrying how much; and what is done to those chosen.

Next: online_deeds.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.quantities import mac_text
from control_plane.store.nas import load_nas_vendors
from control_plane.store.network_figures import load_online
from control_plane.store.online_list import (
    FilterError,
    OnlineFilter,
    OnlineRow,
    Sort,
    load_online_page,
    read_mac,
    read_network,
    stream_online,
)
from web.acting import clock, transaction
from web.language import gettext, lazy, zone
from web.lists import FILE_ROWS, PAGE_ROWS, after, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.navigation import Entry
from web.staff.network_words import LEVEL_TONES, LEVELS
from web.staff.saved_views import first_look, views_of

pages = Blueprint("online", __name__)
ENTRIES: Final = (Entry("network", lazy("Online"), "online.show", Permission.NETWORK_SEE, order=10),)

PAGE: Final = "online"
_SORTS: Final = {"since": Sort.START, "username": Sort.USERNAME, "now": Sort.NOW}
_LETTERS: Final = 253
# More names than this are typed, not chosen from a list.
_MOST_CHOICES: Final = 100
_GREATEST_ID: Final = 2**63 - 1
_WRONG: Final = {
    "ip": lazy("Write an address such as 198.18.0.7, or a prefix such as 198.18.0.0/24."),
    "mac": lazy("Write a MAC address of twelve digits, such as 02:00:5e:00:53:01."),
    "customer": lazy("A customer is named by a number here."),
}


def filter_of(asked: Mapping[str, str]) -> OnlineFilter:
    """The filter that an address's questions ask for. Raises: FilterError."""
    text = {
        name: asked.get(name, "").strip()[:_LETTERS] for name in ("username", "nas", "line", "ip", "mac", "customer")
    }
    customer = text["customer"]
    if customer and not (customer.isascii() and customer.isdigit() and int(customer) <= _GREATEST_ID):
        raise FilterError("customer")
    return OnlineFilter(
        username=text["username"],
        nas=text["nas"],
        line=text["line"],
        network=read_network(text["ip"]) if text["ip"] else None,
        mac=read_mac(text["mac"]) if text["mac"] else "",
        customer_id=int(customer) if customer else None,
        stale=asked.get("state") == "stale",
    )


def filter_error_words(error: FilterError) -> str:
    """What is wrong with a question."""
    return str(_WRONG[error.field])


@pages.get("/online")
@allowed(Permission.NETWORK_SEE)
def show() -> Response | tuple[str, int]:
    """Who is online, newest first unless asked otherwise."""
    look = first_look(PAGE)
    if look is not None:
        return look
    sort, down = sorted_by({name: name for name in _SORTS}, "-since")
    chosen("state", ("stale",))
    wrong, asked = "", OnlineFilter()
    try:
        asked = filter_of(request.args)
    except FilterError as error:
        wrong = filter_error_words(error)
    if sort == "now" and not asked.nas:
        raise BadRequest(gettext("By what they carry now the sessions of one NAS are sorted: choose one first."))
    with transaction() as connection:
        if not wrong:
            rows = stream_online(connection, asked, sort=_SORTS[sort], down=down, limit=FILE_ROWS)
            file = file_of("online", _file_columns(), _file_rows(rows, zone()))
            if file is not None:
                return file
        found = [] if wrong else load_online_page(
            connection, asked, sort=_SORTS[sort], down=down, after=_after(sort), limit=PAGE_ROWS + 1
        )  # fmt: skip
        online, now, nases = load_online(connection), clock(connection), list(load_nas_vendors(connection))
    return render_template(
        "staff/online/list.html",
        page=page_of(found, lambda row: _key(row, sort), rows_a_page=PAGE_ROWS),
        asked=asked,
        wrong=wrong,
        online=online,
        now=now,
        nases=[(name, name) for name in nases] if len(nases) <= _MOST_CHOICES else None,
        states=[("stale", gettext("Silent for too long"))],
        levels=LEVELS,
        level_tones=LEVEL_TONES,
        mac_text=mac_text,
        views=views_of(PAGE),
        query=request.query_string.decode("utf-8", "replace"),
    ), 422 if wrong else 200


def _after(sort: str) -> tuple[Any, ...] | None:
    """After which row this page begins. Raises: BadRequest for a mark of another sort."""
    mark = after()
    if mark is None:
        return None
    kinds: Mapping[str, str] = {"since": "datetime", "username": "str", "now": "int"}
    if len(mark) != 2 or type(mark[0]).__name__ != kinds[sort] or not isinstance(mark[1], str) or len(mark[1]) != 36:
        raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return mark


def _key(row: OnlineRow, sort: str) -> tuple[Any, ...]:
    first: object = {"since": row.started_at, "username": row.username, "now": row.carries_now}[sort]
    return (first, str(row.session_key))


def _file_columns() -> tuple[str, ...]:
    return (
        gettext("Username"), gettext("Customer"), gettext("Customer number"), "NAS", gettext("Site"), gettext("Line"), gettext("Port"), "IPv4", "IPv6", "MAC",
        gettext("Online since"), gettext("Last heard"), gettext("Policy"), gettext("Down, bit/s"), gettext("Up, bit/s"), gettext("Now down, bit/s"),
        gettext("Now up, bit/s"), gettext("Downloaded, octets"), gettext("Uploaded, octets"),
    )  # fmt: skip


def _file_rows(rows: Iterable[OnlineRow], there: ZoneInfo) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield (
            row.username, row.customer, row.customer_id, row.nas, row.site, row.line, row.port, row.ipv4, row.ipv6, mac_text(row.mac),
            row.started_at.astimezone(there), row.received_at.astimezone(there), row.policy, row.policy_down_bps, row.policy_up_bps, row.rate_out_bps,
            row.rate_in_bps, row.octets_out, row.octets_in,
        )  # fmt: skip
