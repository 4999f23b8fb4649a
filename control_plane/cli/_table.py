"""A table for a terminal: amounts stand under each other, and where it is wider than the terminal it is folded, or told row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Wider than any table of ours, so that measuring never folds a line.
_MEASURING_WIDTH: Final = 1000
_GAP: Final = 2
_AMOUNT: Final = re.compile(r"-?[0-9][0-9,]*\.[0-9]{2,3}")

Cells = Sequence[Sequence[str]]


def print_fitted(columns: Sequence[str], cells: Cells, *, width: int | None) -> None:
    """Print it as wide as its content, or into `width` columns: folded at blanks, else a row a block, a cell a line."""
    table = _table_of(columns, cells)
    natural = Console(width=_MEASURING_WIDTH).measure(table).maximum
    console = Console(highlight=False, width=natural if width is None else width)
    if width is None or natural <= width:
        console.print(table)
        return
    widths = _folded(columns, cells, width)
    if widths is not None:
        console.print(_table_of(columns, cells, widths))
        return
    for line in _blocks(columns, cells):
        console.print(escape(line), soft_wrap=True)


def _table_of(columns: Sequence[str], cells: Cells, widths: Sequence[int] | None = None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(
            column,
            no_wrap=widths is None,
            overflow="fold",
            width=widths[place] if widths else None,
            justify="right" if _are_amounts(row[place] for row in cells) else "left",
        )
    for row in cells:
        table.add_row(*map(escape, row))
    return table


def _are_amounts(cells: Iterator[str]) -> bool:
    told = [cell for cell in cells if cell]
    return bool(told) and all(_AMOUNT.fullmatch(cell) for cell in told)


def _folded(columns: Sequence[str], cells: Cells, width: int) -> list[int] | None:
    """How wide each column is when the widest give way, and no word is cut; None when that is not enough."""
    texts = [[column, *(row[place] for row in cells)] for place, column in enumerate(columns)]
    widths = [max(map(len, column)) for column in texts]
    least = [max((len(word) for text in column for word in text.split()), default=1) for column in texts]
    room = width - _GAP * (len(columns) - 1)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        if widths[widest] <= least[widest]:
            return None
        widths[widest] -= 1
    return widths


def _blocks(columns: Sequence[str], cells: Cells) -> Iterator[str]:
    label = max(map(len, columns))
    for number, row in enumerate(cells):
        if number:
            yield ""
        yield from (f"{column:<{label}}  {cell}" for column, cell in zip(columns, row, strict=True) if cell)
