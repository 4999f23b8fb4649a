"""A letter as a mail: text and HTML, what goes with it, and the headers that tell machines what it is.

The return path is an address of the message's own (VERP), so that what comes back is told apart without reading it.

Source: RFC 5322, 2046 (multipart), 2369 and 8058 (List-Unsubscribe), 3834 (Auto-Submitted), 5321 section 4.5.3.1.1 (64 octets).
Next: email_channel.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from billing.messages.message import Purpose
from control_plane.messages.channel import Letter

_TOKEN_LETTERS: Final = 16
_UNSUBSCRIBE: Final = "u"
# A bigint of PostgreSQL.
_MOST_ID: Final = 2**63 - 1
_OWN: Final = re.compile(r"\+(u?)([1-9][0-9]{0,18})-([0-9a-f]{16})@")


class MailAddressError(ValueError):
    """An address that no mail can be sent to."""


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """What an address of ours says: of which message, and that its reader wants no more of the kind."""

    message_id: int
    token: str
    unsubscribes: bool = False


def own_address(bounce_address: str, message_id: int, token: str, *, unsubscribes: bool = False) -> str:
    """The message's own address in our mailbox; nobody guesses the token."""
    local, _, domain = bounce_address.rpartition("@")
    mark = _UNSUBSCRIBE if unsubscribes else ""
    return f"{local}+{mark}{message_id}-{_short(token)}@{domain}"


def read_own_address(text: str) -> OwnAddress | None:
    """The first address of ours in a header; a number that no message can have makes it somebody's invention."""
    found = _OWN.search(text.lower())
    if found is None or int(found[2]) > _MOST_ID:
        return None
    return OwnAddress(int(found[2]), found[3], found[1] == _UNSUBSCRIBE)


def is_token(token: str, short: str) -> bool:
    """Whether what an address carries is of that message."""
    return _short(token) == short


def message_id_header(sender: str, message_id: int, token: str) -> str:
    """Its Message-ID, the same however often it is sent, so that a reader's server can tell a copy."""
    return f"<{message_id}.{token.replace('-', '')}@{sender.rpartition('@')[2]}>"


def ascii_address(address: str) -> str:
    """The address with its domain as the DNS has it.

    Raises: MailAddressError.
    """
    local, at, domain = address.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode() if domain else ""
    except UnicodeError as error:
        raise MailAddressError(f"{address!r}: there is no such domain") from error
    if not at or not local or not ascii_domain or re.search(r"[\s<>\x00-\x1f\x7f]", address.strip()):
        raise MailAddressError(f"{address!r} is no mail address")
    return f"{local}@{ascii_domain}"


def mail_of(letter: Letter, *, sender: str, bounce_address: str, public_url: str) -> EmailMessage:
    """The mail. Raises: MailAddressError."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(letter.sender_name, sender)
    mail["To"] = _address(letter.address_name, ascii_address(letter.address))
    if letter.reply_to:
        mail["Reply-To"] = _address(letter.sender_name, ascii_address(letter.reply_to))
    mail["Subject"] = " ".join(letter.subject.split())
    mail["Date"] = format_datetime(letter.written_at)
    mail["Message-ID"] = letter.reference
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = letter.language
    if letter.purpose is Purpose.MARKETING:
        _add_way_out(mail, letter, bounce_address, public_url)
    mail.set_content(letter.body)
    mail.add_alternative(letter.html, subtype="html")
    for file in letter.files:
        kind, _, subtype = file.media_type.partition("/")
        mail.add_attachment(file.content, maintype=kind, subtype=subtype, filename=file.name)
    return mail


def unsubscribe_link(public_url: str, message_id: int, token: str) -> str:
    """The page on which one click ends marketing."""
    return f"{public_url.rstrip('/')}/unsubscribe/{message_id}-{_short(token)}"


def _add_way_out(mail: EmailMessage, letter: Letter, bounce_address: str, public_url: str) -> None:
    ways = []
    if public_url:
        ways.append(f"<{unsubscribe_link(public_url, letter.message_id, letter.token)}>")
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if bounce_address:
        ways.append(f"<mailto:{own_address(bounce_address, letter.message_id, letter.token, unsubscribes=True)}>")
    if ways:
        mail["List-Unsubscribe"] = ", ".join(ways)


def _address(name: str, address: str) -> Address:
    try:
        return Address(display_name=" ".join(name.split()), addr_spec=address)
    except (ValueError, MessageError, IndexError) as error:
        raise MailAddressError(f"{address!r} is no mail address: {error}") from error


def _short(token: str) -> str:
    return token.replace("-", "")[:_TOKEN_LETTERS].lower()
