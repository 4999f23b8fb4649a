"""Staff and roles administered through the pages, and who sees which page at all."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from support.browser import usable_by_everybody
from support.forms import form_of, send, told_once
from support.legal_world import insert
from support.staff_at_work import PASSWORD, enter, hire
from werkzeug.routing import AnyConverter, UUIDConverter
from werkzeug.routing.converters import NumberConverter

from control_plane import db
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.access.tokens import digest_of, new_api_token, prefix_of
from control_plane.store.staff import load_person
from control_plane.store.staff_tokens import add_api_token
from web.marks import Allowed, OfSubscriber, Public, SignedIn, mark_of

pytestmark = pytest.mark.db


def granted(console, name):
    return {
        one
        for (roles,) in console.query(
            "SELECT r.permissions FROM staff AS p JOIN staff_has_role AS h ON h.staff_id = p.id JOIN staff_role AS r ON r.id = h.role_id WHERE p.name = %s",
            (name,),
        )
        for one in roles
    }


def test_somebody_is_added_and_signs_in_with_what_is_shown_once(console):
    boss = console.client()
    made = send(
        boss, "/staff/new", name="anna", full_name="Anna Neri", email="anna@isp.example", roles=["billing"], enabled="y"
    )
    (once,) = told_once(boss, made)
    assert once not in boss.get("/staff/people/anna").text
    client = console.client("")
    assert enter(client, "anna", once).headers["Location"] == "/"
    send(client, "/sign-in/new-password", new=PASSWORD, again=PASSWORD)
    assert client.get("/staff").status_code == 403
    again = send(boss, "/staff/new", name="ANNA", full_name="x", enabled="y")
    assert (again.status_code, "There is one of this name already." in again.text) == (422, True)
    wrong = send(boss, "/staff/new", name="two words", full_name="x", email="nobody", enabled="y")
    assert "64 letters" in wrong.text or "has an @" in wrong.text


def test_what_is_changed_holds_from_the_next_click_on_and_is_told_with_before_and_after(console):
    hire(console, "bea")
    client, boss = console.client(""), console.client()
    enter(client, "bea")
    assert client.get("/staff").status_code == 403
    form = {"full_name": "Bea", "email": "", "enabled": "y", "language": "it"}
    assert send(boss, "/staff/people/bea/change", **form, roles=["administrator"]).status_code == 303
    assert client.get("/staff").status_code == 200
    assert send(boss, "/staff/people/bea/change", **form, roles=["reader"]).status_code == 303
    assert client.get("/staff").status_code == 403
    assert send(boss, "/staff/people/bea/change", **{**form, "enabled": None}, roles=["reader"]).status_code == 303
    assert client.get("/me").status_code == 303
    told = console.query(
        "SELECT detail, actor, origin::text FROM audit_log WHERE subject = 'bea' AND action = 'staff.change' ORDER BY id"
    )
    assert told[0][0]["before"]["roles"] == ["reader"]
    assert told[0][0]["after"]["roles"] == ["administrator"]
    assert told[2] == ({"before": {"enabled": True}, "after": {"enabled": False}}, "admin", "screen")


def test_who_comes_second_is_told_what_the_first_one_changed(console):
    hire(console, "ciro")
    boss = console.client()
    page = boss.get("/staff/people/ciro/change").text
    form = form_of(page)
    send(boss, "/staff/people/ciro/change", full_name="Ciro Uno", enabled="y", roles=["reader"])
    late = boss.post(
        "/staff/people/ciro/change", data={**form, "full_name": "Ciro Due", "enabled": "y", "roles": ["reader"]}
    )
    assert late.status_code == 422
    assert console.query("SELECT full_name FROM staff WHERE name = 'ciro'") == [("Ciro Uno",)]


def test_a_new_password_and_dropped_factors_are_asked_about_and_a_name_may_try_again(console):
    hire(console, "dora", app=True)
    boss, client = console.client(), console.client("")
    assert "worth nothing" in boss.get("/staff/people/dora/password").text
    (once,) = told_once(boss, send(boss, "/staff/people/dora/password"))
    assert enter(client, "dora", once).status_code == 200
    send(boss, "/staff/people/dora/drop-second-factors")
    assert enter(client, "dora", once).status_code == 303
    for _ in range(6):
        enter(console.client(""), "dora", "wrong")
    assert enter(client, "dora", once).status_code == 429
    send(boss, "/staff/people/dora", to="/staff/people/dora/unlock")
    assert enter(client, "dora", once).status_code == 303
    send(boss, "/staff/people/dora", to="/staff/people/dora/end-sessions")
    assert client.get("/sign-in/new-password").headers["Location"].startswith("/sign-in?")


def test_the_last_administrator_stays(console):
    boss = console.client()
    refused = send(boss, "/staff/people/admin/change", full_name="x", enabled="y", roles=["reader"])
    assert "Nobody would be left who may administer staff." in refused.text
    assert Permission.STAFF_CHANGE in granted(console, "admin")


def test_who_administers_staff_gives_and_takes_over_no_more_than_they_have(console):
    boss = console.client()
    send(boss, "/roles/new", name="office", granted=["staff.see", "staff.change", "customer.see"])
    hire(console, "elsa", role="office")
    clerk = console.client("")
    enter(clerk, "elsa")
    assert "administrator" not in clerk.get("/staff/new").text.partition("roles")[2].partition("</fieldset>")[0]
    assert send(clerk, "/staff/new", name="x", full_name="x", enabled="y", roles=["administrator"]).status_code == 422
    refused = "You can&#39;t give, take or change"
    assert refused in send(clerk, "/staff/people/admin/password").text
    assert (
        refused in send(clerk, "/staff/people/admin/change", full_name="x", enabled="y", roles=["administrator"]).text
    )
    assert refused in send(clerk, "/roles/new", name="mine", granted=["network.act"]).text
    assert send(clerk, "/staff/new", name="fede", full_name="Fede", enabled="y", roles=["office"]).status_code == 303
    assert granted(console, "fede") == {"staff.see", "staff.change", "customer.see"}


def test_roles_are_made_changed_and_removed_and_the_matrix_shows_them(console):
    boss = console.client()
    assert send(boss, "/roles/new", name="night", granted=["network.see", "network.act"]).status_code == 303
    assert send(boss, "/roles/new", name="night", granted=[]).status_code == 422
    # What the database refuses is told in the language of who reads.
    boss.set_cookie("language", "it")
    assert "Il nome di un ruolo" in send(boss, "/roles/new", name="a/b", granted=[]).text
    boss.set_cookie("language", "en")
    assert send(boss, "/roles/of/night", granted=["network.see"]).status_code == 303
    assert console.query("SELECT permissions FROM staff_role WHERE name = 'night'") == [(["network.see"],)]
    assert "night" in boss.get("/roles").text
    send(boss, "/roles/of/night", to="/roles/of/night/remove")
    assert console.query("SELECT 1 FROM staff_role WHERE name = 'night'") == []
    assert boss.get("/roles/of/night").status_code == 404
    send(boss, "/roles", to="/roles/of/reader/remove")
    assert console.query("SELECT 1 FROM staff_role WHERE name = 'reader'") == [(1,)]


# -- each route ------------------------------------------------------------------------------------------------------


def value_for(converter):
    """Something that fits into a place of an address."""
    match converter:
        case AnyConverter():
            return sorted(converter.items)[0]
        case NumberConverter():
            return 1
        case UUIDConverter():
            return uuid.UUID(int=1)
        case _:
            return "x"


def addresses(console):
    """Each route with an address that fits it, the method, and its mark."""
    for rule in console.app.url_map.iter_rules():
        mark = mark_of(console.app.view_functions[rule.endpoint])
        given = {name: value_for(converter) for name, converter in rule._converters.items()}
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            yield method, console.app.url_map.bind("").build(rule.endpoint, given, method=method), mark


def ask(client, method, path, bearer):
    """The answer to who is signed in; the interface asks for a token instead."""
    if path.startswith("/api/"):
        return client.open(path, method=method, headers={"Authorization": f"Bearer {bearer}"}, json={})
    token = client.get("/me").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return client.open(path, method=method, data={"csrf_token": token} if method != "GET" else None)


def bearer_of(console, name):
    """A token of that person's that was made for everything, whatever they may."""
    token, now = new_api_token(), datetime.now(UTC)
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        holder = load_person(connection, name)
        given = {"name": "all", "digest": digest_of(token), "prefix": prefix_of(token), "permissions": EVERYTHING}
        add_api_token(connection, holder.id, **given, by="test", now=now, expires_at=None)
    return token


def test_a_collector_and_an_agent_are_refused_every_page_that_is_not_theirs_whatever_their_roles(console):
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("SET corrente.actor = 'maria'")
        ids = []
        for table in ("collector", "agent"):
            found = connection.execute(f"SELECT id FROM {table} LIMIT 1").fetchone()
            if found is None:
                kind = "receipt" if table == "collector" else "agent_settlement"
                statement = insert("number_series", kind=f"'{kind}'", code=f"'X{table[0].upper()}'") + " RETURNING id"
                (series,) = connection.execute(statement).fetchone()
                found = connection.execute(insert(table, series_id=str(series)) + " RETURNING id").fetchone()
            ids.append(found[0])
    theirs = {"carla": {Permission.CASH_TAKE}, "aldo": {Permission.AGENT_OWN}}
    for name, column, number in (("carla", "collector_id", ids[0]), ("aldo", "agent_id", ids[1])):
        hire(console, name, role="administrator")
        console.query(f"UPDATE staff SET {column} = %s WHERE name = %s RETURNING id", (number, name))
        client = console.client("")
        enter(client, name)
        assert client.get("/").headers["Location"] == {"carla": "/field", "aldo": "/field/agent"}[name]
        bearer = bearer_of(console, name)
        asked = 0
        for method, path, mark in addresses(console):
            match mark:
                case Allowed(permissions) if not set(permissions) <= theirs[name]:
                    asked += 1
                    assert ask(client, method, path, bearer).status_code == 403, (name, method, path)
                case Allowed() | SignedIn() | Public() | OfSubscriber():
                    continue
                case None:
                    pytest.fail(f"{method} {path} has no mark")
        assert asked > 10


def test_who_has_no_role_is_refused_every_page_that_needs_one_and_who_is_not_signed_in_all(console):
    hire(console, "zeno")
    console.query(
        "DELETE FROM staff_has_role WHERE staff_id = (SELECT id FROM staff WHERE name = 'zeno') RETURNING staff_id"
    )
    client = console.client("")
    enter(client, "zeno")
    bearer = bearer_of(console, "zeno")
    stranger = console.client("")
    for method, path, mark in addresses(console):
        if isinstance(mark, Allowed):
            assert ask(client, method, path, bearer).status_code == 403, (method, path)
        if isinstance(mark, Allowed | SignedIn):
            answer = stranger.open(path, method=method)
            assert answer.status_code in (303, 400, 401), (method, path)
            assert "/sign-in" in answer.headers.get("Location", "/sign-in")


def test_the_pages_are_usable_by_everybody(console, address, browser):
    hire(console, "gina")
    paths = (
        "/staff",
        "/staff/new",
        "/staff/people/admin",
        "/staff/people/admin/change",
        "/staff/people/admin/password",
        "/roles",
        "/roles/new",
        "/roles/of/reader",
        "/audit",
    )
    with browser.page(console) as page:
        usable_by_everybody(page, address, paths, "wide", "dark", "phone")
