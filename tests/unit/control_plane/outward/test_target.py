"""Which URLs are called, and which addresses a call may reach."""

import pytest

from control_plane.outward.target import Target, TargetError, may_reach, read_target


def test_a_url_s_parts_are_read_with_the_port_that_its_scheme_has():
    assert read_target("https://example.com") == Target("example.com", 443, "/", tls=True)
    assert read_target("https://example.com:8443/in?k=1") == Target("example.com", 8443, "/in?k=1", tls=True)
    assert read_target("http://[::1]:81/x", allow_private=True) == Target("::1", 81, "/x", tls=False)
    assert read_target("https://[2001:db8::1]:8443/").authority == "[2001:db8::1]:8443"
    assert read_target("https://example.com:443/").authority == "example.com"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/", "expected https://; without TLS"),
        ("ftp://example.com/", "expected https://host/path"),
        ("example.com/in", "expected https://host/path"),
        ("https://anna:secret@example.com/", "names no user and no password"),
        ("https://example.com/#part", "never sent"),
        ("https:///in", "expected a host name"),
        ("https://exam_ple.com/", "expected a host name"),
        ("https://example.com:70000/", "no number from 1 to 65535"),
        ("https://example.com:0/", "no port 0"),
        ("https://exa mple.com/", "printable ASCII"),
        ("https://example.com/\r\nX: y", "printable ASCII"),
        ("https://münchen.example/", "printable ASCII"),
        ("https://example.com/" + "x" * 2000, "up to 2000"),
    ],
)
def test_what_is_not_called_is_refused_with_the_reason(url, said):
    with pytest.raises(TargetError, match=said):
        read_target(url)


def test_the_password_in_a_url_is_not_repeated():
    with pytest.raises(TargetError) as refused:
        read_target("https://anna:s3cret@example.com/")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "::ffff:93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
)
def test_a_public_address_may_be_reached(address):
    assert may_reach(address)


# This machine, private networks, link-local (a cloud's metadata), shared space, documentation, multicast, and each of them
# within another address.
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *(
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:224.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::",
            "2002:0a00:0001::1",
        ),
        # Site-local (RFC 3879), documentation (RFC 9637), segment routing (RFC 9602), not given out, protocol assignments, 6to4's relays.
        *("fec0::1", "3fff::1", "5f00::1", "4000::1", "192.0.0.9", "192.88.99.1", "64:ff9b:1::5db8:d822"),
        *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2001:0:7f00:1::"),
        *("", "example.com", "1.2.3"),
    ],
)
def test_an_address_that_is_not_anybody_s_is_not_reached(address):
    assert not may_reach(address)


def test_a_setting_lets_private_addresses_be_reached_and_multicast_not():
    assert may_reach("127.0.0.1", allow_private=True)
    assert may_reach("fd12::1", allow_private=True)
    for never in ("224.0.0.1", "ff02::1", "0.0.0.0", "::", "x"):
        assert not may_reach(never, allow_private=True)
