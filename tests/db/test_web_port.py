"""`corrente web` where its port is taken."""

import socket

import pytest
from click.testing import CliRunner

from control_plane.cli.main import corrente

pytestmark = pytest.mark.db


def test_a_taken_port_is_one_line_that_names_it_and_the_setting(tmp_path):
    settings = tmp_path / "corrente.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings.write_text(f"[web]\nport = {port}\n")
        refused = CliRunner().invoke(corrente, ["--settings", str(settings), "web"])
    assert refused.exit_code == 1
    (line,) = refused.output.splitlines()
    assert f"port {port} of 127.0.0.1 can't be opened" in line
    assert "[web]" in line
