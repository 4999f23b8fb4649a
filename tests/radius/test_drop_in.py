"""The README's steps put Corrente into a distribution's FreeRADIUS: they are run, on a copy, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.radius_packets import ACCESS_ACCEPT
from support.radius_server import account_record, prepared_server

from control_plane import freeradius

pytestmark = pytest.mark.radius

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path("/etc/freeradius/3.0")


def steps():
    """The shell lines of step 2."""
    text = (ROOT / "freeradius-config" / "README.md").read_text()
    return re.search(r"```sh drop-in\n(.*?)```", text, re.DOTALL)[1]


def copy_of_the_distribution(target, log_dir, run_dir):
    """Debian's configuration, moved: only where it lies and what it logs differs."""
    shutil.copytree(STOCK, target, symlinks=True, ignore=shutil.ignore_patterns("certs"))
    main = target / "radiusd.conf"
    text = main.read_text()
    for name, value in (("raddbdir", target), ("logdir", log_dir), ("run_dir", run_dir)):
        text, count = re.subn(rf"^{name} = .*$", f'{name} = "{value}"', text, flags=re.MULTILINE)
        assert count == 1, name
    if os.geteuid() != 0:
        text = re.sub(r"^\s*(user|group) = .*$", "", text, flags=re.MULTILINE)
    main.write_text(text)


def settings_file(server):
    """The server's settings as a file, for the command line."""
    radius = server.settings.radius
    ports = "".join(
        f"{key} = {getattr(radius, key)}\n"
        for key in ("authentication_port", "accounting_port", "status_port", "accounting_status_port")
    )
    file = server.base / "corrente.toml"
    file.write_text(f"[radius]\nnas_lifetime_s = 1\n{ports}")
    return file


def test_the_steps_of_the_readme_make_a_distributions_freeradius_answer_for_us():
    with prepared_server(lambda batch: batch.put_account("anna", account_record(1))) as server:
        settings = server.settings
        raddb = server.base / "distribution"
        copy_of_the_distribution(raddb, freeradius.log_dir(settings), freeradius.run_dir(settings))
        commands = server.base / "bin"
        commands.mkdir()
        corrente = commands / "corrente"
        corrente.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m control_plane --settings {settings_file(server)} "$@"\n'
        )
        corrente.chmod(0o755)

        environment = {"RADDB": str(raddb), "PATH": f"{commands}:/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run(
            ["sh", "-eu", "-c", steps()], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "-h", f":{freeradius.SERVICE_USER}", str(raddb)], check=True)
        checked = subprocess.run(
            freeradius.command(raddb, "radiusd", check_only=True), capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout[-2000:]
        shutil.copy(raddb / "corrente" / freeradius.STATUS_SECRET_FILE, raddb)
        # The distribution runs one process for both.
        server.config_dir, server.servers = raddb, ("radiusd",)
        server.start()
        with server.device() as nas, server.device(accounting=True) as accounting:
            assert nas.login("anna", "secret").code == ACCESS_ACCEPT
            assert accounting.account(1, "s-1") is not None
        assert server.last_login().reason == "full"
        assert '"s-1"' in server.accounting_spool.read_text()
