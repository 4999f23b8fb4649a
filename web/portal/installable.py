"""The portal as an app on a telephone: its manifest, its worker, and the page for when there is no network.

The worker may serve no more than /portal. It keeps the page that says that there is no network, with its looks, and no other page:
what is somebody's own is not left on a device that others use. It shows the notices that devices.py lets ask for.

Source: W3C Web Application Manifest; W3C Service Workers (Service-Worker-Allowed).
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, current_app, render_template, url_for

from web.language import gettext
from web.marks import public

pages = Blueprint("portal_app", __name__)
_WORKER: Final = (Path(__file__).parent.parent / "static" / "portal-worker.js").read_text()
_WHY: Final = "what a telephone needs to install the portal says nothing of anybody"
_LOOKS: Final = (
    "corrente.svg",
    "theme.js",
    "vendor/tabler.min.css",
    "corrente.css",
    "portal.css",
    "vendor/icons.svg",
)


@pages.get("/portal/manifest.webmanifest")
@public(_WHY)
def manifest() -> Response:
    """What a telephone shows of the app."""
    said = {
        "name": gettext("Your account with us"),
        "short_name": gettext("My line"),
        "start_url": url_for("portal.show"),
        "scope": "/portal",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b7285",
        "icons": [{"src": _asset("corrente.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    return Response(json.dumps(said), content_type="application/manifest+json")


@pages.get("/portal/worker.js")
@public(_WHY)
def worker() -> Response:
    """The worker, with what it keeps: another release keeps under another name."""
    offline = url_for("portal_app.offline")
    kept = [offline, *(_asset(name) for name in _LOOKS)]
    name = "portal-" + sha256(repr(kept).encode()).hexdigest()[:12]
    said = {
        "NAME": name,
        "OFFLINE": offline,
        "KEPT": kept,
        "HOME": url_for("portal.show"),
        "ICON": _asset("corrente.svg"),
        "NAMED": gettext("My line"),
    }
    constants = f"const {', '.join(f'{one} = {json.dumps(value)}' for one, value in said.items())};\n"
    response = Response(constants + _WORKER, content_type="text/javascript; charset=utf-8")
    response.headers["Service-Worker-Allowed"] = "/portal"
    response.headers["Cache-Control"] = "no-cache"
    return response


@pages.get("/portal/offline")
@public(_WHY)
def offline() -> str:
    """What is shown without a network."""
    return render_template("portal/offline.html")


def _asset(name: str) -> str:
    address: Any = current_app.jinja_env.globals["asset"]
    return str(address(name))
