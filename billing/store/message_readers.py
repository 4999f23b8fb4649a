"""To whom messages go: contact, language, issuer, consent, and whether the address is known not to exist. For many at once.

Next: billing/messages/texts.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.contacts import Contact, ContactRole, contact_for
from billing.messages.message import PUSH
from billing.store.message_queue import Taken
from billing.store.push_devices import Device, load_devices

Connection = psycopg.Connection[Any]

_CUSTOMERS: Final = "SELECT id, name, external_reference, language::text FROM customer WHERE id = ANY (%s)"
_CONTACTS: Final = """
SELECT customer_id, id, role::text, contract_id, parent_id, name, email, phone, mobile, language::text FROM contact
WHERE customer_id = ANY (%s) ORDER BY id
"""
_ISSUERS: Final = """
SELECT id, name, country, zone, email, phone, iban, street, house_number, postal_code, city, province, vat_number FROM issuer
"""
_CONSENTS: Final = """
SELECT DISTINCT ON (customer_id, purpose) customer_id, purpose, given FROM consent WHERE customer_id = ANY (%s) AND channel = %s
ORDER BY customer_id, purpose, taken_at DESC, id DESC
"""
_UNDELIVERABLE: Final = "SELECT address, reason FROM undeliverable_address WHERE channel = %s AND address = ANY (%s)"


@dataclass(frozen=True, slots=True)
class Sender:
    """In whose name it goes. Without an issuer the operator's, in its zone."""

    id: int | None
    facts: dict[str, str]
    country: str | None
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """As it stands in letters."""
        return self.facts["name"]


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a message reaches. `email` is None where nobody has one; `consent` the newest word for its purpose; `device` of a notice."""

    name: str
    customer_name: str
    customer_number: str
    contact_id: int | None
    email: str | None
    mobile: str | None
    language: str
    sender: Sender
    consent: bool | None
    undeliverable: str | None
    device: Device | None = None

    @property
    def address(self) -> str | None:
        """Where it goes, as lists may say it."""
        return self.email if self.device is None else self.device.label


def load_addressees(
    connection: Connection, taken: Sequence[Taken], *, channel: str, operator: Sender
) -> dict[int, Addressee]:
    """By message. `operator` writes where there is no issuer."""
    ids = list({one.customer_id for one in taken})
    customers = {row[0]: row for row in connection.execute(_CUSTOMERS, (ids,))}
    contacts: defaultdict[int, list[Contact]] = defaultdict(list)
    for customer_id, number, role, *rest in connection.execute(_CONTACTS, (ids,)):
        contacts[customer_id].append(Contact(number, ContactRole(role), *rest))
    consents = {(row[0], row[1]): row[2] for row in connection.execute(_CONSENTS, (ids, channel))}
    senders = {one.id: one for one in load_senders(connection)}
    found = {one.id: _contact(one, contacts[one.customer_id]) for one in taken}
    addresses = [contact.email.lower() for contact in found.values() if contact and contact.email]
    devices = load_devices(connection, [one.device_id for one in taken if one.device_id]) if channel == PUSH else {}
    bad = dict(connection.execute(_UNDELIVERABLE, (channel, addresses)).fetchall())
    return {
        one.id: _addressee(
            one,
            customers[one.customer_id],
            found[one.id],
            sender=senders.get(one.issuer_id, operator),
            consent=consents.get((one.customer_id, one.purpose.value)),
            bad=bad,
            device=devices.get(one.device_id or 0),
        )
        for one in taken
    }


def load_senders(connection: Connection) -> list[Sender]:
    """All issuers, as messages name them."""
    names = (
        "name",
        "email",
        "phone",
        "iban",
        "street",
        "house_number",
        "postal_code",
        "city",
        "province",
        "vat_number",
    )
    return [
        Sender(
            row[0],
            {name: row[place] or "" for name, place in zip(names, (1, *range(4, 13)), strict=True)},
            row[2],
            ZoneInfo(row[3]),
        )
        for row in connection.execute(_ISSUERS)
    ]


def _contact(message: Taken, contacts: Sequence[Contact]) -> Contact | None:
    """The one that is named, else the one for its role."""
    if message.contact_id is not None:
        named = next((one for one in contacts if one.id == message.contact_id), None)
        if named is not None:
            return contact_for(named.role, contacts, contract_id=named.contract_id)
    return contact_for(ContactRole(message.role), contacts, contract_id=message.contract_id)


def _addressee(
    message: Taken,
    customer: tuple[Any, ...],
    contact: Contact | None,
    *,
    sender: Sender,
    consent: bool | None,
    bad: dict[str, str],
    device: Device | None,
) -> Addressee:
    number, name, reference, language = customer
    email = contact.email if contact else None
    return Addressee(
        name=(contact.name if contact else None) or name,
        customer_name=name,
        customer_number=reference or str(number),
        contact_id=contact.id if contact else None,
        email=email,
        mobile=contact.mobile if contact else None,
        language=message.language or (contact.language if contact else None) or language,
        sender=sender,
        consent=consent,
        undeliverable=bad.get(email.lower()) if email else None,
        device=device,
    )
