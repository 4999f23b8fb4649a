"""The forms of access devices: a new one, what is set of one, its secrets."""

from __future__ import annotations

import re
from typing import Any, Final

from wtforms import BooleanField, HiddenField, IntegerField, PasswordField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from control_plane.made_secrets import is_storable
from control_plane.nases import PLAIN_COLUMNS, gone_with_user, lacking_in_access, settings_of
from control_plane.quantities import (
    QuantityError,
    network_text,
    read_device_address,
    read_device_source,
)
from control_plane.store.nas import Nas
from web.forms import REQUIRED, PageForm, choices_of, refuse
from web.language import gettext, lazy
from web.quantity_fields import QuantityField
from web.staff.nas_words import API_LOGINS, VERIFICATIONS, vendor_choices

_NAME: Final = r"^[A-Za-z0-9._][A-Za-z0-9._-]{0,63}$"
_USER: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
_NAME_WORDS: Final = lazy("Letters, digits and . _ - alone, no - first, 64 at most.")
_USER_WORDS: Final = lazy("Letters, digits and . _ - alone, a letter or digit first, 32 at most.")
_MOST_PORT: Final = 65535
_FROM: Final = {"made": lazy("Make a strong one"), "typed": lazy("The device has one already")}
_WHICH: Final = {
    "radius": lazy("The RADIUS secret: logins and accounting"),
    "coa": lazy("The secret of changes alone"),
    "coa_none": lazy("Changes are signed with the RADIUS secret again"),
}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def read_fingerprint(text: str) -> bytes:
    """A SHA-256 fingerprint, with or without colons. Raises: QuantityError."""
    digits = text.lower().replace(":", "")
    if _SHA256.fullmatch(digits) is None:
        raise QuantityError(f"{text}: a SHA-256 fingerprint has 64 hex digits")
    return bytes.fromhex(digits)


def read_realms(text: str) -> list[str]:
    """Realms by commas or blanks, each without its @."""
    return [one.lstrip("@") for one in re.split(r"[\s,;]+", text) if one]


def _address(label: Any) -> QuantityField:
    return QuantityField(
        label, read=lambda typed: read_device_address(typed).network_address, example="192.0.2.7", show=str
    )


def _fits(secret: str | None) -> bool:
    return not secret or is_storable(secret)


class NasBasics(PageForm):
    """What a NAS is."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Regexp(_NAME, message=_NAME_WORDS)])
    source = QuantityField(
        lazy("Address it sends from"),
        [InputRequired(REQUIRED)],
        read=read_device_source,
        show=network_text,
        example="192.0.2.7, 192.0.2.0/24",
    )
    vendor = SelectField(lazy("Vendor"), [InputRequired(REQUIRED)])
    site = StringField(lazy("Site"), [Length(max=100)])
    require_message_authenticator = BooleanField(lazy("Drop requests that are not signed (Message-Authenticator)"))
    nested = BooleanField(lazy("Its source lies around or inside another's on purpose"))

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.vendor.choices = choices_of(dict(vendor_choices()))


class NewNasForm(NasBasics):
    """A new NAS, and a user of ours on it."""

    secret_from = RadioField(
        lazy("RADIUS secret"),
        choices=choices_of(_FROM),
        default="made",
    )
    secret = PasswordField(lazy("The secret it has"))
    access_user = StringField(lazy("User for us on the device"), [Optional(), Regexp(_USER, message=_USER_WORDS)])

    def extra_validate(self) -> bool:
        """What no field can know alone."""
        if self.secret_from.data == "typed" and not self.secret.data:
            refuse(self, "secret", str(REQUIRED))
        check_secret(self, "secret")
        if self.access_user.data and self.source.data and self.source.data.num_addresses > 1:
            refuse(
                self, "access_user", gettext("A group of devices has no user of its own here: add each by its address.")
            )
        return not self.errors


class NasForm(NasBasics):
    """What is set of a NAS."""

    identifier = StringField(lazy("What it calls itself (NAS-Identifier)"), [Length(max=253)])
    realms = StringField(lazy("Only usernames of these realms"))
    verification = SelectField(lazy("What proves a change"), choices=choices_of(VERIFICATIONS))
    swap_octets = BooleanField(lazy("It reports up and down exchanged"))
    sure = BooleanField(lazy("I know that until the device is changed alike its requests are refused"))

    coa_address = _address(lazy("Where changes go, if not to its source"))
    coa_port = IntegerField(lazy("Port"), [InputRequired(REQUIRED), NumberRange(1, _MOST_PORT)])
    coa_source = _address(lazy("Our address that changes leave from"))
    coa_message_authenticator = BooleanField(lazy("Sign changes (Message-Authenticator)"))
    coa_event_timestamp = BooleanField(lazy("Date changes against replay (Event-Timestamp)"))
    coa_window = IntegerField(lazy("Changes that may wait for an answer at once"), [NumberRange(1, 256)])
    coa_rate_per_s = IntegerField(lazy("New changes in a second"), [NumberRange(1, 10_000)])

    api_username = StringField(lazy("User of its RouterOS API"), [Length(max=253)])
    api_password = PasswordField(lazy("Password of that user"))
    api_address = _address(lazy("Where the API is, if not where changes go"))
    api_port = IntegerField(lazy("Port of the API"), [Optional(), NumberRange(1, _MOST_PORT)])
    api_tls = BooleanField(lazy("TLS to the API"))
    api_certificate = QuantityField(
        lazy("The one certificate to trust (SHA-256)"), read=read_fingerprint, show=bytes.hex, example="64 hex"
    )
    api_login = SelectField(lazy("How the password is shown"), choices=choices_of(API_LOGINS))

    ssh_username = StringField(lazy("User of its command line"), [Length(max=253)])
    ssh_password = PasswordField(lazy("Password of that user"))
    ssh_address = _address(lazy("Where its command line is, if not where changes go"))
    ssh_port = IntegerField(lazy("Port of SSH"), [InputRequired(REQUIRED), NumberRange(1, _MOST_PORT)])

    def extra_validate(self, nas: Nas) -> bool:
        """What no field can know alone."""
        for by, has_user in (("api", nas.api_username), ("ssh", nas.ssh_username)):
            user, password = self[f"{by}_username"].data, self[f"{by}_password"].data
            check_secret(self, f"{by}_password")
            lacks = lacking_in_access(user, password, had=has_user)
            if lacks == "password":
                refuse(self, f"{by}_password", str(REQUIRED))
            elif lacks == "user":
                refuse(self, f"{by}_username", gettext("A password needs its user."))
        if self.source.data != nas.source and not self.sure.data:
            refuse(
                self,
                "sure",
                gettext("Its source changes: say that you know what comes of it for its %(count)s live sessions.", count=nas.live_sessions),
            )  # fmt: skip
        return not self.errors


class SecretForm(PageForm):
    """Another secret for a NAS."""

    which = RadioField(
        lazy("Which"),
        choices=choices_of(_WHICH),
        default="radius",
    )
    secret_from = RadioField(
        lazy("The new one"),
        choices=choices_of(_FROM),
        default="made",
    )
    secret = PasswordField(lazy("The secret it has"))

    def extra_validate(self) -> bool:
        """What no field can know alone."""
        if self.which.data != "coa_none" and self.secret_from.data == "typed":
            if not self.secret.data:
                refuse(self, "secret", str(REQUIRED))
            check_secret(self, "secret")
        return not self.errors


class ReasonForm(PageForm):
    """Why."""

    reason = StringField(lazy("Reason"), [DataRequired(REQUIRED), Length(max=500)])


class HostKeyForm(PageForm):
    """The key that was compared."""

    fingerprint = HiddenField()


def check_secret(form: PageForm, name: str) -> None:
    """Say beside the field what a secret must be like."""
    if not _fits(form[name].data):
        refuse(form, name, gettext("At most 253 printable characters."))


def shown_of(nas: Nas) -> dict[str, Any]:
    """What stands in the fields of a NAS that is there."""
    certificate = None if nas.api_certificate is None else bytes.fromhex(nas.api_certificate)
    fields = {"site": nas.site or "", "realms": ", ".join(nas.realms), "api_certificate": certificate}
    return {**settings_of(nas), **fields}


def changed_columns(form: NasForm, nas: Nas) -> dict[str, Any]:
    """The columns that the form sets otherwise than they are; the site is not among them."""
    columns = {}
    for name in PLAIN_COLUMNS:
        wanted = form[name].data
        wanted = None if wanted == "" else wanted
        if wanted != getattr(nas, name):
            columns[name] = wanted
    if read_realms(form.realms.data or "") != nas.realms:
        columns["realms"] = read_realms(form.realms.data or "")
    certificate = form.api_certificate.data
    if (None if certificate is None else certificate.hex()) != nas.api_certificate:
        columns["api_certificate"] = certificate
    return {**columns, **gone_with_user(columns)}
