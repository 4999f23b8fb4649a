"""In which order a password is shown to a RouterOS API, how long one waits for it, and what is never said of it."""

import pytest

from nas_drivers.transport.routeros_access import ApiAccess, ApiLogin, LoginWay, name_of, port_of, ways_of

CHALLENGE, CLEAR = LoginWay.CHALLENGE, LoginWay.CLEAR


def access(**settings) -> ApiAccess:
    return ApiAccess(7, "192.0.2.1", "corrente", "the password", **settings)


@pytest.mark.parametrize(
    ("login", "tls", "last", "ways"),
    [
        (ApiLogin.AUTO, True, None, (CLEAR,)),
        (ApiLogin.AUTO, False, None, (CHALLENGE, CLEAR)),
        (ApiLogin.AUTO, False, CHALLENGE, (CHALLENGE, CLEAR)),
        (ApiLogin.AUTO, False, CLEAR, (CLEAR,)),
        (ApiLogin.CHALLENGE, True, None, (CHALLENGE,)),
        (ApiLogin.CHALLENGE, False, CLEAR, (CHALLENGE,)),
        (ApiLogin.CLEAR, False, CHALLENGE, (CLEAR,)),
    ],
)
def test_a_password_goes_in_clear_under_tls_or_to_who_takes_no_challenge_and_never_where_it_is_forbidden(
    login, tls, last, ways
):
    assert ways_of(access(login=login, tls=tls), last=last) == ways


def test_the_port_is_the_one_of_the_service_unless_another_is_named():
    assert [port_of(access()), port_of(access(tls=False)), port_of(access(port=18728))] == [8729, 8728, 18728]


@pytest.mark.parametrize(("timeout_s", "silence_s"), [(10.0, 5.0), (30.0, 15.0), (300.0, 15.0)])
def test_a_silent_device_leaves_half_of_the_time_for_another_try(timeout_s, silence_s):
    assert access(timeout_s=timeout_s).silence_s == silence_s


def test_neither_its_name_nor_its_picture_has_the_password():
    assert name_of(access()) == "RouterOS API of NAS 7 at 192.0.2.1 port 8729"
    assert "the password" not in repr(access())
