"""Everybody's way to be open again: at the counter, to a collector, by a bank's file, through a gateway's notice, by a promise, by a proof.

Each way has a thread and a connection of its own and takes its customers at their moments, however long those before took. When each was
committed is PostgreSQL's own word (`track_commit_timestamp`): a gateway's notice is answered here and recorded by the worker.

Units: seconds of the machine's monotonic clock.
Next: restore.py
"""

from __future__ import annotations

import http.client
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from benchmarks.answering import BenchmarkError
from benchmarks.dialled_network import DialledNetwork
from benchmarks.network import ROOT
from benchmarks.product import wait_until
from billing.banking.bank_line import BankLine, Form, Statement, keyed
from billing.collectors import Scope, ScopeKind
from billing.country_data import load_country
from billing.dunning.policy_data import default_policy
from billing.money import read_money
from billing.operations.bank_import import take_file, work_lines
from billing.operations.charging import Asked, ask_for_invoice
from billing.operations.collecting import Taking, take_payment
from billing.operations.invoices import WantedInvoice, WantedLine, make_invoice
from billing.operations.promising import Proof, Taken, review_promise, take_promise
from billing.operations.pursuing import pursue
from billing.operations.receiving import record_payment
from billing.payments import Method, NewPayment, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.bank_files import load_accounts_at_banks, save_bank_account
from billing.store.collectors import add_scopes, load_series
from billing.store.dunning_policies import load_policies, save_version
from billing.store.gateways import GatewayAccount
from billing.store.issuers import begin_issuer
from billing.store.payments import load_methods
from control_plane import db

_ACTOR: Final = "benchmark"
_NET: Final = Decimal("30.00")
_GROSS: Final = Decimal("36.60")
_IBAN: Final = "IT60X0542811101000000123456"
# Lines of one file of a bank: they come together.
_LINES: Final = 20
_PAPER: Final = Proof("transfer.png", "image/png", b"a picture of a transfer")
# Of those who open a line in a minute, by which way.
SHARES: Final[Mapping[str, int]] = {
    "counter": 110,
    "collector": 110,
    "gateway's notice": 110,
    "bank's file": 80,
    "promise": 45,
    "proof accepted": 45,
}
_COMMITTED: Final = """
SELECT customer_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM payment WHERE customer_id = ANY (%(all)s)
UNION ALL SELECT contract_id, max(extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8) FROM relief WHERE contract_id = ANY (%(all)s) GROUP BY 1
"""


@dataclass(slots=True)
class Opened:
    """Whose line was opened by which way, when what opened it was committed; and when a gateway's notice of it was answered."""

    way: dict[int, str] = field(default_factory=dict)
    committed: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ways:
    """What the ways need: an issuer's books, an account at a bank and one at a gateway, and a promise of each who will be believed."""

    network: DialledNetwork
    payers: Mapping[str, list[int]]
    documents: Mapping[int, tuple[int, str]]
    promises: Mapping[int, int]
    sign: Callable[[int], tuple[dict[str, str], bytes]]
    token: str


def payers_of(count: int) -> dict[str, list[int]]:
    """Who goes which way, mixed so that each way meets all devices."""
    whole = sum(SHARES.values())
    ways: dict[str, list[int]] = {way: [] for way in SHARES}
    for number in range(1, count + 1):
        # Whoever is furthest behind his share is next.
        way = min(SHARES, key=lambda one: (len(ways[one]) + 1) * whole / SHARES[one])
        ways[way].append(number)
    return ways


def fill_books(conninfo: str, payers: Sequence[int]) -> None:
    """An issuer with the policy of its country; these owe it an invoice since long, and got their notice. Limits they have."""
    now = datetime.now(UTC)
    country = load_country("IT")
    with db.connect(conninfo, name="benchmark books") as connection:
        acting(connection, _ACTOR)
        given = {"name": "Example Net", "country": "IT", "vat_number": "01234560017", "tax_number": "01234560017"}
        place = {"street": "Via Roma", "house_number": "1", "postal_code": "10121", "city": "Torino", "province": "TO"}
        own = {"zone": country.zone, "currency": "EUR", "tax_regime": country.tax_regime}
        issuer = begin_issuer(connection, {**given, **place, **own}, country).issuer_id
        connection.execute(
            "INSERT INTO address (customer_id, kind, street, postal_code, city, province, country)"
            " SELECT n, 'legal', 'Via Po 1', '10124', 'Torino', 'TO', 'IT' FROM unnest(%s::bigint[]) AS n",
            (list(payers),),
        )
        connection.execute(
            "INSERT INTO contract_terms (contract_id, issuer_id, currency) SELECT n, %s, 'EUR' FROM unnest(%s::bigint[]) AS n",
            (issuer, list(payers)),
        )
        day = now.date() - timedelta(days=90)
        line = WantedLine(description="Home 30", unit_price=_NET, tax_code="IT-22")
        for customer in payers:
            make_invoice(connection, WantedInvoice((line,), day, contract_id=customer), actor=_ACTOR)
        collector = connection.execute(
            "INSERT INTO collector (issuer_id, name, series_id) VALUES (%s, 'Carla', %s) RETURNING id",
            (issuer, load_series(connection, issuer, "receipt")[0][0]),
        ).fetchone()
        assert collector == (1,), collector
        add_scopes(connection, 1, [Scope(ScopeKind.EVERYONE)])
        methods = {one.code: one for one in load_methods(connection, issuer)}
        save_bank_account(
            connection,
            issuer_id=issuer,
            name="Main",
            account=_IBAN,
            currency="EUR",
            method_id=methods["transfer"].id,
            automatic_from=90,
        )
        _be_on_notice(connection, issuer, payers, now)
    with db.connect(conninfo, name="benchmark books", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _be_on_notice(connection: psycopg.Connection[Any], issuer: int, payers: Sequence[int], now: datetime) -> None:
    data = default_policy(load_policies(connection)[issuer].place)
    save_version(connection, issuer, data, name=data["name"], since=date(2020, 1, 1), reason=_ACTOR, by=_ACTOR)
    pursue(connection, payers, now - timedelta(days=48), place=lambda _connection, _cuts: frozenset())
    connection.execute(
        "UPDATE formal_notice SET delivered_at = sent_at + interval '2 days', delivered_by = %s", (_ACTOR,)
    )


def stripe_stand_in() -> Any:
    """The stand-in of a provider that the tests have."""
    sys.path.insert(0, str(ROOT / "tests"))
    return importlib.import_module("support.stripe_stand_in").StripeStandIn()


@contextmanager
def ready(network: DialledNetwork, stand_in: Any, payers: Mapping[str, list[int]]) -> Iterator[Ways]:
    """Everything that comes before somebody pays: invoices, pages that are paid, proofs that were sent in and whose time ran out."""
    make_account = importlib.import_module("support.gateway_suite").make_account
    with db.connect(network.conninfo, name="benchmark", autocommit=True) as connection:
        documents = {
            customer: (number, label)
            for number, customer, label in connection.execute(
                "SELECT d.id, d.customer_id, d.label FROM document AS d JOIN open_document AS o ON o.document_id = d.id"
            )
        }
        account: GatewayAccount = make_account(connection, network.product.settings, 1, stand_in, "stripe")
        pages = _pages(connection, account, {who: documents[who][0] for who in payers["gateway's notice"]})
        events = {who: stand_in.pay(stand_in.objects[ref])[1][1:] for who, ref in pages.items()}
        promises = {who: _believed(connection, who) for who in payers["proof accepted"]}
        connection.execute("VACUUM ANALYZE")
    yield Ways(network, payers, documents, promises, lambda who: stand_in.notice(events[who]), account.token)


def _pages(
    connection: psycopg.Connection[Any], account: GatewayAccount, documents: Mapping[int, int]
) -> dict[int, str]:
    """What the provider calls the page of each, once the worker had it made."""
    asked = {}
    for who, document in documents.items():
        with connection.transaction():
            acting(connection, _ACTOR)
            made = ask_for_invoice(connection, account, document, kind="link", actor=_ACTOR)
        if not isinstance(made, Asked):
            raise BenchmarkError(f"no page for customer {who}: {made}")
        asked[made.presentment_id] = who
    waiting = "SELECT count(*) = 0 FROM presentment WHERE state <> 'presented'"
    wait_until(lambda: connection.execute(waiting).fetchone() == (True,), "the gateway's pages were not made")
    return {
        asked[number]: ref for number, ref in connection.execute("SELECT id, ref FROM presentment") if number in asked
    }


def _believed(connection: psycopg.Connection[Any], who: int) -> int:
    """A promise with a proof that nobody has looked at until its time was over."""
    then = datetime.now(UTC) - timedelta(days=10)
    with connection.transaction():
        taken = take_promise(connection, (who, 1, "EUR"), now=then, asked_by="portal", actor=_ACTOR, proof=_PAPER)
    if not isinstance(taken, Taken):
        raise BenchmarkError(f"no promise of customer {who}: {taken}")
    return taken.known.id


def open_all(ways: Ways, *, in_s: float) -> Opened:
    """Each at its moment, all ways at once."""
    opened, problems = Opened(), list[BaseException]()
    opened.way.update({who: way for way, some in ways.payers.items() for who in some})
    count = len(opened.way)
    began = time.monotonic()

    def wait(who: int) -> None:
        time.sleep(max(0.0, began + (who - 1) * in_s / count - time.monotonic()))

    def go(way: str) -> None:
        try:
            with db.connect(ways.network.conninfo, name=f"benchmark {way}", autocommit=True) as connection:
                _GOING[way](ways, connection, wait, opened)
        except BaseException as error:
            problems.append(error)
            raise

    threads = [threading.Thread(target=go, args=(way,), name=way) for way in ways.payers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if problems:
        raise BenchmarkError(f"lines could not be opened: {problems[0]}")
    _load_committed(ways, opened)
    return opened


def _load_committed(ways: Ways, opened: Opened) -> None:
    """When each was committed, once all are: the worker is some time at the last notices."""
    everybody = sorted(opened.way)

    def found() -> dict[int, float]:
        with db.connect(ways.network.conninfo, name="benchmark", autocommit=True) as connection:
            rows = connection.execute(_COMMITTED, {"all": everybody}).fetchall()
        # A promise whose time ran out opened something long ago: what counts is what came last.
        return {who: max(at for other, at in rows if other == who) for who, _ in rows}

    wait_until(lambda: len(found()) == len(everybody), "not all that was paid is recorded")
    behind = time.time() - time.monotonic()
    opened.committed.update({who: at - behind for who, at in found().items()})


_Wait = Callable[[int], None]


def _at_the_counter(ways: Ways, connection: psycopg.Connection[Any], wait: _Wait, _opened: Opened) -> None:
    method, today = _method(connection, "cash"), datetime.now(UTC).date()
    for who in ways.payers["counter"]:
        wait(who)
        payment = NewPayment(method, read_money(_GROSS, "EUR"), today, PaymentSource.COUNTER, customer_id=who)
        with connection.transaction():
            _done(record_payment(connection, payment, today=today, actor=_ACTOR))


def _to_a_collector(ways: Ways, connection: psycopg.Connection[Any], wait: _Wait, _opened: Opened) -> None:
    method, today = _method(connection, "cash"), datetime.now(UTC).date()
    for who in ways.payers["collector"]:
        wait(who)
        taking = Taking(1, who, read_money(_GROSS, "EUR"), method, f"receipt-{who}", today)
        with connection.transaction():
            _done(take_payment(connection, taking, today=today, actor=_ACTOR))


def _by_the_bank(ways: Ways, connection: psycopg.Connection[Any], wait: _Wait, _opened: Opened) -> None:
    today, payers = datetime.now(UTC).date(), ways.payers["bank's file"]
    (account,) = load_accounts_at_banks(connection)
    connection.set_autocommit(False)
    for first in range(0, len(payers), _LINES):
        some = payers[first : first + _LINES]
        # Its lines are of those who would have paid one by one until then.
        wait(some[-1])
        lines = [
            BankLine(
                number=place,
                amount=read_money(_GROSS, "EUR"),
                booked_on=today,
                value_on=today,
                text=f"SALDO FATTURA {ways.documents[who][1]}",
                party=f"Subscriber {who}",
                entry_reference=f"R{who}",
            )
            for place, who in enumerate(some, start=1)
        ]
        statement = Statement(account.account, Form.CAMT_053, keyed(lines))
        take_file(connection, b"file %d" % first, name="bank.xml", statements=[(account, statement)], actor=_ACTOR)
        connection.commit()
        for line, fate in work_lines(connection, today_of=lambda _account: today, actor=_ACTOR):
            if fate.state != "recorded":
                raise BenchmarkError(f"line {line.id} {fate.state}: {fate.reason}")


def _by_a_notice(ways: Ways, _connection: psycopg.Connection[Any], wait: _Wait, opened: Opened) -> None:
    sender = http.client.HTTPConnection("127.0.0.1", ways.network.web_port, timeout=30)
    for who in ways.payers["gateway's notice"]:
        wait(who)
        headers, body = ways.sign(who)
        sender.request("POST", f"/webhooks/{ways.token}", body, headers)
        answer = sender.getresponse()
        answer.read()
        if answer.status != 200:
            raise BenchmarkError(f"a notice was answered {answer.status}")
        opened.answered[who] = time.monotonic()
    sender.close()


def _by_a_promise(ways: Ways, connection: psycopg.Connection[Any], wait: _Wait, _opened: Opened) -> None:
    for who in ways.payers["promise"]:
        wait(who)
        with connection.transaction():
            now = datetime.now(UTC)
            _done(take_promise(connection, (who, 1, "EUR"), now=now, asked_by="portal", actor=_ACTOR))


def _by_a_proof(ways: Ways, connection: psycopg.Connection[Any], wait: _Wait, _opened: Opened) -> None:
    for who in ways.payers["proof accepted"]:
        wait(who)
        with connection.transaction():
            _done(review_promise(connection, ways.promises[who], valid=True, now=datetime.now(UTC), actor=_ACTOR))


_GOING: Final[Mapping[str, Callable[[Ways, psycopg.Connection[Any], _Wait, Opened], None]]] = {
    "counter": _at_the_counter,
    "collector": _to_a_collector,
    "gateway's notice": _by_a_notice,
    "bank's file": _by_the_bank,
    "promise": _by_a_promise,
    "proof accepted": _by_a_proof,
}


def _method(connection: psycopg.Connection[Any], code: str) -> Method:
    return next(one for one in load_methods(connection, 1) if one.code == code)


def _done(found: object) -> None:
    """Raises: BenchmarkError where it was refused."""
    if isinstance(found, NotDone) or type(found).__name__.startswith("Refused"):
        raise BenchmarkError(str(found))
