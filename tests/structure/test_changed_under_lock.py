"""Whoever compares what is there with what was seen holds it first, in the transaction that writes: else two saves within moments both pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPARES = ("changed_meanwhile", "check_version")


def called(node: ast.AST) -> str:
    """The name of what is called, without what stands before its dot."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_transaction(node: ast.AST) -> bool:
    """A function that is given the caller's, or a block with one of its own."""
    if isinstance(node, ast.FunctionDef):
        return any(ast.unparse(one.annotation) == "Connection" for one in node.args.args if one.annotation)
    return isinstance(node, ast.With) and any(called(one.context_expr) == "transaction" for one in node.items)


def comparisons(node: ast.AST, within: ast.AST | None = None) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Each, and the innermost transaction that it stands in."""
    for child in ast.iter_child_nodes(node):
        if called(child) in COMPARES:
            yield child, within
        yield from comparisons(child, child if is_transaction(child) else within)


def unheld(source: str) -> list[int]:
    """The lines that compare what nobody holds."""
    return [
        one.lineno
        for one, within in comparisons(ast.parse(source))
        if within is None
        or not any(
            called(other).lstrip("_").startswith(("hold_", "held")) and other.lineno <= one.lineno
            for other in ast.walk(within)
        )
    ]


def test_each_comparison_with_what_was_seen_is_made_under_a_lock():
    found = {str(file.relative_to(ROOT)): unheld(file.read_text()) for file in sorted((ROOT / "web").rglob("*.py"))}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert sum("changed_meanwhile(" in file.read_text() for file in (ROOT / "web").rglob("*.py")) > 10


def test_the_rule_sees_what_breaks_it():
    held = "def put(connection: Connection):\n hold_plan(connection)\n changed_meanwhile(form, there)"
    assert unheld(held) == []
    assert unheld(held.replace("hold_plan", "load_plan")) == [3]
    assert unheld("def view():\n with transaction() as c:\n  hold_plan(c)\n changed_meanwhile(form, there)") == [4]
    assert unheld("def call(connection: Connection):\n check_version(hold_later)\n hold_plan(connection)") == [2]
