"""What a mail server's answers mean."""

from control_plane.messages.channel import Deferred, Refused
from control_plane.messages.email_channel import _judged


def test_an_answer_is_kept_in_words_that_the_database_takes():
    assert _judged(450, b"4.7.1 come\0 back\r\n later", to_recipient=True) == Deferred("450 4.7.1 come back later")
    assert _judged(550, b"5.7.1 \0no", to_recipient=False) == Refused("550 5.7.1 no", no_such_address=False)
