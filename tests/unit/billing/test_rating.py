"""What a contract owes up to a day: time, fees in parts, stops recorded, days given back; worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from billing.charges import Charge, Discount, DiscountKind, Item, ItemKind, Terms
from billing.contract_facts import Status
from billing.credited_days import Charged
from billing.due_contract import Article, ChargeKind, Corrected, DueContract, Fee, OnNegative, Part, Position, Stop
from billing.money import Money, zero
from billing.periods import Cycle, Period
from billing.rating import fee_position, rate_contract
from billing.totals import TaxTreatment

DAY = date.fromisoformat
START = DAY("2026-01-01")


def euro(cents):
    return Money(cents, "EUR")


def plan(**facts):
    given = {
        "id": 1,
        "kind": ItemKind.PLAN,
        "family": "access",
        "quantity": Decimal(1),
        "period_price": Decimal(31),
        "cycle": Cycle(START, 1, 1),
        "starts_on": START,
        "ends_on": None,
        "billed_through": START,
    }
    return Item(**{**given, **facts})


def contract(**facts):
    given = {
        "id": 7,
        "customer_id": 1,
        "payer_id": 1,
        "status": Status.ACTIVE,
        "billing_group": None,
        "due_days": 15,
        "includes_tax": False,
        "order_fees": False,
        "on_negative": OnNegative.NEXT_DOCUMENT,
        "goes_on": True,
        "terms": Terms("EUR"),
    }
    return DueContract(**{**given, **facts})


def billed(**facts):
    return contract(items=(plan(),), positions=(Position(1, START, START),), **facts)


def told(rated):
    return [(one.kind.value, str(one.during.start), str(one.during.end), one.net.minor) for one in rated.charges]


def fee(*parts, in_instalments=True):
    made = tuple(Part(DAY(day), euro(cents), charged) for day, cents, charged in parts)
    return Fee(2, "setup", made[0].due_on, in_instalments, made)


def test_arrears_are_caught_up_period_by_period_and_the_item_stands_behind_them():
    rated = rate_contract(billed(), through=DAY("2026-03-10"))

    assert told(rated) == [
        ("period", "2026-01-01", "2026-02-01", 3100),
        ("period", "2026-02-01", "2026-03-01", 3100),
        ("period", "2026-03-01", "2026-04-01", 3100),
    ]
    assert rated.moves == ((Position(1, START, START), Position(1, DAY("2026-04-01"), DAY("2026-04-01"))),)
    assert len({one.id for one in rated.charges}) == 3
    assert all(one.is_new for one in rated.charges)


def test_asked_again_where_it_stands_it_owes_nothing():
    stands = contract(
        items=(plan(billed_through=DAY("2026-04-01")),), positions=(Position(1, DAY("2026-04-01"), DAY("2026-04-01")),)
    )

    rated = rate_contract(stands, through=DAY("2026-03-10"))

    assert (rated.charges, rated.moves) == ((), ())


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PROPOSAL, Status.PENDING, Status.CANCELLED])
def test_time_is_billed_only_of_contracts_that_were_in_service(status):
    rated = rate_contract(billed(status=status), through=DAY("2026-03-10"))

    assert (rated.charges, rated.moves) == ((), ())


@pytest.mark.parametrize("status", [Status.TRIAL, Status.ACTIVE, Status.FREE, Status.ENDED])
def test_time_is_billed_up_to_its_end_of_contracts_in_service_and_of_those_that_were(status):
    assert len(rate_contract(billed(status=status), through=START).charges) == 1


def test_a_period_inside_a_stop_is_recorded_with_its_stop_and_costs_nothing():
    stop = Stop(5, DAY("2026-02-01"), DAY("2026-03-15"), whole=True)

    rated = rate_contract(billed(stops=(stop,)), through=DAY("2026-03-01"))

    assert [(one.net.minor, one.stop_id, one.units, one.of) for one in rated.charges] == [
        (3100, None, 31, 31),
        (0, 5, 28, 28),
        (3100, None, 31, 31),
    ]


def test_a_fee_in_instalments_is_charged_part_by_part_and_its_discount_once():
    halves = fee(("2026-01-10", 3334, False), ("2026-02-10", 3333, False), ("2026-03-10", 3333, False))
    ten_off = Discount(1, DiscountKind.FIXED, Decimal(10), START, item_id=2)
    owing = contract(
        fees=(halves,), discounts=(ten_off,), positions=(Position(2, DAY("2026-01-10"), DAY("2026-01-10")),)
    )

    rated = rate_contract(owing, through=DAY("2026-02-10"))

    # 10.00 over 33.34, 33.33 and 33.33: 3.334, 3.333, 3.333, and the cent that is left goes to the first.
    assert [(one.kind, one.full.minor, one.discounted.minor) for one in rated.charges] == [
        (ChargeKind.INSTALMENT, 3334, 334),
        (ChargeKind.INSTALMENT, 3333, 333),
    ]
    assert [after for _, after in rated.moves] == [Position(2, DAY("2026-02-11"), DAY("2026-03-10"))]


def test_a_discount_of_the_whole_contract_is_not_taken_off_fees():
    whole = fee(("2026-01-10", 5000, False), in_instalments=False)
    half = Discount(1, DiscountKind.PERCENT, Decimal(50), START)
    owing = contract(fees=(whole,), discounts=(half,), positions=(Position(2, DAY("2026-01-10"), DAY("2026-01-10")),))

    rated = rate_contract(owing, through=DAY("2026-02-10"))

    assert [(one.kind, one.net.minor) for one in rated.charges] == [(ChargeKind.ONE_OFF, 5000)]
    assert [after for _, after in rated.moves] == [Position(2, DAY("2026-01-11"), None)]


@pytest.mark.parametrize(
    ("stops", "stopped_by"),
    [
        ([Stop(5, DAY("2026-02-01"), None, whole=True)], [None, 5, 5]),
        ([Stop(5, DAY("2026-02-02"), None, whole=True)], [None, None, 5]),
        ([Stop(5, DAY("2026-02-01"), DAY("2026-03-01"), whole=True)], [None, 5, None]),
        ([Stop(5, DAY("2026-02-01"), DAY("2026-02-28"), whole=True)], [None, None, None]),
        ([Stop(5, START, DAY("2026-02-01"), whole=True), Stop(6, DAY("2026-02-15"), None, whole=True)], [5, None, 6]),
        ([Stop(5, DAY("2026-03-01"), None, whole=True), Stop(6, START, DAY("2026-03-01"), whole=True)], [6, 6, 5]),
        # Days that are given back leave no period out.
        ([Stop(5, START, None, whole=False), Stop(6, DAY("2026-03-01"), None, whole=True)], [None, None, 6]),
    ],
)
def test_a_period_is_left_out_by_the_stop_that_holds_all_of_it(stops, stopped_by):
    add_on = plan(id=2, kind=ItemKind.ADD_ON, billed_through=DAY("2026-03-01"), cycle=Cycle(START, 1, 3))
    both = contract(
        items=(plan(), add_on),
        positions=(Position(1, START, START), Position(2, DAY("2026-03-01"), DAY("2026-03-01"))),
        stops=tuple(stops),
    )

    charges = [
        one
        for one in rate_contract(both, through=DAY("2026-03-01")).charges
        if one.item_id == 1 and one.kind is ChargeKind.PERIOD
    ]

    assert [one.stop_id for one in charges] == stopped_by
    assert [one.full.minor for one in charges] == [0 if stop else 3100 for stop in stopped_by]


def test_what_is_left_out_is_counted_as_its_own_item_is():
    # March is a third of the add-on's quarter: 31 of 90 days.
    add_on = plan(id=2, kind=ItemKind.ADD_ON, billed_through=DAY("2026-03-01"), cycle=Cycle(START, 1, 3))
    stopped = contract(
        items=(plan(billed_through=DAY("2026-03-01")), add_on),
        positions=(Position(1, DAY("2026-03-01"), None), Position(2, DAY("2026-03-01"), None)),
        stops=(Stop(5, DAY("2026-03-01"), None, whole=True),),
    )

    rated = rate_contract(stopped, through=DAY("2026-03-01"))

    assert [(one.item_id, one.units, one.of, one.stop_id) for one in rated.charges] == [(1, 31, 31, 5), (2, 31, 90, 5)]


def test_a_discount_is_taken_off_time():
    half = Discount(1, DiscountKind.PERCENT, Decimal(50), START)

    assert told(rate_contract(billed(discounts=(half,)), through=START)) == [
        ("period", "2026-01-01", "2026-02-01", 1550)
    ]


def test_periods_left_out_and_days_given_back_stand_beside_each_other():
    pause = Stop(5, DAY("2026-01-11"), DAY("2026-01-16"), whole=False)
    stop = Stop(6, DAY("2026-02-01"), DAY("2026-03-01"), whole=True)

    rated = rate_contract(billed(stops=(pause, stop)), through=DAY("2026-03-01"))

    assert told(rated) == [
        ("period", "2026-01-01", "2026-02-01", 3100),
        ("credit", "2026-01-11", "2026-01-16", -500),
        ("period", "2026-02-01", "2026-03-01", 0),
        ("period", "2026-03-01", "2026-04-01", 3100),
    ]
    assert rated.settled == ((5, DAY("2026-01-16")),)


def test_a_stop_of_whole_periods_gives_no_days_back_of_those_that_it_does_not_hold():
    stop = Stop(6, DAY("2026-01-15"), DAY("2026-02-20"), whole=True)

    rated = rate_contract(billed(stops=(stop,)), through=DAY("2026-03-01"))

    assert [net for *_, net in told(rated)] == [3100, 3100, 3100]


@pytest.mark.parametrize(
    ("discounts", "off"),
    [
        # 50.00 less half, less 10.00: 15.00 are left; the other way round 20.00.
        ([("percent", 50, {"priority": 1}), ("fixed", 10, {"priority": 2})], 3500),
        ([("percent", 50, {"priority": 2}), ("fixed", 10, {"priority": 1})], 3000),
        ([("percent", 50, {"id": 2}), ("fixed", 10, {"id": 1})], 3000),
        ([("fixed", 10, {"item_id": None, "family": "setup"})], 1000),
        ([("fixed", 10, {"item_id": None, "family": "access"})], 0),
        ([("fixed", 10, {"item_id": 1})], 0),
        ([("fixed", 10, {"starts_on": DAY("2026-01-10")})], 1000),
        ([("fixed", 10, {"starts_on": DAY("2026-01-11")})], 0),
        ([("fixed", 10, {"ends_on": DAY("2026-01-11")})], 1000),
        ([("fixed", 10, {"ends_on": DAY("2026-01-10")})], 0),
    ],
)
def test_a_fee_is_reduced_by_discounts_of_it_or_its_family_that_last_on_its_day(discounts, off):
    made = tuple(
        Discount(
            **{"id": 1, "kind": DiscountKind(kind), "value": Decimal(value), "starts_on": START, "item_id": 2, **facts}
        )
        for kind, value, facts in discounts
    )
    whole = fee(("2026-01-10", 5000, False), in_instalments=False)
    owing = contract(fees=(whole,), discounts=made, positions=(Position(2, DAY("2026-01-10"), DAY("2026-01-10")),))

    (charge,) = rate_contract(owing, through=DAY("2026-01-10")).charges

    assert (charge.full.minor, charge.discounted.minor, charge.units, charge.of) == (5000, off, 1, 1)


def test_parts_that_are_charged_or_not_due_are_not_charged_and_a_fee_of_nothing_is():
    parts = fee(("2026-01-10", 100, True), ("2026-02-10", 200, False), ("2026-03-10", 300, False))
    stands = Position(2, DAY("2026-01-11"), DAY("2026-02-10"))
    owing = contract(fees=(parts,), positions=(stands,))
    nothing = fee(("2026-01-10", 0, False), in_instalments=False)
    gift = contract(fees=(nothing,), positions=(Position(2, DAY("2026-01-10"), DAY("2026-01-10")),))

    assert rate_contract(owing, through=DAY("2026-02-09")).moves == ()
    assert rate_contract(owing, through=DAY("2026-02-09")).charges == ()
    assert told(rate_contract(owing, through=DAY("2026-02-10"))) == [("instalment", "2026-02-10", "2026-02-11", 200)]
    assert told(rate_contract(gift, through=DAY("2026-01-10"))) == [("one_off", "2026-01-10", "2026-01-11", 0)]


def test_a_product_is_named_in_the_customers_language_or_as_it_is():
    fibre = Article(1, "Fibre", "access", 1, {"it": "Fibra"})

    assert (fibre.words("it"), fibre.words("de")) == ("Fibra", "Fibre")


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PROPOSAL, Status.CANCELLED])
def test_fees_with_the_order_are_those_of_an_accepted_contract_alone(status):
    whole = fee(("2026-01-10", 5000, False), in_instalments=False)
    stands = (Position(2, DAY("2026-01-10"), DAY("2026-01-10")),)
    owing = contract(status=status, order_fees=True, fees=(whole,), positions=stands)

    assert rate_contract(owing, through=DAY("2026-02-10")).charges == ()


@pytest.mark.parametrize(("order_fees", "charges"), [(True, 1), (False, 0)])
def test_an_accepted_contract_owes_its_fees_only_when_they_are_due_with_the_order(order_fees, charges):
    whole = fee(("2026-01-10", 5000, False), in_instalments=False)
    owing = contract(
        status=Status.PENDING,
        order_fees=order_fees,
        fees=(whole,),
        positions=(Position(2, DAY("2026-01-10"), DAY("2026-01-10")),),
    )

    assert len(rate_contract(owing, through=DAY("2026-02-10")).charges) == charges


def test_a_fee_stands_behind_the_parts_that_are_charged():
    parts = fee(("2026-01-10", 100, True), ("2026-02-10", 100, False))

    assert fee_position(parts) == Position(2, DAY("2026-01-11"), DAY("2026-02-10"))
    assert fee_position(parts, through=DAY("2026-02-09")) == fee_position(parts)
    begun = fee(("2026-01-10", 100, False), ("2026-02-10", 100, False))
    assert fee_position(begun) == Position(2, DAY("2026-01-10"), DAY("2026-01-10"))


def test_days_not_paid_are_given_back_of_the_line_that_charged_them_when_their_period_ends():
    january = Charge(1, Period(START, DAY("2026-02-01")), 31, 31, euro(3100), euro(0), START)
    pause = Stop(5, DAY("2026-01-11"), DAY("2026-01-16"), whole=False)
    line = Corrected(30, 2, 1, TaxTreatment("IVA-22", Decimal(22)))
    rests = contract(
        items=(plan(billed_through=DAY("2026-02-01")),),
        positions=(Position(1, DAY("2026-02-01"), DAY("2026-02-01")),),
        stops=(pause,),
        charged=((Charged(9, january, zero("EUR")), line),),
    )

    before = rate_contract(rests, through=DAY("2026-01-15"))
    after = rate_contract(rests, through=DAY("2026-02-01"))

    assert before.charges == ()
    (credit,) = [one for one in after.charges if one.kind is ChargeKind.CREDIT]
    assert (credit.net, credit.corrects_id, credit.corrects, credit.units) == (euro(-500), 9, line, 5)
    assert after.settled == ((5, DAY("2026-01-16")),)


def test_days_not_paid_of_a_period_charged_by_this_same_run_name_that_new_charge():
    pause = Stop(5, DAY("2026-01-11"), DAY("2026-01-16"), whole=False)

    rated = rate_contract(billed(stops=(pause,)), through=DAY("2026-02-01"))

    (credit,) = [one for one in rated.charges if one.kind is ChargeKind.CREDIT]
    january = next(one for one in rated.charges if one.during.start == START)
    assert (credit.corrects_id, credit.corrects, credit.net) == (january.id, None, euro(-500))


def test_what_waits_is_among_what_is_owed():
    waiting = replace(rate_contract(billed(), through=START).charges[0], id=40, carried=True)

    rated = rate_contract(contract(waiting=(waiting,)), through=DAY("2026-03-10"))

    assert rated.charges == (waiting,)
