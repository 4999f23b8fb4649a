"""A message's subject, plain text and HTML, from the package's texts or the operator's own of the same kind and language.

The plain text is what is written; its HTML follows from it, unless an operator wrote that too.

Next: hypertext.py
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.messages.errors import Fault, TextError
from billing.messages.hypertext import page_of, paragraphs
from billing.messages.message import Purpose
from billing.messages.sandbox import Text, read_text
from billing.messages.values import kept, told
from billing.papers.spelling import Spelling

LANGUAGES: Final = ("en", "es", "it")
_HERE: Final = Path(__file__).parent
_SUBJECT: Final = "Subject: "
# What all messages know beside what their kind tells.
KNOWN: Final = ("name", "customer", "issuer")
_LONGEST_SUBJECT: Final = 200
_MOST_OPERATOR_NAMES: Final = ("pay_page",)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of message is about, why it goes, what it tells with an example of it, and which of that may be missing."""

    name: str
    about: str
    purpose: Purpose
    tells: Mapping[str, Any]
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """A message's text as it is written. `version` counts the operator's own; None is the package's. `html` may stand for itself."""

    subject: str
    body: str
    html: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it, and who writes: what every message knows. `accent` is the colour of the issuer's papers."""

    name: str
    customer: Mapping[str, Any]
    issuer: Mapping[str, Any]
    language: str
    country: str
    zone: ZoneInfo
    accent: str


@dataclass(frozen=True, slots=True)
class Written:
    """A message's text as it goes out."""

    subject: str
    body: str
    html: str


@lru_cache(maxsize=1)
def load_kinds() -> Mapping[str, Kind]:
    """The package's kinds by name. An operator may have texts of other kinds: those tell what was written with the message."""
    read = tomllib.loads((_HERE / "kinds.toml").read_text(encoding="utf-8"))
    return {
        name: Kind(name, one["about"], Purpose(one["purpose"]), _days_kept(one["tells"]), frozenset(one.get("may", ())))
        for name, one in read.items()
    }


def load_source(kind: str, language: str) -> Source:
    """The package's text. Raises: TextError for a kind that it has not."""
    file = _HERE / "texts" / language / f"{kind}.txt"
    if kind not in load_kinds():
        raise TextError(
            f"there is no message {kind!r}: {', '.join(load_kinds())} are there, and what you write yourself with"
            " `corrente message template edit`"
        )
    return read_source(file.read_text(encoding="utf-8"))


def read_source(text: str) -> Source:
    """A text whose first line is `Subject: …`, an empty one below. Raises: TextError."""
    first, _, rest = text.partition("\n")
    if not first.startswith(_SUBJECT) or not first.removeprefix(_SUBJECT).strip() or not rest.strip():
        raise TextError("the first line is `Subject: …`, then comes an empty line and the text")
    return Source(first.removeprefix(_SUBJECT).strip(), rest.strip())


def write(source: Source, kind: str, data: Mapping[str, Any], reader: Reader) -> Written:
    """The message for that reader; `data` as it was kept with it.

    Raises: TextError, which says what of it can't be filled in.
    """
    known = load_kinds().get(kind)
    missing = dict.fromkeys(known.may if known else _MOST_OPERATOR_NAMES)
    spelling = Spelling(reader.language, reader.country)
    given = {
        **missing,
        **told(dict(data), spelling, reader.zone),
        **{"name": reader.name, "customer": reader.customer, "issuer": reader.issuer},
    }
    subject = " ".join(_part("subject", source.subject, given).split())[:_LONGEST_SUBJECT]
    if not subject:
        raise TextError("the subject is empty", Fault.EMPTY, part="subject")
    body = _without_gaps(_part("text", source.body, given))
    own = None if source.html is None else _part("HTML", source.html, given, as_html=True)
    page = page_of(
        paragraphs(body) if own is None else own,
        title=subject,
        sender=str(reader.issuer.get("name") or ""),
        language=reader.language,
        accent=reader.accent,
    )
    return Written(subject, body, page)


def names_of(source: Source) -> frozenset[str]:
    """What a text asks for. Raises: TextError where it can't be read."""
    parts = [("subject", source.subject, False), ("text", source.body, False)]
    if source.html is not None:
        parts.append(("HTML", source.html, True))
    return frozenset(name for part, text, as_html in parts for name in _read(part, text, as_html=as_html).names)


def example(kind: str) -> Mapping[str, Any]:
    """What a message of that kind tells in a preview; nothing for one that the package does not know."""
    known = load_kinds().get(kind)
    return dict(known.tells) if known else {}


def sample_reader(language: str, issuer: Mapping[str, Any], *, country: str, zone: ZoneInfo, accent: str) -> Reader:
    """Somebody made up, for previews and checks."""
    return Reader("Anna Rossi", {"name": "Anna Rossi", "number": "4711"}, issuer, language, country, zone, accent)


def _part(part: str, text: str, given: Mapping[str, object], *, as_html: bool = False) -> str:
    try:
        return _read(part, text, as_html=as_html).filled(given)
    except TextError as error:
        raise error.of(part, str(error) if str(error).startswith(part) else f"{part}: {error}") from error


def _read(part: str, text: str, *, as_html: bool) -> Text:
    try:
        return read_text(text, as_html=as_html)
    except TextError as error:
        raise error.of(part, f"{part}, {error}") from error


def _without_gaps(text: str) -> str:
    """What an `if` leaves empty leaves no hole."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _days_kept(value: Any) -> Any:
    """Days and moments of the file as messages keep them."""
    if isinstance(value, dict):
        return {key: _days_kept(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_days_kept(one) for one in value]
    return kept(value)
