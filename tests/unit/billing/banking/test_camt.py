"""ISO 20022 files of banks: each version's places, what a file says of itself, files that mean harm; judged by the schemas first."""

from __future__ import annotations

import contextlib
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from support.handed_schemas import SEPA, needs_sepa

from billing.banking.bank_line import BankFileError, Flow, Form
from billing.banking.camt import is_xml, read_camt
from billing.money import Money

OUR_ACCOUNT = "IT60X0542811101000000123456"
EUR = "EUR"


def entry(version, amount="36.48", word="CRDT", *, sts="BOOK", head="", details="", tail="", ccy=EUR):
    """One entry as that version writes it; `details` are its transactions."""
    state = f"<Sts><Cd>{sts}</Cd></Sts>" if version >= 8 else f"<Sts>{sts}</Sts>"
    parts = f"<NtryDtls>{details}</NtryDtls>" if details else ""
    return (
        f'<Ntry><Amt Ccy="{ccy}">{amount}</Amt><CdtDbtInd>{word}</CdtDbtInd>{head}{state}<BookgDt><Dt>2026-03-10</Dt></BookgDt>'
        f"<ValDt><Dt>2026-03-11</Dt></ValDt>{tail or '<BkTxCd/>'}{parts}</Ntry>"
    )


def detail(
    version, *, refs="", amount=None, name="", iban="", words="", reference="", back="", side="Dbtr", word="CRDT"
):
    """One transaction of an entry."""
    told = ""
    if amount is not None:
        own = f'<Amt Ccy="EUR">{amount}</Amt>'
        told = f"{own}<CdtDbtInd>{word}</CdtDbtInd>" if version >= 4 else f"<AmtDtls><TxAmt>{own}</TxAmt></AmtDtls>"
    elif version >= 8:
        told = f'<Amt Ccy="EUR">36.48</Amt><CdtDbtInd>{word}</CdtDbtInd>'
    person = f"<Pty><Nm>{name}</Nm></Pty>" if version >= 8 else f"<Nm>{name}</Nm>"
    account = f"<{side}Acct><Id><IBAN>{iban}</IBAN></Id></{side}Acct>" if iban else ""
    people = f"<RltdPties><{side}>{person}</{side}>{account}</RltdPties>" if name else ""
    structured = f"<Strd><CdtrRefInf><Ref>{reference}</Ref></CdtrRefInf></Strd>" if reference else ""
    remitted = (
        f"<RmtInf>{f'<Ustrd>{words}</Ustrd>' if words else ''}{structured}</RmtInf>" if words or reference else ""
    )
    returned = f"<RtrInf><Rsn><Cd>{back}</Cd></Rsn></RtrInf>" if back else ""
    return f"<TxDtls><Refs>{refs}</Refs>{told}{people}{remitted}{returned}</TxDtls>"


def statement(version, *entries, form="053", account=OUR_ACCOUNT, totals=""):
    """A whole file."""
    root, one = {"053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}[form]
    balance = "<Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-10</Dt></Dt>"
    balances = f"<Bal>{balance.format('OPBD', '0')}</Bal>" if form == "053" else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{form}.001.{version:02}"><{root}>'
        f"<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-03-11T06:00:00</CreDtTm></GrpHdr><{one}><Id>S1</Id><CreDtTm>2026-03-11T06:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id></Acct>{balances}{totals}{''.join(entries)}</{one}></{root}></Document>"
    ).encode()


PAID = {"name": "ROSSI MARIO", "iban": "IT28W8000000292100645211151", "words": "SALDO 12/FT/2026"}


@pytest.mark.parametrize("form", ["053", "054"])
@pytest.mark.parametrize("version", range(2, 9))
def test_a_credit_says_the_same_in_every_version(version, form):
    own = entry(
        version,
        head="",
        tail="<AcctSvcrRef>B1</AcctSvcrRef><BkTxCd/>",
        details=detail(version, refs="<EndToEndId>E1</EndToEndId>", **PAID),
    )
    octets = statement(version, own, form=form)

    (found,) = read_camt(octets, schemas=SEPA)

    (line,) = found.lines
    assert (found.account, found.form, found.skipped) == (OUR_ACCOUNT, Form(f"camt.{form}"), 0)
    assert (line.amount, line.booked_on, line.value_on) == (Money(3648, EUR), date(2026, 3, 10), date(2026, 3, 11))
    assert (line.party, line.party_iban, line.text) == (
        "ROSSI MARIO",
        "IT28W8000000292100645211151",
        "SALDO 12/FT/2026",
    )
    assert (line.entry_reference, line.end_to_end, line.returned) == ("B1", "E1", None)
    assert line.key == "B1 20260310 36.48 EUR"


@needs_sepa
@pytest.mark.parametrize("form", ["053", "054"])
@pytest.mark.parametrize("version", [2, 8])
def test_the_files_of_these_tests_are_what_the_schemas_of_iso_allow(version, form):
    """So that the reader is not tested on files that no bank writes."""
    schema = etree.XMLSchema(etree.parse(SEPA / f"camt.{form}.001.{version:02}.xsd"))
    back = detail(version, refs="<EndToEndId>C2</EndToEndId>", back="AM04", word="DBIT", **PAID)
    own = entry(
        version, details=detail(version, refs="<EndToEndId>E1</EndToEndId>", reference="RF18539007547034", **PAID)
    )

    schema.assertValid(etree.fromstring(statement(version, own, entry(version, word="DBIT", details=back), form=form)))


@needs_sepa
def test_the_samples_that_were_handed_over_are_read_to_the_cent():
    (found,) = read_camt((SEPA / "samples/camt.053.001.02_sdd.xml").read_bytes(), schemas=SEPA)

    assert [(str(one.amount), one.end_to_end, one.mandate, one.flow, one.returned) for one in found.lines] == [
        ("32.90 EUR", "2026A000121", "RC-000112-1", Flow.DEBIT, None),
        ("19.90 EUR", "2026A000122", "RC-000113-1", Flow.DEBIT, None),
        ("-19.90 EUR", "2026A000122", "RC-000113-1", Flow.DEBIT, "MS03"),
    ]
    # 1000.00 + 52.80 - 19.90 = 1032.90: nothing to find.
    assert found.findings == ()
    (told,) = read_camt((SEPA / "samples/camt.054.001.02_returns.xml").read_bytes(), schemas=SEPA)
    assert told.lines[0].key == found.lines[2].key
    (refused,) = read_camt((SEPA / "samples/pain.002.001.03_rejects.xml").read_bytes(), schemas=SEPA)
    assert [(str(one.amount), one.end_to_end, one.returned) for one in refused.lines] == [
        ("-32.90 EUR", "2026A000121", "AC01"),
        ("-19.90 EUR", "2026A000122", "AM04"),
    ]


def test_a_structured_reference_a_return_and_a_reversal_are_told_apart():
    read = read_camt(
        statement(
            8,
            entry(8, details=detail(8, reference="RF18539007547034", **PAID)),
            entry(8, word="DBIT", details=detail(8, back="MD06", word="DBIT", **PAID)),
            entry(8, word="DBIT", head="<RvslInd>true</RvslInd>"),
            entry(8, word="DBIT", amount="1.50"),
            entry(
                8,
                word="DBIT",
                tail="<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>IDDT</Cd><SubFmlyCd>UPDD</SubFmlyCd></Fmly></Domn></BkTxCd>",
            ),
        ),
        schemas=SEPA,
    )[0].lines

    assert read[0].creditor_reference == "RF18539007547034"
    assert [(one.returned, one.undone, one.is_return) for one in read] == [
        (None, False, False),
        ("MD06", False, True),
        (None, True, True),
        (None, False, False),
        ("", False, True),
    ]
    assert read[1].party == "ROSSI MARIO"


@pytest.mark.parametrize("version", [2, 8])
def test_a_batch_is_its_parts_when_they_add_up_and_one_line_when_they_do_not(version):
    parts = [
        detail(version, refs=f"<EndToEndId>C{n}</EndToEndId>", amount=amount)
        for n, amount in ((1, "32.90"), (2, "19.9"))
    ]
    (right,) = read_camt(statement(version, entry(version, "52.80", details="".join(parts))), schemas=SEPA)
    (wrong,) = read_camt(statement(version, entry(version, "52.81", details="".join(parts))), schemas=SEPA)

    assert [str(one.amount.amount) for one in right.lines] == ["32.90", "19.90"]
    assert [str(one.amount.amount) for one in wrong.lines] == ["52.81"]
    assert wrong.findings[0] == "entry 1: its 2 parts do not add up to 52.81 EUR: taken as one line"


def test_what_a_bank_keeps_of_a_payment_is_not_the_payers_and_an_amount_that_nothing_explains_is_not_taken():
    own = '<AmtDtls><TxAmt><Amt Ccy="EUR">100.00</Amt></TxAmt></AmtDtls>'
    charges = '<Chrgs><Amt Ccy="EUR">0.50</Amt></Chrgs>'
    kept = entry(2, "99.50", details=f"<TxDtls><Refs/>{own}{charges}</TxDtls>")
    strange = entry(2, "99.50", details=f"<TxDtls><Refs/>{own}</TxDtls>")
    other = entry(2, "99.50", details=f"<TxDtls><Refs/>{own}{charges.replace('0.50', '0.40')}</TxDtls>")

    found = [
        str(one.lines[0].amount.amount) for each in (kept, strange, other) for one in read_camt(statement(2, each))
    ]
    assert found == ["100.00", "99.50", "99.50"]


def test_what_is_not_booked_waits_and_several_accounts_are_told_apart():
    two = statement(2, entry(2), entry(2, sts="PDNG"), entry(2, sts="INFO")).decode()
    stmt = two[two.index("<Stmt>") : two.index("</Stmt>") + 7]
    both = two.replace(stmt, stmt + stmt.replace(OUR_ACCOUNT, "IT40S0542811101000000123457")).encode()

    found = read_camt(both)

    assert [(one.account, len(one.lines), one.skipped) for one in found] == [
        (OUR_ACCOUNT, 1, 2),
        ("IT40S0542811101000000123457", 1, 2),
    ]
    assert found[0].findings == ("2 entries are not booked yet and were left out",)


def test_what_a_file_says_of_itself_is_held_against_it():
    totals = "<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries></TxsSummry>"
    balance = '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">36.49</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-10</Dt></Dt></Bal>'
    (found,) = read_camt(statement(2, entry(2), totals=balance + totals), schemas=SEPA)

    assert found.findings == (
        "the bank says 3 entries and the file has 1",
        "the balance goes from 0 to 36.49 and the booked entries come to 36.48",
    )
    odd = balance.replace("36.49", "sNaN") + totals.replace("3", "\u00b2" + "9" * 5000)
    (found,) = read_camt(statement(2, entry(2), totals=odd))
    assert [one[:20] for one in found.findings] == ["the bank says \u00b299999"]


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY {n} "{f"&{p};" * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True)) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "evil",
    [
        BOMB,
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/evil.dtd">',
        '<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
        "<!DOCTYPE d>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_with_a_document_type_is_refused_before_anything_is_expanded_or_fetched(evil, encoding):
    plain = statement(2, entry(2)).decode().partition("?>")[2].replace("SALDO", "&i;")
    begun = time.process_time()

    with pytest.raises(BankFileError, match="document type"):
        read_camt(f'<?xml version="1.0" encoding="{encoding}"?>{evil}{plain}'.encode(encoding))
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no XML"),
        (b"not xml", "no XML"),
        (b"<a", "no XML"),
        (b'<?xml version="1.0" encoding="rot13"?><Document/>', "no XML"),
        (b"<Document/>", "first element is 'Document'"),
        (statement(2).replace(b"camt.053.001.02", b"camt.052.001.02"), "first element"),
        (statement(2).replace(b"001.02", b"001.99"), r"camt.053.001.99 is not known: versions 02 to 08"),
        (statement(2)[:-20], "no XML"),
        (statement(2).replace(b"Stmt>", b"Stmd>"), "has no statement"),
        (statement(2, entry(2, "1,50")), "entry 1: '1,50' 'EUR' is no amount"),
        (statement(2, entry(2, "-1.50")), "entry 1: '-1.50' 'EUR' is no amount"),
        (statement(2, entry(2, "1e5")), "is no amount"),
        (statement(2, entry(2, "1.505")), "more than 2 decimals"),
        (statement(2, entry(2, "0.00")), "its amount is nothing"),
        (statement(2, entry(2, ccy="eur")), "is no amount"),
        (statement(2, entry(2, word="BOTH")), "neither CRDT nor DBIT"),
        (statement(2, entry(2)).replace(b"2026-03-10</Dt></BookgDt>", b"2026-02-30</Dt></BookgDt>"), "booking day"),
        (statement(2, entry(2, details=detail(2, words="<x>" * 300 + "</x>" * 300))), "no XML"),
        (statement(2, entry(2, details=detail(2, words="a" * 11_000_000))), "no XML"),
    ],
)
def test_a_file_that_is_none_or_whose_entries_say_nothing_is_refused_with_its_place(octets, said):
    with pytest.raises(BankFileError, match=said):
        read_camt(octets)


@needs_sepa
def test_a_file_that_its_schema_does_not_allow_is_refused_where_the_schema_is():
    wrong = statement(2, entry(2)).replace(b"<ValDt>", b"<Moon/><ValDt>")

    assert read_camt(wrong)[0].lines
    with pytest.raises(BankFileError, match=r"not what camt.053.001.02 allows.*Moon"):
        read_camt(wrong, schemas=SEPA)
    # Version 04 has no schema there: it is read without one.
    assert read_camt(statement(4, entry(4)), schemas=SEPA)[0].lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_file_is_read_in_the_encoding_that_it_names(encoding):
    text = statement(2, entry(2, details=detail(2, name="GEBÜHR"))).decode().replace("UTF-8", encoding)

    assert is_xml(text.encode(encoding))
    assert read_camt(text.encode(encoding))[0].lines[0].party == "GEBÜHR"
    assert not is_xml(b"Data;Importo\n")


def test_fifty_megabytes_are_read_in_seconds_and_in_little_memory():
    one = entry(2, details=detail(2, **{**PAID, "words": "x" * 2500}))
    octets = statement(2, one * (50_000_000 // len(one)))
    begun, before = time.process_time(), _resident_kb()

    (found,) = read_camt(octets)

    assert len(octets) > 49_000_000
    assert len({one.key for one in found.lines}) == 50_000_000 // len(one)
    assert time.process_time() - begun < 120
    # Its entries kept as a tree are more than 100 MB.
    assert _resident_kb() - before < 60_000


def _resident_kb():
    return next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")
    )


@given(
    st.lists(st.tuples(st.decimals(min_value="0.01", max_value="999999", places=2), st.booleans(), st.text(st.characters(categories=("L", "N", "P")), max_size=20)), max_size=6)
)  # fmt: skip
def test_what_is_written_is_read_again(told):
    entries = [
        entry(
            8,
            str(amount),
            "CRDT" if came_in else "DBIT",
            tail=f"<BkTxCd/><AddtlNtryInf>{_escaped(text)}</AddtlNtryInf>",
        )
        for amount, came_in, text in told
    ]

    (found,) = read_camt(statement(8, *entries))

    assert [(one.amount.amount, one.text) for one in found.lines] == [
        (Decimal(amount) if came_in else -Decimal(amount), text) for amount, came_in, text in told
    ]


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_octets_that_are_changed_are_read_or_refused_and_nothing_else(octets, place):
    whole = statement(2, entry(2, details=detail(2, **PAID)))
    with contextlib.suppress(BankFileError):
        read_camt(whole[:place] + octets + whole[place + len(octets) :])
