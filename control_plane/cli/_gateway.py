"""What commands of gateways share: a presentment is asked for outside of any transaction, and its answer told."""

from __future__ import annotations

import click

from billing.operations.recording import restate_charge
from billing.store import gateway_charges as charges
from billing.store.gateway_lists import load_presentment
from billing.store.gateway_work import take_presentments
from billing.store.gateways import GatewayAccount, load_gateway_account, load_gateway_accounts
from billing.store.issued import find_document
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, open_database, os_user, unknown
from control_plane.gateways import office
from control_plane.gateways.desk import Desk, Line
from control_plane.gateways.presenting import present
from control_plane.gateways.provider import Ask, Context, Declined, GatewayError, Presented, Provider, provider_for
from control_plane.settings import Settings


def known_account(connection: Connection, name: str) -> GatewayAccount:
    """The account of that name, or the refusal that names similar ones."""
    accounts = {one.name: one for one in load_gateway_accounts(connection)}
    if name not in accounts:
        raise unknown("gateway account", name, accounts, also="`corrente gateway list` shows them")
    return accounts[name]


def account_meant(connection: Connection, name: str | None, kind: str) -> GatewayAccount:
    """The account of that name; without one the only one that is used and can do it (`kind`: link, debit, mandate, refund)."""
    if name is not None:
        found = known_account(connection, name)
        if kind not in provider_for(found.provider).presents:
            raise Refused(f"{provider_for(found.provider).title} does not do that ({kind}): name another account")
        return load_gateway_account(connection, found.id)
    able = [
        one for one in load_gateway_accounts(connection) if one.enabled and kind in provider_for(one.provider).presents
    ]
    if len(able) == 1:
        return able[0]
    if not able:
        raise Refused(f"no gateway account does that ({kind}): `corrente gateway add` adds one")
    raise Refused(f"say which with --account; there are: {', '.join(one.name for one in able)}")


def line_of(settings: Settings, connection: Connection, account_id: int) -> Line:
    """The account, ready to be asked, or the refusal that says why not."""
    try:
        return Desk(settings).line(connection, account_id)
    except GatewayError as error:
        raise Refused(str(error)) from error


def checked(provider: Provider, ask: Ask, context: Context) -> str:
    """What a dry check of a key says; a key that does not work is refused."""
    try:
        return office.checked(provider, ask, context)
    except office.KeyRefusedError as error:
        raise Refused(str(error)) from error


def carry_out(settings: Settings, presentment_id: int) -> Presented:
    """Ask for a presentment now, or tell what was answered before; what stays open the worker asks for again."""
    with open_database(settings, autocommit=True) as connection:
        taken = take_presentments(connection, limit=1, only=presentment_id)
        for made in present(connection, Desk(settings), taken):
            if isinstance(made, GatewayError):
                raise Refused(f"no answer yet, and the worker goes on asking: {made}")
            if isinstance(made, Declined):
                raise Refused(made.reason)
        state, ref, value, expires, problem = load_presentment(connection, presentment_id)
    if state != "presented" or ref is None:
        raise Refused(f"it is {state}: {problem or 'the worker is asking for it, look again in a minute'}")
    return Presented(ref, value, expires)


def withdraw_of_invoice(settings: Settings, document: str, account: str | None, *, kind: str) -> None:
    """Take the page or the debit under way of an invoice back for good, and say so."""
    with open_books(settings) as connection:
        document_id = find_document(connection, document)
        used = account_meant(connection, account, kind)
        links = charges.load_links_of(connection, used.id, document_id)
    if kind == "link":
        found, what, done = [one for one in links if one.kind == kind], "page", "withdrawn"
    else:
        found, what, done = [one for one in links if one.is_debit_under_way], "debit under way", "cancelled"
    if not found:
        raise Refused(f"{document} has no {what} with {used.name}: `corrente gateway charges` shows what was asked for")
    for one in found:
        withdraw_charge(settings, used.id, one.charge_id, one.ref, kind=kind, by=os_user())
    click.echo(f"The {what.partition(' ')[0]} of {document} with {used.name} is {done}.")


def withdraw_charge(
    settings: Settings, account_id: int, charge_id: int, ref: str | None, *, kind: str = "link", by: str | None = None
) -> None:
    """Take a page or a debit back at the provider, then here; `by` a person for good. What the provider may have made without saying so is not taken back in the dark."""
    what = "page" if kind == "link" else "debit"
    with open_database(settings) as connection:
        line = line_of(settings, connection, account_id)
        try:
            declined = None if ref is None else line.provider.withdraw(line.ask, kind, ref)
        except GatewayError as error:
            raise Refused(f"the {what} is not withdrawn: {error}") from error
        if declined is not None:
            raise Refused(f"the {what} is not withdrawn: {declined.reason}")
        if ref is not None:
            charges.mark_withdrawn(connection, charge_id, by=by)
        elif not charges.mark_withdrawn_unasked(connection, charge_id, by=by):
            raise Refused(
                "the provider was asked for it and has not said whether it did: the worker goes on asking, try again then"
            )
        restate_charge(connection, charge_id)
