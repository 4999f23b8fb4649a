"""Who takes notices in can open what they are signed with, and nothing else."""

import pytest

from control_plane.gateways.sealing import VARIABLE, webhook_keys_of, webhook_sealer, webhook_variable
from control_plane.settings import Settings
from radius_hooks.sealing import Sealer, SealError

KEYS = (b"a" * 32, b"b" * 32)


def test_the_key_made_for_webhooks_opens_them_and_no_password(monkeypatch):
    sealed = Sealer(webhook_keys_of(KEYS)).seal(b"whsec", row="gateway_webhook:1")
    password = Sealer(KEYS).seal(b"secret", row="nas:1")
    monkeypatch.setenv(VARIABLE, webhook_variable(KEYS))
    monkeypatch.delenv("CORRENTE_SECRETS_KEY", raising=False)

    opened = webhook_sealer(Settings(base_dir="/nowhere"))
    assert opened.open(sealed, row="gateway_webhook:1") == b"whsec"
    with pytest.raises(SealError):
        opened.open(password, row="nas:1")
    with pytest.raises(SealError):
        opened.open(sealed, row="gateway_webhook:2")


def test_an_older_key_still_opens_what_it_sealed():
    sealed = Sealer(webhook_keys_of(KEYS[1:])).seal(b"whsec", row="gateway_webhook:1")
    assert Sealer(webhook_keys_of(KEYS)).open(sealed, row="gateway_webhook:1") == b"whsec"
    assert len(set(webhook_keys_of(KEYS)) | set(KEYS)) == 4
