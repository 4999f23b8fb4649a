from datetime import date
from decimal import Decimal

from billing.tax_identifiers import TaxIdentifier, read_identifier
from control_plane.machine.demo_isp import NASES, SITES, demo_lines
from control_plane.machine.demo_people import company_number_of_issuer, demo_papers

TODAY = date(2026, 11, 21)
LINES = demo_lines(TODAY, 300)
PAPERS = demo_papers(LINES, TODAY)


def test_tax_numbers_are_well_formed_and_nobodys():
    numbers = [one.identifiers[0] for one in PAPERS]
    assert all(read_identifier(one.scheme, one.number) == one for one in numbers)
    # Place of birth Z999 is no state, and series 999 of office 999 was never given out.
    assert all(one.number[11:15] == "Z999" for one in numbers if one.scheme == "it.codicefiscale")
    assert all(one.number[:3] + one.number[7:10] == "999999" for one in numbers if one.scheme == "it.iva")
    assert company_number_of_issuer() == TaxIdentifier("it.iva", "99900009996")
    assert len({one.number for one in numbers}) > len(numbers) - 3


def test_a_name_gives_the_letters_that_the_law_says():
    by_name = {line.customer: one.identifiers[0].number for line, one in zip(LINES, PAPERS, strict=True)}
    assert by_name["Anna Venanti"][:6] == "VNNNNA"
    # Of four consonants or more a given name loses the second: L R N Z.
    lorenzo = next(name for name in by_name if name.startswith("Lorenzo "))
    assert by_name[lorenzo][3:6] == "LNZ"


def test_a_person_has_both_names_and_a_company_none():
    assert {one.kind for one in PAPERS} == {"person", "company", "public_body"}
    assert all((one.given_name is not None) == (one.kind == "person") for one in PAPERS)


def test_addresses_lie_around_the_site_of_the_line():
    site_of = {nas.name: nas.site for nas in NASES}
    where = {site.name: site for site in SITES}
    for line, one in zip(LINES, PAPERS, strict=True):
        site = where[site_of[line.nas]]
        assert one.city == site.name
        assert abs(one.latitude - Decimal(site.latitude)) <= Decimal("0.04")
        assert abs(one.longitude - Decimal(site.longitude)) <= Decimal("0.04")


def test_who_had_another_plan_had_another():
    earlier = [(line.plan, one.earlier_plan) for line, one in zip(LINES, PAPERS, strict=True) if one.earlier_plan]
    assert earlier
    assert all(plan != before for plan, before in earlier)
