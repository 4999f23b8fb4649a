"""`corrente nas host-key`: the key that a real sshd shows is learnt by a person's word. The device's shell is a stand-in."""

from __future__ import annotations

import pytest
from support.command_line import run, write_settings
from support.ssh_server import ssh_server

from nas_drivers.transport.ssh import fingerprint_of

pytestmark = [pytest.mark.db, pytest.mark.lab]


@pytest.fixture(scope="module")
def server():
    with ssh_server() as server:
        yield server


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)
    return lambda *arguments: run(settings, *arguments)


def _key(connection):
    connection.rollback()
    return connection.execute("SELECT ssh_host_key FROM nas").fetchone()[0]


def test_a_host_key_is_shown_and_trusted_only_by_its_own_fingerprint(corrente, connection, server):
    corrente("nas", "add", "bras-1", "127.0.0.1", "--vendor", "generic", "--ssh-port", str(server.port))
    fingerprint = fingerprint_of(server.host_key())

    shown = corrente("nas", "host-key", "bras-1")
    refused = corrente("nas", "host-key", "bras-1", "--trust", "SHA256:" + "A" * 43)

    assert shown.exit_code == 0, shown.output
    assert fingerprint in shown.output
    assert "None is trusted yet" in shown.output
    assert refused.exit_code != 0
    assert fingerprint in refused.output
    assert "SHA256:" + "A" * 43 in refused.output
    assert _key(connection) is None

    trusted = corrente("nas", "host-key", "bras-1", "--trust", fingerprint)

    assert trusted.exit_code == 0, trusted.output
    assert _key(connection) == server.host_key()
    assert "It is the one that is trusted" in corrente("nas", "host-key", "bras-1").output


def test_a_host_key_that_has_changed_is_shown_beside_the_trusted_one(corrente, connection, server):
    corrente("nas", "add", "bras-1", "127.0.0.1", "--vendor", "generic", "--ssh-port", str(server.port))
    connection.execute(
        "UPDATE nas SET ssh_host_key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'"
    )
    connection.commit()

    shown = corrente("nas", "host-key", "bras-1")

    assert "NOT the one that is trusted, SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" in shown.output
    assert fingerprint_of(server.host_key()) in shown.output


def test_a_nas_that_does_not_answer_has_no_key_to_trust(corrente, connection):
    corrente("nas", "add", "bras-1", "127.0.0.1", "--vendor", "generic", "--ssh-port", "1")

    done = corrente("nas", "host-key", "bras-1")

    assert done.exit_code != 0
    assert "SSH at 127.0.0.1 port 1" in done.output
    assert _key(connection) is None


def test_the_test_of_a_nas_says_whether_its_command_line_shows_the_trusted_key(corrente, connection, server, tmp_path):
    (tmp_path / "ssh").write_text("its password\n")
    corrente(
        *("nas", "add", "bras-1", "127.0.0.1", "--vendor", "generic", "--ssh-port", str(server.port)),
        *("--ssh-user", "corrente", "--ssh-password-file", str(tmp_path / "ssh")),
    )
    untrusted = corrente("nas", "test", "bras-1").output
    corrente("nas", "host-key", "bras-1", "--trust", fingerprint_of(server.host_key()))
    trusted = corrente("nas", "test", "bras-1").output
    connection.execute("UPDATE nas SET ssh_host_key = 'ssh-ed25519 ' || repeat('A', 68)")
    connection.commit()
    changed = corrente("nas", "test", "bras-1").output

    assert "FAIL  access: its command line is not used" in untrusted
    assert (
        "OK    access: its command line shows the host key that is trusted; nobody logged in: no command of generic is known"
        in trusted
    )
    assert f"FAIL  access: its command line shows host key {fingerprint_of(server.host_key())}" in changed
