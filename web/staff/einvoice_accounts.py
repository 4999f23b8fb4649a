"""Accounts at tax authorities: made with what their provider has to know, and given another key; a key goes in and never comes out."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Regexp

from billing.store.einvoices import EinvoiceAccount, load_accounts
from billing.store.issuers import Issuer, load_issuers
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from control_plane.einvoice.provider import Description, provider_for, provider_names
from radius_hooks.sealing import Sealer
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, ngettext
from web.lists import chosen
from web.marks import allowed
from web.money_words import words_of
from web.surroundings import here

pages = Blueprint("einvoice_accounts", __name__)
Answer = Response | tuple[str, int] | str
_MOST_LETTERS: Final = 20_000
SETTING: Final = "setting_"


class SecretForm(PageForm):
    """A private key or password."""

    secret = TextAreaField(
        lazy("Private key or password"), [InputRequired(REQUIRED), Length(max=_MOST_LETTERS)], render_kw={"rows": 6}
    )

    def octets(self) -> bytes:
        """As it is kept, with lines as files have them."""
        return str(self.secret.data).replace("\r\n", "\n").encode()

    def forget(self) -> None:
        """It does not come back in the page."""
        self.secret.data = ""


class NewAccountForm(SecretForm):
    """An account that is to be."""

    name = StringField(
        lazy("Name"),
        [
            InputRequired(REQUIRED),
            Regexp(
                r"^[a-z0-9][a-z0-9_-]{0,39}$", message=lazy("Up to 40 small letters, digits, dashes and underscores.")
            ),
        ],
    )
    issuer = SelectField(lazy("Issuer"), choices=[])
    production = BooleanField(lazy("Where it counts"))
    series = StringField(
        lazy("Series"),
        [InputRequired(REQUIRED), Regexp(r"^[A-Za-z0-9]{1,10}$", message=lazy("Letters and digits, 10 at most."))],
        default="A",
    )
    from_on = DayField(lazy("Documents from"), [InputRequired(REQUIRED)])


@pages.route("/einvoices/accounts/new", methods=["GET", "POST"])
@allowed(Permission.EINVOICE_ACT, Permission.SETTING_CHANGE)
def new() -> Answer:
    """An account through a provider (`?provider=`): what its issuer issues from a day on goes to the authority."""
    provider = chosen("provider", provider_names()) or provider_names()[0]
    description = provider_for(provider).describe()
    with transaction() as connection:
        issuers, now = load_issuers(connection), clock(connection)
    form = read_form(_form_of(description))
    form.issuer.choices = [(str(one.id), one.name) for one in issuers]
    if request.method == "GET" and issuers:
        form.from_on.data = now.astimezone(ZoneInfo(issuers[0].zone)).date()
    if was_sent(form):
        issuer = next(one for one in issuers if str(one.id) == form.issuer.data)
        try:
            return do_once(lambda connection: _made(connection, form, provider, issuer), body=provider)
        except office.AccountNameTakenError:
            refuse(form, "name", gettext("There is one of this name already."))
        except office.WrongAccountSettingError as error:
            refuse(form, SETTING + error.key, str(REQUIRED) if error.why is None else words_of(error.why))
        except office.WrongAccountSecretError as error:
            refuse(form, "secret", gettext("The provider does not take it: %(why)s", why=str(error)))
        except office.OtherIsOnError:
            refuse(form, "", gettext("Another account of this issuer is on: switch that off first."))
    form.forget()
    return (
        render_template(
            "staff/einvoices/account_new.html",
            form=form,
            description=description,
            provider=provider,
            providers=[(one, provider_for(one).describe().name) for one in provider_names()],
            settings=[(form[SETTING + key], what) for key, what in description.settings.items()],
        ),
        status_of(form),
    )


@pages.route("/einvoices/accounts/<name>/secret", methods=["GET", "POST"])
@allowed(Permission.EINVOICE_ACT, Permission.SETTING_CHANGE)
def secret(name: str) -> Answer:
    """Another key or password from now on; where the authority took nothing, it goes on with it."""
    with transaction() as connection:
        account = _account(connection, name)
    form = read_form(SecretForm)
    if was_sent(form):
        try:
            return do_once(lambda connection: _renewed(connection, form, name))
        except office.WrongAccountSecretError as error:
            refuse(form, "secret", gettext("The provider does not take it: %(why)s", why=str(error)))
    form.forget()
    needs = provider_for(account.provider).describe().signs_with
    return render_template("staff/einvoices/account_secret.html", form=form, account=account, needs=needs), status_of(
        form
    )


def _form_of(description: Description) -> type[PageForm]:
    """The form, with a field of each setting that the provider has to know."""
    fields: dict[str, Any] = {
        SETTING + key: StringField(key, [InputRequired(REQUIRED), Length(max=500)]) for key in description.settings
    }
    return type("AccountForm", (NewAccountForm,), fields)


def _made(connection: Connection, form: Any, provider: str, issuer: Issuer) -> str:
    given = {name.removeprefix(SETTING): form[name].data for name in form._fields if name.startswith(SETTING)}
    made = office.NewEinvoiceAccount(
        form.name.data, provider, form.production.data, given, form.octets(), form.series.data, form.from_on.data
    )
    office.open_account(connection, here().settings, _sealer(), made, issuer, by=person().name)
    flash(gettext("What is issued from that day on goes to the authority. Ask now whether it answers."))
    return url_for("einvoices.show_list")


def _renewed(connection: Connection, form: Any, name: str) -> str:
    account = _account(connection, name)
    count = office.renew_secret(connection, _sealer(), account, form.octets(), by=person().name)
    told = ngettext("%(num)s document is sent again.", "%(num)s documents are sent again.", count) if count else ""
    flash(told or gettext("It is used from now on."))
    return url_for("einvoices.show_list")


def _account(connection: Connection, name: str) -> EinvoiceAccount:
    found = next((one for one in load_accounts(connection) if one.name == name), None)
    if found is None:
        raise NotFound
    return found


def _sealer() -> Sealer:
    sealer = here().sealer
    if sealer is None:
        raise ServiceUnavailable(gettext("This process was given no key: see corrente check."))
    return sealer
