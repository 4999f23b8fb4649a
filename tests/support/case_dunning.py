"""Worked cases of dunning: what is overdue, which step comes on which day, when something may be cut; and of promises to pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from support.case_contract import currency_of
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, as_day, as_instant, as_money, named, shown

from billing.contract_facts import Level, Origin
from billing.country_data import known_countries, load_country
from billing.documents import Due, due_days
from billing.dunning.changes import changes_for
from billing.dunning.debt import OpenDocument, debt_of
from billing.dunning.evaluation import evaluate
from billing.dunning.facts import Exclusion, ExclusionKind, Facts, FormalNotice, InForce
from billing.dunning.guard import is_open, next_open
from billing.dunning.policy import LEVELS, Action, Policy, PromiseTerms
from billing.dunning.policy_data import Place, default_policy, read_policy
from billing.dunning.promise import Promise, PromiseState, RefusedPromise, after_payment, decide_promise, review_proof
from billing.dunning.simulation import happenings
from billing.money import Money, zero

NOON: Final = time(12)
ALWAYS: Final = {"hours": ["00:00-23:59:59.999999"], "weekdays": [], "holidays": False, "easter_monday": False}
ACTIONS: Final = {one.value: one for one in Action} | {
    **dict.fromkeys(("reminder", "remind", "email", "notice", "warning", "letter", "formal_notice"), Action.NOTIFY),
    **dict.fromkeys(("slow", "throttled", "reduce"), Action.THROTTLE), **dict.fromkeys(("walled_garden", "wall"), Action.WALLED),
    **dict.fromkeys(("block", "blocked", "cut", "suspended", "suspension", "disconnect"), Action.SUSPEND),
    **dict.fromkeys(("terminate", "termination", "cancel", "close"), Action.END), "late_fee": Action.FEE,
}  # fmt: skip
SAID: Final = {Level.THROTTLE: "throttle", Level.WALLED: "walled", Level.BLOCKED: "blocked"}


def dunning(given: Values) -> dict[str, Any]:
    """Documents with their days, a policy, and days or moments to look at."""
    fields = Fields(given)
    currency = currency_of(fields)
    place = _place(fields)
    policy, asks = _policy(fields, place, currency), _Asked(fields)
    documents = _documents(fields, currency)
    credit = as_money(fields.take("credit", "unallocated", "unallocated_credit", default="0"), currency)
    delivered = fields.day("delivered", "delivered_on", "notice_delivered", "delivered_at", default=None)
    sent = fields.day("notice_sent", "sent", "sent_on", default=None)
    takes = fields.whole("delivery_days", default=None)
    not_before = fields.day("not_before", "manual_not_before", default=None)
    exclusions = [_exclusion(one) for one in fields.objects("exclusions", "whitelist", "exclusion", default=[])]
    fields.done()
    facts = Facts(documents, credit, frozenset({1}), exclusions=tuple(exclusions), not_before=not_before)
    got = _told_debt(facts, policy, asks)
    if asks.moments:
        got |= named([is_open(policy.guard, one) for one in asks.moments], "allowed", "is_allowed", "open", "may_cut")
        moments = [next_open(policy.guard, one).astimezone(place.zone).isoformat() for one in asks.moments]
        got |= named(AnyOf((moments, moments[0])), "next_allowed", "next", "moved_to", "executed_at", "happens_at")
    if documents:
        if delivered is not None and takes is None:
            facts = _heard(facts, policy, sent=sent, delivered=delivered)
        got |= _told_days(facts, policy, asks, takes=7 if takes is None else takes)
    return got


class _Asked:
    """The days and moments that a case asks about."""

    def __init__(self, fields: Fields) -> None:
        given = fields.objects(
            "check", "checks", "on", "as_of", "at", "moments", "instants", "dates", "today", default=[]
        )
        self.moments = [as_instant(one) for one in given if "T" in str(one)]
        self.days = [as_day(one) for one in given if "T" not in str(one)]


def _place(fields: Fields) -> Place:
    country = str(fields.take("country", "law", default="")).upper()
    if country and country not in known_countries():
        raise NotCoveredError(f"nothing is known of country {country}")
    zone = ZoneInfo(str(fields.take("zone", "timezone", default=load_country(country).zone if country else "UTC")))
    return Place(country, zone, load_country(country).dunning_floors if country else ())


def _policy(fields: Fields, place: Place, currency: str) -> Policy:
    data = default_policy(place)
    steps = fields.objects("steps", "policy", "ladder", default=[])
    if steps and isinstance(steps[0], str):
        steps = []
    if steps:
        data["step"] = [_step(one, number) for number, one in enumerate(steps, start=1)]
    least = fields.take("min_debt", "threshold", "minimum", "minimum_debt", default=None)
    if least is not None:
        data["min_debt"] = {currency: str(least)}
    guard = dict(ALWAYS)
    hours = fields.objects("hours", "allowed_hours", default=[])
    if hours and not isinstance(hours[0], str):
        raise NotCoveredError(f"hours are such as 09:00-17:00, not {hours[0]!r}")
    guarded = bool(hours) or fields.has("guard", "weekend", "holidays", "eves", "region")
    if guarded or place.country:
        guard = {"holidays": bool(place.country)}
    if hours and "-" not in hours[0]:
        hours = ["-".join(hours)]
    if hours:
        guard["hours"] = hours
    weekend = fields.objects("weekend", "closed_weekdays", default=[])
    if weekend:
        guard["weekdays"] = [str(one)[:3].lower() for one in weekend]
    days = fields.objects("holidays", "closed_days", default=[])
    guard["days"] = [str(as_day(one)) for one in days]
    if fields.has("region"):
        guard["region"] = fields.take("region")
    if fields.has("eves"):
        guard["eves_of_weekends"] = guard["eves_of_holidays"] = bool(fields.take("eves"))
    fields.take("guard", default=None)
    read = read_policy({**data, "guard": guard}, place, since=date(2000, 1, 1))
    if not isinstance(read, Policy):
        raise NotCoveredError("; ".join(map(str, read)))
    return read


def _step(given: Any, number: int) -> dict[str, Any]:
    if isinstance(given, list):
        given = dict(zip(("offset_days", "action"), given, strict=False))
    fields = Fields(given, f"step {number}")
    word = str(fields.take("action", "do", "type", "what"))
    known = word.lower().replace(" ", "_").replace("-", "_")
    if known not in ACTIONS:
        raise NotCoveredError(f"step {number}: action is {word!r}")
    action = ACTIONS[known]
    step: dict[str, Any] = {
        "code": str(fields.take("code", default=f"{known}_{number}")).lower().replace("-", "_").replace(" ", "_"),
        "offset_days": fields.whole("offset_days", "day", "days", "offset", "after_days"),
        "action": action.value,
    }
    if action is Action.NOTIFY:
        step |= {"channel": str(fields.take("channel", default="email")), "template": "overdue"}
        step["is_formal"] = bool(fields.take("is_formal", "formal", default=known == "formal_notice"))
    if action is Action.FEE:
        step["fee_product"] = "FEE"
    needs = fields.whole("needs_notice_days", default=None)
    fields.done()
    return step if needs is None else step | {"needs_notice_days": needs}


def _documents(fields: Fields, currency: str) -> tuple[OpenDocument, ...]:
    several = fields.objects("documents", "invoices", default=[])
    if several:
        return tuple(_document(one, number, currency) for number, one in enumerate(several, start=1))
    names = (
        "issued",
        "issued_on",
        "invoice_date",
        "net_days",
        "terms",
        "due",
        "due_on",
        "due_date",
        "amount",
        "debt",
        "gross",
    )
    given = {name: fields.take(name) for name in names if fields.has(name)}
    return (_document(given, 1, currency),) if given else ()


def _document(given: Any, number: int, currency: str) -> OpenDocument:
    fields = Fields(given, f"document {number}")
    if fields.has("due", "due_on", "due_date"):
        due = fields.day("due", "due_on", "due_date")
        fields.take("issued", "issued_on", "invoice_date", default=None)
    else:
        (due,) = due_days(fields.day("issued", "issued_on", "invoice_date"), [fields.whole("net_days", "terms")])
    amount = as_money(fields.take("amount", "open", "debt", "gross", default="30"), currency)
    paid = as_money(fields.take("paid", default="0"), currency)
    disputed = as_money(fields.take("disputed", "in_dispute", default="0"), currency)
    fields.done()
    return OpenDocument(number, str(number), frozenset({1}), (Due(due, amount - paid),), disputed)


def _exclusion(given: Any) -> Exclusion:
    fields = Fields(given, "an exclusion")
    kinds = {one.value: one for one in ExclusionKind}
    exclusion = Exclusion(
        fields.word(kinds, "kind", "type", default=ExclusionKind.WHITELIST),
        str(fields.take("reason", default="told")),
        fields.day("since", "from", "start", default=date.min),
        fields.day("until", "to", "end", default=None),
    )
    fields.done()
    return exclusion


def _heard(facts: Facts, policy: Policy, *, sent: date | None, delivered: date) -> Facts:
    """A formal notice of the case that came on a day, sent before it and listing all."""
    channel = next((step.channel for step in policy.steps if step.is_formal and step.channel), None)
    if channel is None:
        raise NotCoveredError("no step of the policy is a formal notice")
    day = sent or max(part.due_on for one in facts.documents for part in one.parts) + timedelta(days=1)
    notice = FormalNotice(day, channel, frozenset(one.id for one in facts.documents), delivered, day)
    ran = frozenset(step.code for step in policy.steps if step.action is Action.NOTIFY and not step.is_before_due)
    return replace(facts, has_case=True, notices=(notice,), steps_run=ran)


def _told_debt(facts: Facts, policy: Policy, asks: _Asked) -> dict[str, Any]:
    """Of the days asked about: what is overdue and owed."""
    if not facts.documents:
        return {}
    first = facts.documents[0].parts[0].due_on
    got = named(first.isoformat(), "due", "due_date", "due_on")
    debts = [debt_of(facts.documents, credit=facts.credit, today=day) for day in asks.days]
    threshold = policy.threshold(facts.credit.currency)
    got |= _one_or_all([bool(one.overdue) for one in debts], "overdue", "is_overdue", "is_late")
    got |= _one_or_all([(day - first).days for day in asks.days], "days_overdue", "days_late")
    got |= _one_or_all([shown(one.amount) for one in debts], "debt", "debts", "owed", "amount_overdue")
    got |= _one_or_all([one.since(threshold) is not None for one in debts], "pursued", "is_pursued", "in_dunning")
    since = [one.since(threshold) for one in debts]
    return got | _one_or_all([day.isoformat() if day else None for day in since], "oldest_due", "since")


def _told_days(facts: Facts, policy: Policy, asks: _Asked, *, takes: int) -> dict[str, Any]:
    """What is done day by day from before the first due day on, and how far the line is limited on the days asked about."""
    zone = policy.guard.zone
    start = datetime.combine(min(one.parts[0].due_on for one in facts.documents) - timedelta(days=40), time(0), zone)
    if facts.has_case:
        start = datetime.combine(facts.notices[0].written_on, time(0), zone)
    story = list(happenings(facts, policy, start=start, until=start + timedelta(days=500), delivery_days=takes))
    ran = [(one.at.astimezone(zone).date().isoformat(), step) for one in story for step in one.evaluation.steps]
    by_code = {step.code: day for day, step in ran}
    pairs = [[day, step.action.value] for day, step in ran]
    got = named(
        AnyOf(([{"date": day, "step": step.code, "action": step.action.value} for day, step in ran], by_code, pairs, [day for day, _ in ran])),
        "steps", "schedule", "dates", "step_dates",
    )  # fmt: skip
    first_of = {action: next((day for day, step in ran if step.action is action), None) for action in Action}
    got |= named(first_of[Action.THROTTLE], "throttle_on", "throttled_on", "throttle")
    got |= named(first_of[Action.WALLED], "walled_on", "walled")
    got |= named(first_of[Action.SUSPEND], "suspend_on", "suspended_on", "blocked_on", "blocked", "suspension")
    limits = [day for day, step in ran if step.action in LEVELS]
    got |= named(
        limits[0] if limits else None, "cut_on", "first_cut", "restricted_on", "first_restriction", "earliest_cut"
    )
    formal = [day for day, step in ran if step.is_formal]
    got |= named(formal[0] if formal else None, "notice_on", "formal_notice_on", "formal_notice")
    heard = [dict(one.values)["not_before"] for each in story for step in each.evaluation.steps for one in step.reasons if "not_before" in dict(one.values)]  # fmt: skip
    if heard:
        got |= named(str(heard[0]), "not_before", "earliest")
    levels = [_level_on(story, datetime.combine(day, NOON, zone)) for day in asks.days]
    said = [SAID[one] if one else "full" for one in levels]
    restricted = [one is not None for one in levels]
    suspended = AnyOf([["suspended" if one else "active" for one in restricted], said])
    got |= _one_or_all(said, "levels", "level") | named(AnyOf((*suspended, said[0])) if said else None, "states", "state", "status")  # fmt: skip
    return got | _one_or_all(restricted, "restricted", "suspended", "cut")


def _level_on(story: list[Any], moment: datetime) -> Level | None:
    before = [one for one in story if one.at <= moment]
    return before[-1].evaluation.levels.get(1) if before else None


def _one_or_all(values: list[Any], *names: str) -> dict[str, Any]:
    return named(AnyOf((values, values[0])), *names) if values else {}


def promise(given: Values) -> dict[str, Any]:
    """A promise of somebody who owes, what is paid meanwhile, and how far the line is limited after."""
    fields = Fields(given)
    currency = currency_of(fields)
    zone = ZoneInfo(str(fields.take("zone", "timezone", default="UTC")))
    usual = PromiseTerms()
    terms = {
        "hours": fields.whole("hours", "window_hours", default=usual.hours),
        "per_case": fields.take("per_case", "max_per_case", "limit_per_case", default="none"),
        "per_month": fields.take("per_month", "max_per_month", "limit_per_month", "limit", default="none"),
        "refused_days": fields.whole("refused_days", "refused_for_days", "cooldown_days", default=usual.refused_days),
    }
    terms["proof_hours"] = terms["hours"]
    most = fields.take("max_debt", "debt_limit", default=None)
    if most is not None:
        terms["max_debt"] = {currency: str(most)}
    hours = fields.objects("allowed_hours", default=[])
    guard = {**ALWAYS, **({"hours": hours} if hours else {})}
    place = Place("", zone, ())
    policy = read_policy({**default_policy(place), "promise": terms, "guard": guard}, place, since=date(2000, 1, 1))
    if not isinstance(policy, Policy):
        raise NotCoveredError("; ".join(map(str, policy)))
    owed = as_money(fields.take("debt", "amount", "owed", default="30"), currency)
    at = as_instant(fields.take("promise_at", "promised_at", "at", "made_at"))
    suspended = bool(fields.take("suspended", "restricted", default=True))
    payments = _payments(fields, owed, currency)
    reviewed = fields.word({"valid": True, "accepted": True, "true": True, "invalid": False, "not_valid": False, "rejected": False, "false": False}, "review", "proof", "proof_valid", default=None)  # fmt: skip
    review_at = fields.take("review_at", "reviewed_at", default=None)
    earlier = [_earlier(one, policy, owed) for one in fields.objects("earlier", "past", "previous", default=[])]
    checks = [as_instant(one) for one in fields.objects("check", "checks", default=[])]
    fields.done()
    before = sum((one[1].minor for one in payments if one[0] < at), 0)
    made = decide_promise(Money(owed.minor - before, currency), earlier, policy, case_id=1, now=at, has_proof=reviewed is not None)  # fmt: skip
    got = named(isinstance(made, Promise), "accepted", "granted", "restored_at_promise")
    got |= named(isinstance(made, RefusedPromise), "refused")
    if isinstance(made, RefusedPromise):
        return got | named(made.reason.why.value, "reason", "refusal")
    if reviewed is not None:
        seen = made.until if review_at is None else as_instant(review_at)
        made = review_proof(made, valid=reviewed, guard=policy.guard, now=seen)
    restricted = (InForce(1, 1, Origin.DUNNING, Level.BLOCKED),) if suspended else ()
    after = max(made.respite_until, *(one for one, _ in payments)) if payments else made.respite_until
    got |= named(made.until.astimezone(at.tzinfo).isoformat(), "window_ends", "until", "ends_at", "expires_at")
    got |= named(made.respite_until.astimezone(at.tzinfo).isoformat(), "respite_until", "cut_again_at", "cut_at")
    got |= named(
        _stands(made, payments, policy, owed, after).state.value, "promise_state", "promise", "outcome", "result"
    )
    at_promise = _state(made, [one for one in payments if one[0] <= at], policy, owed, restricted, at)
    got |= named(at_promise, "state_at_promise", "state_during_window", "state_in_window")
    got["restored_at_promise"] = suspended and at_promise == "active"
    got |= named(_state(made, payments, policy, owed, restricted, made.respite_until), "state_after_window", "state_after", "state", "final_state")  # fmt: skip
    got |= named([_state(made, payments, policy, owed, restricted, one) for one in checks], "states")
    kept = _stands(made, payments, policy, owed, after).state
    return got | named(kept is PromiseState.KEPT, "kept") | named(kept is PromiseState.BROKEN, "broken")


def _payments(fields: Fields, owed: Money, currency: str) -> list[tuple[datetime, Money]]:
    amount = as_money(fields.take("payment_amount", "paid", default=str(owed.amount)), currency)
    at = fields.take("payment_at", "paid_at", default=None)
    several = fields.objects("payments", default=[])
    found = [(as_instant(at), amount)] if at is not None else []
    return sorted(
        [*found, *((as_instant(one[0]), as_money(one[1], currency)) for one in several)], key=lambda one: one[0]
    )


def _earlier(given: Any, policy: Policy, owed: Money) -> Promise:
    fields = Fields(given if isinstance(given, Mapping) else {"at": given}, "an earlier promise")
    at = as_instant(fields.take("at", "promise_at", "made_at"))
    state = PromiseState(str(fields.take("state", "outcome", default="kept")))
    case = fields.whole("case", default=1)
    fields.done()
    until = at.astimezone(UTC) + timedelta(hours=policy.promise.hours)
    return Promise(case, at, until, until, owed, state, None if state is PromiseState.OPEN else until)


def _stands(
    made: Promise, payments: list[tuple[datetime, Money]], policy: Policy, owed: Money, now: datetime
) -> Promise:
    received = sum((one.minor for at, one in payments if made.made_at <= at < made.until and at <= now), 0)
    left = Money(owed.minor - sum(one.minor for at, one in payments if at <= now), owed.currency)
    return after_payment(made, owed=left, received=Money(received, owed.currency), threshold=policy.threshold(owed.currency), now=now)  # fmt: skip


def _state(
    made: Promise,
    payments: list[tuple[datetime, Money]],
    policy: Policy,
    owed: Money,
    restricted: tuple[InForce, ...],
    moment: datetime,
) -> str:
    """Whether the line is suspended at a moment: what is restricted, less what was paid, unless a respite holds."""
    left = max(0, owed.minor - sum(one.minor for at, one in payments if at <= moment))
    due = moment.date() - timedelta(days=100)
    parts = (Due(due, Money(left, owed.currency)),) if left else ()
    documents = (OpenDocument(1, "1", frozenset({1}), parts, zero(owed.currency)),) if parts else ()
    formal = next((step.channel for step in policy.steps if step.is_formal and step.channel), None)
    assert formal is not None
    notice = FormalNotice(due + timedelta(days=8), formal, frozenset({1}), None, due + timedelta(days=8))
    facts = Facts(documents, zero(owed.currency), frozenset({1}), has_case=True, notices=(notice,), restrictions=restricted, respites=(made.respite,))  # fmt: skip
    evaluation = evaluate(facts, policy, moment)
    levels = evaluation.levels
    lifted = changes_for(restricted, levels, pursued=evaluation.pursued).lift
    assert bool(lifted) == (bool(restricted) and not left)
    return "suspended" if levels and not made.respite.holds_at(moment) else "active"


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "dunning": dunning,
    "promise": promise,
}
