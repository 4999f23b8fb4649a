"""Credit notes: whole, by line, in parts, and never more than is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from billing.credits import Creditable, IssuedGroup, IssuedLine, NothingLeftError, credit_draft, left_of
from billing.documents import (
    NOWHERE,
    CustomerParty,
    DocumentKind,
    DraftLine,
    IssuerParty,
    Parties,
    Register,
    Source,
    Stamp,
)
from billing.errors import BillingError
from billing.money import Money
from billing.periods import Period
from billing.tax import CustomerKind, StampRule, TaxedCustomer
from billing.totals import Liability, LineDraft, TaxTreatment, totals_for

DAY = date(2026, 3, 1)
TAXED = TaxTreatment("IVA-22", Decimal(22))
LOW = TaxTreatment("IVA-4", Decimal(4))
EXEMPT = TaxTreatment("IVA-N4", Decimal(0), "N4", "art. 10 DPR 633/72", bears_stamp=True)
NOTES = Register(3, "NC", DocumentKind.CREDIT_NOTE, "{number}")
PARTIES = Parties(
    IssuerParty(1, "IT", "EUR", "Europe/Rome", False, None, "{}"),
    CustomerParty(TaxedCustomer(7, CustomerKind.PERSON, "IT", "10124"), "it", "{}", True),
)


def _eur(cents):
    return Money(cents, "EUR")


def _invoice(*lines, includes_tax=False):
    """An issued invoice of these (price, quantity, treatment)."""
    drafts = [
        LineDraft(f"line {n}", Decimal(quantity), Decimal(price), treatment)
        for n, (price, quantity, treatment) in enumerate(lines, 1)
    ]
    totals = totals_for(drafts, currency="EUR", includes_tax=includes_tax)
    return Creditable(
        9,
        "1/FT/2026",
        DAY,
        "EUR",
        includes_tax,
        tuple(IssuedLine(n, line, _eur(0), 4100, NOWHERE) for n, line in enumerate(totals.lines, 1)),
        tuple(IssuedGroup(group.treatment, group.base, group.tax, _eur(0)) for group in totals.groups),
    )


def _credit(invoice, amounts=None, day=DAY):
    given = None if amounts is None else {n: None if cents is None else _eur(cents) for n, cents in amounts.items()}
    return credit_draft(invoice, given, PARTIES, register=NOTES, document_date=day, reason="wrong")


def _after(invoice, draft):
    """The invoice once that credit note is issued."""
    nets = {line.source.corrects[1]: printed.net for line, printed in zip(draft.lines, draft.totals.lines, strict=True)}
    taxes = {(group.treatment.rate, group.treatment.nature): group.tax for group in draft.totals.groups}
    return replace(
        invoice,
        lines=tuple(replace(line, credited=line.credited + nets.get(line.number, _eur(0))) for line in invoice.lines),
        groups=tuple(
            replace(
                group,
                credited_tax=group.credited_tax + taxes.get((group.treatment.rate, group.treatment.nature), _eur(0)),
            )
            for group in invoice.groups
        ),
    )


def test_a_whole_credit_note_is_the_invoice_line_by_line():
    invoice = _invoice(("29.90", "1", TAXED), ("1.00", "3", LOW))

    draft = _credit(invoice)

    assert [line.source.corrects for line in draft.lines] == [(9, 1), (9, 2)]
    assert draft.totals.lines == tuple(line.printed for line in invoice.lines)
    # 29.90 + 6.58 and 3.00 + 0.12.
    assert (draft.totals.net.minor, draft.totals.tax.minor, draft.totals.payable.minor) == (3290, 670, 3960)
    assert (draft.corrects_id, draft.dues, draft.kind) == (9, (), DocumentKind.CREDIT_NOTE)


def test_a_part_of_a_line_is_one_piece_with_its_own_tax():
    draft = _credit(_invoice(("29.90", "2", TAXED)), {1: 1000})

    (line,) = draft.totals.lines
    assert (line.quantity, line.unit_price, line.net.minor) == (1, Decimal("10.00"), 1000)
    assert (draft.totals.tax.minor, draft.totals.gross.minor) == (220, 1220)


def test_parts_are_given_back_until_a_line_is_used_up_and_then_no_more():
    invoice = _invoice(("10.00", "1", TAXED))
    # 2.20 of tax: 3.33 has 0.73 (0.7326), twice; the rest of 3.34 takes 0.74, which 0.7348 is not rounded to.
    taxes = []
    for asked in (333, 333, None):
        draft = _credit(invoice, {1: asked})
        taxes.append(draft.totals.tax.minor)
        invoice = _after(invoice, draft)

    assert taxes == [73, 73, 74]
    with pytest.raises(NothingLeftError, match="line 1 of invoice 1/FT/2026 is given back already"):
        _credit(invoice, {1: 1})
    with pytest.raises(NothingLeftError, match="all of it"):
        _credit(invoice)


@pytest.mark.parametrize("asked", [1001, 0, -1])
def test_more_than_is_left_and_nothing_are_refused(asked):
    with pytest.raises(NothingLeftError, match=r"of 10\.00 EUR that are left of it"):
        _credit(_invoice(("10.00", "1", TAXED)), {1: asked})


def test_a_line_that_there_is_not_is_refused():
    with pytest.raises(NothingLeftError, match="has no line 2"):
        _credit(_invoice(("10.00", "1", TAXED)), {2: 1})


def test_with_prices_including_tax_the_customer_gets_exactly_the_sum():
    # 29.90 with tax: 24.51 and 5.39; 10.00 of it: 8.20 (8.1967) and 1.80.
    invoice = _invoice(("29.90", "1", TAXED), includes_tax=True)

    part = _credit(invoice, {1: 1000})
    rest = _credit(_after(invoice, part))

    assert (part.totals.net.minor, part.totals.tax.minor, part.totals.gross.minor) == (820, 180, 1000)
    assert (rest.totals.net.minor, rest.totals.tax.minor, rest.totals.gross.minor) == (1631, 359, 1990)


def test_a_line_of_several_including_tax_fits_in_what_its_net_is():
    # 0.89 six times with tax: 5.34 is 4.38 net (4.377), 0.73 each; one alone would be 0.7295, 0.73.
    invoice = _invoice(*[("0.89", "1", TAXED)] * 6, includes_tax=True)

    for _ in range(6):
        number = next(line.number for line in invoice.lines if line.left)
        draft = _credit(invoice, {number: None})
        assert draft.totals.gross.minor == 89
        invoice = _after(invoice, draft)


def test_a_line_below_zero_is_given_back_with_the_others():
    invoice = _invoice(("10.00", "1", TAXED), ("-4.00", "1", TAXED))

    assert _credit(invoice).totals.gross.minor == 732
    with pytest.raises(BillingError, match="below zero alone"):
        _credit(invoice, {2: None})


def test_tax_that_the_customer_paid_to_the_state_is_not_given_back_to_it():
    split = TaxTreatment("IVA-22", Decimal(22), liability=Liability.SPLIT)

    totals = _credit(_invoice(("100", "1", split))).totals

    assert (totals.gross.minor, totals.payable.minor) == (12200, 10000)


def test_a_credit_note_is_not_dated_before_its_invoice():
    with pytest.raises(BillingError, match="corrects nothing of 2026-03-01"):
        _credit(_invoice(("10", "1", TAXED)), day=date(2026, 2, 28))


def _bearing(invoice, number, **facts):
    """The invoice with more known of one of its lines."""
    return replace(
        invoice, lines=tuple(replace(line, **facts) if line.number == number else line for line in invoice.lines)
    )


def test_what_lines_of_the_same_invoice_give_back_goes_with_them():
    # 122.00 with tax less 36.60 that line 2 gave back of it: 85.40, which is 70.00 and 15.40, all on line 1.
    invoice = _invoice(("122.00", "1", TAXED), ("-36.60", "1", TAXED), includes_tax=True)
    invoice = _bearing(_bearing(invoice, 1, own=(_eur(3000), _eur(3660))), 2, takes_back=True)
    assert (left_of(invoice)[1], invoice.lines[0].left, invoice.lines[1].left) == (_eur(8540), _eur(7000), _eur(0))

    assert [line.net.minor for line in _credit(invoice).totals.lines] == [7000]
    assert _credit(invoice).totals.gross.minor == 8540


def test_so_it_does_without_tax_in_the_prices():
    # 100.00 less 30.00 that line 2 gave back of it: 70.00 with 15.40 of tax are left, all on line 1.
    invoice = _invoice(("100.00", "1", TAXED), ("-30.00", "1", TAXED))
    invoice = _bearing(_bearing(invoice, 1, own=(_eur(3000), _eur(3000))), 2, takes_back=True)
    assert left_of(invoice)[1] == _eur(7000)

    draft = _credit(invoice)

    assert [(line.net.minor, line.unit_price) for line in draft.totals.lines] == [(7000, Decimal("70.00"))]
    assert (draft.totals.tax.minor, draft.totals.gross.minor) == (1540, 8540)
    with pytest.raises(NothingLeftError, match=r"of 70\.00 EUR that are left"):
        _credit(invoice, {1: 7001})
    with pytest.raises(NothingLeftError, match="line 2 of invoice 1/FT/2026 is given back already"):
        _credit(invoice, {2: None})


@pytest.mark.parametrize(
    ("includes_tax", "price", "waits", "left", "tax"),
    [(False, "100.00", 2000, 8000, 1760), (True, "122.00", 2440, 9760, 1760)],
)
def test_what_waits_for_the_next_run_is_not_given_back_twice(includes_tax, price, waits, left, tax):
    invoice = _bearing(_invoice((price, "1", TAXED), includes_tax=includes_tax), 1, waits=_eur(waits))
    assert left_of(invoice) == {1: _eur(left)}

    draft = _credit(invoice)

    assert (draft.totals.net.minor, draft.totals.tax.minor, draft.totals.amounts) == (8000, tax, (_eur(left),))
    beside = f"beside the {_eur(waits)} that the next run gives back"
    with pytest.raises(NothingLeftError, match=f"of {_eur(left)} that are left of it {beside}"):
        _credit(invoice, {1: left + 1})
    nothing = _bearing(invoice, 1, credited=_eur(9000))
    assert left_of(nothing) == {1: _eur(0)}
    with pytest.raises(NothingLeftError, match=f"given back already, all of it {beside}"):
        _credit(nothing, {1: None})


@pytest.mark.parametrize("includes_tax", [False, True])
def test_a_part_of_a_line_below_zero_lies_between_nothing_and_it(includes_tax):
    invoice = _invoice(("10.00", "1", EXEMPT), ("-4.00", "1", EXEMPT), includes_tax=includes_tax)

    draft = _credit(invoice, {1: 1000, 2: -200})

    assert [line.net.minor for line in draft.totals.lines] == [1000, -200]
    assert _credit(invoice, {1: 400, 2: None}).totals.payable == _eur(0)
    assert _credit(invoice, {1: 401, 2: None}).totals.payable == _eur(1)
    with pytest.raises(BillingError, match="below zero alone"):
        _credit(invoice, {1: 399, 2: None})
    for asked in (200, 0, -401):
        with pytest.raises(NothingLeftError, match=r"of -4\.00 EUR that are left of it"):
            _credit(invoice, {2: asked})


def test_lines_are_given_back_in_their_order_and_what_nothing_is_given_back_of_is_no_group():
    invoice = _invoice(("10.00", "1", TAXED), ("5.00", "1", LOW), ("2.00", "1", TAXED))

    draft = _credit(invoice, {3: None, 1: 1})

    assert [(line.source.corrects, line.account_id) for line in draft.lines] == [((9, 1), 4100), ((9, 3), 4100)]
    assert [(group.base.minor, group.tax.minor) for group in draft.totals.groups] == [(201, 44)]
    assert [line.discount for line in draft.totals.lines] == [0, 0]


def test_a_part_asked_for_that_is_all_of_a_line_uses_its_net_up():
    # 0.28 with tax is 0.23 and 0.05. With 0.04 of tax, which its rate allows, it is 0.27, of which 0.22 (0.2213) alone are net.
    invoice = _invoice(("0.28", "1", TAXED), includes_tax=True)
    invoice = replace(invoice, groups=(replace(invoice.groups[0], tax=_eur(4)),))
    assert left_of(invoice) == {1: _eur(27)}

    draft = _credit(invoice, {1: 27})

    assert (draft.totals.net.minor, draft.totals.tax.minor) == (23, 4)


def test_lines_of_one_price_are_told_by_the_net_that_each_was_given():
    # 2.06 with tax is 1.69 (1.6885): 0.85 and 0.84, which come to 1.04 (1.037) and 1.02 (1.0248).
    invoice = _invoice(("1.03", "1", TAXED), ("1.03", "1", TAXED), includes_tax=True)

    assert left_of(invoice) == {1: _eur(104), 2: _eur(102)}


def test_with_tax_in_the_prices_the_tax_of_a_part_is_what_the_customer_gets_beyond_the_net():
    # 0.03 is 0.02 (0.0246) and 0.01, though 22 percent of 0.02 are nothing.
    draft = _credit(_invoice(("29.90", "1", TAXED), includes_tax=True), {1: 3})

    assert (draft.totals.net.minor, draft.totals.tax.minor) == (2, 1)
    with pytest.raises(NothingLeftError, match=r"29\.91 EUR with tax of 29\.90 EUR that are left of it$"):
        _credit(_invoice(("29.90", "1", TAXED), includes_tax=True), {1: 2991})
    with pytest.raises(NothingLeftError, match=r"29\.91 EUR of 29\.90 EUR that are left of it$"):
        _credit(_invoice(("29.90", "1", TAXED)), {1: 2991})


def test_what_is_left_of_each_line_is_told_in_the_invoices_prices():
    # Of the first 10.00 (8.20) of 29.90 (24.51) were given back: 19.90. The second is of another rate, the third costs nothing.
    invoice = _invoice(("29.90", "1", TAXED), ("10.40", "1", LOW), ("0.00", "1", TAXED), includes_tax=True)
    assert left_of(_bearing(invoice, 1, credited=_eur(820))) == {1: _eur(1990), 2: _eur(1040), 3: _eur(0)}
    # Six at 0.89 are 4.38 and 0.96, a cent from what 0.73 six times would have.
    six = _invoice(*[("0.89", "1", TAXED)] * 6, includes_tax=True)
    assert left_of(six) == dict.fromkeys(range(1, 7), _eur(89))
    # Half of -10.00 (-8.20) was given back.
    below = _invoice(("50.00", "1", TAXED), ("-10.00", "1", TAXED), includes_tax=True)
    assert left_of(_bearing(below, 2, credited=_eur(-410)))[2] == _eur(-500)


@pytest.mark.parametrize(
    ("credited", "credited_tax", "tax"),
    [
        # 1.00 has 0.22. Twenty notes of 0.02 had none (0.0044): the rest of 0.60 has 0.13 (0.132), and 0.14 at most.
        (40, 0, 14),
        # Ten of 0.03 had 0.01 each (0.0066): the rest of 0.70 has 0.15 (0.154), and 0.14 at least.
        (30, 10, 14),
    ],
)
def test_the_last_note_takes_the_tax_that_is_left_up_to_a_cent_from_its_rate(credited, credited_tax, tax):
    invoice = _bearing(_invoice(("1.00", "1", TAXED), ("9.00", "1", LOW)), 1, credited=_eur(credited))
    groups = (replace(invoice.groups[0], credited_tax=_eur(credited_tax)), invoice.groups[1])

    draft = _credit(replace(invoice, groups=groups), {1: None})

    assert (draft.totals.net.minor, draft.totals.tax.minor) == (100 - credited, tax)


def test_a_note_says_where_each_line_comes_from_and_what_made_it():
    during = Period(date(2026, 3, 1), date(2026, 4, 1))
    came = Source(product_id=1, contract_id=2, item_id=3, charge_id=4, during=during)
    reduced = LineDraft("plan", Decimal(2), Decimal(10), TAXED, discount_each=Decimal(1))
    printed = totals_for([reduced], currency="EUR", includes_tax=False).lines[0]
    invoice = _bearing(_invoice(("18.00", "1", TAXED)), 1, printed=printed, source=came)

    draft = credit_draft(invoice, None, PARTIES, register=NOTES, document_date=DAY, reason="wrong", run_id=5)

    # The charge stays the invoice's.
    assert draft.lines == (DraftLine(reduced, 4100, structs.replace(came, charge_id=None, corrects=(9, 1))),)
    assert (draft.reason, draft.run_id) == ("wrong", 5)


def test_a_note_owes_stamp_duty_above_its_sum_and_needs_an_address():
    rule = Stamp(StampRule(above=_eur(7747), duty=_eur(200)))
    invoice = _invoice(("77.48", "1", EXEMPT))
    given = {"register": NOTES, "document_date": DAY, "stamp": rule}

    assert credit_draft(invoice, None, PARTIES, **given).stamp_duty == _eur(200)
    assert credit_draft(invoice, {1: _eur(7747)}, PARTIES, **given).stamp_duty == _eur(0)
    nowhere = replace(PARTIES, customer=replace(PARTIES.customer, has_address=False))
    with pytest.raises(BillingError, match="customer 7 has no address"):
        credit_draft(invoice, None, nowhere, **given)


@given(
    prices=st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([TAXED, LOW])), min_size=1, max_size=4),
    parts=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 100)), max_size=6),
    includes_tax=st.booleans(),
)
def test_any_notes_and_a_last_one_of_the_rest_come_to_the_invoice(prices, parts, includes_tax):
    lines = [(Decimal(cents).scaleb(-2), "1", treatment) for cents, treatment in prices]
    invoice = _invoice(*lines, includes_tax=includes_tax)
    before = sum(group.base.minor + group.tax.minor for group in invoice.groups)
    net, gross = 0, 0

    def note(amounts):
        nonlocal invoice, net, gross
        draft = _credit(invoice, amounts)
        for group in draft.totals.groups:
            exact = Decimal(group.base.minor) * group.treatment.rate / 100
            assert abs(group.tax.minor - exact) <= Decimal("1.5")
        for line, printed in zip(draft.lines, draft.totals.lines, strict=True):
            left = invoice.lines[line.source.corrects[1] - 1].left
            assert 0 <= printed.net.minor <= left.minor
        net += draft.totals.net.minor
        gross += draft.totals.gross.minor
        invoice = _after(invoice, draft)

    for place, percent in parts:
        number = place % len(lines) + 1
        left = left_of(invoice)[number]
        asked = left.minor * percent // 100
        if asked > 0 and invoice.lines[number - 1].left:
            note({number: asked})
    if any(line.left for line in invoice.lines):
        note(None)

    assert net == sum(group.base.minor for group in invoice.groups)
    assert gross == before


@pytest.mark.parametrize(("cents", "times"), [(2, 1225), (33, 74), (50, 49), (7, 350)])
@pytest.mark.parametrize("includes_tax", [False, True])
def test_many_small_notes_of_a_line_leave_no_cent_of_its_tax(cents, times, includes_tax):
    # Of 0.02 the tax is 0.00 (0.0044), 1,225 times: together 5.39 of it.
    invoice = _invoice(("29.90" if includes_tax else "24.51", "1", TAXED), includes_tax=includes_tax)
    tax = 0
    for _ in range(times):
        if left_of(invoice)[1].minor <= cents or invoice.lines[0].left.minor <= cents:
            break
        draft = _credit(invoice, {1: cents})
        tax += draft.totals.tax.minor
        invoice = _after(invoice, draft)

    rest = _credit(invoice)

    assert (sum(line.credited.minor for line in _after(invoice, rest).lines), tax + rest.totals.tax.minor) == (
        2451,
        539,
    )
    assert abs(rest.totals.tax.minor - Decimal(rest.totals.net.minor) * 22 / 100) <= Decimal("1.5")
