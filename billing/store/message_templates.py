"""The operator's own texts: kept in versions, the last one of an issuer first, then the last one for all, then the package's.

Next: billing/messages/texts.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.messages.texts import Source, load_source

Connection = psycopg.Connection[Any]

_LAST: Final = """
SELECT DISTINCT ON (issuer_id) issuer_id, version, subject, body, html FROM message_template
WHERE kind = %(kind)s AND language = %(language)s AND (issuer_id IS NULL OR issuer_id = %(issuer)s) ORDER BY issuer_id, version DESC
"""
_VERSIONS: Final = """
SELECT t.version, t.issuer_id, t.kind, t.language::text, t.subject, t.body, t.html, t.made_by, t.made_at FROM message_template AS t
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(language)s::text IS NULL OR language::text = %(language)s) ORDER BY kind, language, issuer_id, version
"""
_SAVE: Final = """
INSERT INTO message_template (issuer_id, kind, language, version, subject, body, html, made_by)
SELECT %(issuer)s, %(kind)s, %(language)s, coalesce(max(version), 0) + 1, %(subject)s, %(body)s, %(html)s, %(made_by)s
FROM message_template WHERE kind = %(kind)s AND language = %(language)s AND issuer_id IS NOT DISTINCT FROM %(issuer)s
RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One of the operator's own texts; without a subject it went back to the package's."""

    version: int
    issuer_id: int | None
    kind: str
    language: str
    subject: str | None
    body: str | None
    html: str | None
    made_by: str
    made_at: datetime


def find_source(connection: Connection, kind: str, language: str, issuer_id: int | None) -> Source:
    """The text that counts. Raises: TextError for a kind that nobody wrote."""
    own = find_own(connection, kind, language, issuer_id)
    return load_source(kind, language) if own is None else own


def find_own(connection: Connection, kind: str, language: str, issuer_id: int | None) -> Source | None:
    """The operator's own: the issuer's, else the one for all issuers."""
    rows = connection.execute(_LAST, {"kind": kind, "language": language, "issuer": issuer_id}).fetchall()
    by_issuer = {
        issuer: Source(subject, body, html, version) for issuer, version, subject, body, html in rows if subject
    }
    return by_issuer.get(issuer_id) or by_issuer.get(None)


def load_versions(connection: Connection, *, kind: str | None = None, language: str | None = None) -> list[Version]:
    """All versions, the oldest of each first."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(_VERSIONS, {"kind": kind, "language": language}).fetchall()


def hold_text(connection: Connection, kind: str, language: str, issuer_id: int | None) -> None:
    """One at a time writes versions of a text, the first too, until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(jsonb_build_array('message text', %s::text, %s::text, %s::bigint)::text, 0))",
        (kind, language, issuer_id),
    )


def save_version(
    connection: Connection, kind: str, language: str, source: Source | None, *, issuer_id: int | None, made_by: str
) -> int:
    """Keep the next version, which counts from now on; without a text it is the package's again. Returns its number."""
    hold_text(connection, kind, language, issuer_id)
    row = connection.execute(
        _SAVE,
        {
            "issuer": issuer_id,
            "kind": kind,
            "language": language,
            "subject": source.subject if source else None,
            "body": source.body if source else None,
            "html": source.html if source else None,
            "made_by": made_by,
        },
    ).fetchone()
    assert row is not None, "a version was written"
    return int(row[0])
