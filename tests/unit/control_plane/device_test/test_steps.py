"""The steps of `corrente nas test` that go by what was heard and by one Disconnect: what each symptom means."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.device_test.seen import Heard, Live, NasUnderTest, Probe
from control_plane.device_test.steps import (
    after,
    check_accounting,
    check_changes,
    check_login,
    check_reachable,
    check_secret,
    says_nothing,
)
from control_plane.findings import Verdict, fail, ok, warn
from nas_drivers.transport.coa import Acked, Nacked, Unanswered

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAS = NasUnderTest("tower", "192.0.2.1", "mikrotik", True, "accounting", "192.0.2.1", 3799, (1812, 1813))
UNSIGNED = replace(NAS, signs=False)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("nas", "heard", "verdict", "words"),
    [
        (NAS, Heard(login_at=ago(40), login_source="192.0.2.1"), OK, "last heard 40 s ago, logins from 192.0.2.1"),
        (NAS, Heard(record_at=ago(600)), OK, "last heard 10 min ago"),
        (NAS, Heard(dropped_at=ago(9000)), OK, "last heard 2 h ago"),
        (NAS, Heard(), FAIL, "nothing came from 192.0.2.1 in the last day"),
        (NAS, Heard(strangers=("192.0.2.9",)), FAIL, "--source 192.0.2.9"),
        (NAS, Heard(malformed=12), FAIL, "--no-require-message-authenticator"),
        (UNSIGNED, Heard(malformed=12), FAIL, "let UDP 1812 and 1813 through"),
        (replace(NAS, enabled=False), Heard(login_at=ago(1)), FAIL, "corrente nas enable tower"),
    ],
)
def test_a_device_is_reachable_when_anything_of_it_was_heard(nas, heard, verdict, words):
    found = check_reachable(nas, heard, now=NOW)
    assert (found.verdict, words in f"{found.text} {found.advice}") == (verdict, True), found


WRONG = {"wrong_password": 3}


@pytest.mark.parametrize(
    ("nas", "heard", "verdict"),
    [
        # Signed requests that were taken were made with our secret, whoever was let in.
        (NAS, Heard(login_at=ago(10), refused=WRONG), OK),
        (NAS, Heard(record_at=ago(10)), OK),
        (NAS, Heard(dropped_at=ago(10)), FAIL),
        (NAS, Heard(dropped_at=ago(10), record_at=ago(60)), FAIL),
        (NAS, Heard(dropped_at=ago(60), record_at=ago(10)), OK),
        (NAS, Heard(), WARN),
        # Without a signature only the passwords tell.
        (UNSIGNED, Heard(login_at=ago(10), refused=WRONG), FAIL),
        (UNSIGNED, Heard(login_at=ago(10), refused={"wrong_password": 2}), WARN),
        (UNSIGNED, Heard(login_at=ago(10), refused={**WRONG, "unknown_account": 1}), WARN),
        (UNSIGNED, Heard(login_at=ago(10), accepted_at=ago(50), accepted=1, refused=WRONG), OK),
    ],
)
def test_the_secret_is_judged_by_what_was_dropped_what_was_taken_and_what_passwords_look_like(nas, heard, verdict):
    assert check_secret(nas, heard, now=NOW).verdict is verdict


@pytest.mark.parametrize(
    ("heard", "verdict", "words"),
    [
        (Heard(login_at=ago(5), accepted_at=ago(5), accepted=1), OK, "last accepted 5 s ago"),
        (Heard(login_at=ago(5), accepted_at=ago(90), refused={"blocked": 1}), OK, "blocked 1"),
        (
            Heard(login_at=ago(5), refused={"wrong_nas": 2, "unknown_account": 7}),
            FAIL,
            "unknown_account 7, wrong_nas 2",
        ),
        (Heard(login_at=ago(7200)), FAIL, "none accepted in the last day"),
        (Heard(), WARN, "none seen"),
    ],
)
def test_a_login_was_seen_or_refused_for_these_reasons(heard, verdict, words):
    found = check_login(NAS, heard, now=NOW)
    assert (found.verdict, words in str(found.text)) == (verdict, True), found


@pytest.mark.parametrize(
    ("heard", "live", "verdict"),
    [
        (Heard(), Live(), WARN),
        (Heard(accepted=3, accepted_at=ago(5)), Live(), FAIL),
        (Heard(record_at=ago(50_000)), Live(), OK),
        # Two intervals of 300 s and a minute: 660 s.
        (Heard(record_at=ago(660)), Live(5, 0, 300), OK),
        (Heard(record_at=ago(661)), Live(5, 0, 300), FAIL),
        (Heard(record_at=ago(10)), Live(5, 2, 300), WARN),
        # Told none: the default of 600 s holds.
        (Heard(record_at=ago(1260)), Live(5, 0, None), OK),
        (Heard(record_at=ago(1261)), Live(5, 0, None), FAIL),
    ],
)
def test_records_must_come_as_often_as_sessions_were_told(heard, live, verdict):
    assert check_accounting(NAS, heard, live, default_interval_s=600, now=NOW).verdict is verdict


@pytest.mark.parametrize(
    ("probe", "verdict", "words"),
    [
        (Probe(Nacked(503)), OK, "503"),
        (Probe(Nacked(None)), OK, "without a cause"),
        (Probe(Nacked(403)), FAIL, "--identifier"),
        (Probe(Nacked(406)), FAIL, "takes no changes"),
        (Probe(Nacked(402, "no NAS-IP-Address")), WARN, "402 (no NAS-IP-Address)"),
        (Probe(Acked()), WARN, "proves nothing"),
        (Probe(Unanswered(1, refused=True)), FAIL, "nothing listens"),
        (Probe(Unanswered(0, problem="no route to host")), FAIL, "no route to host"),
        (Probe(Unanswered(3), other_secret=True), FAIL, "another secret"),
        (Probe(Unanswered(3), undated=Nacked(503)), FAIL, "--no-coa-event-timestamp"),
        (Probe(Unanswered(3), undated=Unanswered(3)), FAIL, "answers nothing"),
        (Probe(withheld="`corrente stop` holds all that is sent"), WARN, "corrente stop"),
    ],
)
def test_what_became_of_a_disconnect_for_nobody_says_whether_changes_arrive(probe, verdict, words):
    found = check_changes(NAS, probe)
    assert (found.verdict, words in f"{found.text} {found.advice}") == (verdict, True), found


def test_a_step_that_fails_behind_one_that_failed_is_not_judged_and_says_so():
    wrong, silent = fail("secret", "another one", "mend it"), fail("changes", "no answer", "let it through")
    found = after(wrong, silent)
    assert (found.verdict, found.subject) == (WARN, "changes")
    assert str(found.text) == "not judged before `secret` is right: no answer"
    assert after(ok("secret", "the same"), silent) is silent
    assert after(warn("secret", "not known", ""), silent) is silent
    assert after(wrong, ok("changes", "503")).verdict is OK


def test_nobody_is_told_to_log_in_while_the_secret_is_wrong():
    nobody = Heard()
    wrong = fail("secret", "another one", "mend it")
    steps = (
        check_login(NAS, nobody, now=NOW),
        check_accounting(NAS, nobody, Live(), default_interval_s=600, now=NOW),
    )
    assert [str(step.advice) for step in steps] == ["let one subscriber log in, then test again"] * 2

    for step in steps:
        found = after(wrong, step)
        assert (found.verdict, str(found.text)) == (WARN, str(step.text))
        assert str(found.advice) == "put `secret` right, then test again"
        assert after(warn("secret", "not known", ""), step) is step
    # Other advice stays.
    other = warn("accounting", "2 silent for longer", "corrente sessions --nas bras-1")
    assert after(wrong, other) is other


@pytest.mark.parametrize(
    ("probe", "silent"),
    [
        (Probe(Unanswered(3)), True),
        (Probe(Unanswered(3), undated=Unanswered(3)), True),
        (Probe(Unanswered(3), undated=Nacked(503)), False),
        (Probe(Unanswered(3), other_secret=True), False),
        (Probe(Unanswered(1, refused=True)), False),
        (Probe(Unanswered(0, problem="no route")), False),
        (Probe(Nacked(503)), False),
        (Probe(withheld="held"), False),
    ],
)
def test_only_silence_may_be_a_wrong_secret(probe, silent):
    assert says_nothing(probe) is silent
