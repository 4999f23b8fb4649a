import os

import pytest

from radius_hooks.login_spool import LoginSpool


def test_lines_are_appended_and_a_rename_is_followed(tmp_path):
    spool = LoginSpool(tmp_path)
    spool.write(b"one\n", now=1.0)
    (tmp_path / "logins").rename(tmp_path / "logins.1")
    spool.write(b"two\n", now=1.05)
    spool.write(b"three\n", now=1.2)

    # Within a tenth of a second the renamed file still takes lines.
    assert (tmp_path / "logins.1").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "logins").read_bytes() == b"three\n"
    assert (tmp_path / "logins").stat().st_mode & 0o777 == 0o640
    spool.close()


def test_a_clock_that_goes_back_does_not_stop_it_from_looking(tmp_path):
    spool = LoginSpool(tmp_path)
    spool.write(b"one\n", now=1000.0)
    (tmp_path / "logins").rename(tmp_path / "logins.1")
    spool.write(b"two\n", now=1.0)

    assert (tmp_path / "logins").read_bytes() == b"two\n"
    spool.close()


def test_a_missing_directory_is_an_error_each_time_and_no_file_is_left_open(tmp_path):
    spool = LoginSpool(tmp_path / "none")
    before = len(os.listdir("/proc/self/fd"))
    for now in (1.0, 1.01, 2.0):
        with pytest.raises(OSError, match="No such file or directory"):
            spool.write(b"x\n", now=now)
    assert len(os.listdir("/proc/self/fd")) == before
    (tmp_path / "none").mkdir()
    spool.write(b"y\n", now=3.0)
    assert (tmp_path / "none" / "logins").read_bytes() == b"y\n"
    spool.close()
