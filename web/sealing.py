"""What seals secrets in this process, for pages and for programs.

Next: surroundings.py
"""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import ServiceUnavailable

from radius_hooks.sealing import Sealer
from web.acting import INTERFACE
from web.language import gettext
from web.problems import Problem
from web.surroundings import here


def sealer() -> Sealer:
    """What opens and seals passwords, keys and secrets. Raises: ServiceUnavailable or Problem where this process was given no key."""
    found = here().sealer
    if found is None:
        raise no_key()
    return found


def no_key() -> ServiceUnavailable | Problem:
    """The refusal where this process was given no key, as pages and as programs are told."""
    if request.path.startswith(INTERFACE):
        return Problem(503, "This process was given no key: see corrente check.")
    return ServiceUnavailable(gettext("This process was given no key: see corrente check."))
