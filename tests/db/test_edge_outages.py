"""What the edge does when PostgreSQL is away, comes back, comes back older than it was, and when a part of it dies."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.edge_process import ROOT, running_edge, wait_until
from support.own_postgres import own_postgres
from support.small_isp import make_isp
from support.store_process import reader_process

from control_plane import db
from control_plane.machine.private_postgres import start_cluster, stop_cluster

pytestmark = pytest.mark.db


@pytest.fixture
def own_cluster():
    """A PostgreSQL of this test alone, to be stopped and put back, with a small ISP in it."""
    with own_postgres() as made:
        with db.connect(made.conninfo("corrente"), name="test") as connection:
            make_isp(connection)
        yield made


def set_sessions(cluster, username, count):
    with db.connect(cluster.conninfo("corrente"), name="test") as connection:
        connection.execute("UPDATE subscriber_account SET max_sessions = %s WHERE username = %s", (count, username))


def test_postgresql_away_is_said_once_the_store_stays_and_what_changed_follows(tmp_path, own_cluster):
    with running_edge(tmp_path / "edge", own_cluster.conninfo("corrente")) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        stop_cluster(own_cluster, mode="immediate")
        edge.wait_for("policy.database_away")
        before = store.checked_at()
        assert store.account("user0001").max_sessions == 1

        start_cluster(own_cluster, log=own_cluster.data.parent / "postgres.log")
        set_sessions(own_cluster, "user0001", 4)
        wait_until(lambda: store.account("user0001").max_sessions == 4)
        assert store.checked_at() > before
        edge.wait_for("policy.well_again")
        assert len(edge.said("policy.database_away")) == 1
        assert len(edge.said("policy.rebuild")) == 1


def test_a_database_put_back_to_an_earlier_state_is_noticed_and_the_store_built_anew(tmp_path, own_cluster):
    log, backup = own_cluster.data.parent / "postgres.log", own_cluster.data.parent / "backup"
    stop_cluster(own_cluster)
    subprocess.run(["cp", "-a", str(own_cluster.data), str(backup)], check=True)
    start_cluster(own_cluster, log=log)
    with running_edge(tmp_path / "edge", own_cluster.conninfo("corrente")) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        for count in range(2, 12):
            set_sessions(own_cluster, "user0001", count)
        wait_until(lambda: store.account("user0001").max_sessions == 11)

        stop_cluster(own_cluster)
        shutil.rmtree(own_cluster.data)
        shutil.move(backup, own_cluster.data)
        start_cluster(own_cluster, log=log)
        edge.wait_for("policy.rebuilt", times=2)
        assert "it was restored" in edge.said("policy.rebuild")[-1]["reason"]
        assert store.account("user0001").max_sessions == 1


def restore(conninfo, dump):
    """As docs/operations.md says it, into a database that has its partitions."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (told,) = re.findall(r"```bash\n(pg_restore .*?)```", text, re.DOTALL)
    assert 'psql -h "$PWD/var/run/postgres" -U corrente corrente' in told
    command = told.replace('-h "$PWD/var/run/postgres" -U corrente corrente', f'"{conninfo}"')
    subprocess.run(["bash", "-o", "pipefail", "-c", command.replace("corrente.dump", str(dump))], check=True)


def test_a_dump_restored_into_the_running_database_is_published_once_and_whole(tmp_path, own_cluster):
    """The dump comes from a server that was busier: its transaction numbers are still to come in this one."""
    conninfo = own_cluster.conninfo("corrente")
    with db.connect(conninfo, name="test") as connection:
        connection.execute("UPDATE change_horizon SET xid = '5000000'")
        connection.execute(
            "INSERT INTO change_feed (xid, kind, key) SELECT '5000001', 'account', max(id) FROM subscriber_account"
        )
    dump = tmp_path / "corrente.dump"
    subprocess.run(["pg_dump", "-Fc", "-f", str(dump), conninfo], check=True)
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        set_sessions(own_cluster, "user0001", 7)
        wait_until(lambda: store.account("user0001").max_sessions == 7)

        restore(conninfo, dump)
        wait_until(lambda: (found := store.account("user0001")) and found.max_sessions == 1)
        set_sessions(own_cluster, "user0002", 5)
        wait_until(lambda: store.account("user0002").max_sessions == 5)
        edge.wait_until_following()
        rebuilt, read = len(edge.said("policy.rebuilt")), store.checked_at()
        wait_until(lambda: store.checked_at() > read + 2)
        assert len(edge.said("policy.rebuilt")) == rebuilt < 5


def test_half_a_restored_database_is_never_published(tmp_path, own_cluster):
    conninfo = own_cluster.conninfo("corrente")
    dump = tmp_path / "corrente.dump"
    subprocess.run(["pg_dump", "-Fc", "-f", str(dump), conninfo], check=True)
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        restore = ["pg_restore", "-d", conninfo, str(dump)]
        with db.connect(conninfo, name="test") as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        subprocess.run([*restore, "--section=pre-data"], check=True)
        edge.wait_for("policy.database_away")
        assert store.account("user0001").max_sessions == 1

        subprocess.run([*restore, "--section=data"], check=True)
        subprocess.run([*restore, "--section=post-data"], check=True)
        set_sessions(own_cluster, "user0001", 3)
        wait_until(lambda: store.account("user0001").max_sessions == 3)
        assert all(line["accounts"] == 3 for line in edge.said("policy.rebuilt"))


def test_an_edge_without_a_database_keeps_trying_and_builds_when_it_comes(tmp_path, own_cluster):
    stop_cluster(own_cluster)
    with running_edge(tmp_path / "edge", own_cluster.conninfo("corrente")) as edge:
        edge.wait_for("policy.database_away")
        start_cluster(own_cluster, log=own_cluster.data.parent / "postgres.log")
        edge.wait_for("policy.rebuilt")


# --- both parts of the edge ------------------------------------------------------------------------------------


def children(process_id):
    found = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def alive(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def whole_edge(tmp_path, database, connection):
    """`corrente edge` with its shipper, and the process number of the shipper."""
    make_isp(connection)
    settings, log = tmp_path / "corrente.toml", tmp_path / "edge.log"
    settings.write_text(f'[database]\nconninfo = "{database}"\n')
    for spool in ("accounting", "logins"):
        (tmp_path / "var" / "spool" / spool).mkdir(parents=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(settings), "edge"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    process.log = log
    try:
        wait_until(lambda: "policy.rebuilt" in log.read_text())
        (shipper,) = wait_until(lambda: children(process.pid))
        yield process, shipper
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_shipper_that_dies_ends_the_edge_with_a_failure(whole_edge):
    edge, shipper = whole_edge
    os.kill(shipper, signal.SIGKILL)
    assert edge.wait(timeout=120) == 1
    assert "the shipper ended by itself with exit code -9" in edge.log.read_text()


def test_asked_to_end_the_edge_takes_its_shipper_along_and_ends_well(whole_edge):
    edge, shipper = whole_edge
    edge.terminate()
    assert edge.wait(timeout=120) == 0
    assert not alive(shipper)


def test_an_edge_that_is_killed_does_not_leave_its_shipper_behind(whole_edge):
    edge, shipper = whole_edge
    edge.kill()
    edge.wait(timeout=120)
    wait_until(lambda: not alive(shipper))


# --- a full disk -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(directory):
    """Take all room that is left; the file that holds it."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\xff" * 65536)
        except OSError:
            pass
        try:
            while True:
                file.write(b"\xff")
        except OSError:
            pass
    return ballast


@pytest.mark.lab
def test_a_full_disk_is_said_the_store_stays_and_when_there_is_room_it_goes_on(
    tmp_path, small_disk, database, connection
):
    make_isp(connection, accounts=5000)
    with running_edge(tmp_path / "edge", database, small_disk) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        ballast = fill(small_disk)
        own = '[{"reply": [["Reply-Message", ":=", "%s"]]}]' % ("x" * 200)
        connection.execute("UPDATE subscriber_account SET own_attributes = %s", (own,))
        connection.commit()
        said = edge.wait_for("policy.disk_full")
        assert said["store"] == str(edge.store)
        assert said["free_octets"] < 1 << 20
        assert store.account("user0001").own == ()

        ballast.unlink()
        wait_until(lambda: store.account("user0001").own != () and store.account("user5000").own != ())
        edge.wait_for("policy.well_again")
        assert len(edge.said("policy.disk_full")) == 1
        assert len(edge.said("policy.rebuild")) == 1


@pytest.mark.lab
def test_a_store_is_not_begun_where_it_would_fill_the_disk(tmp_path, small_disk, database, connection):
    make_isp(connection)
    ballast = fill(small_disk)
    os.truncate(ballast, ballast.stat().st_size - (8 << 20))
    with running_edge(tmp_path / "edge", database, small_disk) as edge:
        said = edge.wait_for("policy.disk_full")
        assert "a new policy store for 0 accounts needs 16 MiB" in said["problem"]
        assert not (edge.store / "current").exists()
        ballast.unlink()
        edge.wait_for("policy.rebuilt")
