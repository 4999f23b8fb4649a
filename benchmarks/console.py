"""The console at volume: its commonest screens beside what a usual admin panel asks for the same, and requests a second beside live streams.

`python -m benchmarks.console [--at DIRECTORY] [--customers N] [--sessions N] [--usage N]` makes a PostgreSQL of its own with so much in
it, starts `corrente web` over it, signs in and asks each screen a hundred times for other things each time. `--at` keeps the house, for
the next run: filled whole it takes 30 GB and a quarter of an hour. `--all` asks for every page that there is, a few times each, and
lists the slowest first. How to open the database is printed, for EXPLAIN.

A screen's time is the whole answer by the clock, from the request to the last octet, over a connection that is open; the rival's is that
of its statements alone, without a page around them. Processor time is that of the web process and of the database together, which moves
less on a machine that others use.

Units: milliseconds by the clock.
"""

from __future__ import annotations

import http.client
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.answering import BenchmarkError
from benchmarks.console_pages import Page, every_page
from benchmarks.console_screens import SCREENS, Known, Screen, draw
from benchmarks.console_web import Browser, Served, served
from benchmarks.house import DATABASE, Size, open_house
from benchmarks.population import working_directory
from benchmarks.processors import processor_ms
from control_plane import db

PROMISE_MS: Final = 200.0
_NAIVE_TIMES: Final = 5
_NAIVE_LIMIT_MS: Final = 120_000
_STREAMS: Final = 50
_CLIENTS: Final = 4
# A page that takes this long is not asked for again.
_TOO_LONG_MS: Final = 5000
# What sends a form: of the screens in turn, only those that are looked at.
_SENT: Final = ("who had an address", "what a new price comes to")
_LIKE: Final = ("name", "nas", "username", "mac", "address")


@dataclass(frozen=True, slots=True)
class Times:
    """How long the same thing took, some times; `processor` is what each used of processors on average, here and in the database."""

    ms: tuple[float, ...]
    processor: float = 0.0

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.ms)

    @property
    def p95(self) -> float:
        """What 95 of 100 are not above."""
        return sorted(self.ms)[max(0, -(-len(self.ms) * 95 // 100) - 1)]


def asked(screen: Screen, browser: Browser, drawn: Sequence[Known], roots: Sequence[int]) -> Times:
    """Each drawn thing's screen once, after two that warm up. Raises: BenchmarkError for an answer that is no page."""
    for known in drawn[:2]:
        screen.ask(known, browser)
    taken, used = [], processor_ms(roots)
    for known in drawn:
        began = time.perf_counter()
        status, text = screen.ask(known, browser)
        taken.append((time.perf_counter() - began) * 1000)
        if status not in (200, 303):
            raise BenchmarkError(f"{screen.name}: {status} {text[:500]}")
    return Times(tuple(taken), (processor_ms(roots) - used) / len(drawn))


def asked_naively(
    connection: psycopg.Connection[Any], screen: Screen, drawn: Sequence[Known], roots: Sequence[int]
) -> Times:
    """The rival's statements for some of them, rows fetched. What takes longer than the limit counts as the limit."""
    taken, used = [], processor_ms(roots)
    for known in drawn[:_NAIVE_TIMES]:
        values: dict[str, Any] = {name: getattr(known, name) for name in Known.__slots__}
        values |= {f"like_{name}": f"%{getattr(known, name)}%" for name in _LIKE}
        values["like_customer"] = f"customer {known.customer}"
        began = time.perf_counter()
        for statement in screen.naive:
            try:
                connection.execute(statement, values).fetchall()
            except psycopg.errors.QueryCanceled:
                connection.rollback()
        taken.append((time.perf_counter() - began) * 1000)
        connection.rollback()
    return Times(tuple(taken), (processor_ms(roots) - used) / len(taken))


def rate(browser: Browser, drawn: Sequence[Known], seconds: float) -> float:
    """Requests a second of some browsers that ask one screen after the other."""
    done = [0] * _CLIENTS
    screens = [screen for screen in SCREENS if screen.who == "staff" and screen.name not in _SENT]
    until = time.monotonic() + seconds
    problems: list[Exception] = []

    def work(number: int) -> None:
        mine = browser.again()
        try:
            while time.monotonic() < until:
                turn = done[number] + number * 5
                screens[turn % len(screens)].ask(drawn[turn % len(drawn)], mine)
                done[number] += 1
        except (OSError, http.client.HTTPException) as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise BenchmarkError(f"a browser could not go on: {problems[0]}")
    return sum(done) / seconds


@contextmanager
def streams(browser: Browser, number: int) -> Iterator[list[int]]:
    """So many live pages that are looked at as long as the block runs; how many octets each has got."""
    got = [0] * number
    answers = [browser.again().stream("/home/live") for _ in range(number)]

    def read(place: int) -> None:
        try:
            while line := answers[place][0].readline():
                got[place] += len(line)
        except (OSError, ValueError, AttributeError):
            return

    for place in range(number):
        threading.Thread(target=read, args=(place,), daemon=True).start()
    try:
        yield got
    finally:
        for _, taken in answers:
            taken.shutdown(socket.SHUT_RDWR)


@click.command()
@click.option("--customers", default=Size().customers, show_default=True)
@click.option("--sessions", default=Size().sessions, show_default=True)
@click.option("--usage", default=Size().usage, show_default=True, help="Rows by hour and by day together.")
@click.option("--times", default=100, show_default=True, help="How often each screen is asked for.")
@click.option("--at", type=click.Path(path_type=Path), help="Keep the house in this folder, or use the one there.")
@click.option("--all", "all_pages", is_flag=True, help="Every page there is instead, the slowest first.")
@click.option("--naive/--no-naive", default=True, help="The rival's queries as well.")
@click.option("--only", default="", help="Screens, or with --all pages, whose name holds this.")
def main(
    customers: int, sessions: int, usage: int, times: int, at: Path | None, all_pages: bool, naive: bool, only: str
) -> None:
    """Measure and print."""
    size = Size(customers, sessions, usage)
    with working_directory() as base:
        folder = at or base
        with open_house(folder, size) as cluster:
            conninfo = cluster.conninfo(DATABASE)
            click.echo(f"psql -h {cluster.socket_dir} -U corrente {DATABASE}", err=True)
            with db.connect(conninfo, name="benchmark") as connection, served(folder, conninfo) as web:
                connection.execute(f"SET statement_timeout = {_NAIVE_LIMIT_MS}")
                connection.commit()
                drawn = draw(connection, sessions, times)
                connection.rollback()
                roots = (web.pid, int((cluster.data / "postmaster.pid").read_text().splitlines()[0]))
                if all_pages:
                    _list_pages(connection, web, drawn, only, roots)
                    return
                screens = [one for one in SCREENS if only in one.name]
                _screens(connection if naive else None, web, screens, drawn, roots)
                if not only:
                    _rates(web, drawn)


def _screens(
    connection: psycopg.Connection[Any] | None,
    web: Served,
    screens: Sequence[Screen],
    drawn: Sequence[Known],
    roots: Sequence[int],
) -> None:
    click.echo(
        "| screen | p50 | p95 | processor | the same asked naively | processor | ratio | of processor | under 200 ms |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for screen in screens:
        ours = asked(screen, getattr(web, screen.who), drawn, roots)
        row = f"| {screen.name} | {ours.p50:,.0f} ms | {ours.p95:,.0f} ms | {ours.processor:,.0f} ms | "
        if connection is not None:
            rival = asked_naively(connection, screen, drawn, roots)
            row += (
                f"{rival.p50:,.0f} ms | {rival.processor:,.0f} ms | {rival.p50 / ours.p50:,.1f}x | "
                f"{rival.processor / ours.processor:,.1f}x |"
            )
        else:
            row += "| | | |"
        click.echo(f"{row} {'yes' if ours.p95 <= PROMISE_MS else '**no**'} |")


def _rates(web: Served, drawn: Sequence[Known], seconds: float = 20.0) -> None:
    for turn in range(2):
        alone = rate(web.staff, drawn, seconds)
        with streams(web.staff, _STREAMS) as got:
            beside = rate(web.staff, drawn, seconds)
        if not all(got):
            raise BenchmarkError(f"{got.count(0)} of {_STREAMS} streams were told nothing")
        click.echo(
            f"turn {turn + 1}: {alone:.0f} requests/s alone, {beside:.0f} beside {_STREAMS} live streams, {beside / alone:.2f}x"
        )


def _list_pages(
    connection: psycopg.Connection[Any], web: Served, drawn: Sequence[Known], only: str, roots: Sequence[int]
) -> None:
    found = []
    for page in every_page(connection, web, drawn):
        if only not in page.path:
            continue
        taken, status, used = [], 0, processor_ms(roots)
        for turn in range(page.times):
            began = time.perf_counter()
            status, _ = page.browser.get(page.address(turn))
            taken.append((time.perf_counter() - began) * 1000)
            if taken[-1] > _TOO_LONG_MS:
                break
        processor = (processor_ms(roots) - used) / len(taken)
        found.append((replace(page, status=status), Times(tuple(taken[1:] or taken), processor)))
        click.echo(_of_page(*found[-1]), err=True)
    for page, times in sorted(found, key=lambda pair: -pair[1].p95):
        click.echo(_of_page(page, times))


def _of_page(page: Page, times: Times) -> str:
    clock = f"{times.p95:9,.0f} ms  median {times.p50:9,.0f} ms"
    return f"{clock}  processor {times.processor:7,.0f} ms  {page.status}  {page.path}  {page.address(0)}"


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"benchmarks: {error}")
