"""Forms of the console's pages, filled in and sent without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient

_WITHOUT_VALUE = frozenset({"submit", "button", "reset", "image", "file"})


class _Forms(HTMLParser):
    """What a browser would send of each form that nobody has touched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []
        self._select = ""
        self._many = self._chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append({})
        if not self.forms:
            return
        if tag == "input" and name and given.get("type") not in _WITHOUT_VALUE and "disabled" not in given:
            if given.get("type") in ("checkbox", "radio"):
                if "checked" in given:
                    self.forms[-1].setdefault(name, []).append(value or "on")
            else:
                self.forms[-1].setdefault(name, []).append(value)
        elif tag == "select":
            self._select, self._many, self._chosen = name, "multiple" in given, False
        elif tag == "option" and self._select:
            first = self._select not in self.forms[-1]
            if "selected" in given or (first and not self._many):
                sent = self.forms[-1].setdefault(self._select, [])
                if not self._many and not first and not self._chosen:
                    sent.clear()
                sent.append(value)
                self._chosen = self._chosen or "selected" in given

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


def form_of(text: str) -> dict[str, Any]:
    """What the page's main form sends as it stands: of its forms the one with most fields."""
    read = _Forms()
    read.feed(text)
    found = max((form for form in read.forms if "csrf_token" in form), key=len)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def send(client: FlaskClient, path: str, *, address: str = "127.0.0.1", to: str | None = None, **typed: Any) -> Any:
    """Open the page and send its form with these fields, None for one that is left out; `to` is where, if not to the page itself."""
    form = {name: value for name, value in {**form_of(client.get(path).text), **typed}.items() if value is not None}
    return client.post(to or path, data=form, environ_base={"REMOTE_ADDR": address})


def told_once(client: FlaskClient, answer: Any) -> list[str]:
    """The secrets that the page shows once to which an answer leads."""
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["Location"]).text
    box = re.search(r'<section class="alert alert-warning told-once".*?</section>', page, re.DOTALL)
    assert box, "the page tells nothing"
    return re.findall(r"<code[^>]*>([^<]+)</code>", box.group())


def hidden(page: str, name: str) -> str:
    """What a field that nobody sees carries."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no {name} in the page"
    return found.group(1)


def hidden_at_the_end(page: str) -> dict[str, str]:
    """What the page's last form sends along unseen."""
    return {
        name: re.findall(f'name="{name}" value="([^"]*)"', page)[-1]
        for name in ("csrf_token", "once_key", "seen")
        if f'name="{name}"' in page
    }


def send_named(client: FlaskClient, path: str, page: str | None = None, **fields: Any) -> Any:
    """Open a form, unless `page` is it, and send these fields alone, with what it hides."""
    page = page or client.get(path).text
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    given = {"csrf_token": hidden(page, "csrf_token"), "once_key": hidden(page, "once_key")}
    return client.post(path, data=given | ({"seen": seen.group(1)} if seen else {}) | fields)
