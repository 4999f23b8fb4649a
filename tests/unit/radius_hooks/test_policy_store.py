import multiprocessing
import os

import msgspec
import pytest
from support.looking import look_by_opening
from support.store_process import reader_process

from radius_hooks.policy_store import (
    FORMAT,
    AccountRecord,
    Level,
    LiveSession,
    NasRecord,
    PolicyReader,
    PolicyStep,
    PolicyWriter,
    ProfileRecord,
    SecretKind,
    StoreError,
    StoreMeta,
    decode_profile,
)

META = StoreMeta(format=FORMAT, built_at=1.0, checked_at=2.0, position="", system="s", nas_prefix_lengths=(64, 24))


def account(number: int, *, profile: int = 1) -> AccountRecord:
    return AccountRecord(
        account_id=number,
        contract_id=number,
        secret_kind=SecretKind.CLEAR,
        sealed_secret=b"x",
        steps=(PolicyStep(until=0, level=Level.FULL, reason="full", profile_id=profile),),
        expires_at=0,
        max_sessions=1,
        macs=(),
        circuit_ids=(),
        nas_ids=(),
        reply=(),
        own=(),
        revision=b"abcd",
    )


def nas(number: int) -> NasRecord:
    return NasRecord(
        nas_id=number,
        name=f"nas{number}",
        vendor="generic",
        sealed_secret=b"",
        require_message_authenticator=True,
        realms=(),
    )


def build(directory, accounts):
    writer = PolicyWriter(directory)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        for name, record in accounts.items():
            batch.put_account(name, record)
        batch.put_meta(META)
    return writer


def test_what_is_written_is_read_and_removed(tmp_path):
    writer = build(tmp_path, {"anna": account(1), "Anna": account(2)})

    with reader_process(tmp_path) as store:
        assert store.account("anna") == account(1)
        assert store.account("Anna") == account(2)
        assert store.account("ann") is None
        with writer.batch() as batch:
            batch.put_account("anna", None)
            batch.put_sessions(2, (LiveSession(b"k" * 16, 5, "aabbccddeeff", "port 1", False),))
        assert store.account("anna") is None
        assert store.sessions(2) == (LiveSession(b"k" * 16, 5, "aabbccddeeff", "port 1", False),)
        assert store.sessions(1) == ()


def test_the_longest_source_prefix_names_the_nas(tmp_path):
    writer = build(tmp_path, {})
    with writer.batch() as batch:
        batch.put_nas("192.0.2.0/24", nas(1))
        batch.put_nas("192.0.2.7/32", nas(2))
        batch.put_nas("2001:db8::/64", nas(3))

    with reader_process(tmp_path) as store:
        found = [store.nas(s) for s in ("192.0.2.8", "192.0.2.7", "192.0.3.1", "2001:db8::9", "2001:db9::9")]
    assert [record and record.nas_id for record in found] == [1, 2, None, 3, None]


def test_a_reader_sees_a_rebuilt_generation_at_its_next_look_up(tmp_path):
    writer = build(tmp_path, {"anna": account(1)})

    with reader_process(tmp_path) as store:
        assert store.account("anna") == account(1)
        with writer.rebuild() as rebuild:
            with rebuild.batch() as batch:
                batch.put_account("anna", account(9))
                batch.put_meta(META)
            assert store.account("anna") == account(1)
        assert store.account("anna") == account(9)
    assert len(list(tmp_path.glob("gen-*"))) == 1


def test_a_rebuild_that_fails_leaves_the_old_store_in_use(tmp_path):
    writer = build(tmp_path, {"anna": account(1)})

    def fail_half_way():
        with writer.rebuild() as rebuild, rebuild.batch() as batch:
            batch.put_account("anna", account(9))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    with reader_process(tmp_path) as store:
        assert store.account("anna") == account(1)
    assert len(list(tmp_path.glob("gen-*"))) == 1


def test_a_store_of_another_format_is_refused_by_the_reader_and_rebuilt_by_the_writer(tmp_path):
    writer = build(tmp_path, {"anna": account(1)})
    with writer.batch() as batch:
        batch.put_meta(StoreMeta(format=FORMAT + 1, built_at=1.0, checked_at=2.0, position="", system="s"))
    writer.close()

    with (
        pytest.raises(StoreError, match=f"format {FORMAT + 1}, this program reads {FORMAT}"),
        PolicyReader(tmp_path).reading(),
    ):
        pass
    assert PolicyWriter(tmp_path).open_current() is None


def test_no_store_says_what_to_start(tmp_path):
    with pytest.raises(StoreError, match="start `corrente edge` once"):
        PolicyReader(tmp_path).reading().__enter__()


def test_accounts_put_in_order_take_less_room_than_the_same_put_at_random(tmp_path):
    names = sorted((f"user{number:05d}" for number in range(20000)), key=str.encode)
    sizes = {}
    for how, order in (("next", names), ("random", sorted(names, key=lambda name: name[::-1]))):
        writer = PolicyWriter(tmp_path / how)
        with writer.rebuild() as rebuild, rebuild.batch() as batch:
            for name in order:
                put = batch.put_next_account if how == "next" else batch.put_account
                put(name, account(1))
            batch.put_meta(META)
            assert batch.accounts() == 20000
        writer.close()
        sizes[how] = next((tmp_path / how).glob("gen-*/data.mdb")).stat().st_blocks
    assert sizes["next"] < 0.8 * sizes["random"]


def test_an_account_put_next_out_of_order_is_not_lost(tmp_path):
    writer = PolicyWriter(tmp_path)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        for name in ("b", "a", "b"):
            batch.put_next_account(name, account(ord(name)))
        batch.put_next_sessions(2, (LiveSession(b"k" * 16, 5, "", "", False),))
        batch.put_meta(META)

    with reader_process(tmp_path) as store:
        assert [store.account(name).account_id for name in ("a", "b")] == [97, 98]
        assert len(store.sessions(2)) == 1


def test_devices_are_cleared_and_written_anew_in_one_transaction(tmp_path):
    writer = build(tmp_path, {"anna": account(1)})
    with writer.batch() as batch:
        batch.put_nas("192.0.2.1/32", nas(1))
        batch.put_nas("192.0.2.2/32", nas(2))
    with writer.batch() as batch:
        batch.clear_devices()
        batch.put_nas("192.0.2.2/32", nas(3))

    with reader_process(tmp_path) as store:
        assert store.nas("192.0.2.1") is None
        assert store.nas("192.0.2.2") == nas(3)
        assert store.account("anna") == account(1)


def test_what_a_killed_rebuild_left_is_removed_at_the_next_start(tmp_path):
    build(tmp_path, {"anna": account(1)}).close()
    left = tmp_path / "gen-000002"
    left.mkdir()
    (left / "data.mdb").write_bytes(b"half")

    assert PolicyWriter(tmp_path).open_current() == META
    assert not left.exists()


def test_the_group_of_the_directory_may_read_the_data_and_register_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        build(tmp_path / "policy", {"anna": account(1)}).close()
    finally:
        os.umask(before)

    generation = next((tmp_path / "policy").glob("gen-*"))
    modes = [path.stat().st_mode & 0o7777 for path in (generation.parent, generation, generation / "lock.mdb")]
    assert modes == [0o2770, 0o2770, 0o660]
    assert (generation / "data.mdb").stat().st_mode & 0o7777 == 0o640


def test_no_look_up_fails_while_generations_are_switched(tmp_path):
    writer = build(tmp_path, {"anna": account(0)})
    context = multiprocessing.get_context("spawn")
    started, stop, results = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=look_by_opening, args=(tmp_path, started, stop, results))
    process.start()
    try:
        assert started.wait(timeout=120)
        for number in range(200):
            with writer.rebuild() as rebuild, rebuild.batch() as batch:
                batch.put_account("anna", account(number))
                batch.put_meta(META)
    finally:
        stop.set()
    looked, problem = results.get(timeout=120)
    process.join(timeout=120)
    assert problem == ""
    assert looked > 0


class SwitchedUnderItsEyes(PolicyReader):
    """A reader that finds the generation in use at the worst moment: it is replaced before it can be opened."""

    def __init__(self, directory, switches):
        super().__init__(directory)
        self._left = switches

    def _in_use(self):
        target = super()._in_use()
        if self._left:
            self._left -= 1
            build(self._directory, {"anna": account(100 + self._left)}).close()
        return target


def test_a_generation_replaced_between_finding_and_opening_it_is_looked_for_again(tmp_path):
    build(tmp_path, {"anna": account(1)}).close()

    with SwitchedUnderItsEyes(tmp_path, 2).reading() as view:
        assert view.account("anna") == account(100)
    with pytest.raises(StoreError, match="can't be opened"), SwitchedUnderItsEyes(tmp_path, 50).reading():
        pass


def profile(revision: bytes) -> ProfileRecord:
    return ProfileRecord(
        profile_id=1,
        name="home",
        revision=revision,
        session_timeout_s=0,
        idle_timeout_s=0,
        interim_interval_s=600,
        reply=(),
    )


def test_what_a_reader_keeps_of_a_store_is_gone_with_its_next_change(tmp_path):
    writer = PolicyWriter(tmp_path)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        batch.put_nas("10.0.0.0/24", nas(1))
        batch.put_profile(1, "generic", profile(b"old!"))
        batch.put_meta(META)

    with reader_process(tmp_path) as store:
        for _ in range(2):
            assert store.nas("10.0.0.7").nas_id == 1
            assert decode_profile(store.profile_octets(1, "generic")).revision == b"old!"
            assert store.checked_at() == 2.0

        with writer.batch() as batch:
            batch.put_nas("10.0.0.7/32", nas(2))
            batch.put_profile(1, "generic", profile(b"new!"))
            batch.put_meta(msgspec.structs.replace(META, checked_at=3.0))
        assert store.nas("10.0.0.7").nas_id == 2
        assert store.nas("10.0.0.8").nas_id == 1
        assert decode_profile(store.profile_octets(1, "generic")).revision == b"new!"
        assert store.checked_at() == 3.0

        with writer.batch() as batch:
            batch.put_nas("10.0.0.7/32", None)
            batch.put_nas("10.0.0.0/24", None)
            batch.put_profile(1, "generic", None)
        assert store.nas("10.0.0.7") is None
        assert store.profile_octets(1, "generic") is None

        with writer.rebuild() as rebuild, rebuild.batch() as batch:
            batch.put_nas("10.0.0.7/32", nas(3))
            batch.put_meta(META)
        assert store.nas("10.0.0.7").nas_id == 3
        assert store.checked_at() == 2.0


def test_nothing_kept_of_a_generation_is_told_of_the_next_though_both_have_the_same_number_of_changes(tmp_path):
    writer = PolicyWriter(tmp_path)

    def rebuild_with(number):
        with writer.rebuild() as rebuild, rebuild.batch() as batch:
            batch.put_nas("10.0.0.7/32", nas(number))
            batch.put_meta(META)

    rebuild_with(1)
    with reader_process(tmp_path) as store:
        assert store.nas("10.0.0.7").nas_id == 1

        rebuild_with(2)

        assert store.nas("10.0.0.7").nas_id == 2
