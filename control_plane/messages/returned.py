"""What a mail in our mailbox is: a report on a message of ours, the wish to get no more, or something for a person.

Reports are those of RFC 3464; what a server writes in words of its own is read by a person.

Source: RFC 3464 (delivery status), RFC 6522 (multipart/report), RFC 3462.
Next: mail_status.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any, Final

from billing.plain_text import plain_text
from control_plane.messages.mail import OwnAddress, read_own_address
from control_plane.messages.mail_status import is_no_such_address

# Where a delivering server writes to which address a mail came, the surest first.
_RECIPIENT_HEADERS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_WORDS_KEPT: Final = 500
# What the standard library's parser raises for what it does not expect; comments within comments are as deep as a sender likes.
_DAMAGED: Final = (LookupError, ValueError, TypeError, AttributeError, MessageError, RecursionError)


@dataclass(frozen=True, slots=True)
class Report:
    """A server's word on a message: `action` is failed, delayed, delivered, relayed or expanded. It names the message by the
    address that it came to, or by the Message-ID that it quotes.
    """

    own: OwnAddress | None
    reference: str | None
    action: str
    detail: str
    no_such_address: bool


@dataclass(frozen=True, slots=True)
class WantsNoMore:
    """Sent to the address that ends marketing."""

    own: OwnAddress


@dataclass(frozen=True, slots=True)
class ForAPerson:
    """Anything else."""

    subject: str


Returned = Report | WantsNoMore | ForAPerson


def read_returned(octets: bytes) -> Returned:
    """What it is. Damaged mail is for a person."""
    try:
        mail = message_from_bytes(octets, policy=default)
    except _DAMAGED:
        return ForAPerson("")
    own = _own_address(mail)
    if own is not None and own.unsubscribes:
        return WantsNoMore(own)
    try:
        report = _report(mail, own)
    except _DAMAGED:
        report = None
    return report or ForAPerson(_header(mail, "Subject"))


def _report(mail: EmailMessage, own: OwnAddress | None) -> Report | None:
    if mail.get_content_type() != "multipart/report":
        return None
    status = next((part for part in mail.walk() if part.get_content_type() == "message/delivery-status"), None)
    if status is None:
        return None
    block = next((one for one in _blocks(status) if one.get("Action")), None)
    reference = _quoted_reference(mail)
    if block is None or (own is None and reference is None):
        return None
    action = _header(block, "Action").split()[0].lower()
    code, said = _header(block, "Status"), _header(block, "Diagnostic-Code")
    detail = " ".join(f"{code} {said}".split())[:_WORDS_KEPT]
    gone = action == "failed" and is_no_such_address(0, code or said, to_recipient=False)
    return Report(own, reference, action, detail, gone)


def _blocks(status: Message[Any, Any]) -> Iterator[Message[Any, Any]]:
    """The groups of fields of a report: of the message, then of each recipient."""
    payload = status.get_payload()
    if isinstance(payload, list):
        yield from (one for one in payload if isinstance(one, Message))


def _quoted_reference(mail: EmailMessage) -> str | None:
    """The Message-ID of the message that is returned, whole or its header alone."""
    for part in mail.walk():
        if part is mail:
            continue
        kind = part.get_content_type()
        if kind == "text/rfc822-headers":
            octets = part.get_payload(decode=True)
            quoted = message_from_bytes(octets if isinstance(octets, bytes) else b"", policy=default)
            return _header(quoted, "Message-ID") or None
        if kind == "message/rfc822":
            payload = part.get_payload()
            if isinstance(payload, list) and payload and isinstance(payload[0], Message):
                return _header(payload[0], "Message-ID") or None
    return None


def _own_address(mail: EmailMessage) -> OwnAddress | None:
    for name in _RECIPIENT_HEADERS:
        try:
            values = [str(value) for value in mail.get_all(name, [])]
        except _DAMAGED:
            continue
        found = next(filter(None, map(read_own_address, values)), None)
        if found is not None:
            return found
    return None


def _header(mail: Message[Any, Any], name: str) -> str:
    """A header's words in one line; empty where it is missing or can't be read."""
    try:
        return " ".join(plain_text(str(mail.get(name) or "")).split())
    except _DAMAGED:
        return ""
