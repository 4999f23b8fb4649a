"""A shipper in a process of its own, to be killed: python shipper_process.py SETTINGS_JSON."""

import sys
import threading

import msgspec

from control_plane.settings import Settings
from control_plane.shipper import run_shipper

run_shipper(msgspec.json.decode(sys.argv[1], type=Settings), threading.Event())
