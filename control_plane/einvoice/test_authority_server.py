"""The test authority's server: a stand-in that checks what it is sent and misbehaves on demand. No country's authority.

It keeps everything in memory. What it checks: the login, the signature over the octets, the form, sums, the number (the next
of its series, never twice), whether a correction names what was accepted. What it does wrong is the script's: `script` has a
word for each document to come, see FAULTS.

Source: the e-invoice provider interface, "Testing without the outside world".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote
from xml.etree import ElementTree

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from control_plane import telemetry

NAMESPACE: Final = "{urn:corrente:test-authority:1}"
_LOGIN_LASTS: Final = timedelta(hours=12)
_MOST_OCTETS: Final = 1024 * 1024

# What a word of the script does with the next document.
FAULTS: Final[Mapping[str, str]] = {
    "accept": "accept it, and say so",
    "note": "accept it with an observation",
    "accept and hang up": "accept it, and close the connection before answering",
    "accept late": "accept it, and answer when the caller has gone",
    "hang up": "close the connection, and keep nothing",
    "pending": "keep it; `settle` says later what became of it",
    "refuse": "reject it, to be sent again under its number when it is mended",
    "reject": "reject it for good; its number is spent",
    "maintenance": "answer with a page in HTML, and keep nothing",
    "busy": "say that it takes nothing now",
    "login ran out": "forget all logins",
    "block": "say that the certificate is taken no more",
}


@dataclass
class Kept:
    """A document that it has."""

    digest: str
    payload: bytes
    result: str
    issuer: str
    code: str = ""
    reasons: list[dict[str, str]] = field(default_factory=list)
    times: int = 1


@dataclass
class Authority:
    """What it knows. Everything is done under one lock: calls come from several threads."""

    script: list[str] = field(default_factory=list)
    issuers: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    documents: dict[str, Kept] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    logins: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    # Each time that a document was accepted: its key, over and over if it were accepted twice.
    accepted: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    # What matters of the calls for one document, in order: "doubt KEY" where it was sent and the caller was told nothing,
    # "sent KEY" where it was told, "asked KEY".
    took: list[str] = field(default_factory=list)
    away: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    gone: threading.Event = field(default_factory=threading.Event)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public_key(self) -> str:
        """What messages are checked with: base64 of 32 octets."""
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def register(self, tax_number: str, public_key: bytes) -> None:
        """Take documents of this issuer, signed with its key (32 octets)."""
        self.issuers[tax_number] = Ed25519PublicKey.from_public_bytes(public_key)

    def settle(self, key: str, result: str, *, text: str = "", tells: bool = True, **more: Any) -> None:
        """Decide about a document that is pending, and tell it by a message; also of one that is settled, against its word."""
        with self.lock:
            kept = self.documents[key]
            self._settle(key, kept, result, [{"code": result, "text": text}] if text else [])
            if tells:
                self.tell(key, **more)

    def tell(self, key: str, *, forged: bool = False, result: str | None = None, **more: Any) -> None:
        """Put a message about a document into the box: what is so, or another result."""
        kept = self.documents[key]
        content = {**self._said(key, kept), "key": key, **more}
        body = json.dumps(content if result is None else {**content, "result": result})
        signer = Ed25519PrivateKey.generate() if forged else self.key
        signature = base64.b64encode(signer.sign(body.encode())).decode()
        self.messages.append(json.dumps({"body": body, "signature": signature}))

    def log_in(self, body: bytes, signature: str) -> tuple[int, dict[str, Any]]:
        """A login for who signs with the key that is known."""
        try:
            tax_number = json.loads(body)["tax_number"]
            self._verify(tax_number, body, signature)
        except (ValueError, KeyError, TypeError, InvalidSignature):
            return 403, _refusal("login", "nobody of that tax number signs like this")
        token = secrets.token_hex(16)
        expires = datetime.now(UTC) + _LOGIN_LASTS
        self.logins[token] = (tax_number, expires)
        return 200, {"token": token, "expires": expires.isoformat()}

    def who(self, token: str) -> str | None:
        """Whose login it is."""
        tax_number, expires = self.logins.get(token, ("", datetime.min.replace(tzinfo=UTC)))
        return tax_number if datetime.now(UTC) < expires else None

    def take(self, issuer: str, payload: bytes, signature: str) -> tuple[int, dict[str, Any] | None]:
        """A document that was sent. None: nothing is answered."""
        try:
            self._verify(issuer, payload, signature)
        except (InvalidSignature, ValueError, KeyError):
            return 400, {"result": "rejected_fixable", **_refusal("signature", "the signature is not the issuer's")}
        word = self.script.pop(0) if self.script else "accept"
        assert word in FAULTS, f"{word!r} is no word of the script: {', '.join(FAULTS)}"
        before = _BEFORE.get(word)
        with suppress(ValueError, InvalidOperation, ElementTree.ParseError):
            self.took.append(f"{'doubt' if word in _IN_DOUBT else 'sent'} {_Read(payload).key}")
        if before is not None:
            if word == "login ran out":
                self.logins.clear()
            return before
        return self._judge(issuer, payload, word)

    def _judge(self, issuer: str, payload: bytes, word: str) -> tuple[int, dict[str, Any] | None]:
        digest = hashlib.sha256(payload).hexdigest()
        try:
            read = _Read(payload)
        except (ValueError, InvalidOperation, ElementTree.ParseError) as error:
            return 200, {"result": "rejected_fixable", "digest": digest, **_refusal("form", str(error))}
        there = self.documents.get(read.key)
        if there is not None and there.result != "rejected_fixable":
            there.times += 1
            return 409, {"result": "duplicate", **_refusal("duplicate", f"{read.key} is here already")}
        expected = self.last.get(read.sequence, 0) + 1
        fault = read.fault(issuer, expected, self.documents)
        result = _RESULT_OF[word] if fault is None else "rejected_fixable"
        reasons = [] if fault is None else [fault]
        if fault is None and word in ("refuse", "reject", "note"):
            reasons = [
                {"code": word, "text": f"as the script says: {word}", "level": "info" if word == "note" else "error"}
            ]
        kept = Kept(digest, payload, "pending", issuer, times=1 if there is None else there.times + 1)
        if fault is None or there is not None or read.number == expected:
            self.documents[read.key] = kept
        self._settle(read.key, kept, result, reasons)
        said = self._said(read.key, kept)
        if word == "accept late":
            # Whoever waits for this has given up by then.
            self.lock.release()
            self.gone.wait(30)
            self.lock.acquire()
        return 200, None if word == "accept and hang up" else said

    def _settle(self, key: str, kept: Kept, result: str, reasons: list[dict[str, str]]) -> None:
        kept.result, kept.reasons = result, reasons
        if result in ("accepted", "accepted_noted"):
            self.accepted.append(key)
            kept.code = kept.code or f"TA{len(self.accepted):08d}"
        if result not in ("rejected_fixable",):
            sequence, _, number = key.rpartition("-")
            self.last[sequence] = max(self.last.get(sequence, 0), int(number))

    def look(self, issuer: str, key: str) -> tuple[int, dict[str, Any]]:
        """What it has under a key."""
        kept = self.documents.get(key)
        self.took.append(f"asked {key}")
        if kept is None or kept.issuer != issuer:
            return 404, {"result": "absent"}
        return 200, self._said(key, kept)

    def cancel(self, issuer: str, key: str) -> tuple[int, dict[str, Any]]:
        """Void what was accepted."""
        kept = self.documents.get(key)
        if kept is None or kept.issuer != issuer or not kept.result.startswith("accepted"):
            return 200, {"result": "cancel_refused", **_refusal("cancel", "only what was accepted is cancelled")}
        kept.result = "cancelled"
        return 200, {"result": "cancelled"}

    def keep_of_others(self, key: str, issuer: str) -> None:
        """As if somebody else had sent something under this key with the issuer's login."""
        kept = Kept(hashlib.sha256(key.encode()).hexdigest(), b"", "accepted", issuer)
        with self.lock:
            self.documents[key] = kept
            self._settle(key, kept, "accepted", [])

    def _said(self, key: str, kept: Kept) -> dict[str, Any]:
        said: dict[str, Any] = {"result": kept.result, "digest": kept.digest, "messages": kept.reasons}
        if kept.code:
            receipt = f"{kept.code} {key} {kept.digest}"
            signature = base64.b64encode(self.key.sign(receipt.encode())).decode()
            said |= {"authority_key": kept.code, "code": kept.code, "receipt": f"{receipt} {signature}"}
            said |= {"qr": f"test-authority:{kept.code}"}
        return said

    def _verify(self, tax_number: str, octets: bytes, signature: str) -> None:
        self.issuers[tax_number].verify(base64.b64decode(signature, validate=True), octets)


def _refusal(code: str, text: str) -> dict[str, Any]:
    return {"messages": [{"code": code, "text": text}]}


_BEFORE: Final[Mapping[str, tuple[int, dict[str, Any] | None]]] = {
    "hang up": (200, None),
    "maintenance": (503, {}),
    "busy": (503, {"result": "busy", **_refusal("busy", "it takes nothing now")}),
    "login ran out": (401, _refusal("login", "log in first")),
    "block": (403, _refusal("certificate", "the certificate has expired")),
}
# Here the caller can't know what became of it.
_IN_DOUBT: Final = frozenset({"accept and hang up", "accept late", "hang up", "maintenance"})
_RESULT_OF: Final[Mapping[str, str]] = {
    "accept": "accepted",
    "accept and hang up": "accepted",
    "accept late": "accepted",
    "note": "accepted_noted",
    "pending": "pending",
    "refuse": "rejected_fixable",
    "reject": "rejected_final",
}


class _Read:
    """A document as it is read. Raises: ValueError and what the parsers raise."""

    def __init__(self, payload: bytes) -> None:
        if b"<!DOCTYPE" in payload:
            raise ValueError("a document type is not taken")
        root = ElementTree.fromstring(payload)  # noqa: S314 - without a document type there is nothing to expand
        if root.tag != f"{NAMESPACE}TestInvoice":
            raise ValueError(f"the root is {root.tag}")
        self._root = root
        self.kind, self.series = self._text("Kind"), self._text("Series")
        self.number = int(self._text("Number"))
        self.issuer = self._text("Issuer")
        self.corrects = root.findtext(f"{NAMESPACE}Corrects")
        self.lines = [Decimal(one.findtext(f"{NAMESPACE}Net") or "") for one in root.iter(f"{NAMESPACE}Line")]
        self.net, self.tax, self.gross = (Decimal(self._text(name)) for name in ("Net", "Tax", "Gross"))
        self.sequence = f"{self.kind}-{self.series}"
        self.key = f"{self.sequence}-{self.number}"

    def _text(self, name: str) -> str:
        found = self._root.findtext(f"{NAMESPACE}{name}")
        if not found:
            raise ValueError(f"{name} is missing")
        return found

    def fault(self, issuer: str, expected: int, there: Mapping[str, Kept]) -> dict[str, str] | None:
        """The first thing that is wrong with it."""
        if self.issuer != issuer:
            return {"code": "issuer", "text": f"the login is of {issuer}, the document of {self.issuer}"}
        if sum(self.lines, Decimal(0)) != self.net or self.net + self.tax != self.gross:
            return {"code": "sum", "text": "the sums are off"}
        if self.number != expected:
            return {"code": "number", "text": f"{expected} is the next number, not {self.number}"}
        labels = {
            _Read(one.payload)._text("Label")
            for one in there.values()
            if one.payload and one.result.startswith("accepted")
        }
        if self.corrects is not None and self.corrects not in labels:
            return {"code": "corrects", "text": f"{self.corrects} was not accepted here"}
        return None


class AuthorityServer:
    """The stand-in on a port of this machine, until the block ends."""

    def __init__(self, authority: Authority, *, port: int = 0) -> None:
        class Handler(_Handler):
            its = authority

        self.authority = authority
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> AuthorityServer:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, also for who waits for a late answer."""
        self.authority.gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    its: Authority

    def do_GET(self) -> None:
        """A question."""
        self._answer("GET")

    def do_POST(self) -> None:
        """A login, a document, a cancellation."""
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:
        """One line a call, for who debugs."""
        telemetry.logger().debug("test_authority.called", line=format % args)

    def _answer(self, method: str) -> None:
        authority = self.its
        if authority.away:
            self._hang_up()
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MOST_OCTETS:
            self._say(413, {})
            return
        body = self.rfile.read(length)
        with authority.lock:
            authority.calls.append(f"{method} {self.path}")
            status, content = self._do(method, body)
        if content is None:
            self._hang_up()
        else:
            self._say(status, content)

    def _do(self, method: str, body: bytes) -> tuple[int, dict[str, Any] | None]:
        authority, path = self.its, [unquote(one) for one in self.path.strip("/").split("/")]
        signature = self.headers.get("X-Signature") or ""
        if (method, path) == ("POST", ["login"]):
            return authority.log_in(body, signature)
        issuer = authority.who((self.headers.get("Authorization") or "").removeprefix("Bearer "))
        if issuer is None:
            return 401, _refusal("login", "log in first")
        match method, path:
            case "POST", ["documents"]:
                return authority.take(issuer, body, signature)
            case "GET", ["documents", key]:
                return authority.look(issuer, key)
            case "POST", ["documents", key, "cancel"]:
                return authority.cancel(issuer, key)
            case "GET", ["last", series, kind]:
                return 200, {"last": authority.last.get(f"{kind}-{series}", 0)}
            case "GET", ["messages"]:
                # They stay in the box: who was told may have died before it wrote that down.
                return 200, {"messages": list(authority.messages)}
            case _:
                return 404, {"result": "unheard of"}

    def _say(self, status: int, content: dict[str, Any]) -> None:
        text, kind = json.dumps(content).encode(), "application/json"
        if status == 503 and not content:
            text, kind = b"<html><body>Down for maintenance</body></html>", "text/html"
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            self.close_connection = True  # nobody waits any more

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
