"""Mail that comes back: reports of servers, the wish to get no more, and what a person reads."""

from __future__ import annotations

import pytest

from control_plane.messages.mail import OwnAddress
from control_plane.messages.returned import ForAPerson, Report, WantsNoMore, read_returned

OWN = "bounces+7-0123456789ab4cde@isp.example"
# As RFC 3464 section 4 has it, with our addresses.
REPORT = """\
Return-Path: <>
Delivered-To: {to}
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>
To: {to}
Subject: Returned mail
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

Words.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; anna@customers.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b
Content-Type: {kind}

Message-ID: <7.abc@isp.example>
Subject: x

--b--
"""


def report(to=OWN, action="failed", status="5.1.1", said="550 5.1.1 nobody", kind="message/rfc822"):
    return REPORT.format(to=to, action=action, status=status, said=said, kind=kind).replace("\n", "\r\n").encode()


def test_a_report_names_the_message_by_the_address_it_came_to_and_by_what_it_quotes():
    own = OwnAddress(7, "0123456789ab4cde")
    whole = Report(own, "<7.abc@isp.example>", "failed", "5.1.1 smtp; 550 5.1.1 nobody", no_such_address=True)
    assert read_returned(report()) == whole
    assert read_returned(report(to="bounces@isp.example")).own is None
    assert read_returned(report(to="b@x.example", kind="text/rfc822-headers")).reference == "<7.abc@isp.example>"


@pytest.mark.parametrize(
    ("action", "status", "said", "gone"),
    [
        ("failed", "5.2.2", "552 full", False),
        ("failed", "4.4.7", "queued too long", False),
        ("delayed", "4.1.1", "450 later", False),
        ("delivered", "2.0.0", "250 ok", False),
        ("failed", "5.7.1", "550 spam", False),
    ],
)
def test_what_it_says_of_the_address(action, status, said, gone):
    found = read_returned(report(action=action, status=status, said=said))
    assert (found.action, found.no_such_address) == (action, gone)


def test_a_mail_to_the_way_out_wants_no_more_whatever_it_says():
    mail = f"To: {OWN.replace('+7', '+u7')}\r\nSubject: anything\r\n\r\n".encode()
    assert read_returned(mail) == WantsNoMore(OwnAddress(7, "0123456789ab4cde", unsubscribes=True))


@pytest.mark.parametrize(
    "mail",
    [
        f"To: {OWN}\r\nSubject: Out of office\r\n\r\nI am away",
        report().decode().replace("message/delivery-status", "text/plain"),
        report().decode().replace("Action: failed", "X: y"),
        report(to="x@y.example", kind="text/plain").decode(),
        report().decode().replace('boundary="b"', 'boundary="c"'),
    ],
)
def test_anything_else_is_for_a_person(mail):
    assert isinstance(read_returned(mail.encode()), ForAPerson)


def test_a_mail_that_nobody_sends_in_earnest_is_read_without_what_can_t_be_kept():
    quoted = report(to="bounces@isp.example", said="550\0 no").replace(b"<7.abc@", b"<7\0.abc@")
    assert read_returned(quoted) == Report(
        None, "<7.abc@isp.example>", "failed", "5.1.1 smtp; 550 no", no_such_address=True
    )
    assert read_returned(report(to="bounces+9999999999999999999-0123456789ab4cde@isp.example")).own is None
    assert (
        read_returned(report(to="bounces+9223372036854775807-0123456789ab4cde@isp.example")).own.message_id == 2**63 - 1
    )


def test_comments_and_parts_as_deep_as_a_sender_likes_are_for_a_person():
    part = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
    for octets in (b"To: " + b"(" * 5000 + b"\r\n\r\n", b"".join(part % (one, one) for one in range(2000))):
        assert isinstance(read_returned(octets), ForAPerson)


def test_octets_that_are_no_mail_are_for_a_person_too():
    for octets in (b"", b"\xff\x00\x80", report()[:400], b"Content-Type: multipart/report\r\n\r\n\xff"):
        assert isinstance(read_returned(octets), ForAPerson)
