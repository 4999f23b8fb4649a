"""Ten devices of ten vendors with 5,000 sessions: a day of plan changes, throttles, cuts, restores and ended
contracts in fast motion, with faults on. At the end each session holds on its device what a table of this test says, and the
enforcement log explains every packet.

It takes more than a minute, because nothing else has all of it at once: vendors, volume, faults, kills, restarts.

Real: PostgreSQL, FreeRADIUS, edge, shipper, two workers, UDP. Simulated: the devices and who dials. `FLEET_SUBSCRIBERS` and
`FLEET_SEED` make another day: `FLEET_SUBSCRIBERS=20000 FLEET_SEED=3 bin/test -k mixed_fleet`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest
from support.asking import rest_after
from support.command_line import run, write_settings
from support.fleet import Fleet, fleet, username
from support.fleet_day import Book, Day, Deed, Step, make_day
from support.fleet_words import FASTER, FOUND_OUT, OFFERS, TAKEN_ON_TRUST, VENDORS, Held, must_hold
from support.packet_ledger import LOG, Ledger, compare
from support.worker_process import udp_ports

from nas_drivers.simulated.faults import Fault, FaultKind, Traffic

pytestmark = [pytest.mark.radius, pytest.mark.db, pytest.mark.slow, pytest.mark.timeout(1800)]

WHOLE_DAY = 5000
SUBSCRIBERS = int(os.environ.get("FLEET_SUBSCRIBERS", str(WHOLE_DAY)))
SEED = int(os.environ.get("FLEET_SEED", "1"))
CHANGES = frozenset({Traffic.COA, Traffic.DISCONNECT})
# RFC 5176 section 3.5, a cause that there is not, and none at all.
CAUSES = (None, 401, 402, 403, 404, 405, 406, 407, 501, 502, 503, 504, 505, 506, 507, 508, 599)
FAULTS = {
    FaultKind.SILENCE,
    FaultKind.REPLY_LOST,
    FaultKind.LATE,
    FaultKind.DUPLICATE,
    FaultKind.REORDER,
    FaultKind.NAK,
    FaultKind.ACK_ONLY,
    FaultKind.WRONG_AUTHENTICATOR,
    FaultKind.WRONG_SOURCE,
    FaultKind.WRONG_CODE,
}
# Nothing is measured by these: they are for a broken program.
SETTLES_S, BALANCES_S = 400, 180
# A worker that has nothing to send for so long, as in a day of few subscribers, is killed all the same.
BUSY_S = 20
# How long a datagram may lie in its device's socket on a busy machine.
_READ_LATE_S = 30
# Sessions that Corrente itself takes to be in drift. What it could not prove and took on trust is for the devices to say.
DRIFT = """
SELECT s.username, n.name, d.level::text FROM session s JOIN desired_policy d USING (account_id) JOIN nas n ON n.id = s.nas_id
LEFT JOIN profile_revision p USING (profile_id)
WHERE coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision AND NOT EXISTS (
    SELECT FROM enforcement e WHERE e.session_key = s.session_key AND e.state = 'unverifiable'
    AND e.desired_version = p.revision || d.account_revision)
"""
CHANGES_OF = """
SELECT id, state::text, level::text, method::text, attempt, error_cause, problem, held_reason, acct_session_id, sent_at, closed_at, next_at - now()
FROM enforcement WHERE username = %s ORDER BY id DESC LIMIT 4
"""


def make_trouble(world: Fleet, chance: random.Random) -> None:
    """All day long some packets are lost, late, doubled, out of order, forged, and each device refuses by each cause once."""
    for one in world.devices:
        refusals = [
            Fault(FaultKind.NAK, on={Traffic.COA}, times=1, probability=0.1, error_cause=cause)
            for cause in chance.sample(CAUSES, len(CAUSES))
        ]
        world.add_faults(
            one,
            Fault(FaultKind.SILENCE, on=CHANGES, probability=0.02),
            Fault(FaultKind.REPLY_LOST, on=CHANGES, probability=0.02),
            Fault(FaultKind.LATE, on=CHANGES, probability=0.02, delay_s=0.5),
            Fault(FaultKind.LATE, on=CHANGES, probability=0.01, delay_s=4),
            Fault(FaultKind.DUPLICATE, on=CHANGES, probability=0.02),
            Fault(FaultKind.REORDER, on=CHANGES, probability=0.02),
            Fault(FaultKind.WRONG_AUTHENTICATOR, on=CHANGES, probability=0.005),
            Fault(FaultKind.WRONG_SOURCE, on=CHANGES, probability=0.005, then_genuine=True),
            Fault(FaultKind.WRONG_CODE, on=CHANGES, probability=0.005),
            Fault(FaultKind.SILENCE, on={Traffic.ACCOUNTING, Traffic.ACCESS}, probability=0.01),
            Fault(FaultKind.DUPLICATE, on={Traffic.ACCOUNTING}, probability=0.01),
            *refusals,
        )
        if one.vendor in FOUND_OUT:
            world.add_faults(one, Fault(FaultKind.ACK_ONLY, on=CHANGES, times=6, probability=0.1))


class Kills:
    """The workers that were killed: when, and which ports they sent from."""

    def __init__(self) -> None:
        self.ports: dict[int, float] = {}

    def kill(self, world: Fleet) -> None:
        """The one that has been there longest, in the middle of its work; another takes its place."""
        worker = next(one for one in world.workers if one.process.poll() is None)
        worker.signal(signal.SIGSTOP)
        found = udp_ports(worker.process.pid)
        worker.kill()
        self.ports |= dict.fromkeys(found, time.time())
        world.start_worker()


def live_through(world: Fleet, day: Day, book: Book, kills: Kills) -> None:
    """The day, hour by hour. An hour begins when most of what the one before wanted has come about."""
    rebooted = iter(random.Random(day.seed).sample(world.devices, 3))
    for hour, steps in enumerate(day.hours):
        for step in steps:
            world.do_step(step)
            book.note(step)
        if hour in (5, 11, 18):
            world.reboot(next(rebooted), down_s=1.5)
        if hour in (8, 20):
            # The first packets of the hour are lost, so that something is on its way for a while.
            for one in world.devices:
                world.add_faults(one, Fault(FaultKind.SILENCE, on=CHANGES, times=2))
            until = time.monotonic() + BUSY_S
            while not something_is_sent(world) and time.monotonic() < until:
                time.sleep(0.01)
            kills.kill(world)
        if hour == 15:
            world.restart_postgres()
        report_due(world)
        looked = time.monotonic()
        until = looked + SETTLES_S
        while len(wrong := what_is_wrong(world, book)) >= world.count / 10:
            assert time.monotonic() < until, told(world, day, wrong)
            looked = rest_after(looked, at_least_s=0.1)


def something_is_sent(world: Fleet) -> bool:
    """Whether a worker has asked a device and has no answer yet."""
    return bool(world.execute("SELECT EXISTS (SELECT FROM enforcement WHERE state = 'sent')")[0][0])


def report_due(world: Fleet) -> None:
    """The interims of those whose changes wait for a proof, which would come within minutes."""
    waiting = {name for (name,) in world.execute("SELECT username FROM enforcement WHERE closed_at IS NULL")}
    for one in world.devices:
        world.send_interims(one, waiting)


def what_is_wrong(world: Fleet, book: Book) -> dict[str, str]:
    """By username what a device has that it must not have, or has not."""
    wrong = {}
    for number, sessions in world.held().items():
        name = book.given(number)
        offer = None if name is None else FASTER if name == "Business" and book.faster else OFFERS[name]
        wanted: list[Held] = [] if offer is None else [must_hold(world.vendor_of(number), offer)]
        if sessions != wanted:
            wrong[username(number)] = f"{world.vendor_of(number)}: has {sessions}, must have {wanted} ({name})"
    return wrong


class Operator:
    """Looks at each alarm once, and has what was given up tried again: the device refused it as if it were configured wrongly."""

    def __init__(self, world: Fleet, directory: Path) -> None:
        self._world, self._settings = world, write_settings(directory, world.conninfo)
        self.seen: set[int] = set()

    def look(self) -> None:
        """What is new since the last look."""
        given_up = self._world.execute(
            "SELECT max(id) FROM enforcement JOIN session USING (session_key) GROUP BY session_key "
            "HAVING (array_agg(state ORDER BY enforcement.id DESC))[1] = 'gave_up'"
        )
        for (number,) in given_up:
            if number not in self.seen:
                self.seen.add(number)
                run(self._settings, "enforcement", "retry", str(number))


def settle(world: Fleet, day: Day, book: Book, operator: Operator) -> None:
    """Until nothing is wrong on any device, nothing in drift and no change open."""
    until = time.monotonic() + SETTLES_S
    for one in cycle(world.devices):
        operator.look()
        report_due(world)
        # A session of which its device has said twice that it is not there is closed here until its next record.
        world.send_interims(one)
        wrong, drift = what_is_wrong(world, book), world.execute(DRIFT)
        ((working,),) = world.execute("SELECT count(*) FROM enforcement WHERE closed_at IS NULL")
        if not (wrong or drift or working):
            return
        assert time.monotonic() < until, f"{drift[:9]} in drift, {working} open\n{told(world, day, wrong)}"
        time.sleep(0.5)


def acknowledge_in_vain(world: Fleet, book: Book) -> None:
    """Devices that give no sign of it acknowledge one change and do nothing: the one thing that nobody can see. Corrente does
    not say that it is proven."""
    silent = [one for one in world.devices if one.vendor in TAKEN_ON_TRUST]
    numbers = tuple(next(n for n in one.subscribers if book.given(n) == "Home") for one in silent)
    for one in silent:
        world.add_faults(one, Fault(FaultKind.ACK_ONLY, on={Traffic.COA}, times=1))
    names = [username(number) for number in numbers]
    on_trust = "SELECT count(*) FROM enforcement WHERE username = ANY (%s) AND state = 'unverifiable' AND id > %s"
    ((last,),) = world.execute("SELECT max(id) FROM enforcement")
    step = Step(Deed.UPGRADE, numbers)
    world.do_step(step)
    book.note(step)
    world.wait_for(f"SELECT ({on_trust}) = %s", names, last, len(names))
    assert sorted(what_is_wrong(world, book)) == sorted(names)


def test_a_day_of_five_thousand_sessions_on_a_mixed_fleet_ends_without_drift_and_each_packet_is_explained(
    tmp_path: Path,
):
    day, book, kills = make_day(SUBSCRIBERS, seed=SEED), Book(SUBSCRIBERS), Kills()
    with fleet(VENDORS, subscribers=SUBSCRIBERS, directory=tmp_path, seed=SEED) as world:
        world.start_worker()
        world.start_worker()
        world.dial_all()
        make_trouble(world, random.Random(SEED))

        live_through(world, day, book, kills)
        world.clear_faults()

        settle(world, day, book, Operator(world, tmp_path))
        acknowledge_in_vain(world, book)
        ledger = balanced(world, day, kills, book)
        struck_by_all(world)
        print(day, figures(world, ledger), sep="\n")


def balanced(world: Fleet, day: Day, kills: Kills, book: Book) -> Ledger:
    """The log against the devices, once it explains every packet: the last rows are written a moment after the packets."""
    until = time.monotonic() + BALANCES_S
    while True:
        ledger = compare(world.devices, world.execute(LOG))
        left = unexplained(world, ledger, kills, book)
        if not left:
            return ledger
        assert time.monotonic() < until, "\n".join([f"{len(left)} unexplained", *left[:20], str(day)])
        time.sleep(0.5)


def struck_by_all(world: Fleet) -> None:
    """The day was what it says: every fault struck, a device refused by every cause, and each device was changed live and by
    cutting. A smaller day may have missed some."""
    if world.count < WHOLE_DAY:
        return
    struck = Counter(kind for one in world.devices for kind in one.nas.faults.struck)
    assert set(struck) == FAULTS, set(struck) ^ FAULTS
    causes = {key for one in world.devices for key in one.nas.statistics.changes_answered if key.startswith("coa nak")}
    assert causes >= {f"coa nak {cause or ''}".strip() for cause in CAUSES}, causes
    unused = {
        (one.vendor, what)
        for one in world.devices
        for what in ("coa ack", "disconnect ack")
        if one.nas.statistics.changes_answered[what] < world.count / len(world.devices) / 100
    }
    assert not unused, unused


def figures(world: Fleet, ledger: Ledger) -> str:
    """What the day came to, for who reads along."""
    states = world.execute(
        "SELECT method::text || ' ' || state::text, count(*) FROM enforcement GROUP BY 1 ORDER BY 2 DESC"
    )
    return (
        f"{len(world.devices)} devices, {world.count} subscribers; changes: {dict(states)}\n"
        f"packets: {ledger.heard} heard by devices, {ledger.logged} in the log, {ledger.answers} answers taken; "
        f"{len(ledger.unlogged)} of killed workers, {len(ledger.unheard)} to devices that were off"
    )


def unexplained(world: Fleet, ledger: Ledger, kills: Kills, book: Book) -> list[str]:
    """What the log leaves unexplained, or has too much."""
    left = ledger.unexplained + [f"an answer that no device gave: {one}" for one in ledger.unsaid]
    for at, port, request in ledger.unlogged:
        killed_at = kills.ports.get(port)
        ((begun,),) = world.execute(
            "SELECT coalesce(sum(attempt), 0) FROM enforcement WHERE username = %s AND acct_session_id = %s",
            request.username,
            request.session_id,
        )
        # A packet's row is written some milliseconds after it has left (decision 0016): a worker that is killed in between
        # leaves the change that it had begun, with its count of attempts, and no more.
        if killed_at is None or at > killed_at + _READ_LATE_S or ledger.made_for(request) > begun:
            left.append(f"heard by the device and in no log: {request}")
    off = {f"{one.nas.address}:{one.nas.coa_port}": one.off for one in world.devices}
    for at, request in ledger.unheard:
        # What was on its way, or unread, when the device's power went had left before.
        if not any(began - _READ_LATE_S <= at <= ended for began, ended in off[request.peer]):
            left.append(
                f"in the log at {at:.3f} and heard by no device: {request}, which was off at {off[request.peer]}"
            )
    touched = {username(number) for number in book.touched}
    left += [
        f"{name} was sent something, and nothing happened to it all day" for name in sorted(ledger.users - touched)
    ]
    return left


def told(world: Fleet, day: Day, wrong: dict[str, str]) -> str:
    """For a failure: what is wrong, what became of it on its way, and the day that leads there."""
    lines = [f"{len(wrong)} wrong after {SETTLES_S} s"]
    for name, what in list(wrong.items())[:10]:
        lines.append(f"{name} {what}")
        if name.startswith("user"):
            lines.append(f"    {day.of(int(name[4:]))}")
            lines += [f"    {row}" for row in world.execute(CHANGES_OF, name)]
    return "\n".join([*lines, str(day)])
