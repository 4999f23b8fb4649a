"""The interface for billing: what the pages do to documents and payments, programs do by the same functions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.billed_console import bill_everybody, debtors
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def owing(console):
    """Customers who owe one invoice each; each test takes its own."""
    bill_everybody(console)
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
