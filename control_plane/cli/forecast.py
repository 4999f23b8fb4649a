"""`corrente forecast`: what the loop would do now and in the days to come if nothing changes, each with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click

from control_plane.cli._console import open_database, print_json, print_table
from control_plane.control_loop.guard import Verdict
from control_plane.explaining.explain_now import step_words
from control_plane.explaining.forecast_page import Forecast, Would, load_forecast, would_of
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.forecast import OPEN_SHOWN, OpenChange

_LINES_SHOWN: Final = 100
_MOST_DAYS: Final = 400


@click.command()
@click.option(
    "--days",
    type=click.IntRange(0, _MOST_DAYS),
    default=1,
    show_default=True,
    help="How far ahead; 0: only what is open now.",
)
@click.option(
    "--lines", type=click.IntRange(0), default=_LINES_SHOWN, show_default=True, help="Lines of each list shown."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every line.")
@click.pass_obj
def command(settings: Settings, *, days: int, lines: int, as_json: bool) -> None:
    """Print what would be sent to live sessions now and in the next days if nobody touches anything, and what would wait.

    Nothing is sent and nothing changed. What depends on usage and payments to come is not in it; the hours of a plan
    are for two days.
    """
    with open_database(settings) as connection:
        forecast = load_forecast(connection, settings, days=days, now=datetime.now(UTC))
    if as_json:
        print_json(_as_json(forecast))
        return
    _print_now(forecast, lines)
    if days:
        _print_coming(forecast, days, lines, settings)
    if forecast.not_worked_out:
        click.echo(
            f"\n{forecast.not_worked_out:,} subscribers online have no policy worked out yet: is a worker running?"
        )


def _print_now(forecast: Forecast, lines: int) -> None:
    found = forecast.found
    click.echo(f"now: {found.milder:,} changes that give or only change, {found.disruptive:,} that take away are open")
    if found.milder + found.disruptive > OPEN_SHOWN:
        click.echo(f"  the guard was asked about the first {OPEN_SHOWN:,}")
    waiting = Counter(verdict.reason for verdict in forecast.verdicts.values() if not verdict.goes)
    for reason, count in waiting.most_common():
        click.echo(f"  {count:,} {reason if reason.startswith('waits') else f'wait: {reason}'}")
    if forecast.changes:
        print_table(
            ("CHANGE", "SUBSCRIBER", "NAS", "TO", "WHY", "WOULD"),
            (
                (one.id, one.username, one.nas, one.level, one.reason, _would(one, forecast.verdicts))
                for one in forecast.changes[:lines]
            ),
            empty="",
        )
        _say_more(len(forecast.changes), lines)


def _would(change: OpenChange, verdicts: dict[int, Verdict]) -> str:
    verdict = verdicts.get(change.id)
    would = would_of(change, verdict)
    why = verdict.reason if verdict is not None else ""
    if would is Would.WAIT and why.startswith("waits"):
        return why
    reason = change.problem if would is Would.GO_AGAIN else why if would in (Would.WAIT, Would.BE_DROPPED) else ""
    return f"{would}: {reason}" if reason else would.value


def _print_coming(forecast: Forecast, days: int, lines: int, settings: Settings) -> None:
    zone = settings.zone
    cuts = [one for one in forecast.judged if one.coming.disruptive]
    waiting = [one for one in forecast.judged if one.waits]
    click.echo(
        f"\nin {days} d: {len(forecast.judged):,} steps of subscribers who are online now, {len(cuts):,} take away,"
        f" {len(waiting):,} would wait"
    )
    for reason, count in Counter(one.waits for one in waiting).most_common():
        click.echo(f"  {count:,} {reason if reason.startswith('waits') else f'wait: {reason}'}")
    if forecast.judged:
        print_table(
            ("WHEN", "SUBSCRIBER", "FROM", "TO", "WHY", "WOULD"),
            (
                (
                    instant_text(one.coming.at, zone),
                    one.coming.username,
                    step_words(one.coming.before, forecast.profiles),
                    step_words(one.coming.after, forecast.profiles),
                    one.coming.why,
                    "wait" if one.waits else "go",
                )
                for one in forecast.judged[:lines]
            ),
            empty="",
        )
        _say_more(len(forecast.judged), lines)


def _say_more(count: int, shown: int) -> None:
    if count > shown:
        click.echo(f"… and {count - shown:,} more; --lines {count} shows them")


def _as_json(forecast: Forecast) -> dict[str, Any]:
    return {
        "at": forecast.now,
        "stop": forecast.situation.stop or None,
        "open": asdict(forecast.found),
        "now": [
            {
                **asdict(one),
                "waits": _waits(forecast.verdicts.get(one.id)),
            }
            for one in forecast.changes
        ],
        "coming": [
            {
                "at": one.coming.at,
                "username": one.coming.username,
                "from": step_words(one.coming.before, forecast.profiles),
                "to": step_words(one.coming.after, forecast.profiles),
                "why": one.coming.why,
                "disruptive": one.coming.disruptive,
                "waits": one.waits or None,
            }
            for one in forecast.judged
        ],
        "not_worked_out": forecast.not_worked_out,
    }


def _waits(verdict: Verdict | None) -> str | None:
    return verdict.reason if verdict is not None and not verdict.goes else None
