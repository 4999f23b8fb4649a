"""The page on which one click ends marketing: what List-Unsubscribe of a mail names.

A look changes nothing (mail scanners look at every link); only the button, or the one click of a mail program, does.

Source: RFC 8058.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template

from billing.store.returned_messages import find_sent, withdraw_consent
from control_plane.messages.mail import is_token
from control_plane.settings import Settings
from web.acting import request_id
from web.database import Connection, Database
from web.marks import public

_ACTOR: Final = "unsubscribe page"
_MOST_CONNECTIONS: Final = 2


def unsubscribe_pages(settings: Settings) -> Blueprint:
    """/unsubscribe/MESSAGE-TOKEN."""
    pages = Blueprint("unsubscribe", __name__)
    # Anybody may send one: however many do at once, they have no more connections than these.
    database = Database(settings, role="corrente_web", most=_MOST_CONNECTIONS)

    @pages.get("/unsubscribe/<int:message_id>-<token>")
    @public("the address holds its own secret", checked_by_itself=True)
    def ask(message_id: int, token: str) -> str:
        del message_id, token
        return render_template("unsubscribe.html", state="ask")

    @pages.post("/unsubscribe/<int:message_id>-<token>")
    @public("the address holds its own secret, and mail programs send it without a page", checked_by_itself=True)
    def do(message_id: int, token: str) -> tuple[str, int]:
        with database.transaction(actor=_ACTOR, origin="interface", request_id=request_id()) as connection:
            if not _end(connection, message_id, token):
                return render_template("unsubscribe.html", state="unknown"), 404
        return render_template("unsubscribe.html", state="done"), 200

    return pages


def _end(connection: Connection, message_id: int, token: str) -> bool:
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
