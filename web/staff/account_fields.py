"""Fields of an account's forms: moments, lists of MACs and of networks, one a line."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from wtforms.widgets import TextArea

from control_plane.quantities import (
    QuantityError,
    mac_text,
    network_text,
    octets_text,
    read_host,
    read_mac,
    read_network,
    read_octets,
)
from web.language import zone
from web.quantity_fields import QuantityField

_LOCAL: Final = "%Y-%m-%dT%H:%M"
_MOST: Final = 50


def read_moment(text: str) -> datetime:
    """A moment as a browser sends one, in the operator's zone. Raises: QuantityError."""
    try:
        return datetime.strptime(text[:16].replace(" ", "T"), _LOCAL).replace(tzinfo=zone()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise QuantityError(f"{text!r}: no moment") from error


def moment_typed(moment: datetime) -> str:
    """A moment as a browser's field takes it."""
    return moment.astimezone(zone()).strftime(_LOCAL)


def _lines(text: str) -> list[str]:
    found = [part.strip() for line in text.splitlines() for part in line.split(",") if part.strip()]
    if len(found) > _MOST:
        raise QuantityError("too many")
    return found


def _read_macs(text: str) -> list[str]:
    return list(dict.fromkeys(read_mac(part) for part in _lines(text)))


def _read_networks(text: str) -> list[IPv4Network | IPv6Network]:
    return list(dict.fromkeys(read_network(part) for part in _lines(text)))


def _read_circuits(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _shown(read: Any) -> Any:
    return lambda values: "\n".join(read(value) for value in values)


class MomentField(QuantityField):
    """A day and a time in the operator's zone; `type="datetime-local"` in the template."""

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(label, validators, read=read_moment, show=moment_typed, example="2026-01-31 18:40", **given)


class MacField(QuantityField):
    """One MAC address."""

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(label, validators, read=read_mac, show=mac_text, example="02:00:5e:10:00:01", **given)


class MacsField(QuantityField):
    """MAC addresses, one a line."""

    widget = TextArea()

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(
            label, validators, read=_read_macs, show=_shown(mac_text), example="02:00:5e:10:00:01", **given
        )


class CircuitsField(QuantityField):
    """Circuit ids, one a line, as the NAS sends them."""

    widget = TextArea()

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(label, validators, read=_read_circuits, show=_shown(str), example="olt-1 1/2/3:10", **given)


class HostField(QuantityField):
    """One address."""

    def __init__(self, label: Any = None, validators: Any = None, *, example: str, **given: Any) -> None:
        super().__init__(label, validators, read=read_host, show=network_text, example=example, **given)


class NetworkField(QuantityField):
    """One prefix."""

    def __init__(self, label: Any = None, validators: Any = None, *, example: str, **given: Any) -> None:
        super().__init__(label, validators, read=read_network, show=network_text, example=example, **given)


class NetworksField(QuantityField):
    """Networks, one a line."""

    widget = TextArea()

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(
            label, validators, read=_read_networks, show=_shown(network_text), example="203.0.113.0/29", **given
        )


class OctetsField(QuantityField):
    """Octets with their unit."""

    def __init__(self, label: Any = None, validators: Any = None, **given: Any) -> None:
        super().__init__(label, validators, read=read_octets, show=octets_text, example="50G", decimal=True, **given)
