"""Tables on a pipe, on a terminal that is wide enough, and on ones that are not."""

import pytest

from control_plane.cli._table import print_fitted

COLUMNS = ("ACCOUNT", "NAME", "BALANCE")
CELLS = [["1500", "Customers of the town", "9.00"], ["2610", "VAT", "-1,240.50"]]


def printed(capsys, width):
    print_fitted(COLUMNS, CELLS, width=width)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", [None, 80, 41])
def test_amounts_stand_under_each_other(capsys, width):
    assert printed(capsys, width) == [
        "ACCOUNT  NAME                     BALANCE",
        "1500     Customers of the town       9.00",
        "2610     VAT                    -1,240.50",
    ]


def test_a_terminal_that_is_too_narrow_folds_words_and_never_cuts_one(capsys):
    assert printed(capsys, 32) == [
        "ACCOUNT  NAME            BALANCE",
        "1500     Customers of       9.00",
        "         the town",
        "2610     VAT           -1,240.50",
    ]


def test_where_folding_is_not_enough_each_row_is_a_block(capsys):
    assert printed(capsys, 20) == [
        "ACCOUNT  1500",
        "NAME     Customers of the town",
        "BALANCE  9.00",
        "",
        "ACCOUNT  2610",
        "NAME     VAT",
        "BALANCE  -1,240.50",
    ]
