import pytest

from radius_hooks.sealing import Sealer, SealError, account_row, nas_row


def test_what_was_sealed_for_a_row_opens_for_that_row_only():
    sealer = Sealer([b"k" * 32])

    sealed = sealer.seal(b"open sesame", row=account_row(7))

    assert sealer.open(sealed, row=account_row(7)) == b"open sesame"
    assert b"open sesame" not in sealed
    for other in (account_row(8), nas_row(7)):
        with pytest.raises(SealError, match="damaged or belongs to another row"):
            sealer.open(sealed, row=other)


def test_an_old_key_still_opens_and_a_missing_one_is_named():
    old, new = b"o" * 32, b"n" * 32
    sealed = Sealer([old]).seal(b"secret", row=nas_row(1))

    assert Sealer([new, old]).open(sealed, row=nas_row(1)) == b"secret"
    with pytest.raises(SealError, match="nas:1 was sealed with a key that is not among the settings"):
        Sealer([new]).open(sealed, row=nas_row(1))


@pytest.mark.parametrize("position", [0, 5, 20, -1])
def test_a_flipped_bit_anywhere_is_refused(position):
    sealer = Sealer([b"k" * 32])
    damaged = bytearray(sealer.seal(b"secret", row=nas_row(1)))
    damaged[position] ^= 1

    with pytest.raises(SealError):
        sealer.open(bytes(damaged), row=nas_row(1))


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 33])
def test_a_key_of_the_wrong_length_is_refused(key):
    with pytest.raises(SealError, match="instead of 32"):
        Sealer([key])
