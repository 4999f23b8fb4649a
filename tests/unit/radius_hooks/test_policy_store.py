import pytest
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
    SecretKind,
    StoreError,
    StoreMeta,
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
