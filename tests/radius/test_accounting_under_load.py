"""Answered accounting records are whole when many threads write at once, each of them exactly once."""

import pytest
from support.radius_server import NAS_SECRET, radius_server

from benchmarks.load import LoadPlan, run_load
from benchmarks.packets import ACCOUNTING_RESPONSE, AccountingStatus, AccountingWord, Subscriber, accounting_request
from control_plane.accounting.spool import DetailRecord, read_detail

pytestmark = pytest.mark.radius

LANES, RECORDS_A_LANE = 4, 6_000


def records_of(lane):
    return [
        accounting_request(
            Subscriber(number),
            AccountingWord(AccountingStatus.INTERIM, f"{lane}-{number}", at=1767225600, session_time_s=number),
            identifier=number % 256,
            secret=NAS_SECRET,
        )
        for number in range(RECORDS_A_LANE)
    ]


def test_no_answered_record_is_torn_by_another_thread():
    with radius_server(threads=4) as server:
        plan = LoadPlan(
            server.accounting, NAS_SECRET, window=32, duration_s=600, timeout_s=120, repeat=False, sample_every=1
        )

        result = run_load(plan, [records_of(lane) for lane in range(LANES)])
        spooled = server.accounting_spool.read_bytes()

    assert result.answered == {ACCOUNTING_RESPONSE: LANES * RECORDS_A_LANE}
    assert result.forged == 0
    records = read_detail(spooled, start=0).records
    assert [one for one in records if not isinstance(one, DetailRecord)] == []
    written = sorted(one.attributes["Acct-Session-Id"] for one in records)
    assert written == sorted(f'"{lane}-{number}"' for lane in range(LANES) for number in range(RECORDS_A_LANE))
