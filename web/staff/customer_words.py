"""What pages about customers and contracts call things, in words for people."""

from __future__ import annotations

from typing import Any, Final

from billing.contacts import ContactRole
from billing.tax_identifiers import schemes
from web.language import lazy

KINDS: Final[dict[str, Any]] = {
    "person": lazy("Person"),
    "company": lazy("Company"),
    "public_body": lazy("Public body"),
}
PLACES: Final[dict[str, Any]] = {
    "legal": lazy("Seat"),
    "billing": lazy("For documents"),
    "service": lazy("Where the service is"),
}
ROLES: Final[dict[str, Any]] = {
    ContactRole.MAIN.value: lazy("Main"),
    ContactRole.ADMINISTRATIVE.value: lazy("Administrative"),
    ContactRole.TECHNICAL.value: lazy("Technical"),
    ContactRole.COLLECTIONS.value: lazy("Unpaid bills"),
}
STATUSES: Final[dict[str, Any]] = {
    "draft": lazy("Draft"),
    "proposal": lazy("Proposal"),
    "pending": lazy("Waits for activation"),
    "trial": lazy("Trial"),
    "active": lazy("Active"),
    "free": lazy("Free of charge"),
    "ended": lazy("Ended"),
    "cancelled": lazy("Cancelled"),
}
STATUS_TONES: Final = {
    "draft": "calm",
    "proposal": "busy",
    "pending": "busy",
    "trial": "good",
    "active": "good",
    "free": "good",
    "ended": "calm",
    "cancelled": "calm",
}
# An entry of a statement by what it tells of; one by hand has its own words.
BOOKED: Final[dict[str, Any]] = {
    "balance before": lazy("Balance before"),
    "document": lazy("Document"),
    "invoice": lazy("Invoice"),
    "credit note": lazy("Credit note"),
    "issued": lazy("Document"),
    "payment": lazy("Payment"),
    "payment match": lazy("Payment"),
    "payment reversal": lazy("Came back"),
    "refund": lazy("Refund"),
    "write off": lazy("Written off"),
    "write off undo": lazy("Correction"),
}
LEVELS: Final[dict[str, Any]] = {
    "throttle": lazy("Throttled"),
    "walled": lazy("Walled garden"),
    "blocked": lazy("Blocked"),
}
# As authorities name them: proper names, the same in every language.
_SCHEMES: Final = {
    "it.codicefiscale": "Codice fiscale (IT)",
    "it.iva": "Partita IVA (IT)",
    "eu.vat": "VAT (EU)",
    "es.nif": "NIF (ES)",
    "es.cif": "CIF (ES)",
}


def scheme_choices() -> dict[str, str]:
    """Kinds of tax numbers for a choice."""
    return {one: scheme_words(one) for one in schemes()}


def scheme_words(scheme: str) -> str:
    """What people call a kind of tax number: `CUIT (AR)`."""
    country, _, kind = scheme.partition(".")
    return _SCHEMES.get(scheme, f"{kind.upper()} ({country.upper()})")
