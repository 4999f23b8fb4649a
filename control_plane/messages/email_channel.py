"""E-mail by SMTP: one connection for many messages, each handed over in the order that says what is known of it.

MAIL and RCPT come first: a refusal of either is certain. Then who sends is asked (and commits that the text leaves), then DATA
and the text. When no answer comes to its final dot the message is in doubt, whatever happened to it.

Source: RFC 5321 (sections 3.3, 4.2, 4.5.3.2), RFC 1047 (a dot without an answer), RFC 3207 (STARTTLS). Addresses
beyond ASCII (RFC 6531) are not sent to; their domains may be.
Next: mail_status.py
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from billing.messages.message import EMAIL
from billing.plain_text import plain_text
from control_plane.messages.channel import ChannelError, Deferred, Letter, NotSent, Outcome, Refused, Sent
from control_plane.messages.mail import (
    MailAddressError,
    ascii_address,
    mail_of,
    message_id_header,
    own_address,
)
from control_plane.messages.mail_status import is_no_such_address
from control_plane.settings import EmailSettings, Settings, SettingsError, password_of

# Servers end connections that last: RFC 5321 leaves it to them; a hundred is what common ones take.
_MESSAGES_A_CONNECTION: Final = 100
_SERVICE_ENDS: Final = 421
_TEMPORARY: Final = range(400, 500)


class _LostError(Exception):
    """The connection is gone."""


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """The channel as the settings have it. `password` is None without a login."""

    settings: EmailSettings
    password: str | None
    public_url: str = ""

    name: str = EMAIL

    @property
    def per_hour(self) -> int:
        """What the relay lets through in an hour."""
        return self.settings.per_hour

    @property
    def per_day(self) -> int:
        """And in a day."""
        return self.settings.per_day

    @contextmanager
    def open(self) -> Iterator[SmtpLine]:
        """A connection that was greeted and let in. Raises: ChannelError."""
        line = SmtpLine(self)
        try:
            line.connect()
            yield line
        finally:
            line.close()

    def reference_for(self, message_id: int, token: str) -> str:
        """Its Message-ID."""
        return message_id_header(self.settings.sender, message_id, token)


def email_channel(settings: Settings) -> EmailChannel | None:
    """The channel; None where it is switched off.

    Raises: ChannelError for settings that no mail can be sent with.
    """
    own = settings.email
    if not own.host:
        return None
    for key, address, is_needed in (
        ("sender", own.sender, True),
        ("bounce_address", own.bounce_address, bool(settings.mailbox.host)),
    ):
        if address or is_needed:
            try:
                ascii_address(address).encode("ascii")
            except (MailAddressError, UnicodeEncodeError) as error:
                raise ChannelError(
                    f"[email] {key} = {address!r}: a mail address such as no-reply@isp.example"
                ) from error
    try:
        password = password_of(settings, "email") if own.username else None
    except SettingsError as error:
        raise ChannelError(str(error)) from error
    return EmailChannel(own, password, settings.messages.public_url)


class SmtpLine:
    """One connection, made anew when a server has had enough of it."""

    def __init__(self, channel: EmailChannel) -> None:
        self._channel = channel
        self._settings = channel.settings
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0

    def connect(self) -> None:
        """Raises: ChannelError."""
        own = self._settings
        where = f"the mail server {own.host}:{own.port}"
        try:
            self._smtp = self._greeted()
            if self._channel.password is not None:
                self._smtp.login(own.username, self._channel.password)
            self._sent = 0
        except smtplib.SMTPAuthenticationError as error:
            self.close()
            raise ChannelError(
                f"{where} does not let {own.username!r} in: {_words(error.smtp_error)}; check [email] username and its password"
            ) from error
        except ssl.SSLError as error:
            self.close()
            raise ChannelError(f"{where}: {error}; check [email] security and ca_file") from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise ChannelError(f"{where} can't be used: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Say goodbye; a connection that is gone is closed all the same."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
            smtp.close()

    def send(self, letter: Letter, *, before_text: Callable[[], bool]) -> Outcome:
        """Raises: ChannelError."""
        own = self._settings
        try:
            mail = mail_of(
                letter, sender=own.sender, bounce_address=own.bounce_address, public_url=self._channel.public_url
            )
            to = ascii_address(letter.address)
        except MailAddressError as error:
            return Refused(str(error), no_such_address=True)
        if self._smtp is None or self._sent >= _MESSAGES_A_CONNECTION:
            self.close()
            self.connect()
        smtp = self._smtp
        assert smtp is not None, "it was connected"
        content = mail.as_bytes()
        try:
            refused = self._envelope(smtp, letter, to)
        except _LostError as error:
            raise ChannelError(f"the mail server {own.host}:{own.port} went away: {error.__cause__}") from error
        if refused is not None:
            return refused
        if not before_text():
            self._reset(smtp)
            return NotSent()
        return self._text(smtp, content)

    def _greeted(self) -> smtplib.SMTP:
        own = self._settings
        if own.security == "tls":
            return smtplib.SMTP_SSL(own.host, own.port, timeout=own.timeout_s, context=self._trust())
        smtp = smtplib.SMTP(own.host, own.port, timeout=own.timeout_s)
        if own.security == "starttls":
            smtp.starttls(context=self._trust())
        return smtp

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    def _envelope(self, smtp: smtplib.SMTP, letter: Letter, to: str) -> Outcome | None:
        """Sender and recipient; None when both are taken."""
        own = self._settings
        back = own_address(own.bounce_address, letter.message_id, letter.token) if own.bounce_address else own.sender
        try:
            smtp.ehlo_or_helo_if_needed()
            code, reply = smtp.mail(back)
            to_recipient = code == 250
            if to_recipient:
                code, reply = smtp.rcpt(to)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise _LostError from error
        if to_recipient and code in (250, 251):
            return None
        if code == _SERVICE_ENDS:
            self.close()
        else:
            self._reset(smtp)
        return _judged(code, reply, to_recipient=to_recipient)

    def _text(self, smtp: smtplib.SMTP, content: bytes) -> Outcome:
        try:
            code, reply = smtp.data(content)
        except smtplib.SMTPDataError as error:
            # It was refused before the text: nothing left.
            self._reset(smtp)
            return _judged(error.smtp_code, error.smtp_error, to_recipient=False)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Deferred(f"no answer came to the text: {error or type(error).__name__}", in_doubt=True)
        self._sent += 1
        if code == 250:
            return Sent(_words(reply))
        if code == _SERVICE_ENDS:
            self.close()
        return _judged(code, reply, to_recipient=False)

    def _reset(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.rset()
        except (OSError, smtplib.SMTPException):
            self.close()


def _judged(code: int, reply: bytes | str, *, to_recipient: bool) -> Outcome:
    said = f"{code} {_words(reply)}"
    if code in _TEMPORARY:
        return Deferred(said)
    if 500 <= code < 600:
        return Refused(said, no_such_address=is_no_such_address(code, said, to_recipient=to_recipient))
    # Neither yes nor no: a server that does not speak SMTP is tried again.
    return Deferred(said)


def _words(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(plain_text(text).split())
