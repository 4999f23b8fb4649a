import base64
from pathlib import Path

from control_plane import freeradius
from control_plane.machine.programs import DEVICES, POSTGRES, STOP_ORDER, environment_for, programs_for
from control_plane.machine.state_dir import StateDir, Users
from control_plane.settings import DatabaseSettings, Settings

STATE = StateDir(Path("/srv/isp/var"))
ROOT = Users(ours="corrente", radius="freerad", postgres="postgres", shared_group="freerad")


def test_postgres_is_first_to_start_and_last_to_stop():
    programs = programs_for(Settings(), STATE, ROOT, is_root=True)
    assert min(programs, key=lambda one: one.priority).name == POSTGRES
    assert STOP_ORDER[-1] == (POSTGRES,)


def test_every_program_is_stopped():
    names = {program.name for program in programs_for(Settings(), STATE, ROOT, is_root=True)}
    assert {name for together in STOP_ORDER for name in together} == names


def test_started_by_root_no_process_of_ours_stays_root():
    users = {program.name: program.user for program in programs_for(Settings(), STATE, ROOT, is_root=True)}
    # FreeRADIUS drops to freerad by its own configuration, after it has opened its ports.
    assert [users.pop(server) for server in freeradius.SERVERS] == ["", ""]
    assert users.pop(POSTGRES) == "postgres"
    assert set(users.values()) == {"corrente"}


def test_started_by_anyone_else_all_run_as_the_caller():
    caller = Users("anna", "anna", "anna", "anna")
    assert {program.user for program in programs_for(Settings(), STATE, caller, is_root=False)} == {""}


def test_the_operators_own_database_is_not_started():
    settings = Settings(database=DatabaseSettings(conninfo="host=db"))
    assert POSTGRES not in {program.name for program in programs_for(settings, STATE, ROOT, is_root=True)}
    assert DEVICES in {program.name for program in programs_for(settings, STATE, ROOT, is_root=True)}


def test_of_the_callers_environment_only_our_own_settings_are_passed_on():
    inherited = {"CORRENTE_SECRETS_KEY_FILE": "/key", "HOME": "/root", "TOKEN": "x", "PYTHONHOME": "/odd"}
    found = environment_for(
        Settings(source_file="/srv/isp/corrente.toml"), STATE, code_dir=Path("/code"), inherited=inherited
    )
    assert found["CORRENTE_SECRETS_KEY_FILE"] == "/key"
    assert found["CORRENTE_SETTINGS"] == "/srv/isp/corrente.toml"
    assert found["PYTHONPATH"] == "/code"
    assert {"HOME", "TOKEN", "PYTHONHOME"} & set(found) == set()


def test_staff_s_pages_have_the_installation_s_key_and_notices_one_made_from_it(monkeypatch):
    key = base64.b64encode(b"k" * 32).decode()
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", key)
    found = environment_for(Settings(), STATE, code_dir=Path("/code"), inherited={"CORRENTE_SECRETS_KEY": key})
    assert base64.b64decode(found["CORRENTE_WEBHOOK_KEY"]) not in (b"", b"k" * 32)
    (web,) = (one for one in programs_for(Settings(), STATE, ROOT, is_root=True) if one.name == "web")
    assert web.without == ()
    assert "CORRENTE_WEBHOOK_KEY" not in environment_for(Settings(), STATE, code_dir=Path("/code"), inherited={})
