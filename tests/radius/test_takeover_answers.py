"""The proof of a takeover: FreeRADIUS with rlm_sql and Corrente are asked the same, and answer the same.

The stock schema is filled by hand and by chance, FreeRADIUS 3.2.1 runs on it with its stock queries in daemon mode, the
import makes accounts of it, and ours runs on what the import made. What is not the same must have been refused by name.
"""

import base64
import itertools
import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from support.command_line import write_settings
from support.freeradius_world import PASSWORD, FreeRadiusDatabase, hard_cases, random_users
from support.own_postgres import copy_database
from support.radius_server import KEY, SEALER, radius_server
from support.rlm_sql_server import STOCK_SCHEMA, rlm_sql_server

from control_plane import db
from control_plane.cli.main import corrente
from control_plane.policy.policy_source import stream_accounts
from control_plane.publishing.faults import Faults
from control_plane.publishing.store_content import ContentSource, put_devices
from control_plane.takeover.access_packet import Code
from control_plane.takeover.apply_wanted import Intent, run_import
from control_plane.takeover.freeradius_accounts import Network
from control_plane.takeover.freeradius_source import load_source
from control_plane.takeover.freeradius_sql import build_wanted
from control_plane.takeover.shadow import compare_replies, encode_attribute
from control_plane.takeover.shadow_asking import Question, Server, ask, ask_both
from control_plane.takeover.wanted import Verdict
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import DEFAULT_DRIVERS

pytestmark = pytest.mark.radius

ZONE = ZoneInfo(os.environ.get("TZ", "UTC"))
DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
JITTER_PERCENT = 10
RANDOM_USERS = 400
# What the lines of a network may hold: each account is asked for with all of them. The circuit is one, so that an account
# with one session at once is at home on each: rlm_sql would count sessions from radacct alone, which is empty here.
LINES = (
    (("NAS-Identifier", "nas-1"), ("NAS-Port", "17"), ("NAS-Port-Type", "Virtual"), ("Service-Type", "Framed-User"),
     ("Calling-Station-Id", "AA:BB:CC:00:11:22"), ("NAS-Port-Id", "line"), ("ADSL-Agent-Circuit-Id", "line")),
    (("NAS-Identifier", "nas-2"), ("NAS-Port", "40"), ("NAS-Port-Type", "Ethernet"), ("Calling-Station-Id", "AA:BB:CC:00:11:33"),
     ("NAS-IP-Address", "10.0.0.1"), ("Framed-IPv6-Prefix", "2001:db8::/64"), ("NAS-Port-Id", "line"), ("ADSL-Agent-Circuit-Id", "line")),
    (("NAS-Port", "3"), ("NAS-Port-Id", "line"), ("ADSL-Agent-Circuit-Id", "line"), ("Called-Station-Id", "x")),
)  # fmt: skip


@dataclass
class Moved:
    """Both servers, and what the import said."""

    theirs: Server
    ours: Server
    before: str
    after: str
    accounts: dict
    findings: tuple
    faults: Faults

    def ask(self, questions):
        compare = partial(compare_replies, dictionary=DICTIONARY, jitter_percent=JITTER_PERCENT)
        return list(ask_both(self.theirs, self.ours, questions, compare, rate=2000, parallel=4))

    def refusals(self):
        return {one.where: one.text for one in self.findings if one.verdict is Verdict.REFUSED}


def _nothing(*_):
    return None


@pytest.fixture(scope="module")
def moved(cluster):
    """The move, done once for all questions of this file."""
    names = ("radius_before", "corrente_after")
    with ExitStack() as stack:
        admin = stack.enter_context(db.connect(cluster.conninfo("postgres"), name="test", autocommit=True))
        admin.execute(f"CREATE DATABASE {names[0]}")
        copy_database(admin, names[1])
        for name in names:
            stack.callback(admin.execute, f"DROP DATABASE {name} WITH (FORCE)")
        _fill(cluster.conninfo(names[0]))
        before = stack.enter_context(rlm_sql_server(cluster.socket_dir, names[0]))
        with db.connect(cluster.conninfo(names[1]), name="test") as connection:
            source = load_source(cluster.conninfo(names[0]), _nothing)
            wanted = build_wanted(source, DICTIONARY, network=Network((), "imported", ZONE), default_vendor="generic",
                known_vendors=(), progress=_nothing)  # fmt: skip
            intent = Intent("test", "freeradius-sql", apply=True, skip_refused=True)
            findings = run_import(connection, wanted, sealer=SEALER, intent=intent, progress=_nothing)
            faults = Faults()
            content = ContentSource(DICTIONARY, ZONE, faults, DEFAULT_DRIVERS)
            records = {}

            def fill(batch):
                put_devices(batch, content.load_devices(connection))
                for row in stream_accounts(connection):
                    records[row.username] = row
                    batch.put_account(row.username, content._account(row, content._rendering()))

            server = stack.enter_context(radius_server(fill))
        yield Moved(
            theirs=Server("127.0.0.1", before.port, before.secret),
            ours=Server("127.0.0.1", server.authentication[1], before.secret),
            before=cluster.conninfo(names[0]),
            after=cluster.conninfo(names[1]),
            accounts=records,
            findings=findings,
            faults=faults,
        )


def _fill(conninfo):
    world = FreeRadiusDatabase()
    hard_cases(world)
    random_users(world, seed=20260901, count=RANDOM_USERS)
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        connection.execute(STOCK_SCHEMA.read_text())
        world.write(connection)
        connection.execute(
            "INSERT INTO nas (nasname, shortname, type, secret) VALUES ('127.0.0.1', 'bras 1', 'mikrotik', 'stock-secret')"
        )


def _question(username, line, *, password=PASSWORD, chap=False):
    attributes = tuple(encode_attribute(name, value, DICTIONARY) for name, value in line)
    return Question(username, password.encode(), attributes, chap)


def _differences(asked):
    return [
        f"{one.username}: {what.what}: there {what.theirs or 'nothing'}, here {what.ours or 'nothing'}"
        for one in asked
        for what in one.differences
    ]


def test_every_account_that_was_made_is_answered_as_before_on_every_line(moved):
    questions = [_question(name, line) for name, line in itertools.product(moved.accounts, LINES)]
    found = _differences(moved.ask(questions))
    assert not found, "\n".join(found)
    assert len(moved.accounts) > RANDOM_USERS


def test_a_wrong_password_is_refused_as_before(moved):
    questions = [_question(name, LINES[0], password="wrong") for name in moved.accounts]
    found = _differences(moved.ask(questions))
    assert not found, "\n".join(found)


def test_a_chap_answer_is_judged_as_before(moved):
    questions = [_question(name, LINES[0], chap=True) for name in moved.accounts]
    found = _differences(moved.ask(questions))
    assert not found, "\n".join(found)


def test_both_servers_really_let_in_and_really_look_at_groups(moved):
    through, first = (_question(name, LINES[0]) for name in ("g-through", "g-first-only"))
    for server in (moved.theirs, moved.ours):
        replies = [ask(server, question) for question in (through, first)]
        assert [reply.code for reply in replies] == [Code.ACCESS_ACCEPT] * 2
        names = [{(one.number, one.value) for one in reply.attributes if one.number != 25} for reply in replies]
        # Filter-Id is 11, Framed-Pool 88: the second group is reached through Fall-Through only.
        assert names == [{(11, b"a"), (88, b"b")}, {(11, b"a")}]


def test_what_changes_in_the_old_server_is_seen(moved):
    question = _question("g-through", LINES[0])
    assert _differences(moved.ask([question])) == []
    change = "UPDATE radgroupreply SET value = %s WHERE groupname = 'g-through.b' AND attribute = 'Framed-Pool'"
    with db.connect(moved.before, name="test", autocommit=True) as connection:
        connection.execute(change, ["other"])
        found = _differences(moved.ask([question]))
        connection.execute(change, ["b"])
    assert found == ["g-through: Framed-Pool: there other, here b"]


def test_every_user_became_an_account_or_was_refused_by_name(moved):
    with db.connect(moved.before, name="test") as connection:
        rows = connection.execute(
            "SELECT username FROM radcheck UNION SELECT username FROM radreply UNION SELECT username FROM radusergroup"
        )
        users = {row[0] for row in rows}
    refused = {where.removeprefix("user ") for where in moved.refusals()}
    made = {name.replace("'", "=27") for name in moved.accounts}
    assert made | refused == users
    assert made & refused == set()
    assert len(moved.faults) == 0


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("text-13", "%{…}"),
        ("text-10", "backquotes"),
        ("check-odd-1", "huntgroups"),
        ("check-odd-4", "logintime"),
        ("check-odd-5", "sqlippool"),
        ("check-odd-16", "only Auth-Type := Reject"),
        ("check-odd-17", "no such attribute"),
        ("static-twin", "100.64.0.1/32 of static"),
        ("g-odd+name", "g-odd=2Bname"),
        ("g-only-reply", "no password"),
        ("g-user-no", "Corrente's own Class"),
        ("password-two", "a second password"),
        ("password-group", "a whole group shares"),
        ("sessions-none", "0 refuses every login"),
        ("regex-6-is", "not read alike"),
        ("regex-10-is", "for ever"),
        ("op-11", "no operator '&='"),
        ("value-37", "abinary"),
        ("expiry-4-set", "no date as FreeRADIUS reads it"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_refused_with_its_reason(moved, user, reason):
    assert reason in moved.refusals()[f"user {user}"]


def test_no_password_is_in_what_the_import_says(moved):
    said = "\n".join(f"{one.where} {one.text}" for one in moved.findings)
    assert PASSWORD not in said
    assert "stock-secret" not in said


@pytest.fixture
def shadow(moved, tmp_path):
    """`corrente shadow` against both running servers, as an operator types it."""
    (tmp_path / "secret").write_text("stock-secret\n")
    settings = write_settings(tmp_path, moved.after)
    environment = {"CORRENTE_SECRETS_KEY": base64.b64encode(KEY).decode(), "SUDO_USER": "maria"}

    def command(*arguments, typed=None):
        servers = ["--server", f"127.0.0.1:{moved.theirs.port}", "--ours", f"127.0.0.1:{moved.ours.port}"]
        command = [
            "--settings",
            str(settings),
            "shadow",
            *servers,
            "--secret-file",
            str(tmp_path / "secret"),
            *arguments,
        ]
        return CliRunner().invoke(corrente, command, input=typed, env=environment)

    return command


def test_shadow_finds_no_difference_on_all_accounts_with_a_clear_password(shadow):
    # The line of the logins before: a login on another one would count beside them for a moment.
    done = shadow("--all", "--nas", "bras-1", "--rate", "2000", "--attribute", "NAS-Port-Id=line")
    assert done.exit_code == 0, done.output
    last = done.output.splitlines()[-1]
    assert " asked for, 0 answered differently; " in last
    assert int(last.split()[0]) > RANDOM_USERS
    assert PASSWORD not in done.output


def test_shadow_lists_a_difference_and_says_so_with_its_exit_code(shadow, moved):
    change = "UPDATE radgroupreply SET value = %s WHERE groupname = 'g-through.b' AND attribute = 'Framed-Pool'"
    with db.connect(moved.before, name="test", autocommit=True) as connection:
        connection.execute(change, ["other"])
        done = shadow("--users", "-", "--attribute", "NAS-Port=17", typed="g-through\ng-plain\n")
        connection.execute(change, ["b"])
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "g-through: Framed-Pool: there other, here b",
        "2 asked for, 1 answered differently",
    ]


def test_shadow_says_what_it_is_not_told_right(shadow):
    for arguments, problem in (
        (["--all", "--sample", "3"], "say whom to ask for"),
        (["--users", "-"], "no subscriber account 'nobody'"),
        (["--all", "--nas", "bras"], "there is no NAS 'bras'; did you mean bras-1?"),
        (["--all", "--attribute", "No-Such=1"], "No-Such: no attribute"),
    ):
        done = shadow(*arguments, typed="nobody\n")
        assert done.exit_code != 0
        assert problem in done.output


def test_shadow_tells_a_server_that_does_not_answer(shadow, moved):
    done = shadow("--server", "127.0.0.1:9", "--sample", "1", "--timeout-s", "0.3")
    assert done.exit_code == 1
    assert "answer: there no answer (" in done.output
