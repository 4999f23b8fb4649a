"""What comes of the money of a virtual operator on each day of its year: who pays when and how, and what customers make of it.

Most customers paid ahead for the whole year. Some are lively: they pay late, in part, too much, by whatever there is, promise and break
it, take debits back, contest what they owe. All goes through the operations that commands and providers' notices go through.

Next: tests/support/virtual_year.py
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal

from support.virtual_office import POLICY_SINCE, Office, Owed

from billing.documents import Due
from billing.errors import BillingError
from billing.gateways.events import EventKind, PaymentEvent
from billing.money import read_money
from billing.operations.collecting import Taken as Collected
from billing.operations.collecting import Taking, take_payment
from billing.operations.giving_back import refund_payment, undo_write_off, write_off
from billing.operations.holding_back import (
    NewExclusion,
    NewPlan,
    agree_plan,
    close_dispute,
    end_exclusion,
    exclude,
    open_dispute,
)
from billing.operations.invoices import credit_document
from billing.operations.promising import Proof, Taken, review_promise, take_promise
from billing.operations.recording import record_event
from billing.payments import Happening, NotDone, PaymentSource


class Till(Office):
    """What customers do, beside what the office does."""

    def work(self, today: date, now: datetime) -> None:
        """A day's deeds, committed one by one. It is `now` by the database's clock too."""
        self.today, self.now = today, now
        if today == POLICY_SINCE:
            self.save_policy()
        due = [do for day, do in self.later if day <= today]
        self.later = [one for one in self.later if one[0] > today]
        for do in due:
            self.done(do)
        self.regular()
        for _ in range(self.chance.randint(2, 5)):
            (deed,) = self.chance.choices(list(_DEEDS), weights=list(_DEEDS.values()))
            customer = self.chance.choice(self.lively)
            self.done(lambda deed=deed, customer=customer: deed(self, customer))

    def _pay_some(self, customer: int, owed: list[Owed], amount: Decimal) -> str | NotDone:
        """By one of the ways there are."""
        self.count += 1
        way = self.chance.choice(("counter", "collector", "collector", "gateway", "debit", "debit", "bank"))
        if way == "bank":
            self.lines.append(self.line(amount, f"invoice {owed[0].label}" if owed else "in advance"))
            return "line at the bank"
        if way == "collector":
            taking = Taking(
                self.chance.choice(self.collectors),
                customer,
                read_money(amount, "EUR"),
                self.methods["cash"],
                f"tap {self.count}",
                self.today,
            )
            taken = take_payment(self.db, taking, today=self.today, actor="carla")
            if isinstance(taken, Collected) and self.chance.random() < 0.04:
                self.come_back(taken.payment.id, "taken twice")
            return taken if isinstance(taken, NotDone) else "pay a collector"
        if way == "gateway":
            event = self._event(EventKind.PAID, customer, amount)
            told = record_event(self.db, self.gateway, event, today=self.today, actor="worker")
            assert not told.problem, told
            if self.chance.random() < 0.3:
                self.later.append(
                    (
                        self.today + timedelta(days=self.chance.randint(3, 30)),
                        lambda: self._charged_back(event, customer),
                    )
                )
            return "pay at the gateway"
        paid = self.record("cash" if way == "counter" else "direct_debit", amount, customer, source=PaymentSource.COUNTER if way == "counter" else PaymentSource.FILE, reference=f"{way} {self.count}")  # fmt: skip
        if isinstance(paid, NotDone):
            return paid
        if way == "debit" and self.chance.random() < 0.5:
            self.come_back(paid.id, "insufficient funds", with_fee=True)
        return "direct debit" if way == "debit" else "pay at the counter"

    def _event(self, kind: EventKind, customer: int, amount: Decimal) -> PaymentEvent:
        return PaymentEvent(
            f"evt {self.count} {kind}",
            kind,
            f"pay {self.count}",
            read_money(amount, "EUR"),
            self.now,
            self.today,
            mandate_ref=f"MD{customer}",
        )

    def _charged_back(self, paid: PaymentEvent, customer: int) -> str:
        event = PaymentEvent(
            f"{paid.key} back", EventKind.RETURNED, paid.payment_key, paid.amount, self.now, self.today,
            mandate_ref=f"MD{customer}", reason_code="AC06", reason="account blocked",
        )  # fmt: skip
        told = record_event(self.db, self.gateway, event, today=self.today, actor="worker")
        assert not told.problem, told
        return "returned at the gateway"

    def _pays(self, customer: int) -> bool:
        """One in three pays hardly ever."""
        return customer % 3 != 0 or self.chance.random() < 0.12

    def pay(self, customer: int) -> str | NotDone | None:
        """All that is open."""
        owed = self.owed(customer)
        if not owed or not self._pays(customer):
            return None
        return self._pay_some(customer, owed, sum((one.open for one in owed), Decimal(0)))

    def part(self, customer: int) -> str | NotDone | None:
        """Some of it."""
        owed = self.owed(customer)
        if not owed or owed[0].open < 2 or not self._pays(customer):
            return None
        told = self._pay_some(customer, owed, (owed[0].open / 2).quantize(Decimal("0.01")))
        self.all.done["pay in part"] += isinstance(told, str)
        return told

    def over(self, customer: int) -> str | NotDone | None:
        """More than that, or with nothing open in advance."""
        owed = self.owed(customer)
        if not self._pays(customer):
            return None
        told = self._pay_some(customer, owed, sum((one.open for one in owed), Decimal(30)))
        self.all.done["pay too much" if owed else "pay in advance"] += isinstance(told, str)
        return told

    def dispute(self, customer: int) -> str | NotDone | None:
        """The oldest, all of it or some."""
        owed = self.owed(customer)
        if not owed:
            return None
        some = None if self.chance.random() < 0.5 else read_money((owed[0].open / 2).quantize(Decimal("0.01")), "EUR")
        told = open_dispute(self.db, owed[0].document, some, reason="slow line", now=self.now, actor="maria")
        if isinstance(told, NotDone):
            return told
        self.disputes.append((told, owed[0].document))
        return "dispute"

    def decide(self, _: int) -> str | NotDone | None:
        """For the customer, with a credit note, or for us."""
        if not self.disputes:
            return None
        number, document = self.disputes.pop(0)
        theirs = self.chance.random() < 0.5
        if theirs:
            with suppress(BillingError):
                credit_document(
                    self.db, document, None, document_date=self.today, reason="a fault of ours", actor="maria"
                )
        told = close_dispute(self.db, number, outcome="theirs" if theirs else "ours", now=self.now, actor="maria")
        return told if isinstance(told, NotDone) else f"dispute decided for {'the customer' if theirs else 'us'}"

    def promise(self, customer: int) -> str | None:
        """To pay within the hours, with a slip to show or without; half of them do."""
        key = (customer, self.isp.issuer, "EUR")
        proof = Proof("slip.txt", "text/plain", b"paid") if self.chance.random() < 0.4 else None
        told = take_promise(self.db, key, now=self.now, asked_by="portal", actor="anna", proof=proof)
        if not isinstance(told, Taken):
            self.all.refused["promise"] += 1
            return None
        if proof is not None:
            self.proofs.append(told.known.id)
        if self.chance.random() < 0.5:
            self.later.append((self.today + timedelta(days=1), lambda: self._keep(customer)))
        return "promise"

    def _keep(self, customer: int) -> str | NotDone | None:
        owed = self.owed(customer)
        if not owed:
            return None
        told = self.record("transfer", sum((one.open for one in owed), Decimal(0)), customer)
        return told if isinstance(told, NotDone) else "pay what was promised"

    def review(self, _: int) -> str | NotDone | None:
        """What was shown is right or not."""
        if not self.proofs:
            return None
        valid = self.chance.random() < 0.5
        told = review_promise(self.db, self.proofs.pop(0), valid=valid, now=self.now, actor="maria")
        return told if isinstance(told, NotDone) else f"proof {'valid' if valid else 'not valid'}"

    def leave_out(self, customer: int) -> str | NotDone | None:
        """Left alone for a while, or pursued again."""
        if self.excluded and self.chance.random() < 0.6:
            told = end_exclusion(self.db, self.excluded.pop(0), reason="enough", now=self.now, actor="maria")
            return told if isinstance(told, NotDone) else "exclusion ended"
        until = self.today + timedelta(days=30) if self.chance.random() < 0.5 else None
        wanted = NewExclusion("whitelist", "talks", self.today, until, customer_id=customer)
        number = exclude(self.db, wanted, now=self.now, actor="maria")
        if isinstance(number, NotDone):
            return number
        self.excluded.append(number)
        return "exclusion"

    def instalments(self, customer: int) -> str | NotDone | None:
        """Three parts for what is open; half of these plans are kept."""
        owed = self.owed(customer)
        whole = sum((one.open for one in owed), Decimal(0))
        if whole < 9:
            return None
        third = (whole / 3).quantize(Decimal("0.01"))
        parts = (third, third, whole - 2 * third)
        days = [self.today + timedelta(days=20 * count) for count in (1, 2, 3)]
        dues = tuple(Due(day, read_money(part, "EUR")) for day, part in zip(days, parts, strict=True))
        plan = NewPlan(tuple(one.document for one in owed), dues, "by phone")
        told = agree_plan(self.db, plan, now=self.now, actor="maria")
        if isinstance(told, NotDone):
            return told
        if self.chance.random() < 0.5:
            for day, part in zip(days, parts, strict=True):
                self.later.append((day, lambda part=part: self._instalment(customer, part)))
        return "plan of instalments"

    def _instalment(self, customer: int, amount: Decimal) -> str | NotDone:
        told = self.record("transfer", amount, customer)
        return told if isinstance(told, NotDone) else "instalment"

    def let_go(self, customer: int) -> str | NotDone | None:
        """What is very old nobody will pay; now and then somebody is asked for it after all."""
        owed = self.owed(customer)
        if not owed or owed[0].due_on > self.today - timedelta(days=100):
            return None
        number = write_off(
            self.db, owed[0].document, reason="gone", dated=self.today, today=self.today, actor="maria", now=self.now
        )
        if isinstance(number, NotDone):
            return number
        if self.chance.random() < 0.3:
            self.later.append((self.today + timedelta(days=6), lambda: self._ask_again(number)))
        return "write off"

    def _ask_again(self, number: int) -> str | NotDone:
        told = undo_write_off(
            self.db, number, reason="found", dated=self.today, today=self.today, actor="maria", now=self.now
        )
        return told if isinstance(told, NotDone) else "write-off taken back"

    def refund(self, _: int) -> str | NotDone | None:
        """Some of the credit of whoever has any."""
        row = self.db.execute(
            "SELECT o.payment_id, o.open FROM open_payment AS o JOIN payment AS p ON p.id = o.payment_id WHERE o.customer_id IS NOT NULL ORDER BY md5(p.reference || %s) LIMIT 1",
            (str(self.today),),
        ).fetchone()
        if row is None:
            return None
        amount = min(row[1], Decimal("12.50"))
        method = self.methods[self.chance.choice(("transfer", "cash"))]
        why = Happening(self.today, "asked for it")
        told = refund_payment(self.db, row[0], read_money(amount, "EUR"), method, why, today=self.today, actor="maria")
        return told if isinstance(told, NotDone) else "refund"


_DEEDS: dict[Callable[[Till, int], object], int] = {
    Till.pay: 9,
    Till.part: 3,
    Till.over: 1,
    Till.dispute: 2,
    Till.decide: 2,
    Till.promise: 4,
    Till.review: 2,
    Till.leave_out: 1,
    Till.instalments: 1,
    Till.let_go: 1,
    Till.refund: 1,
}
