"""One mail to an address of the operator's own, at once and outside the queue: whether the settings can send.

Next: email_channel.py
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import assert_never

from billing.messages.hypertext import page_of, paragraphs
from billing.messages.message import Purpose
from billing.messages.texts import Written
from control_plane.messages.channel import ChannelError, Deferred, Letter, NotSent, Refused, Sent
from control_plane.messages.email_channel import email_channel
from control_plane.settings import Settings

_COLOUR = "#1f4e79"


def send_trial(settings: Settings, address: str) -> str:
    """What the server answered. Raises: ChannelError when it did not take it, or mail is switched off."""
    name = settings.operator.name
    body = f"This is a trial of {name}: mail can be sent.\n"
    page = page_of(paragraphs(body), title="A trial", sender=name, language="en", accent=_COLOUR)
    return send_text(settings, address, Written(f"{name}: a trial", body, page), language="en")


def send_text(settings: Settings, address: str, text: Written, *, language: str) -> str:
    """Send a text to one's own address; what the server answered. Raises: ChannelError as above."""
    channel = email_channel(settings)
    if channel is None:
        raise ChannelError("no e-mail is sent: [email] host is empty in corrente.toml")
    token = secrets.token_hex(16)
    letter = Letter(
        0,
        token,
        Purpose.SERVICE,
        channel.reference_for(0, token),
        datetime.now(UTC).astimezone(settings.zone),
        settings.operator.name,
        None,
        address,
        address,
        language,
        text.subject,
        text.body,
        text.html,
    )
    with channel.open() as line:
        outcome = line.send(letter, before_text=lambda: True)
    match outcome:
        case Sent():
            return f"The server took it: {outcome.reply}"
        case Deferred() | Refused():
            raise ChannelError(f"{settings.email.host} did not take it: {outcome.reply}")
        case NotSent():
            raise AssertionError("nobody took it back")
        case _:
            assert_never(outcome)
