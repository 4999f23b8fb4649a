"""Forms: what was typed as values, what is wrong beside its field, and nothing done twice.

A form is a WTForms class; its fields read money, numbers and days as the reader writes them. What the form can't know, a rule
below says: `refuse(form, field, words)` puts that beside the field. A page with errors is shown again with all that was typed,
as 422.

A form that writes carries a key (`once_key`), under which its effect and its answer are committed together: sent twice by a
double click or the back button it is done once, and the second time leads where the first one did. A form that changes what is there
carries a fingerprint of what was seen (`seen`): who comes second is told what the first one changed.

Next: lists.py
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, assert_never

from flask import g, redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import Conflict
from werkzeug.wrappers import Response
from wtforms import Field, Form
from wtforms.fields import DateField as _DateField
from wtforms.fields import HiddenField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from billing.errors import BillingError
from billing.money import Money, currency_places, read_money
from billing.store.idempotency import Answered, First, OtherBody, Running, keep_answer, once
from web.acting import caller, transaction
from web.database import Connection
from web.language import chosen_language, gettext, lazy, number_shown, number_typed, read_number

ONCE: Final = "once_key"
SEEN: Final = "seen"
# Days that are typed: who is somebody's customer was born after the first, and the last leaves room for what is worked out from it.
_YEARS: Final = range(1880, 9000)


class PageForm(Form):  # type: ignore[misc]  # WTForms carries no types
    """The form of a page: in the reader's language, with blanks around texts cut off."""

    class Meta:
        """WTForms' settings."""

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Any:
            """A field of this form; texts have their blanks cut off."""
            filters = unbound_field.kwargs.get("filters", [])
            if issubclass(unbound_field.field_class, StringField) and _stripped not in filters:
                unbound_field.kwargs = {**unbound_field.kwargs, "filters": [*filters, _stripped]}
            return unbound_field.bind(form=form, **options)

        @property
        def locales(self) -> tuple[str, ...]:
            """Of WTForms' own words."""
            return (chosen_language(),)

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """What was sent, with nothing where blanks alone were: what is needed is not there then."""
            del form
            if formdata is None:
                return None
            return MultiDict((name, value if value.strip() else "") for name, value in formdata.items(multi=True))

        cache_translations = False

    once_key = HiddenField()
    seen = HiddenField()


def read_form(kind: type[PageForm], *, shown: object = None, **defaults: Any) -> Any:
    """The form as it was sent, or for a first look with what `shown` and `defaults` say."""
    if request.method == "POST":
        return kind(request.form, obj=shown, **defaults)
    form = kind(None, obj=shown, **defaults)
    form.once_key.data = new_key()
    return form


def new_key() -> str:
    """For one sending of a form: of a button that is a form of its own, too."""
    return secrets.token_urlsafe(16)


def was_sent(form: PageForm) -> bool:
    """Whether it was sent and every field is right."""
    return request.method == "POST" and bool(form.validate())


def choices_of(words: Mapping[str, Any]) -> list[SelectChoice]:
    """The choices of a SelectField: what is sent for each, and how it reads."""
    return [SelectChoice(value, label) for value, label in words.items()]


def refuse(form: PageForm, field: str, words: str) -> None:
    """Say beside a field what is wrong with it; `""` says it above all fields."""
    if field and field in form:
        form[field].errors = [*form[field].errors, words]
    else:
        form.form_errors = [*form.form_errors, words]


def status_of(form: PageForm) -> int:
    """422 for a page that says what is wrong, else 200."""
    return 422 if form.errors else 200


def do_once(do: Callable[[Connection], str], *, key: str | None = None, body: object = None) -> Response:
    """Do it in one transaction and lead to the address that it returns; sent again, only lead there.

    `key`: the form's, if it is not in `once_key`. `body`: what was asked for, if it is more than the form's fields.
    Raises: Conflict when the same form is being worked on at this moment or its key was sent with other values; what `do` raises,
    and then nothing is written.
    """
    key = key or request.form.get(ONCE, "")
    if not key:
        raise Conflict(gettext("This form came without its key, so nothing was done. Load the page again."))
    typed = sorted(
        (name, tuple(request.form.getlist(name))) for name in request.form if name not in ("csrf_token", SEEN)
    )
    with transaction() as connection:
        match once(connection, caller=caller(), route=request.path, key=key, body=repr((typed, body)).encode()):
            case First() as first:
                target = do(connection)
                keep_answer(connection, first, status=303, answer=target.encode())
            case Answered(_, answer):
                target = answer.decode()
                g.done_before = True
            case OtherBody():
                raise Conflict(
                    gettext(
                        "This form was sent before with other values. Look at what came of it, then load the page again."
                    )
                )
            case Running():
                raise Conflict(gettext("The same form is being worked on at this moment. Look again in a moment."))
            case other:
                assert_never(other)
    return redirect(target, 303)


def fingerprint(values: Mapping[str, object] | object) -> str:
    """A mark of what was shown, the same for the same: put it into the form's `seen`."""
    return hashlib.blake2b(repr(values).encode(), digest_size=12).hexdigest()


def changed_meanwhile(form: PageForm, now_there: object) -> bool:
    """Whether what is there is not what the form's sender saw; the form says so, and carries what is there now."""
    current = fingerprint(now_there)
    if not form.seen.data or form.seen.data == current:
        return False
    form.seen.data = current
    form.seen.raw_data = [current]
    refuse(
        form,
        "",
        gettext(
            "Somebody else has changed this since you opened it. What stands there now is beside your values: look, then send again."
        ),
    )
    return True


def _stripped(text: str | None) -> str | None:
    return text.strip() if isinstance(text, str) else text


class DecimalField(Field):  # type: ignore[misc]  # WTForms carries no types
    """A number as the reader writes it: `1.234,50` in Italian, `1,234.50` in English. An empty field is None."""

    widget = TextInput()

    def __init__(
        self, label: Any = None, validators: Any = None, *, least: Decimal | None = None, **given: Any
    ) -> None:
        super().__init__(label, validators, **given)
        self.least = least

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else number_typed(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """What was typed; WTForms calls it. Raises: ValueError with the words for the page."""
        typed = (valuelist[0] if valuelist else "").strip()
        self.data = None
        if not typed:
            return
        self.data = read_number(typed)
        if self.least is not None and self.data < self.least:
            raise ValueError(gettext("At least %(least)s.", least=number_shown(self.least)))


class MoneyField(DecimalField):
    """An amount in one currency, with no more places than it has."""

    def __init__(self, label: Any = None, validators: Any = None, *, currency: str = "EUR", **given: Any) -> None:
        super().__init__(label, validators, **given)
        self.currency = currency

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return super()._value()
        return number_typed(self.data, places=currency_places(self.currency))

    def money(self) -> Money | None:
        """What was typed, settled."""
        return None if self.data is None else read_money(self.data, self.currency)

    def pre_validate(self, form: Any) -> None:
        """Whether the currency has such an amount; WTForms calls it."""
        del form
        if self.data is None:
            return
        try:
            self.money()
        except BillingError as error:
            raise StopValidation(gettext("%(currency)s has fewer decimals.", currency=self.currency)) from error


class DayField(_DateField):  # type: ignore[misc]  # WTForms carries no types
    """A day; browsers send it as ISO 8601 whatever they show."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """What was typed; WTForms calls it. Raises: ValueError with the words for the page."""
        typed = (valuelist[0] if valuelist else "").strip()
        self.data = None
        if not typed:
            return
        try:
            day = date.fromisoformat(typed)
            if day.year not in _YEARS:
                raise ValueError("no day of this business")
        except ValueError as error:
            raise ValueError(gettext("Write a day such as %(example)s.", example="2026-01-31")) from error
        self.data = day


REQUIRED: Final = lazy("This is needed.")
