"""The page of `corrente explain USER --at` for a moment that is over, and the same as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from control_plane.cli._console import Refused, known_account, open_database, print_json
from control_plane.explaining.explain_past import NotKept, not_kept, past_chain
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.past import Past, load_past, load_profile_names

_LABEL_WIDTH: Final = 14


def explain_past(settings: Settings, username: str, at: datetime, *, as_json: bool) -> None:
    """Print the chain of that moment, from what the database keeps. Raises: Refused."""
    with open_database(settings) as connection:
        account = known_account(connection, username)
        match not_kept(account, at, now=datetime.now(UTC), kept_days=settings.retention.history_days):
            case NotKept.BEFORE_ACCOUNT:
                made = instant_text(account.created_at, settings.zone)
                raise Refused(f"{username} is here since {made}: nothing is known of the time before")
            case NotKept.TOO_OLD:
                kept = settings.retention.history_days
                raise Refused(
                    f"how things stood is kept for {kept} days ([retention] history_days): nothing certain is known of then"
                )
        past = load_past(connection, account, at)
        contents = load_profile_names(connection)
    chain = past_chain(past, contents, settings.zone)
    if as_json:
        print_json({"at": at, "chain": [{"what": what, "says": says} for what, says in chain], **_as_json(past)})
        return
    click.echo(f"{username} at {instant_text(at, settings.zone)}\n")
    last = ""
    for what, says in chain:
        click.echo(f"{'' if what == last else what:<{_LABEL_WIDTH}}{says}")
        last = what
    click.echo("\nOf accounting the first record, the last one and the totals are kept, not each interim record.")


def _as_json(past: Past) -> dict[str, object]:
    return {
        "account": asdict(past.account),
        "restrictions": [asdict(one) for one in past.restrictions],
        "reliefs": [asdict(one) for one in past.reliefs],
        "sessions": [{**asdict(one), "policy_version": _hex(one.policy_version)} for one in past.sessions],
        "changes": [
            {**asdict(one), "from_version": _hex(one.from_version), "desired_version": _hex(one.desired_version)}
            for one in past.changes
        ],
        "packets": [asdict(one) for one in past.packets],
        "logins": [asdict(one) for one in past.logins],
        "acts": [asdict(one) for one in past.acts],
    }


def _hex(version: bytes | None) -> str | None:
    return None if version is None else version.hex()
