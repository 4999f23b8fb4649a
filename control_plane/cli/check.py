"""`corrente check`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import click

from control_plane.checks import all_findings
from control_plane.cli._findings import print_finding
from control_plane.findings import Verdict
from control_plane.settings import Settings


@click.command("check")
@click.pass_obj
def command(settings: Settings) -> None:
    """Look at settings, database, secrets key, control loop, policy store, FreeRADIUS, ports and disk; change nothing.

    The exit code is 1 when a line says FAIL.
    """
    failed = 0
    for finding in all_findings(settings):
        print_finding(finding)
        failed += finding.verdict is Verdict.FAIL
    if failed:
        click.echo(f"{failed} to put right.", err=True)
        raise SystemExit(1)
