"""The `corrente` command. A command is a module beside this one, found by its file name and imported when called.

A module `who_had.py` holds a click command named `command` and is `corrente who-had`; a trailing underscore keeps a name
clear of Python's own words (`import_.py`). `corrente --help` shows the first line of each module's docstring, which begins
with the command's name, and imports none of them: all of them together take half a second.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

import click

from control_plane import cli
from control_plane.cli._examples import give_examples
from control_plane.exit_codes import INTERRUPTED
from control_plane.settings import SettingsError, load_settings


class _Commands(click.Group):
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As click does it; Ctrl-C before a command is found is no failure either."""
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does it, but Ctrl-C is no failure. A command that has more to say of it does so itself."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _modules().get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"control_plane.cli.{module}").command
        give_examples(command, f"corrente {cmd_name}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, which imports every command for its help text."""
        modules = _modules()
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(modules[name])) for name in sorted(modules)])


def _modules() -> dict[str, str]:
    names = (module.name for module in pkgutil.iter_modules(cli.__path__))
    return {name.rstrip("_").replace("_", "-"): name for name in names if name != "main" and not name.startswith("_")}


def summary(module: str) -> str:
    """The sentence about a command in the first line of its module: what follows the command's name."""
    with (Path(cli.__path__[0]) / f"{module}.py").open(encoding="utf-8") as file:
        _, _, text = file.readline().strip().strip('"').partition("`: ")
    return text[:1].upper() + text[1:]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "file", type=click.Path(path_type=Path), help="The settings file; corrente.toml by default."
)
@click.pass_context
def corrente(ctx: click.Context, file: Path | None) -> None:
    """Corrente keeps an ISP's network current with its contracts."""
    try:
        ctx.obj = load_settings(file)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
