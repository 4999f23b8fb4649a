"""Whatever staff do in the console a program can do: each page of staff is done by a call, or stands here with why no program needs it.

A call names the pages that it does the same as (`does=("payment_new.new",)`), and is for nobody who may not open them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

import pytest
from flask import Flask

from control_plane.access.permissions import Permission
from control_plane.settings import Settings
from web.app import create_app
from web.calls import Call, Noun
from web.marks import Allowed, Mark, Public, mark_of

# Pages that no program needs, by why.
NOT_FOR_PROGRAMS: Final = {
    "a person signs in; a program has a token": ("sign_in.*", "passkeys.*"),
    "a person's own account, look and kept views": ("me.*", "look.*", "saved_views.*"),
    "somebody signs with a finger on a screen that shows the paper": ("contract_signing.ask",),
    "a device's counters every three seconds while one looks": ("account_traffic.device",),
    "it leads a person on": ("home.begin", "bill_runs.lead", "bill_runs.lead_to_run"),
    "the same page again while one looks": ("*.live", "bill_runs.asked_live"),
    "parts of a form while one types": ("new_invoices.lines", "quotes.lines", "payment_new.found", "payment_new.owed"),
}


@pytest.fixture(scope="module")
def app() -> Flask:
    """The application; nothing is asked of a database."""
    return create_app(Settings())


@pytest.fixture(scope="module")
def pages(app: Flask) -> dict[str, Mark]:
    """Every view of staff that is not for everybody, by endpoint."""
    marks = {
        name: mark_of(view) for name, view in app.view_functions.items() if view.__module__.startswith("web.staff.")
    }
    return {name: mark for name, mark in marks.items() if mark is not None and not isinstance(mark, Public)}


@pytest.fixture(scope="module")
def calls(app: Flask) -> list[Call]:
    """Every call of the interface."""
    return [call for noun in app.blueprints.values() if isinstance(noun, Noun) for call in noun.calls]


def is_excused(page: str) -> bool:
    return any(fnmatchcase(page, pattern) for patterns in NOT_FOR_PROGRAMS.values() for pattern in patterns)


def test_each_page_of_staff_is_done_by_a_call(pages, calls):
    done = {page for call in calls for page in call.does}
    without = {page for page in pages if page not in done and not is_excused(page)}
    # A page of yours stands here? Declare the call that does the same, in web/api: docs/api.md.
    assert sorted(without) == []


def test_what_is_said_of_pages_is_said_of_pages_that_there_are(app, pages, calls):
    assert [(call.name, page) for call in calls for page in call.does if page not in pages] == []
    patterns = [pattern for patterns in NOT_FOR_PROGRAMS.values() for pattern in patterns]
    assert [one for one in patterns if not any(fnmatchcase(name, one) for name in app.view_functions)] == []


def test_no_call_is_for_who_may_not_open_its_page(pages, calls):
    laxer: list[tuple[str, str, set[Permission]]] = []
    for call in calls:
        for page in call.does:
            mark = pages.get(page)
            lacking = set(mark.permissions) - set(call.permissions) if isinstance(mark, Allowed) else set()
            laxer += [(call.name, page, lacking)] if lacking else []
    assert laxer == []
