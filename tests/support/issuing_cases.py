"""Documents of several lines, rates and parts that must not be issued: each is right but for one thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case
from support.legal_world import insert

Rows = tuple[tuple[str, ...], ...]

_ISSUE: Final = "UPDATE document SET state = 'issued', year = 2026, number = {number}, label = id, issued_at = now() WHERE id IN ({ids})"
# Net, unit price, discount and percent of a line; base, tax and percent of a group. 13.20 and 4.00 of tax are 17.20.
_LINES: Final = (("60", "60", "0", "22"), ("40", "40", "0", "10"))
_GROUPS: Final = (("60", "13.20", "22"), ("40", "4.00", "10"))


def _invoice(
    *,
    lines: Rows = _LINES,
    groups: Rows = _GROUPS,
    tax: str = "17.20",
    gross: str = "117.20",
    dues: tuple[str, ...] = (),
) -> str:
    """Document 7: an invoice of 100.00 with all its parts, not yet issued. Accounts: 1 customers, 2 VAT, 3 revenue."""
    document = {"document_id": "7"}
    written = [insert("document", id="7", tax=tax, gross=gross, payable=gross)]
    for number, (net, price, discount, rate) in enumerate(lines, 1):
        line = {"number": str(number), "net": net, "unit_price": price, "discount": discount, "rate": rate}
        written.append(insert("document_line", **document, **line))
    written += (insert("document_tax", **document, base=base, tax=part, rate=rate) for base, part, rate in groups)
    for number, amount in enumerate(dues or (gross,), 1):
        written.append(insert("document_due", **document, number=str(number), amount=amount))
    written.append(insert("entry", id="7", source="'document'", source_id="7", kind="'invoice'"))
    legs = f"(7, 1, 1, 1, {gross}), (7, 2, 2, NULL, -{tax}), (7, 3, 3, NULL, -100)"
    written.append(f"INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES {legs}")
    return "; ".join(written) + "; "


def _cases() -> Iterator[Case]:
    issue = _ISSUE.format(number=1, ids="7")
    right = _invoice() + issue

    def refused(wrong: str, legal: str = right) -> Case:
        return Case("document_issue", wrong, legal)

    # The groups add up to the lines and to the tax, but neither is the sum of its own.
    swapped = (("40", "8.80", "22"), ("60", "6.00", "10"))
    yield refused(_invoice(groups=swapped, tax="14.80", gross="114.80") + issue)
    # One line of two is not its product; with a discount it is.
    yield refused(_invoice(lines=(_LINES[0], ("40", "41", "0", "10"))) + issue)
    yield refused(
        _invoice(lines=(("60", "70", "9", "22"), _LINES[1])) + issue,
        _invoice(lines=(("60", "70", "10", "22"), _LINES[1])) + issue,
    )
    # A cent from its rate is taken, two are not: of 60.00 at 22 percent 13.19 to 13.21.
    for far, tax, near, legal in (("13.22", "17.22", "13.21", "17.21"), ("13.18", "17.18", "13.19", "17.19")):
        wrong = _invoice(groups=(("60", far, "22"), _GROUPS[1]), tax=tax, gross=f"1{tax}") + issue
        yield refused(wrong, _invoice(groups=(("60", near, "22"), _GROUPS[1]), tax=legal, gross=f"1{legal}") + issue)
    # What falls due in parts is all of it, and no more.
    yield refused(_invoice(dues=("117.20", "0.01")) + issue, _invoice(dues=("100", "17.20")) + issue)

    # Two at once, of which the second one's number leaves a hole.
    def numbered(second: int) -> str:
        return _invoice() + _ISSUE.format(number=f"CASE id WHEN 1 THEN 1 ELSE {second} END", ids="1, 7")

    yield refused(numbered(3), numbered(2))


def _credits() -> Iterator[Case]:
    """A credit note whose two lines give back of the same one."""
    first = _ISSUE.format(number=1, ids="1") + "; " + insert("document_register", id="2") + "; "

    def note(gives: str) -> str:
        net = str(60 + int(gives))
        tax, gross = f"{int(net) * 22 / 100:.2f}", f"{int(net) * 122 / 100:.2f}"
        corrects = {"document_id": "7", "corrects_id": "1", "corrects_number": "1"}
        sums = {"net": net, "tax": tax, "gross": gross, "payable": gross}
        return first + "; ".join(
            (
                insert("document", id="7", kind="'credit_note'", register_id="2", corrects_id="1", **sums),
                insert("document_line", number="1", net="60", unit_price="60", **corrects),
                insert("document_line", number="2", net=gives, unit_price=gives, **corrects),
                insert("document_tax", document_id="7", rate="22", base=net, tax=tax),
                insert("entry", id="7", source="'document'", source_id="7", kind="'credit_note'"),
                "INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES"
                f" (7, 1, 1, 1, -{gross}), (7, 2, 2, NULL, {tax}), (7, 3, 3, NULL, {net})",
                _ISSUE.format(number=1, ids="7"),
            )
        )

    yield Case("credited_line_within", note("41"), note("40"))


ISSUING_CASES: Final[tuple[Case, ...]] = (*_cases(), *_credits())
