"""Exit codes that more than one command ends with."""

from __future__ import annotations

from typing import Final

# As a shell has it for what a person ended by Ctrl-C: 1 would say that it failed.
INTERRUPTED: Final = 130
# As sysexits.h has it: nothing is wrong, the same will do later.
TRY_AGAIN: Final = 75
