"""Papers and files of others one after the other in one PDF. The press puts only its own together; files come from anywhere.

Next: billing/papers/press.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

# What nobody reads in one piece; a file of many thousand small pages would hold a page's answer up.
MOST_PAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Merged:
    """One PDF, and the names of the files that could not be read or were too long, which are not in it."""

    content: bytes
    left_out: tuple[str, ...]


def merge_pdfs(first: bytes, files: Sequence[tuple[str, bytes]]) -> Merged:
    """Our paper, then each of the files by name; one that is no PDF, is locked or goes beyond `MOST_PAGES` is left out."""
    writer, left_out = PdfWriter(), []
    writer.append(BytesIO(first))
    for name, content in files:
        try:
            reader = PdfReader(BytesIO(content))
            if reader.is_encrypted or len(writer.pages) + len(reader.pages) > MOST_PAGES:
                left_out.append(name)
                continue
            # Pages alone: what a foreign file would run, fill in or link to stays behind.
            for page in reader.pages:
                page.pop("/Annots", None)
                page.pop("/AA", None)
                writer.add_page(page)
        except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            left_out.append(name)
    made = BytesIO()
    writer.write(made)
    return Merged(made.getvalue(), tuple(left_out))
