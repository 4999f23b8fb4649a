"""A paper of each kind that shows all it can have: for a preview of a template, and for its check.

Next: billing/papers/press.py
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from billing.money import Money, settle, total, zero
from billing.papers.paper import (
    AgreedDiscount,
    AgreedItem,
    Bank,
    Barcode,
    CashMovement,
    CashSessionPaper,
    CollectedPayment,
    ContractPaper,
    Denomination,
    DocumentPaper,
    Frame,
    InvitationPaper,
    OverdueDocument,
    PaidDocument,
    Paper,
    PaperKind,
    Payment,
    Percent,
    Price,
    PrintedDue,
    PrintedLine,
    PrintedParty,
    PrintedTax,
    ReceiptPaper,
    ReminderPaper,
    SettledCommission,
    SettlementPaper,
    Span,
    StatementLine,
    StatementPaper,
    StatementPart,
)
from billing.papers.transfer_code import transfer_code

_DAY: Final = date(2026, 3, 31)
_NOON: Final = datetime(2026, 3, 31, 12, 5, tzinfo=UTC)
_SENDER: Final = PrintedParty(
    "Example Net",
    ("Via dei Fiori 12", "10121 Torino (TO)"),
    (("it.vat", "01234560017"),),
    "office@example.net",
    "+39 011 555 0100",
)
_RECIPIENT: Final = PrintedParty(
    "Anna Rossi",
    ("Via Po 17/B", "10124 Torino (TO)"),
    (("it.codicefiscale", "RSSNNA80A41L219V"),),
    "anna@example.net",
    None,
    "4711",
)
_BANK: Final = Bank("IT60X0542811101000000123456", "Example Net", "128/FT/2026")
_NUMBERS: Final = {
    PaperKind.INVOICE: "128/FT/2026",
    PaperKind.CREDIT_NOTE: "9/NC/2026",
    PaperKind.QUOTE: "31/PR/2026",
    PaperKind.ORDER: "12/OR/2026",
    PaperKind.RECEIPT: "R-2026-004711",
    PaperKind.CONTRACT: "815",
    PaperKind.CASH_SESSION: "44",
    PaperKind.AGENT_SETTLEMENT: "3/AG/2026",
}
_REASONS: Final = {
    "en": "Line was down for a week",
    "es": "Línea cortada una semana",
    "it": "Linea interrotta per una settimana",
}
_CASH: Final = {"en": "Cash", "es": "Efectivo", "it": "Contanti"}
_PAY_PAGE: Final = Barcode("qr", "https://pay.example.net/i/4kTq9", "pay_online")
_WORDS: Final = {
    "en": (
        "Home 300",
        "Fixed IPv4 address",
        "Installation on the roof, with a cable of 25 metres",
        "Deposit for the router",
    ),
    "es": ("Casa 300", "Dirección IPv4 fija", "Instalación en el tejado, con 25 metros de cable", "Fianza del router"),
    "it": ("Casa 300", "Indirizzo IPv4 fisso", "Installazione sul tetto, con 25 metri di cavo", "Cauzione del router"),
}


def sample(kind: PaperKind, language: str, *, lines: int = 4, currency: str = "EUR") -> Paper:
    """A paper of a kind, in a language; `lines` as many as a test of its pages wants."""
    frame = Frame(language, "IT", _DAY, _SENDER, _RECIPIENT, _NUMBERS.get(kind))
    return _SAMPLES[kind](kind, frame, lines, currency)


def _line(number: int, frame: Frame, currency: str, carried: Money) -> PrintedLine:
    words = _WORDS[frame.language][(number - 1) % 4]
    price = (Decimal("24.508197"), Decimal(4), Decimal("120"), Decimal("50"))[(number - 1) % 4]
    discount = Decimal("2.450820") if number == 1 else Decimal(0)
    quantity = Decimal("1.5") if (number - 1) % 4 == 2 else Decimal(1)
    net = settle((price - discount) * quantity, currency)
    return PrintedLine(
        number,
        words,
        Span(date(2026, 4, 1), date(2026, 4, 30)) if (number - 1) % 4 < 2 else None,
        quantity,
        Price(price, currency),
        Price(discount, currency) if discount else None,
        Percent(Decimal(0) if number % 4 == 0 else Decimal(22)),
        "N1" if number % 4 == 0 else None,
        net,
        carried + net,
    )


def _document(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    lines: list[PrintedLine] = []
    carried = zero(currency)
    for number in range(1, count + 1):
        lines.append(_line(number, frame, currency, carried))
        carried = lines[-1].carried
    taxed = total((line.net for line in lines if line.nature is None), currency)
    free = total((line.net for line in lines if line.nature is not None), currency)
    tax = settle(taxed.amount * 22 / 100, currency)
    payable = carried + tax
    bought, gives, offers = kind is PaperKind.INVOICE, kind is PaperKind.CREDIT_NOTE, kind is PaperKind.QUOTE
    code = transfer_code(_BANK.iban, _BANK.holder, payable, _BANK.reference)
    codes = ((Barcode("qr", code, "pay_by_app"),) if code else ()) + (_PAY_PAGE,)
    return DocumentPaper(
        kind=kind,
        frame=frame,
        title=str(kind),
        lines=tuple(lines),
        taxes=(
            PrintedTax(Percent(Decimal(22)), None, None, None, taxed, tax),
            PrintedTax(Percent(Decimal(0)), "N1", "art. 15 DPR 633/72", None, free, zero(currency)),
        ),
        net=carried,
        tax=tax,
        gross=payable,
        payable=payable,
        stamp_duty=settle(Decimal(2), currency),
        dues=(PrintedDue(date(2026, 4, 15), payable),) if bought else (),
        bank=_BANK if bought else None,
        codes=codes if bought else (),
        corrects="97/FT/2026" if gives else None,
        reason=_REASONS[frame.language] if gives else None,
        valid_until=date(2026, 4, 30) if offers else None,
        payments=(Payment(date(2026, 3, 12), "SEPA", settle(Decimal("29.90"), currency)),) if bought else (),
    )


def _statement(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    lines, balance = [], settle(Decimal("29.90"), currency)
    lines.append(StatementLine(date(2026, 1, 1), "balance_before", "", None, None, None, balance))
    for number in range(1, count + 1):
        amount = settle(Decimal("29.90"), currency)
        pays = number % 2 == 0
        balance = balance - amount if pays else balance + amount
        day = date(2026, 1, 1) + timedelta(days=number)
        reference = f"TRN {number}" if pays else f"{number}/FT/2026"
        what, due = ("payment", None) if pays else ("invoice", day + timedelta(days=15))
        lines.append(
            StatementLine(day, what, reference, due, None if pays else amount, amount if pays else None, balance)
        )
    part = StatementPart(currency, tuple(lines), balance)
    return StatementPaper(kind, frame, Span(date(2026, 1, 1), _DAY), (part,), Bank(_BANK.iban, _BANK.holder, "4711"))


def _receipt(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    part = settle(Decimal("36.48"), currency)
    documents = tuple(
        PaidDocument(f"{n}/FT/2026", date(2026, 1, 1) + timedelta(days=n), part) for n in range(1, count + 1)
    )
    return ReceiptPaper(
        kind,
        frame,
        "80mm",
        _NOON,
        _CASH[frame.language],
        total((one.amount for one in documents), currency) + settle(Decimal("5"), currency),
        documents,
        rest=settle(Decimal(5), currency),
        collector="Bruno Verdi",
        codes=(Barcode("code128", "R-2026-004711", "receipt_number"),),
    )


def _overdue(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    amount = settle(Decimal("36.48"), currency)
    days = [date(2026, 3, 1) - timedelta(days=30 * n) for n in range(count)]
    documents = tuple(
        OverdueDocument(f"{n + 1}/FT/2026", day - timedelta(days=15), day, amount, amount, (_DAY - day).days)
        for n, day in enumerate(days)
    )
    formal = kind is PaperKind.FORMAL_NOTICE
    open_amount = total((one.open for one in documents), currency)
    fees = settle(Decimal(3), currency)
    code = transfer_code(_BANK.iban, _BANK.holder, open_amount + fees, "4711")
    return ReminderPaper(
        kind,
        frame,
        1,
        documents,
        open_amount,
        date(2026, 5, 10) if formal else date(2026, 4, 10),
        fees,
        date(2026, 5, 11) if formal else None,
        40 if formal else None,
        ("815, Via Po 17/B, Torino",),
        "L. 160/2019 art. 1 c. 291" if formal else None,
        "registered_letter" if formal else None,
        Bank(_BANK.iban, _BANK.holder, "4711"),
        ((Barcode("qr", code, "pay_by_app"),) if code else ()) + (_PAY_PAGE,),
    )


def _contract(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    items = tuple(
        AgreedItem(_WORDS[frame.language][n % 2], Decimal(1), Price(Decimal("29.90"), currency), None if n else 1)
        for n in range(count)
    )
    return ContractPaper(
        kind,
        frame,
        items,
        True,
        None,
        24,
        30,
        ("Via Po 17/B", "10124 Torino (TO)"),
        ((1, settle(Decimal(120), currency)), (13, settle(Decimal(60), currency))),
        discounts=(
            AgreedDiscount("Corrente", Percent(Decimal(50)), None, None, Span(date(2026, 4, 1), date(2026, 6, 30))),
            AgreedDiscount("Corrente", None, Price(Decimal(5), currency), date(2026, 7, 1), None),
        ),
    )


def _cash_session(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    amount = settle(Decimal("36.50"), currency)
    payments = tuple(
        CollectedPayment(f"R-{n}", "Anna Rossi", _NOON - timedelta(minutes=9 * n), _CASH[frame.language], amount)
        for n in range(1, count + 1)
    )
    opening, out = settle(Decimal(100), currency), settle(Decimal(-30), currency)
    expected = total((one.amount for one in payments), currency) + opening + out
    values = [settle(Decimal(value), currency) for value in ("50", "20", "5", "0.50")]
    pieces = [(value, number + 2, settle(value.amount * (number + 2), currency)) for number, value in enumerate(values)]
    counted = total((amount for _, _, amount in pieces), currency)
    return CashSessionPaper(
        kind,
        frame,
        _NOON - timedelta(hours=4),
        _NOON,
        opening,
        payments,
        tuple(Denomination(*piece) for piece in pieces),
        expected,
        counted,
        counted - expected,
        "Carla Neri",
        (CashMovement("withdrawn", "R-2026-0044", out),),
    )


def _settlement(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    base, earned = settle(Decimal("29.90"), currency), settle(Decimal("2.99"), currency)
    causes = ("earned_paid", "earned_activation", "earned_withdrawn")
    rows = tuple(
        SettledCommission(
            _DAY - timedelta(days=n),
            str(815 + n),
            f"{n}/FT/2026",
            causes[n % 3],
            base if n % 3 < 2 else -base,
            earned if n % 3 < 2 else -earned,
        )
        for n in range(count)
    )
    return SettlementPaper(kind, frame, _DAY, rows, total((one.amount for one in rows), currency))


def _invitation(kind: PaperKind, frame: Frame, count: int, currency: str) -> Paper:
    del count, currency
    page = "https://my.example.net/portal/enter/k7mh-2pqr-xw4t-9bcd"
    return InvitationPaper(kind, frame, page, date(2026, 4, 30), (Barcode("qr", page, "open_portal"),))


_Maker = Callable[[PaperKind, Frame, int, str], Paper]
_SAMPLES: Final[dict[PaperKind, _Maker]] = {
    PaperKind.INVOICE: _document,
    PaperKind.CREDIT_NOTE: _document,
    PaperKind.QUOTE: _document,
    PaperKind.ORDER: _document,
    PaperKind.STATEMENT: _statement,
    PaperKind.RECEIPT: _receipt,
    PaperKind.REMINDER: _overdue,
    PaperKind.FORMAL_NOTICE: _overdue,
    PaperKind.CONTRACT: _contract,
    PaperKind.PORTAL_INVITATION: _invitation,
    PaperKind.CASH_SESSION: _cash_session,
    PaperKind.AGENT_SETTLEMENT: _settlement,
}
