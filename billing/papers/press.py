"""Papers become PDF/A-3b: typst lays them out by the package's templates, or by an operator's own of the same name.

The same paper gives the same bytes. Templates read files below one folder that is made for them, nothing else, and what
people wrote reaches them as data. An operator's folder has any of: `invoice.typ`, `look.typ`, … (as in templates/),
`look.toml`, `words/it.toml`, `logo.svg`, a folder `fonts`; and a folder `issuer-1` with the same for issuer 1 alone.

A press is used by one thread at a time, and takes a tenth of a second to set up: keep it for a run.

Source: ISO 19005-3 (PDF/A-3); typst 0.15, whose own check refuses to write what is not.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, Final, Self

import typst

from billing.papers.errors import PaperError
from billing.papers.glyphs import drawable, letters_of
from billing.papers.paper import Attached, Paper
from billing.papers.spelling import Spelling, spelled
from billing.papers.template_data import data_for
from billing.papers.wording import PACKAGE, Tables, load_look, load_wording
from billing.sentence import Sentence

# Letters of Europe and America; of Arabic, Hebrew and what else people are called in; of China and Japan.
_SHARE: Final = Path("/usr/share/fonts")
FONTS: Final = (
    *(_SHARE / f"opentype/inter/Inter-{style}.otf" for style in ("Regular", "SemiBold", "Bold")),
    _SHARE / "truetype/dejavu/DejaVuSans.ttf",
    _SHARE / "truetype/dejavu/DejaVuSans-Bold.ttf",
    _SHARE / "truetype/droid/DroidSansFallbackFull.ttf",
)
FONT_PACKAGES: Final = "fonts-inter fonts-dejavu-core fonts-droid-fallback"
LOGOS: Final = ("logo.svg", "logo.png", "logo.jpg")
_STANDARD: Final = "a-3b"
# Each page as a picture of itself: letters stay letters.
_BUNDLE: Final = """#set page(paper: "a4", margin: 0pt)
#for (number, one) in json(bytes(sys.inputs.pages)).enumerate() {
  if number > 0 { pagebreak() }
  image(one.at(0), page: one.at(1), width: 100%, height: 100%, fit: "contain")
}
"""
_NO_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_COUNT: Final = re.compile(rb"/Count (\d+)")


class Press:
    """Prints papers of one issuer; a context, since templates are laid out in a folder of their own meanwhile."""

    def __init__(self, folder: Path | None = None, issuer_id: int | None = None) -> None:
        """Raises: PaperError for a wording or a look that can't be read, or without fonts."""
        self._folders = own_folders(folder, issuer_id)
        missing = [str(font) for font in FONTS if not font.is_file()]
        if missing:
            raise PaperError(
                Sentence(
                    "there is no font %(file)s: apt-get install %(packages)s", file=missing[0], packages=FONT_PACKAGES
                )
            )
        fonts = [*FONTS, *_own_fonts(self._folders)]
        self._letters = letters_of(fonts)
        self._look = load_look(self._folders)
        self._words: dict[str, Tables] = {}
        self._spellings: dict[tuple[str, str], Spelling] = {}
        self._place = tempfile.TemporaryDirectory(prefix="corrente-papers-")
        try:
            self._set_up(Path(self._place.name), fonts)
        except BaseException:
            self.close()
            raise

    def _set_up(self, place: Path, fonts: Sequence[Path]) -> None:
        for source in (PACKAGE / "templates", *self._folders):
            _lay_out(source, place)
        typefaces = typst.Fonts(False, False, [_shelf(fonts, place / "fonts")])
        for family in self._look["fonts"]:
            if family not in typefaces.families():
                raise PaperError(
                    Sentence(
                        "look.toml: there is no font %(found)s: it is one of %(known)s",
                        found=repr(family),
                        known=", ".join(typefaces.families()),
                    )
                )
        self._logo = next((name for name in LOGOS if (place / name).is_file()), None)
        self._typst = typst.Compiler(
            root=place,
            font_paths=typefaces,
            ignore_system_fonts=True,
            # Packages of others are never fetched: a template has what is in the folder.
            package_path=place,
            package_cache_path=place,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes the folder away."""
        self._place.cleanup()

    def print(self, paper: Paper, attached: Sequence[Attached] = ()) -> bytes:
        """The PDF of a paper, with files in it.

        Raises: PaperError, which names the template, the line and what is wrong.
        """
        data = self.data_of(paper, attached)
        # Midnight of the paper's day: the hour of printing would change the bytes.
        made_at = datetime.combine(paper.frame.dated, time(), UTC)
        try:
            written = self._typst.compile(
                Path(self._place.name) / f"{paper.kind}.typ",
                format="pdf",
                sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
                pdf_standards=_STANDARD,
                timestamp=made_at,
                pdf_tags=False,
            )
        except typst.TypstError as error:
            raise PaperError(self._explained(error, paper)) from error
        assert isinstance(written, bytes), "a PDF is one file"
        return written

    def bundle(self, papers: Sequence[bytes]) -> bytes:
        """Papers of ours one after the other in one PDF, for a printer: as they were printed, and no PDF/A.

        Raises: PaperError when they can't be put together.
        """
        folder = Path(self._place.name) / "bundle"
        folder.mkdir(exist_ok=True)
        pages = []
        for number, paper in enumerate(papers):
            (folder / f"{number}.pdf").write_bytes(paper)
            pages += [[f"{number}.pdf", page] for page in range(1, _pages_in(paper) + 1)]
        (folder / "all.typ").write_text(_BUNDLE, encoding="utf-8")
        try:
            written = self._typst.compile(
                folder / "all.typ",
                format="pdf",
                sys_inputs={"pages": json.dumps(pages)},
                timestamp=_NO_TIME,
                pdf_tags=False,
            )
        except typst.TypstError as error:
            raise PaperError(Sentence("the papers can't be put together: %(why)s", why=error.message)) from error
        finally:
            shutil.rmtree(folder)
        assert isinstance(written, bytes), "a PDF is one file"
        return written

    def data_of(self, paper: Paper, attached: Sequence[Attached] = ()) -> dict[str, Any]:
        """What a template gets, for who writes one."""
        language, country = paper.frame.language, paper.frame.country
        if language not in self._words:
            self._words[language] = load_wording(language, self._folders)
        if (language, country) not in self._spellings:
            self._spellings[language, country] = Spelling(language, country)
        spelling = self._spellings[language, country]
        data: dict[str, Any] = _drawable(data_for(paper, self._words[language], spelling), self._letters)
        return data | {"look": self._look, "logo": self._logo, "attached": spelled(tuple(attached), spelling)}

    def _explained(self, error: typst.TypstError, paper: Paper) -> Sentence:
        """The compiler's words, with the file as the operator knows it."""
        where = str(error.diagnostic).replace(f"{self._place.name}/", "").strip()
        hints = "".join(f"; {hint}" for hint in error.hints)
        return Sentence("template %(file)s: %(why)s", file=f"{paper.kind}.typ", why=f"{error.message}{hints}\n{where}")


def _pages_in(paper: bytes) -> int:
    """Of a PDF as this press prints it, whose tree of pages is not packed."""
    counts = [int(count) for count in _COUNT.findall(paper)]
    if not counts:
        raise PaperError(Sentence("this is no PDF that was printed here"))
    return max(counts)


def own_folders(folder: Path | None, issuer_id: int | None) -> list[Path]:
    """Whose files hold before the package's; the last wins."""
    if folder is None:
        return []
    own = [folder] if issuer_id is None else [folder, folder / f"issuer-{issuer_id}"]
    return [one for one in own if one.is_dir()]


def _own_fonts(folders: Sequence[Path]) -> list[Path]:
    found = (file for folder in folders for file in sorted((folder / "fonts").glob("*")))
    return [file for file in found if file.suffix.lower() in (".otf", ".ttf")]


def _shelf(fonts: Sequence[Path], folder: Path) -> Path:
    """A folder of these alone: the library reads folders, and all that is in them."""
    folder.mkdir()
    for number, font in enumerate(fonts):
        (folder / f"{number:03}{font.suffix.lower()}").symlink_to(font.resolve())
    return folder


def _lay_out(source: Path, place: Path) -> None:
    """Copies what templates may read; a link is followed, so that what it leads to stands below the root."""
    for file in sorted(source.iterdir()):
        if file.suffix in (".typ", ".svg", ".png", ".jpg") and file.is_file():
            if file.name in LOGOS:
                for other in LOGOS:
                    (place / other).unlink(missing_ok=True)
            try:
                shutil.copyfile(file, place / file.name)
            except OSError as error:
                raise PaperError(Sentence("%(file)s can't be read: %(why)s", file=file, why=error.strerror)) from error


def _drawable(value: Any, letters: frozenset[int]) -> Any:
    if isinstance(value, str):
        return drawable(value, letters)
    if isinstance(value, list):
        return [_drawable(one, letters) for one in value]
    if isinstance(value, dict):
        return {key: _drawable(one, letters) for key, one in value.items()}
    return value
