"""A legal row of every table of gateways."""

from __future__ import annotations

from typing import Final

_SEALED: Final = "decode(repeat('ab', 40), 'hex')"
_MORNING: Final = "'2026-03-10 08:00+00'"

GATEWAY_ROWS: Final[dict[str, dict[str, str]]] = {
    "gateway_account": {
        "issuer_id": "1",
        "method_id": "1",
        "name": "'stripe-2'",
        "provider": "'stripe'",
        "live": "false",
        "base_url": "'https://api.example.net'",
        "sealed_secret": _SEALED,
        "sealed_webhook_secret": _SEALED,
        "token": "repeat('b', 32)",
    },
    "webhook_log": {"account_id": "1", "headers": "'{}'", "body": "'{}'"},
    "gateway_notice": {
        "account_id": "1",
        "key": "'evt_2'",
        "topic": "'charge.succeeded'",
        "ref": "'ch_1'",
        "happened": _MORNING,
        "webhook_id": "1",
    },
    "gateway_charge": {
        "key": "'charge-key-number-2'",
        "account_id": "1",
        "customer_id": "1",
        "document_id": "1",
        "currency": "'EUR'",
        "amount": "122",
        "words": "'FT 2026/1'",
        "made_by": "'maria'",
    },
    "mandate": {"account_id": "1", "customer_id": "1", "ref": "'MD2'", "made_by": "'maria'"},
    "presentment": {
        "account_id": "1",
        "kind": "'link'",
        "key": "'presentment-key-2'",
        "charge_id": "1",
        "made_by": "'maria'",
    },
    "payment_event": {
        "account_id": "1",
        "key": "'evt_2'",
        "kind": "'paid'",
        "payment_key": "'pi_1'",
        "currency": "'EUR'",
        "amount": "122",
        "happened": _MORNING,
        "value_on": "'2026-03-10'",
        "charge_id": "1",
        "customer_id": "1",
        "notice_id": "1",
    },
    "payout": {
        "account_id": "1",
        "ref": "'po_2'",
        "currency": "'EUR'",
        "amount": "118.22",
        "fee": "3.78",
        "arrives_on": "'2026-03-12'",
    },
    "payout_line": {"payout_id": "1", "number": "2", "kind": "'payment'", "payment_key": "'pi_1'", "amount": "122"},
    "gateway_file": {
        "account_id": "1",
        "name": "'payouts.csv'",
        "digest": "decode(repeat('02', 32), 'hex')",
        "rows": "1",
        "findings": "'[]'",
        "made_by": "'maria'",
    },
}
GATEWAY_FIRST: Final[dict[str, dict[str, str]]] = {
    "gateway_account": {"name": "'stripe-1'", "token": "repeat('a', 32)"},
    "gateway_notice": {"key": "'evt_1'"},
    "gateway_charge": {"key": "'charge-key-number-1'"},
    "mandate": {"ref": "'MD1'"},
    "presentment": {"key": "'presentment-key-1'"},
    "payment_event": {"key": "'evt_1'"},
    "payout": {"ref": "'po_1'"},
    "payout_line": {"number": "1"},
    "gateway_file": {"digest": "decode(repeat('01', 32), 'hex')"},
}
