"""`python -m control_plane` is the `corrente` command, for a checkout that is not installed."""

from control_plane.cli.main import main

main()
