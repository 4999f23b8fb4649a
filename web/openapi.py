"""The interface's document, made from the calls themselves: what is not declared is not served, what is served stands in it.

Source: OpenAPI Specification 3.1.0; JSON Schema 2020-12 as msgspec writes it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec

from web.calls import BASE, DRY_HEADER, DRY_RUN, GREATEST_NUMBER, KEY_HEADER, REPLAYED_HEADER, Call, File
from web.problems import CONTENT_TYPE, ProblemDocument
from web.versions import NAMED, PATTERN, TOLD

VERSION: Final = "1"
_SCHEMAS: Final = "#/components/schemas/"
_REFERENCE: Final = _SCHEMAS + "{name}"
_ABOUT: Final = (
    "What the console can do, for programs. Amounts and quantities are texts with all their digits, days ISO 8601, moments with their zone."
    " Lists go on by `next`, given as `after`: there are no page numbers. What writes takes `Idempotency-Key`, so that sent again it is done once,"
    " and `dry_run`, which answers what it would come to. What is changed answers its version as `ETag`, and is changed with it in `If-Match`."
)
_IN_PATH: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
_ALWAYS: Final = {
    401: "No valid token.",
    403: "The token, or who it acts for, has not been granted this.",
    422: "A value is refused; `errors` names it.",
    429: "Too many calls: `Retry-After` says when.",
    503: "The database can't be reached at this moment.",
}
_OF_BODY: Final = {
    400: "The body can't be read.",
    413: "The body is too large.",
    415: "The body is not application/json.",
}
_OF_KEY: Final = {409: "What the key stands for is being done at this moment, or somebody else was changing the same."}
_OF_VERSION: Final = {412: "Somebody else has changed it since it was read.", 428: "`If-Match` is missing."}
_OTHER: Final = {404: "There is no such thing.", 409: "Not done; `detail` says why."}
_RETRY_AFTER: Final = {
    "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "required": True, "description": "seconds"}
}
# As IETF draft-ietf-httpapi-ratelimit-headers has them.
_ALLOWANCE: Final = {
    "RateLimit": {
        "schema": {"type": "string"},
        "required": True,
        "description": "How many calls (r) this token has left for how many seconds (t).",
    },
    "RateLimit-Policy": {
        "schema": {"type": "string"},
        "required": True,
        "description": "How many calls (q) a token has in how many seconds (w).",
    },
}
_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": GREATEST_NUMBER}


def document_of(calls: Iterable[Call]) -> dict[str, Any]:
    """The whole document."""
    calls = sorted(calls, key=lambda call: (call.path, call.method))
    kinds = [
        kind for call in calls for kind in (call.answers, call.body) if kind is not None and not isinstance(kind, File)
    ]
    schemas, components = msgspec.json.schema_components([*kinds, ProblemDocument], ref_template=_REFERENCE)
    schema_of = {repr(kind): schema for kind, schema in zip([*kinds, ProblemDocument], schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        path = _IN_PATH.sub(r"{\2}", BASE + call.path)
        paths.setdefault(path, {})[call.method.lower()] = _operation(call, schema_of)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Corrente", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": noun} for noun in sorted({call.noun for call in calls})],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made under Your account, or by `corrente staff token new`. It may what it was made for, and no more than its holder.",
                }
            },
        },
    }
    names = {name: _plain(name) for name in components}
    assert len(set(names.values())) == len(names), "two schemas would be called the same"
    named: dict[str, Any] = _renamed(document, names)
    return named


def _plain(name: str) -> str:
    """A schema's name as a program's types are called: of two of one name each has its module's before it, and a part of a list its rows'."""
    if name.startswith("Slice_"):
        return f"{_plain(name.removeprefix('Slice_').removesuffix('_'))}Slice"
    *_, module, last = ("", *name.split("."))
    return "".join(part.capitalize() for part in module.split("_")) + last if module else last


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The document with its schemas named so, also where they are referred to."""
    match value:
        case dict():
            return {names.get(key, key): _renamed(one, names) for key, one in value.items()}
        case list():
            return [_renamed(one, names) for one in value]
        case str() if value.startswith(_SCHEMAS):
            name = value.removeprefix(_SCHEMAS)
            return _SCHEMAS + names.get(name, name)
        case _:
            return value


def _operation(call: Call, schema_of: dict[str, Any]) -> dict[str, Any]:
    more = inspect.cleandoc(call.function.__doc__ or "").removeprefix(call.summary).strip()
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.noun],
        "summary": call.summary,
        "description": "\n\n".join(words for words in (more, _scopes(call)) if words),
        "responses": _responses(call, schema_of),
    }
    parameters = [*_of_path(call), *_of_question(call), *_of_headers(call)]
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        content = {"schema": schema_of[repr(call.body)]}
        if examples := examples_of(call.body):
            content["examples"] = {name: {"value": one} for name, one in examples.items()}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def examples_of(body: Any) -> dict[str, Any]:
    """What a body may be, by the kind it is of: each kind says it in its `EXAMPLE`."""
    return {one.__name__: one.EXAMPLE for one in get_args(body) or (body,) if hasattr(one, "EXAMPLE")}


def _scopes(call: Call) -> str:
    names = " and ".join(f"`{one.value}`" for one in call.permissions)
    return f"Needs the scope {names}." if names else "Needs no scope: it answers what the token's scopes open."


def _of_path(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _NUMBER if kind == "int" else {"type": "string", "minLength": 1},
        }
        for kind, name in _IN_PATH.findall(call.path)
    ]


def _of_question(call: Call) -> list[dict[str, Any]]:
    dry = "Do it, answer what came of it, and roll it back: nothing stays."
    schema_of_dry = {"type": "boolean"}
    first = [{"name": DRY_RUN, "in": "query", "required": False, "schema": schema_of_dry, "description": dry}]
    first = first if call.writes else []
    if call.asked is None:
        return first
    (schema,), components = msgspec.json.schema_components([call.asked], ref_template="{name}")
    whole = components[schema["$ref"]] if "$ref" in schema else schema
    needed = set(whole.get("required", ()))
    return first + [
        {"name": name, "in": "query", "required": name in needed, "schema": _without_null(one)}
        for name, one in whole["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, not null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    plain = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return (
        {**plain, **kinds[0]} if len(kinds) == 1 else {key: value for key, value in schema.items() if key != "default"}
    )


def _of_headers(call: Call) -> list[dict[str, Any]]:
    headers = []
    if call.writes:
        words = "Sent again with the same key, nothing is done twice and the first answer comes again."
        headers.append(_header(KEY_HEADER, "^[!-~]{1,100}$", words, required=False))
    if call.version in ("needed", "taken"):
        words = (
            "The `ETag` of what was read: if somebody has changed it since, nothing is done. `*` is whatever is there."
        )
        headers.append(_header(NAMED, PATTERN, words, required=call.version == "needed"))
    return headers


def _header(name: str, pattern: str, words: str, *, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": words}


def _responses(call: Call, schema_of: dict[str, Any]) -> dict[str, Any]:
    problems = dict(_ALWAYS)
    if call.body is not None:
        problems |= _OF_BODY
    if call.writes:
        problems |= _OF_KEY
    if _IN_PATH.search(call.path):
        problems[404] = _OTHER[404]
    if call.version in ("needed", "taken"):
        problems |= _OF_VERSION
    problems |= {status: _OTHER.get(status, problems.get(status, "Not done.")) for status in call.refusals}
    refused = {"schema": schema_of[repr(ProblemDocument)]}
    responses: dict[str, Any] = {
        str(status): {"description": words, "content": {CONTENT_TYPE: refused}}
        for status, words in sorted(problems.items())
    }
    responses["429"]["headers"] = _RETRY_AFTER | _ALLOWANCE
    done: dict[str, Any] = {"description": call.summary, "headers": dict(_ALLOWANCE)}
    if isinstance(call.answers, File):
        done["content"] = {call.answers.content_type: {}}
    elif call.answers is not None:
        done["content"] = {"application/json": {"schema": schema_of[repr(call.answers)]}}
    status = call.status if call.answers is not None else 204
    done["headers"] |= {
        name: {"schema": {"type": "string"}, "description": words} for name, words in _told(call).items()
    }
    if call.writes:
        # Of a dry run nothing is created.
        responses = {"200": done, **responses} if status == 201 else responses
    return {str(status): done, **responses}


def _told(call: Call) -> dict[str, str]:
    """Headers of what was done."""
    told: dict[str, str] = {}
    if call.writes:
        told[REPLAYED_HEADER] = "`true` on an answer that is given again."
        told[DRY_HEADER] = "`true` where nothing of it stayed."
    if call.version is not None and call.answers is not None:
        told[TOLD] = "The version of what is answered, for `If-Match`."
    return told
