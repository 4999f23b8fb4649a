"""The `corrente` command on a test's database, as an operator types it."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from click.testing import CliRunner, Result

from control_plane.cli.main import corrente

KEY = bytes(range(32))


def write_settings(directory: Path, conninfo: str) -> Path:
    """A corrente.toml that names the test's database and keeps its state in `directory`."""
    file = directory / "corrente.toml"
    file.write_text(f'[database]\nconninfo = "{conninfo}"\n[operator]\nbilling_zone = "Europe/Rome"\n')
    return file


def run(settings: Path, *arguments: str, typed: str | None = None) -> Result:
    """What the command printed and its exit code; `typed` is what the operator answers."""
    environment = {
        "CORRENTE_SECRETS_KEY": base64.b64encode(KEY).decode(),
        "PATH": os.environ["PATH"],
        "COLUMNS": "200",
        "SUDO_USER": "maria",
    }
    return CliRunner().invoke(
        corrente, ["--settings", str(settings), *arguments], input=typed, env=environment, prog_name="corrente"
    )
