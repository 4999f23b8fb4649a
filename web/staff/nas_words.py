"""What access devices are called on pages: vendors, states, ways to verify, the steps of their test."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from billing.sentence import Sentence
from control_plane.findings import Verdict
from control_plane.nases import NasNameTakenError, NasRefusedError, NasSourceOverlapsError, NasSourceTakenError
from nas_drivers.driver import vendor_names
from web.language import gettext, lazy
from web.money_words import part_of
from web.staff.account_words import reason_words

# Names are the vendors' own.
_VENDORS: Final = {
    "accel_ppp": "accel-ppp",
    "cisco_iosxe": "Cisco IOS XE",
    "cisco_iosxr": "Cisco IOS XR",
    "edgerouter": "Ubiquiti EdgeRouter",
    "ericsson": "Ericsson",
    "generic": "Generic RADIUS",
    "huawei": "Huawei",
    "juniper_mx": "Juniper MX",
    "mikrotik": "MikroTik",
    "nokia_sros": "Nokia SR OS",
    "vyos": "VyOS",
    "zte": "ZTE",
}
VERIFICATIONS: Final = MappingProxyType(
    {
        "accounting": lazy("Its next accounting record"),
        "routeros_api": lazy("Its RouterOS API"),
        "cli": lazy("Its command line"),
        "none": lazy("Nothing"),
    }
)
API_LOGINS: Final = MappingProxyType(
    {
        "auto": lazy("As the device asks"),
        "challenge": lazy("By challenge alone, never in clear"),
        "clear": lazy("In clear"),
    }
)
VERDICTS: Final[MappingProxyType[Verdict, tuple[Any, str]]] = MappingProxyType(
    {
        Verdict.OK: (lazy("Works"), "good"),
        Verdict.WARN: (lazy("Look at it"), "warn"),
        Verdict.FAIL: (lazy("Does not work"), "bad"),
    }
)
STEPS: Final = MappingProxyType(
    {
        "reachable": lazy("It reaches us"),
        "secret": lazy("The secret is the same"),
        "login": lazy("Logins are answered"),
        "accounting": lazy("Accounting arrives"),
        "changes": lazy("It takes changes"),
        "access": lazy("We get in"),
        "clock": lazy("Its clock is right"),
        "bypass": lazy("Nobody gets past RADIUS"),
        "sessions": lazy("Its list of sessions is ours"),
    }
)


# How a device was spoken to.
_BY: Final = MappingProxyType({"command line": lazy("Command line")})
# The pages that do what an advice names a command for.
_PAGES: Final = (
    ("corrente nas set", lazy("Edit"), "/nases/{name}/edit"),
    ("corrente nas commands", lazy("What to paste"), "/nases/{name}/setup"),
    ("corrente nas host-key", lazy("Host key"), "/nases/{name}/host-key"),
    ("corrente nas enable", lazy("Put in service"), "/nases/{name}/service"),
    ("corrente nas add", lazy("Add a device"), "/nases/new"),
    ("corrente sessions", lazy("Live sessions"), "/online?nas={name}"),
    ("corrente drift", lazy("Drift"), "/drift?nas={name}"),
)


def pages_for(advice: str, name: str) -> list[tuple[Any, str]]:
    """Label and address of each page that does what an advice of a device's test names commands for."""
    return [(label, address.format(name=name)) for words, label, address in _PAGES if words in advice]


def finding_words(said: Sentence | str) -> str:
    """What a step found: ours in the reader's language, a device's words as they are."""
    words = _told(said)
    return words[:1].upper() + words[1:]


def advice_words(said: Sentence | str) -> str:
    """What to do; of a command alone nothing, for its page is led to beside it."""
    return "" if isinstance(said, str) and said.startswith("corrente ") else finding_words(said)


def _told(said: Sentence | str) -> str:
    if isinstance(said, str):
        return said
    return part_of(Sentence(said.form, **{name: _shown(name, value) for name, value in said.about.items()}))


def _shown(name: str, value: object) -> object:
    match name, value:
        case _, Sentence():
            return _told(value)
        case "reasons", str():
            counted = (one.rpartition(" ") for one in value.split(", "))
            return ", ".join(f"{reason_words(reason)[0]} ({count})" for reason, _, count in counted)
        case "subject", str():
            return STEPS.get(value, value)
        case "by", str():
            return _BY.get(value, value)
        case _:
            return value


def vendor_shown(vendor: str) -> str:
    """A vendor as it calls itself."""
    return _VENDORS.get(vendor, vendor)


def vendor_choices() -> list[tuple[str, str]]:
    """All of them for a choice, by what they call themselves."""
    return sorted(((name, vendor_shown(name)) for name in vendor_names()), key=lambda one: one[1].lower())


def refusal_words(error: NasRefusedError) -> tuple[str, str]:
    """Beside which field a refusal belongs, and its words."""
    match error:
        case NasNameTakenError():
            return "name", gettext("There is a NAS of this name already.")
        case NasSourceTakenError():
            return "source", gettext("NAS %(name)s sends from there already.", name=error.other)
        case NasSourceOverlapsError():
            return "nested", gettext(
                "Its source overlaps that of NAS %(name)s: requests from the smaller one use its own secret, the rest the other's. Say that this is meant.",
                name=error.other,
            )
        case _:
            return "", str(error)
