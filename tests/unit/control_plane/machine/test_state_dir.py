"""What a start makes in the state directory, and what it must never make anew."""

import grp
import os
import pwd

import pytest

from control_plane.machine.state_dir import StateDir, StateError, Users, prepare
from control_plane.settings import Settings


@pytest.fixture
def users():
    caller = pwd.getpwuid(os.geteuid())
    return Users(caller.pw_name, caller.pw_name, caller.pw_name, grp.getgrgid(caller.pw_gid).gr_name)


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv("CORRENTE_SECRETS_KEY", raising=False)
    monkeypatch.delenv("CORRENTE_SECRETS_KEY_FILE", raising=False)


def test_the_first_start_makes_a_key_and_the_next_one_keeps_it(tmp_path, users):
    state = prepare(Settings(base_dir=str(tmp_path)), users)
    made = state.secrets_key.read_bytes()
    prepare(Settings(base_dir=str(tmp_path)), users)
    assert state.secrets_key.read_bytes() == made


def test_no_new_key_is_made_beside_a_database_whose_secrets_are_sealed_under_the_lost_one(tmp_path, users):
    state = prepare(Settings(base_dir=str(tmp_path)), users)
    state.cluster.data.mkdir()
    (state.cluster.data / "corrente_ready").touch()
    state.secrets_key.unlink()
    with pytest.raises(StateError, match=r"secrets\.key is gone.*put it back"):
        prepare(Settings(base_dir=str(tmp_path)), users)
    assert not StateDir(state.root).secrets_key.exists()
