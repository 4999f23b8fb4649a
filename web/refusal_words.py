"""What the database refuses, in the reader's language.

Its words are control_plane/refusals.py's; a test sees to it that each is translated. A constraint that nobody thought of is told in
the database's own.

Next: errors.py
"""

from __future__ import annotations

import psycopg

from control_plane.refusals import known_words, without_command
from web.language import gettext


def database_words(error: psycopg.errors.IntegrityError) -> str:
    """Why nothing was written."""
    words = known_words(error)
    if words is None:
        hint = f". {error.diag.message_hint}" if error.diag.message_hint else ""
        return gettext("The database refuses this: %(why)s", why=f"{error.diag.message_primary}{hint}")
    said = gettext(without_command(words))
    return said[:1].upper() + said[1:]
