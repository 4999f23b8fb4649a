"""Dunning's reasons in Italian, Spanish and English.

Next: facts.py
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from billing.dunning.reasons import Reason, Value, Why
from billing.errors import BillingError
from billing.money import Money, read_money

LANGUAGES: Final = ("it", "es", "en")
# Italian, Spanish, English.
_WORDS: Final[dict[Why, tuple[str, str, str]]] = {
    Why.NOTHING_OWED: ("niente di scaduto", "nada vencido", "nothing is overdue"),
    Why.NOT_PURSUED: (
        "{amount} scaduti: fino a {threshold} non si procede",
        "{amount} vencidos: hasta {threshold} no se actúa",
        "{amount} overdue: up to {threshold} is not pursued",
    ),
    Why.OWES: (
        "{amount} scaduti dal {since} ({days} giorni), documenti: {documents}",
        "{amount} vencidos desde el {since} ({days} días), documentos: {documents}",
        "{amount} overdue since {since} ({days} days), documents: {documents}",
    ),
    Why.IN_DISPUTE: (
        "{amount} contestati non contano",
        "{amount} en reclamo no cuentan",
        "{amount} in dispute do not count",
    ),
    Why.COVERED: ("{amount} coperti da credito", "{amount} cubiertos por crédito", "{amount} covered by credit"),
    Why.FALLS_DUE: ("{amount} scadono il {day}", "{amount} vencen el {day}", "{amount} fall due on {day}"),
    Why.NOTICE_HEARD: (
        "diffida consegnata il {day}; limitabile dal {not_before}",
        "requerimiento entregado el {day}; se puede limitar desde el {not_before}",
        "formal notice delivered on {day}; may be limited from {not_before}",
    ),
    Why.DAY_REACHED: ("passo previsto per il {day}", "paso previsto para el {day}", "step of {day}"),
    Why.DAY_TO_COME: ("previsto per il {day}", "previsto para el {day}", "its day is {day}"),
    Why.SMALL_DEBT: (
        "{amount} scaduti: il passo vale oltre {threshold}",
        "{amount} vencidos: el paso vale por encima de {threshold}",
        "{amount} overdue: the step is for more than {threshold}",
    ),
    Why.FEW_DOCUMENTS: (
        "documenti scaduti: {count}, ne servono {least}",
        "documentos vencidos: {count}, hacen falta {least}",
        "overdue documents: {count}, the step is from {least} on",
    ),
    Why.NO_NOTICE: (
        "manca la diffida",
        "falta el requerimiento formal",
        "no formal notice has gone out",
    ),
    Why.NOT_IN_NOTICE: (
        "la diffida non elenca ciò che è scaduto",
        "el requerimiento no enumera lo vencido",
        "the formal notice does not list what is overdue",
    ),
    Why.NOTICE_WAITS: (
        "la diffida del {day} non è ancora partita",
        "el requerimiento del {day} aún no ha salido",
        "the formal notice of {day} has not gone out yet",
    ),
    Why.NOTICE_FAILED: (
        "la diffida del {day} non è arrivata: {problem}",
        "el requerimiento del {day} no llegó: {problem}",
        "the formal notice of {day} did not arrive: {problem}",
    ),
    Why.NOT_DELIVERED: (
        "diffida inviata il {day}, consegna non confermata",
        "requerimiento enviado el {day}, entrega sin confirmar",
        "formal notice sent on {day}, its delivery is not confirmed",
    ),
    Why.NOTICE_RUNS: (
        "il termine della diffida dura fino al {day}",
        "el plazo del requerimiento corre hasta el {day}",
        "the formal notice runs until {day}",
    ),
    Why.NOT_BEFORE: (
        "non prima del {day}, per decisione di un operatore",
        "no antes del {day}, por decisión de un operador",
        "not before {day}, by word of an operator",
    ),
    Why.WHITELISTED: (
        "escluso fino al {until}: {reason}",
        "excluido hasta el {until}: {reason}",
        "excluded until {until}: {reason}",
    ),
    Why.PUBLIC_BODY: ("ente pubblico", "organismo público", "a public body"),
    Why.ESSENTIAL: ("servizio essenziale", "servicio esencial", "an essential service"),
    Why.EXEMPT: (
        "esente da ogni automatismo fino al {until}: {reason}",
        "exento de toda automatización hasta el {until}: {reason}",
        "exempt from all automation until {until}: {reason}",
    ),
    Why.PROMISED: (
        "promessa di pagamento fino al {until}",
        "promesa de pago hasta el {until}",
        "promised to pay until {until}",
    ),
    Why.RELIEVED: ("dilazione fino al {until}", "prórroga hasta el {until}", "relief until {until}"),
    Why.UNCONFIRMED: (
        "attende la conferma di un operatore",
        "espera la confirmación de un operador",
        "waits for an operator's word",
    ),
    Why.OUTSIDE_HOURS: (
        "fuori orario: dal {until}",
        "fuera de horario: desde el {until}",
        "outside the hours: from {until}",
    ),
    Why.PASSED_OVER: (
        "superato da {step}",
        "superado por {step}",
        "passed over for {step}",
    ),
    Why.PROMISE_BROKEN: (
        "una promessa non è stata mantenuta: di nuovo possibile dal {until}",
        "una promesa no se cumplió: de nuevo posible desde el {until}",
        "a promise was not kept: possible again from {until}",
    ),
    Why.PROMISES_OF_CASE: (
        "promesse già fatte per questo debito: {count}",
        "promesas ya hechas por esta deuda: {count}",
        "promises made for this debt: {count}",
    ),
    Why.PROMISES_OF_MONTH: (
        "promesse già fatte questo mese: {count}",
        "promesas ya hechas este mes: {count}",
        "promises made this month: {count}",
    ),
    Why.TOO_MUCH: (
        "{amount} dovuti: una promessa vale fino a {most}",
        "{amount} adeudados: una promesa vale hasta {most}",
        "{amount} owed: a promise is for up to {most}",
    ),
}
_AMOUNT: Final = re.compile(r"(?P<amount>-?[\d,]+(\.\d+)?) (?P<currency>[A-Z]{3})")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_OPEN_END: Final = dict(zip(LANGUAGES, ("revoca", "revocación", "further notice"), strict=True))


def say(reason: Reason, language: str, zone: ZoneInfo) -> str:
    """The reason as a line; moments as the clock of the zone shows them, days as the language writes them."""
    template = _WORDS[reason.why][LANGUAGES.index(language)]
    return template.format(**{name: _said(value, language, zone) for name, value in reason.values})


def retold(line: str, language: str, zone: ZoneInfo) -> str:
    """A line that was kept in English, as restrictions and steps keep it, in another language; what no reason says stays."""
    left, said = line.split("; "), []
    while left:
        # A reason may have a semicolon of its own.
        found = _heard(left[0], zone), _heard("; ".join(left[:2]), zone)
        reason = found[0] or found[1]
        said.append(left[0] if reason is None else say(reason, language, zone))
        left = left[1 if found[0] or reason is None else 2 :]
    return "; ".join(said)


def _heard(line: str, zone: ZoneInfo) -> Reason | None:
    for why, form in _forms().items():
        found = form.fullmatch(line)
        if found is not None:
            return Reason(why, tuple((name, _value(text, zone)) for name, text in found.groupdict().items()))
    return None


@cache
def _forms() -> dict[Why, re.Pattern[str]]:
    """The English forms with their places, to be found again."""
    return {
        why: re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(english)))
        for why, (_, _, english) in _WORDS.items()
    }


def _value(text: str, zone: ZoneInfo) -> Value:
    """What stood for it: an amount, a day or a moment; else as it stands."""
    try:
        if amount := _AMOUNT.fullmatch(text):
            return read_money(Decimal(amount["amount"].replace(",", "")), amount["currency"])
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=zone)
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except (ArithmeticError, ValueError, BillingError):
        # A person's own words may look like ours, with a 30th of February.
        return text
    return date.max if text == _OPEN_END["en"] else text


def _said(value: Value, language: str, zone: ZoneInfo) -> str:
    if isinstance(value, Money):
        amount = f"{value.amount:,}"
        if language != "en":
            amount = amount.translate(str.maketrans(",.", ".,"))
        return f"{amount} {value.currency}"
    if isinstance(value, datetime):
        local = value.astimezone(UTC).astimezone(zone)
        return f"{_day(local.date(), language)} {local:%H:%M}"
    if isinstance(value, date):
        return _OPEN_END[language] if value == date.max else _day(value, language)
    return str(value)


def _day(day: date, language: str) -> str:
    """English by ISO 8601: day and month are confused otherwise."""
    return day.isoformat() if language == "en" else f"{day:%d/%m/%Y}"
