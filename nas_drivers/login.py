"""What vendor files say alike of a login: attributes that have a value, and sentences for what has no attribute. Pure.

Next: vendors/mikrotik.py
"""

from __future__ import annotations

from collections.abc import Iterable

from nas_drivers.policy import Attribute


def given_attributes(named: Iterable[tuple[str, str | None]]) -> tuple[Attribute, ...]:
    """One attribute for each name that has a value."""
    return tuple(Attribute(name, ":=", value) for name, value in named if value is not None)


def cannot_be_told(device: str, wanted: Iterable[tuple[str, object, str]]) -> tuple[str, ...]:
    """A sentence for each thing of a profile that is wanted, `(what, value, what to do instead)`; see NasDriver.unsupported."""
    return tuple(f"{device} can't be told {what} by RADIUS{instead}" for what, value, instead in wanted if value)
