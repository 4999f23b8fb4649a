"""accel-ppp: the rate in Filter-Id as `down/up` in kbit, pools by name.

accel-ppp puts the download first, the opposite of RouterOS. Suffixes are not used: `G` is ten times too large in its
current source. A rate that is no whole number of kbit is rounded up, so that nobody gets less than was sold.

Live it changes the rate and Class, and acknowledges everything else unchanged; pools need a new login.

Source: accel-ppp, accel-pppd/shaper/shaper.c, extra/ippool.c, extra/ipv6pool.c, radius/dm_coa.c; docs/drivers/accel_ppp.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nas_drivers.changes import (
    class_attribute,
    difference,
    framed_address,
    mac_address,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NO_OPTIONS, NasDriver, NoOptions
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_BITS_PER_KBIT: Final = 1_000
_BY_COA: Final = frozenset({"Filter-Id"})
_MODULES: Final = (
    "[modules]",
    "radius",
    "pppoe",
    "auth_pap",
    "auth_chap_md5",
    "auth_mschap_v2",
    "ippool",
    "shaper",
)
# Why each of them: docs/drivers/accel_ppp.md.
_RADIUS_HABITS: Final = (
    "timeout=3",
    "max-try=3",
    "acct-timeout=0",
    "acct-on=1",
    "acct-delay-time=1",
    "acct-interim-jitter=60",
    "sid-in-auth=1",
    "blast-protection=1",
)
_SHAPER: Final = ("[shaper]", "attr=Filter-Id", "down-limiter=tbf", "up-limiter=police")
_NO_WORD: Final = "accel-ppp can't be told {} by RADIUS{}"


@dataclass(frozen=True, slots=True)
class AccelPppDriver:
    """accel-ppp with its shaper reading Filter-Id, as it does by default."""

    options: NoOptions = NO_OPTIONS
    vendor: str = "accel_ppp"
    default_coa_port: int = 3799
    cli: CliDialect | None = None

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The shaper's rate and the names of the pools."""
        rate = f"{_kbit(policy.rate.down)}/{_kbit(policy.rate.up)}" if policy.rate else None
        named = (
            ("Filter-Id", rate),
            ("Framed-Pool", policy.ipv4_pool),
            # Not Framed-IPv6-Pool: its ipv6_pool module reads attribute 172 for addresses and 171 for prefixes.
            ("Stateful-IPv6-Address-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return tuple(Attribute(name, ":=", value) for name, value in named if value is not None)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Bursts are its own configuration; address lists and filters it has none by RADIUS."""
        wanted = (
            ("a burst", policy.burst, ": set [shaper] down-burst-factor and up-burst-factor there"),
            ("a priority", policy.priority, ""),
            ("a minimum rate", policy.minimum, ""),
            ("address lists", policy.address_lists, ": give restricted subscribers a pool of their own"),
            ("a filter", policy.filter, ", because Filter-Id carries the rate"),
        )
        said = tuple(_NO_WORD.format(what, instead) for what, value, instead in wanted if value)
        if policy.device_policy and policy.rate is None:
            said += (_NO_WORD.format("the name of a device policy", ": give the profile its rate too"),)
        return said

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where the rate alone differs, else a disconnect; beyond that only its command line."""
        if new is None:
            return (Method.DISCONNECT,)
        differs = difference(None if old is None else self.login_attributes(old), self.login_attributes(new))
        if not differs.all:
            return (Method.COA,)
        return (Method.COA, Method.DISCONNECT) if differs.is_covered_by(_BY_COA) else (Method.DISCONNECT,)

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """With Class, which its next accounting record then carries: the only proof, for it acknowledges anything."""
        rate = tuple(one for one in self.login_attributes(new) if one.name in _BY_COA)
        return rate + class_attribute(class_octets)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Name and id do: it takes the first session that fits all that is given, and refuses a foreign NAS-Identifier."""
        known = name_and_session(identity)
        if detail != 1:
            return known
        known += framed_address(identity) + mac_address(identity, upper_case=False)
        return known + nas_address(identity) + nas_identifier(identity)

    def setup_commands(self, setup: DeviceSetup) -> str:
        """Its file /etc/accel-ppp.conf, as far as Corrente is concerned."""
        servers = [
            f"server={server},{setup.secret},auth-port={setup.authentication_port},acct-port={setup.accounting_port},"
            + ("fail-timeout=60,max-fail=3" if place == 0 else "backup")
            for place, server in enumerate(setup.radius_addresses)
        ]
        allowed = ",".join(str(ours) for ours in setup.change_addresses)
        return "\n".join(
            [
                *_MODULES,
                "",
                "[radius]",
                f"nas-identifier={setup.nas_name}",
                f"nas-ip-address={setup.nas_address}",
                *servers,
                f"dae-server={setup.nas_address}:{setup.coa_port},{setup.coa_secret}",
                f"dae-allowed={allowed}",
                *_RADIUS_HABITS,
                "",
                *_SHAPER,
                *("", "[ip-pool]") * bool(setup.ipv4_pools),
                *(
                    f"# Yours: the addresses of pool {name}, such as 100.64.0.2-254,name={name}"
                    for name in setup.ipv4_pools
                ),
                "",
            ]
        )


def _kbit(rate: BitRate) -> int:
    return -(-rate.bps // _BITS_PER_KBIT)


DRIVER: Final[NasDriver] = AccelPppDriver()
