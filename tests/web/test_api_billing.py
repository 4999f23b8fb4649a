"""The interface for billing: what the pages do to documents and payments, programs do by the same functions."""

from __future__ import annotations

import base64
import threading
from decimal import Decimal

import pytest
from support.billed_console import RUN_DAY, bank_account, bank_file, bill_everybody, debtors
from support.program import Program, make_token, problem

from billing.runs.preview import prepare_run
from billing.store.due_work import Scope
from billing.store.runs import save_errors
from control_plane import db
from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def owing(console):
    """Customers who owe one invoice each, each test takes its own; and an account at a bank that writes CSV."""
    bank_account(console, bill_everybody(console))
    return debtors(console, count=24)


@pytest.fixture(scope="module")
def program(console, owing):
    return Program(console, make_token(console, "everything", EVERYTHING))


def euro(amount):
    return {"amount": f"{Decimal(amount):.2f}", "currency": "EUR"}


def paid(program, customer, reference, amount=None):
    body = {
        "amount": euro(amount or customer["open"]),
        "method": "cash",
        "customer_id": customer["customer"],
        "reference": reference,
    }
    answer = program.post("/payments", body)
    assert answer.status_code == 201, answer.json
    return answer.json


def test_what_taking_a_payment_back_would_open_is_answered_before_it_is_done(program, console, owing):
    one = owing[0]
    payment = paid(program, one, "comes back")
    path, body = f"/payments/{payment['id']}/reversal", {"reason": "no cover"}
    tried = program.post(f"{path}?dry_run=true", body).json
    assert console.query("SELECT count(*) FROM payment_reversal WHERE payment_id = %s", (payment["id"],)) == [(0,)]
    done = program.post(path, body).json
    assert tried["opened"] == done["opened"]
    assert [(opened["invoice"], opened["open"]) for opened in done["opened"]] == [(one["label"], euro(one["open"]))]
    assert done["payment"]["reversed_on"] is not None
    assert program.post(path, body).json["again"] is True


def test_payments_are_recorded_by_the_codes_of_the_ways_that_there_are(program):
    codes = {one["code"]: one for one in program.get("/payment-methods").json}
    assert codes["cash"]["kind"] == "cash"
    assert problem(program.get("/payment-methods?issuer_id=999"))[0] == 404


def test_a_payment_is_somebody_s_then_another_s_then_nobody_s(program, owing):
    first, second = owing[1:3]
    payment = paid(program, first, "whose", amount=min(first["open"], second["open"]))
    moved = program.post(
        f"/payments/{payment['id']}/match", {"customer_id": second["customer"], "reason": "same name"}
    ).json
    assert moved["payment"]["customer_id"] == second["customer"]
    assert [one["invoice"] for one in moved["opened"]] == [first["label"]]
    assert [one["invoice"] for one in moved["settles_now"]] == [second["label"]]
    nobody = program.post(f"/payments/{payment['id']}/match", {"customer_id": None, "reason": "in doubt"}).json
    assert nobody["payment"]["customer_id"] is None
    listed = program.get("/payments?state=unmatched").json["data"]
    assert payment["id"] in [one["id"] for one in listed]
    assert problem(program.post(f"/payments/{payment['id']}/allocation", {"invoices": []}))[0] == 409


def test_what_settles_nothing_is_given_back_and_no_more(program, owing):
    one = owing[3]
    payment = paid(program, one, "too much", amount=one["open"] + 5)
    path, body = f"/payments/{payment['id']}/refunds", {"method": "transfer", "reason": "paid too much"}
    assert problem(program.post(path, {**body, "amount": euro(6)}))[0] == 409
    status, said = problem(program.post(path, {**body, "amount": euro(5), "method": "shells"}))
    assert (status, said["errors"][0]["pointer"]) == (422, "/method")
    done = program.post(path, {**body, "amount": euro(5)})
    assert (done.status_code, done.json["payment"]["refunded"]) == (201, euro(5))


def test_a_receipt_takes_its_number_once_and_is_printed(program, owing):
    payment = paid(program, owing[4], "with receipt")
    first, again = (program.post(f"/payments/{payment['id']}/receipt").json for _ in range(2))
    assert first == again
    paper = program.get(f"/payments/{payment['id']}/receipt.pdf?size=a4")
    assert (paper.status_code, paper.content_type) == (200, "application/pdf")
    assert paper.data.startswith(b"%PDF")
    assert problem(program.get(f"/payments/{payment['id']}/receipt.pdf?size=a5"))[0] == 422
    assert problem(program.get("/payments/999999/receipt.pdf"))[0] == 404


def test_many_payments_are_recorded_all_or_none(program, console, owing):
    lines = [
        {"customer_id": one["customer"], "amount": euro(one["open"]), "reference": f"sheet {number}"}
        for number, one in enumerate(owing[5:8])
    ]
    together = euro(sum(one["open"] for one in owing[5:8]))
    body = {"lines": lines, "method": "cash", "together": together}
    status, said = problem(program.post("/payments/many", {**body, "together": euro(1)}))
    assert (status, said["errors"][0]["pointer"]) == (422, "/together")
    wrong = [*lines[:2], {**lines[2], "customer_id": 999_999}]
    status, said = problem(program.post("/payments/many", {**body, "lines": wrong}))
    assert (status, said["errors"][0]["pointer"]) == (409, "/lines/2")
    assert console.query("SELECT count(*) FROM payment WHERE reference LIKE 'sheet %%'") == [(0,)]
    done = program.post("/payments/many", body).json
    assert [one["settles"][0]["invoice"] for one in done["lines"]] == [one["label"] for one in owing[5:8]]
    again = program.post("/payments/many", {**body, "together": euro(0)}).json
    assert (again["recorded"], {one["again"] for one in again["lines"]}) == (0, {True})
    twin = {**body, "lines": [{**lines[0], "reference": "the same again"}], "together": lines[0]["amount"]}
    assert problem(program.post("/payments/many", twin))[0] == 409


def test_who_may_record_may_not_give_back(console, program, owing):
    payment = paid(program, owing[8], "stays")
    narrow = Program(
        console, make_token(console, "records", frozenset({Permission.PAYMENT_RECORD, Permission.PAYMENT_SEE}))
    )
    assert problem(narrow.post(f"/payments/{payment['id']}/reversal", {"reason": "no"}))[0] == 403
    assert narrow.get(f"/payments/{payment['id']}").json["reversed_on"] is None


def test_an_invoice_is_looked_at_whole_before_it_takes_its_number(program, console, owing):
    body = {
        "customer_id": owing[9]["customer"],
        "lines": [{"description": "Second visit", "quantity": "2", "unit_price": "30.00", "tax_code": "IVA 22%"}],
        "due_in_days": 15,
    }
    before = console.query("SELECT count(*) FROM document")
    taxes = [name for (name,) in console.query("SELECT name FROM tax_code WHERE name LIKE '%%22%%' LIMIT 1")]
    body["lines"][0]["tax_code"] = taxes[0]
    tried = program.post("/documents?dry_run=true", body)
    assert tried.status_code == 200, tried.json
    assert (tried.json["document"]["net"], tried.json["document"]["total"]) == (euro(60), euro("73.20"))
    assert sum(Decimal(one["amount"]["amount"]) for one in tried.json["postings"]) == 0
    assert console.query("SELECT count(*) FROM document") == before
    done = program.post("/documents", body)
    assert (done.status_code, done.json["document"]["number"]) == (201, tried.json["document"]["number"])
    status, said = problem(program.post("/documents", {**body, "lines": [{"product_id": 999_999}]}))
    assert (status, said["errors"][0]["pointer"]) == (422, "/lines")
    ahead = {"description": "x", "unit_price": "1", "tax_code": taxes[0], "since": "2026-06-02", "until": "2026-06-01"}
    assert (
        problem(program.post("/documents", {**body, "lines": [ahead]}))[1]["errors"][0]["pointer"] == "/lines/0/until"
    )


def test_an_invoice_is_given_back_by_line_and_no_more_than_is_left(program, owing):
    document = owing[10]["document"]
    first = program.get(f"/documents/{document}/left").json[0]
    path, line = f"/documents/{document}/credit-notes", {"number": first["number"], "amount": "1.00"}
    much = {"number": first["number"], "amount": "99999.00"}
    status, said = problem(program.post(path, {"reason": "too much", "lines": [much]}))
    assert (status, said["errors"][0]["pointer"]) == (422, "/lines/0/amount")
    made = program.post(path, {"reason": "an hour without service", "lines": [line]})
    assert (made.status_code, made.json["document"]["kind"]) == (201, "credit_note"), made.json
    linked = program.get(f"/documents/{document}/links").json
    assert [one["number"] for one in linked["related"] if one["how"] == "corrected_by"] == [
        made.json["document"]["number"]
    ]
    whole = program.post(path, {"reason": "all of it"})
    assert whole.status_code == 201
    assert problem(program.post(path, {"reason": "again"}))[0] == 409


def test_a_document_is_printed_and_sent_once(program, owing):
    document = owing[11]["document"]
    paper = program.get(f"/documents/{document}.pdf?language=it")
    assert (paper.content_type, paper.data[:4]) == ("application/pdf", b"%PDF")
    assert problem(program.get("/documents/999999.pdf"))[0] == 404
    sent = [program.post(f"/documents/{document}/send").json["outcome"] for _ in range(2)]
    assert sent == ["queued", "sent_before"]


def test_a_run_is_asked_for_and_what_it_could_not_bill_is_gone_through(program, console):
    asked = program.post("/bill-runs/requests", {"through": RUN_DAY.isoformat()})
    assert asked.status_code == 201, asked.json
    assert program.get(f"/bill-runs/requests/{asked.json['id']}").json["payers"] == 0
    assert asked.json["id"] in [one["id"] for one in program.get("/bill-runs/requests").json]
    far = program.post("/bill-runs/requests", {"through": "2099-01-01"})
    assert problem(far)[1]["errors"][0]["pointer"] == "/through"
    none = program.post("/bill-runs/requests", {"contract_id": 999_999})
    assert problem(none)[1]["errors"][0]["pointer"] == "/contract_id"
    run = program.get("/bill-runs").json["data"][0]
    shown = program.get(f"/bill-runs/{run['id']}").json
    assert (shown["run"]["state"], shown["issued"][0]["kind"]) == ("done", "invoice")
    assert shown["preview"]["documents"][0]["count"] == shown["issued"][0]["count"]
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        people = [row[0] for row in connection.execute("SELECT id FROM customer ORDER BY id LIMIT 3")]
        save_errors(
            connection, run["id"], people, [(people[0], None, "a"), (people[1], None, "b"), (people[2], None, "c")]
        )
        connection.commit()
    first = program.get(f"/bill-runs/{run['id']}/errors?limit=2").json
    rest = program.get(f"/bill-runs/{run['id']}/errors?limit=2&after={first['next']}").json
    assert [one["reason"] for one in (*first["data"], *rest["data"])] == ["a", "b", "c"]
    assert problem(program.post(f"/bill-runs/{run['id']}/cancel"))[0] == 409


def test_a_prepared_run_is_tried_confirmed_and_given_up(program, console):
    with db.connect(console.conninfo, name="test", origin="command", autocommit=True) as connection:
        issuer = connection.execute("SELECT min(id) FROM issuer").fetchone()[0]
        (day,) = connection.execute("SELECT max(document_date) FROM document").fetchone()
        run = prepare_run(connection, issuer, run_date=day, scope=Scope(), by="maria", stop=threading.Event())
    tried = program.post(f"/bill-runs/{run.id}/issue?dry_run=true").json
    assert (tried["run"]["state"], tried["preview"]["documents"][0]["count"] > 0) == ("issuing", True)
    assert program.get(f"/bill-runs/{run.id}").json["run"]["state"] == "prepared"
    given_up = program.post(f"/bill-runs/{run.id}/cancel").json
    assert given_up["run"]["state"] == "cancelled"
    assert problem(program.post(f"/bill-runs/{run.id}/issue"))[0] == 409


def sent_file(octets, **more):
    return {"name": "main.csv", "content": base64.b64encode(octets).decode(), **more}


def test_what_becomes_of_a_bank_s_lines_is_answered_before_they_are_taken_in(program, console, owing):
    clear, doubtful = owing[12:14]
    octets = bank_file(
        (f"{clear['open']:.2f}", f"Bonifico fattura {clear['label']}", clear["name"]),
        (f"{doubtful['open'] - 5:.2f}", "acconto internet", doubtful["name"]),
        ("-4.80", "Commissioni", ""),
    )
    tried = program.post("/bank/files?dry_run=true", sent_file(octets)).json
    assert [one["state"] for one in tried["lines"]] == ["recorded", "waiting", "ignored"]
    assert tried["lines"][0]["customer_id"] == clear["customer"]
    assert program.get("/bank/files").json["data"] == []
    taken = program.post("/bank/files", sent_file(octets)).json
    assert (taken["new"], taken["again"]) == (3, False)
    again = program.post("/bank/files", sent_file(octets)).json
    assert (again["file_id"], again["new"], again["again"]) == (taken["file_id"], 0, True)
    worked = program.post(f"/bank/files/{taken['file_id']}/work").json
    assert worked == {"new": 0, "waiting": 1, "recorded": 1, "returned": 0, "ignored": 1}
    assert program.get(f"/bank/files/{taken['file_id']}").json["waiting"] == 1
    assert len(program.get(f"/bank/lines?file_id={taken['file_id']}").json["data"]) == 3
    assert problem(program.post("/bank/files", sent_file(b"what is this")))[1]["errors"][0]["pointer"] == "/content"
    assert problem(program.post("/bank/files", sent_file(octets, bank_account_id=999)))[0] == 422


def test_a_line_that_waits_has_whose_it_may_be_and_is_decided_and_undone(program, console, owing):
    one = owing[14]
    octets = bank_file((f"{one['open'] - 1:.2f}", "rata", one["name"]))
    number = program.post("/bank/files", sent_file(octets)).json["file_id"]
    program.post(f"/bank/files/{number}/work")
    (line,) = program.get(f"/bank/lines?state=waiting&file_id={number}").json["data"]
    assert line["may_be"][0]["customer_id"] == one["customer"]
    assert problem(program.post(f"/bank/lines/{line['id']}/choose", {"reason": "nobody"}))[0] == 422
    chosen = program.post(f"/bank/lines/{line['id']}/choose", {"customer_id": one["customer"], "reason": "it is"}).json
    assert (chosen["state"], chosen["may_be"]) == ("recorded", [])
    assert program.get(f"/payments/{chosen['payment_id']}").json["customer_id"] == one["customer"]
    undone = program.post(f"/bank/lines/{line['id']}/undo", {"reason": "it was not"}).json
    assert undone["state"] == "waiting"
    assert problem(program.post(f"/bank/lines/{line['id']}/undo", {"reason": "again"}))[0] == 409
    assert program.post(f"/bank/lines/{line['id']}/ignore", {"reason": "ours"}).json["state"] == "ignored"
    actions = console.query(
        "SELECT action FROM audit_log WHERE subject = %s AND origin = 'interface' AND action LIKE 'bank_line.%%' ORDER BY id",
        (f"bank_line {line['id']}",),
    )
    assert [action for (action,) in actions if action.split(".")[1] in ("choose", "undo", "ignore")] == [
        "bank_line.choose",
        "bank_line.undo",
        "bank_line.ignore",
    ]
    assert problem(program.get("/bank/lines/999999"))[0] == 404


def test_a_payment_is_laid_on_the_invoice_that_its_customer_meant(program, console, owing):
    one = owing[15]
    ((tax,),) = console.query("SELECT name FROM tax_code WHERE name LIKE '%%22%%' LIMIT 1")
    line = {"description": "Later", "unit_price": f"{one['open']:.2f}", "tax_code": tax}
    made = program.post("/documents", {"customer_id": one["customer"], "lines": [line], "due_in_days": 60}).json
    later = made["document"]
    payment = paid(program, one, "for the later one")
    assert [settled["invoice"] for settled in payment["settles"]] == [one["label"]]
    path = f"/payments/{payment['id']}/allocation"
    laid = program.post(path, {"invoices": [{"invoice_id": later["id"]}]}).json
    assert [settled["invoice"] for settled in laid["settles_now"]] == [later["number"]]
    assert [opened["invoice"] for opened in laid["opened"]] == [one["label"]]
    twice = {"invoices": [{"invoice_id": later["id"]}, {"invoice_id": later["id"]}]}
    assert problem(program.post(path, twice))[1]["errors"][0]["pointer"] == "/invoices"
    much = {"invoices": [{"invoice_id": later["id"], "amount": euro(99_999)}]}
    assert problem(program.post(path, much))[0] == 409


def test_a_run_is_worked_out_again_for_one_who_could_not_be_billed(program, owing):
    run = program.get("/bill-runs?limit=1").json["data"][0]
    again = program.post(f"/bill-runs/{run['id']}/again", {"customer_id": owing[16]["customer"]})
    assert (again.status_code, again.json["part"]["customer_id"]) == (201, owing[16]["customer"]), again.json
    same = program.post(f"/bill-runs/{run['id']}/again", {"customer_id": owing[16]["customer"]})
    assert same.json["id"] == again.json["id"]
