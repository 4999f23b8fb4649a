"""Whether the record that was just spooled is whole."""

import os

import pytest
from support.accounting_world import detail

from radius_hooks.accounting_check import AccountingCheck

RECORD = detail("Stop", time=60, octets=(1, 2)).encode()


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "detail"


@pytest.fixture
def check(tmp_path):
    made = AccountingCheck(tmp_path)
    yield made
    made.close()


def append(spool, octets):
    with spool.open("ab") as file:
        file.write(octets)


def refuses(check):
    with pytest.raises(OSError, match="not whole"):
        check.check()
    return True


def test_each_record_is_found_behind_the_one_before(spool, check):
    for _ in range(3):
        append(spool, RECORD)
        check.check()

    assert refuses(check)


@pytest.mark.parametrize("left", [0, 1, 10, 40, len(RECORD) - 2, len(RECORD) - 1])
def test_a_record_that_was_cut_anywhere_or_left_out_is_refused_also_when_there_is_room_again(spool, check, left):
    append(spool, RECORD)
    check.check()
    append(spool, RECORD[:left])

    assert refuses(check)
    append(spool, RECORD)
    check.check()
    assert refuses(check)


def test_a_record_without_its_beginning_is_refused(spool, check):
    """FreeRADIUS writes a long one in pieces, of which the first may have found no room."""
    append(spool, RECORD[100:])

    assert refuses(check)


def test_a_record_whose_last_attribute_was_cut_off_is_whole(spool, check):
    """FreeRADIUS leaves out the newline behind a value that it prints no further."""
    append(spool, RECORD.replace(b"\n\tTimestamp", b'\n\tConnect-Info = "\\377\\3\tTimestamp'))

    check.check()


def test_what_was_there_before_the_start_proves_nothing(tmp_path, spool):
    append(spool, RECORD)
    check = AccountingCheck(tmp_path)

    assert refuses(check)
    append(spool, RECORD)
    check.check()
    check.close()


def test_a_record_is_found_wherever_a_rename_has_left_it(tmp_path, spool, check):
    append(spool, RECORD)
    check.check()
    append(spool, RECORD)
    spool.rename(tmp_path / "detail.1")
    check.check()
    append(tmp_path / "detail.1", RECORD)
    append(spool, RECORD)
    check.check()

    assert refuses(check)


def test_a_renamed_file_is_let_go(tmp_path, spool, check):
    append(spool, RECORD)
    check.check()
    spool.rename(tmp_path / "detail.1")
    append(spool, RECORD)
    check.check()

    assert [path for path in _open_files() if path.startswith(str(tmp_path))] == [str(spool)]


def _open_files():
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return found


def test_records_of_several_threads_are_each_counted_once(spool, check):
    append(spool, RECORD + RECORD + RECORD[:50])
    check.check()
    check.check()

    assert refuses(check)
    append(spool, RECORD[50:])
    check.check()


def test_a_missing_directory_is_told_and_forgotten_when_it_is_back(tmp_path):
    check = AccountingCheck(tmp_path / "spool")
    assert refuses(check)

    (tmp_path / "spool").mkdir()
    append(tmp_path / "spool" / "detail", RECORD)
    check.check()
    check.close()
