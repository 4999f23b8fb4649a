"""Devices of every vendor and their subscribers without a socket, a process or a second that passes: the reconciler, the sender's turns and
the verifier are the product's, rows in a real database; what is on the wire, and the time, is in the test's hand.

    world = QuickFleet(connection, conninfo, subscribers=100, seed=7)
    world.live(rounds=40)        # deeds, changes, packets that are lost or late or refused, workers that die
    world.settle()
    world.wrong()                # by username what a device has that it must not have

What each device must have is the table of fleet_words.py; it is kept by fleet_day.py's book.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from support.fleet import _STATEMENTS, add_isp, username
from support.fleet_day import Book, Deed, Step
from support.fleet_words import FASTER, FOUND_OUT, LANGUAGE, OFFERS, Held, held_of, must_hold
from support.radius_server import NAS_SECRET, SEALER

from control_plane import db
from control_plane.control_loop.desired import desired_of
from control_plane.control_loop.enforcement import Outcome, Progress, Reply
from control_plane.control_loop.guard import Verdict
from control_plane.control_loop.outgoing import Outgoing
from control_plane.control_loop.reconcile import reconcile_accounts, reconcile_all
from control_plane.control_loop.turn import Came, News, Turns
from control_plane.control_loop.verification import Verifier
from control_plane.policy.policy_source import load_accounts, load_profiles
from control_plane.policy.profile import session_policy
from control_plane.policy.quota import lift_quotas
from control_plane.policy.rendering import Rendering, build_account_record, profile_revision
from control_plane.settings import Settings
from control_plane.store import desired as desired_store
from control_plane.store.drift import load_profiles as load_profile_columns
from control_plane.store.enforcement import Change
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute
from nas_drivers.simulated import behaviour as sim
from nas_drivers.simulated import codec
from nas_drivers.simulated.change_requests import Listener, read_change_request
from nas_drivers.simulated.logins import line_for, session_of
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.requests import device_attributes
from nas_drivers.simulated.session import Session, SessionTable, Subscriber
from nas_drivers.simulated.traffic import Rates
from nas_drivers.transport.packets import check_attributes, write_request

# As in the fleet, without what has an API and with what is told everything by a new login.
VENDORS = tuple(vendor for vendor in LANGUAGE if vendor != "mikrotik")
CAUSES = (None, 401, 402, 403, 404, 405, 406, 407, 501, 502, 503, 504, 505, 506, 507, 508, 599)
ROUND_S = 20
_ENFORCEMENT_TIMES = (
    "held_since",
    "next_at",
    "taken_until",
    "wanted_at",
    "created_at",
    "sent_at",
    "answered_at",
    "closed_at",
    "alarmed_at",
    "settled_at",
)
_SESSION_TIMES = ("started_at", "updated_at", "received_at", "addresses_since", "applied_at")
_OTHER_CLASS = "applied_version IS NOT NULL AND policy_version IS DISTINCT FROM %(version)s"
# What the merge of accounting does with a record of a session that it knows.
_INTERIM = f"""
UPDATE session SET received_at = now(), updated_at = now(), policy_version = %(version)s,
    applied_at = CASE WHEN {_OTHER_CLASS} THEN now() ELSE applied_at END,
    applied_by = CASE WHEN {_OTHER_CLASS} THEN 'device' ELSE applied_by END,
    applied_version = CASE WHEN {_OTHER_CLASS} THEN %(version)s ELSE applied_version END
WHERE acct_session_id = %(id)s AND nas_id = %(nas)s
"""
# One that was taken to be over and speaks again.
_REOPEN = """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, updated_at, received_at,
    session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, framed_ipv4, mac, nas_port_id, applied_version, applied_by, applied_at)
SELECT session_key, nas_id, acct_session_id, username, account_id, class_key, %(version)s, started_at, now(), now(),
    0, 0, 0, 0, 0, started_at, framed_ipv4, mac, nas_port_id, CASE WHEN same THEN applied_version END, CASE WHEN same THEN applied_by END, CASE WHEN same THEN applied_at END
FROM closed_session CROSS JOIN LATERAL (SELECT policy_version IS NOT DISTINCT FROM %(version)s AS same) AS x WHERE acct_session_id = %(id)s AND nas_id = %(nas)s
"""


@dataclass
class Place:
    """Where a device is."""

    address: str


@dataclass
class Bras:
    """One device: who may dial in on it, and its live sessions."""

    number: int
    vendor: str
    nas: Place
    subscribers: dict[int, Subscriber]
    sessions: SessionTable = field(default_factory=SessionTable)
    dialled: int = 0

    @property
    def name(self) -> str:
        """Its name in the database."""
        return f"{self.vendor}-{self.number}"

    @property
    def identity(self) -> sim.DeviceIdentity:
        """What it calls itself."""
        return sim.DeviceIdentity(IPv4Address(self.nas.address), self.name)


@dataclass
class Packet:
    """A request on its way: what it is about, what is left to happen to it, and what became of it."""

    change: Change
    progress: Progress
    outgoing: Outgoing
    fate: str
    cause: int | None
    steps: int
    outcome: Outcome | None = None


def _goes(_: Any, ids: Iterable[int], __: datetime) -> dict[int, Verdict]:
    return {number: Verdict(number) for number in ids}


class QuickFleet:
    """See the module."""

    def __init__(self, connection: psycopg.Connection[Any], conninfo: str, *, subscribers: int, seed: int) -> None:
        self.dice = random.Random(seed)
        self.connection, self.conninfo, self.count = connection, conninfo, subscribers
        self.settings = msgspec.convert({"database": {"conninfo": conninfo}}, Settings)
        self.book = Book(subscribers)
        self.devices = [self._device(number, vendor) for number, vendor in enumerate(VENDORS, start=1)]
        self._dictionary = load_dictionary(self.settings.radius.freeradius_dictionary)
        self._policies = {offer.word: Rates(offer.down_bps, offer.up_bps) for offer in OFFERS.values()}
        self._behaviours = {vendor: sim.behaviour_for(vendor, self._policies) for vendor in VENDORS}
        self.history: dict[int, list[str]] = {}
        add_isp(connection, self.devices, subscribers)  # type: ignore[arg-type]
        connection.commit()
        self.loop = db.connect(conninfo, name="loop", autocommit=True)
        self._verifier_connection = db.connect(conninfo, name="verifier", autocommit=True)
        self.verifier = Verifier(self._verifier_connection, self.settings, SEALER, chance=self.dice.random)
        self.workers = 0
        self.news, self.packets = News(), dict[int, Packet]()
        self.turns = self._worker()
        self.faulty = True
        self.work_out(range(1, subscribers + 1))
        self.dial()

    def close(self) -> None:
        """Let go of the connections."""
        self.turns.disconnect()
        self.verifier.close()
        self._verifier_connection.close()
        self.loop.close()

    def _device(self, number: int, vendor: str) -> Bras:
        mine = range(number, self.count + 1, len(VENDORS))
        people = {n: Subscriber(username(n), "pw", mac=f"02005e{n:06x}") for n in mine}
        return Bras(number, vendor, Place(f"127.66.41.{number}"), people)

    def device_of(self, number: int) -> Bras:
        """Where a subscriber dials in."""
        return self.devices[(number - 1) % len(self.devices)]

    def _worker(self) -> Turns:
        self.workers += 1
        return Turns(self.settings, SEALER, worker=f"worker {self.workers}", may_send=_goes, chance=self.dice.random)

    def execute(self, sql: str, given: Any = ()) -> list[Any]:
        """A statement of its own; its rows, if it has any."""
        cursor = self.connection.execute(sql, given)
        rows = cursor.fetchall() if cursor.description else []
        self.connection.commit()
        return rows

    def tell(self, number: int, words: str) -> None:
        """For a failure's message."""
        self.history.setdefault(number, []).append(words)

    # What is wanted -----------------------------------------------------------------------------------------------------

    def do(self, deed: Deed, subscribers: tuple[int, ...]) -> None:
        """One deed, in the database and in the book."""
        for statement in _STATEMENTS[deed]:
            self.connection.execute(statement, {"them": list(subscribers), "quota": 10**12, "rate": FASTER.down_bps})
        self.connection.commit()
        self.book.note(Step(deed, subscribers))
        for number in subscribers:
            self.tell(number, f"[{deed.value}]")

    def work_out(self, accounts: Iterable[int]) -> None:
        """What these accounts should have, as the leader writes it."""
        now, zone = datetime.now(UTC), ZoneInfo("UTC")
        ids = sorted(accounts)
        desired_store.save_revisions(
            self.connection, {row.id: (profile_revision(row), row) for row in load_profiles(self.connection)}
        )
        lift_quotas(self.connection, ids, now=now, zone=zone)
        rendering = Rendering(self._dictionary, zone, now)
        records = [build_account_record(row, rendering) for row in load_accounts(self.connection, ids=ids)]
        desired_store.save_desired(self.connection, [desired_of(one, now=now.timestamp()) for one in records])
        self.connection.commit()

    # Who dials ----------------------------------------------------------------------------------------------------------

    def dial(self) -> None:
        """Everybody who is offline and let in is online."""
        wanted = {
            number: (profile, version)
            for number, profile, version in self.execute(
                "SELECT d.account_id, d.profile_id, p.revision || d.account_revision FROM desired_policy d JOIN profile_revision p USING (profile_id)"
            )
        }
        columns = load_profile_columns(self.connection, sorted({profile for profile, _ in wanted.values()}))
        self.connection.commit()
        for device in self.devices:
            for number, who in device.subscribers.items():
                if number in wanted and not device.sessions.of(who.username):
                    profile, version = wanted[number]
                    self._log_in(device, number, who, session_policy(columns[profile]), bytes(version))

    def _log_in(self, device: Bras, number: int, who: Subscriber, policy: Any, version: bytes) -> None:
        behaviour = self._behaviours[device.vendor]
        device.dialled += 1
        key = uuid.UUID(int=self.dice.getrandbits(128))
        given = driver_for(device.vendor).login_attributes(policy)
        given = (*given, Attribute("Class", ":=", "0x" + (b"CO1" + key.bytes + version).hex()))
        accept = write_request(43, 1, check_attributes(given), secret=NAS_SECRET, timestamp=None, sign=False)
        terms = behaviour.login_terms(codec.decode(accept.raw))
        assert terms.fails is None, terms
        own = device_attributes(device.identity)
        line = line_for(who, number=device.dialled, boot=1, behaviour=behaviour, own=own)
        address = IPv4Address("100.64.0.0") + device.number * 65536 + device.dialled
        session = session_of(
            who,
            line,
            terms,
            address=address,
            pool="",
            delegated_prefix=None,
            options=DeviceOptions(),
            now=0.0,
            epoch_s=0.0,
        )
        device.sessions.add(session)
        self.tell(number, f"logs in: {held_of(session)}")
        self.execute(
            "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, updated_at, received_at,"
            " session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, framed_ipv4, mac, nas_port_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, now(), now(), now(), 0, 0, 0, 0, 0, now(), %s, %s, %s)",
            (
                uuid.UUID(int=self.dice.getrandbits(128)),
                device.number,
                line.session_id,
                who.username,
                number,
                key,
                version,
                address,
                who.mac,
                line.nas_port_id,
            ),
        )

    def report(self, device: Bras, session: Session) -> None:
        """An interim of it has come and was merged."""
        carried = session.classes[-1] if session.classes else b""
        version = carried[19:27] if carried.startswith(b"CO1") and len(carried) == 27 else None
        given = {"version": version, "id": session.session_id, "nas": device.number}
        cursor = self.connection.execute(_INTERIM, given)
        if not cursor.rowcount:
            self.connection.execute(_REOPEN, given)
            self.connection.execute(
                "DELETE FROM closed_session WHERE acct_session_id = %(id)s AND nas_id = %(nas)s", given
            )
        self.connection.commit()

    def _end(self, device: Bras, session: Session) -> None:
        session.ended = True
        device.sessions.remove(session)
        self.execute(
            "DELETE FROM session WHERE acct_session_id = %s AND nas_id = %s", (session.session_id, device.number)
        )

    # What is on the wire ------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn of the worker; what it sends is on its way."""
        for number in self.turns.load_unwanted(list(self.packets)):
            packet = self.packets.pop(number)
            self.news.released.append(number)
            self.tell(packet.change.account_id or 0, f"#{number} is let go")
        news, self.news = self.news, News(answered={one.number for one in self.devices})
        turn = self.turns.transact(news, {}, frozenset(self.packets))
        for change, progress, outgoing in turn.outgoing:
            assert isinstance(outgoing, Outgoing), outgoing
            fate, cause = self._fate(change)
            self.packets[change.id] = Packet(change, progress, outgoing, fate, cause, self.dice.choice((0, 0, 1, 2)))
            self.tell(
                change.account_id or 0,
                f"#{change.id} {progress.method.value} {change.level} begun, {fate} {cause or ''}",
            )
        self.turns.settle()

    def _fate(self, change: Change) -> tuple[str, int | None]:
        """What becomes of a request."""
        if not self.faulty:
            return "arrives", None
        vendor = self.devices[change.nas_id - 1].vendor
        fates = ["arrives"] * 8 + ["lost"] * 5 + ["answer lost"] * 5 + ["refused"] * 2 + ["late"] * 2
        fates += ["ignored"] * (vendor in FOUND_OUT)
        fate = self.dice.choice(fates)
        return fate, self.dice.choice(CAUSES) if fate == "refused" else None

    def move(self) -> None:
        """What is on its way comes on."""
        for number, packet in list(self.packets.items()):
            if packet.outcome is None and self.dice.random() < 0.8:
                packet.outcome = self._arrive(packet)
            elif packet.outcome is not None and packet.steps <= 0:
                del self.packets[number]
                self.news.came.append(
                    Came(packet.change, packet.progress, packet.outcome, datetime.now(UTC) + self.turns.ahead)
                )
                self.tell(
                    packet.change.account_id or 0,
                    f"#{number} {packet.outcome.reply.value} {packet.outcome.error_cause or ''}",
                )
            else:
                packet.steps -= 1

    def _arrive(self, packet: Packet) -> Outcome:
        if packet.fate == "lost":
            return Outcome(Reply.NONE, sends=5)
        if packet.fate == "refused":
            return Outcome(Reply.NAK, packet.cause)
        decision = self._decision(packet)
        if isinstance(decision, sim.Drop):
            return Outcome(Reply.NONE, sends=5)
        if isinstance(decision, sim.Nak):
            return Outcome(Reply.NAK, decision.error_cause)
        device = self.devices[packet.change.nas_id - 1]
        if packet.fate != "ignored":
            if isinstance(decision, sim.Change):
                for session, terms in decision.changes:
                    session.take_on(terms, 0.0)
                    self.tell(packet.change.account_id or 0, f"has {held_of(session)}")
            else:
                for session in decision.sessions:
                    self._end(device, session)
                    self.tell(packet.change.account_id or 0, "is ended")
        if packet.fate == "answer lost":
            return Outcome(Reply.NONE, sends=5)
        return Outcome(Reply.ACK, sends=2 if packet.fate == "late" else 1)

    def _decision(self, packet: Packet) -> sim.Decision:
        asked = packet.outgoing.request
        raw = write_request(
            asked.code, 1, check_attributes(asked.attributes), secret=NAS_SECRET, timestamp=None, sign=True
        ).raw
        request = read_change_request(raw, "127.0.0.1", listener=Listener(NAS_SECRET), epoch_s=0.0)
        assert not isinstance(request, sim.Drop), request
        device = self.devices[packet.change.nas_id - 1]
        return self._behaviours[device.vendor].decide(request, device.sessions, device.identity)

    def kill_worker(self) -> None:
        """It dies with what it has in its hands; another begins."""
        for packet in self.packets.values():
            if packet.outcome is None and self.dice.random() < 0.5:
                self._arrive(packet)
            self.tell(packet.change.account_id or 0, f"#{packet.change.id}: its worker dies")
        self.packets.clear()
        self.news = News()
        self.turns.disconnect()
        self.turns = self._worker()

    # Time ---------------------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """All that was is so much longer ago."""
        for table, columns in (
            ("enforcement", _ENFORCEMENT_TIMES),
            ("session", _SESSION_TIMES),
            ("closed_session", ("started_at", "applied_at")),
            ("desired_policy", ("changed_at",)),
        ):
            moved = ", ".join(f"{one} = {one} - make_interval(secs => %(s)s)" for one in columns)
            self.connection.execute(f"UPDATE {table} SET {moved}", {"s": seconds})
        self.connection.execute("DELETE FROM nas_silence")
        self.connection.execute(
            "INSERT INTO spool_node (node, read_to) VALUES ('node', now()) ON CONFLICT (node) DO UPDATE SET read_to = now(), updated_at = now()"
        )
        self.connection.commit()

    def live(self, rounds: int) -> None:
        """So many rounds of everything."""
        for _ in range(rounds):
            touched = self._deeds(edited=self.dice.random() < 0.2)
            self.work_out(touched)
            if self.dice.random() < 0.9:
                reconcile_accounts(self.loop, touched)
            for _ in range(self.dice.randrange(1, 4)):
                self.turn()
                self.move()
            self._look(0.5)
            if self.dice.random() < 0.1:
                self.kill_worker()
            if self.dice.random() < 0.3:
                reconcile_all(self.loop)
            self.dial()
            self.pass_time(ROUND_S)

    def _deeds(self, *, edited: bool) -> list[int]:
        touched: set[int] = set()
        for deed in Deed:
            able = self.book.may(deed) if deed is not Deed.FASTER else []
            some = tuple(
                one
                for one in able
                if self.dice.random()
                < 0.04 * (3 if deed in (Deed.PAY, Deed.PROMISE, Deed.UNBLOCK, Deed.RETURN, Deed.TOP_UP) else 1)
            )
            if some:
                self.do(deed, some)
                touched.update(some)
        if edited:
            self._edit()
            touched.update(range(1, self.count + 1))
        return sorted(touched)

    def _edit(self) -> None:
        """Business is faster from now on, or as fast as it was; devices that have it ready by its name see nothing of it."""
        self.book.faster = not self.book.faster
        rate = FASTER.down_bps if self.book.faster else OFFERS["Business"].down_bps
        self.execute(
            "UPDATE profile SET rate_down_bps = %s WHERE name LIKE 'Business%%' AND rate_down_bps IS NOT NULL", (rate,)
        )
        for number in range(1, self.count + 1):
            self.tell(number, "[Business is edited]")

    def _look(self, share: float) -> None:
        for device in self.devices:
            for session in device.sessions.all():
                if self.dice.random() < share:
                    self.report(device, session)
        self.verifier.turn(db.clock(self._verifier_connection))

    def settle(self, rounds: int = 60) -> None:
        """No more faults, until nothing is on its way and nobody works on anything; not for ever."""
        self.faulty = False
        for packet in self.packets.values():
            packet.fate = "arrives"
        for _ in range(rounds):
            reconcile_all(self.loop)
            self.turn()
            self.move()
            self.move()
            self.turn()
            self._look(1.0)
            self.dial()
            self.pass_time(1000)
            if (
                not self.wrong()
                and not self.packets
                and not self.execute("SELECT FROM enforcement WHERE closed_at IS NULL")
            ):
                return

    def wrong(self) -> dict[int, str]:
        """By subscriber what a device has that it must not have, or has not."""
        found = {}
        for device in self.devices:
            for number, who in device.subscribers.items():
                name = self.book.given(number)
                offer = None if name is None else FASTER if name == "Business" and self.book.faster else OFFERS[name]
                wanted: list[Held] = [] if offer is None else [must_hold(device.vendor, offer)]
                has = [held_of(session) for session in device.sessions.of(who.username)]
                if has != wanted:
                    found[number] = f"{device.vendor}: has {has}, must have {wanted} ({name})"
        return found
