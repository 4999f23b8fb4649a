"""Tax numbers, made compact and checked before they are written; a wrong one says which of its parts is wrong.

A number that passes is well formed, which isn't the same as known: only the authority knows who exists (SDI 00305, 00306).

Where an authority gives out numbers that the usual check refuses, the authority is right:
- EC: a company's RUC (third digit 6 or 9) need not have a check digit; a person's, built from the cedula, has one.
- AR: 25 and 26 are persons' prefixes as well.
- MX: RFCs are in use whose last character does not fit, so it isn't checked; an invoice needs all 12 or 13.

Source: python-stdnum 2.2 for the algorithms; italy.md's and latam.md's authorities; schema.sql's tax_identifier for the form.

Next: billing/contacts.py
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stdnum.ar import cuit
from stdnum.br import cnpj, cpf
from stdnum.cl import rut as cl_rut
from stdnum.co import nit
from stdnum.do import cedula, rnc
from stdnum.ec import ci
from stdnum.ec import ruc as ec_ruc
from stdnum.es import cif, nif
from stdnum.eu import vat
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidLength, ValidationError
from stdnum.it import codicefiscale, iva
from stdnum.mx import rfc
from stdnum.pe import ruc as pe_ruc
from stdnum.uy import rut as uy_rut
from stdnum.ve import rif

# Northern Ireland's XI holds for goods alone, EU and IM are sellers of the one-stop shop: none is a customer of services.
_MEMBER_STATES: Final = frozenset(vat.MEMBER_STATES) - {"xi", "gr"} | {"el"}
# What nobody types on purpose as a part of a number; longer text is refused before anything looks at it.
_LONGEST_TEXT: Final = 60


@dataclass(frozen=True, slots=True)
class TaxIdentifier:
    """A checked number, compact and in capitals, as tax_identifier holds it."""

    scheme: str
    number: str


@dataclass(frozen=True, slots=True)
class WrongIdentifier:
    """Why a number was not taken, for the person who typed it."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How one kind of number is checked, and the words for what it should be.

    `part` says what its inner parts may be, such as a province or a date.
    """

    compact: Callable[[str], str]
    validate: Callable[[str], str]
    lengths: tuple[int, ...]
    part: str
    letters: str = ""
    check: str = "check digit"


def schemes() -> tuple[str, ...]:
    """All kinds of numbers that are known, in order."""
    return tuple(sorted(_SCHEMES))


def read_identifier(scheme: str, text: str) -> TaxIdentifier | WrongIdentifier:
    """The number in its compact form, or what is wrong with it: its length, a character, a part or the check digit.

    Spaces, hyphens, dots and a leading country code that the scheme implies are taken off.
    """
    if scheme not in _SCHEMES:
        return WrongIdentifier(f"{scheme}: no such kind of number; there are {', '.join(sorted(_SCHEMES))}")
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > _LONGEST_TEXT:
        return WrongIdentifier(f"{scheme}: length: {len(text)} characters; {_LONGEST_TEXT} are more than any has")
    rules = _SCHEMES[scheme]
    number = text
    try:
        number = rules.compact(text)
        wrong = _wrong_form(number, rules)
        return (
            WrongIdentifier(f"{scheme} {number}: {wrong}") if wrong else TaxIdentifier(scheme, rules.validate(number))
        )
    except InvalidChecksum:
        return WrongIdentifier(
            f"{scheme} {number}: wrong {rules.check}: the rest gives another; one of them is mistyped"
        )
    except InvalidLength:
        return WrongIdentifier(f"{scheme} {number}: length: {len(number)} characters; not as long as {rules.part}")
    except InvalidComponent:
        return WrongIdentifier(f"{scheme} {number}: {rules.part}")
    except ValidationError:
        return WrongIdentifier(f"{scheme} {number}: letters and digits are not where they belong: {rules.part}")


def _wrong_form(number: str, rules: _Scheme) -> str | None:
    """What its length or a character of it says against a number, before anything is counted."""
    if not number:
        return "there is no number"
    for place, character in enumerate(number, start=1):
        if character not in "0123456789" + rules.letters:
            wanted = "digits and letters" if "Q" in rules.letters else f"digits {rules.letters}".strip()
            return f"character {character!r} at place {place}: only {wanted}"
    if rules.lengths and len(number) not in rules.lengths:
        wanted = (
            " or ".join(map(str, rules.lengths))
            if len(rules.lengths) < 4
            else f"{rules.lengths[0]} to {rules.lengths[-1]}"
        )
        return f"length: {len(number)} characters; it has {wanted}"
    return None


def _compact_vat(text: str) -> str:
    """With its country before it: EL for Greece, as the member states' exchange writes it."""
    text = re.sub(r"[ .-]", "", text).upper()
    if text.startswith("GR"):
        text = "EL" + text[2:]
    if text[:2].lower() not in _MEMBER_STATES:
        raise InvalidComponent
    return text


def _validate_cpf(number: str) -> str:
    """A CPF of one repeated digit fits its check digits and is nobody's."""
    if len(set(number)) == 1:
        raise InvalidComponent
    return cpf.validate(number)


def _validate_cuit(number: str) -> str:
    if number[:2] in ("25", "26"):
        if cuit.calc_check_digit(number[:-1]) != number[-1]:
            raise InvalidChecksum
        return number
    return cuit.validate(number)


def _validate_ec_ruc(number: str) -> str:
    """Companies' and foreigners' numbers come without an algorithm since six digits no longer hold them all (SRI)."""
    try:
        return ec_ruc.validate(number)
    except (InvalidChecksum, InvalidComponent):
        provinces = [f"{province:02}" for province in (*range(1, 25), 30, 50)]
        if number[2] not in "69" or number[:2] not in provinces or number[-3:] == "000":
            raise
        return number


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PROVINCE: Final = "province: the first two digits are 01 to 24, 30 or 50; the third is 0 to 6"
_SCHEMES: Final = {
    "ar.cuit": _Scheme(
        cuit.compact, _validate_cuit, (11,), "kind: it begins with 20, 23 to 27, 30, 33, 34, 50, 51 or 55"
    ),
    "br.cnpj": _Scheme(
        cnpj.compact,
        cnpj.validate,
        (14,),
        "twelve letters or digits, not all zero, two check digits",
        _LETTERS,
        "check digits",
    ),
    "br.cpf": _Scheme(cpf.compact, _validate_cpf, (11,), "one digit repeated is nobody's number", check="check digits"),
    "cl.rut": _Scheme(cl_rut.compact, cl_rut.validate, (8, 9), "K can only be the check digit, at its end", "K"),
    "co.nit": _Scheme(
        nit.compact,
        nit.validate,
        tuple(range(8, 17)),
        "digits with the check digit at the end",
        check="last digit, the check digit",
    ),
    "do.cedula": _Scheme(cedula.compact, cedula.validate, (11,), "eleven digits"),
    "do.rnc": _Scheme(rnc.compact, rnc.validate, (8, 9), "nine digits"),
    "ec.ci": _Scheme(ci.compact, ci.validate, (10,), _PROVINCE),
    "ec.ruc": _Scheme(
        ec_ruc.compact,
        _validate_ec_ruc,
        (13,),
        f"{_PROVINCE}, or 9 for a company; the establishment at its end is not 000",
    ),
    "es.cif": _Scheme(
        nif.compact,
        cif.validate,
        (9,),
        "a letter of A to J, N, P to S, U, V or W, seven digits, a check character",
        _LETTERS,
        "check character",
    ),
    "es.nif": _Scheme(
        nif.compact,
        nif.validate,
        (9,),
        "a digit or letter, seven digits, a check character",
        _LETTERS,
        "check character",
    ),
    "eu.vat": _Scheme(
        _compact_vat,
        vat.validate,
        (),
        "country: two letters of a member state and its number; they are " + " ".join(sorted(_MEMBER_STATES)).upper(),
        _LETTERS,
    ),
    "it.codicefiscale": _Scheme(
        codicefiscale.compact,
        codicefiscale.validate,
        (11, 16),
        "six letters, a birth date that exists, a place and a check letter; or a body's eleven digits with its province",
        _LETTERS,
        "check character",
    ),
    "it.iva": _Scheme(
        iva.compact, iva.validate, (11,), "province: digits 8 to 10 are 001 to 100, 120, 121, 888 or 999"
    ),
    "mx.rfc": _Scheme(
        rfc.compact,
        rfc.validate,
        (12, 13),
        "three letters of a company or four of a person, a date that exists, three more",
        _LETTERS + "&Ñ",
    ),
    "pe.ruc": _Scheme(pe_ruc.compact, pe_ruc.validate, (11,), "kind: it begins with 10, 15, 17 or 20"),
    "uy.rut": _Scheme(
        uy_rut.compact, uy_rut.validate, (12,), "parts: it begins with 01 to 22, a number above zero follows, then 001"
    ),
    "ve.rif": _Scheme(rif.compact, rif.validate, (10,), "kind: V, E, J, P or G, then nine digits", "VEJPG"),
}
# All that `read_identifier` knows.
KINDS: Final = tuple(sorted(_SCHEMES))
