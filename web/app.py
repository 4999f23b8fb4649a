"""The web process: for now what a monitoring system asks for and what payment gateways tell, and the way out of marketing. Pages and the API stand beside it later.

Next: health.py
"""

from __future__ import annotations

from flask import Flask

from control_plane.gateways.intake import Intake
from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings, load_settings
from control_plane.telemetry import start_logging
from web.health import health_pages
from web.unsubscribe import unsubscribe_pages
from web.webhooks import Connections, webhook_pages


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without settings it reads the file as every command does. Raises: SettingsError."""
    if settings is None:
        settings = settings_in_force(load_settings())
        start_logging("web")
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(health_pages(settings))
    app.register_blueprint(unsubscribe_pages(settings))
    intake = Intake(settings)
    app.extensions["webhook_connections"] = Connections(settings, intake)
    app.register_blueprint(webhook_pages(app.extensions["webhook_connections"], intake))
    return app
