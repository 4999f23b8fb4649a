import pytest

from radius_hooks.line import line_of


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (("olt1 1/2", "ether1", "7"), "olt1 1/2"),
        (("", "ether1", "7"), "ether1"),
        (("", "", "7"), "7"),
        (("", "", ""), ""),
    ],
)
def test_the_line_is_the_circuit_then_the_port_name_then_the_port(said, line):
    assert line_of(*said) == line
