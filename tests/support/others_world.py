"""One legal row of every table by which others are told: webhooks and e-invoices. Values are SQL."""

from __future__ import annotations

from typing import Final

_SEALED: Final = "decode(repeat('ab', 40), 'hex')"
_DIGEST: Final = "decode(repeat('{}', 32), 'hex')"

OTHERS_ROWS: Final[dict[str, dict[str, str]]] = {
    "webhook_endpoint": {
        "name": "'books'",
        "url": "'https://example.com/in'",
        "events": "'{*}'",
        "sealed_secret": _SEALED,
        "made_by": "'maria'",
    },
    "webhook_delivery": {
        "endpoint_id": "1",
        "outbox_id": "2",
        "event_id": "'evt_2_1'",
        "event": "'contract.changed'",
        "contract_id": "1",
        "version": "1",
        "body": "'{}'",
    },
    "webhook_attempt": {"delivery_id": "1", "attempt": "2", "took_s": "0.1", "status": "200"},
    "einvoice_account": {
        "issuer_id": "1",
        "name": "'main'",
        "provider": "'test_authority'",
        "environment": "'test'",
        "sealed_secret": _SEALED,
        "series": "'A'",
        "from_on": "'2026-01-01'",
        "enabled": "false",
        "made_by": "'maria'",
    },
    "einvoice_series": {"account_id": "1", "kind": "'invoice'", "series": "'B'", "range_from": "1", "range_to": "9"},
    "einvoice": {
        "document_id": "2",
        "account_id": "1",
        "kind": "'invoice'",
        "series": "'A'",
        "number": "2",
        "external_key": "'invoice-A-2'",
        "payload": "'<b/>'",
        "media_type": "'application/xml'",
        "digest": "sha256('<b/>')",
        "state": "'prepared'",
        "next_try": "now()",
    },
    "einvoice_event": {"einvoice_id": "1", "direction": "'sent'", "operation": "'send'"},
    "einvoice_artifact": {"einvoice_id": "1", "kind": "'receipt'", "digest": _DIGEST.format("02"), "content": "''"},
    "einvoice_message": {"account_id": "1", "digest": _DIGEST.format("02"), "content": "'{}'"},
    "auth_ticket": {"account_id": "1", "service": "'wsfe'", "sealed_token": _SEALED, "expires": "now()"},
}
OTHERS_FIRST: Final[dict[str, dict[str, str]]] = {
    "webhook_endpoint": {"name": "'first'"},
    "webhook_delivery": {"outbox_id": "1", "event_id": "'evt_1_1'"},
    "webhook_attempt": {"attempt": "1"},
    "einvoice_account": {"name": "'first'", "enabled": "true"},
    "einvoice_series": {"series": "'A'"},
    "einvoice": {"document_id": "1", "number": "1", "external_key": "'invoice-A-1'"},
    "einvoice_artifact": {"digest": _DIGEST.format("01")},
    "einvoice_message": {"digest": _DIGEST.format("01")},
    "auth_ticket": {"service": "'first'"},
}
