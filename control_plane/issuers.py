"""Issuers begun and changed: what is told is checked, written and kept in the audit log. Pages, programs and commands call the same.

What is issued keeps what it was issued with; country and currency of the books stay as they began.

Next: billing/issuer_data.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from billing.country_data import load_country
from billing.errors import BillingError
from billing.issuer_data import WrongIssuerData, read_issuer_data
from billing.store.acting import acting
from billing.store.issuers import Begun, Issuer, begin_issuer, load_issuers
from billing.store.rows import update_row
from control_plane import audit

Connection = psycopg.Connection[Any]


class IssuerNameTakenError(BillingError):
    """There is an issuer of this name."""


class WrongIssuerDataError(BillingError):
    """Something that was told of an issuer can't be right."""

    def __init__(self, wrong: Sequence[WrongIssuerData]) -> None:
        super().__init__("; ".join(str(one) for one in wrong))
        self.wrong = tuple(wrong)


def begin(connection: Connection, given: Mapping[str, object], *, country: str, actor: str) -> Begun:
    """A new issuer with its chart of accounts, registers and ways of being paid, and what its country has that is not there yet.

    What is not given of zone, currency and tax regime is the country's. Raises: WrongIssuerDataError, IssuerNameTakenError.
    """
    data = load_country(country)
    given = {name: value for name, value in given.items() if value is not None}
    usual = {"currency": data.currency, "zone": data.zone, "tax_regime": data.tax_regime}
    columns = {**usual, **given, "country": country}
    read = read_issuer_data(columns, data, currency=str(columns["currency"]))
    if isinstance(read, list):
        raise WrongIssuerDataError(read)
    _demand_free_name(connection, str(read["name"]))
    acting(connection, actor)
    begun = begin_issuer(connection, read, data)
    detail = {"country": country}
    audit.append(connection, actor=actor, action="issuer.new", subject=str(read["name"]), detail=detail)
    return begun


def change(connection: Connection, issuer: Issuer, columns: Mapping[str, object], *, actor: str) -> dict[str, object]:
    """Set these columns; what was set, as it is kept. None empties one. Raises: WrongIssuerDataError, IssuerNameTakenError."""
    read = read_issuer_data(columns, load_country(issuer.country), currency=issuer.currency)
    if isinstance(read, list):
        raise WrongIssuerDataError(read)
    if read.get("name", issuer.name) != issuer.name:
        _demand_free_name(connection, str(read["name"]))
    acting(connection, actor)
    if read:
        update_row(connection, "issuer", issuer.id, read)
        audit.append(connection, actor=actor, action="issuer.edit", subject=issuer.name, detail=read)
    return read


def _demand_free_name(connection: Connection, name: str) -> None:
    if any(one.name == name for one in load_issuers(connection)):
        raise IssuerNameTakenError("there is an issuer of this name already")
