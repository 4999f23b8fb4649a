"""docs/commands.md shows every command, and every example in it can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from control_plane.cli.main import corrente

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text()
EXAMPLES = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def leaves(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The words of every command that does something."""
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    return [
        leaf
        for name in command.list_commands(context)
        if (child := command.get_command(context, name)) is not None and not child.hidden
        for leaf in leaves(child, (*path, name))
    ]


@pytest.mark.parametrize("words", leaves(corrente, ("corrente",)), ids=" ".join)
def test_a_command_has_an_example_on_the_page(words):
    assert any(tuple(example[: len(words)]) == words for example in EXAMPLES), (
        f"add `{' '.join(words)} …` to docs/commands.md"
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_an_example_is_understood_as_it_stands(example):
    command, rest = corrente, example[1:]
    context = click.Context(corrente)
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not rest or rest[0].startswith("-")):
            break  # a group that does something itself
        name, *rest = rest
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        context = click.Context(command, parent=context, info_name=name)
    # Parses the arguments and runs nothing; a wrong option or value is a UsageError.
    command.make_context(command.name, rest, parent=context)
