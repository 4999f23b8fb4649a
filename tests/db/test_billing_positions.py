"""Where items stand after what was agreed changed: how far they are billed and when a run finds more of them."""

from datetime import date

import pytest

from billing.store.positions import place_items

pytestmark = pytest.mark.db

AGREED = """
SELECT set_config('corrente.actor', 'maria', true);
INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('full', 100000000, 20000000);
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 1, 1);
INSERT INTO customer (name) VALUES ('Anna');
INSERT INTO contract (customer_id, plan_id, status, starts_on) VALUES (1, 1, 'active', '2026-01-20');
INSERT INTO issuer (name, country, street, postal_code, city) VALUES ('Example Net', 'IT', 'Via Roma', '10100', 'Torino');
INSERT INTO tax_code (name) VALUES ('IVA-22');
INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('Home', 'plan', 1, 'access', 1);
INSERT INTO product (name, kind, family, tax_code_id) VALUES ('Activation', 'one_off', 'setup', 1), ('Router', 'one_off', 'setup', 1);
INSERT INTO contract_terms (contract_id, issuer_id, currency, lead_days) VALUES (1, 1, 'EUR', 5);
INSERT INTO contract_item (contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on)
    VALUES (1, 1, 'plan', 30, 1, '2026-02-01', 1, '2026-01-20');
INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on) VALUES (1, 2, 'one_off', 50, '2026-01-20'), (1, 3, 'one_off', 60, '2026-01-20');
INSERT INTO instalment (item_id, number, due_on, amount) VALUES (3, 1, '2026-02-10', 30), (3, 2, '2026-03-10', 30);
"""


@pytest.fixture
def agreed(connection):
    connection.execute(AGREED)
    return connection


def stands(connection):
    return connection.execute("SELECT * FROM billing_position ORDER BY item_id").fetchall()


def test_new_items_stand_where_they_start_and_fees_where_their_first_part_is_due(agreed):
    place_items(agreed, [1])

    assert stands(agreed) == [
        (1, date(2026, 1, 20), date(2026, 1, 15)),  # documents are prepared five days before
        (2, date(2026, 1, 20), date(2026, 1, 20)),
        (3, date(2026, 1, 20), date(2026, 2, 10)),
    ]


def test_an_item_that_ends_where_it_is_billed_falls_due_no_more_and_one_reopened_does(agreed):
    place_items(agreed, [1])
    agreed.execute("UPDATE billing_position SET billed_through = '2026-02-01', due_on = '2026-01-27' WHERE item_id = 1")

    agreed.execute("UPDATE contract_item SET ends_on = '2026-02-01' WHERE id = 1")
    place_items(agreed, [1])
    ended = stands(agreed)[0]
    agreed.execute("UPDATE contract_item SET ends_on = NULL WHERE id = 1")
    place_items(agreed, [1])

    assert ended == (1, date(2026, 2, 1), None)
    assert stands(agreed)[0] == (1, date(2026, 2, 1), date(2026, 1, 27))


def test_parts_of_a_fee_that_are_charged_are_behind_it(agreed):
    charged = (
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, %s, %s, 1, 1, %s, %s, 'EUR', '2026-02-10', 'maria')"
    )
    agreed.execute(charged, (2, "one_off", "[2026-01-20,2026-01-21)", 50, 50))
    agreed.execute(charged, (3, "instalment", "[2026-02-10,2026-02-11)", 30, 30))

    place_items(agreed, [1])

    assert stands(agreed)[1:] == [
        (2, date(2026, 1, 21), None),
        (3, date(2026, 2, 11), date(2026, 3, 10)),
    ]
