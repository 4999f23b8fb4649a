"""An account added, duplicated or changed: username, password, static addresses, bindings, sessions at once, expiry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import IntegerField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from control_plane.access.permissions import Permission
from control_plane.accounts.not_done import NotDoneError
from control_plane.accounts.writing import Addresses, add_account, change_account
from control_plane.made_secrets import is_storable, made_password
from control_plane.quantities import mac_text
from control_plane.store.account import (
    Account,
    Prefix,
    contract_exists,
    hold_account,
    load_account,
    load_nas_ids,
    load_prefixes,
)
from control_plane.store.history import SessionView, load_sessions
from control_plane.store.nas import load_nas_vendors
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    choices_of,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy
from web.marks import allowed
from web.sealing import sealer
from web.secret_words import tell_once
from web.staff.account_deeds import refuse_deed
from web.staff.account_fields import CircuitsField, HostField, MacsField, MomentField, NetworkField, NetworksField
from web.staff.accounts import known

pages = Blueprint("account_edit", __name__)
# Each field of addresses is one kind of account_prefix.
_KINDS: Final = {
    "ipv4": "framed_ipv4",
    "ipv6": "framed_ipv6_address",
    "ipv6_prefix": "framed_ipv6_prefix",
    "delegated": "delegated_ipv6_prefix",
    "routes": "route",
}
_MOST_USERNAME: Final = 253
_MOST_SESSIONS: Final = 1000
_KEEP, _MAKE, _TYPE = "keep", "make", "type"
_MOST_NASES: Final = 50


class AccountForm(PageForm):
    """What an account is, but its password."""

    username = StringField(lazy("Username"), [InputRequired(REQUIRED), Length(max=_MOST_USERNAME)])
    max_sessions = IntegerField(
        lazy("Sessions at once"), [InputRequired(REQUIRED), NumberRange(0, _MOST_SESSIONS)], default=1
    )
    expires_at = MomentField(lazy("Expires"))
    macs = MacsField(lazy("Bound to MAC"))
    circuit_ids = CircuitsField(lazy("Bound to circuit"))
    nas_names = SelectMultipleField(lazy("Bound to NAS"))
    ipv4 = HostField(lazy("IPv4 address"), example="198.51.100.7")
    ipv6 = HostField(lazy("IPv6 address"), example="2001:db8::7")
    ipv6_prefix = NetworkField(lazy("IPv6 prefix of the link"), example="2001:db8:1::/64")
    delegated = NetworkField(lazy("Delegated IPv6 prefix"), example="2001:db8:100::/56")
    routes = NetworksField(lazy("Routes"))
    password = PasswordField(lazy("New password"), [Optional(), Length(max=_MOST_USERNAME)])


class NewForm(AccountForm):
    """The same for one that is not there yet."""

    contract = IntegerField(lazy("Contract"), [InputRequired(REQUIRED), NumberRange(1)])
    secret = SelectField(
        lazy("Password"), choices=choices_of({_MAKE: lazy("Make one"), _TYPE: lazy("As typed below")}), default=_MAKE
    )


class EditForm(AccountForm):
    """The same for one that is there."""

    secret = SelectField(
        lazy("Password"),
        choices=choices_of({_KEEP: lazy("As it is"), _MAKE: lazy("Make a new one"), _TYPE: lazy("As typed below")}),
        default=_KEEP,
    )


@pages.route("/accounts/new", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.ACCOUNT_CHANGE)
def new() -> Response | tuple[str, int]:
    """A new account of a contract; `?copy=USERNAME` begins with what that one has, `?contract=NUMBER` with that contract."""
    form = read_form(NewForm)
    with transaction() as connection:
        _offer_nases(connection, form)
        if request.method == "GET":
            _begin(connection, form)
    if was_sent(form) and _secret_is_right(form):
        made = made_password() if form.secret.data == _MAKE else form.password.data

        def do(connection: Connection) -> str:
            add_account(
                connection,
                sealer(),
                contract_id=form.contract.data,
                username=form.username.data,
                secret=made,
                columns=_columns(connection, form),
                addresses={kind: found for kind, found in _addresses(form).items() if found},
                actor=person().name,
            )
            if form.secret.data == _MAKE:
                _tell_password(form.username.data, made)
            return url_for("accounts.show", username=form.username.data)

        try:
            with transaction() as connection:
                _refuse_known(connection, form, besides=None)
                if not contract_exists(connection, form.contract.data):
                    refuse(form, "contract", gettext("There is no contract of this number."))
            if not form.errors:
                done = do_once(do)
                flash(gettext("The account is added."), "good")
                return done
        except NotDoneError as error:
            refuse_deed(form, error)
    return render_template("staff/accounts/edit.html", form=form, account=None), status_of(form)


@pages.route("/accounts/<path:username>/edit", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.ACCOUNT_CHANGE)
def edit(username: str) -> Response | tuple[str, int]:
    """Change an account: what may keep its router out is said first."""
    with transaction() as connection:
        account = known(connection, username)
        prefixes = load_prefixes(connection, account.id)
        sessions = load_sessions(connection, account.id)
        form = read_form(EditForm, shown=account if request.method == "GET" else None, **_shown(prefixes))
        _offer_nases(connection, form)
        if request.method == "GET":
            form.seen.data = fingerprint(_there(account, prefixes))
    if was_sent(form) and _secret_is_right(form):
        try:
            return _edited(form, username, sessions)
        except NotDoneError as error:
            refuse_deed(form, error)
        except _ChangedError as changed:
            account = changed.account
        except _RefusedError:
            pass
    return render_template("staff/accounts/edit.html", form=form, account=account), status_of(form)


class _ChangedError(Exception):
    """Somebody else was faster; `account` is what stands there now."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.id)
        self.account = account


class _RefusedError(Exception):
    """The form says why."""


def _edited(form: Any, username: str, sessions: Sequence[SessionView]) -> Response | tuple[str, int]:
    """Change it, or ask first. Raises: NotDoneError, _ChangedError, _RefusedError."""
    with transaction() as connection:
        _, columns, addresses = _meant(connection, form, username)
    if not columns and not addresses and form.secret.data == _KEEP:
        flash(gettext("Nothing was changed."), "calm")
        return redirect(url_for("accounts.show", username=username), 303)
    risks = _risks(form, columns, sessions)
    if risks and not is_confirmed():
        question = gettext("Change %(name)s?", name=username)
        back = url_for("account_edit.edit", username=username)
        form.password.data = None
        return confirm_page(form, question, risks, button=gettext("Change"), back=back, tone="warning"), 200
    return do_once(lambda connection: _change(connection, form, username))


def _meant(connection: Connection, form: Any, username: str) -> tuple[Account, dict[str, object], Addresses]:
    """The account, held, as it was shown, and what of it is to be changed. Raises: _ChangedError, _RefusedError."""
    hold_account(connection, username)
    account = known(connection, username)
    prefixes = load_prefixes(connection, account.id)
    if changed_meanwhile(form, _there(account, prefixes)):
        raise _ChangedError(account)
    _refuse_known(connection, form, besides=account)
    if form.errors:
        raise _RefusedError
    return account, _changed_columns(connection, form, account), _changed_addresses(form, prefixes)


def _change(connection: Connection, form: Any, username: str) -> str:
    account, columns, addresses = _meant(connection, form, username)
    secret = None
    if form.secret.data != _KEEP:
        secret = (made_password() if form.secret.data == _MAKE else form.password.data, "clear")
    change_account(
        connection, sealer(), account, columns=columns, addresses=addresses, secret=secret, actor=person().name
    )
    flash(gettext("Changed."), "good")
    name = str(columns.get("username", account.username))
    if form.secret.data == _MAKE and secret is not None:
        _tell_password(name, secret[0])
    return url_for("accounts.show", username=name)


def _tell_password(username: str, made: str) -> None:
    tell_once(gettext("Password of %(name)s", name=username), made)


def _begin(connection: Connection, form: Any) -> None:
    """What a new account begins with: what another one has that can be had twice, and its contract."""
    original = load_account(connection, request.args.get("copy", ""))
    if original is not None:
        form.contract.data = original.contract_id
        form.max_sessions.data = original.max_sessions
        form.expires_at.data = original.expires_at
        form.circuit_ids.data = original.circuit_ids
        form.nas_names.data = original.nas_names
    number = request.args.get("contract", "")
    if number.isdecimal():
        form.contract.data = int(number)


def _offer_nases(connection: Connection, form: Any) -> None:
    form.nas_names.choices = choices_of({name: name for name in load_nas_vendors(connection)})


def _secret_is_right(form: Any) -> bool:
    """A typed password is there, printable, and short enough for RADIUS."""
    typed = form.password.data or ""
    if form.secret.data == _TYPE and not typed:
        refuse(form, "password", str(REQUIRED))
        return False
    if typed and not is_storable(typed):
        refuse(form, "password", gettext("A password has at most 253 printable characters."))
        return False
    return True


def _refuse_known(connection: Connection, form: Any, *, besides: Account | None) -> None:
    """Nobody else has the username, and RADIUS can carry it."""
    name = form.username.data
    if len(name.encode()) > _MOST_USERNAME or not name.isprintable():
        refuse(form, "username", gettext("A username has at most 253 printable characters."))
        return
    found = load_account(connection, name)
    if found is not None and (besides is None or found.id != besides.id):
        refuse(form, "username", gettext("There is an account of this username already."))


def _columns(connection: Connection, form: Any) -> dict[str, object]:
    ids = load_nas_ids(connection, list(form.nas_names.data or ()))
    return {
        "max_sessions": form.max_sessions.data,
        "expires_at": form.expires_at.data,
        "macs": list(form.macs.data or ()),
        "circuit_ids": list(form.circuit_ids.data or ()),
        "nas_ids": sorted(ids.values()),
    }


def _there(account: Account, prefixes: Sequence[Prefix]) -> tuple[object, ...]:
    own = (
        account.username,
        account.max_sessions,
        account.expires_at,
        account.macs,
        account.circuit_ids,
        account.nas_names,
    )
    return *own, [(one.kind, str(one.prefix)) for one in prefixes]


def _changed_columns(connection: Connection, form: Any, account: Account) -> dict[str, object]:
    """What differs from what is there. A moment is typed to the minute: the seconds that are there are no change."""
    columns = _columns(connection, form)
    before = {
        "max_sessions": account.max_sessions,
        "expires_at": account.expires_at,
        "macs": account.macs,
        "circuit_ids": account.circuit_ids,
        "nas_ids": sorted(load_nas_ids(connection, account.nas_names).values()),
    }
    if account.expires_at is not None and form.expires_at.data == account.expires_at.replace(second=0, microsecond=0):
        before["expires_at"] = form.expires_at.data
    changed = {name: value for name, value in columns.items() if value != before[name]}
    return changed if form.username.data == account.username else {"username": form.username.data, **changed}


def _addresses(form: Any) -> dict[str, list[Any]]:
    """By kind what stands in the fields."""
    found: dict[str, list[Any]] = {}
    for name, kind in _KINDS.items():
        value = form[name].data
        found[kind] = list(value or ()) if name == "routes" else ([] if value is None else [value])
    return found


def _changed_addresses(form: Any, prefixes: Sequence[Prefix]) -> dict[str, list[Any]]:
    there: dict[str, list[Any]] = {
        kind: [one.prefix for one in prefixes if one.kind == kind] for kind in _KINDS.values()
    }
    return {kind: networks for kind, networks in _addresses(form).items() if set(networks) != set(there[kind])}


def _shown(prefixes: Sequence[Prefix]) -> dict[str, Any]:
    """The addresses that are there, as the form's fields take them."""
    shown: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        found = [one.prefix for one in prefixes if one.kind == kind]
        shown[name] = found if name == "routes" else next(iter(found), None)
    return shown


def _risks(form: Any, columns: dict[str, object], sessions: Sequence[SessionView]) -> list[str]:
    """What of a change may keep the subscriber's router out."""
    said = []
    if "username" in columns:
        said.append(
            gettext("Its router can't log in until it has the new username %(name)s.", name=columns["username"])
        )
    if form.secret.data != _KEEP:
        said.append(gettext("Its router can't log in until it has the new password."))
    expires = columns.get("expires_at")
    if isinstance(expires, datetime) and expires <= datetime.now(UTC):
        said.append(gettext("It has no service any more: the expiry has passed."))
    macs = columns.get("macs")
    strangers = [one.mac for one in sessions if isinstance(macs, list) and macs and one.mac and one.mac not in macs]
    if strangers:
        said.append(gettext("Its router %(mac)s, which is online, can't log in again.", mac=mac_text(strangers[0])))
    return said
