import configparser
import shlex
from pathlib import Path

import pytest

from control_plane.supervision import Program, SupervisionError, configuration

PROGRAM = Program(
    "edge",
    ("/opt/py thon", "-m", "control_plane", "edge"),
    priority=20,
    user="corrente",
    stop_signal="INT",
    umask="007",
    environment={"A": 'say "100%"'},
)


def read(*programs: Program, directory: str = "/srv/isp") -> configparser.RawConfigParser:
    text = configuration(
        programs, run_dir=Path("/s/run"), log_dir=Path("/s/log"), directory=Path(directory), environment={"B": "2"}
    )
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(text)
    return parser


def test_a_program_is_described_as_asked():
    section = read(PROGRAM)["program:edge"]
    assert shlex.split(section["command"]) == list(PROGRAM.command)
    assert (section["user"], section["stopsignal"], section["umask"]) == ("corrente", "INT", "007")
    assert section["stdout_logfile"] == "/s/log/edge.log"


def test_nothing_starts_before_it_is_asked_to_and_everything_comes_back():
    section = read(PROGRAM)["program:edge"]
    assert (section["autostart"], section["autorestart"]) == ("false", "true")


def test_a_percent_sign_or_quote_in_the_environment_survives_supervisords_expansion():
    # supervisord replaces %% by % and reads the values with quotes as a shell would.
    assert (read(PROGRAM)["program:edge"]["environment"] % {}) == 'B="2",A="say \\"100%\\""'


def test_a_program_of_the_caller_names_no_user():
    assert "user" not in read(Program("web", ("web",), priority=1))["program:web"]


def test_a_path_that_supervisord_would_cut_is_refused():
    with pytest.raises(SupervisionError, match="use another path"):
        read(PROGRAM, directory="/srv/a ;b")


def test_the_socket_is_for_the_owner_alone():
    assert read(PROGRAM)["unix_http_server"]["chmod"] == "0700"
