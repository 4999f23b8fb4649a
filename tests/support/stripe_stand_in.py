"""A stand-in for what localstripe lacks of Stripe: payment links, disputes, refunds' events, payouts with their transactions."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from support.gateway_stand_in import Answer, Call, StandIn

ZERO_DECIMAL = {"clp", "jpy"}


@dataclass
class StripeStandIn(StandIn):
    """See the module. Objects are as Stripe's reference shows them, as far as anybody here reads them."""

    secret: str = "sk_test_stand_in"
    webhook_secret: str = "whsec_stand_in"
    livemode: bool = False
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: float = field(default_factory=time.time)

    def answer(self, call: Call) -> Answer:
        what = call.path.removeprefix("/v1/").split("/")
        if call.path == "/v1/balance":
            return 200, {"object": "balance", "livemode": self.livemode, "available": []}
        if what[0] == "payment_links" and call.method == "POST":
            return self._link(call) if len(what) == 1 else self._changed(what[1], call)
        if what == ["refunds"] and call.method == "POST":
            return self.repeated(call, lambda: self._refund(call))
        if what == ["events"]:
            first = int(call.query.get("created[gte]", 0))
            return self._page([one for one in self.events if one["created"] >= first], call)
        if len(what) == 2:
            found = self.objects.get(what[1])
            return (
                (200, self._expanded(found))
                if found
                else (404, {"error": {"message": f"No such {what[0]}: {what[1]}"}})
            )
        kind = {"payment_links": "payment_link", "refunds": "refund", "balance_transactions": "balance_transaction"}[
            what[0]
        ]
        chosen = [one for one in self.objects.values() if one["object"] == kind and self._fits(one, call.query)]
        return self._page([self._expanded(one) for one in chosen], call)

    def _fits(self, one: dict[str, Any], query: dict[str, str]) -> bool:
        return all(one.get(name) == query[name] for name in ("payment_intent", "charge", "payout") if name in query)

    def _expanded(self, one: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.objects.get(value, value) if name in ("source", "latest_charge") else value
            for name, value in one.items()
        }

    def _page(self, rows: list[dict[str, Any]], call: Call) -> Answer:
        newest = list(reversed(rows))
        after = call.query.get("starting_after")
        start = 0 if after is None else next(n for n, one in enumerate(newest) if one["id"] == after) + 1
        size = min(int(call.query.get("limit", 10)), 3)
        page = newest[start : start + size]
        return 200, {"object": "list", "url": call.path, "data": page, "has_more": start + size < len(newest)}

    def add(self, kind: str, prefix: str, **fields: Any) -> dict[str, Any]:
        self.clock += 1
        one = {
            "id": self.number(prefix),
            "object": kind,
            "created": int(self.clock),
            "livemode": self.livemode,
            **fields,
        }
        self.objects[one["id"]] = one
        return one

    def tell(self, topic: str, about: dict[str, Any]) -> dict[str, Any]:
        """An event, to be delivered."""
        self.clock += 1
        event = {
            "id": self.number("evt_"),
            "object": "event",
            "type": topic,
            "created": int(self.clock),
            "livemode": self.livemode,
            "data": {"object": json.loads(json.dumps(about))},
        }
        self.events.append(event)
        return event

    def notice(self, events: list[dict[str, Any]], *, at: float | None = None, secret: str | None = None, **_: Any):
        (event,) = events
        body = json.dumps(event, indent=2).encode()
        stamp = str(int(time.time() if at is None else at))
        signed = hmac.new((secret or self.webhook_secret).encode(), f"{stamp}.".encode() + body, hashlib.sha256)
        return {
            "Stripe-Signature": f"t={stamp},v1={signed.hexdigest()},v0=00",
            "Content-Type": "application/json",
        }, body

    def _link(self, call: Call) -> Answer:
        data = call.fields["line_items"]["0"]["price_data"]

        def make() -> Answer:
            link = self.add(
                "payment_link",
                "plink_",
                active=True,
                currency=data["currency"],
                amount=int(data["unit_amount"]),
                metadata=call.fields.get("metadata", {}),
                paid_as=call.fields.get("payment_intent_data", {}),
            )
            link["url"] = f"https://buy.stripe.com/test_{link['id']}"
            return 200, link

        if int(data["unit_amount"]) <= 0:
            return 400, {"error": {"message": "Invalid positive integer"}}
        return self.repeated(call, make)

    def _changed(self, ref: str, call: Call) -> Answer:
        self.objects[ref]["active"] = call.fields["active"] == "true"
        return 200, self.objects[ref]

    def _refund(self, call: Call) -> Answer:
        asked = call.fields
        intent = self.objects[asked["payment_intent"]]
        refund = self.add(
            "refund",
            "re_",
            amount=int(asked["amount"]),
            currency=intent["currency"],
            payment_intent=intent["id"],
            charge=intent["latest_charge"],
            status="succeeded",
            metadata=asked.get("metadata", {}),
        )
        self.tell("refund.created", refund)
        return 200, refund

    # What customers, banks and Stripe itself do.

    def pay(self, link: dict[str, Any], amount: int | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Somebody pays on a page: the payment and its events, in their order."""
        return self.paid(amount or link["amount"], link["currency"], link["paid_as"].get("metadata", {}))

    def paid(self, amount: int, currency: str, metadata: dict[str, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A payment, of a page or of something else."""
        intent = self.add(
            "payment_intent",
            "pi_",
            amount=amount,
            amount_received=0,
            currency=currency,
            metadata=metadata,
            status="processing",
            last_payment_error=None,
        )
        charge = self.add("charge", "ch_", payment_intent=intent["id"], amount=amount, currency=currency)
        charge["billing_details"] = {"name": "Anna Rossi", "email": "anna@example.net"}
        intent["latest_charge"] = charge["id"]
        first = self.tell("payment_intent.processing", intent)
        intent |= {"status": "succeeded", "amount_received": amount}
        return intent, [first, self.tell("payment_intent.succeeded", intent)]

    def give_back(self, intent: dict[str, Any], amount: int, status: str = "succeeded") -> list[dict[str, Any]]:
        """A refund from Stripe's own pages."""
        refund = self.add(
            "refund",
            "re_",
            amount=amount,
            currency=intent["currency"],
            payment_intent=intent["id"],
            charge=intent["latest_charge"],
            status=status,
            metadata={},
        )
        return [
            self.tell("refund.created", refund),
            self.tell("charge.refunded", self.objects[intent["latest_charge"]]),
        ]

    def dispute(self, intent: dict[str, Any], amount: int | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The payer says that it was not him."""
        dispute = self.add(
            "dispute",
            "dp_",
            amount=amount or intent["amount"],
            currency=intent["currency"],
            payment_intent=intent["id"],
            charge=intent["latest_charge"],
            reason="fraudulent",
            status="needs_response",
        )
        return dispute, [
            self.tell("charge.dispute.created", dispute),
            self.tell("charge.dispute.funds_withdrawn", dispute),
        ]

    def lose(self, dispute: dict[str, Any]) -> list[dict[str, Any]]:
        dispute["status"] = "lost"
        return [self.tell("charge.dispute.closed", dispute)]

    def win(self, dispute: dict[str, Any]) -> list[dict[str, Any]]:
        """He had it after all."""
        dispute["status"] = "won"
        return [self.tell("charge.dispute.closed", dispute)]

    def pay_out(self, intents: list[dict[str, Any]], fee: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What came of these payments, less a fee of each, goes to the bank."""
        net = sum(one["amount"] - fee for one in intents)
        payout = self.add(
            "payout", "po_", amount=net, currency=intents[0]["currency"], status="paid", arrival_date=int(self.clock)
        )
        for one in intents:
            self.add(
                "balance_transaction",
                "txn_",
                type="charge",
                amount=one["amount"],
                fee=fee,
                net=one["amount"] - fee,
                currency=one["currency"],
                source=one["latest_charge"],
                payout=payout["id"],
            )
        self.add(
            "balance_transaction", "txn_", type="payout", amount=-net, fee=0, net=-net, currency=payout["currency"],
            source=payout["id"], payout=payout["id"],
        )  # fmt: skip
        return payout, [self.tell("payout.paid", payout)]
