"""What seals secrets in this process, for pages.

Next: surroundings.py
"""

from __future__ import annotations

from werkzeug.exceptions import ServiceUnavailable

from radius_hooks.sealing import Sealer
from web.language import gettext
from web.surroundings import here


def sealer() -> Sealer:
    """What opens and seals passwords, keys and secrets. Raises: ServiceUnavailable where this process was given no key."""
    found = here().sealer
    if found is None:
        raise no_key()
    return found


def no_key() -> ServiceUnavailable:
    """The refusal where this process was given no key."""
    return ServiceUnavailable(gettext("This process was given no key: see corrente check."))
