"""The pools of a device."""

from ipaddress import IPv4Address, IPv6Network

import pytest

from nas_drivers.simulated.addresses import OWN_POOL, PoolEmptyError, Pools


def test_a_named_pool_is_told_apart_from_the_devices_own() -> None:
    pools = Pools(IPv4Address("127.0.0.5"))

    assert pools.take(OWN_POOL) == IPv4Address("100.69.0.1")
    assert pools.take(OWN_POOL) == IPv4Address("100.69.0.2")
    assert str(pools.take("walled")).startswith("10.")


def test_a_freed_address_comes_back_only_when_no_fresh_one_is_left() -> None:
    pools = Pools(IPv4Address("127.0.0.0"))
    first = pools.take(OWN_POOL)
    pools.give_back(OWN_POOL, first)

    rest = {pools.take(OWN_POOL) for _ in range(65_533)}

    assert first not in rest
    assert len(rest) == 65_533
    assert pools.take(OWN_POOL) == first
    with pytest.raises(PoolEmptyError):
        pools.take(OWN_POOL)


def test_an_address_that_radius_chose_is_not_put_into_a_pool() -> None:
    pools = Pools(IPv4Address("127.0.0.0"))
    pools.give_back(OWN_POOL, IPv4Address("192.0.2.1"))

    assert pools.take(OWN_POOL) == IPv4Address("100.64.0.1")


def test_delegated_prefixes_do_not_overlap_and_are_written_as_rfc_4818_has_them() -> None:
    pools = Pools(IPv4Address("127.0.0.0"))
    first, second = pools.take_prefix(), pools.take_prefix()

    networks = [IPv6Network((raw[2:], raw[1])) for raw in (first, second)]

    assert (len(first), first[0], first[1]) == (18, 0, 56)
    assert not networks[0].overlaps(networks[1])
