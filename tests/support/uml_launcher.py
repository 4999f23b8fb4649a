"""Becomes the command it is given, with the one ptrace call refused that user-mode-linux 6.1 can't use on a newer processor.

That kernel asks for the extended state of the floating point unit and keeps the first 2,696 octets; a host whose state is
longer (AMX) refuses to take them back, and no program starts ("ptrace set fp regs failed, errno = 14"). Refused the question,
it falls back to the state of 1999, on every machine alike. What is beyond (AVX) gets lost in a page fault: `uml_guest.py`
tells the programs of the guest not to use it.

Source: seccomp(2), ptrace(2); linux/audit.h, linux/elf.h.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_X86_64, _PTRACE, _PTRACE_GETREGSET, _NT_X86_XSTATE = 0xC000003E, 101, 0x4204, 0x202
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 22  # EINVAL
# What is looked at in struct seccomp_data, and what it must be: anything else is allowed.
_QUESTIONS = ((4, _X86_64), (0, _PTRACE), (16, _PTRACE_GETREGSET), (32, _NT_X86_XSTATE))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _instructions() -> bytes:
    """The filter as struct sock_filter wants it: code, jump if true, jump if false, operand."""
    lines = []
    for left, (offset, wanted) in zip(range(len(_QUESTIONS) - 1, -1, -1), _QUESTIONS, strict=True):
        lines += [(_LOAD, 0, 0, offset), (_IF_EQUAL, 0, 2 * left + 1, wanted)]
    lines += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _call(option: int, *arguments: object) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, *arguments, *[0] * (4 - len(arguments))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def main() -> None:
    """Ends with the test that started it, whatever became of that."""
    _call(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    _call(_PR_SET_NO_NEW_PRIVS, 1)
    instructions = _instructions()
    kept = ctypes.create_string_buffer(instructions, len(instructions))
    program = _Program(len(instructions) // 8, ctypes.addressof(kept))
    _call(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
