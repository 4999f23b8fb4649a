"""A letter as a mail, and the addresses of ours that come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from zoneinfo import ZoneInfo

import pytest

from billing.messages.message import Purpose
from billing.operations.enclosures import File
from control_plane.messages.channel import Letter
from control_plane.messages.mail import (
    MailAddressError,
    OwnAddress,
    ascii_address,
    mail_of,
    message_id_header,
    own_address,
    read_own_address,
)

TOKEN = "01234567-89ab-4cde-8f01-23456789abcd"
LETTER = Letter(
    *(7, TOKEN, Purpose.SERVICE, "<7.x@isp.example>"),
    datetime(2026, 3, 2, 13, 5, tzinfo=ZoneInfo("Europe/Rome")),
    *("Società Ñandú, Net", "office@isp.example", "anna@città.example", "Anna «Rossi»", "it"),
    *("Fattura 1", "Ciao\n", "<p>Ciao</p>", (File("1-FT.pdf", "application/pdf", b"%PDF-"),)),
)


def sent(letter=LETTER, public_url=""):
    mail = mail_of(letter, sender="no-reply@isp.example", bounce_address="bounces@isp.example", public_url=public_url)
    return message_from_bytes(mail.as_bytes(), policy=default)


def test_the_mail_reads_back_as_it_was_meant():
    got = sent()
    assert got["From"].addresses[0].display_name == "Società Ñandú, Net"
    assert got["From"].addresses[0].addr_spec == "no-reply@isp.example"
    assert (got["To"].addresses[0].display_name, got["To"].addresses[0].addr_spec) == (
        "Anna «Rossi»",
        "anna@xn--citt-3na.example",
    )
    assert got["Reply-To"].addresses[0].addr_spec == "office@isp.example"
    assert got["Date"] == "Mon, 02 Mar 2026 13:05:00 +0100"
    assert [part.get_content_type() for part in got.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf")
    ]
    assert got.get_body(("plain",)).get_content().splitlines() == ["Ciao"]
    assert next(got.iter_attachments()).get_content() == b"%PDF-"


def test_only_marketing_has_a_way_out_by_mail_and_by_one_click():
    assert sent()["List-Unsubscribe"] is None
    marketing = replace(LETTER, purpose=Purpose.MARKETING)
    by_mail = "<mailto:bounces+u7-0123456789ab4cde@isp.example>"
    assert (sent(marketing)["List-Unsubscribe"], sent(marketing)["List-Unsubscribe-Post"]) == (by_mail, None)
    both = sent(marketing, "https://my.isp.example/")
    assert both["List-Unsubscribe"] == f"<https://my.isp.example/unsubscribe/7-0123456789ab4cde>, {by_mail}"
    assert both["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_name_or_a_subject_writes_no_header():
    hostile = replace(LETTER, subject="a\r\nBcc: x@y.example", sender_name="b\nX-C: d", address_name='e"\r\nf')
    got = sent(hostile)
    assert got["Subject"] == "a Bcc: x@y.example"
    assert (got["Bcc"], got["X-C"]) == (None, None)
    assert got["To"].addresses[0].display_name == 'e" f'


@pytest.mark.parametrize("address", ["", "anna", "@x.example", "anna@", "a b@x.example", "a@x..example", "a@x\r\nRCPT"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(MailAddressError):
        ascii_address(address)


@pytest.mark.parametrize(
    "address", ["[a]@x.example", "a@x.example.", "a..b@x.example", "a,b@x.example", "à@x.example", "(c)@x.example"]
)
def test_what_only_looks_like_an_address_is_refused_by_the_one_error_that_its_sender_expects(address):
    with pytest.raises(MailAddressError, match="no mail address"):
        sent(replace(LETTER, address=address))


def test_an_address_of_ours_is_told_from_others():
    own = own_address("bounces@isp.example", 7, TOKEN)
    assert own == "bounces+7-0123456789ab4cde@isp.example"
    assert read_own_address(f"<{own.upper()}>") == OwnAddress(7, "0123456789ab4cde")
    out = own_address("bounces@isp.example", 7, TOKEN, unsubscribes=True)
    assert read_own_address(out) == OwnAddress(7, "0123456789ab4cde", unsubscribes=True)
    for other in ("bounces@isp.example", "bounces+7@isp.example", "bounces+7-0123@isp.example", ""):
        assert read_own_address(other) is None
    longest = own_address("bounces@isp.example", 2**63 - 1, TOKEN, unsubscribes=True)
    assert len(longest.partition("@")[0]) <= 64
    assert message_id_header("no-reply@isp.example", 7, TOKEN) == f"<7.{TOKEN.replace('-', '')}@isp.example>"
