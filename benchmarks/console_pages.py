"""Every page that answers GET, with something of the house for what its address names.

Next: console.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import psycopg

from benchmarks.console_screens import Known
from benchmarks.console_web import Browser, Served
from control_plane.settings import load_settings
from web.app import create_app

_TIMES: Final = 6
# What is no page: streams, what leads away, what signs out, files of the package.
_LEFT: Final = (
    "/live",
    "/lead",
    "/static",
    "/sign-",
    "/health",
    "/metrics",
    "/api/",
    "/openapi",
    "/enter/",
    "/leave",
    "/reset",
    "/webhooks/in",
)
# Lists asked in the ways that their filters offer, beside the way they begin.
_QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "/online": (
        "state=stale",
        "nas=bras-7",
        "sort=username",
        "sort=-username",
        "nas=bras-7&sort=-now",
        "line=olt-7",
        "ip=100.64.0.0/16",
        "ip=2001:db8::/32",
        "username=user00",
    ),
    "/accounts": (
        "status=active",
        "status=ended",
        "plan=Home+50",
        "level=full",
        "level=walled",
        "online=yes",
        "online=no",
        "nas=bras-7",
        "sort=-created",
        "q=rossi",
        "q=user000",
        "status=pending&online=no",
    ),
    "/customers": ("q=rossi", "q=torino", "kind=company", "served=no", "served=yes", "sort=-id"),
    "/contracts": ("status=active", "status=ended", "q=rossi", "sort=-starts"),
    "/documents": ("state=open", "state=overdue", "state=settled", "q=12", "kind=credit_note", "sort=due"),
    "/payments": ("state=open", "state=unmatched", "method=1"),
    "/dunning": ("step=reminder", "step=throttle", "sort=-owes", "q=rossi"),
    "/enforcements": (
        "state=queued",
        "state=verified",
        "state=gave_up",
        "state=unanswered",
        "state=acked",
        "state=superseded",
        "which=open",
        "which=held",
        "which=alarms",
        "nas=bras-7",
        "username=user0000057@home",
    ),
    "/logins": ("outcome=reject", "reason=wrong_password", "nas=bras-7", "username=user0000057@home"),
    "/audit": ("actor=maria", "action=payment.insert", "subject=customer+7"),
    "/drift": ("reason=contract+active", "nas=bras-7"),
    "/home": ("span=week", "span=month", "span=year"),
    "/field": ("q=rossi", "by=way", "by=name", "due=yes"),
    "/search": ("q=rossi", "q=anna+rossi", "q=ro", "q=user000", "q=0200", "q=%2B39333", "q=torino"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its rule, and the address of the nth time it is asked for."""

    path: str
    browser: Browser
    address: Callable[[int], str]
    times: int = _TIMES
    status: int = 0


def every_page(connection: psycopg.Connection[Any], web: Served, drawn: Sequence[Known]) -> Iterator[Page]:
    """All of the console's, the collector's and the portal's that something is known for."""
    app = create_app(load_settings(web.settings_file))
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        if "GET" not in (rule.methods or ()) or any(part in rule.rule for part in _LEFT):
            continue
        browser = _who(rule.rule, web)
        if not rule.arguments:
            yield Page(rule.rule, browser, _always(rule.rule))
            for question in _QUESTIONS.get(rule.rule, ()):
                asked = f"{rule.rule}?{question}"
                yield Page(asked, browser, _always(asked))
        elif (named := _named(connection, rule.rule, drawn)) is not None:
            yield Page(rule.rule, browser, named)


def _always(address: str) -> Callable[[int], str]:
    return lambda _: address


def _who(rule: str, web: Served) -> Browser:
    if rule.startswith("/portal"):
        return web.subscriber
    return web.collector if rule.startswith("/field") and "collectors" not in rule else web.staff


def _named(connection: psycopg.Connection[Any], rule: str, drawn: Sequence[Known]) -> Callable[[int], str] | None:
    """Addresses of that rule, by what stands before its first name; None where the house has none."""
    begin, _, rest = rule.partition("<")
    _, _, end = rest.partition(">")
    values: list[Any] = []
    if begin == "/accounts/":
        values = [one.username for one in drawn]
    elif begin == "/customers/" or begin == "/field/customers/":
        values = [one.customer for one in drawn]
    elif begin == "/contracts/":
        values = [one.contract for one in drawn]
    elif begin == "/nases/":
        values = [one.nas for one in drawn]
    elif begin in _TABLES:
        values = [number for (number,) in connection.execute(f"SELECT {_TABLES[begin]} LIMIT 100").fetchall()]
        connection.rollback()
    if not values or "<" in end:
        return None
    return lambda turn: begin + quote(str(values[turn % len(values)]), safe="@") + end


_TABLES: Final = {
    "/documents/": "id FROM document WHERE id % 7919 = 3",
    "/payments/": "id FROM payment WHERE id % 7919 = 3",
    "/bill-runs/": "id FROM billing_run ORDER BY id DESC",
    "/dunning/cases/": "id FROM dunning_case WHERE id % 17 = 3",
    "/dunning/customers/": "customer_id FROM dunning_case WHERE id % 17 = 3",
    "/dunning/promise/": "customer_id FROM dunning_case WHERE id % 17 = 3",
    "/dunning/plan/": "customer_id FROM dunning_case WHERE id % 17 = 3",
    "/dunning/dispute/": "document_id FROM open_document WHERE document_id % 17 = 3",
    "/enforcements/": "id FROM enforcement WHERE id % 791 = 3",
    "/ledger/accounts/": "code FROM ledger_account",
    "/ledger/entries/": "id FROM entry WHERE id % 7919 = 3",
    "/ledger/": "unnest(ARRAY['ageing', 'trial-balance', 'turnover', 'vat', 'open', 'journal', 'statement'])",
    "/audit/": "id FROM audit_log WHERE id % 7919 = 3",
    "/products/": "id FROM product",
    "/plans/": "id FROM plan",
    "/profiles/": "id FROM profile",
    "/people/": "name FROM staff",
    "/guard/runs/": "id FROM automation_run",
    "/guard/exemptions/": "contract_id FROM guard_exemption",
    "/portal/contracts/": "1",
    "/portal/documents/": "id FROM document WHERE customer_id = 1",
}
