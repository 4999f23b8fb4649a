"""Invoices printed in a minute: all of a billing run by two processes, and one by one beside reportlab.

`python -m benchmarks.papers [--invoices 1000] [--rounds 5]` makes a PostgreSQL of its own, bills so many contracts, and prints the run
twice: the files of both are compared, since they must be the same. Then one process prints invoices of 12 lines with
totals, due day and a bank's QR code, in turns with reportlab's Platypus, which gets the same texts from the same dataclass, embeds DejaVu
Sans and draws the same QR code, but writes no PDF/A.

Units: invoices a minute by the clock; milliseconds of processor time an invoice, PostgreSQL's not among them. The ratio is of turns that
lie next to each other, its median and its range.
"""

from __future__ import annotations

import io
import re
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final

import click
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from benchmarks.billing import _in_process, _issue, _prepare, books
from benchmarks.population import working_directory
from billing.papers.paper import Barcode, DocumentPaper, PaperKind
from billing.papers.press import Press
from billing.papers.samples import sample
from billing.papers.transfer_code import transfer_code
from billing.store.issued import load_numbers
from control_plane import db
from control_plane.paper_run import Wanted, print_files

GOAL: Final = 1_000
PROCESSES: Final = 2
TURN: Final = 100
_RUNS: Final = re.compile(r"M(\d+) (\d+)h(\d+)")


def whole_run(base: Path, invoices: int) -> None:
    """Prints what a run issued, twice."""
    with books(base, invoices) as conninfo:
        _in_process(_prepare, conninfo)
        _in_process(_issue, conninfo)
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            found = load_numbers(connection, run_id=1)
        printed: list[dict[str, bytes]] = []
        for place in ("first", "second"):
            folder = base / place
            folder.mkdir()
            wanted = [Wanted(number, folder / f"{number}.pdf") for number, _, _ in found]
            clock_s, used_s = time.perf_counter(), _children_s()
            failed = print_files(
                wanted, conninfo=conninfo, folder=base / "none", processes=PROCESSES, done=lambda _: None
            )
            clock_s, used_s = time.perf_counter() - clock_s, _children_s() - used_s
            assert not failed, failed[:3]
            printed.append({file.name: file.read_bytes() for file in folder.iterdir()})
            rate = len(wanted) / clock_s * 60
            size = sum(map(len, printed[-1].values())) / len(wanted) / 1000
            click.echo(
                f"a run of {len(wanted):,} invoices from PostgreSQL into files, {PROCESSES} processes, their start included:"
                f" {rate:,.0f} a minute ({'yes' if rate >= GOAL else 'no'}, at least {GOAL:,}), {used_s / len(wanted) * 1000:.1f} ms CPU and {size:.0f} kB each"
            )
        click.echo(f"the same files both times: {'yes' if printed[0] == printed[1] else 'NO'}")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def beside_reportlab(rounds: int) -> None:
    """One process, turns one after the other."""
    for name, file in (("DejaVu", "DejaVuSans.ttf"), ("DejaVu-Bold", "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, f"/usr/share/fonts/truetype/dejavu/{file}"))
    paper = sample(PaperKind.INVOICE, "it", lines=12)
    papers = _papers()
    with Press() as press:
        ours, theirs = [], []
        for number in range(rounds + 1):
            turn = [next(papers) for _ in range(TURN)]
            own = _turn(press.print, turn)
            other = _turn(lambda one: _by_reportlab(press.data_of(one)), turn)
            if number:  # the first warms up
                ours.append(own)
                theirs.append(other)
        sizes = len(press.print(paper)), len(_by_reportlab(press.data_of(paper)))
    ratios = sorted(other / own for own, other in zip(ours, theirs, strict=True))
    click.echo(
        f"an invoice of 12 lines, one process: {statistics.median(ours):.1f} ms CPU ({min(ours):.1f}-{max(ours):.1f}), {sizes[0] / 1000:.0f} kB;"
        f" reportlab {statistics.median(theirs):.1f} ms ({min(theirs):.1f}-{max(theirs):.1f}), {sizes[1] / 1000:.0f} kB:"
        f" {statistics.median(ratios):.2f} times as quick ({ratios[0]:.2f}-{ratios[-1]:.2f})"
    )


def _papers() -> Iterator[DocumentPaper]:
    """Each with its own number, customer, quantities and code: what is laid out once already costs typst nothing."""
    paper = sample(PaperKind.INVOICE, "it", lines=12)
    assert isinstance(paper, DocumentPaper)
    for number in count(1):
        recipient = replace(paper.frame.recipient, name=f"Anna Rossi {number}", number=str(number))
        frame = replace(paper.frame, number=f"{number}/FT/2026", recipient=recipient)
        lines = tuple(replace(line, quantity=Decimal(number) + line.number) for line in paper.lines)
        code = transfer_code("IT60X0542811101000000123456", "Example Net", paper.payable, f"{number}/FT/2026")
        assert code is not None
        yield replace(paper, frame=frame, lines=lines, codes=(Barcode("qr", code, "pay_by_app"),))


def _turn(print_one: Callable[[DocumentPaper], bytes], papers: Sequence[DocumentPaper]) -> float:
    began = time.process_time()
    for paper in papers:
        print_one(paper)
    return (time.process_time() - began) / len(papers) * 1000


class _Code(Flowable):
    """The drawing of a QR code, run by run."""

    def __init__(self, svg: str) -> None:
        super().__init__()
        self._runs = [tuple(map(int, found)) for found in _RUNS.findall(svg)]
        self.width = self.height = 27 * mm

    def draw(self) -> None:
        side = 27 * mm / (max(start + length for start, _, length in self._runs) + 4)
        for start, row, length in self._runs:
            self.canv.rect(start * side, 27 * mm - (row + 5) * side, length * side, side, stroke=0, fill=1)


def _by_reportlab(data: dict[str, Any]) -> bytes:
    paper, words, frame = data["paper"], data["words"], data["paper"]["frame"]
    plain = ParagraphStyle("plain", fontName="DejaVu", fontSize=9, leading=12)
    title = ParagraphStyle("title", fontName="DejaVu-Bold", fontSize=16, leading=20)
    lines = [[words["description"], words["quantity"], words["unit_price"], words["tax_rate"], words["net_amount"]]]
    for one in paper["lines"]:
        said = one["description"] + (f"<br/>{one['during']['since']['short']}" if one["during"] else "")
        rate = one["nature"] or one["rate"]
        lines.append([Paragraph(said, plain), one["quantity"], one["unit_price"], rate, one["net"]["amount"]])
    taxes = [[words["tax_summary"], "", words["base"], words["tax"]]]
    taxes += [[one["rate"], one["law"] or "", one["base"]["amount"], one["tax"]["amount"]] for one in paper["taxes"]]
    sums = [
        [words["net"], paper["net"]["full"]],
        [words["tax"], paper["tax"]["full"]],
        [words["payable"], paper["payable"]["full"]],
    ]
    bank = paper["bank"]
    due = [Paragraph(f"{one['due_on']['long']}  {one['amount']['full']}", plain) for one in paper["dues"]]
    pay = [*due, *(Paragraph(text, plain) for text in (bank["holder"], bank["iban"], bank["reference"]))]
    story = [
        *(Paragraph(line, plain) for line in (frame["sender"]["name"], *frame["sender"]["address"])),
        Spacer(1, 10 * mm),
        *(Paragraph(line, plain) for line in (frame["recipient"]["name"], *frame["recipient"]["address"])),
        Spacer(1, 10 * mm),
        Paragraph(f"{data['title']} {frame['number']}", title),
        Paragraph(frame["dated"]["long"], plain),
        Spacer(1, 6 * mm),
        _table(lines, [80 * mm, 18 * mm, 28 * mm, 16 * mm, 30 * mm]),
        Spacer(1, 5 * mm),
        _table(taxes, [40 * mm, 60 * mm, 30 * mm, 30 * mm]),
        _table(sums, [130 * mm, 42 * mm]),
        Spacer(1, 5 * mm),
        Table([[pay, *(_Code(code["svg"]) for code in paper["codes"])]]),
    ]
    file = io.BytesIO()
    SimpleDocTemplate(file, pagesize=A4, leftMargin=20 * mm, rightMargin=18 * mm, title=data["title"]).build(story)
    return file.getvalue()


def _table(rows: list[list[Any]], widths: list[float]) -> Table:
    style = [
        ("FONT", (0, 0), (-1, -1), "DejaVu", 9),
        ("FONT", (0, 0), (-1, 0), "DejaVu-Bold", 8),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black),
    ]
    return Table(rows, colWidths=widths, style=TableStyle(style), repeatRows=1)


@click.command()
@click.option("--invoices", default=1_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(invoices: int, rounds: int) -> None:
    """Measure and print."""
    with working_directory() as base:
        whole_run(base, invoices)
    beside_reportlab(rounds)


if __name__ == "__main__":
    main()
