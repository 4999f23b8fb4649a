"""Who is online: filtered and read on by the sort key, kept as views, as files; ended, told again and written to after the numbers were shown."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

import pytest
from support.browser import PHONE, violations
from support.console_online import ONLINE, go_online

import web.staff.online as module
from control_plane import db
from control_plane.store.online_list import OnlineFilter, Sort, list_statement, read_network

pytestmark = pytest.mark.db
KEY = "00000000-0000-4000-8000-{:012d}"


@pytest.fixture(scope="module")
def online(console):
    return go_online(console)


@pytest.fixture(autouse=True)
def _nothing_asked(console, online):
    """Each test begins with nothing open, nothing stopped and nothing kept."""
    yield
    console.query("DELETE FROM enforcement RETURNING id")
    console.query("DELETE FROM network_stop RETURNING id")
    console.query("DELETE FROM saved_view RETURNING id")


def names(page):
    return re.findall(r'aria-label="Choose ([^"]+)"', page)


def sessions(console, condition="true"):
    return console.query(f"SELECT session_key::text, username FROM session WHERE {condition} ORDER BY started_at DESC")


def post(client, where, **fields):
    """A form of the list sent from a page of ours."""
    token = client.get("/online?plain=yes").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return client.post(where, data={"csrf_token": token, **fields})


def shown(answer):
    """What a page with the numbers sends back."""
    return dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text.partition("<main")[2])
    ) | {"reason": "asked for"}


def test_the_list_shows_who_where_and_what(console):
    page = console.client("network operator").get("/online").text
    key, username = sessions(console)[0]
    assert names(page)[0] == username
    assert len(names(page)) == ONLINE
    row = page[page.index(key) :].partition("</tr>")[0]
    assert f'href="/accounts/{quote(username)}"' in row
    assert 'href="/customers/' in row
    assert 'href="/nases/' in row
    assert f'formaction="/online/disconnect" name="one" value="{key}"' in row
    assert "198.18.0.1<" in row
    assert "02:02:02:02:02:01" in row
    assert "AP-1/1 · ge-0/0/1" in row
    assert "10\N{NO-BREAK SPACE}MB" in row


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("nas=monte-alto-1", "nas_id = (SELECT id FROM nas WHERE name = 'monte-alto-1')"),
        ("line=AP-3", "line LIKE 'AP-3%%'"),
        ("line=%25", "false"),
        ("ip=198.18.0.7", "framed_ipv4 = '198.18.0.7'"),
        ("ip=198.18.0.0/29", "framed_ipv4 <<= '198.18.0.0/29'"),
        ("mac=02-02-02-02-02-05", "mac = '020202020205'"),
        ("state=stale", "stale"),
        (
            "customer=3",
            "account_id IN (SELECT a.id FROM subscriber_account a JOIN contract c ON c.id = a.contract_id WHERE c.customer_id = 3)",
        ),
    ],
)
def test_a_filter_finds_what_fits_and_nothing_else(console, query, condition):
    assert sorted(names(console.client().get(f"/online?{query}").text)) == sorted(
        name for _, name in sessions(console, condition.replace("%%", "%"))
    )


def test_a_username_s_beginning_finds_it(console):
    name = sessions(console)[4][1]
    found = names(console.client().get(f"/online?username={name[:3]}").text)
    assert name in found
    assert all(one.startswith(name[:3]) for one in found)


def test_an_ipv6_address_finds_who_has_its_prefix(console):
    key, name = sessions(console)[0]
    console.query(
        "UPDATE session SET delegated_ipv6_prefix = '2001:db8:7:100::/56' WHERE session_key = %s RETURNING 1", (key,)
    )
    for asked, expected in (("2001:db8:7:1ab::5", [name]), ("2001:db8:7::/48", [name]), ("2001:db8:8::5", [])):
        assert names(console.client().get(f"/online?ip={asked}").text) == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [("ip=nowhere", "Write an address"), ("mac=zz", "Write a MAC"), ("customer=x", "named by a number")],
)
def test_what_can_t_be_is_said_and_what_was_typed_stays(console, query, words):
    answer = console.client().get(f"/online?{query}")
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{query.partition("=")[2]}"' in answer.text or "customer" in query


def test_who_may_not_see_the_network_sees_nobody(console):
    assert console.client("billing").get("/online").status_code == 403
    page = console.client("reader").get("/online")
    assert page.status_code == 200
    assert "/online/disconnect" not in page.text.replace('action="/online/disconnect"', "")
    for where in ("disconnect", "reapply", "message"):
        assert post(console.client("reader"), f"/online/{where}", one=KEY.format(1)).status_code == 403


def test_pages_follow_each_other_without_a_gap_in_each_order(console):
    client = console.client()
    console.query("UPDATE session SET started_at = date_trunc('hour', started_at) RETURNING 1")
    before, module.PAGE_ROWS = module.PAGE_ROWS, 7
    try:
        for sort in ("since", "-since", "username", "-username"):
            address, found = f"/online?sort={sort}&plain=yes", []
            while address:
                page = client.get(address).text
                found += names(page)
                further = re.search(r'href="([^"]+)" rel="next"', page)
                address = further and further[1].replace("&amp;", "&")
            assert sorted(found) == sorted(name for _, name in sessions(console))
            if "username" in sort:
                assert found == sorted(found, reverse=sort.startswith("-"))
    finally:
        module.PAGE_ROWS = before
    assert client.get("/online?sort=now").status_code == 400
    assert client.get("/online?sort=now&nas=monte-alto-1").status_code == 200
    assert client.get("/online?sort=username&after=WzEsMl0").status_code == 400


def test_no_order_reads_all_sessions(console):
    """What the planner would do where a whole table is dear: an index for each order and each filter."""
    asked = [
        OnlineFilter(), OnlineFilter(username="ann"), OnlineFilter(line="AP-1"), OnlineFilter(mac="020202020205"),
        OnlineFilter(network=read_network("198.18.0.0/24")), OnlineFilter(nas="monte-alto-1"), OnlineFilter(stale=True), OnlineFilter(customer_id=3),
    ]  # fmt: skip
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET enable_seqscan = off")
        for one in asked:
            for sort in (Sort.START, Sort.USERNAME):
                statement, values = list_statement(connection, one, sort=sort, down=True, after=None, limit=51)
                plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + statement, values))
                assert "Seq Scan on session" not in plan, plan


def test_a_file_has_the_whole_list(console):
    with console.client().get("/online?file=csv&nas=monte-alto-1") as answer:
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0][:2] == ["Username", "Customer"]
    assert sorted(row[0] for row in rows[1:]) == sorted(
        name for _, name in sessions(console, "nas_id = (SELECT id FROM nas WHERE name = 'monte-alto-1')")
    )
    with console.client().get("/online?file=xlsx") as answer:
        assert answer.data[:2] == b"PK"


def test_one_is_ended_after_the_numbers_were_shown_and_once(console):
    client = console.client("network operator")
    key, name = sessions(console)[0]
    page = post(client, "/online/disconnect", one=key, query="nas=")
    assert page.status_code == 200
    assert f"Disconnect {name}?" in page.text
    assert "1 session is meant, of 1 subscriber, on 1 NAS." in page.text
    assert console.query("SELECT count(*) FROM enforcement") == [(0,)]
    fields = shown(page)
    assert client.post("/online/disconnect", data={**fields, "reason": ""}).status_code == 422
    done = client.post("/online/disconnect", data=fields)
    again = client.post("/online/disconnect", data=fields)
    assert done.status_code == again.status_code == 303
    assert done.headers["Location"] == again.headers["Location"]
    rows = console.query(
        "SELECT session_key::text, username, level::text, desired_version, asked_by, reason, state::text FROM enforcement"
    )
    assert rows == [
        (key, name, "none", None, "network.operator", "disconnected by network.operator: asked for", "queued")
    ]
    deeds = console.query(
        "SELECT actor, action, subject, detail ->> 'reason' FROM audit_log WHERE action = 'session.disconnect'"
    )
    assert deeds == [("network.operator", "session.disconnect", name, "asked for")]


def test_all_that_the_filter_finds_and_nobody_else(console):
    client = console.client()
    of_nas = {key for key, _ in sessions(console, "line LIKE 'AP-2%%'")}
    page = post(client, "/online/reapply", all="yes", query="line=AP-2")
    assert f"{len(of_nas)} sessions are meant" in page.text
    assert client.post("/online/reapply", data=shown(page)).headers["Location"] == "/online?line=AP-2"
    rows = console.query(
        "SELECT session_key::text, from_version = desired_version, disruptive, method::text FROM enforcement"
    )
    assert {row[0] for row in rows} == of_nas
    assert all(same and disruptive == (method != "coa") for _, same, disruptive, method in rows)


def test_what_is_on_its_way_is_left_out_and_what_only_waits_makes_way(console):
    client = console.client()
    (waiting, _), (sent, _) = sessions(console)[:2]
    console.query(
        "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, method, wanted_at, state, sent_at) "
        "SELECT session_key, nas_id, account_id, acct_session_id, username, 'none', 'debt', true, 'disconnect', now(), "
        "CASE WHEN session_key = %s THEN 'sent' ELSE 'queued' END::enforcement_state, CASE WHEN session_key = %s THEN now() END FROM session WHERE session_key IN (%s, %s) RETURNING id",
        (sent, sent, sent, waiting),
    )
    page = post(client, "/online/disconnect", keys=[waiting, sent])
    assert "1 is left out" in page.text
    client.post("/online/disconnect", data={**shown(page), "keys": [waiting, sent]})
    open_ones = "SELECT session_key::text, asked_by FROM enforcement WHERE closed_at IS NULL ORDER BY asked_by"
    assert console.query(open_ones) == [(waiting, "admin"), (sent, None)]


def test_more_than_the_guard_allows_needs_who_may_release(console):
    console.query(
        "UPDATE staff_role SET permissions = array_remove(permissions, 'network.release') WHERE name = 'network operator' RETURNING 1"
    )
    try:
        answer = post(console.client("network operator"), "/online/disconnect", all="yes", query="")
        assert answer.status_code == 303
        page = post(console.client("administrator"), "/online/disconnect", all="yes", query="")
        assert "more than automation may cut in an hour" in page.text
    finally:
        console.query(
            "UPDATE staff_role SET permissions = permissions || '{network.release}'::text[] WHERE name = 'network operator' RETURNING 1"
        )
    assert console.query("SELECT count(*) FROM enforcement") == [(0,)]


def test_many_more_than_were_shown_are_shown_first(console):
    client = console.client()
    page = post(client, "/online/disconnect", all="yes", query="line=AP-2")
    answer = client.post("/online/disconnect", data={**shown(page), "query": ""})
    assert answer.status_code == 422
    assert "The numbers have changed" in answer.text
    assert console.query("SELECT count(*) FROM enforcement") == [(0,)]


def test_a_stop_is_told_before(console):
    console.query("INSERT INTO network_stop (reason, placed_by) VALUES ('fire', 'maria') RETURNING id")
    assert "1 waits for now" in post(console.client(), "/online/disconnect", one=sessions(console)[0][0]).text


def test_nobody_chosen_is_refused(console):
    assert post(console.client(), "/online/disconnect").status_code == 400
    assert post(console.client(), "/online/disconnect", keys=["x"]).status_code == 400
    assert console.client().get("/online/disconnect").status_code == 405


def test_those_chosen_are_written_to_once(console):
    client = console.client("support")
    keys = [key for key, _ in sessions(console, "line LIKE 'AP-1%%'")]
    customers = console.query(
        "SELECT count(DISTINCT c.customer_id) FROM session s JOIN subscriber_account a ON a.id = s.account_id JOIN contract c ON c.id = a.contract_id WHERE s.line LIKE 'AP-1%'"
    )[0][0]
    page = post(client, "/online/message", all="yes", query="line=AP-1")
    assert page.status_code == 200
    assert f"of {customers} customers." in page.text
    fields = shown(page) | {"subject": "Works tonight", "text": "", "purpose": "service"}
    assert client.post("/online/message", data=fields).status_code == 422
    page = client.post("/online/message", data=fields | {"text": "From two to three."})
    assert f"Send to {customers} customers" in page.text
    assert "From two to three." in page.text
    before = console.query("SELECT count(*) FROM message")[0][0]
    fields = shown(page)
    done = client.post("/online/message", data=fields)
    assert done.headers["Location"] == "/online?line=AP-1"
    client.post("/online/message", data=fields)
    assert console.query("SELECT count(*) FROM message")[0][0] == before + customers
    assert console.query("SELECT title, made_by FROM message_batch ORDER BY id DESC LIMIT 1") == [
        ("Works tonight", "support")
    ]
    assert keys


def test_a_view_is_kept_opened_with_and_forgotten_and_is_nobody_else_s(console):
    client = console.client("support")
    kept = post(
        client,
        "/views",
        page="online",
        query="nas=monte-alto-1&after=x",
        name=" My  tower ",
        default="yes",
        back="/online?nas=monte-alto-1",
    )
    assert kept.headers["Location"] == "/online?nas=monte-alto-1"
    assert client.get("/online").headers["Location"] == "/online?nas=monte-alto-1"
    assert "My tower" in client.get("/online?plain=yes").text
    assert "My tower" not in console.client("reader").get("/online").text
    number = console.query("SELECT id FROM saved_view")[0][0]
    assert post(console.client("reader"), f"/views/{number}/forget").status_code == 404
    assert post(client, f"/views/{number}/plain", back="//evil.example").headers["Location"] == "/"
    assert client.get("/online").status_code == 200
    post(client, f"/views/{number}/forget")
    assert console.query("SELECT id FROM saved_view") == []
    assert post(client, "/views", page="online", query="", name="", back="/online").status_code == 303
    assert console.query("SELECT id FROM saved_view") == []


def test_everybody_can_use_it_and_choose_and_end(console, address, browser):
    with browser.page(console, viewport=PHONE) as page:
        page.goto(f"{address}/online")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    with browser.page(console) as page:
        ap3 = sessions(console, "line LIKE 'AP-3%%'")
        page.goto(f"{address}/online?line=AP-3")
        page.get_by_role("button", name="All that the filter finds").click()
        page.get_by_role("button", name="Apply the policy again").click()
        page.get_by_text(f"{len(ap3)} sessions are meant").wait_for()
        page.goto(f"{address}/online?line=AP-0")
        assert violations(page) == []
        page.get_by_label("All on this page").check()
        chosen = len(sessions(console, "line LIKE 'AP-0%%'"))
        assert page.locator("[data-chosen-of=keys]").text_content() == str(chosen)
        page.locator("[data-needs-chosen=keys]").get_by_role("button", name="Disconnect").click()
        page.get_by_label("Reason").fill("new firmware")
        assert violations(page) == []
        page.get_by_role("button", name=f"Disconnect {chosen} sessions").click()
        page.wait_for_url("**/online?line=AP-0")
        assert page.get_by_text("sessions are being ended").is_visible()
        page.get_by_role("button", name="Views").click()
        assert violations(page) == []
        page.get_by_role("button", name="Views").click()
        page.get_by_role("button", name="What to do with").first.click()
        page.get_by_role("button", name="Write to them").first.click()
        page.get_by_label("Subject").fill("Works tonight")
        page.get_by_label("Text").fill("From two to three.")
        assert violations(page) == []
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("button", name="Send to 1 customer").wait_for()
        assert violations(page) == []
    assert console.query("SELECT count(*) FROM enforcement WHERE asked_by = 'admin'") == [(chosen,)]
