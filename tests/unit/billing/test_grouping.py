"""Which charges share a document, wait, or come to nothing; amounts in cents, by hand."""

from datetime import date
from decimal import Decimal

import pytest

from billing.charges import Terms
from billing.contract_facts import Status
from billing.documents import DocumentKind
from billing.due_contract import ChargeKind, Corrected, DueCharge, DueContract, OnNegative, RatedContract
from billing.errors import BillingError
from billing.grouping import factors_of, group_charges, is_too_little
from billing.money import Money
from billing.periods import Period
from billing.totals import TaxTreatment

JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
VAT = 22
TAXED = TaxTreatment("IVA-22", Decimal(22))


def euro(cents):
    return Money(cents, "EUR")


def charge(cents, *, item=1, off=0, corrects=None, carried=False, number=-1):
    kind = ChargeKind.CREDIT if cents < 0 else ChargeKind.PERIOD
    return DueCharge(
        number, item, kind, JANUARY, 31, 31, euro(cents), euro(off), JANUARY.start, corrects=corrects, carried=carried
    )


def rated(
    number, *charges, payer=1, group=None, negative="next_document", goes_on=True, due_days=15, includes_tax=False
):
    contract = DueContract(
        id=number,
        customer_id=payer,
        payer_id=payer,
        status=Status.ACTIVE,
        billing_group=group,
        due_days=due_days,
        includes_tax=includes_tax,
        order_fees=False,
        on_negative=OnNegative(negative),
        goes_on=goes_on,
        terms=Terms("EUR"),
    )
    return RatedContract(contract, charges, ())


def grouped(*contracts, taxes=None):
    return group_charges(contracts, taxed_as=lambda _, one: (taxes or {}).get(one.item_id, VAT))


def told(sheets):
    return [
        (one.kind.value, one.customer_id, one.contract_ids, [c.charge.net.minor for c in one.claims]) for one in sheets
    ]


def test_contracts_of_one_group_payer_and_terms_share_an_invoice_and_others_have_their_own():
    made = grouped(
        rated(1, charge(1000), group="home"),
        rated(2, charge(500), group="home"),
        rated(3, charge(700)),
        rated(4, charge(300), group="home", due_days=30),
        rated(5, charge(200), group="home", includes_tax=True),
        rated(6, charge(100), group="home", payer=2),
    )

    assert told(made.sheets) == [
        ("invoice", 1, (1, 2), [1000, 500]),
        ("invoice", 1, (3,), [700]),
        ("invoice", 1, (4,), [300]),
        ("invoice", 1, (5,), [200]),
        ("invoice", 2, (6,), [100]),
    ]


def test_what_costs_nothing_is_covered_and_what_is_discounted_to_nothing_stands_on_the_invoice_of_others():
    made = grouped(rated(1, charge(0, item=1), charge(500, item=2, off=500), charge(900, item=3)))

    assert told(made.sheets) == [("invoice", 1, (1,), [0, 900])]
    assert [one.charge.item_id for one in made.covered] == [1]


def test_all_discounts_make_no_document():
    made = grouped(rated(1, charge(900, off=900), charge(500, off=500)))

    assert made.sheets == ()
    assert len(made.covered) == 2


def test_a_credit_that_a_charge_outweighs_is_a_line_of_the_invoice():
    given = charge(-400, corrects=Corrected(7, 1, 1, TAXED))

    assert told(grouped(rated(1, charge(1000), given)).sheets) == [("invoice", 1, (1,), [1000, -400])]


def test_what_gives_back_more_waits_with_its_charges_when_it_was_agreed_so():
    made = grouped(rated(1, charge(300), charge(-400, corrects=Corrected(7, 1, 1, TAXED))))

    assert made.sheets == ()
    assert [one.charge.net.minor for one in made.waiting] == [300, -400]


def test_or_is_a_credit_note_a_corrected_document_and_an_invoice():
    made = grouped(
        rated(
            1,
            charge(300),
            charge(-400, corrects=Corrected(8, 1, 1, TAXED)),
            charge(-100, corrects=Corrected(7, 2, 1, TAXED)),
            negative="credit_note",
        )
    )

    assert told(made.sheets) == [
        ("invoice", 1, (1,), [300]),
        ("credit_note", 1, (1,), [-100]),
        ("credit_note", 1, (1,), [-400]),
    ]
    assert [one.corrects_id for one in made.sheets] == [None, 7, 8]


def test_a_contract_that_gets_no_further_document_does_not_wait():
    last = rated(1, charge(-400, corrects=Corrected(7, 1, 1, TAXED)), goes_on=False)

    assert told(grouped(last).sheets) == [("credit_note", 1, (1,), [-400])]


def test_what_was_billed_to_another_customer_is_given_back_to_that_one():
    made = grouped(rated(1, charge(1000), charge(-400, corrects=Corrected(7, 1, 2, TAXED)), payer=1))

    assert told(made.sheets) == [("invoice", 1, (1,), [1000]), ("credit_note", 2, (1,), [-400])]


def test_documents_come_in_order_of_customer_and_first_contract_however_contracts_come():
    made = grouped(
        rated(7, charge(100), payer=2),
        rated(4, charge(1000), group="home"),
        rated(2, charge(600)),
        rated(6, charge(500), group="home"),
        rated(5, charge(700)),
    )

    assert [(one.customer_id, one.contract_ids) for one in made.sheets] == [
        (1, (2,)),
        (1, (4, 6)),
        (1, (5,)),
        (2, (7,)),
    ]


def test_a_cent_is_enough_for_an_invoice_and_for_a_credit_note():
    given = charge(-1, corrects=Corrected(7, 1, 1, TAXED))

    assert told(grouped(rated(1, charge(1))).sheets) == [("invoice", 1, (1,), [1])]
    assert told(grouped(rated(1, given, negative="credit_note")).sheets) == [("credit_note", 1, (1,), [-1])]
    both = grouped(rated(1, charge(1), given, given, negative="credit_note"))
    assert told(both.sheets) == [("invoice", 1, (1,), [1]), ("credit_note", 1, (1,), [-1, -1])]


def test_one_contract_of_a_group_that_agreed_to_it_gives_back_at_once_for_all_that_owe_something():
    given = charge(-400, corrects=Corrected(7, 1, 1, TAXED))
    note = [("credit_note", 1, (1,), [-400])]

    agreed = grouped(rated(1, given, group="home"), rated(2, charge(0), group="home", negative="credit_note"))
    over = grouped(rated(1, given, group="home", goes_on=False), rated(2, charge(0), group="home"))
    owes_nothing = grouped(rated(1, given, group="home"), rated(2, group="home", negative="credit_note"))

    assert told(agreed.sheets) == note
    assert (over.sheets, len(over.waiting)) == ((), 1)  # the other one gets further documents
    assert (owes_nothing.sheets, len(owes_nothing.waiting)) == ((), 1)


@pytest.mark.parametrize(("charged", "waits", "covered"), [(300, [300, -400], []), (400, [], [400, -400])])
def test_what_gives_back_of_no_document_yet_is_no_line_of_a_credit_note(charged, waits, covered):
    printed = charge(-500, corrects=Corrected(7, 1, 1, TAXED))

    made = grouped(rated(1, charge(charged), charge(-400), printed, negative="credit_note"))

    assert told(made.sheets) == [("credit_note", 1, (1,), [-500])]
    assert [one.charge.net.minor for one in made.waiting] == waits
    assert [one.charge.net.minor for one in made.covered] == covered


def test_what_belongs_to_others_is_given_back_also_where_the_rest_comes_to_nothing():
    made = grouped(
        rated(1, charge(400), charge(-400), charge(-100, corrects=Corrected(7, 1, 2, TAXED)), negative="credit_note")
    )

    assert told(made.sheets) == [("credit_note", 2, (1,), [-100])]
    assert [one.charge.net.minor for one in made.covered] == [400, -400]


def test_taxes_that_differ_are_no_nothing_beside_a_third_that_is():
    three = (charge(400, item=1), charge(-400, item=2), charge(100, off=100, item=3))

    assert len(grouped(rated(1, *three), taxes={2: 10, 3: 4}).waiting) == 3


def test_what_comes_to_nothing_is_covered_but_not_where_taxes_differ():
    pair = (charge(400, item=1), charge(-400, item=2))

    same = grouped(rated(1, *pair))
    differing = grouped(rated(1, *pair), taxes={2: 10})

    assert (same.sheets, len(same.covered), same.waiting) == ((), 2, ())
    assert (differing.sheets, differing.covered, len(differing.waiting)) == ((), (), 2)


def test_what_gives_back_of_a_line_stands_on_a_document_though_as_much_is_charged_beside_it():
    pair = (charge(400), charge(-400, corrects=Corrected(7, 1, 1, TAXED)))
    both = [("credit_note", 1, (1,), [-400]), ("invoice", 1, (1,), [400])]

    waits = grouped(rated(1, *pair))

    assert (waits.sheets, waits.covered, len(waits.waiting)) == ((), (), 2)
    for at_once in (rated(1, *pair, negative="credit_note"), rated(1, *pair, goes_on=False)):
        assert sorted(told(grouped(at_once).sheets)) == both


@pytest.mark.parametrize(("cents", "carried", "waits"), [(499, False, True), (500, False, False), (499, True, False)])
def test_an_invoice_under_the_minimum_waits_once(cents, carried, waits):
    (sheet,) = grouped(rated(1, charge(cents, carried=carried))).sheets

    assert is_too_little(euro(cents), sheet, minimum=euro(500)) is waits
    assert not is_too_little(euro(cents), sheet, minimum=None)
    assert not is_too_little(euro(cents), sheet, minimum=Money(500, "CHF"))


def test_one_charge_that_waited_is_enough_to_wait_no_more():
    (sheet,) = grouped(rated(1, charge(1), charge(1, carried=True))).sheets

    assert not is_too_little(euro(2), sheet, minimum=euro(500))


def test_a_credit_note_never_waits_for_a_minimum():
    (note,) = grouped(rated(1, charge(-100, corrects=Corrected(7, 1, 1, TAXED)), goes_on=False)).sheets

    assert note.kind is DocumentKind.CREDIT_NOTE
    assert not is_too_little(euro(100), note, minimum=euro(500))


@pytest.mark.parametrize(
    ("full", "off", "quantity", "printed"),
    [
        (2990, 0, "1", ("29.90", "0.00")),
        (1000, 250, "2", ("5", "1.25")),
        (1000, 250, "3", ("3.33333333", "0.83333333")),
        (-1000, -250, "1", ("-10.00", "-2.50")),
        # 0.01 over 128 is 0.000078125: a half goes up, not to the even digit before it.
        (1, 0, "128", ("0.00007813", "0")),
        (2, 1, "128", ("0.00015625", "0.00007812")),
    ],
)
def test_printed_factors_give_the_charge_again(full, off, quantity, printed):
    made = factors_of(charge(full, off=off), Decimal(quantity))

    assert (made.unit_price, made.discount_each) == tuple(map(Decimal, printed))
    assert round((made.unit_price - made.discount_each) * made.quantity * 100) == full - off


def test_units_too_many_for_a_price_of_eight_decimals_are_refused():
    with pytest.raises(BillingError, match="sell it in larger units"):
        factors_of(charge(100), Decimal(30_000_001))


def test_a_fee_without_tax_is_no_invoice_with_less_given_back_that_bears_tax():
    """3.50 outside VAT less 2.95 with 22 % is 0.55 without taxes and -0.10 with them."""
    rates = {1: 0, 2: 22}

    def with_tax(claims):
        return sum(one.charge.net.minor * (100 + rates[one.charge.item_id]) for one in claims) >= 0

    def made(negative, given):
        charges = (charge(350, item=1), charge(given, item=2, corrects=Corrected(7, 1, 1, TAXED)))
        return group_charges(
            [rated(1, *charges, negative=negative)], taxed_as=lambda _, one: rates[one.item_id], with_tax=with_tax
        )

    assert told(made("credit_note", -295).sheets) == [
        ("invoice", 1, (1,), [350]),
        ("credit_note", 1, (1,), [-295]),
    ]
    waits = made("next_document", -295)
    assert (waits.sheets, [one.charge.net.minor for one in waits.waiting]) == ((), [350, -295])
    assert told(made("credit_note", -280).sheets) == [("invoice", 1, (1,), [350, -280])]
