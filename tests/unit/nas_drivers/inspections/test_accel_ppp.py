"""accel-ppp's file as `sed` prints it without what stands behind commas; our own commands' text, and what may be added to it."""

import re

import pytest
from support.vendor_cases import sample_setup

from nas_drivers.driver import driver_for
from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.accel_ppp import INSPECTION, read_faults


def shown(text=None):
    """What the command prints of the file that the setup commands make."""
    driver = driver_for("accel_ppp")
    text = driver.setup_commands(sample_setup(driver)) if text is None else text
    return re.sub(r",.*", "", text)


def found(text):
    return [(one.grave, one.text) for one in read_faults(text)]


def test_the_file_of_our_own_commands_is_clean_and_its_secrets_are_not_printed():
    assert found(shown()) == []
    assert "SECRET" not in shown()
    assert INSPECTION.bypass.command == "sed 's/,.*//' /etc/accel-ppp.conf"


def test_a_file_of_passwords_counts_where_it_stands_before_radius():
    before = shown().replace("[modules]\n", "[modules]\nchap-secrets\n", 1)
    behind = shown().replace("shaper\n", "shaper\nchap-secrets\n", 1)
    assert found(before) == [
        (True, "it asks its module chap-secrets before RADIUS: who stands in that file may log in without it")
    ]
    assert found(behind) == [
        (False, "it loads its module chap-secrets, which is not asked as long as radius stands before it")
    ]
    assert found(shown().replace("shaper\n", "shaper\n#chap-secrets\n", 1)) == []


def test_logins_without_a_password_no_radius_and_no_shaper_are_grave():
    auth = "\n[auth]\nany-login=1\nnoauth=1\n[shaper]\nrate-limit=1024/1024\n"
    assert found(shown() + auth) == [
        (True, "any password will do: [auth] any-login"),
        (True, "nobody is asked for a password: [auth] noauth"),
        (False, "[shaper] rate-limit holds for logins that RADIUS gives none"),
    ]
    assert found(shown() + "\n[auth]\nany-login=0\n#noauth=1\n") == []
    bare = shown("[modules]\npppoe\nauth_pap\n[auth]\n")
    assert found(bare) == [
        (True, "it does not load its module radius"),
        (True, "it loads no shaper: no plan's rate holds"),
    ]


@pytest.mark.parametrize(
    "text", ["", "sed: can't read /etc/accel-ppp.conf: No such file or directory", "[ppp]\nmtu=1492\n"]
)
def test_what_is_no_such_file_is_never_taken_for_clean(text):
    with pytest.raises(NotReadError):
        read_faults(text)
