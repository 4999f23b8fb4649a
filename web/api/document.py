"""The document of the interface, and what a token may."""

from __future__ import annotations

from typing import Final

import msgspec
from flask import Blueprint, Response, current_app

from web.calls import BASE, Noun
from web.marks import public
from web.openapi import document_of

pages: Final = Blueprint("api_document", __name__, url_prefix=BASE)


@pages.get("/openapi.json")
@public("it is the same for everybody and holds nothing of anybody")
def document() -> Response:
    """OpenAPI 3.1."""
    calls = [call for noun in current_app.blueprints.values() if isinstance(noun, Noun) for call in noun.calls]
    return Response(msgspec.json.encode(document_of(calls)), content_type="application/json")
