"""What a profile gives, as it is noted for the time after it was edited."""

from __future__ import annotations

import json

from control_plane.policy.profile import ProfileColumns, content_of, read_content, session_policy
from control_plane.policy.rendering import profile_revision

HOME = ProfileColumns(
    rate_down_bps=300_000_000,
    rate_up_bps=30_000_000,
    address_lists=["no-mail", "kids"],
    ipv4_pool="homes",
    session_timeout_s=7200,
    device_policy="home-300",
)


def test_what_was_noted_is_read_back_whole_and_has_the_same_revision():
    read = read_content(json.loads(json.dumps(content_of(HOME))))

    assert read is not None
    assert read == HOME
    assert session_policy(read) == session_policy(HOME)
    assert profile_revision(read) == profile_revision(HOME)


def test_what_an_older_release_noted_without_a_newer_column_is_read():
    noted = content_of(ProfileColumns(rate_down_bps=1000, rate_up_bps=1000))
    del noted["device_policy"]

    read = read_content(noted)

    assert (read.rate_down_bps, read.rate_up_bps, read.device_policy) == (1000, 1000, None)


def test_what_speaks_of_a_column_that_is_no_more_is_not_known_unless_it_was_empty():
    noted = content_of(HOME)

    assert read_content({**noted, "colour": None}) == HOME
    assert read_content({**noted, "colour": "red"}) is None
