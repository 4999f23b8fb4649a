"""A part of a page as a stream tells it: a template over what is asked, in one language for all who share the stream.

Next: live.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, current_app, g

from web.database import Connection
from web.language import chosen_language
from web.live import Answer


def part(template: str, load: Callable[[Connection], Mapping[str, Any]]) -> Answer:
    """What `Streams.stream` asks: this template over what `load` finds, in the language of who asks now.

    The stream's key has to name that language. The template asks nothing of the request or of who looks.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    language = chosen_language()

    def ask(connection: Connection) -> str:
        with app.app_context():
            g.language = language
            return app.jinja_env.get_template(template).render(load(connection))

    return ask
