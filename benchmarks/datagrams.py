"""Many datagrams a system call: sendmmsg and recvmmsg of the C library, which Python's socket module does not offer.

One call a batch is what lets a generator written in Python load a RADIUS server written in C on the same two cores.

Source: recvmmsg(2), sendmmsg(2); the layouts are those of Linux on 64-bit machines, held by ctypes' native alignment.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

# Linux refuses more messages a call than this (UIO_MAXIOV).
MAX_BATCH: Final = 1024
# RADIUS replies of these benchmarks stay far below it; a longer one is cut and then fails its check.
SLOT_OCTETS: Final = 1024

_libc = ctypes.CDLL(None, use_errno=True)


class _IoVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MessageHeader(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _MessageHeader), ("length", ctypes.c_uint32))


_MESSAGE_OCTETS: Final = ctypes.sizeof(_Message)
_VECTOR_OCTETS: Final = ctypes.sizeof(_IoVector)


class Outbox:
    """Datagrams laid out in memory once, so that sending a run of them is one call and no copying in Python."""

    def __init__(self, packets: Sequence[bytes]) -> None:
        self._data = ctypes.create_string_buffer(b"".join(packets), sum(map(len, packets)) or 1)
        self._vectors = (_IoVector * len(packets))()
        self._messages = (_Message * len(packets))()
        where, vectors = ctypes.addressof(self._data), ctypes.addressof(self._vectors)
        for index, packet in enumerate(packets):
            vector = self._vectors[index]
            vector.base, vector.length = where, len(packet)
            where += len(packet)
            header = self._messages[index].header
            header.vectors, header.vector_count = vectors + index * _VECTOR_OCTETS, 1
        self._address = ctypes.addressof(self._messages)

    def send(self, opened: socket.socket, first: int, count: int) -> int:
        """Send `count` datagrams from number `first` on; returns how many the kernel took.

        A connected socket reports an earlier datagram that found no listener as "connection refused": counted as none
        taken, the caller tries again.
        """
        taken: int = _libc.sendmmsg(
            opened.fileno(),
            ctypes.c_void_p(self._address + first * _MESSAGE_OCTETS),
            min(count, MAX_BATCH),
            socket.MSG_DONTWAIT,
        )
        if taken >= 0:
            return taken
        number = ctypes.get_errno()
        if number in {errno.EAGAIN, errno.ECONNREFUSED, errno.EINTR}:
            return 0
        raise OSError(number, os.strerror(number))


class Inbox:
    """Room for one batch of datagrams, with the senders' addresses when they are wanted."""

    def __init__(self, slots: int = 256, *, with_addresses: bool = False) -> None:
        self._slots = slots
        self.data = bytearray(slots * SLOT_OCTETS)
        self._pinned = (ctypes.c_char * len(self.data)).from_buffer(self.data)
        self._names = ctypes.create_string_buffer(slots * 32)
        self._vectors = (_IoVector * slots)()
        self._messages = (_Message * slots)()
        self._with_addresses = with_addresses
        base, vectors = ctypes.addressof(self._pinned), ctypes.addressof(self._vectors)
        for index in range(slots):
            self._vectors[index].base = base + index * SLOT_OCTETS
            self._vectors[index].length = SLOT_OCTETS
            header = self._messages[index].header
            header.vectors, header.vector_count = vectors + index * _VECTOR_OCTETS, 1
            if with_addresses:
                header.name = ctypes.addressof(self._names) + index * 32
                header.name_length = 32
        self._address = ctypes.c_void_p(ctypes.addressof(self._messages))

    def receive(self, opened: socket.socket, *, wait: bool = False) -> int:
        """Take the datagrams that are there; returns their number. With `wait`, at least one."""
        flags = 0x10000 if wait else socket.MSG_DONTWAIT  # MSG_WAITFORONE
        got: int = _libc.recvmmsg(opened.fileno(), self._address, self._slots, flags, None)
        if got >= 0:
            return got
        number = ctypes.get_errno()
        if number in {errno.EAGAIN, errno.ECONNREFUSED, errno.EINTR}:
            return 0
        raise OSError(number, os.strerror(number))

    def datagram(self, index: int) -> bytes:
        """One datagram of the last batch."""
        start = index * SLOT_OCTETS
        return bytes(self.data[start : start + self._messages[index].length])

    def octets_at(self, offset: int, count: int) -> bytearray:
        """The octet at `offset` of each of the first `count` datagrams, taken in one go."""
        return self.data[offset : count * SLOT_OCTETS : SLOT_OCTETS]

    def send_back(self, opened: socket.socket, count: int, length: int) -> None:
        """Send the first `length` octets of each of the `count` datagrams to where they came from."""
        for index in range(count):
            self._vectors[index].length = length
        sent = 0
        while sent < count:
            address = ctypes.c_void_p((self._address.value or 0) + sent * _MESSAGE_OCTETS)
            taken = _libc.sendmmsg(opened.fileno(), address, count - sent, 0)
            if taken < 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            sent += taken
        for index in range(count):
            self._vectors[index].length = SLOT_OCTETS
            self._messages[index].header.name_length = 32
