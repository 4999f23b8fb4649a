"""Papers as answers: printed when they are asked for, and told to the browser as a file to look at."""

from __future__ import annotations

from flask import Response

from billing.operations.printing import PrintShop
from billing.papers.paper import Paper
from web.surroundings import here


def pdf_of(issuer_id: int, paper: Paper, name: str) -> Response:
    """The paper in the issuer's look, shown in the browser under that name. Load it first: no transaction waits for the press."""
    with PrintShop(here().settings.papers_dir) as shop:
        printed = shop.press(issuer_id).print(paper)
    file = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    response = Response(printed, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{file}.pdf"'
    return response
