"""What the fault suite needs of each provider: a stand-in of its authority, and words for what it is to do.

A new country is a file here beside its provider, and nothing in the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from control_plane.einvoice.test_authority_server import Authority, AuthorityServer, Kept

TAX_NUMBER: Final = "01234560017"


class StandIn(Protocol):
    """An authority that is under the suite's thumb. Documents are named by their number in the one series that is used."""

    settings: Mapping[str, str]
    secret: bytes

    def does(self, *words: str) -> None:
        """With the next documents: the words of test_authority_server.FAULTS, as far as the authority can do such a thing."""

    def goes_away(self, *, away: bool) -> None:
        """Nobody answers, or somebody again."""

    def accepted(self) -> list[int]:
        """The numbers of invoices that it accepted, each as often as it did."""

    def settles(self, number: int, result: str, *, times: int = 1) -> None:
        """What was pending becomes this, or what was settled against its word; told by so many messages."""

    def forges(self, number: int, result: str) -> None:
        """Somebody else tells this in its name."""

    def tells_of(self, key: str) -> None:
        """A message about a key of which nothing was sent."""

    def asked_before_sent_again(self) -> bool:
        """Whether every document that was sent a second time was asked about in between."""

    def holds_another(self, number: int) -> None:
        """Somebody else has used this number."""


class _TestAuthority:
    def __init__(self, server: AuthorityServer, key: Ed25519PrivateKey) -> None:
        self._its = server.authority
        self.secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.settings = {"url": server.url, "tax_number": TAX_NUMBER, "authority_key": self._its.public_key}

    def does(self, *words: str) -> None:
        self._its.script += words

    def goes_away(self, *, away: bool) -> None:
        self._its.away = away

    def accepted(self) -> list[int]:
        return [int(key.rpartition("-")[2]) for key in self._its.accepted if key.startswith("invoice-")]

    def settles(self, number: int, result: str, *, times: int = 1) -> None:
        key = f"invoice-A-{number}"
        self._its.settle(key, result, text="as settled", tells=False)
        for time in range(times):
            self._its.tell(key, note=time)

    def forges(self, number: int, result: str) -> None:
        self._its.tell(f"invoice-A-{number}", forged=True, result=result)

    def tells_of(self, key: str) -> None:
        self._its.documents[key] = Kept("", b"", "rejected_final", TAX_NUMBER)
        self._its.tell(key)

    def asked_before_sent_again(self) -> bool:
        """Where something was kept or the connection broke; what it said itself that it did not take needs no question."""
        doubtful: set[str] = set()
        for call in self._its.took:
            how, _, key = call.partition(" ")
            if how == "asked":
                doubtful.discard(key)
            elif key in doubtful:
                return False
            elif how == "doubt":
                doubtful.add(key)
        return True

    def holds_another(self, number: int) -> None:
        self._its.keep_of_others(f"invoice-A-{number}", TAX_NUMBER)


@contextmanager
def _test_authority() -> Iterator[StandIn]:
    key, authority = Ed25519PrivateKey.generate(), Authority()
    authority.register(TAX_NUMBER, key.public_key().public_bytes_raw())
    with AuthorityServer(authority) as server:
        yield _TestAuthority(server, key)


STAND_INS: Final[Mapping[str, Callable[[], AbstractContextManager[StandIn]]]] = {"test_authority": _test_authority}
