"""`corrente up` as a person uses it: started, disturbed, stopped, started again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.up_process import ROOT, Up, temporary_home, wait_until

pytestmark = [pytest.mark.radius, pytest.mark.db, pytest.mark.slow]
MONTHS = "audit_log WHERE action = 'demo.month_billed'"
PROCESSES = ("postgres", "authentication", "accounting", "edge", "worker", "web", "devices")


@pytest.fixture
def home():
    with temporary_home() as made:
        yield made


def page(port, path):
    """Status and text of a page of a process of ours; status 0 while nothing listens, or hangs up on a busy machine."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@pytest.mark.timeout(1800)
def test_the_demo_runs_survives_the_death_of_each_process_and_keeps_its_data(home):
    up = Up(home)
    up.wait_for("Ready: RADIUS")
    wait_until(lambda: home.count("login_attempt WHERE outcome = 'accept'") >= 20, seconds=240, what="20 logins")
    wait_until(lambda: home.count("session") >= 20, seconds=240, what="20 sessions")
    assert home.count("customer") == 2000
    ports = json.loads((home.state / "run" / "ports.json").read_text())
    for name in ("web", "worker", "edge"):
        wait_until(lambda name=name: page(ports[name], "/ready")[0] == 200, seconds=120, what=f"{name} ready")
    # All count into one directory; each process shows its own, the web process all of them.
    shipped = "corrente_accounting_records_total{"
    # What was merged is counted a moment after its commit.
    for name in ("edge", "web"):
        wait_until(lambda name=name: shipped in page(ports[name], "/metrics")[1], seconds=120, what=f"{name}'s figures")
    assert shipped not in page(ports["worker"], "/metrics")[1]
    assert "corrente_worker_leads 1.0" in page(ports["worker"], "/metrics")[1]
    assert "corrente_leader 1.0" in page(ports["web"], "/metrics")[1]

    for name in PROCESSES:
        killed = wait_until(lambda name=name: home.pid_of(name), seconds=120, what=f"{name} running")
        os.kill(killed, signal.SIGKILL)
        up.wait_for(f"{name} died (terminated by SIGKILL)")
        wait_until(
            lambda name=name, killed=killed: home.pid_of(name) not in {None, killed}, seconds=240, what=f"{name} again"
        )
        wait_until(lambda: not home.orphans(), seconds=120, what=f"the end of what {name} left behind")
    # The devices booted anew; what was online before is closed, and everybody dials again.
    seen = wait_until(lambda: max(home.count("login_attempt"), 0), seconds=240, what="the database")
    wait_until(lambda: home.count("login_attempt") > seen + 20, seconds=240, what="logins after all that")

    # The database died under the year of bills as well, which went on.
    wait_until(lambda: home.count(MONTHS) >= 1, seconds=240, what="a month of bills")
    assert up.stop() == 0, up.said
    assert "Stopped in" in up.said
    assert home.processes() == {}

    again = Up(home)
    again.wait_for("Ready: RADIUS", seconds=120)
    assert "Making a private PostgreSQL" not in again.said
    assert "sign in as admin" not in again.said
    assert home.count("customer") == 2000
    assert home.count("login_attempt") > seen
    months = home.count(MONTHS)
    assert months >= 1
    wait_until(lambda: home.count(MONTHS) >= min(months + 1, 12), seconds=240, what="another month of bills")
    assert again.stop(signal.SIGTERM) == 0
    assert home.processes() == {}


@pytest.mark.timeout(1800)
def test_what_a_killed_start_left_behind_does_not_stop_the_next_one(home):
    first = Up(home, "--empty")
    first.wait_for("Ready: RADIUS")
    first.process.kill()
    first.process.wait()
    assert home.processes() != {}

    second = Up(home, "--empty")
    second.wait_for("An earlier start had not ended")
    second.wait_for("Ready: RADIUS")
    assert home.count("customer") == 0
    assert home.pid_of("devices") is None

    supervisor = int((home.state / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    second.wait_for("The supervisor died: starting everything again")
    wait_until(lambda: home.pid_of("authentication"), seconds=240, what="FreeRADIUS again")
    wait_until(lambda: home.count("customer") == 0, seconds=240, what="the database again")

    assert second.stop() == 0
    assert home.processes() == {}


def supervised(home):
    """Our processes by name. PostgreSQL's own children are left out: they come and go."""
    return {name: pid for name in PROCESSES if (pid := home.pid_of(name))}


def test_a_second_start_beside_the_first_is_refused_and_disturbs_nothing(home):
    first = Up(home, "--empty")
    first.wait_for("Ready: RADIUS")
    before = supervised(home)
    assert before.keys() == {*PROCESSES} - {"devices"}
    second = Up(home, "--empty")
    assert second.process.wait(timeout=120) == 1
    assert f"runs already for {home.state} (process {first.process.pid})" in second.said
    assert supervised(home) == before
    assert first.stop() == 0


def test_a_stop_in_the_middle_of_a_start_leaves_nothing_running(home):
    up = Up(home)
    up.wait_for("Loading schema.sql")
    assert up.stop(signal.SIGTERM) == 0
    assert home.processes() == {}
    again = Up(home, "--empty")
    again.wait_for("Ready: RADIUS")
    assert again.stop() == 0


def test_a_secrets_key_and_the_first_password_are_written_nowhere_and_the_edge_has_no_key(home):
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    up = Up(home, "--empty", CORRENTE_SECRETS_KEY=key)
    up.wait_for("Ready: RADIUS")
    knowing = {name for name in PROCESSES if (pid := home.pid_of(name)) and key in environment_of(pid)}
    password = re.findall(
        r"Console http://127\.0\.0\.1:\d+/: sign in as admin with ([a-z0-9-]{19}), which is not shown again", up.said
    )
    secrets = [key.encode(), password[0].encode()]
    files = [
        path for path in home.state.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in secrets)
    ]
    assert up.stop() == 0
    assert len(password) == 1
    assert knowing == {"authentication", "accounting", "worker", "web"}
    assert files == []


def test_a_database_whose_secrets_were_sealed_with_another_key_is_not_served(home):
    up = Up(home, "--empty")
    up.wait_for("Ready: RADIUS")
    command = [sys.executable, "-m", "control_plane", "--settings", str(home.settings)]
    subprocess.run([*command, "nas", "add", "tower", "192.0.2.1", "--vendor", "generic"], cwd=ROOT, check=True)
    assert up.stop() == 0
    key = home.state / "secrets.key"
    right = key.read_text()
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    wrong = Up(home, "--empty")
    assert wrong.process.wait(timeout=90) == 1
    assert f"were sealed with another key than the one in {key}" in wrong.said
    key.unlink()
    lost = Up(home, "--empty")
    assert lost.process.wait(timeout=90) == 1
    assert f"{key} is gone" in lost.said
    assert not key.exists()
    assert home.processes() == {}
    key.write_text(right)
    if os.geteuid() == 0:
        shutil.chown(key, "corrente", "freerad")
    again = Up(home, "--empty")
    again.wait_for("Ready: RADIUS")
    assert again.stop() == 0


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace")


def test_a_wrong_setting_stops_the_start_with_its_line(home):
    home.settings.write_text("[radius]\nauthentication_prot = 1812\n")
    up = Up(home)
    assert up.process.wait(timeout=120) == 1
    assert "corrente.toml:2: radius.authentication_prot: unknown key; see corrente.toml.example" in up.said
    assert not home.state.exists()


def test_a_taken_radius_port_moves_both_and_says_so(home):

    port = int(home.settings.read_text().split("authentication_port = ")[1].split()[0])
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port + 1))
        up = Up(home, "--empty")
        up.wait_for("Ready: RADIUS")
    chosen = json.loads((home.state / "run" / "ports.json").read_text())
    assert chosen["authentication"] > port
    assert chosen["accounting"] == chosen["authentication"] + 1
    assert f"UDP port {port} or {port + 1} is taken" in up.said
    assert up.stop() == 0
    assert not (home.state / "run" / "ports.json").exists()
