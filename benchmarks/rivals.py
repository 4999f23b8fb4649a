"""What Corrente is measured against: FreeRADIUS with its `files` module, and with rlm_sql and its stock PostgreSQL set.

Both are given less to do than a stock installation does (no EAP, no realms, no filters), which favours them: each
request passes only the module under test and the password check. rlm_sql runs Debian's own schema.sql and
queries.conf, unchanged, with a pool of one connection a thread.

Source: mods-available/sql, mods-config/sql/main/postgresql/ of FreeRADIUS 3.2.1.
Next: run.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.freeradius import BINARY, Running, ServerError, free_port_pair, running
from benchmarks.packets import Subscriber
from benchmarks.population import PLANS, RADIUS_SECRET, SERVICE_USER, STOCK_CONFIG, plan_of
from control_plane import db
from control_plane.machine.private_postgres import Cluster

RIVAL_DATABASE: Final = "radius"

_MAIN: Final = """\
prefix = /usr
libdir = /usr/lib/freeradius
confdir = {directory}
raddbdir = {directory}
modconfdir = {stock}/mods-config
logdir = {directory}
run_dir = {directory}
name = freeradius
pidfile = {directory}/freeradius.pid
max_request_time = 30
cleanup_delay = 5
max_requests = 65536
hostname_lookups = no
log {{
    destination = stdout
    auth = no
}}
security {{
{user}
    allow_core_dumps = no
    max_attributes = 200
    reject_delay = 0
    status_server = yes
}}
thread pool {{
    start_servers = {threads}
    max_servers = {threads}
    min_spare_servers = 0
    max_spare_servers = {threads}
    max_requests_per_server = 0
    auto_limit_acct = no
}}
client loopback {{
    ipaddr = 127.0.0.0/8
    secret = "{secret}"
    require_message_authenticator = yes
}}
modules {{
    pap {{
    }}
    chap {{
    }}
    expr {{
    }}
{modules}
}}
policy {{
    $INCLUDE {stock}/policy.d/accounting
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {authentication_port}
    }}
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {accounting_port}
    }}
{site}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
    }}
}}
"""

_FILES_MODULE: Final = """\
    files {{
        filename = {directory}/users
    }}
"""

_SQL_MODULE: Final = """\
    sql {{
        dialect = "postgresql"
        driver = "rlm_sql_postgresql"
        server = "{socket_dir}"
        port = 5432
        login = "corrente"
        radius_db = "{database}"
        acct_table1 = "radacct"
        acct_table2 = "radacct"
        postauth_table = "radpostauth"
        authcheck_table = "radcheck"
        groupcheck_table = "radgroupcheck"
        authreply_table = "radreply"
        groupreply_table = "radgroupreply"
        usergroup_table = "radusergroup"
        client_table = "nas"
        read_groups = yes
        read_profiles = yes
        read_clients = no
        delete_stale_sessions = yes
        group_attribute = "SQL-Group"
        pool {{
            start = {threads}
            min = {threads}
            max = {threads}
            spare = 0
            uses = 0
            retry_delay = 1
            lifetime = 0
            idle_timeout = 0
        }}
        $INCLUDE ${{modconfdir}}/${{.:name}}/main/${{dialect}}/queries.conf
    }}
"""

_FILES_SITE: Final = """\
    authorize {
        chap
        files
        pap
    }
"""

# What any login costs a provider besides the answer: a reply that RouterOS and the BlastRADIUS fixes accept, and a line
# that says who asked, for support and for the law.
_DUTIES_SITE: Final = """\
    post-auth {
        update reply {
            &Message-Authenticator := 0x00
        }
        linelog
    }
"""

_LINELOG_MODULE: Final = """\
    linelog {{
        filename = {directory}/logins
        permissions = 0660
        format = "%l.%M\\taccept\\t%{{Packet-Src-IP-Address}}\\t%I\\t%{{User-Name}}\\t%{{Calling-Station-Id}}\\t%{{NAS-Port-Id}}"
    }}
"""

_PYTHON_MODULE: Final = """\
    python3 {{
        python_path = "{code}"
        module = constant_hook
        mod_instantiate = ${{.module}}
        func_instantiate = instantiate
        mod_authorize = ${{.module}}
        func_authorize = authorize
        config {{
            answers = "{directory}/answers.json"
        }}
    }}
"""

_PYTHON_SITE: Final = """\
    authorize {
        python3
    }
"""

_SQL_SITE: Final = """\
    authorize {{
        chap
        sql
        pap
    }}
    preacct {{
        acct_unique
    }}
    accounting {{
        sql
    }}
    post-auth {{
{post_auth}
    }}
"""


@contextmanager
def files_server(
    base: Path, subscribers: Iterable[Subscriber], *, threads: int, with_duties: bool = False
) -> Iterator[Running]:
    """FreeRADIUS with all subscribers in the memory of its `files` module.

    `with_duties` adds Message-Authenticator to each reply and a line a login, which Corrente always does.
    """
    name = "files with duties" if with_duties else "files"
    directory = _directory(base, name.replace(" ", "-"))
    with (directory / "users").open("w") as users:
        for subscriber in subscribers:
            reply = ",\n".join(f'\t{name} := "{value}"' for name, value in plan_of(subscriber).reply)
            users.write(f'{subscriber.username} Cleartext-Password := "{subscriber.password}"\n{reply}\n\n')
    modules = _FILES_MODULE.format(directory=directory)
    site = _FILES_SITE
    if with_duties:
        modules += _LINELOG_MODULE.format(directory=directory)
        site += _DUTIES_SITE
    with _server(name, directory, modules=modules, site=site, threads=threads) as server:
        yield server


@contextmanager
def constant_server(base: Path, subscribers: Iterable[Subscriber]) -> Iterator[Running]:
    """FreeRADIUS with a hook that finds each subscriber's ready answer in a dictionary: the ceiling of rlm_python3.

    As many attributes as Corrente sends, Message-Authenticator and Class among them, and one thread, as it has.
    """
    directory = _directory(base, "constant-hook")
    answers = {
        subscriber.username: (
            subscriber.password,
            [
                ("Message-Authenticator", ":=", "0x00"),
                ("Class", ":=", "0x" + f"{subscriber.number:054x}"),
                *[(name, ":=", value) for name, value in plan_of(subscriber).reply],
            ],
        )
        for subscriber in subscribers
    }
    (directory / "answers.json").write_text(json.dumps(answers))
    code = directory / "code"
    code.mkdir()
    shutil.copy(Path(__file__).with_name("constant_hook.py"), code)
    modules = _PYTHON_MODULE.format(directory=directory, code=code)
    with _server("constant hook", directory, modules=modules, site=_PYTHON_SITE, threads=1) as server:
        yield server


@contextmanager
def sql_server(base: Path, cluster: Cluster, *, threads: int, log_logins: bool) -> Iterator[Running]:
    """FreeRADIUS with rlm_sql on the rival database. `log_logins` keeps radpostauth, as the stock site does."""
    name = f"rlm_sql, {threads} threads" + (", radpostauth" if log_logins else "")
    directory = _directory(base, name.replace(", ", "-").replace(" ", "-"))
    modules = _SQL_MODULE.format(socket_dir=cluster.socket_dir, database=RIVAL_DATABASE, threads=threads)
    site = _SQL_SITE.format(post_auth="        sql" if log_logins else "")
    with _server(name, directory, modules=modules, site=site, threads=threads) as server:
        yield server


def _directory(base: Path, name: str) -> Path:
    directory = base / name
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    return directory


@contextmanager
def _server(name: str, directory: Path, *, modules: str, site: str, threads: int) -> Iterator[Running]:
    ports = free_port_pair()
    as_root = os.geteuid() == 0
    (directory / "radiusd.conf").write_text(
        _MAIN.format(
            directory=directory,
            stock=STOCK_CONFIG,
            user=f"    user = {SERVICE_USER}\n    group = {SERVICE_USER}" if as_root else "",
            threads=threads,
            secret=RADIUS_SECRET.decode(),
            modules=modules,
            site=site,
            authentication_port=ports[0],
            accounting_port=ports[1],
        )
    )
    shutil.copy(STOCK_CONFIG / "dictionary", directory / "dictionary")
    if as_root:
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, SERVICE_USER, SERVICE_USER)
    command = [BINARY, "-f", "-d", str(directory), "-n", "radiusd", "-l", "stdout"]
    checked = subprocess.run([*command, "-C"], capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        raise ServerError(f"{name}: the configuration is refused:\n{(checked.stdout + checked.stderr)[-3000:]}")
    with running(name, [command], ports=ports, log=directory / "radius.log") as server:
        yield server


def fill_rival_database(cluster: Cluster, subscribers: Iterable[Subscriber]) -> None:
    """The stock schema with its stock indexes, the same subscribers: a password each, a group a plan."""
    with db.connect(cluster.conninfo("postgres"), name="bench", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {RIVAL_DATABASE}")
    schema = (STOCK_CONFIG / "mods-config/sql/main/postgresql/schema.sql").read_text()
    with db.connect(cluster.conninfo(RIVAL_DATABASE), name="bench", autocommit=True) as connection:
        connection.execute(schema)
        cursor = connection.cursor()
        numbers = list(subscribers)
        with cursor.copy("COPY radcheck (username, attribute, op, value) FROM STDIN") as copy:
            for subscriber in numbers:
                copy.write_row((subscriber.username, "Cleartext-Password", ":=", subscriber.password))
        with cursor.copy("COPY radusergroup (username, groupname, priority) FROM STDIN") as copy:
            for subscriber in numbers:
                copy.write_row((subscriber.username, plan_of(subscriber).name, 1))
        for plan in PLANS:
            cursor.executemany(
                "INSERT INTO radgroupreply (groupname, attribute, op, value) VALUES (%s, %s, ':=', %s)",
                [(plan.name, attribute, value) for attribute, value in plan.reply],
            )
        connection.execute("VACUUM ANALYZE")
