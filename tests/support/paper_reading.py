"""Papers read back by programs that are not ours: poppler's for text, fonts and files inside, zbar for codes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_WORD = re.compile(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>')


@dataclass(frozen=True)
class Word:
    """A word where it stands on its page, in points from the top left."""

    text: str
    left: float
    top: float
    right: float


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page as it is laid out."""
    return _poppler("pdftotext", "-layout", "-", "-", given=pdf).decode().split("\f")[:-1]


def text_of(pdf: bytes) -> str:
    """All of its text with single blanks, in the order of reading."""
    return " ".join(_poppler("pdftotext", "-", "-", given=pdf).decode().split())


def words_of(pdf: bytes) -> list[Word]:
    """Every word with its place."""
    found = _WORD.findall(_poppler("pdftotext", "-bbox", "-", "-", given=pdf).decode())
    return [Word(text, float(left), float(top), float(right)) for left, top, right, _, text in found]


def facts_of(pdf: bytes) -> str:
    """What pdfinfo says of it."""
    return _poppler("pdfinfo", "-", given=pdf).decode()


def fonts_of(pdf: bytes) -> list[list[str]]:
    """What pdffonts says of each font: name, …, whether it is embedded, is a subset, and can be read back."""
    return [line.split() for line in _poppler("pdffonts", "-", given=pdf).decode().splitlines()[2:]]


def codes_of(pdf: bytes) -> list[str]:
    """What a reader sees in the barcodes of its first page, printed at 200 dots an inch: kind:text."""
    picture = _poppler("pdftoppm", "-r", "200", "-png", "-f", "1", "-l", "1", "-", given=pdf)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        file.write_bytes(picture)
        done = subprocess.run(["zbarimg", "-q", "--xml", file], capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    found = re.findall(r"type='([^']*)'.*?<data><!\[CDATA\[(.*?)\]\]></data>", done.stdout.decode(), re.DOTALL)
    return sorted(f"{kind}:{text}" for kind, text in found)


def files_in(pdf: bytes, folder: Path) -> dict[str, bytes]:
    """What is attached to it."""
    paper = folder / "paper.pdf"
    paper.write_bytes(pdf)
    inside = folder / "inside"
    inside.mkdir()
    subprocess.run(["pdfdetach", "-saveall", "-o", inside, paper], check=True, capture_output=True, timeout=60)
    return {file.name: file.read_bytes() for file in inside.iterdir()}


def _poppler(*command: str, given: bytes) -> bytes:
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=60).stdout
