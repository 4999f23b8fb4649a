"""The interface: what its document says holds for whatever a program sends, and nothing is done twice."""

from __future__ import annotations

import re
import threading
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support.console_world import Console, app_of
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING, Permission
from web.calls import Noun
from web.openapi import examples_of

pytestmark = pytest.mark.db
PAYMENT = {"amount": {"amount": "12.50", "currency": "EUR"}, "method": "cash", "customer_id": 1}
# Examples of all calls together; and of each the least, of what fits the document and of what does not.
ALL_EXAMPLES, LEAST_EXAMPLES = 216, 1
# Parameters that are addresses, whose like no pattern says, and days that are none before others.
LOOSE = {"ip", "device", "until"}


@pytest.fixture(scope="module")
def token(console: Console) -> str:
    """One that may everything."""
    return make_token(console, "everything", EVERYTHING)


def test_whatever_is_sent_the_answer_is_one_that_the_document_names(console, token):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", console.app)
    # What stands in the program's own text is no better guess than any other, and takes seconds to read.
    schema.config.analysis.constants.enabled = False
    operations = [found.ok() for found in schema.get_all_operations()]
    examples = max(LEAST_EXAMPLES, ALL_EXAMPLES // (2 * len(operations)))
    tried = []
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            tried += [operation.label]

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
            def sent(case: Any) -> None:
                # A document can't say which methods there are, how many decimals a currency has, what version a thing has, nor what all addresses look like.
                exact = case.operation.method.upper() == "GET" and not LOOSE & {
                    one.name for one in case.operation.query
                }
                excluded = [] if exact else [positive_data_acceptance]
                answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=excluded)
                assert answer.status_code != 429

            sent()
    assert len(tried) >= 10


def test_the_document_names_each_thing_once_and_plainly_and_its_examples_fit(console):
    document = console.app.test_client().get("/api/v1/openapi.json").json
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert sorted(names) == sorted(set(names))
    assert [name for name in document["components"]["schemas"] if not re.fullmatch("[A-Z][A-Za-z]+", name)] == []
    assert [one["operationId"] for one in operations if "\n    " in one["description"]] == []
    bodies = [call.body for noun in console.app.blueprints.values() if isinstance(noun, Noun) for call in noun.calls]
    shown = [(body, example) for body in bodies if body is not None for example in examples_of(body).values()]
    assert shown
    for body, example in shown:
        msgspec.convert(example, body)


@pytest.fixture(scope="module")
def program(console: Console, token: str) -> Program:
    return Program(console, token)


def test_without_a_token_or_with_a_session_s_cookie_nothing_is_answered(console):
    for client in (console.client(""), console.client("administrator")):
        answer = client.get("/api/v1/customers")
        assert problem(answer)[0] == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_may_what_it_was_made_for_and_nothing_else(console):
    narrow = Program(console, make_token(console, "reads customers", frozenset({Permission.CUSTOMER_SEE})))
    assert narrow.get("/customers?limit=1").status_code == 200
    assert problem(narrow.post("/payments", PAYMENT | {"reference": "narrow"}))[0] == 403
    assert console.query("SELECT count(*) FROM payment WHERE reference = 'narrow'") == [(0,)]


def test_a_token_calls_so_often_a_minute_and_another_one_as_often(console):
    """Two processes, one count: each application has its own connections."""
    apps = [app_of(console.settings_file, calls_per_minute=5) for _ in range(2)]
    tokens = [make_token(console, name, frozenset({Permission.CUSTOMER_SEE})) for name in ("hasty", "patient")]

    def call(number: int, token: str) -> Any:
        asked = {"Authorization": f"Bearer {token}"}
        return apps[number % 2].test_client().get("/api/v1/customers?limit=1", headers=asked)

    answers = [call(number, tokens[0]) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [
        f'"token";r={left}' for left in (4, 3, 2, 1, 0, 0)
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"token";q=5;w=60'}
    assert problem(answers[5])[0] == 429
    assert 1 <= int(answers[5].headers["Retry-After"]) <= 60
    assert call(0, tokens[1]).status_code == 200

    console.query("UPDATE rate_window SET begins = begins - interval '61 s' WHERE what = 'api_call' RETURNING 1")
    assert call(1, tokens[0]).headers["RateLimit"].startswith('"token";r=4')


def test_a_list_is_gone_through_by_what_follows_until_its_end(program, console):
    seen, after = [], ""
    while after is not None:
        part = program.get(f"/customers?limit=25{f'&after={after}' if after else ''}").json
        seen += [one["id"] for one in part["data"]]
        after = part["next"]
    assert seen == [number for (number,) in console.query("SELECT id FROM customer ORDER BY id")]


def test_a_payment_with_one_key_is_recorded_once_however_often_and_at_once_it_is_sent(program, console):
    body, answers = PAYMENT | {"reference": "till 7, slip 31"}, []

    def send() -> None:
        answers.append(program.post("/payments", body, Idempotency_Key="slip-31"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = program.post("/payments", body, Idempotency_Key="slip-31")

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert last.status_code == 201
    assert last.headers["Idempotency-Replayed"] == "true"
    ids = {answer.json["id"] for answer in [*answers, last] if answer.status_code == 201}
    assert len(ids) == 1
    assert console.query(
        "SELECT id, amount::numeric(9, 2)::text, made_by FROM payment WHERE reference = 'till 7, slip 31'"
    ) == [(ids.pop(), "12.50", "admin")]
    assert console.query("SELECT DISTINCT origin::text FROM audit_log WHERE action = 'payment.insert'") == [
        ("interface",)
    ]
    other = program.post(
        "/payments", body | {"amount": {"amount": "99.00", "currency": "EUR"}}, Idempotency_Key="slip-31"
    )
    assert problem(other)[0] == 422


def test_a_dry_run_answers_what_would_come_and_nothing_of_it_stays(program, console):
    body = PAYMENT | {"reference": "tried"}
    tried = program.post("/payments?dry_run=true", body, Idempotency_Key="tried")
    refused = program.post("/payments?dry_run=true", body | {"customer_id": 9_999_999})
    done = program.post("/payments", body, Idempotency_Key="tried")
    assert (tried.status_code, tried.headers["Dry-Run"], tried.json["reference"]) == (200, "true", "tried")
    assert problem(refused)[0] == 409
    # It left no answer to its key either.
    assert (done.status_code, "Idempotency-Replayed" in done.headers) == (201, False)
    assert console.query("SELECT count(*) FROM payment WHERE reference = 'tried'") == [(1,)]
    assert problem(program.post("/payments?dry_run=perhaps", body))[0] == 422
    assert problem(program.get("/customers?dry_run=true"))[0] == 422


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"amount": {"amount": 12.5, "currency": "EUR"}}, "/amount/amount"),
        ({"amount": {"amount": "12.505", "currency": "EUR"}}, "/amount/amount"),
        ({"customer_id": "1"}, "/customer_id"),
        ({"value_on": "31.1.2026"}, "/value_on"),
        ({"reference": "a\u0000b"}, "/reference"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(program, change, place):
    status, said = problem(program.post("/payments", PAYMENT | {"reference": "wrong"} | change))
    assert (status, said["errors"][0]["pointer"]) == (422, place)


def test_a_word_that_looks_like_nothing_is_a_word(program):
    assert program.get("/customers?q=null").json == {"data": [], "next": None}
    assert len(program.get("/customers?limit=3").json["data"]) == 3
    assert problem(program.get("/customers?limit=null"))[0] == 422


def test_an_account_is_found_and_shown_without_its_secret(program, console):
    ((username,),) = console.query("SELECT username FROM subscriber_account ORDER BY username LIMIT 1")
    (listed,) = program.get(f"/accounts?q={username}&limit=1").json["data"]
    shown = program.get(f"/accounts/{username}").json
    assert (listed["username"], shown["username"], listed["plan"]) == (username, username, shown["plan"])
    assert not [name for name in shown if "secret" in name or "password" in name]


def test_a_payment_is_taken_back(program):
    made = program.post("/payments", PAYMENT | {"reference": "cheque 5"}).json
    back = program.post(f"/payments/{made['id']}/reversal", {"reason": "cheque without cover"}).json
    assert back["payment"]["reversed_on"] is not None
    assert program.get(f"/payments/{made['id']}").json == back["payment"]
