"""The web process: the console of staff and collectors, the portal of subscribers, the API, and what machines ask and tell.

Pages are found where they lie: each module of web/staff, web/collector, web/portal and web/api has a constant `pages`, and
`ENTRIES` if the menu leads to it. A new page is a new module.

Next: surroundings.py
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from datetime import UTC, datetime
from types import ModuleType

from flask import Blueprint, Flask, g, request
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

import web.api
import web.collector
import web.portal
import web.staff
from control_plane.gateways.intake import Intake
from control_plane.gateways.sealing import cookie_key
from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings, load_settings
from control_plane.telemetry import start_logging
from web import acting, dunning_words, language, security
from web.assets import Assets
from web.errors import explain_errors
from web.health import health_pages
from web.lists import here_with
from web.navigation import Entry, menu
from web.portal.garden import lead_to_garden
from web.secret_words import told_once
from web.staff_words import deed_of, doer_words
from web.surroundings import install, surround
from web.unsubscribe import unsubscribe_pages
from web.webhooks import Connections, webhook_pages

_SECTIONS = (web.staff, web.collector, web.portal, web.api)


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without settings it reads the file as every command does. Raises: SettingsError."""
    if settings is None:
        settings = settings_in_force(load_settings())
        start_logging("web")
    app = Flask(__name__, static_folder=None)
    # Flask signs with it what a page tells the next one; without a key of the installation's it lasts as long as the process.
    app.secret_key = cookie_key(settings) or secrets.token_bytes(32)
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["SESSION_COOKIE_NAME"] = "corrente_told"
    if settings.web.proxies:
        before = settings.web.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=before, x_proto=before, x_host=before)  # type: ignore[method-assign]  # as Flask asks for it
    install(app, surround(settings))
    assets = Assets()
    app.before_request(lead_to_garden)
    acting.guard(app)
    security.protect(app)
    explain_errors(app)
    app.register_blueprint(assets.pages())
    app.register_blueprint(health_pages(settings))
    app.register_blueprint(unsubscribe_pages(settings))
    intake = Intake(settings)
    app.extensions["webhook_connections"] = Connections(settings, intake)
    app.register_blueprint(webhook_pages(app.extensions["webhook_connections"], intake))
    entries: list[Entry] = []
    for section in _SECTIONS:
        for module in _modules_of(section):
            pages = getattr(module, "pages", None)
            if isinstance(pages, Blueprint):
                app.register_blueprint(pages)
            entries += getattr(module, "ENTRIES", ())
    _furnish(app, assets, tuple(entries))
    return app


def _modules_of(package: ModuleType) -> tuple[ModuleType, ...]:
    return tuple(
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    )


def _furnish(app: Flask, assets: Assets, entries: tuple[Entry, ...]) -> None:
    """What templates may use without being given it."""
    environment = app.jinja_env
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension's
        language.gettext,
        language.ngettext,
        newstyle=True,
    )
    environment.filters.update(language.FILTERS)
    environment.filters.update(told=dunning_words.told_words, retold=dunning_words.kept_words, doer=doer_words)

    # Globals, not a context: parts that a template imports have them too.
    environment.globals.update(
        asset=assets.address,
        may=acting.may,
        menu=lambda: menu(entries),
        languages=language.LANGUAGES,
        form_secret=security.form_secret,
        ago=lambda moment: language.ago_shown(moment, datetime.now(UTC)),
        here_with=here_with,
        told_once=told_once,
        deed_of=deed_of,
    )

    @app.context_processor
    def common() -> dict[str, object]:
        return {
            "zone": str(language.zone()),
            "person": g.get("staff"),
            "subscriber": g.get("subscriber"),
            "language": language.chosen_language(),
            "theme": _theme(),
        }


def _theme() -> str:
    staff = g.get("staff")
    wanted = request.cookies.get("theme") or (staff.theme if staff else "auto")
    return wanted if wanted in ("light", "dark") else "auto"
