"""What commands share."""

from support.schema_cases import CASES

from control_plane.cli._console import print_table, unknown
from control_plane.refusals import CONSTRAINT_WORDS


def test_the_words_for_a_refusal_belong_to_constraints_that_are_there():
    assert set(CONSTRAINT_WORDS) <= {case.constraint for case in CASES}


def test_an_unknown_name_is_answered_with_the_most_like_it_first():
    refused = unknown("NAS", "bras-11", ["core", "bras-1", "bras-2"])
    assert refused.message == "there is no NAS 'bras-11'; did you mean bras-1 or bras-2?"


def test_a_name_like_no_other_is_answered_with_what_to_do():
    assert unknown("plan", "x", ["Home"], also="`corrente plan list` shows them").message == (
        "there is no plan 'x'; `corrente plan list` shows them"
    )
    assert unknown("plan", "x", []).message == "there is no plan 'x'"


def test_a_table_has_nothing_that_a_terminal_obeys(capsys):
    print_table(("NAME", "SITE"), [("bras-1", "a\x1b[2Jb\nc\u202e")], empty="none")
    assert capsys.readouterr().out.splitlines()[1:] == ["bras-1  a\\x1b[2Jb\\x0ac\\x202e"]
