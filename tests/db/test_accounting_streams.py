"""Streams of records with every fault, through files and PostgreSQL, against an oracle that only knows the devices.

And the same streams while the shipper and PostgreSQL are killed at random: each record is counted once.
"""

import random
import time

import psycopg
import pytest
from support.accounting_world import NOON, add_network, detail, rows, settings_for, ship, shipping
from support.own_postgres import own_postgres, start_again
from support.shipper_process import ShipperProcess

from control_plane import db
from control_plane.machine.private_postgres import stop_cluster

pytestmark = pytest.mark.db
USERS = ("anna", "bruno", "carla", "dino", "elsa")
NASES = ("127.0.0.1", "127.0.0.2")


class Sessions:
    """What devices truly did, the records of it as they reach FreeRADIUS, and what must be in the tables in the end."""

    def __init__(self, seed, *, lives=4):
        self.random = random.Random(seed)
        self.used = {user: [0, 0] for user in USERS}
        self.live = 0
        self.closed = 0
        self.held = []
        self.arrivals = []
        for source in NASES:
            for user in USERS:
                self._line(source, user, lives)
        self.arrivals.sort(key=lambda arrival: arrival[0])
        self.text = [text for _, text in self.arrivals]

    def _line(self, source, user, lives):
        """One line of a subscriber: sessions one after the other, some with the id of the one before."""
        pick = self.random
        moment, echoes_class = NOON, pick.random() < 0.5
        names = [f"8%{pick.randrange(16**4):04x}"]
        for _ in range(lives - 1):
            names.append(names[-1] if pick.random() < 0.5 else f"8%{pick.randrange(16**4):04x}")
        for number, session in enumerate(names):
            key = pick.randbytes(16) if echoes_class else None
            replaced = names[number + 1 : number + 2] == [session]
            moment = self._session(source, user, session, key, moment, replaced=replaced) + pick.randint(400, 4000)

    def _session(self, source, user, session, key, began, *, replaced):
        pick = self.random
        address = f"10.{pick.randrange(256)}.{pick.randrange(256)}.{pick.randrange(256)}"
        time_s, octets, records = 0, (0, 0), [("Start", 0, (0, 0))]
        for _ in range(pick.randint(1, 6)):
            time_s += pick.randint(300, 3000)
            octets = (octets[0] + pick.randrange(2**33), octets[1] + pick.randrange(2**34))
            records.append(("Interim-Update", time_s, octets))
        stops = pick.random() < 0.6
        if stops:
            time_s += pick.randint(1, 300)
            kind = (octets, (0, 0))[pick.random() < 0.2]
            records.append(("Stop", time_s, kind))
        # The device resends what is lost; only whole tails of records never come (it lost power).
        for number, (kind, at_s, counted) in enumerate(records):
            late = pick.choice((0, 0, 0, 1, 7, 500 if number < len(records) - 1 else 0))
            text = detail(
                kind,
                at=began + at_s + late,
                Acct_Delay_Time=str(late),
                source=source,
                user=user,
                session=session,
                key=key,
                time=at_s,
                octets=counted,
                Framed_IP_Address=address,
            )
            for copy in range(pick.choice((1, 1, 1, 2, 3))):
                self.arrivals.append((began + at_s + late + copy * pick.randint(0, 300), text))
        self.used[user][0] += octets[0]
        self.used[user][1] += octets[1]
        if stops or replaced:
            self.closed += 1
        else:
            self.live += 1
        return began + time_s


def expected(sessions):
    return {user: tuple(used) for user, used in sessions.used.items()}


def found(conninfo, table):
    sql = (
        "SELECT username, sum(octets_in)::bigint, sum(octets_out)::bigint FROM usage_{} u "
        "JOIN subscriber_account a ON a.id = u.account_id GROUP BY 1"
    )
    return {user: (used_in, used_out) for user, used_in, used_out in rows(conninfo, sql.format(table))}


def totals(conninfo):
    sql = (
        "SELECT username, sum(octets_in)::bigint, sum(octets_out)::bigint FROM "
        "(SELECT username, octets_in, octets_out FROM session UNION ALL SELECT username, octets_in, octets_out FROM closed_session) s "
        "GROUP BY 1"
    )
    return {user: (used_in, used_out) for user, used_in, used_out in rows(conninfo, sql)}


OVERLAPS = (
    "SELECT count(*) FROM address_history a JOIN address_history b ON a.session_key = b.session_key AND a.address = b.address "
    "AND a.valid_from < b.valid_from AND a.valid_to > b.valid_from"
)
GAPS = (
    "SELECT count(*) FROM (SELECT valid_to, lead(valid_from) OVER (PARTITION BY session_key, address ORDER BY valid_from) AS following "
    "FROM address_history) h WHERE following <> valid_to"
)


def check(conninfo, sessions):
    assert rows(conninfo, "SELECT problem, record FROM unreadable_record") == []
    assert totals(conninfo) == expected(sessions)
    assert found(conninfo, "hour") == expected(sessions)
    assert found(conninfo, "day") == expected(sessions)
    assert rows(conninfo, "SELECT count(*) FROM session") == [(sessions.live,)]
    assert rows(conninfo, "SELECT count(*) FROM closed_session") == [(sessions.closed,)]
    assert rows(conninfo, OVERLAPS) == [(0,)]
    assert rows(conninfo, GAPS) == [(0,)]


def write(settings, texts, *, name="detail"):
    with (settings.accounting_spool_dir / name).open("ab") as file:
        file.write("".join(texts).encode())


@pytest.mark.parametrize("seed", range(12))
def test_every_record_counts_once_whatever_order_and_however_often_it_came(database, connection, tmp_path, seed):
    add_network(connection, nases=NASES, usernames=USERS)
    sessions = Sessions(seed)
    settings = settings_for(tmp_path, database, edge={"batch_records": sessions.random.choice((1, 7, 2000))})
    texts = list(sessions.text)
    with shipping(settings) as ship_all:
        while texts:
            some = sessions.random.randint(1, len(texts))
            write(settings, texts[:some])
            del texts[:some]
            if sessions.random.random() < 0.5:
                ship_all()
        ship_all()
        check(database, sessions)

    # The whole of it again, from a file of another name, by a shipper that knows nothing yet.
    write(settings, sessions.text, name="detail.node-1.00000000000000000001")
    ship(settings)
    check(database, sessions)


@pytest.mark.parametrize("seed", range(8))
def test_two_nodes_of_which_one_lags_by_hours_count_every_record_once(database, connection, tmp_path, seed):
    """Each node has every second record, and their spools are read at very different speeds."""
    add_network(connection, nases=NASES, usernames=USERS)
    sessions = Sessions(7 + seed % 2, lives=10)
    pick = random.Random(seed)
    nodes = [settings_for(tmp_path / name, database, edge={"node": name}) for name in ("one", "two")]
    waiting = [sessions.text[0::2], sessions.text[1::2]]
    share = pick.random()
    with shipping(nodes[0]) as first, shipping(nodes[1]) as second:
        while any(waiting):
            node = 0 if waiting[0] and (pick.random() < share or not waiting[1]) else 1
            some = pick.randint(1, 60)
            write(nodes[node], waiting[node][:some])
            del waiting[node][:some]
            (first, second)[node]()
    check(database, sessions)


def wait_until_read(settings, *, deadline_s=60):
    until = time.monotonic() + deadline_s
    while any(settings.accounting_spool_dir.iterdir()):
        assert time.monotonic() < until, list(settings.accounting_spool_dir.iterdir())
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_shipper_killed_at_any_moment_loses_and_repeats_nothing(database, connection, tmp_path, seed):
    add_network(connection, nases=NASES, usernames=USERS)
    sessions = Sessions(100 + seed, lives=12)
    # The second half of a cut record comes well within the grace time.
    settings = settings_for(tmp_path, database, edge={"batch_records": 5, "spool_grace_s": 3.0})
    shipper = ShipperProcess(settings)
    texts = list(sessions.text)
    rounds = 0
    while texts:
        shipper.start()
        # Killed at random from before its first batch to well into the file.
        time.sleep(sessions.random.uniform(0.3, 0.9))
        some = sessions.random.randint(40, 200)
        # A record is half there when the shipper reads.
        text = "".join(texts[:some])
        cut = sessions.random.randrange(len(text))
        write(settings, [text[:cut]])
        time.sleep(sessions.random.uniform(0.0, 0.04))
        write(settings, [text[cut:]], name=_newest(settings))
        del texts[:some]
        time.sleep(sessions.random.uniform(0.0, 0.3))
        shipper.kill()
        rounds += 1
    shipper.start()
    try:
        wait_until_read(settings)
    finally:
        shipper.kill()
    assert rounds >= 3
    check(database, sessions)


def _newest(settings):
    """The file that a FreeRADIUS thread still holds: the live one, or the one it was renamed to a moment ago."""
    names = sorted(path.name for path in settings.accounting_spool_dir.iterdir())
    return "detail" if "detail" in names else names[-1]


@pytest.mark.slow
def test_two_shippers_with_records_of_the_same_sessions_do_not_disturb_each_other(database, connection, tmp_path):
    """Two RADIUS nodes, each with every second record; and one of the spools is read by two shippers at once."""
    add_network(connection, nases=NASES, usernames=USERS)
    sessions = Sessions(7, lives=10)
    nodes = [
        settings_for(tmp_path / name, database, edge={"node": name, "batch_records": 3}) for name in ("one", "two")
    ]
    for node, settings in enumerate(nodes):
        write(settings, sessions.text[node::2])
    shippers = [ShipperProcess(settings) for settings in (*nodes, nodes[0])]
    for shipper in shippers:
        shipper.start()
    try:
        for settings in nodes:
            wait_until_read(settings)
    finally:
        for shipper in shippers:
            shipper.kill()

    # A record read late by the other node may reopen nothing, but a session can be closed and told of in both.
    assert totals(database) == expected(sessions)
    assert found(database, "day") == expected(sessions)
    assert rows(database, "SELECT count(*) FROM session") == [(sessions.live,)]


@pytest.mark.slow
def test_a_database_that_is_killed_at_any_moment_loses_and_repeats_nothing(tmp_path):
    """With durability as in production: the shipper commits without waiting for the disk, and its files stay till it has."""
    with own_postgres() as cluster:
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="test") as connection:
            add_network(connection, nases=NASES, usernames=USERS)
        sessions = Sessions(55, lives=12)
        settings = settings_for(tmp_path, conninfo, edge={"batch_records": 5})
        shipper = ShipperProcess(settings)
        shipper.start()
        try:
            _kill_often(cluster, settings, sessions)
            wait_until_read(settings)
        finally:
            shipper.kill()
        check(conninfo, sessions)


def _kill_often(cluster, settings, sessions):
    texts = list(sessions.text)
    for _ in range(6):
        some = len(texts) // 3 + 1
        write(settings, texts[:some])
        del texts[:some]
        time.sleep(sessions.random.uniform(0.1, 0.8))
        stop_cluster(cluster, mode="immediate")
        time.sleep(sessions.random.uniform(0.0, 0.3))
        start_again(cluster)
        _wait_for(cluster.conninfo("corrente"))
    write(settings, texts)


def _wait_for(conninfo):
    until = time.monotonic() + 240
    while True:
        try:
            return rows(conninfo, "SELECT 1")
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.1)
