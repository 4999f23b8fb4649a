"""For every constraint of gateways: a statement it must refuse, and its legal neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case
from support.gateway_world import GATEWAY_ROWS
from support.legal_world import insert as row_of

# What each column refuses by itself.
_BAD: Final[dict[str, dict[str, str]]] = {
    "gateway_account": {
        "name": "'My Stripe'",
        "provider": "'Stripe'",
        "base_url": "'https://user@api.example.net/path'",
        "sealed_secret": "'in the clear'",
        "sealed_webhook_secret": "'in the clear'",
        "token": "'short'",
        "return_url": "'javascript:alert(1)'",
        "debit_days": "31",
    },
    "webhook_log": {"verdict": "'perhaps'"},
    "gateway_notice": {"key": "''", "topic": "''", "ref": "''", "attempts": "-1"},
    "gateway_charge": {"key": "'short'", "words": "''", "made_by": "''"},
    "mandate": {"ref": "''", "made_by": "''"},
    "presentment": {
        "key": "'short'",
        "value": "'javascript:alert(1)'",
        "ref": "''",
        "attempts": "-1",
        "made_by": "''",
    },
    "payment_event": {
        "key": "''",
        "payment_key": "''",
        "part_key": "''",
        "payer": "''",
        "reason_code": "'no funds'",
    },
    "payout": {"ref": "''"},
    "payout_line": {"number": "0", "kind": "'gift'", "payment_key": "''"},
    "gateway_file": {"name": "''", "digest": "'abc'", "rows": "-1", "made_by": "''"},
}
_KEYS: Final = (
    *((table, "account_id") for table in GATEWAY_ROWS if table not in ("gateway_account", "payout_line")),
    ("gateway_notice", "webhook_id"),
    ("gateway_charge", "customer_id"),
    ("gateway_charge", "document_id"),
    ("mandate", "customer_id"),
    ("presentment", "charge_id"),
    ("payment_event", "charge_id"),
    ("payment_event", "customer_id"),
    ("payment_event", "notice_id"),
    ("payout_line", "payout_id"),
)
_ONCE: Final = (
    ("gateway_account_name_once", "gateway_account", {"name": "'stripe-1'"}),
    ("gateway_account_token_once", "gateway_account", {"token": "repeat('a', 32)"}),
    ("gateway_notice_once", "gateway_notice", {"key": "'evt_1'"}),
    ("gateway_charge_key_once", "gateway_charge", {"key": "'charge-key-number-1'"}),
    ("mandate_ref_once", "mandate", {"ref": "'MD1'"}),
    ("presentment_key_once", "presentment", {"key": "'presentment-key-1'"}),
    ("payment_event_once", "payment_event", {"key": "'evt_1'"}),
    ("payout_once", "payout", {"ref": "'po_1'"}),
    ("gateway_file_once", "gateway_file", {"digest": "decode(repeat('01', 32), 'hex')"}),
    ("payout_line_pkey", "payout_line", {"number": "1"}),
)


def _columns() -> Iterator[Case]:
    for table, columns in _BAD.items():
        for column, wrong in columns.items():
            yield Case(f"{table}_{column}_check", row_of(table, **{column: wrong}), row_of(table))
    for table, column in _KEYS:
        yield Case(f"{table}_{column}_fkey", row_of(table, **{column: "999"}), row_of(table))
    for table in GATEWAY_ROWS:
        if table != "payout_line":
            yield Case(f"{table}_pkey", row_of(table, id="1"), row_of(table, id="77"))
    for constraint, table, wrong in _ONCE:
        yield Case(constraint, row_of(table, **wrong), row_of(table))
    yield Case("gateway_account_method_of_issuer", row_of("gateway_account", method_id="9"), row_of("gateway_account"))


def _amounts() -> Iterator[Case]:
    for table in ("gateway_charge", "payment_event"):
        for wrong in ("-1", "1.001"):
            yield Case(f"{table}_is_an_amount", row_of(table, amount=wrong), row_of(table))
    for column in ("amount", "fee"):
        yield Case("payout_is_amounts", row_of("payout", **{column: "1.001"}), row_of("payout"))


def _presentments() -> Iterator[Case]:
    table = "presentment"
    link = row_of(table)
    debit = {"kind": "'debit'", "mandate_id": "1"}
    for wrong in ({"charge_id": "NULL"}, {"mandate_id": "1"}, {"kind": "'mandate'"}, {"kind": "'debit'"}):
        yield Case("presentment_is_of_its_kind", row_of(table, **wrong), link)
    yield Case("presentment_is_of_its_kind", row_of(table, amount="5"), row_of(table, **debit))
    yield Case("presentment_mandate_id_fkey", row_of(table, **{**debit, "mandate_id": "999"}), row_of(table, **debit))
    refund = {"kind": "'refund'", "charge_id": "NULL", "payment_id": "999", "amount": "5"}
    yield Case("presentment_payment_id_fkey", row_of(table, **refund), link)
    yield Case("presentment_amount_check", row_of(table, **{**refund, "amount": "0"}), link)


def _by_itself() -> Iterator[Case]:
    account, charge = "gateway_account", "gateway_charge"
    pages, day = f"UPDATE {account} SET pages_since = '2026-01-01'", "'2026-02-01'"
    yield Case(
        "gateway_account_pages_once",
        f"{pages}; {row_of(account, pages_since=day)}",
        f"{pages}; {row_of(account, debits_since=day)}",
    )
    due = {"due_on": "'2026-03-16'"}
    yield Case("gateway_charge_due_is_of_an_invoice", row_of(charge, **due, document_id="NULL"), row_of(charge, **due))
    gone = {"withdrawn_at": "now()", "withdrawn_by": "'maria'"}
    yield Case(
        "gateway_charge_withdrawn_by_check", row_of(charge, **{**gone, "withdrawn_by": "''"}), row_of(charge, **gone)
    )
    yield Case("gateway_charge_withdrawal_has_its_time", row_of(charge, withdrawn_by="'maria'"), row_of(charge, **gone))
    once = f"UPDATE {charge} SET due_on = '2026-03-16'"
    yield Case(
        "gateway_charge_due_once",
        f"{once}; {row_of(charge, **due)}",
        f"{once}, withdrawn_at = now(); {row_of(charge, **due)}",
    )
    by_hand = f"{once}, withdrawn_at = now(), withdrawn_by = 'maria'"
    yield Case("gateway_charge_due_once", f"{by_hand}; {row_of(charge, **due)}", f"{by_hand}; {row_of(charge)}")


def _stay() -> Iterator[Case]:
    for table in ("payment_event", "payout", "payout_line"):
        change = "part_key = 'x'" if table == "payment_event" else "amount = 1"
        for wrong in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", wrong, row_of(table))
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", row_of(table))
    judged = "UPDATE webhook_log SET verdict = 'verified'"
    yield Case("webhook_log_stays", "UPDATE webhook_log SET body = 'x'", judged)
    yield Case("webhook_log_stays", f"{judged}; UPDATE webhook_log SET verdict = 'refused'", judged)


GATEWAY_CASES: Final = (*_columns(), *_amounts(), *_presentments(), *_by_itself(), *_stay())
