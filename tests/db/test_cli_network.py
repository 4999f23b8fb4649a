"""corrente nas, profile and plan, as an operator types them."""

from __future__ import annotations

import json

import pytest
from support.command_line import KEY, run, write_settings

from nas_drivers.driver import driver_for, vendor_names
from radius_hooks.sealing import Sealer, nas_api_row, nas_coa_row, nas_row, nas_ssh_row

pytestmark = pytest.mark.db

SEALER = Sealer((KEY,))


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)
    return lambda *arguments, typed=None: run(settings, *arguments, typed=typed)


def _nas(connection, name):
    connection.rollback()
    row = connection.execute("SELECT to_jsonb(nas) FROM nas WHERE name = %s", (name,)).fetchone()
    return row[0] if row else None


def _secret(connection, name, *, coa=False):
    connection.rollback()
    nas_id, sealed, sealed_coa = connection.execute(
        "SELECT id, sealed_secret, sealed_coa_secret FROM nas WHERE name = %s", (name,)
    ).fetchone()
    if coa:
        return SEALER.open(sealed_coa, row=nas_coa_row(nas_id)).decode()
    return SEALER.open(sealed, row=nas_row(nas_id)).decode()


def _api_password(connection, name):
    connection.rollback()
    row = connection.execute("SELECT id, sealed_api_password FROM nas WHERE name = %s", (name,)).fetchone()
    return SEALER.open(row[1], row=nas_api_row(row[0])).decode()


def _audit(connection):
    connection.rollback()
    return connection.execute("SELECT actor, action, subject, detail FROM audit_log ORDER BY id").fetchall()


def test_a_nas_is_added_with_a_strong_secret_that_is_shown_once_and_kept_sealed(corrente, connection):
    done = corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "mikrotik")

    assert done.exit_code == 0, done.output
    shown = done.output.split("shown this once: ")[1].strip()
    assert (len(shown), _secret(connection, "bras-1")) == (32, shown)
    assert shown not in corrente("nas", "list", "--json").output
    assert _audit(connection) == [
        ("maria", "nas.add", "bras-1", {"source": "192.0.2.1/32", "vendor": "mikrotik"}),
    ]


def test_a_new_nas_has_the_coa_port_that_its_vendor_usually_has(corrente, connection):
    for number, vendor in enumerate(vendor_names(), start=1):
        done = corrente("nas", "add", vendor, f"192.0.2.{number}", "--vendor", vendor)
        assert done.exit_code == 0, done.output
        assert _nas(connection, vendor)["coa_port"] == driver_for(vendor).default_coa_port


def test_a_secret_comes_from_a_file_a_pipe_or_a_question_and_never_from_an_argument(corrente, connection, tmp_path):
    (tmp_path / "secret").write_text("from-the-file-0123\n")
    corrente("nas", "add", "a", "192.0.2.1", "--vendor", "generic", "--secret-file", str(tmp_path / "secret"))
    corrente("nas", "add", "b", "192.0.2.2", "--vendor", "generic", "--secret-file", "-", typed="from-the-pipe-0123\n")
    asked = corrente(
        "nas",
        "add",
        "c",
        "192.0.2.3",
        "--vendor",
        "generic",
        "--ask-secret",
        typed="typed-in-twice-01\ntyped-in-twice-01\n",
    )

    assert [_secret(connection, name) for name in "abc"] == [
        "from-the-file-0123",
        "from-the-pipe-0123",
        "typed-in-twice-01",
    ]
    assert "typed-in-twice-01" not in asked.output
    assert corrente("nas", "add", "d", "192.0.2.4", "--vendor", "generic", "--secret", "x").exit_code == 2


@pytest.mark.parametrize(
    ("content", "complaint"), [("", "is empty"), ("a\tb", "printable"), ("x" * 254, "at most 253")]
)
def test_a_secret_that_is_none_is_refused(corrente, connection, tmp_path, content, complaint):
    (tmp_path / "secret").write_text(content)
    done = corrente("nas", "add", "a", "192.0.2.1", "--vendor", "generic", "--secret-file", str(tmp_path / "secret"))
    assert (done.exit_code, complaint in done.output, _nas(connection, "a")) == (1, True, None)


def test_a_short_secret_is_taken_with_a_warning(corrente, tmp_path):
    (tmp_path / "secret").write_text("testing123")
    done = corrente("nas", "add", "a", "192.0.2.1", "--vendor", "generic", "--secret-file", str(tmp_path / "secret"))
    assert (done.exit_code, "10 characters are few" in done.output) == (0, True)


def test_all_that_can_be_said_of_a_nas_is_kept(corrente, connection, tmp_path):
    (tmp_path / "coa").write_text("coa-secret-0123456789")
    done = corrente(
        *(
            "nas",
            "add",
            "group",
            "10.1.0.0/16",
            "--vendor",
            "accel_ppp",
            "--identifier",
            "core",
            "--coa-address",
            "10.9.9.9",
        ),
        *(
            "--coa-port",
            "1700",
            "--coa-secret-file",
            str(tmp_path / "coa"),
            "--verification",
            "cli",
            "--realm",
            "isp.example",
        ),
        *("--realm", "office", "--site", "Tower 1", "--swap-octets", "--no-require-message-authenticator"),
    )

    assert done.exit_code == 0, done.output
    nas = _nas(connection, "group")
    site = connection.execute("SELECT name FROM site WHERE id = %s", (nas["site_id"],)).fetchone()[0]
    kept = {
        key: nas[key]
        for key in nas
        if key not in ("id", "created_at", "sealed_secret", "sealed_coa_secret", "site_id")
        and not key.startswith(("api_", "sealed_api_", "ssh_", "sealed_ssh_"))
    }
    assert site == "Tower 1"
    assert kept == {
        "name": "group",
        "source": "10.1.0.0/16",
        "identifier": "core",
        "vendor": "accel_ppp",
        "require_message_authenticator": False,
        "realms": ["isp.example", "office"],
        "coa_address": "10.9.9.9",
        "coa_port": 1700,
        "verification": "cli",
        "swap_octets": True,
        "enabled": True,
        "booted_at": None,
        "coa_source": None,
        "coa_message_authenticator": True,
        "coa_event_timestamp": True,
        "coa_window": 16,
        "coa_rate_per_s": 100,
    }
    assert _secret(connection, "group", coa=True) == "coa-secret-0123456789"
    listed = corrente("nas", "list").output
    assert "10.9.9.9 port 1700" in listed
    assert "isp.example, office" in listed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("bras-2", "192.0.2.9", "--vendor", "mikrotic"), "there is no vendor 'mikrotic'; did you mean mikrotik?"),
        (("bras-2", "192.0.2.9/24", "--vendor", "generic"), "did you mean 192.0.2.0/24 or 192.0.2.9?"),
        (("bras-2", "bras.example", "--vendor", "generic"), "expected an address or a prefix"),
        (
            ("bras-1", "192.0.2.9", "--vendor", "generic"),
            "there is a NAS bras-1 already; to change it: corrente nas set bras-1",
        ),
        (("bras 2", "192.0.2.9", "--vendor", "generic"), "a NAS name has up to 64 letters"),
        (("--vendor", "generic", "--", "-bras", "192.0.2.9"), "'-bras' begins with -, as options do"),
        (("bras-2", "0.0.0.0", "--vendor", "generic"), "0.0.0.0 is no device's address"),
        (("bras-2", "::", "--vendor", "generic"), ":: is no device's address"),
        (("bras-2", "255.255.255.255", "--vendor", "generic"), "255.255.255.255 is no device's address"),
        (("bras-2", "239.1.0.0/16", "--vendor", "generic"), "239.1.0.0/16 is multicast"),
        (("bras-2", "192.0.2.9", "--vendor", "generic", "--coa-address", "ff02::1"), "ff02::1 is multicast"),
        (("bras-2", "192.0.2.1", "--vendor", "generic"), "192.0.2.1 is the source of NAS bras-1 already"),
        (
            ("bras-2", "192.0.2.0/24", "--vendor", "generic"),
            "overlaps 192.0.2.1 of NAS bras-1: requests from 192.0.2.1 would",
        ),
        (("bras-2", "0.0.0.0/0", "--vendor", "generic", "--nested"), "at least a /8"),
        (("bras-2", "192.0.2.9", "--vendor", "generic", "--realm", "@isp"), "what stands after the @"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name_and_leaves_nothing(corrente, connection, arguments, complaint):
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")

    done = corrente("nas", "add", *arguments)

    assert done.exit_code != 0
    assert complaint in done.output
    assert connection.execute("SELECT count(*) FROM nas").fetchone() == (1,)
    assert len(_audit(connection)) == 1


def test_a_device_inside_a_group_is_added_when_that_is_meant(corrente, connection):
    corrente("nas", "add", "group", "192.0.2.0/24", "--vendor", "generic")
    refused = corrente("nas", "add", "one", "192.0.2.7", "--vendor", "generic")
    assert "overlaps 192.0.2.0/24 of NAS group: requests from 192.0.2.7 would use its own secret" in refused.output

    assert corrente("nas", "add", "one", "192.0.2.7", "--vendor", "generic", "--nested").exit_code == 0


def test_set_changes_what_is_given_and_nothing_else(corrente, connection):
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic", "--realm", "isp.example")
    before, secret = _nas(connection, "bras-1"), _secret(connection, "bras-1")

    done = corrente("nas", "set", "bras-1", "--name", "core-1", "--coa-port", "1700", "--any-realm", "--swap-octets")

    assert done.exit_code == 0, done.output
    assert _nas(connection, "core-1") == {
        **before,
        "name": "core-1",
        "coa_port": 1700,
        "realms": [],
        "swap_octets": True,
    }
    assert _secret(connection, "core-1") == secret


def test_how_a_nas_is_sent_changes_is_kept_and_can_be_taken_back(corrente, connection, tmp_path):
    (tmp_path / "api").write_text("api-password-1")
    digest = "ab" * 32

    added = corrente(
        *("nas", "add", "bras-1", "192.0.2.1", "--vendor", "mikrotik", "--coa-source", "198.51.100.7"),
        *("--no-coa-message-authenticator", "--no-coa-event-timestamp", "--coa-window", "4", "--coa-rate", "20"),
        *("--api-user", "corrente", "--api-password-file", str(tmp_path / "api"), "--api-port", "8729"),
        *("--api-address", "192.0.2.9", "--api-certificate", digest, "--api-login", "challenge"),
    )

    assert added.exit_code == 0, added.output
    nas = _nas(connection, "bras-1")
    assert (nas["coa_source"], nas["coa_window"], nas["coa_rate_per_s"]) == ("198.51.100.7", 4, 20)
    assert (nas["coa_message_authenticator"], nas["coa_event_timestamp"]) == (False, False)
    assert (nas["api_address"], nas["api_port"], nas["api_tls"]) == ("192.0.2.9", 8729, True)
    assert (nas["api_certificate"], nas["api_username"]) == (f"\\x{digest}", "corrente")
    assert nas["api_login"] == "challenge"
    assert _api_password(connection, "bras-1") == "api-password-1"
    assert "api-password-1" not in corrente("nas", "list", "--json").output

    (tmp_path / "api").write_text("api-password-2")
    changed = corrente("nas", "set", "bras-1", "--api-password-file", str(tmp_path / "api"), "--coa-event-timestamp")
    assert changed.exit_code == 0, changed.output
    assert _api_password(connection, "bras-1") == "api-password-2"
    assert _nas(connection, "bras-1")["coa_event_timestamp"] is True

    back = corrente("nas", "set", "bras-1", "--no-coa-source", "--no-api", "--no-api-certificate")
    assert back.exit_code == 0, back.output
    nas = _nas(connection, "bras-1")
    assert [nas[name] for name in ("coa_source", "api_username", "sealed_api_password", "api_certificate")] == [
        None
    ] * 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--api-user", "corrente"), "an API user needs --api-password-file"),
        (("--api-password-file", "{file}"), "an API password needs --api-user"),
        (("--api-certificate", "abcd"), "a SHA-256 fingerprint has 64 hex digits"),
        (("--coa-source", "2001:db8::1"), "CoA can't leave from an IPv6 address to an IPv4 one"),
        (("--coa-window", "0"), "not in the range"),
        (("--name", "-x"), "'-x' begins with -, as options do"),
        (("--source", "224.0.0.1"), "224.0.0.1 is multicast"),
        (("--ssh-address", "0.0.0.0"), "0.0.0.0 is no device's address"),
        (("--no-api", "--api-user", "x"), "--no-api excludes --api-user"),
    ],
)
def test_half_an_access_or_one_that_reaches_nothing_is_refused(corrente, connection, tmp_path, arguments, complaint):
    (tmp_path / "api").write_text("api-password-1")
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "mikrotik")
    before = _nas(connection, "bras-1")

    done = corrente("nas", "set", "bras-1", *(one.format(file=tmp_path / "api") for one in arguments))

    assert done.exit_code != 0
    assert complaint in done.output
    assert _nas(connection, "bras-1") == before


def test_a_new_secret_is_asked_about_first_because_the_device_goes_deaf(corrente, connection):
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")
    old = _secret(connection, "bras-1")

    refused = corrente("nas", "set", "bras-1", "--new-secret", typed="n\n")
    assert (refused.exit_code, _secret(connection, "bras-1")) == (1, old)

    done = corrente("nas", "set", "bras-1", "--new-secret", "--yes")
    assert _secret(connection, "bras-1") == done.output.split("shown this once: ")[1].strip() != old
    assert _audit(connection)[-1] == ("maria", "nas.set", "bras-1", {"changed": ["secret"]})


def test_an_unknown_nas_is_answered_with_the_names_most_like_it(corrente):
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")
    done = corrente("nas", "disable", "brass-1", "--yes")
    assert (done.exit_code, done.output) == (1, "Error: there is no NAS 'brass-1'; did you mean bras-1?\n")


def test_disabling_asks_and_enabling_brings_it_back(corrente, connection):
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")

    refused = corrente("nas", "disable", "bras-1", typed="n\n")
    assert "0 live sessions, 0 accounts are bound to it" in refused.output
    assert (refused.exit_code, _nas(connection, "bras-1")["enabled"]) == (1, True)
    assert corrente("nas", "disable", "bras-1", "--yes").exit_code == 0
    assert "disabled" in corrente("nas", "list").output
    assert corrente("nas", "enable", "bras-1").exit_code == 0
    assert _nas(connection, "bras-1")["enabled"] is True


def test_a_database_that_is_away_is_said_in_one_line(tmp_path):
    settings = write_settings(tmp_path, f"host={tmp_path} dbname=corrente user=corrente")
    done = run(settings, "nas", "list")
    assert (done.exit_code, "can't reach the database" in done.output, "Traceback" in done.output) == (1, True, False)


def test_an_empty_database_is_said_with_what_to_do(tmp_path, cluster):
    done = run(write_settings(tmp_path, cluster.conninfo("postgres")), "nas", "list")
    assert (done.exit_code, "run `corrente db status`" in done.output) == (1, True)


def test_a_profile_has_the_name_that_devices_have_it_ready_under(corrente, connection):
    done = corrente("profile", "add", "Home 300", "--rate", "300M/30M", "--device-policy", "home-300")
    assert done.exit_code == 0, done.output
    assert "home-300" in corrente("profile", "list").output

    refused = corrente("profile", "set", "Home 300", "--device-policy", "home 300; reload", "--yes")
    assert (refused.exit_code, "letters, digits and . _ - alone" in refused.output) == (2, True)
    assert corrente("profile", "set", "Home 300", "--leave-out", "device-policy", "--yes").exit_code == 0
    connection.rollback()
    assert connection.execute("SELECT device_policy FROM profile").fetchall() == [(None,)]


def test_a_profile_keeps_its_rates_by_direction(corrente, connection):
    done = corrente(
        *("profile", "add", "Home 300", "--rate", "300M/30M", "--burst", "400M/40M", "--burst-threshold", "200M/20M"),
        *("--burst-time", "10s", "--minimum", "50M/5M", "--priority", "3", "--address-list", "home", "--quota", "500G"),
        *("--ipv4-pool", "cgnat", "--session-timeout", "30d", "--interim", "5m"),
    )

    assert done.output == "Added profile Home 300: down 300 Mbit/s, up 30 Mbit/s.\n"
    row = connection.execute(
        "SELECT rate_down_bps, rate_up_bps, burst_down_bps, burst_up_bps, burst_threshold_down_bps, burst_threshold_up_bps,"
        " burst_time_s, minimum_down_bps, minimum_up_bps, priority, address_lists, quota_octets, ipv4_pool, session_timeout_s,"
        " interim_interval_s, ipv6_pool FROM profile"
    ).fetchone()
    assert row == (
        *(300_000_000, 30_000_000, 400_000_000, 40_000_000, 200_000_000, 20_000_000),
        *(10, 50_000_000, 5_000_000, 3, ["home"], 500_000_000_000, "cgnat", 2_592_000, 300, None),
    )
    listed = corrente("profile", "list").output
    assert "down 300 Mbit/s, up 30 Mbit/s" in listed
    assert "500 GB" in listed


def test_a_profile_without_interim_sends_none(corrente, connection):
    corrente("profile", "add", "Bare", "--no-interim")
    assert connection.execute("SELECT interim_interval_s, rate_down_bps FROM profile").fetchone() == (None, None)


def test_rates_the_wrong_way_round_are_pointed_at(corrente):
    done = corrente("profile", "add", "Home", "--rate", "30M/300M")
    assert (done.exit_code, "the first number is down" in done.output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rate", "300/30"), "say the unit: 300M for Mbit/s"),
        (("--rate", "300M"), "expected DOWN/UP such as 300M/30M"),
        (("--burst", "10M/10M"), "a burst needs a rate and is not below it"),
        (("--rate", "10M/10M", "--burst", "5M/20M"), "a burst needs a rate and is not below it"),
        (("--burst-time", "10s"), "a burst time needs a burst"),
        (("--interim", "30s"), "an interim interval is 60 s to 1 d"),
        (("--quota", "lots"), "expected octets such as 500G"),
    ],
)
def test_a_profile_that_no_device_could_hold_is_refused(corrente, connection, arguments, complaint):
    done = corrente("profile", "add", "Home", *arguments)
    assert done.exit_code != 0
    assert complaint in done.output
    assert connection.execute("SELECT count(*) FROM profile").fetchone() == (0,)


def test_a_plan_names_three_profiles_that_exist(corrente):
    for name in ("Home 300", "Slow", "Payment"):
        corrente("profile", "add", name, "--rate", "2M/1M")
    wrong = corrente("plan", "add", "Home", "--profile", "Home 30", "--throttle", "Slow", "--walled", "Payment")
    assert (wrong.exit_code, "there is no profile 'Home 30'; did you mean Home 300?" in wrong.output) == (1, True)

    done = corrente("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Payment")

    assert done.output == "Added plan Home: Home 300; throttled Slow; walled Payment.\n"
    listed = json.loads(corrente("plan", "list", "--json").output)
    assert listed == [
        {
            "id": 1,
            "name": "Home",
            "profile": "Home 300",
            "throttle_profile": "Slow",
            "walled_profile": "Payment",
            "contracts": 0,
            "quota_octets": None,
            "hours": [],
            "quota_steps": [],
        }
    ]
    again = corrente("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Payment")
    assert (again.exit_code, "there is a plan of this name already" in again.output) == (1, True)


def _home(corrente):
    """Plan Home from three profiles, and one contract in service."""
    corrente(
        "profile",
        "add",
        "Home 300",
        "--rate",
        "300M/30M",
        "--burst",
        "400M/40M",
        "--quota",
        "1T",
        "--address-list",
        "a",
    )
    for name in ("Slow", "Payment"):
        corrente("profile", "add", name, "--rate", "2M/1M")
    corrente("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Payment")
    corrente("account", "add", "anna", "--customer", "Anna", "--plan", "Home")


def test_a_profile_is_changed_where_it_is_said_and_left_to_the_device_where_that_is_said(corrente, connection):
    _home(corrente)

    dry = corrente("profile", "set", "Home 300", "--rate", "200M/30M", "--quota", "500G", "--dry-run")
    assert "rate        down 300 Mbit/s, up 30 Mbit/s -> down 200 Mbit/s, up 30 Mbit/s" in dry.output
    assert "quota       1.00 TB -> 500 GB" in dry.output
    assert dry.output.endswith("Dry run: nothing was changed.\n")
    assert connection.execute("SELECT rate_down_bps FROM profile WHERE id = 1").fetchone() == (300_000_000,)
    unanswered = corrente("profile", "set", "Home 300", "--rate", "200M/30M", typed="")
    assert "nothing was changed: answer the question with y, or give --yes" in unanswered.output
    assert unanswered.exit_code == 1
    refused = corrente("profile", "set", "Home 300", "--rate", "200M/30M", typed="n\n")
    assert "1 contracts in service have a plan with profile Home 300" in refused.output
    assert "nothing was changed" in refused.output
    done = corrente(
        *("profile", "set", "Home 300", "--rate", "200M/30M", "--leave-out", "burst", "--leave-out", "address-lists"),
        *("--name", "Home 200", "--yes"),
    )

    assert (refused.exit_code, done.exit_code) == (1, 0), done.output
    assert "Changed profile Home 300: rate, name, burst" in done.output
    row = connection.execute(
        "SELECT name, rate_down_bps, rate_up_bps, burst_down_bps, burst_up_bps, address_lists, quota_octets FROM profile WHERE id = 1"
    ).fetchone()
    assert row == ("Home 200", 200_000_000, 30_000_000, None, None, [], 10**12)
    assert _audit(connection)[-1][1:3] == ("profile.set", "Home 300")


def test_a_plan_is_given_another_profile(corrente, connection):
    _home(corrente)
    assert "nothing to change" in corrente("plan", "set", "Home").output
    assert (
        "there is no plan 'Hom'; did you mean Home?"
        in corrente("plan", "set", "Hom", "--profile", "Slow", "--yes").output
    )
    assert "there is no profile 'Fast'" in corrente("plan", "set", "Home", "--profile", "Fast", "--yes").output

    done = corrente("plan", "set", "Home", "--profile", "Slow", "--yes")

    assert "profile     Home 300 -> Slow" in done.output
    assert done.output.endswith("\nChanged plan Home: profile.\n")
    assert connection.execute("SELECT profile_id, throttle_profile_id, walled_profile_id FROM plan").fetchone() == (
        2,
        2,
        3,
    )


def test_a_change_that_no_device_could_hold_is_refused_and_changes_nothing(corrente, connection):
    _home(corrente)
    done = corrente("profile", "set", "Home 300", "--rate", "500M/30M", "--yes")
    assert (done.exit_code, "a burst needs a rate and is not below it" in done.output) == (1, True)
    assert connection.execute("SELECT rate_down_bps FROM profile WHERE id = 1").fetchone() == (300_000_000,)


def test_the_access_to_a_command_line_is_kept_with_its_password_sealed_and_goes_with_its_key(
    corrente, connection, tmp_path
):
    (tmp_path / "ssh").write_text("ssh-password-1")
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")

    done = corrente(
        *("nas", "set", "bras-1", "--ssh-user", "corrente", "--ssh-password-file", str(tmp_path / "ssh")),
        *("--ssh-address", "192.0.2.9", "--ssh-port", "2222"),
    )

    assert done.exit_code == 0, done.output
    nas = _nas(connection, "bras-1")
    assert (nas["ssh_address"], nas["ssh_port"], nas["ssh_username"]) == ("192.0.2.9", 2222, "corrente")
    number, sealed = connection.execute("SELECT id, sealed_ssh_password FROM nas").fetchone()
    assert SEALER.open(sealed, row=nas_ssh_row(number)) == b"ssh-password-1"
    assert "ssh-password-1" not in corrente("nas", "list", "--json").output

    connection.execute("UPDATE nas SET ssh_host_key = 'ssh-ed25519 ' || repeat('A', 68)")
    connection.commit()
    assert corrente("nas", "set", "bras-1", "--no-ssh").exit_code == 0
    nas = _nas(connection, "bras-1")
    assert [nas[name] for name in ("ssh_username", "sealed_ssh_password", "ssh_host_key")] == [None] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ssh-user", "corrente"), "an SSH user needs --ssh-password-file"),
        (("--ssh-password-file", "{file}"), "an SSH password needs --ssh-user"),
        (("--no-ssh", "--ssh-user", "x"), "--no-ssh excludes --ssh-user"),
    ],
)
def test_half_an_access_to_a_command_line_is_refused(corrente, connection, tmp_path, arguments, words):
    (tmp_path / "ssh").write_text("ssh-password-1")
    corrente("nas", "add", "bras-1", "192.0.2.1", "--vendor", "generic")

    done = corrente("nas", "set", "bras-1", *(one.format(file=tmp_path / "ssh") for one in arguments))

    assert done.exit_code != 0
    assert words in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("nas", "set", "bras-1", "--identifier", "M\udcfcnchen"),
        ("nas", "set", "bras-1", "--site", "M\udcfcnchen"),
        ("nas", "set", "bras-1", "--name", "M\udcfcnchen"),
        ("nas", "test", "M\udcfcnchen"),
        ("nas", "add", "M\udcfcnchen", "192.0.2.8", "--vendor", "generic"),
    ],
)
def test_what_was_typed_in_another_encoding_is_refused_in_one_line(corrente, connection, arguments):
    corrente("nas", "add", "bras-1", "192.0.2.7", "--vendor", "generic")
    result = corrente(*arguments)
    assert result.exit_code == 1
    assert "'M\\udcfcnchen' is no text in UTF-8" in result.output
    assert connection.execute("SELECT name, identifier, site_id FROM nas").fetchall() == [("bras-1", None, None)]
