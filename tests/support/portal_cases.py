"""For each constraint of the tables of the portal, what it must refuse. Values are SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case
from support.legal_world import insert
from support.portal_world import PORTAL_FIRST

_AT: Final = "'2026-01-10 12:00+00'"
_LATER: Final = "'2026-01-11 12:00+00'"
_SHORT: Final = "'\\x01'"
_BAD: Final = (
    ("portal_access", "email", "'nobody'"),
    ("portal_access", "password_hash", "'secret'"),
    ("portal_link", "digest", _SHORT),
    ("portal_session", "digest", _SHORT),
    ("portal_session", "csrf_secret", _SHORT),
    ("push_key", "id", "2"),
    ("push_key", "public_key", _SHORT),
    ("push_key", "sealed_private", _SHORT),
    ("push_device", "endpoint", "''"),
    ("push_device", "public_key", _SHORT),
    ("push_device", "auth_secret", _SHORT),
    ("push_device", "name", "''"),
    ("plan_request", "note", "''"),
    ("plan_request", "asked_by", "''"),
    ("plan_request", "answer", "''"),
)


def _cases() -> Iterator[Case]:
    """Each constraint with a statement that it refuses and the legal one beside it."""
    for table, column, wrong in _BAD:
        yield Case(f"{table}_{column}_check", insert(table, **{column: wrong}), insert(table))
    answered = {"answered_at": _LATER, "answered_by": "'maria'", "accepted": "false"}
    yield Case(
        "plan_request_answered_by_check",
        insert("plan_request", **{**answered, "answered_by": "''"}),
        insert("plan_request", **answered),
    )
    yield Case(
        "plan_request_answered_whole", insert("plan_request", answered_by="'maria'"), insert("plan_request", **answered)
    )
    open_one = insert("plan_request")
    yield Case("plan_request_one_open", f"{open_one}; {open_one}", open_one)
    yield Case("plan_request_contract_id_fkey", insert("plan_request", contract_id="999"), open_one)
    yield Case("plan_request_plan_id_fkey", insert("plan_request", plan_id="999"), open_one)
    reminder = insert("garden_reminder")
    yield Case("garden_reminder_pkey", f"{reminder}; {reminder}", reminder)
    yield Case("garden_reminder_contract_id_fkey", insert("garden_reminder", contract_id="999"), reminder)
    yield Case("portal_access_pkey", f"{insert('portal_access')}; {insert('portal_access')}", insert("portal_access"))
    for table in ("portal_access", "portal_link", "portal_session"):
        yield Case(f"{table}_customer_id_fkey", insert(table, customer_id="999"), insert(table))
    for table in ("portal_link", "portal_session"):
        first = PORTAL_FIRST[table]["digest"]
        yield Case(f"{table}_digest_once", insert(table, digest=first), insert(table))
    for table in ("portal_link", "portal_session", "plan_request"):
        yield Case(f"{table}_pkey", insert(table, id="1"), insert(table))
    yield Case("push_key_pkey", f"{insert('push_key')}; {insert('push_key')}", insert("push_key"))
    yield Case("push_device_pkey", insert("push_device", id="1"), insert("push_device"))
    first = PORTAL_FIRST["push_device"]["endpoint"]
    yield Case("push_device_endpoint_once", insert("push_device", endpoint=first), insert("push_device"))
    for column in ("customer_id", "session_id"):
        yield Case(f"push_device_{column}_fkey", insert("push_device", **{column: "999"}), insert("push_device"))
    yield Case("portal_link_ends", insert("portal_link", ends_at=_AT), insert("portal_link"))
    yield Case("portal_session_ends_after_it_began", insert("portal_session", ends_at=_AT), insert("portal_session"))


PORTAL_CASES: Final = tuple(_cases())
