"""Access devices: listed, added, changed by two at once, their secrets kept and revealed, what to paste, and a test while one looks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.browser import usable_by_everybody, violations
from support.change_devices import SECRET, device, listening
from support.console_forms import secret_of, send, send_filled
from support.console_world import sealer

from control_plane import db
from radius_hooks.sealing import nas_row

pytestmark = pytest.mark.db
DEVICE = "127.0.63.1"


@pytest.fixture
def operator(console):
    return console.client("network operator")


@contextmanager
def _listening(address: str) -> Iterator[int]:
    """A device that hears changes, in a loop of its own; its port."""
    heard, ready, over = device(address), threading.Event(), threading.Event()

    async def listen() -> None:
        with listening(heard):
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=asyncio.run, args=(listen(),), daemon=True)
    thread.start()
    assert ready.wait(120)
    try:
        yield heard.listener.port
    finally:
        over.set()
        thread.join(120)


def _add_device(console, name: str, address: str, port: int) -> None:
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        number = connection.execute(
            "INSERT INTO nas (name, source, vendor, sealed_secret, coa_port) VALUES (%s, %s, 'generic', %s, %s) RETURNING id",
            (name, address, bytes(40), port),
        ).fetchone()[0]
        connection.execute(
            "UPDATE nas SET sealed_secret = %s WHERE id = %s", (sealer().seal(SECRET, row=nas_row(number)), number)
        )


def _audit(console, name: str) -> list[tuple[str, str]]:
    return console.query("SELECT actor, action FROM audit_log WHERE subject = %s ORDER BY id", (name,))


def _seals(console, name: str) -> tuple:
    return console.query("SELECT sealed_secret, sealed_coa_secret FROM nas WHERE name = %s", (name,))[0]


def test_the_list_is_filtered_and_paged_by_name(operator):
    page = operator.get("/nases").text
    assert "kingsbridge-bras" in page
    assert "monte-alto-1" in page
    some = operator.get("/nases?site=Kingsbridge&vendor=accel_ppp").text
    assert "kingsbridge-bras" in some
    assert "monte-alto-1" not in some
    assert "kingsbridge-olt" not in some
    assert "No device is like that" in operator.get("/nases?state=deaf").text
    assert operator.get("/nases?state=broken").status_code == 400
    assert operator.get("/nases?q=127.20.0.12").text.count("<tr>") == 2
    with operator.get("/nases?file=csv") as file:
        assert b"kingsbridge-bras,127.20.0.31,accel_ppp" in file.data


def test_who_may_only_look_changes_nothing(console):
    reader = console.client("reader")
    page = reader.get("/nases/monte-alto-1/setup")
    assert page.status_code == 200
    assert "Show with the secrets" not in page.text
    assert "Test it" not in page.text
    for address in (
        "/nases/new",
        "/nases/monte-alto-1/edit",
        "/nases/monte-alto-1/secret",
        "/nases/monte-alto-1/service",
    ):
        assert reader.get(address).status_code == 403
    given = {"csrf_token": secret_of(page.text), "once_key": "x", "reason": "curious"}
    assert reader.post("/nases/monte-alto-1/setup", data=given).status_code == 403
    assert reader.post("/nases/monte-alto-1/test", data=given).status_code == 403
    assert _audit(console, "monte-alto-1") == []
    assert console.client("collector").get("/nases").status_code == 403
    assert reader.get("/nases/nobody").status_code == 404


def test_a_device_is_added_once_and_its_secrets_are_seen_with_a_reason_alone(console, operator):
    page = operator.get("/nases/new").text
    given = {
        "name": "bras-9", "source": "192.0.2.9", "vendor": "mikrotik", "site": "Hill", "access_user": "corrente",
    }  # fmt: skip
    answers = [send_filled(operator, "/nases/new", page, **given) for _ in range(2)]
    assert [(one.status_code, one.headers["Location"]) for one in answers] == [(303, "/nases/bras-9/setup")] * 2
    assert _audit(console, "bras-9") == [("network.operator", "nas.add")]

    setup = "/nases/bras-9/setup?radius=192.0.2.10&portal=192.0.2.80"
    hidden = operator.get(setup).text
    assert "secret=PUT-THE-RADIUS-SECRET-HERE" in hidden
    assert "to-addresses=192.0.2.80" in hidden
    assert send(operator, setup, having="reason", reason=" ").status_code == 422
    assert len(_audit(console, "bras-9")) == 1
    shown = send(operator, setup, having="reason", reason="mounting it").text
    ours = sealer().open(
        bytes(_seals(console, "bras-9")[0]),
        row=nas_row(console.query("SELECT id FROM nas WHERE name = 'bras-9'")[0][0]),
    )
    assert f"secret={ours.decode()} " in shown
    assert "password=PUT" not in shown
    assert "no-store" in operator.get(setup).headers["Cache-Control"]
    detail = console.query(
        "SELECT action, detail ->> 'reason', origin::text FROM audit_log WHERE subject = 'bras-9' ORDER BY id"
    )
    assert detail[1] == ("nas.reveal_secret", "mounting it", "screen")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "monte-alto-1"}, "There is a NAS of this name already."),
        ({"name": "-x"}, "no - first"),
        ({"source": "127.20.0.12"}, "NAS monte-alto-2 sends from there already."),
        ({"source": "127.20.0.0/24"}, "Say that this is meant."),
        ({"source": "192.0.2.9/24"}, "Write it such as 192.0.2.7"),
        ({"source": "224.0.0.1"}, "Write it such as 192.0.2.7"),
        ({"vendor": "acme"}, "Not a valid choice"),
        ({"secret_from": "typed"}, "This is needed."),
        ({"source": "198.51.100.0/24", "access_user": "corrente"}, "add each by its address"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(console, operator, changed, words):
    given = {"name": "bras-x", "source": "192.0.2.77", "vendor": "cisco_iosxe", "site": "Cellar", **changed}
    answer = send(operator, "/nases/new", **given)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Cellar"' in answer.text
    assert console.query("SELECT count(*) FROM nas WHERE name = 'bras-x'") == [(0,)]
    assert console.query("SELECT count(*) FROM site WHERE name = 'Cellar'") == [(0,)]


def test_who_comes_second_is_told_and_nothing_of_theirs_is_written(console, operator):
    address = "/nases/monte-alto-2/edit"
    early = operator.get(address).text
    assert send(operator, address, identifier="ma2", realms="fibra, casa", coa_window="8").status_code == 303
    late = send_filled(operator, address, early, coa_window="4")
    assert late.status_code == 422
    assert "Somebody else has changed this" in late.text
    row = console.query("SELECT identifier, realms, coa_window, coa_rate_per_s FROM nas WHERE name = 'monte-alto-2'")
    assert row == [("ma2", ["fibra", "casa"], 8, 100)]
    assert send_filled(operator, address, late.text, coa_window="4").status_code == 303
    assert console.query("SELECT coa_window FROM nas WHERE name = 'monte-alto-2'") == [(4,)]
    again = send(operator, address)
    assert again.status_code == 303
    assert [action for _, action in _audit(console, "monte-alto-2")] == ["nas.set", "nas.set"]


def test_another_source_wants_a_word_and_a_user_its_password(console, operator):
    address = "/nases/puerto-claro-1/edit"
    refused = send(operator, address, source="127.20.0.99")
    assert (refused.status_code, "Its source changes" in refused.text) == (422, True)
    assert send(operator, address, api_username="corrente").status_code == 422
    done = send(
        operator, address, source="127.20.0.99", sure="y", api_username="corrente", api_password="s3cret-of-api"
    )
    assert done.status_code == 303
    row = console.query(
        "SELECT host(source), api_username, sealed_api_password IS NOT NULL FROM nas WHERE name = 'puerto-claro-1'"
    )
    assert row == [("127.20.0.99", "corrente", True)]
    assert "s3cret-of-api" not in operator.get(address).text
    assert send(operator, address, api_username="").status_code == 303
    assert console.query("SELECT sealed_api_password FROM nas WHERE name = 'puerto-claro-1'") == [(None,)]


def test_a_secret_is_changed_and_never_written_in_clear(console, operator):
    address, before = "/nases/kingsbridge-olt/secret", _seals(console, "kingsbridge-olt")
    assert send(operator, address, which="coa", secret_from="typed", secret="").status_code == 422
    assert send(operator, address, which="coa", secret_from="typed", secret="the-new-secret-of-coa").status_code == 303
    after = _seals(console, "kingsbridge-olt")
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert send(operator, address, which="coa_none").status_code == 303
    assert _seals(console, "kingsbridge-olt") == (before[0], None)
    assert send(operator, address).status_code == 303
    assert _seals(console, "kingsbridge-olt")[0] != before[0]
    assert "the-new-secret" not in str(console.query("SELECT detail FROM audit_log"))


def test_out_of_service_and_in_again(console, operator):
    assert "accounts may log in there alone" in operator.get("/nases/kingsbridge-bras/service").text
    assert send(operator, "/nases/kingsbridge-bras/service").status_code == 303
    assert "Switched off" in operator.get("/nases/kingsbridge-bras").text
    assert send(operator, "/nases/kingsbridge-bras/service").status_code == 303
    assert [action for _, action in _audit(console, "kingsbridge-bras")] == ["nas.disable", "nas.enable"]


def test_a_link_to_a_test_is_of_who_asked_for_it(console, operator):
    page = operator.get("/nases/monte-alto-1/setup").text
    part = operator.post("/nases/monte-alto-1/test", headers={"X-CSRF-Token": secret_of(page)}).text
    link = part.partition('sse-connect="')[2].partition('"')[0]
    assert console.client("support").get(link).status_code == 400
    assert operator.get(link.replace("monte-alto-1", "monte-alto-2")).status_code == 400
    assert operator.get("/nases/monte-alto-1/test/live?key=guessed").status_code == 400


def test_each_part_is_tested_while_one_looks(console, address, browser):
    with _listening(DEVICE) as port:
        _add_device(console, "tower", DEVICE, port)
        with browser.page(console, "network operator") as page:
            page.goto(f"{address}/nases/tower/setup")
            assert violations(page) == []
            page.get_by_role("button", name="Test it").click()
            page.get_by_text("to put right").wait_for()
            steps = page.locator("#test li").all_inner_texts()
            assert [one.splitlines()[1] for one in steps][:5] == [
                "It reaches us", "The secret is the same", "Logins are answered", "Accounting arrives", "It takes changes",
            ]  # fmt: skip
            assert "Works" in steps[4]
            assert "error cause 503" in steps[4]
            assert "Does not work" in steps[0]
            assert violations(page) == []
            requests = []
            page.on("request", lambda request: requests.append(request.url))
            page.wait_for_timeout(1500)
            assert requests == []


def test_the_pages_are_usable_by_everybody(console, address, browser):
    paths = (
        "/nases",
        "/nases/new",
        "/nases/monte-alto-1",
        "/nases/monte-alto-1/edit",
        "/nases/monte-alto-1/secret",
    )
    with browser.page(console, "network operator") as page:
        usable_by_everybody(page, address, paths)
