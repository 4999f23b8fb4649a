"""What may be done about an e-invoice that is not accepted: sent again under its number where the law lets, else taken back.

Source: the e-invoice provider interface, "States"; for Italy provv. AdE 89757/2018 (a rejected file counts as not issued, and
goes out again with its number and date within five days).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing.einvoice.outcome import Manner, State


class Remedy(StrEnum):
    """One thing that a person may do; WAIT and ASK happen by themselves."""

    WAIT = "wait"
    ASK = "ask"
    FIX_AND_SEND = "fix_and_send"
    RESEND = "resend"
    CREDIT_INSIDE = "credit_inside"
    CREDIT_NOTE = "credit_note"
    CANCEL = "cancel"
    UNBLOCK = "unblock"


@dataclass(frozen=True, slots=True)
class Remedies:
    """In the order in which to think of them. `until`: the last day on which it may be sent again under its number."""

    remedies: tuple[Remedy, ...]
    until: date | None = None
    is_late: bool = False

    def allows(self, remedy: Remedy) -> bool:
        """Whether it may be done."""
        return remedy in self.remedies


def remedies_for(state: State, manner: Manner, *, rejected_on: date | None, today: date) -> Remedies:
    """What may be done; `rejected_on` is the day of the refusal where the issuer is."""
    back = Remedy.CREDIT_INSIDE if manner.rejected_is_unissued else Remedy.CREDIT_NOTE
    match state:
        case State.DRAFT:
            return Remedies((Remedy.FIX_AND_SEND, back))
        case State.REJECTED_FIXABLE if not manner.fix_reuses_number:
            return Remedies((back,))
        case State.REJECTED_FIXABLE:
            until = None
            if manner.resend_days is not None and rejected_on is not None:
                until = rejected_on + timedelta(days=manner.resend_days)
            # Late is fined, not void: the person is told, and decides.
            return Remedies((Remedy.RESEND, back), until, is_late=until is not None and today > until)
        case State.REJECTED_FINAL:
            return Remedies((back,))
        case State.BLOCKED:
            return Remedies((Remedy.UNBLOCK,))
        case State.UNKNOWN:
            return Remedies((Remedy.ASK,))
        case State.ACCEPTED | State.ACCEPTED_NOTED | State.CANCEL_REFUSED:
            return Remedies((Remedy.CREDIT_NOTE, Remedy.CANCEL) if manner.can_cancel else (Remedy.CREDIT_NOTE,))
        case State.CANCELLED:
            return Remedies(())
        case _:
            return Remedies((Remedy.WAIT,))
