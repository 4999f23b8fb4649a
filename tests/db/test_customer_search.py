"""Customers found among a hundred thousand, by what their rows say at every moment."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.customer_search import search_patterns
from billing.store.acting import acting
from billing.store.customer_search import load_found, load_likely, search_statement
from billing.store.customers import (
    delete_address,
    delete_contact,
    save_address,
    save_contact,
    save_customer,
    save_tax_identifier,
)
from billing.tax_identifiers import TaxIdentifier
from control_plane import db

pytestmark = pytest.mark.db

MANY = 100_000
SEAT = {"street": "Via Po", "house_number": "17/B", "postal_code": "10124", "city": "Torìno", "country": "IT"}


def found(connection, text):
    return [one.id for one in load_found(connection, search_patterns(text), limit=50)]


def test_a_customer_is_found_by_each_thing_that_is_known_of_it_and_by_nothing_it_lost(connection):
    acting(connection, "maria")
    anna = save_customer(connection, {"name": "Nicolò Rossi", "external_reference": "C-4711"})
    save_customer(connection, {"name": "Rosa Bianchi"})
    save_tax_identifier(connection, anna, TaxIdentifier("it.iva", "01234560017"))
    seat = save_address(connection, anna, "legal", SEAT)
    save_contact(connection, anna, "main", None, {"email": "Nico.R@example.net", "mobile": "+393395551234"})

    for text in (
        *("rossi", "NICOLO", "nicolò ro", "c-4711", "01234560017", "234560", "via po 17/b", "torino", "Torìno rossi"),
        *("nico.r@example.net", "+39 339 5551234", "0039-339-555-1234", "3395551234", "po ni"),
    ):
        assert found(connection, text) == [anna], text
    for text in ("verdi", "rossi milano", "os", "%", "_", "nico_r", "\\"):
        assert found(connection, text) == [], text

    save_contact(connection, anna, "main", None, {"mobile": "+393470000000"})
    delete_address(connection, anna, seat)
    assert found(connection, "3395551234") == found(connection, "torino") == []
    assert found(connection, "347") == [anna]
    delete_contact(connection, anna, "main", None)
    assert found(connection, "347") == []


def test_two_who_write_the_same_customer_at_once_leave_both_words(database, connection):
    acting(connection, "maria")
    anna = save_customer(connection, {"name": "Anna Rossi"})
    connection.commit()
    acting(connection, "maria")
    save_contact(connection, anna, "main", None, {"email": "anna@example.net"})

    def other():
        with db.connect(database, name="test") as second:
            acting(second, "bruno")
            save_address(second, anna, "legal", SEAT)

    thread = threading.Thread(target=other)
    thread.start()
    with db.connect(database, name="test", autocommit=True) as watching:
        for _ in range(1000):
            waits = watching.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]
            if waits:
                break
            thread.join(0.01)
    assert waits, "the second writer did not wait for the first"
    connection.commit()
    thread.join()
    assert found(connection, "anna@example.net torino") == [anna]


def test_search_among_a_hundred_thousand_goes_through_the_index_and_takes_no_time(connection):
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO customer (name) SELECT (ARRAY['Anna','Bruno','Carlo'])[1 + n %% 3] || ' Rossi' || n FROM generate_series(1, %s) AS n",
        (MANY,),
    )
    connection.execute("ANALYZE customer_words")

    def plan(text):
        patterns = search_patterns(text)
        rows = connection.execute(
            b"EXPLAIN (ANALYZE, TIMING OFF) " + search_statement(patterns).as_bytes(connection), (*patterns, 0, 51)
        ).fetchall()
        return "\n".join(line for (line,) in rows)

    # What few have is read from the index of parts; what most have, in order of number until there are enough.
    for rare in ("rossi4711", "bruno rossi4711", "nobody", "anna nobody"):
        assert "Bitmap Index Scan on customer_words_parts" in plan(rare), plan(rare)
    assert "customer_words_pkey" in plan("rossi")
    for text in ("rossi4711", "nobody", "rossi", "an ro", "anna rossi77"):
        took = min(float(plan(text).rpartition("Execution Time: ")[2].split()[0]) for _ in range(3))
        assert took < 200, f"{text}: {took} ms"
    assert len(load_found(connection, search_patterns("rossi4711"), limit=50)) == 11


def test_who_types_a_name_is_shown_who_is_called_so_before_who_lives_there(connection):
    acting(connection, "maria")
    lives = save_customer(connection, {"name": "Grace Camelli"})
    save_address(connection, lives, "legal", {**SEAT, "street": "Strada del Colle"})
    called = save_customer(connection, {"name": "Ada Camgate"})
    patterns = search_patterns("ada cam")
    assert [one.id for one in load_found(connection, patterns, limit=5)] == [lives, called]
    assert [one.id for one in load_likely(connection, patterns, limit=5)] == [called, lives]
    assert [one.id for one in load_likely(connection, patterns, limit=1)] == [called]


NAMES = st.text("abcdè ÀÇ%_'\\1", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, min_size=1, max_size=6),
    at=st.integers(0, 5),
    cut=st.tuples(st.integers(0, 11), st.integers(1, 12)),
)
def test_any_part_of_a_name_finds_its_customer(connection, names, at, cut):
    acting(connection, "maria")
    with connection.transaction(force_rollback=True):
        numbers = [save_customer(connection, {"name": name}) for name in names]
        word = max(names[at % len(names)].split(), key=len)
        typed = word[cut[0] % len(word) :][: cut[1]]
        if len(typed) < 3:
            typed = word  # a short part begins a word
        assert numbers[at % len(names)] in found(connection, typed)
