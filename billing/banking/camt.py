"""ISO 20022 files of banks: statements (camt.053), notifications (camt.054) and rejections of collections (pain.002).

Read element by element, so that memory stays flat, and by local names, so that all versions are read alike: 02 to 08 differ in where a
name, an amount or a state stands, and each place is looked at. A file with a document type is refused before anything of it is
read: no entity is ever expanded and nothing is fetched. Where a folder of schemas is given and has the file's version, the whole file
is checked against it before a line is taken.

Only booked entries count. An entry whose parts add up to it is as many lines; else it is one line and a finding says so.

Units: amounts above zero came in, below zero went out.
Source: ISO 20022 camt.053.001.02 to .08, camt.054.001.02 to .08, pain.002.001.03 to .12; italy.md 2.5.

Next: billing/banking/parts.py
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from lxml import etree

from billing.banking.bank_line import MAX_LINES, BankFileError, BankLine, Form, Statement, clean, cleaned, keyed
from billing.banking.parts import ReadingError, account_of, all_of, lines_of, rejected_of, text_at
from billing.banking.return_codes import return_code
from billing.sentence import Sentence

_NAMESPACE: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((camt\.05[34]|pain\.002)\.001\.(\d\d))")
VERSIONS: Final = {
    Form.CAMT_053: range(2, 9),
    Form.CAMT_054: range(2, 9),
    Form.PAIN_002: range(3, 13),
}
_STATEMENTS: Final = {Form.CAMT_053: "Stmt", Form.CAMT_054: "Ntfctn"}
_MOST_FINDINGS: Final = 20
_BOOKED: Final = "BOOK"


def is_xml(octets: bytes) -> bool:
    """Whether a file is XML, in any encoding that XML is written in."""
    head = octets[:200].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return head.startswith(b"<")


def read_camt(octets: bytes, *, schemas: Path | None = None) -> tuple[Statement, ...]:
    """The statements of a file, each with the lines of one account. Raises: BankFileError."""
    form, version = _form(octets)
    _check(octets, version, schemas)
    if form is Form.PAIN_002:
        return (_rejections(octets),)
    found = tuple(_statements(octets, form))
    if not found:
        raise BankFileError(Sentence("this %(version)s has no statement", version=version))
    return found


def _form(octets: bytes) -> tuple[Form, str]:
    """What the file is by its first element; nothing behind that is looked at, and nothing is expanded."""
    name = _first_element(octets)
    found = _NAMESPACE.fullmatch(name.rpartition("}")[0].lstrip("{"))
    if found is None:
        raise BankFileError(
            Sentence(
                "the first element is %(name)s: not a camt.053, camt.054 or pain.002 of ISO 20022",
                name=repr(clean(name)),
            )
        )
    form = Form(found[2])
    if int(found[3]) not in VERSIONS[form]:
        known = VERSIONS[form]
        raise BankFileError(
            Sentence(
                "%(found)s is not known: versions %(start)s to %(stop)s are; ask the bank for one",
                found=found[1],
                start=f"{known.start:02}",
                stop=f"{known.stop - 1:02}",
            )
        )
    return form, found[1]


class _FoundError(Exception):
    """The first element was reached."""


def _first_element(octets: bytes) -> str:
    parser = expat.ParserCreate(namespace_separator="}")
    names: list[str] = []

    def refuse(*_: object) -> None:
        raise BankFileError(
            Sentence("the file has a document type (DOCTYPE), which no bank's file has: it is not read")
        )

    def first(name: str, _: object) -> None:
        names.append(name)
        raise _FoundError

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = first
    try:
        parser.Parse(octets, True)
    except _FoundError:
        return names[0]
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BankFileError(Sentence("this is no XML: %(error)s", error=clean(str(error)))) from error
    raise BankFileError(Sentence("this is no XML: it has no element"))


def _check(octets: bytes, version: str, schemas: Path | None) -> None:
    """By the schema of its version, where there is one."""
    file = schemas / f"{version}.xsd" if schemas is not None else None
    if file is None or not file.is_file():
        return
    schema = etree.XMLSchema(etree.parse(file, etree.XMLParser(resolve_entities=False, no_network=True)))
    try:
        for _, element in etree.iterparse(io.BytesIO(octets), schema=schema, **_SAFE):
            _forget(element)
    except etree.XMLSyntaxError as error:
        raise BankFileError(
            Sentence(
                "the file is not what %(version)s allows: %(error)s", version=version, error=clean(str(error), 300)
            )
        ) from error


# No entity is replaced, no document type loaded, nothing fetched; a text of 10 MB or 256 levels of elements end it.
_SAFE: Final[dict[str, Any]] = {
    "events": ("end",),
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def _forget(element: Any) -> None:
    """Let go of what was read, here and before it."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _walk(octets: bytes, *names: str) -> Iterator[Any]:
    """Each element of those names as it ends. Raises: BankFileError."""
    try:
        for _, element in etree.iterparse(io.BytesIO(octets), tag=[f"{{*}}{name}" for name in names], **_SAFE):
            yield element
    except etree.XMLSyntaxError as error:
        raise BankFileError(Sentence("this is no XML: %(error)s", error=clean(str(error), 300))) from error


class _Reading:
    """One statement while its entries come by."""

    def __init__(self) -> None:
        self.lines: list[BankLine] = []
        self.findings: list[str] = []
        self.entries = self.skipped = 0

    def entry(self, element: Any) -> None:
        """Take an entry that is booked. Raises: BankFileError."""
        self.entries += 1
        if (text_at(element, "Sts/Cd") or text_at(element, "Sts")) != _BOOKED:
            self.skipped += 1
            return
        try:
            read, said = lines_of(element, self.entries)
        except ReadingError as error:
            raise BankFileError(Sentence("entry %(entries)s: %(error)s", entries=self.entries, error=error)) from error
        self.lines += (cleaned(one) for one in read)
        if len(self.findings) < _MOST_FINDINGS:
            self.findings += [f"entry {self.entries}: {one}" for one in said]

    def statement(self, element: Any, form: Form) -> Statement:
        """All that it has come to."""
        findings = [*self.findings, *_totals(element, self.lines, self.entries)]
        if self.skipped:
            findings.append(f"{self.skipped} entries are not booked yet and were left out")
        return Statement(account_of(element), form, keyed(self.lines), tuple(findings), self.skipped)


def _statements(octets: bytes, form: Form) -> Iterator[Statement]:
    """Each statement as it ends, its entries let go one by one. Raises: BankFileError."""
    reading, lines = _Reading(), 0
    for element in _walk(octets, "Ntry", _STATEMENTS[form]):
        if etree.QName(element).localname == "Ntry":
            reading.entry(element)
            element.clear()
            if lines + len(reading.lines) > MAX_LINES:
                raise BankFileError(
                    Sentence(
                        "more than %(max_lines)s lines: ask the bank for shorter periods", max_lines=f"{MAX_LINES:,}"
                    )
                )
            continue
        yield reading.statement(element, form)
        lines += len(reading.lines)
        reading = _Reading()
        _forget(element)


def _totals(element: Any, lines: list[BankLine], entries: int) -> Iterator[str]:
    """What the file says of its own entries, where that is not what it has."""
    said = text_at(element, "TxsSummry/TtlNtries/NbOfNtries")
    if said and said.lstrip("0") != str(entries):
        yield f"the bank says {clean(said, 40)} entries and the file has {entries}"
    balances = {text_at(one, "Tp/CdOrPrtry/Cd"): _balance(one) for one in all_of(element, "Bal")}
    first, last = balances.get("OPBD", balances.get("PRCD")), balances.get("CLBD")
    if first is None or last is None:
        return
    moved = sum((one.amount.amount for one in lines), Decimal(0))
    if first + moved != last:
        yield f"the balance goes from {first} to {last} and the booked entries come to {moved}"


def _balance(element: Any) -> Decimal | None:
    try:
        amount = Decimal(text_at(element, "Amt"))
    except InvalidOperation:
        return None
    if not amount.is_finite():
        return None
    return -amount if text_at(element, "CdtDbtInd") == "DBIT" else amount


def _rejections(octets: bytes) -> Statement:
    """Collections that were refused: a line each, below zero, that names the collection."""
    lines: list[BankLine] = []
    created = ""
    for header in _walk(octets, "GrpHdr"):
        created = text_at(header, "CreDtTm")[:10]
    skipped = 0
    for number, element in enumerate(_walk(octets, "TxInfAndSts"), start=1):
        try:
            line = rejected_of(element, number, created)
        except ReadingError as error:
            raise BankFileError(Sentence("transaction %(number)s: %(error)s", number=number, error=error)) from error
        if line is None:
            skipped += 1
        elif len(lines) == MAX_LINES:
            raise BankFileError(Sentence("more than %(max_lines)s rejections", max_lines=f"{MAX_LINES:,}"))
        else:
            lines.append(cleaned(line))
        _forget(element)
    said = sorted(
        {one.returned for one in lines if one.returned and return_code(one.returned).words.startswith("reason ")}
    )
    findings = tuple(f"reason code {one} is not known here: it is kept as it is told" for one in said)
    return Statement("", Form.PAIN_002, keyed(lines), findings, skipped)
