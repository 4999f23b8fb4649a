"""Any history of wishes, answers and silences: no session that may run under something else is left alone."""

import random
from dataclasses import dataclass, field

import pytest
from support.drift_world import KEY, make_drift_world

from control_plane import db
from control_plane.control_loop.reconcile import reconcile_accounts, reconcile_all

pytestmark = pytest.mark.db

WISHES = [("full", 1), ("full", 3), ("walled", 2), ("throttle", 2)]
VERSION = {
    ("full", 1): "FFFF1111",
    ("full", 3): "FFFF3333",
    ("walled", 2): "WWWW2222",
    ("throttle", 2): "TTTT2222",
}
HISTORIES, ROUNDS = 60, 24


@dataclass
class Device:
    """A device as nobody sees it: the policies that its session may run under, given what was sent and came back."""

    number: int
    account: int
    wanted: str = "FFFF1111"
    may_have: set[str] = field(default_factory=lambda: {"F"})
    given_up: str = ""
    history: list[str] = field(default_factory=list)


def happens(world, device, dice):
    """One thing happens to the open change of this session, or to its contract."""
    change = world.connection.execute(
        "SELECT id, convert_from(desired_version, 'UTF8'), state::text, unsure FROM enforcement "
        "WHERE session_key = %s AND closed_at IS NULL",
        (KEY.format(device.number),),
    ).fetchone()
    if change is None or dice.random() < 0.4:
        wish = dice.choice(WISHES)
        device.wanted = VERSION[wish]
        device.history.append(f"want {device.wanted}")
        world.want(device.account, *wish)
        return
    number, version, state, unsure = change
    if state == "acked":
        came = dice.choice(["unverifiable", "verified"])
    else:
        came = dice.choice(["unanswered", "unanswered", "acked", "acked", "nacked", "gave_up"])
    device.history.append(f"{version} {came}")
    if came == "acked":
        device.may_have = {version[0]}
    elif came in ("unanswered", "gave_up"):
        device.may_have.add(version[0])
    if came == "gave_up":
        device.given_up = version
    world.change(
        "UPDATE enforcement SET state = %s, problem = 'no answer', unsure = %s, "
        "sent_at = CASE WHEN state = 'acked' THEN sent_at ELSE now() END, attempt = attempt + 1, "
        "answered_at = CASE WHEN %s THEN now() ELSE answered_at END, closed_at = CASE WHEN %s THEN now() END WHERE id = %s",
        came,
        unsure or came == "unanswered",
        came in ("acked", "nacked"),
        came in ("unverifiable", "verified", "gave_up"),
        number,
    )
    if came == "verified":
        world.change(
            "UPDATE session SET applied_version = %s, applied_by = 'verified', applied_at = now() WHERE session_key = %s",
            version.encode(),
            KEY.format(device.number),
        )


def open_versions(world):
    """What is being told to each session, by its number."""
    rows = world.connection.execute(
        "SELECT session_key, convert_from(desired_version, 'UTF8') FROM enforcement WHERE closed_at IS NULL"
    ).fetchall()
    world.connection.commit()
    return {int(key.hex[-12:]): version for key, version in rows}


@pytest.mark.parametrize("seed", [4, 5])
def test_a_session_that_may_run_under_another_policy_is_always_being_told(connection, database, seed):
    dice = random.Random(seed)
    world = make_drift_world(connection, accounts=HISTORIES)
    devices = [Device(number, account) for number, account in enumerate(world.isp.accounts, start=1)]
    seen_in_doubt = 0
    with db.connect(database, name="reconcile", autocommit=True) as loop:
        for turn in range(ROUNDS):
            for device in devices:
                happens(world, device, dice)
            reconcile_accounts(loop, [device.account for device in devices])
            if turn % 5 == 4:
                reconcile_all(loop)
            told = open_versions(world)
            for device in devices:
                doubtful = device.may_have != {device.wanted[0]}
                seen_in_doubt += doubtful
                # What nobody could tell a device waits a quarter of an hour, with an alarm, unless it was told since.
                if doubtful and device.given_up != device.wanted:
                    assert told.get(device.number) == device.wanted, (
                        f"may have {device.may_have}: {'; '.join(device.history)}"
                    )
    assert seen_in_doubt > HISTORIES
