"""Calls of the interface: each declares what it takes, what it answers and who may, and that is all that its document and its checks are made of.

    @pages.call("POST", "/payments", permission=Permission.PAYMENT_RECORD, body=NewPayment, answers=Payment, status=201, does=("payment_new.new",))
    def new(connection: Connection, body: NewPayment) -> Payment: ...

A call's function gets a connection whose transaction is committed when it returns, and its parts by name: what stands in the path, `body`,
`asked`. It returns what is answered or raises `Problem`, and then nothing is written. Values are strict: a number as text is refused. What the
books or an account refuse (`BillingError`, `NotDoneError`) is a 409 in their words.

A call that writes takes `Idempotency-Key`: sent again with it, nothing is done twice and the first answer comes again. And it takes
`?dry_run=true`: it is done, answered with what came of it, and rolled back; so what it answers holds the numbers that a page would ask with.

One with `version` tells the version of what it answers, or takes it (versions.py).

What answers a file (`answers=File("application/pdf")`) returns what makes it, which is called when the transaction is over.

Source: IETF draft-ietf-httpapi-idempotency-key-header; RFC 9457.

Next: openapi.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, assert_never

import msgspec
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from billing.errors import BillingError
from billing.store.idempotency import Answered, First, OtherBody, Running, keep_answer, once
from control_plane.access.permissions import Permission
from control_plane.accounts.not_done import NotDoneError
from web.acting import transaction
from web.database import Connection
from web.lists import mark_of, read_mark
from web.marks import allowed, signed_in
from web.problems import CONTENT_TYPE, Problem, Wrong, problem_response
from web.security import takes_files
from web.versions import TOLD, read_version, version_told

BASE: Final = "/api/v1"
KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
DRY_RUN: Final = "dry_run"
DRY_HEADER: Final = "Dry-Run"
# PostgreSQL's bigint: what stands in a path and is larger is nothing's number.
GREATEST_NUMBER: Final = 2**63 - 1
MOST_ROWS: Final = 200
_KEY: Final = re.compile(r"[!-~]{1,100}")
_WHOLE: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_PLACE: Final = re.compile(r" - at `\$?(.*)`$")
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Row = TypeVar("Row")
# What a call has to do with the version of a thing: its answer carries it; it has to be sent one; it may be.
Version = Literal["told", "needed", "taken"]


class Slice(msgspec.Struct, Generic[Row], frozen=True):
    """A part of a list. `next` is the `after` of the part that follows, null at the end."""

    data: list[Row]
    next: str | None


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: what follows `after`, at most `limit` rows."""

    after: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,400}$")] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)] = 50


def part_after(asked: Paging, *kinds: type) -> tuple[Any, ...] | None:
    """The sort key that a part of a list begins behind; None for the first part. Raises: Problem for one that is not of this list."""
    if asked.after is None:
        return None
    try:
        key = read_mark(asked.after)
    except ValueError as error:
        raise Problem(
            404, "There is no such part of the list: take `after` from the `next` of the part before."
        ) from error
    if len(key) != len(kinds) or not all(type(part) is kind for part, kind in zip(key, kinds, strict=True)):
        raise Problem(404, "There is no such part of the list: take `after` from the `next` of the part before.")
    return key


def slice_of(
    rows: Sequence[Any], asked: Paging, *, shown: Callable[[Any], Row], key: Callable[[Any], Iterable[Any]]
) -> Slice[Row]:
    """A part of what was read: ask for `asked.limit + 1` rows, so that it is known whether there are more."""
    part = rows[: asked.limit]
    return Slice([shown(row) for row in part], mark_of(key(part[-1])) if len(rows) > asked.limit else None)


@dataclass(frozen=True, slots=True)
class File:
    """That a call answers a file, and of which kind."""

    content_type: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was declared."""

    noun: str
    method: str
    path: str
    function: Callable[..., Any]
    permission: Permission | None
    summary: str
    answers: Any
    status: int
    body: Any = None
    asked: Any = None
    refusals: tuple[int, ...] = ()
    also: tuple[Permission, ...] = ()
    does: tuple[str, ...] = ()
    version: Version | None = None
    transacted: bool = True
    tells_secret: bool = False

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """All that it needs."""
        return self.also if self.permission is None else (self.permission, *self.also)

    @property
    def writes(self) -> bool:
        """Whether it changes something in the transaction it is given, so that it takes a key and can be tried."""
        return self.method in _WRITES and self.transacted

    @property
    def name(self) -> str:
        """The same in the document and in the code."""
        return f"{self.noun}_{self.function.__name__}"


class Noun(Blueprint):
    """The calls of one noun: a blueprint below /api/v1."""

    def __init__(self, name: str, part: str = "") -> None:
        """`part` tells modules apart that are of one noun."""
        super().__init__(f"api_{name}{part and '_'}{part}", name, url_prefix=BASE)
        self.noun = name
        self.calls: list[Call] = []

    def call(
        self,
        method: str,
        path: str,
        *,
        permission: Permission | None,
        answers: Any,
        body: Any = None,
        asked: Any = None,
        status: int = 200,
        refusals: tuple[int, ...] = (),
        also: tuple[Permission, ...] = (),
        does: tuple[str, ...] = (),
        octets: int | None = None,
        version: Version | None = None,
        transacted: bool = True,
        tells_secret: bool = False,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare one. Its docstring's first line is its summary.

        `refusals` are the statuses that it answers beside those that every call may; `also` what it needs beside `permission`, which is None
        where every token may; `does` the console's views that it does the same as; `octets` how large its body may be, where that is more
        than others'; what `tells_secret` is answered once, and not kept for its key.

        `transacted=False`: it is given no connection and opens its own, because it speaks to a device meanwhile, or because it shows what is
        neither to be kept for a key nor to be seen by who rolls back the record of it: secrets, and who had an address.
        """

        def put(function: Callable[..., Any]) -> Callable[..., Any]:
            summary = (function.__doc__ or "").strip().partition("\n")[0]
            assert summary, f"{function.__name__} says in its docstring what it is"
            made = Call(
                *(self.noun, method, path, function, permission, summary, answers, status, body, asked),
                *(refusals, also, does, version, transacted, tells_secret),
            )
            self.calls.append(made)

            def view(**path_values: Any) -> Response:
                return _answer(made, path_values)

            view.__name__ = function.__name__
            # As for every view, Flask would answer OPTIONS by itself: there is no page of another site that may ask.
            mark = allowed(*made.permissions) if made.permissions else signed_in()
            marked = mark(view if octets is None else takes_files(octets)(view))
            self.add_url_rule(path, function.__name__, marked, methods=[method], provide_automatic_options=False)
            return function

        return put


def _answer(call: Call, path_values: dict[str, Any]) -> Response:
    given: dict[str, Any] = dict(path_values)
    try:
        if not all(map(_may_be_there, path_values.values())):
            raise Problem(404, "There is no such thing.")
        dry = call.writes and _dry()
        if call.asked is not None:
            given["asked"] = _asked(call.asked, writes=call.writes)
        elif unknown := [name for name in request.args if not (call.writes and name == DRY_RUN)]:
            raise _unknown_parameter(unknown[0])
        raw = _raw() if call.body is not None else b""
        if call.body is not None:
            given["body"] = _body(call.body, raw)
        key = _key() if call.writes else None
        if call.version in ("needed", "taken"):
            read_version(needed=call.version == "needed")
        if not call.transacted:
            return _response(call, call.function(**given))
        with transaction() as connection:
            if dry:
                response = _response(call, call.function(connection, **given))
                # What the database looks at when a transaction ends, it looks at now.
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                connection.rollback()
                return _as_dry(response)
            answer = _keyed(call, connection, given, key, raw)
    except Problem as problem:
        return problem_response(problem.status, problem.detail, problem.wrong)
    except (BillingError, NotDoneError) as error:
        return problem_response(409, str(error))
    # A file's press is not waited for by a transaction.
    return answer if isinstance(answer, Response) else answer()


def _may_be_there(value: Any) -> bool:
    """Whether something may have it for its number or name: a bigint, or a text that is printed."""
    return 0 < value <= GREATEST_NUMBER if isinstance(value, int) else str(value).isprintable()


def _keyed(
    call: Call, connection: Connection, given: dict[str, Any], key: str | None, raw: bytes
) -> Response | Callable[[], Response]:
    if isinstance(call.answers, File):
        made: Callable[[], Response] = call.function(connection, **given)
        return made
    if key is None:
        return _response(call, call.function(connection, **given))
    route = f"{request.method} {request.path}"
    match once(connection, caller=f"token of {g.staff.name}", route=route, key=key, body=raw):
        case First() as first:
            response = _response(call, call.function(connection, **given))
            kept = _without_secret() if call.tells_secret else response
            keep_answer(connection, first, status=kept.status_code, answer=_to_keep(kept))
            return response
        case Answered(status, answer):
            return _replayed(status, answer)
        case OtherBody():
            raise Problem(
                422,
                "This key was used for something else: nothing was done. Use another key.",
                Wrong("used before", parameter=KEY_HEADER),
            )
        case Running():
            raise Problem(409, "What this key stands for is being done at this moment: ask again later.")
        case other:
            assert_never(other)


def _to_keep(response: Response) -> bytes:
    """A first answer, with its version on a line above it where it has one: answers themselves have no line ends."""
    version = response.headers.get(TOLD)
    return response.get_data() if version is None else f"{version}\n".encode() + response.get_data()


def _replayed(status: int, kept: bytes) -> Response:
    """The same answer again."""
    version, newline, answer = kept.rpartition(b"\n")
    kind = "application/json" if status < 400 else CONTENT_TYPE
    response = Response(answer, status, {REPLAYED_HEADER: "true"}, content_type=kind)
    if newline:
        response.headers[TOLD] = version.decode()
    return response


def _response(call: Call, answer: Any) -> Response:
    if call.answers is None:
        return Response(status=204)
    response = Response(msgspec.json.encode(answer), call.status, content_type="application/json")
    if (version := version_told()) is not None:
        response.headers[TOLD] = version
    return response


def is_dry() -> bool:
    """Whether what is done is rolled back."""
    return request.args.get(DRY_RUN) == "true"


def _without_secret() -> Response:
    """What is answered from the second time on to what told a secret: that is kept nowhere."""
    return problem_response(409, "This was done before. Its secret was told then, and is not kept: make another one.")


def _dry() -> bool:
    """Whether nothing is to stay of it."""
    given = request.args.getlist(DRY_RUN)
    if len(given) > 1 or not set(given) <= {"true", "false"}:
        raise Problem(422, "A value is refused.", Wrong("true or false, once", parameter=DRY_RUN))
    return given == ["true"]


def _as_dry(response: Response) -> Response:
    """An answer to what was rolled back: nothing was created."""
    response.status_code = 204 if response.status_code == 204 else 200
    response.headers[DRY_HEADER] = "true"
    return response


def _asked(kind: Any, *, writes: bool) -> Any:
    known = {one.name: one for one in msgspec.structs.fields(kind)}
    given = {name: value for name, value in request.args.items() if not (writes and name == DRY_RUN)}
    for name in given:
        if name not in known:
            raise _unknown_parameter(name)
        if len(request.args.getlist(name)) > 1:
            raise Problem(422, "A parameter is given once.", Wrong("given more than once", parameter=name))
    try:
        return msgspec.convert({name: _read(value, known[name].type) for name, value in given.items()}, kind)
    except msgspec.ValidationError as error:
        words, place = _told(error)
        raise Problem(422, "A value is refused.", Wrong(words, parameter=place.strip(".[]") or None)) from error


def _read(text: str, kind: Any) -> Any:
    """A parameter as its type has it: a text stays one, also `null` and `7`; numbers and yes or no are read where no text is wanted."""
    for value in (
        text,
        *([int(text)] if _WHOLE.fullmatch(text) else ()),
        *([text == "true"] if text in ("true", "false") else ()),
    ):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
        return value
    # It fits nothing: what is said of it is said of the number, where it is one.
    return int(text) if _WHOLE.fullmatch(text) else text


def _unknown_parameter(name: str) -> Problem:
    return Problem(422, "There is no such parameter.", Wrong("unknown", parameter=name[:100]))


def _raw() -> bytes:
    if request.mimetype != "application/json":
        raise Problem(415, "Send the body as application/json.")
    try:
        return request.get_data()
    except RequestEntityTooLarge as error:
        raise Problem(413, "The body is too large.") from error
    except ClientDisconnected as error:
        raise Problem(400, "The body did not come whole.") from error


def _body(kind: Any, raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        words, place = _told(error)
        raise Problem(422, "A value is refused.", Wrong(words, pointer=_pointer(place))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is no JSON: {error}") from error


def _told(error: msgspec.ValidationError) -> tuple[str, str]:
    """Its words without the place, and the place."""
    text = str(error)
    place = _PLACE.search(text)
    return (text[: place.start()], place.group(1)) if place else (text, "")


def _pointer(place: str) -> str:
    """`.lines[0].amount` as /lines/0/amount."""
    return "".join(f"/{part}" for part in re.findall(r"[^.\[\]]+", place))


def _key() -> str | None:
    given = request.headers.get(KEY_HEADER)
    if given is None:
        return None
    if not _KEY.fullmatch(given):
        raise Problem(
            422,
            "The key can't be used.",
            Wrong("1 to 100 printable ASCII characters without blanks", parameter=KEY_HEADER),
        )
    return given
