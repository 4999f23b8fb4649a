"""Dunning in the console: debtors, tonight's cuts with their reasons, who is held back, and a policy tried before it is saved."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from flask import render_template_string
from support.billed_console import bill_everybody, debtors, hidden, send, send_confirmed
from support.browser import usable_by_everybody
from support.forms import form_of
from werkzeug.datastructures import MultiDict

from billing.dunning.policy import Policy
from billing.dunning.policy_data import default_policy, read_policy
from billing.dunning.policy_text import policy_text
from billing.operations.pursuing import pursue
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies, save_version
from control_plane import db
from web.staff.dunning_policy_form import StepsForm, fill_choices, shown_values, written_data

pytestmark = pytest.mark.db
NOW = datetime.now(UTC)
TODAY = NOW.date()


@pytest.fixture(scope="module")
def pursued(console):
    """Six customers on notice since weeks: tonight their lines are limited."""
    issuer = bill_everybody(console)
    people = debtors(console, count=12)
    customers = [one["customer"] for one in people[:8]]
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        acting(connection, "maria")
        data = default_policy(load_policies(connection)[issuer].place)
        since = TODAY - timedelta(days=365)
        save_version(connection, issuer, data, name=data["name"], since=since, reason="the first", by="maria")
        pursue(connection, customers, NOW - timedelta(days=70), place=lambda _connection, _cuts: frozenset())
        connection.execute(
            "UPDATE formal_notice SET delivered_at = %s, delivered_by = 'post' WHERE delivered_at IS NULL",
            (NOW - timedelta(days=65),),
        )
        connection.commit()
    return people


def tonight_of(client):
    return re.findall(r'href="/customers/(\d+)"', client.get("/dunning/tonight").text)


def test_debtors_are_listed_by_step_and_as_a_file(console, pursued):
    client = console.client("billing")
    page = client.get("/dunning").text
    assert pursued[0]["name"] in page
    assert pursued[0]["name"] in client.get("/dunning?step=formal_notice").text
    assert "None fits" in client.get("/dunning?step=propose_end").text
    assert client.get("/dunning?step=nonsense").status_code == 400
    assert len(client.get("/dunning?file=csv", buffered=True).text.splitlines()) == 9


def test_steps_have_words_and_amounts_are_written_as_the_reader_writes(console, pursued):
    client = console.client("billing")
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    client.post("/look", data={"language": "it", "csrf_token": token})
    try:
        page = client.get("/dunning").text
        assert "diffida, " in page
        assert "formal notice" not in page
        assert re.search(r">[0-9.]+,[0-9]{2}\xa0€</td>", page)
        assert ">sollecito</td>" in client.get("/dunning/policies").text
        case = console.query("SELECT id FROM dunning_case ORDER BY id LIMIT 1")[0][0]
        story = client.get(f"/dunning/cases/{case}").text
        assert "Pratica aperta" in story
        assert "Passo: " in story
        assert " scaduti dal " in story
        assert "Solleciti (automatico)" in story
        assert not re.search(r"case begun|ormal notice [0-9]|tep formal|overdue since", story)
        form = hidden(client.get("/dunning/policies/edit?as=text").text)
        typed = {**form, "since": TODAY.isoformat(), "reason": "prova"}
        wrong = 'name = "x"\n[[step]]\ncode = "walled"\noffset_days = 1\naction = "nonsense"\n'
        told = client.post("/dunning/policies/edit?as=text", data={**typed, "text": wrong}).text
        assert "Passo walled, action: &#39;nonsense&#39;: uno di notify" in told
        told = client.post("/dunning/policies/edit?as=text", data={**typed, "text": "name = = 1"}).text
        assert "la riga 1, colonna 8, non si legge" in told
    finally:
        client.post("/look", data={"language": "en", "csrf_token": token})


def test_one_case_tells_what_was_done_and_prints_its_letter(console, pursued):
    client = console.client("billing")
    lead = client.get(f"/dunning/customers/{pursued[0]['customer']}").headers["Location"]
    page = client.get(lead).text
    assert "Step formal notice" in page
    letters = re.findall(rf'href="({lead}/letters/[a-z_]+\.pdf)"', page)
    assert client.get(letters[0]).data.startswith(b"%PDF")
    assert client.get(f"{lead}/letters/nonsense.pdf").status_code == 404
    assert client.get("/dunning/cases/999999").status_code == 404


def test_tonights_cuts_have_a_reason_each_and_who_is_left_alone_is_not_among_them(console, pursued):
    client, customer = console.client("billing"), pursued[1]
    before = tonight_of(client)
    assert str(customer["customer"]) in before
    typed = {
        "customer_id": customer["customer"],
        "who": customer["name"],
        "kind": "whitelist",
        "since": TODAY.isoformat(),
    }
    assert send(client, "/dunning/exclude", **{**typed, "customer_id": ""}, reason="x").status_code == 422
    assert send(client, "/dunning/exclude", **typed, reason="").status_code == 422
    shown, done = send_confirmed(client, "/dunning/exclude", **typed, reason="a hospital")
    assert "for good" in shown.text
    assert done.status_code == 303
    assert tonight_of(client) == [one for one in before if one != str(customer["customer"])]
    held = client.get("/dunning/held").text
    assert "a hospital" in held
    number = re.search(r"/dunning/exclusions/(\d+)/end", held)[1]
    client.post(f"/dunning/exclusions/{number}/end", data={**hidden(held), "once_key": "e1", "reason": "moved"})
    assert tonight_of(client) == before


def test_a_dispute_a_plan_and_a_promise_hold_a_cut_back(console, pursued):
    client = console.client("billing")
    disputed, planned, promised = pursued[2], pursued[3], pursued[4]
    before = tonight_of(client)
    _, done = send_confirmed(client, f"/dunning/dispute/{disputed['document']}", reason="never used")
    assert done.status_code == 303
    half = disputed["open"] and planned["open"] / 2
    parts = f"{TODAY + timedelta(days=20)} {half:.2f}\n{TODAY + timedelta(days=50)} {planned['open'] - half.quantize(planned['open']):.2f}"
    wrong = send(
        client, f"/dunning/plan/{planned['customer']}", parts=f"{TODAY} 1.00", grace_days="5", reason="hardship"
    )
    assert wrong.status_code == 422
    assert "they must be the same" in wrong.text
    _, done = send_confirmed(
        client, f"/dunning/plan/{planned['customer']}", parts=parts, grace_days="5", reason="hardship"
    )
    assert done.status_code == 303
    path = f"/dunning/promise/{promised['customer']}"
    page = client.get(path)
    assert "are promised until" in page.text
    fields = {**hidden(page.text), "confirmed": "yes"}
    assert client.post(path, data=fields).status_code == 303
    assert client.post(path, data=fields).status_code == 303
    assert console.query("SELECT count(*) FROM promise") == [(1,)]
    assert client.get(path).status_code == 422
    gone = {str(one["customer"]) for one in (disputed, planned, promised)}
    assert tonight_of(client) == [one for one in before if one not in gone]


def test_who_may_not_act_changes_nothing(console, pursued):
    reader = console.client("reader")
    assert reader.get("/dunning").status_code == 200
    for path in ("/dunning/exclude", f"/dunning/promise/{pursued[5]['customer']}", "/dunning/policies/edit"):
        assert reader.get(path).status_code == 403, path
    assert console.client("network operator").get("/dunning").status_code == 403


def test_a_policy_is_tried_over_the_book_before_it_is_saved(console, pursued):
    client = console.client("administrator")
    name = console.query("SELECT name FROM dunning_policy")[0][0]
    path = f"/dunning/policies/edit?as=text&name={name}"
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", client.get(path).text, re.DOTALL)[1]
    text = text.replace("&#34;", '"').replace("&#39;", "'").strip()
    milder = re.sub(r'(code = "throttle".*?offset_days = )0', r"\g<1>300", text, flags=re.DOTALL)
    milder = re.sub(
        r'(code = "(?:walled|blocked|propose_end)".*?offset_days = )\d+', r"\g<1>320", milder, flags=re.DOTALL
    )
    assert milder != text
    typed = {"text": milder, "since": TODAY.isoformat(), "reason": "milder"}
    refused = send(client, path, **{**typed, "text": "name = "})
    assert refused.status_code == 422
    assert "This is no TOML" in refused.text
    illegal = send(client, path, **{**typed, "text": text.replace('action = "throttle"', 'action = "nonsense"')})
    assert illegal.status_code == 422
    shown = send(client, path, **typed)
    assert shown.status_code == 200
    spared = shown.text.partition("Spared tonight by this version")[2]
    assert pursued[5]["name"] in spared
    assert console.query("SELECT count(*) FROM dunning_policy_version") == [(1,)]
    mark = re.search(r'name="shown" value="([^"]+)"', shown.text)[1]
    fields = {**typed, **hidden(shown.text), "confirmed": "yes"}
    # Another text than the one that was shown is shown first.
    assert client.post(path, data={**fields, "shown": "another"}).status_code == 200
    assert client.post(path, data={**fields, "shown": mark}).status_code == 303
    assert console.query("SELECT max(version) FROM dunning_policy_version") == [(2,)]
    # Somebody who opened it before that is told.
    late = client.post(path, data={**fields, "shown": mark, "once_key": "late"})
    assert late.status_code == 422
    assert "Somebody else has changed this" in late.text
    assert console.client("billing").get(path).status_code in (200, 403)


_RICH = """
name = "strict"
contracts = "each"
min_debt = { EUR = "5.00", USD = "7.50" }
[guard]
hours = ["09:00-13:00", "14:00-24:00"]
weekdays = ["fri"]
holidays = true
region = "BZ"
easter_monday = false
eves_of_weekends = false
days = ["2026-08-14", "2026-12-24"]
[scope]
customer_kinds = ["company"]
profiles = ["gone meanwhile"]
[promise]
hours = 24
per_case = "none"
max_debt = { EUR = "300.00", USD = "10.00" }
refused_days = 7
[shorter_notice]
days = 20
reason = "contract, clause 7"
[[step]]
code = "early"
offset_days = -3
action = "notify"
channel = "sms"
template = "own_words"
[[step]]
code = "formal_notice"
offset_days = 16
action = "notify"
channel = "registered_letter"
template = "formal_notice"
is_formal = true
[[step]]
code = "off"
counted_from = "not_before"
offset_days = 0
action = "suspend"
needs_notice_days = 30
confirm = true
min_documents = 2
min_debt = { EUR = "20.00", USD = "22.00" }
"""


def test_a_policy_says_the_same_after_it_went_through_the_form(console, pursued):
    """Each of its fields set to something of its own, nought among them, and amounts of a currency that the form has no field for."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        place = load_policies(connection)[1].place
    before = read_policy(tomllib.loads(_RICH), place, since=TODAY, checked=False)
    assert isinstance(before, Policy)
    with console.app.test_request_context():
        form = StepsForm(None, **shown_values(before, "EUR"))
        fill_choices(form, currency="EUR", methods=[], profiles=[], fees=[])
        sent = StepsForm(MultiDict(form_of(render_template_string(_ALL_FIELDS, form=form))))
        fill_choices(sent, currency="EUR", methods=[], profiles=[], fees=[])
        text = policy_text(written_data(sent, before))
    assert read_policy(tomllib.loads(text), place, since=TODAY, checked=False) == before


_ALL_FIELDS = (
    '<form><input name="csrf_token" value="x">{% for one in form %}{% if one.name == "steps" %}'
    "{% for entry in one %}{% for part in entry.form %}{{ part() }}{% endfor %}{% endfor %}{% else %}{{ one() }}{% endif %}{% endfor %}</form>"
)


def test_steps_are_changed_in_rows_and_what_is_wrong_stands_beside_its_field(console, pursued):
    client = console.client("administrator")
    name = console.query("SELECT name FROM dunning_policy")[0][0]
    path = f"/dunning/policies/edit?name={name}"
    before = console.query("SELECT max(version) FROM dunning_policy_version")[0][0]
    fields = form_of(client.get(path).text)
    throttle = next(
        key.removesuffix("code") for key, value in fields.items() if value == "throttle" and key.endswith("code")
    )
    typed = {**fields, "since": TODAY.isoformat(), "reason": "milder"}
    wrong = client.post(path, data={**typed, throttle + "offset_days": "-2"})
    assert wrong.status_code == 422
    beside = re.search(rf'id="{throttle}offset_days-wrong">(.*?)</div></div>', wrong.text, re.DOTALL)
    assert beside, "nothing beside the days"
    assert "not below 0" in beside[1]
    empty = client.post(path, data={**typed, "promise_hours": ""})
    assert empty.status_code == 422
    more = client.post(path, data={**typed, "change": "add"})
    added = {key for key in form_of(more.text) if key.endswith("offset_days")} - set(fields)
    assert len(added) == 1
    less = client.post(path, data={**form_of(more.text), "change": added.pop().split("-")[1]})
    assert form_of(less.text).keys() == fields.keys()
    milder = {
        **typed,
        **{key: "300" for key, value in fields.items() if key.endswith("offset_days") and int(value) == 0},
    }
    shown = client.post(path, data=milder)
    assert shown.status_code == 200
    assert "Spared tonight by this version" in shown.text
    again = {**form_of(shown.text), "confirmed": "yes"}
    assert client.post(path, data={**again, "promise_hours": "3"}).status_code == 200, (
        "another policy than the one shown"
    )
    assert client.post(path, data=again).status_code == 303
    (saved,) = console.query("SELECT data FROM dunning_policy_version WHERE version = %s", (before + 1,))[0]
    assert {one["code"]: one["offset_days"] for one in saved["step"]}["throttle"] == 300


def test_the_pages_are_usable_by_everybody(console, address, browser, pursued):
    case = console.query("SELECT min(id) FROM dunning_case")[0][0]
    paths = (
        "/dunning",
        "/dunning/tonight",
        "/dunning/held",
        f"/dunning/cases/{case}",
        "/dunning/cuts",
        "/dunning/policies",
        "/dunning/policies/edit",
        "/dunning/policies/edit?as=text",
        "/dunning/exclude",
    )
    with browser.page(console, "administrator") as page:
        usable_by_everybody(page, address, paths, "wide", "phone", "dark", "dark phone")


def test_the_text_of_a_policy_reads_as_its_data():

    data = {
        "name": 'a "b"',
        "min_debt": {"EUR": "5.00"},
        "guard": {"hours": [["08:00", "18:00"]], "closed": {"weekdays": [5, 6]}},
        "step": [{"code": "x", "confirm": True, "guard": {"hours": []}}, {"code": "y", "offset_days": -3}],
    }
    assert tomllib.loads(policy_text(data)) == data
