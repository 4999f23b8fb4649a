"""The console over a small ISP, a module's own; and Debian's Chromium."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from support.browser import SHELL, Browser, chromium
from support.console_world import Console, console_of, fill, hire, key_in_force, serving
from support.own_postgres import copy_database

from control_plane import db
from control_plane.machine.private_postgres import Cluster

_TEMPLATE = "console_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def console_template(cluster: Cluster) -> tuple[str, dict[str, str]]:
    """A database with the ISP and who works there, made once a worker; its name, and their sessions' tokens by role."""
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, _TEMPLATE)
    fill(cluster.conninfo(_TEMPLATE))
    return _TEMPLATE, hire(cluster.conninfo(_TEMPLATE))


@pytest.fixture(scope="module")
def console(
    cluster: Cluster, console_template: tuple[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    """The console over a copy of it."""
    template, tokens = console_template
    name = f"console_{next(_numbers)}"
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, name, template)
        folder = tmp_path_factory.mktemp("console")
        with key_in_force():
            yield console_of(cluster.conninfo(name), folder, dict(tokens))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def address(console: Console) -> Iterator[str]:
    """The same behind a server of its own."""
    with serving(console) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium a worker, without windows; each test has a context of its own (`browser.page(…)`)."""
    with chromium(program=SHELL) as started:
        yield started
