"""Links to set a password anew, mailed: a job of the worker that leads, woken when somebody asks for one.

A link's token is made here and kept as its digest before the mail leaves: a worker that dies in between leaves a link that nobody
has, and the next one makes another.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.messages.hypertext import page_of, paragraphs
from billing.messages.message import Purpose
from control_plane.access.reset_letter import write_letter
from control_plane.access.resetting import VALID_FOR
from control_plane.access.tokens import digest_of, new_token
from control_plane.messages.channel import Channel, ChannelError, Letter, Line, Outcome, Sent
from control_plane.messages.email_channel import email_channel
from control_plane.settings import Settings
from control_plane.store.password_resets import Due, keep_digest, note_problem, note_sent, take_due

Connection = psycopg.Connection[TupleRow]
RESETS_EVERY_S: Final = 30.0
_AT_ONCE: Final = 20
_LEASE_S: Final = 120.0
_AGAIN_S: Final = 60.0
_COLOUR: Final = "#0b7285"


def mail_resets(connection: Connection, settings: Settings, now: datetime) -> str:
    """Mail the links that were asked for. Says how many, and what is missing where none can be."""
    due = take_due(connection, now=now, lease_s=_LEASE_S, limit=_AT_ONCE)
    if not due:
        return "nobody asks for a link"
    problem, channel = "", None
    try:
        channel = email_channel(settings)
    except ChannelError as error:
        problem = str(error)
    if channel is None:
        problem = problem or "[email] host is empty in corrente.toml"
    elif not settings.messages.public_url:
        problem = "[messages] public_url is empty in corrente.toml: a link needs the site's address"
    if channel is None or problem:
        return _put_off(connection, due, problem, now=now)
    sent = 0
    try:
        with channel.open() as line:
            for one in due:
                sent += _mail(connection, settings, channel, line, one, now=now)
    except ChannelError as error:
        return f"{sent} links mailed; {_put_off(connection, due[sent:], str(error), now=now)}"
    return f"{sent} of {len(due)} links mailed"


def _mail(connection: Connection, settings: Settings, channel: Channel, line: Line, due: Due, *, now: datetime) -> bool:
    token = new_token()
    digest = digest_of(token)
    assert digest is not None
    keep_digest(connection, due.id, digest, ends_at=now + VALID_FOR)
    outcome: Outcome = line.send(_letter(settings, channel, due, token, now=now), before_text=lambda: True)
    if isinstance(outcome, Sent):
        note_sent(connection, due.id, now=now)
        return True
    reply = getattr(outcome, "reply", "it was taken back")
    note_problem(connection, due.id, reply, next_at=now + timedelta(seconds=_AGAIN_S))
    return False


def _letter(settings: Settings, channel: Channel, due: Due, token: str, *, now: datetime) -> Letter:
    house, language = settings.operator.name, due.language or "en"
    link = f"{settings.messages.public_url.rstrip('/')}/sign-in/reset/{token}"
    subject, body = write_letter(language, house=house, name=due.full_name, sign_in=due.name, link=link)
    # Not the link's token: headers are read by more than the text is.
    mark = secrets.token_hex(16)
    return Letter(
        0,
        mark,
        Purpose.SERVICE,
        channel.reference_for(due.id, mark),
        now.astimezone(settings.zone),
        house,
        None,
        due.email,
        due.full_name,
        language,
        subject,
        body,
        page_of(paragraphs(body), title=subject, sender=house, language=language, accent=_COLOUR),
    )


def _put_off(connection: Connection, due: list[Due], problem: str, *, now: datetime) -> str:
    for one in due:
        note_problem(connection, one.id, problem, next_at=now + timedelta(seconds=_AGAIN_S))
    return f"{len(due)} links wait: {problem}"
