"""Access devices come from the policy store while the server runs, and Message-Authenticator is asked of those that can."""

import hmac
import time
from datetime import datetime

import pytest
from support.radius_packets import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    ACCOUNTING_RESPONSE,
    MESSAGE_AUTHENTICATOR,
    STATUS_SERVER,
    access_request,
    attribute,
    build,
    chap,
    pap,
)
from support.radius_server import NAS_SECRET, account_record, nas_record, radius_server

from control_plane.unanswered import Why, malformed_logins, read_dropped
from nas_drivers.simulated.credentials import mschapv2_attributes

pytestmark = pytest.mark.radius

OTHER_SECRET = b'another "secret" with \\ and %{x}'


def fill(batch):
    batch.put_account("anna", account_record(1))
    batch.put_nas("127.0.1.0/24", nas_record(5, secret=OTHER_SECRET, name="group"))
    batch.put_nas("127.0.1.7/32", nas_record(6, name="one-of-the-group"))
    batch.put_nas("127.0.2.1/32", nas_record(7, require=False))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


def code(server, source, secret=NAS_SECRET, timeout_s=120.0):
    with server.device(source=source, secret=secret) as nas:
        reply = nas.login("anna", "secret", timeout_s=timeout_s)
        return reply and reply.code


def becomes(expected, ask, deadline_s=240.0):
    """Whether an answer comes to be what is expected within the life of a remembered client (a second here)."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if ask() == expected:
            return True
    return False


def test_a_new_device_works_without_a_restart_and_a_removed_one_stops(server):
    pids = server.pids()
    assert code(server, "127.0.3.1", timeout_s=0.5) is None

    server.change(lambda batch: batch.put_nas("127.0.3.1/32", nas_record(8)))
    assert code(server, "127.0.3.1") == ACCESS_ACCEPT
    assert server.last_login().nas_id == 8

    server.change(lambda batch: batch.put_nas("127.0.3.1/32", None))
    assert code(server, "127.0.3.1", timeout_s=1.0) is None
    assert (server.pids(), server.is_alive()) == (pids, True)


def test_a_changed_secret_holds_within_the_life_of_a_client(server):
    server.change(lambda batch: batch.put_nas("127.0.3.2/32", nas_record(9)))
    assert code(server, "127.0.3.2") == ACCESS_ACCEPT

    server.change(lambda batch: batch.put_nas("127.0.3.2/32", nas_record(9, secret=OTHER_SECRET)))

    assert becomes(ACCESS_ACCEPT, lambda: code(server, "127.0.3.2", OTHER_SECRET, timeout_s=1.0))
    assert code(server, "127.0.3.2", NAS_SECRET, timeout_s=0.3) is None


def test_the_longest_prefix_names_the_device(server):
    assert code(server, "127.0.1.8", OTHER_SECRET) == ACCESS_ACCEPT
    assert server.last_login().nas_id == 5
    assert code(server, "127.0.1.7", NAS_SECRET) == ACCESS_ACCEPT
    assert server.last_login().nas_id == 6


def test_an_unknown_source_gets_no_answer_on_either_port(server):
    assert code(server, "127.9.9.9", timeout_s=0.5) is None
    with server.device(source="127.9.9.9", accounting=True) as nas:
        assert nas.account(1, "s-1", timeout_s=0.5) is None


@pytest.mark.parametrize(
    "spoiled", ["missing", "wrong", "of another secret", "twice", "short"]
)  # fmt: skip
def test_a_request_without_a_right_message_authenticator_is_not_answered(server, spoiled):
    good = access_request("anna", pap("secret", NAS_SECRET), secret=NAS_SECRET)
    requests = {
        "missing": access_request("anna", pap("secret", NAS_SECRET), secret=NAS_SECRET, signed=False),
        "wrong": good[:22] + bytes(16) + good[38:],
        "of another secret": good[:22] + hmac.digest(b"other", good[:22] + bytes(16) + good[38:], "md5") + good[38:],
        "twice": build(
            ACCESS_REQUEST,
            [attribute(MESSAGE_AUTHENTICATOR, bytes(16)), attribute(1, "anna"), pap("secret", NAS_SECRET)],
            secret=NAS_SECRET,
        ),
        "short": access_request(
            "anna",
            pap("secret", NAS_SECRET),
            attribute(MESSAGE_AUTHENTICATOR, bytes(15)),
            secret=NAS_SECRET,
            signed=False,
        ),
    }
    lines = len(server.logins())
    with server.device() as nas:
        assert nas.is_silent(requests[spoiled], timeout_s=0.7)
        # The same request with a right one is answered.
        assert nas.ask(good).code == ACCESS_ACCEPT
    assert len(server.logins()) == lines + 1


def test_a_device_that_can_not_sign_is_served_where_that_was_said(server):
    request = access_request("anna", pap("secret", NAS_SECRET), secret=NAS_SECRET, signed=False)
    with server.device(source="127.0.2.1") as nas:
        assert nas.ask(request).code == ACCESS_ACCEPT


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (pap("secret", NAS_SECRET), ACCESS_ACCEPT),
        (chap("secret"), ACCESS_ACCEPT),
        (mschapv2_attributes(b"anna", "secret", bytes(16), bytes(range(16))), ACCESS_ACCEPT),
        (pap("wrong", NAS_SECRET), ACCESS_REJECT),
        (mschapv2_attributes(b"anna", "wrong", bytes(16), bytes(range(16))), ACCESS_REJECT),
    ],
)
def test_every_reply_is_signed_and_the_signature_comes_first(server, credential, expected):
    with server.device() as nas:
        reply = nas.ask(access_request("anna", credential, secret=NAS_SECRET))

    assert reply.code == expected
    # nas.ask has verified it.
    assert len(reply.all(MESSAGE_AUTHENTICATOR)) == 1
    if expected == ACCESS_ACCEPT:
        assert reply.attributes[0][:2] == (0, MESSAGE_AUTHENTICATOR)


def test_a_wrong_shared_secret_grants_nothing(server):
    for credential in (pap("secret", OTHER_SECRET), chap("secret")):
        with server.device(source="127.0.2.1", secret=OTHER_SECRET) as nas:
            request = access_request("anna", credential, secret=OTHER_SECRET, signed=False)
            nas.send(request)
            nas.socket.settimeout(5)
            # A device drops such a reply: its authenticator is of another secret.
            with pytest.raises(AssertionError, match="Response Authenticator is wrong"):
                nas.receive(request)
    assert server.last_login().outcome == "accept", "CHAP does not use the secret, so only the device can tell"
    assert server.logins()[-2].split()[1:3] == [b"reject", b"wrong_password"]


def test_whoever_gets_no_answer_can_be_named(server):
    port = server.settings.radius.status_port

    def malformed():
        # A busy machine may not answer within its second.
        while (count := malformed_logins(server.config_dir, port=port)) is None:
            continue
        return count

    before = malformed()
    began = datetime.now().replace(microsecond=0)
    with server.device(source="127.0.0.1") as nas:
        unsigned = access_request("anna", pap("secret", NAS_SECRET), secret=NAS_SECRET, signed=False)
        assert nas.is_silent(unsigned, timeout_s=0.5)
    assert becomes(True, lambda: malformed() > before)

    def named():
        # FreeRADIUS writes such a line once a second at most, whoever it is about: asked again until both are there.
        assert code(server, "127.0.9.9", timeout_s=0.2) is None
        assert code(server, "127.0.1.9", secret=NAS_SECRET, timeout_s=0.2) is None
        found = read_dropped(server.log.read_text().splitlines(), since=began)
        return {(Why.UNKNOWN, "127.0.9.9"), (Why.WRONG_SECRET, "group")} <= {(one.why, one.who) for one in found}

    assert becomes(True, named)
    assert malformed_logins(server.config_dir.parent, port=port) is None


def test_status_server_is_answered_and_signed_on_the_ports_of_both_servers(server):
    status = build(STATUS_SERVER, [], secret=NAS_SECRET)
    with server.device() as nas:
        reply = nas.ask(status)
        assert (reply.code, len(reply.all(MESSAGE_AUTHENTICATOR))) == (ACCESS_ACCEPT, 1)
        assert nas.is_silent(build(STATUS_SERVER, [], secret=NAS_SECRET, signed=False), timeout_s=0.5)
    with server.device(accounting=True) as nas:
        assert nas.ask(status).code == ACCOUNTING_RESPONSE
    assert server.answers(timeout_s=120)
