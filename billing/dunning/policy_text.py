"""A policy's data as the text that people edit: TOML, as the policies to begin with are written.

Next: policy_data.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def policy_text(data: Mapping[str, Any]) -> str:
    """TOML that reads as these data again: plain fields first, then its tables, then its steps."""
    return "\n".join(_lines(data, ())) + "\n"


def _lines(data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in data.items() if isinstance(value, Mapping)}
    rows = {name: value for name, value in data.items() if _is_rows(value)}
    for name, value in data.items():
        if name not in tables and name not in rows and value is not None:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in tables.items():
        yield ""
        yield f"[{'.'.join(map(_key, (*path, name)))}]"
        yield from _lines(value, (*path, name))
    for name, value in rows.items():
        for row in value:
            yield ""
            yield f"[[{'.'.join(map(_key, (*path, name)))}]]"
            yield from _lines(row, (*path, name))


def _is_rows(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and isinstance(value[0], Mapping)


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    # What JSON says of texts, numbers and truth TOML says alike.
    return json.dumps(value, ensure_ascii=False, default=str)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)
