"""Barcodes as drawings: QR and Code 128.

Units: a module is one unit of the drawing; the quiet zone is in it.
Source: ISO/IEC 18004 (QR, quiet zone of 4 modules, level M), ISO/IEC 15417 (Code 128, quiet zone of 10).

Next: billing/papers/transfer_code.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zint

from billing.papers.errors import PaperError
from billing.sentence import Sentence

# The symbol's own bar height over its width is set where it is placed.
_BAR_HEIGHT: Final = 60
_LEVEL_M: Final = 2
# How many octets the library keeps for a row, however short it is.
_ROW_OCTETS: Final = 144
_SYMBOLOGIES: Final = {"qr": (zint.Symbology.QRCODE, 4), "code128": (zint.Symbology.CODE128, 10)}


def draw_symbol(symbology: str, text: str) -> str:
    """An SVG of one path, black on nothing. The bytes of the text are encoded as they are, in UTF-8.

    Raises: PaperError for a symbology that there is not, or a text that it can't hold.
    """
    if symbology not in _SYMBOLOGIES:
        raise PaperError(
            Sentence(
                "there is no barcode %(found)s: it is one of %(known)s",
                found=repr(symbology),
                known=", ".join(_SYMBOLOGIES),
            )
        )
    kind, quiet = _SYMBOLOGIES[symbology]
    symbol = zint.Symbol()
    symbol.symbology = kind
    symbol.input_mode = zint.InputMode(0)
    if symbology == "qr":
        symbol.option_1 = _LEVEL_M
    try:
        symbol.encode(text.encode())
    except RuntimeError as error:
        raise PaperError(
            Sentence(
                "the %(kind)s of %(text)s can't be drawn: %(why)s", kind=symbology, text=repr(text[:40]), why=error
            )
        ) from error
    height = symbol.rows if symbology == "qr" else _BAR_HEIGHT
    path = "".join(_bars(symbol, quiet, 1 if symbology == "qr" else _BAR_HEIGHT))
    below = quiet if symbology == "qr" else 0
    size = f"{symbol.width + 2 * quiet} {height + 2 * below}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -{below} {size}"><path d="{path}"/></svg>'


def _bars(symbol: zint.Symbol, quiet: int, high: int) -> Iterator[str]:
    """Each run of dark modules as a rectangle; a row's modules are bits, the lowest of a byte first."""
    octets = bytes(symbol.encoded_data)
    for number in range(symbol.rows):
        row = octets[number * _ROW_OCTETS : (number + 1) * _ROW_OCTETS]
        start = None
        for column in range(symbol.width + 1):
            dark = column < symbol.width and row[column // 8] >> (column % 8) & 1
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                yield f"M{start + quiet} {number * high}h{column - start}v{high}h{start - column}z"
                start = None
