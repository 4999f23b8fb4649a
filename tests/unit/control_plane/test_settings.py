"""Settings: read strictly, complained of by file and line."""

import base64
from dataclasses import replace

import pytest

from control_plane.settings import Settings, SettingsError, load_settings, secret_keys
from nas_drivers.driver import Drivers, driver_for


@pytest.fixture
def read(tmp_path):
    file = tmp_path / "corrente.toml"

    def write_and_load(text):
        file.write_text(text)
        return load_settings(file)

    return write_and_load


def test_an_empty_file_means_every_default(read):
    settings = read("")
    assert (settings.operator.billing_zone, settings.radius.authentication_port) == ("Europe/Rome", 1812)


def test_paths_count_from_the_file(read, tmp_path):
    assert read('[paths]\nstate_dir = "state"\n').policy_dir == tmp_path / "state" / "policy"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[radius]\n\nauthentication_port = 99999\n", r"corrente.toml:3: radius.authentication_port: .*<= 65535"),
        ('[radius]\nauthentication_port = "x"\n', r"corrente.toml:2: radius.authentication_port: .*int"),
        ("[radius]\nauth_port = 1812\n", r"corrente.toml:2: radius.auth_port: unknown key"),
        ("\n[radios]\n", r"corrente.toml:2: radios: unknown key"),
        ("base_dir = '/'\n", r"corrente.toml:1: unknown key `base_dir`"),
        ("[operator]\nbilling_zone = 'Italy/Rome'\n", r"corrente.toml:2: operator.billing_zone: expected a zone name"),
        ("[database]\nconninfo = 'db.example'\n", r"corrente.toml:2: database.conninfo: expected libpq's words"),
        ("[operator\n", r"corrente.toml: this is not TOML"),
        (
            "[drivers.mikrotik]\n\naddress_list_by_coa = 1\n",
            r"corrente.toml:3: drivers.mikrotik.address_list_by_coa: .*bool",
        ),
        ("[drivers.mikrotik]\nlists = true\n", r"corrente.toml:2: drivers.mikrotik.lists: unknown key"),
        ("[drivers.generic]\nport = 1\n", r"corrente.toml:2: drivers.generic.port: unknown key"),
        ("\n[drivers.mikrotick]\n", r"corrente.toml:2: drivers.mikrotick: no driver for vendor 'mikrotick'.*mikrotik"),
        ("[drivers]\nmikrotik = true\n", r"corrente.toml:2: drivers.mikrotik: .*object"),
        ("drivers = 3\n", r"corrente.toml:1: drivers: .*object"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(read, text, complaint):
    with pytest.raises(SettingsError, match=complaint):
        read(text)


def test_a_vendor_file_types_its_own_section_of_options(read):
    settings = read("[drivers.mikrotik]\naddress_list_by_coa = true\n")

    assert Drivers(settings.drivers).of("mikrotik").options == replace(
        driver_for("mikrotik").options, address_list_by_coa=True
    )
    assert Drivers(settings.drivers).of("generic") is driver_for("generic")


def test_a_file_that_is_no_text_or_no_file_is_named(tmp_path):
    file = tmp_path / "corrente.toml"
    file.write_bytes(b"[operator]\nname = '\xe8'\n")
    with pytest.raises(SettingsError, match=r"corrente.toml: .*byte 19 is not UTF-8"):
        load_settings(file)
    with pytest.raises(SettingsError, match=r"can't be read \(Is a directory\)"):
        load_settings(tmp_path)


def test_a_file_that_is_not_there_is_an_error_only_when_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CORRENTE_SETTINGS", raising=False)
    assert load_settings() == Settings(base_dir=str(tmp_path))
    with pytest.raises(SettingsError, match=r"gone.toml: there is no such file"):
        load_settings(tmp_path / "gone.toml")


def test_each_process_comes_to_the_database_in_its_own_role(read):
    assert read("").conninfo("corrente_edge").endswith("dbname=corrente user=corrente_edge")
    own = read("[database]\nconninfo = 'host=db.example dbname=isp'\n")
    assert set(own.conninfo("corrente_web").split()) == {"host=db.example", "dbname=isp", "user=corrente_web"}
    url = read("[database]\nconninfo = 'postgresql://db.example/isp'\n")
    assert "user=corrente_worker" in url.conninfo("corrente_worker")


def test_a_conninfo_that_names_its_user_is_taken_as_it_stands(read):
    text = "host=db.example dbname=isp user=isp"
    assert read(f"[database]\nconninfo = '{text}'\n").conninfo("corrente_web") == text


def test_secret_keys_are_lines_of_base64_the_one_in_use_first(monkeypatch):
    old, new = bytes(32), bytes(range(32))
    text = "\n".join(base64.b64encode(key).decode() for key in (new, old))
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", text)
    assert secret_keys(Settings()) == (new, old)


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(bytes(31)).decode(), "!" * 44])
def test_a_key_of_another_form_is_refused_without_being_shown(monkeypatch, text):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", text)
    with pytest.raises(SettingsError, match="base64 with 32 bytes each") as refused:
        secret_keys(Settings())
    assert not text or text not in str(refused.value)


def test_a_key_file_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("CORRENTE_SECRETS_KEY", raising=False)
    monkeypatch.setenv("CORRENTE_SECRETS_KEY_FILE", str(tmp_path / "gone.key"))
    with pytest.raises(SettingsError, match=r"gone.key: the secrets key can't be read"):
        secret_keys(Settings())
