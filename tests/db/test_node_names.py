"""Two machines of one node name: the second is refused, before and at its start, and the name can be freed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.accounting_world import add_network, detail, rows, settings_for, ship, spool
from support.command_line import run, write_settings

from control_plane import db
from control_plane.accounting.installation import NodeNameTakenError, installation_file
from control_plane.accounting.shipper import Shipper
from control_plane.accounting.spool import SpoolError
from control_plane.checks import Verdict, check_node

pytestmark = pytest.mark.db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def first(connection, database, tmp_path):
    add_network(connection)
    return settings_for(tmp_path / "first", database)


@pytest.fixture
def second(database, tmp_path):
    return settings_for(tmp_path / "second", database)


def started(settings):
    """Whether a shipper of these settings starts, and what it says if not."""
    shipper = Shipper(settings)
    try:
        shipper.turn()
    except NodeNameTakenError as error:
        return str(error)
    finally:
        shipper.disconnect()
    return "started"


def checked(settings):
    with db.connect(settings.conninfo("corrente"), name="test", autocommit=True) as connection:
        return check_node(connection, settings)


def test_the_first_edge_has_the_name_and_keeps_it_over_restarts(first, database):
    assert checked(first).verdict is Verdict.OK
    assert [started(first), started(first)] == ["started", "started"]
    ((node, installation),) = rows(database, "SELECT node, installation FROM node_holder")
    assert (node, installation) == ("node-1", installation_file(first).read_text().strip())
    assert checked(first).verdict is Verdict.OK


def test_another_installation_of_the_same_name_is_refused_with_the_setting_to_change(first, second, database):
    started(first)
    beforehand = checked(second)
    said = started(second)

    assert beforehand.verdict is Verdict.FAIL
    for text in (said, f"{beforehand.text} {beforehand.advice}"):
        assert "node-1 belongs to another installation" in text
        assert '[edge] node = "' in text
        assert "corrente node release node-1" in text
    # It has read and said nothing.
    assert rows(database, "SELECT count(*) FROM node_holder") == [(1,)]
    assert started(first) == "started"


def test_under_a_name_of_its_own_it_starts(first, database, tmp_path):
    started(first)
    assert started(settings_for(tmp_path / "second", database, edge={"node": "node-2"})) == "started"


def test_a_machine_without_an_edge_is_only_warned(first, second):
    started(first)
    shutil.rmtree(second.accounting_spool_dir.parent)
    assert checked(second).verdict is Verdict.WARN


def test_a_spool_that_is_moved_takes_its_name_along(first, second):
    started(first)
    shutil.rmtree(second.accounting_spool_dir.parent)
    shutil.copytree(first.accounting_spool_dir.parent, second.accounting_spool_dir.parent)
    assert started(second) == "started"


def test_a_number_that_was_damaged_is_said_with_what_to_do(first):
    started(first)
    installation_file(first).write_text("")
    with pytest.raises(SpoolError, match="corrente node release node-1"):
        started(first)
    assert checked(first).verdict is Verdict.FAIL


def test_the_name_of_a_lost_machine_is_freed_once_it_is_silent(first, second, database, connection, tmp_path):
    spool(first, detail("Start", time=0))
    ship(first)
    settings = write_settings(tmp_path, database)
    connection.execute(
        "INSERT INTO spool_node (node, read_to) VALUES ('node-1', now()) ON CONFLICT (node) DO UPDATE SET updated_at = now()"
    )
    connection.commit()

    alive = run(settings, "node", "release", "node-1", "--yes")
    assert (alive.exit_code, "heard a moment ago" in alive.output) == (1, True), alive.output

    connection.execute("UPDATE spool_node SET updated_at = now() - interval '61 seconds'")
    connection.commit()
    unsure = run(settings, "node", "release", "node-1", typed="n\n")
    assert unsure.exit_code == 1
    assert started(second) != "started"
    freed = run(settings, "node", "release", "node-1", typed="y\n")
    assert freed.exit_code == 0, freed.output

    assert started(second) == "started"
    # And the old machine, should it come back, is refused in its turn.
    assert "another installation" in started(first)
    assert rows(database, "SELECT actor, action, subject FROM audit_log") == [("maria", "node.release", "node-1")]
    assert rows(database, "SELECT count(*) FROM session") == [(1,)]


def test_nodes_are_listed_and_an_unknown_one_is_said_with_one_like_it(first, database, tmp_path):
    started(first)
    settings = write_settings(tmp_path, database)
    lines = run(settings, "node", "list").output.splitlines()
    assert (lines[0].split()[0], lines[1].split()[0], len(lines)) == ("node", "node-1", 2)
    refused = run(settings, "node", "release", "node-l")
    assert (refused.exit_code, "did you mean node-1?" in refused.output) == (1, True), refused.output


def test_the_command_itself_ends_with_one_line_and_publishes_nothing(first, second, database, tmp_path):
    started(first)
    (tmp_path / "second" / "policy").mkdir()
    settings = write_settings(tmp_path, database)
    with settings.open("a") as file:
        file.write('[paths]\nstate_dir = "second/var"\n')
    done = subprocess.run(
        [sys.executable, "-m", "control_plane", "--settings", str(settings), "edge"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("Error: node name node-1 belongs to another installation")
    assert f'in {settings}: [edge] node = "' in line
