"""What `corrente check` looks at: settings, database, secrets key, policy store, FreeRADIUS, ports and disk.

Each check returns what it found in words, and what to do about it when that is something. Nothing is changed.

Next: cli/check.py
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg

from control_plane import db, freeradius, migrate
from control_plane.accounting.blame import OUR_FAULT_ADVICE
from control_plane.accounting.installation import load_installation, taken_advice, taken_text
from control_plane.accounting.spool import Parked, SpoolError
from control_plane.check_clocks import check_clocks
from control_plane.check_loop import check_loop
from control_plane.check_others import check_dunning, check_einvoices, check_gateways, check_messages, check_webhooks
from control_plane.findings import Finding, Verdict, fail, ok, warn
from control_plane.machine.live_figures import OLD_STORE_S
from control_plane.machine.ports import PortError, can_bind, choose_ports, read_ports
from control_plane.machine.private_postgres import ROLES
from control_plane.machine.state_dir import StateDir
from control_plane.policy.policy_source import load_profiles
from control_plane.policy.profile import session_policy
from control_plane.settings import NOT_YOURS, Settings, SettingsError, secret_keys
from control_plane.store.lease import load_lease
from control_plane.store.nas import load_nases
from control_plane.store.node import load_holder
from control_plane.store.parked import load_parked_counts
from control_plane.store.sealed import load_sealed_sample
from control_plane.unanswered import check_unanswered
from nas_drivers.driver import Drivers, UnknownVendorError
from radius_hooks.policy_store import FORMAT, PolicyReader, StoreError
from radius_hooks.sealing import Sealer, SealError

_OLDEST_POSTGRES: Final = 15
# Those of the processes; the owner of the operator's own database may have another name.
_ROLES: Final = ROLES[1:]
_STORE_AGE_FAIL_S: Final = 600.0
_DISK_FAIL_BYTES: Final = 500 << 20
_DISK_WARN_BYTES: Final = 5 << 30
# A job waits for the one before it; longer than any deadline means that nobody runs them.
_JOB_WAIT_WARN_S: Final = 600.0
# These parse no value that a Python module returns, unless they run in debug mode: every reply would be empty.
_BAD_FREERADIUS: Final = ("3.2.9", "3.2.10")

Connection = psycopg.Connection[Any]


def all_findings(settings: Settings) -> Iterator[Finding]:
    """Every check, one after the other."""
    yield from check_settings(settings)
    sealer, finding = check_key(settings)
    yield finding
    yield from _check_database(settings, sealer)
    yield check_store(settings, now=time.time())
    yield from check_freeradius(settings)
    yield from check_ports(settings)
    yield check_disk(settings)


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Where the settings come from; wrong ones never get this far."""
    yield ok("settings", settings.source_file or "no corrente.toml: the defaults hold")
    yield ok("state directory", str(settings.state_dir))


def check_key(settings: Settings) -> tuple[Sealer | None, Finding]:
    """The secrets key: there, well formed, and nobody else's to read."""
    try:
        sealer = Sealer(secret_keys(settings))
    except (SettingsError, SealError) as error:
        if isinstance(error.__cause__, PermissionError):
            advice = NOT_YOURS
        elif StateDir(settings.state_dir).cluster.is_made or settings.database.conninfo:
            advice = "put the key of your backup there: what the database keeps is sealed under it"
        else:
            advice = "start `corrente up` once, which makes one"
        return None, fail("secrets key", str(error), advice)
    named = freeradius.secrets_key_file(settings)
    if named and Path(named).stat().st_mode & stat.S_IRWXO:
        return sealer, warn("secrets key", f"{named} can be read by everyone on this machine", f"chmod o= {named}")
    return sealer, ok("secrets key", named or "from CORRENTE_SECRETS_KEY")


def _check_database(settings: Settings, sealer: Sealer | None) -> Iterator[Finding]:
    try:
        connection = db.connect(settings.conninfo("corrente"), name="check", autocommit=True)
    except psycopg.Error as error:
        yield fail(
            "database",
            " ".join(str(error).split()),
            NOT_YOURS
            if "Peer authentication" in str(error)
            else "start `corrente up`, or correct [database] conninfo in corrente.toml",
        )
        return
    with connection:
        yield check_server(connection)
        schema = check_schema(connection)
        yield schema
        if schema.verdict is Verdict.FAIL:
            return
        yield check_roles(connection)
        yield check_months(connection)
        yield from check_profiles(connection, Drivers(settings.drivers))
        yield from check_reach(connection)
        if sealer is not None:
            yield check_sample(connection, sealer)
        yield check_node(connection, settings)
        yield from check_clocks(connection)
        yield check_parked(connection)
        yield check_leader(connection)
        yield from check_jobs(connection)
        yield from check_loop(connection, settings.zone)
        yield check_webhooks(connection)
        yield check_messages(connection, mail_host=settings.email.host)
        yield check_einvoices(connection)
        yield check_dunning(connection)
        yield check_gateways(connection)
        yield from check_unanswered(connection, settings, now=datetime.now())  # noqa: DTZ005 - as FreeRADIUS's logs are


def check_server(connection: Connection) -> Finding:
    """PostgreSQL is new enough."""
    version = connection.info.server_version // 10000
    text = f"PostgreSQL {version} at {connection.info.host or connection.info.hostaddr}"
    if version < _OLDEST_POSTGRES:
        return fail("database", text, f"Corrente needs PostgreSQL {_OLDEST_POSTGRES} or newer")
    return ok("database", text)


def check_schema(connection: Connection) -> Finding:
    """The tables are those of this program."""
    try:
        status = migrate.load_status(connection, migrate.load_migrations())
    except migrate.MigrationError as error:
        return fail("schema", str(error), "install corrente again")
    match status.age:
        case migrate.DatabaseAge.CURRENT:
            return ok("schema", f"up to date, {len(status.applied)} migrations")
        case migrate.DatabaseAge.EMPTY:
            return fail("schema", "the database holds no tables of Corrente", "run `corrente db create`")
        case migrate.DatabaseAge.OLDER:
            names = ", ".join(migration.name for migration in status.pending)
            return fail("schema", f"older than this program: {names} not applied", "run `corrente db migrate`")
        case migrate.DatabaseAge.NEWER:
            unknown = ", ".join(status.unknown)
            return fail("schema", f"newer than this program, which does not know {unknown}", "install that release")


def check_roles(connection: Connection) -> Finding:
    """The processes have their roles, and may log in with them."""
    rows = dict(
        connection.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY (%s)", (list(_ROLES),))
    )
    missing = [role for role in _ROLES if role not in rows]
    if missing:
        return fail(
            "roles", f"missing: {', '.join(missing)}", "run `corrente db create` as an administrator, or CREATE ROLE"
        )
    closed = [role for role in _ROLES if not rows[role]]
    if closed:
        return warn(
            "roles", f"may not log in: {', '.join(closed)}", "ALTER ROLE … LOGIN, if processes connect as these roles"
        )
    return ok("roles", ", ".join(_ROLES))


def check_months(connection: Connection) -> Finding:
    """The partitions of this month and the next are there: without one, accounting can't be merged."""
    missing = connection.execute(
        "SELECT string_agg(to_char(month, 'YYYY-MM'), ', ') FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') "
        "+ make_interval(months => m) FROM generate_series(0, 1) AS m) AS wanted (month) "
        "WHERE to_regclass('login_attempt_' || to_char(month, 'YYYYMM')) IS NULL"
    ).fetchone()
    if missing is not None and missing[0]:
        return fail("partitions", f"none for {missing[0]}", "start `corrente worker`, which makes them ahead")
    return ok("partitions", "this month and the next")


def check_sample(connection: Connection, sealer: Sealer) -> Finding:
    """The key opens what is sealed in this database."""
    sealed = load_sealed_sample(connection)
    for one in sealed:
        try:
            sealer.open(one.value, row=one.row)
        except SealError as error:
            return fail("sealed secrets", str(error), "put the key of that time beside the new one: a line each")
    return ok("sealed secrets", f"{len(sealed)} looked at, all open" if sealed else "none yet")


def check_node(connection: Connection, settings: Settings) -> Finding:
    """The name of this RADIUS node is not another installation's: its edge would refuse to start."""
    try:
        ours = load_installation(settings)
    except SpoolError as error:
        return fail("node", str(error), "correct what it names")
    holder = load_holder(connection, settings.edge.node)
    if holder is None:
        return ok("node", f"{settings.edge.node}: nobody's yet, the first edge to start has it")
    if holder.installation == ours:
        return ok("node", f"{settings.edge.node}: this installation's since {holder.since:%Y-%m-%d}")
    advice = taken_advice(settings, holder)
    if not settings.accounting_spool_dir.exists():
        return warn("node", f"no edge has run here yet, and {taken_text(holder)}", advice)
    return fail("node", f"{taken_text(holder)}: an edge refuses to start here", advice)


def check_parked(connection: Connection) -> Finding:
    """No spooled record waits for a person; one over which our own code failed is a bug."""
    counts = load_parked_counts(connection)
    if not counts:
        return ok("records without effect", "none")
    text = ", ".join(f"{count:,} {kind.value}" for kind, count in counts.items())
    if Parked.OUR_FAULT in counts:
        return fail("records without effect", text, f"a bug of Corrente's own: {OUR_FAULT_ADVICE}")
    return warn(
        "records without effect",
        text,
        "`corrente unreadable list` says why; `retry` merges them when the cause is gone",
    )


def check_leader(connection: Connection) -> Finding:
    """A worker leads: without one no job runs and no session in drift is found."""
    lease = load_lease(connection)
    advice = (
        "start `corrente worker` (or `corrente up`); the /ready page of one that runs says what keeps it from leading"
    )
    if lease.token == 0:
        return warn("leader", "no worker has led yet", advice)
    host, process, *_ = lease.holder.split(":")
    if lease.left_s <= 0:
        return fail("leader", f"none for {-lease.left_s:.0f} s; the last was process {process} on {host}", advice)
    return ok("leader", f"process {process} on {host} since {lease.since:%Y-%m-%d %H:%M:%S} UTC, token {lease.token}")


def check_jobs(connection: Connection) -> Iterator[Finding]:
    """The workers' jobs are run, end within their deadlines and do not fail."""
    rows = connection.execute(
        "SELECT name, deadline_s, took_s, split_part(problem, E'\\n', 1), extract(epoch FROM clock_timestamp() - started_at)::float8, "
        "extract(epoch FROM clock_timestamp() - next_at)::float8 FROM scheduled_job ORDER BY name"
    ).fetchall()
    advice = "log/worker.log says more; pg_stat_activity shows what `corrente worker job …` does"
    well = True
    for name, deadline_s, took_s, problem, running_s, _ in rows:
        if running_s is not None and running_s > deadline_s:
            yield fail("jobs", f"{name} began {running_s:.0f} s ago, its deadline is {deadline_s:g} s", advice)
        elif problem:
            yield fail("jobs", f"{name} failed: {problem}", advice)
        elif took_s is not None and deadline_s is not None and took_s > deadline_s:
            yield warn("jobs", f"{name} took {took_s:.0f} s, its deadline is {deadline_s:g} s", advice)
        else:
            continue
        well = False
    waiting_s = max((row[5] for row in rows if row[4] is None), default=None)
    if not rows or (waiting_s is not None and waiting_s > _JOB_WAIT_WARN_S):
        waits = f"one has waited for {waiting_s:.0f} s" if waiting_s is not None else "none has ever run"
        yield warn("jobs", f"no worker runs them: {waits}", "start `corrente worker` (or `corrente up`)")
    elif well:
        yield ok("jobs", f"{len(rows)}, all well")


def check_profiles(connection: Connection, drivers: Drivers) -> Iterator[Finding]:
    """Every profile can be said to every kind of access device in use."""
    vendors = [row[0] for row in connection.execute("SELECT DISTINCT vendor FROM nas WHERE enabled ORDER BY vendor")]
    profiles = load_profiles(connection)
    said = False
    for vendor in vendors:
        try:
            driver = drivers.of(vendor)
        except UnknownVendorError as error:
            said = True
            yield fail(
                "vendors", str(error), "correct the NAS with `corrente nas`; until then its logins get no answer"
            )
            continue
        missing: dict[str, list[str]] = {}
        for profile in profiles:
            for sentence in driver.unsupported(session_policy(profile)):
                missing.setdefault(sentence, []).append(profile.name)
        for sentence, names in missing.items():
            said = True
            advice = "leave it out of the profile, or sell that plan where the devices can do it"
            yield warn("profiles", f"{', '.join(names)} on {vendor}: {sentence}", advice)
    if not said:
        yield ok("profiles", f"{len(profiles)} for {', '.join(vendors) or 'no vendor yet'}")


def check_reach(connection: Connection) -> Iterator[Finding]:
    """Changes can reach every NAS, and what is to confirm them can be asked."""
    nases = [nas for nas in load_nases(connection) if nas.enabled]
    well = True
    for nas in nases:
        is_group = nas.coa_address is None and nas.source.prefixlen < nas.source.max_prefixlen
        for holds, text, advice in (
            (is_group, "stands for many devices: no change can be sent to their sessions", "add each device by itself"),
            (
                nas.verification == "routeros_api" and nas.api_username is None,
                "is to be verified by its API and has no access to it",
                f"corrente nas set {nas.name} --api-user USER --api-password-file FILE",
            ),
            (
                nas.api_username is not None and not nas.api_tls,
                "is spoken to by its API without TLS: whoever is on the way reads it, and the password unless --api-login challenge",
                f"corrente nas set {nas.name} --api-tls --api-certificate SHA256",
            ),
            (
                nas.ssh_username is not None and nas.ssh_host_key is None,
                "has a command line whose host key nobody has trusted: nothing is typed there",
                f"corrente nas host-key {nas.name}",
            ),
            (
                nas.verification == "cli" and nas.ssh_username is None,
                "is to be verified by its command line and has no access to it",
                f"corrente nas set {nas.name} --ssh-user USER --ssh-password-file FILE",
            ),
        ):
            if holds:
                well = False
                yield warn("changes", f"NAS {nas.name} {text}", advice)
    if well:
        yield ok("changes", f"{len(nases)} NASes can be sent changes")


def check_store(settings: Settings, *, now: float) -> Finding:
    """The policy store: there, of our format, kept up to date. Units: `now` in epoch seconds."""
    advice = "start `corrente edge` (or `corrente up`), and look at log/edge.log"
    reader = PolicyReader(settings.policy_dir)
    try:
        with reader.reading() as store:
            meta = store.meta()
    except StoreError as error:
        return fail("policy store", str(error), advice)
    finally:
        reader.close()
    generation = (settings.policy_dir / "current").readlink()
    age_s = max(now - meta.checked_at, 0.0)
    text = f"format {FORMAT}, {generation}, {meta.accounts:,} accounts, compared with the database {age_s:.0f} s ago"
    if age_s > _STORE_AGE_FAIL_S:
        return fail("policy store", text, advice)
    return warn("policy store", text, advice) if age_s > OLD_STORE_S else ok("policy store", text)


def check_freeradius(settings: Settings) -> Iterator[Finding]:
    """The server is there, of a version that works, and takes the configuration that these settings give."""
    if not freeradius.BINARY.exists():
        yield fail("FreeRADIUS", f"{freeradius.BINARY} is missing", "apt-get install freeradius freeradius-python3")
        return
    said = subprocess.run([freeradius.BINARY, "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Version (\d+\.\d+\.\d+)", said)
    version = found.group(1) if found else "unknown"
    if version in _BAD_FREERADIUS:
        yield fail("FreeRADIUS", f"version {version} drops every value a hook returns", "use 3.2.1 to 3.2.8, or 3.2.11")
    else:
        yield ok("FreeRADIUS", f"version {version}")
    yield _check_configuration(settings)


def _check_configuration(settings: Settings) -> Finding:
    """FreeRADIUS's own check of a rendering made for the purpose, so that the running server's files stay as they are."""
    advice = "correct what it names; freeradius-config/ holds the forms of these files"
    with tempfile.TemporaryDirectory(prefix="corrente-check-") as folder:
        Path(folder).chmod(0o755)
        try:
            config = freeradius.render(settings, Path(folder) / "freeradius")
        except freeradius.FreeradiusError as error:
            return fail("FreeRADIUS configuration", str(error), "correct the setting it names")
        said = freeradius.refusal(config)
    if said:
        errors = [line for line in said.splitlines() if "rror" in line] or said.splitlines()[-1:]
        return fail("FreeRADIUS configuration", errors[0].strip(), advice)
    return ok("FreeRADIUS configuration", "both servers accepted by freeradius -C")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """The ports are ours, or free."""
    running = read_ports(settings.state_dir / "run")
    # A start that was killed leaves its ports written down.
    if running is not None and not can_bind(running.radius_address, running.authentication, "udp"):
        moved = running.authentication != settings.radius.authentication_port
        text = f"RADIUS on {running.authentication} and {running.accounting}, web on {running.web}"
        advice = "free the ports of the settings and start again, or name others in corrente.toml"
        yield warn("ports", f"{text}: others than configured", advice) if moved else ok("ports", text)
        return
    try:
        free = choose_ports(settings, can_bind)
    except PortError as error:
        yield fail("ports", str(error), "name other ports in corrente.toml")
        return
    wanted = settings.radius.authentication_port
    if free.authentication != wanted:
        yield warn(
            "ports",
            f"UDP port {wanted} or {settings.radius.accounting_port} is taken; `corrente up` would use "
            f"{free.authentication} and {free.accounting}",
            "stop the other RADIUS server, or tell the access devices the new ports",
        )
    else:
        yield ok("ports", f"RADIUS {free.authentication} and {free.accounting} are free, web {free.web}")


def check_disk(settings: Settings) -> Finding:
    """There is room for the database and, when that is away, for the spool."""
    place = settings.state_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {place}"
    advice = "an accounting record that finds no room is not answered, and the access device keeps it: make room"
    if free < _DISK_FAIL_BYTES:
        return fail("disk", text, advice)
    return warn("disk", text, advice) if free < _DISK_WARN_BYTES else ok("disk", text)
