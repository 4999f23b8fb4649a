"""What `corrente check` says of others: whether anybody is not told any more, mail that nobody sends, what the tax authority and payment gateways do not take or tell, which debts wait for a person.

Next: checks.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from billing.messages.message import EMAIL
from billing.store.dunning_cases import load_standing
from billing.store.dunning_policies import load_policies
from billing.store.einvoice_desk import load_list
from billing.store.einvoices import load_accounts
from billing.store.gateway_lists import load_trouble
from billing.store.message_queue import count_queued
from billing.store.webhooks import load_endpoints, load_tallies
from control_plane.findings import Finding, fail, ok, warn

_COUNTED: Final = 1000


def check_webhooks(connection: psycopg.Connection[Any]) -> Finding:
    """Endpoints that are switched off, and deliveries that were given up."""
    endpoints, tallies = load_endpoints(connection), load_tallies(connection)
    off = [one for one in endpoints if one.disabled_at is not None]
    if off:
        said = "; ".join(f"{one.name} is switched off: {one.disabled_why}" for one in off)
        return warn("webhooks", said, "mend the receiver, then `corrente webhook enable` and `corrente webhook replay`")
    parked = {one.name: tallies[one.id].parked for one in endpoints if one.id in tallies and tallies[one.id].parked}
    if parked:
        said = ", ".join(f"{count} of {name}" for name, count in parked.items())
        return warn(
            "webhooks", f"given up after three days: {said}", "`corrente webhook deliveries --state parked` says why"
        )
    return ok("webhooks", f"{len(endpoints)} endpoints are told" if endpoints else "nobody is told")


def check_messages(connection: psycopg.Connection[Any], *, mail_host: str) -> Finding:
    """E-mails that wait for a mail server that nobody has named."""
    queued = count_queued(connection, EMAIL)
    if queued and not mail_host:
        return warn(
            "messages",
            f"e-mails wait, {queued:,} of them, and no mail server is set: [email] host is empty",
            "name it in corrente.toml and start again: they go then, unless `corrente message cancel` takes them back before",
        )
    return ok("messages", f"{queued:,} are to go by mail" if queued else "none waits")


def check_einvoices(connection: psycopg.Connection[Any]) -> Finding:
    """Accounts of which nothing is taken, and documents that need a person."""
    accounts = [one for one in load_accounts(connection) if one.enabled]
    blocked = [f"{one.name}: {one.blocked_reason}" for one in accounts if one.blocked_at is not None]
    if blocked:
        said = f"nothing is taken of account {'; '.join(blocked)}"
        return fail("e-invoices", said, "mend it, then `corrente einvoice unblock`")
    waiting = load_list(connection, only_waiting=True, limit=_COUNTED)
    if waiting:
        count = f"{len(waiting)}{' or more' if len(waiting) == _COUNTED else ''}"
        return warn("e-invoices", f"{count} documents need a person", "`corrente einvoice list --waiting` says why")
    silent = [one.name for one in accounts if one.failures]
    if silent:
        said = f"nobody answers at {', '.join(silent)}"
        return warn("e-invoices", said, "it is asked again by itself; `corrente einvoice status` says when")
    return ok("e-invoices", f"{len(accounts)} accounts" if accounts else "no account")


def check_gateways(connection: psycopg.Connection[Any]) -> Finding:
    """Accounts that can't be used, and events that could not be recorded."""
    accounts, problems, waiting = load_trouble(connection)
    if problems:
        said = "; ".join(f"{name}: {problem}" for name, problem in problems)
        return warn("gateways", said, "`corrente gateway check NAME` tries its key")
    if waiting:
        return warn(
            "gateways",
            f"{waiting} events, pages or debits wait for an answer of their provider",
            "`corrente gateway events --problems` says why",
        )
    return ok("gateways", f"{accounts} accounts, all told is recorded" if accounts else "there are none")


def check_dunning(connection: psycopg.Connection[Any]) -> Finding:
    """Whether debts are pursued, and what waits for a person meanwhile."""
    standing = load_standing(connection)
    unreadable = [why for one in load_policies(connection).values() for why in one.unreadable(datetime.now(UTC))]
    if unreadable:
        return fail(
            "dunning",
            f"nobody is pursued by what can't be read: {'; '.join(unreadable)}",
            "`corrente dunning policy show NAME` prints it: mend it and `corrente dunning policy save`, or `corrente dunning policy off NAME`",
        )
    waiting = []
    if standing.failed_notices:
        waiting.append(
            f"{standing.failed_notices} formal notices did not arrive, so that nothing may follow: `corrente dunning notices` says why, `corrente message again` sends them once more"
        )
    if standing.waiting_notices:
        waiting.append(
            f"{standing.waiting_notices} formal notices by e-mail wait for longer than a day: `corrente message list --state queued`"
        )
    if standing.late_notices:
        waiting.append(
            f"{standing.late_notices} formal notices are under way for more than three weeks: `corrente dunning notices`"
        )
    if standing.proofs:
        waiting.append(f"{standing.proofs} proofs of payment: `corrente promise list --to-review`")
    if waiting:
        return warn(
            "dunning",
            "; ".join(waiting),
            "say that they came, and what the proofs are worth: until then nothing follows",
        )
    if standing.without_policy:
        return ok(
            "dunning", f"{', '.join(standing.without_policy)} pursues nobody: `corrente dunning policy new` begins"
        )
    return ok("dunning", f"{standing.cases} open cases")
