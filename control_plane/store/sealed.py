"""A sample of the secrets that the database keeps sealed: does the key at hand open them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from radius_hooks.sealing import Sealer, SealError, account_row, nas_row

_OF_EACH: Final = 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed secret and the row that it belongs to, as the seal names it."""

    row: str
    value: bytes


def load_sealed_sample(connection: psycopg.Connection[Any]) -> list[Sealed]:
    """The first NASes' secrets and the first accounts'; empty while there are none."""
    nases = connection.execute("SELECT id, sealed_secret FROM nas ORDER BY id LIMIT %s", (_OF_EACH,)).fetchall()
    accounts = connection.execute(
        "SELECT id, sealed_secret FROM subscriber_account WHERE secret_kind <> 'no_secret' ORDER BY id LIMIT %s",
        (_OF_EACH,),
    ).fetchall()
    return [
        *(Sealed(nas_row(number), bytes(value)) for number, value in nases),
        *(Sealed(account_row(number), bytes(value)) for number, value in accounts),
    ]


def opens(sealer: Sealer, sealed: Sealed) -> bool:
    """Whether that key opens it."""
    try:
        sealer.open(sealed.value, row=sealed.row)
    except SealError:
        return False
    return True
