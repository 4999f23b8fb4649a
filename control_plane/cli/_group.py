"""A group of commands whose help says what each of them does, whole."""

from __future__ import annotations

import click


class Group(click.Group):
    """click cuts what does not fit into the line, and with it what tells one command from the other."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first paragraph of each command's help, in as many lines as it takes."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_paragraph(found.help or "")) for name, found in commands if found])


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())
