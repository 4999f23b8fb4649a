from radius_hooks.pending import MAX_PENDING, PENDING_S, PendingSessions
from radius_hooks.policy_records import LiveSession


def session(number, *, mac="", line="", nas_id=1, stale=False):
    return LiveSession(number.to_bytes(16, "big"), nas_id, mac, line, stale)


def test_an_accept_counts_until_its_time_is_over():
    pending = PendingSessions()
    pending.reserve(1, session(1), now=100.0)

    assert pending.of(1, (), now=100.0 + PENDING_S - 0.1) == (session(1),)
    assert pending.of(1, (), now=100.0 + PENDING_S) == ()
    assert pending.of(2, (), now=100.0) == ()


def test_an_accept_no_longer_counts_when_accounting_knows_it_by_key_or_by_line():
    pending = PendingSessions()
    pending.reserve(1, session(1, mac="aa", line="port 1"), now=100.0)

    assert pending.of(1, (session(1),), now=100.0) == ()
    assert pending.of(1, (session(9, mac="aa"),), now=100.0) == ()
    assert pending.of(1, (session(9, line="port 1"),), now=100.0) == ()
    for other in (session(9), session(9, mac="bb"), session(9, mac="aa", nas_id=2), session(9, mac="aa", stale=True)):
        assert len(pending.of(1, (other,), now=100.0)) == 1


def test_a_line_that_redials_holds_one_place_however_often_it_asks():
    pending = PendingSessions()
    for number in range(1000):
        pending.reserve(1, session(number, mac="aa"), now=100.0 + number / 1000)

    assert pending.of(1, (), now=101.0) == (session(999, mac="aa"),)
    pending.reserve(2, session(5000), now=101.0 + PENDING_S + 0.01)
    assert pending.of(1, (), now=101.0) == ()


def test_memory_has_an_end():
    pending = PendingSessions()
    for number in range(MAX_PENDING + 10):
        pending.reserve(number, session(number), now=100.0)

    assert pending.of(0, (), now=100.0) == ()
    assert len(pending.of(MAX_PENDING + 9, (), now=100.0)) == 1


def test_homes_that_share_a_port_are_not_one_line():
    pending = PendingSessions()
    for number, mac in enumerate(("aa", "bb", "cc")):
        pending.reserve(1, session(number, mac=mac, line="ether1"), now=100.0)

    assert len(pending.of(1, (), now=100.0)) == 3
    assert len(pending.of(1, (session(9, mac="aa", line="ether1"),), now=100.0)) == 2


def test_a_clock_that_was_put_back_leaves_no_place_taken():
    pending = PendingSessions()
    pending.reserve(1, session(1), now=3700.0)

    assert pending.of(1, (), now=100.0) == ()
