"""What the guard lets go, asked in SQL: exact with two workers at once, and read again in the transaction that sends."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from support.guarded_isp import NOW, RULES, go_online, new_run, restrict, restricted_by_a_run, want
from support.small_isp import make_isp, one

from control_plane import db
from control_plane.control_loop.guard import GuardLimits, Wait
from control_plane.store.guard import GuardRules, may_send

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    """Ten subscribers online; three may be cut in an hour."""
    made = make_isp(connection, accounts=10)
    go_online(connection, made.accounts)
    return made


def waits(verdicts):
    return [verdicts[number].wait for number in sorted(verdicts)]


def held(connection, number):
    return connection.execute("SELECT held_since, held_reason FROM enforcement WHERE id = %s", (number,)).fetchone()


def tripped(connection):
    return one(connection, "SELECT tripped_reason FROM guard_state")


def test_up_to_the_share_goes_and_is_counted(connection, isp):
    changes = restricted_by_a_run(connection, isp, range(3))

    assert waits(may_send(connection, changes, NOW, RULES)) == [None, None, None]

    assert one(connection, "SELECT count(*) FROM guard_pass WHERE release_id IS NULL AND at = %s", NOW) == 3
    assert tripped(connection) is None


def test_one_more_and_none_of_them_goes_with_the_reason_in_their_rows(connection, isp):
    changes = restricted_by_a_run(connection, isp, range(4))

    # Asked about one of them alone: the others want to go as well.
    verdict = may_send(connection, changes[:1], NOW, RULES)[changes[0]]

    words = "waits for a person: 4 of 10 subscribers online in an hour, more than 3 (the least that may always go)"
    assert (verdict.wait, verdict.reason) == (Wait.SHARE, words)
    assert held(connection, changes[0]) == (NOW, words)
    assert tripped(connection) == words
    # The hour that passes, and a second asking, change nothing: not even since when it is held.
    later = NOW + timedelta(hours=2)
    assert waits(may_send(connection, changes, later, RULES)) == [Wait.SHARE] * 4
    assert held(connection, changes[0]) == (NOW, words)


def test_after_an_hour_a_place_is_free_again(connection, isp):
    may_send(connection, restricted_by_a_run(connection, isp, range(3)), NOW, RULES)
    [fourth] = restricted_by_a_run(connection, isp, range(3, 4))
    with connection.transaction(force_rollback=True):
        assert may_send(connection, [fourth], NOW + timedelta(minutes=59), RULES)[fourth].wait is Wait.SHARE

    assert may_send(connection, [fourth], NOW + timedelta(minutes=60), RULES)[fourth].goes


def test_a_change_let_go_goes_again_and_a_second_session_of_the_same_subscriber_takes_no_second_place(connection, isp):
    changes = restricted_by_a_run(connection, isp, range(3))
    may_send(connection, changes, NOW, RULES)

    second = want(connection, isp.accounts[:1])
    verdicts = may_send(connection, [changes[0], *second], NOW, RULES)

    assert waits(verdicts) == [None, None]
    assert tripped(connection) is None


def test_restoring_and_what_a_person_wants_go_while_everything_else_waits(connection, isp):
    automatic = restricted_by_a_run(connection, isp, range(4))
    may_send(connection, automatic, NOW, RULES)
    restrict(connection, [isp.contracts[8]], run=None, origin="abuse", level="blocked")
    by_person = want(connection, [isp.accounts[8]], level="blocked")
    restoring = want(connection, [isp.accounts[9]], level="full", disruptive=False)

    verdicts = may_send(connection, [*automatic, *by_person, *restoring], NOW, RULES)

    assert waits(verdicts) == [Wait.SHARE] * 4 + [None, None]


def test_a_session_of_nobody_is_cut_by_a_person_s_command_and_waits_for_nobody(connection, isp):
    may_send(connection, restricted_by_a_run(connection, isp, range(4)), NOW, RULES)
    unknown = want(connection, [None], level="none")

    assert waits(may_send(connection, unknown, NOW, RULES)) == [None]
    assert one(connection, "SELECT count(*) FROM guard_pass") == 0


def test_a_person_s_milder_restriction_makes_no_cut_of_automation_that_person_s(connection, isp):
    contract, account = isp.contracts[0], isp.accounts[0]
    restrict(connection, [contract], run=None, origin="admin", level="throttle")
    restrict(connection, [contract], run=new_run(connection), level="blocked")
    [change] = want(connection, [account], level="blocked")

    assert may_send(connection, [change], NOW, GuardRules(GuardLimits(0, 0), RULES.zone))[change].wait is Wait.SHARE


@pytest.mark.parametrize(
    "happens",
    [
        "UPDATE restriction SET lifted_at = since, lifted_by = 'payment'",
        "INSERT INTO relief (contract_id, during, reason, granted_by) SELECT contract_id, '[2036-02-10 08:00+00,2036-02-12 08:00+00)',"
        " 'promise', 'maria' FROM restriction",
        "UPDATE restriction SET until = '2036-02-10 09:00+00'",
        "UPDATE restriction SET held_since = since",
    ],
)
def test_who_owes_nothing_at_the_moment_of_sending_is_not_cut_for_debt(connection, database, isp, happens):
    [change] = restricted_by_a_run(connection, isp, range(1))
    connection.commit()
    # The sending transaction is open already when the payment is committed by another.
    connection.execute("SELECT FROM enforcement WHERE id = %s FOR UPDATE", (change,))
    with db.connect(database, name="payment") as other:
        other.execute(happens)

    verdict = may_send(connection, [change], NOW, RULES)[change]

    assert (verdict.wait, verdict.reason) == (
        Wait.NO_LONGER_DUE,
        "no longer due: the contract gives full now, not walled",
    )
    assert one(connection, "SELECT count(*) FROM guard_pass") == 0


def test_another_restriction_still_cuts_who_paid(connection, isp):
    [change] = restricted_by_a_run(connection, isp, range(1))
    restrict(connection, isp.contracts[:1], run=new_run(connection), origin="abuse")
    connection.execute("UPDATE restriction SET lifted_at = since, lifted_by = 'payment' WHERE origin = 'dunning'")

    assert may_send(connection, [change], NOW, RULES)[change].goes


@pytest.mark.parametrize(
    ("fact", "goes"),
    [
        ("UPDATE contract SET status = 'ended', ends_on = '2036-02-10'", True),
        ("UPDATE contract SET ends_on = '2036-02-11'", False),
        ("UPDATE subscriber_account SET expires_at = '2036-02-10 09:00+00'", True),
        ("UPDATE subscriber_account SET expires_at = '2036-02-10 09:01+00'", False),
        ("DELETE FROM session; DELETE FROM subscriber_account", True),
    ],
)
def test_a_session_ends_when_its_contract_or_account_does(connection, isp, fact, goes):
    [change] = want(connection, isp.accounts[:1], level="none")
    connection.execute(fact)

    assert may_send(connection, [change], NOW, RULES)[change].goes is goes


def test_an_exempt_contract_is_never_cut_by_automation_and_does_not_trip_the_guard(connection, isp):
    changes = restricted_by_a_run(connection, isp, range(4))
    connection.execute(
        "INSERT INTO guard_exemption (contract_id, reason, placed_by, since, until) VALUES (%s, 'hospital', 'maria', %s, %s)",
        (isp.contracts[0], NOW, NOW + timedelta(days=1)),
    )

    verdicts = may_send(connection, changes, NOW, RULES)

    assert waits(verdicts) == [Wait.EXEMPT, None, None, None]
    assert verdicts[changes[0]].reason == "contract exempt until 2036-02-11 10:00:00 CET by maria: hospital"
    # It ends at its moment.
    assert may_send(connection, changes[:1], NOW + timedelta(days=1), RULES)[changes[0]].goes


def test_the_stop_and_maintenance_send_nothing_at_all(connection, isp):
    restoring = want(connection, isp.accounts[:1], level="full", disruptive=False)
    with connection.transaction(force_rollback=True):
        connection.execute(
            "INSERT INTO network_stop (reason, placed_by, since) VALUES ('wrong import', 'maria', %s)", (NOW,)
        )
        verdict = may_send(connection, restoring, NOW, RULES)[restoring[0]]
        words = "everything is stopped since 2036-02-10 10:00:00 CET by maria: wrong import"
        assert (verdict.wait, verdict.reason) == (Wait.NETWORK_STOP, words)
        assert held(connection, restoring[0]) == (NOW, words)
    connection.execute(
        "INSERT INTO nas_maintenance (nas_id, reason, placed_by, since, until) VALUES (1, 'new software', 'maria', %s, %s)",
        (NOW, NOW + timedelta(hours=1)),
    )
    verdict = may_send(connection, restoring, NOW, RULES)[restoring[0]]
    assert verdict.reason == "the NAS is in maintenance since 2036-02-10 10:00:00 CET by maria: new software"

    # Maintenance ends by itself, and what was held is no longer marked.
    assert may_send(connection, restoring, NOW + timedelta(hours=1), RULES)[restoring[0]].goes
    assert held(connection, restoring[0]) == (None, "")


def test_the_worker_s_role_may_do_all_of_it(connection, isp):
    changes = restricted_by_a_run(connection, isp, range(4))
    connection.execute("SET ROLE corrente_worker")

    assert waits(may_send(connection, changes[:1], NOW, RULES)) == [Wait.SHARE]
    connection.execute("UPDATE guard_state SET tripped_at = NULL, tripped_reason = NULL")
    assert waits(may_send(connection, changes, NOW, GuardRules(GuardLimits(100, 20), RULES.zone))) == [None] * 4


def test_two_workers_at_once_let_go_no_more_than_one_would(connection, database):
    isp = make_isp(connection, accounts=40)
    restrict(connection, isp.contracts, run=new_run(connection))
    # Nobody has to count those online, which would make the others wait as well.
    connection.execute("UPDATE guard_state SET counted_at = %s", (NOW,))
    connection.commit()
    rules = GuardRules(GuardLimits(share_percent=2.0, never_less_than=20), RULES.zone)
    together = threading.Barrier(2)
    gone: list[int] = []

    def work(accounts):
        # Neither sees what the other wants: it is in a transaction that has not ended.
        with db.connect(database, name="worker") as own:
            changes = want(own, accounts)
            together.wait(timeout=120)
            verdicts = may_send(own, changes, NOW, rules)
            gone.extend(number for number, verdict in verdicts.items() if verdict.goes)

    workers = [threading.Thread(target=work, args=(part,)) for part in (isp.accounts[:15], isp.accounts[15:30])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)

    assert len(gone) == 15
    assert one(connection, "SELECT count(*) FROM guard_pass") == 15
    assert tripped(connection).startswith("waits for a person: 30 of ")


def test_many_small_batches_of_two_workers_stop_at_the_share_exactly(connection, database):
    isp = make_isp(connection, accounts=40)
    restrict(connection, isp.contracts, run=new_run(connection))
    # Nobody has to count those online, which would make the others wait as well.
    connection.execute("UPDATE guard_state SET counted_at = %s", (NOW,))
    connection.commit()
    rules = GuardRules(GuardLimits(share_percent=2.0, never_less_than=20), RULES.zone)
    gone: list[int] = []

    def work(accounts):
        with db.connect(database, name="worker", autocommit=True) as own:
            for account in accounts:
                with own.transaction():
                    changes = want(own, [account])
                    gone.extend(n for n, verdict in may_send(own, changes, NOW, rules).items() if verdict.goes)

    workers = [threading.Thread(target=work, args=(part,)) for part in (isp.accounts[:20], isp.accounts[20:])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)

    assert len(gone) == 20
