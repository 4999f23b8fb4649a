"""supervisord as `corrente up` drives it, with a program that comes and goes as in a package upgrade."""

import os
from pathlib import Path

import pytest
from support.up_process import wait_until

from control_plane.machine.supervision import NotStartableError, Program, Supervisor, configuration

pytestmark = pytest.mark.slow


def test_a_program_whose_file_is_away_is_refused_and_starts_when_it_is_back(tmp_path: Path):
    file = tmp_path / "server"
    config = configuration(
        (Program("server", (str(file),), priority=1),), run_dir=tmp_path, log_dir=tmp_path, directory=tmp_path
    )
    supervisor = Supervisor(tmp_path, tmp_path)
    supervisor.start(config, environment={"PATH": os.environ["PATH"]})
    try:
        with pytest.raises(NotStartableError, match="server can't be started"):
            supervisor.start_program("server")
        assert supervisor.is_alive()
        file.write_text("#!/bin/sh\nexec sleep 60\n")
        file.chmod(0o755)
        supervisor.start_program("server")
        wait_until(lambda: supervisor.states()[0].pid, seconds=240, what="the server running")
    finally:
        assert supervisor.stop(timeout_s=120)
