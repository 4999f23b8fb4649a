"""Forms of the console's pages as a browser without a screen fills them in: what stands in the fields, some of it changed, sent."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class _Fields(HTMLParser):
    """What each form of a page that carries a key would send as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []
        self._choice = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name = given.get("name") or ""
        if tag == "form":
            self.forms.append({})
        elif not self.forms:
            return
        elif tag == "input" and name:
            if given.get("type") in ("checkbox", "radio") and "checked" not in given:
                return
            self.forms[-1].setdefault(name, []).append(given.get("value") or "")
        elif tag == "select":
            self._choice = name
        elif tag == "option" and "selected" in given and self._choice:
            self.forms[-1].setdefault(self._choice, []).append(given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._choice = ""


def fields_of(page: str, having: str = "once_key") -> dict[str, list[str]]:
    """The first form of a page that has that field, as it stands."""
    found = _Fields()
    found.feed(page)
    return next(form for form in found.forms if having in form)


def secret_of(page: str) -> str:
    """What proves that a form is of this page."""
    return fields_of(page, "csrf_token")["csrf_token"][0]


def send(client: FlaskClient, address: str, *, having: str = "once_key", **changed: Any) -> TestResponse:
    """Open a page, change some of its fields (None takes one out) and send it."""
    return send_filled(client, address, client.get(address).text, having=having, **changed)


def send_filled(
    client: FlaskClient, address: str, page: str, *, having: str = "once_key", **changed: Any
) -> TestResponse:
    """The same with a page that is open already, so that it can be sent twice or late."""
    fields = {**fields_of(page, having), **changed}
    return client.post(address, data={name: value for name, value in fields.items() if value is not None})
