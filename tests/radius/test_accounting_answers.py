"""Accounting is answered when the record is in the spool, and only then."""

import os
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from support.radius_packets import ACCT_SESSION_ID, USER_NAME, attribute
from support.radius_server import RadiusServer, account_record, radius_server, server_directory

pytestmark = pytest.mark.radius


def fill(batch):
    batch.put_account("anna", account_record(1))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


def test_each_kind_of_record_is_answered_and_written_with_its_source(server):
    with server.device(accounting=True) as nas:
        for status in (1, 2, 3, 7, 8):
            assert nas.account(status, f"kind-{status}", attribute(USER_NAME, "anna")) is not None

    text = server.accounting_spool.read_text()
    for status, word in ((1, "Start"), (2, "Stop"), (3, "Interim-Update"), (7, "Accounting-On"), (8, "Accounting-Off")):
        record = next(one for one in text.split("\n\n") if f'"kind-{status}"' in one)
        assert f"\tAcct-Status-Type = {word}\n" in record
        assert "\tPacket-Src-IP-Address = 127.0.0.1\n" in record


def test_a_password_that_a_device_repeats_in_accounting_is_not_written(server):
    password = attribute(2, bytes(range(16))) + attribute(3, bytes(range(17)))

    with server.device(accounting=True) as nas:
        assert nas.account(1, "talkative", attribute(USER_NAME, "anna") + password) is not None

    record = next(one for one in server.accounting_spool.read_text().split("\n\n") if '"talkative"' in one)
    assert "Password" not in record


def test_records_of_many_senders_never_tear_each_other(server):
    senders, each = 8, 100

    def send(number):
        with server.device(accounting=True) as nas:
            for count in range(each):
                filler = attribute(ACCT_SESSION_ID + 30, "x" * (count % 200 + 1))
                assert nas.account(3, f"many-{number}-{count}", filler, timeout_s=240) is not None

    threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = [one.lstrip("\n") for one in server.accounting_spool.read_text().split("\n\n") if '"many-' in one]
    assert len(records) == senders * each
    for record in records:
        lines = record.split("\n")
        assert all(line.startswith("\t") and " = " in line for line in lines[1:]), record
        assert lines[-1].startswith("\tTimestamp = ")


def test_a_renamed_spool_is_left_for_a_new_file_without_losing_an_answered_record(server):
    with server.device(accounting=True) as nas:
        for number in range(20):
            renamed = server.accounting_spool.with_name(f"detail.{number}")
            assert nas.account(1, f"rename-{number}") is not None
            server.accounting_spool.rename(renamed)
            assert f'"rename-{number}"' in renamed.read_text()


def test_login_lines_follow_a_rename_too(server):
    with server.device() as nas:
        nas.login("anna", "secret")
        renamed = server.login_spool.with_name("logins.1")
        server.login_spool.rename(renamed)
        before = renamed.read_bytes().count(b"\n")
        deadline = time.monotonic() + 240
        sent = 0
        while not server.login_spool.exists() and time.monotonic() < deadline:
            assert nas.login("anna", "secret") is not None
            sent += 1

    both = renamed.read_bytes().count(b"\n") - before + len(server.logins())
    assert both == sent


def test_without_its_spool_directory_nothing_is_answered_and_everything_after_it_is_back():
    with radius_server(fill) as server, server.device(accounting=True) as nas:
        directory = server.settings.accounting_spool_dir
        moved = directory.with_name("moved")
        directory.rename(moved)
        directory.write_text("not a directory")
        assert nas.account(1, "nowhere", timeout_s=0.5) is None

        directory.unlink()
        moved.rename(directory)
        assert nas.account(1, "somewhere") is not None
        assert '"somewhere"' in server.accounting_spool.read_text()


@pytest.mark.lab
def test_a_full_disk_leaves_records_unanswered_and_logins_answered():
    with server_directory() as base, small_disk(base / "var" / "spool"):
        server = RadiusServer(base, fill)
        try:
            use_it_up(server.start())
            assert server.is_alive()
        finally:
            server.stop()
            server.store.close()


@contextmanager
def small_disk(directory):
    """A file system of 64 KiB there."""
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def use_it_up(server):
    with server.device(accounting=True) as nas, server.device() as login:
        answered = fill_up(server, nas)

        assert login.login("anna", "secret") is not None
        assert 20 < len(answered) < 400
        text = server.accounting_spool.read_text()
        for session in answered:
            assert whole_record(text, session), session

        # Room again, in the moment when the file goes that FreeRADIUS still holds open.
        server.accounting_spool.unlink()
        server.login_spool.unlink(missing_ok=True)
        # The first word finds the old file still held by the hook, which lets go of it; devices send again.
        after = (f"after-{number}" for number in range(10))
        taken = next(session for session in after if nas.account(1, session, timeout_s=5) is not None)
        assert whole_record(server.accounting_spool.read_text(), taken)


def fill_up(server, nas):
    """Send records of every length until several in a row stay unanswered; the sessions that were answered."""
    answered, silent = [], 0
    for number in range(500):
        session = f"full-{number:04d}"
        # While there is room an answer comes, however busy the machine is.
        room = os.statvfs(server.accounting_spool.parent).f_bavail
        filler = attribute(77, "y" * (number * 7 % 250 + 1))
        if nas.account(3, session, filler, timeout_s=120 if room else 3) is None:
            silent += 1
            if silent == 3:
                return answered
        else:
            answered.append(session)
            assert silent == 0, "answered after the disk was full"
    raise AssertionError("the disk never filled")


def whole_record(text, session):
    """Whether the spool holds the record of a session to its last line."""
    found = [one for one in text.split("\n\n") if f'"{session}"' in one]
    return len(found) == 1 and found[0].rpartition("\n")[2].startswith("\tTimestamp = ")
