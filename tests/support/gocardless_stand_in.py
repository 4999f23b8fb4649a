"""A stand-in for GoCardless: billing requests, mandates, payments, refunds, payouts, events, as its API reference shows them."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from support.gateway_stand_in import Answer, Call, StandIn

_PREFIX = {
    "billing_requests": "BRQ",
    "billing_request_flows": "BRF",
    "mandates": "MD",
    "payments": "PM",
    "refunds": "RF",
    "payouts": "PO",
    "payout_items": "PI",
    "creditors": "CR",
}


@dataclass
class GoCardlessStandIn(StandIn):
    """See the module."""

    secret: str = "sandbox_stand_in"
    webhook_secret: str = "gc_stand_in"
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in _PREFIX})
    clock: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add("creditors", name="My ISP")

    def answer(self, call: Call) -> Answer:
        name, *rest = call.path.strip("/").split("/")
        if rest[1:2] == ["actions"]:
            one = self.get(name, rest[0])
            one["status"] = "cancelled"
            return 200, {name: one}
        if call.method == "POST":
            return self._make(name, call)
        if rest:
            if name == "events":
                found = next((one for one in self.events if one["id"] == rest[0]), None)
            else:
                found = next((one for one in self.kept[name] if one["id"] == rest[0]), None)
            return (200, {name: found}) if found else self._problem(404, "Resource not found", "resource_not_found")
        rows = self.events if name == "events" else self.kept[name]
        return self._page(name, [one for one in rows if self._fits(one, call.query)], call)

    def _fits(self, one: dict[str, Any], query: dict[str, str]) -> bool:
        links = one.get("links", {})
        own = all(links.get(name) == query[name] for name in ("mandate", "payment", "payout") if name in query)
        since = query.get("created_at[gte]")
        return own and (since is None or datetime.fromisoformat(one["created_at"]) >= datetime.fromisoformat(since))

    def _page(self, name: str, rows: list[dict[str, Any]], call: Call) -> Answer:
        after = call.query.get("after")
        start = 0 if after is None else next(n for n, one in enumerate(rows) if one["id"] == after) + 1
        size = min(int(call.query.get("limit", 50)), 3)
        page = rows[start : start + size]
        cursor = page[-1]["id"] if start + size < len(rows) else None
        return 200, {name: page, "meta": {"limit": size, "cursors": {"before": None, "after": cursor}}}

    def _problem(self, status: int, message: str, reason: str, **links: str) -> Answer:
        one = {"reason": reason, "message": message, "links": links}
        kind = "invalid_state" if status == 409 else "invalid_api_usage"
        return status, {
            "error": {
                "message": message,
                "errors": [one],
                "type": kind,
                "code": status,
                "documentation_url": "",
                "request_id": "r",
            }
        }

    def _make(self, name: str, call: Call) -> Answer:
        if call.key is not None and (name, call.key) in self.keys:
            made = self.keys[name, call.key]
            said = "A resource has already been created with this idempotency key"
            return self._problem(409, said, "idempotent_creation_conflict", conflicting_resource_id=made)
        asked = call.fields[name]
        if name == "payments" and self.get("mandates", asked["links"]["mandate"])["status"] in ("cancelled", "failed"):
            return self._problem(422, "Mandate is not usable", "mandate_is_inactive")
        if name == "payments" and "charge_date" in asked:
            soonest = self.get("mandates", asked["links"]["mandate"]).get("next_possible_charge_date", "")
            if asked["charge_date"] < soonest:
                return self._problem(422, "must be on or after mandate's next_possible_charge_date", "invalid")
        if name == "refunds":
            made_before = sum(
                one["amount"] for one in self.kept[name] if one["links"]["payment"] == asked["links"]["payment"]
            )
            if asked["total_amount_confirmation"] != made_before + asked["amount"]:
                said = "Total amount confirmation invalid"
                return self._problem(422, said, "total_amount_confirmation_invalid")
        one = self.add(name, **{"metadata": {}, **asked})
        if call.key is not None:
            self.keys[name, call.key] = one["id"]
        if name == "billing_request_flows":
            one |= {
                "authorisation_url": f"https://pay-sandbox.gocardless.com/flow/{one['id']}",
                "expires_at": self._now(timedelta(days=7)),
            }
        if name == "payments":
            one |= {
                "status": "pending_submission",
                "charge_date": asked.get("charge_date", self.clock.date().isoformat()),
            }
            self.tell("payments", "created", one)
        if name == "refunds":
            one |= {"currency": self.get("payments", one["links"]["payment"])["currency"], "status": "created"}
            self.tell("refunds", "created", one)
        return 201, {name: one}

    def get(self, name: str, ref: str) -> dict[str, Any]:
        return next(one for one in self.kept[name] if one["id"] == ref)

    def add(self, resource: str, /, **fields: Any) -> dict[str, Any]:
        one = {"id": self.number(_PREFIX[resource]), "created_at": self._now(), **fields}
        self.kept[resource].append(one)
        return one

    def _now(self, later: timedelta = timedelta()) -> str:
        self.clock += timedelta(seconds=1)
        return (self.clock + later).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def tell(self, resource: str, action: str, about: dict[str, Any], **details: str) -> dict[str, Any]:
        """An event, to be delivered."""
        event = {
            "id": self.number("EV"),
            "created_at": self._now(),
            "resource_type": resource,
            "action": action,
            "links": {
                resource[:-1]: about["id"],
                **(
                    {"mandate_request_mandate": about["links"]["mandate_request_mandate"]}
                    if resource == "billing_requests"
                    else {}
                ),
            },
            "details": {"origin": "bank", "cause": action, "description": f"{resource} {action}", **details},
            "metadata": {},
        }
        self.events.append(event)
        return event

    def notice(self, events: list[dict[str, Any]], *, secret: str | None = None, **_: Any):
        body = json.dumps({"events": events, "meta": {"webhook_id": self.number("WB")}}).encode()
        signed = hmac.new((secret or self.webhook_secret).encode(), body, hashlib.sha256).hexdigest()
        return {"Webhook-Signature": signed, "Content-Type": "application/json"}, body

    # What customers, banks and GoCardless itself do.

    def sign(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A customer signs on the page: his mandate and the events."""
        mandate = self.add("mandates", status="pending_submission", reference="ISP-1", metadata={}, links={})
        request.setdefault("links", {})["mandate_request_mandate"] = mandate["id"]
        request["status"] = "fulfilled"
        return mandate, [self.tell("mandates", "created", mandate), self.tell("billing_requests", "fulfilled", request)]

    def confirm(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """The bank gives the money."""
        payment["status"] = "confirmed"
        return [self.tell("payments", "submitted", payment), self.tell("payments", "confirmed", payment)]

    def fail(self, payment: dict[str, Any], code: str = "AM04") -> list[dict[str, Any]]:
        """The bank sends it back, before or after it was confirmed."""
        payment["status"] = "failed"
        return [self.tell("payments", "failed", payment, reason_code=code)]

    def charge_back(self, payment: dict[str, Any], code: str = "MD06") -> list[dict[str, Any]]:
        """The payer has his money back."""
        payment["status"] = "charged_back"
        return [self.tell("payments", "charged_back", payment, reason_code=code)]

    def cancel_chargeback(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """And returns it."""
        payment["status"] = "confirmed"
        return [self.tell("payments", "chargeback_cancelled", payment)]

    def give_back(self, payment: dict[str, Any], amount: int) -> list[dict[str, Any]]:
        """A refund from GoCardless's own pages."""
        links = {"payment": payment["id"], "mandate": payment["links"]["mandate"]}
        refund = self.add(
            "refunds", amount=amount, currency=payment["currency"], status="created", metadata={}, links=links
        )
        return [self.tell("refunds", "created", refund)]

    def pay_out(self, payments: list[dict[str, Any]], fee: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What came of these payments, less a fee of each, goes to the bank."""
        net = sum(one["amount"] - fee for one in payments)
        payout = self.add(
            "payouts",
            amount=net,
            deducted_fees=fee * len(payments),
            currency=payments[0]["currency"],
            arrival_date=self.clock.date().isoformat(),
            status="paid",
            links={},
        )
        for one in payments:
            links = {"payment": one["id"], "payout": payout["id"]}
            self.add("payout_items", type="payment_paid_out", amount=f"{one['amount']}.0", links=links)
            self.add("payout_items", type="gocardless_fee", amount=f"-{fee}.0", links=links)
        return payout, [self.tell("payouts", "paid", payout)]
