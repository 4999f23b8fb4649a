"""A live session moved to other address lists by the API of a RouterOS device; the stand-in for it speaks the manual's protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.routeros_api_stand_in import Entry
from support.routeros_stories import on, tell

from nas_drivers.families.routeros_lists import ListChange, ListEntry
from nas_drivers.transport.routeros import RouterOsListsError
from nas_drivers.transport.routeros_access import RouterOsRefusedError, RouterOsUnreachableError

pytestmark = pytest.mark.radius
WALL = ListChange("anna", "81a00001", "100.64.0.1", frozenset({"walled"}), frozenset({"walled"}), 3600)
FREE = replace(WALL, wanted=frozenset())
LISTS = "/ip/firewall/address-list"


def telling(commands):
    return lambda command, arguments: commands.append((command, dict(arguments)))


async def move(access, change):
    commands = []
    await on(access, lambda device: device.change_lists(change, telling(commands)))
    return commands


def test_a_session_is_walled_in_once_and_let_out_once():
    async def story(stand_in, access):
        told = await move(access, WALL)
        comment = "Corrente session 81a00001"
        entry = {"list": "walled", "address": "100.64.0.1", "comment": comment}
        assert told == [(f"{LISTS}/add", {**entry, "timeout": "3600s"})]
        assert [(one.list, one.address, one.comment) for one in stand_in.entries] == [("walled", "100.64.0.1", comment)]
        assert (await on(access, lambda device: device.read_session("anna", "81a00001"))).address_lists == ("walled",)

        assert await move(access, WALL) == []
        assert len(stand_in.entries) == 1

        assert await move(access, FREE) == [(f"{LISTS}/remove", entry)]
        assert stand_in.entries == []
        assert await move(access, FREE) == []
        assert len(stand_in.sessions.of("anna")) == 1

    tell(story)


def test_what_the_login_put_into_a_list_is_taken_away_without_a_drop():
    async def story(stand_in, access):
        stand_in.sessions.of("anna")[0].address_lists = ("walled", "vip")
        assert await move(access, FREE) == [(f"{LISTS}/remove", {"list": "walled", "address": "100.64.0.1"})]
        assert stand_in.sessions.of("anna")[0].address_lists == ("vip",)

    tell(story)


def test_a_router_that_keeps_what_the_login_put_there_is_not_believed_to_have_let_go():
    async def story(stand_in, access):
        stand_in.keeps_dynamic = True
        stand_in.sessions.of("anna")[0].address_lists = ("walled",)
        with pytest.raises(RouterOsRefusedError, match="can not remove dynamic entry"):
            await move(access, FREE)

    tell(story)


def test_an_entry_that_came_in_between_is_no_failure():
    async def story(stand_in, access):
        def first(command):
            if command == f"{LISTS}/add" and not stand_in.entries:
                stand_in.entries.append(Entry("*77", "walled", "100.64.0.1"))
            return True

        stand_in.meanwhile = first
        assert [command for command, _ in await move(access, WALL)] == [f"{LISTS}/add"]
        assert [one.number for one in stand_in.entries] == ["*77"]

    tell(story)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace(WALL, acct_session_id="81a00009"), "it lists no session 81a00009"),
        (replace(WALL, username="clara"), "it lists no session 81a00001 of this user"),
        (replace(WALL, address="100.64.0.9"), "has 100.64.0.1 there, and 100.64.0.9 by accounting"),
    ],
)
def test_nothing_is_done_for_a_session_that_is_not_as_we_know_it(change, said):
    async def story(stand_in, access):
        with pytest.raises(RouterOsListsError, match=said):
            await move(access, change)
        assert stand_in.entries == []

    tell(story)


def test_an_address_that_went_to_somebody_else_in_between_is_let_out_again():
    async def story(stand_in, access):
        def hang_up(command):
            if command == f"{LISTS}/add":
                anna = stand_in.sessions.of("anna")[0]
                stand_in.sessions.remove(anna)
                stand_in.sessions.of("bruno")[0].address = anna.address
            return True

        stand_in.meanwhile = hang_up
        with pytest.raises(RouterOsListsError, match="it lists no session 81a00001"):
            await move(access, WALL)
        assert stand_in.entries == []

    tell(story)


def test_a_connection_that_breaks_in_the_middle_is_said_and_the_next_try_finishes():
    async def story(stand_in, access):
        stand_in.meanwhile = lambda command: command != f"{LISTS}/add"
        with pytest.raises(RouterOsUnreachableError):
            await move(access, WALL)
        stand_in.meanwhile = None
        await move(access, WALL)
        assert len(stand_in.entries) == 1

    tell(story)


def test_an_entry_stands_for_its_session_at_its_address_and_for_no_other():
    async def story(stand_in, access):
        await move(access, WALL)
        (entry,) = await on(access, lambda device: device.read_entries(["walled"]))
        assert (entry.list, entry.address, entry.acct_session_id) == ("walled", "100.64.0.1", "81a00001")
        assert 3300 <= (entry.left_s or 0) <= 3600
        assert await on(access, lambda device: device.read_entries(["slow"])) == ()
        assert await on(access, lambda device: device.stands(entry))

        anna, bruno = stand_in.sessions.of("anna")[0], stand_in.sessions.of("bruno")[0]
        stand_in.sessions.remove(anna)
        assert not await on(access, lambda device: device.stands(entry))
        bruno.address = anna.address
        assert not await on(access, lambda device: device.stands(entry))

    tell(story)


def test_an_entry_is_renewed_and_taken_away_by_what_it_is_for():
    async def story(stand_in, access):
        await move(access, WALL)
        (entry,) = await on(access, lambda device: device.read_entries(["walled"]))
        await on(access, lambda device: device.renew(entry, 7200))
        (longer,) = await on(access, lambda device: device.read_entries(["walled"]))
        assert 6900 <= (longer.left_s or 0) <= 7200

        other = ListEntry(entry.number, "walled", "100.64.0.1", "81a00002", 10)
        assert not await on(access, lambda device: device.take_away(other))
        assert len(stand_in.entries) == 1
        assert await on(access, lambda device: device.take_away(entry))
        assert not await on(access, lambda device: device.take_away(entry))
        with pytest.raises(RouterOsRefusedError, match="no such item"):
            await on(access, lambda device: device.renew(entry, 7200))

    tell(story)
