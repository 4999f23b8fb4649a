"""The interface for the office: the books, webhooks, staff and roles, the audit log."""

from __future__ import annotations

import pytest
from support.billed_console import bill_everybody
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def program(console):
    bill_everybody(console)
    return Program(console, make_token(console, "everything", EVERYTHING))


def test_reports_are_files_with_all_their_rows(program, console):
    ((count,),) = console.query("SELECT count(*) FROM posting")
    journal = program.get("/ledger/report.csv?name=journal&since=2000-01-01")
    assert (journal.status_code, journal.mimetype) == (200, "text/csv")
    assert len(journal.text.splitlines()) == count + 1
    assert journal.text.splitlines()[0].startswith("\ufeffentry,dated") or "dated" in journal.text.splitlines()[0]
    for name in ("vat", "vat-register", "turnover", "trial-balance", "ageing", "open", "deferred"):
        assert program.get(f"/ledger/report.csv?name={name}").status_code == 200
    assert problem(program.get("/ledger/report.csv?name=gossip"))[0] == 422
    assert problem(program.get("/ledger/report.csv?name=vat&since=2026-02-01&until=2026-01-01"))[0] == 422
    code = program.get("/ledger/accounts").json[0]["code"]
    assert program.get(f"/ledger/accounts/{code}.csv").status_code == 200
    assert problem(program.get("/ledger/accounts/nonsense.csv"))[0] == 404


def test_an_entry_by_hand_is_equal_and_is_taken_back_by_another(program):
    chart = {one["role"]: one["code"] for one in program.get("/ledger/accounts").json}
    legs = [{"account": chart["bank"], "amount": "5.00"}, {"account": chart["cash"], "amount": "-5.00"}]
    body = {"note": "paid in", "legs": legs}
    assert problem(program.post("/ledger/entries", {**body, "legs": [legs[0], {**legs[1], "amount": "-4"}]}))[0] == 409
    made = program.post("/ledger/entries", body)
    assert made.status_code == 201, made.json
    back = program.post(f"/ledger/entries/{made.json['id']}/correction", {"note": "it was not"})
    assert back.json["corrects_id"] == made.json["id"]
    assert program.get(f"/ledger/entries/{made.json['id']}").json["corrected_by"] == back.json["id"]
    assert problem(program.post(f"/ledger/entries/{made.json['id']}/correction", {"note": "again"}))[0] == 409


def test_days_are_closed_once_it_was_tried(program):
    body = {"through": "2026-06-30", "despite_unfinished": True}
    tried = program.post("/ledger/periods?dry_run=true", body).json
    assert "closed" in tried, tried
    assert program.get("/ledger/periods").json == []
    assert program.post("/ledger/periods", body).status_code == 201
    assert problem(program.post("/ledger/periods", body))[0] == 409


def test_a_webhook_s_secret_is_told_once_and_a_change_names_what_it_was_made_from(program, console):
    body = {"name": "crm", "url": "https://203.0.113.7/hook", "events": ["payment.recorded"]}
    made = program.post("/webhooks", body, Idempotency_Key="crm")
    assert made.status_code == 201, made.json
    again = program.post("/webhooks", body, Idempotency_Key="crm")
    assert (problem(again)[0], again.headers["Idempotency-Replayed"]) == (409, "true")
    kept = console.query("SELECT convert_from(answer, 'UTF8') FROM idempotency_key WHERE key = 'crm'")
    assert made.json["secret"] not in kept[0][0]
    shown = program.get("/webhooks/crm")
    change = {"url": body["url"], "events": ["*"]}
    assert problem(program.send("PUT", "/webhooks/crm", change))[0] == 428
    assert program.send("PUT", "/webhooks/crm", change, If_Match=shown.headers["ETag"]).json["events"] == ["*"]
    assert problem(program.send("PUT", "/webhooks/crm", change, If_Match=shown.headers["ETag"]))[0] == 412
    number = program.post("/webhooks/crm/ping").json["delivery_id"]
    assert program.get(f"/webhook-deliveries/{number}").json["delivery"]["state"] == "waiting"
    assert program.get("/webhook-deliveries?webhook=crm").json["data"][0]["id"] == number
    assert problem(program.post(f"/webhook-deliveries/{number}/replay"))[0] == 409
    assert program.get(f"/webhook-deliveries/{number}").json["tries"] == []
    assert program.get("/webhooks").json[0]["waiting"] == 1
    assert program.post("/webhooks/crm/off", {"reason": "moves"}).json["disabled_at"] is not None
    assert problem(program.post("/webhooks/crm/replay"))[0] == 409
    assert program.post("/webhooks/crm/on").json["disabled_at"] is None
    assert program.post("/webhooks/crm/replay").status_code == 200
    other = program.post("/webhooks/crm/secret").json
    assert other["secret"] != made.json["secret"]
    assert other["old_until"] is not None
    assert program.send("DELETE", "/webhooks/crm", If_Match="*").status_code == 204
    assert problem(program.get("/webhooks/crm"))[0] == 404


def test_staff_are_added_changed_and_lose_a_token_and_nobody_hands_on_more_than_they_have(program, console):
    body = {"name": "carla", "full_name": "Carla", "roles": ["reader"]}
    made = program.post("/staff", body)
    assert (made.status_code, made.json["name"]) == (201, "carla"), made.json
    assert problem(program.post("/staff", body))[0] == 409
    shown = program.get("/staff/carla")
    change = {"full_name": "Carla B.", "roles": ["reader", "support"]}
    assert problem(program.send("PUT", "/staff/carla", change, If_Match='"000000000000000000000000"'))[0] == 412
    assert program.send("PUT", "/staff/carla", change, If_Match=shown.headers["ETag"]).json["full_name"] == "Carla B."
    make_token(console, "hers", frozenset({Permission.CUSTOMER_SEE}), holder="carla")
    (token,) = program.get("/staff/carla").json["tokens"]
    assert problem(program.send("DELETE", f"/staff/admin/tokens/{token['id']}"))[0] == 404
    assert program.send("DELETE", f"/staff/carla/tokens/{token['id']}").status_code == 204
    assert program.get("/staff/carla").json["tokens"] == []
    assert program.post("/staff/carla/sessions/end").json == {"ended": 0}
    assert program.post("/staff/carla/password").json["password"] != made.json["password"]
    assert program.post("/staff/carla/second-factors/drop").json["passkeys"] == 0
    assert program.post("/staff/carla/unlock").status_code == 204
    session = program.get("/staff/reader").json["sessions"][0]["id"]
    assert problem(program.post(f"/staff/carla/sessions/{session}/end"))[0] == 404
    assert program.post(f"/staff/reader/sessions/{session}/end").json == {"ended": 1}
    assert problem(program.get("/staff/nobody"))[0] == 404
    narrow = Program(
        console,
        make_token(console, "people only", frozenset({Permission.STAFF_SEE, Permission.STAFF_CHANGE})),
    )
    assert problem(narrow.post("/roles", {"name": "too much", "granted": ["ledger.post"]}))[0] == 409
    assert problem(narrow.post("/staff/carla/password"))[0] == 409
    assert program.post("/roles", {"name": "ledger", "granted": ["ledger.see"]}).json["granted"] == ["ledger.see"]
    there = program.get("/roles/ledger").headers["ETag"]
    more = program.send("PUT", "/roles/ledger", {"granted": ["ledger.see", "ledger.post"]}, If_Match=there)
    assert more.json["granted"] == ["ledger.post", "ledger.see"]
    demanding = program.send(
        "PUT", "/roles/ledger", {"granted": ["ledger.see"], "needs_second_factor": True}, If_Match="*"
    )
    assert demanding.json["needs_second_factor"] is True
    assert program.send("PUT", "/roles/ledger", {"granted": []}, If_Match="*").json["needs_second_factor"] is True
    assert problem(program.send("PUT", "/roles/ledger", {"granted": []}, If_Match=there))[0] == 412
    assert problem(program.send("DELETE", "/roles/ledger"))[0] == 428
    assert (
        program.send("DELETE", "/roles/ledger", If_Match=program.get("/roles/ledger").headers["ETag"]).status_code
        == 204
    )


def test_what_programs_wrote_stands_in_the_log_and_is_found(program):
    program.post("/roles", {"name": "logged", "granted": []})
    (row,) = program.get("/audit?action=role.add&subject=logged&limit=1").json["data"]
    assert (row["actor"], row["origin"]) == ("admin", "interface")
    assert program.get(f"/audit/{row['id']}").json == row
    first = program.get("/audit?limit=2").json
    assert program.get(f"/audit?limit=2&after={first['next']}").json["data"][0]["id"] < first["data"][-1]["id"]
