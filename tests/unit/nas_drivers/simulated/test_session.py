"""The table of live sessions."""

from support.simulated_sessions import live_session, table_of


def test_sessions_are_found_by_id_and_by_name_until_they_are_removed() -> None:
    one, two = live_session("1", "anna"), live_session("2", "anna")
    table = table_of(one, two)

    assert (table.get("1"), table.of("anna"), len(table)) == (one, (one, two), 2)

    table.remove(one)
    assert (table.get("1"), table.of("anna"), table.all()) == (None, (two,), (two,))
    table.remove(two)
    assert (table.of("anna"), len(table)) == ((), 0)


def test_candidates_are_narrowed_by_id_then_by_name() -> None:
    anna, bruno = live_session("1", "anna"), live_session("2", "bruno")
    table = table_of(anna, bruno)

    assert table.candidates("2", "anna") == (bruno,)
    assert table.candidates("3", "anna") == ()
    assert table.candidates(None, "anna") == (anna,)
    assert table.candidates(None, None) == (anna, bruno)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(live_session("1", "anna").subscriber)


def test_a_session_is_idle_a_timeout_after_its_traffic_has_stopped_and_not_before() -> None:
    # It flows from 0 on.
    session = live_session("1", "anna")
    assert session.idle_at(50.0) is None
    session.idle_timeout_s = 300

    assert session.idle_at(50.0) == 350.0
    session.meter.load(down=0.0, up=0.0, now=200.0)
    assert session.idle_at(350.0) == session.idle_at(499.0) == 500.0
    session.meter.load(down=0.0, up=0.001, now=499.0)
    assert session.idle_at(500.0) == 800.0
