"""The protocol that every vendor file answers to, and the look-up of one by its name.

Next: vendors/mikrotik.py
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol

from nas_drivers import vendors
from nas_drivers.errors import NasError
from nas_drivers.policy import Attribute, SessionPolicy


class UnknownVendorError(NasError):
    """No file in nas_drivers/vendors has that name."""


class NasDriver(Protocol):
    """How one vendor is told a policy."""

    vendor: str

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The reply attributes of a login that carry `policy`, without timeouts and interim interval.

        Those three have the same RFC attributes everywhere and get their jitter at each login. A value is the plain
        meaning; whoever hands it to FreeRADIUS passes it through dictionaries/canonical.py once.
        """

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What of `policy` such a device can't be told, or is not known to obey: one sentence each, for `corrente check`."""


def vendor_names() -> tuple[str, ...]:
    """The vendors there are: the file names in nas_drivers/vendors."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(vendors.__path__)))


def driver_for(vendor: str) -> NasDriver:
    """The driver of a vendor. Raises: UnknownVendorError that names the ones there are."""
    if vendor not in vendor_names():
        raise UnknownVendorError(f"no driver for vendor {vendor!r}; there are {', '.join(vendor_names())}")
    driver: NasDriver = importlib.import_module(f"nas_drivers.vendors.{vendor}").DRIVER
    return driver
