"""Cases of dunning as people look at them: the list, one with all that was done in it, and who was limited when.

Next: billing/store/dunning.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row, tuple_row

from billing.money import Money, read_money
from billing.sentence import Sentence
from billing.store import notice_messages

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case of the list. `level` is the heaviest limit of dunning on the customer's contracts, `waiting` a step that is proposed."""

    id: int
    customer_id: int
    customer: str
    issuer_id: int
    currency: str
    opened_at: datetime
    cleared_at: datetime | None
    overdue: Decimal
    last_step: str | None
    last_at: datetime | None
    level: str | None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """Something that happened in a case."""

    at: datetime
    what: Sentence
    who: str
    detail: Sentence | None


_CASES: Final = """
SELECT c.id, c.customer_id, k.name AS customer, c.issuer_id, c.currency::text AS currency, c.opened_at, c.cleared_at,
    round(coalesce((SELECT sum(o.open) FROM open_document AS o WHERE o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id AND o.currency = c.currency
        AND o.open > 0 AND o.due_on < (now() AT TIME ZONE i.zone)::date), 0), currency_places(c.currency)) AS overdue,
    s.step AS last_step, s.ran_at AS last_at,
    (SELECT max(r.level)::text FROM contract AS n JOIN restriction AS r ON r.contract_id = n.id
        WHERE n.customer_id = c.customer_id AND r.origin = 'dunning' AND r.lifted_at IS NULL AND r.held_since IS NULL) AS level
FROM dunning_case AS c JOIN customer AS k ON k.id = c.customer_id JOIN issuer AS i ON i.id = c.issuer_id
LEFT JOIN LATERAL (SELECT step, ran_at FROM dunning_case_step WHERE case_id = c.id ORDER BY ran_at DESC, step LIMIT 1) AS s ON true
"""
# A story's lines by kind, each with what it speaks of.
_EVENTS: Final = """
SELECT at, kind, who, about FROM (
    SELECT opened_at AS at, 'begun' AS kind, 'dunning' AS who, '{}'::jsonb AS about FROM dunning_case WHERE id = %(id)s
    UNION ALL SELECT cleared_at, 'over', 'dunning', '{}' FROM dunning_case WHERE id = %(id)s AND cleared_at IS NOT NULL
    UNION ALL SELECT ran_at, 'step', ran_by, jsonb_build_object('step', step, 'reason', reason) FROM dunning_case_step WHERE case_id = %(id)s
    UNION ALL SELECT confirmed_at, 'step_confirmed', confirmed_by, jsonb_build_object('step', step) FROM dunning_confirmation WHERE case_id = %(id)s
    UNION ALL SELECT f.sent_at, 'notice', f.sent_by, jsonb_build_object('number', f.id, 'channel', f.channel, 'amount', f.amount::text, 'currency', c.currency, 'count', cardinality(f.documents))
        FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id WHERE f.case_id = %(id)s
    UNION ALL SELECT delivered_at, 'notice_delivered', delivered_by, jsonb_build_object('number', id, 'proof', proof_id)
        FROM formal_notice WHERE case_id = %(id)s AND delivered_at IS NOT NULL
    UNION ALL SELECT p.made_at, 'promise', p.made_by, jsonb_build_object('number', p.id, 'amount', p.amount::text, 'currency', c.currency, 'until', p.until)
        FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id WHERE p.case_id = %(id)s
    UNION ALL SELECT ended_at, 'promise_' || state, coalesce(reviewed_by, 'dunning'), jsonb_build_object('number', id) FROM promise WHERE case_id = %(id)s AND ended_at IS NOT NULL
    UNION ALL SELECT m.made_at, 'message', m.made_by, jsonb_build_object('channel', m.channel, 'number', m.id, 'template', m.template, 'state', m.state, 'reason', m.problem)
        FROM message AS m WHERE m.customer_id = (SELECT customer_id FROM dunning_case WHERE id = %(id)s) AND m.origin LIKE 'dunning ' || %(id)s || ' %%'
    UNION ALL SELECT r.since, CASE WHEN r.held_since IS NULL THEN 'limited' ELSE 'held' END, r.placed_by, jsonb_build_object('contract', r.contract_id, 'level', r.level, 'reason', r.reason)
        FROM dunning_case AS d JOIN contract AS n ON n.customer_id = d.customer_id JOIN restriction AS r ON r.contract_id = n.id
        WHERE d.id = %(id)s AND r.origin = 'dunning' AND r.since >= d.opened_at AND (d.cleared_at IS NULL OR r.since <= d.cleared_at)
    UNION ALL SELECT r.lifted_at, 'lifted', r.lifted_by, jsonb_build_object('contract', r.contract_id, 'level', r.level)
        FROM dunning_case AS d JOIN contract AS n ON n.customer_id = d.customer_id JOIN restriction AS r ON r.contract_id = n.id
        WHERE d.id = %(id)s AND r.origin = 'dunning' AND r.since >= d.opened_at AND (d.cleared_at IS NULL OR r.since <= d.cleared_at) AND r.lifted_at IS NOT NULL
) AS happened ORDER BY at, kind, about ->> 'number'
"""


def _event(kind: str, about: dict[str, Any]) -> tuple[Sentence, Sentence | None]:
    """What happened, and more about it."""
    match kind:
        case "begun":
            return Sentence("case begun"), None
        case "over":
            return Sentence("case over"), None
        case "step":
            return Sentence("step %(step)s", step=about["step"]), _reason(about)
        case "step_confirmed":
            return Sentence("step %(step)s confirmed", step=about["step"]), None
        case "notice":
            what = Sentence("formal notice %(number)s by %(channel)s", number=about["number"], channel=about["channel"])
            return what, Sentence("%(amount)s, documents: %(count)s", amount=_amount(about), count=about["count"])
        case "notice_delivered":
            what = Sentence("formal notice %(number)s delivered", number=about["number"])
            return what, None if about["proof"] is None else Sentence("proof: file %(number)s", number=about["proof"])
        case "message":
            return _message_event(about), _reason(about)
        case "held" | "limited" | "lifted":
            return _limit_event(kind, about["contract"], about["level"]), _reason(about)
        case _:
            return _promise_event(kind, about)


def _promise_event(kind: str, about: dict[str, Any]) -> tuple[Sentence, Sentence | None]:
    number = about["number"]
    if kind == "promise":
        until = datetime.fromisoformat(about["until"])
        return (
            Sentence("promise %(number)s", number=number),
            Sentence("%(amount)s until %(until)s", amount=_amount(about), until=until),
        )
    kept = kind == "promise_kept"
    return (
        Sentence("promise %(number)s kept", number=number)
        if kept
        else Sentence("promise %(number)s broken", number=number)
    ), None


def _message_event(about: dict[str, Any]) -> Sentence:
    return Sentence(
        "%(channel)s message %(number)s, %(template)s: %(state)s",
        channel=about["channel"],
        number=about["number"],
        template=about["template"],
        state=about["state"],
    )


def _limit_event(kind: str, contract: int, level: str) -> Sentence:
    if kind == "held":
        return Sentence("contract %(contract)s: %(level)s, which waits for a person", contract=contract, level=level)
    if kind == "lifted":
        return Sentence("contract %(contract)s: %(level)s no more", contract=contract, level=level)
    return Sentence("contract %(contract)s: %(level)s", contract=contract, level=level)


def _reason(about: dict[str, Any]) -> Sentence | None:
    return Sentence("%(reason)s", reason=about["reason"]) if about.get("reason") else None


def _amount(about: dict[str, Any]) -> Money:
    return read_money(Decimal(about["amount"]), about["currency"])


def load_cases(
    connection: Connection,
    *,
    issuer_id: int | None,
    customer_id: int | None,
    cleared: bool,
    step: str | None,
    limit: int,
    after: int = 0,
) -> list[CaseRow]:
    """The open cases, the oldest first, or with `cleared` all; those in which a step ran; from the one behind `after` on."""
    where = """WHERE c.id > %(after)s AND {open} AND (%(issuer)s::bigint IS NULL OR c.issuer_id = %(issuer)s)
        AND (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s)
        AND (%(step)s::text IS NULL OR EXISTS (SELECT FROM dunning_case_step AS x WHERE x.case_id = c.id AND x.step = %(step)s)) ORDER BY c.id LIMIT %(limit)s"""
    where = where.replace("{open}", "true" if cleared else "c.cleared_at IS NULL")
    asked = {"issuer": issuer_id, "customer": customer_id, "step": step, "limit": limit, "after": after}
    with connection.cursor(row_factory=class_row(CaseRow)) as cursor:
        return cursor.execute(_CASES + where, asked).fetchall()


def load_case(connection: Connection, case_id: int) -> CaseRow | None:
    """One case."""
    with connection.cursor(row_factory=class_row(CaseRow)) as cursor:
        return cursor.execute(_CASES + "WHERE c.id = %s", (case_id,)).fetchone()


def load_events(connection: Connection, case_id: int) -> list[CaseEvent]:
    """All that happened in a case, in order of time."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_EVENTS, {"id": case_id}).fetchall()
    told = [(at, who, *_event(kind, about)) for at, kind, who, about in rows]
    return [CaseEvent(at, what, who, detail) for at, who, what, detail in told]


_STANDING: Final = f"""
SELECT ARRAY(SELECT i.name FROM issuer AS i WHERE NOT EXISTS (SELECT FROM dunning_policy AS p WHERE p.issuer_id = i.id) ORDER BY 1),
    (SELECT count(*) FROM dunning_case WHERE cleared_at IS NULL), n.*, (SELECT count(*) FROM promise WHERE proof_id IS NOT NULL AND reviewed IS NULL)
FROM (SELECT count(*) FILTER (WHERE {notice_messages.FAILED}),
        count(*) FILTER (WHERE f.channel = 'email' AND m.state IN ('queued', 'sending') AND m.made_at < now() - interval '1 day'),
        count(*) FILTER (WHERE f.channel <> 'email' AND f.sent_at < now() - interval '21 days')
    FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id {notice_messages.JOIN} WHERE f.delivered_at IS NULL AND c.cleared_at IS NULL) AS n
"""  # noqa: S608 - our own columns


@dataclass(frozen=True, slots=True)
class Standing:
    """How dunning stands as a whole: issuers that pursue nobody, open cases, and what waits for a person.

    `failed_notices` did not arrive, `waiting_notices` are mails that wait for longer than a day, `late_notices` letters that nobody
    said of that they came.
    """

    without_policy: list[str]
    cases: int
    failed_notices: int
    waiting_notices: int
    late_notices: int
    proofs: int


def load_standing(connection: Connection) -> Standing:
    """Notices are late that are under way for more than three weeks: a registered letter comes back before that."""
    row = connection.execute(_STANDING).fetchone()
    assert row is not None
    return Standing(*row)
