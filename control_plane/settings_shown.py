"""The settings as a page shows them: each key with its value and whether it is the usual one; of secrets only whether they are there.

Next: settings.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, Literal

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from control_plane.settings import Settings, SettingsError, password_of, secret_keys
from nas_drivers.driver import driver_for

HIDDEN: Final = "***"
_PASSWORDS: Final[tuple[Literal["email", "mailbox"], ...]] = ("email", "mailbox")
_SECRET_WORDS: Final = ("password", "secret", "token")


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A key of the file with what holds; `usual`: it is the default."""

    key: str
    value: str | bool | int | float | list[str]
    usual: bool


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section of the file."""

    name: str
    settings: tuple[ShownSetting, ...]


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """A secret, by the variable that it comes from; `needed`: something that is set up waits for it."""

    name: str
    is_set: bool
    needed: bool


def shown_settings(settings: Settings) -> list[ShownSection]:
    """All sections in the order of the file, with no password in them."""
    usual = Settings()
    found = [
        ShownSection(one.name, tuple(_entries(getattr(settings, one.name), getattr(usual, one.name))))
        for one in msgspec.structs.fields(Settings)
        if isinstance(getattr(usual, one.name), msgspec.Struct)
    ]
    for vendor, options in sorted(settings.drivers.items()):
        found.append(ShownSection(f"drivers.{vendor}", tuple(_entries(options, driver_for(vendor).options))))
    return found


def shown_secrets(settings: Settings) -> list[ShownSecret]:
    """The secrets that come from elsewhere than the file, and whether this process has them."""
    found = [ShownSecret("CORRENTE_SECRETS_KEY", _is_there(lambda: secret_keys(settings)), needed=True)]
    for what in _PASSWORDS:
        section = getattr(settings, what)
        is_set = _is_there(lambda what=what: password_of(settings, what))
        found.append(ShownSecret(f"CORRENTE_{what.upper()}_PASSWORD", is_set, bool(section.host and section.username)))
    return found


def _entries(section: Any, usual: Any) -> Iterator[ShownSetting]:
    names = [one.name for one in (fields(section) if is_dataclass(section) else msgspec.structs.fields(section))]
    for name in names:
        value = getattr(section, name)
        yield ShownSetting(name, _shown(name, value), value == getattr(usual, name))


def _shown(key: str, value: Any) -> str | bool | int | float | list[str]:
    if key == "conninfo":
        return _without_password(value)
    if any(word in key for word in _SECRET_WORDS) and isinstance(value, str) and value:
        return HIDDEN
    if isinstance(value, list | tuple | set | frozenset):
        return [str(one) for one in value]
    return value if isinstance(value, str | bool | int | float) else str(value)


def _without_password(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    return make_conninfo("", **{name: HIDDEN if "password" in name else value for name, value in parts.items()})


def _is_there(ask: Any) -> bool:
    try:
        return bool(ask())
    except SettingsError:
        return False
