"""What a chart of accounts takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.chart import Account, LedgerReason, Role, decide_account, decide_role

BANK = Account(2, "1010", "Bank", Role.BANK)
ACCESS = Account(4, "4100", "Access", Role.REVENUE, "access")


@pytest.mark.parametrize(
    ("wish", "reason", "said"),
    [
        (("4100", Role.REVENUE, None, True), "taken", "there is an account 4100 already"),
        (("4200", Role.REVENUE, "access", True), "taken", "4100 Access stands for revenue of access already"),
        (("1011", Role.BANK, None, True), "taken", "1010 Bank stands for bank already"),
        (("1011", Role.BANK, "access", True), "family", "has no family"),
        (("9000", Role.OTHER, None, True), "family", "stands for nothing"),
    ],
)
def test_an_account_is_refused(wish, reason, said):
    code, role, family, stands_for = wish
    refused = decide_account(code, role, family, stands_for=stands_for, chart=[ACCESS, BANK])
    assert refused is not None
    assert refused.reason == reason
    assert said in refused.message


@pytest.mark.parametrize(
    "wish",
    [
        ("4200", Role.REVENUE, "voice", True),
        ("4200", Role.REVENUE, None, True),
        ("4200", Role.REVENUE, "access", False),
        ("1011", Role.BANK, None, False),
        ("9000", Role.OTHER, None, False),
        ("1600", Role.CLEARING, "card", True),
        ("6800", Role.FEES, None, True),  # one is there, which stands for nothing
    ],
)
def test_an_account_is_added(wish):
    code, role, family, stands_for = wish
    other = Account(6, "6801", "Fees abroad", Role.FEES, stands_for=False)
    assert decide_account(code, role, family, stands_for=stands_for, chart=[ACCESS, BANK, other]) is None


def test_a_role_stays_once_something_is_posted():
    assert decide_role(ACCESS, Role.OTHER) is None
    refused = decide_role(replace(ACCESS, posted=True), Role.OTHER)
    assert refused is not None
    assert refused.reason is LedgerReason.POSTED
    assert decide_role(replace(ACCESS, posted=True), Role.REVENUE) is None
