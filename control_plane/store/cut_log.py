"""Who was limited by dunning: when, why, by which run, what was sent to whom, and what the access devices answered.

Nothing is kept for this: it is read from restrictions, steps, messages and enforcements, each of which is evidence of its own.

Next: billing/store/dunning_cases.py
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from billing.sentence import Sentence

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class CutRow:
    """One limit. `told` are messages with what became of them, `answers` what was said to devices and what they said."""

    id: int
    at: datetime
    customer_id: int
    customer: str
    contract_id: int
    usernames: list[str]
    level: str
    reason: str
    placed_by: str
    held: bool
    released_by: str | None
    lifted_at: datetime | None
    lifted_by: str | None
    steps: list[str]
    told: list[Sentence]
    answers: list[Sentence] = field(default_factory=list)


# A step that limits runs at the moment of its restriction; what the guard held back is told once a person let it go.
_OF_STEP: Final = """
r.contract_id = ANY(s.contracts) AND (s.ran_at = r.since OR (r.release_id IS NOT NULL AND s.ran_at > r.since AND s.ran_at <= coalesce(r.lifted_at, 'infinity')
    AND EXISTS (SELECT FROM dunning_policy AS q JOIN dunning_policy_version AS v ON v.policy_id = q.id, jsonb_array_elements(v.data -> 'step') AS e
        WHERE q.issuer_id = d.issuer_id AND e ->> 'code' = s.step AND e ->> 'action' = CASE r.level WHEN 'blocked' THEN 'suspend' ELSE r.level::text END)))
"""
_CUTS: Final = f"""
SELECT r.id, r.since AS at, k.id AS customer_id, k.name AS customer, r.contract_id, ARRAY(SELECT a.username::text FROM subscriber_account AS a WHERE a.contract_id = r.contract_id ORDER BY 1) AS usernames,
    r.level::text AS level, r.reason, r.placed_by, r.held_since IS NOT NULL AS held, (SELECT g.released_by FROM guard_release AS g WHERE g.id = r.release_id) AS released_by,
    r.lifted_at, r.lifted_by,
    ARRAY(SELECT s.step FROM dunning_case AS d JOIN dunning_case_step AS s ON s.case_id = d.id
        WHERE d.customer_id = p.customer_id AND {_OF_STEP} ORDER BY 1) AS steps,
    ARRAY(SELECT jsonb_build_object('channel', m.channel, 'template', m.template, 'address', m.address, 'state', m.state, 'problem', m.problem)
        FROM dunning_case AS d JOIN dunning_case_step AS s ON s.case_id = d.id JOIN message AS m ON m.customer_id = d.customer_id AND m.origin = 'dunning ' || d.id || ' ' || s.step
        WHERE d.customer_id = p.customer_id AND {_OF_STEP} ORDER BY m.id) AS told
FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id JOIN customer AS k ON k.id = c.customer_id
    CROSS JOIN LATERAL (SELECT coalesce((SELECT t.payer_id FROM contract_terms AS t WHERE t.contract_id = c.id), c.customer_id) AS customer_id) AS p
WHERE r.origin = 'dunning' AND (%(customer)s::bigint IS NULL OR p.customer_id = %(customer)s) AND (%(contract)s::bigint IS NULL OR r.contract_id = %(contract)s)
    AND (%(before)s::timestamptz IS NULL OR (r.since, r.id) < (%(before)s, %(before_id)s))
    AND (%(since)s::timestamptz IS NULL OR r.since >= %(since)s) AND (%(until)s::timestamptz IS NULL OR r.since < %(until)s)
ORDER BY r.since DESC, r.id DESC LIMIT %(limit)s
"""  # noqa: S608 - our own condition
# Those of a contract's accounts that bring just this level while it holds; asked for all at once, as no index is by account.
_ANSWERS: Final = """
SELECT w.restriction_id, n.name AS nas, e.username, e.method, e.state::text AS state, e.attempt, e.answered_at, e.error_cause, e.problem
FROM restriction AS r JOIN unnest(%(ids)s::bigint[]) AS w (restriction_id) ON r.id = w.restriction_id
    JOIN subscriber_account AS a ON a.contract_id = r.contract_id JOIN enforcement AS e ON e.account_id = a.id JOIN nas AS n ON n.id = e.nas_id
WHERE e.level::text = r.level::text AND e.disruptive AND e.wanted_at >= r.since AND (r.lifted_at IS NULL OR e.wanted_at <= r.lifted_at) ORDER BY e.id
"""


def load_cuts(
    connection: Connection,
    *,
    customer_id: int | None = None,
    contract_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
    zone: ZoneInfo,
) -> list[CutRow]:
    """The newest limits of dunning that fit, from the one before a moment and number on; devices' answers with their times in `zone`."""
    moment, number = before or (None, None)
    asked = {"customer": customer_id, "contract": contract_id, "since": since, "until": until, "limit": limit}
    asked |= {"before": moment, "before_id": number}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_CUTS, asked).fetchall()
        answers: dict[int, list[Sentence]] = defaultdict(list)
        for one in cursor.execute(_ANSWERS, {"ids": [row["id"] for row in found]}):
            answers[one["restriction_id"]].append(_answer(one, zone))
    return [
        CutRow(**{**row, "told": [_message(one) for one in row["told"]]}, answers=answers[row["id"]]) for row in found
    ]


def _message(one: dict[str, Any]) -> Sentence:
    channel, template, state = one["channel"], one["template"], one["state"]
    said = (
        Sentence("%(channel)s %(template)s: %(state)s", channel=channel, template=template, state=state)
        if one["address"] is None
        else Sentence(
            "%(channel)s %(template)s to %(address)s: %(state)s",
            channel=channel,
            template=template,
            address=one["address"],
            state=state,
        )
    )
    return _with_problem(said, one["problem"])


def _answer(one: dict[str, Any], zone: ZoneInfo) -> Sentence:
    said = Sentence(
        "%(nas)s %(username)s by %(method)s: %(answer)s",
        nas=one["nas"],
        username=one["username"],
        method=one["method"],
        answer=one["state"],
    )
    if one["attempt"] > 1:
        said = Sentence("%(said)s after %(count)s tries", said=said, count=one["attempt"])
    if one["answered_at"] is not None:
        said = Sentence("%(said)s, answered %(at)s", said=said, at=one["answered_at"].astimezone(zone))
    if one["error_cause"] is not None:
        said = Sentence("%(said)s, Error-Cause %(cause)s", said=said, cause=one["error_cause"])
    return _with_problem(said, one["problem"])


def _with_problem(said: Sentence, problem: str) -> Sentence:
    return Sentence("%(said)s (%(problem)s)", said=said, problem=problem) if problem else said
