"""Where a provider may be asked, and nowhere else."""

import pytest

from control_plane.gateways.calling import AddressRefusedError, allowed_url
from control_plane.gateways.provider import UnknownProviderError, provider_for, provider_names

STRIPE = provider_for("stripe")
HOSTS = ["127.0.0.1:8420"]


@pytest.mark.parametrize("live", [False, True])
def test_a_provider_is_asked_at_its_own_address(live):
    assert allowed_url(STRIPE, "https://api.stripe.com", live=live, test_hosts=[]) == "https://api.stripe.com"


def test_a_test_account_may_be_asked_at_a_host_that_the_settings_name():
    assert allowed_url(STRIPE, "http://127.0.0.1:8420", live=False, test_hosts=HOSTS) == "http://127.0.0.1:8420"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8421",
        "http://127.0.0.1",
        "http://169.254.169.254",
        "http://api.stripe.com",
        "https://api.stripe.com:8443",
        "https://api.stripe.com.example.net",
        "https://api.stripe.com@127.0.0.1:8420",
        "https://api.gocardless.com",
        "file:///etc/passwd",
        "",
    ],
)
def test_nothing_else_is_asked(url):
    with pytest.raises(AddressRefusedError, match="Stripe is asked at https"):
        allowed_url(STRIPE, url, live=False, test_hosts=HOSTS)


def test_real_money_is_never_asked_elsewhere():
    with pytest.raises(AddressRefusedError):
        allowed_url(STRIPE, "http://127.0.0.1:8420", live=True, test_hosts=HOSTS)


def test_the_sandbox_of_a_provider_is_for_tests_and_its_own_address_for_money():
    gocardless = provider_for("gocardless")
    for live, url in ((True, gocardless.test_url), (False, gocardless.live_url)):
        with pytest.raises(AddressRefusedError):
            allowed_url(gocardless, url, live=live, test_hosts=[])


def test_a_provider_is_found_by_its_file_and_another_is_named():
    assert provider_names() == ["gocardless", "stripe"]
    with pytest.raises(UnknownProviderError, match="there are gocardless, stripe"):
        provider_for("../stripe")
