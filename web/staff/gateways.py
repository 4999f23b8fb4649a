"""Payment gateways: the accounts with providers, added and changed with keys that are never shown again, tried, and what is due to be debited."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, flash, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from billing.gateways.due import Why
from billing.money import Money, total
from billing.store.gateways import GatewayAccount, hold_gateway_account, load_gateway_accounts
from billing.store.issuers import Issuer, load_issuers
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from control_plane.gateways.provider import GatewayError, provider_for, provider_names
from control_plane.settings import SettingsError
from radius_hooks.sealing import SealError
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy
from web.lists import chosen
from web.marks import allowed
from web.money_words import error_words
from web.navigation import Entry
from web.sealing import no_key
from web.surroundings import here

pages = Blueprint("gateways", __name__)
ENTRIES: Final = (
    Entry("money", lazy("Gateways"), "gateways.show_list", Permission.GATEWAY_SEE, order=80),
    Entry("money", lazy("Due to be debited"), "gateways.due", Permission.GATEWAY_SEE, order=81),
)
Answer = Response | tuple[str, int] | str
_DAYS: Final = ("0", "1", "3", "7", "14")
WHYS: Final = MappingProxyType(
    {
        Why.DISPUTED: lazy("disputed"),
        Why.IN_PLAN: lazy("paid by a plan of instalments"),
        Why.UNDER_WAY: lazy("a page or a debit of it is under way"),
        Why.HAS_CREDIT: lazy("the customer's credit is laid on it first"),
        Why.OTHER_CURRENCY: lazy("not in the currency of the account"),
    }
)
_ADDRESS = Regexp(r"^https?://\S+$", message=lazy("An address begins with https://."))


class NewGatewayForm(PageForm):
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
    provider = SelectField(lazy("Provider"), choices=[])
    issuer = SelectField(lazy("Issuer"), choices=[])
    live = BooleanField(lazy("Real money"))
    secret = PasswordField(lazy("Secret key"), [InputRequired(REQUIRED), Length(max=500)])
    signing = PasswordField(lazy("Secret of notices"), [InputRequired(REQUIRED), Length(max=500)])
    return_url = StringField(lazy("Customers go on to"), [Optional(), Length(max=500), _ADDRESS])
    unchecked = BooleanField(lazy("Do not try the key"))


class GatewayForm(PageForm):
    """What of an account can be changed. Keys that are left empty stay."""

    enabled = BooleanField(lazy("In use"))
    return_url = StringField(lazy("Customers go on to"), [Optional(), Length(max=500), _ADDRESS])
    pages_since = DayField(lazy("Pages to pay on, for invoices from"))
    debits_since = DayField(lazy("Direct debits, for invoices from"))
    debit_days = IntegerField(lazy("Days ahead"), [InputRequired(REQUIRED), NumberRange(0, 30)])
    secret = PasswordField(lazy("Another secret key"), [Optional(), Length(max=500)])
    signing = PasswordField(lazy("Another secret of notices"), [Optional(), Length(max=500)])


@pages.get("/gateways")
@allowed(Permission.GATEWAY_SEE)
def show_list() -> str:
    """The accounts with providers, what each collects by itself and where it sends its notices."""
    with transaction() as connection:
        found = load_gateway_accounts(connection)
    return render_template("staff/gateways/list.html", accounts=[(one, provider_for(one.provider)) for one in found])


@pages.get("/gateways/due")
@allowed(Permission.GATEWAY_SEE)
def due() -> str:
    """What is debited by itself in the days to come, and what is left out and why. Nothing is written."""
    days = int(chosen("days", _DAYS) or "1")
    with transaction() as connection:
        found = office.load_due(connection, days=days, now=clock(connection))
    return render_template(
        "staff/gateways/due.html", found=found, sums=_sums(found), days=days, choices=_DAYS, whys=WHYS
    )


@pages.route("/gateways/new", methods=["GET", "POST"])
@allowed(Permission.GATEWAY_CHANGE)
def new() -> Answer:
    """Another account; its key is tried first, without changing anything at the provider."""
    with transaction() as connection:
        issuers = load_issuers(connection)
    form = read_form(NewGatewayForm)
    form.provider.choices = [(one, provider_for(one).title) for one in provider_names()]
    form.issuer.choices = [(str(one.id), one.name) for one in issuers]
    if was_sent(form):
        issuer = next(one for one in issuers if str(one.id) == form.issuer.data)
        try:
            if not form.unchecked.data:
                office.try_key(here().settings, _meant(form), issuer.zone, secret=form.secret.data)
            return do_once(lambda connection: _added(connection, form, issuer))
        except office.NameTakenError:
            refuse(form, "name", gettext("There is one of this name already."))
        except office.KeyRefusedError as error:
            refuse(form, "secret", error_words(error))
        except GatewayError as error:
            refuse(form, "secret", gettext("The provider does not take it: %(why)s", why=str(error)))
        except (SettingsError, SealError) as error:
            raise no_key() from error
    return render_template("staff/gateways/new.html", form=form), status_of(form)


@pages.route("/gateways/<name>/edit", methods=["GET", "POST"])
@allowed(Permission.GATEWAY_CHANGE)
def edit(name: str) -> Answer:
    """Other keys, whether it is used, and what it collects by itself."""
    with transaction() as connection:
        account = _known(connection, name)
    form = read_form(GatewayForm, shown=account)
    form.seen.data = form.seen.data or fingerprint(_seen(account))
    if was_sent(form):
        try:
            return do_once(lambda connection: _changed(connection, name, form))
        except office.PagesElsewhereError as error:
            refuse(
                form,
                "pages_since",
                gettext("%(name)s makes the pages of this issuer: end that first.", name=error.name),
            )
        except office.NotOfferedError as error:
            field = "pages_since" if error.kind == "link" else "debits_since"
            refuse(form, field, gettext("This provider does not do that."))
        except _ChangedError as changed:
            account = changed.account
        except (SettingsError, SealError) as error:
            raise no_key() from error
    provider = provider_for(account.provider)
    return render_template("staff/gateways/edit.html", form=form, account=account, provider=provider), status_of(form)


@pages.post("/gateways/<name>/check")
@allowed(Permission.GATEWAY_CHANGE)
def check(name: str) -> str:
    """What the provider says to the account's key, asked now; a part of the page."""
    try:
        with transaction() as connection:
            said = office.check(connection, here().settings, _known(connection, name))
        return render_template("staff/gateways/checked.html", said=said, works=True)
    except office.KeyRefusedError as error:
        return render_template("staff/gateways/checked.html", said=error_words(error), works=False)
    except GatewayError as error:
        return render_template("staff/gateways/checked.html", said=str(error), works=False)


class _ChangedError(Exception):
    """Somebody else was quicker."""

    def __init__(self, account: GatewayAccount) -> None:
        super().__init__()
        self.account = account


def _meant(form: Any) -> office.NewAccount:
    return office.NewAccount(
        form.name.data,
        form.provider.data,
        live=form.live.data,
        method=form.name.data.replace("-", "_"),
        return_url=form.return_url.data or None,
    )


def _added(connection: Connection, form: Any, issuer: Issuer) -> str:
    office.add(
        connection, here().settings, _meant(form), issuer,
        secret=form.secret.data, signing=form.signing.data, by=person().name,
    )  # fmt: skip
    flash(gettext("Let the provider send its notices to the address that stands beside it."))
    return url_for("gateways.show_list")


def _changed(connection: Connection, name: str, form: Any) -> str:
    hold_gateway_account(connection, name)
    account = _known(connection, name)
    if changed_meanwhile(form, _seen(account)):
        raise _ChangedError(account)
    typed = {
        "enabled": form.enabled.data,
        "return_url": form.return_url.data or None,
        "pages_since": form.pages_since.data,
        "debits_since": form.debits_since.data,
        "debit_days": form.debit_days.data,
    }
    columns = {column: value for column, value in typed.items() if value != getattr(account, column)}
    secret, signing = form.secret.data or None, form.signing.data or None
    office.change(connection, here().settings, account, columns, secret=secret, signing=signing, by=person().name)
    return url_for("gateways.show_list")


def _seen(account: GatewayAccount) -> tuple[object, ...]:
    return (account.enabled, account.return_url, account.pages_since, account.debits_since, account.debit_days)


def _sums(found: office.DueRound) -> list[tuple[str, int, list[Money]]]:
    """By account how many debits and how much, by currency."""
    by_account: dict[str, list[Money]] = {}
    for one in found.asked:
        by_account.setdefault(one.candidate.account, []).append(one.amount)
    return [
        (name, len(amounts), [total((one for one in amounts if one.currency == code), code) for code in sorted({one.currency for one in amounts})])
        for name, amounts in sorted(by_account.items())
    ]  # fmt: skip


def _known(connection: Connection, name: str) -> GatewayAccount:
    found = next((one for one in load_gateway_accounts(connection) if one.name == name), None)
    if found is None:
        raise NotFound
    return found
