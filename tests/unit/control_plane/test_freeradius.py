import re

import msgspec
import pytest

from control_plane import freeradius
from control_plane.freeradius import FreeradiusError, render
from control_plane.settings import Settings


def settings(tmp_path, **radius):
    return msgspec.convert({"base_dir": str(tmp_path), "radius": radius}, Settings)


def test_every_word_is_filled_in_and_freeradius_own_words_stay(tmp_path):
    target = render(settings(tmp_path, authentication_port=21812), tmp_path / "raddb")

    texts = {path.relative_to(target): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert not [name for name, text in texts.items() if "@{" in text]
    assert (
        "port = 21812"
        in texts[next(name for name in texts if name.parts == ("sites-enabled", "corrente-authentication"))]
    )
    assert "${logdir}/${name}.log" in (target / "server.conf").read_text()
    assert not [name for name in texts if name.suffix == ".md"]


def test_rendering_again_keeps_the_status_secret_and_drops_files_of_an_older_version(tmp_path):
    target = render(settings(tmp_path), tmp_path / "raddb")
    secret = freeradius.status_secret(target)
    (target / "sites-enabled" / "old").write_text("server old {}")

    render(settings(tmp_path), target)

    assert freeradius.status_secret(target) == secret
    assert len(secret) >= 24
    assert secret.decode() in (target / "sites-enabled" / "corrente-clients").read_text()
    assert not (target / "sites-enabled" / "old").exists()


def test_a_directory_of_somebody_else_is_never_written_to(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "radiusd.conf").write_text("mine")
    with pytest.raises(FreeradiusError, match="files of someone else"):
        render(settings(tmp_path), tmp_path / "etc")
    assert (tmp_path / "etc" / "radiusd.conf").read_text() == "mine"


@pytest.mark.parametrize("name", ['a"b', "a$b", "a\\b", "a%b", "a\nb"])
def test_a_path_that_freeradius_would_read_as_something_else_is_refused_by_name(tmp_path, name):
    with pytest.raises(FreeradiusError, match=r"(log|run|policy|accounting_spool)_dir is"):
        render(settings(tmp_path / name), tmp_path / "raddb")


def test_the_server_is_started_as_a_daemon_would_be_and_never_in_debug_mode(tmp_path):
    for server in freeradius.SERVERS:
        started, checked = freeradius.command(tmp_path, server), freeradius.command(tmp_path, server, check_only=True)
        assert not {"-X", "-x", "-s"} & {*started, *checked}
        assert "-f" in started
        assert "-C" in checked


def test_each_server_has_a_file_of_its_name_that_includes_its_own_listener_and_not_the_others(tmp_path):
    target = render(settings(tmp_path), tmp_path / "raddb")
    sites = {
        server: set(re.findall(r"sites-enabled/(.+)", (target / f"{server}.conf").read_text()))
        for server in freeradius.SERVERS
    }

    assert sites == {
        "authentication": {"corrente-authentication", "corrente-clients"},
        "accounting": {"corrente-accounting", "corrente-clients"},
    }
    listening = {
        server: re.findall(r"type = (\w+)", (target / "sites-enabled" / f"corrente-{server}").read_text())
        for server in sites
    }
    assert listening == {"authentication": ["auth", "status"], "accounting": ["acct", "status"]}
