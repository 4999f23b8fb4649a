"""Every text of the console is translated: what the sources mark is in the catalogue of each language, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from control_plane.refusals import CONSTRAINT_WORDS, TEXT_WORDS, without_command

ROOT = Path(__file__).resolve().parent.parent.parent
WEB = ROOT / "web"
KEYWORDS = {"gettext": None, "lazy": None, "_": None, "ngettext": (1, 2)}
PLACES = re.compile(r"%\((\w+)\)s")


def texts() -> Iterator[tuple[str, str]]:
    """Each text with the file that has it."""
    for file in sorted(WEB.rglob("*.py")):
        for _, text, _, _ in extract_from_file("python", file, keywords=KEYWORDS):
            yield str(file.relative_to(ROOT)), text if isinstance(text, str) else text[0]
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
    for file in sorted([*WEB.rglob("*.html"), *WEB.rglob("*.txt")]):
        if "templates" not in file.parts:
            continue
        for _, text, _, _ in extract_from_file("jinja2.ext:babel_extract", file, keywords=KEYWORDS, options=options):
            yield str(file.relative_to(ROOT)), text if isinstance(text, str) else text[0]


def told() -> Iterator[tuple[str, str]]:
    """Each form of a refusal of billing: what is not written out where it is said can't be translated."""
    for folder in ("billing", "control_plane"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in ("Sentence", "NotDone")
                ):
                    (form,) = node.args
                    assert isinstance(form, ast.Constant), (
                        f"{file}:{node.lineno}: a form is a text, and its places are named"
                    )
                    yield form.value, str(file.relative_to(ROOT))


@pytest.fixture(scope="module")
def marked() -> dict[str, str]:
    """Each text that has to be translated, with a file that has it. Read by these tests alone: whoever imports this module waits for none of it."""
    found = {text: file for file, text in texts() if text}
    # Words for what the database refuses come from another package.
    found |= {without_command(form): file for form, file in told()}
    return found | {
        without_command(words): "refusals.py" for words in (*CONSTRAINT_WORDS.values(), *TEXT_WORDS.values())
    }


def catalogue(language: str) -> dict[str, tuple[str, str]]:
    """Text → translation and file."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted((WEB / "translations" / language).glob("*.po")):
        with file.open("rb") as po:
            for message in read_po(po, locale=language, abort_invalid=True):
                if not message.id:
                    continue
                first = message.id if isinstance(message.id, str) else message.id[0]
                said = message.string if isinstance(message.string, str) else "\n".join(message.string)
                assert not message.fuzzy, f"{file}: {first!r} is marked fuzzy"
                assert first not in found or found[first][0] == said, (
                    f"{first!r} is translated twice, and not alike: {file}, {found[first][1]}"
                )
                found[first] = (said, file.name)
    return found


@pytest.mark.parametrize("language", ["it", "es"])
def test_each_text_of_the_console_is_translated(marked, language):
    there = catalogue(language)
    missing = {text: file for text, file in marked.items() if not there.get(text, ("", ""))[0]}
    assert not missing, "\n".join(f"{file}: {text!r}" for text, file in missing.items())


@pytest.mark.parametrize("language", ["it", "es"])
def test_a_translation_has_the_places_of_its_text(language):
    wrong = [
        text
        for text, (said, _) in catalogue(language).items()
        if not set(PLACES.findall(said)) <= set(PLACES.findall(text)) | {"num"}
        or ("%(num)s" not in text and set(PLACES.findall(text)) - set(PLACES.findall(said)))
    ]
    assert not wrong


@pytest.mark.parametrize("language", ["it", "es"])
def test_no_translation_is_left_of_a_text_that_is_gone(marked, language):
    left = {text: file for text, (_, file) in catalogue(language).items() if text not in marked}
    assert not left
