"""Every invariant of the billing model is worked out by a check of `corrente ledger check`, and the page of the books says by which."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

from billing.store.checks.catalogue import CHECKS
from control_plane.check_desired import network_checks

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
# Billing model, section 22.
INVARIANTS = [f"I{number}" for number in range(1, 36)]


def test_no_invariant_is_without_its_check_and_the_page_tells_them_as_they_are():
    checks: defaultdict[str, list[str]] = defaultdict(list)
    for one in (*CHECKS, *network_checks(ZoneInfo("UTC"))):
        for invariant in one.invariants.split(", "):
            checks[invariant].append(one.name)

    assert [one for one in INVARIANTS if one not in checks] == []
    told = dict(re.findall(r"(?<=\| )(I\d+|closing) \| ([^|]+) (?=\|)", PAGE.read_text()))
    assert told == {one: ", ".join(names) for one, names in checks.items()}
