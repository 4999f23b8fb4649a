"""What a day brings to contracts, for each issuer by its own calendar: a job of the worker that leads.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from billing.calendar import billing_day
from billing.operations.daily_deeds import Passed, deeds_due
from control_plane import telemetry
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
# Days begin at other hours for issuers in other zones, and a day that was missed is made up for soon.
DEEDS_EVERY_S: Final = 300.0
# So many contracts that could not be dealt with are named in the job's line; the log has all.
_NAMED: Final = 3


def daily_deeds(connection: Connection, settings: Settings, now: datetime) -> str:
    """Do what is due today for the contracts of every issuer, and for those that no issuer bills."""
    passed = [deeds_due(connection, now.astimezone(settings.zone).date(), zone=settings.operator.billing_zone)]
    for issuer_id, zone in connection.execute("SELECT id, zone FROM issuer ORDER BY id").fetchall():
        passed.append(deeds_due(connection, billing_day(now, ZoneInfo(zone)), issuer_id=issuer_id, zone=zone))
    return _words(passed)


def _words(passed: list[Passed]) -> str:
    problems = [one for each in passed for one in each.problems]
    for contract_id, reason in problems:
        telemetry.logger().warning("contract.deed_not_done", contract_id=contract_id, reason=reason)
    done = sum(len(each.done) for each in passed)
    said = f"did {done} deeds, applied {sum(each.plans for each in passed)} plans, wrote {sum(each.notices for each in passed)} notices"
    if problems:
        named = "; ".join(f"contract {number}: {reason}" for number, reason in problems[:_NAMED])
        said += f"; {len(problems)} could not be done: {named}"
    return said
