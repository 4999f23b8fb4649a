"""Every log line has a constant event name, so that operators can search for it and count it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
# Handed on to the logger by one function each, from callers that are looked at by name below.
_HANDED_ON = {("control_plane/publishing/publisher.py", "event")}


def is_logger(node: ast.expr) -> bool:
    """`log.info`, `self._log.info`, `telemetry.logger().info`, `logger().info`."""
    if isinstance(node, ast.Call):
        node = node.func
        return ast.unparse(node).split(".")[-1] == "logger"
    return ast.unparse(node).split(".")[-1] in {"log", "_log"}


def events_of(source: str) -> list[tuple[int, ast.expr]]:
    return [
        (call.lineno, call.args[0])
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _LEVELS
        and is_logger(call.func.value)
        and call.args
    ]


def test_every_event_is_a_constant_noun_and_verb():
    seen, wrong = 0, []
    for file in sorted((ROOT / "control_plane").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        for line, event in events_of(file.read_text()):
            seen += 1
            constant = isinstance(event, ast.Constant) and _EVENT.fullmatch(str(event.value))
            handed_on = isinstance(event, ast.Name) and (name, event.id) in _HANDED_ON
            if not constant and not handed_on:
                wrong.append(f"{name}:{line}: {ast.unparse(event)}")
    assert seen > 30
    assert wrong == []


def test_the_look_finds_what_is_no_constant_event():
    source = 'log.info(f"a {b}")\nself._log.error("Failed")\ntelemetry.logger().info("spool.merged")\nother.info("x y")'
    found = [event for _, event in events_of(source)]
    assert [ast.unparse(event) for event in found] == ["f'a {b}'", "'Failed'", "'spool.merged'"]
