"""One drawn example for every case: to draw it is what costs, so it is drawn once and not once a case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any


def for_every(cases: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The check, whose first argument is a case, with all cases in turn; a failure says which one it was.

    It stands between `@given` and the check.
    """

    def for_all(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(*drawn: Any, **named: Any) -> None:
            for name, case in cases.items():
                try:
                    check(case, *drawn, **named)
                except BaseException as error:
                    error.add_note(f"Of the cases it is {name}.")
                    raise

        signature = inspect.signature(check)
        checked.__signature__ = signature.replace(parameters=[*signature.parameters.values()][1:])  # type: ignore[attr-defined]
        return checked

    return for_all
