"""What all vendor files say alike."""

from __future__ import annotations

from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute


def test_a_name_without_a_value_is_not_said() -> None:
    assert given_attributes((("Framed-Pool", "homes"), ("Filter-Id", None))) == (
        Attribute("Framed-Pool", ":=", "homes"),
    )


def test_there_is_a_sentence_for_each_thing_that_is_wanted() -> None:
    wanted = (("a burst", 1, ": ask for less"), ("a priority", None, ""), ("a filter", "walled", ""))

    assert cannot_be_told("SR OS", wanted) == (
        "SR OS can't be told a burst by RADIUS: ask for less",
        "SR OS can't be told a filter by RADIUS",
    )
