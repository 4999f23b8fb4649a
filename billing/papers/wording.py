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
from billing.sentence import Sentence

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
        raise PaperError(
            Sentence(
                "there is no wording in %(found)s: it is one of %(known)s",
                found=repr(language),
                known=", ".join(LANGUAGES),
            )
        )
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
                raise PaperError(
                    Sentence(
                        "%(file)s: %(found)s: a look has %(known)s, as in the package's",
                        file=folder / "look.toml",
                        found=f"{key} = {value!r}",
                        known=known,
                    )
                )
            look[key] = value
    if look["window"] not in ("left", "right"):
        raise PaperError(Sentence("look.toml: %(found)s: it is left or right", found=f"window = {look['window']!r}"))
    if not re.fullmatch("#[0-9A-Fa-f]{6}", look["accent"]):
        raise PaperError(
            Sentence("look.toml: %(found)s: a colour such as #1f4e79", found=f"accent = {look['accent']!r}")
        )
    return look


def read_table(file: Path) -> Tables:
    """The sections of a file with their texts; a file that is not there has none.

    Raises: PaperError, which names the file.
    """
    read = _read(file)
    for name, table in read.items():
        if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
            raise PaperError(Sentence('%(file)s: [%(name)s] has texts, each as name = "text"', file=file, name=name))
    return read


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PaperError(Sentence("%(file)s can't be read: %(why)s", file=file, why=error)) from error


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """A sentence with its {…} filled in.

    Raises: PaperError when it asks for something that such a paper does not say.
    """
    try:
        return text.format_map(facts)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in facts)
        raise PaperError(
            Sentence(
                "the sentence %(text)s can't be filled in (%(why)s): it may have %(known)s",
                text=repr(text),
                why=error,
                known=known,
            )
        ) from error
