"""OpenSSH's sshd on 127.0.0.1, whose users' login shells are FRR's vtysh, with a real bgpd behind it, and the stand-in shell.

In a mount namespace of its own, where /etc/passwd and /etc/shadow have those users: the machine gets none. Needs root.
"""

from __future__ import annotations

import grp
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port

PASSWORD = "ssh-password-1"
_SHELL = Path(__file__).with_name("ssh_stand_in_shell.py")
_IN_NAMESPACE = """
set -e
mount --make-rprivate /
mkdir -p /run/sshd /run/frr
mount --bind {base}/passwd /etc/passwd
mount --bind {base}/shadow /etc/shadow
mount --bind {base}/frr /run/frr
mount -t tmpfs tmpfs /run/sshd
chmod 755 /run/sshd
/usr/lib/frr/bgpd -n -p 0 -P 0 -u frr -g frr -z {base}/frr/none -i {base}/frr/bgpd.pid --log file:{base}/bgpd.log &
exec /usr/sbin/sshd -D -e -f {base}/sshd_config
"""


@dataclass
class SshServer:
    """Where it listens, and what it keeps; `told` are the lines that the stand-in shell got."""

    base: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def told(self) -> list[str]:
        file = self.base / "shell" / "told"
        return file.read_text().splitlines() if file.exists() else []

    def host_key(self) -> str:
        """Its own, as ssh-keygen wrote it."""
        return " ".join((self.base / "host_key.pub").read_text().split()[:2])

    def make_host_key(self) -> None:
        """A new one, which it shows from its next start on."""
        for name in ("host_key", "host_key.pub"):
            (self.base / name).unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.base / "host_key")], check=True)

    def start(self) -> None:
        """Returns when it answers, and vtysh has its bgpd."""
        log = (self.base / "sshd.log").open("ab")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _IN_NAMESPACE.format(base=self.base)],
            stdout=log,
            stderr=log,
        )
        log.close()
        until = time.monotonic() + 120
        while not (self._answers() and (self.base / "frr" / "bgpd.vty").exists()):
            log_text = (self.base / "sshd.log").read_text()
            assert self.process.poll() is None, log_text
            assert time.monotonic() < until, log_text
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and all in its namespace."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(60)
            self.process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as one:
                return one.recv(4) == b"SSH-"
        except OSError:
            return False


@contextmanager
def ssh_server() -> Iterator[SshServer]:
    """One that runs until the block ends."""
    base = Path(tempfile.mkdtemp(prefix="corrente-ssh-"))
    server = SshServer(base, free_port())
    try:
        _prepare(server)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)


def _prepare(server: SshServer) -> None:
    base = server.base
    base.chmod(0o755)
    (base / "shell").mkdir()
    (base / "frr").mkdir()
    shutil.copy(_SHELL, base / "shell" / "stand-in")
    (base / "shell" / "stand-in").chmod(0o755)
    os.chown(base / "shell", 65534, 65534)
    shutil.chown(base / "frr", "frr", "frr")
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD.encode(), capture_output=True, check=True
    ).stdout.decode()
    frrvty = grp.getgrnam("frrvty").gr_gid
    users = {"frr-vtysh": (frrvty, "/usr/bin/vtysh"), "stand-in": (65534, str(base / "shell" / "stand-in"))}
    (base / "passwd").write_text(
        Path("/etc/passwd").read_text()
        + "".join(f"{name}:x:65534:{group}::/:{shell}\n" for name, (group, shell) in users.items())
    )
    (base / "shadow").write_text(
        Path("/etc/shadow").read_text() + "".join(f"{name}:{hashed.strip()}:19000:0:99999:7:::\n" for name in users)
    )
    (base / "shadow").chmod(0o600)
    server.make_host_key()
    (base / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {server.port}\nHostKey {base}/host_key\nPidFile none\nUsePAM no\n"
        "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nStrictModes no\nPrintMotd no\nPrintLastLog no\n"
        f"LogLevel VERBOSE\nMaxStartups 100\n"
    )
