"""Passwords on the wire, in daemon mode: right ones get in, others do not, and the login line says why."""

import pytest
from support.radius_packets import ACCESS_ACCEPT, ACCESS_REJECT, access_request, chap, pap
from support.radius_server import NAS_SECRET, account_record, radius_server

from radius_hooks.login_line import read_login_line

pytestmark = pytest.mark.radius

PASSWORDS = {"anna": "secret", "bruno": 'back\\slash"n\\n', "chiara": "perché no?"}


def fill(batch):
    for number, (name, password) in enumerate(PASSWORDS.items(), start=1):
        batch.put_account(name, account_record(number, password))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


@pytest.mark.parametrize("name", PASSWORDS)
def test_the_right_password_is_accepted_with_pap_and_chap(server, name):
    password = PASSWORDS[name]
    methods = [pap(password, NAS_SECRET), chap(password), chap(password, challenge=b"0123456789abcdef")]
    with server.device() as nas:
        for credential in methods:
            reply = nas.ask(access_request(name, credential, secret=NAS_SECRET))

            assert reply.code == ACCESS_ACCEPT
            assert read_login_line(server.logins()[-1]).reason == "full"


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (pap("Secret", NAS_SECRET), "wrong_password"),
        (pap("", NAS_SECRET), "wrong_password"),
        (chap("Secret"), "wrong_password"),
        (chap("", challenge=b"0123456789abcdef"), "wrong_password"),
    ],
)
def test_a_wrong_or_empty_password_is_refused_and_the_line_says_so(server, credential, reason):
    with server.device() as nas:
        reply = nas.ask(access_request("anna", credential, secret=NAS_SECRET))

    assert reply.code == ACCESS_REJECT
    line = read_login_line(server.logins()[-1])
    assert (line.outcome, line.reason, line.username, line.source) == ("reject", reason, b"anna", "127.0.0.1")
