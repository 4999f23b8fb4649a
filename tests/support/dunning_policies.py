"""Policies and places for tests of dunning: the two that an issuer may begin with, and changes of them."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from billing.country_data import load_country
from billing.dunning.policy import Policy
from billing.dunning.policy_data import Place, default_policy, read_policy

ITALY = Place("IT", ZoneInfo("Europe/Rome"), load_country("IT").dunning_floors)
ECUADOR = Place("EC", ZoneInfo("America/Guayaquil"), ())
SINCE = date(2026, 1, 1)


def policy_of(place: Place, **changes: Any) -> Policy:
    """The first policy of a place with fields replaced; it is right."""
    read = read_policy({**default_policy(place), **changes}, place, since=SINCE)
    assert isinstance(read, Policy), [str(one) for one in read]
    return read


def errors_of(
    place: Place, *, steps: dict[str, dict[str, Any]] | None = None, **changes: Any
) -> list[tuple[str | None, str]]:
    """Step and field of all that is wrong when fields are replaced, those of a step by its code."""
    data = default_policy(place)
    data["step"] = [{**one, **(steps or {}).get(one["code"], {})} for one in data["step"]]
    read = read_policy({**data, **changes}, place, since=SINCE)
    return [] if isinstance(read, Policy) else [(one.step, one.field) for one in read]
