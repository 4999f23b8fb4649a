"""How one line of a check is shown, by `corrente check` and `corrente nas test`."""

from __future__ import annotations

from typing import Final

import click

from control_plane.findings import Finding, Verdict
from nas_drivers.errors import printable

_COLOURS: Final = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def print_finding(finding: Finding) -> None:
    """Verdict, subject and words, and below them what to do. Names of a device may stand in them."""
    verdict = click.style(f"{finding.verdict.value:4}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}  {finding.subject}: {printable(str(finding.text))}")
    if finding.advice:
        click.echo(f"      → {printable(str(finding.advice))}")
