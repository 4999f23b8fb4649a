"""`corrente worker`: the scheduled jobs and the control loop. As many workers as wanted; each thing is done once."""

from __future__ import annotations

import os
import signal
import threading

import click
import psycopg

from control_plane import telemetry
from control_plane.control_loop.loop import ControlLoop
from control_plane.gauges import ProcessGauges, problems_of
from control_plane.jobs.scheduler import run_all_once, run_worker
from control_plane.leadership import Leadership
from control_plane.machine.ports import settings_in_force
from control_plane.pages import pages
from control_plane.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="Run every job now, one after the other, and end.")
@click.pass_obj
def command(settings: Settings, once: bool) -> None:
    """Keep live sessions equal to their contracts; make partitions ahead, clear what is old, count quotas.

    Runs until SIGTERM or Ctrl-C. A job that fails is logged and does not stop the others.
    """
    log = telemetry.start_logging("worker")
    if once:
        _run_once(settings)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    leadership = Leadership(settings)
    loop = ControlLoop(settings, leadership, stop)
    pulses = (leadership.pulse, *loop.pulses)
    gauges = ProcessGauges("worker", pulses, leadership)
    given = settings_in_force(settings).worker
    with pages(
        given.address,
        given.port,
        problems=lambda: problems_of(pulses),
        metrics=lambda: telemetry.process_text([os.getpid()], gauges),
    ):
        log.info("worker.started")
        with loop:
            run_worker(settings, stop, leadership=leadership)
    log.info("worker.stopped")


def _run_once(settings: Settings) -> None:
    try:
        outcomes = run_all_once(settings)
    except psycopg.Error as error:
        raise click.ClickException(f"the database can't be used: {str(error).strip()}") from error
    failed = [name for name, well in outcomes.items() if not well]
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}; the log above says why")
