"""The stand-in for a RouterOS API against clients that share nothing with ours: librouteros (Python)."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import librouteros
import pytest
from librouteros.exceptions import TrapError
from librouteros.login import plain, token
from support.routeros_stories import ADDRESS, certificate, tell

pytestmark = pytest.mark.radius


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
