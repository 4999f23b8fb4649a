"""Forms of the console's pages, filled in without a browser."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient


class _Hidden(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and self.forms and given.get("type") == "hidden" and given.get("name"):
            self.forms[-1][str(given["name"])] = given.get("value") or ""


def form_of(text: str, having: str = "csrf_token") -> dict[str, str]:
    """What the page's main form sends along: of the forms with that hidden field the one with most of them."""
    read = _Hidden()
    read.feed(text)
    return max((form for form in read.forms if having in form), key=len)


def send(client: FlaskClient, path: str, *, address: str = "127.0.0.1", to: str | None = None, **typed: Any) -> Any:
    """Open the page and send its form with these fields; `to` is where, if not to the page itself."""
    form = form_of(client.get(path).text)
    return client.post(to or path, data={**form, **typed}, environ_base={"REMOTE_ADDR": address})
