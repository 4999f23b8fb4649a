"""Where a Disconnect has no effect the session is ended by the device's command line. Real: OpenSSH's sshd, FRR's vtysh. A
stand-in: the shell that shows and clears sessions as IOS XE's command reference prints it; it speaks for the simulated device."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.enforcement_world import enforcement_world, working
from support.radius_server import SEALER
from support.ssh_server import PASSWORD, SshServer, ssh_server

from control_plane.control_loop.cli_calls import CliCall, CliCaller
from nas_drivers.policy import SessionIdentity
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.transport.ssh_access import SshAccess
from nas_drivers.vendors.cisco_iosxe import CiscoIosXeCli
from radius_hooks.sealing import nas_ssh_row

pytestmark = [pytest.mark.radius, pytest.mark.db, pytest.mark.lab]
CHANGES = frozenset({Traffic.COA, Traffic.DISCONNECT})
STATES = "SELECT state::text, method::text, alarmed_at IS NOT NULL FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture(scope="module")
def server():
    with ssh_server() as server:
        yield server


@contextmanager
def with_command_line(world: Any, server: SshServer, *, user: str = "stand-in", key: str = "") -> Iterator[None]:
    """The NAS is an IOS XE by name, and its command line the server's; a session cleared there ends on the simulated device."""
    shell, stop = server.base / "shell", threading.Event()
    for name in ("gone", "told", "sessions"):
        (shell / name).unlink(missing_ok=True)
    world.execute(
        "UPDATE nas SET vendor = 'cisco_iosxe', ssh_address = '127.0.0.1', ssh_port = %s, ssh_username = %s, "
        "sealed_ssh_password = %s, ssh_host_key = nullif(%s, 'none')",
        server.port,
        user,
        SEALER.seal(PASSWORD.encode(), row=nas_ssh_row(1)),
        key or server.host_key(),
    )

    def follow() -> None:
        while not stop.wait(0.02):
            gone = (shell / "gone").read_text().split() if (shell / "gone").exists() else []
            ended = [one for one in world.tell(world.nas.sessions.all) if _number(one) in gone]
            if ended:
                world.do(world.nas.hang_up(ended))

    follower = threading.Thread(target=follow, name="stand-in")
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join(120)


def _number(session: Any) -> str:
    return str(session.nas_port)


def list_sessions(world: Any, server: SshServer, *, but: str = "") -> None:
    """The shell shows what is online on the simulated device, `but` for one subscriber."""
    online = [one for one in world.tell(world.nas.sessions.all) if one.subscriber.username != but]
    rows = [f"{_number(one)} {one.subscriber.username} {one.address}\n" for one in online]
    (server.base / "shell" / "sessions").write_text("".join(rows))


def test_a_device_that_refuses_disconnects_is_told_by_its_command_line_a_stand_in_behind_real_sshd(database, server):
    with (
        enforcement_world(database, vendor="generic") as world,
        with_command_line(world, server),
        working(world),
    ):
        world.dial("anna", "bruno")
        list_sessions(world, server)
        number = _number(world.session("anna"))
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "cli", True)]
        assert world.execute("SELECT username FROM session") == [("bruno",)]
        assert len(world.nas.sessions.of("bruno")) == 1
        packets = world.execute(
            "SELECT direction, peer, attributes FROM enforcement_packet WHERE code = 0 ORDER BY at, direction DESC"
        )
        show, clear = "show subscriber session username anna", f"clear subscriber session uid {number}"
        assert [way for way, _, _ in packets] == ["sent", "received", "sent", "received"]
        assert {peer for _, peer, _ in packets} == {f"127.0.0.1:{server.port}"}
        assert [words for way, _, words in packets if way == "sent"] == [f"command = {show}", f"command = {clear}"]
        assert f"UID: {number}" in packets[1][2]
        assert [line for line in server.told if line and not line.startswith("terminal")] == [show, clear]


def test_a_session_that_the_device_does_not_list_is_cut_by_nothing_not_even_by_its_username(database, server):
    with (
        enforcement_world(database, vendor="generic") as world,
        with_command_line(world, server),
        working(world),
    ):
        world.dial("anna", "bruno")
        # Anna's line is gone on the device, and nobody told us; the command line knows bruno alone.
        list_sessions(world, server, but="anna")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for(CLOSED)
        # It is not there, which is what was wanted; and a list is not looked through twice.
        assert world.execute("SELECT state::text, method::text, error_cause, problem FROM enforcement") == [
            ("verified", "cli", 503, "the device has no such session")
        ]
        assert len([line for line in server.told if line.startswith("show subscriber session")]) == 1
        assert [line for line in server.told if line.startswith("clear")] == []
        world.wait_for("SELECT count(*) = 1 FROM session")
        assert world.execute("SELECT username FROM session") == [("bruno",)]


@pytest.mark.parametrize("lines", [0, 1])
def test_a_worker_whose_lease_is_over_types_no_further_line_on_the_stand_in(server, lines):
    (server.base / "shell" / "sessions").write_text("7 anna 192.0.2.7\n")
    (server.base / "shell" / "told").unlink(missing_ok=True)
    access = SshAccess(1, "127.0.0.1", "stand-in", PASSWORD, server.host_key(), "cisco_xe", server.port, timeout_s=10)
    call = CliCall(access, CiscoIosXeCli(), SessionIdentity("anna", "0000001A"))
    # Asked when its turn has come, and then before each line.
    answers = iter([True, *[True] * lines, False])

    async def story():
        caller = CliCaller()
        try:
            return await caller.end_session(call, on_packet=lambda packet: None, may_leave=lambda: next(answers))
        finally:
            caller.close()

    assert asyncio.run(story()) is None
    assert [line for line in server.told if "session" in line] == ["show subscriber session username anna"][:lines]


def test_a_command_that_real_vtysh_refuses_is_said_in_its_words_and_nothing_more_is_typed(database, server):
    with (
        enforcement_world(database, vendor="generic") as world,
        with_command_line(world, server, user="frr-vtysh"),
        working(world),
    ):
        world.dial("anna")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for("SELECT bool_or(problem ~ 'refused .show subscriber') FROM enforcement")
        assert world.execute("SELECT problem ~ 'Unknown command' FROM enforcement") == [(True,)]
        assert world.execute("SELECT count(*) FROM session") == [(1,)]
        assert world.execute("SELECT count(*) FROM enforcement_packet WHERE attributes ~ 'clear'") == [(0,)]


def test_a_device_with_a_changed_host_key_real_sshd_is_told_nothing(database, server):
    with (
        enforcement_world(database, vendor="generic") as world,
        with_command_line(world, server, key=OTHER_KEY),
        working(world),
    ):
        world.dial("anna")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for("SELECT bool_or(problem ~ 'shows host key SHA256:.* was confirmed') FROM enforcement")
        assert server.told == []
        assert world.execute("SELECT count(*) FROM session") == [(1,)]


def test_without_a_trusted_host_key_the_command_line_is_no_method(database, server):
    with (
        enforcement_world(database, vendor="generic") as world,
        with_command_line(world, server, key="none"),
        working(world),
    ):
        world.dial("anna")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("gave_up", "disconnect", True)]
        assert server.told == []
