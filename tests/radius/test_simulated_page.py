"""The script of docs/simulated-devices.md, started as it stands there, at the product's own FreeRADIUS."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.radius_server import FULL_PROFILE, NAS_SECRET, account_record, nas_record, profile_record, radius_server

pytestmark = pytest.mark.radius
ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.66.3.9"


def fill(batch):
    batch.put_nas(f"{ADDRESS}/32", nas_record(9, vendor="mikrotik"))
    rate = ("Mikrotik-Rate-Limit", "20M/100M", "string")
    batch.put_profile(FULL_PROFILE, "mikrotik", profile_record(FULL_PROFILE, rate))
    batch.put_account("anna", account_record(7, "anna's password"))


def test_the_script_of_the_page_logs_its_subscriber_in_and_shows_what_she_has(tmp_path):
    page = (ROOT / "docs/simulated-devices.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    # A second one on this machine may have the port.
    (tmp_path / "device.py").write_text(script.replace('name="sim-1"', 'name="sim-1", coa_port=0'))
    (tmp_path / "secret").write_text(NAS_SECRET.decode() + "\n")
    with radius_server(fill) as server:
        ports = [str(server.authentication[1]), str(server.accounting[1])]
        child = subprocess.Popen(
            [sys.executable, "device.py", "mikrotik", ADDRESS, "secret", *ports],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        try:
            logins, online = child.stdout.readline(), child.stdout.readline()
            child.send_signal(signal.SIGINT)
            rest = child.stdout.read()
            code = child.wait(120)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()

    assert "accepted=1, rejected=0, unanswered=0" in logins
    assert re.match(r"online: \[\('anna', '[0-9.]+', Rates\(down_bps=100000000, up_bps=20000000\), ", online)
    assert (rest.startswith("ended:"), code) == (True, 0)
