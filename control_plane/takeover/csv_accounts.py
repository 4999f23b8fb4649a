"""A CSV file of accounts to what we want to be there: every refusal with the line it stands in. Pure.

Columns are found by their names in the first line; `docs/samples/accounts.csv` shows all of them. Comma or semicolon,
UTF-8 with or without a byte order mark, several values in one field apart by spaces.

Next: wanted.py
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from control_plane.quantities import Network, QuantityError, read_instant, read_mac, read_network
from control_plane.takeover.conflicts import is_assignable, shared_prefix_findings
from control_plane.takeover.wanted import Finding, Verdict, Wanted, WantedAccount, WantedPrefix

REQUIRED: Final = ("username", "password", "plan")
COLUMNS: Final = (
    *REQUIRED, "customer", "status", "static_ipv4", "ipv6_prefix", "delegated_prefix", "routes", "mac", "max_sessions", "expires",
)  # fmt: skip
_STATUSES: Final = ("draft", "proposal", "pending", "trial", "active", "free", "cancelled")
MAX_SESSIONS: Final = 1000
MAX_TEXT_OCTETS: Final = 253
_PREFIX_COLUMNS: Final = {
    "static_ipv4": "framed_ipv4",
    "ipv6_prefix": "framed_ipv6_prefix",
    "delegated_prefix": "delegated_ipv6_prefix",
    "routes": "route",
}


class CsvError(Exception):
    """The file can't be read as a whole; the message says why and what to do."""


class _RefusedError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Known:
    """What the lines are checked against: the plans there are, the billing zone and the present."""

    plans: Collection[str]
    zone: ZoneInfo
    now: datetime


def read_accounts(octets: bytes, known: Known) -> Wanted:
    """The accounts of a file. Raises: CsvError when it has no usable header."""
    rows = _rows(_text(octets))
    accounts: list[WantedAccount] = []
    findings: list[Finding] = []
    lines: dict[str, int] = {}
    for number, row in rows:
        where = f"line {number}"
        try:
            account = _account(where, row, known)
            if account.username in lines:
                raise _RefusedError(f"username {account.username!r} stands in line {lines[account.username]} already")
        except _RefusedError as refused:
            findings.append(Finding(Verdict.REFUSED, where, str(refused)))
            continue
        lines[account.username] = number
        accounts.append(account)
    refused_names, shared = shared_prefix_findings(accounts)
    kept = tuple(account for account in accounts if account.username not in refused_names)
    return Wanted(accounts=kept, findings=(*findings, *shared))


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise CsvError(f"line {line}: this is no UTF-8: save the file as UTF-8") from error


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    header = text.split("\n", 1)[0].rstrip("\r")
    if not header.strip():
        raise CsvError(f"line 1: no header; it names the columns: {', '.join(COLUMNS)}")
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader)]
        _check_header(names)
        rows = []
        last = reader.line_num
        for values in reader:
            number, last = last + 1, reader.line_num
            if values and any(value.strip() for value in values):
                rows.append((number, _named(names, values)))
    except csv.Error as error:
        raise CsvError(f"line {reader.line_num}: {error}") from error
    return rows


def _check_header(names: list[str]) -> None:
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(COLUMNS)}"
            raise CsvError(f"line 1: unknown column {name!r}{hint}")
        if names.count(name) > 1:
            raise CsvError(f"line 1: column {name!r} stands there twice")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise CsvError(f"line 1: column {', '.join(missing)} is missing")


def _named(names: list[str], values: list[str]) -> dict[str, str]:
    # A line of another width is refused where its number is known.
    if len(values) != len(names):
        return {"": f"{len(values)} fields, the header has {len(names)}"}
    return dict(zip(names, values, strict=True))


def _account(where: str, row: Mapping[str, str], known: Known) -> WantedAccount:
    if "" in row:
        raise _RefusedError(row[""])
    for column, value in row.items():
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
            raise _RefusedError(f"{column}: holds a control character")
        if len(value.encode()) > MAX_TEXT_OCTETS:
            raise _RefusedError(f"{column}: {len(value.encode())} octets, {MAX_TEXT_OCTETS} are the most")
    get = {column: value.strip() for column, value in row.items()}.get
    username = get("username", "")
    if not username:
        raise _RefusedError("username: is empty")
    # A password is taken as it stands, spaces included.
    password = row["password"]
    if not password:
        raise _RefusedError("password: is empty")
    plan = get("plan", "")
    if plan not in known.plans:
        raise _RefusedError(f"plan: {_unknown_plan(plan, known.plans)}")
    return WantedAccount(
        where=where,
        username=username,
        secret_kind="clear",  # noqa: S106 - the name of a kind
        secret=password.encode(),
        plan=plan,
        customer=get("customer", ""),
        status=_status(get("status", "")),
        expires_at=_expires_at(get("expires", ""), known),
        max_sessions=_max_sessions(get("max_sessions", "")),
        macs=_macs(get("mac", "")),
        prefixes=_prefixes(get),
    )


def _unknown_plan(plan: str, plans: Collection[str]) -> str:
    near = difflib.get_close_matches(plan, plans, n=1, cutoff=0.4)
    if near:
        return f"there is no plan {plan!r}; did you mean {near[0]!r}?"
    return f"there is no plan {plan!r}; make it with `corrente plan add`"


def _in_column(column: str, problem: QuantityError) -> _RefusedError:
    return _RefusedError(f"{column}: {problem}")


def _status(text: str) -> str:
    if text and text not in _STATUSES:
        raise _RefusedError(f"status: {text!r} is none of {', '.join(_STATUSES)}")
    return text or "active"


def _max_sessions(text: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_SESSIONS:
        raise _RefusedError(f"max_sessions: {text!r}: expected 0 (no limit) to {MAX_SESSIONS}")
    return int(text)


def _expires_at(text: str, known: Known) -> datetime | None:
    if not text:
        return None
    if text.startswith("+"):
        raise _RefusedError("expires: a time from now on would be another one at the next reading; write a date")
    try:
        return read_instant(text, zone=known.zone, now=known.now)
    except QuantityError as error:
        raise _in_column("expires", error) from error


def _macs(text: str) -> tuple[str, ...]:
    try:
        return tuple(read_mac(word) for word in text.split())
    except QuantityError as error:
        raise _in_column("mac", error) from error


def _prefixes(get: Callable[[str, str], str]) -> tuple[WantedPrefix, ...]:
    found: list[WantedPrefix] = []
    for column, kind in _PREFIX_COLUMNS.items():
        words = get(column, "").split()
        if len(words) > 1 and kind != "route":
            raise _RefusedError(f"{column}: one address or prefix, not {len(words)}")
        for word in words:
            try:
                network = read_network(word)
            except QuantityError as error:
                raise _in_column(column, error) from error
            problem = _prefix_problem(kind, network)
            if problem:
                raise _RefusedError(f"{column}: {word}: {problem}")
            found.append(WantedPrefix(kind, str(network)))
    return tuple(found)


def _prefix_problem(kind: str, network: Network) -> str:
    if kind == "framed_ipv4" and (network.version != 4 or network.prefixlen != 32):
        return "expected one IPv4 address"
    if kind in ("framed_ipv6_prefix", "delegated_ipv6_prefix") and network.version != 6:
        return "expected an IPv6 prefix such as 2001:db8:1::/56"
    if not is_assignable(network, kind):
        return "no subscriber can have this: loopback, multicast, link-local, reserved, or too large"
    return ""
