"""A user-mode-linux guest: a real kernel with PPP and PPPoE as one process of the test, its root the machine's own files, read only.

    with uml_guest(device, directory, uplink="uplink") as guest:
        guest.run("ip address add 192.0.2.2/24 dev vec0")

Commands go to a shell in the guest by its first console. What they write stays in the guest's memory (`/run`, `/etc/ppp`).
Debian's packages user-mode-linux and kmod; x86-64 only. The guest has no clock of its own: it is the machine's.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.peer_network import Namespace, wait_for

_LAUNCHER = Path(__file__).with_name("uml_launcher.py")
_MEMORY = "128M"
_BOOT_S = 240.0
_COMMAND_S = 120.0
# See uml_launcher.py. What glibc and OpenSSL find out of the processor by themselves would use AVX.
_NO_AVX = (
    "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-AVX512BW",
    "OPENSSL_ia32cap=0:0",
)
_MODULES = ("lib/crc-ccitt", "drivers/net/slip/slhc", *(f"drivers/net/ppp/{name}" for name in ("ppp_generic", "pppox")))
_MODULES += tuple(f"drivers/net/{name}" for name in ("ppp/ppp_async", "ppp/pppoe", "veth"))
_INIT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TMPDIR=/run
stty raw -echo
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for place in /run /etc/ppp; do mount -t tmpfs tmpfs $place; done
mkdir /dev/pts
mount -t devpts devpts /dev/pts
for module in {modules}; do insmod /usr/lib/uml/modules/$(uname -r)/kernel/$module.ko; done
ip link set lo up
printf '\\n{mark} 0\\n'
while IFS= read -r line; do
    eval "$line" </dev/null 2>&1
    printf '\\n{mark} %d\\n' $?
done
# Nobody is there any more.
echo o >/proc/sysrq-trigger
sleep infinity
"""


@dataclass(frozen=True)
class Guest:
    """A running guest, by the process that is its kernel."""

    process: subprocess.Popen[bytes]
    mark: str
    log: Path

    def run(self, command: str, *, within_s: float = _COMMAND_S) -> str:
        """Run one line of shell in the guest and return what it said. Raises: AssertionError when it fails."""
        said, code = self.ask(command, within_s=within_s)
        assert code == 0, f"{command}: exit {code}: {said}\n{self.words()}"
        return said

    def ask(self, command: str, *, within_s: float = _COMMAND_S) -> tuple[str, int]:
        """What a line of shell said, and its exit code."""
        assert "\n" not in command
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        return self.hear(within_s=within_s)

    def hear(self, *, within_s: float) -> tuple[str, int]:
        """What the shell in the guest says up to its mark, and the code behind that."""
        assert self.process.stdout is not None
        until = time.monotonic() + within_s
        heard = b""
        while True:
            before, mark, after = heard.partition(f"\n{self.mark} ".encode())
            if mark and after.endswith(b"\n"):
                return before.decode(errors="replace"), int(after)
            left_s = until - time.monotonic()
            ready = left_s > 0 and select.select([self.process.stdout], [], [], left_s)[0]
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise AssertionError(f"the guest said no more than {heard!r}\n{self.words()}")
            heard += more

    def wait_for(self, command: str, *, said: str = "", within_s: float = 120.0) -> str:
        """What `command` said once it was successful and said `said`."""
        got: list[str] = []

        def reached() -> bool:
            text, code = self.ask(command)
            got.append(text)
            return code == 0 and said in text

        wait_for(reached, f"{command} -> {said!r}", within_s=within_s)
        return got[-1]

    def words(self) -> str:
        """The end of what the guest's kernel said."""
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def uml_guest(device: Namespace, directory: Path, *, uplink: str, mac: str) -> Iterator[Guest]:
    """A guest that has booted; its network interface `vec0` is the interface `uplink` of the namespace `device`.

    The directory keeps its files; all its processes are gone when the block ends.
    """
    mark = f"<{secrets.token_hex(8)}>"
    init = directory / "init"
    init.write_text(_INIT.format(modules=" ".join(_MODULES), mark=mark))
    init.chmod(0o755)
    log = directory / "kernel.log"
    # In a process namespace of its own, all of whose processes go with the first.
    command = device.command(sys.executable, str(_LAUNCHER), "unshare", "--pid", "--fork", "--kill-child", "linux.uml")
    command += [f"mem={_MEMORY}", f"uml_dir={directory}", "umid=guest", "con=null", "con0=fd:0,fd:1"]
    command += ["loglevel=1", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"]
    command += [f"vec0:transport=raw,ifname={uplink},depth=128,gro=0,mac={mac}", *_NO_AVX]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            bufsize=0,
            start_new_session=True,
            # Its memory is a file there, never /dev/shm: that is small or without leave to execute in many a container.
            env={**os.environ, "TMPDIR": str(directory)},
        )
    guest = Guest(process, mark, log)
    try:
        guest.hear(within_s=_BOOT_S)
        yield guest
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the kernel, and the processes that carry the guest's programs: they are of one group."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    _kill_group(process.pid)
    process.wait(timeout=60)
    wait_for(lambda: not _kill_group(process.pid), "the end of the guest's processes")


def _kill_group(group: int) -> bool:
    """Whether there was anything left to kill."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
