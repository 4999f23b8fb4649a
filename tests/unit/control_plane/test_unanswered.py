"""Who gets no answer, read from the words of FreeRADIUS 3.2.1."""

from datetime import datetime

from control_plane.unanswered import Dropped, Why, read_dropped

LOG = """\
Sun Nov 22 00:59:59 2026 : Error: Ignoring request to auth address 127.0.0.1 port 1812 bound to server corrente_authentication from unknown client 192.0.2.8 port 33640 proto udp
Sun Nov 22 01:59:26 2026 : Info: Adding client 127.10.0.2/32
Sun Nov 22 01:59:28 2026 : Error: Ignoring request to auth address 127.0.0.1 port 1812 bound to server corrente_authentication from unknown client 192.0.2.9 port 33640 proto udp
Sun Nov 22 02:00:14 2026 : Info: Dropping packet without response because of error: Received packet from 127.0.0.1 with invalid Message-Authenticator!  (Shared secret is incorrect.) (from client bras-m)
Sun Nov 22 02:00:15 2026 : Info: Dropping packet without response because of error: Received Accounting-Request packet from client 127.10.0.2 with invalid Request Authenticator!  (Shared secret is incorrect.) (from client Tower (north))
Sun Nov  1 02:00:16 2026 : Error: Ignoring request to acct address 127.0.0.1 port 1813 bound to server corrente_accounting from unknown client 2001:db8::7 port 33640 proto udp
Sun Nov 22 02:00:17 2026 : Error: Ignoring request to acct address 127.0.0.1 port 1813 bound to server corrente_accounting from unknown client 192.0.2.9 port 4 proto udp
Sun Nov 22 02:00:18 2026 : Info: Ready to process requests
"""


def test_an_address_that_is_no_nas_and_a_nas_with_another_secret_are_named_once_with_the_last_time():
    assert read_dropped(LOG.splitlines(), since=datetime(2026, 11, 22, 1, 0, 0)) == [
        Dropped(Why.UNKNOWN, "192.0.2.9", datetime(2026, 11, 22, 2, 0, 17)),
        Dropped(Why.WRONG_SECRET, "bras-m", datetime(2026, 11, 22, 2, 0, 14)),
        Dropped(Why.WRONG_SECRET, "Tower (north)", datetime(2026, 11, 22, 2, 0, 15)),
    ]


def test_a_day_of_one_digit_is_read_too():
    (found,) = read_dropped([line for line in LOG.splitlines() if "Nov  1" in line], since=datetime(2026, 11, 1))
    assert found == Dropped(Why.UNKNOWN, "2001:db8::7", datetime(2026, 11, 1, 2, 0, 16))
