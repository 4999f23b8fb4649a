"""What could not be published, said once by name and counted; said again when it is mended.

Next: store_content.py
"""

from __future__ import annotations

from typing import Final

from control_plane import telemetry

# A fault that all accounts share must not fill the disk with log lines.
MAX_NAMED: Final = 1000


class Faults:
    """The faults there are now, by kind (`account`, `profile`, `nas`) and name."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], str] = {}
        self._log = telemetry.logger()

    def __len__(self) -> int:
        """How many are open, as far as they are remembered one by one."""
        return len(self._open)

    def note(self, kind: str, name: str, problem: str) -> None:
        """There is a fault; the log says so unless it said the same before."""
        telemetry.POLICY_FAULTS.labels(kind).inc()
        if self._open.get((kind, name)) == problem:
            return
        if len(self._open) < MAX_NAMED:
            self._open[(kind, name)] = problem
            self._log.error("policy.not_rendered", kind=kind, name=name, problem=problem)
            if len(self._open) == MAX_NAMED:
                self._log.error("policy.more_not_rendered", named=MAX_NAMED)

    def mended(self, kind: str, name: str) -> None:
        """There is none of that name (any more)."""
        if self._open and self._open.pop((kind, name), None) is not None:
            self._log.info("policy.rendered_again", kind=kind, name=name)
