"""A shipper in a process of its own, to be killed at any moment."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from control_plane.accounting.shipper import run_shipper
from control_plane.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


class ShipperProcess:
    """Starts and kills it."""

    def __init__(self, settings):
        self.command = [sys.executable, __file__, msgspec.json.encode(settings).decode()]
        self.process = None

    def start(self):
        """Start it; it ships until it is killed."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    def kill(self):
        """Kill it without a word of warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


if __name__ == "__main__":
    run_shipper(msgspec.json.decode(sys.argv[1], type=Settings), threading.Event())
