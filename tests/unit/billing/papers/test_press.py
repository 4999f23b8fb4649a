"""Papers as they come off the press, read back by programs that are not ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from support.paper_reading import codes_of, facts_of, files_in, fonts_of, pages_of, text_of, words_of

from billing.money import Money
from billing.papers.errors import PaperError
from billing.papers.paper import Attached, Frame, Paper, PaperKind, PrintedParty
from billing.papers.press import Press
from billing.papers.samples import sample

FRAMES = {
    "en": ("Invoice", "To be paid", "€301.39", "15 April 2026"),
    "es": ("Factura", "Total a pagar", "301,39 €", "15 de abril de 2026"),
    "it": ("Fattura", "Totale da pagare", "301,39 €", "15 aprile 2026"),
}


@pytest.fixture(scope="module")
def press():
    with Press() as press:
        yield press


def _with(paper: Paper, **frame) -> Paper:
    return replace(paper, frame=replace(paper.frame, **frame))


def _called(name: str) -> PrintedParty:
    return PrintedParty(name, ("Via Po 1", "10124 Torino (TO)"))


@pytest.mark.parametrize("language", FRAMES)
def test_an_invoice_says_who_whom_what_and_how_to_pay(press, language):
    read = text_of(press.print(sample(PaperKind.INVOICE, language)))

    for words in (
        *FRAMES[language],
        *("128/FT/2026", "Example Net", "Via dei Fiori 12", "Anna Rossi", "Via Po 17/B", "RSSNNA80A41L219V", "4711"),
        *("IT60 X054 2811 1010 0000 0123 456", "art. 15 DPR 633/72", "N1"),
    ):
        assert words in read, read
    # 22.06 + 4 + 180 at 22 % are 206.06 and 45.33; 50 bear none.
    for amount in ("206.06", "45.33", "50.00", "256.06"):
        assert (amount if language == "en" else amount.replace(".", ",")) in read, read


TITLES = {
    PaperKind.CREDIT_NOTE: ("Credit note", "Nota de crédito", "Nota di credito"),
    PaperKind.QUOTE: ("Quote", "Presupuesto", "Preventivo"),
    PaperKind.ORDER: ("Order confirmation", "Confirmación de pedido", "Conferma d'ordine"),
    PaperKind.STATEMENT: ("Statement of account", "Estado de cuenta", "Estratto conto"),
    PaperKind.RECEIPT: ("Receipt", "Recibo", "Ricevuta"),
    PaperKind.REMINDER: ("Payment reminder", "Recordatorio de pago", "Sollecito di pagamento"),
    PaperKind.FORMAL_NOTICE: ("Formal notice", "Requerimiento formal", "costituzione in mora"),
    PaperKind.CONTRACT: ("Contract", "Contrato", "Contratto"),
    PaperKind.PORTAL_INVITATION: ("our portal", "nuestro portal", "nostro portale"),
    PaperKind.CASH_SESSION: ("Cash hand-over", "Arqueo de caja", "Verbale di chiusura cassa"),
    PaperKind.AGENT_SETTLEMENT: ("Commission statement", "Liquidación de comisiones", "Liquidazione provvigioni"),
}


@pytest.mark.parametrize(
    ("kind", "language", "title"),
    [(kind, ["en", "es", "it"][at], title) for kind, titles in TITLES.items() for at, title in enumerate(titles)],
)
def test_each_kind_is_printed_in_each_language(press, kind, language, title):
    assert title in text_of(press.print(sample(kind, language)))


@pytest.mark.parametrize(("size", "width"), [("a4", "595.276"), ("80mm", "226.772"), ("58mm", "164.409")])
def test_a_receipt_fits_the_paper_that_it_is_printed_on(press, size, width):
    printed = press.print(replace(sample(PaperKind.RECEIPT, "it"), size=size))

    assert f"Page size:       {width} x " in facts_of(printed)
    assert "Pages:           1" in facts_of(printed)
    assert "150,92 €" in text_of(printed)  # four times 36.48, and 5.00


def test_the_same_paper_gives_the_same_bytes_whoever_prints_it(press):
    paper = sample(PaperKind.INVOICE, "it")
    with Press() as another:
        other = another.print(paper)

    assert press.print(paper) == other
    assert press.print(_with(paper, dated=date(2026, 4, 1))) != other


def test_it_is_pdf_a_3_with_every_font_inside(press, tmp_path):
    invoice = "<?xml version='1.0'?><FatturaElettronica>à</FatturaElettronica>"
    printed = press.print(
        sample(PaperKind.INVOICE, "it"),
        [Attached("IT01234560017_00001.xml", "text/xml", invoice, "Fattura elettronica")],
    )

    # The XMP that says so, the colours' profile, and no font from elsewhere (ISO 19005-3, 6.2.2, 6.2.11.4, 6.6.4).
    assert b"<pdfaid:part>3</pdfaid:part>" in printed
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in printed
    assert b"/GTS_PDFA1" in printed
    assert b"/AFRelationship" in printed
    assert all(font[-5:-2] == ["yes", "yes", "yes"] for font in fonts_of(printed)), fonts_of(printed)
    assert "Title:           Fattura 128/FT/2026" in facts_of(printed)
    assert "CreationDate:    Tue Mar 31 00:00:00 2026 UTC" in facts_of(printed)
    assert files_in(printed, tmp_path) == {"IT01234560017_00001.xml": invoice.encode()}


def test_papers_are_put_together_for_a_printer_as_they_are(press):
    papers = [press.print(sample(PaperKind.INVOICE, "it", lines=60)), press.print(sample(PaperKind.REMINDER, "en"))]
    whole = press.bundle(papers)

    assert [" ".join(page.split()) for page in pages_of(whole)] == [
        " ".join(page.split()) for paper in papers for page in pages_of(paper)
    ]
    assert "Page size:       595.276 x 841.89" in facts_of(whole)
    assert press.bundle(papers) == whole
    with pytest.raises(PaperError, match="no PDF that was printed here"):
        press.bundle([b"%PDF-1.7"])


NAMES = [
    "*Rossi* _&_ #panic(1) $x^2$ `code` <b> @ref \\ // -- 'x'",
    'read("/etc/passwd") #import "look.typ"',
    "Ñandú Šimůnek-Øster & Söhne",
    "株式会社 王小明",
    "Ελένη Παπαδοπούλου, Олена Шевченко",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_people_write_is_printed_as_they_wrote_it(press, name):
    assert name in text_of(press.print(_with(sample(PaperKind.INVOICE, "it"), recipient=_called(name))))


@pytest.mark.parametrize("name", ["محمد بن سعيد", "משה כהן"])
def test_a_name_that_is_read_from_the_right_keeps_its_order_beside_numbers(press, name):
    paper = sample(PaperKind.REMINDER, "en")
    read = " ".join(" ".join(pages_of(press.print(_with(paper, recipient=_called(name))))).split())

    # Poppler marks where the direction changes; the letters come in the order in which they are read.
    plain = "".join(letter for letter in read if letter not in "\u202a\u202b\u202c")
    assert plain.count(name) == 2, read
    assert "2/FT/2026 15 Jan 2026 30 Jan 2026 60 36.48 36.48" in plain


def test_a_letter_that_no_font_has_is_shown_as_missing_and_stops_nothing(press):
    name = "A\x00\x07\ufffe\U00013000 \ud800B नम\tC\u2028D\u202eE"
    read = text_of(press.print(_with(sample(PaperKind.INVOICE, "it"), recipient=_called(name))))

    assert "A \ufffd\ufffd\ufffd\ufffd \ufffdB \ufffd\ufffd C DE" in read.replace("A\ufffd", "A \ufffd"), ascii(read)


def test_the_codes_are_read_by_a_reader(press):
    assert codes_of(press.print(sample(PaperKind.INVOICE, "it"))) == [
        "QR-Code:BCD\n002\n1\nSCT\n\nExample Net\nIT60X0542811101000000123456\nEUR301.39\n\n\n128/FT/2026",
        "QR-Code:https://pay.example.net/i/4kTq9",
    ]
    assert codes_of(press.print(sample(PaperKind.RECEIPT, "it"))) == ["CODE-128:R-2026-004711"]


def test_sixty_lines_go_on_over_pages_with_what_they_came_to(press):
    pages = pages_of(press.print(sample(PaperKind.INVOICE, "it", lines=60)))

    assert len(pages) > 2
    forward = [_amount_behind(page, "A riportare") for page in pages]
    over = [_amount_behind(page, "Riporto") for page in pages]
    # What leaves a page comes to the next, the last has nothing more to carry, the first nothing before it.
    assert forward[:-1] == over[1:]
    assert (over[0], forward[-1]) == (None, None)
    assert [f"Pagina {number} / {len(pages)}" in page for number, page in enumerate(pages, 1)] == [True] * len(pages)
    # 15 times 24.51 + 4 + 180 + 50, of which the first line is 22.06.
    assert "3.875,20 €" in pages[-1]


def _amount_behind(page: str, word: str) -> str | None:
    found = [line.split()[-1] for line in page.splitlines() if f" {word}" in f" {line}"]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("currency", "language", "country", "amounts"),
    [
        ("CLP", "es", "CL", ("$301", "22", "180")),
        ("TND", "en", "TN", ("TND\xa0301.390", "22.057", "180.000")),
        ("EUR", "it", "IT", ("301,39\xa0€", "22,06", "180,00")),
    ],
)
def test_amounts_have_the_places_of_their_currency_and_end_at_one_edge(press, currency, language, country, amounts):
    paper = _with(sample(PaperKind.INVOICE, language, currency=currency), country=country)
    printed = press.print(paper)

    for amount in amounts:
        assert amount.replace("\xa0", " ") in text_of(printed).replace("\xa0", " "), text_of(printed)
    words = words_of(printed)
    edges = {round(word.right, 1) for word in words if word.text in amounts[1:] and word.left > 480}
    assert len(edges) == 1, edges


def test_long_names_and_words_stay_on_the_page(press):
    paper = sample(PaperKind.INVOICE, "it")
    long = "Cooperativa Agricola dei Produttori di Nocciole dell'Alta Langa e delle Valli Bormida e Uzzone società per azioni"
    lines = (replace(paper.lines[0], description="x" * 300), replace(paper.lines[1], description="parola " * 400))
    printed = press.print(
        replace(_with(paper, recipient=_called(long), sender=_called(long)), lines=(*lines, *paper.lines[2:]))
    )

    assert all(word.right <= 595 - 48 and word.left >= 54 for word in words_of(printed))
    assert text_of(printed).count("parola") == 400


def test_the_address_stands_in_the_window_and_what_is_longer_moves_down_what_follows(press):
    paper = sample(PaperKind.INVOICE, "it")
    many = replace(paper.frame.recipient, numbers=tuple((f"it.n{number}", "RSSNNA80A41L219V") for number in range(12)))
    plain, longer = (words_of(press.print(one)) for one in (paper, _with(paper, recipient=many)))

    (name,) = (word for word in plain if word.text == "Anna")
    assert (round(name.left / 72 * 25.4), round(name.top / 72 * 25.4)) == (112, 50)
    # The lines begin below the fold of a third of the page, or below the last number.
    heads = [next(word.top for word in words if word.text == "Descrizione") / 72 * 25.4 for words in (plain, longer)]
    last = max(word.top for word in longer if word.text == "RSSNNA80A41L219V") / 72 * 25.4
    assert 99 < heads[0] < 106
    assert heads[1] > last + 4


def test_a_paper_with_nothing_but_what_it_needs_is_printed(press):
    frame = Frame("en", "IT", date(2026, 1, 1), PrintedParty("A"), PrintedParty("B"))
    empty = sample(PaperKind.INVOICE, "en", lines=0)
    bare = replace(
        empty,
        frame=frame,
        taxes=(),
        stamp_duty=None,
        dues=(),
        bank=None,
        codes=(),
        payments=(),
        payable=Money(0, "EUR"),
    )

    assert "Draft, not issued" in text_of(press.print(bare))


def test_an_operator_s_files_come_before_the_package_s_and_an_issuer_s_before_those(tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "issuer-7" / "words").mkdir(parents=True)
    (tmp_path / "words/it.toml").write_text(
        '[titles]\ninvoice = "Fattura mia"\n[notes]\nall = "Sempre"\ninvoice = "Solo {qui}"'
    )
    (tmp_path / "issuer-7/words/it.toml").write_text('[titles]\ninvoice = "Fattura sette"')
    (tmp_path / "quote.typ").write_text("Own: #json(bytes(sys.inputs.data)).title")
    (tmp_path / "look.toml").write_text('accent = "#aa0000"\nwindow = "left"')
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><path d="M0 0h9v3h-9z"/></svg>'
    )

    with Press(tmp_path) as press:
        read = text_of(press.print(sample(PaperKind.INVOICE, "it")))
        quote = text_of(press.print(sample(PaperKind.QUOTE, "it")))
        (recipient,) = (word for word in words_of(press.print(sample(PaperKind.INVOICE, "it"))) if word.text == "Anna")
    with Press(tmp_path, 7) as press:
        seven = text_of(press.print(sample(PaperKind.INVOICE, "it")))

    assert "Fattura mia" in read
    assert "Sempre Solo {qui}" in read
    assert "Totale da pagare" in read
    assert quote == "Own: Preventivo"
    assert recipient.left < 60  # 20 mm
    assert "Fattura sette" in seven


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("invoice.typ", "#let x = (", "invoice.typ"),
        ("invoice.typ", '#read("/etc/passwd")', "invoice.typ"),
        ("invoice.typ", '#read("../../../../../../etc/passwd")', "invoice.typ"),
        ("invoice.typ", '#import "@preview/tablex:0.0.8": *', "invoice.typ"),
        ("words/it.toml", "[titles\n", "words/it.toml"),
        ("words/it.toml", "[titles]\ninvoice = 3", "[titles] has texts"),
        ("words/it.toml", '[sentences]\ngreeting = "Ciao {surname}"', "{name}"),
        ("look.toml", 'window = "top"', "left or right"),
        ("look.toml", 'colour = "red"', "accent"),
        ("look.toml", 'fonts = ["Comic Sans"]', "there is no font 'Comic Sans'"),
        ("fonts/own.otf", "OTTO, but no more of it", "own.otf"),
        ("logo.png", "no picture", "look.typ"),
    ],
)
def test_what_is_wrong_with_an_operator_s_file_is_said(tmp_path, file, content, said):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)

    with pytest.raises(PaperError) as refused, Press(tmp_path) as press:
        press.print(sample(PaperKind.INVOICE, "it"))

    assert said in str(refused.value)


def test_a_link_out_of_the_folder_gives_a_template_what_the_operator_linked_and_nothing_more(tmp_path):
    logo = tmp_path / "elsewhere.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><path d="M0 0h9v3h-9z"/></svg>')
    own = tmp_path / "papers"
    own.mkdir()
    (own / "logo.svg").symlink_to(logo)

    with Press(own) as press:
        assert press.print(sample(PaperKind.INVOICE, "it"))[:5] == b"%PDF-"


def test_prices_show_all_their_places(press):
    assert "24,508197" in text_of(press.print(sample(PaperKind.INVOICE, "it")))
    assert Decimal("24.508197") == sample(PaperKind.INVOICE, "it").lines[0].unit_price.each
