"""RADIUS packets for tests: built byte by byte, so that broken ones are possible, and replies verified independently.

Nothing of the code under test is used here. Source: RFC 2865, RFC 2866, RFC 2869 section 5.14, RFC 5997.
"""

import hashlib
import hmac
import os
import socket
import struct
import time
from dataclasses import dataclass, field

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
STATUS_SERVER = 12

USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS, NAS_PORT = 1, 2, 3, 4, 5
FRAMED_IP_ADDRESS, REPLY_MESSAGE, STATE, CLASS, VENDOR_SPECIFIC = 8, 18, 24, 25, 26
SESSION_TIMEOUT, IDLE_TIMEOUT, CALLED_STATION_ID, CALLING_STATION_ID = 27, 28, 30, 31
NAS_IDENTIFIER, PROXY_STATE, ACCT_STATUS_TYPE, ACCT_SESSION_ID = 32, 33, 40, 44
CHAP_CHALLENGE, MESSAGE_AUTHENTICATOR, ACCT_INTERIM_INTERVAL, NAS_PORT_ID, FRAMED_POOL = 60, 80, 85, 87, 88

MICROSOFT, MIKROTIK, ADSL_FORUM = 311, 14988, 3561


def attribute(number, value):
    """One attribute as octets; text as UTF-8, numbers as 32 bits."""
    if isinstance(value, int):
        value = struct.pack("!I", value)
    elif isinstance(value, str):
        value = value.encode()
    assert len(value) <= 253, "longer than one attribute; build the octets by hand"
    return bytes([number, len(value) + 2]) + value


def vendor(vendor_id, number, value):
    """One vendor attribute as octets (RFC 2865 section 5.26)."""
    return attribute(VENDOR_SPECIFIC, struct.pack("!I", vendor_id) + attribute(number, value))


def hide_password(password, secret, authenticator):
    """RFC 2865 section 5.2."""
    padded = password + b"\0" * (-len(password) % 16) if password else b"\0" * 16
    hidden, last = b"", authenticator
    for start in range(0, len(padded), 16):
        block = hashlib.md5(secret + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[start : start + 16], block, strict=True))
        hidden += last
    return hidden


@dataclass
class Packet:
    """A packet as received: attributes in order, vendor attributes unpacked."""

    code: int
    identifier: int
    authenticator: bytes
    octets: bytes
    attributes: list = field(default_factory=list)

    def all(self, number, vendor_id=0):
        """The values of every such attribute, in order."""
        return [value for found_vendor, found, value in self.attributes if (found_vendor, found) == (vendor_id, number)]

    def one(self, number, vendor_id=0):
        """The value of the only such attribute, or None."""
        values = self.all(number, vendor_id)
        assert len(values) <= 1, f"attribute {vendor_id}/{number} is there {len(values)} times"
        return values[0] if values else None

    def number(self, number, vendor_id=0):
        """The value as an unsigned number, or None."""
        value = self.one(number, vendor_id)
        return None if value is None else int.from_bytes(value, "big")


def read_packet(octets):
    """A received packet taken apart, its lengths checked."""
    code, identifier, length = struct.unpack_from("!BBH", octets)
    assert length == len(octets), f"says {length} octets, has {len(octets)}"
    packet = Packet(code, identifier, octets[4:20], octets)
    position = 20
    while position < length:
        number, size = octets[position], octets[position + 1]
        assert size >= 2
        assert position + size <= length
        value = octets[position + 2 : position + size]
        if number == VENDOR_SPECIFIC:
            vendor_id = int.from_bytes(value[:4], "big")
            inner = 4
            while inner < len(value):
                packet.attributes.append((vendor_id, value[inner], value[inner + 2 : inner + value[inner + 1]]))
                inner += value[inner + 1]
        else:
            packet.attributes.append((0, number, value))
        position += size
    return packet


def build(code, attributes, *, secret, identifier=None, authenticator=None, signed=True):
    """A request ready to send. `attributes` are octets, or functions of the request authenticator that give octets.

    Access-Request and Status-Server get a random authenticator and, when `signed`, a Message-Authenticator in front;
    Accounting-Request gets the computed one (RFC 2866 section 3).
    """
    identifier = os.urandom(1)[0] if identifier is None else identifier
    accounting = code == ACCOUNTING_REQUEST
    authenticator = bytes(16) if accounting else authenticator or os.urandom(16)
    body = b"".join(one(authenticator) if callable(one) else one for one in attributes)
    if signed and not accounting:
        body = attribute(MESSAGE_AUTHENTICATOR, bytes(16)) + body
    octets = struct.pack("!BBH", code, identifier, 20 + len(body)) + authenticator + body
    if accounting:
        return octets[:4] + hashlib.md5(octets + secret).digest() + octets[20:]
    if signed:
        signature = hmac.digest(secret, octets, "md5")
        octets = octets[:22] + signature + octets[38:]
    return octets


def pap(password, secret):
    """A User-Password attribute for `build`."""
    octets = password.encode() if isinstance(password, str) else password
    return lambda authenticator: attribute(USER_PASSWORD, hide_password(octets, secret, authenticator))


def chap(password, *, challenge=None, chap_id=7):
    """CHAP-Password, and CHAP-Challenge when one is given; else the challenge is the request authenticator."""

    def octets(authenticator):
        digest = hashlib.md5(bytes([chap_id]) + password.encode() + (challenge or authenticator)).digest()
        answer = attribute(CHAP_PASSWORD, bytes([chap_id]) + digest)
        return answer + (attribute(CHAP_CHALLENGE, challenge) if challenge else b"")

    return octets


def access_request(username, *credentials, secret, extra=(), **options):
    """An Access-Request with a username and whatever else."""
    name = () if username is None else (attribute(USER_NAME, username),)
    return build(ACCESS_REQUEST, [*name, *credentials, *extra], secret=secret, **options)


def verified(octets, request, secret):
    """The reply taken apart, after its authenticator and Message-Authenticator were found right.

    Raises: AssertionError for a reply that a careful access device would drop.
    """
    expected = hashlib.md5(octets[:4] + request[4:20] + octets[20:] + secret).digest()
    assert octets[4:20] == expected, "the Response Authenticator is wrong"
    packet = read_packet(octets)
    assert packet.identifier == request[1]
    signature = packet.one(MESSAGE_AUTHENTICATOR)
    if signature is not None:
        unsigned = octets[:4] + request[4:20] + octets[20:].replace(signature, bytes(16), 1)
        assert signature == hmac.digest(secret, unsigned, "md5"), "the Message-Authenticator is wrong"
    return packet


class Device:
    """A socket from which an access device speaks; close it or use it as a context."""

    def __init__(self, server, secret, *, source="127.0.0.1"):
        self.secret = secret
        self.server = server
        self.socket = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        """Send raw octets to the server."""
        self.socket.sendto(octets, self.server)

    def receive(self, request, *, timeout_s=120.0):
        """The verified reply to `request`, or None when none comes. Replies to other requests are passed over."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                octets = self.socket.recv(4096)
            except TimeoutError:
                return None
            # Where nobody listens yet, a datagram to a port that is this socket's own comes back to it.
            if octets[1] == request[1] and octets != request:
                return verified(octets, request, self.secret)
        return None

    def ask(self, request, *, timeout_s=120.0):
        """Send a request and wait for its reply; None when there is none."""
        self.send(request)
        return self.receive(request, timeout_s=timeout_s)

    def is_silent(self, request, *, timeout_s=1.0):
        """Whether a request stays without an answer for that long."""
        return self.ask(request, timeout_s=timeout_s) is None

    def login(self, username, password, *extra, timeout_s=120.0):
        """Log in with PAP."""
        request = access_request(username, pap(password, self.secret), secret=self.secret, extra=extra)
        return self.ask(request, timeout_s=timeout_s)

    def account(self, status, session_id, *extra, timeout_s=120.0):
        """Send an accounting record (1 Start, 2 Stop, 3 Interim-Update)."""
        attributes = [attribute(ACCT_STATUS_TYPE, status), attribute(ACCT_SESSION_ID, session_id), *extra]
        return self.ask(build(ACCOUNTING_REQUEST, attributes, secret=self.secret), timeout_s=timeout_s)
