"""What each country's file says, read whole and without a contradiction."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from billing.country_data import known_countries, load_country
from billing.errors import BillingError
from billing.tax_identifiers import WrongIdentifier, read_identifier


@pytest.mark.parametrize("country", known_countries())
def test_a_country_s_file_names_only_what_it_has(country):
    data = load_country(country)
    assert data.country == country
    assert ZoneInfo(data.zone).key == data.zone
    names = [code.name for code in data.tax_codes]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{country}-") for name in names)
    for position in data.positions:
        assert {name for pair in position.replaces for name in pair} <= set(names)
    assert {register.position for register in data.registers} <= {position.name for position in data.positions} | {None}
    # A kind of number that the checks know: what they refuse is the number, not the kind.
    for scheme in data.company_numbers:
        refused = read_identifier(scheme, "?")
        assert isinstance(refused, WrongIdentifier)
        assert "no such kind" not in refused.reason


@pytest.mark.parametrize("country", known_countries())
def test_a_code_bears_tax_or_says_why_not_and_its_rates_follow_each_other(country):
    for code in load_country(country).tax_codes:
        assert (code.nature is None) == bool(code.rates)
        assert (code.nature is None) == (code.law is None)
        for before, after in zip(code.rates, code.rates[1:], strict=False):
            assert before.until == after.since
        assert all(rate.until is None for rate in code.rates[-1:])


@pytest.mark.parametrize("wrong", ["XX", "it", "", "../it"])
def test_a_country_without_a_file_is_refused_with_those_that_have_one(wrong):
    with pytest.raises(BillingError, match="AR, BR, CL"):
        load_country(wrong)


def test_italy_s_law_asks_for_a_formal_notice_and_forty_days_before_a_line_is_limited():
    """L. 160/2019 art. 1 c. 291; late from the fifteenth day (AGCOM 173/07/CONS art. 5)."""
    (floor,) = load_country("IT").dunning_floors

    assert (floor.since.isoformat(), floor.late_after_days, floor.notice_days) == ("2020-01-01", 15, 40)
    assert {one.value for one in floor.channels} == {"registered_letter", "certified_mail"}
    assert floor.only_concerned
    assert floor.may_shorten == {"company"}
    assert load_country("EC").dunning_floors == ()
