"""What a customer is told is written once, in the transaction that decides it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from support.legal_world import WORLD

from billing.contacts import ContactRole
from billing.messages.message import Enclosure, NewMessage, Purpose
from billing.store.messages import queue
from billing.store.returned_messages import SENT_BY_REFERENCE, find_sent

pytestmark = pytest.mark.db
LATER = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def books(connection):
    connection.execute(WORLD)
    return connection


def test_a_message_is_there_as_it_was_written(books):
    whole = NewMessage(
        *(1, "overdue", "dunning 7 reminder", {"debt": "12,20 €", "documents": [{"number": "A-1"}]}, Purpose.LEGAL),
        *(
            "certified_mail",
            1,
            1,
            ContactRole.COLLECTIONS,
            1,
            "it",
            (Enclosure("document", 1), Enclosure("receipt", 5)),
        ),
        *(LATER, LATER.replace(day=4), True, 1),
    )

    (number,) = queue(books, [whole], made_by="job dunning")

    assert books.execute(
        "SELECT customer_id, template, origin, data, purpose, channel, issuer_id, contract_id, role, contact_id, language, enclosures,"
        " next_at, expires_at, at_once, batch_id, made_by, state, attempts FROM message WHERE id = %s",
        (number,),
    ).fetchone() == (
        *(1, "overdue", "dunning 7 reminder", {"debt": "12,20 €", "documents": [{"number": "A-1"}]}, "legal"),
        *(
            "certified_mail",
            1,
            1,
            "collections",
            1,
            "it",
            ["document:1", "receipt:5"],
            LATER,
            LATER.replace(day=4),
            True,
        ),
        *(1, "job dunning", "queued", 0),
    )


def test_the_same_origin_writes_once_a_customer_and_channel_however_often_it_is_decided(books):
    books.execute("INSERT INTO customer (id, name) OVERRIDING SYSTEM VALUE VALUES (2, 'Carla')")
    one, other = NewMessage(1, "receipt", "receipt 7"), NewMessage(2, "receipt", "receipt 7")

    assert len(queue(books, [one, other, one], made_by="till")) == 2
    assert queue(books, [one], made_by="till") == []
    assert len(queue(books, [NewMessage(1, "receipt", "receipt 7", channel="sms")], made_by="till")) == 1
    assert queue(books, [], made_by="till") == []


def test_it_is_there_only_when_what_it_tells_is_and_wakes_who_sends(database, books):
    books.commit()
    with psycopg.connect(database, autocommit=True) as sender:
        sender.execute("LISTEN corrente_message")
        queue(books, [NewMessage(1, "receipt", "receipt 7")], made_by="till")
        books.rollback()
        assert sender.execute("SELECT count(*) FROM message WHERE origin = 'receipt 7'").fetchone() == (0,)
        queue(books, [NewMessage(1, "receipt", "receipt 8")], made_by="till")
        books.commit()

        assert [note.channel for note in sender.notifies(timeout=120, stop_after=1)] == ["corrente_message"]
        assert sender.execute("SELECT count(*) FROM message WHERE origin = 'receipt 8'").fetchone() == (1,)


def test_a_bounce_finds_its_message_by_what_it_quotes_without_reading_all_that_were_sent(books):
    queue(books, [NewMessage(1, "text", f"offer {one}", {"text": "x"}) for one in range(300)], made_by="maria")
    books.execute(
        "UPDATE message SET address = 'anna@example.com', reference = '<' || id || '@isp.test>' WHERE id % 2 = 0"
    )
    books.execute("ANALYZE message")
    ((number, reference),) = books.execute(
        "SELECT id, reference FROM message WHERE reference IS NOT NULL ORDER BY id LIMIT 1"
    )

    found = find_sent(books, reference=reference)

    assert found is not None
    assert (found.id, found.address) == (number, "anna@example.com")
    assert find_sent(books, reference="<nobody@isp.test>") is None
    plan = "\n".join(row[0] for row in books.execute(f"EXPLAIN {SENT_BY_REFERENCE}", {"reference": reference}))
    assert "message_reference" in plan
