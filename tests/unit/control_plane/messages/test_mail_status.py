"""Which answers say that an address does not exist."""

from __future__ import annotations

import pytest

from control_plane.messages.mail_status import is_no_such_address


@pytest.mark.parametrize(
    ("code", "reply", "to_recipient", "gone"),
    [
        (550, "550 5.1.1 user unknown", True, True),
        (550, "5.1.1 (bad destination)", False, True),
        (550, "5.2.1 mailbox disabled", True, True),
        (550, "5.1.10 null MX", True, True),
        (0, "5.4.4 host not found", False, True),
        (550, "550 no such user", True, True),
        (553, "553 not allowed", True, True),
        (552, "5.2.2 mailbox full", True, False),
        (550, "550 5.7.1 spam", True, False),
        (550, "5.1.8 bad sender's system", True, False),
        (554, "554 refused", True, False),
        (550, "550 no", False, False),
        (450, "4.1.1 unknown for now", True, False),
        (552, "5.3.4 too large", True, False),
    ],
)
def test_only_the_address_itself_counts(code, reply, to_recipient, gone):
    assert is_no_such_address(code, reply, to_recipient=to_recipient) is gone
