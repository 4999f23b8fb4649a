"""What a device's test found, in the reader's language: reasons by their words, a device's own words as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.device_test.seen import Heard, NasUnderTest, Probe
from control_plane.device_test.steps import after, check_changes, check_login, check_secret
from control_plane.settings import Settings
from nas_drivers.transport.coa import Unanswered
from web.app import create_app
from web.staff.nas_words import advice_words, finding_words

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAS = NasUnderTest("tower", "192.0.2.1", "mikrotik", True, "accounting", "192.0.2.1", 3799, (1812, 1813))


@pytest.fixture(scope="module")
def italian(tmp_path_factory):
    app = create_app(Settings(base_dir=str(tmp_path_factory.mktemp("words"))))
    with app.test_request_context(headers={"Cookie": "language=it"}):
        yield


def test_a_step_is_told_with_the_words_of_its_reasons(italian):
    found = check_login(NAS, Heard(login_at=NOW, refused={"wrong_password": 3}), now=NOW)

    assert finding_words(found.text) == (
        "Nessuno ammesso nell'ultimo giorno; rifiutati nell'ultima ora: Password errata (3)"
    )
    # The page that does what the command does is led to.
    assert advice_words(found.advice) == ""


def test_a_step_behind_one_that_failed_names_that_one_by_its_words(italian):
    secret = check_secret(NAS, Heard(dropped_at=NOW - timedelta(seconds=40)), now=NOW)
    silent = after(secret, check_changes(NAS, Probe(Unanswered(3))))

    assert finding_words(secret.text) == "Scartati pacchetti firmati con un altro segreto, l'ultimo 40 s fa"
    assert finding_words(silent.text) == (
        "Da valutare dopo aver sistemato «Il segreto è lo stesso»: 192.0.2.1 porta 3799 non risponde"
    )
    assert advice_words(silent.advice) == "Sistemare «Il segreto è lo stesso», poi ripetere la prova"


def test_a_device_s_own_words_stay_as_they_are(italian):
    found = check_changes(NAS, Probe(Unanswered(0, problem="no route to host")))

    assert finding_words(found.text) == "Non si è potuto inviare nulla a 192.0.2.1 porta 3799: no route to host"
