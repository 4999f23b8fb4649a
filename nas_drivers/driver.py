"""The protocol that every vendor file answers to, and the look-up of one by its name.

Next: vendors/mikrotik.py
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from nas_drivers import vendors
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.device_session import DeviceSession
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.errors import NasError
from nas_drivers.inspection import Inspection
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy


class UnknownVendorError(NasError):
    """No file in nas_drivers/vendors has that name."""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a vendor that has none."""


NO_OPTIONS: Final = NoOptions()


class NasDriver(Protocol):
    """How one vendor is told a policy: a frozen dataclass whose field `options` holds what differs by installation."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def vendor(self) -> str:
        """The name of its file."""

    @property
    def options(self) -> Any:
        """A frozen dataclass with a default for each field, read from section `[drivers.VENDOR]` of the settings.

        What a manual leaves UNCONFIRMED is an option here. A value out of range is refused by its __post_init__ (ValueError).
        """

    @property
    def default_coa_port(self) -> int:
        """The UDP port where such a device listens for changes unless told otherwise."""

    @property
    def cli(self) -> CliDialect | None:
        """Its own command line; None where a session is never ended by one."""

    @property
    def inspection(self) -> Inspection:
        """What `corrente nas test` asks of the device's own configuration and clock, and how its clock is set."""

    def setup_commands(self, setup: DeviceSetup) -> str:
        """What to paste on the device, or into its file: complete, lines ended by newlines, comments in its own syntax."""

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The reply attributes of a login that carry `policy`, without timeouts and interim interval.

        Those three have the same RFC attributes everywhere and get their jitter at each login. A value is the plain
        meaning; whoever hands it to FreeRADIUS passes it through dictionaries/canonical.py once.
        """

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What of `policy` such a device can't be told, or is not known to obey: one sentence each, for `corrente check`."""

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """The ladder from `old` to `new`, best first, never empty, no method twice; the next one is for when one fails.

        What stands before DISCONNECT changes the session as it runs; what stands behind it ends the session, as DISCONNECT
        does, and the next login carries the change. `new` None: the session must end. `old` None: not known what it runs
        under. Where nothing differs that is worth a cut the ladder is COA alone: no disconnect may follow. Whether that CoA
        would change anything is asked in one place, changes.way_to.

        What an account has of its own (addresses, routes, own attributes) is in no policy: where that differs, only a new
        login carries it. A ladder names what the vendor can do; whether this NAS has an API access is the caller's to know.
        """

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """What a CoA-Request carries beside the identity: the login's own attributes, those that may change live.

        `old` is what the session runs under as far as is known, for a device that must be told what ends, by its name.

        A device that takes a new Class by CoA is given `class_octets` and then echoes it in accounting; for the others it
        is left out.
        """

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """How the device finds the session. `detail`: 0 what it matches best, 1 all that may help, 2 the fewest.

        User-Name and Acct-Session-Id are always there: session ids come round again, and a name alone may mean several.
        """


@runtime_checkable
class JudgesSessions(Protocol):
    """What a driver can besides, whose command line shows the policy of a session in the vendor's own words.

    The sessions of the others are judged by their rates, to the kilobit. It is found by isinstance: a driver that can names this
    as its base, so that a misspelt method is no driver (mypy, and Python when it is made) and not one that can't.
    """

    @abstractmethod
    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """Whether a session, as its command line shows it, runs under `new`; None when that can't be told.

        False only where it plainly shows something else: a change that is not seen to hold ends in a disconnect.
        """


@runtime_checkable
class ChangesListsByApi(Protocol):
    """What a driver can besides, whose devices move a live session to other address lists by their API, beside a CoA or without one.

    Its ladders count on it: for a NAS without an API access ask `without_live_lists()`. A base, as JudgesSessions is.
    """

    @abstractmethod
    def live_lists(self) -> int | None:
        """How long an entry stands unless it is renewed; None when this installation has it switched off. Units: seconds."""

    @abstractmethod
    def without_live_lists(self) -> NasDriver:
        """The same, with it switched off."""


def vendor_names() -> tuple[str, ...]:
    """The vendors there are: the file names in nas_drivers/vendors."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(vendors.__path__)))


@lru_cache(maxsize=256)
def driver_for(vendor: str) -> NasDriver:
    """A vendor's driver with the defaults of its options. Raises: UnknownVendorError that names the ones there are."""
    if vendor not in vendor_names():
        raise UnknownVendorError(f"no driver for vendor {vendor!r}; there are {', '.join(vendor_names())}")
    driver: NasDriver = importlib.import_module(f"nas_drivers.vendors.{vendor}").DRIVER
    return driver


@dataclass(frozen=True, slots=True)
class Drivers:
    """The drivers as an installation has them set: whoever has its settings asks here, `Drivers(settings.drivers)`.

    `options` has the options by vendor; who is not in it has its defaults.
    """

    options: Mapping[str, object] = field(default_factory=dict)

    def of(self, vendor: str) -> NasDriver:
        """The vendor's driver. Raises: UnknownVendorError."""
        driver = driver_for(vendor)
        return replace(driver, options=self.options[vendor]) if vendor in self.options else driver


DEFAULT_DRIVERS: Final = Drivers()
