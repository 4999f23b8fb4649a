"""A cent that a line would give back too much goes somewhere else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from billing.documents import (
    CustomerParty,
    DocumentKind,
    DraftLine,
    Due,
    IssuerParty,
    Parties,
    Register,
    Source,
    draft_document,
)
from billing.fitting import fitted
from billing.money import Money
from billing.tax import CustomerKind, TaxedCustomer
from billing.totals import Liability, LineDraft, TaxTreatment

DAY = date(2026, 3, 1)
TAXED = TaxTreatment("IVA-22", Decimal(22))
LOW = TaxTreatment("IVA-10", Decimal(10))
EXEMPT = TaxTreatment("IVA-N4", Decimal(0), "N4", "art. 10 DPR 633/72")
SPLIT = TaxTreatment("IVA-22", Decimal(22), liability=Liability.SPLIT)
PARTIES = Parties(
    IssuerParty(1, "IT", "EUR", "Europe/Rome", False, None, "{}"),
    CustomerParty(TaxedCustomer(7, CustomerKind.PERSON, "IT", "10124"), "it", "{}", True),
)


def _draft(*lines, kind=DocumentKind.CREDIT_NOTE, due_on=(DAY,)):
    """Lines of (price with tax, corrected line of document 9 or None), of the usual rate unless it is named."""
    drafts = [
        DraftLine(
            LineDraft("x", Decimal(1), Decimal(price), taxed[0] if taxed else TAXED),
            4100,
            Source(corrects=(9, line) if line else None),
        )
        for price, line, *taxed in lines
    ]
    return draft_document(
        drafts,
        PARTIES,
        register=Register(3, "NC", kind, "{number}"),
        document_date=DAY,
        currency="EUR",
        includes_tax=True,
        due_on=due_on,
    )


def _left(**cents):
    return {(9, int(name[1:])): Money(minor, "EUR") for name, minor in cents.items()}


def _nets(draft):
    return [line.net.minor for line in draft.totals.lines]


def _sums(draft):
    totals = draft.totals
    return totals.net.minor, totals.tax.minor, totals.gross.minor


def test_the_cent_of_a_note_with_one_line_goes_to_the_tax():
    # 29.90 with tax is 24.51 and 5.39.
    draft = fitted(_draft(("29.90", 1)), _left(n1=2450))

    assert _nets(draft) == [2450]
    assert _sums(draft) == (2450, 540, 2990)
    assert draft.totals.lines[0].unit_price == Decimal("24.50")


def test_where_the_rate_allows_no_cent_more_the_document_is_less():
    # 0.28 is 0.23 and 0.05; of 0.21 the tax is 0.05 (0.0462), 0.06 at most: 0.27.
    draft = fitted(_draft(("0.28", 1), ("0.00", None)), _left(n1=21))

    assert _sums(draft)[0] == 23, "a line beside it takes the cents"
    alone = fitted(replace(_draft(("0.28", 1))), _left(n1=22))
    # 0.22 has 0.05 (0.0484), and 0.06 is a cent from it.
    assert _sums(alone) == (22, 6, 28)


def test_a_line_beside_it_takes_the_cent_and_the_sums_stay():
    draft = _draft(("50.00", None), ("-29.90", 1), kind=DocumentKind.INVOICE)
    before = _sums(draft)
    (own,) = [-net for net in _nets(draft) if net < 0]

    after = fitted(draft, _left(n1=own - 1))

    assert -_nets(after)[1] == own - 1
    assert _nets(after)[0] == _nets(draft)[0] - 1
    assert _sums(after) == before
    assert after.dues == draft.dues


def test_two_lines_that_give_back_of_one_fit_together():
    draft = fitted(_draft(("10.00", 1), ("10.00", 1)), _left(n1=1638))

    # 20.00 is 16.39: 8.20 and 8.19.
    assert sum(_nets(draft)) == 1638


def test_what_fits_stays_as_it_is_and_what_is_far_beyond_too():
    draft = _draft(("29.90", 1))

    assert fitted(draft, _left(n1=2451)) is draft
    assert fitted(draft, {}) is draft
    assert fitted(draft, _left(n1=2000)) is draft


@pytest.mark.parametrize("cents", range(1, 200))
def test_whatever_the_price_a_cent_less_leaves_the_tax_a_cent_from_its_rate(cents):
    draft = _draft((str(Decimal(cents).scaleb(-2)), 1))
    net = _nets(draft)[0]

    after = fitted(draft, _left(n1=net - 1))

    exact = Decimal(after.totals.net.minor) * 22 / 100
    assert abs(after.totals.tax.minor - exact) <= Decimal("1.5")
    assert after.totals.net.minor == net - 1


def test_of_a_line_below_zero_a_note_takes_no_cent_too_much_either():
    # 40.00 with tax is 32.79 and 7.21; its lines 40.99 (40.9836) and -8.20 (-8.1967).
    draft = _draft(("50.00", None), ("-10.00", 1))
    assert _nets(draft) == [4099, -820]

    after = fitted(draft, _left(n1=-819))

    assert _nets(after) == [4098, -819]
    assert _sums(after) == _sums(draft) == (3279, 721, 4000)
    assert fitted(draft, _left(n1=-820)) is draft


@pytest.mark.parametrize(
    ("others", "taker"),
    [
        ([("20.00", None), ("60.00", None)], 1),
        ([("90.00", None), ("-95.00", None), ("60.00", None)], 1),  # the largest, whatever its sign
        ([("20.00", None), ("60.00", None, LOW)], 0),  # not of another group
        ([("20.00", None), ("-60.00", 2), ("90.00", None, LOW)], 0),  # nor one that corrects something itself
    ],
)
def test_the_cent_goes_to_the_largest_line_of_its_group_that_corrects_nothing(others, taker):
    draft = _draft(*others, ("-10.00", 1), kind=DocumentKind.INVOICE, due_on=[DAY])
    own = -_nets(draft)[-1]

    after = fitted(draft, _left(n1=own - 1, n2=99999))

    moved = [new - old for old, new in zip(_nets(draft), _nets(after), strict=True)]
    assert moved == [-1 if index == taker else 0 for index in range(len(others))] + [1]
    assert _sums(after) == _sums(draft)


def test_cents_that_no_line_takes_and_no_rate_allows_fall_due_with_the_first_part():
    # 0.27 with tax is 0.22 and 0.05. Of 0.20 the tax is 0.04 (0.044) and 0.05 at most: 0.25, so two cents more are to be paid.
    later = date(2026, 4, 1)
    lines = (("50.00", None, LOW), ("-0.27", 1))
    draft = _draft(*lines, kind=DocumentKind.INVOICE, due_on=[DAY, later])
    assert draft.dues == (Due(DAY, Money(2487, "EUR")), Due(later, Money(2486, "EUR")))

    after = fitted(draft, _left(n1=20))

    # 50.00 is 45.45 (45.4545) and 4.55.
    assert _sums(after) == (4525, 450, 4975)
    assert after.totals.payable.minor == 4975
    assert after.dues == (Due(DAY, Money(2489, "EUR")), Due(later, Money(2486, "EUR")))


def test_what_bears_no_tax_takes_no_cent_of_it():
    draft = _draft(("50.00", None), ("-10.00", 1, EXEMPT), kind=DocumentKind.INVOICE)

    after = fitted(draft, _left(n1=999))

    # 50.00 is 40.98 and 9.02.
    assert [(group.base.minor, group.tax.minor) for group in after.totals.groups] == [(4098, 902), (-999, 0)]
    assert (after.totals.payable.minor, after.dues) == (4001, (Due(DAY, Money(4001, "EUR")),))


def test_tax_that_is_paid_to_the_state_is_not_payable_after_the_cent_has_moved():
    draft = _draft(("50.00", None, SPLIT), ("-29.90", 1, SPLIT), kind=DocumentKind.INVOICE)

    after = fitted(draft, _left(n1=2450))

    # 20.10 with tax is 16.48 (16.4754) and 3.62.
    assert (_sums(after), after.totals.payable.minor) == ((1648, 362, 2010), 1648)
    assert after.dues == (Due(DAY, Money(1648, "EUR")),)
