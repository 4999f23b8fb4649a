"""A word reaches a command line as it stands or not at all."""

import pytest

from nas_drivers.cli_dialect import CliWordError, cli_word


@pytest.mark.parametrize("text", ["anna", "anna@isp.example", "00:11:22-aa", "Gi0/0/0.100", "8_1", "a" * 64])
def test_a_plain_name_goes_as_it_stands(text):
    assert cli_word(text, what="username") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 65,
        "x; reload",
        "x\nreload",
        "x?",
        "x|y",
        'x"',
        "x'",
        "x{",
        "x y",
        "-f",
        ".x",
        "x\\",
        "x$y",
        "\u0430nna",
        "x\n",
    ],
)
def test_anything_else_is_refused_and_named(text):
    with pytest.raises(CliWordError) as refused:
        cli_word(text, what="username")
    assert f"username {text!r}" in str(refused.value)
