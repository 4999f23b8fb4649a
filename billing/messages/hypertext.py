"""The HTML part of a message, made from its plain text: paragraphs, lists and links, in the issuer's colour.

Tables and styles stand in the elements themselves, since many readers drop everything else; nothing is fetched.

Next: texts.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final

_LINK: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
_TEXT_COLOUR: Final = "#222222"
_QUIET_COLOUR: Final = "#666666"
_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title></head>\n"
    '<body style="margin:0;padding:0;background:#f4f4f4">'
    '<table role="presentation" width="100%" cellspacing="0" cellpadding="0"><tr><td align="center" style="padding:16px">'
    '<table role="presentation" width="600" cellspacing="0" cellpadding="0" style="max-width:600px;width:100%;background:#ffffff;'
    "font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:1.5;color:" + _TEXT_COLOUR + '">\n'
    '<tr><td style="padding:16px 24px;border-bottom:3px solid {accent};font-size:20px;font-weight:bold;color:{accent}">{sender}</td></tr>\n'
    '<tr><td style="padding:8px 24px 24px 24px">\n{content}\n</td></tr>{footer}</table></td></tr></table></body></html>\n'
)
_FOOTER: Final = (
    '\n<tr><td style="padding:12px 24px;border-top:1px solid #dddddd;font-size:12px;color:'
    + _QUIET_COLOUR
    + '">{lines}</td></tr>'
)


def page_of(content: str, *, title: str, sender: str, language: str, accent: str, footer: str = "") -> str:
    """A whole page around `content`, which is HTML; the others are plain text."""
    below = _FOOTER.format(lines=_linked(escape(footer)).replace("\n", "<br>")) if footer else ""
    return _PAGE.format(
        language=language, title=escape(title), accent=accent, sender=escape(sender), content=content, footer=below
    )


def paragraphs(text: str) -> str:
    """Plain text as HTML: an empty line ends a paragraph, lines that begin with `- ` are a list, addresses are links."""
    return "\n".join(_block(block.splitlines()) for block in re.split(r"\n\s*\n", text.strip()) if block.strip())


def _block(lines: list[str]) -> str:
    return "".join(_pieces(lines))


def _pieces(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        is_item = lines[at].startswith("- ")
        end = at
        while end < len(lines) and lines[end].startswith("- ") == is_item:
            end += 1
        shown = [_linked(escape(line.removeprefix("- ") if is_item else line)) for line in lines[at:end]]
        if is_item:
            yield "<ul>" + "".join(f"<li>{line}</li>" for line in shown) + "</ul>"
        else:
            yield "<p>" + "<br>".join(shown) + "</p>"
        at = end


def _linked(escaped: str) -> str:
    return _LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', escaped)
