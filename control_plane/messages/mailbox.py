"""Reads the mailbox that bounces come into, by IMAP: each mail is noted in a transaction, and marked as read behind its commit.

What nobody here can read stays there with a flag, for a person. A mail that is read twice is noted once.

Units: *_s seconds.
Source: RFC 3501 (IMAP4rev1).
Next: returned.py
"""

from __future__ import annotations

import imaplib
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, assert_never

import psycopg

from billing.messages.message import EMAIL
from billing.store.message_queue import Happening
from billing.store.returned_messages import SentMessage, find_sent, note, note_bounce, withdraw_consent
from billing.store.undeliverable import mark_undeliverable
from control_plane import telemetry
from control_plane.messages.channel import ChannelError
from control_plane.messages.mail import OwnAddress, is_token
from control_plane.messages.returned import ForAPerson, Report, Returned, WantsNoMore, read_returned
from control_plane.settings import MailboxSettings, Settings, SettingsError, password_of

Connection = psycopg.Connection[Any]

ACTOR: Final = "job read_returned_mail"
READ_MAIL_EVERY_S: Final = 60.0
_MOST_MAILS: Final = 200
# Of a mail that quotes all of what we sent, the report stands before that.
_MOST_OCTETS: Final = 1_000_000
_DONE: Final = "(\\Seen)"
_FOR_A_PERSON: Final = "(\\Seen \\Flagged)"
_NOTED: Final = {
    "delayed": Happening.DELAYED,
    "delivered": Happening.DELIVERED,
    "relayed": Happening.DELIVERED,
    "expanded": Happening.DELIVERED,
}


def read_returns(connection: Connection, settings: Settings, now: datetime) -> str:
    """One turn of the job: note what came back. Says what it was.

    Raises: ChannelError, which names what to do, when the mailbox can't be read.
    """
    del now
    if not settings.mailbox.host:
        return "switched off: [mailbox] host"
    counted: Counter[str] = Counter()
    with _mailbox(settings) as mailbox:
        for uid, octets in _unread(mailbox):
            returned = read_returned(octets)
            word = _noted(connection, returned)
            _ask(mailbox.uid("STORE", uid, "+FLAGS", _DONE if word != "for a person" else _FOR_A_PERSON))
            counted[word] += 1
            telemetry.RETURNS.labels(word).inc()
    return ", ".join(f"{count} {word}" for word, count in sorted(counted.items())) or "nothing came back"


def _noted(connection: Connection, returned: Returned) -> str:
    """Note it; what the database does not take is for a person, and the mails behind it are read all the same."""
    try:
        with connection.transaction():
            return _note(connection, returned)
    except (psycopg.DataError, UnicodeError) as error:
        telemetry.logger().error("mailbox.not_kept", reason=str(error))
        return "for a person"


def _note(connection: Connection, returned: Returned) -> str:
    match returned:
        case ForAPerson():
            return "for a person"
        case WantsNoMore():
            message = _message(connection, returned.own, None)
            if message is None:
                return "for a person"
            withdraw_consent(
                connection,
                message.customer_id,
                message.channel,
                evidence=f"message {message.id}",
                taken_by=ACTOR,
                wording="List-Unsubscribe by mail",
            )
            return "unsubscribed"
        case Report():
            message = _message(connection, returned.own, returned.reference)
            if message is None:
                return "for a person"
            return _note_report(connection, message, returned)
        case _:
            assert_never(returned)


def _note_report(connection: Connection, message: SentMessage, report: Report) -> str:
    if report.action != "failed":
        happened = _NOTED.get(report.action)
        if happened is None:
            return "for a person"
        note(connection, message.id, happened, report.detail, made_by=ACTOR)
        return happened.value
    if not note_bounce(connection, message.id, report.detail, made_by=ACTOR):
        note(connection, message.id, Happening.BOUNCED, report.detail, made_by=ACTOR)
    if report.no_such_address:
        mark_undeliverable(connection, message.channel, message.address, report.detail, message_id=message.id)
    return Happening.BOUNCED.value


def _message(connection: Connection, own: OwnAddress | None, reference: str | None) -> SentMessage | None:
    """Of the address that it came to, where that carries the message's token; else of the Message-ID, which carries it too."""
    if own is not None:
        found = find_sent(connection, message_id=own.message_id)
        if found is not None and found.channel == EMAIL and is_token(found.token, own.token):
            return found
    found = find_sent(connection, reference=reference) if reference else None
    return found if found is not None and found.channel == EMAIL else None


@contextmanager
def _mailbox(settings: Settings) -> Iterator[imaplib.IMAP4]:
    own = settings.mailbox
    where = f"the mailbox {own.username!r} on {own.host}:{own.port}"
    try:
        password = password_of(settings, "mailbox")
    except SettingsError as error:
        raise ChannelError(str(error)) from error
    try:
        opened = _connected(own)
    except (OSError, imaplib.IMAP4.error) as error:
        raise ChannelError(
            f"{where} can't be reached: {error}; check [mailbox] host, port, security and ca_file"
        ) from error
    try:
        try:
            opened.login(own.username, password)
        except imaplib.IMAP4.error as error:
            raise ChannelError(f"{where} lets nobody in: {error}; check its username and password") from error
        if opened.select(_quoted(own.folder))[0] != "OK":
            raise ChannelError(f"{where} has no folder {own.folder!r}: check [mailbox] folder")
        yield opened
    except (OSError, imaplib.IMAP4.error) as error:
        raise ChannelError(f"{where} went away: {error}") from error
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            opened.logout()


def _connected(own: MailboxSettings) -> imaplib.IMAP4:
    trust = ssl.create_default_context(cafile=own.ca_file or None) if own.security != "none" else None
    if own.security == "tls":
        return imaplib.IMAP4_SSL(own.host, own.port, ssl_context=trust, timeout=own.timeout_s)
    plain = imaplib.IMAP4(own.host, own.port, timeout=own.timeout_s)
    if own.security == "starttls":
        try:
            plain.starttls(ssl_context=trust)
        except (OSError, imaplib.IMAP4.error):
            plain.shutdown()
            raise
    return plain


def _unread(mailbox: imaplib.IMAP4) -> Iterator[tuple[str, bytes]]:
    """What was not looked at, the oldest first, as far as one turn goes."""
    found = _ask(mailbox.uid("SEARCH", "UNSEEN", "UNDELETED"))
    for uid in (found[0] or b"").split()[:_MOST_MAILS]:
        fetched = _ask(mailbox.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{_MOST_OCTETS}>)"))
        octets = next((part[1] for part in fetched if isinstance(part, tuple)), None)
        if octets is not None:
            yield uid.decode(), octets


def _ask(answer: tuple[str, list[Any]]) -> list[Any]:
    """What a command gave. Raises: imaplib.IMAP4.error with the server's words when it was refused."""
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"{status} {data!r}")
    return data


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
