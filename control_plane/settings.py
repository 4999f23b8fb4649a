"""The settings: one corrente.toml, read once into frozen records, a section a concern.

An unknown key or a wrong type stops the start with the file, the line and what was expected. Secrets are not in the
file: they come from `CORRENTE_…` or from a file named by `CORRENTE_…_FILE`.

Units are in the key names. corrente.toml.example lists every setting with its default.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import psycopg
from msgspec import Meta
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from nas_drivers.driver import UnknownVendorError, driver_for

Port = Annotated[int, Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, Meta(ge=0, le=65535)]
PositiveSeconds = Annotated[float, Meta(gt=0)]
Seconds = Annotated[int, Meta(ge=0)]
Days = Annotated[int, Meta(ge=1)]
ClockTime = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
# What to do for somebody else than the user whose state directory it is.
NOT_YOURS: Final = "run this as the user who started Corrente, or as root (sudo)"
DEFAULT_FILE: Final = "corrente.toml"


class SettingsError(Exception):
    """A setting is wrong; the message names file, line, key and what was expected."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of the file: a key it does not know is refused."""


class OperatorSettings(_Section, frozen=True):
    """Who runs this network, and in which zone its days begin."""

    name: str = "My ISP"
    billing_zone: str = "Europe/Rome"


class DatabaseSettings(_Section, frozen=True):
    """Which PostgreSQL. Empty means the private one that `corrente up` keeps under the state directory."""

    conninfo: str = ""


class PathSettings(_Section, frozen=True):
    """Where state lives; relative paths count from the settings file."""

    state_dir: str = "var"


class RadiusSettings(_Section, frozen=True):
    """The two FreeRADIUS servers that `corrente up` starts."""

    listen_address: str = "127.0.0.1"
    authentication_port: Port = 1812
    accounting_port: Port = 1813
    status_port: Port = 18121
    accounting_status_port: Port = 18122
    nas_lifetime_s: Annotated[int, Meta(ge=1, le=86400)] = 30
    reject_delay_s: Annotated[int, Meta(ge=0, le=5)] = 1
    threads: Annotated[int, Meta(ge=1, le=32)] = 1
    freeradius_dictionary: str = "/usr/share/freeradius/dictionary"


class AccessSettings(_Section, frozen=True):
    """What bears on a login."""

    store_max_age_s: Seconds = 0
    sessions_max_age_s: Seconds = 300
    timeout_jitter_percent: Annotated[int, Meta(ge=0, le=50)] = 10


class EdgeSettings(_Section, frozen=True):
    """The process beside FreeRADIUS."""

    node: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")] = "node-1"
    poll_interval_s: PositiveSeconds = 0.2
    spool_interval_s: PositiveSeconds = 0.5
    spool_grace_s: PositiveSeconds = 10.0
    batch_records: Annotated[int, Meta(ge=1, le=100000)] = 20000
    spool_sync_interval_s: Annotated[float, Meta(ge=0)] = 0.0
    address: str = "127.0.0.1"
    port: PortOrNone = 8020


class WorkerSettings(_Section, frozen=True):
    """The process that runs jobs and the control loop."""

    address: str = "127.0.0.1"
    port: PortOrNone = 8010


class AccountingSettings(_Section, frozen=True):
    """How records become sessions and usage."""

    stale_after_intervals: Annotated[int, Meta(ge=2, le=100)] = 3
    stale_grace_s: Seconds = 60
    default_interim_interval_s: Annotated[int, Meta(ge=60, le=86400)] = 600


class RetentionSettings(_Section, frozen=True):
    """How long each class of data is kept. The law of the country decides; ask counsel."""

    address_history_days: Days = 365
    closed_session_days: Days = 365
    login_attempt_days: Days = 90
    usage_hour_days: Days = 90
    usage_day_days: Days = 1095
    unreadable_record_days: Days = 30
    enforcement_days: Days = 365
    # The database keeps them for four weeks whatever stands here.
    message_days: Annotated[int, Meta(ge=28)] = 1095
    # The database refuses to forget the last four weeks.
    history_days: Annotated[int, Meta(ge=28)] = 1095
    change_feed_hours: Annotated[int, Meta(ge=1)] = 24


class GuardSettings(_Section, frozen=True):
    """From how many of the subscribers online automation may take service within an hour without asking a person."""

    share_percent: Annotated[float, Meta(ge=0, le=100)] = 2.0
    never_less_than: Annotated[int, Meta(ge=0)] = 20


class BillingSettings(_Section, frozen=True):
    """Whether the worker bills by itself, and from which hour of the issuer's day; by which schemas files of banks are checked."""

    daily: bool = False
    prepare_hour: Annotated[int, Meta(ge=0, le=23)] = 5
    bank_schemas: str = ""


class PapersSettings(_Section, frozen=True):
    """What is printed: where the operator's own templates, words and logos are."""

    folder: str = "papers"


class EinvoiceSettings(_Section, frozen=True):
    """How tax authorities are spoken to."""

    allow_private_addresses: bool = False
    timeout_s: Annotated[float, Meta(gt=0, le=90)] = 30.0


class WebhookSettings(_Section, frozen=True):
    """What is told to others by HTTP."""

    allow_private_addresses: bool = False
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    disable_after_days: Annotated[int, Meta(ge=1, le=365)] = 5
    keep_days: Days = 90


class PushSettings(_Section, frozen=True):
    """Notices on subscribers' devices."""

    allow_private_addresses: bool = False
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0


class GatewaySettings(_Section, frozen=True):
    """Payment gateways."""

    test_hosts: list[str] = []
    timeout_s: PositiveSeconds = 20.0


class MessagesSettings(_Section, frozen=True):
    """When customers are written to, and the address of pages that a message may name."""

    from_time: ClockTime = "08:00"
    until_time: Annotated[str, Meta(pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = "20:00"
    public_url: str = ""


class EmailSettings(_Section, frozen=True):
    """The mail server that takes our mail, and how much of it. Without a host no e-mail is sent."""

    host: str = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    username: str = ""
    sender: str = ""
    bounce_address: str = ""
    per_hour: Annotated[int, Meta(ge=1)] = 1000
    per_day: Annotated[int, Meta(ge=1)] = 10000
    timeout_s: PositiveSeconds = 60.0


class MailboxSettings(_Section, frozen=True):
    """The mailbox that bounces and unsubscriptions come into. Without a host it is not read."""

    host: str = ""
    port: Port = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    ca_file: str = ""
    username: str = ""
    folder: str = "INBOX"
    timeout_s: PositiveSeconds = 60.0


class WebSettings(_Section, frozen=True):
    """The web process."""

    address: str = "127.0.0.1"
    port: Port = 8000
    # How many proxies stand before it, whose X-Forwarded-* are believed; 0: whoever connects is who asks.
    proxies: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    # Where maps have their pictures from, with {z}, {x} and {y}; empty: maps have none.
    map_tiles: Annotated[str, Meta(pattern=r"^(https?://[A-Za-z0-9.:-]+/[^\s'\";,]*\{z\}[^\s'\";,]*)?$")] = ""
    # How often one token may call the interface for programs.
    calls_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 600
    # How many live pages one person may have open; the others ask from time to time.
    streams_per_person: Annotated[int, msgspec.Meta(ge=1, le=64)] = 12


class GardenSettings(_Section, frozen=True):
    """The page where limited lines land."""

    reminds: bool = False
    remind_again_hours: Annotated[int, Meta(ge=1, le=720)] = 24


class Settings(_Section, frozen=True):
    """All of corrente.toml."""

    operator: OperatorSettings = OperatorSettings()
    database: DatabaseSettings = DatabaseSettings()
    paths: PathSettings = PathSettings()
    radius: RadiusSettings = RadiusSettings()
    access: AccessSettings = AccessSettings()
    edge: EdgeSettings = EdgeSettings()
    worker: WorkerSettings = WorkerSettings()
    accounting: AccountingSettings = AccountingSettings()
    retention: RetentionSettings = RetentionSettings()
    guard: GuardSettings = GuardSettings()
    billing: BillingSettings = BillingSettings()
    papers: PapersSettings = PapersSettings()
    webhooks: WebhookSettings = WebhookSettings()
    gateways: GatewaySettings = GatewaySettings()
    messages: MessagesSettings = MessagesSettings()
    email: EmailSettings = EmailSettings()
    mailbox: MailboxSettings = MailboxSettings()
    push: PushSettings = PushSettings()
    einvoice: EinvoiceSettings = EinvoiceSettings()
    web: WebSettings = WebSettings()
    garden: GardenSettings = GardenSettings()
    # What differs by installation in how a vendor's devices are spoken to: each vendor file types its own section.
    drivers: dict[str, Any] = {}
    # Filled in by load_settings: the directory that relative paths count from, and the file itself if there is one.
    base_dir: str = "."
    source_file: str = ""

    @property
    def state_dir(self) -> Path:
        """The state directory as an absolute path."""
        return (Path(self.base_dir) / self.paths.state_dir).resolve()

    @property
    def bank_schemas_dir(self) -> Path | None:
        """The folder with schemas that banks' files are checked by; None: files are read without."""
        folder = self.billing.bank_schemas
        return (Path(self.base_dir) / folder).resolve() if folder else None

    @property
    def papers_dir(self) -> Path:
        """Where an operator's own templates are; it need not be there."""
        return (Path(self.base_dir) / self.papers.folder).resolve()

    @property
    def policy_dir(self) -> Path:
        """Where the policy store's generations are."""
        return self.state_dir / "policy"

    @property
    def accounting_spool_dir(self) -> Path:
        """Where FreeRADIUS's detail module writes accounting."""
        return self.state_dir / "spool" / "accounting"

    @property
    def login_spool_dir(self) -> Path:
        """Where the hook writes login attempts."""
        return self.state_dir / "spool" / "logins"

    @property
    def zone(self) -> ZoneInfo:
        """The billing zone."""
        return ZoneInfo(self.operator.billing_zone)

    def conninfo(self, role: str) -> str:
        """How to reach the database as `corrente` (its owner), `corrente_edge`, `corrente_worker`, …

        A conninfo that names a user is taken as it stands, and that one role does everything.
        """
        given = self.database.conninfo
        if given:
            return given if "user" in conninfo_to_dict(given) else make_conninfo(given, user=role)
        return f"host={self.state_dir / 'run' / 'postgres'} port=5432 dbname=corrente user={role}"


def load_settings(path: Path | None = None) -> Settings:
    """The settings in `path`, else in CORRENTE_SETTINGS, else in ./corrente.toml if it is there, else the defaults.

    Raises: SettingsError.
    """
    named = path or (Path(os.environ["CORRENTE_SETTINGS"]) if "CORRENTE_SETTINGS" in os.environ else None)
    file = named or Path(DEFAULT_FILE)
    if not file.exists():
        if named is not None:
            raise SettingsError(f"{file}: there is no such file; copy corrente.toml.example there")
        return Settings(base_dir=str(Path.cwd()))
    text, raw = _read_toml(file)
    for own in ("base_dir", "source_file"):
        if own in raw:
            raise SettingsError(f"{file}:{_line_of(text, [own])}: unknown key `{own}`")
    place = {"base_dir": str(file.resolve().parent), "source_file": str(file.resolve())}
    try:
        settings = msgspec.convert({**raw, **place}, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(file, text, str(error))) from error
    options = {name: _driver_options(file, text, name, section) for name, section in settings.drivers.items()}
    settings = msgspec.structs.replace(settings, drivers=options)
    try:
        conninfo_to_dict(settings.database.conninfo)
    except psycopg.ProgrammingError as error:
        line = _line_of(text, ["database", "conninfo"])
        raise SettingsError(
            f"{file}:{line}: database.conninfo: expected libpq's words such as host=db.example dbname=corrente ({error})"
        ) from error
    try:
        ZoneInfo(settings.operator.billing_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        line = _line_of(text, ["operator", "billing_zone"])
        raise SettingsError(
            f"{file}:{line}: operator.billing_zone: expected a zone name such as Europe/Rome"
        ) from error
    return settings


def _driver_options(file: Path, text: str, vendor: str, section: object) -> object:
    """A section `[drivers.VENDOR]` as its vendor file types it. Raises: SettingsError."""
    keys = ["drivers", vendor]
    try:
        options = driver_for(vendor).options
        unknown = set(section if isinstance(section, dict) else ()) - {one.name for one in fields(options)}
        if unknown:
            raise msgspec.ValidationError(f"Object contains unknown field `{min(unknown)}`")
        return msgspec.convert(section, type(options))
    except UnknownVendorError as error:
        raise SettingsError(f"{file}:{_line_of(text, keys)}: {'.'.join(keys)}: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(file, text, str(error), within=keys)) from error


def _read_toml(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8", errors="strict")
        return text, tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{file}: the settings can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: this is not TOML: byte {error.start} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: this is not TOML: {error}") from error


def _explain(file: Path, text: str, message: str, *, within: Sequence[str] = ()) -> str:
    """A message of msgspec with the file and the line of the key it complains of, in the section `within`."""
    problem, _, where = message.partition(" - at `$")
    keys = [*within, *(key for key in where.rstrip("`").split(".") if key)]
    unknown = re.search(r"unknown field `([^`]*)`", problem)
    if unknown:
        keys.append(unknown.group(1))
        problem = "unknown key; see corrente.toml.example"
    return f"{file}:{_line_of(text, keys)}: {'.'.join(keys)}: {problem}"


def _line_of(text: str, keys: list[str]) -> int:
    """The line where a key stands; that of its section when it stands nowhere."""
    section, found = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        section = header.group(1) if header else section
        path = [*section.split("."), *re.findall(r"^\s*([A-Za-z0-9_\"'-]+(?:\.[A-Za-z0-9_-]+)*)\s*=", line)]
        joined = ".".join(part.strip("\"'") for part in path if part)
        if joined == ".".join(keys):
            return number
        if header and keys[: len(section.split("."))] == section.split("."):
            found = number
    return found


def secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that seal secrets: the one in use first, then older ones that still open.

    Lines of base64, 32 bytes each, in CORRENTE_SECRETS_KEY, in the file CORRENTE_SECRETS_KEY_FILE, or in the state
    directory's secrets.key, which `corrente up` makes. Raises: SettingsError.
    """
    if "CORRENTE_SECRETS_KEY" in os.environ:
        source, text = "CORRENTE_SECRETS_KEY", os.environ["CORRENTE_SECRETS_KEY"]
    else:
        file = Path(os.environ.get("CORRENTE_SECRETS_KEY_FILE", settings.state_dir / "secrets.key"))
        try:
            source, text = str(file), file.read_text()
        except PermissionError as error:
            raise SettingsError(f"{file}: the secrets key is not for you to read; {NOT_YOURS}") from error
        except OSError as error:
            raise SettingsError(
                f"{file}: the secrets key can't be read ({error.strerror}); the first `corrente up` makes one"
            ) from error
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in text.split())
    except binascii.Error as error:
        raise SettingsError(f"{source}: expected lines of base64 with 32 bytes each") from error
    if not keys or any(len(key) != 32 for key in keys):
        raise SettingsError(f"{source}: expected one or more lines of base64 with 32 bytes each")
    return keys


def password_of(settings: Settings, what: Literal["email", "mailbox"]) -> str:
    """The password of the mail server or the mailbox: CORRENTE_EMAIL_PASSWORD, the first line of the file that
    CORRENTE_EMAIL_PASSWORD_FILE names, or of email.password in the state directory (and the same with MAILBOX, mailbox).

    Raises: SettingsError.
    """
    name = f"CORRENTE_{what.upper()}_PASSWORD"
    if name in os.environ:
        return os.environ[name]
    file = Path(os.environ.get(f"{name}_FILE", settings.state_dir / f"{what}.password"))
    try:
        return file.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        why = getattr(error, "strerror", None) or "it is empty or no text"
        raise SettingsError(
            f"{file}: the password of [{what}] username can't be read ({why}); put it there, or into {name}"
        ) from error
