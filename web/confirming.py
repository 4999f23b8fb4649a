"""Before what can't be taken back: it is done, read and rolled back, and shown; what was typed goes along to the second sending.

Next: lists.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from flask import render_template, request

from web.acting import transaction
from web.database import Connection
from web.forms import ONCE, SEEN, PageForm

_CONFIRMED: Final = "confirmed"
_NOT_TYPED: Final = frozenset({"csrf_token", ONCE, SEEN, _CONFIRMED})


def is_confirmed() -> bool:
    """Whether the numbers were shown, and this is the second sending."""
    return request.form.get(_CONFIRMED) == "yes"


@contextmanager
def rehearsal() -> Iterator[Connection]:
    """A transaction of which nothing stays: what a deed would do is read at its end."""
    with transaction() as connection:
        try:
            yield connection
        finally:
            connection.rollback()


def confirm_page(
    form: PageForm,
    question: str,
    does: Sequence[str],
    *,
    button: str,
    back: str,
    tone: str = "danger",
    shown: frozenset[str] = frozenset({"reason"}),
) -> str:
    """The page that says what it will do; `shown` are fields that it shows again itself."""
    fields = {name: request.form.getlist(name) for name in request.form if name not in _NOT_TYPED | shown}
    return render_template(
        "confirm.html", form=form, question=question, does=does, button=button, back=back, tone=tone, fields=fields
    )
