"""The texts that messages are written in: listed, read, changed, and as they were again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from billing.errors import BillingError
from billing.messages.errors import TextError
from billing.messages.texts import LANGUAGES, Source, Written
from billing.store.message_templates import find_source
from control_plane.access.permissions import Permission
from control_plane.messages.own_texts import (
    NoSuchTextError,
    Place,
    as_it_reads,
    go_back,
    keep,
    load_kinds_here,
    load_own_versions,
)
from web.acting import person
from web.api._shapes import there_is_none
from web.calls import Noun
from web.database import Connection
from web.problems import Problem, Wrong
from web.surroundings import here

pages = Noun("message_templates")
_POINTERS = {"subject": "/subject", "text": "/text", "HTML": "/html"}


class Kind(msgspec.Struct, frozen=True):
    """A kind of messages: what its texts may name beside `name`, `customer` and `issuer`, and where the text is the operator's own."""

    kind: str
    purpose: str | None
    tells: list[str]
    own_in: list[str]


class Kinds(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[Kind]


class KeptVersion(msgspec.Struct, frozen=True):
    """A text of the operator's own as it was; without a subject it went back to the package's."""

    version: int
    subject: str | None
    written_at: datetime
    by: str


class OneText(msgspec.Struct, frozen=True):
    """A text as it counts, how it reads with made-up figures, and all that it was. `version` is null for the package's."""

    kind: str
    language: str
    version: int | None
    subject: str
    text: str
    html: str | None
    reads_subject: str | None
    reads_text: str | None
    reads_html: str | None
    versions: list[KeptVersion]


class TextToKeep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another text. Without `html` that follows from the text."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]
    html: Annotated[str, msgspec.Meta(min_length=1, max_length=100_000, pattern=r"^[^\x00]*$")] | None = None


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which version; null: to the package's text."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


@pages.call(
    "GET",
    "/message-templates",
    permission=Permission.MESSAGE_SEE,
    answers=Kinds,
    does=("message_templates.show_all",),
)
def find(connection: Connection) -> Kinds:
    """The kinds of messages."""
    return Kinds(
        [Kind(one.name, one.purpose, list(one.tells), sorted(one.own_in)) for one in load_kinds_here(connection)]
    )


@pages.call(
    "GET",
    "/message-templates/<kind>/<language>",
    permission=Permission.MESSAGE_SEE,
    answers=OneText,
    refusals=(404,),
    does=("message_templates.show", "message_templates.lead"),
)
def show(connection: Connection, *, kind: str, language: str) -> OneText:
    """A text as it counts now."""
    return _shown(connection, _place(connection, kind, language))


@pages.call(
    "POST",
    "/message-templates/<kind>/<language>",
    permission=Permission.MESSAGE_CHANGE,
    body=TextToKeep,
    answers=OneText,
    refusals=(404,),
    does=("message_templates.edit", "message_templates.preview", "message_templates.preview_mail"),
)
def change(connection: Connection, *, kind: str, language: str, body: TextToKeep) -> OneText:
    """Keep another text, which counts from now on; with `dry_run` it is only shown as it reads."""
    place = _place(connection, kind, language)
    if not body.subject.strip() or not body.text.strip():
        pointer = "/text" if body.subject.strip() else "/subject"
        raise Problem(422, "A value is refused.", Wrong("it has no letters", pointer=pointer))
    try:
        keep(connection, here().settings, place, Source(body.subject, body.text, body.html), by=person().name)
    except TextError as error:
        raise Problem(
            422, "A value is refused.", Wrong(str(error), pointer=_POINTERS.get(error.part, "/text"))
        ) from error
    return _shown(connection, place)


@pages.call(
    "POST",
    "/message-templates/<kind>/<language>/back",
    permission=Permission.MESSAGE_CHANGE,
    body=Back,
    answers=OneText,
    refusals=(404, 409),
    does=("message_templates.back",),
)
def take_back(connection: Connection, *, kind: str, language: str, body: Back) -> OneText:
    """Make an earlier version count again, or the package's text."""
    place = _place(connection, kind, language)
    try:
        go_back(connection, place, body.version, by=person().name)
    except NoSuchTextError as error:
        raise Problem(409, "There is no such text to go back to.") from error
    return _shown(connection, place)


def _place(connection: Connection, kind: str, language: str) -> Place:
    if language not in LANGUAGES or kind not in {one.name for one in load_kinds_here(connection)}:
        raise there_is_none()
    return Place(kind, language)


def _shown(connection: Connection, place: Place) -> OneText:
    try:
        source = find_source(connection, place.kind, place.language, None)
    except BillingError as error:
        raise there_is_none() from error
    reads = _reads(connection, place, source)
    return OneText(
        kind=place.kind,
        language=place.language,
        version=source.version,
        subject=source.subject,
        text=source.body,
        html=source.html,
        reads_subject=None if reads is None else reads.subject,
        reads_text=None if reads is None else reads.body,
        reads_html=None if reads is None else reads.html,
        versions=[
            KeptVersion(one.version, one.subject, one.made_at, one.made_by)
            for one in load_own_versions(connection, place)
        ],
    )


def _reads(connection: Connection, place: Place, source: Source) -> Written | None:
    try:
        return as_it_reads(connection, here().settings, place, source)
    except TextError:
        return None
