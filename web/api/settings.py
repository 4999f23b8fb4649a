"""The installation's settings, as the process that answers has them: they are changed in their file; of secrets only whether they are set."""

from __future__ import annotations

import msgspec

from control_plane.access.permissions import Permission
from control_plane.settings_shown import shown_secrets, shown_settings
from web.api._shapes import shaped
from web.calls import Noun
from web.database import Connection
from web.surroundings import here

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
