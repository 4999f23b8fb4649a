"""The worlds that the contract suite of gateways runs in: a provider's stand-in, an account, invoices, the intake and the worker.

Each world says in the same words what customers and banks do there; what is asserted is the same for all (tests/db/test_gateways.py).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import pytest
from flask.testing import FlaskClient
from support.books_days import JANUARY
from support.books_isp import desk, make_books
from support.gateway_stand_in import Fault, StandIn
from support.gocardless_stand_in import GoCardlessStandIn
from support.stripe_stand_in import StripeStandIn

from billing.money import Money
from billing.operations.charging import Asked, ask_for_invoice
from billing.store.acting import acting
from billing.store.documents import issue
from billing.store.gateways import GatewayAccount, load_gateway_account
from billing.store.issued import load_parties_of
from control_plane.gateways.accounts import add_account, method_for
from control_plane.gateways.provider import provider_for
from control_plane.gateways.working import work
from control_plane.machine.private_postgres import Cluster
from control_plane.settings import DatabaseSettings, GatewaySettings, Settings
from web.app import create_app

TODAY = date(2026, 3, 12)
_KEY: Final = base64.b64encode(bytes(range(32))).decode()
# 29.90 and 22 %.
DUE = "36.48"


@dataclass
class World:
    """One provider's account and what stands around it. `invoices` are not asked for yet, of a customer each."""

    name: str
    stand_in: StandIn
    settings: Settings
    account: GatewayAccount
    owner: psycopg.Connection[Any]
    worker: psycopg.Connection[Any]
    web: FlaskClient
    invoices: list[int]
    asked: dict[int, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "link" if self.name == "stripe" else "debit"

    def invoice(self) -> int:
        """The next one that nobody has asked for."""
        return self.invoices.pop()

    def ask(self, document_id: int) -> int:
        """Write down that it is to be paid here; the presentment's number."""
        with self.owner.transaction():
            acting(self.owner, "maria")
            if self.kind == "debit":
                self.sign(document_id)
            asked = ask_for_invoice(self.owner, self.account, document_id, kind=self.kind, actor="maria")
        assert isinstance(asked, Asked), asked
        return asked.presentment_id

    def sign(self, document_id: int, **fields: Any) -> None:
        """The customer of an invoice has a mandate that is active."""
        assert isinstance(self.stand_in, GoCardlessStandIn)
        customer = load_parties_of(self.owner, document_id)[1]
        mandate = self.stand_in.add("mandates", status="active", metadata={}, links={}, **fields)
        self.owner.execute(
            "INSERT INTO mandate (account_id, customer_id, ref, state, made_by) VALUES (%s, %s, %s, 'active', 'maria')",
            (self.account.id, customer, mandate["id"]),
        )

    def present(self, document_id: int) -> str:
        """Have it presented; what the provider calls it."""
        number = self.ask(document_id)
        self.work()
        row = self.owner.execute("SELECT state::text, ref FROM presentment WHERE id = %s", (number,)).fetchone()
        assert row is not None
        assert row[0] == "presented", row
        return str(row[1])

    # What the world does; each gives the events that it leaves, in their order.

    def pay(self, ref: str, amount: int | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if isinstance(self.stand_in, StripeStandIn):
            return self.stand_in.pay(self.stand_in.objects[ref], amount)
        assert isinstance(self.stand_in, GoCardlessStandIn)
        payment = self.stand_in.get("payments", ref)
        payment["amount"] = amount or payment["amount"]
        return payment, self.stand_in.confirm(payment)

    def strange_payment(self, amount: int) -> list[dict[str, Any]]:
        """One that nobody here asked for."""
        if isinstance(self.stand_in, StripeStandIn):
            return self.stand_in.paid(amount, "eur", {})[1]
        assert isinstance(self.stand_in, GoCardlessStandIn)
        mandate = self.stand_in.add("mandates", status="active", metadata={}, links={})
        links = {"mandate": mandate["id"]}
        payment = self.stand_in.add("payments", amount=amount, currency="EUR", metadata={}, links=links, status="x")
        return self.stand_in.confirm(payment)

    def take_back(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """All of it: a dispute, a chargeback."""
        if isinstance(self.stand_in, StripeStandIn):
            return self.stand_in.dispute(payment)[1]
        assert isinstance(self.stand_in, GoCardlessStandIn)
        return self.stand_in.charge_back(payment)

    def give_up(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """Who had taken it back gives it again."""
        if isinstance(self.stand_in, StripeStandIn):
            dispute = next(
                one
                for one in self.stand_in.objects.values()
                if one["object"] == "dispute" and one["payment_intent"] == payment["id"]
            )
            return self.stand_in.win(dispute)
        assert isinstance(self.stand_in, GoCardlessStandIn)
        return self.stand_in.cancel_chargeback(payment)

    def refund(self, payment: dict[str, Any], amount: int) -> list[dict[str, Any]]:
        """A part of it, at the provider."""
        assert isinstance(self.stand_in, StripeStandIn | GoCardlessStandIn)
        return self.stand_in.give_back(payment, amount)

    def pay_out(self, payments: list[dict[str, Any]], fee: int) -> list[dict[str, Any]]:
        assert isinstance(self.stand_in, StripeStandIn | GoCardlessStandIn)
        return self.stand_in.pay_out(payments, fee)[1]

    # How it is told, and what the worker makes of it.

    def tell(self, *events: dict[str, Any], **how: Any) -> int:
        """Deliver a notice; what it was answered."""
        headers, body = self.stand_in.notice(list(events), **how)
        return self.send(headers, body)

    def send(self, headers: dict[str, str], body: bytes) -> int:
        return self.web.post(f"/webhooks/{self.account.token}", data=body, headers=headers).status_code

    def work(self) -> str:
        """One turn of the worker; what waits for its time is let wait, and a provider that is slow is not."""
        settings = self.settings
        if any(one.kind == "slow" for one in self.stand_in.faults):
            settings = msgspec.structs.replace(
                settings, gateways=msgspec.structs.replace(settings.gateways, timeout_s=0.6)
            )
        return work(self.worker, settings, datetime.now(UTC), actor="job gateways")

    def later(self) -> str:
        """The same once its time has come."""
        for table in ("gateway_notice", "presentment"):
            self.owner.execute(
                f"UPDATE {table} SET next_at = now() WHERE account_id = %s AND next_at > now()", (self.account.id,)
            )
        self.owner.execute("SELECT 1")
        return self.work()

    def deliver(self, *events: dict[str, Any]) -> None:
        """Tell each by itself, and have all looked into."""
        for event in events:
            assert self.tell(event) == 200
        self.work()

    def fault(self, method: str, path: str, kind: str, **more: Any) -> None:
        self.stand_in.faults.append(Fault(method, path, kind, **more))

    # What the books say.

    def left(self, document_id: int) -> str:
        row = self.owner.execute("SELECT open FROM open_document WHERE document_id = %s", (document_id,)).fetchone()
        return "0.00" if row is None else str(row[0].quantize(Decimal("0.01")))

    def balance(self, document_id: int) -> str:
        row = self.owner.execute(
            "SELECT balance FROM customer_balance WHERE customer_id = %s",
            (load_parties_of(self.owner, document_id)[1],),
        ).fetchone()
        assert row is not None
        return str(row[0].quantize(Decimal("0.01")))

    def state(self, document_id: int) -> str:
        row = self.owner.execute(
            "SELECT state::text FROM gateway_charge WHERE document_id = %s ORDER BY id DESC LIMIT 1", (document_id,)
        ).fetchone()
        return str(row and row[0])

    def payments(self, document_id: int) -> list[tuple[str, bool]]:
        """The customer's payments through here: amount, and whether it came back."""
        rows = self.owner.execute(
            "SELECT p.amount, EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) FROM payment AS p WHERE p.customer_id = %s AND p.source = 'webhook' ORDER BY p.id",
            (load_parties_of(self.owner, document_id)[1],),
        )
        return [(str(amount.quantize(Decimal("0.01"))), back) for amount, back in rows]

    def booked(self, account_code: str) -> Decimal:
        """What lies on a ledger account."""
        row = self.owner.execute(
            "SELECT coalesce(sum(p.amount), 0) FROM posting AS p JOIN ledger_account AS a ON a.id = p.account_id WHERE a.code = %s",
            (account_code,),
        ).fetchone()
        assert row is not None
        return Decimal(row[0])


def make_account(
    connection: psycopg.Connection[Any], settings: Settings, issuer_id: int, stand_in: StandIn, name: str
) -> GatewayAccount:
    """An account in test mode with a stand-in."""
    with connection.transaction():
        acting(connection, "maria")
        columns = {
            "issuer_id": issuer_id,
            "method_id": method_for(connection, issuer_id, name, provider_for(name)),
            "name": name,
            "provider": name,
            "live": False,
            "base_url": stand_in.url,
        }
        made = add_account(
            connection, settings, columns, secret=stand_in.secret, webhook_secret=stand_in.webhook_secret
        )
    return load_gateway_account(connection, made.id)


@contextmanager
def both_worlds(
    cluster: Cluster, database: str, folder: Callable[[str], Path], *, customers: int
) -> Iterator[dict[str, Any]]:
    """Both providers over one database, `isp` beside them: half of the customers' invoices of 36.48 for each."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CORRENTE_SECRETS_KEY", _KEY)
    with ExitStack() as open_:
        open_.callback(patch.undo)
        owner = open_.enter_context(psycopg.connect(database, autocommit=True))
        with psycopg.connect(database) as beginning:
            isp = make_books(beginning, customers=customers)
        with owner.transaction():
            acting(owner, "maria")
            table = desk(owner, isp)
            drafts = [table.invoice(table.line("29.90"), customer=n, day=JANUARY) for n in range(customers)]
            issued = [one.id for one in issue(owner, drafts, made_by="maria")]
        for role in ("corrente_web", "corrente_worker"):
            owner.execute(f"ALTER ROLE {role} LOGIN")
        stand_ins = {
            "stripe": open_.enter_context(StripeStandIn().listening()),
            "gocardless": open_.enter_context(GoCardlessStandIn().listening()),
        }
        hosts = tuple(one.url.removeprefix("http://") for one in stand_ins.values())
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]

        def settings_for(role: str) -> Settings:
            return Settings(
                database=DatabaseSettings(conninfo=cluster.conninfo(str(name), user=role)),
                gateways=GatewaySettings(test_hosts=list(hosts), timeout_s=60.0),
                base_dir=str(folder(role)),
            )

        worker = settings_for("corrente_worker")
        connection = open_.enter_context(psycopg.connect(worker.conninfo("corrente_worker"), autocommit=True))
        app = create_app(settings_for("corrente_web"))
        open_.callback(app.extensions["webhook_connections"].close)
        web = app.test_client()
        made: dict[str, Any] = {"isp": isp}
        half = customers // 2
        for provider, stand_in in stand_ins.items():
            account = make_account(owner, settings_for("corrente"), isp.issuer, stand_in, provider)
            mine = issued[:half] if provider == "stripe" else issued[half:]
            made[provider] = World(provider, stand_in, worker, account, owner, connection, web, mine)
        yield made


def eur(cents: int) -> Money:
    return Money(cents, "EUR")
