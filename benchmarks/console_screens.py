"""The commonest screens of the console, and what a usual admin panel asks the database for the same.

The rival's page begins at an OFFSET and counts all that it pages through, finds by `ILIKE '%…%'` over the columns it shows, and adds
raw rows up: by hour for usage, all live sessions for figures. Only its queries are timed, against the clock of the whole page here.

Next: console.py
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import psycopg

from benchmarks.console_web import Browser

# What every contract of the house has.
PLAN: Final = "Home 30"
Ask = Callable[["Known", Browser], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """Something of everything, drawn anew for each time a screen is asked for."""

    username: str
    customer: int
    name: str
    contract: int
    mac: str
    address: str
    nas: str
    label: str
    skip: int


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen: how it is asked for, the rival's statements with values of Known, and whose screen it is: a field of Served."""

    name: str
    ask: Ask
    naive: tuple[str, ...]
    who: str = "staff"


_DRAW: Final = """
SELECT s.username, k.customer_id, c.name, k.id, s.mac, host(s.framed_ipv4), n.name, d.label
FROM unnest(%s::bigint[]) AS drawn JOIN session AS s ON s.account_id = drawn JOIN subscriber_account AS a ON a.id = drawn JOIN contract AS k ON k.id = a.contract_id
    JOIN customer AS c ON c.id = k.customer_id JOIN nas AS n ON n.id = s.nas_id JOIN LATERAL (SELECT label FROM document WHERE customer_id = k.customer_id AND label IS NOT NULL ORDER BY id DESC LIMIT 1) AS d ON true
"""


def draw(connection: psycopg.Connection[Any], sessions: int, times: int, seed: int = 7) -> list[Known]:
    """So many, always the same ones of a house."""
    chance = random.Random(seed)
    numbers = [chance.randint(1, sessions) for _ in range(times)]
    return [
        Known(*row, chance.randint(0, sessions // 100) * 50) for row in connection.execute(_DRAW, (numbers,)).fetchall()
    ]


def _get(path: str, **asked: str) -> Callable[[Known, Browser], tuple[int, str]]:
    """A page whose address and questions name what is drawn: `{username}`."""

    def ask(known: Known, browser: Browser) -> tuple[int, str]:
        values = {name: getattr(known, name) for name in Known.__slots__}
        filled = {name: text.format(**values) for name, text in asked.items()}
        where = path.format(**{name: quote(str(value)) for name, value in values.items()})
        return browser.get(where + (f"?{urlencode(filled)}" if filled else ""))

    return ask


def _who_had(known: Known, browser: Browser) -> tuple[int, str]:
    hour_ago = datetime.now(ZoneInfo("Europe/Rome")) - timedelta(hours=1)
    return browser.send("/who-had", address=known.address, at=f"{hour_ago:%Y-%m-%dT%H:%M}", reason="benchmark")


def _price_change(known: Known, browser: Browser) -> tuple[int, str]:
    """What five percent more come to for everybody: the page before it is asked for, which changes nothing."""
    day = datetime.now(ZoneInfo("Europe/Rome")).date() + timedelta(days=40)
    return browser.send("/price-changes", product=PLAN, percent="5", day=f"{day:%Y-%m-%d}", currency="EUR", taxed="net")


_SESSION_COLUMNS: Final = """SELECT s.*, a.*, c.*, n.name FROM session AS s LEFT JOIN subscriber_account AS a ON a.id = s.account_id
    LEFT JOIN contract AS k ON k.id = a.contract_id LEFT JOIN customer AS c ON c.id = k.customer_id JOIN nas AS n ON n.id = s.nas_id"""
_BY_NAME: Final = (
    "SELECT count(*) FROM customer AS c JOIN address AS a ON a.customer_id = c.id LEFT JOIN contact AS t ON t.customer_id = c.id LEFT JOIN tax_identifier AS x ON x.customer_id = c.id"
    " WHERE c.name ILIKE %(like_name)s OR a.city ILIKE %(like_name)s OR t.email ILIKE %(like_name)s OR t.mobile ILIKE %(like_name)s OR x.number ILIKE %(like_name)s",
    "SELECT DISTINCT c.* FROM customer AS c JOIN address AS a ON a.customer_id = c.id LEFT JOIN contact AS t ON t.customer_id = c.id LEFT JOIN tax_identifier AS x ON x.customer_id = c.id"
    " WHERE c.name ILIKE %(like_name)s OR a.city ILIKE %(like_name)s OR t.email ILIKE %(like_name)s OR t.mobile ILIKE %(like_name)s OR x.number ILIKE %(like_name)s ORDER BY c.name LIMIT 50",
)
_OWING: Final = """FROM (SELECT d.customer_id, d.payable - coalesce(sum(a.amount), 0) AS open, min(d.document_date) AS since FROM document AS d LEFT JOIN allocation AS a ON a.invoice_id = d.id
    WHERE d.kind = 'invoice' AND d.state = 'issued' GROUP BY d.id HAVING d.payable > coalesce(sum(a.amount), 0)) AS o JOIN customer AS c ON c.id = o.customer_id JOIN address AS w ON w.customer_id = c.id"""
_ROUND: Final = (
    f"SELECT count(*), sum(o.open) {_OWING}",
    f"SELECT c.id, c.name, w.street, w.city, sum(o.open) {_OWING} GROUP BY c.id, w.id ORDER BY min(o.since) LIMIT 40",
)
_ROUND_BY_WORDS: Final = (
    f"SELECT count(*), sum(o.open) {_OWING}",
    f"SELECT c.id, c.name, w.street, w.city, sum(o.open) {_OWING} WHERE c.name ILIKE %(like_name)s OR w.street ILIKE %(like_name)s OR w.city ILIKE %(like_name)s GROUP BY c.id, w.id ORDER BY min(o.since) LIMIT 40",
)
SCREENS: Final = (
    Screen(
        "home",
        _get("/home"),
        (
            "SELECT count(*), count(DISTINCT username) FROM session",
            "SELECT n.name, count(s.session_key), max(s.received_at) FROM nas AS n LEFT JOIN session AS s ON s.nas_id = n.id GROUP BY n.name",
            "SELECT outcome, reason, count(*) FROM login_attempt WHERE at > now() - interval '1 day' GROUP BY 1, 2",
            "SELECT state, count(*) FROM enforcement GROUP BY 1",
        ),
    ),
    Screen(
        "online report",
        _get("/online"),
        ("SELECT count(*) FROM session", f"{_SESSION_COLUMNS} ORDER BY s.started_at DESC LIMIT 50 OFFSET %(skip)s"),
    ),
    Screen(
        "online: a NAS's, by traffic now",
        _get("/online", nas="{nas}", sort="-now"),
        (
            "SELECT count(*) FROM session AS s JOIN nas AS n ON n.id = s.nas_id WHERE n.name ILIKE %(like_nas)s",
            f"{_SESSION_COLUMNS} WHERE n.name ILIKE %(like_nas)s ORDER BY s.rate_in_bps + s.rate_out_bps DESC LIMIT 50",
        ),
    ),
    Screen(
        "online: a username",
        _get("/online", username="{username}"),
        (
            "SELECT count(*) FROM session WHERE username ILIKE %(like_username)s",
            f"{_SESSION_COLUMNS} WHERE s.username ILIKE %(like_username)s ORDER BY s.started_at DESC LIMIT 50",
        ),
    ),
    Screen(
        "account",
        _get("/accounts/{username}"),
        (
            "SELECT a.*, k.*, c.* FROM subscriber_account AS a JOIN contract AS k ON k.id = a.contract_id JOIN customer AS c ON c.id = k.customer_id WHERE lower(a.username) = lower(%(username)s)",
            "SELECT * FROM session WHERE lower(username) = lower(%(username)s)",
            "SELECT count(*) FROM login_attempt WHERE lower(username) = lower(%(username)s)",
            "SELECT * FROM login_attempt WHERE lower(username) = lower(%(username)s) ORDER BY at DESC LIMIT 20",
        ),
    ),
    Screen(
        "account: usage by day and month",
        _get("/accounts/{username}/usage"),
        (
            "SELECT date_trunc('month', started_at), sum(octets_in), sum(octets_out) FROM closed_session WHERE lower(username) = lower(%(username)s) GROUP BY 1",
            "SELECT date_trunc('day', u.hour), sum(u.octets_in), sum(u.octets_out) FROM usage_hour AS u JOIN subscriber_account AS a ON a.id = u.account_id WHERE lower(a.username) = lower(%(username)s) GROUP BY 1",
        ),
    ),
    Screen(
        "customers",
        _get("/customers"),
        (
            "SELECT count(*) FROM customer",
            "SELECT c.*, (SELECT count(*) FROM contract AS k WHERE k.customer_id = c.id), (SELECT sum(d.payable) FROM document AS d WHERE d.customer_id = c.id) FROM customer AS c ORDER BY lower(c.name) LIMIT 50 OFFSET %(skip)s / 10",
        ),
    ),
    Screen("search: a customer's name", _get("/search", q="{name}"), _BY_NAME),
    Screen(
        "search: a MAC address",
        _get("/search", q="{mac}"),
        (
            "SELECT count(*) FROM session WHERE mac ILIKE %(like_mac)s",
            "SELECT * FROM session WHERE mac ILIKE %(like_mac)s LIMIT 50",
        ),
    ),
    Screen(
        "search: an IP address",
        _get("/search", q="{address}"),
        (
            "SELECT count(*) FROM session WHERE host(framed_ipv4) ILIKE %(like_address)s",
            "SELECT * FROM session WHERE host(framed_ipv4) ILIKE %(like_address)s LIMIT 50",
        ),
    ),
    Screen(
        "customer",
        _get("/customers/{customer}"),
        (
            "SELECT * FROM customer WHERE id = %(customer)s",
            "SELECT * FROM contract AS k JOIN subscriber_account AS a ON a.contract_id = k.id LEFT JOIN session AS s ON lower(s.username) = lower(a.username) WHERE k.customer_id = %(customer)s",
            "SELECT count(*), sum(payable) FROM document WHERE customer_id = %(customer)s",
            "SELECT d.*, l.* FROM document AS d JOIN document_line AS l ON l.document_id = d.id WHERE d.customer_id = %(customer)s ORDER BY d.document_date DESC",
            "SELECT * FROM audit_log WHERE subject ILIKE %(like_customer)s ORDER BY at DESC LIMIT 20",
        ),
    ),
    Screen(
        "contract",
        _get("/contracts/{contract}"),
        (
            "SELECT * FROM contract AS k JOIN customer AS c ON c.id = k.customer_id JOIN contract_item AS i ON i.contract_id = k.id WHERE k.id = %(contract)s",
            "SELECT * FROM subscriber_account AS a LEFT JOIN session AS s ON lower(s.username) = lower(a.username) WHERE a.contract_id = %(contract)s",
            "SELECT d.* FROM document AS d WHERE d.id IN (SELECT document_id FROM document_line WHERE contract_id = %(contract)s) ORDER BY d.document_date DESC",
        ),
    ),
    Screen(
        "documents",
        _get("/documents"),
        (
            "SELECT count(*), sum(gross) FROM document WHERE state <> 'draft'",
            "SELECT d.*, c.name FROM document AS d JOIN customer AS c ON c.id = d.customer_id ORDER BY d.document_date DESC, d.id DESC LIMIT 50 OFFSET %(skip)s",
        ),
    ),
    Screen(
        "payments",
        _get("/payments"),
        (
            "SELECT count(*), sum(amount) FROM payment",
            "SELECT p.*, c.name FROM payment AS p LEFT JOIN customer AS c ON c.id = p.customer_id ORDER BY p.value_on DESC, p.id DESC LIMIT 50 OFFSET %(skip)s",
        ),
    ),
    Screen(
        "debtors",
        _get("/dunning"),
        (
            "SELECT count(*) FROM (SELECT d.customer_id FROM document AS d LEFT JOIN allocation AS a ON a.invoice_id = d.id GROUP BY d.id HAVING d.payable > coalesce(sum(a.amount), 0)) AS o",
            "SELECT c.name, sum(o.open) FROM (SELECT d.customer_id, d.payable - coalesce(sum(a.amount), 0) AS open FROM document AS d LEFT JOIN allocation AS a ON a.invoice_id = d.id GROUP BY d.id HAVING d.payable > coalesce(sum(a.amount), 0)) AS o"
            " JOIN customer AS c ON c.id = o.customer_id GROUP BY c.id ORDER BY 2 DESC LIMIT 50",
        ),
    ),
    Screen(
        "who had an address",
        _who_had,
        (
            "SELECT * FROM session WHERE host(framed_ipv4) = %(address)s",
            "SELECT * FROM closed_session WHERE host(framed_ipv4) = %(address)s AND now() BETWEEN started_at AND ended_at",
        ),
    ),
    Screen(
        "NASes",
        _get("/nases"),
        (
            "SELECT n.*, count(s.session_key), max(s.updated_at), sum(s.octets_in) FROM nas AS n LEFT JOIN session AS s ON s.nas_id = n.id GROUP BY n.id ORDER BY n.name",
        ),
    ),
    Screen(
        "a NAS's form",
        _get("/nases/{nas}/edit"),
        (
            "SELECT n.*, (SELECT count(*) FROM session AS s WHERE s.nas_id = n.id AND NOT s.stale) FROM nas AS n WHERE n.name = %(nas)s",
        ),
    ),
    Screen(
        "the guard, 20,000 changes waiting",
        _get("/guard"),
        (
            "SELECT count(*), count(DISTINCT username) FROM enforcement WHERE closed_at IS NULL AND disruptive",
            "SELECT e.*, a.*, c.* FROM enforcement AS e LEFT JOIN subscriber_account AS a ON a.id = e.account_id LEFT JOIN contract AS k ON k.id = a.contract_id LEFT JOIN customer AS c ON c.id = k.customer_id"
            " WHERE e.closed_at IS NULL AND e.disruptive ORDER BY e.id LIMIT 50",
        ),
    ),
    Screen("a collector's round of everyone", _get("/field"), _ROUND, who="collector"),
    Screen("the round, by words", _get("/field", q="{name}"), _ROUND_BY_WORDS, who="collector"),
    Screen("the round, by street", _get("/field", by="way"), _ROUND, who="collector"),
    Screen(
        "what a new price comes to",
        _price_change,
        (
            "SELECT i.*, t.*, c.*, b.* FROM contract_item AS i JOIN product AS p ON p.id = i.product_id JOIN contract AS c ON c.id = i.contract_id JOIN contract_terms AS t ON t.contract_id = c.id"
            " JOIN billing_position AS b ON b.item_id = i.id WHERE p.kind = 'plan' AND c.status = 'active' AND i.ends_on IS NULL",
        ),
    ),
)
