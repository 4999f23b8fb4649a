"""Rows to records, with FreeRADIUS's own dictionary."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.policy.policy_source import AccountRow, NasRow, ProfileRow, SessionRow
from control_plane.policy.profile import ProfileColumns
from control_plane.policy.rendering import (
    RenderError,
    Rendering,
    build_account_record,
    build_live_sessions,
    build_nas_record,
    build_profile_record,
    build_withheld_record,
    policy_version,
    profile_revision,
)
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute
from radius_hooks.policy_store import Level, LiveSession, NasRecord, PolicyStep, ReplyItem, SecretKind

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
RENDERING = Rendering(DICTIONARY, ZoneInfo("Europe/Rome"), datetime(2026, 3, 10, 12, tzinfo=UTC))


def account_row(**more):
    return AccountRow(**{
        "account_id": 7, "contract_id": 70, "username": "anna@isp", "secret_kind": "clear", "sealed_secret": b"sealed",
        "expires_at": None, "max_sessions": 2, "macs": None, "circuit_ids": None, "nas_ids": None, "own_attributes": None,
        "quota_exhausted_until": None, "status": "active", "starts_on": date(2025, 1, 1), "ends_on": None,
        "profile_id": 1, "throttle_profile_id": 2, "walled_profile_id": 3, "restrictions": None, "reliefs": None,
        "prefixes": None, "plan_windows": None, "plan_changes": None, **more,
    })  # fmt: skip


def profile_row(**more):
    return ProfileRow(**{
        "id": 1, "name": "Home 100", "rate_down_bps": 100_000_000, "rate_up_bps": 20_000_000, "burst_down_bps": None,
        "burst_up_bps": None, "burst_threshold_down_bps": None, "burst_threshold_up_bps": None, "burst_time_s": None,
        "priority": None, "minimum_down_bps": None, "minimum_up_bps": None, "address_lists": ["home"], "ipv4_pool": None,
        "ipv6_pool": None, "delegated_ipv6_pool": None, "filter": None, "session_timeout_s": 86400,
        "idle_timeout_s": None, "interim_interval_s": 600, **more,
    })  # fmt: skip


def record(**more):
    return build_account_record(account_row(**more), RENDERING)


def test_a_plain_account_carries_its_secret_as_sealed_and_its_step():
    found = record(macs=["aabbccddeeff"], circuit_ids=["olt1 1/2"], nas_ids=[4, 5])
    assert (found.account_id, found.contract_id, found.max_sessions) == (7, 70, 2)
    assert (found.secret_kind, found.sealed_secret) == (SecretKind.CLEAR, b"sealed")
    assert (found.macs, found.circuit_ids, found.nas_ids) == (("aabbccddeeff",), ("olt1 1/2",), (4, 5))
    assert found.steps == (PolicyStep(0, Level.FULL, "full", 1),)
    assert (found.reply, found.own, found.expires_at) == ((), (), 0)


def test_restrictions_and_reliefs_as_the_database_writes_them_become_steps():
    found = record(
        restrictions='[["dunning","walled","invoice 3","2026-03-01T00:00:00+00:00",null]]',
        reliefs='[["2026-03-10T11:00:00.25+00:00","2026-03-12T11:00:00+00:00"]]',
    )
    noon_of_the_12th_in_rome = int(datetime(2026, 3, 12, 11, tzinfo=UTC).timestamp())
    assert found.steps == (
        PolicyStep(noon_of_the_12th_in_rome, Level.FULL, "full", 1),
        PolicyStep(0, Level.WALLED, "walled_garden", 3),
    )


def test_static_addresses_prefixes_and_routes_become_reply_attributes():
    found = record(
        prefixes='[["framed_ipv4","192.0.2.7/32",null],["framed_ipv6_address","2001:db8::7/128",null],'
        '["framed_ipv6_prefix","2001:db8:1::/64",null],["delegated_ipv6_prefix","2001:db8:2::/56",null],'
        '["route","198.51.100.0/29",null],["route","203.0.113.0/28",20],["route","2001:db8:3::/48",5]]'
    )
    assert found.reply == (
        ReplyItem("Framed-IP-Address", ":=", "192.0.2.7", "ipaddr"),
        ReplyItem("Framed-IPv6-Address", ":=", "2001:db8::7", "ipv6addr"),
        ReplyItem("Framed-IPv6-Prefix", ":=", "2001:db8:1::/64", "ipv6prefix"),
        ReplyItem("Delegated-IPv6-Prefix", ":=", "2001:db8:2::/56", "ipv6prefix"),
        ReplyItem("Framed-Route", "+=", "198.51.100.0/29 0.0.0.0 1", "string"),
        ReplyItem("Framed-Route", "+=", "203.0.113.0/28 0.0.0.0 20", "string"),
        ReplyItem("Framed-IPv6-Route", "+=", "2001:db8:3::/48 :: 5", "string"),
    )


def test_own_attributes_are_set_as_freeradius_parses_them_and_compared_as_written():
    found = record(
        own_attributes='[{"check": [["nas-port-type", "==", "Ethernet"], ["Calling-Station-Id", "=~", "^00:"]],'
        ' "control": [["Simultaneous-Use", ":=", "1"], ["Auth-Type", ":=", "reject"]], "reply": [["Service-Type", "=", "Framed-User"],'
        ' ["Tunnel-Type:1", ":=", "L2TP"], ["Framed-Route", "!*", "ANY"]], "fall_through": true}]'
    )
    (block,) = found.own
    assert block.check == (
        ReplyItem("NAS-Port-Type", "==", "Ethernet", "integer"),
        ReplyItem("Calling-Station-Id", "=~", "^00:", "string"),
    )
    assert block.control == (
        ReplyItem("Simultaneous-Use", ":=", "1", "integer"),
        ReplyItem("Auth-Type", ":=", "Reject", "integer"),
    )
    assert block.reply == (
        ReplyItem("Service-Type", "=", "2", "integer"),
        ReplyItem("Tunnel-Type:1", ":=", "3", "integer"),
        ReplyItem("Framed-Route", "!*", "ANY", "string"),
    )
    assert block.fall_through is True


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ('[{"reply": [["Session-Timeout", ":=", "soon"]]}]', "Session-Timeout.*soon"),
        ('[{"reply": [["No-Such-Thing", ":=", "1"]]}]', "No-Such-Thing.*no such attribute"),
        ('[{"check": [["No-Such-Thing", "==", "1"]]}]', "No-Such-Thing.*no such attribute"),
        ('[{"reply": [["Session-Timeout", "=~", "60"]]}]', "operator '=~'"),
        ('[{"check": [["NAS-Port", ":=", "60"]]}]', "operator ':='"),
        ('[{"control": [["Simultaneous-Use", "-=", "1"]]}]', "operator '-='"),
        ('[{"reply": [["Session-Timeout", ":="]]}]', "length 3"),
        ('[{"answer": []}]', "unknown field"),
    ],
)
def test_an_own_attribute_that_would_go_out_wrong_is_refused_by_name(own, problem):
    with pytest.raises(RenderError, match=f"account 'anna@isp': .*{problem}"):
        record(own_attributes=own)


def test_a_withheld_account_names_no_profile_so_that_nobody_is_let_in_or_refused():
    found = build_withheld_record(account_row(own_attributes="broken"))
    assert [step.profile_id for step in found.steps] == [0]
    assert found.sealed_secret == b"sealed"


def test_the_account_revision_changes_with_what_a_session_is_given_and_with_nothing_else():
    plain = record().revision
    assert len(plain) == 4
    assert record(macs=["aabbccddeeff"], max_sessions=9, sealed_secret=b"other").revision == plain
    assert record(restrictions='[["admin","walled","x","2026-03-01T00:00:00Z",null]]').revision == plain
    static = record(prefixes='[["framed_ipv4","192.0.2.7/32",null]]').revision
    other = record(prefixes='[["framed_ipv4","192.0.2.8/32",null]]').revision
    own = record(own_attributes='[{"reply": [["Service-Type", "=", "Framed-User"]]}]').revision
    expiring = record(expires_at=datetime(2027, 1, 1, tzinfo=UTC)).revision
    assert len({plain, static, other, own, expiring}) == 5
    assert policy_version(b"prof", plain) == b"prof" + plain


def test_the_profile_revision_follows_what_it_gives_and_not_what_it_is_called():
    revision = profile_revision(profile_row())
    assert len(revision) == 4
    assert profile_revision(profile_row(id=9, name="Renamed")) == revision
    changed = [
        profile_revision(profile_row(**change))
        for change in ({"rate_up_bps": 20_000_001}, {"address_lists": []}, {"session_timeout_s": None}, {"filter": "f"})
    ]
    assert len({revision, *changed}) == 5


def test_a_profile_is_rendered_in_the_words_of_the_vendor():
    found = build_profile_record(profile_row(interim_interval_s=None), driver_for("mikrotik"), DICTIONARY)
    assert ReplyItem("Mikrotik-Rate-Limit", ":=", "20M/100M", "string") in found.reply
    assert ReplyItem("Mikrotik-Address-List", "+=", "home", "string") in found.reply
    assert (found.session_timeout_s, found.idle_timeout_s, found.interim_interval_s) == (86400, 0, 0)
    assert (
        found.revision
        == build_profile_record(profile_row(interim_interval_s=None), driver_for("generic"), DICTIONARY).revision
    )


class MistakenDriver:
    vendor = "mistaken"

    def __init__(self, *, value=None):
        self._value = value

    def login_attributes(self, policy):
        if self._value is None:
            return (1 / 0,)
        return (Attribute("Framed-Pool", ":=", self._value),)

    def unsupported(self, policy):
        return ()


@pytest.mark.parametrize("value", [None, "x" * 300, "a\0b"])
def test_a_mistake_in_a_vendor_file_is_a_fault_of_that_profile_and_vendor(value):
    with pytest.raises(RenderError, match="profile 'Home 100' for mistaken: "):
        build_profile_record(profile_row(), MistakenDriver(value=value), DICTIONARY)


def test_nas_and_sessions_are_carried_over():
    row = NasRow(id=3, name="bras", source="192.0.2.1/32", vendor="generic", sealed_secret=b"s", require_message_authenticator=True, realms=["isp"])  # fmt: skip
    assert build_nas_record(row) == NasRecord(3, "bras", "generic", b"s", True, ("isp",))
    live = build_live_sessions([SessionRow(7, b"k" * 16, 3, "aabbccddeeff", "ge-1", True)])
    assert live == (LiveSession(b"k" * 16, 3, "aabbccddeeff", "ge-1", True),)


def test_a_profile_without_a_device_policy_keeps_the_revision_that_live_sessions_carry():
    plain = ProfileColumns(rate_down_bps=300_000_000, rate_up_bps=30_000_000, interim_interval_s=600)

    # Of the release that had no such column.
    assert profile_revision(plain).hex() == "a5eebd36"
    assert profile_revision(replace(plain, device_policy="home-300")) != profile_revision(plain)
