"""Asking a provider over HTTPS, at its own address and no other.

An account's address is the provider's own, or one that `[gateways] test_hosts` names for an account in test mode: whoever may write an
account can't make the worker call what stands inside the network. It is looked at before each call; the call itself is outward/call.py's.

Units: seconds, octets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit

from control_plane.gateways.provider import Answer, Ask, GatewayError, GatewayUnreachableError, Provider, Request
from control_plane.outward import call as outward
from control_plane.outward.call import Answered, Limits, Unanswered, call

# A page of a hundred objects is some hundred kilobytes.
MOST_OCTETS: Final = 8_000_000
_TROUBLE: Final = (408, 409, 425, 429)


class AddressRefusedError(GatewayError):
    """The address is not the provider's."""


def allowed_url(provider: Provider, url: str, *, live: bool, test_hosts: Sequence[str]) -> str:
    """The address, if an account of that mode may be asked there. Raises: AddressRefusedError."""
    if url == (provider.live_url if live else provider.test_url):
        return url
    place = urlsplit(url).netloc
    if not live and place and place in test_hosts:
        return url
    own = provider.live_url if live else provider.test_url
    raise AddressRefusedError(
        f"{url}: {provider.title} is asked at {own}; for tests, and never with real money, [gateways] test_hosts may name another host and port"
    )


def caller(provider: Provider, url: str, secret: str, *, timeout_s: float) -> Ask:
    """What asks at that address, which was allowed, a connection a call."""
    limits = Limits(connect_s=timeout_s, total_s=timeout_s, answer_octets=MOST_OCTETS)

    def ask(request: Request) -> Answer:
        body, kind = _body(request)
        headers = {"Accept": "application/json", "User-Agent": "Corrente", **provider.headers(secret, request)}
        if kind is not None:
            headers["Content-Type"] = kind
        path = request.path + (f"?{urlencode(request.query)}" if request.query else "")
        # Whose address it is was looked at already: a name that is a provider's is proven by its certificate, one in test mode may be here.
        came = call(outward.Request(url + path, request.method, headers, body), limits, allow_private=True)
        if isinstance(came, Unanswered):
            raise GatewayUnreachableError(f"{request.method} {request.path}: {came.problem}")
        return _answer(request, came)

    return ask


def _body(request: Request) -> tuple[bytes, str | None]:
    if request.form is not None:
        return urlencode(request.form).encode(), "application/x-www-form-urlencoded"
    if request.json is not None:
        return json.dumps(request.json).encode(), "application/json"
    return b"", None


def _answer(request: Request, came: Answered) -> Answer:
    said = f"{request.method} {request.path}: status {came.status}"
    if came.status >= 500 or (came.status in _TROUBLE and not _is_json(came.body)):
        raise GatewayUnreachableError(said)
    if not came.whole:
        raise GatewayUnreachableError(f"{said}, more than {MOST_OCTETS} octets")
    if came.status == 429:
        raise GatewayUnreachableError(f"{said}: too many requests")
    try:
        read = json.loads(came.body) if came.body else {}
    except ValueError as error:
        # A maintenance page, also with status 200.
        raise GatewayUnreachableError(f"{said}, which is no JSON") from error
    if not isinstance(read, dict):
        raise GatewayUnreachableError(f"{said}, which is no JSON object")
    return Answer(came.status, read)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
