"""A promise to pay: how long it holds, when it is refused, whether it was kept, and what an operator says of a proof of payment.

The promised hours elapse on the clock; the respite that they give ends with them, or where that is a moment at which nothing
may be cut, at the next one that is. So the line is limited again by itself, with the database away too, and never at night.

A proof of payment that a customer uploads is a promise that an operator looks at: valid, it was kept, however late that was
seen; not valid, it is broken there and then.

Units: instants are aware; amounts of one currency; months are those of the issuer's zone.
Source: billing model section 14; invariant I26.

Next: simulation.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from billing.calendar import billing_day
from billing.dunning.facts import Respite
from billing.dunning.guard import Guard, next_open
from billing.dunning.policy import Policy, amount_in
from billing.dunning.reasons import Reason, Why, because
from billing.errors import BillingError
from billing.money import Money
from billing.sentence import Sentence


class PromiseState(StrEnum):
    """What has become of a promise. What was refused never was one."""

    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"


class ReviewError(BillingError):
    """There is no proof to say anything of, or something was said already; `why` says which."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why.message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Promise:
    """`amount` is what was owed, `until` when the promised hours are over, `respite_until` when the line is limited again.

    `reviewed` None: there is no proof, or nobody has looked at it; `ended_at`: when it was kept or broken.
    """

    case_id: int
    made_at: datetime
    until: datetime
    respite_until: datetime
    amount: Money
    state: PromiseState = PromiseState.OPEN
    ended_at: datetime | None = None
    has_proof: bool = False
    reviewed: bool | None = None

    @property
    def respite(self) -> Respite:
        """What it holds off, of the customer as a whole."""
        return Respite(self.made_at, self.respite_until)


@dataclass(frozen=True, slots=True)
class RefusedPromise:
    """No promise is taken, and why; `until`: when the same would be taken, where time alone decides."""

    reason: Reason
    until: datetime | None = None


def decide_promise(
    owed: Money, past: Sequence[Promise], policy: Policy, *, case_id: int, now: datetime, has_proof: bool = False
) -> Promise | RefusedPromise:
    """A promise to pay what is owed, or why it is refused. `past` are all promises of this customer and currency."""
    # In UTC, because hours added to a zone's clock are not hours that elapse.
    terms, now = policy.promise, now.astimezone(UTC)
    refused = _refusal(owed, past, policy, case_id=case_id, now=now)
    if refused is not None:
        return refused
    until = now + timedelta(hours=terms.proof_hours if has_proof else terms.hours)
    return Promise(case_id, now, until, next_open(policy.guard, until), owed, has_proof=has_proof)


def after_payment(promise: Promise, *, owed: Money, received: Money, threshold: Money, now: datetime) -> Promise:
    """The promise as it stands now. `received` came since it was made and before its hours were over.

    Kept when that is what was promised, or when no more than the threshold is owed within the hours.
    """
    if promise.state is not PromiseState.OPEN:
        return promise
    if promise.amount <= received or (now < promise.until and owed <= threshold):
        return replace(promise, state=PromiseState.KEPT, ended_at=min(now, promise.until))
    if now >= promise.until:
        return replace(promise, state=PromiseState.BROKEN, ended_at=promise.until)
    return promise


def review_proof(promise: Promise, *, valid: bool, guard: Guard, now: datetime) -> Promise:
    """The promise after an operator looked at its proof. Not valid, its respite ends at the next moment that is allowed.

    Raises: ReviewError without a proof, or for one that was looked at.
    """
    if not promise.has_proof:
        raise ReviewError(Sentence("this promise has no proof of payment to look at"))
    if promise.reviewed is not None:
        if promise.reviewed:
            raise ReviewError(Sentence("the proof was found valid before: record the payment, or reverse it"))
        raise ReviewError(Sentence("the proof was found not valid before: record the payment, or reverse it"))
    if valid:
        return replace(promise, state=PromiseState.KEPT, reviewed=True, ended_at=now)
    ends = min(promise.respite_until, next_open(guard, now))
    ended = promise.ended_at or now
    return replace(promise, state=PromiseState.BROKEN, reviewed=False, ended_at=ended, respite_until=max(ends, promise.made_at))  # fmt: skip


def _refusal(
    owed: Money, past: Sequence[Promise], policy: Policy, *, case_id: int, now: datetime
) -> RefusedPromise | None:
    """What speaks against one more promise, in the order in which it is told."""
    terms, zone = policy.promise, policy.guard.zone
    threshold = policy.threshold(owed.currency)
    if owed <= threshold:
        nothing = because(Why.NOT_PURSUED, amount=owed, threshold=threshold) if owed else because(Why.NOTHING_OWED)
        return RefusedPromise(nothing)
    running = [one for one in past if one.state is PromiseState.OPEN and now < one.until]
    if running:
        return RefusedPromise(because(Why.PROMISED, until=running[0].until), running[0].until)
    broken = [one for one in past if one.state is not PromiseState.KEPT]
    again = max((_trusted_again(one, terms.refused_days) for one in broken), default=now)
    if now < again:
        return RefusedPromise(because(Why.PROMISE_BROKEN, until=again), again)
    of_case = sum(one.case_id == case_id for one in past)
    if terms.per_case is not None and of_case >= terms.per_case:
        return RefusedPromise(because(Why.PROMISES_OF_CASE, count=of_case))
    month = billing_day(now, zone).replace(day=1)
    of_month = sum(billing_day(one.made_at, zone).replace(day=1) == month for one in past)
    if terms.per_month is not None and of_month >= terms.per_month:
        return RefusedPromise(because(Why.PROMISES_OF_MONTH, count=of_month))
    most = amount_in(terms.max_debt, owed.currency)
    if most and most < owed:
        return RefusedPromise(because(Why.TOO_MUCH, amount=owed, most=most))
    return None


def _trusted_again(promise: Promise, days: int) -> datetime:
    """From when on a promise that was broken, or ran out unseen, no longer stands against the next."""
    return (promise.ended_at or promise.until).astimezone(UTC) + timedelta(days=days)
