"""The deeds of `corrente contract`, each a sub-command: what they are called and what they are given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import click

from billing import deeds as do
from billing.contract_facts import BilledAs, Level, Origin
from control_plane.cli._account_plan import only_day
from control_plane.cli._books import DAY
from control_plane.cli._console import Connection, Refused, unknown
from control_plane.cli._contract_deed import deed_options, run_deed
from control_plane.contract_deeds import end_deeds, lift_deed
from control_plane.settings import Settings
from control_plane.store.plan import load_plan_ids

_ON: Final = click.option("--on", type=DAY, help="From which day on; today.")
# A wrong year, most likely: all periods since would be billed at once.
_BACK: Final = timedelta(days=400)
_BILLED: Final = (
    "How its days are billed: as ever, given back day by day, or (stop) whole periods in it left out for good."
)


@click.command("propose")
@click.option("--valid-until", type=DAY, help="The last day to accept it on; 30 days from now.")
@deed_options()
def propose(settings: Settings, number: int, *, valid_until: date | None, **how: Any) -> None:
    """A draft goes to the customer; unanswered, it expires by itself after its day."""
    run_deed(settings, number, do.Propose(valid_until), **how)


@click.command("accept")
@click.option("--signed-on", type=DAY, help="When the customer signed; else you record the assent, today.")
@deed_options()
def accept(settings: Settings, number: int, *, signed_on: date | None, **how: Any) -> None:
    """The customer agrees; fees of the order are due if so agreed."""
    run_deed(settings, number, do.Accept(signed_on, None if signed_on else "command line"), **how)


@click.command("refuse")
@deed_options()
def refuse(settings: Settings, number: int, **how: Any) -> None:
    """The customer does not want it."""
    run_deed(settings, number, do.Refuse(), **how)


@click.command("expire")
@deed_options()
def expire(settings: Settings, number: int, **how: Any) -> None:
    """The customer did not answer."""
    run_deed(settings, number, do.Expire(), **how)


@click.command("activate")
@_ON
@click.option("--far-back", is_flag=True, help=f"Though that is more than {_BACK.days} days ago.")
@deed_options()
def activate(settings: Settings, number: int, *, on: date | None, far_back: bool, **how: Any) -> None:
    """Service begins, or a trial; items and fees count from then."""

    def deeds(_: Connection, today: date) -> Sequence[do.Deed]:
        if on is not None and on < today - _BACK and not far_back:
            raise Refused(
                f"--on {on} lies {(today - on).days} days back, and each period since would be billed: if that is meant, say --far-back too"
            )
        return [do.Activate(on or today)]

    run_deed(settings, number, deeds, **how)


@click.command("cancel")
@deed_options()
def cancel(settings: Settings, number: int, **how: Any) -> None:
    """Give up a contract that was not activated; what was charged is taken back."""
    run_deed(settings, number, do.Cancel(), **how)


@click.command("end-trial")
@deed_options()
def end_trial(settings: Settings, number: int, **how: Any) -> None:
    """The first billable day has come; the worker does this by itself."""
    run_deed(settings, number, do.EndTrial(), **how)


@click.command("make-free")
@_ON
@click.option("--because", required=True, help="Why nothing is charged.")
@click.option("--review-on", type=DAY, required=True, help="When somebody looks whether that is still right.")
@deed_options()
def make_free(settings: Settings, number: int, *, on: date | None, because: str, review_on: date, **how: Any) -> None:
    """No recurring charges from a day on."""
    how["reason"] = how["reason"] or because
    run_deed(settings, number, lambda _, today: [do.MakeFree(on or today, because, review_on)], **how)


@click.command("make-billable")
@_ON
@deed_options()
def make_billable(settings: Settings, number: int, *, on: date | None, **how: Any) -> None:
    """A free contract is charged again from a day on, at the prices that were agreed."""
    run_deed(settings, number, lambda _, today: [do.MakeBillable(on or today)], **how)


@click.command("change-plan")
@deed_options()
@click.argument("plan")
@click.option("--on", type=DAY, help="From which day on; now.")
@click.option("--next-boundary", is_flag=True, help="When the running period is over.")
def change_plan(
    settings: Settings, number: int, *, plan: str, on: date | None, next_boundary: bool, **how: Any
) -> None:
    """Another PLAN: the rest of the old one is given back, the network changes with its day."""
    if on is not None and next_boundary:
        raise click.UsageError("--on and --next-boundary exclude each other")

    def deeds(connection: Connection, _: date) -> Sequence[do.Deed]:
        return [plan_deed(connection, plan, on=on, next_boundary=next_boundary)]

    run_deed(settings, number, deeds, **how)


def plan_deed(connection: Connection, plan: str, *, on: date | None, next_boundary: bool = False) -> do.ChangePlan:
    """The change to a plan of the network by its name, or the refusal that names similar ones."""
    plans = load_plan_ids(connection)
    if plan not in plans:
        raise unknown("plan", plan, plans, also="`corrente plan list` shows them")
    if on is not None:
        return do.ChangePlan(plans[plan], do.ChangeAt.DATE, on)
    return do.ChangePlan(plans[plan], do.ChangeAt.NEXT_BOUNDARY if next_boundary else do.ChangeAt.NOW)


@click.command("change-period")
@_ON
@click.option("--months", type=click.IntRange(1, 12), help="How long periods are.")
@click.option("--day", type=click.IntRange(1, 31), help="On which day of the month they begin.")
@click.option("--restart", is_flag=True, help="They are counted from the day, not from where they are now.")
@deed_options()
def change_period(
    settings: Settings,
    number: int,
    *,
    on: date | None,
    months: int | None,
    day: int | None,
    restart: bool,
    **how: Any,
) -> None:
    """Other billing periods from a day on: their length, their day, or both."""
    if months is None and day is None and not restart:
        raise click.UsageError("say what changes: --months, --day or --restart")
    run_deed(settings, number, lambda _, today: [do.ChangeCycle(on or today, months, day, restart)], **how)


@click.command("move")
@deed_options()
@click.argument("address", type=int)
@_ON
def move(settings: Settings, number: int, *, address: int, on: date | None, **how: Any) -> None:
    """The service is at another ADDRESS of the customer, by its number."""
    run_deed(settings, number, lambda _, today: [do.MoveAddress(address, on or today)], **how)


@click.command("restrict")
@click.option("--level", type=click.Choice([str(one) for one in Level]), required=True, help="How far.")
@click.option("--origin", type=click.Choice([str(one) for one in Origin]), default="admin", show_default=True)
@click.option(
    "--billing", type=click.Choice([str(one) for one in BilledAs]), default="bill", show_default=True, help=_BILLED
)
@deed_options(asks=True)
def restrict(settings: Settings, number: int, *, level: str, origin: str, billing: str, yes: bool, **how: Any) -> None:
    """Limit the service."""
    if not how["reason"]:
        raise click.UsageError("say why: --reason")
    deed = do.Restrict(Origin(origin), Level(level), BilledAs(billing))
    run_deed(settings, number, deed, question="Go on?", yes=yes or how["dry_run"], **how)


@click.command("lift")
@click.option("--origin", type=click.Choice([str(one) for one in Origin]), required=True, help="Those of this origin.")
@deed_options()
def lift(settings: Settings, number: int, *, origin: str, **how: Any) -> None:
    """Lift restrictions; those of other origins stay."""
    if not how["reason"]:
        raise click.UsageError("say why: --reason")
    run_deed(settings, number, lift_deed(Origin(origin)), **how)


@click.command("pause")
@click.option("--from", "start", type=DAY, help="First day without service; today.")
@click.option("--until", type=DAY, required=True, help="First day with service again.")
@click.option(
    "--billing", type=click.Choice(["credit_days", "bill"]), default="credit_days", show_default=True, help=_BILLED
)
@click.option("--no-fee", is_flag=True, help="Without what the plan's offer asks for a pause.")
@deed_options(asks=True)
def pause(
    settings: Settings,
    number: int,
    *,
    start: date | None,
    until: date,
    billing: str,
    no_fee: bool,
    yes: bool,
    **how: Any,
) -> None:
    """No service for some days, which are not paid unless you say so.

    In their place the plan's offer may ask a fee (`corrente catalogue pause-fee`), once a pause, due with its first day. It
    is given back when the pause is lifted before it took a day, not when it ends early.

    `corrente contract lift NUMBER --origin customer_pause --reason WHY` ends it before its day.
    """
    run_deed(
        settings,
        number,
        lambda _, today: [do.Pause(start or today, until, BilledAs(billing), no_fee)],
        question="Go on?",
        yes=yes or how["dry_run"],
        **how,
    )


@click.command("end")
@_ON
@click.option("--waive-notice", is_flag=True, help="Without the notice that was agreed.")
@click.option("--at-no-cost", is_flag=True, help="We end it: leaving early costs nothing.")
@deed_options(asks=True)
def end(
    settings: Settings, number: int, *, on: date | None, waive_notice: bool, at_no_cost: bool, yes: bool, **how: Any
) -> None:
    """Set the first day without service; one that has come ends the contract now."""

    def deeds(_: Connection, today: date) -> Sequence[do.Deed]:
        return end_deeds(on or today, today, waive_notice=waive_notice, at_no_cost=at_no_cost)

    run_deed(settings, number, deeds, question="Go on?", yes=yes or how["dry_run"], **how)


@click.command("keep-plan")
@click.option("--on", type=DAY, help="For which day the change waits, where several do.")
@deed_options()
def keep_plan(settings: Settings, number: int, *, on: date | None, **how: Any) -> None:
    """The change of plan that waits does not come."""

    def deeds(connection: Connection, _: date) -> Sequence[do.Deed]:
        return [do.KeepPlan(on or only_day(connection, number))]

    run_deed(settings, number, deeds, **how)


@click.command("keep")
@deed_options()
def keep(settings: Settings, number: int, **how: Any) -> None:
    """Take back the end that was set."""
    run_deed(settings, number, do.WithdrawEnd(), **how)


@click.command("reach-end")
@deed_options(asks=True)
def reach_end(settings: Settings, number: int, *, yes: bool, **how: Any) -> None:
    """The end that was set has come; the worker does this by itself."""
    run_deed(settings, number, do.ReachEnd(), question="Go on?", yes=yes or how["dry_run"], **how)


@click.command("reopen")
@_ON
@deed_options()
def reopen(settings: Settings, number: int, *, on: date | None, **how: Any) -> None:
    """Service again after the end, within the days that allow it."""
    run_deed(settings, number, lambda _, today: [do.Reopen(on or today)], **how)


@click.command("withdraw")
@deed_options(asks=True)
def withdraw(settings: Settings, number: int, *, yes: bool, **how: Any) -> None:
    """The customer withdraws within 14 days: service ends today and all charges are taken back."""
    run_deed(settings, number, do.Withdraw(), question="Go on?", yes=yes or how["dry_run"], **how)


DEEDS: Final = (
    *(propose, accept, refuse, expire, activate, cancel, end_trial, make_free, make_billable, change_plan, keep_plan),
    *(change_period, move, restrict, lift, pause, end, keep, reach_end, reopen, withdraw),
)
