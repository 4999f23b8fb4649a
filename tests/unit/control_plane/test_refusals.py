"""Words for what the database refuses, as a page says them."""

from __future__ import annotations

import pytest

from control_plane.refusals import without_command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("there is a webhook of this name already: `corrente webhook list`", "there is a webhook of this name already"),
        ("an ended contract needs its end: --ends-on", "an ended contract needs its end"),
        ("the source is a /8: anyone could ask", "the source is a /8: anyone could ask"),
    ],
)
def test_a_page_names_no_command(words, said):
    assert without_command(words) == said
