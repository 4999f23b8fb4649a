"""What a bank's words say: references with their check digits, names, runs of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.banking.evidence import (
    creditor_reference,
    is_creditor_reference,
    is_telling,
    name_tokens,
    reference_bodies,
    tokens,
)


# ISO 11649 and the Finnish guide to it give RF18539007547034 for 539007547034.
@pytest.mark.parametrize(("body", "reference"), [("539007547034", "RF18539007547034"), ("2348231", "RF712348231")])
def test_a_structured_reference_has_the_check_digits_of_the_standard(body, reference):
    assert creditor_reference(body) == reference
    assert is_creditor_reference(reference)
    assert list(reference_bodies(f"pago {reference} grazie"))[:1] == [body]


@pytest.mark.parametrize("wrong", ["RF19539007547034", "RF18539007547043", "RF18", "XX18539007547034", ""])
def test_wrong_check_digits_are_no_reference(wrong):
    assert not is_creditor_reference(wrong)
    assert list(reference_bodies(wrong)) == []


def test_a_reference_in_groups_of_four_is_the_same():
    assert "539007547034" in list(reference_bodies("RF18 5390 0754 7034"))
    assert "1FT2026" in list(reference_bodies(f"saldo {creditor_reference('1/FT/2026')} marzo"))


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-", min_size=1, max_size=25).filter(lambda one: one.strip("/-")))
def test_the_reference_of_every_printed_number_is_right_and_leads_back_to_it(label):
    body = "".join(tokens(label))[:21]

    assert is_creditor_reference(creditor_reference(label))
    assert body in list(reference_bodies(creditor_reference(label)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Rossi Mario", {"ROSSI", "MARIO"}),
        ("SIG. MARIO  ROSSI", {"ROSSI", "MARIO"}),
        ("Müller & Groß S.r.l.", {"MULLER", "GROSS"}),
        ("Núñez de la Cruz", {"NUNEZ", "CRUZ"}),
        ("", set()),
    ],
)
def test_names_are_compared_by_what_tells_them_apart(name, words):
    assert name_tokens(name) - {"RL"} == words


def test_a_short_reference_is_no_evidence():
    assert (is_telling("C-17"), is_telling("C-4711")) == (False, True)


@pytest.mark.parametrize(
    ("reference", "telling"),
    [
        ("2026", False),
        ("471100", False),
        ("4711008", True),
        ("10/03/2026", False),
        ("20260310", False),
        ("99991234", True),
    ],
)
def test_figures_alone_are_evidence_from_seven_on_and_where_they_are_no_day(reference, telling):
    assert is_telling(reference) == telling
