"""Where a call to an address that somebody typed may lead: which URLs are taken, and which addresses are anybody's.

What an operator types may be meant to make Corrente ask its own network: a router, a database, the metadata service of a
cloud. So a call goes to public addresses only, unless the settings allow others, and only over TLS where it does.

Source: RFC 6890 (special-purpose addresses) and IANA's registries of them, RFC 4291 §2.4 and §2.5.5, RFC 6052 (addresses
within addresses).
Next: call.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from billing.sentence import Sentence

URL_CHARACTERS: Final = 2000
_PRINTABLE: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\]")
# NAT64 gives IPv4 addresses this prefix. RFC 8215's 64:ff9b:1::/48 is for a network's own use.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Anybody's addresses are of the first; what stands beside it (site-local, segment routing, ULA) is some network's own.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# What Python's tables miss: protocol assignments, 6to4's relays, 6to4 itself and the second prefix for documents.
_NOBODY_S: Final = tuple(ip_network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "2002::/16", "3fff::/20"))


class TargetError(Exception):
    """A URL that is not called; `why` says why and what would be."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why.message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names: `path` has the query with it, `authority` is what the Host header says."""

    host: str
    port: int
    path: str
    tls: bool

    @property
    def authority(self) -> str:
        """Host and port as HTTP writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def read_target(url: str, *, allow_private: bool = False) -> Target:
    """The parts of a URL to be called. Raises: TargetError."""
    if len(url) > URL_CHARACTERS or not _PRINTABLE.fullmatch(url):
        raise TargetError(
            Sentence("a URL has up to %(most)s printable ASCII characters and no blank", most=URL_CHARACTERS)
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetError(
            Sentence("%(url)s: its port is no number from 1 to 65535, or its brackets hold no IPv6 address", url=url)
        ) from error
    if parts.scheme not in ("https", "http"):
        raise TargetError(Sentence("%(url)s: expected https://host/path", url=url))
    if parts.scheme == "http" and not allow_private:
        raise TargetError(
            Sentence(
                "%(url)s: expected https://; without TLS anybody on the way reads and changes what is sent", url=url
            )
        )
    if parts.username is not None or parts.password is not None:
        raise TargetError(
            Sentence("a URL names no user and no password: they would stand in logs; the signature is the proof")
        )
    if parts.fragment:
        raise TargetError(Sentence("%(url)s: what stands behind # is never sent", url=url))
    host = parts.hostname or ""
    if not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
        raise TargetError(
            Sentence("%(url)s: expected a host name (one of other letters in its xn-- form) or an address", url=url)
        )
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if port == 0:
        raise TargetError(Sentence("%(url)s: there is no port 0", url=url))
    return Target(host, port or (443 if tls else 80), path, tls)


def may_reach(address: str, *, allow_private: bool = False) -> bool:
    """Whether a call may go to this address: to anybody's, or with `allow_private` to every one but multicast."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if found.is_multicast or found.is_unspecified:
        return False
    return allow_private or _is_anybody_s(_meant(found))


def _is_anybody_s(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in one for one in _NOBODY_S)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An address, or the one that it carries within: ::ffff:127.0.0.1 is this machine."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address
