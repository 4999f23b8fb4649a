"""`corrente paper`: what is printed: templates previewed, checked, and copied to be changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import orjson

from billing.papers.errors import PaperError
from billing.papers.paper import Paper, PaperKind, ReceiptPaper
from billing.papers.press import Press
from billing.papers.samples import sample
from billing.papers.wording import LANGUAGES, PACKAGE
from control_plane.cli._console import Refused
from control_plane.cli._group import Group
from control_plane.paper_run import write_whole
from control_plane.settings import Settings

command = Group("paper", help="What is printed: templates previewed, checked, and copied to be changed.")

_KINDS = click.Choice([str(kind) for kind in PaperKind])
_LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
_ISSUER = click.option("--issuer-id", type=int, help="With what stands in the folder issuer-ID, too.")


@command.command("preview")
@click.argument("kind", type=_KINDS)
@_LANGUAGE
@_ISSUER
@click.option("--size", type=click.Choice(["a4", "80mm", "58mm"]), help="Of a receipt.")
@click.option("--lines", type=click.IntRange(0, 1000), default=4, show_default=True, help="How many it has.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PDF.")
@click.pass_obj
def preview(
    settings: Settings,
    /,
    kind: str,
    *,
    language: str,
    issuer_id: int | None,
    size: str | None,
    lines: int,
    out: Path,
) -> None:
    """Print a made-up paper of a KIND as its template is now. Needs no database."""
    paper = sample(PaperKind(kind), language, lines=lines)
    if size is not None:
        if not isinstance(paper, ReceiptPaper):
            raise click.UsageError(f"only a receipt has a size, no {kind}")
        paper = replace(paper, size=size)
    try:
        with Press(settings.papers_dir, issuer_id) as press:
            write_whole(out, press.print(paper))
    except PaperError as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"can't write {out}: {error.strerror}") from error
    click.echo(f"Wrote {out}.")


@command.command("check")
@click.pass_obj
def check(settings: Settings) -> None:
    """Print every kind in every language with each issuer's own files; say what can't be printed, and where."""
    issuers = [None, *_issuer_folders(settings.papers_dir)]
    wrong: dict[str, None] = {}
    count = 0
    for issuer_id in issuers:
        try:
            with Press(settings.papers_dir, issuer_id) as press:
                for paper in _all_papers():
                    count += 1
                    try:
                        press.print(paper)
                    except PaperError as error:
                        wrong[f"{paper.kind} in {paper.frame.language}: {error}"] = None
        except PaperError as error:
            wrong[str(error)] = None
    if wrong:
        raise Refused("\n".join(wrong))
    click.echo(f"{count} papers were printed, none refused.")


@command.command("data")
@click.argument("kind", type=_KINDS)
@_LANGUAGE
@_ISSUER
@click.pass_obj
def data(settings: Settings, kind: str, *, language: str, issuer_id: int | None) -> None:
    """What a template of a KIND gets, as JSON: for who writes one."""
    try:
        with Press(settings.papers_dir, issuer_id) as press:
            told = press.data_of(sample(PaperKind(kind), language))
    except PaperError as error:
        raise Refused(str(error)) from error
    click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


@command.command("copy")
@click.argument("file", type=click.Choice(["look.toml", *sorted(one.name for one in PACKAGE.glob("templates/*.typ"))]))
@_ISSUER
@click.pass_obj
def copy(settings: Settings, file: str, *, issuer_id: int | None) -> None:
    """Copy a FILE of the package to the folder of the settings, where it may be changed. One that is there stays."""
    source = PACKAGE / file if file == "look.toml" else PACKAGE / "templates" / file
    folder = settings.papers_dir if issuer_id is None else settings.papers_dir / f"issuer-{issuer_id}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / file
        if target.exists():
            raise Refused(f"{target} is there already")
        shutil.copyfile(source, target)
    except OSError as error:
        raise Refused(f"can't write to {folder}: {error.strerror}") from error
    click.echo(f"{target} is yours to change; `corrente paper check` says whether it prints.")


def _issuer_folders(folder: Path) -> list[int]:
    names = (one.name.removeprefix("issuer-") for one in folder.glob("issuer-*") if one.is_dir())
    return sorted(int(name) for name in names if name.isdecimal())


def _all_papers() -> Iterator[Paper]:
    for language in LANGUAGES:
        for kind in PaperKind:
            paper = sample(kind, language)
            if isinstance(paper, ReceiptPaper):
                yield from (replace(paper, size=size) for size in ("a4", "80mm", "58mm"))
            else:
                yield paper
