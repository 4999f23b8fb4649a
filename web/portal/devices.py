"""Notices on a subscriber's devices: asked for by a click in that browser, shown as a list, taken away again.

The browser makes the subscription (web/static/push.js) and sends it with a form of ours.

Next: ../../control_plane/access/devices.py
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length

from billing.store.push_devices import Device, Subscription, load_devices_of
from control_plane.access.devices import NoSubscriptionError, add, name_of, read_subscription, remove
from control_plane.store.push_key import load_public_key
from web.acting import subscriber, transaction
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, new_key, read_form, refuse, status_of, was_sent
from web.language import gettext
from web.marks import of_subscriber
from web.surroundings import here

pages = Blueprint("portal_devices", __name__)
_LONGEST_ENDPOINT: Final = 2000
_LONGEST_KEY: Final = 200
_MOST_NUMBER: Final = 2**63


class DeviceForm(PageForm):
    """A browser's subscription, as it gives it."""

    endpoint = HiddenField(validators=[InputRequired(REQUIRED), Length(max=_LONGEST_ENDPOINT)])
    p256dh = HiddenField(validators=[InputRequired(REQUIRED), Length(max=_LONGEST_KEY)])
    auth = HiddenField(validators=[InputRequired(REQUIRED), Length(max=_LONGEST_KEY)])


@dataclass(frozen=True, slots=True)
class Notices:
    """What the card shows: the key that a browser subscribes with, the devices that are told, and what is typed for them by the script."""

    key: str
    devices: Sequence[tuple[Device, str, str]]
    form: Any


def notices_of(connection: Connection) -> Notices | None:
    """The card of the subscriber who looks; None before this installation has a key to send with.

    Beside a device stands the digest of its address, so that a browser knows itself among them.
    """
    key = load_public_key(connection)
    if key is None:
        return None
    devices = [
        (one, sha256(one.endpoint.encode()).hexdigest(), new_key())
        for one in load_devices_of(connection, subscriber().customer_id)
    ]
    return Notices(base64.urlsafe_b64encode(key).decode().rstrip("="), devices, read_form(DeviceForm))


@pages.route("/portal/devices", methods=["GET", "POST"])
@of_subscriber()
def show() -> Response | tuple[str, int]:
    """Show notices on the browser that asks for it."""
    with transaction() as connection:
        notices = notices_of(connection)
    if notices is None:
        raise NotFound
    form = notices.form
    if was_sent(form):
        try:
            subscription = read_subscription(
                form.endpoint.data,
                form.p256dh.data,
                form.auth.data,
                allow_private=here().settings.push.allow_private_addresses,
            )
        except NoSubscriptionError:
            refuse(form, "", gettext("What this browser gave is nothing that notices can be sent to."))
        else:
            return do_once(lambda connection: _add(connection, subscription))
    return render_template("portal/devices.html", notices=notices), status_of(form)


@pages.post("/portal/devices/<int:number>/remove")
@of_subscriber()
def take_away(number: int) -> Response:
    """Show nothing on that device any more."""
    return do_once(lambda connection: _remove(connection, number))


def _add(connection: Connection, subscription: Subscription) -> str:
    add(connection, subscriber(), subscription, name=name_of(request.headers.get("User-Agent", "")))
    flash(gettext("Notices are shown on this device from now on."), "good")
    return url_for("portal_profile.show")


def _remove(connection: Connection, number: int) -> str:
    if number >= _MOST_NUMBER or not remove(connection, subscriber(), number):
        raise NotFound
    flash(gettext("No notice is shown there any more."), "good")
    return url_for("portal_profile.show")
