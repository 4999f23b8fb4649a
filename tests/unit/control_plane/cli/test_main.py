import ast
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.cli.main import corrente, summary

ROOT = Path(__file__).resolve().parents[4]
MODULES = sorted(
    path.stem for path in (ROOT / "control_plane" / "cli").glob("[a-z]*.py") if path.stem not in ("main", "__init__")
)


def test_help_imports_no_command():
    """Each brings half of the program with it."""
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import atexit, sys\n"
            "from control_plane.cli.main import corrente\n"
            "atexit.register(lambda: print(*sorted(n for n in sys.modules if n.startswith('control_plane.')), sep=chr(10)))\n"
            "corrente(['--help'])",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "\n  who-had" in shown
    assert [line for line in shown.splitlines() if line.startswith("control_plane.")] == [
        "control_plane.cli",
        "control_plane.cli._examples",
        "control_plane.cli.main",
        "control_plane.exit_codes",
        "control_plane.settings",
    ]


def test_a_worker_loads_ssh_when_it_first_speaks_to_a_command_line():
    """A quarter of a second of each start, and 20 MB of each process."""
    program = "import sys, control_plane.cli.worker; print({'paramiko', 'netmiko'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"


def test_every_command_is_listed_with_its_sentence():
    context = corrente.make_context("corrente", [], resilient_parsing=True)
    listed = " ".join(corrente.get_help(context).split())
    assert len(MODULES) > 15
    for module in MODULES:
        assert f"{module.rstrip('_').replace('_', '-')} {summary(module)}" in listed


@pytest.mark.parametrize("module", MODULES)
def test_the_first_line_of_a_command_is_its_name_and_a_sentence(module):
    doc = ast.get_docstring(ast.parse((ROOT / "control_plane" / "cli" / f"{module}.py").read_text()))
    name = module.rstrip("_").replace("_", "-")
    assert doc.startswith(f"`corrente {name}`: ")
    assert doc.splitlines()[0].endswith(".")
