"""A message as a notice on a device: its subject, and only for news what it says; the rest is read on the page that it opens.

A telephone shows a notice to whoever looks at it: no amount, no document is told there.

Next: push_channel.py
"""

from __future__ import annotations

import json
import re
from typing import Final

from billing.messages.texts import load_kinds
from control_plane.messages.channel import Letter

# RFC 8291 section 4: 3993 octets are what every push service takes. Twice what is kept of each, for what JSON writes as two.
_TITLE_OCTETS: Final = 400
_NEWS_OCTETS: Final = 1200
_NEWS: Final = frozenset({"text", "outage", "outage_over", "maintenance", "plan_answered"})
_DOCUMENTS: Final = "/portal/documents"
_STATEMENT: Final = "/portal/statement"
_PAGES: Final = {
    "invoice": _DOCUMENTS,
    "credit_note": _DOCUMENTS,
    "due_soon": _DOCUMENTS,
    "overdue": _DOCUMENTS,
    "promise_due": _DOCUMENTS,
    "receipt": _STATEMENT,
    "payment_returned": _STATEMENT,
}


def page_for(kind: str, contract_id: int | None) -> str:
    """The page of the portal that a notice of that kind opens."""
    if kind == "plan_answered" and contract_id is not None:
        return f"/portal/contracts/{contract_id}/plan"
    return _PAGES.get(kind, "/portal")


def news_of(kind: str, body: str) -> str:
    """What a notice tells beside its subject: the text of news and answers, without greetings; nothing of what is looked up."""
    if kind in load_kinds() and kind not in _NEWS:
        return ""
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", body.strip())]
    # A text by hand begins as its writer wanted, the package's with whom it is to and end with whom it is from.
    told = paragraphs[1:-1] if kind in load_kinds() and kind != "text" else paragraphs
    return "\n".join(told)


def payload_of(letter: Letter) -> bytes:
    """What the portal's worker reads (web/static/portal-worker.js)."""
    told = {
        "title": _clipped(letter.subject, _TITLE_OCTETS),
        "body": _clipped(letter.news, _NEWS_OCTETS),
        "page": letter.page,
        "language": letter.language,
        # The same message once more, since nobody knew whether it had come, takes the place of the first.
        "tag": letter.reference,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _clipped(text: str, most_octets: int) -> str:
    octets = text.encode()
    if len(octets) <= most_octets:
        return text
    return octets[: most_octets - 3].decode("utf-8", "ignore") + "…"
