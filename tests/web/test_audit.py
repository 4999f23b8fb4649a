"""The audit log searched through its page."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from control_plane import audit, db

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def log(console):
    """120 rows of leo's, one of ida's with before and after, and all that was there before."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        for number in range(120):
            audit.append(
                connection, actor="leo", action="price.change", subject=f"price {number}", detail={"n": number}
            )
        changed = {
            "before": {"amount": "10.00", "note": None},
            "after": {"amount": "12.00", "tags": ["a", "b"]},
            "reason": "<b>agreed</b>",
        }
        audit.append(connection, actor="ida", action="discount.change", subject="discount 7", detail=changed)
    return console


def subjects(text):
    return re.findall(r'class="text-break">((?:price|discount) \d+)<', text)


def test_each_question_narrows_it_down(log):
    client = log.client()
    assert subjects(client.get("/audit?actor=ida").text) == ["discount 7"]
    assert len(subjects(client.get("/audit?actor=leo").text)) == 50
    assert subjects(client.get("/audit?action=discount.&origin=command").text) == ["discount 7"]
    assert subjects(client.get("/audit?actor=ida&origin=screen").text) == []
    assert subjects(client.get("/audit?subject=price+11").text) == [
        f"price {n}" for n in (119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 11)
    ]
    today = datetime.now(UTC).date()
    assert subjects(client.get(f"/audit?actor=ida&since={today - timedelta(days=365)}").text) == ["discount 7"]
    assert subjects(client.get("/audit?actor=ida&until=2020-01-01").text) == []
    for wrong in ("since=yesterday", "origin=moon", "after=x", "until=9999-12-31", "after=WzFd"):
        assert client.get(f"/audit?{wrong}").status_code == 400


def test_page_follows_page_without_a_gap_or_a_double(log):
    client, path, seen = log.client(), "/audit?actor=leo", []
    while path:
        text = client.get(path).text
        seen += subjects(text)
        found = re.search(r'href="([^"]+)" rel="next"', text)
        path = found[1].replace("&amp;", "&") if found else None
    assert seen == [f"price {number}" for number in reversed(range(120))]


def test_before_and_after_stand_side_by_side_and_nothing_of_it_is_markup(log):
    client = log.client()
    (number,) = re.findall(r"/audit/(\d+)", client.get("/audit?actor=ida").text)
    text = client.get(f"/audit/{number}").text
    rows = re.findall(r"<code>(\w+)</code></th><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", text)
    assert sorted(rows) == [("amount", "10.00", "12.00"), ("note", "—", ""), ("tags", "", "a, b")]
    assert "&lt;b&gt;agreed&lt;/b&gt;" in text
    assert "price 119" in text  # of the same connection, so of the same command
    assert client.get("/audit/999999999").status_code == 404
    assert client.get(f"/audit/{2**63}").status_code == 404


def test_the_same_comes_as_a_file(log):
    with log.client().get("/audit?actor=leo&file=csv") as answer:
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert len(rows) == 121
    assert rows[1][5] == "price 119"


def test_it_is_for_those_who_may_see_it(log):
    assert log.client("billing").get("/audit").status_code == 403
    assert log.client("").get("/audit").status_code == 303
