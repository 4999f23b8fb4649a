"""UDP source ports shared by all exchanges, with what the network says of a datagram that did not arrive. The edge.

A port is not connected, so that one serves every NAS; Linux then reports ICMP errors only to who asks for its error queue.
An error names the datagram it is about: address, port and octets.

Source: ip(7) IP_RECVERR, ipv6(7) IPV6_RECVERR, recv(2) MSG_ERRQUEUE.
Next: packets.py
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

# linux/in.h and linux/in6.h; Python has no names for them.
_RECVERR: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_MAX_DATAGRAM: Final = 4097
_MAX_READS_AT_ONCE: Final = 256
# A reboot of many NASes answers at once; the default holds some 200 datagrams.
_RECEIVE_BUFFER_OCTETS: Final = 4 << 20
# Errors about other datagrams come up at a send, one each time; there can't be endless many.
_MAX_SEND_TRIES: Final = 8

Peer = tuple[str, int]


class SourcePort:
    """One bound socket. `heard` is given each datagram, `refused` each one of ours that met a closed port."""

    def __init__(
        self,
        family: socket.AddressFamily,
        source_address: str | None,
        *,
        heard: Callable[[bytes, Peer], None],
        refused: Callable[[bytes, Peer], None],
    ) -> None:
        """Raises: OSError when the address is not this machine's, or no descriptor is left."""
        self._heard = heard
        self._refused = refused
        self._socket = _opened(family, source_address)
        self._family = family
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, raw: bytes, peer: Peer) -> OSError | None:
        """Put a datagram on the wire; None when it left, or when it is lost as datagrams are."""
        for _ in range(_MAX_SEND_TRIES):
            try:
                self._socket.sendto(raw, peer)
            except BlockingIOError:
                # The buffer is full: lost like any other, and sent again in its time.
                return None
            except ConnectionRefusedError:
                # Not about this datagram: an earlier one's error was waiting. Its details come up in the error queue.
                continue
            except OSError as error:
                return error
            else:
                return None
        return None

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_MAX_READS_AT_ONCE):
            try:
                raw, source = self._socket.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                # The error of an earlier datagram; its details are in the error queue.
                continue
            self._heard(raw, (source[0], source[1]))
            if self._socket.fileno() < 0:
                return
        self._read_errors()

    def _read_errors(self) -> None:
        for _ in range(_MAX_READS_AT_ONCE):
            try:
                raw, ancillary, _, peer = self._socket.recvmsg(_MAX_DATAGRAM, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if any(_is_refusal(level, kind, data, self._family) for level, kind, data in ancillary):
                self._refused(raw, (peer[0], peer[1]))
                if self._socket.fileno() < 0:
                    return


def family_of(address: str) -> socket.AddressFamily:
    """The address family. Raises: ValueError."""
    return socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6


def _opened(family: socket.AddressFamily, source_address: str | None) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
        opened.setsockopt(*_RECVERR[family], 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((source_address or "", 0))
    except OSError:
        opened.close()
        raise
    return opened


def _is_refusal(level: int, kind: int, data: bytes, family: socket.AddressFamily) -> bool:
    """Whether a control message says that nobody listens. `data` begins with struct sock_extended_err: errno first."""
    if (level, kind) != _RECVERR[family] or len(data) < 4:
        return False
    return bool(struct.unpack_from("=I", data)[0] == errno.ECONNREFUSED)
