"""The texts of messages as an operator looks at them and changes them: what there is, how one reads, kept in versions, taken back.

A text is tried with made-up figures before it is kept, once with all and once with the least that its kind tells; or it is looked at as
a real customer would get it, with what was told them last. Whoever keeps one stands in the audit log.

The caller owns the transaction; looking at a text for a real customer writes into it, so that is rolled back.

Next: billing/messages/texts.py
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.errors import BillingError
from billing.messages.message import EMAIL, NewMessage
from billing.messages.texts import (
    KNOWN,
    LANGUAGES,
    Reader,
    Source,
    Written,
    example,
    load_kinds,
    names_of,
    sample_reader,
    write,
)
from billing.operations.invoice_messages import message_of
from billing.store.gateway_charges import load_pages
from billing.store.invoice_messages import load_to_send
from billing.store.message_queue import load_queued
from billing.store.message_readers import Sender, load_addressees, load_senders
from billing.store.message_search import find_told
from billing.store.message_templates import Version, find_source, load_versions, save_version
from billing.store.messages import queue
from control_plane import audit
from control_plane.messages.sending import accent_of, reader_of
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]


class NoSuchTextError(BillingError):
    """There is no text to go back to."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which text is meant: of a kind in a language, for one issuer or for all."""

    kind: str
    language: str
    issuer_id: int | None = None


@dataclass(frozen=True, slots=True)
class KindHere:
    """A kind of messages with the languages in which its text is the operator's own. `is_packaged`: the package has one too."""

    name: str
    purpose: str | None
    about: str
    tells: tuple[str, ...]
    own_in: frozenset[str]
    is_packaged: bool


def load_kinds_here(connection: Connection) -> list[KindHere]:
    """The package's kinds in their order, then the operator's own."""
    own: dict[str, dict[tuple[str, int | None], bool]] = {}
    for one in load_versions(connection):
        own.setdefault(one.kind, {})[one.language, one.issuer_id] = one.subject is not None
    kinds = load_kinds()
    found = []
    for name in (*kinds, *sorted(set(own) - set(kinds))):
        mine = frozenset(language for (language, _), is_own in own.get(name, {}).items() if is_own)
        known = kinds.get(name)
        if known is None:
            found.append(KindHere(name, None, "", (), mine, is_packaged=False))
        else:
            found.append(
                KindHere(name, known.purpose.value, known.about, tuple(sorted(known.tells)), mine, is_packaged=True)
            )
    return found


def load_own_versions(connection: Connection, place: Place) -> list[Version]:
    """All that this text of the operator's own ever was, the oldest first."""
    versions = load_versions(connection, kind=place.kind, language=place.language)
    return [one for one in versions if one.issuer_id == place.issuer_id]


def names_for(place: Place) -> tuple[str, ...]:
    """The names that a text of this kind may use."""
    known = load_kinds().get(place.kind)
    return (*KNOWN, *(sorted(known.tells) if known else ()))


def as_it_reads(connection: Connection, settings: Settings, place: Place, source: Source) -> Written | None:
    """A text filled in with made-up figures; None for one of the operator's own kind, which is only read: nobody knows what it tells.

    Raises: TextError.
    """
    known = load_kinds().get(place.kind)
    if known is None:
        names_of(source)
        return None
    reader, told = _made_up(connection, settings, place), example(place.kind)
    write(source, place.kind, {name: value for name, value in told.items() if name not in known.may}, reader)
    return write(source, place.kind, told, reader)


def as_customer_reads(
    connection: Connection, settings: Settings, place: Place, source: Source, *, customer_id: int
) -> Written:
    """A text as this customer would get it: with what they were told last by a message of this kind, else with made-up figures.

    It writes into the transaction, which has to be rolled back. Raises: TextError.
    """
    told = find_told(connection, place.kind, customer_id)
    data = example(place.kind) if told is None else told
    message = NewMessage(customer_id, place.kind, "", data, issuer_id=place.issuer_id)
    return _as_told(connection, settings, place, source, message)


def as_document_reads(
    connection: Connection, settings: Settings, place: Place, source: Source, *, document_id: int
) -> Written | None:
    """A text of an invoice or a credit note as the document's customer would get it; None where it is no document of this kind.

    It writes into the transaction, which has to be rolled back. Raises: TextError.
    """
    found = [one for one in load_to_send(connection, [document_id], None) if one.kind == place.kind]
    if not found:
        return None
    message = message_of(found[0], load_pages(connection, [document_id]).get(document_id))
    return _as_told(connection, settings, place, source, message)


def keep(connection: Connection, settings: Settings, place: Place, source: Source, *, by: str) -> int:
    """Keep a text that can be filled in: it counts from now on. Returns its version. Raises: TextError."""
    as_it_reads(connection, settings, place, source)
    version = save_version(connection, place.kind, place.language, source, issuer_id=place.issuer_id, made_by=by)
    _note(connection, place, "edit", {"version": version}, by)
    return version


def text_to_go_back_to(connection: Connection, place: Place, version: int | None) -> Source | None:
    """An earlier version of the operator's own, or None for the package's text. Raises: NoSuchTextError."""
    mine = load_own_versions(connection, place)
    if not mine:
        raise NoSuchTextError(f"{place.kind!r} in {place.language!r} was never changed")
    if version is None:
        if place.kind not in load_kinds():
            raise NoSuchTextError(f"{place.kind!r} is yours alone: the package has no text to go back to")
        return None
    back = next((one for one in mine if one.version == version), None)
    if back is None or back.subject is None or back.body is None:
        raise NoSuchTextError(
            f"there is no text {version} of {place.kind!r} in {place.language!r}: `corrente message template show {place.kind} --versions`"
        )
    return Source(back.subject, back.body, back.html)


def go_back(connection: Connection, place: Place, version: int | None, *, by: str) -> int:
    """Make an earlier version count again, or the package's text; returns the number of what counts now. Raises: NoSuchTextError."""
    source = text_to_go_back_to(connection, place, version)
    made = save_version(connection, place.kind, place.language, source, issuer_id=place.issuer_id, made_by=by)
    _note(connection, place, "undo", {"version": made, "as": version}, by)
    return made


def faults_of_all(connection: Connection, settings: Settings) -> tuple[int, list[str]]:
    """Every kind in every language and for each issuer, filled in: how many were tried, and what can't be."""
    wrong: list[str] = []
    count = 0
    issuers = [None, *(sender.id for sender in load_senders(connection))]
    for kind in sorted({*load_kinds(), *(one.kind for one in load_versions(connection))}):
        for language in LANGUAGES:
            for issuer_id in issuers:
                count += 1
                try:
                    source = find_source(connection, kind, language, issuer_id)
                    as_it_reads(connection, settings, Place(kind, language, issuer_id), source)
                except BillingError as error:
                    if kind in load_kinds():
                        wrong.append(f"{kind} in {language}: {error}")
    return count, list(dict.fromkeys(wrong))


def _made_up(connection: Connection, settings: Settings, place: Place) -> Reader:
    sender = next((one for one in load_senders(connection) if place.issuer_id in (None, one.id)), None)
    sender = sender or Sender(
        None, {"name": settings.operator.name, "email": "", "phone": "", "iban": ""}, None, settings.zone
    )
    return sample_reader(
        place.language,
        sender.facts,
        country=sender.country or "",
        zone=ZoneInfo(str(sender.zone)),
        accent=accent_of(settings, place.issuer_id),
    )


def _as_told(connection: Connection, settings: Settings, place: Place, source: Source, message: NewMessage) -> Written:
    one = replace(message, origin=f"preview {secrets.token_hex(8)}", language=place.language, enclosures=())
    taken = load_queued(connection, queue(connection, [one], made_by="preview"))[0]
    operator = Sender(None, {"name": settings.operator.name}, None, settings.zone)
    addressee = load_addressees(connection, [taken], channel=EMAIL, operator=operator)[taken.id]
    reader = reader_of(addressee, accent=accent_of(settings, addressee.sender.id))
    return write(source, place.kind, taken.data, reader)


def _note(connection: Connection, place: Place, deed: str, detail: Mapping[str, object], by: str) -> None:
    subject = f"{place.kind} {place.language}"
    told = {**detail, "issuer": place.issuer_id}
    audit.append(connection, actor=by, action=f"message_template.{deed}", subject=subject, detail=told)
