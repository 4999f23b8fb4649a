"""The stand-in for a RouterOS API against clients that share nothing with ours: librouteros (Python) and node-routeros (JavaScript)."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import librouteros
import pytest
from librouteros.exceptions import TrapError
from librouteros.login import plain, token
from support.routeros_stories import ADDRESS, certificate, tell

pytestmark = pytest.mark.radius
LISTED = ("/ppp/active", "/queue/simple", "/ip/firewall/address-list")
CLIENT = Path(__file__).resolve().parents[1] / "node" / "routeros_client.js"


def visit_with_librouteros(access: Any, **how: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The address lists and the sessions; then Anna's is ended."""
    api = librouteros.connect(ADDRESS, access.username, access.password, port=access.port, **how)
    try:
        listed = list(api.path("ip", "firewall", "address-list"))
        active = api.path("ppp", "active")
        sessions = list(active)
        active.remove(next(row[".id"] for row in sessions if row["name"] == "anna"))
        with pytest.raises(TrapError, match="no such command"):
            list(api("/system/reboot"))
        return listed, sessions
    finally:
        api.close()


@pytest.mark.parametrize(("release", "way"), [("clear", plain), ("both", plain), ("both", token), ("challenge", token)])
def test_librouteros_understands_the_stand_in(release, way):
    async def story(stand_in, access):
        stand_in.login = release
        stand_in.sessions.of("anna")[0].address_lists = ("walled",)
        listed, sessions = await asyncio.to_thread(visit_with_librouteros, access, login_method=way)
        assert [(row["list"], row["address"]) for row in listed] == [("walled", "100.64.0.1")]
        assert {row["name"] for row in sessions} == {"anna", "bruno"}
        assert [one.username for one in stand_in.sessions.all()] == ["bruno", "bruno"]
        assert stand_in.clear_passwords == ([] if way is token else ["api password"])

    tell(story)


@pytest.mark.parametrize(
    ("release", "said"), [("clear", "invalid user name or password"), ("offered", "cannot log in")]
)
def test_librouteros_is_refused_where_the_stand_in_takes_no_challenge(release, said):
    async def story(stand_in, access):
        stand_in.login = release
        with pytest.raises(TrapError, match=said):
            await asyncio.to_thread(visit_with_librouteros, access, login_method=token)
        assert stand_in.commands == []

    tell(story)


def test_librouteros_understands_the_stand_in_under_tls_too(tmp_path):
    context, _, file = certificate(tmp_path)

    async def story(stand_in, access):
        trusting = ssl.create_default_context(cafile=file)

        def wrapper(opened):
            return trusting.wrap_socket(opened, server_hostname=ADDRESS)

        _, sessions = await asyncio.to_thread(visit_with_librouteros, access, ssl_wrapper=wrapper)
        assert {row["name"] for row in sessions} == {"anna", "bruno"}

    tell(story, tls=context)


def lists_with_librouteros(access: Any) -> list[dict[str, Any]]:
    """An entry made, refused the second time, given another time, and taken away; what was listed in between."""
    api = librouteros.connect(ADDRESS, access.username, access.password, port=access.port, login_method=plain)
    try:
        path = api.path("ip", "firewall", "address-list")
        number = path.add(list="walled", address="100.64.0.1", comment="ours", timeout="1h")
        with pytest.raises(TrapError, match="failure: already have such entry"):
            path.add(list="walled", address="100.64.0.1")
        seen = list(path)
        path.update(**{".id": number, "timeout": "10s"})
        seen += list(path)
        path.remove(number)
        with pytest.raises(TrapError, match="no such item"):
            path.remove(number)
        return [*seen, *path]
    finally:
        api.close()


def test_librouteros_changes_the_lists_of_the_stand_in():
    async def story(stand_in, access):
        first, second = await asyncio.to_thread(lists_with_librouteros, access)
        assert (first["list"], first["address"], first["comment"]) == ("walled", "100.64.0.1", "ours")
        # As RouterOS has it: what has a time is dynamic.
        assert (first["dynamic"], first["timeout"], second["timeout"]) == (True, "1h", "10s")
        assert stand_in.entries == []

    tell(story)


def visit_with_node(access: Any, *, certificate: str | None = None) -> subprocess.CompletedProcess[str]:
    """The same visit by node-routeros, where bin/install.sh has put it."""
    asked = {"host": ADDRESS, "port": access.port, "user": access.username, "password": access.password}
    asked |= {"certificate": certificate, "list": LISTED, "end": "anna"}
    node, modules = Path(sys.executable).parent / "node", Path(sys.prefix) / "node" / "node_modules"
    assert (modules / "node-routeros").is_dir(), (
        "bin/test installs node-routeros; to run pytest by itself run that once"
    )
    return subprocess.run(
        [str(node), str(CLIENT), json.dumps(asked)],
        env={"NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
    )


@pytest.mark.parametrize("release", ["clear", "both", "challenge"])
@pytest.mark.parametrize("is_tls", [False, True])
def test_node_routeros_understands_the_stand_in(release, is_tls, tmp_path):
    context, _, file = certificate(tmp_path)

    async def story(stand_in, access):
        stand_in.login = release
        # node-routeros 1.6.9 stops at the `!empty` of release 7.18, so nothing that it lists is empty.
        stand_in.has_empty = False
        stand_in.sessions.of("anna")[0].address_lists = ("walled",)
        told = await asyncio.to_thread(visit_with_node, access, certificate=file if is_tls else None)
        assert (told.returncode, told.stderr) == (0, "")
        found = json.loads(told.stdout)
        sessions, queues, lists = (found["lists"][path] for path in LISTED)
        assert [(row["name"], row["session-id"]) for row in sessions] == [
            ("anna", "0x81a00001"),
            ("bruno", "0x81a00002"),
            ("bruno", "0x81a00003"),
        ]
        assert {"name": "<pppoe-anna>", "max-limit": "1000000/1000000"}.items() <= queues[0].items()
        assert [(row["list"], row["address"]) for row in lists] == [("walled", "100.64.0.1")]
        assert (found["session"]["name"], found["refused"]) == ("anna", "no such command")
        assert [one.username for one in stand_in.sessions.all()] == ["bruno", "bruno"]
        assert stand_in.logins == 1
        assert (found["entry"]["list"], found["entry"]["comment"]) == ("slow", "ours")
        assert found["twice"] == "failure: already have such entry"
        assert stand_in.entries == []

    tell(story, tls=context if is_tls else None)


def test_node_routeros_says_that_a_wrong_password_is_one():
    async def story(stand_in, access):
        stand_in.password = "another"
        told = await asyncio.to_thread(visit_with_node, access)
        assert (told.returncode, told.stdout) == (1, "")
        assert "username or password is invalid" in told.stderr.lower()
        assert stand_in.commands == []

    tell(story)
