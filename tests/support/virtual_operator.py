"""An operator with a thousand contracts and what its staff does on each day of a year; always the same.

The year is 2027-09-01 to 2028-08-31 in Europe/Rome: clocks change on 2027-10-31 and 2028-03-26, and February has 29 days. What comes
of its money: tests/support/virtual_till.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from support.books_isp import BooksIsp, add_items, make_books
from support.small_isp import SEALED, one

from billing import deeds as do
from billing.charges import Opening
from billing.contract_facts import BilledAs, Level, Origin
from billing.deeds import Changed, Deed
from billing.errors import BillingError
from billing.new_contract import NewContract, NewTerms, OnNegative, SoldProduct
from billing.operations.doing import do_deed
from billing.operations.invoices import WantedInvoice, WantedLine, credit_document, make_invoice
from billing.operations.making import make_contract
from billing.periods import Alignment, Basis, Timing
from billing.price_changes import PriceChange, Reach
from billing.store.acting import acting
from billing.store.positions import place_items
from billing.store.price_changes import change_prices
from billing.store.promotions import apply_promotion, load_promotions

FIRST = date(2027, 9, 1)
LAST = date(2028, 8, 31)
ZONE = "Europe/Rome"
BEGUN = 900  # contracts that are there on the first day; 100 more come, one every third day or so
COMING = 100
LIVELY_EVERY = 15  # of so many customers one does all that people do with money; the others pay ahead
_SEED = 5
# By the number of the contract, so that each has its own of: day, length, price, timing, basis, opening, mode, group.
_MIX = """
UPDATE contract_terms SET includes_tax = contract_id % 5 = 0,
    on_negative = CASE contract_id % 2 WHEN 0 THEN 'credit_note' ELSE 'next_document' END::negative_change,
    timing = CASE WHEN contract_id % 11 = 7 THEN 'posticipated' ELSE 'anticipated' END::due_timing,
    fixed_day = CASE WHEN contract_id % 23 = 1 THEN 10 END, lead_days = CASE WHEN contract_id % 10 = 9 THEN 3 ELSE 0 END,
    opening = CASE contract_id % 12 WHEN 3 THEN 'join' WHEN 5 THEN 'full' WHEN 7 THEN 'free' ELSE 'prorate' END::opening_rule,
    basis = CASE WHEN contract_id % 6 = 5 THEN 'thirty' ELSE 'actual' END::day_basis,
    due_days = CASE contract_id % 3 WHEN 0 THEN 30 ELSE 15 END, signed_at = '2027-08-20', distance = contract_id % 4 = 0;
UPDATE contract_terms SET payer_id = (SELECT customer_id FROM contract WHERE id = contract_id - 1), billing_group = 'home', due_days = 15, includes_tax = false
    WHERE contract_id % 7 = 3 AND contract_id - 1 IN (SELECT contract_id FROM contract_terms);
UPDATE contract_terms SET billing_group = 'home', due_days = 15, includes_tax = false WHERE contract_id % 7 = 2;
UPDATE customer SET kind = 'public_body', given_name = NULL, family_name = NULL WHERE id % 29 = 8;
UPDATE customer SET kind = 'company', given_name = NULL, family_name = NULL WHERE id % 13 = 5;
UPDATE customer SET fiscal_position_id = (SELECT id FROM fiscal_position WHERE name = 'Abroad') WHERE id % 31 = 4;
INSERT INTO exemption (customer_id, tax_code_id, during, legal_reference, placed_by)
    SELECT id, (SELECT id FROM tax_code WHERE name = 'IVA-N4'), '[2027-11-01,2028-05-01)', 'declaration 7/2027', 'maria' FROM customer WHERE id % 37 = 6 ORDER BY customer.id;
UPDATE contract_item SET wanted_day = 1 + contract_id % 31, anchor = date '2027-10-01' + (contract_id % 31)::integer,
    starts_on = date '2027-09-01' + (contract_id * 7 % 30)::integer,
    months = (ARRAY[3, 1, 1, 2, 2, 1, 1, 3, 6, 1, 1, 2, 12, 1, 1, 6, 12, 1, 1, 1])[contract_id % 20 + 1],
    period_price = CASE kind WHEN 'plan' THEN 9.90 + contract_id * 37 % 4000 / 100.0 ELSE 1 + contract_id % 7 / 2.0 END
        * (ARRAY[3, 1, 1, 2, 2, 1, 1, 3, 6, 1, 1, 2, 12, 1, 1, 6, 12, 1, 1, 1])[contract_id % 20 + 1],
    quantity = CASE WHEN kind = 'add_on' AND contract_id % 4 = 0 THEN 3 ELSE 1 END;
INSERT INTO discount (contract_id, kind, value, during, priority, reason, placed_by)
    SELECT contract_id, 'percent', 10, '[2027-10-15,2028-03-10)', 10, 'spring', 'maria' FROM contract_terms WHERE contract_id % 9 = 1 ORDER BY 1;
INSERT INTO discount (contract_id, kind, value, during, reason, placed_by)
    SELECT contract_id, 'fixed', 3, '[2027-09-01,2028-02-01)', 'loyal', 'maria' FROM contract_terms WHERE contract_id % 12 = 1 ORDER BY 1;
INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on)
    SELECT contract_id, (SELECT id FROM product WHERE name = 'Activation'), 'one_off', 49, '2027-09-20' FROM contract_terms WHERE contract_id % 4 = 0 ORDER BY 1;
INSERT INTO instalment (item_id, number, due_on, amount)
    SELECT id, n, date '2027-09-20' + 31 * (n - 1), CASE n WHEN 1 THEN 17 ELSE 16 END FROM contract_item, generate_series(1, 3) AS n
    WHERE kind = 'one_off' AND contract_id % 8 = 4 ORDER BY 1, 2;
UPDATE contract SET starts_on = (SELECT min(starts_on) FROM contract_item WHERE contract_id = contract.id AND kind = 'plan');
UPDATE contract_terms SET billable_from = (SELECT starts_on FROM contract WHERE id = contract_id)
"""


@dataclass
class Operator:
    """The rows' ids and what the year has come to so far: how often each thing was done, and why others were refused."""

    isp: BooksIsp
    plans: tuple[int, ...]  # the network's plans by size: of Home 30, Home 100, Home 1000
    products: tuple[int, ...]  # that sell them
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    contracts: list[int] = field(default_factory=list)
    addresses: dict[int, list[int]] = field(default_factory=dict)


def make_operator(connection: psycopg.Connection[Any]) -> Operator:
    """Its first day's rows, committed: nothing is billed yet."""
    isp = make_books(connection, customers=BEGUN, starts_on=FIRST, static_address_every=3)
    acting(connection, "maria")
    add_items(connection, isp.contracts[4::9], isp.products["Phone"], "add_on", price=Decimal(4), starts_on=FIRST)
    for statement in _MIX.split(";\n"):
        connection.execute(statement)  # type: ignore[arg-type]
    connection.execute("DELETE FROM billing_position")
    place_items(connection, isp.contracts)
    connection.execute("UPDATE issuer SET zone = %s", (ZONE,))
    connection.execute(
        "UPDATE tax_rate SET during = '[2013-10-01,2028-01-01)' WHERE tax_code_id = %s", (isp.tax_codes["IVA-22"],)
    )
    connection.execute(
        "INSERT INTO tax_rate (tax_code_id, during, percent) VALUES (%s, '[2028-01-01,)', 23)",
        (isp.tax_codes["IVA-22"],),
    )
    connection.execute(
        "INSERT INTO promotion (name, kind, value, family, months, offered) VALUES"
        " ('Autumn', 'percent', 50, 'access', 3, '[2027-09-01,2028-09-01)'), ('Winter', 'fixed', 4, NULL, 2, '[2027-12-01,2028-09-01)')"
    )
    plans, products = [isp.plan], [isp.products["Home 30"]]
    for name, price, down in (("Home 100", "39.90", 100_000_000), ("Home 1000", "49.90", 1_000_000_000)):
        profile = one(
            connection,
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES (%s, %s, 20000000) RETURNING id",
            *(name, down),
        )
        plans.append(
            one(
                connection,
                "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES (%s, %s, %s, %s) RETURNING id",
                *(name, profile, profile, profile),
            )
        )
        products.append(
            one(
                connection,
                "INSERT INTO product (name, kind, plan_id, family, tax_code_id, minimum_months, renew_months, notice_days)"
                " VALUES (%s, 'plan', %s, 'access', %s, 6, 1, 15) RETURNING id",
                *(name, plans[-1], isp.tax_codes["IVA-22"]),
            )
        )
        connection.execute(
            "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', %s, '[2020-01-01,)')",
            (products[-1], price),
        )
    connection.execute(
        f"INSERT INTO subscriber_account (contract_id, username, sealed_secret)"
        f" SELECT c, 'user' || c || suffix, {SEALED} FROM unnest(%s::bigint[]) AS c, unnest(ARRAY['', 'b']) AS suffix"
        " WHERE suffix = '' OR c %% 10 = 0 ORDER BY c, suffix",
        (isp.contracts,),
    )
    connection.commit()
    return Operator(isp, tuple(plans), tuple(products), contracts=list(isp.contracts))


class Staff:
    """What is done on a day, by a seed: asked day by day in order, it always does the same."""

    def __init__(self, connection: psycopg.Connection[Any], operator: Operator) -> None:
        self._db = connection
        self._all = operator
        self._chance = random.Random(_SEED)
        self._coming: dict[int, list[tuple[date, Deed]]] = {}
        self._later: list[tuple[date, int, Deed]] = []
        self._made = 0

    def work(self, today: date) -> None:
        """A day's work, committed piece by piece."""
        due = [one for one in self._later if one[0] == today]
        self._later = [one for one in self._later if one[0] != today]
        for _, contract, deed in due:
            self._do(contract, deed, today)
        if self._made < COMING and today.toordinal() % 3 == 0:
            self._new_contract(today)
        for _ in range(self._chance.randint(2, 6)):
            kind = self._chance.choices(list(_DAILY), weights=[weight for _, weight in _DAILY.values()])[0]
            _DAILY[kind][0](self, self._chance.choice(self._all.contracts), today)
        if today in _ONCE:
            _ONCE[today](self, today)

    def _do(self, contract: int, deed: Deed, today: date) -> bool:
        outcome = do_deed(self._db, contract, deed, today=today, actor="maria", zone=ZONE, reason="asked for")
        self._db.commit()
        name = type(deed).__name__
        if isinstance(outcome, Changed):
            self._all.done[name] += 1
            return True
        self._all.refused[f"{name}: {outcome.reason}"] += 1
        return False

    def _days(self, first: int, last: int) -> timedelta:
        return timedelta(days=self._chance.randint(first, last))

    def _new_contract(self, today: date) -> None:
        """A person's from draft to service; some in trial, on trial of another length of period, some refused or cancelled."""
        self._made += 1
        number, pick = self._made, self._chance.choice
        customer = self._all.isp.customers[number * 7 % BEGUN]
        terms = NewTerms(
            self._all.isp.issuer,
            months=pick((1, 1, 1, 2, 3, 6, 12)),
            alignment=pick((Alignment.ANNIVERSARY, Alignment.CALENDAR, Alignment.DAY_OF_MONTH)),
            timing=pick((Timing.ANTICIPATED, Timing.ANTICIPATED, Timing.POSTICIPATED)),
            basis=pick((Basis.ACTUAL, Basis.THIRTY)),
            opening=pick((Opening.PRORATE, Opening.PRORATE, Opening.FULL, Opening.FREE, Opening.JOIN)),
            on_negative=pick((OnNegative.CREDIT_NOTE, OnNegative.NEXT_DOCUMENT)),
            trial_days=14 if number % 5 == 0 else None,
            order_fees=number % 6 == 0,
            distance=number % 4 == 0,
        )
        if terms.alignment is Alignment.DAY_OF_MONTH:
            terms = NewTerms(**{**_fields(terms), "billing_day": self._chance.randint(1, 31)})
        isp = self._all.isp
        new = NewContract(
            customer,
            SoldProduct(self._all.products[number % 3]),
            terms,
            add_ons=(SoldProduct(isp.products["Static address"]),) if number % 2 else (),
            fees=(SoldProduct(isp.products["Activation"], instalments=1 + number % 4),),
            promotions=(1,) if number % 3 == 0 else (),
        )
        contract = make_contract(self._db, new, today=today, actor="maria")
        self._db.execute(
            f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, %s, {SEALED})",
            (contract, f"user{contract}"),
        )
        self._db.commit()
        self._all.done["make_contract"] += 1
        self._do(contract, do.Propose(), today)
        if number % 10 == 9:
            self._do(contract, do.Refuse(), today)
            return
        self._do(contract, do.Accept(recorded_by="maria"), today)
        if number % 10 == 8:
            self._later.append((today + timedelta(days=4), contract, do.Cancel()))
            return
        begins = today + self._days(1, 6)
        self._later.append((begins, contract, do.Activate(begins)))
        if number % 20 == 4:
            self._later.append((begins + timedelta(days=5), contract, do.Withdraw()))
        self._all.contracts.append(contract)

    def _change_plan(self, contract: int, today: date) -> None:
        plan, at = self._chance.choice(self._all.plans), self._chance.choice(list(do.ChangeAt))
        on = None
        if at is do.ChangeAt.DATE:
            on = today + self._days(-3, 25)
        self._do(contract, do.ChangePlan(plan, at, on), today)

    def _pause(self, contract: int, today: date) -> None:
        start = today + self._days(0, 5)
        billing = self._chance.choice((BilledAs.CREDIT_DAYS, BilledAs.CREDIT_DAYS, BilledAs.BILL))
        self._do(contract, do.Pause(start, start + self._days(3, 40), billing), today)

    def _restrict(self, contract: int, today: date) -> None:
        origin = self._chance.choice((Origin.DUNNING, Origin.ADMIN, Origin.LEGAL, Origin.ABUSE, Origin.TECHNICAL))
        level, billing = self._chance.choice(list(Level)), self._chance.choice(_BILLED_AS[origin])
        if not self._do(contract, do.Restrict(origin, level, billing), today):
            return
        lifter = do.Lifter.PROVISIONING if origin is Origin.TECHNICAL else do.Lifter.OPERATOR
        # Whole periods are left out of what lasts for longer than one.
        lasts = self._days(20, 90) if billing is BilledAs.STOP else self._days(1, 20)
        self._later.append((today + lasts, contract, do.Lift(origin, lifter)))

    def _end(self, contract: int, today: date) -> None:
        on = today + self._days(0, 30)
        waived = self._chance.random() < 0.7
        if not self._do(contract, do.ScheduleEnd(on, notice_waived=waived), today):
            return
        turn = self._chance.random()
        if turn < 0.15 and on > today + timedelta(days=1):
            self._later.append((on - timedelta(days=1), contract, do.WithdrawEnd()))
        elif turn < 0.5:
            again = on + self._days(1, 20)
            self._later.append((again, contract, do.Reopen(again)))

    def _free(self, contract: int, today: date) -> None:
        if self._do(contract, do.MakeFree(today, "a school", today + timedelta(days=90)), today):
            again = today + self._days(10, 50)
            self._later.append((again, contract, do.MakeBillable(again)))

    def _change_cycle(self, contract: int, today: date) -> None:
        on = today + self._days(0, 10)
        months, day = self._chance.choice((1, 3, 12)), self._chance.choice((None, 1, 15, 31))
        self._do(contract, do.ChangeCycle(on, months=months, day=day, restart=day is None), today)

    def _move(self, contract: int, today: date) -> None:
        customer = one(self._db, "SELECT customer_id FROM contract WHERE id = %s", contract)
        address = one(
            self._db,
            "INSERT INTO address (customer_id, kind, street, postal_code, city, country)"
            " SELECT %s, 'service', 'Via Nuova', '10121', 'Torino', 'IT' FROM set_config('corrente.actor', 'maria', true) RETURNING id",
            customer,
        )
        self._do(contract, do.MoveAddress(address, today), today)

    def _invoice(self, contract: int, today: date) -> None:
        acting(self._db, "maria")
        products, price = self._all.isp.products, Decimal(self._chance.randint(100, 12_000)) / 100
        lines = tuple(WantedLine(products[name], unit_price=price) for name in ("Exempt", "Activation"))
        make_invoice(self._db, WantedInvoice(lines, today, contract_id=contract, includes_tax=None), actor="maria")
        self._db.commit()
        self._all.done["make_invoice"] += 1

    def _credit(self, contract: int, today: date) -> None:
        """The contract's newest invoice given back: whole, or some cents of its first line."""
        found = self._db.execute(
            "SELECT d.id, l.number, l.net FROM document d JOIN document_line l ON l.document_id = d.id"
            " WHERE d.kind = 'invoice' AND l.contract_id = %s AND l.net > 1 ORDER BY d.document_date DESC, d.number DESC, l.number LIMIT 1",
            (contract,),
        ).fetchone()
        if found is None:
            return
        amounts = None if self._chance.random() < 0.4 else {found[1]: Decimal("0.50")}
        acting(self._db, "maria")
        try:
            credit_document(self._db, found[0], amounts, document_date=today, reason="a fault of ours", actor="maria")
            self._all.done["credit_document"] += 1
        except BillingError:
            self._all.refused["credit_document: nothing left"] += 1
        self._db.commit()

    def _promote(self, contract: int, today: date) -> None:
        """A dozen contracts at once get what is offered."""
        acting(self._db, "maria")
        promotion = self._chance.choice(load_promotions(self._db))
        chosen = sorted(set(self._chance.sample(self._all.contracts, 12)))
        if promotion.name == "Winter" and today < date(2027, 12, 1):
            self._db.rollback()
            return
        self._all.done["apply_promotion"] += apply_promotion(self._db, promotion, chosen, since=today, actor="maria")
        self._db.commit()

    def raise_prices(self, today: date) -> None:
        """Five percent more for everybody who has Home 30, told in time."""
        acting(self._db, "maria")
        reach = Reach(self._all.products[0], today + timedelta(days=35))
        changed = change_prices(self._db, self._all.contracts, PriceChange(percent=Decimal(5)), reach, actor="maria")
        self._all.done["change_prices"] += changed
        self._db.commit()

    def regroup(self, _: date) -> None:
        """A payer of several contracts gets one document for all of them from now on."""
        acting(self._db, "maria")
        self._all.done["regroup"] += self._db.execute(
            "UPDATE contract_terms SET billing_group = 'home', due_days = 15 WHERE contract_id % 50 = 21 AND NOT includes_tax"
        ).rowcount
        self._db.commit()


# What may be chosen for the days of a limit, by who places it.
_BILLED_AS = {
    Origin.DUNNING: (BilledAs.BILL,),
    Origin.ADMIN: tuple(BilledAs),
    Origin.LEGAL: tuple(BilledAs),
    Origin.ABUSE: (BilledAs.BILL,),
    Origin.TECHNICAL: (BilledAs.CREDIT_DAYS,),
}
_DAILY: dict[str, tuple[Callable[[Staff, int, date], None], int]] = {
    "plan": (Staff._change_plan, 30),
    "pause": (Staff._pause, 15),
    "restrict": (Staff._restrict, 15),
    "end": (Staff._end, 15),
    "free": (Staff._free, 4),
    "cycle": (Staff._change_cycle, 4),
    "move": (Staff._move, 4),
    "invoice": (Staff._invoice, 8),
    "credit": (Staff._credit, 8),
    "promote": (Staff._promote, 2),
}
_ONCE: dict[date, Callable[[Staff, date], None]] = {
    date(2028, 1, 20): Staff.raise_prices,
    date(2027, 12, 15): Staff.regroup,
}


def _fields(terms: NewTerms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in NewTerms.__dataclass_fields__}
