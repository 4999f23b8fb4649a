"""Examples for `--help`: the lines of docs/commands.md that begin with the command, so that page and help never differ."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import click

_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
_MOST: Final = 4


def give_examples(command: click.Command, path: str) -> None:
    """Let the help of a command, and of all below it, end with how it is typed."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            give_examples(child, f"{path} {name}")
    elif command.epilog is None and (found := _lines_of(path)):
        # click leaves a paragraph behind \b as it is.
        command.epilog = "\n".join(("\b", "Examples:", *(f"  {line}" for line in found)))


def _lines_of(path: str) -> list[str]:
    return [line for line in _page() if line == path or line.startswith(f"{path} ")][:_MOST]


@lru_cache(maxsize=1)
def _page() -> tuple[str, ...]:
    """The page's lines; none where the program stands without its documentation."""
    try:
        return tuple(_PAGE.read_text(encoding="utf-8").splitlines())
    except OSError:
        return ()
