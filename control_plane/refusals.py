"""What the database refuses, in a person's words: the same for a command and a page."""

from __future__ import annotations

import re
from typing import Final

import psycopg

from control_plane.books_words import BOOKS_WORDS

# Behind what is wrong: a command that shows more, or an option.
_COMMAND: Final = re.compile(r"(?:: |; )(?=[^:;`]*`corrente |--)")
# What a person did, for the constraints that a command or a page can run into.
CONSTRAINT_WORDS: Final = {
    "nas_name_key": "there is a NAS of this name already",
    "nas_name_check": "a NAS name has up to 64 letters, digits, dots, dashes and underscores",
    "nas_source_once": "another NAS has this source already",
    "nas_source_not_everyone": "the source of a NAS is at least a /8, in IPv6 a /16: anyone else could ask as this NAS",
    "nas_coa_source_reaches": "CoA can't leave from an IPv6 address to an IPv4 one or the other way round",
    "nas_api_username_check": "an API user has up to 253 printable characters",
    "nas_ssh_username_check": "an SSH user has up to 253 printable characters",
    "nas_realms_bare": "a realm is what stands after the @, without it and without spaces",
    "profile_name_key": "there is a profile of this name already",
    "profile_name_check": "a profile name has up to 64 letters, digits, spaces, dots, dashes and underscores",
    "profile_burst_above_rate": "a burst needs a rate and is not below it, in both directions",
    "profile_threshold_needs_burst": "a burst threshold needs a burst",
    "profile_threshold_below_burst": "a burst threshold is not above the burst, in both directions",
    "profile_burst_time_needs_burst": "a burst time needs a burst",
    "profile_minimum_below_rate": "a minimum needs a rate and is not above it, in both directions",
    "profile_priority_needs_rate": "a priority needs a rate",
    "profile_address_lists_fit": "the name of an address list has up to 60 characters and no control characters",
    "profile_burst_time_s_check": "a burst time is 1 s to 1 h",
    "profile_session_timeout_s_check": "a session timeout is 60 s to 365 d",
    "profile_idle_timeout_s_check": "an idle timeout is 60 s to 365 d",
    "profile_interim_interval_s_check": "an interim interval is 60 s to 1 d (RFC 2869 section 5.16)",
    "plan_window_one_at_a_time": "these hours overlap others of the plan",
    "plan_change_applied_is_final": "the plan change of that day is applied already",
    "plan_name_key": "there is a plan of this name already",
    "subscriber_account_username_once": "there is a subscriber account of this username already",
    "subscriber_account_username_fits": "a username has up to 253 bytes and no control characters",
    "contract_dates_in_order": "a contract does not end before it starts",
    "contract_ended_has_end": "an ended contract needs its end: --ends-on",
    "restriction_until_after_since": "a restriction ends after it begins",
    "relief_one_at_a_time": "the contract has another relief in that time",
    "relief_is_bounded": "a relief ends after it begins",
    "subscriber_account_circuit_ids_fit": "a circuit id has up to 253 characters and no control characters",
    "account_prefix_one_holder": "another account holds this address, all of it or a part",
    "account_prefix_assigned_once": "this address or prefix is held already",
    "account_prefix_family": "an IPv4 address is one address, an IPv6 one too, and an IPv6 prefix is a /32 to /128",
    "account_prefix_unicast": "this address is no subscriber's: loopback, multicast, link-local or reserved",
    "staff_name_check": "a name to sign in with has up to 64 letters, digits, dots, dashes, underscores and @",
    "staff_full_name_check": "what people call somebody has 1 to 200 characters",
    "staff_email_check": "an e-mail address has an @ and no spaces",
    "staff_email_once": "somebody else has this e-mail address already",
    "staff_is_collector_or_agent": "nobody is bound to a collector and to an agent",
    "staff_role_name_check": "a role's name has up to 64 letters, digits, spaces, dots, dashes and underscores",
    "api_token_name_check": "a token's name has 1 to 100 characters",
    **BOOKS_WORDS,
}


# Of whatever table: columns that a person fills in and that are the same everywhere.
TEXT_WORDS: Final = {
    "note": "a note has at least one character; leave it out instead",
    "payer": "who paid has 1 to 400 characters; leave it out instead",
    "reason": "say why: a reason has at least one character",
    "reason_code": "a code has 1 to 40 letters, digits, dots, dashes and underscores, such as AM04",
    "reference": "a reference has 1 to 200 characters",
}


def known_words(error: psycopg.errors.IntegrityError) -> str | None:
    """The words for a constraint that people run into; None for another."""
    named = error.diag.constraint_name or ""
    column = named.removeprefix(f"{error.diag.table_name}_").removesuffix("_check")
    return CONSTRAINT_WORDS.get(named) or (TEXT_WORDS.get(column) if named.endswith("_check") else None)


def without_command(words: str) -> str:
    """Words as a page says them: without the command or its option that would help."""
    return _COMMAND.split(words)[0]


def words_for(error: psycopg.errors.IntegrityError) -> str:
    """What the database refused, in a person's words."""
    words = known_words(error)
    # Not the detail: it quotes the whole row.
    hint = f". {error.diag.message_hint}" if error.diag.message_hint else ""
    return words or f"the database refuses this: {error.diag.message_primary}{hint}"
