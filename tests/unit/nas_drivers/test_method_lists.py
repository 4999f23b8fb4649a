"""What a list of ways to log in lets past RADIUS."""

import pytest

from nas_drivers.method_lists import MethodList, list_faults


@pytest.mark.parametrize(
    ("ways", "found"),
    [
        (["radius"], []),
        (["radius", "radius"], []),
        (["radius", "local"], [(False, "l asks local while no RADIUS server answers")]),
        (["radius", "none"], [(True, "l lets everybody in while no RADIUS server answers (none)")]),
        (["local", "radius"], [(True, "l asks local before RADIUS")]),
        (["local"], [(True, "l asks local instead of RADIUS")]),
        (["none"], [(True, "l lets everybody in (none)")]),
        (["radius", "local", "none"], [(False, "l asks local while no RADIUS server answers"), (True, "l lets everybody in while no RADIUS server answers (none)")]),
    ],
)  # fmt: skip
def test_what_stands_before_radius_is_asked_instead_and_what_stands_behind_in_an_outage(ways, found):
    faults = list_faults([MethodList("l", ways)], ours=("radius",), nobody=("none",), advice="mend it")
    assert [(one.grave, one.text) for one in faults] == found
    assert {one.advice for one in faults} <= {"mend it"}
