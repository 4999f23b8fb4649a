"""A customer's request for another plan, and its answer: written, in the audit log, and told.

Next: store/plan_requests.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from billing.messages.message import NewMessage
from billing.store.messages import queue
from control_plane import audit
from control_plane.store.plan_requests import PlanRequest, add_request, answer_request, load_request


def ask_for_plan(
    connection: psycopg.Connection[Any], contract_id: int, plan_id: int, *, note: str | None, by: str
) -> bool:
    """Ask for a plan; False where a request of that contract is open."""
    number = add_request(connection, contract_id, plan_id, note=note, by=by)
    if number is None:
        return False
    detail = {"request": number, "plan": plan_id}
    audit.append(connection, actor=by, action="plan_request.ask", subject=f"contract {contract_id}", detail=detail)
    return True


def answer_and_tell(
    connection: psycopg.Connection[Any], number: int, *, accepted: bool, answer: str | None, by: str, now: datetime
) -> PlanRequest | None:
    """The request as it stands answered, and its customer is written to; None where somebody has answered it before."""
    if not answer_request(connection, number, accepted=accepted, answer=answer, by=by, now=now):
        return None
    asked = load_request(connection, number)
    assert asked is not None, "it was answered just now"
    audit.append(
        connection,
        actor=by,
        action="plan_request.answer",
        subject=f"contract {asked.contract_id}",
        detail={"request": number, "accepted": accepted, "answer": answer},
    )
    told = NewMessage(
        asked.customer_id,
        "plan_answered",
        f"plan request {number}",
        {"plan": asked.wants, "accepted": accepted, "answer": answer},
        contract_id=asked.contract_id,
    )
    queue(connection, [told], made_by=by)
    return asked
