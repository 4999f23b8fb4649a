"""Spooled accounting records and the network they come from: what tests of the shipper start with.

A spool file is written here as FreeRADIUS's `detail` module writes it, so that any fault can be put into it.
"""

import time
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from control_plane import db
from control_plane.accounting.shipper import Shipper
from control_plane.settings import Settings
from radius_hooks.packet import class_value

NOON = int(datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp())
_RETENTION = ("address_history_days", "closed_session_days", "login_attempt_days", "usage_hour_days", "usage_day_days")


def settings_for(base, conninfo, *, zone="Europe/Rome", **sections):
    """Settings whose state is below `base` and whose database is `conninfo`; `sections` are overrides."""
    raw = {
        "base_dir": str(base),
        "operator": {"billing_zone": zone},
        "database": {"conninfo": conninfo},
        # The records are of a fixed day, the clock goes on.
        "retention": dict.fromkeys(_RETENTION, 36500) | sections.pop("retention", {}),
        "edge": {"spool_grace_s": 0.05, "spool_interval_s": 0.02, **sections.pop("edge", {})},
        **sections,
    }
    settings = msgspec.convert(raw, Settings)
    settings.accounting_spool_dir.mkdir(parents=True, exist_ok=True)
    settings.login_spool_dir.mkdir(parents=True, exist_ok=True)
    return settings


def add_network(connection, *, nases=("127.0.0.1",), usernames=("anna", "bruno")):
    """NASes and accounts in service; returns the accounts' numbers by username."""
    for number, source in enumerate(nases, start=1):
        connection.execute(
            "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES (%s, %s, 'mikrotik', %s)",
            (f"nas-{number}", source, bytes(40)),
        )
    connection.execute("INSERT INTO profile (name, interim_interval_s) VALUES ('Home', 600)")
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', id, id, id FROM profile"
    )
    connection.execute("INSERT INTO customer (name) VALUES ('Anna')")
    connection.execute(
        "INSERT INTO contract (customer_id, plan_id, status) SELECT c.id, p.id, 'active' FROM customer c, plan p"
    )
    connection.execute(
        "INSERT INTO subscriber_account (contract_id, username, sealed_secret) "
        "SELECT contract.id, u, %s FROM contract, unnest(%s::text[]) u",
        (bytes(48), list(usernames)),
    )
    connection.commit()
    return dict(connection.execute("SELECT username, id FROM subscriber_account").fetchall())


def detail(kind, *, at=NOON, session="s1", user="anna", source="127.0.0.1", key=None, **attributes):
    """One record as `detail` writes it. `key` is the session key of our Class; `time`, `octets` (in, out) and any
    attribute with its printed value may be added: names with `_` for `-`. An attribute of None is left out."""
    lines = {
        ("Packet-Src-IPv6-Address" if ":" in source else "Packet-Src-IP-Address"): source,
        "Acct-Status-Type": kind,
    }
    if kind not in ("Accounting-On", "Accounting-Off"):
        lines |= {"Acct-Session-Id": f'"{session}"', "User-Name": f'"{user}"'}
    if key is not None:
        lines["Class"] = class_value(key, b"profacct")
    if "time" in attributes:
        lines["Acct-Session-Time"] = str(attributes.pop("time"))
    if "octets" in attributes:
        octets_in, octets_out = attributes.pop("octets")
        wide = attributes.pop("wide", True)
        lines["Acct-Input-Octets"], lines["Acct-Output-Octets"] = str(octets_in % 2**32), str(octets_out % 2**32)
        if wide:
            lines["Acct-Input-Gigawords"] = str(octets_in >> 32)
            lines["Acct-Output-Gigawords"] = str(octets_out >> 32)
    lines.setdefault("Acct-Delay-Time", "0")
    lines |= {name.replace("_", "-"): value for name, value in attributes.items()}
    lines["Timestamp"] = str(at)
    header = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(at))
    body = "".join(f"\t{name} = {value}\n" for name, value in lines.items() if value is not None)
    return f"{header}\n{body}\n"


def spool(settings, *records, mode="ab"):
    """Append records to the live accounting file."""
    with (settings.accounting_spool_dir / "detail").open(mode) as file:
        file.write("".join(records).encode())


@contextmanager
def shipping(settings, *, deadline_s=240.0):
    """One shipper; each call of what the block gets lets it work until both spools are read and all files deleted."""
    shipper = Shipper(settings)

    def ship_all():
        until = time.monotonic() + deadline_s
        while shipper.turn() or any(settings.accounting_spool_dir.iterdir()) or any(settings.login_spool_dir.iterdir()):
            assert time.monotonic() < until, f"spool not read: {list(settings.accounting_spool_dir.iterdir())}"
            time.sleep(0.01)

    try:
        yield ship_all
    finally:
        shipper.disconnect()


def ship(settings, *, deadline_s=240.0):
    """Run a shipper until both spools are read and all files deleted."""
    with shipping(settings, deadline_s=deadline_s) as ship_all:
        ship_all()


def rows(conninfo, sql, *parameters):
    """What a query returns, with a connection of its own."""
    with db.connect(conninfo, name="test") as connection:
        return connection.execute(sql, parameters).fetchall()
