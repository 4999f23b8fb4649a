"""corrente nas add, commands and test: real database and command line, a simulated device's listener, a stand-in for its API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support.change_devices import SECRET, device
from support.command_line import KEY, run, write_settings
from support.routeros_api_stand_in import StandInRouterOsApi

from radius_hooks.sealing import Sealer, nas_api_row, nas_row

pytestmark = pytest.mark.db

ROOT = Path(__file__).resolve().parents[2]
SEALER = Sealer((KEY,))
ADDRESS = "127.0.61.1"
CLEAN = {
    "/ppp/secret": [],
    "/ip/firewall/filter": [],
    "/ppp/profile": [{"name": "default", "rate-limit": "", "address-list": ""}],
    "/radius/incoming": [{"accept": "true", "port": "0"}],
    "/ppp/aaa": [{"use-radius": "true", "accounting": "true"}],
    "/system/clock": [],
}


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)
    return lambda *arguments, typed=None: run(settings, *arguments, typed=typed)


def _audit(connection):
    connection.rollback()
    return connection.execute("SELECT actor, action, subject, detail FROM audit_log ORDER BY id").fetchall()


# ---------------------------------------------------------------------------------------------- commands


def test_adding_a_nas_prints_what_to_paste_on_it_with_the_secret_that_was_made(corrente):
    done = corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik", "--radius-address", "192.0.2.10")

    assert done.exit_code == 0, done.output
    secret = done.output.split("shown this once: ")[1].strip()
    assert f"/radius add service=ppp address=192.0.2.10 src-address={ADDRESS} secret={secret} " in done.output
    assert "/radius incoming set accept=yes port=3799" in done.output


def test_a_secret_that_was_given_is_not_printed(corrente, tmp_path):
    (tmp_path / "secret").write_text("known-to-the-operator\n")
    done = corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik", "--secret-file", str(tmp_path / "secret"))
    assert done.exit_code == 0, done.output
    assert "secret=PUT-THE-RADIUS-SECRET-HERE " in done.output
    assert "known-to-the-operator" not in done.output


def test_the_commands_are_printed_again_and_the_secret_only_to_who_says_why(corrente, connection):
    made = corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik").output.split("this once: ")[1].strip()

    hidden = corrente("nas", "commands", "tower")
    without_reason = corrente("nas", "commands", "tower", "--show-secret", "--reason", " ")
    shown = corrente("nas", "commands", "tower", "--show-secret", "--reason", "new board")

    assert (hidden.exit_code, made in hidden.output) == (0, False)
    assert (without_reason.exit_code, made in without_reason.output) == (1, False)
    assert (shown.exit_code, f"secret={made} " in shown.stdout) == (0, True)
    assert [row for row in _audit(connection) if row[1] == "nas.reveal_secret"] == [
        ("maria", "nas.reveal_secret", "tower", {"reason": "new board"})
    ]


def test_a_pool_that_no_command_line_takes_is_left_out_and_told(corrente):
    corrente("profile", "add", "Home", "--rate", "10M/1M", "--ipv4-pool", "pool 1", "--address-list", "walled")
    done = corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik")
    assert done.exit_code == 0, done.output
    assert "left out: 'pool 1'" in done.output
    assert "src-address-list=walled" in done.output


def test_a_portal_is_asked_for_only_where_it_would_be_printed_and_the_page_of_the_vendor_is_named(corrente):
    corrente("profile", "add", "Home", "--rate", "10M/1M", "--address-list", "walled")
    router = corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik").output
    other = corrente("nas", "add", "edge", "127.0.0.99", "--vendor", "zte").output
    with_it = corrente("nas", "commands", "tower", "--portal-address", "203.0.113.9").output

    assert "reaches no portal: corrente nas commands tower --portal-address ADDRESS prints them with one" in router
    assert "docs/drivers/mikrotik.md says what else only you know" in router
    assert "portal" not in other
    assert "docs/drivers/zte.md says what else only you know, and what is UNCONFIRMED on a real device" in other
    assert "reaches no portal" not in with_it


def test_a_secret_for_changes_is_taken_back_and_the_radius_secret_holds_again(corrente, connection, tmp_path):
    (tmp_path / "coa").write_text("a-secret-of-its-own\n")
    corrente("nas", "add", "tower", ADDRESS, "--vendor", "mikrotik", "--coa-secret-file", str(tmp_path / "coa"))
    both = corrente("nas", "set", "tower", "--no-coa-secret", "--coa-secret-file", str(tmp_path / "coa"))
    before = connection.execute("SELECT sealed_coa_secret IS NULL FROM nas").fetchone()
    done = corrente("nas", "set", "tower", "--no-coa-secret")

    assert (both.exit_code, "--no-coa-secret excludes --coa-secret-file" in both.output, before) == (2, True, (False,))
    assert (done.exit_code, done.output) == (0, "Changed NAS tower: coa secret.\n")
    assert connection.execute("SELECT sealed_coa_secret IS NULL FROM nas").fetchone() == (True,)


def test_a_group_has_commands_for_each_of_its_devices(corrente):
    added = corrente("nas", "add", "towers", "10.1.0.0/16", "--vendor", "mikrotik", "--radius-address", "192.0.2.10")
    one = corrente("nas", "commands", "towers", "--device", "10.1.0.7", "--radius-address", "192.0.2.10")

    assert added.exit_code == 0, added.output
    assert "corrente nas commands towers --device ADDRESS" in added.output
    assert "src-address=10.1.0.7" in one.output


def test_without_a_terminal_what_is_missing_is_named_and_nothing_is_added(corrente, connection):
    done = corrente("nas", "add", "tower")
    assert (done.exit_code, "missing SOURCE, --vendor" in done.output) == (2, True)
    assert connection.execute("SELECT count(*) FROM nas").fetchone() == (0,)


def answering(tmp_path, database, answers):
    """`corrente nas add` at a terminal: each question with what is typed then. What was shown, and the exit code."""
    settings = write_settings(tmp_path, database)
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "CORRENTE_SECRETS_KEY": base64.b64encode(KEY).decode(),
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
    }
    # With the terminal as its own, so that Ctrl-C reaches it.
    child = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "control_plane", "--settings", str(settings), "nas", "add"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    try:
        shown, looked_at = "", 0
        for question, answer in answers:
            while question not in shown[looked_at:]:
                more = _read(ours, shown)
                assert more, f"no {question!r} in {shown}"
                shown += more
            looked_at = shown.index(question, looked_at) + len(question)
            os.write(ours, answer.encode())
        # A Ctrl-C between the question and Python's read is seen at the next key alone: a person presses it again, and so do we.
        while more := _read(ours, shown):
            shown += more
            if more.endswith("^C") and not select.select([ours], [], [], 1)[0]:
                os.write(ours, b"\x03")
        return shown, child.wait(120)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _read(terminal: int, before: str) -> str:
    """What is shown next; empty when whoever shows has ended."""
    assert select.select([terminal], [], [], 60)[0], before
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""


FIRST = [("Its name", "tower\n"), ("address it sends from", f"{ADDRESS}\n")]
NO_SECRET = ("already", "n\n")


def test_at_a_terminal_a_router_is_asked_for_whole_with_a_user_of_its_api(tmp_path, database, connection):
    shown, code = answering(
        tmp_path, database, [*FIRST, ("Vendor", "mikrotik\n"), NO_SECRET, ("A user for that", "y\n")]
    )

    assert code == 0, shown
    row = connection.execute("SELECT name, host(source), vendor, api_username, sealed_api_password FROM nas").fetchone()
    assert row[:4] == ("tower", ADDRESS, "mikrotik", "corrente")
    password = SEALER.open(row[4], row=nas_api_row(1)).decode()
    assert f"/user add name=corrente group=corrente address=127.0.0.1 password={password}" in shown.replace("\r\n", "")
    assert (
        "1. pin the certificate that the last command shows: `corrente nas set tower --api-certificate SHA256`" in shown
    )
    assert "3. see which part works: `corrente nas test tower`" in shown


def test_at_a_terminal_a_device_that_signs_nothing_is_taken_so_and_its_host_key_comes_next(
    tmp_path, database, connection
):
    shown, code = answering(
        tmp_path,
        database,
        [
            *FIRST,
            ("Vendor", "vyos\n"),
            NO_SECRET,
            ("no Message-Authenticator", "\n"),
            ("A user for that", "corrente\n"),
        ],
    )

    assert code == 0, shown
    assert connection.execute("SELECT require_message_authenticator, ssh_username FROM nas").fetchone() == (
        False,
        "corrente",
    )
    assert "set system login user corrente authentication plaintext-password" in shown
    assert "Then: 1. trust its host key: `corrente nas host-key tower`" in shown
    assert "so none of its requests is answered" not in shown


def test_at_a_terminal_a_wrong_answer_is_asked_again_and_who_wants_no_second_way_in_has_none(
    tmp_path, database, connection
):
    shown, code = answering(
        tmp_path,
        database,
        [
            ("Its name", "tower 1\n"), ("letters, digits", ""), ("Its name", "tower\n"), ("address it sends from", "nowhere\n"),
            ("address it sends from", f"{ADDRESS}\n"), ("Vendor", "juniper\n"), ("Vendor", "juniper_mx\n"), NO_SECRET,
            ("A user for that", "no\n"),
        ],
    )  # fmt: skip

    assert code == 0, shown
    assert connection.execute("SELECT name, vendor, ssh_username FROM nas").fetchall() == [
        ("tower", "juniper_mx", None)
    ]
    assert "Then: 1. let one subscriber log in" in shown


def test_ctrl_c_at_a_question_adds_nothing(tmp_path, database, connection):
    shown, code = answering(tmp_path, database, [*FIRST, ("Vendor", "\x03")])
    assert code != 0
    assert "Traceback" not in shown
    assert connection.execute("SELECT count(*) FROM nas").fetchone() == (0,)


def test_requests_that_would_be_dropped_for_want_of_a_signature_are_told_of_with_the_command(corrente):
    added = corrente("nas", "add", "tower", ADDRESS, "--vendor", "vyos")
    signed = corrente("nas", "add", "other", "127.0.61.2", "--vendor", "accel_ppp")
    printed = corrente("nas", "commands", "tower")
    corrente("nas", "set", "tower", "--no-require-message-authenticator")

    words = "corrente nas set tower --no-require-message-authenticator"
    assert words in added.output
    assert words in printed.output
    assert "Message-Authenticator" not in signed.output
    assert words not in corrente("nas", "commands", "tower").output


# -------------------------------------------------------------------------------------------------- test


@contextmanager
def tower(*, listens=True, strict=False):
    """A device's change listener and the stand-in for its API, in a loop of their own; one session, Anna's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="device")
    thread.start()
    one = device(ADDRESS, vendor="mikrotik", strict=strict)
    api = StandInRouterOsApi(one.sessions, one.sessions.remove)
    api.settings = {path: list(rows) for path, rows in CLEAN.items()}
    standing = api.listening(ADDRESS)

    async def start():
        await standing.__aenter__()
        if listens:
            one.listener.open()

    async def stop():
        one.listener.close()
        await standing.__aexit__(None, None, None)

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        if listens:
            api.settings["/radius/incoming"] = [{"accept": "true", "port": str(one.listener.port)}]
        yield one, api
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def add_tower(connection, one, api, *, port=None, secret=SECRET):
    connection.execute(
        "INSERT INTO nas (id, name, source, vendor, sealed_secret, coa_port, api_port, api_tls, api_username, sealed_api_password) "
        "OVERRIDING SYSTEM VALUE VALUES (7, 'tower', %s, 'mikrotik', %s, %s, %s, false, 'corrente', %s)",
        (
            ADDRESS,
            SEALER.seal(secret, row=nas_row(7)),
            port or one.listener.port,
            api.port,
            SEALER.seal(b"api password", row=nas_api_row(7)),
        ),
    )
    connection.commit()


def add_traffic(connection, *, session_id="81000001", username="anna"):
    """A login half a minute ago, and a session with a record since."""
    now = datetime.now(UTC)
    connection.execute("SELECT make_month(current_date)")
    connection.execute(
        "INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, nas_id, source) "
        "VALUES (%s, %s, 'accept', 'full', %s, 7, %s)",
        (now - timedelta(seconds=30), os.urandom(16), username, ADDRESS),
    )
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, started_at, updated_at, received_at, session_time_s, "
        "octets_in, octets_out, counter_in, counter_out, interim_interval_s, addresses_since) "
        "VALUES (%s, 7, %s, %s, %s, %s, %s, 10, 0, 0, 0, 0, 300, %s)",
        (uuid4(), session_id, username, *[now - timedelta(seconds=20)] * 4),
    )
    connection.commit()


def steps_of(done):
    return {one["step"]: one["verdict"] for one in json.loads(done.stdout)["steps"]}


def test_a_device_that_works_passes_every_step_and_keeps_its_session(corrente, connection):
    with tower(strict=True) as (one, api):
        add_tower(connection, one, api)
        add_traffic(connection)
        now = datetime.now(UTC)
        api.settings["/system/clock"] = [{"date": f"{now:%Y-%m-%d}", "time": f"{now:%H:%M:%S}", "gmt-offset": "+00:00"}]
        done = corrente("nas", "test", "tower", "--json")

        assert done.exit_code == 0, done.output
        # Without TLS the password is told in clear.
        assert steps_of(done) == {
            "reachable": "OK",
            "secret": "OK",
            "login": "OK",
            "accounting": "OK",
            "changes": "OK",
            "access": "WARN",
            "clock": "OK",
            "bypass": "OK",
            "sessions": "OK",
        }
        assert one.done == []
        assert one.statistics.changes_answered.total() == 1
        assert len(one.sessions) == 1
        assert {command.rpartition("/")[2] for command in api.commands} == {"print"}


def test_a_device_that_was_only_added_fails_and_is_told_what_to_do(corrente, connection):
    with tower(listens=False) as (one, api):
        add_tower(connection, one, api, port=9)
        api.password = "another"
        done = corrente("nas", "test", "tower")

    assert done.exit_code == 1
    assert f"FAIL  reachable: nothing came from {ADDRESS} in the last day" in done.output
    assert "WARN  secret: not known" in done.output
    assert f"FAIL  changes: nothing listens on {ADDRESS} port 9" in done.output
    assert "FAIL  access: RouterOS API of NAS tower at" in done.output
    assert "login refused" in done.output
    assert "3 to put right." in done.output
    assert "→ paste what `corrente nas commands tower` prints" in done.output


def test_a_wrong_secret_shows_in_the_servers_log_and_in_the_answer_to_a_change(corrente, connection, tmp_path):
    log = tmp_path / "var" / "log" / "authentication.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        f"{datetime.now():%a %b %d %H:%M:%S %Y} : Info: Dropping packet without response because of error: Received packet "
        f"from {ADDRESS} with invalid Message-Authenticator!  (Shared secret is incorrect.) (from client tower)\n"
    )
    with tower() as (one, api):
        add_tower(connection, one, api, secret=b"not the device's secret")
        done = corrente("nas", "test", "tower")

    assert "FAIL  secret: packets signed with another secret were dropped" in done.output
    # The device drops what is signed with another secret, so that its silence says nothing by itself.
    assert "WARN  changes: not judged before `secret` is right: 127.0.61.1 port" in done.output


def test_what_bypasses_radius_and_sessions_of_nobody_are_found_by_the_api(corrente, connection):
    with tower() as (one, api):
        add_tower(connection, one, api)
        api.settings["/ppp/secret"] = [{"name": "backdoor", "service": "pppoe", "disabled": "false"}]
        api.settings["/ip/firewall/filter"] = [{"action": "fasttrack-connection", "disabled": "false"}]
        api.settings["/system/clock"] = [{"date": "2020-01-01", "time": "00:00:00", "gmt-offset": "+00:00"}]
        done = corrente("nas", "test", "tower")

    assert "FAIL  bypass: 1 local secrets log in without RADIUS: backdoor" in done.output
    assert "FAIL  bypass: 1 FastTrack rules" in done.output
    assert "FAIL  clock: " in done.output
    assert "FAIL  sessions: 1 only on the device: anna" in done.output


def test_while_everything_is_stopped_no_packet_leaves(corrente, connection):
    with tower() as (one, api):
        add_tower(connection, one, api)
        corrente("stop", "--reason", "maintenance of the core", "--yes")
        done = corrente("nas", "test", "tower")
        assert "WARN  changes: not asked: `corrente stop` holds all that is sent" in done.output
        assert (one.statistics.changes_answered.total(), one.statistics.changes_dropped.total()) == (0, 0)


def test_a_nas_that_is_not_there_is_named(corrente):
    done = corrente("nas", "test", "towr")
    assert (done.exit_code, "there is no NAS 'towr'" in done.output) == (1, True)


@pytest.mark.parametrize("module", ["click", "control_plane.settings", "control_plane.cli._nas_check", "paramiko"])
def test_ctrl_c_while_a_command_is_still_loading_ends_it_with_the_same_code(tmp_path, module):
    settings = write_settings(tmp_path, "host=/nowhere dbname=none")
    child = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "control_plane", "--settings", str(settings), "nas", "test", "tower"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path, text=True,
        env={**os.environ, "CORRENTE_SECRETS_KEY": base64.b64encode(KEY).decode(), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stderr is not None
    try:
        # Each line names a module that has just been loaded.
        assert any(line.split("|")[-1].strip() == module for line in child.stderr), "it loads something else"
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
        assert (child.wait(120), "Traceback" in said) == (130, False), said[-2000:]
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def test_ctrl_c_ends_a_test_at_once_with_what_was_seen_and_a_code_of_its_own(tmp_path, database, connection):
    settings = write_settings(tmp_path, database)
    with socket.create_server((ADDRESS, 0)) as silent:
        connection.execute(
            "INSERT INTO nas (id, name, source, vendor, sealed_secret, coa_port, ssh_port, ssh_username, sealed_ssh_password, ssh_host_key) "
            "OVERRIDING SYSTEM VALUE VALUES (7, 'tower', %s, 'generic', %s, 9, %s, 'corrente', %s, 'ssh-ed25519 ' || repeat('A', 68))",
            (ADDRESS, SEALER.seal(SECRET, row=nas_row(7)), silent.getsockname()[1], bytes(40)),
        )
        connection.commit()
        child = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(settings), "nas", "test", "tower"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True,
            env={**os.environ, "CORRENTE_SECRETS_KEY": base64.b64encode(KEY).decode(), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            silent.settimeout(60)
            asked, _ = silent.accept()
            with asked:
                child.send_signal(signal.SIGINT)
                shown, said = child.communicate(timeout=120)
        finally:
            child.kill()
            child.wait()

    assert (child.returncode, "Traceback" in said) == (130, False), said
    assert f"FAIL  changes: nothing listens on {ADDRESS} port 9" in shown
    assert "access" not in shown
    assert "Stopped; what stands above was seen." in said
