"""`corrente profile`: what the network can give."""

from __future__ import annotations

from typing import Any, Final

import click

from control_plane import audit
from control_plane.cli._console import open_database, os_user, print_json, print_table
from control_plane.cli._options import DURATION, OCTETS, RATES
from control_plane.quantities import Rates, duration_text, octets_text, rates_text
from control_plane.settings import Settings
from control_plane.store.plan import Profile, load_profiles, save_new_profile

command = click.Group("profile", help="Profiles: rates, pools, lists, quota and timeouts, in no vendor's words.")

_RATES: Final = ("rate", "burst", "burst_threshold", "minimum")


@command.command("add")
@click.argument("name")
@click.option("--rate", type=RATES, metavar="DOWN/UP", help="Such as 300M/30M: to the subscriber, from the subscriber.")
@click.option("--burst", type=RATES, metavar="DOWN/UP", help="Short-term rates above the rate.")
@click.option("--burst-threshold", type=RATES, metavar="DOWN/UP", help="Average below which a burst is given.")
@click.option("--burst-time", "burst_time_s", type=DURATION, help="Over which the average is taken, such as 10s.")
@click.option("--minimum", type=RATES, metavar="DOWN/UP", help="Rates kept free also when the line is full.")
@click.option("--priority", type=click.IntRange(1, 8), help="1 is served first.")
@click.option("--address-list", "address_lists", multiple=True, help="Firewall list on the device; repeat for several.")
@click.option("--ipv4-pool", help="Name of a pool on the device.")
@click.option("--ipv6-pool", help="Name of a pool on the device.")
@click.option("--delegated-ipv6-pool", help="Name of a pool on the device.")
@click.option("--filter", help="Name of a filter on the device.")
@click.option("--quota", "quota_octets", type=OCTETS, help="Both ways in a calendar month, such as 500G.")
@click.option("--session-timeout", "session_timeout_s", type=DURATION, help="Such as 30d.")
@click.option("--idle-timeout", "idle_timeout_s", type=DURATION, help="Such as 30m.")
@click.option("--interim", "interim_interval_s", type=DURATION, help="How often a session reports; 10m by default.")
@click.option("--no-interim", is_flag=True, help="Send no interval: the device's own holds.")
@click.pass_obj
def add(settings: Settings, /, name: str, *, no_interim: bool, **options: Any) -> None:
    """Add profile NAME. What is left out is left to the device."""
    if no_interim and options["interim_interval_s"] is not None:
        raise click.UsageError("--no-interim excludes --interim")
    columns = profile_columns(options)
    if no_interim:
        columns["interim_interval_s"] = None
    with open_database(settings) as connection:
        save_new_profile(connection, {"name": name, **columns})
        audit.append(connection, actor=os_user(), action="profile.add", subject=name, detail=columns)
    rates: Rates | None = options["rate"]
    said = rates_text(rates.down_bps, rates.up_bps) if rates else "no rate limit"
    click.echo(f"Added profile {name}: {said}.")
    if rates is not None and rates.up_bps > rates.down_bps:
        click.echo("Note: up is faster than down here; the first number is down, to the subscriber.", err=True)


def profile_columns(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as columns of the table: each pair of rates is two of them."""
    columns: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == ():
            continue
        if name in _RATES:
            columns |= {f"{name}_down_bps": value.down_bps, f"{name}_up_bps": value.up_bps}
        else:
            columns[name] = list(value) if isinstance(value, tuple) else value
    return columns


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all of them."""
    with open_database(settings) as connection:
        profiles = load_profiles(connection)
    if as_json:
        print_json(profiles)
        return
    print_table(
        ("NAME", "RATES", "BURST", "POOLS AND LISTS", "QUOTA", "INTERIM", "PLANS"),
        (
            (
                profile.name,
                rates_text(profile.rate_down_bps, profile.rate_up_bps) or "no limit",
                rates_text(profile.burst_down_bps, profile.burst_up_bps),
                ", ".join(_places(profile)),
                octets_text(profile.quota_octets) if profile.quota_octets else "",
                duration_text(profile.interim_interval_s) if profile.interim_interval_s else "the device's",
                ", ".join(profile.plans) or "none",
            )
            for profile in profiles
        ),
        empty="There is no profile yet: corrente profile add NAME --rate 300M/30M",
    )


def _places(profile: Profile) -> list[str]:
    pools = (profile.ipv4_pool, profile.ipv6_pool, profile.delegated_ipv6_pool, profile.filter)
    return [*(name for name in pools if name), *profile.address_lists]
