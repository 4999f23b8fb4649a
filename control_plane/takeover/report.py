"""The findings of an import as lines for a person and as JSON for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from control_plane.takeover.wanted import Finding, Verdict

_ORDER = (Verdict.UNCHANGED, Verdict.MAKE, Verdict.NOTE, Verdict.REFUSED)


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line a finding, the refusals last so that they stay on the screen."""
    width = max((len(verdict.value) for verdict in Verdict), default=0)
    for verdict in _ORDER:
        for finding in findings:
            if finding.verdict is verdict:
                yield f"{verdict.value:{width}}  {finding.where}: {finding.text}"


def totals(findings: Iterable[Finding]) -> dict[str, int]:
    """How many of each verdict."""
    counted = Counter(finding.verdict for finding in findings)
    return {verdict.value: counted[verdict] for verdict in Verdict}


def summary(findings: Sequence[Finding], *, applied: bool) -> str:
    """The last line: what was or would be done."""
    count = totals(findings)
    made = f"{count['make']} made" if applied else f"{count['make']} to make"
    return f"{made}, {count['unchanged']} there already, {count['refused']} refused, {count['note']} notes"


def as_json(findings: Sequence[Finding], *, applied: bool) -> dict[str, Any]:
    """Everything for a program."""
    return {
        "applied": applied,
        "totals": totals(findings),
        "findings": [{"verdict": one.verdict.value, "where": one.where, "text": one.text} for one in findings],
    }
