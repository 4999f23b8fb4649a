"""What happened on the network lately, from the rows that tell of it: deeds of people, devices that fell silent, alarms, faults.

Nothing is kept for this. The caller owns the transaction.

Next: network_figures.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# The deeds that concern the network, as the audit log calls them; the other desks have their own pages.
DEEDS: Final = (
    "nas.add", "nas.set", "nas.enable", "nas.disable", "nas.host_key", "nas.reveal_secret", "nas.maintenance_on", "nas.maintenance_off",
    "network.stop", "network.resume", "guard.release", "guard.exempt", "guard.unexempt", "session.cut", "session.disconnect", "session.reapply",
    "session.close_ghosts", "session.believe_device", "enforcement.retry", "profile.add", "profile.set", "node.release", "unreadable.retry", "automation_run.undo",
)  # fmt: skip
MOST: Final = 40
_LATELY: Final = """
(SELECT at, 'deed' AS kind, action AS what, subject, actor, coalesce(detail ->> 'reason', '') AS words, 1::bigint AS times FROM audit_log
    WHERE at >= %(since)s AND action = ANY (%(deeds)s) ORDER BY at DESC LIMIT %(most)s)
UNION ALL
SELECT q.since, 'nas_silent', '', n.name, '', '', q.tries::bigint FROM nas_silence q JOIN nas n ON n.id = q.nas_id WHERE q.since >= %(since)s
UNION ALL
SELECT booted_at, 'nas_booted', '', name, '', '', 1 FROM nas WHERE booted_at >= %(since)s
UNION ALL
SELECT tripped_at, 'guard_tripped', '', '', '', tripped_reason, 1 FROM guard_state WHERE tripped_at >= %(since)s
UNION ALL
SELECT max(e.alarmed_at), 'alarm', '', n.name, '', max(e.problem), count(*) FROM enforcement e JOIN nas n ON n.id = e.nas_id
    WHERE e.alarmed_at >= %(since)s GROUP BY n.name
UNION ALL
SELECT failed_at, 'job_failed', '', name, '', problem, 1 FROM scheduled_job WHERE failed_at >= %(since)s
UNION ALL
SELECT max(at), 'unreadable', '', node, '', max(problem), count(*) FROM unreadable_record WHERE at >= %(since)s GROUP BY node
ORDER BY 1 DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing. `kind` says what the others mean: of a `deed` `what` is the audit log's action; `times` how often it was."""

    at: datetime
    kind: str
    what: str
    subject: str
    actor: str
    words: str
    times: int


def load_happenings(connection: Connection, *, since: datetime) -> list[Happening]:
    """The newest first, since then."""
    asked = {"since": since, "deeds": list(DEEDS), "most": MOST}
    with connection.cursor(row_factory=class_row(Happening)) as cursor:
        return cursor.execute(_LATELY, asked).fetchall()
