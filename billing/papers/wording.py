"""What stands on papers in each language, from one table a language; an operator's table says what differs.

Next: billing/papers/spelling.py
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from billing.papers.errors import PaperError

LANGUAGES: Final = ("en", "es", "it")
PACKAGE: Final = Path(__file__).parent
Tables = dict[str, dict[str, str]]


def load_wording(language: str, folders: Sequence[Path] = ()) -> Tables:
    """The tables of a language: the package's, with what `words/LANGUAGE.toml` of each folder says else.

    Raises: PaperError, which names the file.
    """
    tables: Tables = {}
    for folder in (PACKAGE, *folders):
        for name, table in read_table(folder / "words" / f"{language}.toml").items():
            tables.setdefault(name, {}).update(table)
    if not tables:
        raise PaperError(f"there is no wording in {language!r}: it is one of {', '.join(LANGUAGES)}")
    return tables


def load_look(folders: Sequence[Path] = ()) -> dict[str, Any]:
    """The look: the package's look.toml with what each folder's says else.

    Raises: PaperError, which names the file and the key.
    """
    look: dict[str, Any] = {}
    for folder in (PACKAGE, *folders):
        for key, value in _read(folder / "look.toml").items():
            if folder is not PACKAGE and type(look.get(key)) is not type(value):
                known = ", ".join(look)
                raise PaperError(f"{folder / 'look.toml'}: {key} = {value!r}: a look has {known}, as in the package's")
            look[key] = value
    if look["window"] not in ("left", "right"):
        raise PaperError(f"look.toml: window = {look['window']!r}: it is left or right")
    if not re.fullmatch("#[0-9A-Fa-f]{6}", look["accent"]):
        raise PaperError(f"look.toml: accent = {look['accent']!r}: a colour such as #1f4e79")
    return look


def read_table(file: Path) -> Tables:
    """The sections of a file with their texts; a file that is not there has none.

    Raises: PaperError, which names the file.
    """
    read = _read(file)
    for name, table in read.items():
        if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
            raise PaperError(f'{file}: [{name}] has texts, each as name = "text"')
    return read


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PaperError(f"{file}: {error}") from error


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """A sentence with its {…} filled in.

    Raises: PaperError when it asks for something that such a paper does not say.
    """
    try:
        return text.format_map(facts)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in facts)
        raise PaperError(f"the sentence {text!r} can't be filled in ({error}): it may have {known}") from error
