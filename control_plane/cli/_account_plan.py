"""`corrente account change-plan` and `top-up`: a plan from a day on, and octets beyond the quota."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

import click

from billing.deeds import Refused as DeedRefused
from billing.errors import BillingError
from billing.operations.doing import do_deed
from billing.store.contract_page import has_terms
from control_plane import audit
from control_plane.cli._console import Connection, Refused, known_account, open_database, os_user, unknown
from control_plane.cli._contract_deed import contract_day
from control_plane.cli._contract_deeds import plan_deed
from control_plane.cli._options import coming_instant
from control_plane.policy.quota import quota_month
from control_plane.quantities import QuantityError, instant_text, octets_text, read_octets
from control_plane.settings import Settings
from control_plane.store.account import Account
from control_plane.store.plan import load_plans
from control_plane.store.plan_terms import (
    TopupRow,
    load_plan_change_days,
    remove_plan_change,
    save_plan_change,
    save_topup,
)

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
    with open_database(settings) as connection:
        account = known_account(connection, username)
        contract_id = account.contract_id
        day = _only_day(connection, contract_id) if on is None else on.date()
        _refuse_past(day, settings)
        if has_terms(connection, contract_id):
            # The bill goes with the network: taken back, the change is one to the plan that would go on.
            change_billed_plan(connection, contract_id, plan or _plan_before(account, day), on=day, settings=settings)
        elif plan is None:
            if not remove_plan_change(connection, contract_id, effective_on=day):
                raise Refused(
                    f"no plan change of contract {contract_id} waits for {day}; `corrente account show` lists them"
                )
        else:
            plans = {known.name: known.id for known in load_plans(connection)}
            if plan not in plans:
                raise unknown("plan", plan, plans)
            save_plan_change(connection, contract_id, plan_id=plans[plan], effective_on=day, placed_by=os_user())
        detail = {"plan": plan, "effective_on": day}
        action = "account.cancel_plan_change" if cancel else "account.change_plan"
        audit.append(connection, actor=os_user(), action=action, subject=username, detail=detail)
    said = f"stays with {account.plan}" if plan is None else f"has plan {plan} from the first moment of"
    click.echo(f"Contract {contract_id} {said} {'on ' if plan is None else ''}{day}.")


def change_billed_plan(
    connection: Connection, contract_id: int, plan: str, *, settings: Settings, on: date | None = None
) -> None:
    """Another plan of a contract that is billed, as `corrente contract change-plan` does it; refused in its words."""
    today, zone = contract_day(connection, contract_id, settings)
    deed = plan_deed(connection, plan, on=on)
    try:
        outcome = do_deed(connection, contract_id, deed, today=today, actor=os_user(), zone=zone)
    except BillingError as error:
        raise Refused(str(error)) from error
    if isinstance(outcome, DeedRefused):
        raise Refused(f"contract {contract_id}: {outcome.sentence}")


def billed_words(contract_id: int, columns: Iterable[str]) -> str:
    """Why an account's command does not write these columns of a contract, and which command does."""
    deeds = {"status": "its deeds", "starts_on": "activate", "ends_on": "end"}
    said = ", ".join(f"{name.replace('_', ' ')} ({deeds[name]})" for name in columns)
    return (
        f"contract {contract_id} is billed: its {said} change with the bill; `corrente contract --help` lists the deeds"
    )


def _plan_before(account: Account, day: date) -> str:
    """The plan in force before a change of that day."""
    earlier = [one for one in account.plan_changes if date.fromisoformat(str(one[0])) < day]
    return str(earlier[-1][1]) if earlier else account.plan


def _only_day(connection: Connection, contract_id: int) -> date:
    """The day of the one change that waits."""
    days = load_plan_change_days(connection, contract_id)
    if not days:
        raise Refused(f"no plan change of contract {contract_id} waits")
    if len(days) > 1:
        raise Refused(
            f"{len(days)} plan changes of contract {contract_id} wait: say --on {' or --on '.join(map(str, days))}"
        )
    return days[0]


def _refuse_past(day: date, settings: Settings) -> None:
    today = datetime.now(settings.zone).date()
    if day <= today:
        raise Refused(f"{day} is not to come; `corrente account set --plan` changes the plan now")


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
        if account.quota_octets is None:
            raise Refused(f"plan {account.plan} has no quota that a top-up could add to")
        row = TopupRow(account.contract_id, None if whole_contract else account.id, count, now, end, reason, os_user())
        save_topup(connection, row)
        detail = {"octets": count, "until": end, "reason": reason, "whole_contract": whole_contract}
        audit.append(connection, actor=os_user(), action="account.top_up", subject=username, detail=detail)
    whose = f"each account of contract {account.contract_id}" if whole_contract else username
    click.echo(f"{octets_text(count)} more for {whose} until {instant_text(end, settings.zone)}.")
