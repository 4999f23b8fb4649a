"""What worker and edge say of themselves to monitoring: real processes, asked over HTTP while PostgreSQL goes and comes."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from support.edge_process import ROOT, wait_until
from support.own_postgres import own_postgres, start_again
from support.ports import free_port
from support.worker_process import running_worker

from control_plane.machine.private_postgres import stop_cluster

pytestmark = pytest.mark.db


@pytest.fixture
def own_cluster():
    with own_postgres() as made:
        yield made


def ask(port, path):
    """Status and body; a process that does not listen yet is asked again."""

    def answer():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except urllib.error.URLError:
            return None

    return wait_until(answer, what=f"an answer to {path}")


def ready(port):
    status, body = ask(port, "/ready")
    answer = json.loads(body)
    assert answer["ready"] is (status == 200)
    return answer["problems"]


def sample(port, name):
    lines = ask(port, "/metrics")[1].splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), None)


def test_a_worker_is_ready_while_its_lease_loop_turns_and_says_why_when_it_does_not(tmp_path, own_cluster):
    port = free_port()
    with running_worker(tmp_path, own_cluster.conninfo("corrente"), port=port):
        wait_until(lambda: ready(port) == [])
        wait_until(lambda: sample(port, "corrente_worker_leads") == 1)
        assert sample(port, 'corrente_ready{process="worker"}') == 1
        # It turns each second, or so: an age that begins again and again.
        wait_until(lambda: sample(port, 'corrente_loop_age_seconds{loop="lease"}') < 5)
        wait_until(lambda: sample(port, 'corrente_loop_age_seconds{loop="desired"}') < 120)
        wait_until(lambda: sample(port, 'corrente_job_runs_total{name="make_months",outcome="done"}') == 1)

        stop_cluster(own_cluster, mode="immediate")
        wait_until(lambda: any(one.startswith("lease: the database does not answer: ") for one in ready(port)))
        assert all(": the database does not answer: " in problem for problem in ready(port))
        assert ask(port, "/health") == (200, '{"status": "ok"}')
        assert sample(port, 'corrente_ready{process="worker"}') == 0
        wait_until(lambda: sample(port, "corrente_worker_leads") == 0)

        start_again(own_cluster)
        wait_until(lambda: ready(port) == [])
        wait_until(lambda: sample(port, "corrente_worker_leads") == 1)
        assert ask(port, "/other")[0] == 404


def test_an_edge_is_ready_while_publisher_and_shipper_do_their_work(tmp_path, own_cluster):
    port = free_port()
    settings = tmp_path / "corrente.toml"
    conninfo = own_cluster.conninfo("corrente")
    settings.write_text(f'[database]\nconninfo = "{conninfo}"\n[edge]\nport = {port}\n')
    for spool in ("accounting", "logins"):
        (tmp_path / "var/spool" / spool).mkdir(parents=True)
    with (tmp_path / "edge.log").open("wb") as log:
        edge = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(settings), "edge"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: ready(port) == [])
        assert sample(port, 'corrente_spool_bytes{spool="accounting"}') == 0
        wait_until(lambda: sample(port, "corrente_policy_store_age_seconds") < 30)
        assert sample(port, "corrente_policy_rebuilds_total") == 1
        # The shipper counts where this process can't see it: better no figure than a zero.
        assert sample(port, "corrente_accounting_batch_seconds_count") is None

        stop_cluster(own_cluster, mode="immediate")
        wait_until(lambda: len(ready(port)) == 2)
        publisher, shipper = ready(port)
        assert publisher.startswith("publisher: ")
        assert shipper.startswith("shipper: ")
        assert ask(port, "/health")[0] == 200

        start_again(own_cluster)
        wait_until(lambda: ready(port) == [])
    finally:
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(timeout=120) == 0, (tmp_path / "edge.log").read_text()[-3000:]


def test_a_port_that_is_taken_is_said_and_the_worker_works(tmp_path, database):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with running_worker(tmp_path, database, port=taken.getsockname()[1]) as worker:
            worker.wait_for("pages.port_taken")
            worker.wait_for("leader.began")
