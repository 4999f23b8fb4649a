"""The channels that this installation can send by. Messages of another wait for a person.

Next: channel.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from billing.messages.message import EMAIL
from control_plane.messages.channel import Channel
from control_plane.messages.email_channel import email_channel
from control_plane.settings import Settings

# By name: the settings as a channel, None where it is switched off. Raise ChannelError for settings that can't be used.
CHANNELS: Final[Mapping[str, Callable[[Settings], Channel | None]]] = {EMAIL: email_channel}
