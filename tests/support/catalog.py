"""Two databases as comparable text: everything pg_dump knows of them, in an order that does not depend on how they were made."""

from __future__ import annotations

import re
import subprocess

from control_plane.machine.private_postgres import BINARIES

# Partitions come and go with the months; which migrations a database holds is what the comparison leaves open.
_LEFT_OUT = ("--exclude-table=*_[0-9][0-9][0-9][0-9][0-9][0-9]", "--exclude-table-data=schema_migration")


def normalised_catalog(conninfo: str) -> list[str]:
    """One text an object, with its columns in order, sorted; rows of tables included."""
    dump = subprocess.run(
        [BINARIES / "pg_dump", *_LEFT_OUT, "--dbname", conninfo], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    # pg_dump writes a random token in each dump.
    lines = [line for line in dump.splitlines() if not line.startswith((r"\restrict", r"\unrestrict"))]
    objects = re.split(r"^-- Name: ", "\n".join(lines), flags=re.MULTILINE)
    return sorted(re.sub(r"\n(--)?(\n(--)?)*", "\n", text).strip() for text in objects)
