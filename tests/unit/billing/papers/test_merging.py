"""Files of others behind a paper of ours: whole where they can be read, named where they can't."""

from __future__ import annotations

from io import BytesIO

from pypdf import PdfReader, PdfWriter

from billing.papers.merging import MOST_PAGES, merge_pdfs


def pdf(*sizes: int, password: str = "") -> bytes:
    """A PDF with a page of each width."""
    writer, made = PdfWriter(), BytesIO()
    for width in sizes:
        writer.add_blank_page(width=width, height=100)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(made)
    return made.getvalue()


def widths(content: bytes) -> list[int]:
    return [int(page.mediabox.width) for page in PdfReader(BytesIO(content)).pages]


def test_files_come_behind_the_paper_in_their_order():
    merged = merge_pdfs(pdf(10), [("a.pdf", pdf(20, 30)), ("b.pdf", pdf(40))])

    assert widths(merged.content) == [10, 20, 30, 40]
    assert merged.left_out == ()


def test_what_can_not_be_read_is_left_out_by_name_and_nothing_else_is():
    files = [
        ("photo.pdf", b"no PDF"),
        ("torn.pdf", pdf(20)[:60]),
        ("locked.pdf", pdf(30, password="x")),
        ("c.pdf", pdf(40)),
    ]

    merged = merge_pdfs(pdf(10), files)

    assert widths(merged.content) == [10, 40]
    assert merged.left_out == ("photo.pdf", "torn.pdf", "locked.pdf")


def test_a_file_beyond_the_most_pages_is_left_out():
    merged = merge_pdfs(pdf(10), [("long.pdf", pdf(*[20] * MOST_PAGES)), ("short.pdf", pdf(30))])

    assert widths(merged.content) == [10, 30]
    assert merged.left_out == ("long.pdf",)
