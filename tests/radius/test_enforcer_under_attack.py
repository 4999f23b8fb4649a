"""An enforcer whose devices, database and machine misbehave: what it has in its hands is neither lost nor sent twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from support.guarded_isp import RULES
from support.lone_enforcer import ack, desk, enforcing, nak, who

from control_plane.control_loop import turn
from control_plane.store.guard import may_send
from nas_drivers.simulated import codec, wire
from nas_drivers.transport.coa import ChangeSender
from nas_drivers.transport.patience import Patience

# One packet, and then to wait: what comes after it does not depend on how fast this machine is.
FOR_EVER = Patience(first_s=600, longest_s=600, total_s=6000)
once = partial(ChangeSender, patience=FOR_EVER)
pytestmark = [pytest.mark.radius, pytest.mark.db]


def test_an_error_cause_beyond_any_registry_is_a_refusal_like_others_and_stops_nobody(database):
    with desk(database, "127.66.20.1") as one:
        # Four octets are allowed; the column of the database takes two.
        huge = codec.octets(wire.ERROR_CAUSE, b"\xff\xff\xff\xff")
        one.nas.answer = lambda request: nak(request, huge) if who(request) == "user0001" else ack(request)
        one.cut(1, 2)
        with enforcing(database, sender=once):
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
        with enforcing(database, sender=once):
            one.wait_for("SELECT state = 'acked' FROM enforcement WHERE id = 2")
            one.cut(3)
            one.wait_for("SELECT state = 'acked' FROM enforcement WHERE id = 3")
        assert one.execute("SELECT enforcement_id, count(*) FROM enforcement_packet GROUP BY 1 ORDER BY 1") == [
            (2, 2),
            (3, 2),
        ]


def test_a_worker_that_could_not_renew_its_lease_repeats_nothing_beyond_it(database, monkeypatch):
    # As in a worker that was stopped, or cut off from the database, and goes on.
    monkeypatch.setattr(turn, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(turn, "_RENEWED_EVERY_S", 1e9)
    with desk(database, "127.66.20.3") as one:
        one.nas.answer = lambda request: []
        one.cut(1)
        # RFC 5080: the first repetition comes after two seconds, by when another worker may have the change.
        with enforcing(database):
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
        with enforcing(database, sender=once):
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


@pytest.mark.parametrize(
    "stop",
    [
        "INSERT INTO network_stop (reason, placed_by) VALUES ('a fire', 'maria')",
        "INSERT INTO nas_maintenance (nas_id, reason, placed_by) SELECT id, 'a new card', 'maria' FROM nas",
    ],
)
def test_what_is_on_its_way_is_given_up_once_everything_is_stopped(database, stop):
    with desk(database, "127.66.20.5") as one:
        one.nas.answer = lambda request: []
        one.execute(
            "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'blocked', 'x', 'maria')",
            one.world.isp.contracts[0],
        )
        one.cut(1)
        guard = partial(may_send, rules=RULES)
        with enforcing(database, may_send=guard, sender=once):
            one.wait_until(lambda: one.nas.heard)
            one.execute(stop)
            one.wait_for("SELECT taken_by IS NULL AND held_reason <> '' FROM enforcement")
            # Nobody has it any more, and whoever took it would hold it.
            assert len(one.nas.heard) == 1
            assert one.rows("state::text, attempt") == [("sent", 1)]
