import json

import pytest

from control_plane.machine.ports import (
    PortError,
    Ports,
    choose_ports,
    forget_ports,
    read_ports,
    with_ports,
    write_ports,
)
from control_plane.settings import Settings

STANDARD = Ports("127.0.0.1", 1812, 1813, 18121, 18122, "127.0.0.1", 8000, 8010, 8020)


def taken(*pairs: tuple[str, int]):
    return lambda address, port, kind: (kind, port) not in pairs


def test_free_standard_ports_are_kept():
    assert choose_ports(Settings(), taken()) == STANDARD


def test_when_one_radius_port_is_taken_both_move_on_together():
    ports = choose_ports(Settings(), taken(("udp", 1813)))
    assert (ports.authentication, ports.accounting) == (1814, 1815)


def test_a_pair_that_is_half_taken_is_passed_over():
    ports = choose_ports(Settings(), taken(("udp", 1812), ("udp", 1815)))
    assert (ports.authentication, ports.accounting) == (1816, 1817)


def test_a_taken_tcp_port_does_not_move_radius():
    ports = choose_ports(Settings(), taken(("tcp", 1812), ("tcp", 8000), ("tcp", 8001)))
    assert (ports.authentication, ports.web) == (1812, 8002)


def test_pages_of_a_process_that_shall_have_none_get_no_port():
    settings = Settings(worker=type(Settings().worker)(port=0))
    ports = choose_ports(settings, taken(("tcp", 8020)))
    assert (ports.worker, ports.edge) == (0, 8021)


def test_the_status_port_never_falls_on_the_radius_pair():
    settings = Settings(radius=type(Settings().radius)(status_port=1812))
    assert choose_ports(settings, taken()).status == 1814


def test_the_two_status_ports_never_fall_together():
    settings = Settings(radius=type(Settings().radius)(status_port=18122))
    ports = choose_ports(settings, taken())
    assert (ports.status, ports.accounting_status) == (18122, 18123)


def test_no_free_port_near_is_an_error_that_names_the_first():
    with pytest.raises(PortError, match="1812"):
        choose_ports(Settings(), lambda address, port, kind: kind == "tcp")


def test_the_written_file_is_read_back_and_forgotten(tmp_path):
    assert read_ports(tmp_path) is None
    write_ports(tmp_path, STANDARD)
    assert read_ports(tmp_path) == STANDARD
    assert json.loads((tmp_path / "ports.json").read_text())["authentication"] == 1812
    forget_ports(tmp_path)
    assert read_ports(tmp_path) is None


def test_chosen_ports_take_the_place_of_those_in_the_settings():
    moved = with_ports(Settings(), Ports("127.0.0.1", 1900, 1901, 1902, 1903, "127.0.0.1", 9000, 9010, 9020))
    radius = moved.radius
    assert (radius.authentication_port, radius.accounting_port) == (1900, 1901)
    assert (radius.status_port, radius.accounting_status_port) == (1902, 1903)
    assert (moved.web.port, moved.worker.port, moved.edge.port) == (9000, 9010, 9020)
    assert moved.radius.nas_lifetime_s == Settings().radius.nas_lifetime_s
