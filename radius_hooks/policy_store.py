"""The policy store: what a RADIUS node knows without asking anyone, in LMDB files.

A store is a directory of generations and one link to the generation in use:

    policy/current -> gen-000007
    policy/gen-000007/{data.mdb,lock.mdb}

A full rebuild fills a new generation while readers go on with the old one; one atomic rename of `current` switches.
Small changes are written into the generation in use, a transaction a batch.

Why the reader registers (`lock=True`): an unregistered reader beside a writer can read recycled pages. Why the map is
16 GiB for both sides: with a smaller one every look-up raised `MapResizedError` as soon as the writer wrote.
Both were seen; see docs/decisions/0001.

Units: epochs in whole seconds UTC.
Next: decision.py
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import lmdb
import msgspec

from radius_hooks.policy_records import (
    FORMAT,
    AccountRecord,
    Level,
    LiveSession,
    NasRecord,
    OwnBlock,
    PolicyStep,
    ProfileRecord,
    ReplyItem,
    SecretKind,
    StoreMeta,
)

__all__ = [
    "FORMAT",
    "MAP_SIZE_BYTES",
    "AccountRecord",
    "Level",
    "LiveSession",
    "NasRecord",
    "OwnBlock",
    "PolicyBatch",
    "PolicyReader",
    "PolicyStep",
    "PolicyWriter",
    "ProfileRecord",
    "Rebuild",
    "ReplyItem",
    "SecretKind",
    "Snapshot",
    "StoreError",
    "StoreMeta",
    "account_key",
    "decode_profile",
    "nas_key",
    "profile_key",
    "session_key",
]

# Sparse, so it costs address space only. One million accounts take about 100 MB of it.
MAP_SIZE_BYTES: Final = 16 << 30
# FreeRADIUS runs one thread or a few (radius.threads, 32 at most); readers of the command line and of a second process come on top.
MAX_READERS: Final = 126
_DATABASES: Final = (b"account", b"profile", b"nas", b"session", b"meta")
_META_KEY: Final = b"meta"
# How many source addresses' records a reader keeps until the store changes.
_MAX_KEPT_NASES: Final = 4096
# How often a reader looks again for the generation in use when it is replaced under its eyes.
_SWITCH_ATTEMPTS: Final = 5
# The edge and FreeRADIUS are two users with one group: new files inherit the group of the directory (setgid), readers
# write their registration into the lock file and nothing else.
_DIRECTORY_MODE: Final = 0o2770
_LOCK_MODE: Final = 0o660
_DATA_MODE: Final = 0o640


class StoreError(Exception):
    """The policy store can't be used; the message says which file and what to do."""


_encode = msgspec.msgpack.Encoder().encode
_decode_account = msgspec.msgpack.Decoder(AccountRecord).decode
_decode_profile = msgspec.msgpack.Decoder(ProfileRecord).decode
decode_profile = _decode_profile
_decode_nas = msgspec.msgpack.Decoder(NasRecord).decode
_decode_sessions = msgspec.msgpack.Decoder(tuple[LiveSession, ...]).decode
_decode_meta = msgspec.msgpack.Decoder(StoreMeta).decode


def account_key(username: str) -> bytes:
    """The key of an account: its username byte for byte. FreeRADIUS refuses longer names than 253 bytes before us."""
    return username.encode()


def profile_key(profile_id: int, vendor: str) -> bytes:
    """The key of a rendered profile."""
    return b"%d/%b" % (profile_id, vendor.encode())


def nas_key(network: str) -> bytes:
    """The key of a NAS: its source prefix in canonical text, host addresses with their full length."""
    return str(ip_network(network)).encode()


def session_key(account_id: int) -> bytes:
    """The key of an account's live sessions."""
    return account_id.to_bytes(8, "big")


class _Generation:
    """One opened generation and its five databases."""

    def __init__(self, path: Path, *, writable: bool, durable: bool = True) -> None:
        self.path = path
        self.env = lmdb.open(
            str(path),
            map_size=MAP_SIZE_BYTES,
            max_dbs=len(_DATABASES),
            max_readers=MAX_READERS,
            readonly=not writable,
            lock=True,
            create=writable,
            sync=durable,
            # One write to the disk a commit, not two: after a power cut the last one may be gone, and its position with it.
            metasync=False,
            readahead=False,
            mode=_LOCK_MODE,
        )
        names = {name: self.env.open_db(name, create=writable) for name in _DATABASES}
        self.account, self.profile, self.nas, self.session, self.meta = (names[name] for name in _DATABASES)

    def share(self) -> None:
        """Set the modes that the caller's umask took away."""
        self.path.chmod(_DIRECTORY_MODE)
        (self.path / "lock.mdb").chmod(_LOCK_MODE)
        (self.path / "data.mdb").chmod(_DATA_MODE)

    def close(self) -> None:
        self.env.close()


def _is_cut(path: Path) -> bool:
    """Whether pages are missing at the end of a generation: to look at one would kill the process (SIGBUS), at each start.

    Never asked by readers: a last page that was freed in the transaction that took it was never written, and is not missed.
    """
    with lmdb.open(str(path), readonly=True, create=False) as env:
        whole = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    return (path / "data.mdb").stat().st_size < whole


class _State:
    """What was read of one state of the store that every login needs: NASes, profiles, what the store says of itself.

    LMDB numbers its states: as long as the number is the same, so is the content. The edge writes about once a second.
    """

    __slots__ = ("meta", "nas", "number", "profiles")

    def __init__(self, number: int) -> None:
        self.number = number
        self.meta: StoreMeta | None = None
        self.nas: dict[str, NasRecord] = {}
        self.profiles: dict[bytes, bytes] = {}


class PolicyReader:
    """Look-ups in the store, always in the generation in use.

    Raises: StoreError when there is no store yet or it is of another format.
    """

    def __init__(self, directory: Path) -> None:
        self._link = str(directory / "current")
        self._directory = directory
        self._target = ""
        self._generation: _Generation | None = None
        self._state = _State(0)

    def _open(self, target: str) -> None:
        path = self._directory / target
        try:
            generation = _Generation(path, writable=False)
        except lmdb.Error as error:
            raise StoreError(f"policy store {path} can't be opened ({error}); is the edge running?") from error
        with generation.env.begin() as txn:
            raw = txn.get(_META_KEY, db=generation.meta)
        try:
            meta = _decode_meta(raw) if raw is not None else None
        except msgspec.MsgspecError:
            meta = None
        if meta is None or meta.format != FORMAT:
            generation.close()
            found = "none" if meta is None else str(meta.format)
            raise StoreError(
                f"policy store {path} has format {found}, this program reads {FORMAT}; the edge rebuilds it"
            )
        self.close()
        self._generation, self._target, self._state = generation, target, _State(0)

    def reading(self) -> Snapshot:
        """One consistent view for one decision, as a context. Kept short: an open one stops the writer reusing pages."""
        target = self._in_use()
        if target != self._target:
            self._follow(target)
        generation = self._generation
        assert generation is not None
        txn = generation.env.begin()
        number = txn.id()
        if number != self._state.number:
            self._state = _State(number)
        return Snapshot(txn, generation, self._state)

    def _follow(self, target: str) -> None:
        """Open the generation in use, which may be switched while we look."""
        attempts = _SWITCH_ATTEMPTS
        while target != self._target:
            try:
                self._open(target)
            except StoreError:
                attempts -= 1
                changed = self._in_use()
                # Removed between the two looks: the next one is in use by now.
                if changed == target or not attempts:
                    raise
                target = changed

    def _in_use(self) -> str:
        try:
            return os.readlink(self._link)
        except OSError as error:
            raise StoreError(f"no policy store at {self._directory}: start `corrente edge` once") from error

    def close(self) -> None:
        """Let go of the generation in use."""
        if self._generation is not None:
            self._generation.close()
        self._generation = None
        self._target = ""


class Snapshot:
    """The look-ups of one decision; a context that lets go of its view of the store."""

    __slots__ = ("_generation", "_state", "_txn")

    def __init__(self, txn: lmdb.Transaction[bytes], generation: _Generation, state: _State) -> None:
        self._txn = txn
        self._generation = generation
        self._state = state

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self._txn.abort()

    def account(self, username: str) -> AccountRecord | None:
        """The account of that username, byte for byte."""
        raw = self._txn.get(account_key(username), db=self._generation.account)
        return None if raw is None else _decode_account(raw)

    def profile(self, profile_id: int, vendor: str) -> ProfileRecord | None:
        """The profile as rendered for a vendor."""
        raw = self._txn.get(profile_key(profile_id, vendor), db=self._generation.profile)
        return None if raw is None else _decode_profile(raw)

    def profile_octets(self, profile_id: int, vendor: str) -> bytes | None:
        """The profile as it is stored: the hook keeps what it made of these octets. `decode_profile` reads them."""
        key = profile_key(profile_id, vendor)
        octets = self._state.profiles.get(key)
        if octets is None:
            octets = self._txn.get(key, db=self._generation.profile)
            if octets is not None:
                self._state.profiles[key] = octets
        return octets

    def sessions(self, account_id: int) -> tuple[LiveSession, ...]:
        """The account's live sessions as far as accounting has told."""
        raw = self._txn.get(session_key(account_id), db=self._generation.session)
        return () if raw is None else _decode_sessions(raw)

    def nas(self, source: str) -> NasRecord | None:
        """The NAS that sends from `source`: the longest prefix that holds it."""
        record = self._state.nas.get(source)
        if record is None:
            record = self._look_up_nas(source)
            # With a wide prefix every address of it could come, forged or not.
            if record is not None and len(self._state.nas) < _MAX_KEPT_NASES:
                self._state.nas[source] = record
        return record

    def _look_up_nas(self, source: str) -> NasRecord | None:
        # A source address arrives in canonical text, so one look-up finds a host without parsing it.
        raw = self._txn.get(f"{source}{'/128' if ':' in source else '/32'}".encode(), db=self._generation.nas)
        if raw is None:
            raw = self._nas_by_prefix(ip_address(source))
        return None if raw is None else _decode_nas(raw)

    def _nas_by_prefix(self, address: IPv4Address | IPv6Address) -> bytes | None:
        for length in (address.max_prefixlen, *self.meta().nas_prefix_lengths):
            if length <= address.max_prefixlen:
                network = ip_network((address, length), strict=False)
                raw = self._txn.get(str(network).encode(), db=self._generation.nas)
                if raw is not None:
                    return bytes(raw)
        return None

    def meta(self) -> StoreMeta:
        """What the store says of itself."""
        meta = self._state.meta
        if meta is None:
            raw = self._txn.get(_META_KEY, db=self._generation.meta)
            assert raw is not None, "a generation without meta is never opened"
            meta = self._state.meta = _decode_meta(raw)
        return meta

    def checked_at(self) -> float:
        """When the edge last compared the store with the database."""
        return self.meta().checked_at

    def known_at(self) -> tuple[float, float]:
        """As of when the policies and the live sessions are known: these no later than their accounting was read."""
        meta = self.meta()
        return meta.checked_at, min(meta.checked_at, meta.accounting_read_to or meta.checked_at)


class PolicyBatch:
    """The writes of one transaction. A record of None removes what is under its key."""

    def __init__(self, txn: lmdb.Transaction[bytes], generation: _Generation) -> None:
        self._txn = txn
        self._generation = generation

    def _put(self, key: bytes, record: object | None, database: Any) -> None:
        if record is None:
            self._txn.delete(key, db=database)
        else:
            self._txn.put(key, _encode(record), db=database)

    def put_account(self, username: str, record: AccountRecord | None) -> None:
        """The record of one account."""
        self._put(account_key(username), record, self._generation.account)

    def put_next_account(self, username: str, record: AccountRecord) -> None:
        """An account whose username comes after all others in byte order: pages are filled to the brim."""
        self._put_next(account_key(username), record, self._generation.account)

    def put_next_sessions(self, account_id: int, sessions: tuple[LiveSession, ...]) -> None:
        """The sessions of an account whose number is above all others."""
        self._put_next(session_key(account_id), sessions, self._generation.session)

    def _put_next(self, key: bytes, record: object, database: Any) -> None:
        raw = _encode(record)
        # LMDB refuses to append what is not last; it still has a place.
        if not self._txn.put(key, raw, db=database, append=True):
            self._txn.put(key, raw, db=database)

    def clear_devices(self) -> None:
        """Forget every NAS and every profile: they are few and are written anew together."""
        self._txn.drop(self._generation.nas, delete=False)
        self._txn.drop(self._generation.profile, delete=False)

    def accounts(self) -> int:
        """How many accounts the store holds, this batch included."""
        return int(self._txn.stat(self._generation.account)["entries"])

    def put_profile(self, profile_id: int, vendor: str, record: ProfileRecord | None) -> None:
        """One profile as rendered for one vendor."""
        self._put(profile_key(profile_id, vendor), record, self._generation.profile)

    def put_nas(self, network: str, record: NasRecord | None) -> None:
        """One NAS under its source prefix."""
        self._put(nas_key(network), record, self._generation.nas)

    def put_sessions(self, account_id: int, sessions: tuple[LiveSession, ...]) -> None:
        """The live sessions of an account; none removes the entry."""
        self._put(session_key(account_id), sessions or None, self._generation.session)

    def put_meta(self, meta: StoreMeta) -> None:
        """What the store says of itself."""
        self._txn.put(_META_KEY, _encode(meta), db=self._generation.meta)


class PolicyWriter:
    """The one writer of a store: small changes into the generation in use, or a whole new generation beside it."""

    def __init__(self, directory: Path) -> None:
        if not directory.exists():
            directory.mkdir(parents=True)
            directory.chmod(_DIRECTORY_MODE)
        self._directory = directory
        self._generation: _Generation | None = None

    def open_current(self) -> StoreMeta | None:
        """Open the generation in use for small changes; None when there is none of this format: rebuild then."""
        link = self._directory / "current"
        if not link.is_symlink():
            return None
        try:
            path = self._directory / os.readlink(link)
            if _is_cut(path):
                return None
            generation = _Generation(path, writable=True)
            with generation.env.begin() as txn:
                raw = txn.get(_META_KEY, db=generation.meta)
            meta = _decode_meta(raw) if raw is not None else None
        except (lmdb.Error, OSError, msgspec.MsgspecError):
            return None
        if meta is None or meta.format != FORMAT:
            generation.close()
            return None
        self._generation = generation
        self._remove_all_but(generation.path)
        return meta

    def release_dead_readers(self) -> int:
        """Free the places of readers that were killed: each would keep the pages it saw from being reused."""
        assert self._generation is not None, "open_current() or rebuild() comes first"
        return self._generation.env.reader_check()

    @contextmanager
    def batch(self) -> Iterator[PolicyBatch]:
        """Changes that become visible together when the block ends, or not at all."""
        generation = self._generation
        assert generation is not None, "open_current() or rebuild() comes first"
        with generation.env.begin(write=True) as txn:
            yield PolicyBatch(txn, generation)

    @contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        """Fill a new generation; it comes into use when the block ends well, and is removed when it does not."""
        number = 1 + max((int(path.name[4:]) for path in self._directory.glob("gen-[0-9]*")), default=0)
        path = self._directory / f"gen-{number:06d}"
        path.mkdir(mode=0o770)
        # Nobody reads it before it is whole, so it goes to the disk once, at the end.
        generation = _Generation(path, writable=True, durable=False)
        try:
            generation.share()
            yield Rebuild(generation)
            generation.env.sync(True)
        except BaseException:
            generation.close()
            shutil.rmtree(path)
            raise
        generation.close()
        self._switch(path)
        if self._generation is not None:
            self._generation.close()
        self._generation = _Generation(path, writable=True)

    def _switch(self, path: Path) -> None:
        new_link = self._directory / "current.new"
        new_link.unlink(missing_ok=True)
        new_link.symlink_to(path.name)
        new_link.replace(self._directory / "current")
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._remove_all_but(path)

    def _remove_all_but(self, path: Path) -> None:
        """A reader keeps the files of the generation it has open; the names can go. What stays is removed next time."""
        for other in self._directory.glob("gen-[0-9]*"):
            if other != path:
                shutil.rmtree(other, ignore_errors=True)

    def close(self) -> None:
        """Let go of the store."""
        if self._generation is not None:
            self._generation.close()
        self._generation = None


class Rebuild:
    """A generation being filled, in as many batches as wanted."""

    def __init__(self, generation: _Generation) -> None:
        self._generation = generation

    @contextmanager
    def batch(self) -> Iterator[PolicyBatch]:
        """One transaction into the new generation."""
        with self._generation.env.begin(write=True) as txn:
            yield PolicyBatch(txn, self._generation)
