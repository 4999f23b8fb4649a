"""A device's command line over SSH. Real: OpenSSH's sshd, FRR's vtysh and its bgpd. Stand-ins: the shell that asks, pages and hangs, and peers that are no SSH."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support.ssh_server import PASSWORD, ssh_server

from nas_drivers.cli_dialect import CliStep
from nas_drivers.transport import ssh
from nas_drivers.transport.ssh import (
    SshDevice,
    SshHostKeyError,
    SshLoginError,
    SshUnreachableError,
    fingerprint_of,
    read_offered_key,
)
from nas_drivers.transport.ssh_access import SshAccess

pytestmark = pytest.mark.lab
CLEAR = CliStep("clear session 00000007", question=r"\[y/N\]", answer="y")


@pytest.fixture(scope="module")
def server():
    with ssh_server() as server:
        yield server


@pytest.fixture
def access(server):
    (server.base / "shell" / "gone").unlink(missing_ok=True)
    (server.base / "shell" / "told").unlink(missing_ok=True)
    return SshAccess(1, "127.0.0.1", "stand-in", PASSWORD, server.host_key(), "cisco_ios", server.port, timeout_s=60)


@pytest.fixture
def root_log():
    """All that reaches the root logger, at any level."""
    told, root = [], logging.getLogger()
    before, handler = root.level, logging.Handler()
    handler.emit = told.append
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield told
    root.removeHandler(handler)
    root.setLevel(before)


@contextmanager
def peer_that(behaves):
    """A TCP server, no SSH: `behaves` has each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def serve():
            connection, _ = listening.accept()
            with connection:
                try:
                    behaves(connection, stop)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            thread.join(120)


def drip(connection, stop):
    while not stop.wait(0.05):
        connection.sendall(b"x")


def test_frrs_real_vtysh_behind_real_sshd_answers_one_command_after_the_other(access):
    with SshDevice(replace(access, username="frr-vtysh")) as device:
        first = device.ask("show version")
        second = device.ask("show memory")

    assert first.startswith("FRRouting 8.4.4")
    assert "bgpd" in second
    assert "FRRouting" not in second


def test_real_vtysh_says_in_its_own_words_that_it_does_not_know_a_command(access):
    with SshDevice(replace(access, username="frr-vtysh")) as device:
        assert device.ask("show subscriber session all").startswith("% Unknown command")


def test_real_vtysh_changes_its_prompt_in_its_configuration_and_back(access):
    steps = (CliStep("configure terminal", prompt=r"\(config\)#"), CliStep("exit"), CliStep("show memory bgpd"))

    with SshDevice(replace(access, username="frr-vtysh")) as device:
        answers = device.type_steps(steps)

    assert answers[:2] == ("", "")
    assert "BGP" in answers[2]


def test_the_stand_in_shell_clears_a_session_when_its_question_is_answered(server, access):
    with SshDevice(access) as device:
        answers = device.type_steps((CLEAR, CliStep("show sessions username anna")))

    assert answers[0].endswith("Cleared.")
    assert answers[1] == "00000008 anna 192.0.2.8"
    assert "clear session 00000007" in server.told


def test_a_question_of_the_stand_in_shell_that_was_not_foreseen_is_never_answered(access):
    with (
        SshDevice(replace(access, timeout_s=5)) as device,
        pytest.raises(SshUnreachableError, match=r"no prompt within 5 s; it waits with 'Clear session 00000007"),
    ):
        device.type_steps((CliStep("clear session 00000007"),))

    with SshDevice(access) as device:
        assert "00000007" in device.ask("show sessions username anna")


def test_every_page_of_the_stand_in_shell_is_turned_though_it_pages_whatever_it_is_told(access):
    with SshDevice(access) as device:
        shown = device.ask("show numbers")

    assert shown.split("\n") == [f"number {number}" for number in range(1, 18)]


def test_the_stand_in_shells_other_view_has_another_prompt(access):
    steps = (CliStep("system-view", prompt=r"^\[stand-in\]$"), CliStep("echo inside"), CliStep("quit"))

    with SshDevice(access) as device:
        assert device.type_steps(steps) == ("", "inside", "")


@pytest.mark.parametrize("command", ["hang", "drip"])
def test_the_stand_in_shell_that_hangs_or_sends_an_octet_now_and_then_is_left_in_time(access, command):
    begin = time.monotonic()

    with (
        SshDevice(replace(access, timeout_s=5)) as device,
        pytest.raises(SshUnreachableError, match="no prompt within 5 s"),
    ):
        device.ask(command)

    # Not before, and not when the shell ends, which is ten minutes later or never.
    assert 4.5 < time.monotonic() - begin < 300


def test_several_steps_on_the_stand_in_shell_have_one_limit_together_whatever_each_may_take(access):
    begin = time.monotonic()

    with SshDevice(access, whole_s=6) as device:
        assert device.ask("echo here") == "here"
        with pytest.raises(SshUnreachableError, match="no prompt within the 6 s that all steps have together"):
            device.ask("hang")
        # What comes behind it is not typed, nor does it wait for anything.
        with pytest.raises(SshUnreachableError, match="6 s"):
            device.ask("echo late")

    assert 5.5 < time.monotonic() - begin < 300


def test_after_an_error_the_next_call_opens_another_connection(access):
    with SshDevice(access) as device:
        with pytest.raises(SshUnreachableError, match="closed the connection"):
            device.ask("leave")

        assert device.ask("echo here") == "here"


@pytest.mark.parametrize("behaves", [drip, lambda connection, stop: stop.wait(900)], ids=["drips", "silent"])
def test_a_stand_in_peer_that_is_no_ssh_is_left_in_time_by_login_and_by_learning(access, behaves):
    for call in (
        lambda port: SshDevice(replace(access, port=port, timeout_s=1)).ask("show version"),
        lambda port: read_offered_key("127.0.0.1", port, timeout_s=1),
    ):
        with peer_that(behaves) as port:
            begin = time.monotonic()
            with pytest.raises(SshUnreachableError):
                call(port)
            assert time.monotonic() - begin < 300


def test_nothing_listens_there(access):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SshUnreachableError, match=r"SSH of NAS 1 at 127\.0\.0\.1 port"):
            SshDevice(replace(access, port=taken.getsockname()[1])).ask("show version")


def test_real_sshd_refuses_a_wrong_password_and_no_message_or_log_has_it(access, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    wrong = replace(access, password="wrong-password-9")

    with pytest.raises(SshLoginError, match="login refused for user stand-in") as caught:
        SshDevice(wrong).ask("show version")

    out, err = capfd.readouterr()
    assert "wrong-password-9" not in f"{caught.value}{wrong!r}{caplog.text}{out}{err}"
    assert (out, err) == ("", "")


def test_a_password_that_the_stand_in_shell_shows_is_neither_kept_nor_told_to_the_log(access, root_log):
    with SshDevice(access) as device:
        assert device.ask(f"echo user corrente password {PASSWORD}") == "user corrente password ********"

    assert root_log == []


def test_a_password_in_what_the_stand_in_shell_waits_with_is_not_in_the_message(access):
    with (
        SshDevice(replace(access, timeout_s=5)) as device,
        pytest.raises(SshUnreachableError, match=r"it waits with 'is \*{8} right\?'") as caught,
    ):
        device.ask(f"ask is {PASSWORD} right?")

    assert PASSWORD not in str(caught.value)


def test_a_stand_in_shell_that_floods_is_left_before_its_time_is_over(access, monkeypatch):
    monkeypatch.setattr(ssh, "_SHOWN_MAX", 100_000)
    with (
        SshDevice(replace(access, timeout_s=300)) as device,
        pytest.raises(SshUnreachableError, match="it shows more than 100000 characters"),
    ):
        device.ask("flood")


def test_real_sshd_with_another_key_than_the_confirmed_one_is_told_no_password(server, access):
    offered, trusted = (
        server.host_key(),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"),
    )
    before = (server.base / "sshd.log").read_text()

    with pytest.raises(SshHostKeyError) as caught:
        SshDevice(replace(access, host_key=trusted)).ask("show version")

    # The second is of GitHub's published key, so it is known from elsewhere.
    assert fingerprint_of(offered) in str(caught.value)
    assert "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" in str(caught.value)
    assert "Accepted" not in (server.base / "sshd.log").read_text()[len(before) :]


def test_the_key_that_real_sshd_offers_is_the_one_that_ssh_keygen_made(server):
    assert read_offered_key("127.0.0.1", server.port) == server.host_key()


def test_of_one_device_there_is_one_connection_at_a_time(access):
    other = SshDevice(replace(access, timeout_s=1))
    with SshDevice(access) as device:
        device.ask("echo one")
        with pytest.raises(SshUnreachableError, match="not free within 1 s"):
            other.ask("echo two")

    assert other.ask("echo two") == "two"
    other.close()
