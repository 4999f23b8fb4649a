"""What a template gets of a paper: its figures as texts, the words of its language with its sentences filled in, its codes drawn.

Next: billing/papers/press.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from billing.papers.paper import (
    Barcode,
    CashSessionPaper,
    ContractPaper,
    DocumentPaper,
    InvitationPaper,
    Paper,
    PaperKind,
    ReceiptPaper,
    ReminderPaper,
    SettlementPaper,
    StatementPaper,
)
from billing.papers.spelling import Spelling, spelled
from billing.papers.symbols import draw_symbol
from billing.papers.wording import Tables, filled

_IBAN_GROUP: Final = 4


def data_for(paper: Paper, tables: Tables, spelling: Spelling) -> dict[str, Any]:
    """Raises: PaperError when a sentence asks for what such a paper does not say."""
    plain = spelled(paper, spelling)
    plain |= _derived(paper, plain, tables["words"], spelling)
    numbers = tables["numbers"]
    for party in (plain["frame"]["sender"], plain["frame"]["recipient"]):
        party["numbers"] = [[number_name(numbers, scheme), number] for scheme, number in party["numbers"]]
    title = _title(paper)
    notes = tables["notes"]
    return {
        "paper": plain,
        "title": tables["titles"].get(title, title),
        "words": tables["words"] | {"phone": numbers["phone"]},
        "sentences": _sentences(paper, tables["sentences"], plain),
        "movements": tables["movements"],
        "notes": [notes[key] for key in ("all", paper.kind) if notes.get(key)],
        "language": paper.frame.language,
        "region": spelling.locale.territory,
    }


def number_name(numbers: Mapping[str, str], scheme: str) -> str:
    """What a tax number is called: by its country, by its kind, or as its kind is written in all languages (CUIT)."""
    kind = scheme.rpartition(".")[2]
    return numbers.get(scheme) or numbers.get(kind) or kind.upper()


def _channel_name(words: Mapping[str, str], paper: ReminderPaper) -> str:
    """How it is sent: as that is called in the sender's country, or everywhere, or as it stands."""
    channel = paper.channel or ""
    return words.get(f"{paper.frame.country.lower()}.{channel}") or words.get(channel, channel)


def _title(paper: Paper) -> str:
    if isinstance(paper, DocumentPaper):
        return paper.title
    if isinstance(paper, ReminderPaper) and paper.kind is PaperKind.REMINDER and paper.step > 1:
        return "second_reminder"
    return str(paper.kind)


def _derived(paper: Paper, plain: dict[str, Any], words: Mapping[str, str], spelling: Spelling) -> dict[str, Any]:
    """What follows from the paper's own figures, and what is written otherwise than it is kept."""
    made: dict[str, Any] = {}
    if plain.get("bank"):
        made["bank"] = plain["bank"] | {"iban": _grouped(plain["bank"]["iban"])}
    if isinstance(paper, DocumentPaper | ReceiptPaper | ReminderPaper | InvitationPaper):
        made["codes"] = list(_drawn(paper.codes, words))
    if isinstance(paper, ReceiptPaper):
        made["method"] = words.get(paper.method, paper.method)
    if isinstance(paper, CashSessionPaper):
        made["payments"] = [one | {"method": words.get(one["method"], one["method"])} for one in plain["payments"]]
        made["movements"] = [one | {"what": words.get(one["what"], one["what"])} for one in plain["movements"]]
    if isinstance(paper, SettlementPaper):
        made["commissions"] = [one | {"cause": words.get(one["cause"], one["cause"])} for one in plain["commissions"]]
        made["owed"] = paper.amount.minor < 0
    if isinstance(paper, ReminderPaper):
        made["together"] = spelling.amount(paper.together)
        made["channel"] = None if paper.channel is None else _channel_name(words, paper)
    if isinstance(paper, StatementPaper):
        parts = zip(paper.parts, plain["parts"], strict=True)
        made["parts"] = [
            part
            | {"standing": spelling.amount(one.standing), "stands": _stands(one.balance.minor)}
            | {"lines": [line | {"method": words.get(line["method"], line["method"])} for line in part["lines"]]}
            for one, part in parts
        ]
    if isinstance(paper, ContractPaper):
        made["currency"] = paper.items[0].unit_price.currency if paper.items else ""
    return made


def _stands(minor: int) -> str:
    """The word for what a balance is to the customer."""
    if minor == 0:
        return "settled"
    return "you_owe" if minor > 0 else "you_have"


def _drawn(codes: Iterable[Barcode], words: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for code in codes:
        bars = code.symbology == "code128"
        yield {
            "svg": draw_symbol(code.symbology, code.text),
            "is_wide": bars,
            "says": code.text if bars else words.get(code.word, code.word),
        }


def _sentences(paper: Paper, sentences: Mapping[str, str], plain: Mapping[str, Any]) -> dict[str, str]:
    """Those that such a paper can fill in."""
    frame = paper.frame
    facts = {"name": frame.recipient.name, "sender": frame.sender.name, "recipient": frame.recipient.name}
    asked = ["greeting", "closing"]
    if isinstance(paper, ContractPaper):
        asked.append("contract_intro")
    if isinstance(paper, InvitationPaper):
        asked += ["portal_invitation", "portal_how", "portal_once"]
        facts |= {"until": plain["until"]["long"], "number": frame.recipient.number or ""}
    if isinstance(paper, ReminderPaper):
        asked += ["reminder", "second_reminder", "formal_notice", "formal_dispute"]
        facts |= {"together": plain["together"]["full"], "open": plain["open"]["full"]}
        facts["pay_by"] = plain["pay_by"]["long"]
        if paper.limited_on is not None:
            asked.append("formal_limit")
            facts["limited_on"] = plain["limited_on"]["long"]
        elif paper.notice_days is not None:
            asked.append("formal_limit_days")
            facts["notice_days"] = str(paper.notice_days)
        if paper.law is not None:
            asked.append("formal_law")
            facts["law"] = paper.law
    return {key: filled(sentences[key], facts) for key in asked}


def _grouped(iban: str) -> str:
    """In groups of four, as it is written on paper (ISO 13616)."""
    compact = "".join(iban.split())
    return " ".join(compact[at : at + _IBAN_GROUP] for at in range(0, len(compact), _IBAN_GROUP))
