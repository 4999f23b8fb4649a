"""What is mailed to who has forgotten their password, in their language. Pure.

Next: passwords.py
"""

from __future__ import annotations

from typing import Final

# Subject and text; both are plain.
_LETTERS: Final = {
    "en": (
        "A new password at {house}",
        "Hello {name},\n\nsomebody asked for a new password for {sign_in}. If it was you, choose one here:\n\n{link}\n\n"
        "The link can be used once, until an hour after it was sent. If it was not you, there is nothing to do: your password stays as it is.\n",
    ),
    "it": (
        "Una nuova password per {house}",
        "Buongiorno {name},\n\nqualcuno ha chiesto una nuova password per {sign_in}. Se è stato lei, ne scelga una qui:\n\n{link}\n\n"
        "Il link si usa una volta sola, entro un'ora dall'invio. Se non è stato lei, non deve fare nulla: la sua password resta com'è.\n",
    ),
    "es": (
        "Una contraseña nueva en {house}",
        "Hola {name}:\n\nalguien ha pedido una contraseña nueva para {sign_in}. Si ha sido usted, elija una aquí:\n\n{link}\n\n"
        "El enlace se puede usar una sola vez, hasta una hora después del envío. Si no ha sido usted, no tiene que hacer nada: su contraseña "
        "queda como está.\n",
    ),
}


def write_letter(language: str | None, *, house: str, name: str, sign_in: str, link: str) -> tuple[str, str]:
    """Subject and text; English for who has chosen no language."""
    subject, text = _LETTERS.get(language or "en", _LETTERS["en"])
    return subject.format(house=house), text.format(house=house, name=name, sign_in=sign_in, link=link)
