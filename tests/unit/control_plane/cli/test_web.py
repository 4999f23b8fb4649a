import pytest

from control_plane.cli.web import too_open
from control_plane.settings import WebSettings


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_is_believed_from_anybody_is_said(address):
    said = too_open(WebSettings(address=address, port=8000, proxies=1))
    assert said is not None
    assert f"address = {address}: whoever reaches port 8000" in said


@pytest.mark.parametrize(("address", "proxies"), [("0.0.0.0", 0), ("127.0.0.1", 1), ("::1", 2), ("localhost", 1)])
def test_where_no_stranger_is_believed_there_is_nothing_to_say(address, proxies):
    assert too_open(WebSettings(address=address, proxies=proxies)) is None
