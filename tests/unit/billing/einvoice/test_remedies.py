"""What may be done about an e-invoice that is not accepted, as its authority's law has it."""

from datetime import date

import pytest

from billing.einvoice.outcome import Manner, Numbering, State
from billing.einvoice.remedies import Remedies, Remedy, remedies_for

ITALY = Manner(Numbering.DOCUMENT, resend_days=5)
PERU = Manner(Numbering.DOCUMENT, fix_reuses_number=False, rejected_is_unissued=False)
REJECTED = date(2026, 3, 2)


def test_where_a_rejected_document_counts_as_not_issued_it_goes_again_within_its_days_or_is_taken_back_inside():
    on_time = remedies_for(State.REJECTED_FIXABLE, ITALY, rejected_on=REJECTED, today=date(2026, 3, 7))
    late = remedies_for(State.REJECTED_FIXABLE, ITALY, rejected_on=REJECTED, today=date(2026, 3, 8))

    assert on_time == Remedies((Remedy.RESEND, Remedy.CREDIT_INSIDE), date(2026, 3, 7))
    assert late == Remedies((Remedy.RESEND, Remedy.CREDIT_INSIDE), date(2026, 3, 7), is_late=True)
    assert late.allows(Remedy.RESEND)


def test_where_a_number_is_spent_it_is_not_sent_again_and_a_credit_note_goes_to_the_authority():
    assert remedies_for(State.REJECTED_FIXABLE, PERU, rejected_on=REJECTED, today=REJECTED) == Remedies(
        (Remedy.CREDIT_NOTE,)
    )
    assert not remedies_for(State.REJECTED_FINAL, PERU, rejected_on=REJECTED, today=REJECTED).allows(Remedy.RESEND)


@pytest.mark.parametrize(
    ("state", "remedies"),
    [
        (State.DRAFT, (Remedy.FIX_AND_SEND, Remedy.CREDIT_INSIDE)),
        (State.REJECTED_FINAL, (Remedy.CREDIT_INSIDE,)),
        (State.BLOCKED, (Remedy.UNBLOCK,)),
        (State.UNKNOWN, (Remedy.ASK,)),
        (State.SENDING, (Remedy.WAIT,)),
        (State.PENDING, (Remedy.WAIT,)),
        (State.CANCEL_REQUESTED, (Remedy.WAIT,)),
        (State.ACCEPTED, (Remedy.CREDIT_NOTE,)),
        (State.CANCELLED, ()),
    ],
)
def test_each_state_has_its_remedies(state, remedies):
    assert remedies_for(state, ITALY, rejected_on=None, today=REJECTED).remedies == remedies


def test_what_is_accepted_is_cancelled_only_where_there_is_such_a_thing():
    manner = Manner(Numbering.SERIES, can_cancel=True)
    assert remedies_for(State.ACCEPTED, manner, rejected_on=None, today=REJECTED).allows(Remedy.CANCEL)
