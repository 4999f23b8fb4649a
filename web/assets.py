"""Styles, scripts and pictures: read once, compressed once, and kept by browsers for ever, since their address holds what they are.

Nothing is loaded from another place: bin/assets has copied the libraries into web/static/vendor.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from web.marks import public

_FOLDER: Final = Path(__file__).parent / "static"
_SERVED: Final = frozenset({".css", ".js", ".svg", ".png", ".ico", ".woff2", ".webmanifest"})
_PACKED: Final = frozenset({".css", ".js", ".svg", ".webmanifest"})
_MARK: Final = 12


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    packed: bytes | None
    kind: str


class Assets:
    """All of web/static."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files = {
            str(file.relative_to(folder)): _read(file)
            for file in sorted(folder.rglob("*"))
            if file.is_file() and file.suffix in _SERVED
        }
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(name.encode() + b"\0" + asset.content)
        # One mark for all of them: a style names its pictures by where they lie beside it.
        self._mark = digest.hexdigest()[:_MARK]

    def address(self, name: str) -> str:
        """Where a file is served. Raises: KeyError for one that there is not."""
        assert name in self._files, f"there is no web/static/{name}"
        return f"/static/{self._mark}/{name}"

    def pages(self) -> Blueprint:
        """Their addresses. A page of an older release may ask with an older mark: it gets today's, and keeps it for no time."""
        pages = Blueprint("assets", __name__)

        @pages.get("/static/<mark>/<path:name>")
        @public("styles and scripts say nothing of anybody")
        def file(mark: str, name: str) -> Response:
            asset = self._files.get(name)
            if asset is None:
                return Response("there is nothing here", 404, content_type="text/plain")
            packed = asset.packed if "gzip" in request.headers.get("Accept-Encoding", "") else None
            response = Response(asset.content if packed is None else packed, content_type=asset.kind)
            if packed is not None:
                response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = "Accept-Encoding"
            kept = "public, max-age=31536000, immutable" if mark == self._mark else "no-cache"
            response.headers["Cache-Control"] = kept
            return response

        return pages


def _read(file: Path) -> _Asset:
    content = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if file.suffix == ".webmanifest":
        kind = "application/manifest+json"
    elif file.suffix in (".js", ".css"):
        kind = f"{kind}; charset=utf-8"
    return _Asset(content, gzip.compress(content, 9, mtime=0) if file.suffix in _PACKED else None, kind)
