"""A day's digest is what sha256sum makes of the same octets, and the marks tell which row differs."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.audit_chain import (
    GENESIS,
    Added,
    Changed,
    DayHash,
    Head,
    HeadError,
    Missing,
    differences,
    read_head,
    row_digest,
)

# 2026-01-01 00:00 UTC and a microsecond later.
FIRST = (7, 1767225600000000, "maria", "price.update", "price 3", "command", "7f3a", '{"rows": 1}')
SECOND = (8, 1767225600000001, "job billing", "entry.insert", "entry", None, None, "{}")
# printf '7\0001767225600000000\000maria\000price.update\000price 3\000command\0007f3a\000{"rows": 1}' | sha256sum, and so on.
FIRST_DIGEST = "5b9cda206b8d53db4eb35a177b0680cda73838f7aa2a2794253dd9555ffaa6b1"
SECOND_DIGEST = "75fbbd147671bb9761f5428c079f6a815ab165fc606cb6feb3188aea77e49db0"
DAY_DIGEST = "b1567c9e966625392848601f8f01b6e78ffa6cf5da76b2107da7bcb3015c8ecc"
NEXT_DIGEST = "155ef9a868ffdba32491e8f697458692ddcf27d99ff05054ab0599e7710a0c88"


def _marks(numbers):
    return [(number, hashlib.sha256(str(number).encode()).digest()) for number in numbers]


def _sealed(numbers):
    return b"".join(digest[:8] for _, digest in _marks(numbers))


def test_a_row_s_digest_is_that_of_its_columns_with_zero_octets_between():
    assert row_digest(FIRST).hex() == FIRST_DIGEST
    assert row_digest(SECOND).hex() == SECOND_DIGEST


def test_a_day_s_digest_covers_its_rows_their_number_and_the_day_before():
    day = DayHash(date(2026, 1, 1), GENESIS)
    day.put(FIRST)
    day.put(SECOND)
    sealed = day.seal()
    assert (sealed.rows, sealed.digest.hex()) == (2, DAY_DIGEST)
    assert sealed.marks.hex() == FIRST_DIGEST[:16] + SECOND_DIGEST[:16]

    empty = DayHash(date(2026, 1, 2), sealed.digest).seal()
    assert (empty.rows, empty.digest.hex()) == (0, NEXT_DIGEST)


def test_what_moves_from_one_column_into_the_next_is_another_row():
    moved = (*FIRST[:2], "maria price", ".update", *FIRST[4:])
    joined = (*FIRST[:2], "mariaprice", "", *FIRST[4:])
    assert len({row_digest(row) for row in (FIRST, moved, joined)}) == 3


def test_a_head_is_read_as_it_was_printed():
    head = Head(date(2026, 1, 1), bytes.fromhex(DAY_DIGEST))
    assert str(head) == f"2026-01-01:{DAY_DIGEST}"
    assert read_head(f" 2026-01-01:{DAY_DIGEST.upper()}\n") == head


@pytest.mark.parametrize("text", ["", "2026-01-01", f"2026-02-30:{DAY_DIGEST}", f"2026-01-01:{DAY_DIGEST[1:]}"])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(HeadError, match="is no head of an audit log"):
        read_head(text)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([1, 2, 3, 4, 5], []),
        ([1, 2, 4, 5], [Missing(2)]),
        ([2, 3, 4, 5], [Missing(None)]),
        ([1, 2, 3, 4], [Missing(4)]),
        ([1, 2, 9, 3, 4, 5], [Added(9)]),
        ([1, 2, 3, 4, 5, 9], [Added(9)]),
        ([1, 2, 9, 4, 5], [Changed(9)]),
        ([1, 9, 8, 4, 5], [Changed(9), Changed(8)]),
        ([9, 2, 3, 4, 8], [Changed(9), Changed(8)]),
        ([1, 9, 4, 5], [Changed(9), Missing(9)]),
        ([], [Missing(None)] * 5),
    ],
)
def test_the_marks_tell_which_row_differs(found, told):
    assert list(differences(_sealed([1, 2, 3, 4, 5]), _marks(found))) == told


def test_a_row_that_differs_is_found_among_many_thousands():
    found = [*range(1, 5_001), 99_999, *range(5_001, 20_001)]
    found.remove(15_000)
    assert list(differences(_sealed(range(1, 20_001)), _marks(found))) == [Added(99_999), Missing(14_999)]


@given(st.lists(st.integers(1, 30), max_size=40, unique=True), st.lists(st.integers(1, 30), max_size=40, unique=True))
def test_whatever_differs_is_told_and_nothing_is_told_of_what_is_equal(sealed, found):
    told = list(differences(_sealed(sealed), _marks(found)))
    assert bool(told) == (sealed != found)
    added = sum(isinstance(one, Added) for one in told) - sum(isinstance(one, Missing) for one in told)
    assert len(found) - len(sealed) == added
    # Every row that was not sealed is named.
    assert set(found) - set(sealed) <= {one.row_id for one in told if not isinstance(one, Missing)}
