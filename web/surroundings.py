"""What every view stands on: the settings, the database, the keys and the streams of this process.

Next: acting.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from flask import current_app

from control_plane.settings import Settings, SettingsError, secret_keys
from radius_hooks.sealing import Sealer, SealError
from web.database import Database
from web.live import Streams

_NAME: Final = "corrente"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One set a process. `sealer` is None where the process was given no key: nothing that is sealed can be shown or written."""

    settings: Settings
    database: Database
    streams: Streams
    sealer: Sealer | None


def surround(settings: Settings) -> Surroundings:
    """Made once, when the application is. It opens nothing yet: a database that is away is told by the page that needs it."""
    database = Database(settings)
    try:
        sealer = Sealer(secret_keys(settings))
    except (SettingsError, SealError):
        sealer = None
    return Surroundings(settings, database, Streams(database, each=settings.web.streams_per_person), sealer)


def here() -> Surroundings:
    """This application's, in a request."""
    return cast(Surroundings, current_app.extensions[_NAME])


def install(app: object, surroundings: Surroundings) -> None:
    """Hand them to an application."""
    app.extensions[_NAME] = surroundings  # type: ignore[attr-defined]
