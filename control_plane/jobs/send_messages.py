"""Messages to customers: sent as they fall due, and what comes back read. Jobs of the worker that leads.

Units: *_s seconds.
Next: control_plane/messages/sending.py
"""

from __future__ import annotations

from control_plane.messages.mailbox import READ_MAIL_EVERY_S, read_returns
from control_plane.messages.sending import SEND_MESSAGES_EVERY_S, send_messages

__all__ = ("READ_MAIL_EVERY_S", "SEND_MESSAGES_EVERY_S", "read_returns", "send_messages")
