"""The interface, the network: what operators see and do there, a program sees and does, and is refused what they are."""

from __future__ import annotations

import pytest
from support.console_network import KEY, restrict, tell, want
from support.console_online import go_online
from support.program import Program, make_token, problem

from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def online(console):
    return go_online(console)


@pytest.fixture(scope="module")
def program(console, online) -> Program:
    """One that may everything."""
    return Program(console, make_token(console, "everything", EVERYTHING))


@pytest.fixture(autouse=True)
def _nothing_open(console, online):
    yield
    for table in ("enforcement", "network_stop"):
        console.query(f"DELETE FROM {table} RETURNING id")


def narrow(console, name: str, *permissions: Permission) -> Program:
    return Program(console, make_token(console, name, frozenset(permissions)))


def through(program: Program, path: str) -> list[dict]:
    """A whole list, a part at a time."""
    found, after = [], ""
    while after is not None:
        part = program.get(f"{path}{'&' if '?' in path else '?'}limit=7{f'&after={after}' if after else ''}").json
        found += part["data"]
        after = part["next"]
    return found


def opened(console) -> list[tuple[str, str]]:
    return console.query("SELECT method::text, reason FROM enforcement ORDER BY id")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-since", "started_at DESC, session_key DESC"),
        ("since", "started_at, session_key"),
        ("username", "username, session_key"),
    ],
)
def test_who_is_online_is_gone_through_in_each_order(program, console, sort, order):
    keys = [key for (key,) in console.query(f"SELECT session_key::text FROM session ORDER BY {order}")]
    assert [one["session_key"] for one in through(program, f"/sessions?sort={sort}")] == keys
    assert len(keys) > 7


def test_sessions_are_found_by_what_is_known_of_them(program, console):
    ((key, address, mac, nas),) = console.query(
        "SELECT s.session_key::text, host(s.framed_ipv4), s.mac, n.name FROM session s JOIN nas n ON n.id = s.nas_id"
        " WHERE s.framed_ipv4 IS NOT NULL AND s.mac <> '' ORDER BY s.session_key LIMIT 1"
    )
    for asked in (f"ip={address}", f"mac={mac}", f"ip={address}/32&nas={nas}"):
        assert [one["session_key"] for one in program.get(f"/sessions?{asked}").json["data"]] == [key]
    assert program.get(f"/sessions?ip={address}&nas=elsewhere").json["data"] == []
    assert all(one["nas"] == nas for one in through(program, f"/sessions?nas={nas}&sort=-now"))


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [("ip=here", "ip"), ("mac=02:00", "mac"), ("sort=now", "sort"), ("customer_id=x", "customer_id")],
)
def test_a_question_that_can_t_be_read_is_named(program, asked, parameter):
    status, said = problem(program.get(f"/sessions?{asked}"))
    assert (status, said["errors"][0]["parameter"]) == (422, parameter)


def test_sessions_end_after_a_dry_run_has_told_how_many(program, console):
    nas = console.query(
        "SELECT n.name FROM session s JOIN nas n ON n.id = s.nas_id GROUP BY 1 ORDER BY count(*) LIMIT 1"
    )[0][0]
    sessions = len(through(program, f"/sessions?nas={nas}"))
    deed = {"where": {"nas": nas}, "reason": "new firmware", "at_most": sessions}

    tried = program.post("/sessions/disconnect?dry_run=true", deed)
    assert (tried.status_code, tried.headers["Dry-Run"]) == (200, "true")
    assert (tried.json["sessions"], tried.json["ends"]) == (sessions, sessions)
    assert opened(console) == []

    done = program.post("/sessions/disconnect", deed, Idempotency_Key="firmware-1")
    again = program.post("/sessions/disconnect", deed, Idempotency_Key="firmware-1")
    assert done.json == again.json
    assert len(opened(console)) == len(done.json["enforcements"]) == sessions
    assert opened(console)[0][1] == "disconnected by admin: new firmware"


def test_more_sessions_than_were_said_are_not_touched(program, console):
    status, said = problem(program.post("/sessions/disconnect", {"where": {}, "reason": "typo", "at_most": 1}))
    assert status == 409
    assert said["detail"].endswith("at most 1 may be: nothing was done.")
    for which in ({}, {"where": {}, "keys": ["00000000-0000-4000-8000-000000000001"]}):
        assert problem(program.post("/sessions/reapply", {**which, "reason": "x", "at_most": 9}))[0] == 422
    assert opened(console) == []


def test_who_may_not_release_does_not_end_more_than_automation_may(program, console):
    everybody = {"where": {}, "reason": "everybody", "at_most": 50_000}
    assert program.post("/sessions/disconnect?dry_run=true", everybody).json["beyond"] is True
    operator = narrow(console, "may act, not release", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(operator.post("/sessions/disconnect", everybody))[0] == 403
    assert opened(console) == []


def test_chosen_sessions_are_told_their_policy_again(program, console):
    keys = [one["session_key"] for one in program.get("/sessions?limit=3").json["data"]]
    came = program.post("/sessions/reapply", {"keys": keys, "reason": "asked", "at_most": 3}).json
    assert (came["sessions"], came["opened"]) == (3, len(opened(console)))
    assert problem(program.post("/sessions/reapply", {"keys": ["x"], "reason": "asked", "at_most": 3}))[0] == 422


def test_customers_of_chosen_sessions_are_written_to(program, console):
    keys = [one["session_key"] for one in program.get("/sessions?limit=2").json["data"]]
    said = {"keys": keys, "at_most": 2, "subject": "Works tonight", "text": "From 02:00 on."}
    tried = program.post("/sessions/message?dry_run=true", said).json
    assert console.query("SELECT count(*) FROM message WHERE batch_id = %s", (tried["batch_id"],)) == [(0,)]
    queued = program.post("/sessions/message", said).json
    assert queued["messages"] == queued["goes"] + queued["waits"] + sum(queued["withheld"].values()) > 0
    assert console.query("SELECT count(*) FROM message WHERE batch_id = %s", (queued["batch_id"],)) == [
        (queued["messages"],)
    ]
    only_sees = narrow(console, "only sees", Permission.NETWORK_SEE)
    assert problem(only_sees.post("/sessions/message", said))[0] == 403


def test_a_device_is_maintained_and_sent_to_again(program, console):
    nas = console.query("SELECT name FROM nas ORDER BY id LIMIT 1")[0][0]
    assert (
        problem(program.post(f"/nases/{nas}/maintenance", {"reason": "x", "until": "2026-01-01T00:00:00Z"}))[0] == 422
    )
    begun = program.post(f"/nases/{nas}/maintenance", {"reason": "new card"}).json
    assert (begun["nas"], begun["placed_by"], begun["until"]) == (nas, "admin", None)
    assert problem(program.post(f"/nases/{nas}/maintenance", {"reason": "again"}))[0] == 409
    assert program.get("/maintenance").json == [begun]
    assert program.send("DELETE", f"/nases/{nas}/maintenance").status_code == 204
    assert problem(program.send("DELETE", f"/nases/{nas}/maintenance"))[0] == 409
    assert problem(program.post("/nases/elsewhere/maintenance", {"reason": "x"}))[0] == 404


def test_everything_is_stopped_once_and_goes_on(program, console):
    assert program.post("/guard/stop?dry_run=true", {"reason": "storm"}).json["reason"] == "storm"
    assert program.get("/guard").json["stop"] is None
    assert program.post("/guard/stop", {"reason": "storm"}).status_code == 200
    assert problem(program.post("/guard/stop", {"reason": "storm"}))[0] == 409
    assert program.get("/guard").json["stop"]["placed_by"] == "admin"
    operator = narrow(console, "acts", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(operator.post("/guard/resume"))[0] == 403
    assert program.post("/guard/resume").status_code == 204
    assert problem(program.post("/guard/resume"))[0] == 409


def test_with_nothing_waiting_there_is_nothing_to_release_or_take_back(program):
    state = program.get("/guard").json
    assert (state["changes"], state["upto"], state["runs"]) == (0, 0, [])
    assert problem(program.post("/guard/release", {"reason": "mine", "upto": 9}))[0] == 409
    assert problem(program.post("/guard/runs/999/undo", {"reason": "wrong"}))[0] == 404
    assert problem(program.send("DELETE", "/guard/exemptions/999"))[0] == 404
    assert program.get("/guard/waiting").json == {"data": [], "next": None}


def test_a_change_is_shown_and_sent_again_unless_it_is_on_its_way(program, console):
    key = program.get("/sessions?limit=1").json["data"][0]["session_key"]
    (number,) = program.post("/sessions/disconnect", {"keys": [key], "reason": "asked", "at_most": 1}).json[
        "enforcements"
    ]
    assert [one["id"] for one in program.get("/enforcements?which=open").json["data"]] == [number]
    shown = program.get(f"/enforcements/{number}").json
    assert (shown["enforcement"]["reason"], shown["packets"]) == ("disconnected by admin: asked", [])
    assert program.post(f"/enforcements/{number}/retry").json["id"] == number
    assert problem(program.get("/enforcements/999999"))[0] == 404
    assert problem(program.post("/enforcements/999999/retry"))[0] == 404


def test_logins_are_gone_through_and_asked_for_by_what_was_answered(program, console):
    assert len(through(program, "/logins")) == 20
    refused = through(program, "/logins?outcome=reject&reason=wrong_password")
    assert {one["reason"] for one in refused} == {"wrong_password"}
    assert len(refused) == 15
    assert problem(program.get("/logins?outcome=perhaps"))[0] == 422


def waiting(console, online, *, since: int, most: int = 5) -> list[tuple[int, str]]:
    """Subscribers online whose service automation wants to take away; behind the guard until somebody lets it go."""
    found = console.query(
        "SELECT s.account_id, s.username FROM session s JOIN subscriber_account a ON a.id = s.account_id"
        " JOIN contract c ON c.id = a.contract_id WHERE c.status = 'active' AND NOT EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id)"
        " AND NOT EXISTS (SELECT FROM relief r WHERE r.contract_id = c.id) ORDER BY s.account_id"
    )[since : since + most]
    want(console, [number for number, _ in found])
    return found


def test_what_waits_is_let_go_in_part_and_what_was_not_seen_waits_on(program, console, online):
    first, second, third, *_ = (name for _, name in waiting(console, online, since=0))
    state = program.get("/guard").json
    assert (state["changes"], state["subscribers"]) == (5, 5)
    assert [one["username"] for one in program.get("/guard/waiting?limit=2").json["data"]] == [first, second]

    seen = {"reason": "looked at", "upto": state["upto"]}
    tried = program.post("/guard/release?dry_run=true", seen).json
    assert tried["changes"] == 5
    assert program.post("/guard/release", seen | {"usernames": [first]}).json["changes"] == 1
    numbers = [one["id"] for one in program.get("/guard/waiting").json["data"]]
    assert program.post("/guard/release", seen | {"upto": numbers[0]}).json["changes"] == 1
    assert program.get("/guard/waiting").json["data"][0]["username"] == third
    assert console.query(
        "SELECT DISTINCT actor, origin::text FROM audit_log WHERE action = 'guard.release' AND detail ->> 'reason' = 'looked at'"
    ) == [("admin", "interface")]


def test_restrictions_of_a_run_are_let_go_and_taken_back(program, console, online):
    accounts = console.query(
        "SELECT a.id FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN session s ON s.account_id = a.id"
        " WHERE c.status = 'active' AND NOT EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id) ORDER BY a.id LIMIT 4"
    )
    run = restrict(console, [number for (number,) in accounts], most=1)
    waits = through(program, "/guard/restrictions")
    assert [(one["run_id"], one["level"]) for one in waits] == [(run, "walled")] * 4
    state = program.get("/guard").json
    assert state["runs"] == [{"run_id": run, "name": "dunning", "restrictions": 4}]
    assert state["tripped_at"] is not None
    body = {"reason": "they were told", "upto": state["upto"], "runs": [run]}
    assert program.post("/guard/release", body).json["restrictions"] == 4
    assert program.get("/guard/restrictions").json["data"] == []

    undone = program.post(f"/guard/runs/{run}/undo", {"reason": "a wrong file of the bank"})
    assert undone.json == {"restrictions": 4}
    assert problem(program.post(f"/guard/runs/{run}/undo", {"reason": "again"}))[0] == 409
    assert [one["undone_by"] for one in program.get("/guard/runs").json if one["id"] == run] == ["admin"]


def test_a_contract_is_exempt_until_the_end_of_a_day_and_no_longer(program, console):
    ((username, contract),) = console.query("SELECT username, contract_id FROM subscriber_account ORDER BY id LIMIT 1")
    body = {"username": username, "until": "2090-01-31", "reason": "a hospital"}
    made = program.post("/guard/exemptions", body)
    assert (made.status_code, made.json["contract_id"], made.json["usernames"]) == (201, contract, [username])
    assert made.json["until"] == "2090-01-31T23:00:00Z"
    assert problem(program.post("/guard/exemptions", body))[0] == 409
    for changed, place in (
        ({"until": "2020-01-31"}, "/until"),
        ({"until": "9999-12-31"}, "/until"),
        ({"username": "nobody"}, "/username"),
    ):
        status, said = problem(program.post("/guard/exemptions", body | changed))
        assert (status, said["errors"][0]["pointer"]) == (422, place)
    operator = narrow(console, "acts only", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(operator.send("DELETE", f"/guard/exemptions/{contract}"))[0] == 403
    assert program.send("DELETE", f"/guard/exemptions/{contract}").status_code == 204
    assert program.get("/guard/exemptions").json == []
    assert problem(program.send("DELETE", f"/guard/exemptions/{contract}"))[0] == 404


def test_maintenance_of_a_site_is_of_each_of_its_devices(program, console):
    site, names = console.query(
        "SELECT s.name, array_agg(n.name::text ORDER BY n.name) FROM nas n JOIN site s ON s.id = n.site_id GROUP BY 1 ORDER BY 1 LIMIT 1"
    )[0]
    begun = program.post(f"/sites/{site}/maintenance", {"reason": "new mast"})
    assert [one["nas"] for one in begun.json] == names
    assert problem(program.post(f"/sites/{site}/maintenance", {"reason": "again"}))[0] == 409
    assert program.send("DELETE", f"/sites/{site}/maintenance").status_code == 204
    assert program.get("/maintenance").json == []
    assert problem(program.send("DELETE", f"/sites/{site}/maintenance"))[0] == 409
    assert problem(program.post("/sites/elsewhere/maintenance", {"reason": "x"}))[0] == 404


def test_the_network_at_a_glance_is_what_home_shows(program, online):
    status = program.get("/status").json
    assert (status["online"]["sessions"], status["online"]["subscribers"]) == (40, 40)
    assert {one["reason"]: one["last_hour"] for one in status["logins"]} == {"full": 5, "wrong_password": 15}
    assert {name: count for name, count in status["nases"].items() if count} == {"up": 3, "unheard": 3}
    assert status["stopped_since"] is None
    program.post("/guard/stop", {"reason": "storm"})
    assert program.get("/status").json["stopped_since"] is not None
    points = program.get("/status/online?span=week").json
    assert max(one["subscribers"] for one in points) == 40
    assert problem(program.get("/status/online?span=century"))[0] == 422


def test_what_would_be_done_is_told_with_what_would_wait(program, console, online):
    names = [name for _, name in waiting(console, online, since=8, most=2)]
    told = program.get("/guard/forecast?days=0").json
    assert [(one["username"], one["would"]) for one in told["now"]] == [(name, "be dropped") for name in names]
    assert told["disruptive"] == 2
    program.post("/guard/stop", {"reason": "storm"})
    stopped = program.get("/guard/forecast?days=2&limit=1").json
    assert [(one["would"], bool(one["waits"])) for one in stopped["now"]] == [("wait", True)]
    assert "storm" in stopped["stop"]
    assert problem(program.get("/guard/forecast?days=31"))[0] == 422


def test_a_session_of_nobody_is_found_and_ended_once(program, console, online):
    key = KEY.format(999_999)
    tell(
        console,
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, started_at, updated_at, received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) VALUES (%s, (SELECT min(id) FROM nas), 'ghost', 'forgotten', now() - interval '1 hour', now(), now(), 1, 1, 1, 1, 1, now())",
        key,
    )
    assert [(one["session_key"], one["username"]) for one in program.get("/drift/of-nobody").json] == [
        (key, "forgotten")
    ]
    path = f"/drift/of-nobody/{key}/cut"
    number = program.post(path, {"reason": "a local user"}).json["enforcement"]
    assert program.get(f"/enforcements/{number}").json["enforcement"]["username"] == "forgotten"
    assert problem(program.post(path, {"reason": "again"}))[0] == 409
    assert problem(program.post(f"/drift/of-nobody/{KEY.format(5)}/cut", {"reason": "x"}))[0] == 404
    tell(console, "DELETE FROM enforcement WHERE session_key = %s", key)
    tell(console, "DELETE FROM session WHERE session_key = %s", key)


def test_who_is_in_drift_is_told_by_device_and_reason(program, console, online):
    ((account, name, nas),) = console.query(
        "SELECT s.account_id, s.username, n.name FROM session s JOIN nas n ON n.id = s.nas_id ORDER BY s.account_id DESC LIMIT 1"
    )
    tell(console, "UPDATE desired_policy SET level = 'blocked', profile_id = NULL WHERE account_id = %s", account)
    assert [(one["username"], one["reason"]) for one in program.get(f"/drift?nas={nas}").json["data"]] == [
        (name, "must_end")
    ]
    assert program.get("/drift?reason=unverified").json == {"data": [], "more": False}
    assert problem(program.get("/drift?reason=bored"))[0] == 422
    assert problem(program.get("/drift?nas=elsewhere"))[0] == 404


def test_a_device_is_believed_though_much_differs(program, console, online):
    ((name, other),) = console.query(
        "SELECT min(n.name), max(n.name) FROM nas n JOIN session s ON s.nas_id = n.id WHERE s.account_id IS NOT NULL"
    )
    tell(
        console,
        "INSERT INTO device_reading (nas_id, tried_at, read_at, sessions, held) SELECT id, now(), now() + interval '1 hour', 0, 'too much differs' FROM nas WHERE name = %s",
        name,
    )
    assert [(one["nas"], one["held"]) for one in program.get("/drift/readings").json] == [(name, "too much differs")]
    assert program.post(f"/drift/readings/{name}/believe").json == {"sessions": 0}
    acts = narrow(console, "may not release", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(acts.post(f"/drift/readings/{name}/close-ghosts"))[0] == 403
    # All that is online there is not on the device's list: tried, and rolled back.
    on_it = len(through(program, f"/sessions?nas={name}"))
    assert program.post(f"/drift/readings/{name}/close-ghosts?dry_run=true").json == {"sessions": on_it}
    assert len(through(program, f"/sessions?nas={name}")) == on_it > 0
    assert problem(program.post(f"/drift/readings/{other}/believe"))[0] == 409


def test_a_search_finds_what_the_token_may_see(program, console):
    ((username, customer),) = console.query(
        "SELECT a.username, k.name FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN customer k ON k.id = c.customer_id ORDER BY a.id LIMIT 1"
    )
    assert [(one["kind"], one["key"]) for one in program.get(f"/search?q={username}").json if one["exact"]] == [
        ("account", username)
    ]
    assert "customer" in {one["kind"] for one in program.get(f"/search?q={customer}").json}
    customers = narrow(console, "customers alone", Permission.CUSTOMER_SEE)
    assert customers.get(f"/search?q={username}").json == []
    assert {one["kind"] for one in customers.get(f"/search?q={customer}").json} == {"customer"}
    assert problem(program.get("/search"))[0] == 422


def test_who_had_an_address_is_told_when_it_is_written_down(program, console, online):
    ((address, username),) = console.query(
        "SELECT host(framed_ipv4), username FROM session WHERE framed_ipv4 IS NOT NULL ORDER BY session_key LIMIT 1"
    )
    body = {"address": address, "at": online.isoformat(), "reason": "case 7"}
    assert [(one["username"], one["held"]) for one in program.post("/who-had", body).json["holders"]] == [
        (username, address)
    ]
    asked = "SELECT actor, detail ->> 'reason' FROM audit_log WHERE action = 'history.lookup' ORDER BY id"
    assert console.query(asked) == [("admin", "case 7")]
    nobody = program.post("/who-had", body | {"at": "2001-01-01T00:00:00Z"}).json
    assert (nobody["holders"], nobody["unknown"]) == ([], "not_kept")
    for changed, place in (
        ({"address": "here"}, "/address"),
        ({"at": "2090-01-01T00:00:00Z"}, "/at"),
        ({"at": "0001-01-01T00:00:00+05:00"}, "/at"),
    ):
        status, said = problem(program.post("/who-had", body | changed))
        assert (status, said["errors"][0]["pointer"]) == (422, place)
    # A look-up that nobody is to see in the log can't be tried.
    assert problem(program.post("/who-had?dry_run=true", body))[0] == 422
    seer = narrow(console, "sees the network", Permission.NETWORK_SEE)
    assert problem(seer.post("/who-had", body))[0] == 403
    assert len(console.query(asked)) == 2


NAS = {"name": "bras-9", "source": "192.0.2.9", "vendor": "mikrotik", "site": "Hill", "access_user": "corrente"}


def test_a_device_is_added_once_and_its_secrets_are_told_with_a_reason_and_kept_nowhere(program, console):
    made, again = (program.post("/nases", NAS, Idempotency_Key="bras-9") for _ in range(2))
    assert (made.status_code, again.json, again.headers["ETag"]) == (201, made.json, made.headers["ETag"])
    assert (made.json["state"], made.json["api_username"], made.json["site"]) == ("unheard", "corrente", "Hill")
    assert not [name for name in made.json if "password" in name]
    hidden = program.get("/nases/bras-9/setup?radius=192.0.2.10&portal=192.0.2.80").json
    assert "secret=PUT-THE-RADIUS-SECRET-HERE" in hidden["commands"]
    assert "to-addresses=192.0.2.80" in hidden["commands"]
    reveal = {"reason": "mounting it", "radius": "192.0.2.10"}
    shown = program.post("/nases/bras-9/setup", reveal, Idempotency_Key="seen").json
    assert f"secret={shown['radius']} " in shown["commands"]
    assert console.query("SELECT count(*) FROM idempotency_key WHERE key = 'seen'") == [(0,)]
    # Nobody sees them and has the record of it rolled back.
    assert problem(program.post("/nases/bras-9/setup?dry_run=true", reveal))[0] == 422
    acts = narrow(console, "sees and acts", Permission.NETWORK_SEE, Permission.NETWORK_ACT)
    assert problem(acts.post("/nases/bras-9/setup", reveal))[0] == 403
    assert program.post("/nases/bras-9/secret", {"secret": "one-that-it-has-already"}).status_code == 204
    told = program.post("/nases/bras-9/setup", reveal).json
    assert (told["radius"], told["access"]) == ("one-that-it-has-already", shown["access"])
    audit = console.query("SELECT action, detail ->> 'reason' FROM audit_log WHERE subject = 'bras-9' ORDER BY id")
    assert audit == [
        ("nas.add", None), ("nas.reveal_secret", "mounting it"), ("nas.set", None), ("nas.reveal_secret", "mounting it")
    ]  # fmt: skip
    assert problem(program.get("/nases/bras-9/setup?radius=here"))[0] == 422
    assert problem(program.get("/nases/elsewhere/setup"))[0] == 404


@pytest.mark.parametrize(
    ("changed", "status", "place"),
    [
        ({"name": "monte-alto-1"}, 409, None),
        ({"source": "192.0.2.9/24"}, 422, "/source"),
        ({"source": "127.20.0.0/24", "access_user": None}, 422, "/nested"),
        ({"source": "127.20.0.12"}, 409, None),
        ({"vendor": "acme"}, 422, "/vendor"),
        ({"source": "198.51.100.0/24"}, 422, "/access_user"),
    ],
)
def test_what_a_new_device_can_t_be_is_named_and_nothing_of_it_stays(program, console, changed, status, place):
    refused = problem(
        program.post("/nases", NAS | {"name": "bras-x", "source": "192.0.2.77", "site": "Cellar"} | changed)
    )
    assert (refused[0], refused[1].get("errors", [{}])[0].get("pointer")) == (status, place)
    assert console.query("SELECT count(*) FROM site WHERE name = 'Cellar'") == [(0,)]


def test_of_two_who_set_a_device_the_second_is_told(program, console):
    path = "/nases/monte-alto-2"
    read = program.get(path).headers["ETag"]
    asked = {"realms": ["fibra"], "coa_window": 8, "api_username": "us", "api_password": "s3cret-of-api"}
    first = program.send("PATCH", path, asked, If_Match=read)
    assert (first.json["realms"], first.json["coa_window"], first.json["api_username"]) == (["fibra"], 8, "us")
    assert problem(program.send("PATCH", path, {"coa_window": 4}, If_Match=read))[0] == 412
    assert problem(program.send("PATCH", path, {"coa_window": 4}))[0] == 428
    gone = program.send("PATCH", path, {"api_username": None, "site": None}, If_Match=first.headers["ETag"]).json
    assert (gone["api_username"], gone["site"]) == (None, None)
    assert console.query("SELECT sealed_api_password FROM nas WHERE name = 'monte-alto-2'") == [(None,)]
    for wrong, place in (
        ({"source": "127.20.0.99"}, "/sure"), ({"ssh_username": "us"}, "/ssh_password"), ({"api_password": "x"}, "/api_username"),
        ({"coa_address": "here"}, "/coa_address"),
    ):  # fmt: skip
        status, said = problem(program.send("PATCH", path, wrong, If_Match="*"))
        assert (status, said["errors"][0]["pointer"]) == (422, place)
    assert problem(program.send("PATCH", "/nases/elsewhere", {}, If_Match="*"))[0] == 404


def test_devices_are_listed_by_state_and_go_out_of_service_and_in(program):
    assert [one["name"] for one in through(program, "/nases?state=up")] == [
        one["name"] for one in through(program, "/nases") if one["live_sessions"]
    ]
    assert program.post("/nases/kingsbridge-olt/service", {"enabled": False}).json["state"] == "off"
    assert [one["name"] for one in program.get("/nases?state=off").json["data"]] == ["kingsbridge-olt"]
    assert program.post("/nases/kingsbridge-olt/service", {"enabled": True}).json["enabled"] is True
    assert problem(program.get("/nases?state=bored"))[0] == 422


def test_a_device_that_is_away_has_no_key_to_trust_and_is_tested_all_the_same(program, console):
    assert problem(program.get("/nases/puerto-claro-1/host-key"))[0] == 502
    assert problem(program.post("/nases/puerto-claro-1/host-key", {"fingerprint": "SHA256:x"}))[0] == 502
    assert problem(program.post("/nases/elsewhere/test"))[0] == 404
    # Stopped: nothing is sent, and nothing is waited for.
    program.post("/guard/stop", {"reason": "storm"})
    parts = {one["subject"]: one for one in program.post("/nases/puerto-claro-1/test").json}
    assert "stop" in parts["changes"]["text"]
    assert {"reachable", "secret", "login", "accounting", "access", "clock"} <= set(parts)
    sees = narrow(console, "sees, no more", Permission.NETWORK_SEE)
    assert problem(sees.post("/nases/puerto-claro-1/test"))[0] == 403


def test_a_profile_is_previewed_added_and_changed_with_whom_that_concerns(program, console):
    rates = {"rate_down_bps": 200_000_000, "rate_up_bps": 20_000_000}
    (mikrotik,) = (one for one in program.post("/profiles/preview", rates).json if one["vendor"] == "mikrotik")
    assert ("Mikrotik-Rate-Limit", "20M/200M") in [(one["name"], one["value"]) for one in mikrotik["login"]]
    status, said = problem(program.post("/profiles/preview", rates | {"rate_up_bps": None}))
    assert (status, said["errors"][0]["pointer"]) == (422, "/rate_up_bps")
    made = program.post("/profiles", rates | {"name": "Home 200", "address_lists": ["homes"]})
    assert (made.status_code, made.json["profile"]["address_lists"], made.json["contracts"]) == (201, ["homes"], 0)
    assert problem(program.post("/profiles", rates | {"name": "Home 200"}))[0] == 409

    ((number, live),) = console.query(
        "SELECT d.profile_id, count(*) FROM session s JOIN desired_policy d ON d.account_id = s.account_id GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    there = program.get(f"/profiles/{number}")
    assert there.json["live_sessions"] == live
    changed = program.send("PATCH", f"/profiles/{number}", {"quota_octets": 5 * 10**11}, If_Match=there.headers["ETag"])
    assert changed.json["profile"]["quota_octets"] == 5 * 10**11
    late = program.send("PATCH", f"/profiles/{number}", {"name": "Other"}, If_Match=there.headers["ETag"])
    assert problem(late)[0] == 412
    taken = program.send("PATCH", f"/profiles/{number}", {"name": "Home 200"}, If_Match="*")
    assert problem(taken)[0] == 409
    half = program.send("PATCH", f"/profiles/{number}", {"rate_up_bps": None}, If_Match="*")
    assert problem(half)[0] == 422
    assert problem(program.get("/profiles/999999"))[0] == 404
