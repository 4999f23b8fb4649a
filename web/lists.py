"""Lists: what is asked for, one page of it after another, and the same as a file.

A page of a list begins after the last row of the one before it, by that row's own sort key, so the thousandth page costs what the
first one does, and nothing is counted. What is asked for stands in the address, so a list can be kept, sent to a colleague and
opened again by the back button.

Next: navigation.py
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from flask import Response as FileResponse
from flask import current_app, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from billing.export import Sheet, write_csv, write_xlsx
from web.language import gettext

Row = TypeVar("Row")

PAGE_ROWS: Final = 50
# A file of a list has more rows than anybody reads on a screen, and an end.
FILE_ROWS: Final = 1_000_000
_PART: Final = 64 * 1024
_AFTER: Final = "after"
_FILE: Final = "file"
_MOST_LETTERS: Final = 2000
_SEAL_OCTETS: Final = 9


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `further` is the address of the next one, None on the last."""

    rows: tuple[Any, ...]
    further: str | None
    first: str | None


def after() -> tuple[Any, ...] | None:
    """After which row this page begins, as its sort key; None: the first page. Raises: BadRequest.

    The key is one that `page_of` made for this very list and question: another list's, or one of somebody's own, is refused, so that
    no list has to look at what kind its parts are.
    """
    sealed = request.args.get(_AFTER)
    if not sealed:
        return None
    mark, _, seal = sealed.partition(".")
    try:
        if not hmac.compare_digest(seal.encode(), _seal_of(mark)):
            raise ValueError("no mark of this list")
        return read_mark(mark)
    except ValueError as error:
        raise BadRequest(
            gettext("This address of a list's page is damaged. Begin with the list's first page.")
        ) from error


def page_of(rows: Sequence[Row], key: Callable[[Row], Iterable[Any]], *, rows_a_page: int = PAGE_ROWS) -> Page:
    """A page of what was read: ask for `rows_a_page + 1` rows, so that it is known whether there are more.

    `key` is a row's sort key, which `after` gives back for the next page: it must tell rows apart.
    """
    shown = tuple(rows[:rows_a_page])
    further = None
    if len(rows) > rows_a_page:
        mark = mark_of(key(shown[-1]))
        further = here_with(**{_AFTER: f"{mark}.{_seal_of(mark).decode()}"})
    return Page(shown, further, here_with(**{_AFTER: None}) if request.args.get(_AFTER) else None)


def mark_of(key: Iterable[Any]) -> str:
    """A sort key as it stands in an address."""
    text = msgspec.json.encode([_written(part) for part in key])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read_mark(mark: str) -> tuple[Any, ...]:
    """The sort key that `mark_of` wrote. Raises: ValueError."""
    if len(mark) > _MOST_LETTERS:
        raise ValueError("too long")
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)), type=list[Any])
        return tuple(_read(part) for part in key)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, InvalidOperation, RecursionError) as error:
        raise ValueError("no mark of ours") from error


def _seal_of(mark: str) -> bytes:
    """What nobody else makes of a mark, of this list as it is asked for now."""
    asked = sorted((name, values) for name, values in request.args.lists() if name not in (_AFTER, _FILE))
    key = current_app.secret_key
    assert isinstance(key, bytes), "the application has one"
    whole = repr((request.path, asked, mark)).encode("utf-8", "backslashreplace")
    return base64.urlsafe_b64encode(hmac.digest(key, whole, "sha256")[:_SEAL_OCTETS])


def here_with(**changed: str | None) -> str:
    """This page's address with some of its questions changed; None takes one out."""
    asked: dict[str, Any] = {name: values for name, values in request.args.lists() if name not in changed}
    asked |= {name: value for name, value in changed.items() if value is not None}
    # Not url_for: what somebody has asked for may be called as one of its own arguments.
    return quote(request.path) + (f"?{urlencode(asked, doseq=True)}" if asked else "")


def sorted_by(allowed: Mapping[str, str], usual: str) -> tuple[str, bool]:
    """The column that a list is sorted by and whether from above: `?sort=name` or `?sort=-name`.

    `allowed` says which of a page's names stands for which column of the question. Raises: BadRequest.
    """
    asked = request.args.get("sort", usual)
    down, name = asked.startswith("-"), asked.removeprefix("-")
    if name not in allowed:
        raise BadRequest(gettext("A list can't be sorted by %(name)s.", name=name[:40]))
    return allowed[name], down


def chosen(name: str, of: Iterable[str]) -> str | None:
    """A question with given answers: the one asked for, None without one. Raises: BadRequest."""
    asked = request.args.get(name)
    if not asked:
        return None
    if asked not in set(of):
        raise BadRequest(gettext("%(value)s is no choice here.", value=asked[:40]))
    return asked


def asked_day(name: str) -> date | None:
    """A day that the address asks for; None without one. Raises: BadRequest."""
    typed = request.args.get(name)
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError as error:
        raise BadRequest(gettext("Write a day such as %(example)s.", example="2026-01-31")) from error


def file_of(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response | None:
    """The list as a file, when `?file=csv` or `?file=xlsx` asks for one; else None. At most `FILE_ROWS` rows."""
    kind = chosen(_FILE, ("csv", "xlsx"))
    return None if kind is None else sheet_file(kind, name, columns, rows)


def sheet_file(kind: str, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """Rows as a file, `csv` or `xlsx`. At most `FILE_ROWS` rows."""
    sheet = Sheet(name, tuple(columns), _limited(rows))
    with NamedTemporaryFile(prefix="corrente-list-", delete=False) as made:
        path = Path(made.name)
    try:
        if kind == "csv":
            with path.open("w", encoding="utf-8", newline="") as text:
                write_csv(sheet, text)
        else:
            write_xlsx([sheet], path)
        opened, size = path.open("rb"), path.stat().st_size
    finally:
        path.unlink()
    mime = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}[kind]
    answer = FileResponse(_to_its_end(opened), mimetype=mime)
    answer.content_length = size
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.{kind}")
    answer.call_on_close(opened.close)
    return answer


def _to_its_end(opened: BinaryIO) -> Iterator[bytes]:
    """What a file holds; closed when all of it is read, also by who does not close the answer."""
    with opened:
        while part := opened.read(_PART):
            yield part


def _limited(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    for number, row in enumerate(rows):
        if number == FILE_ROWS:
            return
        yield row


def _written(part: Any) -> Any:
    match part:
        case datetime():
            return {"t": part.astimezone(UTC).isoformat()}
        case date():
            return {"d": part.isoformat()}
        case Decimal():
            return {"n": str(part)}
        case None | bool() | int() | str():
            return part
        case _:
            return str(part)


def _read(part: Any) -> Any:
    match part:
        case {"t": str(text)}:
            return datetime.fromisoformat(text)
        case {"d": str(text)}:
            return date.fromisoformat(text)
        case {"n": str(text)}:
            number = Decimal(text) if len(text) < 40 else Decimal("NaN")
            if not number.is_finite():
                raise ValueError(text)
            return number
        case None | bool() | int() | str():
            return part
        case _:
            raise ValueError(part)
