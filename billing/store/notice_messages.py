"""A formal notice's message, by which it went out: the join and the columns that are the same wherever a notice is read.

The notice is `f` and its case `c` in the statements that these are put into. One whose message is gone, as old ones of cases that are
over are cleared away, went out when it was written.

Source: schema.sql's sections on messages and on dunning.
"""

from __future__ import annotations

from typing import Final

# By the key of messages that come once: origin, customer and channel.
JOIN: Final = "LEFT JOIN message AS m ON m.origin = 'dunning ' || f.case_id || ' ' || f.step AND m.customer_id = c.customer_id AND m.channel = f.channel"
OUT_AT: Final = "CASE WHEN m.id IS NULL THEN f.sent_at WHEN m.state = 'sent' THEN m.handed_at END"
FAILED: Final = "m.state IN ('failed', 'bounced', 'withheld', 'cancelled')"
PROBLEM: Final = (
    f"CASE WHEN {FAILED} THEN m.state || CASE WHEN m.problem = '' THEN '' ELSE ': ' || m.problem END ELSE '' END"
)
