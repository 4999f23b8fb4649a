"""A Postfix and a Dovecot of the tests' own: free ports of 127.0.0.1, all files below one folder, an authority of their own. Needs root.

Postfix takes mail for isp.test and customers.test, with and without TLS; what it does with a recipient goes by its name:
`later@` is deferred (4.7.1), `policy@` refused (5.7.1), an unknown one refused (5.1.1). It relays for far.test to a server that
refuses everybody there, so that it writes a bounce itself. Dovecot shows the mailboxes by IMAP, and tells Postfix who may log in.
"""

from __future__ import annotations

import datetime
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.ports import free_ports

USER = "relay@isp.test"
PASSWORD = "relay-password-1"
BOUNCES = "bounces@isp.test"
CUSTOMERS = ("anna", "bruno", "carla", "later", "policy", "dora")
_MAIL_USER = "mail"
_MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.isp.test
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {base}/log/maillog
maillog_file_prefixes = {base}
virtual_mailbox_domains = isp.test, customers.test
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = texthash:{base}/postfix/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
recipient_delimiter = +
relay_domains = far.test
transport_maps = texthash:{base}/postfix/transport
nobody_here = check_recipient_access static:{{550 5.1.1 nobody is here}}, reject
known_only = check_recipient_access texthash:{base}/postfix/access, permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{base}/postfix/access, permit_mynetworks, reject
smtpd_tls_cert_file = {base}/server.pem
smtpd_tls_key_file = {base}/server.key
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = {base}/auth-client
smtpd_sasl_auth_enable = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 2000000
in_flow_delay = 0s
qmgr_message_active_limit = 100
bounce_queue_lifetime = 0
default_process_limit = 10
"""
_MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{tls} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:{strict} inet n - n - - smtpd -o smtpd_recipient_restrictions=$known_only
127.0.0.1:{far} inet n - n - - smtpd -o smtpd_recipient_restrictions=$nobody_here -o relay_domains=far.test
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
tlsmgr unix - - n 1000? 1 tlsmgr
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
_DOVECOT = """
base_dir = {base}/dovecot-run
state_dir = {base}/dovecot-run
log_path = {base}/log/dovecot
protocols = imap
listen = 127.0.0.1
first_valid_uid = 1
mail_location = maildir:{base}/mail/%d/%n
ssl = yes
ssl_cert = <{base}/server.pem
ssl_key = <{base}/server.key
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%d/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {base}/auth-client {{
    mode = 0666
  }}
}}
"""


@dataclass
class MailWorld:
    """Where the two listen, and what came into their mailboxes."""

    base: Path
    smtp: int
    tls: int
    strict: int
    imap: int
    imaps: int

    @property
    def authority(self) -> Path:
        """Who signed their certificate."""
        return self.base / "authority.pem"

    def mails(self, address: str) -> list[EmailMessage]:
        """What is in a mailbox, the oldest first."""
        user, _, domain = address.partition("@")
        folder = self.base / "mail" / domain / user
        files = [one for part in ("new", "cur") for one in (folder / part).glob("*")]
        return [
            message_from_bytes(one.read_bytes(), policy=default)  # type: ignore[arg-type]
            for one in sorted(files, key=lambda one: one.stat().st_mtime_ns)
        ]

    def wait_for(self, address: str, count: int) -> list[EmailMessage]:
        """The same, when there are so many."""
        until = time.monotonic() + 120
        while len(found := self.mails(address)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} mails to {address}\n{self.log()}"
            time.sleep(0.02)
        return found

    def log(self) -> str:
        """The end of what both have to say."""
        return "\n".join(
            one.read_text(errors="replace")[-4000:] for one in sorted((self.base / "log").glob("*")) if one.is_file()
        )

    def empty(self) -> None:
        """All mailboxes as at first."""
        for file in (self.base / "mail").glob("*/*/*/*"):
            if file.is_file():
                file.unlink()


@contextmanager
def mail_world() -> Iterator[MailWorld]:
    """Both of them, until the block ends."""
    base = Path(tempfile.mkdtemp(prefix="corrente-mail-"))
    base.chmod(0o755)
    smtp, tls, strict, far, imap, imaps = free_ports(6)
    world = MailWorld(base, smtp, tls, strict, imap, imaps)
    _write(world, far)
    dovecot = None
    try:
        with (base / "log" / "dovecot.out").open("wb") as out:
            dovecot = subprocess.Popen(
                ["/usr/sbin/dovecot", "-F", "-c", str(base / "dovecot.conf")], stdout=out, stderr=out
            )
        started = subprocess.run(
            ["/usr/sbin/postfix", "-c", str(base / "postfix"), "start"], capture_output=True, text=True, check=False
        )
        assert started.returncode == 0, f"{started.stdout}{started.stderr}{world.log()}"
        for port in (smtp, imap):
            _wait_for_port(port, world)
        yield world
    finally:
        _stop_postfix(base)
        if dovecot is not None:
            dovecot.send_signal(signal.SIGTERM)
            dovecot.wait(60)
        shutil.rmtree(base)


def _write(world: MailWorld, far: int) -> None:
    base = world.base
    names = {
        "base": base,
        "uid": pwd.getpwnam(_MAIL_USER).pw_uid,
        "gid": grp.getgrnam(_MAIL_USER).gr_gid,
        "far": far,
        **{name: getattr(world, name) for name in ("smtp", "tls", "strict", "imap", "imaps")},
    }
    for folder in ("postfix", "queue", "data", "log", "mail", "dovecot-run"):
        (base / folder).mkdir()
    postfix = pwd.getpwnam("postfix")
    os.chown(base / "data", postfix.pw_uid, postfix.pw_gid)
    os.chown(base / "mail", names["uid"], names["gid"])
    _make_certificate(base)
    boxes = [*(f"{name}@customers.test" for name in CUSTOMERS), BOUNCES, USER]
    (base / "postfix" / "main.cf").write_text(_MAIN.format(**names))
    (base / "postfix" / "master.cf").write_text(_MASTER.format(**names))
    (base / "postfix" / "mailboxes").write_text("".join(f"{one} {'/'.join(one.split('@')[::-1])}/\n" for one in boxes))
    (base / "postfix" / "transport").write_text(f"far.test smtp:[127.0.0.1]:{far}\n")
    (base / "postfix" / "access").write_text(
        "later@customers.test 450 4.7.1 greylisted, come back later\npolicy@customers.test 554 5.7.1 we do not like this\n"
    )
    (base / "dovecot.conf").write_text(_DOVECOT.format(**names))
    (base / "users").write_text("".join(f"{one}:{{PLAIN}}{PASSWORD}\n" for one in boxes))


def _stop_postfix(base: Path) -> None:
    """By its own command; then by the process that its folder names."""
    subprocess.run(["/usr/sbin/postfix", "-c", str(base / "postfix"), "abort"], capture_output=True, check=False)
    pid_file = base / "queue" / "pid" / "master.pid"
    until = time.monotonic() + 60
    while pid_file.exists() and time.monotonic() < until:
        try:
            os.kill(int(pid_file.read_text().strip() or 0) or os.getpid(), 0)
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.02)


def _wait_for_port(port: int, world: MailWorld) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except OSError:
            assert time.monotonic() < until, world.log()
            time.sleep(0.02)
        else:
            return


def _make_certificate(base: Path) -> None:
    """An authority and, by it, the certificate of 127.0.0.1 and mail.isp.test."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("tests' authority", "mail.isp.test")
    ]
    certificates = []
    for place in (0, 1):
        made = (
            x509.CertificateBuilder()
            .subject_name(names[place])
            .issuer_name(names[0])
            .public_key(keys[place].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=place == 0, path_length=None), critical=True)
        )
        if place == 1:
            hosts = [x509.DNSName("mail.isp.test"), x509.IPAddress(ip_address("127.0.0.1"))]
            made = made.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        certificates.append(made.sign(keys[0], hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (base / "authority.pem").write_bytes(certificates[0].public_bytes(pem))
    (base / "server.pem").write_bytes(certificates[1].public_bytes(pem))
    (base / "server.key").write_bytes(
        keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (base / "server.key").chmod(0o600)
