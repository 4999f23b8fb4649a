"""`corrente message template`: the texts of messages, as they are, as they read, and as the operator changes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from billing.errors import BillingError
from billing.messages.texts import (
    KNOWN,
    LANGUAGES,
    Source,
    example,
    load_kinds,
    names_of,
    read_source,
    sample_reader,
    write,
)
from billing.store.message_readers import Sender, load_senders
from billing.store.message_templates import find_source, load_versions, save_version
from control_plane import audit
from control_plane.cli._books import known_issuer, open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._message_text import moment_words, read_file
from control_plane.cli._options import confirm
from control_plane.messages.sending import accent_of
from control_plane.paper_run import write_whole
from control_plane.settings import Settings

template = Group("template", help="The texts of messages: shown, previewed, changed, and as they were again.")

_LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
_ISSUER = click.option("--issuer", help="For this issuer alone.")


@dataclass(frozen=True, slots=True)
class _Place:
    """Which text is meant, and where it is looked up."""

    connection: Connection
    settings: Settings
    kind: str
    language: str
    issuer_id: int | None


@template.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """The kinds of messages, what each tells, and in which languages it was changed."""
    with open_books(settings) as connection:
        own: dict[str, dict[str, bool]] = {}
        for one in load_versions(connection):
            own.setdefault(one.kind, {})[one.language] = one.subject is not None
    kinds = load_kinds()
    names = [*kinds, *sorted(set(own) - set(kinds))]
    rows = [
        (
            name,
            kinds[name].purpose.value if name in kinds else None,
            kinds[name].about if name in kinds else "your own",
            ", ".join(sorted(kinds[name].tells)) if name in kinds else None,
            ", ".join(sorted(language for language, is_own in own.get(name, {}).items() if is_own)),
        )
        for name in names
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
        click.echo(_as_it_reads(_Place(connection, settings, kind, language, issuer_id), source))
        if dry_run:
            click.echo("Dry run: nothing was kept.")
            return
        version = save_version(connection, kind, language, source, issuer_id=issuer_id, made_by=os_user())
        audit.append(
            connection,
            actor=os_user(),
            action="message_template.edit",
            subject=f"{kind} {language}",
            detail={"version": version, "issuer": issuer},
        )
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
        issuer_id = _issuer_id(connection, issuer)
        mine = [one for one in load_versions(connection, kind=kind, language=language) if one.issuer_id == issuer_id]
        if not mine:
            raise Refused(f"{kind!r} in {language!r} was never changed")
        back = next((one for one in mine if one.version == version), None)
        if version is not None and (back is None or back.subject is None or back.body is None):
            raise Refused(
                f"there is no text {version} of {kind!r} in {language!r}: `corrente message template show {kind} --versions`"
            )
        if version is None and kind not in load_kinds():
            raise Refused(f"{kind!r} is yours alone: the package has no text to go back to")
        source = Source(back.subject, back.body, back.html) if back and back.subject and back.body else None
        confirm(f"Go back to {'the package' if source is None else f'version {version}'}?", yes=yes)
        made = save_version(connection, kind, language, source, issuer_id=issuer_id, made_by=os_user())
        detail = {"version": made, "as": version, "issuer": issuer}
        audit.append(
            connection, actor=os_user(), action="message_template.undo", subject=f"{kind} {language}", detail=detail
        )
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
        click.echo(_as_it_reads(_Place(connection, settings, kind, language, issuer_id), source, html_file), nl=False)
    if html_file is not None:
        click.echo(f"Wrote {html_file}.", err=True)


@template.command("check")
@click.pass_obj
def check(settings: Settings) -> None:
    """Fill in every kind in every language and for each issuer; says what can't be."""
    wrong: list[str] = []
    count = 0
    with open_books(settings) as connection:
        own = {one.kind for one in load_versions(connection)}
        issuers = [None, *(sender.id for sender in load_senders(connection))]
        for kind in sorted({*load_kinds(), *own}):
            for language in LANGUAGES:
                for issuer_id in issuers:
                    count += 1
                    try:
                        source = find_source(connection, kind, language, issuer_id)
                        _as_it_reads(_Place(connection, settings, kind, language, issuer_id), source)
                    except (BillingError, Refused) as error:
                        if kind in load_kinds():
                            wrong.append(f"{kind} in {language}: {error}")
    if wrong:
        raise Refused("\n".join(dict.fromkeys(wrong)))
    click.echo(f"{count} texts were filled in, none refused.")


def _as_it_reads(place: _Place, source: Source, html_file: Path | None = None) -> str:
    """A text filled in with made-up figures; one of the operator's own kind is only read, since nobody knows what it tells."""
    kind, issuer_id, settings = place.kind, place.issuer_id, place.settings
    senders = load_senders(place.connection)
    sender = next((one for one in senders if issuer_id in (None, one.id)), None)
    sender = sender or Sender(
        None, {"name": settings.operator.name, "email": "", "phone": "", "iban": ""}, None, settings.zone
    )
    if kind not in load_kinds():
        names = sorted(names_of(source) - set(KNOWN))
        return f"Your own kind {kind!r}: it is sent with {', '.join(names) or 'nothing more'}.\n"
    reader = sample_reader(
        place.language,
        sender.facts,
        country=sender.country or "",
        zone=ZoneInfo(str(sender.zone)),
        accent=accent_of(settings, issuer_id),
    )
    told = example(kind)
    least = {name: value for name, value in told.items() if name not in load_kinds()[kind].may}
    write(source, kind, least, reader)
    written = write(source, kind, told, reader)
    if html_file is not None:
        try:
            write_whole(html_file, written.html.encode())
        except OSError as error:
            raise Refused(f"can't write {html_file}: {error.strerror}") from error
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
