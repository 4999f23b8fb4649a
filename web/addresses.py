"""Addresses that came from outside: only those of this site are gone to."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_address(address: str | None) -> str | None:
    """The address if it is a page of this site, such as `/customers?q=x`; None for another site's, however it is disguised."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")) or not address.isprintable():
        return None
    parts = urlsplit(address)
    return None if parts.scheme or parts.netloc or "\\" in address else address
