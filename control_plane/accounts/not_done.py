"""Why a deed on an account was not done: a kind that a page has words for, and the sentence that a command prints."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """What stood in the way; `%(name)s` stand for what it is about."""

    NOTHING_KEPT = "account %(username)s has no secret"
    NO_REASON = "a reason is needed: the audit log keeps it"
    KEY_MISSING = "%(problem)s; the settings need the key it was sealed with"
    HELD = "%(prefix)s is held by account %(holder)s, all of it or a part"
    NO_QUOTA = "plan %(plan)s has no quota that a top-up could add to"
    NOT_OF_CONTRACT = "restriction %(number)s is none of contract %(contract)s's; there are: %(listed)s"
    NONE_SUCH = "no such restriction on contract %(contract)s; there are: %(listed)s"
    NAME_WHICH = "name which with --id or --origin: %(listed)s"
    NOT_PAID = "the days of restriction %(number)s are not paid: lift it with `corrente contract lift %(contract)s --origin %(origin)s`"
    LIFTED_MEANWHILE = "another lifted one of them in this moment; look again with `corrente account show`"
    NOT_ONLINE = "account %(username)s has no live session"
    PAST_DAY = "%(day)s is not to come; `corrente account set --plan` changes the plan now"
    NO_CHANGE_WAITS = "no plan change of contract %(contract)s waits for %(day)s; `corrente account show` lists them"
    BILLING = "%(problem)s"


class NotDoneError(Exception):
    """It was not done, and nothing was written."""

    def __init__(self, why: Why, **about: object) -> None:
        super().__init__(why.value % about)
        self.why = why
        self.about = about
