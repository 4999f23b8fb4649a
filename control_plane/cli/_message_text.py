"""What a message that is typed says: a kind with what it tells, or a subject and a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from billing.messages.message import Purpose
from billing.messages.texts import LANGUAGES, load_kinds
from billing.store.message_batches import Batch
from billing.store.message_queue import Happening
from control_plane.cli._console import Refused
from control_plane.messages.outlook import Outlook
from control_plane.quantities import instant_text
from control_plane.settings import Settings

_MOST_OCTETS: Final = 100_000
LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), help="Instead of each reader's own.")
PURPOSE = click.option(
    "--purpose",
    type=click.Choice([str(one) for one in Purpose]),
    help="What lets it go: legal goes at any hour and whatever was declined, marketing with a consent alone. The kind's, if not said.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show to how many and what; write nothing.")
YES = click.option("--yes", is_flag=True, help="Don't ask.")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: which kind, what it tells, and why it goes."""

    kind: str
    data: Mapping[str, object]
    purpose: Purpose


def text_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--subject` and `--text`, or `--kind` with `--set`."""
    for option in reversed(
        (
            click.option("--subject", help="What it is about; with --text or --text-file."),
            click.option("--text", help="What it says."),
            click.option(
                "--text-file",
                type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
                help="What it says is in this file; - is standard input.",
            ),
            click.option("--kind", help="A kind of `corrente message template list` instead."),
            click.option("--set", "given", multiple=True, metavar="NAME=TEXT", help="What the kind tells; repeat."),
        )
    ):
        function = option(function)
    return function


def read_typed(options: Mapping[str, Any], purpose: str | None) -> Typed:
    """Raises: Refused, click.UsageError."""
    kind, subject = options["kind"], options["subject"]
    text = _text(options["text"], options["text_file"])
    given = dict(_pair(one) for one in options["given"])
    if kind is None:
        if subject is None or text is None or given:
            raise click.UsageError("say --subject with --text or --text-file, or --kind with --set")
        return Typed("text", {"subject": subject, "text": text}, Purpose(purpose or Purpose.SERVICE))
    if subject is not None or text is not None:
        raise click.UsageError("--kind has a subject and a text of its own: say --set NAME=TEXT")
    known = load_kinds().get(kind)
    if known is not None:
        missing = sorted(set(known.tells) - known.may - set(given))
        lists = [name for name in missing if isinstance(known.tells[name], list)]
        if lists:
            raise Refused(f"{kind!r} tells a list of {', '.join(lists)}: it is written by what happens, not by hand")
        if missing:
            raise Refused(f"{kind!r} tells {', '.join(missing)} too: say --set {missing[0]}=…")
    return Typed(kind, given, Purpose(purpose or (known.purpose if known else Purpose.SERVICE)))


def tell_outlook(outlook: Outlook, settings: Settings, *, whole: bool) -> None:
    """How many would go, and the first texts: one whole, of others to whom and the subject."""
    click.echo(f"{outlook.goes} go at once")
    if outlook.waits and outlook.until is not None:
        click.echo(f"{outlook.waits} wait for the hours: the first go {instant_text(outlook.until, settings.zone)}")
    if not settings.email.host and (outlook.goes or outlook.waits):
        click.echo("None leaves before [email] in corrente.toml names a server: its host is empty")
    for why, count in sorted(outlook.withheld.items()):
        click.echo(f"{count} do not go: {why}")
    for place, one in enumerate(outlook.examples):
        to = f"{one.addressee.name} <{one.addressee.email or 'no e-mail address'}>"
        click.echo(f"\nTo: {to}\nSubject: {one.written.subject}")
        if place == 0 or whole:
            click.echo(f"\n{one.written.body}", nl=False)


def known_batch(number: int, found: list[Batch]) -> Batch:
    """The batch, or the refusal that says where they are."""
    if not found:
        raise Refused(f"there is no batch {number}: `corrente message batches` shows them")
    return found[0]


def moment_words(moment: datetime | None, settings: Settings) -> str | None:
    """A moment in the zone of the network."""
    return None if moment is None else instant_text(moment, settings.zone)


def happening_words(happened: str) -> str:
    """As a person reads it."""
    return {Happening.IN_DOUBT: "in doubt", Happening.AGAIN: "queued again"}.get(Happening(happened), happened)


def _text(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("--text and --text-file exclude each other")
    return text if file is None else read_file(file)


def read_file(file: Path) -> str:
    """A text of a file. Raises: Refused."""
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            text: str = opened.read(_MOST_OCTETS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > _MOST_OCTETS:
        raise Refused(f"{file}: larger than {_MOST_OCTETS:,} letters")
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set {text!r}: expected NAME=TEXT")
    return name, value
