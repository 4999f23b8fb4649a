"""Schemas that lie beside the repository and are read there; a test that needs one says in a line that it did not run without them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

_SEPA: Final = Path("shared", "schemas", "italy", "sepa")
# None on a machine that does not have them.
SEPA: Final = next((folder / _SEPA for folder in Path(__file__).resolve().parents if (folder / _SEPA).is_dir()), None)
needs_sepa = pytest.mark.skipif(
    SEPA is None,
    reason=f"there is no {_SEPA} above the repository: banks' files are read, but not judged by ISO 20022's own schemas",
)
