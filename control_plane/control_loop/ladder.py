"""What each NAS offers to change a live session, and how a change goes down its ladder: drivers, profiles, access read once.

Next: enforcer.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from control_plane.policy.profile import session_policy
from control_plane.policy.rendering import profile_revision
from control_plane.store import targets
from control_plane.store.targets import Connection, NasTarget
from nas_drivers.changes import coa_says_something, lists_change, way_to
from nas_drivers.driver import ChangesListsByApi, Drivers, NasDriver, UnknownVendorError
from nas_drivers.policy import Method, SessionPolicy

# Devices and profiles change rarely; a change of them is seen this late.
_FRESH_FOR: Final = timedelta(seconds=1)
_BY_RADIUS: Final = frozenset({Method.COA, Method.DISCONNECT})
_PROBE: Final = bytes(27)
_IN_A_LIST: Final = SessionPolicy(address_lists=("list",))


class Ladders:
    """The NASes and profiles as of a second ago, and the ladders that follow from them."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._nases: dict[int, NasTarget] = {}
        self._policies: dict[int, SessionPolicy] = {}
        self._contents: dict[int, bytes] = {}
        # By revision, of today's profiles and of what they gave before: a content is read once, for it never changes.
        self._given: dict[bytes, SessionPolicy | None] = {}
        self._read_at: datetime | None = None

    def refresh(self, connection: Connection, now: datetime, *, at_once: bool = False) -> None:
        """Read them again when they are older than a second, or `at_once`."""
        if not at_once and self._read_at is not None and abs(now - self._read_at) < _FRESH_FOR:
            return
        self._nases = {nas.id: nas for nas in targets.load_targets(connection)}
        rows = targets.load_profiles(connection)
        self._policies = {profile_id: session_policy(columns) for profile_id, columns in rows.items()}
        self._contents = {profile_id: profile_revision(columns) for profile_id, columns in rows.items()}
        self._given |= {self._contents[profile_id]: policy for profile_id, policy in self._policies.items()}
        for revision, columns in targets.load_contents(connection, beside=self._given.keys()).items():
            self._given[revision] = None if columns is None else session_policy(columns)
        self._read_at = now

    def nas(self, nas_id: int) -> NasTarget:
        """The NAS. Raises: KeyError for one that is not there."""
        return self._nases[nas_id]

    def policy(self, profile_id: int | None) -> SessionPolicy | None:
        """What a profile gives; None when there is none."""
        return None if profile_id is None else self._policies.get(profile_id)

    def has_content(self, profile_id: int | None, version: bytes | None) -> bool:
        """Whether the profile as it was read is what this version means: it may have been edited on either side of it."""
        return version is None or profile_id is None or self._contents.get(profile_id) == version[:4]

    def given_by(self, version: bytes | None) -> SessionPolicy | None:
        """What a session runs under that carries this version, also when its profile was edited since; None: not known."""
        return None if version is None else self._given.get(version[:4])

    def knows(self, version: bytes | None) -> bool:
        """Whether the content was read that a session with this version runs under; one may have been noted since."""
        return version is None or version[:4] in self._given

    def driver(self, nas_id: int) -> NasDriver:
        """The vendor's own, or the one that knows the RFCs when this release has no file for it."""
        nas = self._nases.get(nas_id)
        try:
            driver = self._drivers.of("generic" if nas is None else nas.vendor)
        except UnknownVendorError:
            return self._drivers.of("generic")
        if isinstance(driver, ChangesListsByApi) and not (nas and nas.has_api):
            return driver.without_live_lists()
        return driver

    def of(self, nas_id: int, now: Method, from_version: bytes | None, profile_id: int | None) -> tuple[Method, ...]:
        """The methods that are left for a change that is tried by `now`, this one first."""
        ladder = self._whole(nas_id, now, from_version, profile_id)
        behind = ladder[ladder.index(now) + 1 :] if now in ladder else ()
        way = (nas_id, from_version, profile_id)
        return (now, *(method for method in behind if self.offers(method, *way)))

    def first(self, nas_id: int, from_version: bytes | None, profile_id: int | None) -> Method:
        """The method that a change is tried by first; COA too where nothing is to be sent: `is_told` says whether."""
        ladder = self._vendors(nas_id, from_version, profile_id)
        return self.possible(ladder[0] if ladder else Method.COA, nas_id, from_version, profile_id)

    def has_coa(self, nas_id: int, from_version: bytes | None, profile_id: int | None) -> bool:
        """Whether a CoA is a way from the one policy to the other as far as both are known now."""
        ladder = self._vendors(nas_id, from_version, profile_id)
        return not ladder or Method.COA in ladder

    def is_told(
        self, nas_id: int, from_version: bytes | None, desired_version: bytes | None, profile_id: int | None
    ) -> bool:
        """Whether the step COA of this change does anything: by its packet, or by lists that change beside it."""
        way = (nas_id, from_version, desired_version, profile_id)
        return self.coa_says_something(*way) or self.lists_change(*way)

    def coa_says_something(
        self, nas_id: int, from_version: bytes | None, desired_version: bytes | None, profile_id: int | None
    ) -> bool:
        """Whether a CoA of this change would say anything to the device.

        Where it is in doubt what the session runs under (both versions are the same), or what the account has of its own
        differs, all that can be told live is told again; else what has changed.
        """
        new, old = self.policy(profile_id), self.given_by(from_version)
        if new is None or not self.has_content(profile_id, desired_version):
            return True
        driver = self.driver(nas_id)
        if from_version == desired_version or (from_version or b"")[4:] != (desired_version or b"")[4:]:
            return bool(driver.change_attributes(new, old=old))
        return coa_says_something(driver, old, new)

    def lists_change(
        self, nas_id: int, from_version: bytes | None, desired_version: bytes | None, profile_id: int | None
    ) -> bool:
        """Whether this change moves the session to other address lists by API, or may: it is in doubt where it stands."""
        new = self.policy(profile_id)
        if new is None:
            return False
        old = None if from_version == desired_version else self.given_by(from_version)
        return lists_change(self.driver(nas_id), old, new)

    def all_lists(self) -> frozenset[str]:
        """The address lists that any profile names."""
        return frozenset(name for policy in self._policies.values() for name in policy.address_lists)

    def possible(self, now: Method, nas_id: int, from_version: bytes | None, profile_id: int | None) -> Method:
        """This method, or the next of the ladder that can be carried out on this NAS; itself when there is none."""
        way = (nas_id, from_version, profile_id)
        ladder = self.of(nas_id, now, from_version, profile_id)
        return next((method for method in ladder if self.offers(method, *way)), now)

    def ends_session(self, nas_id: int, now: Method, from_version: bytes | None, profile_id: int | None) -> bool:
        """Whether the method's success is the session's end: a disconnect, or what stands behind one."""
        ladder = self._whole(nas_id, now, from_version, profile_id)
        if profile_id is None or now is Method.DISCONNECT:
            return True
        return Method.DISCONNECT in ladder and now in ladder and ladder.index(now) > ladder.index(Method.DISCONNECT)

    def is_provable(self, nas_id: int) -> bool:
        """Whether a second source can show that a CoA holds."""
        return self.is_read(nas_id) or (self.nas(nas_id).verification != "none" and self.echoes_class(nas_id))

    def is_read(self, nas_id: int) -> bool:
        """Whether the device itself is asked what a session runs under."""
        nas = self.nas(nas_id)
        if nas.verification == "cli":
            # Few command lines show rates; where accounting proves a change it is the better source.
            return nas.has_command_line and self.driver(nas_id).cli is not None and not self.echoes_class(nas_id)
        return nas.verification == "routeros_api" and nas.sealed_api_password is not None

    def read_nases(self) -> list[int]:
        """The NASes that are asked themselves."""
        return [nas_id for nas_id in self._nases if self.is_read(nas_id)]

    def _whole(
        self, nas_id: int, now: Method, from_version: bytes | None, profile_id: int | None
    ) -> tuple[Method, ...]:
        ladder = self._vendors(nas_id, from_version, profile_id)
        if now in ladder or (now is Method.COA and not ladder):
            return ladder or (now,)
        # Opened when the policies were others: from here on it is as good as ending the session.
        return self.driver(nas_id).change_methods(None, None)

    def _vendors(self, nas_id: int, from_version: bytes | None, profile_id: int | None) -> tuple[Method, ...]:
        return way_to(self.driver(nas_id), self.given_by(from_version), self.policy(profile_id))

    def told_by_coa(self, nas_id: int, profile_id: int | None) -> frozenset[str]:
        """The names of the attributes, without tags, that the step COA for this profile changes; none for one that is not there."""
        policy = self.policy(profile_id)
        if policy is None:
            return frozenset()
        driver = self.driver(nas_id)
        told = driver.change_attributes(policy)
        if isinstance(driver, ChangesListsByApi) and driver.live_lists() is not None:
            told += driver.login_attributes(_IN_A_LIST)
        return frozenset(attribute.name.partition(":")[0] for attribute in told)

    def echoes_class(self, nas_id: int) -> bool:
        """Whether the device takes a new Class by CoA, so that its accounting proves the change."""
        given = self.driver(nas_id).change_attributes(SessionPolicy(), class_octets=_PROBE)
        return any(attribute.name == "Class" for attribute in given)

    def offers(self, method: Method, nas_id: int, from_version: bytes | None, profile_id: int | None) -> bool:
        """Whether the method can be carried out on this NAS: by RADIUS always, by its API or command line to end
        a session. Address lists that change by API are no method of their own: they belong to the step COA.
        """
        if method in _BY_RADIUS:
            return True
        nas = self._nases.get(nas_id)
        if nas is None:
            return False
        if method is Method.ROUTEROS_API:
            has_access = nas.sealed_api_password is not None
        else:
            has_access = nas.has_command_line and self.driver(nas_id).cli is not None
        return has_access and self.ends_session(nas_id, method, from_version, profile_id)
