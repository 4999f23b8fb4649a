"""`corrente edge`: the process beside FreeRADIUS. It publishes the policy store and ships the spools."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

import click
import psycopg

from control_plane import db, telemetry
from control_plane.accounting.installation import NodeNameTakenError, claim_node_name
from control_plane.accounting.shipper import run_shipper
from control_plane.accounting.spool import SpoolError
from control_plane.gauges import NodeGauges, ProcessGauges, problems_of
from control_plane.machine.ports import settings_in_force
from control_plane.pages import pages
from control_plane.publishing.publisher import EdgeError, run_publisher
from control_plane.pulse import Pulse
from control_plane.settings import Settings
from nas_drivers.dictionaries.reader import DictionaryError

# What the shipper may take to finish its batch when asked to stop; nothing is lost if it does not.
_SHIPPER_STOP_S: Final = 15.0
# Publisher and shipper turn several times a second; a rebuild of a large store, or a batch, takes some seconds.
_OLD_S: Final = 30.0


@click.command()
@click.option("--publish-only", is_flag=True, help="Keep the policy store, ship no spool: for a node without RADIUS.")
@click.pass_obj
def command(settings: Settings, publish_only: bool) -> None:
    """Publish the policy store and ship the accounting and login spools of this RADIUS node.

    Runs until SIGTERM or Ctrl-C. The shipper has a process of its own, so that a full spool never delays a change of
    policy; if either part fails the whole ends with an exit code that is not zero, for its supervisor to start it again.
    """
    log = telemetry.start_logging("edge")
    stop = _stop_by_signal()
    if not publish_only:
        _refuse_anothers_name(settings)
    publishing = Pulse("publisher", max_age_s=_OLD_S)
    shipping = Pulse("shipper", max_age_s=_OLD_S)
    shipper = None if publish_only else _start_shipper(settings, stop, shipping)
    try:
        with _pages(settings, (publishing,) if publish_only else (publishing, shipping), shipper):
            run_publisher(settings, stop, publishing)
    except (EdgeError, DictionaryError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        # Asked before `stop` is set for the shipper's sake: did it end by itself?
        shipper_failed = shipper is not None and not shipper.is_alive()
        stop.set()
        if shipper is not None:
            _end(shipper)
    if shipper is not None and shipper_failed:
        raise click.ClickException(f"the shipper ended by itself with exit code {shipper.exitcode}; its log says why")
    log.info("edge.stopped")


def _pages(settings: Settings, pulses: Sequence[Pulse], shipper: BaseProcess | None) -> AbstractContextManager[int]:
    """What monitoring asks of both processes; of a shipper that counts where this process can't see, nothing is said."""
    pids = [os.getpid()] if shipper is None or shipper.pid is None else [os.getpid(), shipper.pid]
    gauges = (ProcessGauges("edge", pulses), NodeGauges(settings, pulses[0].age_s))
    given = settings_in_force(settings).edge
    return pages(
        given.address,
        given.port,
        problems=lambda: problems_of(pulses),
        metrics=lambda: telemetry.process_text(pids, *gauges, shipper_apart=True),
    )


def _refuse_anothers_name(settings: Settings) -> None:
    """Say in one line that the node's name is another installation's, where that can be known now.

    With the database away the shipper asks when it is back; logins are answered meanwhile.
    """
    try:
        with db.connect(settings.conninfo("corrente_edge"), name="edge", autocommit=True) as connection:
            claim_node_name(connection, settings)
    except NodeNameTakenError as error:
        raise click.ClickException(str(error)) from error
    except (psycopg.Error, SpoolError) as error:
        telemetry.logger().info("edge.name_not_checked", reason=str(error).strip())


def _stop_by_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _start_shipper(settings: Settings, stop: threading.Event, pulse: Pulse) -> BaseProcess:
    """The shipper as a child; when it ends, `stop` is set."""
    process = multiprocessing.get_context("spawn").Process(target=_ship, args=(settings, pulse), name="shipper")
    process.start()

    def watch() -> None:
        wait([process.sentinel])
        stop.set()

    threading.Thread(target=watch, name="watch shipper", daemon=True).start()
    return process


def _ship(settings: Settings, pulse: Pulse) -> None:
    """The child: ships until told to stop, or until the parent is gone, however it went."""
    telemetry.start_logging("shipper")
    stop = _stop_by_signal()
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by _start_shipper()"

    def watch() -> None:
        parent.join()
        stop.set()

    threading.Thread(target=watch, name="watch edge", daemon=True).start()
    try:
        run_shipper(settings, stop, pulse)
    except NodeNameTakenError as error:
        telemetry.logger().error("spool.name_taken", node=settings.edge.node, problem=str(error))
        sys.exit(1)


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(_SHIPPER_STOP_S)
    if process.exitcode is None:
        process.kill()
        process.join()
