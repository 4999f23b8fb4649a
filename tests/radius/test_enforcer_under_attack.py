"""An enforcer whose devices, database and machine misbehave: what it has in its hands is neither lost nor sent twice."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from support.lone_enforcer import ack, desk, enforcing, nak, who

from control_plane import db
from control_plane.control_loop import turn
from nas_drivers.simulated import codec, wire

pytestmark = [pytest.mark.radius, pytest.mark.db]


def test_an_error_cause_beyond_any_registry_is_a_refusal_like_others_and_stops_nobody(database):
    with desk(database, "127.66.20.1") as one:
        # Four octets are allowed; the column of the database takes two.
        huge = codec.octets(wire.ERROR_CAUSE, b"\xff\xff\xff\xff")
        one.nas.answer = lambda request: nak(request, huge) if who(request) == "user0001" else ack(request)
        one.cut(1, 2)
        with enforcing(database):
            one.wait_for("SELECT bool_and(taken_by IS NULL AND sent_at IS NOT NULL) FROM enforcement")
        assert one.rows("username, state::text, error_cause") == [
            ("user0001", "gave_up", None),
            ("user0002", "acked", None),
        ]
        assert one.execute("SELECT attributes FROM enforcement_packet WHERE direction = 'received' AND code = 42") == [
            ("Error-Cause = 4294967295",)
        ]


def test_what_the_database_refuses_to_write_of_one_change_holds_up_no_other(database):
    with desk(database, "127.66.20.2") as one:
        one.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.enforcement_id = 1 THEN RAISE check_violation USING MESSAGE = 'not this one'; END IF; RETURN NEW; END $$"
        )
        one.execute("CREATE TRIGGER refuse BEFORE INSERT ON enforcement_packet FOR EACH ROW EXECUTE FUNCTION refuse()")
        one.cut(1, 2)
        with enforcing(database):
            one.wait_for("SELECT state = 'acked' FROM enforcement WHERE id = 2")
            one.cut(3)
            one.wait_for("SELECT state = 'acked' FROM enforcement WHERE id = 3")
        assert one.execute("SELECT enforcement_id, count(*) FROM enforcement_packet GROUP BY 1 ORDER BY 1") == [
            (2, 2),
            (3, 2),
        ]


def test_a_worker_cut_off_from_the_database_repeats_nothing_beyond_its_lease(database, monkeypatch):
    monkeypatch.setattr(turn, "LEASE", timedelta(seconds=1))
    with desk(database, "127.66.20.3") as one:
        one.nas.answer = lambda request: []
        one.cut(1)
        with enforcing(database):
            one.wait_until(lambda: one.nas.heard)
            with db.connect(database, name="test") as other:
                # Stands for a lost database as well as for a stopped process: no turn ends, no lease is renewed.
                other.execute("LOCK TABLE enforcement")
                # RFC 5080: the first repetition comes after two seconds, by when another worker may have the change.
                time.sleep(3)
            one.wait_until(lambda: len({heard.raw for heard in one.nas.heard}) == 2)
            first = [heard for heard in one.nas.heard if heard.raw == one.nas.heard[0].raw]
        assert len(first) == 1
        assert one.execute("SELECT count(*) FROM nas_silence") == [(0,)]


def test_ghosts_that_can_not_be_closed_cost_no_packet_and_no_second_sending(database):
    with desk(database, "127.66.20.4") as one:
        one.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$")
        one.execute("CREATE TRIGGER refuse BEFORE INSERT ON closed_session FOR EACH ROW EXECUTE FUNCTION refuse()")
        gone = codec.whole(wire.ERROR_CAUSE, 503)
        one.nas.answer = lambda request: nak(request, gone) if who(request) == "user0001" else ack(request)
        one.cut(1)
        with enforcing(database):
            one.wait_for("SELECT state = 'verified' FROM enforcement WHERE id = 1")
            one.cut(2)
            one.wait_for("SELECT state = 'acked' FROM enforcement WHERE id = 2")
        # Asked by its best names, then by the fewest: twice sent and twice answered, and each of it written once.
        assert one.execute(
            "SELECT enforcement_id, direction, count(*) FROM enforcement_packet GROUP BY 1, 2 ORDER BY 1, 2"
        ) == [
            (1, "received", 2),
            (1, "sent", 2),
            (2, "received", 1),
            (2, "sent", 1),
        ]
