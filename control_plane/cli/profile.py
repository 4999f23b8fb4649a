"""`corrente profile`: what the network can give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import click

from control_plane.cli._console import changed_words, open_database, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._options import DEVICE_POLICY, DURATION, OCTETS, RATES, confirm, tell_live
from control_plane.profiles import add_profile, change_profile, load_concerned
from control_plane.quantities import Rates, duration_text, octets_text, rates_text
from control_plane.settings import Settings
from control_plane.store.plan import Profile, load_profiles

command = Group("profile", help="Profiles: rates, pools, lists, quota and timeouts, in no vendor's words.")

_RATES: Final = ("rate", "burst", "burst_threshold", "minimum")


# What `set --leave-out` takes away again, by the name of its option.
_COLUMNS_OF: Final = {
    **{name.replace("_", "-"): (f"{name}_down_bps", f"{name}_up_bps") for name in _RATES},
    "burst-time": ("burst_time_s",),
    "priority": ("priority",),
    "ipv4-pool": ("ipv4_pool",),
    "ipv6-pool": ("ipv6_pool",),
    "delegated-ipv6-pool": ("delegated_ipv6_pool",),
    "filter": ("filter",),
    "device-policy": ("device_policy",),
    "quota": ("quota_octets",),
    "session-timeout": ("session_timeout_s",),
    "idle-timeout": ("idle_timeout_s",),
    "interim": ("interim_interval_s",),
}


def _common_options(function: Any) -> Any:
    """What `add` and `set` share."""
    for option in reversed(
        (
            click.option("--rate", type=RATES, metavar="DOWN/UP", help="Such as 300M/30M: to, from the subscriber."),
            click.option("--burst", type=RATES, metavar="DOWN/UP", help="Short-term rates above the rate."),
            click.option(
                "--burst-threshold", type=RATES, metavar="DOWN/UP", help="Average below which bursts are given."
            ),
            click.option(
                "--burst-time", "burst_time_s", type=DURATION, help="Over which that average is taken, such as 10s."
            ),
            click.option(
                "--minimum", type=RATES, metavar="DOWN/UP", help="Rates kept free also when the line is full."
            ),
            click.option("--priority", type=click.IntRange(1, 8), help="1 is served first."),
            click.option("--address-list", "address_lists", multiple=True, help="Firewall list on the device; repeat."),
            click.option("--ipv4-pool", help="Name of a pool on the device."),
            click.option("--ipv6-pool", help="Name of a pool on the device."),
            click.option("--delegated-ipv6-pool", help="Name of a pool on the device."),
            click.option("--filter", help="Name of a filter on the device."),
            click.option(
                "--device-policy",
                type=DEVICE_POLICY,
                help="Name that devices which take names instead of rates have this ready under.",
            ),
            click.option("--quota", "quota_octets", type=OCTETS, help="Both ways in a calendar month, such as 500G."),
            click.option("--session-timeout", "session_timeout_s", type=DURATION, help="Such as 30d."),
            click.option("--idle-timeout", "idle_timeout_s", type=DURATION, help="Such as 30m."),
            click.option(
                "--interim", "interim_interval_s", type=DURATION, help="How often a session reports, such as 10m."
            ),
        )
    ):
        function = option(function)
    return function


@command.command("add")
@click.argument("name")
@_common_options
@click.option("--no-interim", is_flag=True, help="Send no interval: the device's own holds. Else it is 10m.")
@click.pass_obj
def add(settings: Settings, /, name: str, *, no_interim: bool, **options: Any) -> None:
    """Add profile NAME. What is left out is left to the device."""
    if no_interim and options["interim_interval_s"] is not None:
        raise click.UsageError("--no-interim excludes --interim")
    columns = profile_columns(options)
    if no_interim:
        columns["interim_interval_s"] = None
    with open_database(settings) as connection:
        add_profile(connection, {"name": name, **columns}, actor=os_user())
    rates: Rates | None = options["rate"]
    said = rates_text(rates.down_bps, rates.up_bps) if rates else "no rate limit"
    click.echo(f"Added profile {name}: {said}.")
    _point_at_swapped(rates)


def _point_at_swapped(rates: Rates | None) -> None:
    if rates is not None and rates.up_bps > rates.down_bps:
        click.echo("Note: up is faster than down here; the first number is down, to the subscriber.", err=True)


@command.command("set")
@click.argument("name")
@click.option("--name", "new_name", help="Rename it.")
@_common_options
@click.option(
    "--leave-out",
    "left_out",
    type=click.Choice([*_COLUMNS_OF, "address-lists"]),
    multiple=True,
    help="Leave this to the device.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def set_(
    settings: Settings,
    /,
    name: str,
    *,
    new_name: str | None,
    left_out: Sequence[str],
    dry_run: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Change what is given of profile NAME; the rest stays. Every contract of its plans gets it."""
    columns = profile_columns(options) | ({"name": new_name} if new_name is not None else {})
    for option in left_out:
        columns |= {"address_lists": []} if option == "address-lists" else dict.fromkeys(_COLUMNS_OF[option])
    if not columns:
        raise click.UsageError("nothing to change: name at least one option")
    with open_database(settings) as connection:
        profiles = {profile.name: profile for profile in load_profiles(connection)}
        if name not in profiles:
            raise unknown("profile", name, profiles)
        concerned = load_concerned(connection, profiles[name])
        click.echo(f"{concerned.contracts:,} contracts in service have a plan with profile {name}")
        for line in _differences(profiles[name], columns):
            click.echo(f"  {line}")
        tell_live(concerned.live_sessions)
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Go on?", yes=yes)
        change_profile(connection, profiles[name], columns, actor=os_user())
    click.echo(f"Changed profile {name}: {changed_words(columns)}.")
    _point_at_swapped(options["rate"])


def _differences(profile: Profile, columns: dict[str, Any]) -> list[str]:
    """What each change replaces and by what, a pair of rates in one line."""
    now = asdict(profile)
    said = {}
    for column in columns:
        pair = column.removesuffix("_down_bps").removesuffix("_up_bps")
        words = [_words(pair if pair in _RATES else column, {**now, **new}) for new in ({}, columns)]
        said[changed_words([column])] = f"{words[0]} -> {words[1]}" if words[0] != words[1] else f"{words[0]}, as it is"
    return [f"{label:12}{change}" for label, change in said.items()]


def _words(name: str, values: dict[str, Any]) -> str:
    if name in _RATES:
        return rates_text(values[f"{name}_down_bps"], values[f"{name}_up_bps"]) or "left to the device"
    value = values[name]
    if value is None or value == []:
        return "none" if name == "quota_octets" else "left to the device"
    if name == "quota_octets":
        return octets_text(value)
    if name.endswith("_s"):
        return duration_text(value)
    return ", ".join(value) if isinstance(value, list) else str(value)


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
        ("NAME", "RATES", "BURST", "POOLS AND NAMES", "QUOTA", "INTERIM", "PLANS"),
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
    pools = (profile.ipv4_pool, profile.ipv6_pool, profile.delegated_ipv6_pool, profile.filter, profile.device_policy)
    return [*(name for name in pools if name), *profile.address_lists]
