"""corrente nas test by a device's command line. Real: OpenSSH's sshd, FRR's vtysh, the database. A stand-in: the shell that prints
accel-ppp's and IOS-XE's words."""

from __future__ import annotations

import json

import pytest
from support.command_line import KEY, run, write_settings
from support.drift_world import make_drift_world
from support.ssh_server import PASSWORD, ssh_server

from nas_drivers.transport.ssh import fingerprint_of
from radius_hooks.sealing import Sealer, nas_row, nas_ssh_row

pytestmark = [pytest.mark.db, pytest.mark.lab]
ROW = "{} ppp0 {} 192.0.2.7 00:11:22:33:44:55 100000/20000 active 3600\n"
FILE = "[modules]\nradius\npppoe\nshaper\n\n[radius]\nserver=192.0.2.10\n"
LISTS = "authen queue=AAA_ML_AUTHEN_LOGIN\nauthen queue=AAA_ML_AUTHEN_PPP\n  name=default valid=TRUE id=0 :state=ALIVE : {}\n"


@pytest.fixture(scope="module")
def server():
    with ssh_server() as server:
        yield server


@pytest.fixture
def world(connection, server):
    """Accounting has s1, s2 and s3 of user0001 to user0003, heard ten minutes ago; the NAS is an accel-ppp with SSH."""
    made = make_drift_world(connection)
    made.change("UPDATE session SET received_at = now() - interval '10 minutes'")
    made.change(
        "UPDATE nas SET vendor = 'accel_ppp', coa_port = 9, ssh_address = '127.0.0.1', ssh_port = %s, ssh_username = 'stand-in', "
        "sealed_secret = %s, sealed_ssh_password = %s, ssh_host_key = %s",
        server.port,
        Sealer([KEY]).seal(b"its secret", row=nas_row(made.isp.nas)),
        Sealer([KEY]).seal(PASSWORD.encode(), row=nas_ssh_row(made.isp.nas)),
        server.host_key(),
    )
    made.change("UPDATE nas SET source = '127.0.0.1'")
    for name in ("clock_off_s", "configuration", "table", "sessions", "told", "gone"):
        (server.base / "shell" / name).unlink(missing_ok=True)
    return made


@pytest.fixture
def tested(tmp_path, database):
    """What `nas test bras` prints, and its steps: each subject with the verdict and words of its lines."""
    settings = write_settings(tmp_path, database)

    def test():
        done = run(settings, "nas", "test", "bras", "--json")
        found: dict[str, list[tuple[str, str]]] = {}
        for step in json.loads(done.stdout)["steps"]:
            found.setdefault(step["step"], []).append((step["verdict"], step["text"]))
            advice[step["step"]] = step["advice"]
        return found

    advice: dict[str, str] = {}
    test.advice = advice

    return test


def put(server, *, sessions=(("s1", "user0001"), ("s2", "user0002"), ("s3", "user0003")), configuration=FILE, off_s=0):
    shell = server.base / "shell"
    (shell / "table").write_text("".join(ROW.format(*one) for one in sessions))
    (shell / "sessions").write_text(
        "".join(f"{number} {name} 192.0.2.7\n" for number, (_, name) in enumerate(sessions))
    )
    (shell / "configuration").write_text(configuration)
    (shell / "clock_off_s").write_text(str(off_s))


def test_a_device_whose_command_line_shows_what_it_should_passes_each_step_and_nothing_but_printing_is_typed(
    world, server, tested
):
    put(server)
    found = tested()

    assert found["access"] == [("OK", "its command line lets us in, with the host key that is trusted")]
    assert found["clock"][0][0] == "OK"
    assert found["bypass"] == [("OK", "/etc/accel-ppp.conf asks RADIUS alone and has a shaper")]
    assert found["sessions"] == [("OK", "the device lists 3, and they are ours")]
    typed = [line for line in server.told if line and not line.startswith("terminal")]
    assert {line.split()[0] for line in typed} <= {"date", "sed", "accel-cmd"}
    assert "accel-cmd show sessions" in " ".join(typed)


def test_local_passwords_a_slow_clock_and_sessions_of_one_side_are_told_with_what_to_do(world, server, tested):
    put(
        server,
        sessions=(("s1", "user0001"), ("x9", "neighbour")),
        configuration=FILE.replace("radius\n", "chap-secrets\nradius\n", 1),
        off_s=-192,
    )
    found = tested()

    (clock,) = found["clock"]
    assert clock[0] == "WARN"
    assert "3 min 12 s behind ours (by its command line)" in clock[1] or "3 min 13 s behind" in clock[1]
    assert found["bypass"] == [
        ("FAIL", "it asks its module chap-secrets before RADIUS: who stands in that file may log in without it")
    ]
    assert found["sessions"] == [("FAIL", "1 only on the device: neighbour; 2 only in accounting: user0002, user0003")]


def test_a_list_without_ids_is_compared_by_usernames(world, server, tested):
    world.change("UPDATE nas SET vendor = 'cisco_iosxe'")
    put(server, configuration=LISTS.format("SERVER_GROUP CORRENTE LOCAL"))
    found = tested()

    assert found["bypass"] == [("WARN", "the PPP login list default asks local while no RADIUS server answers")]
    assert found["clock"][0][0] == "OK"
    assert found["sessions"] == [
        ("OK", "the device lists 3, and they are ours, by their usernames: its list has no Acct-Session-Id")
    ]


def test_what_a_device_does_not_print_is_told_for_each_step_and_keeps_no_other_from_being_judged(world, server, tested):
    put(server, configuration="sed: can't read /etc/accel-ppp.conf: Permission denied\n")
    found = tested()

    assert found["access"][0][0] == found["clock"][0][0] == found["sessions"][0][0] == "OK"
    assert found["bypass"] == [
        ("WARN", "not checked: `sed 's/,.*//' /etc/accel-ppp.conf`: /etc/accel-ppp.conf was not shown")
    ]


def test_frrs_real_vtysh_knows_none_of_a_ciscos_commands_and_that_is_what_is_said(world, server, tested):
    world.change("UPDATE nas SET vendor = 'cisco_iosxe', ssh_username = 'frr-vtysh'")
    found = tested()

    assert found["access"][0][0] == "OK"
    for step, command in (
        ("clock", None),
        ("bypass", "show aaa method-lists authentication"),
        ("sessions", "show subscriber session"),
    ):
        ((verdict, text),) = found[step]
        assert verdict == "WARN"
        if command is not None:
            assert f"the device refused `{command}`: % Unknown command" in text


def test_a_wrong_password_of_the_command_line_fails_one_step_and_the_others_are_not_judged(world, server, tested):
    world.change(
        "UPDATE nas SET sealed_ssh_password = %s",
        Sealer([KEY]).seal(b"not the password", row=nas_ssh_row(world.isp.nas)),
    )
    found = tested()

    ((verdict, text),) = found["access"]
    assert verdict == "FAIL"
    assert text.startswith("SSH of NAS bras at 127.0.0.1 port")
    assert text.endswith("login refused for user stand-in")
    assert tested.advice["access"].startswith("corrente nas set bras --ssh-user USER --ssh-password-file FILE")
    assert found["bypass"] == [("WARN", "not checked: nobody got in")]
    assert found["sessions"] == [("WARN", "not compared: nobody got in")]


def test_a_host_key_that_has_changed_lets_nobody_in(world, server, tested):
    world.change("UPDATE nas SET ssh_host_key = 'ssh-ed25519 ' || repeat('A', 68)")
    found = tested()

    ((verdict, text),) = found["access"]
    assert verdict == "FAIL"
    assert f"shows host key {fingerprint_of(server.host_key())}" in text
    assert tested.advice["access"].startswith("corrente nas host-key bras shows it; compare it")
    assert server.told == []
    assert found["sessions"] == [("WARN", "not compared: nobody got in")]


def test_what_its_accounting_shows_of_its_clock_counts_where_its_command_line_can_not_be_asked(world, server, tested):
    world.change("UPDATE nas SET ssh_username = NULL, sealed_ssh_password = NULL")
    world.change("INSERT INTO nas_clock (nas_id, source, ahead_s) VALUES (%s, '127.0.0.1', -4000)", world.isp.nas)
    ((verdict, text),) = tested()["clock"]
    assert verdict == "FAIL"
    assert text.startswith("its clock is 1 h 6 min behind ours (by the Event-Timestamp of its accounting")
