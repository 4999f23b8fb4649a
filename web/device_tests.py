"""The test of an access device in this process, as the command's is in its own: it needs no worker.

Next: ../control_plane/device_test/looking.py
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import psycopg

from control_plane.findings import Finding, Verdict
from control_plane.store.nas import load_nas
from control_plane.store.targets import load_targets
from nas_drivers.errors import NasError
from radius_hooks.sealing import Sealer
from web.surroundings import here

# Each holds a thread and may wait for a device for two minutes.
_MOST_TESTS: Final = 4
TESTING: Final = threading.BoundedSemaphore(_MOST_TESTS)


def findings_of(name: str, sealer: Sealer) -> Iterator[Finding]:
    """Each step of its test when it is known; who asks has acquired `TESTING`. Nothing of one that is gone."""
    from control_plane.device_test.looking import look_at  # noqa: PLC0415 - SSH is half a second, for this alone

    try:
        with here().database.reading() as connection:
            nas = load_nas(connection, name)
            if nas is None:
                return
            target = next(one for one in load_targets(connection) if one.id == nas.id)
            yield from look_at(connection, here().settings, nas, target, sealer)
    except (NasError, psycopg.Error) as error:
        yield Finding(Verdict.FAIL, "", str(error).strip())
