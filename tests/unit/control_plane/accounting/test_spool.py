"""Detail files as FreeRADIUS writes them, whole and torn. The sample was written by FreeRADIUS 3.2.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.accounting.spool import (
    DetailRecord,
    Refused,
    kept,
    read_detail,
    read_octets,
    read_string,
    take_live_file,
    taken_files,
)

SAMPLE = rb"""Sat Nov 21 19:29:14 2026
	Packet-Src-IP-Address = 127.0.0.7
	Packet-Dst-IP-Address = 127.0.0.1
	Packet-Src-Port = 60843
	Packet-Dst-Port = 21813
	Acct-Status-Type = Interim-Update
	Acct-Session-Id = "81%00\"x\\1"
	User-Name = "us\303\250r\377\000a\"b\\c\n\t%"
	Acct-Input-Octets = 4000000000
	Acct-Delay-Time = 5
	Event-Timestamp = "Nov 21 2026 19:29:14 UTC"
	Class = 0x434f31000000000000000000000000000000000000000000000000
	Framed-IPv6-Prefix = 2001:db8:0:1::/64
	Attr-26.99999.3 = 0x68656c6c6f
	Timestamp = 1795289354

"""
SECOND = SAMPLE.replace(b"60843", b"60844")


# Of a value of 253 octets that are no text FreeRADIUS prints 1,022 characters in all, without quote and newline.
LONG = b'\tConnect-Info = "' + (b"\\377" * 253)[:1006]


def numbers(block):
    return [record.attributes["Packet-Src-Port"] for record in block.records if isinstance(record, DetailRecord)]


def test_each_attribute_of_a_record_is_read_as_it_was_printed():
    (record,) = read_detail(SAMPLE, start=100).records

    assert (record.octet, record.end) == (100, 100 + len(SAMPLE))
    assert record.attributes["Acct-Status-Type"] == "Interim-Update"
    assert record.attributes["Acct-Session-Id"] == r'"81%00\"x\\1"'
    assert record.attributes["Framed-IPv6-Prefix"] == "2001:db8:0:1::/64"
    assert record.attributes["Timestamp"] == "1795289354"


@pytest.mark.parametrize("name", [b"Acct-Session-Id", b"Acct-Input-Octets", b"Timestamp"])
def test_an_attribute_behind_a_value_that_was_cut_off_is_read_all_the_same(name):
    (whole,) = read_detail(SAMPLE, start=0).records
    glued = SAMPLE.replace(b"\n\t" + name, b"\n" + LONG + b"\t" + name)

    (record,) = read_detail(glued, start=0).records

    assert {**record.attributes, "Connect-Info": None} == {**whole.attributes, "Connect-Info": None}
    assert record.attributes["Connect-Info"].startswith('"\\377')


def test_of_an_attribute_that_comes_twice_the_first_counts_and_all_are_kept():
    twice = SAMPLE.replace(b"\tClass", b"\tClass = 0x01\n\tClass")

    (record,) = read_detail(twice, start=0).records

    assert record.attributes["Class"] == "0x01"
    assert [value for name, value in record.repeats if name == "Class"][1].startswith("0x434f31")


def test_a_record_without_its_empty_line_is_left_for_the_next_reading():
    block = read_detail(SAMPLE + SECOND[:-1], start=0)

    assert numbers(block) == ["60843"]
    assert block.end == len(SAMPLE)


@given(st.integers(0, len(SAMPLE) - 1))
def test_what_was_cut_anywhere_is_never_a_record_and_the_next_one_is_whole(cut):
    block = read_detail(SAMPLE[:cut] + SECOND, start=0)

    assert numbers(block) == ["60844"]
    assert block.end == cut + len(SECOND)


@given(st.integers(1, len(SAMPLE) - 1), st.integers(0, 3))
def test_marks_between_records_do_not_make_a_cut_one_whole(cut, marks):
    block = read_detail(SAMPLE[:cut] + b"\n" * marks + SECOND + b"\n" * marks, start=0)

    # Cut behind its last digit it has all it said, and the marks are the empty line it lacked.
    whole = ["60843"] if cut + marks >= len(SAMPLE) and cut >= len(SAMPLE) - 2 else []
    assert numbers(block) == [*whole, "60844"]


def test_a_cut_number_at_the_end_is_not_taken_for_a_time():
    cut = SAMPLE[: SAMPLE.index(b"9354")] + b"\n\n"

    (record,) = read_detail(cut, start=0).records

    assert isinstance(record, Refused)
    assert "end is missing" in record.problem


def test_a_mark_over_the_first_letter_of_a_header_does_not_lose_the_record():
    block = read_detail(SAMPLE + b"\n" + SECOND[1:], start=0)

    assert numbers(block) == ["60843", "60844"]


@given(st.lists(st.sampled_from([SAMPLE, SECOND, b"\n", b"\n\n", b"junk", b"\0" * 50]), max_size=8), st.data())
def test_reading_in_pieces_gives_the_records_of_reading_at_once(parts, data):
    text = b"".join(parts) + SAMPLE
    cut = data.draw(st.integers(0, len(text)))

    whole = read_detail(text, start=0)
    first = read_detail(text[:cut], start=0)
    rest = read_detail(text[first.end :], start=first.end)

    assert numbers(first) + numbers(rest) == numbers(whole)
    assert rest.end == whole.end == len(text)


def test_octets_without_end_are_put_aside_instead_of_filling_the_memory():
    block = read_detail(b"x" * 70_000, start=5)

    assert [type(record) for record in block.records] == [Refused]
    assert block.end == 70_005


def test_a_name_that_is_text_is_plain_in_any_script():
    assert read_string('"anna"') == ("anna", True)
    assert read_string('"us\u00e8r"') == ("us\u00e8r", True)
    assert read_string(r'"us\303\250r\"x\\"') == ('us\u00e8r"x\\', True)


def test_a_name_with_control_or_broken_octets_stays_escaped_and_is_nobodys():
    assert read_string(r'"ok\000admin"') == (r"ok\000admin", False)
    assert read_string(r'"ok\377"') == (r"ok\377", False)
    assert read_string(r'"a\nb"') == (r"a\nb", False)


@given(st.binary(max_size=60))
def test_escaping_is_undone_octet_by_octet(octets):
    letters = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\"}
    printed = "".join(letters.get(o, chr(o) if 32 <= o < 127 else f"\\{o:03o}") for o in octets)

    assert read_octets(f'"{printed}"') == octets


def test_what_is_kept_for_a_person_holds_no_nul_and_has_an_end():
    assert kept(b"a\0\xff") == "a\\000\\xff"
    assert len(kept(b"x" * 100_000)) == 65_536


def test_the_live_file_is_renamed_to_a_name_of_its_own_and_an_empty_one_is_left(tmp_path):
    live = tmp_path / "detail"
    live.touch()
    assert take_live_file(live, node="node-1", now_ns=1) is None

    live.write_text("x")
    first = take_live_file(live, node="node-1", now_ns=99)
    live.write_text("y")
    second = take_live_file(live, node="node-1", now_ns=100)
    (tmp_path / "other").touch()

    assert not live.exists()
    assert taken_files(live) == [first, second]
