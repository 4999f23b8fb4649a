"""What a line says beside the name of what it is of: that it is for a pause, for leaving early, an instalment and which, or
discounted where the line's own figures can't show it.

Next: billing/runs/desk.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from billing.due_contract import ChargeKind
from billing.money import Money

# By the languages of the database.
_BESIDE: Final[Mapping[ChargeKind, Mapping[str, str]]] = {
    ChargeKind.EARLY_EXIT: {"en": "early exit", "it": "recesso anticipato", "es": "baja anticipada"},
    ChargeKind.PAUSE_FEE: {"en": "pause", "it": "sospensione", "es": "suspensión"},
}
_INSTALMENT: Final[Mapping[str, str]] = {
    "en": "instalment {} of {}",
    "it": "rata {} di {}",
    "es": "cuota {} de {}",
}
# With their tax, as the contract has its prices.
_DISCOUNTED: Final[Mapping[str, str]] = {
    "en": "{} less {} discount, with tax",
    "it": "{} meno {} di sconto, IVA inclusa",
    "es": "{} menos {} de descuento, impuestos incluidos",
}
_DECIMAL_COMMA: Final = frozenset({"it", "es"})


def named(name: str, kind: ChargeKind, language: str, which: tuple[int, int] | None = None) -> str:
    """The name of a product as a line of that kind says it in a language; `which` is the number of an instalment, and of how many."""
    if which is not None:
        return f"{name}: {_INSTALMENT.get(language, _INSTALMENT['en']).format(*which)}"
    beside = _BESIDE.get(kind)
    return f"{name}: {beside.get(language, beside['en'])}" if beside else name


def with_discount(text: str, full: Money, off: Money, language: str) -> str:
    """A line of prices with tax is printed without: what was agreed, and what is less, stand in its words."""
    words = _DISCOUNTED.get(language, _DISCOUNTED["en"])
    comma = language in _DECIMAL_COMMA
    told = [str(one.amount).replace(".", ",") if comma else str(one.amount) for one in (full, off)]
    return f"{text} ({words.format(*told)})"
