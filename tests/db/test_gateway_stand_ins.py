"""Judges that are not ours: the providers' own client libraries, run against the stand-ins and against what is taken in, and localstripe.

What localstripe lacks of Stripe (payment links, disputes, the events of refunds, the lines of payouts) the stand-in has; what both have
must come to the same.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import gocardless_pro
import psycopg
import pytest
import requests
import stripe
from gocardless_pro import webhooks as gocardless_webhooks
from support.books_days import JANUARY
from support.books_isp import desk, make_books
from support.gateway_suite import World, make_account
from support.gocardless_stand_in import GoCardlessStandIn
from support.ports import free_port
from support.stripe_stand_in import StripeStandIn
from werkzeug.serving import make_server

from billing.money import Money
from billing.operations.charging import Asked, ask_for_refund
from billing.store.acting import acting
from billing.store.documents import issue
from billing.store.gateway_charges import load_links_of
from control_plane.gateways.desk import Desk
from control_plane.gateways.provider import Context, Verified, provider_for
from control_plane.gateways.reconciling import reconcile
from control_plane.settings import DatabaseSettings, GatewaySettings, Settings
from web.app import create_app

pytestmark = pytest.mark.db
CONTEXT = Context(False, ZoneInfo("Europe/Rome"))


def test_stripe_s_own_client_finds_the_stand_in_to_be_like_stripe():
    with StripeStandIn().listening() as stand_in:
        client = stripe.StripeClient(stand_in.secret, base_addresses={"api": stand_in.url}, max_network_retries=0)
        line = {
            "quantity": 1,
            "price_data": {"currency": "eur", "unit_amount": 3648, "product_data": {"name": "12/FT/2026"}},
        }
        link = client.v1.payment_links.create({"line_items": [line], "metadata": {"corrente_charge": "c1"}})
        assert link.url.startswith("https://buy.stripe.com/")

        intent, events = stand_in.pay(stand_in.objects[link.id])
        assert client.v1.payment_intents.retrieve(intent["id"]).status == "succeeded"
        refund = client.v1.refunds.create({"payment_intent": intent["id"], "amount": 100}, {"idempotency_key": "k1"})
        again = client.v1.refunds.create({"payment_intent": intent["id"], "amount": 100}, {"idempotency_key": "k1"})
        assert (refund.id, refund.status, again.id) == (again.id, "succeeded", refund.id)
        dispute, _ = stand_in.dispute(intent)
        assert client.v1.disputes.retrieve(dispute["id"]).reason == "fraudulent"
        payout, _ = stand_in.pay_out([intent], 75)
        lines = client.v1.balance_transactions.list({"payout": payout["id"]})
        assert sorted((one.type, one.net) for one in lines.auto_paging_iter()) == [("charge", 3573), ("payout", -3573)]
        listed = [one.id for one in client.v1.events.list({"limit": 100}).auto_paging_iter()]
        assert listed == [one["id"] for one in reversed(stand_in.events)]

        headers, body = stand_in.notice([events[-1]])
        read = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], stand_in.webhook_secret)
        assert read.id == events[-1]["id"]


def test_what_stripe_s_own_library_signs_is_taken_and_what_it_refuses_is_refused():
    provider, now = provider_for("stripe"), datetime.now(UTC)
    event = {"id": "evt_1", "type": "payout.paid", "created": 1, "livemode": False, "data": {"object": {"id": "po_1"}}}
    body, stamp = json.dumps(event), int(now.timestamp())
    right = stripe.WebhookSignature._compute_signature(f"{stamp}.{body}", "whsec_1")

    def judge(header, content=body, secret="whsec_1"):
        try:
            stripe.WebhookSignature.verify_header(content, header, secret, tolerance=300)
            theirs = True
        except stripe.SignatureVerificationError:
            theirs = False
        ours = provider.receive(secret, {"stripe-signature": header}, content.encode(), context=CONTEXT, now=now)
        assert isinstance(ours, Verified) is theirs, (header, ours)
        return theirs

    old = stamp - 400
    stale = stripe.WebhookSignature._compute_signature(f"{old}.{body}", "whsec_1")
    assert judge(f"t={stamp},v1={right}")
    assert judge(f"t={stamp},v1={'0' * 64},v1={right},v0=x")
    for header in (
        f"t={stamp},v1={right[:-1]}0x",
        f"t={stamp},v0={right}",
        f"t={old},v1={stale}",
        f"v1={right}",
        "",
        "t=,v1=",
    ):
        assert not judge(header)
    assert not judge(f"t={stamp},v1={right}", body.replace("po_1", "po_2"))
    assert not judge(f"t={stamp},v1={right}", secret="whsec_2")
    refused = provider.receive(
        "whsec_1",
        {"stripe-signature": f"t={stamp},v1={right}"},
        body.encode(),
        now=now,
        context=Context(True, ZoneInfo("UTC")),
    )
    assert not isinstance(refused, Verified)


def test_gocardless_own_client_finds_the_stand_in_to_be_like_gocardless():
    with GoCardlessStandIn().listening() as stand_in:
        client = gocardless_pro.Client(access_token=stand_in.secret, base_url=stand_in.url)
        request = client.billing_requests.create(params={"mandate_request": {"currency": "EUR"}})
        flow = client.billing_request_flows.create(params={"links": {"billing_request": request.id}})
        assert flow.authorisation_url.startswith("https://pay-sandbox.gocardless.com/")
        mandate, _ = stand_in.sign(stand_in.get("billing_requests", request.id))
        asked = {"amount": 3648, "currency": "EUR", "links": {"mandate": mandate["id"]}}
        payment = client.payments.create(params=asked, headers={"Idempotency-Key": "k1"})
        # It reads the conflict of keys by itself, and fetches the one that was made.
        assert client.payments.create(params=asked, headers={"Idempotency-Key": "k1"}).id == payment.id
        stand_in.confirm(stand_in.get("payments", payment.id))
        assert client.payments.get(payment.id).status == "confirmed"
        given = {"amount": 100, "total_amount_confirmation": 100, "links": {"payment": payment.id}}
        assert client.refunds.create(params=given).links.payment == payment.id
        payout, told = stand_in.pay_out([stand_in.get("payments", payment.id)], 75)
        items = list(client.payout_items.all(params={"payout": payout["id"]}))
        assert [(one.type, one.amount) for one in items] == [
            ("payment_paid_out", "3648.0"),
            ("gocardless_fee", "-75.0"),
        ]
        assert [one.id for one in client.events.all()] == [one["id"] for one in stand_in.events]

        headers, body = stand_in.notice(told)
        (event,) = gocardless_webhooks.parse(body.decode(), stand_in.webhook_secret, headers["Webhook-Signature"])
        assert (event.resource_type, event.action) == ("payouts", "paid")
        with pytest.raises(gocardless_pro.errors.InvalidSignatureError):
            gocardless_webhooks.parse(body.decode(), "other", headers["Webhook-Signature"])


@pytest.fixture
def localstripe():
    """localstripe on a free port, with nothing kept."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(lambda: _listens(port), "localstripe to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _until(condition, what, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def test_localstripe_tells_of_a_payment_and_it_is_recorded_and_given_back(
    localstripe, module_database, tmp_path, monkeypatch
):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(b"k" * 32).decode())
    settings = Settings(
        database=DatabaseSettings(conninfo=module_database),
        gateways=GatewaySettings(test_hosts=[localstripe.removeprefix("http://")]),
        base_dir=str(tmp_path),
    )
    with ExitStack() as open_:
        with psycopg.connect(module_database) as beginning:
            isp = make_books(beginning, customers=1)
        owner = open_.enter_context(psycopg.connect(module_database, autocommit=True))
        with owner.transaction():
            acting(owner, "maria")
            table = desk(owner, isp)
            (invoice,) = issue(owner, [table.invoice(table.line("29.90"), customer=0, day=JANUARY)], made_by="maria")
        account = make_account(owner, settings, isp.issuer, StripeStandIn(url=localstripe), "stripe")
        app = create_app(settings)
        open_.callback(app.extensions["webhook_connections"].close)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        open_.callback(thread.join)
        open_.callback(server.shutdown)
        world = World("stripe", StripeStandIn(), settings, account, owner, owner, app.test_client(), [invoice.id])
        address = f"http://127.0.0.1:{server.server_port}/webhooks/{account.token}"
        requests.post(
            f"{localstripe}/_config/webhooks/here", json={"url": address, "secret": "whsec_stand_in"}, timeout=120
        ).raise_for_status()

        number = world.ask(invoice.id)
        world.work()
        (link,) = load_links_of(owner, account.id, invoice.id)
        # It has no payment links, and says so in words that are no JSON: nobody knows, so it is asked again later.
        assert (link.presentment_id, link.state) == (number, "asked")
        key = owner.execute("SELECT key FROM gateway_charge WHERE id = %s", (link.charge_id,)).fetchone()[0]
        client = stripe.StripeClient("sk_test_12345", base_addresses={"api": localstripe}, max_network_retries=0)
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
        method = client.v1.payment_methods.create({"type": "card", "card": card})
        asked = {"amount": 5000, "currency": "eur", "payment_method": method.id, "metadata": {"corrente_charge": key}}
        intent = client.v1.payment_intents.create({**asked, "confirm": True})
        assert intent.status == "succeeded"

        def told():
            topics = owner.execute("SELECT topic FROM gateway_notice WHERE ref = %s", (intent.id,))
            return "payment_intent.succeeded" in {topic for (topic,) in topics}

        _until(told, "the notice of localstripe")
        world.work()
        # 50.00 for 36.48.
        assert (world.left(invoice.id), world.balance(invoice.id), world.state(invoice.id)) == (
            "0.00",
            "-13.52",
            "paid",
        )

        payment = owner.execute("SELECT id FROM payment").fetchone()[0]
        with owner.transaction():
            acting(owner, "maria")
            given = ask_for_refund(owner, account, payment, Money(1352, "EUR"), reason="too much", actor="maria")
        assert isinstance(given, Asked)
        # It has no events of refunds: what we asked for in one turn is looked at by ourselves in the next.
        world.work()
        world.work()
        assert world.balance(invoice.id) == "0.00"
        (refund,) = client.v1.refunds.list({"payment_intent": intent.id}).data
        assert (refund.amount, refund.status) == (1352, "succeeded")

        since = datetime(2026, 1, 1, tzinfo=UTC)
        found = reconcile(owner, Desk(settings), account.id, since=since, now=datetime.now(UTC))
        assert (found.listed, found.missed) == (1, 0)
