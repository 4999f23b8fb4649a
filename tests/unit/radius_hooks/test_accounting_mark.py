"""The newline that tells whether the record before it is whole."""

import os

import pytest

from radius_hooks.accounting_mark import AccountingMark


@pytest.fixture
def mark(tmp_path):
    made = AccountingMark(tmp_path)
    yield made
    made.close()


def test_a_mark_goes_behind_what_another_writer_has_appended(tmp_path, mark):
    spool = tmp_path / "detail"

    with spool.open("ab", buffering=0) as detail:
        for record in (b"first\n\n", b"second\n\n"):
            detail.write(record)
            mark.write()

    assert spool.read_bytes() == b"first\n\n\nsecond\n\n\n"


def test_a_mark_never_replaces_an_octet_of_a_writer_that_stands_further_back(tmp_path, mark):
    spool = tmp_path / "detail"
    spool.write_bytes(b"old\n\n")

    # What FreeRADIUS's detail module does: it looks for the end, and writes there a moment later.
    with spool.open("r+b", buffering=0) as detail:
        detail.seek(0, os.SEEK_END)
        mark.write()
        detail.write(b"record\n\n")
        mark.write()

    assert spool.read_bytes() == b"old\n\nrecord\n\n\n"


def test_after_a_rename_both_files_are_marked_and_then_only_the_new_one(tmp_path, mark):
    spool, renamed = tmp_path / "detail", tmp_path / "detail.1"
    spool.write_bytes(b"a\n\n")
    mark.write()
    spool.rename(renamed)
    spool.write_bytes(b"b\n\n")

    mark.write()
    mark.write()

    assert renamed.read_bytes() == b"a\n\n\n\n"
    assert spool.read_bytes() == b"b\n\n\n\n"


def test_a_full_disk_is_told(tmp_path, mark):
    (tmp_path / "detail").symlink_to("/dev/full")

    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            mark.write()


def test_a_missing_directory_is_told_and_forgotten_when_it_is_back(tmp_path):
    mark = AccountingMark(tmp_path / "spool")
    with pytest.raises(FileNotFoundError):
        mark.write()

    (tmp_path / "spool").mkdir()
    mark.write()
    mark.close()

    assert (tmp_path / "spool" / "detail").read_bytes() == b"\n"


def test_a_full_disk_is_told_again_after_a_rename(tmp_path, mark):
    spool = tmp_path / "detail"
    spool.write_bytes(b"a\n\n")
    mark.write()
    spool.rename(tmp_path / "detail.1")
    spool.symlink_to("/dev/full")

    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            mark.write()
