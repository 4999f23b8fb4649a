"""Debian's Chromium through Playwright: pages that tell what a strict policy refused, and axe's judgement of them.

Whole, or as the shell around the same engine that has no windows: there a page takes a third of the processor's time. What the
shell has not, notices for one, is tried with the whole one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from support.console_world import Console

from web.acting import COOKIE

CHROMIUM: Final = "/usr/bin/chromium"
_SHELL: Final = "/usr/bin/chromium-headless-shell"
# bin/test installs it; the whole one does all that it does.
SHELL: Final = _SHELL if Path(_SHELL).exists() else CHROMIUM
AXE: Final = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"
WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDE: Final = {"width": 1360, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
# htmx complains of a request that the next page cuts off; of one that fails it says `htmx:sendError` or `htmx:responseError` besides.
_CUT_OFF: Final = ("htmx:sendAbort", "htmx:afterRequest")
_LOOKS: Final = {
    "wide": (WIDE, "light"),
    "dark": (WIDE, "dark"),
    "phone": (PHONE, "light"),
    "dark phone": (PHONE, "dark"),
}
# In the frame after the next one all has heard of it, and what would take its time to change colour has changed.
_SETTLED: Final = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
    for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
    done(document.documentElement.dataset.bsTheme);
})))"""
_JUDGED: Final = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"


class Browser:
    """One Chromium. What a page's scripts threw or the policy refused stands in `complaints` of its page."""

    def __init__(self, launched: Any) -> None:
        self._launched = launched

    def context(self, console: Console | None = None, role: str = "", **options: Any) -> BrowserContext:
        """A browser of its own, with no cookies but the session of that role."""
        context: BrowserContext = self._launched.new_context(**{"viewport": WIDE, "locale": "en-GB", **options})
        context.set_default_timeout(60_000)
        if console is not None and role:
            cookie = {
                "name": COOKIE,
                "value": console.tokens[role],
                "domain": "127.0.0.1",
                "path": "/",
                "httpOnly": True,
            }
            context.add_cookies([cookie])  # type: ignore[list-item]
        return context

    @contextmanager
    def page(self, console: Console | None = None, role: str = "administrator", **options: Any) -> Iterator[Page]:
        """A page of such a browser; at its end nothing may have been refused or thrown."""
        context = self.context(console, role, **options)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{page.url}: {said.text}")
                if said.type == "error"
                and "status of 4" not in said.text
                and "status of 5" not in said.text
                and not said.text.startswith(_CUT_OFF)
                else None
            ),
        )
        try:
            yield page
            assert not complaints, complaints
        finally:
            context.close()


_drivers: Final[list[Playwright]] = []


@contextmanager
def _driver() -> Iterator[Playwright]:
    """Playwright allows one in a process: who comes while it runs has the same."""
    if _drivers:
        yield _drivers[0]
        return
    with sync_playwright() as begun:
        _drivers.append(begun)
        try:
            yield begun
        finally:
            _drivers.clear()


@contextmanager
def chromium(*more: str, program: str = CHROMIUM) -> Iterator[Browser]:
    """Started once, with `more` on its command line; as root it has no sandbox of its own. A small /dev/shm is no reason for a page to crash."""
    with _driver() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *more]
        )
        try:
            yield Browser(launched)
        finally:
            launched.close()


def looks(page: Page, *wanted: str) -> Iterator[str]:
    """The open page wide, and then as a phone shows it, or in the looks that are named, without loading it again; at the end it is wide and light."""
    for name in wanted or ("wide", "phone"):
        _dress(page, name)
        yield name
    _dress(page, "wide")


def _dress(page: Page, name: str) -> None:
    size, scheme = _LOOKS[name]
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert page.evaluate(_SETTLED) == scheme, f"{page.url} is not {scheme}"


def usable_by_everybody(page: Page, address: str, paths: Iterable[str], *wanted: str) -> None:
    """Opens each, and in each look axe finds nothing wrong and nothing is wider than the window."""
    for path in paths:
        page.goto(address + path)
        for look in looks(page, *wanted):
            wrong = violations(page)
            assert not wrong, (path, look, wrong)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, look, "too wide")


def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page by WCAG 2.2 AA, a line each place."""
    # Into the page's own world by the debugger, which the policy does not hold: the page could not load it.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    # What is well is counted by nobody: axe describes no place of it, which costs as much as finding what is wrong.
    found = page.evaluate(_JUDGED, WCAG)
    return [
        f"{one['id']}: {one['help']}: {place['target'][0]} {place['html'][:160]} {place.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        for place in one["nodes"]
    ]
