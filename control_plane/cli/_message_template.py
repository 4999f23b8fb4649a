"""`corrente message template`: the texts of messages, as they are, as they read, and as the operator changes them."""

from __future__ import annotations

from pathlib import Path

import click

from billing.messages.texts import KNOWN, LANGUAGES, Source, Written, load_kinds, names_of, read_source
from billing.store.message_templates import find_source, load_versions
from control_plane.cli._books import known_issuer, open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._message_text import moment_words, read_file
from control_plane.cli._options import confirm
from control_plane.messages.own_texts import (
    NoSuchTextError,
    Place,
    as_it_reads,
    faults_of_all,
    go_back,
    keep,
    load_kinds_here,
    text_to_go_back_to,
)
from control_plane.paper_run import write_whole
from control_plane.settings import Settings

template = Group("template", help="The texts of messages: shown, previewed, changed, and as they were again.")

_LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
_ISSUER = click.option("--issuer", help="For this issuer alone.")


@template.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """The kinds of messages, what each tells, and in which languages it was changed."""
    with open_books(settings) as connection:
        kinds = load_kinds_here(connection)
    rows = [
        (
            one.name,
            one.purpose,
            one.about if one.is_packaged else "your own",
            ", ".join(one.tells) if one.is_packaged else None,
            ", ".join(sorted(one.own_in)),
        )
        for one in kinds
    ]
    columns = ("KIND", "PURPOSE", "WHEN", "TELLS", "YOURS IN")
    if as_json:
        print_json(
            [dict(zip((column.lower().replace(" ", "_") for column in columns), row, strict=True)) for row in rows]
        )
        return
    print_table(columns, rows, empty="None.")


@template.command("show")
@click.argument("kind")
@_LANGUAGE
@_ISSUER
@click.option("--html", "as_html", is_flag=True, help="The HTML that was written for it.")
@click.option("--versions", is_flag=True, help="All that it ever was.")
@click.pass_obj
def show(settings: Settings, kind: str, *, language: str, issuer: str | None, as_html: bool, versions: bool) -> None:
    """The text of a KIND as it is written: to a file, changed, and back with `edit`."""
    with open_books(settings) as connection:
        if versions:
            _show_versions(connection, settings, kind, language)
            return
        source = find_source(connection, kind, language, _issuer_id(connection, issuer))
    if as_html:
        if source.html is None:
            raise Refused(f"{kind!r} has no HTML of its own: it follows from its text")
        click.echo(source.html)
        return
    click.echo(f"Subject: {source.subject}\n\n{source.body}")
    whose = "the package's" if source.version is None else f"your version {source.version}"
    tells = load_kinds()[kind].tells if kind in load_kinds() else {}
    click.echo(f"({whose}; it may name {', '.join((*KNOWN, *tells))})", err=True)


@template.command("edit")
@click.argument("kind")
@_LANGUAGE
@_ISSUER
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=True,
              help="`Subject: …`, an empty line, the text; - is standard input.")  # fmt: skip
@click.option(
    "--html-file", type=click.Path(path_type=Path, dir_okay=False), help="HTML of its own, within the page's frame."
)
@click.option("--dry-run", is_flag=True, help="Show how it reads; keep nothing.")
@click.pass_obj
def edit(
    settings: Settings, /, *, kind: str, language: str, issuer: str | None, file: Path, html_file: Path | None, dry_run: bool
) -> None:  # fmt: skip
    """A text of your own for a KIND, from now on. One that can't be filled in is refused, with the line."""
    with open_books(settings) as connection:
        read = read_source(read_file(file))
        source = Source(read.subject, read.body, None if html_file is None else read_file(html_file))
        issuer_id = _issuer_id(connection, issuer)
        place = Place(kind, language, issuer_id)
        click.echo(_as_text(as_it_reads(connection, settings, place, source), kind, source))
        if dry_run:
            click.echo("Dry run: nothing was kept.")
            return
        version = keep(connection, settings, place, source, by=os_user())
    click.echo(
        f"Version {version} counts from now on; `corrente message template undo {kind} --language {language}` takes it back."
    )


@template.command("undo")
@click.argument("kind")
@_LANGUAGE
@_ISSUER
@click.option("--to", "version", type=int, help="As this version was; without it, the package's text.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def undo(settings: Settings, kind: str, *, language: str, issuer: str | None, version: int | None, yes: bool) -> None:
    """Back to the package's text of a KIND, or to an earlier version of yours. All versions are kept."""
    with open_books(settings) as connection:
        place = Place(kind, language, _issuer_id(connection, issuer))
        try:
            source = text_to_go_back_to(connection, place, version)
        except NoSuchTextError as error:
            raise Refused(str(error)) from error
        confirm(f"Go back to {'the package' if source is None else f'version {version}'}?", yes=yes)
        go_back(connection, place, version, by=os_user())
    click.echo(f"{kind} in {language} is {'the package' if source is None else f'as version {version}'} again.")


@template.command("preview")
@click.argument("kind")
@_LANGUAGE
@_ISSUER
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Its HTML to this file.")
@click.pass_obj
def preview(settings: Settings, kind: str, *, language: str, issuer: str | None, html_file: Path | None) -> None:
    """How a KIND reads with made-up figures, as it is now."""
    with open_books(settings) as connection:
        issuer_id = _issuer_id(connection, issuer)
        source = find_source(connection, kind, language, issuer_id)
        written = as_it_reads(connection, settings, Place(kind, language, issuer_id), source)
    click.echo(_as_text(written, kind, source), nl=False)
    if html_file is not None and written is not None:
        try:
            write_whole(html_file, written.html.encode())
        except OSError as error:
            raise Refused(f"can't write {html_file}: {error.strerror}") from error
        click.echo(f"Wrote {html_file}.", err=True)


@template.command("check")
@click.pass_obj
def check(settings: Settings) -> None:
    """Fill in every kind in every language and for each issuer; says what can't be."""
    with open_books(settings) as connection:
        count, wrong = faults_of_all(connection, settings)
    if wrong:
        raise Refused("\n".join(wrong))
    click.echo(f"{count} texts were filled in, none refused.")


def _as_text(written: Written | None, kind: str, source: Source) -> str:
    if written is None:
        names = sorted(names_of(source) - set(KNOWN))
        return f"Your own kind {kind!r}: it is sent with {', '.join(names) or 'nothing more'}.\n"
    return f"Subject: {written.subject}\n\n{written.body}"


def _show_versions(connection: Connection, settings: Settings, kind: str, language: str) -> None:
    rows = (
        (
            one.version,
            one.issuer_id,
            one.subject or "(the package's again)",
            one.made_by,
            moment_words(one.made_at, settings),
        )
        for one in load_versions(connection, kind=kind, language=language)
    )
    print_table(("VERSION", "ISSUER", "SUBJECT", "BY", "AT"), rows, empty="It was never changed.")


def _issuer_id(connection: Connection, name: str | None) -> int | None:
    return None if name is None else known_issuer(connection, name).id
