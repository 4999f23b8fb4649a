"""A FreeRADIUS with rlm_sql on its stock schema and stock queries: what an operator has before the move."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port

STOCK = Path("/etc/freeradius/3.0")
STOCK_SCHEMA = STOCK / "mods-config/sql/main/postgresql/schema.sql"
_CONFIG = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {base}
run_dir = {base}
pidfile = {base}/radiusd.pid
raddbdir = {stock}
modconfdir = {stock}/mods-config
max_request_time = 30
cleanup_delay = 1
max_requests = 65536
log {{ destination = files
 file = {base}/radius.log
 auth = no }}
security {{ allow_core_dumps = no
 max_attributes = 200
 reject_delay = 0
 status_server = yes }}
thread pool {{
 start_servers = 4
 max_servers = 4
 min_spare_servers = 1
 max_spare_servers = 4
}}
client localhost {{
 ipaddr = 127.0.0.0/8
 secret = {secret}
 nas_type = other
}}
modules {{
 expr {{
  safe_characters = "@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_: /"
 }}
 chap {{
 }}
 mschap {{
 }}
 pap {{
 }}
 expiration {{
 }}
 preprocess {{
  huntgroups = {base}/empty
  hints = {base}/empty
 }}
 attr_filter attr_filter.access_reject {{
  key = "%{{User-Name}}"
  filename = ${{modconfdir}}/attr_filter/access_reject
 }}
 sql {{
  dialect = "postgresql"
  driver = "rlm_sql_postgresql"
  postgresql {{
   send_application_name = no
  }}
  server = "{socket_dir}"
  port = 5432
  login = "corrente"
  password = ""
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
  group_attribute = "SQL-Group"
  read_groups = yes
  read_clients = no
  delete_stale_sessions = yes
  pool {{
   start = 2
   min = 1
   max = 4
   spare = 1
   uses = 0
   lifetime = 0
   idle_timeout = 60
  }}
  $INCLUDE ${{modconfdir}}/sql/main/${{dialect}}/queries.conf
 }}
}}
instantiate {{
 expr
}}
server default {{
 listen {{
  type = auth
  ipaddr = 127.0.0.1
  port = {port}
 }}
 authorize {{
  preprocess
  chap
  mschap
  sql
  expiration
  pap
 }}
 authenticate {{
  Auth-Type PAP {{
   pap
  }}
  Auth-Type CHAP {{
   chap
  }}
  Auth-Type MS-CHAP {{
   mschap
  }}
 }}
 session {{
  sql
 }}
 post-auth {{
  Post-Auth-Type REJECT {{
   attr_filter.access_reject
  }}
 }}
}}
"""


@dataclass(frozen=True, slots=True)
class RlmSqlServer:
    port: int
    secret: bytes
    log: Path


@contextmanager
def rlm_sql_server(socket_dir: Path, database: str, *, debug: bool = False) -> Iterator[RlmSqlServer]:
    """Started in daemon mode on a free port; stopped at the end. Every source in 127.0.0.0/8 is its client."""
    base = Path(tempfile.mkdtemp(prefix="corrente-rlm-sql-"))
    (base / "empty").touch()
    port = free_port()
    secret = "stock-secret"
    (base / "radiusd.conf").write_text(
        _CONFIG.format(base=base, stock=STOCK, port=port, secret=secret, socket_dir=socket_dir, database=database)
    )
    (base / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
    command = ["/usr/sbin/freeradius", "-d", str(base), *(["-X"] if debug else [])]
    with (base / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=base)
        if not debug:
            process.wait(timeout=60)
    pid = 0
    try:
        if not debug and process.returncode != 0:
            raise AssertionError((base / "output").read_text() + (base / "radius.log").read_text())
        pid = process.pid if debug else _wait_for_pid(base / "radiusd.pid")
        _wait_until_bound(port, base)
        yield RlmSqlServer(port, secret.encode(), base / ("output" if debug else "radius.log"))
    finally:
        if pid:
            os.kill(pid, signal.SIGTERM)
            if debug:
                process.wait(timeout=120)
            else:
                _wait_until_gone(pid)
        shutil.rmtree(base)


def _wait_for_pid(file: Path) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{file} was not written")


def _wait_until_bound(port: int, base: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if f":{port:04X} " in Path("/proc/net/udp").read_text():
            return
        time.sleep(0.02)
    raise AssertionError((base / "radius.log").read_text())


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 120
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.02)
