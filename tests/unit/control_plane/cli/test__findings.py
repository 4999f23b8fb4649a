"""One finding as it is printed."""

from control_plane.cli._findings import print_finding
from control_plane.findings import fail


def test_names_that_a_device_told_have_no_power_over_the_terminal(capsys):
    print_finding(fail("local secrets", "2 users: \x1b[2Janna, \x9bbruno", "remove \x1b]0;x\x07anna"))
    assert capsys.readouterr().out == (
        "FAIL  local secrets: 2 users: \\x1b[2Janna, \\x9bbruno\n      → remove \\x1b]0;x\\x07anna\n"
    )
