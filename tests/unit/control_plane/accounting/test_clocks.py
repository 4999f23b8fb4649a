"""What a minute of records says of the clocks of the devices that sent them."""

import pytest
from support.accounting_world import NOON, detail

from control_plane.accounting.clocks import Clocks
from control_plane.accounting.record import read_accounting_record
from control_plane.accounting.spool import read_detail
from control_plane.store.session_reads import NasRow, NasTable

NASES = NasTable(
    {
        "192.0.2.1/32": NasRow(1, swap_octets=False, single=True),
        "10.1.0.0/16": NasRow(2, swap_octets=False, single=False),
    }
)


def record(source, *, stamped, delay_s=None):
    text = detail(
        "Interim-Update", source=source, Event_Timestamp=str(stamped), Acct_Delay_Time=delay_s and str(delay_s)
    )
    return read_accounting_record(read_detail(text.encode(), start=0).records[0])


@pytest.mark.parametrize("order", [1, -1])
def test_of_one_devices_records_the_one_that_was_least_late_tells_its_clock(order):
    # Two were resent for a minute and more, which the device does not say.
    records = [record("192.0.2.1", stamped=NOON + off) for off in (-260, -200, -192)][::order]
    clocks = Clocks()
    clocks.see(records)
    assert clocks.take(NASES) == {1: ("192.0.2.1", -192)}


def test_of_a_group_the_device_that_is_furthest_off_is_told():
    clocks = Clocks()
    clocks.see([record(f"10.1.0.{number}", stamped=NOON + off) for number, off in ((1, 5), (2, -3600), (3, 40))])
    assert clocks.take(NASES) == {2: ("10.1.0.2", -3600)}


def test_what_was_taken_is_over_and_strangers_are_nobody():
    clocks = Clocks()
    clocks.see([record("192.0.2.1", stamped=NOON, delay_s=5), record("198.51.100.1", stamped=NOON)])
    assert clocks.take(NASES) == {1: ("192.0.2.1", 5)}
    assert clocks.take(NASES) == {}
