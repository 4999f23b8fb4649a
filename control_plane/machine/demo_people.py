"""The papers of the demo ISP's made-up customers: tax numbers, addresses, contacts, and what each has beside its plan.

Pure and always the same. Tax numbers are well formed and nobody's: persons are born in Z999, which is no state, and
companies have numbers of series 999 of office 999. Telephone numbers begin with two zeros, as none does. The towns are made up;
they lie around the demo's sites.

Next: demo_books.py
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from billing.tax_identifiers import TaxIdentifier, read_identifier
from control_plane.machine.demo_isp import NASES, SITES, DemoLine

_SEED: Final = 2214
_PUBLIC: Final = ("Library", "School", "Clinic")
_STREETS: Final = (
    "Via dei Mulini", "Via della Fonte", "Via del Ponte", "Via San Rocco", "Via delle Rose", "Via del Mercato",
    "Corso Garibaldi", "Corso Mazzini", "Piazza della Torre", "Viale dei Tigli", "Vicolo Stretto", "Strada del Colle",
)  # fmt: skip
_NOTES: Final = (
    "The antenna is on the barn, not on the house.", "Rings back after six in the evening.", "The dog is friendly.",
    "Asked for the fibre of the new road as soon as it is laid.", "The key of the cabinet is at the bar across the street.",
    "Prefers to be written to, not called.",
)  # fmt: skip
# Postal code, province and language of the customers at each site.
_PLACES: Final = {"Monte Alto": ("67100", "AQ", "it"), "Puerto Claro": ("07041", "SS", "es"), "Kingsbridge": ("18012", "IM", "en")}  # fmt: skip
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ODD_PLACES: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_MONTH_LETTERS: Final = "ABCDEHLMPRST"
# Who changed the plan had time to do so, and for the change's boundary to come.
_SETTLED: Final = timedelta(days=70)
_DEGREES_AROUND: Final = 0.04


@dataclass(frozen=True, slots=True)
class DemoPapers:
    """One customer's, and what its contract has. `months` is the length of its periods; an `earlier_plan` it has left since."""

    kind: str
    given_name: str | None
    family_name: str | None
    language: str
    identifiers: tuple[TaxIdentifier, ...]
    street: str
    house_number: str
    postal_code: str
    city: str
    province: str
    latitude: Decimal
    longitude: Decimal
    email: str
    mobile: str
    note: str | None
    months: int
    add_ons: tuple[str, ...]
    earlier_plan: str | None


def demo_papers(lines: tuple[DemoLine, ...], today: date) -> tuple[DemoPapers, ...]:
    """Of each line's customer, in their order."""
    chance = random.Random(_SEED)  # noqa: S311 - made-up people, always the same
    site_of = {nas.name: nas.site for nas in NASES}
    settled = today - _SETTLED
    return tuple(
        _papers(
            number, line, site_of[line.nas], chance, is_settled=line.status == "active" and line.starts_on <= settled
        )
        for number, line in enumerate(lines, start=1)
    )


def _papers(number: int, line: DemoLine, site_name: str, chance: random.Random, *, is_settled: bool) -> DemoPapers:
    site = next(one for one in SITES if one.name == site_name)
    postal_code, province, language = _PLACES[site_name]
    first, last = line.customer.split(" ")
    is_person = line.max_sessions == 1
    kind = "person" if is_person else "public_body" if last in _PUBLIC else "company"
    months = 1 if is_person else chance.choices((1, 3, 12), (70, 20, 10))[0]
    had_another = chance.random() < 0.02 and is_settled and months == 1
    return DemoPapers(
        kind=kind,
        given_name=first if is_person else None,
        family_name=last if is_person else None,
        language=language,
        identifiers=(_person_number(first, last, chance),) if is_person else (_company_number(number),),
        street=chance.choice(_STREETS),
        house_number=str(chance.randint(1, 120)),
        postal_code=postal_code,
        city=site_name,
        province=province,
        latitude=_near(site.latitude, chance),
        longitude=_near(site.longitude, chance),
        email=f"{first}.{last}{number}@mail.example".lower(),
        mobile=f"+3900{number:08d}",
        note=chance.choice(_NOTES) if chance.random() < 0.05 else None,
        months=months,
        add_ons=_add_ons(line, chance),
        earlier_plan=_earlier(line.plan) if had_another else None,
    )


def _near(degrees: str, chance: random.Random) -> Decimal:
    return (Decimal(degrees) + Decimal(chance.uniform(-_DEGREES_AROUND, _DEGREES_AROUND))).quantize(Decimal("0.000001"))


def _add_ons(line: DemoLine, chance: random.Random) -> tuple[str, ...]:
    static = any(one.kind == "framed_ipv4" for one in line.prefixes)
    wanted = {"Static address": static, "Router rental": chance.random() < 0.3, "Phone": chance.random() < 0.2}
    return tuple(name for name, has in wanted.items() if has)


def _earlier(plan: str) -> str:
    """What somebody with this plan had before: mostly less."""
    return {"Fibra 30": "Fibra 100", "Fibra 100": "Fibra 30", "Fibra 300": "Fibra 100", "Fibra 1000": "Fibra 300"}[plan]


def _person_number(given: str, family: str, chance: random.Random) -> TaxIdentifier:
    """An Italian codice fiscale of somebody born in no state."""
    day = chance.randint(1, 28) + chance.choice((0, 40))
    born = f"{chance.randint(40, 99):02d}{chance.choice(_MONTH_LETTERS)}{day:02d}"
    begun = f"{_three(family)}{_three_given(given)}{born}Z999"
    return _checked("it.codicefiscale", begun + _check_letter(begun))


def _check_letter(begun: str) -> str:
    """Source: DM 23 December 1976, annex: characters at odd places count by a table, at even ones by their order."""
    orders = [_LETTERS.index(one) if one in _LETTERS else int(one) for one in begun]
    counted = (_ODD_PLACES[order] if place % 2 == 0 else order for place, order in enumerate(orders))
    return _LETTERS[sum(counted) % len(_LETTERS)]


def _company_number(number: int) -> TaxIdentifier:
    """An Italian partita IVA: the last digit makes the sum of all, each second one doubled, a multiple of ten."""
    begun = f"999{number:04d}999"
    doubled = (int(one) * 2 for one in begun[1::2])
    total = sum(int(one) for one in begun[::2]) + sum(one - 9 if one > 9 else one for one in doubled)
    return _checked("it.iva", f"{begun}{-total % 10}")


def company_number_of_issuer() -> TaxIdentifier:
    """The demo ISP's own, of the same series."""
    return _company_number(0)


def _checked(scheme: str, number: str) -> TaxIdentifier:
    found = read_identifier(scheme, number)
    assert isinstance(found, TaxIdentifier), found.reason
    return found


def _three(name: str) -> str:
    """Three letters of a name: consonants first. Source: DM 23 December 1976."""
    consonants, vowels = _letters(name)
    return (consonants + vowels + "X" * 3)[:3]


def _three_given(name: str) -> str:
    """The same of a given name, of which four consonants lose the second."""
    consonants, _ = _letters(name)
    return consonants[0] + consonants[2:4] if len(consonants) > 3 else _three(name)


def _letters(name: str) -> tuple[str, str]:
    upper = name.upper()
    return "".join(one for one in upper if one not in "AEIOU"), "".join(one for one in upper if one in "AEIOU")
