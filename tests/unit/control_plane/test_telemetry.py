import json
import subprocess
import sys
from pathlib import Path

from control_plane.telemetry import counter_value, machine_registry

ROOT = Path(__file__).resolve().parents[3]


def run(code: str, **env: str) -> str:
    """A process of its own: where metrics go is settled when the library is first imported."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_log_line_is_one_json_object_with_a_constant_event_and_fields():
    out = run(
        "from control_plane.telemetry import start_logging\n"
        "start_logging('edge').info('spool.merged', records=3, file='detail.n1\\n')"
    )
    (line,) = out.splitlines()
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {"event": "spool.merged", "level": "info", "process": "edge", "records": 3, "file": "detail.n1\n"}


def test_an_exception_is_logged_on_one_line_too():
    out = run(
        "from control_plane.telemetry import start_logging\n"
        "log = start_logging('edge')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: log.exception('edge.failed')"
    )
    (line,) = out.splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_debug_lines_stay_out():
    assert run("from control_plane.telemetry import start_logging\nstart_logging('x').debug('noise')") == ""


def test_the_counters_of_two_processes_are_added_up(tmp_path):
    count = "from control_plane.telemetry import ACCOUNTING_RECORDS as c\nc.labels(status='{}').inc({})"
    run(count.format("start", 2), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    run(count.format("stop", 5), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert counter_value(machine_registry(tmp_path), "corrente_accounting_records_total") == 7


def test_a_counter_that_nobody_used_is_zero(tmp_path):
    assert counter_value(machine_registry(tmp_path), "corrente_accounting_records_total") == 0


def test_the_file_of_a_process_that_has_only_just_begun_it_counts_nothing_and_stops_nobody(tmp_path):
    count = "from control_plane.telemetry import ACCOUNTING_RECORDS as c\nc.labels(status='start').inc(2)"
    run(count, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    (tmp_path / "counter_1.db").touch()
    assert counter_value(machine_registry(tmp_path), "corrente_accounting_records_total") == 2


COUNT_AND_SHOW = (
    "import os, sys\n"
    "from control_plane import telemetry as t\n"
    "t.ACCOUNTING_RECORDS.labels('start').inc(2)\n"
    "t.POLICY_REBUILDS.inc()\n"
    "sys.stdout.write(t.process_text({pids}, shipper_apart=True).decode())"
)


def test_a_process_shows_what_it_and_its_children_counted_and_not_what_others_did(tmp_path):
    """A process that counts 2 and shows what processes 0 and itself, or 0 alone, have counted."""
    own = run(COUNT_AND_SHOW.format(pids="[os.getpid()]"), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert 'corrente_accounting_records_total{status="start"} 2.0' in own
    other = run(COUNT_AND_SHOW.format(pids="[0]"), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert "corrente_accounting_records" not in other
    again = run(COUNT_AND_SHOW.format(pids="[os.getpid()]"), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert 'corrente_accounting_records_total{status="start"} 2.0' in again


def test_a_process_that_cannot_see_its_child_shows_nothing_of_what_only_that_counts():
    shown = run(COUNT_AND_SHOW.format(pids="[os.getpid()]"))
    assert "corrente_policy_rebuilds_total 1.0" in shown
    assert "corrente_accounting" not in shown
