"""Open rows of radacct as sessions."""

from datetime import UTC, datetime

from control_plane.takeover.freeradius_network import build_sessions

ROW = {
    "radacctid": 7,
    "acctsessionid": "81=2500a",
    "username": "anna",
    "nasipaddress": "192.0.2.1",
    "nasportid": "=3Cpppoe-anna=3E",
    "acctstarttime": datetime(2026, 11, 21, 11, tzinfo=UTC),
    "acctupdatetime": None,
    "acctinterval": None,
    "acctsessiontime": None,
    "acctinputoctets": None,
    "acctoutputoctets": None,
    "callingstationid": None,
    "framedipaddress": None,
    "framedipv6address": None,
    "framedipv6prefix": None,
    "delegatedipv6prefix": None,
}


def test_an_id_with_a_percent_sign_is_what_the_next_record_of_the_device_says():
    """Under another id the next record would begin a second session, with all octets of the first counted again."""
    (session,), findings = build_sessions([ROW])

    assert (session.acct_session_id, session.line) == ("81%00a", "<pppoe-anna>")
    assert findings == []


def test_an_id_that_freeradius_did_not_escape_is_taken_as_it_is():
    (session,), _ = build_sessions([ROW | {"acctsessionid": "81=zz%", "nasportid": "a=b"}])

    assert (session.acct_session_id, session.line) == ("81=zz%", "a=b")
