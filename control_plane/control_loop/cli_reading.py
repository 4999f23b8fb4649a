"""One device's sessions by its command line, for the second view and for the proof of a change. An edge.

Next: session_reading.py
"""

from __future__ import annotations

from types import TracebackType

from control_plane.control_loop.cli_calls import NotUnderstoodError, session_meant
from nas_drivers.cli_dialect import CliDetail, CliDialect
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import SessionIdentity
from nas_drivers.transport.ssh_access import SshAccess


class CliReader:
    """A connection that is opened when it is needed. Blocking, one thread at a time."""

    def __init__(self, access: SshAccess, dialect: CliDialect) -> None:
        from nas_drivers.transport.ssh import SshDevice  # noqa: PLC0415 - a quarter of a second, and few have such devices

        self._device, self._dialect = SshDevice(access), dialect
        # Of a device that only lists everybody: one list for all that are asked about in one visit.
        self._everybody: tuple[DeviceSession, ...] | None = None

    def __enter__(self) -> CliReader:
        """Opens nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._device.close()

    def read_sessions(self) -> tuple[DeviceSession, ...]:
        """All its sessions, by the ids that its accounting gives them. Raises: NasError.

        A list without those ids can't be laid beside accounting: every session would be missing on the one side or the other.
        """
        found = self._read(self._dialect.show_all())
        nameless = sum(not one.acct_session_id for one in found)
        if nameless:
            raise NotUnderstoodError(
                f"{nameless} of the {len(found)} sessions that it lists have no Acct-Session-Id there"
            )
        return found

    def read_session(self, username: str, acct_session_id: str) -> DeviceSession | None:
        """One session as it runs now, None when it is not there. Raises: NasError."""
        identity = SessionIdentity(username, acct_session_id)
        show = self._dialect.show_session(identity)
        of_everybody = show is not None and show == self._dialect.show_all()
        if of_everybody and self._everybody is None:
            self._everybody = self._read(show)
        listed = self._everybody if of_everybody and self._everybody is not None else self._read(show)
        found = session_meant(listed, identity, of_everybody=of_everybody)
        if found is None or not isinstance(self._dialect, CliDetail):
            return found
        return self._dialect.read_detail(self._answer(self._dialect.show_detail(found)), found)

    def _read(self, command: str | None) -> tuple[DeviceSession, ...]:
        if command is None:
            raise NotUnderstoodError("no command is known that lists its sessions")
        return self._dialect.read_sessions(self._answer(command))

    def _answer(self, command: str) -> str:
        shown = self._device.ask(command)
        refused = self._dialect.refused(shown)
        if refused is not None:
            raise NotUnderstoodError(f"the device refused `{command}`: {refused}")
        return shown
