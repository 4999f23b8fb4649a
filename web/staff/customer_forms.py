"""What is typed about a customer, its places and its contacts."""

from __future__ import annotations

from typing import Any, Final

from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional, Regexp, StopValidation

from billing.country_codes import COUNTRY_CODES
from billing.plain_text import is_seen
from billing.tax_identifiers import TaxIdentifier, read_identifier
from billing.telephone import WrongTelephone, read_telephone
from web.forms import REQUIRED, DecimalField, PageForm, choices_of, refuse
from web.language import LANGUAGES, gettext, lazy, locale
from web.staff.customer_words import KINDS, PLACES, ROLES, scheme_choices, scheme_words

NAME_LETTERS: Final = 200
_LINE: Final = 120
_TEXT: Final = 4000


def seen(form: PageForm, field: Any) -> None:
    """A validator: something in it is seen by whoever reads it."""
    del form
    if field.data and not is_seen(field.data):
        raise StopValidation(gettext("There is nothing in it that is seen."))


def telephone(form: PageForm, field: Any) -> None:
    """A validator: a number with its country, kept as E.164."""
    del form
    if not field.data:
        return
    read = read_telephone(field.data)
    if isinstance(read, WrongTelephone):
        raise StopValidation(gettext("Write it with + and its country, such as %(example)s.", example="+39 06 1234567"))
    field.data = read


def number_of(form: Any) -> TaxIdentifier | None:
    """The checked tax number of a form with `scheme` and `number`; None for none, or for a wrong one, which it then says."""
    if not form.number.data:
        return None
    read = read_identifier(form.scheme.data, form.number.data)
    if isinstance(read, TaxIdentifier):
        return read
    refuse(
        form,
        "number",
        gettext(
            "This is no %(kind)s: a character is missing, or one of them is mistyped.",
            kind=scheme_words(form.scheme.data),
        ),
    )
    return None


def countries() -> dict[str, str]:
    """All there are, in the reader's language."""
    names = locale().territories
    return dict(sorted(((code, names.get(code, code)) for code in COUNTRY_CODES), key=lambda one: one[1]))


_EMAIL: Final = Regexp(r"^[^@\s]+@[^@\s]+$", message=lazy("An e-mail address has an @ and no blanks."))


class CustomerForm(PageForm):
    """Who it is."""

    name = StringField(lazy("Name"), [DataRequired(REQUIRED), Length(max=NAME_LETTERS), seen])
    kind = SelectField(lazy("Kind"), choices=choices_of(KINDS), default="person")
    given_name = StringField(lazy("Given name"), [Length(max=NAME_LETTERS), seen])
    family_name = StringField(lazy("Family name"), [Length(max=NAME_LETTERS), seen])
    language = SelectField(
        lazy("Language of its documents"), choices=choices_of({str(code): name for code, name in LANGUAGES.items()})
    )
    external_reference = StringField(lazy("Its number in another system"), [Length(max=NAME_LETTERS)])
    fiscal_position = SelectField(lazy("Fiscal position"), coerce=str, validate_choice=False, default="")

    def columns(self) -> dict[str, object]:
        """As the table has them."""
        return {
            "name": self.name.data,
            "kind": self.kind.data,
            "given_name": self.given_name.data or None,
            "family_name": self.family_name.data or None,
            "language": self.language.data,
            "external_reference": self.external_reference.data or None,
        }

    def validate(self, extra_validators: Any = None) -> bool:
        """A person has both names or neither; others have none."""
        fine = bool(super().validate(extra_validators))
        if bool(self.given_name.data) != bool(self.family_name.data):
            missing = "family_name" if self.given_name.data else "given_name"
            refuse(self, missing, gettext("Authorities want both names, or neither."))
            fine = False
        elif self.given_name.data and self.kind.data != "person":
            refuse(self, "kind", gettext("Only a person has a given and a family name."))
            fine = False
        return fine


class PlaceFields(PageForm):
    """Where something is."""

    street = StringField(lazy("Street"), [Length(max=_LINE), seen])
    house_number = StringField(lazy("House number"), [Length(max=_LINE)])
    postal_code = StringField(lazy("Postal code"), [Length(max=20)])
    city = StringField(lazy("City"), [Length(max=_LINE), seen])
    province = StringField(lazy("Province"), [Length(max=_LINE)])
    country = SelectField(lazy("Country"), validate_choice=False, default="IT")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.country.choices = choices_of(countries())

    def place(self) -> dict[str, object]:
        """The columns of an address; empty when nothing was typed but the country."""
        typed = {
            name: self[name].data or None for name in ("street", "house_number", "postal_code", "city", "province")
        }
        return {**typed, "country": self.country.data} if any(typed.values()) else {}

    def whole(self) -> bool:
        """Whether an address that was begun has what it needs; what is missing is said beside its field."""
        fine = True
        if self.country.data not in COUNTRY_CODES:
            refuse(self, "country", REQUIRED_TEXT())
            fine = False
        for name in ("street", "postal_code", "city"):
            if not self[name].data:
                refuse(self, name, REQUIRED_TEXT())
                fine = False
        return fine


def REQUIRED_TEXT() -> str:  # the text of the constant of that name
    """What is said beside a field that is needed."""
    return str(REQUIRED)


class NewCustomerForm(CustomerForm, PlaceFields):
    """A customer with its first tax number, seat and contact."""

    scheme = SelectField(lazy("Kind of tax number"), default="it.codicefiscale", validate_choice=False)
    number = StringField(lazy("Tax number"), [Length(max=60)])
    email = StringField(lazy("E-mail"), [Optional(), Length(max=254), _EMAIL])
    phone = StringField(lazy("Telephone"), [telephone])
    mobile = StringField(lazy("Mobile"), [telephone])

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.scheme.choices = choices_of(scheme_choices())

    def reach(self) -> dict[str, object]:
        """The columns of the main contact that were typed."""
        return {name: self[name].data for name in ("email", "phone", "mobile") if self[name].data}


class NumberForm(PageForm):
    """A tax number."""

    scheme = SelectField(lazy("Kind of tax number"), validate_choice=False)
    number = StringField(lazy("Tax number"), [DataRequired(REQUIRED), Length(max=60)])

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.scheme.choices = choices_of(scheme_choices())


class PlaceForm(PlaceFields):
    """An address of a kind."""

    kind = SelectField(lazy("What is there"), choices=choices_of(PLACES), default="service")
    latitude = DecimalField(lazy("Latitude"), [Optional()])
    longitude = DecimalField(lazy("Longitude"), [Optional()])
    directions = TextAreaField(lazy("How it is found"), [Length(max=_TEXT)])

    def columns(self) -> dict[str, object]:
        """As the table has them."""
        return {
            **self.place(),
            "latitude": self.latitude.data,
            "longitude": self.longitude.data,
            "directions": self.directions.data or None,
        }

    def whole(self) -> bool:
        """Also: both coordinates or neither, and on this globe."""
        fine = super().whole()
        if (self.latitude.data is None) != (self.longitude.data is None):
            refuse(self, "longitude", gettext("Latitude and longitude come together."))
            fine = False
        for name, most in (("latitude", 90), ("longitude", 180)):
            value = self[name].data
            if value is not None and abs(value) > most:
                refuse(self, name, gettext("At most %(most)s degrees.", most=most))
                fine = False
        return fine


class ContactForm(PageForm):
    """Who is written to about what."""

    role = SelectField(lazy("Written to about"), choices=choices_of(ROLES), default="main")
    contract = SelectField(lazy("Of contract"), coerce=str, validate_choice=False, default="")
    parent = SelectField(
        lazy("What is left empty tells"), choices=choices_of({"": "—", **ROLES}), default="", validate_choice=True
    )
    name = StringField(lazy("Name"), [Length(max=NAME_LETTERS), seen])
    email = StringField(lazy("E-mail"), [Optional(), Length(max=254), _EMAIL])
    phone = StringField(lazy("Telephone"), [telephone])
    mobile = StringField(lazy("Mobile"), [telephone])
    language = SelectField(
        lazy("Language"),
        choices=choices_of({"": "—", **{str(code): name for code, name in LANGUAGES.items()}}),
        default="",
    )

    def columns(self) -> dict[str, object]:
        """As the table has them, but for the parent."""
        return {name: self[name].data or None for name in ("name", "email", "phone", "mobile", "language")}


class NoteForm(PageForm):
    """A note."""

    text = TextAreaField(lazy("Note"), [DataRequired(REQUIRED), Length(max=_TEXT), seen])
    contract = SelectField(lazy("About contract"), coerce=str, validate_choice=False, default="")


class ConsentForm(PageForm):
    """What a customer allowed or forbade."""

    purpose = SelectField(lazy("For"), choices=choices_of({"marketing": lazy("Offers")}), default="marketing")
    channel = SelectField(
        lazy("By"),
        choices=choices_of({"email": lazy("E-mail"), "sms": "SMS", "phone": lazy("Telephone"), "post": lazy("Letter")}),
    )
    given = SelectField(lazy("Said"), choices=choices_of({"yes": lazy("Allowed"), "no": lazy("Forbidden")}))
    wording = TextAreaField(lazy("The text that was agreed to"), [DataRequired(REQUIRED), Length(max=_TEXT), seen])
    evidence = StringField(lazy("Where the proof is"), [Length(max=NAME_LETTERS)])


class FileForm(PageForm):
    """A file; its content comes beside the form."""

    contract = SelectField(lazy("Of contract"), coerce=str, validate_choice=False, default="")


class SureForm(PageForm):
    """Nothing but a confirmation."""

    confirmed = BooleanField()
