"""What the module section of FreeRADIUS's configuration tells the hook.

Next: login.py
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radius_hooks.decision import AccessRules


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Where the hook finds what it needs. Units: per cent."""

    policy_dir: Path
    secrets_keys: tuple[bytes, ...]
    rules: AccessRules
    timeout_jitter_percent: int


def read_hook_settings(config: Mapping[str, str], environment: Mapping[str, str]) -> HookSettings:
    """The settings in the module's `config` section; the key from its file, or from the environment when none is named.

    Raises: KeyError, ValueError, OSError that name what is wrong.
    """
    file = config["secrets_key_file"]
    text = Path(file).read_text() if file else environment["CORRENTE_SECRETS_KEY"]
    return HookSettings(
        policy_dir=Path(config["policy_dir"]),
        secrets_keys=tuple(base64.b64decode(line, validate=True) for line in text.split()),
        rules=AccessRules(
            store_max_age_s=int(config["store_max_age_s"]), sessions_max_age_s=int(config["sessions_max_age_s"])
        ),
        timeout_jitter_percent=int(config["timeout_jitter_percent"]),
    )
