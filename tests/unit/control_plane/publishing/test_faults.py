import structlog

from control_plane.publishing.faults import MAX_NAMED, Faults


def test_a_fault_is_said_once_by_name_and_its_mending_too():
    with structlog.testing.capture_logs() as said:
        faults = Faults()
        faults.note("account", "anna", "bad value")
        faults.note("account", "anna", "bad value")
        faults.note("account", "anna", "another problem")
        faults.mended("account", "anna")
        faults.mended("account", "anna")
        faults.mended("account", "bruno")
    assert [(line["event"], line.get("problem")) for line in said] == [
        ("policy.not_rendered", "bad value"),
        ("policy.not_rendered", "another problem"),
        ("policy.rendered_again", None),
    ]
    assert len(faults) == 0


def test_a_fault_that_all_accounts_share_is_named_so_many_times_and_no_more():
    with structlog.testing.capture_logs() as said:
        faults = Faults()
        for number in range(MAX_NAMED + 50):
            faults.note("account", f"user{number}", "no such attribute")
    assert len(said) == MAX_NAMED + 1
    assert said[-1]["event"] == "policy.more_not_rendered"
