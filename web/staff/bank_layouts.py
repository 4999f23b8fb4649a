"""How a bank writes its CSV: which column is what, tried on lines that are pasted before it is kept."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import Field, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange
from wtforms.widgets import TextArea

from billing.banking.bank_line import BankFileError
from billing.banking.csv_file import CsvStatement, read_csv
from billing.banking.layout import DAY_FORMS, ENCODINGS, SEPARATORS, Layout, WrongLayoutError, checked, guess_layout
from billing.store.bank_files import BankAccount
from control_plane import bank_accounts as office
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, fingerprint, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import allowed
from web.money_words import error_words
from web.staff.bank_accounts import OvertakenError, account_of, held_account

pages = Blueprint("bank_layouts", __name__)
_LONGEST_SAMPLE: Final = 40_000
_LONGEST: Final = 200
_SHOWN: Final = 20
_SEVERAL: Final = ("text", "out_words", "return_words")
_COLUMN: Final = [Length(max=_LONGEST)]
_SEPARATORS: Final = (
    (";", lazy("semicolon ;")), (",", lazy("comma ,")), ("\t", lazy("tab")), ("|", lazy("vertical bar")),
)  # fmt: skip
assert {sent for sent, _ in _SEPARATORS} == set(SEPARATORS), "each has a word"


class PastedField(Field):  # type: ignore[misc]  # WTForms carries no types
    """Lines as they were pasted: blanks before the first one count, as rows of a file do."""

    widget = TextArea()

    def _value(self) -> str:
        return self.data or ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """What was pasted; WTForms calls it."""
        self.data = valuelist[0] if valuelist else ""


class LayoutForm(PageForm):
    """A layout, each column by its name in the header, and the lines that it is tried on."""

    sample = PastedField(lazy("First lines of a file"), [Length(max=_LONGEST_SAMPLE)])
    booked_on = StringField(lazy("Booking day"), _COLUMN)
    value_on = StringField(lazy("Value day"), _COLUMN)
    amount = StringField(lazy("Amount with its sign"), _COLUMN)
    credit = StringField(lazy("Money in"), _COLUMN)
    debit = StringField(lazy("Money out"), _COLUMN)
    sign = StringField(lazy("Which way the amount goes"), _COLUMN)
    out_words = TextAreaField(lazy("Words for money out"), [Length(max=1000)])
    signs = SelectField(
        lazy("Money in is written"),
        choices=[
            SelectChoice("as_written", lazy("with a plus or nothing")),
            SelectChoice("reversed", lazy("with a minus")),
        ],
    )
    text = TextAreaField(lazy("Columns of words"), [Length(max=1000)])
    party = StringField(lazy("Who paid"), _COLUMN)
    party_iban = StringField(lazy("IBAN of who paid"), _COLUMN)
    reference = StringField(lazy("The bank's own reference"), _COLUMN)
    end_to_end = StringField(lazy("End-to-end reference"), _COLUMN)
    currency = StringField(lazy("Currency"), _COLUMN)
    code = StringField(lazy("Code of a return"), _COLUMN)
    return_words = TextAreaField(lazy("Words for money that came back"), [Length(max=1000)])
    separator = SelectField(lazy("Between columns"), choices=[SelectChoice(sent, words) for sent, words in _SEPARATORS])
    decimal = SelectField(
        lazy("Before decimals"), choices=[SelectChoice(",", lazy("a comma")), SelectChoice(".", lazy("a point"))]
    )
    day_form = StringField(lazy("How days are written"), [InputRequired(REQUIRED), Length(max=20)])
    encoding = SelectField(lazy("Encoding"), choices=[SelectChoice(one, one) for one in ENCODINGS])
    header_rows = IntegerField(
        lazy("Rows before the first line"),
        [InputRequired(REQUIRED), NumberRange(0, 50, lazy("A number from 0 to 50."))],
    )


@pages.route("/bank/accounts/<int:number>/layout", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_SEE, Permission.SETTING_CHANGE)
def edit(number: int) -> Response | tuple[str, int]:
    """How the account's bank writes CSV: looked at with the lines that were pasted, then kept."""
    with transaction() as connection:
        account = account_of(connection, number)
    shown = account.layout or Layout("", ())
    form: LayoutForm = read_form(LayoutForm, **_typed(shown))
    form.seen.data = form.seen.data or fingerprint(account)
    read: CsvStatement | None = None
    if was_sent(form):
        try:
            layout, read = _read(form, account)
            if request.form.get("deed") == "keep":
                return do_once(lambda own: _kept(own, form, number, layout))
            for name, value in _typed(layout).items():
                form[name].data, form[name].raw_data = value, None
        except WrongLayoutError as error:
            refuse(form, error.field, _layout_words(error))
        except BankFileError as error:
            refuse(form, "sample", error_words(error))
        except UnicodeEncodeError:
            refuse(form, "encoding", gettext("The lines have characters that this encoding lacks."))
        except OvertakenError as overtaken:
            account = overtaken.account
    page = render_template(
        "staff/bank_accounts/layout.html", form=form, account=account, read=read, most=_SHOWN, day_forms=DAY_FORMS
    )
    return page, status_of(form)


def _read(form: LayoutForm, account: BankAccount) -> tuple[Layout, CsvStatement | None]:
    """The layout as it was typed, or guessed where no column was; and how the lines read by it, if there are any.

    Raises: BankFileError, UnicodeEncodeError.
    """
    typed = {
        one.name: _parts(form[one.name].data) if one.name in _SEVERAL else form[one.name].data or ""
        for one in fields(Layout)
    }
    sample = form.sample.data or ""
    layout = Layout(**{**typed, "header_rows": form.header_rows.data})
    if sample.strip() and not layout.columns():
        guess = guess_layout(sample.encode(), {})
        layout = replace(guess, encoding=layout.encoding, signs=layout.signs, return_words=layout.return_words)
    if not sample.strip():
        return checked(layout), None
    return layout, read_csv(sample.encode(layout.encoding), layout, currency=account.currency)


def _typed(layout: Layout) -> dict[str, Any]:
    """A layout as its form has it: of several, one a line."""
    return {
        one.name: "\n".join(getattr(layout, one.name)) if one.name in _SEVERAL else getattr(layout, one.name)
        for one in fields(Layout)
    }


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").splitlines() if one.strip())


def _layout_words(error: WrongLayoutError) -> str:
    """Beside the field that is meant: the name that a command has for it is not said."""
    match error.field:
        case "booked_on":
            return gettext(
                "Name the column of the booking day. From lines that are pasted it is guessed where its name is a usual one."
            )
        case "amount":
            return gettext("Name either one column of amounts, or money in and money out.")
        case "credit" | "debit":
            return gettext("Money in and money out come together.")
        case "sign":
            return gettext("It says which way the amount goes: that needs its column.")
        case "day_form":
            return gettext("A day is written with DD, MM and YYYY, such as DD/MM/YYYY.")
        case _:
            return gettext("Without a header columns are counted: #1, #2.")


def _kept(connection: Connection, form: LayoutForm, number: int, layout: Layout) -> str:
    account = held_account(connection, number, form)
    office.keep_layout(connection, account.id, layout, actor=person().name)
    flash(gettext("CSV files of %(name)s are read so from now on.", name=account.name))
    return url_for("bank_accounts.show_all")
