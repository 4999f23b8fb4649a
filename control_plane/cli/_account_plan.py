"""`corrente account change-plan` and `top-up`: a plan from a day on, and octets beyond the quota."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

import click

from control_plane.accounts import plan_changes as deeds
from control_plane.accounts.not_done import NotDoneError
from control_plane.accounts.plan_changes import cancel_plan_change, refuse_past
from control_plane.accounts.topups import give_topup
from control_plane.cli._console import Connection, Refused, known_account, open_database, os_user, unknown
from control_plane.cli._options import coming_instant
from control_plane.policy.quota import quota_month
from control_plane.quantities import QuantityError, instant_text, octets_text, read_octets
from control_plane.settings import Settings
from control_plane.store.plan import load_plan_ids
from control_plane.store.plan_terms import load_plan_change_days

_DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.command("change-plan")
@click.argument("username")
@click.argument("plan", required=False)
@click.option("--on", "on", type=_DAY, help="First day of the new plan, in the billing zone.")
@click.option("--cancel", is_flag=True, help="Take back the change of that day, or the only one that waits.")
@click.pass_obj
def change_plan(settings: Settings, username: str, *, plan: str | None, on: datetime | None, cancel: bool) -> None:
    """Give USERNAME's contract another PLAN from a day on, in the place of another change on that day."""
    if cancel == (plan is not None):
        raise click.UsageError("name the new plan, or --cancel without one")
    if plan is not None and on is None:
        raise click.UsageError("say from which day on: --on 2027-02-01")
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        contract_id = account.contract_id
        day = only_day(connection, contract_id) if on is None else on.date()
        try:
            refuse_past(day, today=now.astimezone(settings.zone).date())
            if plan is None:
                cancel_plan_change(connection, account, day, settings=settings, now=now, actor=os_user())
            else:
                plan_id = _plan_id(connection, plan)
                deeds.change_plan(
                    connection, account, plan_id, plan, on=day, settings=settings, now=now, actor=os_user()
                )
        except NotDoneError as error:
            raise Refused(str(error)) from error
    said = f"stays with {account.plan}" if plan is None else f"has plan {plan} from the first moment of"
    click.echo(f"Contract {contract_id} {said} {'on ' if plan is None else ''}{day}.")


def change_billed_plan(connection: Connection, contract_id: int, plan: str, *, settings: Settings) -> None:
    """Another plan now, of a contract that is billed; refused in the words of its deed."""
    plan_id = _plan_id(connection, plan)
    try:
        deeds.change_billed_plan(
            connection, contract_id, plan_id, on=None, settings=settings, now=datetime.now(UTC), actor=os_user()
        )
    except NotDoneError as error:
        raise Refused(str(error)) from error


def _plan_id(connection: Connection, plan: str) -> int:
    plans = load_plan_ids(connection)
    if plan not in plans:
        raise unknown("plan", plan, plans, also="`corrente plan list` shows them")
    return plans[plan]


def billed_words(contract_id: int, columns: Iterable[str]) -> str:
    """Why an account's command does not write these columns of a contract, and which command does."""
    deeds = {"status": "its deeds", "starts_on": "activate", "ends_on": "end"}
    said = ", ".join(f"{name.replace('_', ' ')} ({deeds[name]})" for name in columns)
    return (
        f"contract {contract_id} is billed: its {said} change with the bill; `corrente contract --help` lists the deeds"
    )


def only_day(connection: Connection, contract_id: int) -> date:
    """The day of the one change that waits."""
    days = load_plan_change_days(connection, contract_id)
    if not days:
        raise Refused(f"no plan change of contract {contract_id} waits")
    if len(days) > 1:
        raise Refused(
            f"{len(days)} plan changes of contract {contract_id} wait: say --on {' or --on '.join(map(str, days))}"
        )
    return days[0]


@click.command("top-up")
@click.argument("username")
@click.argument("octets")
@click.option("--until", metavar="TIME", help="When it ends, such as 2026-01-31 18:40 or +7d; else with the month.")
@click.option("--contract", "whole_contract", is_flag=True, help="For each account of the contract.")
@click.option("--reason", required=True, help="Why: what was bought or granted.")
@click.pass_obj
def top_up(
    settings: Settings, username: str, octets: str, *, until: str | None, whole_contract: bool, reason: str
) -> None:
    """Give USERNAME octets beyond the quota, such as 50G; who is throttled for it is let go within a second.

    They count until the top-up ends, anew in each calendar month that it touches.
    """
    now = datetime.now(UTC)
    try:
        count = read_octets(octets)
    except QuantityError as error:
        raise click.UsageError(str(error)) from error
    end = quota_month(now, settings.zone).reset if until is None else coming_instant(until, settings.zone, now)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        try:
            give_topup(
                connection,
                account,
                octets=count,
                now=now,
                until=end,
                whole_contract=whole_contract,
                reason=reason,
                actor=os_user(),
            )
        except NotDoneError as error:
            raise Refused(str(error)) from error
    whose = f"each account of contract {account.contract_id}" if whole_contract else username
    click.echo(f"{octets_text(count)} more for {whose} until {instant_text(end, settings.zone)}.")
