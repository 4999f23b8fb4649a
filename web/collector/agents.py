"""An agent's own pages: the contracts that they brought, what these earned, and the settlements."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from billing.contract_facts import Status
from billing.operations.printing import load_settlement_paper
from billing.store.agent_page import load_brought_contracts, load_earned_lines, load_waiting_sums
from billing.store.commissions import load_settlements
from control_plane.access.permissions import Permission
from web.acting import transaction
from web.agent_words import CAUSES
from web.collector.bound import own_agent
from web.language import chosen_language, lazy
from web.lists import after, page_of
from web.marks import allowed
from web.navigation import Entry
from web.papers import pdf_of

pages = Blueprint("agent_own", __name__)
ENTRIES: Final = (
    Entry("field", lazy("My commissions"), "agent_own.show", Permission.AGENT_OWN, order=40, bound_to="agent_id"),
    Entry("field", lazy("My contracts"), "agent_own.contracts", Permission.AGENT_OWN, order=50, bound_to="agent_id"),
)
_ROWS: Final = 50
_STATES: Final = {
    Status.DRAFT.value: lazy("Draft"),
    Status.PROPOSAL.value: lazy("Proposal"),
    Status.PENDING.value: lazy("Pending"),
    Status.TRIAL.value: lazy("Trial"),
    Status.ACTIVE.value: lazy("Active"),
    Status.FREE.value: lazy("Free"),
    Status.ENDED.value: lazy("Ended"),
    Status.CANCELLED.value: lazy("Cancelled"),
}


@pages.get("/field/agent")
@allowed(Permission.AGENT_OWN)
def show() -> str:
    """What was earned, and the settlements."""
    key = after()
    with transaction() as connection:
        agent_id = own_agent()
        earned = load_earned_lines(connection, agent_id, after=int(key[0]) if key else None, limit=_ROWS + 1)
        waiting = load_waiting_sums(connection, agent_id)
        settlements = load_settlements(connection, agent_id=agent_id)
    page = page_of(earned, lambda one: (one.id,), rows_a_page=_ROWS)
    return render_template("collector/agent.html", page=page, waiting=waiting, settlements=settlements, causes=CAUSES)


@pages.get("/field/agent/contracts")
@allowed(Permission.AGENT_OWN)
def contracts() -> str:
    """The contracts that are or were this agent's."""
    key = after()
    with transaction() as connection:
        found = load_brought_contracts(
            connection, own_agent(), after=(key[0], key[1]) if key else None, limit=_ROWS + 1
        )
    return render_template(
        "collector/agent_contracts.html",
        page=page_of(found, lambda one: (one.id, one.since), rows_a_page=_ROWS),
        states=_STATES,
    )


@pages.get("/field/agent/settlements/<int:number>.pdf")
@allowed(Permission.AGENT_OWN)
def paper(number: int) -> Response:
    """A settlement of this agent as PDF."""
    with transaction() as connection:
        found = load_settlements(connection, agent_id=own_agent(), number=number) if number < 2**63 else []
        if not found:
            raise NotFound
        issuer_id, printed = load_settlement_paper(connection, found[0], language=chosen_language())
    return pdf_of(issuer_id, printed, f"settlement-{found[0].label}")
