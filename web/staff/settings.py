"""The installation's settings as this process has them: read from a file, so they are changed there; of secrets only whether they are set."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, render_template

from control_plane.access.permissions import Permission
from control_plane.settings_shown import shown_secrets, shown_settings
from web.language import lazy
from web.marks import allowed
from web.navigation import Entry
from web.surroundings import here

pages = Blueprint("settings", __name__)
ENTRIES: Final = (Entry("system", lazy("Settings"), "settings.show", Permission.SETTING_SEE, order=20),)
# What each section of the file is about, and which page has what of it is changed without the file.
SECTIONS: Final[dict[str, Any]] = {
    "operator": lazy("Who runs this network"),
    "database": lazy("Database"),
    "paths": lazy("Where state lives"),
    "radius": lazy("RADIUS servers"),
    "access": lazy("Logins"),
    "edge": lazy("The process beside FreeRADIUS"),
    "worker": lazy("The process that runs jobs"),
    "accounting": lazy("Accounting"),
    "retention": lazy("How long data is kept"),
    "guard": lazy("How much automation may cut"),
    "billing": lazy("Billing by itself"),
    "papers": lazy("What is printed"),
    "webhooks": lazy("Webhooks"),
    "gateways": lazy("Gateways"),
    "messages": lazy("When customers are written to"),
    "email": lazy("Mail server"),
    "mailbox": lazy("Mailbox of what comes back"),
    "push": lazy("Notices on devices"),
    "einvoice": lazy("E-invoices"),
    "web": lazy("Console and portal"),
    "garden": lazy("Where limited lines land"),
    "drivers": lazy("Devices of a vendor"),
}


@pages.get("/settings")
@allowed(Permission.SETTING_SEE)
def show() -> str:
    """Section by section; what is not as usual is marked."""
    settings = here().settings
    return render_template(
        "staff/settings/show.html",
        source=settings.source_file,
        sections=[(one, SECTIONS[one.name.partition(".")[0]]) for one in shown_settings(settings)],
        secrets=shown_secrets(settings),
    )
