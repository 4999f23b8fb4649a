"""The files that begin first, because they take minutes, are there."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_long_file_is_there():
    tree = ast.parse((ROOT / "tests/conftest.py").read_text())
    (long,) = [
        ast.literal_eval(one.value) for one in tree.body if isinstance(one, ast.AnnAssign) and one.target.id == "_LONG"
    ]

    assert len(long) > 1
    assert [name for name in long if not (ROOT / name).is_file()] == []
