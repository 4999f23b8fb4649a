"""How one bank writes its CSV: which column is what, separator, decimals, days, encoding, sign, rows before the data.

A layout is data that an operator tries on a file and saves with the bank's account; `guess_layout` proposes one from a file.

Next: billing/banking/csv_file.py
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from billing.banking.amount_text import UnreadableError, day_pattern, read_amount, read_day
from billing.banking.bank_line import BankFileError
from billing.sentence import Sentence

ENCODINGS: Final = ("utf-8", "utf-16", "cp1252", "iso-8859-15", "cp850", "mac-roman")
SEPARATORS: Final = (";", ",", "\t", "|")
DAY_FORMS: Final = ("DD/MM/YYYY", "YYYY-MM-DD", "DD.MM.YYYY", "DD-MM-YYYY", "DD/MM/YY", "YYYYMMDD", "MM/DD/YYYY")
SIGNS: Final = ("as_written", "reversed")
_MOST_HEADER_ROWS: Final = 50
_LOOKED_AT: Final = 60
# How headers of banks are worded, each in the order in which it is preferred; compared without case, marks and blanks.
_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "booked_on": ("datacontabile", "dataoperazione", "datamovimento", "datareg", "fechaoperacion", "fechacontable", "fecha", "bookingdate", "buchungstag", "data", "date"),
    "value_on": ("datavaluta", "valuta", "fechavalor", "valuedate"),
    "credit": ("avere", "accrediti", "entrate", "abono", "abonos", "haber", "credit", "paidin", "creditamount"),
    "debit": ("dare", "addebiti", "uscite", "cargo", "cargos", "debe", "debit", "paidout", "debitamount"),
    "amount": ("importo", "importe", "ammontare", "monto", "amount", "betrag"),
    "text": ("descrizione", "causale", "descrizioneoperazione", "concepto", "descripcion", "description", "details", "remittanceinformation", "purpose"),
    "party": ("ordinante", "controparte", "nominativo", "ordenante", "payer", "name", "counterparty", "payee"),
    "party_iban": ("ibanordinante", "ibancontroparte", "iban", "counterpartyiban", "cuentaordenante"),
    "reference": ("riferimento", "rifbanca", "idmovimento", "cro", "trn", "referencia", "bankreference", "transactionid", "reference"),
    "end_to_end": ("endtoendid", "endtoend", "e2eid"),
    "currency": ("divisa", "moneda", "currency", "ccy"),
    "code": ("causaleabi", "codicereturn", "returncode", "reasoncode"),
}  # fmt: skip


class WrongLayoutError(BankFileError):
    """No file can be read by a layout; `field` is where to mend that."""

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns are named as in the header, or counted as #1, #2 …; `text` may be several, which are put together.

    Either `amount` with its sign, or with `sign` a column that says `out_words` for money out; or `credit` and `debit`, of which one is
    filled. `header_rows` are the rows before the first line, of which the last names the columns. `return_words`: a line of money out
    whose text has one of them came back.
    """

    booked_on: str
    text: tuple[str, ...]
    amount: str = ""
    credit: str = ""
    debit: str = ""
    sign: str = ""
    out_words: tuple[str, ...] = ("D", "DARE", "DEBIT", "DBIT", "DR", "-")
    signs: str = "as_written"
    value_on: str = ""
    party: str = ""
    party_iban: str = ""
    reference: str = ""
    end_to_end: str = ""
    currency: str = ""
    code: str = ""
    return_words: tuple[str, ...] = ()
    separator: str = ";"
    decimal: str = ","
    day_form: str = "DD/MM/YYYY"
    encoding: str = "utf-8"
    header_rows: int = 1

    def columns(self) -> tuple[str, ...]:
        """Those that it names."""
        named = (
            self.booked_on,
            self.amount,
            self.credit,
            self.debit,
            self.sign,
            self.value_on,
            self.party,
            self.party_iban,
        )
        others = (self.reference, self.end_to_end, self.currency, self.code)
        return tuple(one for one in (*named, *others, *self.text) if one)


_SEVERAL: Final = ("text", "out_words", "return_words")


def checked(layout: Layout) -> Layout:
    """The layout, when a file can be read by it. Raises: BankFileError, which names what is missing or wrong."""
    if not layout.booked_on:
        raise WrongLayoutError("booked_on", "the layout has no column of the booking day: booked_on")
    if bool(layout.amount) == bool(layout.credit or layout.debit):
        raise WrongLayoutError("amount", "the layout has either a column amount, or credit and debit")
    if bool(layout.credit) != bool(layout.debit):
        raise WrongLayoutError("credit" if layout.debit else "debit", "the columns credit and debit come together")
    if layout.sign and not layout.amount:
        raise WrongLayoutError("sign", "a column sign says which way an amount goes: it needs the column amount")
    _check_choices(layout)
    if not 0 <= layout.header_rows <= _MOST_HEADER_ROWS:
        raise WrongLayoutError("header_rows", f"header_rows {layout.header_rows}: 0 to {_MOST_HEADER_ROWS}")
    try:
        day_pattern(layout.day_form)
    except UnreadableError as error:
        raise WrongLayoutError("day_form", f"day_form {error}") from error
    for column in layout.columns():
        if layout.header_rows == 0 and not re.fullmatch(r"#[1-9][0-9]{0,2}", column):
            raise WrongLayoutError("header_rows", f"column {column!r}: without a header columns are counted: #1, #2")
    return layout


def _check_choices(layout: Layout) -> None:
    for name, choices in (
        ("separator", SEPARATORS),
        ("encoding", ENCODINGS),
        ("decimal", (",", ".")),
        ("signs", SIGNS),
    ):
        if getattr(layout, name) not in choices:
            raise BankFileError(f"{name} {getattr(layout, name)!r}: one of {', '.join(map(repr, choices))}")


def layout_data(layout: Layout) -> dict[str, Any]:
    """It as it is saved; what `read_layout` reads again."""
    plain = asdict(layout)
    return {name: list(value) if name in _SEVERAL else value for name, value in plain.items()}


def layout_digest(layout: Layout) -> str:
    """Tells it from every other layout."""
    return hashlib.blake2b(repr(layout).encode(), digest_size=6).hexdigest()


def read_layout(data: Mapping[str, Any]) -> Layout:
    """A layout as it was saved. Raises: BankFileError."""
    known = Layout.__dataclass_fields__
    for name, value in data.items():
        if name not in known:
            raise BankFileError(f"a layout has no {name!r}: there are {', '.join(known)}")
        right = list if name in _SEVERAL else int if name == "header_rows" else str
        if not isinstance(value, right) or isinstance(value, bool):
            raise BankFileError(f"{name} {value!r} is no {right.__name__}")
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise BankFileError(f"{name} {value!r} is no list of texts")
    given: dict[str, Any] = {name: tuple(value) if name in _SEVERAL else value for name, value in data.items()}
    return checked(Layout(**{"booked_on": "", "text": (), **given}))


def text_of(octets: bytes, encoding: str) -> str:
    """The text of a file. Raises: BankFileError with the line of the first octet that is none."""
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        text = octets.decode(name)
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise BankFileError(
            Sentence(
                "line %(line)s: this is no %(encoding)s; choose another encoding: %(known)s",
                line=line,
                encoding=encoding,
                known=", ".join(ENCODINGS),
            )
        ) from error
    if "\0" in text:
        raise BankFileError(
            Sentence("this is no text in %(encoding)s: it holds octets of zero; is it utf-16?", encoding=encoding)
        )
    return text


def guess_layout(octets: bytes, said: Mapping[str, Any]) -> Layout:
    """The layout that a file seems to have, with what was said in its place. A guess that a person looks at, never more.

    Raises: BankFileError when not even day and amount are found.
    """
    encoding = said.get("encoding") or _encoding(octets)
    text = text_of(octets, encoding)
    lines = [line for line in text.splitlines()[:_LOOKED_AT]]
    separator = said.get("separator") or max(SEPARATORS, key=lambda one: sum(line.count(one) for line in lines))
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    header_rows = said.get("header_rows")
    if header_rows is None:
        header_rows = _header(rows)
    names = rows[header_rows - 1] if 0 < header_rows <= len(rows) else []
    found: dict[str, Any] = {role: _column(names, role) for role in _WORDS}
    if found["credit"] and found["debit"]:
        found["amount"] = ""
    else:
        found["credit"] = found["debit"] = ""
    found["text"] = (found["text"],) if found["text"] else ()
    guess = Layout(**found, encoding=encoding, separator=separator, header_rows=header_rows)
    guess = replace(guess, **{name: value for name, value in said.items() if value not in (None, (), "")})
    samples = [dict(zip(names, row, strict=False)) for row in rows[header_rows:]]
    if not said.get("decimal"):
        guess = replace(guess, decimal=_decimal(samples, guess))
    if not said.get("day_form"):
        guess = replace(guess, day_form=_day_form([one.get(guess.booked_on, "") for one in samples], guess.day_form))
    return checked(guess)


def _encoding(octets: bytes) -> str:
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _header(rows: Sequence[Sequence[str]]) -> int:
    """Behind the first row that names a day and an amount in words that are known."""
    for number, row in enumerate(rows, start=1):
        if _column(row, "booked_on") and any(_column(row, role) for role in ("amount", "credit", "debit")):
            return number
    return 1


def _column(names: Sequence[str], role: str) -> str:
    plain = {_plain(name): name for name in reversed(names)}
    exact = next((plain[word] for word in _WORDS[role] if word in plain), "")
    return exact or next((plain[name] for word in _WORDS[role] for name in plain if name.startswith(word)), "")


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name).casefold()
    return "".join(one for one in folded if one.isalnum())


def _decimal(samples: Sequence[Mapping[str, str]], guess: Layout) -> str:
    """The mark with which more of the amounts can be read."""
    columns = [one for one in (guess.amount, guess.credit, guess.debit) if one]
    amounts = [one[name] for one in samples for name in columns if one.get(name, "").strip()]
    return max((",", "."), key=lambda mark: sum(_reads(read_amount, text, mark) for text in amounts))


def _day_form(days: Sequence[str], usual: str) -> str:
    forms = (usual, *DAY_FORMS)
    written = [day for day in days if day.strip()]
    return max(forms, key=lambda form: sum(_reads(read_day, day, form) for day in written))


def _reads(read: Any, text: str, how: str) -> bool:
    try:
        read(text, how)
    except UnreadableError:
        return False
    return True
