"""The `corrente` command, installed or not: `python -m control_plane` is the same. What it needs is imported in reach of Ctrl-C."""

from __future__ import annotations

import sys

from control_plane.exit_codes import INTERRUPTED


def main() -> None:
    """Run the command line; expected failures end with one clear line and an exit code that is not zero."""
    try:
        from control_plane.cli.main import corrente  # noqa: PLC0415 - a third of a second in which Ctrl-C may come

        sys.exit(corrente(prog_name="corrente"))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
