"""The load generator of the benchmarks, against a real FreeRADIUS and against a server that loses packets."""

import socket
import threading

import pytest

from benchmarks.load import LoadPlan, run_load
from benchmarks.packets import ACCESS_ACCEPT, ACCESS_REJECT, Subscriber, access_request
from benchmarks.population import RADIUS_SECRET, working_directory
from benchmarks.rivals import files_server

pytestmark = pytest.mark.radius


def _lanes(lanes: int, per_lane: int, secret: bytes = RADIUS_SECRET) -> list[list[bytes]]:
    return [
        [
            access_request(Subscriber(lane * per_lane + number), identifier=number % 256, secret=secret)
            for number in range(per_lane)
        ]
        for lane in range(lanes)
    ]


def test_every_login_is_answered_once_and_the_replies_are_genuine():
    known = [Subscriber(number) for number in range(1500)]
    with working_directory() as base, files_server(base, known, threads=4) as server:
        plan = LoadPlan(server.authentication, RADIUS_SECRET, window=32, duration_s=600, repeat=False, sample_every=1)

        result = run_load(plan, _lanes(2, 1000))

    assert result.answered == {ACCESS_ACCEPT: 1500, ACCESS_REJECT: 500}
    assert result.lost == 0
    assert (result.checked, result.forged) == (2000, 0)


def test_a_server_with_another_secret_is_found_out():
    with working_directory() as base, files_server(base, [Subscriber(0)], threads=4) as server:
        plan = LoadPlan(server.authentication, b"what we think", duration_s=2, timeout_s=0.2, tries=2, repeat=False)

        result = run_load(plan, _lanes(1, 10, b"what we think"))

    assert result.lost == 10  # FreeRADIUS drops what carries a wrong Message-Authenticator


class _Forgetful(threading.Thread):
    """Answers the requests whose number of arrival is not in `ignored`, with replies that nobody signed."""

    def __init__(self, ignored: set[int]) -> None:
        super().__init__(daemon=True)
        self._ignored = ignored
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.seen: list[bytes] = []

    def run(self) -> None:
        while True:
            request, sender = self.socket.recvfrom(4096)
            if request == b"stop":
                return
            self.seen.append(request)
            if len(self.seen) not in self._ignored:
                self.socket.sendto(bytes((2, request[1], 0, 20)) + bytes(16), sender)

    def stop(self) -> None:
        self.socket.sendto(b"stop", self.socket.getsockname())
        self.join()
        self.socket.close()


def _run_against(server: _Forgetful, requests: int, **how: float) -> tuple:
    server.start()
    plan = LoadPlan(server.socket.getsockname(), b"secret", duration_s=600, repeat=False, sample_every=1, **how)
    try:
        return run_load(plan, _lanes(1, requests))
    finally:
        server.stop()


def test_an_unanswered_request_is_sent_again_unchanged_and_counted():
    server = _Forgetful(ignored={3})
    # One under way at a time, so that the third to arrive is the third sent. Its reply is unsigned, so with
    # signatures checked the one after the repetition is not taken.
    result = _run_against(server, 5, window=1, timeout_s=2.5, tries=3)

    assert (result.sent, result.resent) == (5, 3 - 1)
    assert server.seen[2] == server.seen[3] == server.seen[4]
    assert result.lost == 1


def test_a_request_that_is_never_answered_is_lost_after_all_its_tries():
    server = _Forgetful(ignored={2, 3, 4})

    result = _run_against(server, 4, window=1, timeout_s=2.5, tries=3)

    assert (result.sent, result.resent, result.lost, result.answers) == (4, 2, 1, 3)


def test_unsigned_replies_are_counted_as_forged():
    server = _Forgetful(ignored=set())

    result = _run_against(server, 8)

    assert (result.checked, result.forged) == (8, 8)
