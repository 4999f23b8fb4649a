import configparser
import shlex
from pathlib import Path

import pytest

from control_plane.machine.supervision import Program, SupervisionError, configuration

PROGRAM = Program(
    "edge",
    ("/opt/py thon", "-m", "control_plane", "edge"),
    priority=20,
    user="corrente",
    stop_signal="INT",
    umask="007",
    without=("A_KEY",),
)


def read(*programs: Program, directory: str = "/srv/isp") -> configparser.RawConfigParser:
    text = configuration(programs, run_dir=Path("/s/run"), log_dir=Path("/s/log"), directory=Path(directory))
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


def test_a_percent_sign_in_a_path_survives_supervisords_expansion():
    # supervisord replaces %% by %.
    assert read(PROGRAM, directory="/srv/100%")["program:edge"]["directory"] % {} == "/srv/100%"


def test_a_variable_that_a_program_has_no_use_for_is_emptied():
    assert read(PROGRAM)["program:edge"]["environment"] == 'A_KEY=""'


def test_a_program_of_the_caller_names_no_user():
    assert "user" not in read(Program("web", ("web",), priority=1))["program:web"]


def test_a_path_that_supervisord_would_cut_is_refused():
    with pytest.raises(SupervisionError, match="use another path"):
        read(PROGRAM, directory="/srv/a ;b")


def test_the_socket_is_for_the_owner_alone():
    assert read(PROGRAM)["unix_http_server"]["chmod"] == "0700"
