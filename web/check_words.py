"""Words for the checks of the books: what each ensures, and where what it found stands.

Next: ledger_words.py
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from web.language import lazy

# By the checks' names; a test fails on one that has no words.
ENSURES: Final[dict[str, Any]] = {
    "entries": lazy("Every entry has two postings or more, which come to zero, on its issuer's accounts."),
    "closed days": lazy("Nothing was posted on a day after it was closed."),
    "balances": lazy("A customer's balance is the sum of its postings, and of its documents and other entries."),
    "bookings": lazy("Every invoice and credit note has its entry, which says what its lines and its tax say."),
    "turnover": lazy("The turnover by day, product and account is the sum of the lines that were issued."),
    "numbers": lazy("A register's numbers have no hole and none twice, and its dates never go back."),
    "documents": lazy("A document's lines, taxes and sums are what its prices, discounts and quantities come to."),
    "due days": lazy("The parts in which an invoice is to be paid are together what is payable."),
    "credited lines": lazy("No more was given back of a line than it is, and it was taxed as the line was."),
    "settled": lazy(
        "No more of a document is settled than it is, by money of the same customer, and the rest is open."
    ),
    "orders": lazy("The invoices of an order, with its advances, are together the order."),
    "payments booked": lazy("The entry of a payment, and of what became of it, says what it is and whose."),
    "payments in the books": lazy("No payment, return, refund or amount let go is without its entry."),
    "payments left": lazy("What a payment has left is what it is less what it settles and what was given back."),
    "payments of one owner": lazy("What became of a payment leaves nothing with anybody but its owner."),
    "receipts": lazy("Receipts are numbered without a hole, and what a collector took has one."),
    "hand-overs": lazy("A hand-over says what should have been there and what was counted, as its entry does."),
    "cash with collectors": lazy("A collector has in the books what was received and not handed over."),
    "commissions": lazy("Nothing stays of a commission whose money was taken back, and none is settled twice."),
    "agents' settlements": lazy("A settlement with an agent is the sum of its commissions, as its entry says."),
    "payouts of gateways": lazy("A provider's payout has one entry, of what reached the bank and of the fees."),
    "charges": lazy("Each day of an item is charged once, for what was agreed."),
    "charges on lines": lazy("A charge stands on a line of its own amount, and no day of it is given back twice."),
    "lines of runs": lazy("Each line that a billing run made is one charge's, and no charge has two."),
    "unused rests": lazy("Of days that were billed behind the end of an item nothing is left that was not given back."),
    "credits that wait": lazy("What is given back does not wait for a document that never comes."),
    "status history": lazy("A contract's events follow its life cycle, and end where it stands."),
    "dunning limits": lazy("What dunning limits is of somebody with an open case and something overdue."),
    "dunning cases": lazy("An open case of dunning has something open to pursue."),
    "promises": lazy("A promise to pay opens the line until its end, and no longer."),
    "held back": lazy("No more of an invoice is in dispute than it is, and a plan is for its customer's invoices."),
    "events told": lazy("The events of a contract are told each once, and in their order."),
    "lifts told": lazy("What dunning let go was told as it was let go."),
    "actors": lazy("Every entry, document, charge and payment was written by somebody, and the audit log counted it."),
    "answers": lazy("What a program sent twice under one key was done once."),
    "dunning steps": lazy("Each step of a case of dunning ran once, and none after the case was over."),
    "network": lazy("What a line is to have follows from its contract, what limits it, and the time."),
    "delivered": lazy("A session that was proved to have its policy runs under it."),
}
_PLACES: Final = tuple(
    (re.compile(said), place)
    for said, place in (
        (r"(?:line \d+ of )?document (\d+)", "/documents/{}"),
        (r"entry (\d+)", "/ledger/entries/{}"),
        (r"customer (\d+) with issuer \d+", "/customers/{}"),
        (r"contract (\d+)(?: item \d+)?", "/contracts/{}"),
        (r"payment(?: reversal)? (\d+)", "/payments/{}"),
        (r"account (\S+)", "/accounts/{}"),
        (r"dunning case (\d+)", "/dunning/cases/{}"),
        (r"cash session (\d+)", "/field/sessions/{}"),
        (r"collector (\d+) with issuer \d+", "/field/collectors/{}"),
        (r"payout (\d+)", "/gateways/payouts"),
        (r"register \S+ of \d+", "/registers"),
    )
)


def place_of(subject: str) -> str | None:
    """Where in the console stands what a check found something wrong of; None for what has no page."""
    for said, place in _PLACES:
        found = said.fullmatch(subject)
        if found is not None:
            return place.format(*(quote(part, safe="@") for part in found.groups()))
    return None
