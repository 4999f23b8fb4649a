"""The page on which one click ends marketing: what List-Unsubscribe of a mail names.

A look changes nothing (mail scanners look at every link); only the button, or the one click of a mail program, does.

Source: RFC 8058.
"""

from __future__ import annotations

from typing import Final

import psycopg
from flask import Blueprint
from psycopg.rows import TupleRow

from billing.store.returned_messages import find_sent, withdraw_consent
from control_plane import db
from control_plane.messages.mail import is_token
from control_plane.settings import Settings

_ACTOR: Final = "unsubscribe page"
_PAGE: Final = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="robots" content="noindex"><meta name="viewport" content="width=device-width">'
    '<title>E-mail</title></head><body style="font-family:sans-serif;max-width:30em;margin:3em auto">{content}</body></html>'
)
_ASK: Final = (
    '<form method="post"><p>No more offers by e-mail? · Non vuole più offerte per e-mail? · ¿No quiere más ofertas por correo?</p>'
    '<button type="submit">OK</button></form>'
)
_DONE: Final = "<p>Done. · Fatto. · Hecho.</p>"


def unsubscribe_pages(settings: Settings) -> Blueprint:
    """/unsubscribe/MESSAGE-TOKEN."""
    pages = Blueprint("unsubscribe", __name__)

    @pages.get("/unsubscribe/<int:message_id>-<token>")
    def ask(message_id: int, token: str) -> str:
        del message_id, token
        return _PAGE.format(content=_ASK)

    @pages.post("/unsubscribe/<int:message_id>-<token>")
    def do(message_id: int, token: str) -> tuple[str, int]:
        with _database(settings) as connection:
            if not _end(connection, message_id, token):
                return _PAGE.format(content="<p>404</p>"), 404
        return _PAGE.format(content=_DONE), 200

    return pages


def _end(connection: psycopg.Connection[TupleRow], message_id: int, token: str) -> bool:
    message = find_sent(connection, message_id=message_id) if message_id < 2**63 else None
    if message is None or not is_token(message.token, token):
        return False
    withdraw_consent(
        connection,
        message.customer_id,
        message.channel,
        evidence=f"message {message.id}",
        taken_by=_ACTOR,
        wording="List-Unsubscribe by one click",
    )
    return True


def _database(settings: Settings) -> psycopg.Connection[TupleRow]:
    return db.connect(settings.conninfo("corrente_web"), name="unsubscribe", origin="interface")
