"""A sentence that somebody is told, kept as its English form and what fills its places: whoever shows it in another language has both.

The form is what translations are found by, so it is written out where it is said and never put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, init=False)
class Sentence:
    """A sentence, or a part of one: `form` has `%(name)s` for what `about` has of that name; a part may be told so, too."""

    form: str
    about: Mapping[str, object]

    def __init__(self, form: str, /, **about: object) -> None:
        object.__setattr__(self, "form", form)
        object.__setattr__(self, "about", about)

    @property
    def message(self) -> str:
        """In English, as commands print it."""
        return self.form % self.about if self.about else self.form

    def __str__(self) -> str:
        return self.message

    @classmethod
    def of(cls, other: Sentence) -> Self:
        """The same as another kind."""
        return cls(other.form, **other.about)
