"""The channels that this installation can send by. Messages of another wait for a person.

Next: channel.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg

from billing.messages.message import EMAIL, PUSH
from control_plane.messages.channel import Channel
from control_plane.messages.email_channel import email_channel
from control_plane.messages.push_channel import push_channel
from control_plane.settings import Settings

# By name: the settings as a channel, None where it is switched off. Raise ChannelError for settings that can't be used.
CHANNELS: Final[Mapping[str, Callable[[Settings, psycopg.Connection[Any]], Channel | None]]] = {
    EMAIL: lambda settings, _: email_channel(settings),
    PUSH: push_channel,
}
# Why what is queued for one that is switched off waits.
SWITCHED_OFF: Final[Mapping[str, str]] = {
    EMAIL: "[email] host is empty in corrente.toml",
    PUSH: "this worker has no secrets key, or [email] no sender, to make the key of its notices with",
}
