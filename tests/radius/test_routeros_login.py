"""How the RouterOS API transport shows a password, to whom, and under which TLS, against the stand-in."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace

import pytest
from support.routeros_api_stand_in import StandInRouterOsApi
from support.routeros_stories import ADDRESS, certificate, on, tell

from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import (
    ApiAccess,
    ApiLogin,
    RouterOsCertificateError,
    RouterOsError,
    RouterOsLoginError,
    RouterOsTlsError,
    RouterOsUnreachableError,
)
from nas_drivers.transport.routeros_pool import RouterOsPool

pytestmark = pytest.mark.radius
PASSWORD = "api password"


def listed(device: RouterOsDevice) -> int:
    return len(device.read_sessions())


# By release: what a router does with a login, and whether the password goes to it in clear when there is no TLS.
@pytest.mark.parametrize(
    ("release", "in_clear"), [("challenge", []), ("both", []), ("clear", [PASSWORD]), ("offered", [PASSWORD])]
)
def test_without_tls_the_password_goes_in_clear_only_to_a_router_that_takes_no_challenge(release, in_clear):
    async def story(stand_in, access):
        stand_in.login = release
        assert await on(access, listed) == 3
        assert stand_in.clear_passwords == in_clear

    tell(story)


@pytest.mark.parametrize("release", ["challenge", "both"])
def test_where_it_is_asked_for_the_password_never_goes_in_clear(release):
    async def story(stand_in, access):
        stand_in.login = release
        assert await on(access, listed) == 3
        with pytest.raises(RouterOsLoginError, match="login refused: cannot log in"):
            await on(replace(access, password="wrong"), listed)
        assert stand_in.clear_passwords == []

    tell(story, login=ApiLogin.CHALLENGE)


@pytest.mark.parametrize(
    ("release", "said"), [("clear", "login refused: invalid user name or password"), ("offered", "cannot log in")]
)
def test_a_router_that_takes_no_challenge_gets_no_password_where_it_may_not_go_in_clear(release, said):
    async def story(stand_in, access):
        stand_in.login = release
        with pytest.raises(RouterOsLoginError, match=said):
            await on(access, listed)
        assert stand_in.clear_passwords == []

    tell(story, login=ApiLogin.CHALLENGE)


def test_a_router_that_answers_a_login_without_a_name_with_nothing_is_one_without_a_challenge():
    class Quiet(StandInRouterOsApi):
        def _let_in(self, given, challenge):
            return super()._let_in(given, challenge) if "name" in given else (False, "", [["!done"]])

    async def story(stand_in, access):
        with pytest.raises(RouterOsLoginError, match=r"it offers no challenge.*--api-login auto"):
            await on(replace(access, login=ApiLogin.CHALLENGE), listed)
        assert stand_in.clear_passwords == []
        assert await on(access, listed) == 3

    tell(story, stand_in=Quiet)


@pytest.mark.parametrize("release", ["challenge", "both", "clear", "offered"])
def test_under_tls_every_release_is_logged_in_to_at_the_first_try(release, tmp_path):
    context, digest, _ = certificate(tmp_path)

    async def story(stand_in, access):
        stand_in.login = release
        assert await on(access, listed) == 3
        assert (stand_in.logins, stand_in.clear_passwords) == (1, [PASSWORD])

    tell(story, tls=context, certificate=digest)


def test_a_router_that_refused_a_challenge_once_is_not_asked_for_one_again():
    async def story(stand_in, access):
        stand_in.login = "offered"
        pool = RouterOsPool(idle_s=0.0)
        assert await on(access, listed, pool) == 3
        assert stand_in.logins == 2
        stand_in.hang_up()
        assert await on(access, listed, pool) == 3
        # One more, in clear at once.
        assert stand_in.logins == 3
        pool.close()

    tell(story)


def test_clear_is_a_choice_too():
    async def story(stand_in, access):
        stand_in.login = "both"
        assert await on(access, listed) == 3
        assert stand_in.clear_passwords == [PASSWORD]

    tell(story, login=ApiLogin.CLEAR)


def test_an_answer_to_a_challenge_is_worth_nothing_for_another():
    """The digest is over what this router asked this time: RouterOS's own rule, from which the stand-in works it out too."""

    async def story(stand_in, access):
        stand_in.login = "challenge"
        assert await on(access, listed) == 3
        assert await on(access, listed) == 3
        assert stand_in.logins == 2

    tell(story)


def test_one_certificate_is_trusted_and_another_is_refused_with_both_fingerprints(tmp_path, monkeypatch):
    context, digest, file = certificate(tmp_path)
    other = bytes(range(32))

    async def trusted(stand_in, access):
        assert await on(access, listed) == 3

    tell(trusted, tls=context, certificate=digest)

    async def changed(stand_in, access):
        with pytest.raises(RouterOsCertificateError) as refused:
            await on(access, listed)
        assert f"the fingerprint {digest.hex()}, trusted is {other.hex()}" in str(refused.value)
        assert f"--api-certificate {digest.hex()}" in str(refused.value)
        assert (stand_in.logins, stand_in.clear_passwords) == (0, [])

    tell(changed, tls=context, certificate=other)

    async def unknown(stand_in, access):
        with pytest.raises(RouterOsCertificateError, match=r"no authority that this machine trusts.*--api-certificate"):
            await on(access, listed)
        assert stand_in.logins == 0

    tell(unknown, tls=context)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    tell(trusted, tls=context)


def test_a_certificate_that_changes_between_two_visits_is_refused_and_the_kept_connection_is_not_used(tmp_path):
    context, digest, _ = certificate(tmp_path)

    async def story(stand_in, access):
        pool = RouterOsPool()
        assert await on(access, listed, pool) == 3
        # What the operator trusts now is another one.
        with pytest.raises(RouterOsCertificateError, match="trusted is 0000"):
            await on(replace(access, certificate=bytes(32)), listed, pool)
        assert stand_in.logins == 1
        pool.close()

    tell(story, tls=context, certificate=digest)


def test_tls_to_a_plain_port_is_explained_and_no_password_is_sent():
    async def story(stand_in, access):
        with pytest.raises(RouterOsError, match="is it the port of the plain service `api`"):
            await on(replace(access, tls=True, certificate=bytes(32)), listed)
        assert (stand_in.logins, stand_in.clear_passwords) == (0, [])

    # The beginning of TLS is partly random: who takes it for words waits for more, refuses a command, or hangs up.
    tell(story, timeout_s=1.0)


def test_plain_text_to_a_tls_port_is_explained_and_no_password_is_sent(tmp_path):
    context, _, _ = certificate(tmp_path)

    async def story(stand_in, access):
        with pytest.raises(RouterOsUnreachableError, match="--api-tls"):
            await on(replace(access, tls=False), listed)
        assert (stand_in.logins, stand_in.clear_passwords) == (0, [])

    tell(story, tls=context)


def alert_of(context: ssl.SSLContext, heard: bytes) -> bytes:
    """What OpenSSL answers to a beginning that it refuses."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(heard)
    with pytest.raises(ssl.SSLError):
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return outgoing.read()


def answering(reply, what) -> None:
    """Do `what` with the port of a server that says `reply`, or speaks TLS as a context does, to whoever connects."""
    server = socket.create_server((ADDRESS, 0))
    server.settimeout(120.0)

    def serve() -> None:
        opened, _ = server.accept()
        with opened:
            opened.settimeout(120.0)
            # All that was sent is read: what is closed with something unread resets the connection, and its answer is lost.
            heard = opened.recv(10_000)
            opened.sendall(alert_of(reply, heard) if isinstance(reply, ssl.SSLContext) else reply)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        what(server.getsockname()[1])
    finally:
        thread.join()
        server.close()


def test_the_words_of_the_other_side_tell_a_mix_up():
    access = ApiAccess(7, ADDRESS, "corrente", PASSWORD, timeout_s=60.0)

    def refused(kind, said, **settings):
        def visit(port: int) -> None:
            pool = RouterOsPool()
            with pytest.raises(kind, match=said):
                RouterOsDevice(replace(access, port=port, **settings), pool).read_sessions()
            pool.close()

        return visit

    # A fatal alert, handshake_failure (RFC 8446 section 6), as many a TLS server answers plain text.
    answering(
        bytes.fromhex("15030100020228"),
        refused(RouterOsUnreachableError, r"speaks TLS: use it \(--api-tls\)", tls=False),
    )
    # An API without TLS that refuses.
    answering(b"\x05!trap\x00", refused(RouterOsTlsError, "speaks no TLS"))
    answering(b"", refused(RouterOsUnreachableError, "closed the connection instead of speaking TLS"))
    answering(b"", refused(RouterOsUnreachableError, r"ended the connection without a word.*ip service", tls=False))
    # Only anonymous Diffie-Hellman, as a router without a certificate.
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    anonymous.maximum_version = ssl.TLSVersion.TLSv1_2
    anonymous.set_ciphers("ADH:@SECLEVEL=0")
    answering(anonymous, refused(RouterOsTlsError, r"has its service api-ssl a certificate"))
