"""For every constraint of the ledger, the runs and the documents: a statement it must refuse, and its legal neighbour.

The rows of books_world hold one invoice, still a draft, with its line, tax group, due day and entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

ISSUE: Final = "UPDATE document SET state = 'issued', year = 2026, number = {number}, label = '{number}', issued_at = now() WHERE id = {id}"
ISSUED: Final = ISSUE.format(number=1, id=1) + "; "
# Accounts: 1 customers, 2 VAT, 3 revenue.
_SOLD: Final = insert("product", id="2") + "; "
_LEGS: Final = "INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES "

_BAD: Final = (
    ("ledger_account", "code", "'15/00'", "'15.00'"),
    ("ledger_account", "name", "''", "'Fees'"),
    ("ledger_account", "family", "'TV'", "'tv'"),
    ("fiscal_period", "closed_by", "''", "'bruno'"),
    ("entry", "source", "'Payment'", "'payment'"),
    ("entry", "kind", "''", "'fee'"),
    ("entry", "made_by", "''", "'bruno'"),
    ("billing_run", "filter", "'[]'", '\'{"group": "a"}\''),
    ("billing_run", "started_by", "''", "'bruno'"),
    ("billing_run", "expected", "'[]'", "'{}'"),
    ("billing_error", "reason", "''", "'no price'"),
    ("billing_request", "filter", "'[]'", '\'{"group": "a"}\''),
    ("billing_request", "asked_by", "''", "'bruno'"),
    ("billing_request", "payers", "-1", "0"),
    ("billing_request", "of_payers", "-1", "0"),
    ("catalogue_request", "what", "'[]'", "'{\"a\": 1}'"),
    ("catalogue_request", "asked_by", "''", "'bruno'"),
    ("catalogue_request", "contracts", "-1", "0"),
    ("catalogue_request", "of_contracts", "-1", "0"),
    ("catalogue_request", "changed", "-1", "0"),
    ("books_check", "asked_by", "''", "'bruno'"),
    ("books_check", "attempt", "-1", "0"),
    ("books_check_result", "place", "0", "3"),
    ("books_check_result", "findings", "-1", "0"),
    ("books_check_finding", "number", "0", "3"),
    ("document_register", "code", "'nc'", "'NC2'"),
    ("document_register", "name", "''", "'Notes'"),
    ("document_register", "pattern", "'{code}'", "'{year}-{number}'"),
    ("register_year", "year", "1989", "2200"),
    ("document", "stamp_duty", "-1", "2"),
    ("document", "issuer_data", "'[]'", "'{}'"),
    ("document", "customer_data", "'[]'", "'{}'"),
    ("document", "reason", "''", "'x'"),
    ("document", "made_by", "''", "'x'"),
    ("document_line", "number", "0", "32767"),
    ("document_line", "description", "''", "'x'"),
    ("document_line", "during", "'empty'", "'[2026-01-01,2026-02-01)'"),
    ("document_line", "quantity", "0", "0.5"),
    ("document_line", "rate", "101", "100"),
    ("document_tax", "rate", "101", "100"),
    ("document_due", "number", "0", "32767"),
    ("document_due", "amount", "0", "0.01"),
    ("charge", "made_by", "''", "'x'"),
)
_REFERENCES: Final = (
    ("ledger_account", "issuer_id"),
    ("fiscal_period", "issuer_id"),
    ("entry", "corrects_id"),
    ("billing_run", "issuer_id"),
    ("billing_error", "run_id"),
    ("billing_request", "issuer_id"),
    ("billing_request", "run_id"),
    ("billing_error", "customer_id"),
    ("billing_error", "contract_id"),
    ("books_check_result", "check_id"),
    ("document_register", "issuer_id"),
    ("register_year", "register_id"),
    ("document", "from_id"),
    ("document_register", "fiscal_position_id"),
)


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    keyed = (
        "ledger_account",
        "entry",
        "billing_run",
        "billing_error",
        "billing_request",
        "catalogue_request",
        "books_check",
        "document_register",
    )
    for table in (*keyed, "document", "charge"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    for table in ("register_year", "document_line", "document_due"):
        first = {"year": "2026"} if table == "register_year" else {"number": "1"}
        yield case(f"{table}_pkey", table, first)
    for table, column in _REFERENCES:
        yield case(f"{table}_{column}_fkey", table, {column: "999"})


def _ledger() -> Iterator[Case]:
    yield Case(
        "ledger_account_of_issuer",
        "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_pkey CASCADE; " + insert("ledger_account", id="1"),
        insert("ledger_account"),
    )
    yield Case("product_account_pkey", insert("product_account", product_id="1"), _SOLD + insert("product_account"))
    yield Case("product_account_product_id_fkey", insert("product_account"), _SOLD + insert("product_account"))
    abroad = insert("issuer", id="2") + "; " + _SOLD
    yield Case(
        "product_account_of_issuer",
        abroad + insert("product_account", issuer_id="2"),
        abroad + insert("product_account"),
    )
    yield case("ledger_account_code_once", "ledger_account", {"code": "'1500'"})
    yield case("ledger_account_role_once", "ledger_account", {"role": "'customers'"}, {"role": "'revenue'"})
    for endless in ("'[2026-01-01,)'", "'(,2020-01-01)'", "'empty'"):
        yield case("fiscal_period_is_bounded", "fiscal_period", {"during": endless})
    yield case("fiscal_period_one_a_day", "fiscal_period", {"during": "'[2024-12-31,2025-02-01)'"})
    again = {"source": "'document'", "kind": "'invoice'"}
    yield case("entry_once", "entry", again, {**again, "kind": "'credit_note'"})
    yield case("entry_in_open_days", "entry", {"dated": "'2024-12-31'"}, {"dated": "'2025-01-01'"})
    new = insert("entry", id="7") + "; "
    two = "(7, 1, 1, 1, 5), (7, 2, 3, NULL, -5)"
    at_once = "; SET CONSTRAINTS entry_has_postings IMMEDIATE"
    yield Case("entry_has_postings", new + "SELECT 1" + at_once, new + _LEGS + two + at_once)
    for table, column in (("entry", "kind"), ("posting", "amount")):
        for wrong in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", wrong, new + _LEGS + two)
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", new + _LEGS + two)
    for wrong in (
        "(7, 1, 1, 1, 5), (7, 2, 3, NULL, -4)",
        "(7, 1, 1, 1, 5)",
        "(7, 1, 1, 1, 5), (7, 2, 3, 1, -5)",
        "(7, 1, 1, NULL, 5), (7, 2, 3, NULL, -5)",
        "(7, 1, 1, 1, 5.001), (7, 2, 3, NULL, -5.001)",
        "(7, 1, 1, 1, 5), (7, 2, 3, NULL, -2.499), (7, 3, 3, NULL, -2.501)",
        "(7, 1, 1, 1, 5), (7, 3, 3, NULL, -5)",
        f"{two}; {_LEGS}(7, 3, 1, 1, 5), (7, 4, 3, NULL, -5)",
        "(1, 4, 1, 1, 5), (1, 5, 3, NULL, -5)",
    ):
        yield Case("posting_balances", new + _LEGS + wrong, new + _LEGS + two)
    other = insert("issuer", id="2") + "; " + insert("ledger_account", id="9", issuer_id="2") + "; " + new + _LEGS
    yield Case("posting_balances", insert("entry", id="7", issuer_id="999") + "; " + _LEGS + two, new + _LEGS + two)
    yield Case("posting_balances", other + "(7, 1, 1, 1, 5), (7, 2, 9, NULL, -5)", other + two)
    yield Case("posting_pkey", new + _LEGS + "(7, 1, 1, 1, 5), (7, 1, 3, NULL, -5)", new + _LEGS + two)
    yield Case("posting_number_check", new + _LEGS + "(7, 0, 1, 1, 5), (7, 2, 3, NULL, -5)", new + _LEGS + two)
    yield Case("posting_amount_check", new + _LEGS + "(7, 1, 1, 1, 0), (7, 2, 3, NULL, 0)", new + _LEGS + two)
    balance = "UPDATE customer_balance SET balance = 0"
    for wrong in (balance, "DELETE FROM customer_balance", insert("customer_balance")):
        yield Case("customer_balance_is_counted", wrong, new + _LEGS + two)
    yield Case("customer_balance_pkey", insert("customer_balance", currency="'EUR'"), new + _LEGS + two)


def _runs() -> Iterator[Case]:
    table = "billing_run"
    yield case(
        f"{table}_once", table, {"run_date": "'2026-03-01'"}, {"run_date": "'2026-03-01'", "filter": "'{\"a\": 1}'"}
    )
    signed = {"confirmed_by": "'maria'", "confirmed_at": "now()"}
    for column, value in signed.items():
        yield case(f"{table}_confirmation_is_signed", table, {column: value}, signed)
    yield case(f"{table}_confirmed_by_check", table, {**signed, "confirmed_by": "''"}, signed)
    yield case(f"{table}_issues_when_confirmed", table, {"state": "'issuing'"}, {**signed, "state": "'issuing'"})
    done = {**signed, "state": "'done'", "ended_at": "now()"}
    yield case(f"{table}_ends_when_over", table, {**done, "ended_at": "NULL"}, done)
    yield case(f"{table}_ends_when_over", table, {"ended_at": "now()"}, {"ended_at": "now()", "state": "'cancelled'"})
    yield case("billing_error_once", "billing_error", {"contract_id": "NULL"})
    asked = insert("books_check")
    yield Case("books_check_one_at_a_time", f"{asked}; {asked}", asked)
    yield case("books_check_result_pkey", "books_check_result", {"place": "1"})
    yield case("books_check_finding_pkey", "books_check_finding", {"number": "1"})
    yield case("books_check_finding_check_id_place_fkey", "books_check_finding", {"place": "9"})
    yield case("catalogue_request_one_at_a_time", "catalogue_request", {"what": "'{\"a\": 0}'"}, {"ended_at": "now()"})
    table, first = "billing_request", {"run_date": "'2026-03-01'"}
    yield case(f"{table}_one_at_a_time", table, first, {**first, "ended_at": "now()"})
    yield case(f"{table}_issues_a_run", table, {"act": "'issue'"}, {"act": "'issue'", "run_id": "1"})
    yield Case(
        "billing_position_pkey",
        insert("billing_position", item_id="1"),
        "UPDATE billing_position SET due_on = '2026-03-01'",
    )
    second = insert("contract_item", id="7") + "; "
    yield Case("billing_position_item_id_fkey", insert("billing_position"), second + insert("billing_position"))


def _registers() -> Iterator[Case]:
    yield case("document_register_code_once", "document_register", {"code": "'FT'"})
    invoices = {"kind": "'invoice'"}
    yield case("document_register_one_a_purpose", "document_register", invoices, {**invoices, "purpose": "'manual'"})
    yield Case(
        "document_register_of_issuer",
        "ALTER TABLE document_register DROP CONSTRAINT document_register_pkey CASCADE; "
        + insert("document_register", id="1", kind="'invoice'"),
        insert("document_register"),
    )
    yield case("register_year_last_number_check", "register_year", {})._replace(
        breaks="ALTER TABLE register_year DISABLE TRIGGER register_year_begins_at_none; "
        + insert("register_year", last_number="-1")
    )
    for wrong in ({"last_number": "1"}, {"last_date": "'2027-01-01'"}):
        yield case("register_year_begins_at_none", "register_year", wrong)
    for wrong in ("UPDATE register_year SET last_number = 5", "DELETE FROM register_year"):
        yield Case("register_year_is_counted", wrong, ISSUED + "SELECT 1")


def _documents() -> Iterator[Case]:
    table = "document"
    yield Case(f"{table}_number_check", ISSUE.format(number=0, id=1), ISSUE.format(number=1, id=1))
    yield Case(f"{table}_label_check", ISSUED.replace("label = '1'", "label = '№ 1'") + "SELECT 1", ISSUED + "SELECT 1")
    yield case(f"{table}_issued_is_numbered", table, {"number": "1"})
    for column in ("number", "label", "issued_at"):
        wrong = (
            ISSUED.replace("WHERE", f", {column} = NULL WHERE")
            .replace(f"{column} = 1, ", "")
            .replace(f"{column} = '1', ", "")
            .replace(f"{column} = now() ", "reason = NULL ")
        )
        yield Case(f"{table}_issued_is_numbered", wrong + "SELECT 1", ISSUED + "SELECT 1")
    yield Case(f"{table}_year_is_its_date_s", ISSUED.replace("2026", "2027") + "SELECT 1", ISSUED + "SELECT 1")
    yield case(f"{table}_gross_adds_up", table, {"tax": "21"})
    yield case(f"{table}_payable_within", table, {"payable": "122.01"}, {"payable": "100"})
    note = {"kind": "'credit_note'", "register_id": "2", "corrects_id": "1"}
    notes = insert("document_register", id="2") + "; "
    yield Case(
        f"{table}_credit_note_corrects",
        notes + insert(table, **{**note, "corrects_id": "NULL"}),
        notes + insert(table, **note),
    )
    yield case(f"{table}_credit_note_corrects", table, {"corrects_id": "1"})
    yield Case(
        f"{table}_corrects_id_fkey",
        notes + insert(table, **{**note, "corrects_id": "999"}),
        notes + insert(table, **note),
    )
    answered = ISSUED + "UPDATE document SET state = 'accepted'"
    yield Case(f"{table}_answered_is_an_offer", answered, ISSUED + "SELECT 1")
    at_once = ISSUED.replace("'issued'", "'expired'") + "SELECT 1"
    yield Case(f"{table}_draft_is_issued_first", at_once, ISSUED + "SELECT 1")
    yield case(
        f"{table}_begins_as_draft",
        table,
        {"state": "'accepted'", "year": "2026", "number": "1", "label": "'1'", "issued_at": "now()"},
    )
    yield Case(f"{table}_issued_stays", ISSUED + "DELETE FROM document", "DELETE FROM charge WHERE false")
    yield Case(f"{table}_no_truncate", "TRUNCATE document CASCADE", insert(table))
    for column in (
        "net = net",
        "reason = 'x'",
        "state = 'draft', number = NULL, year = NULL, label = NULL, issued_at = NULL",
    ):
        yield Case(
            f"{table}_issued_never_changes", f"{ISSUED}UPDATE document SET {column}", f"UPDATE document SET {column}"
        )
    offers = insert("document_register", id="2", kind="'quote'") + "; "
    offer = offers + insert(table, id="7", kind="'quote'", register_id="2") + "; " + _parts(7)
    asked = offer + ISSUE.format(number=1, id=7) + "; UPDATE document SET state = 'accepted'@ WHERE id = 7"
    yield Case(f"{table}_issued_never_changes", asked.replace("@", ", reason = 'x'"), asked.replace("@", ""))
    numbered = insert(table, id="7") + "; ALTER TABLE document DISABLE TRIGGER document_issue; " + ISSUED
    yield Case(f"{table}_number_once", numbered + ISSUE.format(number=1, id=7), numbered + ISSUE.format(number=2, id=7))


def _parts(number: int) -> str:
    """The line and the tax group of another document of 100.00 and 22 percent."""
    return (
        "; ".join(
            (
                insert("document_line", document_id=str(number), number="1"),
                insert("document_tax", document_id=str(number), rate="22"),
            )
        )
        + "; "
    )


def _issuing() -> Iterator[Case]:
    """Each way in which a document must not be issued; the draft of the world may be."""

    def refused(before: str) -> Case:
        return Case("document_issue", before + ISSUED + "SELECT 1", ISSUED + "SELECT 1")

    yield refused("UPDATE document_line SET net = 99; ")
    yield refused("UPDATE document_line SET unit_price = 99; ")
    yield refused("UPDATE document_line SET rate = 10; ")
    yield refused("UPDATE document_line SET liability = 'deferred'; ")
    yield refused("UPDATE document_line SET account_id = 2; ")
    yield refused("UPDATE document_line SET account_id = 1; ")
    yield refused("UPDATE document_line SET corrects_id = 1, corrects_number = 1; ")
    yield refused("DELETE FROM document_line; ")
    yield refused("DELETE FROM document_tax; ")
    yield refused("UPDATE document_tax SET tax = 21.99; ")
    yield refused(
        "UPDATE document_tax SET tax = 22.02; UPDATE document SET tax = 22.02, gross = 122.02, payable = 122.02; "
    )
    yield refused(insert("document_tax", rate="10", base="0", tax="1") + "; ")
    yield refused("UPDATE document_due SET amount = 121; ")
    yield refused("DELETE FROM document_due; ")
    yield refused("UPDATE document SET payable = 100; UPDATE document_due SET amount = 100; ")
    yield refused("UPDATE document SET document_date = '2026-03-02'; ")
    yield refused("UPDATE document SET currency = 'USD'; ")
    second = insert("customer", id="2") + "; UPDATE document SET customer_id = 2; "
    yield refused(second)
    # The books say the same in another way: the tax as revenue, on accounts that only the line of a stamp has.
    legs = "(7, 1, 1, 1, 122), (7, 2, 2, NULL, -22), (7, 3, 3, NULL, -100)"
    for wrong in (
        "(7, 1, 1, 1, 122), (7, 2, 3, NULL, -122)",
        "(7, 1, 1, 1, 122), (7, 2, 2, NULL, -23), (7, 3, 3, NULL, -99)",
        "(7, 1, 1, 1, 122), (7, 2, 2, NULL, -22), (7, 3, 3, NULL, -99), (7, 4, 4, NULL, -1)",
        "(7, 1, 1, 1, 122), (7, 2, 2, NULL, -22), (7, 3, 3, NULL, -100), (7, 4, 4, NULL, 1), (7, 5, 5, NULL, -1)",
    ):
        more = "INSERT INTO ledger_account (id, issuer_id, code, name, role) OVERRIDING SYSTEM VALUE VALUES (4, 1, '4', 'Split', 'vat_split'), (5, 1, '5', 'Bank', 'bank'); "
        issue = ISSUE.format(number=1, id=7)
        yield Case(
            "document_issue", more + another_invoice().replace(legs, wrong) + issue, more + another_invoice() + issue
        )
    for number in ("2", "77"):
        yield Case("document_issue", ISSUE.format(number=number, id=1), ISSUED + "SELECT 1")
    another = another_invoice()
    yield Case(
        "document_issue",
        ISSUED + another + ISSUE.format(number=3, id=7),
        ISSUED + another + ISSUE.format(number=2, id=7),
    )
    earlier = another_invoice("2026-02-28")
    yield Case(
        "document_issue", ISSUED + earlier + ISSUE.format(number=2, id=7), earlier + ISSUE.format(number=1, id=7)
    )
    both = earlier + "UPDATE document SET state = 'issued', year = 2026, number = @, label = id, issued_at = now()"
    yield Case(
        "document_issue",
        both.replace("@", "CASE id WHEN 1 THEN 1 ELSE 2 END"),
        both.replace("@", "CASE id WHEN 1 THEN 2 ELSE 1 END"),
    )
    next_year = another_invoice("2027-01-01") + ISSUE.format(number=1, id=7).replace("2026", "2027") + "; "
    yield Case("document_issue", next_year + ISSUED + "SELECT 1", ISSUED + next_year + "SELECT 1")


def another_invoice(day: str = "2026-03-01", *, customer: str = "1", currency: str = "EUR") -> str:
    """A second invoice with all its parts, document 7."""
    return (
        insert("document", id="7", document_date=f"'{day}'", customer_id=customer, currency=f"'{currency}'")
        + "; "
        + _parts(7)
        + insert("document_due", document_id="7", number="1")
        + "; "
        + insert(
            "entry",
            id="7",
            source="'document'",
            source_id="7",
            kind="'invoice'",
            dated=f"'{day}'",
            currency=f"'{currency}'",
        )
        + f"; {_LEGS}(7, 1, 1, {customer}, 122), (7, 2, 2, NULL, -22), (7, 3, 3, NULL, -100); "
    )


def note(number: int, net: str = "100", **changes: str) -> str:
    """A credit note of so much of the invoice's only line, issued as the register's next."""
    tax = str(round(float(net) * 22) / 100)
    gross = str(round(float(net) + float(tax), 2))
    row = {
        "kind": "'credit_note'",
        "register_id": "2",
        "corrects_id": "1",
        "net": net,
        "tax": tax,
        "gross": gross,
        "payable": gross,
    }
    line = {"unit_price": net, "net": net, "corrects_id": "1", "corrects_number": "1"}
    line_changes = {name: changes.pop(name) for name in ("corrects_number", "line_of", "liability") if name in changes}
    group = {name: line_changes[name] for name in ("liability",) if name in line_changes}
    if "line_of" in line_changes:
        line |= {"corrects_id": line_changes.pop("line_of")}
    document = str(10 + number)
    return "; ".join(
        (
            insert("document", id=document, **{**row, **changes}),
            insert("document_line", document_id=document, number="1", **{**line, **line_changes}),
            insert("document_tax", document_id=document, rate="22", base=net, tax=tax, **group),
            insert("entry", id=document, source="'document'", source_id=document, kind="'credit_note'"),
            f"{_LEGS}({document}, 1, 1, 1, -{gross}), ({document}, 2, 2, NULL, {tax}), ({document}, 3, 3, NULL, {net})",
            ISSUE.format(number=number, id=document),
        )
    )


def _credits() -> Iterator[Case]:
    notes = ISSUED + insert("document_register", id="2") + "; "
    yield Case(
        "credited_line_within",
        f"{notes}{note(1)}; {note(2, '1')}",
        f"{notes}{note(1, '99')}; {note(2, '1')}",
    )
    yield Case("credited_line_within", notes + note(1, "100.01"), notes + note(1))
    # In itself a right document: it is the line that it corrects which is taxed otherwise.
    yield Case("document_issue", notes + note(1, liability="'deferred'"), notes + note(1))
    draft = insert("document_register", id="2") + "; "
    yield Case("document_issue", draft + note(1), notes + note(1))
    yield Case(
        "document_issue",
        notes + note(1, customer_id="2").replace("INSERT", insert("customer", id="2") + "; INSERT", 1),
        notes + note(1),
    )
    two = notes + another_invoice() + ISSUE.format(number=2, id=7) + "; "
    yield Case("document_issue", two + note(1, line_of="7"), two + note(1))
    for wrong in ("UPDATE credited_line SET credited = 0", "DELETE FROM credited_line"):
        yield Case("credited_line_is_counted", f"{notes}{note(1)}; {wrong}", notes + note(1))
    yield Case("credited_line_is_counted", insert("credited_line"), notes + note(1))
    # A line below zero of a later invoice gives back as well.
    later = notes + _less("100") + ISSUE.format(number=2, id=7)
    yield Case("credited_line_within", f"{later}; {note(1, '1')}", later)
    yield Case("credited_line_within", notes + _less("100.01") + ISSUE.format(number=2, id=7), later)
    unissued = insert("document_register", id="2") + "; " + _less("100") + ISSUE.format(number=1, id=7)
    yield Case("document_issue", unissued, later)
    off = "ALTER TABLE credited_line DISABLE TRIGGER credited_line_is_counted; "
    yield Case(
        "credited_line_pkey",
        off + insert("credited_line") + "; " + insert("credited_line"),
        off + insert("credited_line"),
    )
    yield Case("credited_line_is_a_line", off + insert("credited_line", number="9"), off + insert("credited_line"))


def _less(given: str) -> str:
    """A second invoice of nothing, document 7, still a draft: one line more takes that of the first invoice's line."""
    nothing = {"net": "0", "tax": "0", "gross": "0", "payable": "0"}
    more = {"unit_price": given, "net": given}
    back = {"number": "3", "unit_price": f"-{given}", "net": f"-{given}", "corrects_id": "1", "corrects_number": "1"}
    return "; ".join(
        (
            insert("document", id="7", **nothing),
            insert("document_line", document_id="7", **more),
            insert("document_line", document_id="7", **back),
            insert("document_tax", document_id="7", rate="22", base="0", tax="0"),
            "",
        )
    )


def _lines() -> Iterator[Case]:
    exempt = {"nature": "'N4'", "rate": "0", "legal_reference": "'art. 10'"}
    yield case("document_line_nature_untaxed", "document_line", {**exempt, "rate": "22"}, exempt)
    for wrong in ({"nature": "NULL"}, {"legal_reference": "NULL"}):
        yield case("document_line_nature_has_law", "document_line", {**exempt, **wrong}, exempt)
    named = {"corrects_id": "1", "corrects_number": "1"}
    yield case("document_line_corrects_a_line", "document_line", {**named, "corrects_number": "9"}, named)
    yield case("document_line_corrects_a_line", "document_line", {**named, "corrects_number": "NULL"}, named)
    yield case("document_tax_group_once", "document_tax", {"rate": "22"})
    nature = {"rate": "0", "nature": "'N4'", "legal_reference": "'art. 10'", "tax": "0"}
    one, other = insert("document_tax", **nature), insert("document_tax", **{**nature, "legal_reference": "'art. 20'"})
    yield Case("document_tax_group_once", f"{one}; {one}", f"{one}; {other}")
    for wrong in ({"rate": "10"}, {"tax": "1"}, {"legal_reference": "NULL"}):
        yield case("document_tax_nature_untaxed", "document_tax", {**nature, **wrong}, nature)
    for table, column in (("document_line", "net"), ("document_tax", "tax"), ("document_due", "amount")):
        deeds = {
            "added": insert(table),
            "changed": f"UPDATE {table} SET {column} = {column}",
            "taken": f"DELETE FROM {table}",
        }
        for word, deed in deeds.items():
            yield Case(f"{table}_none_{word}", ISSUED + deed, deed)
        # A part of a draft does not move to a document that is issued.
        moved = f"UPDATE {table} SET document_id = 1, {'rate = 10' if table == 'document_tax' else 'number = 9'} WHERE document_id = 7"
        draft = insert("document", id="7") + "; " + insert(table, document_id="7") + "; "
        yield Case(f"{table}_none_changed", draft + ISSUED + moved, draft + moved)
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", insert(table))


def _days_twice() -> Iterator[Case]:
    """Periods that have a day in common with the one of January the 31st to February the 28th; their neighbours have none."""
    table, free = "charge", insert("charge", during="'[2026-02-28,2026-03-31)'")
    for days in ("2026-02-27,2026-03-31", "2026-01-01,2026-02-01", "2026-02-10,2026-02-11", "2026-01-01,2026-04-01"):
        yield Case(f"{table}_periods_disjoint", insert(table, during=f"'[{days})'"), free)
    # Of two new ones in one statement, whichever is written first.
    columns, row = re.split(r"(?<=\)) VALUES ", free)
    for first, second in (("02-28", "03-10"), ("03-10", "02-28")):
        rows = [row.replace("2026-02-28", f"2026-{day}") for day in (first, second)]
        apart = [row.replace("2026-03-31", "2026-03-10"), row.replace("2026-02-28", "2026-03-10")]
        yield Case(
            f"{table}_periods_disjoint", f"{columns} VALUES {', '.join(rows)}", f"{columns} VALUES {', '.join(apart)}"
        )
    yield Case(f"{table}_periods_disjoint", f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {free}", free)
    yield case(
        f"{table}_period_once", table, {"during": "'[2026-01-31,2026-02-01)'"}, {"during": "'[2026-02-28,2026-03-01)'"}
    )


def _charges() -> Iterator[Case]:
    table = "charge"
    for endless in ("'[2026-03-01,)'", "'(,2020-01-01)'", "'empty'"):
        yield case(f"{table}_during_is_bounded", table, {"during": endless})
    for wrong in ({"units": "32"}, {"units": "-1"}, {"of": "0", "units": "0"}):
        yield case(f"{table}_units_of_a_whole", table, wrong, {"units": "0"})
    half = {"discounted": "14.95", "net": "14.95"}
    yield case(
        f"{table}_discount_within",
        table,
        {"discounted": "29.91", "net": "-0.01", "corrects_id": "1", "kind": "'credit'"},
        half,
    )
    yield case(f"{table}_net_adds_up", table, {"net": "29.89"}, half)
    credit = {"kind": "'credit'", "corrects_id": "1", "full_price": "-10", "net": "-10"}
    yield case(f"{table}_credit_names_what", table, {**credit, "corrects_id": "NULL"}, credit)
    yield case(f"{table}_credit_names_what", table, {"corrects_id": "1"})
    yield case(f"{table}_credit_is_given", table, {**credit, "full_price": "10", "net": "10"}, credit)
    yield case(f"{table}_credit_is_given", table, {"full_price": "-10", "net": "-10"}, {"full_price": "0", "net": "0"})
    yield case(
        f"{table}_places",
        table,
        {"full_price": "0.001", "net": "0.001"},
        {"full_price": "0.001", "net": "0.001", "currency": "'TND'"},
    )
    yield case(f"{table}_corrects_id_fkey", table, {**credit, "corrects_id": "999"}, credit)
    on_line = {"document_id": "1", "line_number": "1"}
    yield case(f"{table}_on_a_line", table, {"document_id": "1"}, on_line)
    covered = "UPDATE charge SET covered = true"
    yield Case(f"{table}_covered_has_no_line", f"{covered}, document_id = 1, line_number = 1", covered)
    yield Case(f"{table}_stays", f"{covered}; UPDATE charge SET covered = false", covered)
    run = "UPDATE charge SET run_id = 1"
    yield Case(f"{table}_stays", f"{run}; UPDATE charge SET run_id = NULL", f"{run}; {run}")
    stopped = {"stop_id": "1", "full_price": "0", "net": "0", "covered": "true"}
    yield case(f"{table}_stop_id_fkey", table, {**stopped, "stop_id": "999"}, stopped)
    for wrong in ({"covered": "false"}, {"full_price": "1", "net": "1"}, {"kind": "'pause_fee'"}):
        yield case(f"{table}_stopped_is_nothing", table, {**stopped, **wrong}, stopped)
    yield from _days_twice()
    once = insert(table, kind="'one_off'", during="'[2026-03-01,2026-03-02)'")
    yield Case(f"{table}_once", f"{once}; {once}", once)
    billed = "UPDATE charge SET document_id = 1, line_number = 1"
    yield Case(f"{table}_stays", f"{billed}; UPDATE charge SET document_id = NULL, line_number = NULL", billed)
    yield Case(f"{table}_stays", billed + ", due_on = '2026-04-01'", billed)
    yield Case(f"{table}_stays", "DELETE FROM charge", billed)
    yield Case(f"{table}_no_truncate", "TRUNCATE charge CASCADE", billed)
    rest = insert(table, **{**credit, "full_price": "-19.90", "net": "-19.90"})
    more = insert(table, **{**credit, "full_price": "-19.91", "net": "-19.91"})
    given = insert(table, **credit)
    yield Case(f"{table}_credit_within", f"{given}; {more}", f"{given}; {rest}")


def _signed() -> Iterator[Case]:
    nobody = "SET LOCAL corrente.actor = ''; "
    for table, column in (
        ("ledger_account", "name"),
        ("fiscal_period", "closed_by"),
        ("billing_run", "state"),
        ("document_register", "name"),
        ("product_account", "account_id"),
    ):
        sold = _SOLD if table == "product_account" else ""
        for word, deed in (
            ("insert", insert(table)),
            ("update", f"UPDATE {table} SET {column} = {column}"),
            ("delete", f"DELETE FROM {table} WHERE false"),
        ):
            yield Case(f"{table}_money_{word}", sold + nobody + deed, sold + deed)
    for table in ("entry", "document", "charge"):
        yield Case(f"{table}_money_insert", nobody + insert(table), insert(table))
    gone = insert("document", id="7") + "; "
    yield Case(
        "document_money_delete",
        gone + nobody + "DELETE FROM document WHERE id = 7",
        gone + "DELETE FROM document WHERE id = 7",
    )


LEDGER_CASES: Final[tuple[Case, ...]] = tuple(
    one
    for group in (
        _columns,
        _ledger,
        _runs,
        _registers,
        _documents,
        _issuing,
        _credits,
        _lines,
        _charges,
        _signed,
    )
    for one in group()
)
