"""What a mail server's answer means: for now or for ever, and whether it is the address that is at fault.

Only an address that does not exist is written to no more: a full mailbox, a message that is too large or a judgement on its
content says nothing about the next one.

Source: RFC 5321 section 4.2, RFC 3463 and its registry of enhanced status codes.
Next: mail.py
"""

from __future__ import annotations

import re
from typing import Final

_ENHANCED: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# Bad destination system or mailbox, moved without an address, disabled, null MX; not 1.7 and 1.8, which are about the sender.
_NO_SUCH_ADDRESS: Final = frozenset({(1, 0), (1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1), (4, 4)})
# Without an enhanced code, to RCPT alone: no such mailbox, not local, not allowed as a name, takes no mail at all.
_PLAIN_CODES: Final = frozenset({550, 551, 553, 556})


def is_no_such_address(code: int, reply: str, *, to_recipient: bool) -> bool:
    """Whether a refusal for ever says that the address does not exist; `to_recipient`: it was the answer to RCPT."""
    found = _ENHANCED.search(reply)
    if found is not None:
        return found[1] == "5" and (int(found[2]), int(found[3])) in _NO_SUCH_ADDRESS
    return to_recipient and code in _PLAIN_CODES
