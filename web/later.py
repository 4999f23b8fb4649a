"""Pages that look at everybody: in a large house the frame is there at once, and what takes longer follows.

Such a page compares each live session, or adds a year of postings up. Where that table is small it is asked at once like any
other; where it is large the answer is the page's frame, which fetches the page itself and shows it in its place. Without
scripts a link leads to it.

Next: live.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from flask import render_template, request

from control_plane.store.table_sizes import rows_about
from web.acting import transaction
from web.lists import here_with

View = TypeVar("View", bound=Callable[..., Any])

# From so many rows on a look at all of them is felt.
LARGE_ROWS: Final = 50_000
_AT_ONCE: Final = "at_once"


def later_when_large(
    table: str, title: Any, *, rows: int = LARGE_ROWS, when: Callable[[], bool] = lambda: True
) -> Callable[[View], View]:
    """A mark on a view that reads all of that table: `title` is the page's. Stands below the one that says who may.

    `when` says whether what is asked for reads all of it; `rows` from how many on that is felt.
    """

    def put(view: View) -> View:
        @wraps(view)
        def answer(*given: Any, **named: Any) -> Any:
            if _wants_it_at_once() or not when() or not _is_large(table, rows):
                return view(*given, **named)
            return render_template(
                "staff/later.html", title=title, whole=here_with(), at_once=here_with(**{_AT_ONCE: "yes"})
            )

        return answer  # type: ignore[return-value]

    return put


def _wants_it_at_once() -> bool:
    """The frame itself asks, a file is wanted, or somebody without scripts has followed the link."""
    return "HX-Request" in request.headers or bool(request.args.get("file")) or _AT_ONCE in request.args


def _is_large(table: str, rows: int) -> bool:
    with transaction() as connection:
        return rows_about(connection, table) >= rows
