"""Who of a virtual year is limited for money and who is not, worked out each night from nothing, and what stands with collectors and agents.

What is owed is added up here from documents, allocations, disputes and credit, days by an almanac that is written out. The law's forty
days, the steps 0, 3 and 14 days after them and the hours from nine to five are those of Italy's first policy, in the test's own words.

Next: tests/support/year_watch.py
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from support.virtual_office import POLICY_SINCE
from support.virtual_operator import ZONE

Connection = psycopg.Connection[Any]
RANKS = {"throttle": 1, "walled": 2, "blocked": 3}
_THRESHOLD = Decimal(5)
_LAW_DAYS, _LATE_AFTER = 40, 15
_STEPS = ((0, 1), (3, 2), (14, 3))
# Feasts of the year that fall on no weekend; Easter was on 16 April 2028.
_FEASTS = {
    date(2027, 11, 1), date(2027, 12, 8), date(2028, 1, 6), date(2028, 4, 17), date(2028, 4, 25), date(2028, 5, 1), date(2028, 6, 2), date(2028, 8, 15),
}  # fmt: skip
_DOCUMENTS = """
SELECT d.customer_id, d.id, d.payable - coalesce(a.paid, 0), (SELECT sum(s.amount) FROM dunning_dispute AS s WHERE s.document_id = d.id AND s.closed_at IS NULL),
    (SELECT array_agg(u.due_on ORDER BY u.due_on, u.number) FROM document_due AS u WHERE u.document_id = d.id),
    (SELECT array_agg(u.amount ORDER BY u.due_on, u.number) FROM document_due AS u WHERE u.document_id = d.id),
    (SELECT array_agg(DISTINCT l.contract_id) FROM document_line AS l WHERE l.document_id = d.id AND l.contract_id IS NOT NULL)
FROM document AS d LEFT JOIN (SELECT invoice_id, sum(amount) AS paid FROM allocation GROUP BY 1) AS a ON a.invoice_id = d.id
WHERE d.kind = 'invoice' AND d.state = 'issued' AND d.payable > coalesce(a.paid, 0)
"""
_CREDIT = """
SELECT customer_id, sum(free) FROM (
    SELECT coalesce(m.customer_id, p.customer_id) AS customer_id, p.amount - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = p.id), 0)
        - coalesce((SELECT sum(f.amount) FROM refund AS f WHERE f.payment_id = p.id), 0) AS free
    FROM payment AS p LEFT JOIN payment_match AS m ON m.payment_id = p.id WHERE p.id NOT IN (SELECT payment_id FROM payment_reversal)
    UNION ALL SELECT d.customer_id, d.payable - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.credit_note_id = d.id), 0)
        - coalesce((SELECT sum(f.amount) FROM refund AS f WHERE f.credit_note_id = d.id), 0)
    FROM document AS d WHERE d.kind = 'credit_note' AND d.state = 'issued') AS own
WHERE free > 0 GROUP BY 1
"""
_LIMITS = """
SELECT coalesce(t.payer_id, c.customer_id), r.contract_id, r.level::text, r.since, r.run_id FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id
    JOIN contract_terms AS t ON t.contract_id = c.id WHERE r.origin = 'dunning' AND r.lifted_at IS NULL AND r.held_since IS NULL
"""
# In service, to whom they are billed, and whether that or their people have just changed.
_CONTRACTS = """
SELECT c.id, coalesce(t.payer_id, c.customer_id), EXISTS (SELECT FROM contract_event AS e WHERE e.contract_id = c.id AND e.at >= %(before)s)
FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id WHERE c.status IN ('trial', 'active', 'free') AND coalesce(t.payer_id, c.customer_id) = ANY(%(debtors)s)
"""
_NOTICES = """
SELECT c.customer_id, f.documents, f.sent_at, f.delivered_at FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id WHERE c.cleared_at IS NULL
"""
# Who is let be as a whole, and which contracts.
_LET_BE = """
SELECT customer_id FROM dunning_exclusion WHERE ended_at IS NULL AND since <= %(day)s AND (until IS NULL OR until > %(day)s)
UNION SELECT id FROM customer WHERE kind = 'public_body'
"""
_RESTED = """
SELECT c.customer_id FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id WHERE p.respite_until > %(now)s AND (p.state <> 'kept' OR p.reviewed)
"""
_RELIEVED = "SELECT contract_id FROM relief WHERE upper(during) > %(now)s AND lower(during) <= %(now)s"
_PLANS = "SELECT customer_id FROM instalment_plan WHERE ended_on IS NULL"
_PLACED = """
SELECT r.contract_id, r.level::text, r.since, (SELECT max(o.level)::text FROM restriction AS o WHERE o.contract_id = r.contract_id AND o.origin = 'dunning' AND o.lifted_at = r.since AND o.id <> r.id)
FROM restriction AS r WHERE r.origin = 'dunning' AND r.run_id IS NOT NULL AND r.since >= %(before)s
"""
# What a payment lifted was told to others in its very transaction.
_UNTOLD = """
SELECT r.id, r.contract_id FROM restriction AS r WHERE r.origin = 'dunning' AND r.lifted_at >= %(before)s AND r.lifted_by LIKE 'payment %%' AND r.held_since IS NULL
    AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.contract_id = r.contract_id AND o.event = 'dunning.lifted' AND o.xmin = r.xmin)
"""
_STEPS_TWICE = """
SELECT case_id, step FROM dunning_case_step AS s JOIN dunning_case AS c ON c.id = s.case_id WHERE s.ran_at >= %(before)s AND s.ran_at > c.cleared_at
UNION ALL SELECT id, state::text FROM promise WHERE state = 'open' AND respite_until < %(now)s
UNION ALL SELECT id, 'held' FROM restriction WHERE held_since IS NOT NULL
"""


def is_open_day(day: date) -> bool:
    """Whether somebody may be cut on it: no weekend, no feast, and neither on the next day."""
    return all(one.weekday() < 5 and one not in _FEASTS for one in (day, day + timedelta(days=1)))


@dataclass
class Debtor:
    """What is overdue of a customer, the oldest first, as (due day, document, amount), and the contracts that it is of."""

    overdue: list[tuple[date, int, Decimal]] = field(default_factory=list)
    contracts: dict[int, set[int]] = field(default_factory=dict)

    @property
    def owed(self) -> Decimal:
        """Together."""
        return sum((amount for _, _, amount in self.overdue), Decimal(0))


def debtors(connection: Connection, day: date) -> dict[int, Debtor]:
    """Who has something overdue on a day, less what is in dispute and less credit, which comes off the oldest."""
    found: dict[int, Debtor] = defaultdict(Debtor)
    for customer, document, left, withheld, days, amounts, contracts in connection.execute(_DOCUMENTS):
        one = found[customer]
        one.contracts[document] = set(contracts or ())
        settled = sum(amounts, Decimal(0)) - left + (withheld or 0)
        for due, amount in zip(days, amounts, strict=True):
            gone = min(settled, amount)
            settled -= gone
            if due < day and amount > gone:
                one.overdue.append((due, document, amount - gone))
    for customer, free in connection.execute(_CREDIT):
        one = found[customer]
        kept = []
        left = free
        for due, document, amount in sorted(one.overdue):
            gone = min(left, amount)
            left -= gone
            if amount > gone:
                kept.append((due, document, amount - gone))
        one.overdue = kept
    for one in found.values():
        one.overdue.sort()
    return {customer: one for customer, one in found.items() if one.overdue}


def _since(parts: list[tuple[date, int, Decimal]]) -> date | None:
    """From which due day on more than the threshold was owed."""
    together = Decimal(0)
    for due, _, amount in parts:
        together += amount
        if together > _THRESHOLD:
            return due
    return None


def allowed(one: Debtor, notices: list[tuple[list[int], date, date | None]], day: date) -> int:
    """How far a line may be limited on a day by the law and the steps: 0 to 3."""
    if one.owed <= _THRESHOLD:
        return 0
    first = []
    for documents, sent, delivered in notices:
        listed = [part for part in one.overdue if part[1] in documents and part[0] < sent]
        since = _since(listed)
        if since is not None and delivered is not None:
            first.append(max(delivered + timedelta(days=_LAW_DAYS), since + timedelta(days=_LATE_AFTER)))
    if not first:
        return 0
    return max((rank for offset, rank in _STEPS if day >= min(first) + timedelta(days=offset)), default=0)


class PeopleWatch:
    """Looks at debtors as a day has ended; counts how many were seen limited, each level by itself."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self.seen = {0: 0, 1: 0, 2: 0, 3: 0}

    def look(self, day: date) -> None:
        """At the end of a day. Raises: AssertionError with who is limited and should not be, or the other way round."""
        if day < POLICY_SINCE:
            return
        now = datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(ZONE))
        asked = {"day": day, "now": now, "before": now - timedelta(days=2)}
        with self._db.transaction():
            owing = debtors(self._db, day)
            limits = self._db.execute(_LIMITS).fetchall()
            self._payers(day, owing, limits)
            self._debtors(day, owing, limits, asked)
            self._placed(day, asked)
            for statement in (_UNTOLD, _STEPS_TWICE):
                off = self._db.execute(statement, asked).fetchall()
                assert off == [], f"{day}: {off[:5]} by {statement}"

    def _payers(self, day: date, owing: dict[int, Debtor], limits: list[Any]) -> None:
        """Who owes nothing is not limited for money, unless a person said so on this very day."""
        for customer, contract, level, since, run in limits:
            if run is None and since.astimezone(ZoneInfo(ZONE)).date() == day:
                continue
            owed = owing[customer].owed if customer in owing else Decimal(0)
            assert owed > _THRESHOLD, f"{day}: customer {customer} owes {owed}, contract {contract} is {level} since {since}"  # fmt: skip

    def _debtors(self, day: date, owing: dict[int, Debtor], limits: list[Any], asked: dict[str, Any]) -> None:
        """Nobody is limited beyond what the law and the steps allow; on an open day whom nothing holds is limited as far."""
        ask = self._db.execute
        notices: dict[int, list[tuple[list[int], date, date | None]]] = defaultdict(list)
        for customer, documents, sent, delivered in ask(_NOTICES):
            zone = ZoneInfo(ZONE)
            came = None if delivered is None else delivered.astimezone(zone).date()
            notices[customer].append((documents, sent.astimezone(zone).date(), came))
        let_be = {one for (one,) in ask(_LET_BE, asked)}
        held = let_be | {one for (one,) in ask(_RESTED, asked)} | {one for (one,) in ask(_PLANS)}
        relieved = {one for (one,) in ask(_RELIEVED, asked)}
        planned = {one for (one,) in ask(_PLANS)}
        levels = {contract: RANKS[level] for _, contract, level, _, run in limits if run is not None}
        for contract, customer, changed in ask(_CONTRACTS, {**asked, "debtors": list(owing)}):
            one = owing[customer]
            may = allowed(one, notices[customer], day)
            concerned = {contract for _, document, _ in one.overdue for contract in one.contracts[document]}
            if contract not in concerned or customer in let_be:
                may = 0
            level = levels.get(contract, 0)
            told = f"{day}: contract {contract} of customer {customer} is at {level}, {may} is allowed: {one.overdue} {notices[customer]}"
            assert level <= may or customer in planned, told
            if is_open_day(day) and not changed and customer not in held and contract not in relieved:
                assert level == may, told
                self.seen[level] += 1

    def _placed(self, day: date, asked: dict[str, Any]) -> None:
        """What was placed on a day was placed in the hours of an open one, or in the place of something heavier."""
        for contract, level, since, instead in self._db.execute(_PLACED, asked):
            clock = since.astimezone(ZoneInfo(ZONE))
            in_hours = is_open_day(clock.date()) and 9 <= clock.hour < 17
            assert in_hours or RANKS.get(instead, 0) > RANKS[level], f"contract {contract} is {level} since {clock}"


# What stands with collectors and agents -----------------------------------------------------------------------------

# I15: what each payment and credit note has left, what each invoice has open, as the database keeps it.
ALLOCATED = """
WITH laid AS (SELECT payment_id, credit_note_id, invoice_id, sum(amount) AS amount FROM allocation GROUP BY 1, 2, 3),
by_payment AS (SELECT payment_id, sum(amount) AS amount FROM laid WHERE payment_id IS NOT NULL GROUP BY 1),
by_note AS (SELECT credit_note_id, sum(amount) AS amount FROM laid WHERE credit_note_id IS NOT NULL GROUP BY 1),
by_invoice AS (SELECT invoice_id, sum(amount) AS amount FROM laid GROUP BY 1),
given AS (SELECT payment_id, credit_note_id, sum(amount) AS amount FROM refund GROUP BY 1, 2)
SELECT 'payment', p.id, p.amount - coalesce(a.amount, 0) - coalesce(g.amount, 0), o.open FROM payment AS p LEFT JOIN by_payment AS a ON a.payment_id = p.id
    LEFT JOIN given AS g ON g.payment_id = p.id LEFT JOIN open_payment AS o ON o.payment_id = p.id LEFT JOIN payment_reversal AS v ON v.payment_id = p.id
WHERE CASE WHEN v.payment_id IS NULL THEN p.amount - coalesce(a.amount, 0) - coalesce(g.amount, 0) ELSE coalesce(a.amount, 0) END <> coalesce(o.open, 0)
UNION ALL SELECT 'invoice', d.id, d.payable - coalesce(a.amount, 0), o.open FROM document AS d LEFT JOIN by_invoice AS a ON a.invoice_id = d.id LEFT JOIN open_document AS o ON o.document_id = d.id
WHERE d.state = 'issued' AND d.kind = 'invoice' AND greatest(d.payable, 0) - coalesce(a.amount, 0) <> greatest(coalesce(o.open, 0), 0)
UNION ALL SELECT 'credit note', d.id, d.payable - coalesce(a.amount, 0) - coalesce(g.amount, 0), o.open FROM document AS d LEFT JOIN by_note AS a ON a.credit_note_id = d.id
    LEFT JOIN given AS g ON g.credit_note_id = d.id LEFT JOIN open_document AS o ON o.document_id = d.id
WHERE d.state = 'issued' AND d.kind = 'credit_note' AND d.payable - coalesce(a.amount, 0) - coalesce(g.amount, 0) <> -coalesce(o.open, 0)
"""
# I30: a hand-over brought what was received in its session, less what left it and what was taken back of any before it.
SESSIONS = """
SELECT s.id, s.expected FROM cash_session AS s WHERE s.closed_at IS NOT NULL AND s.expected IS DISTINCT FROM s.opening
    + coalesce((SELECT sum(p.amount) FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE r.session_id = s.id AND m.kind = 'cash'), 0)
    - coalesce((SELECT sum(w.amount) FROM cash_withdrawal AS w WHERE w.session_id = s.id), 0)
    - coalesce((SELECT sum(p.amount) FROM cash_taken_back AS t JOIN payment AS p ON p.id = t.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE t.session_id = s.id AND m.kind = 'cash'), 0)
"""
# I29: what was earned of money that went is gone, and a settlement is its lines.
EARNED = """
SELECT 'withdrawn', w.withdraws_id, c.rule_id, sum(c.amount) FROM allocation AS w JOIN commission AS c ON c.allocation_id IN (w.id, w.withdraws_id)
WHERE w.withdraws_id IS NOT NULL GROUP BY 2, 3, c.contract_id HAVING sum(c.amount) <> 0 OR sum(c.base) <> 0 OR count(*) <> 2
UNION ALL SELECT 'settlement', s.id, 0, s.amount FROM agent_settlement AS s JOIN agent_settlement_line AS l ON l.settlement_id = s.id JOIN commission AS c ON c.id = l.commission_id
GROUP BY s.id HAVING sum(c.amount) <> s.amount
UNION ALL SELECT 'twice', l.commission_id, 0, count(*) FROM agent_settlement_line AS l WHERE l.settlement_id NOT IN (SELECT settlement_id FROM agent_settlement_undo) GROUP BY 2 HAVING count(*) > 1
"""
