"""E-invoices from issuing to the authority's word, whatever goes wrong on the way: the suite that every provider passes.

No document is accepted twice, nothing stays `sending` for ever, and what is in doubt is asked about before it is sent again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
import subprocess
import threading
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from support.books_isp import desk, make_books
from support.command_line import KEY, run, write_settings
from support.einvoice_stand_ins import STAND_INS

from billing.einvoice.outcome import Answer, Message, Outcome
from billing.store.acting import acting
from billing.store.documents import issue
from billing.store.einvoices import load_accounts
from control_plane import db
from control_plane.einvoice.provider import provider_for, provider_names
from control_plane.einvoice.test_authority_server import FAULTS, Authority, AuthorityServer
from control_plane.einvoice.work import Turn, take_answer
from control_plane.jobs.einvoices import send_einvoices, speaker_of
from control_plane.jobs.webhooks import relay_outbox
from control_plane.leadership import FencedConnection
from control_plane.settings import load_settings
from radius_hooks.sealing import Sealer

pytestmark = pytest.mark.db

DAY = date(2026, 3, 1)
SETTLED = {"accepted", "accepted_noted", "rejected_final", "cancelled"}


class World:
    """The books, the worker's jobs and an authority that does as it is told."""

    def __init__(self, shared, file, authority, provider):
        self.worker, self.connection, self.conninfo, self.desk = shared
        self.file, self.authority, self.provider = file, authority, provider
        self.settings = load_settings(file)
        self.documents = []

    def ask(self, *words, code=0):
        result = run(self.file, "einvoice", *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    def account(self, name="main", *options):
        secret = self.file.parent / "secret.pem"
        secret.write_bytes(self.authority.secret)
        pairs = [word for key, value in self.authority.settings.items() for word in ("--set", f"{key}={value}")]
        given = ("--provider", self.provider, "--secret-file", str(secret), "--from", str(DAY))
        return self.ask("account", name, *given, *pairs, *options)

    def issue(self, count=1):
        """So many invoices of 10.00 and tax."""
        acting(self.connection, "maria")
        drafts = [self.desk.invoice(self.desk.line("10.00"), day=DAY) for _ in range(count)]
        made = issue(self.connection, drafts, made_by="maria")
        self.connection.commit()
        self.documents += [one.label for one in made]
        return [one.label for one in made]

    def credit(self, label):
        result = run(self.file, "invoice", "credit", label, "--all", "--reason", "x", "--date", str(DAY))
        assert result.exit_code == 0, result.output
        return result.output.rsplit("credit note ", 1)[1].partition(":")[0]

    def work(self):
        now = datetime.now(UTC)
        relay_outbox(self.worker, self.settings, now)
        return send_einvoices(self.worker, self.settings, datetime.now(UTC))

    def time_passes(self, seconds=301):
        """As if it were so much later: what waits is due, what was absent is so since then."""
        self.change(
            f"UPDATE einvoice SET next_try = least(next_try, clock_timestamp()), absent_at = absent_at - interval '{seconds} s',"
            " since = since - interval '1 s'"
        )
        self.change("UPDATE einvoice_account SET next_try = clock_timestamp()")

    def work_until_settled(self, turns=30):
        for _ in range(turns):
            self.work()
            if self.rows("SELECT FROM einvoice WHERE state IN ('draft', 'prepared', 'sending', 'unknown')") == []:
                return
            self.time_passes()
        raise AssertionError(self.states())

    def change(self, statement):
        self.connection.execute(statement)
        self.connection.commit()

    def rows(self, statement):
        found = self.connection.execute(statement).fetchall()
        self.connection.commit()
        return found

    def states(self):
        return [state for (state,) in self.rows("SELECT state::text FROM einvoice ORDER BY id")]

    def row(self, label):
        return json.loads(self.ask("show", label, "--json"))


@pytest.fixture(scope="module")
def shared(cluster, module_database):
    with db.connect(module_database, name="test") as connection:
        connection.execute("ALTER ROLE corrente_worker LOGIN")
        connection.execute("UPDATE scheduler_fence SET token = 7")
        isp = make_books(connection, customers=1)
        table = desk(connection, isp)
        connection.commit()
        conninfo = cluster.conninfo(connection.info.dbname, user="corrente_worker")
        with FencedConnection.open(conninfo, name="worker", token=7) as worker:
            yield worker, connection, module_database, table


@pytest.fixture(params=sorted(STAND_INS))
def world(request, shared, tmp_path, monkeypatch):
    _, connection, conninfo, _ = shared
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(KEY).decode())
    connection.execute(
        "SET session_replication_role = replica; TRUNCATE einvoice_account, einvoice_series, einvoice, einvoice_event,"
        " einvoice_artifact, einvoice_message, auth_ticket, outbox, contract_version; SET session_replication_role = DEFAULT"
    )
    connection.commit()
    file = write_settings(tmp_path, conninfo)
    file.write_text(file.read_text() + "[einvoice]\nallow_private_addresses = true\ntimeout_s = 60.0\n")
    with STAND_INS[request.param]() as authority:
        yield World(shared, file, authority, request.param)


def test_every_provider_has_a_stand_in_for_this_suite():
    assert set(STAND_INS) == set(provider_names())


def test_what_is_issued_is_sent_in_order_and_once_and_what_came_back_is_kept(world):
    world.account()
    labels = world.issue(3)
    world.work()

    assert world.authority.accepted() == [1, 2, 3]
    assert world.states() == ["accepted"] * 3
    assert world.work() == "nothing due"
    assert world.authority.accepted() == [1, 2, 3]
    shown = world.row(labels[1])
    assert (shown["number"], shown["state"], shown["label"]) == (2, "accepted", labels[1])
    assert shown["authority_key"]
    assert {"sent", "receipt"} <= {one["kind"] for one in shown["files"]}
    sent = world.rows("SELECT payload, digest FROM einvoice WHERE number = 2")
    assert hashlib.sha256(bytes(sent[0][0])).digest() == bytes(sent[0][1])
    told = world.rows("SELECT event, payload ->> 'number' FROM outbox WHERE event LIKE 'einvoice%' ORDER BY id")
    assert told == [("einvoice.accepted", "1"), ("einvoice.accepted", "2"), ("einvoice.accepted", "3")]
    assert "main" in world.ask("status", "--check")
    assert "ok: it answers and takes our login" in world.ask("status", "--check")


@pytest.mark.parametrize(
    "word", ["accept and hang up", "accept late", "hang up", "maintenance", "busy", "login ran out", "note"]
)
def test_whatever_happens_to_the_answer_each_is_accepted_once_and_asked_about_first(world, word):
    world.account()
    world.authority.does("accept", word)
    world.issue(3)
    world.work_until_settled()

    assert sorted(world.authority.accepted()) == [1, 2, 3]
    assert world.authority.asked_before_sent_again()
    assert set(world.states()) <= {"accepted", "accepted_noted"}
    assert world.rows("SELECT FROM einvoice WHERE contradiction <> ''") == []


def test_an_authority_that_is_away_rests_and_takes_all_in_order_when_it_is_back(world):
    world.account()
    world.authority.goes_away(away=True)
    world.issue(3)
    world.work()
    assert "nobody answers" in world.ask("status")
    assert world.work() == "nothing due"
    pauses = []
    for _ in range(3):
        world.time_passes()
        world.work()
        pauses += world.rows("SELECT extract(epoch FROM next_try - now()) > 45 * failures FROM einvoice_account")
    assert pauses == [(True,)] * 3

    world.authority.goes_away(away=False)
    world.work_until_settled()
    assert world.authority.accepted() == [1, 2, 3]
    assert world.rows("SELECT failures FROM einvoice_account") == [(0,)]


@pytest.mark.parametrize("was_sent", [False, True])
def test_a_worker_that_dies_while_it_sends_leaves_a_doubt_that_is_asked_about(world, was_sent):
    """The provider is cut off before, or behind, what it does: as a killed process is."""
    world.account()
    world.issue()
    relay_outbox(world.worker, world.settings, datetime.now(UTC))
    (account,) = load_accounts(world.connection)
    world.connection.commit()
    real = provider_for(world.provider)

    def die(speaker, prepared):
        if was_sent:
            real.submit(speaker, prepared)
        raise KeyboardInterrupt

    names = ("describe", "prepare", "lookup", "collect", "ingest")
    dying = SimpleNamespace(submit=die, **{name: getattr(real, name) for name in names})
    speaker = speaker_of(world.worker, world.settings, account, Sealer([KEY]))
    with pytest.raises(KeyboardInterrupt):
        Turn(world.worker, account, dying, speaker, until=float("inf")).run()
    assert world.states() == ["sending"]
    assert world.work() == "nothing due"

    world.time_passes()
    world.work_until_settled()
    assert world.authority.accepted() == [1]


def test_several_at_work_at_once_send_each_once(world):
    world.account()
    world.issue(6)
    relay_outbox(world.worker, world.settings, datetime.now(UTC))

    def work():
        with db.connect(world.conninfo, name="test", autocommit=True) as own:
            send_einvoices(own, world.settings, datetime.now(UTC))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    world.work_until_settled()
    assert sorted(world.authority.accepted()) == [1, 2, 3, 4, 5, 6]


def test_what_is_decided_later_is_told_by_messages_once_however_often_they_come(world):
    world.account()
    world.authority.does("pending", "pending")
    first, second = world.issue(2)
    world.work()
    assert world.states() == ["pending", "pending"]

    world.authority.forges(1, "rejected_final")
    world.work()
    assert world.states() == ["pending", "pending"]
    assert world.rows("SELECT count(*) FROM einvoice_message WHERE verdict LIKE '%signature%'") == [(1,)]

    world.authority.settles(2, "rejected_final", times=2)
    world.authority.settles(1, "accepted", times=3)
    world.work()
    world.work()
    assert world.states() == ["accepted", "rejected_final"]
    told = [event for (event,) in world.rows("SELECT event FROM outbox WHERE event LIKE 'einvoice%' ORDER BY id")]
    assert sorted(told) == ["einvoice.accepted", "einvoice.rejected"]
    assert (world.row(first)["contradiction"], world.row(second)["contradiction"]) == ("", "")


def test_what_is_pending_and_never_told_is_asked_for(world):
    world.account()
    world.authority.does("pending")
    world.issue()
    world.work()
    world.authority.settles(1, "accepted", times=0)
    world.time_passes()
    world.work()
    assert world.states() == ["accepted"]


def test_a_later_word_against_an_acceptance_changes_nothing_and_is_shown_to_a_person(world):
    world.account()
    (label,) = world.issue()
    world.work()
    world.authority.settles(1, "rejected_final")
    world.work()

    assert world.states() == ["accepted"]
    assert "it says rejected_final after it was accepted" in world.ask("list", "--waiting")
    assert "CONTRADICTION" in world.ask("show", label)


def test_words_that_no_column_keeps_are_kept_without_what_is_wrong_with_them(world):
    world.account()
    world.authority.does("pending")
    (label,) = world.issue()
    world.work()
    world.authority.tells_of("nobody\0\ud800")
    world.work()
    assert world.rows("SELECT verdict FROM einvoice_message") == [("nobody?: nothing of that key was sent",)]

    ((number,),) = world.rows("SELECT id FROM einvoice")
    words = (Message("4\0", "no\0 such\ud800"),)
    said = Outcome(Answer.REJECTED_FINAL, authority_code="c\0", qr_text="q\0", messages=words)
    with world.worker.transaction():
        take_answer(world.worker, provider_for(world.provider), number, "lookup", said)

    assert (world.row(label)["state"], world.row(label)["problem"]) == ("rejected_final", "4 no such?")
    ((reasons,),) = world.rows("SELECT payload -> 'reasons' FROM outbox WHERE event = 'einvoice.rejected'")
    assert reasons == [{"code": "4", "text": "no such?"}]


def test_what_is_refused_and_can_be_mended_goes_again_under_its_number_and_the_series_waits(world):
    world.account()
    world.authority.does("refuse")
    first, second = world.issue(2)
    world.work()
    assert world.states() == ["rejected_fixable", "draft"]
    assert "as the script says: refuse" in world.ask("list", "--waiting")
    shown = run(world.file, "invoice", "show", first).output
    assert "tax authority: rejected fixable (refuse as the script says: refuse)" in shown
    assert "sends it again under its number" in world.ask("show", first)
    world.time_passes()
    world.work()
    assert world.states() == ["rejected_fixable", "draft"]

    assert "is sent again under its number" in world.ask("retry", first)
    world.work()
    assert world.states() == ["accepted", "accepted"]
    assert [world.row(one)["number"] for one in (first, second)] == [1, 2]
    assert world.authority.accepted() == [1, 2]
    assert "it is accepted" in world.ask("retry", first, code=1)


def test_behind_its_last_day_it_is_sent_again_only_when_somebody_says_so(world):
    world.account()
    world.authority.does("refuse")
    (label,) = world.issue()
    world.work()
    world.change("UPDATE einvoice SET since = since - interval '6 days'")

    assert "was to be sent again until" in world.ask("retry", label, code=1)
    assert "is sent again" in world.ask("retry", label, "--late")
    world.work()
    assert world.states() == ["accepted"]


@pytest.mark.parametrize("is_mended", [False, True])
def test_a_fix_that_gets_lost_is_not_taken_for_what_was_refused_before(world, is_mended):
    world.account()
    world.authority.does("refuse", "hang up")
    (label,) = world.issue()
    world.work()
    if is_mended:  # other octets
        world.change("UPDATE einvoice_account SET environment = 'production'")
    world.ask("retry", label)
    world.work()
    assert world.states() == ["unknown"]

    world.work_until_settled()
    assert world.states() == (["accepted"] if is_mended else ["rejected_fixable"])
    assert len(world.authority.accepted()) == is_mended
    assert len([one for one in world.row(label)["files"] if one["kind"] == "sent"]) == 1 + is_mended


def test_what_is_refused_for_good_is_taken_back_inside_and_the_next_number_goes_on(world):
    world.account()
    world.authority.does("reject")
    first, _ = world.issue(2)
    world.work()
    assert world.states() == ["rejected_final", "accepted"]
    assert world.authority.accepted() == [2]
    assert "the credit note stays inside" in world.ask("retry", first, code=1)

    note = world.credit(first)
    world.work()
    shown = world.row(note)
    assert (shown["state"], shown["number"]) == ("draft", None)
    assert f"it stays inside: {first}, which it corrects, was not accepted" in shown["problem"]


def test_a_credit_note_of_what_was_accepted_goes_to_the_authority_too(world):
    world.account()
    (label,) = world.issue()
    world.work()
    note = world.credit(label)
    world.work()
    assert world.row(note)["state"] == "accepted"


def test_a_blocked_account_stops_alone_and_goes_on_with_the_same_octets(world):
    world.account()
    world.authority.does("block")
    world.issue(2)
    world.work()
    assert world.states() == ["blocked", "draft"]
    before = world.rows("SELECT digest FROM einvoice WHERE number = 1")
    assert "the certificate has expired" in world.ask("status")
    world.time_passes()
    assert world.work() == "nothing due"

    assert "1 documents are sent again" in world.ask("unblock", "main")
    world.work()
    assert world.states() == ["accepted", "accepted"]
    assert world.rows("SELECT digest FROM einvoice WHERE number = 1") == before


def test_a_secret_that_can_t_be_opened_blocks_its_account_alone_and_a_login_that_can_t_is_made_anew(world):
    world.account()
    (before,) = world.rows("SELECT sealed_secret FROM einvoice_account")
    world.change(
        "UPDATE einvoice_account SET sealed_secret = set_byte(sealed_secret, 30, get_byte(sealed_secret, 30) # 1)"
    )
    world.issue()
    assert world.work() == "1 account blocked"
    assert "is damaged" in world.ask("status")
    assert world.work() == "nothing due"

    world.connection.execute("UPDATE einvoice_account SET sealed_secret = %s", before)
    world.connection.commit()
    world.ask("unblock", "main")
    world.work()
    world.change("UPDATE auth_ticket SET sealed_token = set_byte(sealed_token, 30, get_byte(sealed_token, 30) # 1)")
    world.issue()
    world.work()
    assert world.states() == ["accepted", "accepted"]


def test_a_number_that_somebody_else_has_used_stops_the_account(world):
    world.account()
    world.authority.holds_another(1)
    world.issue()
    world.work_until_settled(3)
    assert world.states() == ["blocked"]
    assert "somebody else counts in this series" in world.ask("status")


def test_numbers_end_where_the_range_that_was_allowed_ends(world):
    world.account()
    world.ask("range", "main", "1", "2")
    world.issue(3)
    world.work()
    assert world.states() == ["accepted", "accepted", "draft"]
    assert "used up at 2" in world.ask("status")
    world.ask("range", "main", "1", "9")
    world.ask("unblock", "main")
    world.work()
    assert world.states() == ["accepted"] * 3


def test_what_can_t_be_prepared_takes_no_number_and_holds_up_nobody(world):
    world.account("main")
    bad, good = world.issue(2)
    relay_outbox(world.worker, world.settings, datetime.now(UTC))
    world.change('UPDATE einvoice_account SET settings = settings || \'{"tax_number": "99999999999"}\'')
    world.work()
    assert world.states() == ["draft", "draft"]
    assert "the document is of 01234560017, the account of 99999999999" in world.ask("list", "--waiting")
    world.change('UPDATE einvoice_account SET settings = settings || \'{"tax_number": "01234560017"}\'')
    world.ask("retry", good)
    world.work()
    assert (world.row(good)["number"], world.row(bad)["state"]) == (1, "draft")
    world.ask("retry", bad)
    world.work()
    assert world.row(bad)["number"] == 2


def test_what_was_issued_before_is_sent_by_hand_and_what_an_account_that_is_off_issues_waits(world):
    before = world.issue()
    world.work()
    world.account()
    assert world.work() == "nothing due"
    assert "1 of 1 documents are queued" in world.ask("send", *before)
    assert "0 of 1" in world.ask("send", *before)
    world.ask("disable", "main")
    (meanwhile,) = world.issue()
    assert world.work() == "nothing due"
    assert "is not queued for any authority" in world.ask("show", meanwhile, code=1)
    world.ask("enable", "main")
    world.ask("send", meanwhile)
    world.work()
    assert world.states() == ["accepted", "accepted"]


def test_what_was_accepted_is_cancelled_where_there_is_such_a_thing(world):
    if not provider_for(world.provider).describe().manner.can_cancel:
        return
    world.account()
    (label,) = world.issue()
    assert "not queued" in world.ask("cancel", label, "--reason", "x", "--yes", code=1)
    world.work()
    assert "is cancelled" in world.ask("cancel", label, "--reason", "wrong customer", "--yes")
    assert "can't be cancelled" in world.ask("cancel", label, "--reason", "x", "--yes", code=1)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_in_any_order_no_document_is_accepted_twice_and_all_are_settled(world, seed):
    chance = random.Random(seed)
    world.account()
    words = [chance.choice(sorted(set(FAULTS) - {"accept late", "block", "pending"})) for _ in range(20)]
    world.authority.does(*words)
    labels = world.issue(5)
    for turn in range(60):
        world.work()
        if turn % 3 == 2:
            for one in json.loads(world.ask("list", "--waiting", "--json")):
                if one["state"] == "rejected_fixable":
                    world.ask("retry", one["label"])
        world.time_passes()
        if set(world.states()) <= SETTLED:
            break
    assert set(world.states()) <= SETTLED, (words, world.states())
    accepted = world.authority.accepted()
    assert len(accepted) == len(set(accepted)), words
    numbers = [world.row(one)["number"] for one in labels]
    assert numbers == sorted(set(numbers))
    ours = [world.row(one)["number"] for one in labels if world.row(one)["state"].startswith("accepted")]
    assert sorted(ours) == sorted(accepted)
    assert world.authority.asked_before_sent_again()


def test_the_test_authority_judges_what_an_independent_client_sends(tmp_path):
    """curl and openssl, and nothing of ours but the server: right documents are taken, wrong ones named."""
    assert shutil.which("curl") is not None
    assert shutil.which("openssl") is not None

    def sh(*words, **more):
        return subprocess.run(words, check=True, capture_output=True, cwd=tmp_path, timeout=120, **more).stdout

    def signed(content):
        (tmp_path / "body").write_bytes(content)
        sh("openssl", "pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "body", "-out", "signature")
        return base64.b64encode((tmp_path / "signature").read_bytes()).decode()

    sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    public = sh("openssl", "pkey", "-in", "key.pem", "-pubout", "-outform", "DER")[-32:]
    authority = Authority()
    authority.register("123", public)
    with AuthorityServer(authority) as server:

        def post(path, content, *headers, signature=None):
            options = [word for one in headers for word in ("-H", one)]
            sign = signature or signed(content)
            (tmp_path / "body").write_bytes(content)
            url = server.url + path
            out = sh(
                "curl",
                "-s",
                "-m",
                "10",
                "-w",
                "\n%{http_code}",
                "-H",
                f"X-Signature: {sign}",
                *options,
                "--data-binary",
                "@body",
                url,
            )
            text, _, status = out.decode().rpartition("\n")
            return int(status), json.loads(text)

        status, login = post("/login", b'{"tax_number": "123"}')
        assert status == 200
        token = f"Authorization: Bearer {login['token']}"
        assert post("/login", b'{"tax_number": "123"}', signature="AAAA")[0] == 403

        def document(number, *, net="10.00", tax="2.20", gross="12.20", issuer="123", extra=""):
            return (
                '<TestInvoice xmlns="urn:corrente:test-authority:1"><Kind>invoice</Kind><Series>A</Series>'
                f"<Number>{number}</Number><Label>{number}</Label><Date>2026-03-01</Date><Issuer>{issuer}</Issuer>{extra}"
                f"<Line><Net>10.00</Net></Line><Net>{net}</Net><Tax>{tax}</Tax><Gross>{gross}</Gross></TestInvoice>"
            ).encode()

        status, taken = post("/documents", document(1), token)
        assert (status, taken["result"], taken["digest"]) == (200, "accepted", hashlib.sha256(document(1)).hexdigest())
        assert post("/documents", document(1), token)[1]["result"] == "duplicate"

        def code(*words, **more):
            answer = post("/documents", *words, token, **more)[1]
            assert answer["result"] == "rejected_fixable"
            return answer["messages"][0]["code"]

        assert code(document(3)) == "number"
        assert code(document(2, net="11.00")) == "sum"
        assert code(document(2, gross="12.21")) == "sum"
        assert code(document(2, issuer="456")) == "issuer"
        assert code(document(2, extra="<Corrects>9</Corrects>")) == "corrects"
        assert code(document(2).replace(b"<Tax>2.20</Tax>", b"")) == "form"
        assert code(b"<!DOCTYPE x>" + document(2)) == "form"
        assert code(document(2), signature=signed(b"other octets")) == "signature"
        assert post("/documents", document(2))[0] == 401
        assert post("/documents", document(2, extra="<Corrects>1</Corrects>"), token)[1]["result"] == "accepted"
        found = json.loads(sh("curl", "-s", "-H", token, f"{server.url}/documents/invoice-A-2"))
        (tmp_path / "receipt").write_text(found["receipt"].rpartition(" ")[0])
        der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(authority.public_key)
        (tmp_path / "authority.der").write_bytes(der)
        (tmp_path / "signature").write_bytes(base64.b64decode(found["receipt"].rpartition(" ")[2]))
        verify = ("-verify", "-pubin", "-keyform", "DER", "-inkey", "authority.der", "-rawin", "-in", "receipt")
        assert b"Verified" in sh("openssl", "pkeyutl", *verify, "-sigfile", "signature")
        assert authority.accepted == ["invoice-A-1", "invoice-A-2"]
