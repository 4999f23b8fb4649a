"""Taking a provider's notice in: stored raw before anything is made of it, judged, put into the queue, answered.

Two statements. The first stores what came, so that whatever happens next it is there. The second keeps the verdict and the hints, and
waits for the disk once for both, and wakes the worker; only then the sender hears that we have it. What is stored and was never
judged the worker judges.

Of secrets the database role (corrente_web) reads only those that notices are signed with. It may write money, since who serves pages
records what is paid at a desk; nothing here does so.

Units: octets.
Next: web/webhooks.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.plain_text import plain_text
from control_plane.gateways.provider import Context, GatewayError, Provider, Refused, Verified, provider_for
from control_plane.gateways.sealing import webhook_sealer
from control_plane.settings import Settings, SettingsError
from radius_hooks.sealing import Sealer, SealError, gateway_webhook_row

Connection = psycopg.Connection[Any]

# A batch of 250 events is some 200 kB.
MOST_OCTETS: Final = 1_000_000
_NOT_KEPT: Final = ("authorization", "cookie", "proxy-authorization")
_MOST_HEADERS: Final = 60
_LONGEST_HEADER: Final = 2000
_LONGEST_WORD: Final = 255

_STORE: Final = """
WITH found AS (
    SELECT a.id, a.provider, a.live, a.sealed_webhook_secret, i.zone FROM gateway_account AS a JOIN issuer AS i ON i.id = a.issuer_id WHERE a.token = %(token)s AND a.enabled
), stored AS (
    INSERT INTO webhook_log (account_id, headers, body) SELECT id, %(headers)s::jsonb, %(body)s FROM found RETURNING id
)
SELECT stored.id, found.id, provider, live, sealed_webhook_secret, zone FROM found, stored
"""
_KEEP: Final = """
WITH kept AS (
    UPDATE webhook_log SET verdict = %(verdict)s, reason = %(reason)s WHERE id = %(id)s
), queued AS (
    INSERT INTO gateway_notice (account_id, key, topic, ref, happened, webhook_id)
    SELECT %(account)s, n.key, n.topic, n.ref, n.happened, %(id)s FROM unnest(%(keys)s::text[], %(topics)s::text[], %(refs)s::text[], %(times)s::timestamptz[]) AS n (key, topic, ref, happened)
    ON CONFLICT (account_id, key) DO NOTHING
)
SELECT set_config('synchronous_commit', 'on', true), CASE WHEN cardinality(%(keys)s::text[]) > 0 THEN pg_notify('corrente_gateway_notice', '') END
"""


def judge(
    provider: Provider, secret: str, headers: Mapping[str, str], body: bytes, *, context: Context, now: datetime
) -> Verified | Refused:
    """What a notice is. One that hints at what the database can't keep is refused: unjudged it would be the first again, and stop all."""
    try:
        verdict = provider.receive(secret, headers, body, context=context, now=now)
    except RecursionError:
        return Refused("it is nested too deep to be read")
    if isinstance(verdict, Verified):
        for word in (word for hint in verdict.hints for word in (hint.key, hint.topic, hint.ref)):
            if len(word) > _LONGEST_WORD or plain_text(word) != word:
                return Refused(f"it is signed and can't be kept: {plain_text(word[:40])!r}")
    return verdict


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender hears."""

    status: int
    words: str


class Intake:
    """Takes notices in. One for a process; connections are the caller's, one a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _sealer(self) -> Sealer:
        return webhook_sealer(self._settings)

    def prepare(self, connection: Connection) -> None:
        """A connection in autocommit made ready: what is stored first waits for the disk together with the verdict."""
        connection.execute("SET synchronous_commit = off")

    def take(
        self, connection: Connection, token: str, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Reply:
        """Take one in. Raises: psycopg.Error; the sender is to send it again."""
        kept = _headers(headers)
        row = connection.execute(_STORE, {"token": token, "headers": json.dumps(kept), "body": body}).fetchone()
        if row is None:
            return Reply(404, "there is nothing here")
        webhook_id, account_id, name, live, sealed, zone = row
        try:
            provider = provider_for(name)
            secret = self._sealer.open(bytes(sealed), row=gateway_webhook_row(account_id)).decode()
        except (SealError, SettingsError, GatewayError) as error:
            # Stored and not judged: the worker may be able to.
            return Reply(503, f"it is stored and can't be judged here: {error}")
        verdict = judge(provider, secret, kept, body, context=Context(live, ZoneInfo(zone)), now=now)
        self._keep(connection, webhook_id, account_id, verdict)
        if isinstance(verdict, Refused):
            return Reply(verdict.status, verdict.reason)
        return Reply(200, "it is stored")

    def _keep(self, connection: Connection, webhook_id: int, account_id: int, verdict: Verified | Refused) -> None:
        hints = verdict.hints if isinstance(verdict, Verified) else ()
        connection.execute(
            _KEEP,
            {
                "id": webhook_id,
                "account": account_id,
                "verdict": "refused" if isinstance(verdict, Refused) else "verified",
                "reason": verdict.reason if isinstance(verdict, Refused) else "",
                "keys": [hint.key for hint in hints],
                "topics": [hint.topic for hint in hints],
                "refs": [hint.ref for hint in hints],
                "times": [hint.happened for hint in hints],
            },
        )


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case; nothing that lets somebody in, nothing endless, no NUL, which JSON in the database can't hold."""
    found = {name.lower(): value for name, value in list(given.items())[:_MOST_HEADERS]}
    return {name: value[:_LONGEST_HEADER].replace("\x00", "") for name, value in found.items() if name not in _NOT_KEPT}
