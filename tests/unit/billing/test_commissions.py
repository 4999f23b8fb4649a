"""Commissions: of the net of money that came in, to the cent, taken back with the money (I29), a credit note, or an early end."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from billing.commission_rules import Rule, RuleKind
from billing.commissions import Brought, Cause, EarningInvoice, EarningLine, MoneyIn, earned_rows, payable_rows
from billing.money import Money

START, TODAY = date(2026, 1, 1), date(2026, 12, 31)
TEN = Rule(1, RuleKind.RECURRING, percent=Decimal(10))


def eur(cents):
    return Money(cents, "EUR")


def invoice(number, payable, *nets, money=(), month=1, products=None):
    """An invoice of some month; its lines by their nets, money as (id, amount, withdraws)."""
    lines = tuple(EarningLine(eur(net), (products or {}).get(place)) for place, net in enumerate(nets))
    came = tuple(MoneyIn(one[0], eur(one[1]), one[2] if len(one) > 2 else None) for one in money)
    return EarningInvoice(number, date(2026, month, 1), eur(payable), lines, came)


def brought(*invoices, **given):
    return Brought(1, 5, given.pop("started_on", START), given.pop("ended_on", None), invoices, **given)


def rows_of(contract, *rules, written=()):
    return earned_rows(contract, rules, written, today=TODAY)


def told(rows):
    return [(row.rule_id, row.money_id, str(row.cause), row.amount.minor) for row in rows]


def earned(rows):
    return sum(row.amount.minor for row in rows)


# 29.90 net, 36.48 with 22 %.
def test_ten_percent_of_the_net_of_what_was_paid():
    rows = rows_of(brought(invoice(9, 3648, 2990, money=[(1, 3648)])), TEN)
    assert told(rows) == [(1, 1, "paid", 299)]
    assert rows[0].base == eur(2990)


def test_what_is_not_paid_earns_nothing_and_more_than_is_payable_no_more():
    assert rows_of(brought(invoice(9, 3648, 2990)), TEN) == []
    # 10.00 of 36.48: 2.99 * 10 / 36.48 is 0.8196.
    assert told(rows_of(brought(invoice(9, 3648, 2990, money=[(1, 1000)])), TEN)) == [(1, 1, "paid", 82)]
    assert earned(rows_of(brought(invoice(9, 3648, 2990, money=[(1, 5000)])), TEN)) == 299


def test_parts_add_up_to_the_cent():
    # Thirds of 36.48 are 12.16: 0.996 each, 1.00 and 0.99 and 1.00.
    rows = rows_of(brought(invoice(9, 3648, 2990, money=[(1, 1216), (2, 1216), (3, 1216)])), TEN)
    assert [row.amount.minor for row in rows] == [100, 99, 100]


def test_a_half_goes_away_from_zero():
    # 5 % of 2.50 is 0.125, of 0.50 0.025.
    five = replace(TEN, percent=Decimal(5))
    assert earned(rows_of(brought(invoice(9, 250, 250, money=[(1, 250)])), five)) == 13
    assert earned(rows_of(brought(invoice(9, 50, 50, money=[(1, 50)])), five)) == 3


def test_money_that_goes_takes_its_commission_with_it():
    whole = brought(invoice(9, 3648, 2990, money=[(1, 1216), (2, 1216), (3, 1216), (4, -1216, 2)]))
    rows = rows_of(whole, TEN)
    assert told(rows) == [(1, 1, "paid", 100), (1, 2, "paid", 99), (1, 3, "paid", 100), (1, 4, "withdrawn", -99), (1, None, "adjusted", -1)]  # fmt: skip
    # Two thirds of 2.99 are 1.993.
    assert earned(rows) == 199
    assert rows_of(whole, TEN, written=rows) == []


def test_a_credit_note_of_what_was_paid_takes_back_its_part():
    paid = brought(invoice(9, 3648, 2990, money=[(1, 3648)]))
    rows = rows_of(paid, TEN)
    # A credit note of 10.00 and its tax, 12.20: 24.28 are payable, 19.90 net.
    credited = brought(invoice(9, 2428, 1990, money=[(1, 3648)]))
    more = rows_of(credited, TEN, written=rows)
    assert told(more) == [(1, None, "adjusted", -100)]
    assert more[0].base == eur(-1000)


def test_a_contract_that_did_not_survive_earns_nothing_and_one_that_did_all():
    rule = replace(TEN, survives_months=12)
    paid = invoice(9, 3648, 2990, money=[(1, 3648)])
    rows = rows_of(brought(paid), rule)
    for end, takes in ((date(2026, 12, 31), [(1, None, "early_end", -299)]), (date(2027, 1, 1), [])):
        assert told(rows_of(brought(paid, ended_on=end), rule, written=rows)) == takes
    gone = rows + rows_of(brought(paid, ended_on=date(2026, 6, 1)), rule, written=rows)
    # It pays later all the same, and the first payment comes back: nothing is earned or owed.
    later = invoice(9, 3648, 2990, money=[(1, 3648), (2, -3648, 1), (3, 3648)])
    more = rows_of(brought(later, ended_on=date(2026, 6, 1)), rule, written=gone)
    assert told(more) == [(1, 2, "withdrawn", -299), (1, 3, "paid", 0), (1, None, "early_end", 299)]
    # The end is taken back.
    assert earned(gone + more + rows_of(brought(later), rule, written=gone + more)) == 299


def test_flat_once_for_a_contract_in_service():
    rule = Rule(2, RuleKind.ONE_OFF, flat=eur(2000), survives_months=6)
    assert told(rows_of(brought(), rule)) == [(2, None, "activation", 2000)]
    assert rows_of(brought(started_on=None), rule) == []
    assert rows_of(brought(started_on=TODAY + timedelta(days=1)), rule) == []
    assert told(rows_of(brought(started_on=TODAY), rule)) == [(2, None, "activation", 2000)]
    rows = rows_of(brought(), rule)
    assert rows_of(brought(), rule, written=rows) == []
    assert told(rows_of(brought(ended_on=date(2026, 5, 31)), rule, written=rows)) == [(2, None, "early_end", -2000)]


def test_flat_once_by_product_and_by_agent():
    everybody, own = Rule(2, RuleKind.ONE_OFF, flat=eur(2000)), Rule(3, RuleKind.ONE_OFF, flat=eur(3000), agent_id=5)
    phone = Rule(4, RuleKind.ONE_OFF, flat=eur(500), product_id=7)
    other = Rule(6, RuleKind.ONE_OFF, flat=eur(900), agent_id=99)
    rules = (everybody, own, phone, other)
    assert told(rows_of(brought(), *rules)) == [(3, None, "activation", 3000)]
    assert earned(rows_of(brought(products=frozenset({7})), *rules)) == 3500


def test_percent_once_is_of_the_first_invoice():
    rule = replace(TEN, kind=RuleKind.ONE_OFF, percent=Decimal(50))
    first, second = invoice(9, 1000, 1000, money=[(1, 1000)]), invoice(10, 1000, 1000, money=[(2, 1000)], month=2)
    assert told(rows_of(brought(second, first), rule)) == [(1, 1, "paid", 500)]


def test_flat_for_each_invoice_in_the_share_that_was_paid():
    rule = Rule(2, RuleKind.RECURRING, flat=eur(200))
    rows = rows_of(brought(invoice(9, 3648, 2990, money=[(1, 912), (2, 2736)]), invoice(10, 100, 82, month=2)), rule)
    assert [row.amount.minor for row in rows] == [50, 150]
    # Of another currency it says nothing.
    assert earned(rows_of(brought(invoice(9, 100, 82, money=[(1, 100)])), replace(rule, flat=Money(200, "USD")))) == 0


def test_a_rule_that_should_not_have_held_takes_back_what_it_gave():
    one = invoice(9, 3648, 2990, money=[(1, 3648)])
    for rule in (TEN, Rule(1, RuleKind.RECURRING, flat=eur(200))):
        rows = rows_of(brought(one), rule)
        ended = replace(rule, until=date(2025, 12, 31))
        more = rows_of(brought(one), ended, written=rows)
        assert [row.cause for row in more] == [Cause.ADJUSTED]
        assert earned(rows + more) == 0


def test_a_products_rule_takes_its_lines_and_flat_comes_beside_percent():
    phone = replace(TEN, id=2, percent=Decimal(50), product_id=7)
    flat = Rule(3, RuleKind.RECURRING, flat=eur(100))
    one = invoice(9, 4000, 3000, 400, money=[(1, 4000)], products={1: 7})
    assert told(rows_of(brought(one), TEN, phone, flat)) == [(1, 1, "paid", 300), (2, 1, "paid", 200), (3, 1, "paid", 100)]  # fmt: skip


def test_an_agents_own_rule_in_the_place_of_everybodys():
    own = replace(TEN, id=2, percent=Decimal(15), agent_id=5)
    one = invoice(9, 1000, 1000, money=[(1, 1000)])
    assert told(rows_of(brought(one), TEN, own)) == [(2, 1, "paid", 150)]
    # Agreed afterwards for days that were: the one takes back what it gave, the other gives it.
    before = rows_of(brought(one), TEN)
    assert told(rows_of(brought(one), TEN, own, written=before)) == [(1, None, "adjusted", -100), (2, 1, "paid", 150)]


def test_a_rule_counts_for_its_days_its_months_and_the_agents_time():
    months = [invoice(number, 1000, 1000, money=[(number, 1000)], month=number) for number in range(1, 7)]
    paid = lambda contract, rule: [row.money_id for row in rows_of(contract, rule)]  # noqa: E731
    assert paid(brought(*months), replace(TEN, months=3)) == [1, 2, 3]
    assert paid(brought(*months), replace(TEN, since=date(2026, 2, 1), until=date(2026, 3, 1))) == [2, 3]
    mine = ((START, date(2026, 2, 1)), (date(2026, 5, 1), None))
    assert paid(brought(*months, times=mine), TEN) == [1, 2, 5, 6]


def test_what_waits_for_paid_invoices_is_payable_then_and_goes_on():
    rule = replace(TEN, after_periods=2)
    one, two = invoice(1, 1000, 1000, money=[(1, 1000)]), invoice(2, 1000, 1000, money=[(2, 500)], month=2)
    half = brought(one, two)
    rows = rows_of(half, rule)
    assert payable_rows(half, {1: rule}, rows) == []
    whole = brought(one, replace(two, money=(*two.money, MoneyIn(3, eur(500)))))
    rows += rows_of(whole, rule, written=rows)
    assert earned(payable_rows(whole, {1: rule}, rows)) == 200
    # Once some were settled, what comes back is taken off though too few are paid now.
    settled = [replace(row, settled=True) for row in rows]
    back = brought(one, replace(two, money=(*two.money, MoneyIn(3, eur(500)), MoneyIn(4, eur(-500), 3))))
    more = rows_of(back, rule, written=settled)
    assert told(payable_rows(back, {1: rule}, settled + more)) == [(1, 4, "withdrawn", -50)]


def _oracle(contract, rules):
    """What each rule gives of each invoice in the end, written from the words of the model and not from the code."""
    found = {}
    for one in contract.invoices:
        net_of = defaultdict(Fraction)
        for line in one.lines:
            fits = [r for r in rules if r.product_id in (None, line.product_id)]
            for flat in (False, True):
                kind = [r for r in fits if (r.percent is None) is flat]
                own = [r for r in kind if r.agent_id is not None] or kind
                special = [r for r in own if r.product_id is not None] or own
                if special:
                    net_of[special[0].id] += line.net.minor
        came = sum(m.amount.minor for m in one.money)
        paid = Fraction(min(max(came, 0), one.payable.minor), one.payable.minor)
        for rule in rules:
            if rule.id not in net_of:
                exact = Fraction(0)
            elif rule.flat is not None:
                exact = rule.flat.minor * paid
            else:
                exact = net_of[rule.id] * Fraction(rule.percent) / 100 * paid
            ended = contract.ended_on is not None and rule.survives_months is not None
            if ended and (contract.ended_on.year * 12 + contract.ended_on.month) - (START.year * 12 + START.month) < rule.survives_months:  # fmt: skip
                exact = Fraction(0)
            places = Decimal(exact.numerator) / Decimal(exact.denominator)
            found[rule.id, one.id] = int(places.quantize(Decimal(1), ROUND_HALF_UP))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_any_history_ends_at_what_the_rules_give_and_what_is_withdrawn_sums_to_zero(seed):
    """I29: whatever comes and goes, however often it is worked out in between, each withdrawn money's rows sum to zero."""
    chance = random.Random(seed)
    rules = [
        replace(TEN, percent=Decimal(chance.randrange(1, 3000)) / 100),
        replace(TEN, id=2, percent=Decimal(chance.choice(("3.3333", "50", "0.0001"))), product_id=7),
        Rule(3, RuleKind.RECURRING, flat=eur(chance.randrange(1, 500)), survives_months=6),
        replace(TEN, id=4, percent=Decimal(7), product_id=7, agent_id=5, survives_months=chance.choice((None, 6))),
    ][: chance.randrange(1, 5)]
    nets = {number: [chance.randrange(1, 9000) for _ in range(chance.randrange(1, 4))] for number in (1, 2)}
    lost, ended = dict.fromkeys(nets, 0), None
    money = {number: [] for number in nets}
    written, ids = [], 0
    for _ in range(30):
        number = chance.choice((1, 2))
        gross = sum(nets[number]) * 122 // 100
        deed = chance.random()
        open_ = {one[0]: one for one in money[number] if one[1] > 0} | {}
        for one in money[number]:
            open_.pop(one[2] if len(one) > 2 else None, None)
        if deed < 0.45:
            ids += 1
            money[number].append((ids, chance.randrange(1, gross + 1)))
        elif deed < 0.75 and open_:
            ids += 1
            gone = chance.choice(list(open_.values()))
            money[number].append((ids, -gone[1], gone[0]))
        elif deed < 0.85:
            lost[number] = chance.randrange(0, nets[number][0])
        elif deed < 0.9:
            ended = chance.choice((None, date(2026, 3, 1), date(2026, 8, 1)))
        contract = brought(
            *(
                invoice(
                    n,
                    (sum(nets[n]) - lost[n]) * 122 // 100 or 1,
                    nets[n][0] - lost[n],
                    *nets[n][1:],
                    money=money[n],
                    products={1: 7},
                )
                for n in nets
            ),
            ended_on=ended,
        )
        if chance.random() < 0.6:
            written += rows_of(contract, *rules, written=written)
    written += rows_of(contract, *rules, written=written)
    assert rows_of(contract, *rules, written=written) == []

    sums = defaultdict(int)
    for row in written:
        sums[row.rule_id, row.invoice_id] += row.amount.minor
    assert {key: sums[key] for key in _oracle(contract, rules)} == _oracle(contract, rules)
    withdrawn = {one[2]: one[0] for rows in money.values() for one in rows if len(one) > 2}
    for rule in rules:
        for first, second in withdrawn.items():
            both = [row.amount.minor for row in written if row.rule_id == rule.id and row.money_id in (first, second)]
            assert sum(both) == 0
    assert len({(row.rule_id, row.money_id) for row in written if row.money_id}) == sum(row.money_id is not None for row in written)  # fmt: skip
    assert all((row.money_id is None) == (row.cause in (Cause.ADJUSTED, Cause.EARLY_END)) for row in written)
