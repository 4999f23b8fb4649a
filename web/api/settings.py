"""The installation's settings, as the process that answers has them: they are changed in their file; of secrets only whether they are set.

How long staff stay signed in stands in the database, and is set by a call.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.access.session_length import (
    LEAST_HOURS,
    LEAST_IDLE_MINUTES,
    MOST_HOURS,
    MOST_IDLE_MINUTES,
    IdleIsLongerError,
    change_session_length,
)
from control_plane.settings_shown import shown_secrets, shown_settings
from control_plane.store import staff_sessions as store
from web.acting import clock, person
from web.api._shapes import shaped, wrong_value
from web.calls import Noun
from web.database import Connection
from web.surroundings import here
from web.versions import check_version, tell_version

pages = Noun("settings")


class Setting(msgspec.Struct, frozen=True):
    """A key of the file with what holds; `usual`: it is the default."""

    key: str
    value: str | bool | int | float | list[str]
    usual: bool


class SettingsSection(msgspec.Struct, frozen=True):
    """A section of the file."""

    name: str
    settings: list[Setting]


class Secret(msgspec.Struct, frozen=True):
    """Whether a secret is there; `needed`: something that is set up waits for it."""

    name: str
    is_set: bool
    needed: bool


class Installation(msgspec.Struct, frozen=True):
    """All settings, and the file that they come from; empty where there is none."""

    file: str
    sections: list[SettingsSection]
    secrets: list[Secret]


class SessionLength(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long who has signed in stays in: without a click, and in any case. Tokens have ends of their own."""

    idle_minutes: Annotated[int, msgspec.Meta(ge=LEAST_IDLE_MINUTES, le=MOST_IDLE_MINUTES)]
    most_hours: Annotated[int, msgspec.Meta(ge=LEAST_HOURS, le=MOST_HOURS)]


class SetLength(SessionLength, frozen=True, kw_only=True):
    """The same, once it holds; `sessions_ended` were going on and are over by it."""

    sessions_ended: int


@pages.call("GET", "/settings", permission=Permission.SETTING_SEE, answers=Installation, does=("settings.show",))
def show(connection: Connection) -> Installation:
    """Each section with its keys; which secrets are set."""
    del connection
    settings = here().settings
    return Installation(
        settings.source_file,
        [
            SettingsSection(one.name, [shaped(Setting, entry) for entry in one.settings])
            for one in shown_settings(settings)
        ],
        [shaped(Secret, one) for one in shown_secrets(settings)],
    )


@pages.call(
    "GET",
    "/settings/sessions",
    permission=Permission.SETTING_SEE,
    answers=SessionLength,
    does=("settings.show",),
    version="told",
)
def sessions(connection: Connection) -> SessionLength:
    """How long staff stay signed in."""
    length = store.load_length(connection)
    tell_version(length)
    return shaped(SessionLength, length)


@pages.call(
    "PUT",
    "/settings/sessions",
    permission=Permission.SETTING_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=SessionLength,
    answers=SetLength,
    does=("settings.sessions",),
    version="needed",
)
def set_sessions(connection: Connection, *, body: SessionLength) -> SetLength:
    """Set how long staff stay signed in: at once, for those who are in, too."""
    check_version(store.hold_length(connection))
    length = store.SessionLength(body.idle_minutes, body.most_hours)
    try:
        ended = change_session_length(connection, length, actor=person().name, now=clock(connection))
    except IdleIsLongerError as error:
        raise wrong_value(str(error), pointer="/idle_minutes") from error
    return SetLength(idle_minutes=body.idle_minutes, most_hours=body.most_hours, sessions_ended=len(ended))
