"""For each constraint of the tables of staff, what it must refuse. Values are SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_SHORT: Final = "'\\x01'"
_DIGEST: Final = "decode(repeat('{}', 32), 'hex')"
_BAD: Final = (
    ("staff", "name", "''", "repeat('n', 64)"),
    ("staff", "name", "'two words'", "'anna@isp.example'"),
    ("staff", "full_name", "''", "repeat('n', 200)"),
    ("staff", "full_name", "E'a\\nb'", "'a b'"),
    ("staff", "email", "'nobody'", "'bruno@isp.example'"),
    ("staff", "theme", "'blue'", "'dark'"),
    ("staff", "password_hash", "'secret'", "'$argon2id$'"),
    ("staff_role", "name", "' x'", "'x'"),
    ("staff_session", "digest", _SHORT, _DIGEST.format("09")),
    ("staff_session", "csrf_secret", _SHORT, _DIGEST.format("09")),
    ("staff_session", "browser", "repeat('b', 401)", "repeat('b', 400)"),
    ("staff_passkey", "name", "''", "repeat('n', 100)"),
    ("staff_passkey", "credential_id", "''", "'\\x0909'"),
    ("staff_passkey", "public_key", "''", "'\\x09'"),
    ("staff_passkey", "sign_count", "-1", "7"),
    ("staff_passkey", "transports", "'{a b}'", "'{usb,hybrid}'"),
    ("passkey_challenge", "digest", _SHORT, _DIGEST.format("09")),
    ("passkey_challenge", "challenge", _SHORT, _DIGEST.format("09")),
    ("staff_recovery_code", "digest", _SHORT, _DIGEST.format("09")),
    ("sign_in_attempt", "name_key", _SHORT, "'\\x0908070605040302'"),
    ("rate_window", "what", "'A'", "'sign_in'"),
    ("rate_window", "key", _SHORT, _DIGEST.format("09")),
    ("rate_window", "count", "0", "2"),
    ("password_reset", "digest", _SHORT, _DIGEST.format("09")),
    ("api_token", "name", "''", "repeat('n', 100)"),
    ("api_token", "digest", _SHORT, _DIGEST.format("09")),
    ("api_token", "prefix", "'abc'", "'abcd'"),
    ("api_token", "made_by", "''", "'maria'"),
    ("saved_view", "page", "'A page'", "'customer.list'"),
    ("saved_view", "name", "''", "repeat('n', 100)"),
    ("saved_view", "query", "repeat('q', 2001)", "repeat('q', 2000)"),
)
_REFERENCES: Final = (
    ("staff", "collector_id"),
    ("staff", "agent_id"),
    ("staff_session", "staff_id"),
    ("staff_passkey", "staff_id"),
    ("passkey_challenge", "staff_id"),
    ("staff_recovery_code", "staff_id"),
    ("sign_in_attempt", "staff_id"),
    ("password_reset", "staff_id"),
    ("api_token", "staff_id"),
    ("saved_view", "staff_id"),
)


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in (
        *("staff", "staff_role", "staff_session", "staff_passkey", "sign_in_attempt", "password_reset"),
        *("api_token", "saved_view"),
    ):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    for table in ("passkey_challenge", "staff_recovery_code"):
        yield case(f"{table}_pkey", table, {"digest": _DIGEST.format("01")})
    first = {"key": _DIGEST.format("01")}
    yield case("rate_window_pkey", "rate_window", first, {**first, "what": "'sign_in'"})
    for table, column in _REFERENCES:
        yield case(f"{table}_{column}_fkey", table, {column: "999"}, {column: "1"})


def _staff() -> Iterator[Case]:
    yield case("staff_name_once", "staff", {"name": "'ANNA'"})
    yield case("staff_email_once", "staff", {"email": "'Anna@ISP.example'"}, {"email": "'b@isp.example'"})
    totp = {"sealed_totp": "decode(repeat('ab', 40), 'hex')", "totp_since": "now()", "totp_last_step": "7"}
    yield case("staff_sealed_totp_check", "staff", {**totp, "sealed_totp": _SHORT}, totp)
    yield case("staff_totp_is_whole", "staff", {**totp, "totp_since": "NULL"}, totp)
    yield case("staff_totp_is_whole", "staff", {"totp_last_step": "7"}, totp)
    yield case("staff_is_collector_or_agent", "staff", {"collector_id": "1", "agent_id": "1"}, {"agent_id": "1"})
    has = insert("staff_has_role")
    yield Case("staff_has_role_pkey", f"{has}; {has}", has)
    for column in ("staff_id", "role_id"):
        yield case(f"staff_has_role_{column}_fkey", "staff_has_role", {column: "999"})
    yield case("staff_role_name_once", "staff_role", {"name": "'first'"})
    for table, name in (("staff_role", "staff_role"), ("api_token", "api_token")):
        for wrong_one in ("'{cash}'", "'{Cash.take}'", "'{NULL}'"):
            constraint = f"{name}_permissions_are_section_and_deed"
            yield case(constraint, table, {"permissions": wrong_one}, {"permissions": "'{cash.take,staff.see}'"})


def _sessions() -> Iterator[Case]:
    first = _DIGEST.format("01")
    yield case("staff_session_digest_once", "staff_session", {"digest": first})
    yield case("staff_session_ends_after_it_began", "staff_session", {"ends_at": "created_at"})._replace(
        breaks=insert("staff_session", ends_at="'2026-01-10 12:00+00'")
    )
    ended = {"ended_at": "now()", "ended_why": "'signed_out'"}
    yield case("staff_session_ended_has_reason", "staff_session", {"ended_at": "now()"}, ended)
    yield case("staff_session_ended_why_check", "staff_session", {**ended, "ended_why": "'x'"}, ended)
    yield case("staff_passkey_credential_once", "staff_passkey", {"credential_id": "'\\x01'"})
    yield case("staff_passkey_name_once", "staff_passkey", {"name": "'first'"})
    yield case("password_reset_digest_once", "password_reset", {"digest": first}, {"digest": "NULL"})
    yield case("password_reset_ends", "password_reset", {"ends_at": "'2026-01-10 12:00+00'"})
    used = {"used_at": "now()"}
    yield case("password_reset_used_was_sent", "password_reset", {**used, "digest": "NULL"}, used)
    yield case("api_token_digest_once", "api_token", {"digest": first})
    again = {"name": "'first'"}
    revoked = {**again, "revoked_at": "now()"}
    yield case("api_token_name_once", "api_token", again, revoked)
    early, late = ({"expires_at": moment} for moment in ("'2026-01-10 12:00+00'", "'2026-01-10 12:01+00'"))
    yield case("api_token_expires_after_it_was_made", "api_token", early, late)
    yield case("saved_view_name_once", "saved_view", {"name": "'first'"}, {"name": "'first'", "page": "'other'"})
    default = {"is_default": "true"}
    yield case("saved_view_one_default", "saved_view", default, {**default, "page": "'other'"})


STAFF_CASES: Final[tuple[Case, ...]] = tuple(one for group in (_columns, _staff, _sessions) for one in group())
