"""Barcodes as drawings."""

from __future__ import annotations

import pytest

from billing.papers.errors import PaperError
from billing.papers.symbols import draw_symbol


def test_a_qr_code_has_its_finder_patterns_and_quiet_zone():
    drawn = draw_symbol("qr", "1")

    # Version 1 is 21 modules, with 4 of quiet zone on each side; the finder's first row is 7 dark ones at both ends.
    assert 'viewBox="0 -4 29 29"' in drawn
    assert "M4 0h7v1h-7z" in drawn
    assert "M18 0h7v1h-7z" in drawn
    assert "M4 20h7v1h-7z" in drawn


def test_a_code_128_begins_and_stops_as_its_standard_says():
    drawn = draw_symbol("code128", "4711")

    # Start C is 2 1 1 2 3 2 and the stop 2 3 3 1 1 1 2 modules (ISO/IEC 15417, table 1); behind 10 of quiet zone.
    assert drawn.partition('d="')[2].startswith("M10 0h2v60h-2zM13 0h1v60h-1zM16 0h3v60h-3z")
    assert drawn.endswith('h2v60h-2z"/></svg>')


@pytest.mark.parametrize(("symbology", "text"), [("pigeon", "1"), ("qr", "x" * 4000), ("code128", "\u20ac" * 300)])
def test_what_can_t_be_drawn_is_refused(symbology, text):
    with pytest.raises(PaperError):
        draw_symbol(symbology, text)
