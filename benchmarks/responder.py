"""A server that answers everything at once and knows nothing: it shows what the generator itself can reach.

If a RADIUS server comes near this figure, the generator is what was measured.
"""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.datagrams import SLOT_OCTETS, Inbox
from benchmarks.packets import ACCESS_ACCEPT, HEADER_OCTETS


def _answer_for_ever(opened: socket.socket) -> None:
    inbox = Inbox(with_addresses=True)
    length = HEADER_OCTETS.to_bytes(2, "big")
    while True:
        got = inbox.receive(opened, wait=True)
        for start in range(0, got * SLOT_OCTETS, SLOT_OCTETS):
            inbox.data[start] = ACCESS_ACCEPT
            inbox.data[start + 2 : start + 4] = length
        inbox.send_back(opened, got, HEADER_OCTETS)


@contextmanager
def trivial_responder() -> Iterator[tuple[str, int]]:
    """The address of a responder that lives as long as the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        opened.bind(("127.0.0.1", 0))
        process = multiprocessing.get_context("fork").Process(target=_answer_for_ever, args=(opened,), daemon=True)
        process.start()
        try:
            yield opened.getsockname()
        finally:
            process.terminate()
            process.join()
