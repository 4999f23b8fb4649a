"""What a device says has no power over the terminal of whoever reads it."""

from nas_drivers.errors import NasError, printable


def test_a_message_with_a_devices_words_has_nothing_that_a_terminal_obeys():
    told = str(NasError("the device refused `show`: \x1b[2J\x9b31m\u202eevil\r\nOK\x00"))
    assert told == "the device refused `show`: \\x1b[2J\\x9b31m\\x202eevil\\x0d\\x0aOK\\x00"


def test_ordinary_words_of_any_language_stay_as_they_are():
    for text in ("", "Société Générale: größer, 日本語", "% Invalid input detected at '^' marker."):
        assert printable(text) == text == str(NasError(text))
