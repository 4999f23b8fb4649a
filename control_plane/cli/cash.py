"""`corrente cash`: collectors' sessions, counted and handed over; receipts; payments that are taken back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click

from billing.cash import Destination, count_cash
from billing.money import read_money, zero
from billing.operations.collecting import give_receipt
from billing.operations.handing_over import begin_session, hand_over, withdraw
from billing.operations.printing import load_cash_session_paper, load_receipt_paper
from billing.operations.receiving import reverse_payment
from billing.papers.wording import LANGUAGES
from billing.payments import Happening
from billing.store.cash import (
    Session,
    load_count,
    load_receipts,
    load_session,
    load_sessions,
    load_taken_back,
    load_withdrawals,
)
from billing.store.payments import load_open_again, load_payment, load_settled
from control_plane.cli._books import AMOUNT, CURRENCY, currency_meant, open_books
from control_plane.cli._cash_words import (
    COUNT,
    DRY_RUN,
    JSON,
    PDF,
    SIZE,
    day_of,
    done,
    issuer_of,
    known_collector,
    known_receipt,
    now,
    read_pieces,
    session_json,
    tell_session,
)
from control_plane.cli._console import Connection, Refused, day_shown, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.cli._payment_return import tell_open_again
from control_plane.cli._print import print_to
from control_plane.settings import Settings

command = Group("cash", help="Collectors' sessions, counted and handed over; receipts; payments that are taken back.")

_CURRENCY = click.option("--currency", type=CURRENCY, help="Of the issuer's books, if not said.")
_NOTHING = "Dry run: nothing was written."


@command.command("list")
@click.option("--collector", help="Those of one collector: number or name.")
@click.option("--open", "only_open", is_flag=True, help="Those that are not handed over.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@JSON
@click.pass_obj
def list_(settings: Settings, *, collector: str | None, only_open: bool, limit: int, as_json: bool) -> None:
    """The newest sessions, with what should be there."""
    with open_books(settings) as connection:
        whose = None if collector is None else known_collector(connection, collector).id
        found = load_sessions(connection, collector_id=whose, only_open=only_open, limit=limit)
    if as_json:
        print_json([session_json(one) for one in found])
        return
    rows = (
        (
            one.id,
            one.collector,
            day_shown(one.opened_at, settings.zone),
            one.takings.expected,
            None if one.counted is None else one.counted.amount,
            None if one.difference is None else one.difference.amount,
            "open" if one.closed_on is None else f"{one.closed_on} to {one.taken_by}",
        )
        for one in found
    )
    columns = ("SESSION", "COLLECTOR", "SINCE", "SHOULD BE THERE", "COUNTED", "DIFFERENCE", "HANDED OVER")
    print_table(columns, rows, empty="No sessions: the first payment that a collector takes opens one.")


@command.command("show")
@click.argument("session", type=int)
@JSON
@click.pass_obj
def show(settings: Settings, session: int, *, as_json: bool) -> None:
    """SESSION with its receipts and what else moved cash."""
    with open_books(settings) as connection:
        found = _known(connection, session)
        receipts, back = load_receipts(connection, session), load_taken_back(connection, session)
        out, count = load_withdrawals(connection, session), load_count(connection, session, "closing")
    if as_json:
        counted = [{"value": value, "pieces": pieces} for value, pieces in count]
        parts = {"receipts": receipts, "taken_back_payments": back, "withdrawals": out, "denominations": counted}
        print_json({**session_json(found), **parts})
        return
    tell_session(found)
    rows = [(one.label, one.issued_on, one.customer, one.method, one.amount.amount) for one in receipts]
    rows += [(one.label, one.dated, f"taken back: {one.reason}", "", -one.amount.amount) for one in back]
    rows += [(f"withdrawal {one.id}", one.dated, one.reason, "", -one.amount.amount) for one in out]
    print_table(("RECEIPT", "DATE", "FROM", "BY", "AMOUNT"), rows, empty="Nothing came in yet.")


@command.command("open")
@click.argument("collector")
@click.argument("amount", type=AMOUNT, default=Decimal(0))
@COUNT
@_CURRENCY
@JSON
@click.pass_obj
def open_(
    settings: Settings, collector: str, amount: Decimal, *, counted: Sequence[str], currency: str | None, as_json: bool
) -> None:
    """Give COLLECTOR an AMOUNT of change to begin with; it stays the main cash's. Without it the first payment opens a session."""
    with open_books(settings) as connection:
        known = known_collector(connection, collector)
        money = read_money(amount, currency_meant(connection, issuer_of(connection, known.issuer_id), currency))
        begun = done(begin_session(connection, known.id, money, actor=os_user(), pieces=read_pieces(counted)))
    if as_json:
        print_json(session_json(begun))
        return
    tell_session(begun)


@command.command("withdraw")
@click.argument("session", type=int)
@click.argument("amount", type=AMOUNT)
@click.option("--to", type=click.Choice([one.value for one in Destination]), default="cash", show_default=True, help="To the main cash, or paid in at the bank.")  # fmt: skip
@click.option("--reason", required=True, help="Why, in a few words.")
@click.pass_obj
def withdraw_(settings: Settings, session: int, amount: Decimal, *, to: str, reason: str) -> None:
    """Take AMOUNT out of open SESSION before it is handed over."""
    with open_books(settings) as connection:
        known = _known(connection, session)
        money, today = read_money(amount, known.currency), day_of(connection, known.issuer_id)
        left = done(withdraw(connection, session, money, Destination(to), reason=reason, today=today, actor=os_user()))
    tell_session(left)


@command.command("close")
@click.argument("session", type=int)
@COUNT
@click.option("--taken-by", help="Who takes the money; who types, if not said.")
@click.option("--note", help="Anything to be remembered.")
@PDF
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the paper.")
@click.option("--yes", is_flag=True, help="Don't ask where something is missing or too much.")
@DRY_RUN
@JSON
@click.pass_obj
def close(
    settings: Settings,
    /,
    session: int,
    *,
    counted: Sequence[str],
    taken_by: str | None,
    note: str | None,
    pdf: Path | None,
    language: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Hand over SESSION on what was counted, note by note and coin by coin; the difference is booked. It can't be opened again."""
    pieces = read_pieces(counted)
    with open_books(settings) as connection:
        known = _known(connection, session)
        money = done(count_cash(pieces, known.currency)) if pieces else zero(known.currency)
        off = money - known.takings.expected
        if off and known.closed_at is None and not dry_run:
            said = f"{-off} are missing" if off.minor < 0 else f"{off} are too much"
            confirm(f"{money} counted, {known.takings.expected} should be there: {said}. Hand over?", yes=yes)
        today = day_of(connection, known.issuer_id)
        takes, types = taken_by or os_user(), os_user()
        handed = done(
            # A receipt that is taken while somebody thinks about the difference is none of what was counted.
            hand_over(
                connection,
                session,
                pieces,
                taken_by=takes,
                today=today,
                actor=types,
                note=note,
                seen=known.takings.expected,
            )
        )
        if as_json:
            print_json(session_json(handed.session))
        else:
            tell_session(handed.session)
        if dry_run:
            connection.rollback()
            if not as_json:
                click.echo(_NOTHING)
        elif pdf is not None:
            connection.commit()
            print_to(settings, *load_cash_session_paper(connection, session, language=language, now=now()), pdf)


@command.command("print")
@click.argument("session", type=int)
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), required=True, help="To this file.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.pass_obj
def print_(settings: Settings, session: int, *, pdf: Path, language: str) -> None:
    """The paper of a hand-over, for both to sign; of an open SESSION what stands now."""
    with open_books(settings) as connection:
        print_to(settings, *load_cash_session_paper(connection, session, language=language, now=now()), pdf)


@command.command("receipt")
@click.argument("payment", type=int)
@PDF
@SIZE
@click.option("--language", type=click.Choice(LANGUAGES), help="In another language than the customer's.")
@JSON
@click.pass_obj
def receipt_(
    settings: Settings, payment: int, *, pdf: Path | None, size: str, language: str | None, as_json: bool
) -> None:
    """The receipt of PAYMENT, numbered now where it has none; printed again it says the same."""
    with open_books(settings) as connection:
        found = load_payment(connection, payment)
        if found is None:
            raise Refused(f"there is no payment {payment}: `corrente payment list` shows them")
        today = day_of(connection, found.issuer_id)
        given = done(give_receipt(connection, payment, today=today, actor=os_user()))
        connection.commit()
        if as_json:
            print_json(given)
        else:
            click.echo(
                f"Receipt {given.label} of {given.issued_on}: {given.amount} by {given.method}, payment {payment}"
            )
        if pdf is not None:
            print_to(settings, *load_receipt_paper(connection, payment, size=size, language=language), pdf)


@command.command("take-back")
@click.argument("receipt")
@click.option("--reason", required=True, help="Why, in a few words.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@DRY_RUN
@click.pass_obj
def take_back(settings: Settings, receipt: str, *, reason: str, yes: bool, dry_run: bool) -> None:
    """Take back the payment of printed RECEIPT: what it settled is open again. Handed over or not, it counts in the collector's next hand-over."""
    with open_books(settings) as connection:
        known = known_receipt(connection, receipt)
        today = day_of(connection, known.issuer_id)
        if not dry_run:
            confirm(f"Take back {known.amount} of {known.customer}?", yes=yes)
        settled = load_settled(connection, known.payment_id)
        gone = done(
            reverse_payment(connection, known.payment_id, Happening(today, reason), today=today, actor=os_user())
        )
        was = " (it was already)" if gone.again else ""
        click.echo(f"Receipt {receipt}: payment {known.payment_id} of {known.amount} is taken back{was}.")
        tell_open_again(load_open_again(connection, settled, known.issuer_id))
        if dry_run:
            connection.rollback()
            click.echo(_NOTHING)


def _known(connection: Connection, number: int) -> Session:
    session = load_session(connection, number)
    if session is None:
        raise Refused(f"there is no session {number}: `corrente cash list` shows them")
    return session
