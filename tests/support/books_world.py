"""One legal row of every table of the books, beside the rows of legal_world. Values are SQL."""

from __future__ import annotations

from typing import Final

PARTY_ROWS: Final[dict[str, dict[str, str]]] = {
    "issuer": {
        "name": "'Example Net 2'",
        "country": "'IT'",
        "street": "'Via Roma'",
        "postal_code": "'10100'",
        "city": "'Torino'",
    },
    "tax_identifier": {"customer_id": "1", "scheme": "'it.iva'", "number": "'01234560017'"},
    "address": {
        "customer_id": "1",
        "kind": "'service'",
        "street": "'Via Po'",
        "postal_code": "'10100'",
        "city": "'Torino'",
        "country": "'IT'",
        "latitude": "45.066667",
        "longitude": "7.7",
    },
    "contact": {"customer_id": "1", "role": "'technical'", "name": "'Bruno'", "parent_id": "1"},
    "consent": {
        "customer_id": "1",
        "purpose": "'marketing'",
        "channel": "'email'",
        "given": "true",
        "wording": "'I want offers.'",
        "taken_by": "'maria'",
    },
    "note": {"customer_id": "1", "text": "'Rings at noon.'", "author": "'maria'"},
    "attachment": {
        "customer_id": "1",
        "name": "'contract.pdf'",
        "media_type": "'application/pdf'",
        "content": "'\\x25'",
        "author": "'maria'",
    },
}
PARTY_FIRST: Final[dict[str, dict[str, str]]] = {
    "issuer": {"name": "'Example Net'"},
    "tax_identifier": {"scheme": "'it.codicefiscale'", "number": "'RSSMRA80A01H501U'"},
    "contact": {"role": "'main'", "parent_id": "NULL"},
}
