"""From the wire through FreeRADIUS and its spool into PostgreSQL, with everything killed on the way."""

import random
import threading
import time

import pytest
from msgspec.structs import replace
from support.accounting_world import add_network, rows, ship
from support.radius_packets import (
    ACCOUNTING_REQUEST,
    ACCT_SESSION_ID,
    ACCT_STATUS_TYPE,
    FRAMED_IP_ADDRESS,
    NAS_PORT_ID,
    USER_NAME,
    attribute,
    build,
)
from support.radius_server import NAS_SECRET, radius_server
from support.shipper_process import ShipperProcess

from control_plane.settings import DatabaseSettings

pytestmark = pytest.mark.radius
INPUT, OUTPUT, SESSION_TIME = 42, 43, 46
SENDERS, SESSIONS, KILLS = 4, 500, 4


def record(session, status, time_s, octets, *extra):
    return build(
        ACCOUNTING_REQUEST,
        [
            attribute(ACCT_STATUS_TYPE, status),
            attribute(ACCT_SESSION_ID, session),
            attribute(USER_NAME, "anna"),
            attribute(SESSION_TIME, time_s),
            attribute(INPUT, octets),
            attribute(OUTPUT, 10 * octets),
            *extra,
        ],
        secret=NAS_SECRET,
    )


def ask_until_answered(nas, request, *, deadline_s=240):
    """As a device does: the same packet again until it is answered."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        try:
            if nas.ask(request, timeout_s=0.5) is not None:
                return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("never answered")


def run_device(server, sender, failures, killed):
    """All sessions of one sender. The first one goes on to its next fifth only when there was another kill."""
    try:
        with server.device(accounting=True) as nas:
            for number in range(SESSIONS):
                if sender == 0 and number and number % (SESSIONS // (KILLS + 1)) == 0:
                    assert killed.acquire(timeout=600), "nobody kills"
                session = f"{sender}-{number}"
                for status, time_s, octets in ((1, 0, 0), (3, 1, 5), (2, 2, number + 7)):
                    ask_until_answered(nas, record(session, status, time_s, octets))
    except AssertionError as error:
        failures.append(error)


@pytest.mark.slow
def test_every_answered_record_counts_once_though_freeradius_and_the_shipper_are_killed(database, connection):
    add_network(connection)
    pick = random.Random(5)
    with radius_server() as server:
        settings = replace(
            server.settings,
            database=DatabaseSettings(conninfo=database),
            edge=replace(server.settings.edge, spool_grace_s=1.0, spool_interval_s=0.02, batch_records=20),
        )
        failures, killed = [], threading.Semaphore(0)
        devices = [threading.Thread(target=run_device, args=(server, n, failures, killed)) for n in range(SENDERS)]
        shipper = ShipperProcess(settings)
        shipper.start()
        for device in devices:
            device.start()
        for _ in range(KILLS):
            time.sleep(pick.uniform(0.1, 0.4))
            server.kill()
            shipper.kill()
            server.start()
            shipper.start()
            killed.release()
        for device in devices:
            device.join()
        shipper.kill()
        ship(settings)

    assert failures == []
    sessions = SENDERS * SESSIONS
    used = SENDERS * sum(number + 7 for number in range(SESSIONS))
    # FreeRADIUS killed between writing and answering leaves a record twice in the spool; half a one is kept aside.
    assert rows(
        database, "SELECT count(*), count(DISTINCT acct_session_id), sum(octets_in)::bigint FROM closed_session"
    ) == [(sessions, sessions, used)]
    assert rows(database, "SELECT count(*) FROM session") == [(0,)]
    assert rows(database, "SELECT sum(octets_in)::bigint, sum(octets_out)::bigint FROM usage_day") == [
        (used, 10 * used)
    ]
    problems = {problem for (problem,) in rows(database, "SELECT problem FROM unreadable_record")}
    assert problems <= {"torn record: its end is missing", "half-written last record"}


def test_names_and_lines_of_any_octets_arrive_as_they_were_sent(database, connection):
    add_network(connection)
    with radius_server() as server, server.device(accounting=True) as nas:
        settings = replace(
            server.settings,
            database=DatabaseSettings(conninfo=database),
            edge=replace(server.settings.edge, spool_grace_s=0.1),
        )
        names = [b"a\x00b", b"a\xffb", b'a"\\%s\n\tb', "us\u00e8r".encode(), b"y" * 253]
        for number, name in enumerate(names):
            request = build(
                ACCOUNTING_REQUEST,
                [
                    attribute(ACCT_STATUS_TYPE, 1),
                    attribute(ACCT_SESSION_ID, f"s{number}"),
                    attribute(USER_NAME, name),
                    attribute(FRAMED_IP_ADDRESS, 0x0A000001 + number),
                    attribute(NAS_PORT_ID, name),
                ],
                secret=NAS_SECRET,
            )
            assert nas.ask(request) is not None
        ship(settings)

    found = rows(database, "SELECT username, line, host(framed_ipv4) FROM session ORDER BY acct_session_id")
    assert found == [
        (r"a\000b", r"a\000b", "10.0.0.1"),
        (r"a\377b", r"a\xffb", "10.0.0.2"),
        ('a\\"\\\\%s\\n\\tb', 'a"\\%s\n\tb', "10.0.0.3"),
        ("us\u00e8r", "us\u00e8r", "10.0.0.4"),
        ("y" * 253, "y" * 253, "10.0.0.5"),
    ]
