"""Stands in for what Debian's pppd lacks, a listener for Disconnect-Request: run beside it with the port, the secret and the
interface towards the RADIUS server.

It learns the sessions from the accounting records that pppd's own plugin sends, ends one by the pid file of its pppd, and can't
change any. Reads and signs by pyrad, not by our code. Source: RFC 5176 sections 3, 3.3, 3.5.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket, CoAPacket

DISCONNECT, ACK_OFFSET, NAK_OFFSET = 40, 1, 2
UNSUPPORTED_SERVICE, UNSUPPORTED_ATTRIBUTE, NOT_FOUND = 405, 401, 503
_ALL_FRAMES, _IP_AND_UDP, _ETHERNET = 0x0003, 28, 14
_WINDOW_S = 300
# Section 3: a Disconnect-Request names the NAS and the session, and nothing else. User-Name, NAS-IP-Address, Acct-Session-Id,
# Event-Timestamp, Message-Authenticator.
_MAY_HOLD = {1, 4, 44, 55, 80}
_DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port 5 integer
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Event-Timestamp 55 integer
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE Error-Cause 101 integer
"""
_STOP = 2


@dataclass
class StandIn:
    """The sessions by name and session id, each with the unit of its PPP interface; and what was answered."""

    secret: bytes
    sessions: dict[tuple[str, str], int] = field(default_factory=dict)
    answered: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    dictionary: Dictionary = field(default_factory=lambda: Dictionary(StringIO(_DICTIONARY)))

    def learn(self, octets: bytes) -> None:
        """A session that begins, lives or ends, from a record of the plugin."""
        record = AcctPacket(packet=octets, secret=self.secret, dict=self.dictionary)
        name = (record["User-Name"][0], record["Acct-Session-Id"][0])
        if record["Acct-Status-Type"][0] == _STOP:
            self.sessions.pop(name, None)
        else:
            self.sessions[name] = record["NAS-Port"][0]

    def answer(self, octets: bytes, source: tuple[str, int]) -> bytes | None:
        """The answer to a request, None to one that is not genuine; a repeated one is not acted on again."""
        request = CoAPacket(packet=octets, secret=self.secret, dict=self.dictionary)
        if not request.VerifyCoARequest() or not request.verify_message_authenticator():
            return None
        if abs(time.time() - request["Event-Timestamp"][0]) > _WINDOW_S:
            return None
        key = (source, octets)
        if key not in self.answered:
            self.answered[key] = self._act(request)
        return self.answered[key]

    def _act(self, request: CoAPacket) -> bytes:
        cause = self._end(request) if request.code == DISCONNECT else UNSUPPORTED_SERVICE
        reply = request.CreateReply()
        reply.code = request.code + (NAK_OFFSET if cause else ACK_OFFSET)
        if cause:
            reply["Error-Cause"] = cause
        say(f"{request.code} {request.get('User-Name')} {request.get('Acct-Session-Id')} -> {reply.code} {cause}")
        octets: bytes = reply.ReplyPacket()
        return octets

    def _end(self, request: CoAPacket) -> int:
        """End the one session that is named by all of its names; the cause when there is none."""
        if not set(request) <= _MAY_HOLD:
            return UNSUPPORTED_ATTRIBUTE
        unit = self.sessions.pop((request["User-Name"][0], request["Acct-Session-Id"][0]), None)
        if unit is None:
            return NOT_FOUND
        os.kill(int(Path(f"/run/ppp{unit}.pid").read_text()), signal.SIGTERM)
        return 0


def say(what: str) -> None:
    """A line for the test's failure message."""
    print(what, flush=True)


def records(frame: bytes, server_port: int) -> list[bytes]:
    """The accounting request in an Ethernet frame of IPv4 without options, if it is one."""
    is_udp = frame[12:15] == b"\x08\x00\x45" and frame[23] == socket.IPPROTO_UDP
    if not is_udp or int.from_bytes(frame[36:38], "big") != server_port:
        return []
    return [frame[_ETHERNET + _IP_AND_UDP : _ETHERNET + int.from_bytes(frame[16:18], "big")]]


def main(port: str, secret: str, interface: str) -> None:
    """Listens until it is killed."""
    stand_in = StandIn(secret.encode())
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES)) as wire,
    ):
        asked.bind(("", int(port)))
        wire.bind((interface, 0))
        say("listens")
        while True:
            # What the records say comes first: a request may follow at once.
            ready, _, _ = select.select([wire, asked], [], [])
            if wire in ready:
                for octets in records(wire.recv(65535), 1813):
                    stand_in.learn(octets)
            elif asked in ready:
                octets, source = asked.recvfrom(4096)
                reply = stand_in.answer(octets, source)
                if reply is not None:
                    asked.sendto(reply, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
