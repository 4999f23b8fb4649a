"""docs/commands.md shows every command, and every example in it can be typed as it stands."""

from __future__ import annotations

import ast
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


def named_commands():
    """Each `corrente …` of the program's own words: where it stands, and its words up to the first that is none."""
    root = Path(__file__).resolve().parents[2]
    for folder in ("control_plane", "nas_drivers", "radius_hooks"):
        for file in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for words in re.findall(r"\bcorrente ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", node.value):
                        yield f"{file.relative_to(root)}:{node.lineno}", words.split()


def test_a_command_that_a_message_or_a_comment_of_the_program_names_exists():
    context = click.Context(corrente)
    found, wrong = 0, []
    for where, (name, *rest) in named_commands():
        command = corrente.get_command(context, name) if name in corrente.list_commands(context) else None
        if command is None:
            continue  # prose: "corrente is", "corrente hears"
        found += 1
        if isinstance(command, click.Group) and rest and rest[0] not in (*command.list_commands(context), *PROSE):
            wrong.append(f"{where}: corrente {name} {rest[0]}")
    assert wrong == []
    assert found > 50


# Behind a group that does something itself, or stands for all of its commands.
PROSE = {"and", "names", "or", "says"}


@pytest.mark.parametrize("group", ["account", "nas", "drift", "plan"])
def test_the_help_of_a_group_says_whole_what_each_command_does(group):
    context = click.Context(corrente, info_name="corrente")
    command = corrente.get_command(context, group)
    shown = " ".join(command.get_help(click.Context(command, parent=context, info_name=group)).split())
    for name in command.list_commands(context):
        said = command.get_command(context, name).help.partition("\n\n")[0]
        assert f"{name} {' '.join(said.split())}" in shown


@pytest.mark.parametrize(
    "words",
    [
        *(f"payment {verb}" for verb in ("new", "match", "choose", "reverse", "refund", "write-off", "undo-write-off")),
        *(f"contract {verb}" for verb in ("new", "accept", "activate", "change-plan", "pause", "end", "withdraw")),
        *(
            "invoice new",
            "invoice credit",
            "quote new",
            "quote accept",
            "order advance",
            "order invoice",
            "order cancel",
        ),
        *("customer new", "ledger entry", "price-change set", "promotion new", "promotion apply", "catalogue new"),
    ],
)
def test_what_a_program_may_have_to_type_twice_takes_a_key(words):
    command = corrente
    for word in words.split():
        command = command.get_command(click.Context(command), word)
    assert "--key" in [option for parameter in command.params for option in parameter.opts]
