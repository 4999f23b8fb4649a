"""A message as a notice: what a locked telephone shows of it, and where it leads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from billing.messages.message import Purpose
from control_plane.messages.channel import Letter
from control_plane.messages.notice import news_of, page_for, payload_of

AT = datetime(2026, 7, 1, tzinfo=UTC)
RECEIPT = "Dear Anna,\n\nWe have received your payment of 61.00 €.\n\nKind regards\nIsp"


def letter(subject: str, news: str) -> Letter:
    return Letter(
        7, "t", Purpose.SERVICE, "topic", AT, "Isp", None, "device 1", "Anna", "it", subject, "", "", page="/portal", news=news
    )  # fmt: skip


def test_amounts_are_not_shown_and_news_are_without_greetings():
    outage = "Dear Anna,\n\nYour line is disturbed.\n\nA tower is\nbroken.\n\nKind regards\nIsp"
    assert news_of("receipt", RECEIPT) == ""
    assert news_of("outage", outage) == "Your line is disturbed.\nA tower is broken."
    assert (
        news_of("text", "From Monday on we are\nreached at 555.\n\nYours")
        == "From Monday on we are reached at 555.\nYours"
    )
    assert news_of("a_kind_of_the_operators_own", "One.\n\nTwo.") == "One.\nTwo."


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("invoice", "/portal/documents"),
        ("receipt", "/portal/statement"),
        ("walled", "/portal"),
        ("plan_answered", "/portal/contracts/12/plan"),
        ("anything", "/portal"),
    ],
)
def test_a_notice_opens_the_page_that_it_speaks_of(kind, page):
    assert page_for(kind, 12) == page


def test_whatever_is_told_every_push_service_takes_it():
    said = payload_of(letter("«" * 500, '"€\n' * 2000))
    assert len(said) <= 3993
    told = json.loads(said)
    assert told["title"].endswith("«…")
    assert told["body"].endswith("…")
    assert (told["page"], told["language"], told["tag"]) == ("/portal", "it", "topic")
