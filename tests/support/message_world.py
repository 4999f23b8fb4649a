"""One legal row of every table of messages. Values are SQL."""

from __future__ import annotations

from typing import Final

MESSAGE_ROWS: Final[dict[str, dict[str, str]]] = {
    "message_batch": {"title": "'Works at the tower'", "scope": '\'{"nas": "bras-1"}\'', "made_by": "'maria'"},
    "message": {
        "customer_id": "1",
        "contract_id": "1",
        "issuer_id": "1",
        "batch_id": "1",
        "origin": "'dunning 1 notice'",
        "channel": "'email'",
        "purpose": "'service'",
        "template": "'overdue'",
        "contact_id": "1",
        "made_by": "'job dunning'",
    },
    "message_event": {"message_id": "1", "happened": "'deferred'", "made_by": "'job send_messages'"},
    "undeliverable_address": {
        "channel": "'email'",
        "address": "'gone@example.net'",
        "reason": "'5.1.1'",
        "message_id": "1",
    },
    "message_template": {
        "kind": "'overdue'",
        "language": "'it'",
        "version": "2",
        "subject": "'Bollette da pagare'",
        "body": "'Gentile {{ name }}'",
        "html": "'<p>Gentile {{ name }}</p>'",
        "made_by": "'maria'",
    },
}
MESSAGE_FIRST: Final[dict[str, dict[str, str]]] = {
    "message": {"origin": "'dunning 1 walled'"},
    "undeliverable_address": {"address": "'old@example.net'"},
    "message_template": {"version": "1"},
}
