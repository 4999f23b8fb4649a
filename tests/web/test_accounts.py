"""Subscriber accounts in the console: found, read, and what happened on their lines."""

from __future__ import annotations

import pytest
from support.account_lines import Lines, lay_lines

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def lines(console) -> Lines:
    """Accounts with sessions, logins and usage."""
    return lay_lines(console)


def test_an_account_is_found_by_username_customer_contract_address_and_mac(console, lines):
    client = console.client("network operator")
    username, customer, contract = lines.online, lines.customer, lines.contract
    for asked in (username[2:9], customer.lower(), str(contract), lines.address, lines.static, lines.mac):
        page = client.get("/accounts", query_string={"q": asked}).text
        assert f">{username}</a>" in page, asked
    assert "No account is like that" in client.get("/accounts?q=nobody-has-this").text


def test_pages_of_an_account_say_what_happened(console, lines):
    client = console.client("network operator")
    for tab in ("", "/why", "/answer", "/usage", "/logins", "/sessions", "/device"):
        answer = client.get(f"/accounts/{lines.online}{tab}")
        assert answer.status_code == 200, (tab, answer.text[:3000])
