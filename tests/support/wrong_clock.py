"""Run Corrente's command line with a clock that is some seconds off: `python wrong_clock.py SECONDS worker …`.

The standard library's clock is changed before anything of ours is imported. Clocks that nobody can set (monotonic) stay.
"""

from __future__ import annotations

import datetime
import runpy
import sys
import time

_OFF_S = float(sys.argv[1])
_real_time, _RealDatetime = time.time, datetime.datetime


class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return _RealDatetime.now(tz) + datetime.timedelta(seconds=_OFF_S)


time.time = lambda: _real_time() + _OFF_S
datetime.datetime = _Shifted
sys.path.insert(0, "")
sys.argv = ["corrente", *sys.argv[2:]]
runpy.run_module("control_plane", run_name="__main__", alter_sys=True)
