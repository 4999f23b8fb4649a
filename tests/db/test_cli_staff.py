"""`corrente staff` as an operator types it."""

from __future__ import annotations

import json
import re

import pytest
from support.command_line import run, write_settings
from support.legal_world import insert
from support.staff_house import HERE, SEALER

from control_plane import db
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.access.signing_in import NeedsSecondFactor, SignedIn, sign_in
from control_plane.cli._staff_words import now
from control_plane.store.staff import load_person
from control_plane.store.staff_sessions import session_for, token_for

pytestmark = pytest.mark.db


@pytest.fixture
def corrente(tmp_path, unmade):
    settings = write_settings(tmp_path, unmade)
    return lambda *arguments, **more: run(settings, *arguments, **more)


@pytest.fixture
def made(corrente, unmade):
    """A connection to what `db create` made."""
    said = ok(corrente("db", "create"))
    with db.connect(unmade, name="test", autocommit=True) as opened:
        yield opened, password_in(said)


def ok(result):
    assert result.exit_code == 0, result.output
    return result.output


def refused(result):
    assert result.exit_code == 1, result.output
    return result.output.strip()


def password_in(said):
    (found,) = re.findall(r"\b[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\b", said)
    return found


def enter(connection, name, password):
    return sign_in(connection, SEALER, name=name, password=password, came=HERE, now=now())


def test_the_first_administrator_comes_with_the_tables_and_once(corrente, made):
    connection, password = made
    inside = enter(connection, "admin", password)
    assert isinstance(inside, SignedIn)
    assert inside.must_change_password
    assert load_person(connection, "admin").permissions == EVERYTHING
    assert connection.execute("SELECT count(*) FROM staff_role").fetchone() == (7,)
    assert "admin" not in corrente("db", "create").output
    assert connection.execute("SELECT count(*) FROM staff").fetchone() == (1,)


def test_somebody_is_added_shown_changed_and_signed_out(corrente, made):
    connection, _ = made
    said = ok(
        corrente("staff", "add", "maria", "--full-name", "Maria Rossi", "--email", "m@isp.example", "--role", "billing")
    )
    once = password_in(said)
    inside = enter(connection, "Maria", once)
    assert isinstance(inside, SignedIn)

    assert json.loads(ok(corrente("staff", "show", "MARIA", "--json")))["person"]["roles"] == ["billing"]
    assert "Maria Rossi" in ok(corrente("staff", "show", "maria"))
    assert re.search(r"maria .*billing", ok(corrente("staff", "list")))
    assert "192.0.2.7" in ok(corrente("staff", "sessions"))
    assert "network.*" in ok(corrente("staff", "set", "maria", "--role", "network operator", "--language", "it"))
    assert ok(corrente("staff", "end-sessions", "maria")) == "maria: 1 session is ended.\n"
    assert session_for(connection, inside.token, now=now()) is None
    again = enter(connection, "maria", once)
    assert (
        ok(corrente("staff", "end-sessions", "--session", str(again.session_id)))
        == f"Session {again.session_id} is ended.\n"
    )
    assert "is over already" in refused(corrente("staff", "end-sessions", "--session", str(again.session_id)))
    assert "may: nothing" in ok(corrente("staff", "set", "maria", "--no-roles")).lower()
    changes = connection.execute("SELECT detail FROM audit_log WHERE action = 'staff.change' ORDER BY id").fetchall()
    assert changes[0][0]["before"] == {"language": None, "roles": ["billing"]}
    assert changes[0][0]["after"] == {"language": "it", "roles": ["network operator"]}
    assert {row[0] for row in connection.execute("SELECT actor FROM audit_log WHERE action LIKE 'staff.%'")} == {
        "maria",
        "corrente",
    }
    assert once not in str(connection.execute("SELECT detail FROM audit_log").fetchall())


def test_a_new_password_is_asked_about_and_makes_the_old_one_worth_nothing(corrente, made):
    connection, first = made
    assert "nothing was changed" in refused(corrente("staff", "password", "admin", typed="n\n"))
    assert isinstance(enter(connection, "admin", first), SignedIn)
    once = password_in(ok(corrente("staff", "password", "admin", "--yes")))
    assert not isinstance(enter(connection, "admin", first), SignedIn)
    for _ in range(6):
        enter(connection, "admin", "wrong")
    assert not isinstance(enter(connection, "admin", once), SignedIn)
    assert ok(corrente("staff", "unlock", "admin")) == "admin may try again.\n"
    assert isinstance(enter(connection, "admin", once), SignedIn)


def test_a_lost_telephone(corrente, made):
    connection, first = made
    sealed = SEALER.seal(b"A" * 32, row="staff:1")
    connection.execute("UPDATE staff SET sealed_totp = %s, totp_since = now()", (sealed,))
    assert isinstance(enter(connection, "admin", first), NeedsSecondFactor)
    assert "an app" in ok(corrente("staff", "list"))
    ok(corrente("staff", "drop-second-factors", "admin", "--yes"))
    assert isinstance(enter(connection, "admin", first), SignedIn)


@pytest.mark.usefixtures("made")
def test_roles_are_made_changed_and_removed(corrente):
    ok(corrente("staff", "role", "new", "night", "--grant", "network.see", "--grant", "account.*"))
    assert ok(corrente("staff", "role", "set", "night", "--grant", "holder.see", "--take", "account.reveal")) == (
        "Role night: network.see, holder.see, account.see, account.change.\n"
    )
    ok(corrente("staff", "add", "leo", "--role", "night"))
    ok(corrente("staff", "role", "set", "night", "--second-factor"))
    assert "demanded, and none yet" in ok(corrente("staff", "list"))
    assert re.search(r"night +1 +needed", ok(corrente("staff", "role", "list")))
    assert "one of them has to add theirs first" in refused(
        corrente("staff", "role", "set", "administrator", "--second-factor")
    )
    assert "1 have the role 'night'" in refused(corrente("staff", "role", "remove", "night"))
    ok(corrente("staff", "set", "leo", "--role", "reader"))
    ok(corrente("staff", "role", "remove", "night"))
    assert "night" not in ok(corrente("staff", "role", "list"))
    assert "staff.see, staff.change" in ok(corrente("staff", "role", "permissions"))
    assert json.loads(ok(corrente("staff", "role", "permissions", "--json"))) == [one.value for one in Permission]
    assert "everything" in ok(corrente("staff", "role", "list"))


def test_tokens_are_shown_once_listed_and_revoked(corrente, made):
    connection, _ = made
    connection.execute("UPDATE staff SET must_change_password = false")
    shown = json.loads(
        ok(corrente("staff", "token", "new", "admin", "shop", "--grant", "customer.see", "--until", "+90d", "--json"))
    )
    program = token_for(connection, shown["token"], now=now())
    assert program.staff.permissions == {Permission.CUSTOMER_SEE}
    listed = ok(corrente("staff", "token", "list"))
    assert shown["token"] not in listed
    assert shown["token"][:11] in listed
    ok(corrente("staff", "token", "revoke", str(shown["number"])))
    assert token_for(connection, shown["token"], now=now()) is None
    assert ok(corrente("staff", "token", "list")) == "No tokens.\n"
    assert "there is no token" in refused(corrente("staff", "token", "revoke", str(shown["number"])))


def test_a_collector_is_bound_by_name_and_let_go(corrente, made):
    connection, _ = made
    connection.execute("SET corrente.actor = 'maria'")
    connection.execute("; ".join(insert(table) for table in ("issuer", "number_series", "collector")))
    ok(corrente("staff", "add", "carla", "--role", "billing", "--collector", "Bruno"))
    assert load_person(connection, "carla").permissions == frozenset()
    assert "May: cash.take" in ok(corrente("staff", "set", "carla", "--role", "collector"))
    ok(corrente("staff", "set", "carla", "--collector", ""))
    assert load_person(connection, "carla").collector_id is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("add", "ADMIN"), "there is a member of staff 'ADMIN' already"),
        (("add", "two words"), "a name to sign in with has up to 64 letters"),
        (("add", "leo", "--role", "biling"), "there is no role 'biling'; did you mean billing"),
        (("add", "leo", "--email", "nobody"), "an e-mail address has an @"),
        (("show", "admn"), "there is no member of staff 'admn'; did you mean admin"),
        (("set", "admin", "--disable"), "nobody would be left who has staff.change"),
        (("set", "admin", "--role", "reader"), "nobody would be left who has staff.change"),
        (("role", "set", "administrator", "--take", "staff.*"), "nobody would be left who has staff.change"),
        (("role", "new", "x", "--grant", "staff.sea"), "there is no permission 'staff.sea'; did you mean staff.see"),
        (("role", "new", "reader"), "there is a role 'reader' already"),
        (("token", "new", "admin", "shop"), "a token without a permission opens nothing"),
        (("end-sessions", "--session", "7"), "there is no session 7"),
    ],
)
def test_a_refusal_names_the_thing_and_leaves_all_as_it_was(corrente, made, typed, said):
    connection, _ = made
    before = connection.execute("SELECT p::text, (SELECT count(*) FROM audit_log) FROM staff AS p").fetchall()
    assert said in refused(corrente("staff", *typed))
    assert connection.execute("SELECT p::text, (SELECT count(*) FROM audit_log) FROM staff AS p").fetchall() == before
