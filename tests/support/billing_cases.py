"""Runs worked billing cases from a file against the public functions of `billing`: bin/test --cases FILE.

A file is JSON of the form billing-cases/1: {"cases": [{"id", "kind", "input", "expect"}, ...]}. Amounts are decimal strings,
dates local civil dates, intervals half-open. Each kind has one adapter (case_*.py) that only turns a case's fields into
calls and the results into its fields again; nothing is worked out there. A kind without an adapter, or a case with a field
that its adapter does not know, is "not covered" and never "pass". docs/billing-cases.md has the shapes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from support import (
    case_account,
    case_books,
    case_cash,
    case_chargeback,
    case_controls,
    case_documents,
    case_dunning,
    case_payments,
    case_periods,
    case_phases,
    case_webhook,
)
from support.case_fields import AnyOf, EitherSign, NotCoveredError, Values, named

from billing.errors import BillingError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case came out: `pass`, `fail` or `not covered`, with what was expected and what came."""

    id: str
    word: str
    expected: str = ""
    got: str = ""


def run_case(case: Values) -> Outcome:
    """Put one case through its adapter and compare field by field; a refusal and a crash are failures with their message."""
    if not isinstance(case, Mapping):
        return Outcome("?", "not covered", got=f"it is no object but {case!r}")
    name, kind = str(case.get("id", "?")), str(case.get("kind", ""))
    if kind not in ADAPTERS:
        return Outcome(name, "not covered", got=f"no adapter for kind {kind!r}")
    if not isinstance(case.get("input"), Mapping) or not isinstance(case.get("expect"), Mapping):
        return Outcome(name, "not covered", got="it has no input and expect")
    expected = case["expect"]
    try:
        got = ADAPTERS[kind](case["input"])
    except NotCoveredError as error:
        return Outcome(name, "not covered", got=str(error))
    except BillingError as error:
        got = named(True, "refused", "error", "rejected") | {"message": str(error)}
        if not set(expected) <= set(got):
            return Outcome(name, "fail", json.dumps(expected), f"refused: {error}")
    except Exception as error:  # whatever it is, it is this case's failure and not the file's
        return Outcome(name, "fail", json.dumps(expected), f"{type(error).__name__}: {error}")
    if not expected:
        return Outcome(name, "not covered", got="it expects nothing")
    try:
        return _compared(name, got, expected)
    except Exception as error:  # what can't be compared, such as a number that is none, is not what came
        return Outcome(name, "fail", json.dumps(expected), f"{type(error).__name__}: {error}")


def _compared(name: str, got: Values, expected: Values) -> Outcome:
    if missing := _missing(got, expected):
        return Outcome(name, "not covered", got=f"nothing here tells {', '.join(missing)}")
    asked = {key: _only_asked(got[key], expected[key]) for key in expected}
    if _same(asked, expected):
        return Outcome(name, "pass")
    return Outcome(name, "fail", json.dumps(expected), json.dumps(asked))


def main(arguments: list[str]) -> int:
    """Print a line a case and a total; 1 when a case fails or none passes, 2 when the file can't be read."""
    if len(arguments) != 1:
        print("usage: bin/test --cases FILE", file=sys.stderr)
        return 2
    try:
        cases = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))["cases"]
        if not isinstance(cases, list):
            raise TypeError(cases)
    except OSError as error:
        print(f"can't read {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"no JSON: {error}" if isinstance(error, ValueError) else 'it has no list "cases"'
        print(f"{arguments[0]}: not a file of the form billing-cases/1: {why}", file=sys.stderr)
        return 2
    outcomes = [run_case(case) for case in cases]
    for one in outcomes:
        details = (
            f"  expected {one.expected}  got {one.got}" if one.word == "fail" else f"  {one.got}" if one.got else ""
        )
        print(_one_line(f"{one.id}  {one.word}{details}"))
    counts = {word: sum(one.word == word for one in outcomes) for word in ("pass", "fail", "not covered")}
    print(f"{len(outcomes)} cases: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    # A file of which nothing could be compared has shown nothing.
    return 1 if counts["fail"] or not counts["pass"] else 0


def _one_line(text: str) -> str:
    """As it is counted by who reads lines, whatever a case is called or an error says."""
    return " ".join(text.splitlines()).encode("utf-8", "replace").decode()


def _shaped(got: Any, expected: Any) -> Any:
    """Of an answer in several shapes the one that fits, else the first of the same kind."""
    if not isinstance(got, AnyOf):
        return got
    return next(
        (one for one in got if _same(one, expected)), next((one for one in got if _alike(one, expected)), got[0])
    )


def _alike(one: Any, other: Any) -> bool:
    for kind in (Mapping, list, bool):
        if isinstance(one, kind) or isinstance(other, kind):
            return isinstance(one, kind) and isinstance(other, kind)
    return (_number(one) is None) == (_number(other) is None)


def _only_asked(got: Any, expected: Any) -> Any:
    """Of what came only what the case names: a case need not tell everything."""
    got = _shaped(got, expected)
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return {key: _only_asked(got[key], expected[key]) for key in expected if key in got}
    if isinstance(expected, list) and isinstance(got, Mapping):
        return list(got.values())[: len(expected)]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [_only_asked(one, other) for one, other in zip(got, expected, strict=True)]
    if isinstance(expected, list) and got and isinstance(got, list) and isinstance(got[0], Mapping):
        return [{key: one[key] for key in list(one)[:4]} for one in got]
    if isinstance(got, Mapping) and not isinstance(expected, Mapping):
        return got.get("net", got.get("amount", got.get("from")))
    return got


def _missing(got: Any, expected: Any, where: str = "") -> list[str]:
    """The names that a case expects and no answer has."""
    got = _shaped(got, expected)
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return [
            name
            for key in expected
            for name in (_missing(got[key], expected[key], f"{where}{key}.") if key in got else [f"{where}{key}"])
        ]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return list(
            dict.fromkeys(
                name for one, other in zip(got, expected, strict=True) for name in _missing(one, other, where)
            )
        )
    return []


def _same(got: Any, expected: Any) -> bool:
    """Whether an answer is what was expected: numbers by value, instants by the moment, an amount given back with any sign."""
    if isinstance(got, AnyOf):
        return any(_same(one, expected) for one in got)
    if isinstance(got, bool) or isinstance(expected, bool):
        return got is expected
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return all(key in got and _same(got[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return len(got) == len(expected) and all(map(_same, got, expected))
    if got is None or expected is None:
        return got is expected
    number, wanted = _number(got), _number(expected)
    if number is not None and wanted is not None:
        return abs(number) == abs(wanted) if isinstance(got, EitherSign) else number == wanted
    moment, other = _moment(got), _moment(expected)
    return moment == other if moment is not None and other is not None else got == expected


def _number(value: Any) -> Decimal | None:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return Decimal(str(value))
        except ArithmeticError:
            return None
    return None


def _moment(value: Any) -> datetime | None:
    if (isinstance(value, str) and "T" in value) or (isinstance(value, str) and len(value) > len("2026-01-01")):
        try:
            read = datetime.fromisoformat(value.removesuffix(" UTC") + "+00:00" if value.endswith(" UTC") else value)
        except ValueError:
            return None
        return read if read.tzinfo is not None else None
    return None


# Answered by a database, which starts with the first such case.
OF_BOOKS: Final = frozenset({*case_books.ADAPTERS, *case_account.ADAPTERS})
ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    **case_periods.ADAPTERS,
    **case_phases.ADAPTERS,
    **case_documents.ADAPTERS,
    **case_controls.ADAPTERS,
    **case_payments.ADAPTERS,
    **case_cash.ADAPTERS,
    **case_chargeback.ADAPTERS,
    **case_dunning.ADAPTERS,
    **case_webhook.ADAPTERS,
    **case_books.ADAPTERS,
    **case_account.ADAPTERS,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
