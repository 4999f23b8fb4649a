"""What an operator has put beside the package's templates, for all issuers and for one: what a page shows of it.

Next: billing/papers/press.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from billing.papers.press import LOGOS, own_folders

# More of them are nobody's look.
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that holds before the package's; `of_issuer`: for one issuer alone."""

    name: str
    of_issuer: bool


def own_files(folder: Path, issuer_id: int) -> list[OwnFile]:
    """All that bear on what this issuer prints, by name; the issuer's own after everybody's."""
    found = [
        OwnFile(str(file.relative_to(own)), own.name == f"issuer-{issuer_id}")
        for own in own_folders(folder, issuer_id)
        for pattern in ("*.typ", "look.toml", "logo.*", "words/*.toml", "fonts/*")
        for file in sorted(own.glob(pattern))
        if file.is_file()
    ]
    return sorted(found, key=lambda one: (one.of_issuer, one.name))[:_MOST]


def logo_of(folder: Path, issuer_id: int) -> Path | None:
    """The logo that is printed, as the press takes it: whatever the issuer has of its own before everybody's."""
    folders = reversed(own_folders(folder, issuer_id))
    return next((file for own in folders for name in LOGOS if (file := own / name).is_file()), None)
