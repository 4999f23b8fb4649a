"""What a person does about an e-invoice: sends it again where the law lets, asks at once, has it cancelled.

Each is one transaction but for the question to the authority that cancels.
Next: work.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.einvoice.outcome import State
from billing.einvoice.remedies import Remedies, Remedy, remedies_for
from billing.errors import BillingError
from billing.store import einvoices as store
from billing.store.einvoices import Einvoice, EinvoiceAccount
from control_plane.einvoice.provider import Account, Provider, provider_for
from control_plane.einvoice.work import prepare, prepared_of, take_answer

Connection = psycopg.Connection[Any]

WORDS = {
    Remedy.WAIT: "it goes its way by itself",
    Remedy.ASK: "it is asked about by itself; `corrente einvoice retry` asks at once",
    Remedy.FIX_AND_SEND: "mend what it says, then `corrente einvoice retry`",
    Remedy.RESEND: "mend what it says, then `corrente einvoice retry` sends it again under its number",
    Remedy.CREDIT_INSIDE: "`corrente invoice credit` takes it back; the credit note stays inside, and a new invoice is issued",
    Remedy.CREDIT_NOTE: "`corrente invoice credit` takes it back; the credit note goes to the authority, too",
    Remedy.CANCEL: "`corrente einvoice cancel` asks to have it void",
    Remedy.UNBLOCK: "mend the account, then `corrente einvoice unblock`",
}


class NotAllowedError(BillingError):
    """What was asked for is not to be done with this e-invoice; the message says what is.

    `problem` is what stands in the way of sending it as it is; `is_late` that its last day is over.
    """

    def __init__(self, message: str, *, problem: str = "", is_late: bool = False) -> None:
        super().__init__(message)
        self.problem, self.is_late = problem, is_late


def remedies_of(one: Einvoice, account: EinvoiceAccount) -> Remedies:
    """What may be done about it today, where the issuer is."""
    zone, since = ZoneInfo(account.zone), one.standing.since
    rejected_on = None if since is None else billing_day(since, zone)
    manner = provider_for(account.provider).describe().manner
    return remedies_for(one.standing.state, manner, rejected_on=rejected_on, today=billing_day(datetime.now(UTC), zone))


def retry(
    connection: Connection,
    account: EinvoiceAccount,
    provider: Provider,
    speaker: Account,
    einvoice_id: int,
    *,
    late: bool,
) -> str:
    """Send again, or ask now, as its state has it; says what comes of it. In the caller's transaction.

    Raises: NotAllowedError.
    """
    one = store.hold(connection, einvoice_id)
    found = remedies_of(one, account)
    if found.allows(Remedy.ASK) or one.standing.state is State.PENDING:
        store.release(connection, one.id)
        return "is asked about within seconds"
    if found.allows(Remedy.FIX_AND_SEND):
        store.release(connection, one.id)
        store.note(connection, one.id, "retry", text=f"let go; it was held: {one.problem}")
        return "is prepared and sent within seconds"
    if found.allows(Remedy.RESEND):
        if found.is_late and not late:
            raise NotAllowedError(
                f"it was to be sent again until {found.until}: --late does it all the same; ask an accountant",
                is_late=True,
            )
        problem = prepare(connection, account, provider, speaker, one)
        if problem:
            raise NotAllowedError(f"it can't be sent as it is: {problem}", problem=problem)
        store.note(connection, one.id, "retry", text="prepared anew under its number")
        return "is sent again under its number within seconds"
    raise NotAllowedError(f"it is {one.standing.state}: {said(found)}")


def said(found: Remedies) -> str:
    """What may be done, in words."""
    return "; or ".join(WORDS[one] for one in found.remedies) or "there is nothing to do"


def cancel(connection: Connection, provider: Provider, speaker: Account, einvoice_id: int, *, reason: str) -> str:
    """Ask the authority to void what it accepted; returns how it stands then. Commits what it does.

    Raises: NotAllowedError.
    """
    with connection.transaction():
        one = store.hold(connection, einvoice_id)
        manner = provider.describe().manner
        today = datetime.now(UTC).date()
        found = remedies_for(one.standing.state, manner, rejected_on=None, today=today)
        if not found.allows(Remedy.CANCEL):
            raise NotAllowedError(f"it is {one.standing.state} and can't be cancelled: {said(found)}")
        store.note(connection, one.id, "cancel", direction="sent", text=reason)
    outcome = provider.cancel(speaker, prepared_of(one), reason)
    with connection.transaction():
        change = take_answer(connection, provider, einvoice_id, "cancel", outcome)
    return change.standing.state.value
