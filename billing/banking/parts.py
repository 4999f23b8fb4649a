"""An entry of a bank's ISO 20022 file to its lines: amounts, days, who, in which words, and whether it came back.

Looked for by local names, each in the places where versions 02 to 08 have it.

Source: ISO 20022 camt.053.001.02 and .08: ReportEntry2, ReportEntry10, EntryTransaction2, EntryTransaction10; pain.002.001.03.

Next: billing/banking/return_codes.py
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from billing.banking.bank_line import BankLine, Flow
from billing.errors import BillingError
from billing.money import Money, read_money, total

_AMOUNT: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,5})?|\.[0-9]{1,5}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
# What banks write where they have nothing to say.
_NOTHING: Final = frozenset({"", "NOTPROVIDED", "NOTAVAILABLE", "NONREF", "N/A"})
# Direct debits: collected by us (CORE, B2B) and their returns. Source: ISO 20022 external code set BankTransactionCode.
_DEBITS: Final = frozenset({"IDDT", "RDDT"})
_UNPAID: Final = frozenset({"UPDD", "PRDD", "RVDD"})


class ReadingError(ValueError):
    """An entry has not what every entry has; the message says what."""


def text_at(element: Any, path: str) -> str:
    """The text of the first element at a path of local names, "" where there is none."""
    found = _first(element, path)
    return "" if found is None else (found.text or "").strip()


def all_of(element: Any, path: str) -> list[Any]:
    """All elements at a path of local names."""
    return element.findall("/".join(f"{{*}}{name}" for name in path.split("/"))) if element is not None else []


def account_of(statement: Any) -> str:
    """Which account a statement is of."""
    return text_at(statement, "Acct/Id/IBAN") or text_at(statement, "Acct/Id/Othr/Id")


def lines_of(entry: Any, number: int) -> tuple[list[BankLine], list[str]]:
    """The lines of a booked entry, and what a person should know of it. Raises: ReadingError."""
    whole = _entry(entry, number)
    details = all_of(entry, "NtryDtls/TxDtls")
    if len(details) <= 1:
        detail = details[0] if details else None
        line = _with_detail(whole, detail)
        told = _own_amount(detail, whole)
        # What came in is what the payer sent; what the bank kept of it is between the bank and us.
        return [replace(line, amount=told) if told and _charged(entry, detail, whole, told) else line], []
    parts = [(_with_detail(whole, one), _own_amount(one, whole)) for one in details]
    lines = [replace(line, amount=amount) for line, amount in parts if amount is not None]
    if len(lines) == len(parts) and total((one.amount for one in lines), whole.amount.currency) == whole.amount:
        return lines, []
    said = f"its {len(parts)} parts do not add up to {whole.amount}: taken as one line"
    text = text_at(entry, "NtryDtls/Btch/PmtInfId") or text_at(entry, "AddtlNtryInf")
    return [replace(whole, text=text)], [said]


def rejected_of(transaction: Any, number: int, created: str) -> BankLine | None:
    """A collection that the payer's bank rejected, as a line below zero; None for one in any other state. Raises: ReadingError."""
    if text_at(transaction, "TxSts") != "RJCT":
        return None
    amount = _first(transaction, "OrgnlTxRef/Amt/InstdAmt")
    if amount is None:
        raise ReadingError("it does not say the amount of the collection (OrgnlTxRef/Amt/InstdAmt)")
    money = _money(amount)
    day = _day(text_at(transaction, "OrgnlTxRef/ReqdColltnDt") or created, "the day of the collection")
    return BankLine(
        number=number,
        amount=-money,
        booked_on=day,
        value_on=day,
        text=text_at(transaction, "StsRsnInf/AddtlInf"),
        party=text_at(transaction, "OrgnlTxRef/Dbtr/Nm") or text_at(transaction, "OrgnlTxRef/Dbtr/Pty/Nm"),
        party_iban=text_at(transaction, "OrgnlTxRef/DbtrAcct/Id/IBAN"),
        end_to_end=_said(text_at(transaction, "OrgnlEndToEndId")),
        mandate=_said(text_at(transaction, "OrgnlTxRef/MndtRltdInf/MndtId") or text_at(transaction, "OrgnlTxRef/MndtRltdInf/DrctDbtMndt/MndtId")),
        flow=Flow.DEBIT,
        returned=text_at(transaction, "StsRsnInf/Rsn/Cd") or text_at(transaction, "StsRsnInf/Rsn/Prtry"),
        whole=money,
    )  # fmt: skip


def _entry(entry: Any, number: int) -> BankLine:
    """What the entry itself says."""
    amount = _first(entry, "Amt")
    if amount is None:
        raise ReadingError("it has no amount (Amt)")
    money = _money(amount)
    if not money:
        raise ReadingError("its amount is nothing")
    word = text_at(entry, "CdtDbtInd")
    if word not in ("CRDT", "DBIT"):
        raise ReadingError(f"it is neither CRDT nor DBIT but {word!r}")
    booked = _date_of(entry, "BookgDt") or _date_of(entry, "ValDt")
    booked_on = _day(booked, "its booking day")
    codes = [text_at(entry, f"BkTxCd/Domn/{place}") for place in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return BankLine(
        number=number,
        amount=money if word == "CRDT" else -money,
        booked_on=booked_on,
        value_on=_day(_date_of(entry, "ValDt") or booked, "its value day"),
        text=text_at(entry, "AddtlNtryInf"),
        entry_reference=_said(text_at(entry, "AcctSvcrRef")),
        bank_code="/".join(one for one in codes if one) or text_at(entry, "BkTxCd/Prtry/Cd"),
        flow=Flow.DEBIT if codes[1] in _DEBITS else Flow.TRANSFER,
        returned="" if word == "DBIT" and codes[2] in _UNPAID else None,
        undone=text_at(entry, "RvslInd") in ("true", "1"),
    )


def _with_detail(whole: BankLine, detail: Any) -> BankLine:
    """The entry with what one transaction of it says."""
    if detail is None:
        return whole
    # Who stands on the other side: who paid what came in, who was paid what went out; of a return it is the payer again.
    code = text_at(detail, "RtrInf/Rsn/Cd") or text_at(detail, "RtrInf/Rsn/Prtry")
    returned = code or ("" if _first(detail, "RtrInf") is not None else whole.returned)
    sides = ("Dbtr", "Cdtr") if whole.amount.minor > 0 or returned is not None else ("Cdtr", "Dbtr")
    party = next((name for side in sides if (name := _name(detail, side))), "")
    iban = next((one for side in sides if (one := text_at(detail, f"RltdPties/{side}Acct/Id/IBAN"))), "")
    words = [(one.text or "").strip() for one in all_of(detail, "RmtInf/Ustrd")]
    structured = [text_at(one, "CdtrRefInf/Ref") for one in all_of(detail, "RmtInf/Strd")]
    bank_code = "/".join(
        text_at(detail, f"BkTxCd/Domn/{place}") for place in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")
    ).strip("/")
    return replace(
        whole,
        text=" ".join(words) or text_at(detail, "AddtlTxInf") or whole.text,
        party=party,
        party_iban=iban,
        reference=_said(text_at(detail, "Refs/AcctSvcrRef")),
        creditor_reference=next((one for one in structured if one), ""),
        end_to_end=_said(text_at(detail, "Refs/EndToEndId")),
        mandate=_said(text_at(detail, "Refs/MndtId")),
        bank_code=whole.bank_code or bank_code,
        returned=returned,
        whole=_original(detail) if returned is not None else None,
    )


def _name(detail: Any, side: str) -> str:
    """In version 02 a party has its name, from 04 on it may be a party or an agent."""
    return next((name for path in ("", "Pty/") if (name := text_at(detail, f"RltdPties/{side}/{path}Nm"))), "")


def _own_amount(detail: Any, whole: BankLine) -> Money | None:
    """What a transaction comes to by itself, with the entry's sign or its own; None where it does not say it in the entry's currency."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        found = _first(detail, path) if detail is not None else None
        if found is not None and found.get("Ccy") == whole.amount.currency:
            money = _money(found)
            word = text_at(detail, "CdtDbtInd")
            goes_out = word == "DBIT" if word else whole.amount.minor < 0
            return -money if goes_out else money
    return None


def _charged(entry: Any, detail: Any, whole: BankLine, told: Money) -> bool:
    """Whether the bank's charges are what an amount and its transaction differ by."""
    if told == whole.amount or (told.minor > 0) != (whole.amount.minor > 0):
        return False
    for place in (entry, detail):
        for path in ("Chrgs/Rcrd/Amt", "Chrgs/TtlChrgsAndTaxAmt", "Chrgs/Amt"):
            charges = all_of(place, path)
            if charges and all(one.get("Ccy") == told.currency for one in charges):
                kept = total((_money(one) for one in charges), told.currency)
                return told - kept == whole.amount
    return False


def _original(detail: Any) -> Money | None:
    """Of a return the amount that was collected, without what the payer's bank adds."""
    for path in ("AmtDtls/InstdAmt/Amt", "AmtDtls/TxAmt/Amt", "Amt"):
        found = _first(detail, path)
        if found is not None:
            return _money(found)
    return None


def _money(element: Any) -> Money:
    text, currency = (element.text or "").strip(), element.get("Ccy", "")
    if not _AMOUNT.fullmatch(text) or not _CURRENCY.fullmatch(currency):
        raise ReadingError(f"{text[:40]!r} {currency[:10]!r} is no amount")
    try:
        return read_money(Decimal(text), currency)
    except (BillingError, InvalidOperation) as error:
        raise ReadingError(str(error)) from error


def _date_of(entry: Any, name: str) -> str:
    return (text_at(entry, f"{name}/Dt") or text_at(entry, f"{name}/DtTm"))[:10]


def _day(text: str, what: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ReadingError(f"{what} is {text[:20]!r}") from error


def _said(text: str) -> str:
    """A reference, "" where the bank says that there is none."""
    return "" if text.upper() in _NOTHING else text


def _first(element: Any, path: str) -> Any:
    return None if element is None else element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
