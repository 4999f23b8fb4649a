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
