"""What others are told of contracts, and what a payment may lift: versions in order, each lift with its event, no lift of another's limit.

Next: billing/store/checks/catalogue.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

# What was sent is kept for some days; of what is kept the last is where the contract's count stands.
VERSIONS: Final = by_statement(
    "events told",
    "I22",
    "the events of a contract have its versions, each once, and none was sent before an earlier one",
    walks="contract",
    step=20_000,
    statement="""
SELECT 'contract ' || v.contract_id, CASE WHEN o.last <> v.version THEN format('its last event is version %%s and it counts %%s', o.last, v.version)
    WHEN o.sent > o.waits THEN format('version %%s was sent and version %%s is not', o.sent, o.waits)
    ELSE format('of the versions from %%s to %%s that wait there are %%s', o.waits, o.last, o.waiting) END
FROM contract_version v CROSS JOIN LATERAL (SELECT max(version) AS last, max(version) FILTER (WHERE sent_at IS NOT NULL) AS sent, min(version) FILTER (WHERE sent_at IS NULL) AS waits,
        count(*) FILTER (WHERE sent_at IS NULL) AS waiting FROM outbox WHERE contract_id = v.contract_id) AS o
WHERE v.contract_id BETWEEN %(first)s AND %(last)s AND (o.last <> v.version OR o.sent > o.waits OR o.last - o.waits + 1 <> o.waiting) ORDER BY v.contract_id
""",
)

# In the transaction that lifts: the event is of that moment. What was sent is forgotten after some days. Of a limit that a heavier
# one takes the place of the step tells.
LIFTS: Final = by_statement(
    "lifts told",
    "I20, I23",
    "what dunning's lifted was told as it was lifted, and what moves money lifted nothing else",
    walks="restriction",
    step=20_000,
    statement="""
SELECT 'contract ' || contract_id, CASE origin WHEN 'dunning' THEN format('it was %%s by dunning until %%s, and nobody was told', level, lifted_at AT TIME ZONE 'UTC')
    ELSE format('it was %%s by %%s, which %%s lifted', level, replace(origin::text, '_', ' '), lifted_by) END
FROM restriction r
WHERE r.id BETWEEN %(first)s AND %(last)s AND CASE WHEN r.origin = 'dunning' THEN r.run_id IS NOT NULL AND r.held_since IS NULL AND r.lifted_at BETWEEN now() - interval '2 days' AND now()
        AND NOT EXISTS (SELECT FROM restriction n WHERE n.contract_id = r.contract_id AND n.origin = 'dunning' AND n.since = r.lifted_at AND n.level > r.level)
        AND NOT EXISTS (SELECT FROM outbox o WHERE o.contract_id = r.contract_id AND o.at BETWEEN r.lifted_at - interval '10 minutes' AND r.lifted_at + interval '10 minutes')
    ELSE r.lifted_by ~ '^(payment|credit note|write-off) ' OR r.lifted_by = 'payment' END ORDER BY r.id
""",
)

TOLD_CHECKS: Final[tuple[Check, ...]] = (VERSIONS, LIFTS)
