"""What the interface answers when it did not do what was asked: RFC 9457, with each wrong value named by its place.

Source: RFC 9457 (Problem Details for HTTP APIs); RFC 6901 (JSON Pointer) for the places.
"""

from __future__ import annotations

from typing import Final

import msgspec
from flask import Response, request

from control_plane.refusals import without_command

CONTENT_TYPE: Final = "application/problem+json"
_TITLES: Final = {
    400: "The request can't be read",
    401: "No valid token",
    403: "Not granted",
    404: "There is no such thing",
    405: "This can't be done here",
    409: "Not done",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Send JSON",
    422: "A value is refused",
    428: "Say what you have read",
    429: "Too many calls",
    500: "A fault of ours",
    502: "The device does not answer",
    503: "Not reachable at this moment",
}


class Wrong(msgspec.Struct, frozen=True):
    """One value that is refused. `pointer` is its place in the body, `parameter` its name in the address or a header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem as it is sent. `type` is about:blank: the status says which kind it is, `detail` what to do."""

    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Wrong] = []
    type: str = "about:blank"


class Problem(Exception):
    """Nothing was done, and this is why."""

    def __init__(self, status: int, detail: str, *wrong: Wrong) -> None:
        super().__init__(detail)
        self.status, self.detail, self.wrong = status, detail, wrong


def problem_response(status: int, detail: str, wrong: tuple[Wrong, ...] = ()) -> Response:
    """The problem as an answer."""
    wrong = tuple(msgspec.structs.replace(one, detail=without_command(one.detail)) for one in wrong)
    # The command line's way out is none for a program.
    document = ProblemDocument(
        _TITLES.get(status, "Not done"), status, without_command(detail), request.path, list(wrong)
    )
    response = Response(msgspec.json.encode(document), status, content_type=CONTENT_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Corrente"'
    return response
