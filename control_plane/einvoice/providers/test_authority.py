"""The test authority: no country's, for trying and proving the way of an e-invoice; its server is test_authority_server.py.

It numbers strictly by series, wants a login that lasts for a while, takes documents signed with the issuer's Ed25519 key, may
answer later, and tells of results by signed messages that wait to be fetched. So it asks for all that real ones ask for.

A document is XML of the namespace below; the signature stands beside it in a header, over the octets as they are.
Next: ../test_authority_server.py
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from billing.einvoice.outcome import Answer, Artifact, Handover, Manner, Message, Numbering, Outcome, Retry
from billing.shown import ShownDocument
from control_plane.einvoice.provider import Account, Description, Health, NotPrepared, Prepared, Told
from control_plane.outward.call import Answered, Limits, Request, Unanswered, call

NAMESPACE: Final = "urn:corrente:test-authority:1"
_SERVICE: Final = "documents"
_MOST_LINES: Final = 1000
_ANSWER_OCTETS: Final = 1024 * 1024
_TOKEN_MARGIN: Final = timedelta(seconds=5)
_RESULTS: Final[Mapping[str, Answer]] = {one.value: one for one in Answer}
_HANDOVERS: Final[Mapping[str, Handover]] = {one.value: one for one in Handover}


class TestAuthority:
    """The client of the test authority."""

    def describe(self) -> Description:
        """What it is like."""
        return Description(
            country=None,
            name="Test authority",
            manner=Manner(
                Numbering.SERIES,
                absent_apart_s=300,
                pending_for_s=86400,
                consecutive=True,
                resend_days=5,
                can_cancel=True,
            ),
            settings={
                "url": "where it listens, such as http://127.0.0.1:9443",
                "tax_number": "whose documents these are",
                "authority_key": "the public key that it signs messages with: base64 of 32 octets",
            },
            signs_with="an Ed25519 private key, PKCS 8 in PEM, of which the authority has the public one",
            is_async=True,
        )

    def check_secret(self, secret: bytes) -> str:
        """What is wrong with a key that was typed; empty when nothing is."""
        try:
            key = load_pem_private_key(secret, None)
        except (ValueError, TypeError) as error:
            return f"no private key in PEM without a password: {error}"
        return "" if isinstance(key, Ed25519PrivateKey) else "a key of another kind than Ed25519"

    def check(self, account: Account) -> Health:
        """Whether it answers and takes our login."""
        account.tickets.drop(_SERVICE)
        token, outcome = _login(account)
        if token is not None:
            return Health("ok", "it answers and takes our login")
        said = "; ".join(one.text for one in outcome.messages)
        return Health("blocked" if outcome.answer is Answer.BLOCKED else "degraded", said)

    def last_number(self, account: Account, kind: str, series: str) -> int | None:
        """The last number that it has of a series."""
        content, _ = _ask(account, "GET", f"/last/{series}/{kind}")
        last = None if content is None else content.get("last")
        return last if isinstance(last, int) else None

    def prepare(self, account: Account, document: ShownDocument, number: int, series: str) -> Prepared | NotPrepared:
        """The document as XML."""
        faults = tuple(_faults(account, document))
        if faults:
            return NotPrepared(faults)
        payload = _xml(account, document, number, series)
        key = f"{document.kind}-{series}-{number}"
        return Prepared(
            payload, "application/xml", key, document.kind, series, number, hashlib.sha256(payload).digest()
        )

    def submit(self, account: Account, prepared: Prepared) -> Outcome:
        """Send it with its signature."""
        key = load_pem_private_key(account.secret, None)
        assert isinstance(key, Ed25519PrivateKey), "check_secret has looked"
        signature = base64.b64encode(key.sign(prepared.payload)).decode()
        headers = {"Content-Type": prepared.media_type, "X-Signature": signature}
        content, outcome = _ask(account, "POST", "/documents", headers=headers, body=prepared.payload)
        if content is None:
            return outcome
        if content.get("result") == "duplicate":
            # It has something under this number: whether that is this, it says when it is asked.
            return Outcome(
                Answer.UNKNOWN, Retry.ASK_FIRST, messages=_messages(content), raw=outcome.raw, http_status=409
            )
        return _outcome(content, outcome)

    def lookup(self, account: Account, prepared: Prepared) -> Outcome:
        """What it has under our key; other octets than ours mean that somebody else uses our numbers."""
        content, outcome = _ask(account, "GET", f"/documents/{quote(prepared.external_key)}")
        if content is None:
            return outcome
        found = _outcome(content, outcome)
        if found.about is not None and found.about != prepared.digest and found.answer is not Answer.REJECTED_FIXABLE:
            text = f"it has another document under {prepared.external_key}: somebody else counts in this series"
            return Outcome(Answer.BLOCKED, messages=(Message("clash", text),), raw=outcome.raw, http_status=200)
        return found

    def cancel(self, account: Account, prepared: Prepared, reason: str) -> Outcome:
        """Ask to have it void."""
        body = json.dumps({"reason": reason}).encode()
        content, outcome = _ask(account, "POST", f"/documents/{quote(prepared.external_key)}/cancel", body=body)
        return outcome if content is None else _outcome(content, outcome)

    def collect(self, account: Account) -> Sequence[bytes]:
        """Messages that wait for us."""
        content, _ = _ask(account, "GET", "/messages")
        waiting = [] if content is None else content.get("messages", [])
        return [str(one).encode() for one in waiting]

    def ingest(self, account: Account, message: bytes) -> Told:
        """A message is JSON with a signature of the authority over its `body`."""
        try:
            told = json.loads(message)
            body, signature = told["body"].encode(), base64.b64decode(told["signature"], validate=True)
            authority = Ed25519PublicKey.from_public_bytes(base64.b64decode(account.settings["authority_key"]))
            authority.verify(signature, body)
            content = json.loads(body)
            return Told(((content["key"], _outcome(content, Outcome(Answer.UNKNOWN, raw=message))),))
        except InvalidSignature:
            return Told(refused="the signature is not the authority's")
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            return Told(refused=f"it is no message of the test authority: {type(error).__name__} {error}")

    def artifacts(self, account: Account, prepared: Prepared) -> Sequence[Artifact]:
        """The receipt that it signs."""
        content, _ = _ask(account, "GET", f"/documents/{quote(prepared.external_key)}")
        return () if content is None else _artifacts(content)


def _faults(account: Account, document: ShownDocument) -> Sequence[Message]:
    """What it would refuse, looked at before a number is used."""
    faults = []
    if document.issuer.get("vat_number") != account.settings["tax_number"]:
        said = (
            f"the document is of {document.issuer.get('vat_number')}, the account of {account.settings['tax_number']}"
        )
        faults.append(Message("issuer", said))
    if not document.customer.get("name"):
        faults.append(Message("customer", "the customer has no name"))
    if not 1 <= len(document.lines) <= _MOST_LINES:
        faults.append(Message("lines", f"a document has 1 to {_MOST_LINES} lines, this one has {len(document.lines)}"))
    if sum((one.net.amount for one in document.lines), Decimal(0)) != document.net.amount:
        faults.append(Message("sum", f"the lines do not come to {document.net.amount}"))
    return faults


def _xml(account: Account, document: ShownDocument, number: int, series: str) -> bytes:
    root = ElementTree.Element("TestInvoice", {"xmlns": NAMESPACE, "environment": account.environment})
    for name, value in (
        ("Kind", document.kind),
        ("Series", series),
        ("Number", number),
        ("Label", document.label),
        ("Date", document.document_date),
        ("Issuer", account.settings["tax_number"]),
        ("Customer", document.customer["name"]),
        ("Currency", document.currency),
        ("Corrects", document.corrects),
    ):
        if value is not None:
            ElementTree.SubElement(root, name).text = str(value)
    for line in document.lines:
        element = ElementTree.SubElement(root, "Line", {"rate": f"{line.rate.normalize():f}"})
        ElementTree.SubElement(element, "Text").text = line.description
        ElementTree.SubElement(element, "Net").text = str(line.net.amount)
    for name, amount in (("Net", document.net), ("Tax", document.tax), ("Gross", document.gross)):
        ElementTree.SubElement(root, name).text = str(amount.amount)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _login(account: Account) -> tuple[str | None, Outcome]:
    """A login that is valid, kept or new; else what keeps us out."""
    kept = account.tickets.get(_SERVICE, now=datetime.now(UTC) + _TOKEN_MARGIN)
    if kept is not None:
        return kept, Outcome(Answer.UNKNOWN)
    key = load_pem_private_key(account.secret, None)
    assert isinstance(key, Ed25519PrivateKey), "check_secret has looked"
    tax_number = account.settings["tax_number"]
    body = json.dumps({"tax_number": tax_number, "at": datetime.now(UTC).isoformat()}).encode()
    signed = {"X-Signature": base64.b64encode(key.sign(body)).decode()}
    content, outcome = _read(account, _call(account, "POST", "/login", headers=signed, body=body), sends=False)
    if content is None:
        return None, outcome
    try:
        token, expires = str(content["token"]), datetime.fromisoformat(content["expires"])
    except (KeyError, TypeError, ValueError):
        said = Message("login", "it answered a login with something else")
        return None, Outcome(Answer.UNKNOWN, Retry.SAME_BYTES, messages=(said,), unreachable=True)
    account.tickets.keep(_SERVICE, token, expires=expires)
    return token, Outcome(Answer.UNKNOWN)


def _ask(
    account: Account, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[dict[str, Any] | None, Outcome]:
    """What is answered as JSON, or the outcome that there is none; a login that ran out is made anew, once."""
    for is_last in (False, True):
        token, refused = _login(account)
        if token is None:
            # Nothing was sent yet: the same octets may go later.
            return None, refused
        came = _call(account, method, path, headers={**(headers or {}), "Authorization": f"Bearer {token}"}, body=body)
        if isinstance(came, Answered) and came.status == 401 and not is_last:
            account.tickets.drop(_SERVICE)
            continue
        return _read(account, came, sends=method == "POST")
    raise AssertionError("the last time is answered")


def _call(
    account: Account, method: str, path: str, *, headers: Mapping[str, str], body: bytes
) -> Answered | Unanswered:
    limits = Limits(connect_s=min(5.0, account.timeout_s), total_s=account.timeout_s, answer_octets=_ANSWER_OCTETS)
    request = Request(account.settings["url"].rstrip("/") + path, method, {"User-Agent": "Corrente", **headers}, body)
    return call(request, limits, allow_private=account.allow_private)


def _read(account: Account, came: Answered | Unanswered, *, sends: bool) -> tuple[dict[str, Any] | None, Outcome]:
    """JSON, or what it means that there is none."""
    if isinstance(came, Unanswered):
        retry = Retry.ASK_FIRST if sends and came.sent else Retry.SAME_BYTES
        return None, Outcome(
            Answer.UNKNOWN, retry, messages=(Message("network", came.problem, "warning"),), unreachable=True
        )
    try:
        content = json.loads(came.body) if came.whole else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        said = Message(str(came.status), "it answered with something else than its documents say", "warning")
        return None, Outcome(
            Answer.UNKNOWN, Retry.ASK_FIRST, messages=(said,), raw=came.body, http_status=came.status, unreachable=True
        )
    outcome = Outcome(Answer.UNKNOWN, Retry.ASK_FIRST, raw=came.body, http_status=came.status)
    if came.status == 403:
        return None, Outcome(Answer.BLOCKED, messages=_messages(content), raw=came.body, http_status=came.status)
    if came.status == 401 or content.get("result") == "busy":
        # It says itself that it took nothing: also where a login that is new was not taken.
        return None, Outcome(
            Answer.UNKNOWN, Retry.SAME_BYTES, messages=_messages(content), raw=came.body, http_status=came.status
        )
    return content, outcome


def _outcome(content: Mapping[str, Any], came: Outcome) -> Outcome:
    """What a result says. One of an unknown word, or in another form, leaves it in doubt."""
    try:
        about = content.get("digest")
        expires = content.get("expires")
        return Outcome(
            _RESULTS[content["result"]],
            authority_key=content.get("authority_key"),
            authority_code=content.get("code"),
            expires=None if expires is None else date.fromisoformat(expires),
            qr_text=content.get("qr"),
            messages=_messages(content),
            artifacts=_artifacts(content),
            handover=_HANDOVERS[content["handover"]] if "handover" in content else None,
            about=None if about is None else bytes.fromhex(about),
            http_status=came.http_status,
            raw=came.raw,
        )
    except (KeyError, TypeError, ValueError) as error:
        said = Message("form", f"an answer that can't be read: {type(error).__name__} {error}", "warning")
        return Outcome(Answer.UNKNOWN, Retry.ASK_FIRST, messages=(said,), raw=came.raw, http_status=came.http_status)


def _messages(content: Mapping[str, Any]) -> tuple[Message, ...]:
    found = content.get("messages", [])
    return tuple(
        Message(str(one.get("code", "")), str(one.get("text", "")), str(one.get("level", "error")))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    )


def _artifacts(content: Mapping[str, Any]) -> tuple[Artifact, ...]:
    receipt = content.get("receipt")
    return (Artifact("receipt", receipt.encode()),) if isinstance(receipt, str) else ()


PROVIDER: Final = TestAuthority()
