"""Login lists as IOS-XE prints them: the form of its lines is that of published outputs, the names are ours."""

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.cisco_iosxe import read_faults

SHOWN = """authen queue=AAA_ML_AUTHEN_LOGIN
  name=default valid=TRUE id=0 :state=ALIVE : LOCAL
authen queue=AAA_ML_AUTHEN_ENABLE
authen queue=AAA_ML_AUTHEN_PPP
{ppp}authen queue=AAA_ML_AUTHEN_SGBP
permanent lists
  name=Permanent Enable None valid=TRUE id=0 :state=ALIVE : ENABLE  NONE
  name=Permanent Local valid=TRUE id=0 :state=ALIVE : LOCAL
"""
LINE = "  name={} valid={} id=1D000003 :state=ALIVE : {}\n"


def found(*lists):
    shown = SHOWN.format(ppp="".join(LINE.format(*one) for one in lists))
    return [(one.grave, one.text) for one in read_faults(shown)]


def test_a_list_that_asks_the_server_group_alone_is_clean_whatever_administrators_log_in_by():
    assert found(("default", "TRUE", "SERVER_GROUP CORRENTE")) == []


def test_the_name_of_a_server_group_may_stand_on_the_next_line():
    shown = SHOWN.format(ppp=LINE.format("default", "TRUE", "SERVER_GROUP") + "CORRENTE\n")
    assert read_faults(shown) == ()


def test_local_users_before_and_behind_radius_are_told_apart():
    assert found(("default", "TRUE", "SERVER_GROUP CORRENTE LOCAL"), ("old", "TRUE", "LOCAL SERVER_GROUP radius")) == [
        (False, "the PPP login list default asks local while no RADIUS server answers"),
        (True, "the PPP login list old asks local before RADIUS"),
    ]


def test_a_list_that_ends_in_none_lets_everybody_in_when_radius_is_away():
    assert found(("default", "TRUE", "SERVER_GROUP CORRENTE NONE")) == [
        (True, "the PPP login list default lets everybody in while no RADIUS server answers (none)")
    ]


def test_a_group_that_is_called_local_is_a_group():
    assert found(("default", "TRUE", "SERVER_GROUP local")) == []


def test_no_list_for_ppp_is_no_radius_and_one_that_is_not_valid_is_none():
    for lists in ((), (("default", "FALSE", "SERVER_GROUP CORRENTE"),)):
        assert found(*lists) == [(True, "no list of methods for PPP logins: RADIUS is not asked")]


@pytest.mark.parametrize("shown", ["", "% Invalid input detected at '^' marker.", "authen queue=AAA_ML_AUTHEN_LOGIN\n"])
def test_what_is_no_such_list_is_never_taken_for_clean(shown):
    with pytest.raises(NotReadError):
        read_faults(shown)
