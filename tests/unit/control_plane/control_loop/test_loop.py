"""In which order accounts are reconciled that were told of at different moments."""

from control_plane.control_loop.loop import next_portion


def test_one_payment_goes_before_what_is_left_of_a_run_over_thousands():
    waiting = [list(range(1200)), [5000]]

    assert next_portion(waiting) == [5000]
    assert next_portion(waiting) == list(range(500))


def test_a_large_change_is_taken_in_portions_and_none_is_left_behind():
    waiting = [list(range(1200))]

    assert [len(next_portion(waiting)) for _ in range(3)] == [500, 500, 200]
    assert waiting == []
