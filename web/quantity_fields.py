"""Fields for what networks are made of: addresses, rates, amounts of octets, spans of time, as people write them.

What can't be read is said beside the field with an example; how it is read stands in control_plane/quantities.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wtforms import Field
from wtforms.widgets import TextInput

from control_plane.quantities import QuantityError
from web.language import chosen_language, gettext


class QuantityField(Field):  # type: ignore[misc]  # WTForms carries no types
    """A text that `read` turns into a value and `show` back into a text. An empty field is None.

    `decimal`: it is a number with a unit, in which a decimal comma is taken where the reader writes one.
    """

    widget = TextInput()

    def __init__(
        self,
        label: Any = None,
        validators: Any = None,
        *,
        read: Callable[[str], Any],
        show: Callable[[Any], str] = str,
        example: str,
        decimal: bool = False,
        **given: Any,
    ) -> None:
        super().__init__(label, validators, **given)
        self._read, self._show, self._example, self._decimal = read, show, example, decimal

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else self._show(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """What was typed; WTForms calls it. Raises: ValueError with the words for the page."""
        typed = (valuelist[0] if valuelist else "").strip()
        self.data = None
        if not typed:
            return
        if self._decimal and chosen_language() != "en":
            typed = typed.replace(",", ".")
        try:
            self.data = self._read(typed)
        except QuantityError as error:
            raise ValueError(gettext("Write it such as %(example)s.", example=self._example)) from error
